//! `fieldseal fsck`: reads everything again and says what is not as it was written. It changes nothing, except that a file
//! of the vault that was changed is set aside.

use super::{DeviceError, FieldDevice};
use crate::store::{BlobState, StoreCheck, StoreError, StoreFault};
use crate::vault::VaultError;

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
    /// Checks pages, chains, signatures, bodies, views and evidence files.
    ///
    /// # Errors
    /// `db_damaged` when a page does not authenticate; the next start then repairs.
    pub fn fsck(&self) -> Result<Fsck, DeviceError> {
        let store = match self.store.check(&*self.keys) {
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
        for blob in self.store.blobs()? {
            let mut fault = |code| {
                fsck.file_faults.push(StoreFault {
                    code,
                    subject: blob.file.clone(),
                })
            };
            match blob.state {
                BlobState::Changed => fault("blob_changed"),
                BlobState::Missing => fault("blob_missing"),
                BlobState::Sealed | BlobState::Unsealed => match self.vault.verify(&blob.file) {
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
                },
            }
        }
        Ok(fsck)
    }
}
