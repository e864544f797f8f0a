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
    /// Folders with fonts, each a set of its own, for printing documents again: keep an old set beside the new one when the
    /// system's fonts change.
    #[serde(default = "system_fonts")]
    pub fonts: Vec<PathBuf>,
    /// What one device may take up; whoever runs the server may change it.
    #[serde(default)]
    pub limits: Limits,
}

fn system_fonts() -> Vec<PathBuf> {
    vec![PathBuf::from("/usr/share/fonts")]
}

/// What one device may take up. A signed record is never refused for any of these: it waits on the tablet, or is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of the largest file.
    pub upload_bytes: u64,
    /// Files of one device that are begun and not whole.
    pub uploads_open: usize,
    /// Their declared bytes together.
    pub uploads_open_bytes: u64,
    /// Seconds without a new byte after which an unfinished upload is dropped; the tablet still has the file.
    pub upload_keep_s: u64,
    /// Bytes of the disk that files may not take: records need them.
    pub keep_free_bytes: u64,
    /// Requests a second of one device, on average; four times as many in one go.
    pub requests_per_s: u32,
    /// Requests of one device that are worked on at once, in each of pushing, reading and files.
    pub at_once: usize,
    /// Milliseconds of silence after which the other end of a connection counts as gone: between the parts of a head, of a body,
    /// or of an answer that is not taken.
    pub silence_ms: u64,
}

impl Limits {
    /// As a span; never none at all.
    pub fn silence(&self) -> std::time::Duration {
        std::time::Duration::from_millis(self.silence_ms.max(1))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // A day of video.
            upload_bytes: 64 << 30,
            // A week of photographs, each cut by a bad link.
            uploads_open: 2_000,
            uploads_open_bytes: 256 << 30,
            // Longer than any week without signal.
            upload_keep_s: 30 * 24 * 3600,
            keep_free_bytes: 256 << 20,
            // Fifty photographs a second cost two hundred.
            requests_per_s: 500,
            at_once: 8,
            // A 2G link with a cell hand-over is silent for half of it.
            silence_ms: 60_000,
        }
    }
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

    /// What `init` writes.
    pub fn default_fonts() -> Vec<PathBuf> {
        system_fonts()
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
