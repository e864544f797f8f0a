//! Evidence at rest (`formats/vault.md`): every file under a key of its own, in authenticated segments, under a random name.
//!
//! ```text
//! read 64 KiB → hash the original bytes → encrypt → write temp file → fsync → rename → fsync folder → (then the row)
//! ```
//!
//! Memory use does not depend on the size of the evidence. Nothing in this folder is ever deleted by the library: what
//! does not verify is moved to `aside/`. Only the part of a file that can be fetched again may go (`arrival`).

mod arrival;
mod durable;
mod head;
mod reader;
mod space;
mod sweep;
mod writer;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use fieldseal_proof::ids::{BlobHash, to_hex};
use zeroize::Zeroizing;

use crate::random::{Random, RandomError, array};

pub use arrival::{Arrival, Arrived};
pub use durable::write_durably;
pub use head::EscrowKey;
pub(crate) use head::{FileKeys, open as open_sealed, open_wrapped, seal as seal_secret};
pub use reader::VaultReader;
pub use space::{FileSystem, ROOM_FOR_RECORDS, Space, WARNED_BELOW, minutes_of_video, recording_bytes};
pub use sweep::SweptVault;
pub(crate) use sweep::evidence_files;
pub use writer::{OnFailure, Recorded};

/// Bytes of plaintext in a segment.
pub const SEGMENT: usize = 64 * 1024;
/// What authentication adds to a segment.
const TAG: usize = 16;

/// At most how many bytes a file of the vault takes for so many original ones: head and authentication come on top.
pub fn sealed_bytes(original: u64) -> u64 {
    let segments = original / SEGMENT as u64 + 2;
    original.saturating_add(segments * TAG as u64 + head::MAX_HEAD as u64)
}

/// A vault that could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The disk has no room for the next bytes.
    #[error("no space left for evidence in {folder}")]
    NoSpace {
        /// The vault's folder.
        folder: PathBuf,
        /// Where the part that was written stands, if it was kept.
        partial: Option<PathBuf>,
    },
    /// The camera, file or stream that is captured failed to give its bytes.
    #[error("the source of the evidence could not be read: {0}")]
    Source(#[source] std::io::Error),
    /// The vault's own folder could not be read or written.
    #[error("{action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The bytes are not what was written: they do not authenticate under the vault's key.
    #[error("evidence file {name} was changed: {reason}")]
    Changed {
        /// File name in the vault.
        name: String,
        /// What did not fit.
        reason: &'static str,
    },
    /// The escrow key would make a wrap that anybody can open.
    #[error("the escrow key is not usable")]
    WeakEscrowKey,
    /// No randomness for a file key.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// Whoever watched wished to stop.
    #[error("stopped by whoever watched")]
    Stopped,
}

impl VaultError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::NoSpace {
                folder: path.parent().unwrap_or(&path).to_owned(),
                partial: None,
            },
            _ => Self::Io { action, path, source },
        }
    }

    fn changed(name: &str, reason: &'static str) -> Self {
        Self::Changed {
            name: name.to_owned(),
            reason,
        }
    }
}

/// A file that lies in the vault completely and durably.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultFile {
    /// Its random name, `<32 hex digits>.fse`.
    pub name: String,
    /// SHA-256 of the original bytes.
    pub sha256: BlobHash,
    /// Number of original bytes.
    pub size: u64,
}

/// The folder that holds evidence.
pub struct Vault {
    folder: PathBuf,
    key: Zeroizing<[u8; 32]>,
    escrow: Mutex<Option<EscrowKey>>,
    random: Arc<dyn Random>,
    space: Arc<dyn Space>,
}

impl Vault {
    /// Opens the vault in `folder`, making the folder if there is none.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(
        folder: &Path,
        key: Zeroizing<[u8; 32]>,
        random: Arc<dyn Random>,
        space: Arc<dyn Space>,
    ) -> Result<Self, VaultError> {
        for path in [folder.to_owned(), folder.join(INCOMING), folder.join(ASIDE)] {
            std::fs::create_dir_all(&path).map_err(VaultError::io("making the folder", &path))?;
        }
        Ok(Self {
            folder: folder.to_owned(),
            key,
            escrow: Mutex::new(None),
            random,
            space,
        })
    }

    /// From now on wraps file keys to this escrow key as well.
    pub fn set_escrow(&self, escrow: Option<EscrowKey>) {
        *self.escrow.lock().unwrap_or_else(PoisonError::into_inner) = escrow;
    }

    /// Opens a file for reading; every byte that is given out has been authenticated.
    ///
    /// # Errors
    /// When it is missing, or its head was changed.
    pub fn read(&self, name: &str) -> Result<VaultReader, VaultError> {
        VaultReader::open(&self.path(name), name, &FileKeys::Vault(&self.key))
    }

    /// Reads a whole file and gives the hash and size of its original bytes.
    ///
    /// # Errors
    /// When any byte of it was changed, is missing or was added.
    pub fn verify(&self, name: &str) -> Result<VaultFile, VaultError> {
        self.verify_watched(name, &mut |_| ControlFlow::Continue(()))
    }

    /// As [`Vault::verify`]; `each` is told the size of every segment that was read, at most [`SEGMENT`].
    ///
    /// # Errors
    /// As [`Vault::verify`], and [`VaultError::Stopped`] when `each` breaks.
    pub fn verify_watched(
        &self,
        name: &str,
        each: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<VaultFile, VaultError> {
        self.read(name)?.into_verified(each)
    }

    /// What was noted in a file's head about the evidence when its capture began.
    ///
    /// # Errors
    /// When it is missing, or its head was changed.
    pub fn note(&self, name: &str) -> Result<Option<Vec<u8>>, VaultError> {
        Ok(self.read(name)?.note().map(<[u8]>::to_vec))
    }

    /// Whether a file of that name exists.
    pub fn holds(&self, name: &str) -> bool {
        self.path(name).is_file()
    }

    /// Moves a file that no longer is what was sealed out of the way, keeping it whole.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn set_aside(&self, name: &str) -> Result<PathBuf, VaultError> {
        self.move_aside(&self.path(name), name)
    }

    /// Bytes that could still be written here.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn available(&self) -> Result<u64, VaultError> {
        self.space
            .available(&self.folder)
            .map_err(VaultError::io("asking for free space of", &self.folder))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn move_aside(&self, from: &Path, name: &str) -> Result<PathBuf, VaultError> {
        let mut to = self.folder.join(ASIDE).join(name);
        for n in 1.. {
            if !to.exists() {
                break;
            }
            to = self.folder.join(ASIDE).join(format!("{name}.{n}"));
        }
        durable::rename(from, &to)?;
        Ok(to)
    }

    fn new_name(&self) -> Result<String, VaultError> {
        let random: [u8; 16] = array(&*self.random)?;
        Ok(format!("{}.{EXTENSION}", to_hex(&random)))
    }
}

const INCOMING: &str = "incoming";
const ASIDE: &str = "aside";
const EXTENSION: &str = "fse";

#[cfg(test)]
mod tests;
