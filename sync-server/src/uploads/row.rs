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
