//! Evidence bytes on their way in: the states of an upload, whatever protocol carries it.
//!
//! An upload's offset is what is durable: bytes are sealed, appended and fsynced, then the row says so, then the client may.
//! A new writer preempts a stale one; whoever only asks for the offset never waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use fieldseal_core::random::uuid;
use fieldseal_proof::ids::{BlobHash, DeviceId};
use fieldseal_proof::receipt::BlobReceipt;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedMutexGuard, watch};

use crate::ingest::Ingest;
use crate::ledger::blob::{BlobError, Incoming, IncomingState};
use crate::ledger::{BlobStore, Commit, LedgerError, Swap, space};

/// An upload without a new byte for so long may be dropped: longer than a week without signal.
const LIFETIME_MS: u64 = 30 * 24 * 3_600_000;
/// Sealed bytes are made durable at least so often: what a cut can cost.
pub const FLUSH: usize = 512 * 1024;
/// First bytes of an object that hold its head.
const HEAD_BYTES: usize = 1024;

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

/// Why an upload cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UploadError {
    #[error("no such upload")]
    Unknown,
    /// The client is elsewhere than the server.
    #[error("the upload stands at {have}")]
    Offset { have: u64 },
    #[error("more bytes than declared")]
    TooMany,
    #[error("the whole file does not hash to what was declared")]
    Mismatch,
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Blobs(#[from] BlobError),
    #[error("no randomness")]
    Random,
}

/// All uploads of this server.
pub struct Uploads {
    ingest: Arc<Ingest>,
    blobs: Arc<dyn BlobStore>,
    active: Mutex<HashMap<String, Arc<Active>>>,
}

/// Who writes to an upload now.
struct Active {
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Counts writers that want in; a writer that sees it change makes room.
    wanted: watch::Sender<u64>,
}

/// An upload in the hands of one writer.
pub struct Writing {
    pub upload: Upload,
    incoming: Incoming,
    out: Vec<u8>,
    flushed: u64,
    begun: IncomingState,
    _turn: OwnedMutexGuard<()>,
    /// Changes when another writer wants in.
    pub wanted: watch::Receiver<u64>,
}

impl Uploads {
    pub fn new(ingest: Arc<Ingest>, blobs: Arc<dyn BlobStore>) -> Self {
        Self {
            ingest,
            blobs,
            active: Mutex::new(HashMap::new()),
        }
    }

    /// Finishes uploads whose last byte was durable when the process ended.
    ///
    /// # Errors
    /// When a store cannot be read.
    pub async fn recover(&self) -> Result<(), LedgerError> {
        for register in self
            .ingest
            .ledger
            .registers(space::UPLOAD, Vec::new(), usize::MAX >> 1)
            .await?
        {
            let upload: Upload =
                serde_json::from_slice(&register.value).map_err(|e| LedgerError::Corrupt(e.to_string()))?;
            if upload.state.offset == upload.size {
                match self.finish(&upload).await {
                    Ok(()) | Err(UploadError::Mismatch) => {}
                    Err(UploadError::Ledger(e)) => return Err(e),
                    Err(other) => tracing::warn!(upload = upload.id, error = %other, "an upload could not be finished"),
                }
            }
        }
        Ok(())
    }

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

