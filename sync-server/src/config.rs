//! `server.toml` and the places of everything in a server's folder.

use std::path::{Path, PathBuf};

use fieldseal_proof::ids::{DeviceId, IncarnationId};
use serde::{Deserialize, Serialize};

/// What `init` decided. A person may edit `listen` and `name`; the rest is bound to keys and checkpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Permanent name of the log.
    pub origin: String,
    /// Shown on the status page.
    pub name: String,
    /// Address and port; port 0 takes any free one.
    pub listen: String,
    /// The ingest device.
    pub subject: String,
    pub incarnation: String,
}

/// Where things lie.
#[derive(Debug, Clone)]
pub struct Layout {
    pub root: PathBuf,
}

impl Layout {
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_path_buf(),
        }
    }
    pub fn config(&self) -> PathBuf {
        self.root.join("server.toml")
    }
    pub fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }
    pub fn ledger(&self) -> PathBuf {
        self.root.join("ledger.sqlite")
    }
    pub fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }
    pub fn tiles(&self) -> PathBuf {
        self.root.join("tiles")
    }
    pub fn certificate(&self) -> PathBuf {
        self.root.join("keys/tls.crt")
    }
    pub fn certificate_key(&self) -> PathBuf {
        self.root.join("keys/tls.key")
    }
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{path}: {why}")]
    File { path: String, why: String },
    #[error("server.toml: {0} is not a UUID")]
    Id(&'static str),
}

impl Config {
    /// Reads `server.toml`.
    ///
    /// # Errors
    /// A file that is missing, malformed or has an unknown key, by name.
    pub fn load(layout: &Layout) -> Result<Self, ConfigError> {
        let path = layout.config();
        let failed = |why: String| ConfigError::File {
            path: path.display().to_string(),
            why,
        };
        let text = std::fs::read_to_string(&path).map_err(|e| failed(e.to_string()))?;
        toml::from_str(&text).map_err(|e| failed(e.to_string()))
    }

    /// The ingest device's id and incarnation.
    ///
    /// # Errors
    /// When one is no UUID.
    pub fn ids(&self) -> Result<(DeviceId, IncarnationId), ConfigError> {
        let subject = self.subject.parse().map_err(|_| ConfigError::Id("subject"))?;
        Ok((
            subject,
            self.incarnation.parse().map_err(|_| ConfigError::Id("incarnation"))?,
        ))
    }
}
