//! `fieldseal fsck`: reads everything again and says what is not as it was written. It changes nothing, except that a file
//! of the vault that was changed is set aside.

use fieldseal_proof::ids::BlobHash;

use super::{DeviceError, FieldDevice};
use crate::store::{BlobState, StoreCheck, StoreError, StoreFault};
use crate::vault::VaultError;
use crate::watch::{Watch, Watcher};

/// What a check of the device read and found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fsck {
    /// The database.
    pub store: StoreCheck,
    /// Evidence files read and hashed.
    pub files: u64,
    /// Their original bytes.
    pub bytes: u64,
    /// Files that are changed or missing, by name, with `blob_changed` or `blob_missing`.
    pub file_faults: Vec<StoreFault>,
}

impl Fsck {
    /// Whether everything is as it was written.
    pub fn is_clean(&self) -> bool {
        self.store.faults.is_empty() && self.file_faults.is_empty()
    }
}

impl FieldDevice {
    /// Checks pages, chains, signatures, bodies, views and evidence files. The watcher is told of the files' bytes, and asked
    /// after every operation and every 64 KiB of a file; the database's pages are read in one go before.
    ///
    /// # Errors
    /// `db_damaged` when a page does not authenticate; the next start then repairs. `check_cancelled`.
    pub fn fsck(&self, watcher: &mut Watcher<'_>) -> Result<Fsck, DeviceError> {
        let blobs = self.store.blobs()?;
        let total = blobs.iter().filter(|blob| blob.state.is_here()).map(|blob| blob.size);
        let mut watch = Watch::new(watcher, total.sum());
        let store = match self.store.check_watched(&*self.keys, &mut || watch.done(0)) {
            Err(error @ StoreError::Damaged(_)) => {
                self.store.suspect()?;
                return Err(error.into());
            }
            other => other?,
        };
        let mut fsck = Fsck {
            store,
            ..Fsck::default()
        };
        for blob in blobs {
            let mut fault = |code| {
                fsck.file_faults.push(StoreFault {
                    code,
                    subject: blob.file.clone(),
                })
            };
            match blob.state {
                BlobState::Changed => fault("blob_changed"),
                BlobState::Missing => fault("blob_missing"),
                BlobState::Sealed | BlobState::Unsealed => {
                    match self.vault.verify_watched(&blob.file, &mut |bytes| watch.done(bytes)) {
                        Ok(file) if file.sha256 == blob.sha256 && file.size == blob.size => {
                            fsck.files += 1;
                            fsck.bytes += file.size;
                        }
                        Ok(_) | Err(VaultError::Changed { .. }) => {
                            fault("blob_changed");
                            self.set_blob_aside(&blob.file, blob.sha256)?;
                        }
                        Err(VaultError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                            fault("blob_missing");
                        }
                        Err(other) => return Err(other.into()),
                    }
                }
            }
        }
        Ok(fsck)
    }

    /// Reads one blob again: whether every byte is as it was sealed. Nothing is set aside by it.
    ///
    /// # Errors
    /// `blob_missing`, `check_cancelled`, or a file that cannot be read.
    pub fn check_blob(&self, sha256: BlobHash, watcher: &mut Watcher<'_>) -> Result<bool, DeviceError> {
        let row = self.store.blob(sha256)?;
        let row = row.ok_or_else(|| DeviceError::text("blob_missing", "id", sha256))?;
        let mut watch = Watch::new(watcher, row.size);
        match self.vault.verify_watched(&row.file, &mut |bytes| watch.done(bytes)) {
            Ok(file) => Ok(file.sha256 == sha256),
            Err(VaultError::Changed { .. }) => Ok(false),
            Err(VaultError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(other) => Err(other.into()),
        }
    }
}
