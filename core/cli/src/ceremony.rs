//! What passes between the machines of a ceremony: requests, key log files, server cards, trust folders.

use std::path::{Path, PathBuf};

use fieldseal_core::catalogue::Param;
use fieldseal_proof::body::Body;
use fieldseal_proof::ids::{IncarnationId, ItemId, KeyId, TenantId, from_hex, to_hex};
use fieldseal_proof::key_log::{Custody, Entry, KeyLog, KeyLogFrame, KeyRecord, Purpose};
use fieldseal_proof::note::VerifierKey;
use fieldseal_proof::sshsig::allowed_signers_line;
use fieldseal_proof::suite::{PublicKey, Signer};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::files;

/// Name of the key log file.
pub const KEY_LOG: &str = "key-log.cbor-seq";

/// A public key as JSON carries it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyJson {
    pub purpose: String,
    pub suite: u64,
    pub public: String,
    pub custody: String,
}

impl KeyJson {
    /// As JSON carries it.
    pub fn of(purpose: Purpose, key: &PublicKey, custody: Custody) -> Self {
        Self {
            purpose: purpose.as_str().into(),
            suite: key.suite().number(),
            public: to_hex(key.as_bytes()),
            custody: custody.as_str().into(),
        }
    }

    /// The key record; the key log checks the key itself.
    pub fn record(&self) -> Result<KeyRecord, Failure> {
        let wrong = |what: &str| Failure::usage("usage.key_word", [("what", Param::text(what))]);
        Ok(KeyRecord {
            purpose: Purpose::from_word(&self.purpose).ok_or_else(|| wrong(&self.purpose))?,
            suite: self.suite,
            public: from_hex(&self.public).ok_or_else(|| wrong(&self.public))?,
            custody: Custody::from_word(&self.custody).ok_or_else(|| wrong(&self.custody))?,
        })
    }
}

/// What an administrator or a server asks of the root key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Request {
    /// An administrator's key.
    Admin {
        subject: String,
        name: String,
        keys: Vec<KeyJson>,
    },
    /// A server's keys.
    Server {
        subject: String,
        incarnation: String,
        origin: String,
        keys: Vec<KeyJson>,
    },
}

/// Where a server is and what an administrator shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServerCard {
    pub url: String,
    pub tls_sha256: String,
    pub log_vkey: String,
    pub token: String,
}

/// A tenant's public identity.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TenantJson {
    pub tenant: String,
    pub root: RootJson,
}

/// The root key as the trust folder shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RootJson {
    pub suite: u64,
    pub public: String,
}

/// A key log with its bytes.
pub struct KeyLogFile {
    path: PathBuf,
    pub log: KeyLog,
    bytes: Vec<u8>,
}

impl KeyLogFile {
    /// Begins a key log with the root's own entry.
    pub fn begin(folder: &Path, tenant: TenantId, root: &dyn Signer, wall_ms: u64) -> Result<Self, Failure> {
        let path = folder.join(KEY_LOG);
        let mut file = Self {
            log: KeyLog::new(tenant),
            bytes: Vec::new(),
            path,
        };
        let record = KeyRecord::new(Purpose::Root, root.public(), Custody::Software);
        let entry = Entry {
            keys: vec![record],
            ..blank(&file.log, "root", root.public().key_id(), wall_ms)
        };
        file.add(entry, None, root)?;
        files::create(&file.path, &file.bytes)?;
        Ok(file)
    }