    /// Begins an upload, or finds the one that this device has begun for the same bytes.
    ///
    /// # Errors
    /// When a store refuses.
    pub async fn create(
        &self,
        device: DeviceId,
        sha256: [u8; 32],
        size: u64,
        media_type: String,
    ) -> Result<Upload, UploadError> {
        let hash = hex::encode(sha256);
        for register in self
            .ingest
            .ledger
            .registers(space::UPLOAD, Vec::new(), usize::MAX >> 1)
            .await?
        {
            let held: Upload =
                serde_json::from_slice(&register.value).map_err(|e| LedgerError::Corrupt(e.to_string()))?;
            if held.sha256 == hash && held.device == device.to_string() && held.size == size {
                return Ok(held);
            }
        }
        let random = || uuid(&*self.ingest.random).map_err(|_| UploadError::Random);
        let (id, object) = (hex::encode(random()?), hex::encode(random()?));
        let (mut incoming, mut head) =
            Incoming::create(size, &self.ingest.keys.vault, &*self.ingest.random).map_err(|_| UploadError::Random)?;
        if size == 0 {
            head.extend(incoming.push(&[]).unwrap_or_default());
        }
        self.blobs.append(&object, 0, head).await?;
        let state = incoming
            .state(&self.ingest.keys.vault, &*self.ingest.random)
            .map_err(|_| UploadError::Random)?;
        let expires_ms = self.ingest.now_ms() + LIFETIME_MS;
        let upload = Upload {
            id,
            device: device.to_string(),
            sha256: hash,
            size,
            media_type,
            object,
            state,
            expires_ms,
        };
        self.store(&upload).await?;
        if size == 0 {
            self.finish(&upload).await?;
        }
        Ok(upload)
    }

    /// An upload's row. Never waits for a writer.
    ///
    /// # Errors
    /// Unknown, also where it is finished or expired.
    pub async fn find(&self, id: &str) -> Result<Upload, UploadError> {
        let register = self
            .ingest
            .ledger
            .register(space::UPLOAD, id.as_bytes().to_vec())
            .await?
            .ok_or(UploadError::Unknown)?;
        let upload: Upload =
            serde_json::from_slice(&register.value).map_err(|e| LedgerError::Corrupt(e.to_string()))?;
        if upload.expires_ms < self.ingest.now_ms() {
            Err(UploadError::Unknown)
        } else {
            Ok(upload)
        }
    }

    /// Takes the upload over from whoever holds it, at this offset.
    ///
    /// # Errors
    /// Another offset than the durable one.
    pub async fn take(&self, id: &str, offset: u64) -> Result<Writing, UploadError> {
        let active = {
            let mut all = self.active.lock().unwrap_or_else(PoisonError::into_inner);
            all.retain(|_, active| Arc::strong_count(active) > 1 || active.turn.try_lock().is_err());
            all.entry(id.to_owned())
                .or_insert_with(|| {
                    Arc::new(Active {
                        turn: Arc::default(),
                        wanted: watch::Sender::new(0),
                    })
                })
                .clone()
        };
        active.wanted.send_modify(|count| *count += 1);
        let turn = active.turn.clone().lock_owned().await;
        let wanted = active.wanted.subscribe();
        let upload = self.find(id).await?;
        if upload.state.offset != offset {
            return Err(UploadError::Offset {
                have: upload.state.offset,
            });
        }
        let start = self.blobs.read_staged(&upload.object, 0, HEAD_BYTES).await?;
        let incoming = Incoming::resume(upload.size, &upload.state, &start, &self.ingest.keys.vault)
            .ok_or_else(|| UploadError::Blobs(BlobError::Io("the staged file does not fit its row".into())))?;
        let begun = upload.state.clone();
        Ok(Writing {
            flushed: upload.state.sealed,
            upload,
            incoming,
            out: Vec::new(),
            begun,
            _turn: turn,
            wanted,
        })
    }

    /// Takes bytes in; makes them durable when enough have come.
    ///
    /// # Errors
    /// More than declared: nothing of `bytes` is taken.
    pub async fn write(&self, writing: &mut Writing, bytes: &[u8]) -> Result<(), UploadError> {
        writing
            .out
            .extend(writing.incoming.push(bytes).ok_or(UploadError::TooMany)?);
        if writing.out.len() >= FLUSH {
            self.flush(writing).await
        } else {
            Ok(())
        }
    }

