//! How an upload ends: as a file with its receipt, given up, or expired.

use fieldseal_proof::encoding::{base64, from_base64};
use fieldseal_proof::ids::BlobHash;
use fieldseal_proof::receipt::BlobReceipt;

use super::row::{decode, encode, over, sha256_of, whole};
use super::{Blob, PAGE, Upload, UploadError, Uploads};
use crate::ledger::blob::{BlobError, Incoming};
use crate::ledger::{LedgerError, Swap, space};

/// What a sweep dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    pub uploads: u64,
    /// Bytes of the disk that are free again.
    pub bytes: u64,
}

impl Uploads {
    /// Drops an upload, after its writer has made room.
    ///
    /// # Errors
    /// When a store refuses.
    pub async fn terminate(&self, id: &str) -> Result<(), UploadError> {
        let active = self.active(id);
        active.wanted.send_modify(|count| *count += 1);
        let _turn = active.turn.clone().lock_owned().await;
        match self.row(id).await? {
            Some(upload) => self.remove(&upload).await,
            None => Ok(()),
        }
    }

    /// Drops every upload that has expired and that nobody is writing to.
    ///
    /// # Errors
    /// When a store refuses.
    pub async fn sweep(&self) -> Result<Swept, UploadError> {
        let now = self.ingest.now_ms();
        let mut swept = Swept::default();
        let mut after = Vec::new();
        loop {
            let page = self.ingest.ledger.registers(space::UPLOAD, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(swept) };
            after = last.key.clone();
            for register in &page {
                let upload = decode(register)?;
                if upload.expires_ms < now
                    && let Some(bytes) = self.sweep_one(&upload.id).await?
                {
                    swept.uploads += 1;
                    swept.bytes += bytes;
                }
            }
        }
    }

    /// Finishes an upload of which every byte is durable and whose sender was cut before it heard so, if nobody is at it.
    ///
    /// # Errors
    /// When a store refuses, or [`UploadError::Mismatch`].
    pub async fn settle(&self, upload: &Upload) -> Result<(), UploadError> {
        let Ok(_turn) = self.active(&upload.id).turn.clone().try_lock_owned() else {
            return Ok(());
        };
        match self.row(&upload.id).await? {
            Some(upload) if upload.state.offset == upload.size => self.resettle(&upload).await.map(|_| ()),
            _ => Ok(()),
        }
    }

    /// Drops one upload if it has expired and its turn is free: a resume that came first keeps it, one that comes later does not
    /// find it.
    pub(super) async fn sweep_one(&self, id: &str) -> Result<Option<u64>, UploadError> {
        let Ok(_turn) = self.active(id).turn.clone().try_lock_owned() else {
            return Ok(None);
        };
        let Some(upload) = self.row(id).await? else {
            return Ok(None);
        };
        if upload.expires_ms >= self.ingest.now_ms() || self.resettle(&upload).await? {
            return Ok(None);
        }
        let bytes = self.blobs.staged(&upload.object).await?;
        self.remove(&upload).await?;
        Ok(Some(bytes))
    }

    /// Finishes an upload whose bytes were whole before a cut; whether it is over now.
    pub(super) async fn resettle(&self, upload: &Upload) -> Result<bool, UploadError> {
        let sha256 = sha256_of(upload)?;
        let complete = upload.state.offset == upload.size;
        let staged = self.blobs.staged(&upload.object).await?;
        if staged == 0 && self.blobs.size(&upload.object).await.is_ok() {
            // Published before the cut, with a hash that was checked before that.
            self.receipt(upload, sha256).await?;
            return Ok(true);
        }
        let head = from_base64(&upload.head).unwrap_or_default();
        if staged < upload.state.sealed && upload.state.sealed > head.len() as u64 {
            // The row counts bytes that are not here (a ledger that was restored without them): the client begins again.
            self.remove(upload).await?;
            return Ok(true);
        }
        if complete {
            let start = self.start(upload).await?;
            let incoming = Incoming::resume(upload.size, &upload.state, &start, &self.ingest.keys.vault)
                .ok_or_else(|| UploadError::Blobs(BlobError::Io("the staged file does not fit its row".into())))?;
            self.publish(upload, incoming.sha256()).await?;
        }
        Ok(complete)
    }

    /// From the last durable byte to the receipt.
    pub(super) async fn publish(&self, upload: &Upload, hash: [u8; 32]) -> Result<(), UploadError> {
        if hash != sha256_of(upload)? {
            self.remove(upload).await?;
            return Err(UploadError::Mismatch);
        }
        if self.blob(&hash).await?.is_some() {
            // The same bytes came on another way; who sent them once more has shown to hold them.
            return self.known(upload).await;
        }
        self.blobs.publish(&upload.object).await?;
        self.receipt(upload, hash).await
    }

    async fn receipt(&self, upload: &Upload, sha256: [u8; 32]) -> Result<(), UploadError> {
        let receipt = BlobReceipt {
            tenant: self.ingest.tenant,
            sha256: BlobHash::from_bytes(sha256),
            size: upload.size,
            received_ms: self.ingest.now_ms(),
            epoch: self.ingest.epoch,
        };
        let receipt = receipt
            .sign(&*self.ingest.keys.operation.signer())
            .map_err(|e| LedgerError::Corrupt(e.to_string()))?;
        let blob = Blob {
            object: upload.object.clone(),
            size: upload.size,
            media_type: upload.media_type.clone(),
            receipt: base64(&receipt),
        };
        let mut registers = whole(upload)?;
        registers.push(Swap::create(space::BLOB, sha256, encode(&blob)?));
        match self.change(registers).await {
            Ok(()) => Ok(()),
            Err(LedgerError::Conflict(_)) => self.known(upload).await,
            Err(other) => Err(other.into()),
        }
    }

    /// Ends a whole upload of bytes that are here already.
    async fn known(&self, upload: &Upload) -> Result<(), UploadError> {
        self.blobs.discard(&upload.object).await?;
        Ok(self.change(whole(upload)?).await?)
    }

    /// Forgets an upload and its staged bytes. The caller holds its turn.
    pub(super) async fn remove(&self, upload: &Upload) -> Result<(), UploadError> {
        self.blobs.discard(&upload.object).await?;
        Ok(self.change(over(upload)?).await?)
    }
}
