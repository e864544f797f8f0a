//! The server's own keys: files of mode 0600 in `keys/`, one secret each, in hex. The root and administrators' keys are never here.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use fieldseal_core::random::{Random, array};
use fieldseal_proof::ids::{DeviceId, IncarnationId, KeyId};
use fieldseal_proof::note::{NoteError, VerifierKey};
use fieldseal_proof::suite::{Ed25519Signer, Signer};
use zeroize::Zeroizing;

use crate::ledger::blob::VaultKey;

/// A private key; the seed is erased when it is dropped.
#[derive(Clone)]
pub struct SecretKey {
    seed: Zeroizing<[u8; 32]>,
    signer: Arc<Ed25519Signer>,
}

impl SecretKey {
    fn new(seed: [u8; 32]) -> std::io::Result<Self> {
        let signer = Ed25519Signer::from_seed(&seed).map_err(std::io::Error::other)?;
        Ok(Self {
            seed: Zeroizing::new(seed),
            signer: Arc::new(signer),
        })
    }

    /// Whoever signs with it.
    pub fn signer(&self) -> Arc<Ed25519Signer> {
        self.signer.clone()
    }

    /// Public key bytes.
    pub fn public(&self) -> Vec<u8> {
        self.signer.public().as_bytes().to_vec()
    }

    /// The key's id in the key log.
    pub fn public_key_id(&self) -> KeyId {
        self.signer.public().key_id()
    }

    /// The seed, for formats that want it (SSHSIG).
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }
}

/// Everything secret that the server has.
pub struct ServerKeys {
    /// The ingest device.
    pub device: DeviceId,
    pub incarnation: IncarnationId,
    /// Signs the server's own operations and its receipts.
    pub operation: SecretKey,
    /// Signs checkpoints, nothing else.
    pub log: SecretKey,
    /// Signs time notes.
    pub time: SecretKey,
    /// Signs hearing bundles.
    pub bundle: SecretKey,
    /// Wraps the keys of evidence files.
    pub vault: VaultKey,
}

const NAMES: [&str; 5] = ["operation", "log", "time", "bundle", "vault"];

impl ServerKeys {
    /// Makes all keys in a new folder.
    ///
    /// # Errors
    /// When the folder or a file exists already, or there is no randomness.
    pub fn create(folder: &Path, random: &dyn Random) -> std::io::Result<()> {
        std::fs::create_dir(folder)?;
        for name in NAMES {
            let seed: Zeroizing<[u8; 32]> = Zeroizing::new(array(random).map_err(std::io::Error::other)?);
            let text = Zeroizing::new(hex::encode(*seed));
            write_secret(&folder.join(format!("{name}.key")), text.as_bytes())?;
        }
        std::fs::File::open(folder)?.sync_all()
    }

    /// Reads them.
    ///
    /// # Errors
    /// A file that is missing or not a key, by name.
    pub fn load(folder: &Path, device: DeviceId, incarnation: IncarnationId) -> std::io::Result<Self> {
        let seed = |name: &str| -> std::io::Result<[u8; 32]> {
            let path = folder.join(format!("{name}.key"));
            let named = |why: String| std::io::Error::other(format!("{}: {why}", path.display()));
            let text = Zeroizing::new(std::fs::read_to_string(&path).map_err(|e| named(e.to_string()))?);
            let mut seed = [0; 32];
            hex::decode_to_slice(text.trim(), &mut seed).map_err(|_| named("not a key of 64 hex digits".into()))?;
            Ok(seed)
        };
        let key = |name: &str| seed(name).and_then(SecretKey::new);
        Ok(Self {
            device,
            incarnation,
            operation: key("operation")?,
            log: key("log")?,
            time: key("time")?,
            bundle: key("bundle")?,
            vault: VaultKey(seed("vault")?),
        })
    }

    /// The log's verifier key.
    ///
    /// # Errors
    /// An origin that cannot be a key name.
    pub fn log_vkey(&self, origin: &str) -> Result<String, NoteError> {
        Ok(VerifierKey::ed25519(origin, self.log.signer().public().clone())?.to_vkey())
    }

    /// The time notes' verifier key.
    ///
    /// # Errors
    /// As above.
    pub fn time_vkey(&self, origin: &str) -> Result<String, NoteError> {
        let name = fieldseal_proof::checkpoint::TimeNote::key_name(origin);
        Ok(VerifierKey::ed25519(&name, self.time.signer().public().clone())?.to_vkey())
    }
}

/// What opens `/metrics`: a token in a file that a monitor may be given, made at the first start. Returns its SHA-256.
///
/// # Errors
/// When the file cannot be read or made.
pub fn metrics_token(folder: &Path, random: &dyn Random) -> std::io::Result<[u8; 32]> {
    let path = folder.join("metrics.token");
    if !path.exists() {
        let token: Zeroizing<[u8; 32]> = Zeroizing::new(array(random).map_err(std::io::Error::other)?);
        write_secret(&path, Zeroizing::new(hex::encode(*token)).as_bytes())?;
    }
    let text = Zeroizing::new(std::fs::read_to_string(&path)?);
    if text.trim().is_empty() {
        return Err(std::io::Error::other(format!("{}: empty", path.display())));
    }
    Ok(fieldseal_proof::hash::sha256(text.trim().as_bytes()))
}

/// A new file that only its owner can read.
///
/// # Errors
/// When it exists or cannot be written.
pub fn write_secret(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