    /// Makes everything taken in durable and says so in the row.
    ///
    /// # Errors
    /// When a store refuses; the offset then stays where it was.
    pub async fn flush(&self, writing: &mut Writing) -> Result<(), UploadError> {
        if writing.incoming.offset() == writing.upload.state.offset {
            return Ok(());
        }
        let out = std::mem::take(&mut writing.out);
        let added = out.len() as u64;
        if added > 0 {
            self.blobs.append(&writing.upload.object, writing.flushed, out).await?;
        }
        writing.flushed += added;
        writing.upload.state = writing
            .incoming
            .state(&self.ingest.keys.vault, &*self.ingest.random)
            .map_err(|_| UploadError::Random)?;
        writing.upload.expires_ms = self.ingest.now_ms() + LIFETIME_MS;
        self.store(&writing.upload).await
    }

    /// Puts the upload back to where this writer began: its part had a wrong checksum.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub async fn take_back(&self, mut writing: Writing) -> Result<u64, UploadError> {
        writing.upload.state = writing.begun.clone();
        self.store(&writing.upload).await?;
        Ok(writing.upload.state.offset)
    }

    /// Ends a writer's turn; a complete file is checked, published and receipted. Returns the offset.
    ///
    /// # Errors
    /// [`UploadError::Mismatch`]: the bytes are dropped, the upload is over.
    pub async fn done(&self, mut writing: Writing) -> Result<u64, UploadError> {
        self.flush(&mut writing).await?;
        if writing.incoming.is_complete() {
            self.finish(&writing.upload).await?;
        }
        Ok(writing.upload.state.offset)
    }

    /// Drops an upload.
    ///
    /// # Errors
    /// When a store refuses.
    pub async fn terminate(&self, upload: &Upload) -> Result<(), UploadError> {
        self.blobs.discard(&upload.object).await?;
        let gone = Swap::remove(space::UPLOAD, upload.id.as_bytes());
        self.ingest
            .ledger
            .commit(Commit {
                registers: vec![gone],
                ..Commit::default()
            })
            .await?;
        Ok(())
    }

    /// From the last durable byte to the receipt. May be repeated after a cut.
    async fn finish(&self, upload: &Upload) -> Result<(), UploadError> {
        let sha256: [u8; 32] = hex::decode(&upload.sha256)
            .ok()
            .and_then(|b| b.try_into().ok())
            .ok_or_else(|| LedgerError::Corrupt("an upload's hash".into()))?;
        if self.blob(&sha256).await?.is_some() {
            // The same bytes came on another way.
            return self.terminate(upload).await;
        }
        if self.blobs.staged(&upload.object).await? > 0 {
            let start = self.blobs.read_staged(&upload.object, 0, HEAD_BYTES).await?;
            let incoming = Incoming::resume(upload.size, &upload.state, &start, &self.ingest.keys.vault)
                .ok_or_else(|| UploadError::Blobs(BlobError::Io("the staged file does not fit its row".into())))?;
            if incoming.sha256() != sha256 {
                self.terminate(upload).await?;
                return Err(UploadError::Mismatch);
            }
            self.blobs.publish(&upload.object).await?;
        }
        // Nothing staged: it was published before the cut, with a hash that was checked before that.
        self.blobs.size(&upload.object).await?;
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
            receipt: fieldseal_proof::encoding::base64(&receipt),
        };
        let value = serde_json::to_vec(&blob).map_err(|e| LedgerError::Corrupt(e.to_string()))?;
        let registers = vec![
            Swap::create(space::BLOB, sha256, value),
            Swap::remove(space::UPLOAD, upload.id.as_bytes()),
        ];
        match self
            .ingest
            .ledger
            .commit(Commit {
                registers,
                ..Commit::default()
            })
            .await
        {
            Ok(_) => Ok(()),
            Err(LedgerError::Conflict(_)) => self.terminate(upload).await,
            Err(other) => Err(other.into()),
        }
    }

    async fn store(&self, upload: &Upload) -> Result<(), UploadError> {
        let value = serde_json::to_vec(upload).map_err(|e| LedgerError::Corrupt(e.to_string()))?;
        let row = Swap::set(space::UPLOAD, upload.id.as_bytes(), value);
        self.ingest
            .ledger
            .commit(Commit {
                registers: vec![row],
                ..Commit::default()
            })
            .await?;
        Ok(())
    }
}
