//! What the ledger holds of an upload and of a file that is here.

use fieldseal_proof::ids::DeviceId;
use serde::{Deserialize, Serialize};

use super::{UploadError, Uploads};
use crate::ledger::blob::IncomingState;
use crate::ledger::{LedgerError, Register, Swap, space};

/// The row of an upload.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Upload {
    pub id: String,
    pub device: String,
    /// Hex.
    pub sha256: String,
    pub size: u64,
    pub media_type: String,
    /// Name of the object.
    pub object: String,
    pub state: IncomingState,
    pub expires_ms: u64,
    /// The device whose rescue file a supervisor hands in.
    #[serde(default)]
    pub(super) named_by: Option<String>,
    /// First bytes of the object, base64: they go to the disk with the first segment.
    #[serde(default)]
    pub(super) head: String,
}

/// The row of a blob that is here.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Blob {
    pub object: String,
    pub size: u64,
    pub media_type: String,
    /// Framed receipt, base64.
    pub receipt: String,
}

impl Uploads {
    /// A blob that is here.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn blob(&self, sha256: &[u8; 32]) -> Result<Option<Blob>, LedgerError> {
        let Some(register) = self.ingest.ledger.register(space::BLOB, sha256.to_vec()).await? else {
            return Ok(None);
        };
        serde_json::from_slice(&register.value)
            .map(Some)
            .map_err(|e| LedgerError::Corrupt(e.to_string()))
    }

    /// The devices that have shown that they hold these bytes. To know their hash shows nothing.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn holders(&self, sha256: &[u8; 32]) -> Result<Vec<DeviceId>, LedgerError> {
        let held = self
            .ingest
            .ledger
            .registers_under(space::HOLDER, sha256.to_vec())
            .await?;
        let device = |register: &Register| register.key.get(32..)?.try_into().ok().map(DeviceId::from_bytes);
        Ok(held.iter().filter_map(device).collect())
    }

    /// Whether the file is here and this device has shown that it holds it: then there is nothing to send.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn is_held_by(&self, sha256: &[u8; 32], device: DeviceId) -> Result<bool, LedgerError> {
        let key = holder(sha256, device);
        let shown = self.ingest.ledger.register(space::HOLDER, key).await?.is_some();
        Ok(shown && self.blob(sha256).await?.is_some())
    }

    /// An upload's row. Never waits for a writer.
    ///
    /// # Errors
    /// Unknown, also where it is finished or expired.
    pub async fn find(&self, id: &str) -> Result<Upload, UploadError> {
        let upload = self.row(id).await?.ok_or(UploadError::Unknown)?;
        if upload.expires_ms < self.ingest.now_ms() {
            Err(UploadError::Unknown)
        } else {
            Ok(upload)
        }
    }

    pub(super) async fn row(&self, id: &str) -> Result<Option<Upload>, UploadError> {
        let register = self
            .ingest
            .ledger
            .register(space::UPLOAD, id.as_bytes().to_vec())
            .await?;
        Ok(register.map(|register| decode(&register)).transpose()?)
    }

    pub(super) async fn held(&self, device: DeviceId, sha256: &[u8; 32]) -> Result<Option<Upload>, UploadError> {
        let index = self
            .ingest
            .ledger
            .register(space::UPLOAD_OF, of(device, sha256))
            .await?;
        match index {
            Some(index) => self.row(&String::from_utf8_lossy(&index.value)).await,
            None => Ok(None),
        }
    }

    pub(super) async fn store(&self, upload: &Upload) -> Result<(), UploadError> {
        let row = Swap::set(space::UPLOAD, upload.id.as_bytes(), encode(upload)?);
        Ok(self.change(vec![row]).await?)
    }

    /// Makes the index of an upload that an earlier version began.
    pub(super) async fn index(&self, upload: &Upload) -> Result<(), LedgerError> {
        let Ok(device) = upload.device.parse() else {
            return Ok(());
        };
        let key = of(device, &sha256_of(upload)?);
        if self
            .ingest
            .ledger
            .register(space::UPLOAD_OF, key.clone())
            .await?
            .is_some()
        {
            return Ok(());
        }
        self.change(vec![Swap::set(space::UPLOAD_OF, key, upload.id.as_bytes())])
            .await
    }
}

/// An upload's rows go.
pub(super) fn over(upload: &Upload) -> Result<Vec<Swap>, LedgerError> {
    let mut registers = vec![Swap::remove(space::UPLOAD, upload.id.as_bytes())];
    if let Ok(device) = upload.device.parse() {
        registers.push(Swap::remove(space::UPLOAD_OF, of(device, &sha256_of(upload)?)));
    }
    Ok(registers)
}

/// A whole upload's rows: it goes, and who sent the bytes, or had them handed in, is their holder.
pub(super) fn whole(upload: &Upload) -> Result<Vec<Swap>, LedgerError> {
    let sha256 = sha256_of(upload)?;
    let mut registers = over(upload)?;
    for device in std::iter::once(&upload.device).chain(&upload.named_by) {
        if let Ok(device) = device.parse() {
            registers.push(held(&sha256, device));
        }
    }
    Ok(registers)
}

/// The device has shown that it holds these bytes.
pub(super) fn held(sha256: &[u8; 32], device: DeviceId) -> Swap {
    Swap::set(space::HOLDER, holder(sha256, device), b"sent")
}

fn holder(sha256: &[u8; 32], device: DeviceId) -> Vec<u8> {
    [sha256.as_slice(), device.as_bytes()].concat()
}

pub(super) fn of(device: DeviceId, sha256: &[u8; 32]) -> Vec<u8> {
    [device.as_bytes().as_slice(), sha256].concat()
}

pub(super) fn sha256_of(upload: &Upload) -> Result<[u8; 32], LedgerError> {
    hex::decode(&upload.sha256)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| LedgerError::Corrupt("an upload's hash".into()))
}

pub(super) fn decode(register: &Register) -> Result<Upload, LedgerError> {
    serde_json::from_slice(&register.value).map_err(|e| LedgerError::Corrupt(e.to_string()))
}

pub(super) fn encode(value: &impl Serialize) -> Result<Vec<u8>, LedgerError> {
    serde_json::to_vec(value).map_err(|e| LedgerError::Corrupt(e.to_string()))
}