    /// Reads and checks a key log file.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let bytes = files::read(path)?;
        let log = KeyLog::read(&bytes).map_err(|error| Failure::form(path, error))?;
        Ok(Self {
            path: path.to_owned(),
            log,
            bytes,
        })
    }

    /// Signs what a request asks for and adds it; [`Self::save`] writes.
    pub fn delegate(&mut self, request: &Request, root: &dyn Signer, wall_ms: u64) -> Result<(), Failure> {
        let signer = root.public().key_id();
        let records = |keys: &[KeyJson]| keys.iter().map(KeyJson::record).collect::<Result<Vec<_>, _>>();
        let entry = match request {
            Request::Admin { subject, keys, .. } => Entry {
                subject: Some(id(subject)?),
                keys: records(keys)?,
                ..blank(&self.log, "admin", signer, wall_ms)
            },
            Request::Server {
                subject,
                incarnation,
                origin,
                keys,
            } => Entry {
                subject: Some(id(subject)?),
                incarnation: Some(IncarnationId::from_bytes(id(incarnation)?)),
                name: Some(origin.clone()),
                keys: records(keys)?,
                ..blank(&self.log, "server", signer, wall_ms)
            },
        };
        self.add(entry, None, root)
    }

    /// Signs an entry, checks it as every reader will, and adds it.
    pub fn add(&mut self, entry: Entry, attrs: Option<Body>, signer: &dyn Signer) -> Result<(), Failure> {
        let frame = sign(&mut self.log, entry, attrs, signer)?;
        self.bytes.extend_from_slice(&frame);
        Ok(())
    }

    /// Replaces the file.
    pub fn save(&self) -> Result<(), Failure> {
        files::replace(&self.path, &self.bytes)
    }
}

/// An entry at the end of a key log, with nothing in it yet.
pub fn blank(log: &KeyLog, action: &str, signer: KeyId, wall_ms: u64) -> Entry {
    Entry {
        tenant: log.tenant(),
        index: log.size(),
        prev: log.head(),
        action: action.to_owned(),
        subject: None,
        keys: Vec::new(),
        role: None,
        incarnation: None,
        attrs_root: None,
        signer,
        wall_ms,
        target: None,
        name: None,
    }
}

/// Signs an entry and appends it to a checked key log; the frame.
pub fn sign(log: &mut KeyLog, entry: Entry, attrs: Option<Body>, signer: &dyn Signer) -> Result<Vec<u8>, Failure> {
    let broken =
        |error: &dyn std::fmt::Display| Failure::new("key_log_broken", [("detail", Param::text(error.to_string()))]);
    let frame = KeyLogFrame::sign(&entry, attrs, signer).map_err(|error| broken(&error))?;
    log.append(&frame).map_err(|error| broken(&error))?;
    Ok(frame.encode())
}

/// 16 bytes of a UUID text.
pub fn id(text: &str) -> Result<[u8; 16], Failure> {
    let id: ItemId = text.parse().map_err(|error: fieldseal_proof::ids::IdError| {
        let params = [("text", Param::text(text)), ("detail", Param::text(error.to_string()))];
        Failure::usage("usage.id", params)
    })?;
    Ok(*id.as_bytes())
}

/// Writes the folder that a stranger needs, from a key log.
pub fn write_trust(folder: &Path, log: &KeyLog) -> Result<(), Failure> {
    let lacking = |what: &str| Failure::usage("usage.key_lacking", [("what", Param::text(what))]);
    let unusable =
        |error: &dyn std::fmt::Display| Failure::usage("usage.key_form", [("detail", Param::text(error.to_string()))]);
    let newest = |purpose: Purpose| -> Result<(PublicKey, String), Failure> {
        let keys = log.server_keys(purpose);
        let key = keys.last().ok_or_else(|| lacking(purpose.as_str()))?;
        let public = key.record.key().map_err(|error| unusable(&error))?;
        Ok((public, key.name.clone().unwrap_or_default()))
    };
    let root = log.root().ok_or_else(|| lacking("root"))?;
    let tenant = TenantJson {
        tenant: log.tenant().to_string(),
        root: RootJson {
            suite: root.record.suite,
            public: to_hex(&root.record.public),
        },
    };
    let (log_key, origin) = newest(Purpose::Log)?;
    let (bundle_key, _) = newest(Purpose::Bundle)?;
    let vkey = VerifierKey::ed25519(&origin, log_key).map_err(|error| unusable(&error))?;
    files::empty_folder(folder)?;
    let pretty = |value: &serde_json::Value| format!("{value:#}\n").into_bytes();
    files::create(&folder.join("tenant.json"), &pretty(&serde_json::json!(tenant)))?;
    files::create(&folder.join("log.vkey"), format!("{}\n", vkey.to_vkey()).as_bytes())?;
    files::create(
        &folder.join("allowed_signers"),
        allowed_signers_line(&origin, &bundle_key).as_bytes(),
    )?;
    files::create(
        &folder.join("policy.json"),
        &pretty(&serde_json::json!({ "quorum": 0, "witnesses": [] })),
    )
}
