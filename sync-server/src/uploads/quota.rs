//! Beginning an upload: what a device may have begun at once.

use fieldseal_core::random::uuid;
use fieldseal_proof::encoding::base64;
use fieldseal_proof::ids::DeviceId;

use super::row::{decode, encode, of};
use super::{Upload, UploadError, Uploads};
use crate::ledger::blob::Incoming;
use crate::ledger::{LedgerError, Swap, space};

impl Uploads {
    /// Begins an upload, or finds the one that this device has begun for the same bytes.
    ///
    /// # Errors
    /// When a store refuses, and where the device has begun more than it may (the file stays on the tablet).
    pub async fn create(
        &self,
        device: DeviceId,
        sha256: [u8; 32],
        size: u64,
        media_type: String,
        named_by: Option<DeviceId>,
    ) -> Result<Upload, UploadError> {
        if size > self.limits.upload_bytes {
            let most = self.limits.upload_bytes;
            return Err(UploadError::TooLarge { size, most });
        }
        if let Some(held) = self.room(device, &sha256, size).await? {
            return Ok(held);
        }
        let random = || uuid(&*self.ingest.random).map_err(|_| UploadError::Random);
        let (id, object) = (hex::encode(random()?), hex::encode(random()?));
        let (mut incoming, mut head) =
            Incoming::create(size, &self.ingest.keys.vault, &*self.ingest.random).map_err(|_| UploadError::Random)?;
        let first = base64(&head);
        if size == 0 {
            head.extend(incoming.push(&[]).unwrap_or_default());
            self.blobs.append(&object, 0, head).await?;
        }
        let state = incoming
            .state(&self.ingest.keys.vault, &*self.ingest.random)
            .map_err(|_| UploadError::Random)?;
        let upload = Upload {
            id,
            device: device.to_string(),
            sha256: hex::encode(sha256),
            size,
            media_type,
            object,
            state,
            expires_ms: self.expiry(),
            named_by: named_by.map(|device| device.to_string()),
            head: first,
        };
        let registers = vec![
            Swap::create(space::UPLOAD, upload.id.as_bytes(), encode(&upload)?),
            Swap::create(space::UPLOAD_OF, of(device, &sha256), upload.id.as_bytes()),
        ];
        match self.change(registers).await {
            Ok(()) => {}
            // The same device asked twice at once: the other one is first.
            Err(LedgerError::Conflict(_)) => {
                return self.held(device, &sha256).await?.ok_or(UploadError::Unknown);
            }
            Err(other) => return Err(other.into()),
        }
        if size == 0 {
            // An empty file is whole at once, and its hash is checked like any other's.
            self.publish(&upload, incoming.sha256()).await?;
        }
        Ok(upload)
    }

    /// Whether the device may begin another file; `Some` is the one it has begun for the same bytes.
    async fn room(&self, device: DeviceId, sha256: &[u8; 32], size: u64) -> Result<Option<Upload>, UploadError> {
        let now = self.ingest.now_ms();
        let hash = hex::encode(sha256);
        let (mut open, mut bytes) = (0, size);
        let begun = self
            .ingest
            .ledger
            .registers_under(space::UPLOAD_OF, device.as_bytes().to_vec())
            .await?;
        for index in begun {
            let Some(held) = self.ingest.ledger.register(space::UPLOAD, index.value).await? else {
                continue;
            };
            let held = decode(&held)?;
            if held.expires_ms < now {
                self.sweep_one(&held.id).await?;
            } else if held.sha256 == hash && held.size == size {
                return Ok(Some(held));
            } else if held.sha256 == hash {
                // Another size was declared for the same bytes: one of the two is wrong, the newer word counts.
                self.terminate(&held.id).await?;
            } else {
                open += 1;
                bytes = bytes.saturating_add(held.size);
            }
        }
        let (most, most_bytes) = (self.limits.uploads_open as u64, self.limits.uploads_open_bytes);
        if open >= most {
            return Err(UploadError::Quota { open, most });
        }
        if bytes > most_bytes {
            return Err(UploadError::QuotaBytes {
                open: bytes,
                most: most_bytes,
            });
        }
        Ok(None)
    }
}
