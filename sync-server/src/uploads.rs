//! Evidence bytes on their way in: the states of an upload, whatever protocol carries it.
//!
//! An upload's offset is what is durable: bytes are sealed, appended and fsynced, then the row says so, then the client may.
//! A new writer preempts a stale one; whoever only asks for the offset never waits. Whoever changes an upload (a writer, its
//! owner who gives it up, the sweep of expired ones) holds its turn.
//!
//! A file that arrives in one piece costs four waits for the disk: the row of the new upload (its place survives a restart), the
//! object's bytes, the folder that gains its name, the row of the blob with its receipt. A longer one costs two more (bytes, row)
//! for each [`FLUSH`].

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use fieldseal_core::random::uuid;
use fieldseal_proof::encoding::{base64, from_base64};
use fieldseal_proof::ids::{BlobHash, DeviceId};
use fieldseal_proof::receipt::BlobReceipt;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedMutexGuard, watch};

use crate::config::Limits;
use crate::ingest::Ingest;
use crate::ledger::blob::{BlobError, Incoming, IncomingState};
use crate::ledger::{BlobStore, Commit, LedgerError, Register, Swap, space};

/// Sealed bytes are made durable at least so often, and whenever the sender pauses: what a power cut can cost.
pub const FLUSH: usize = 2 << 20;
/// Received bytes are hashed and sealed so many at a time, on a thread that may be busy.
const SEAL: usize = 512 * 1024;
/// Rows that are read at a time.
const PAGE: usize = 500;
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
    /// First bytes of the object, base64: they go to the disk with the first segment.
    #[serde(default)]
    head: String,
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
    #[error("{size} bytes are more than {most}")]
    TooLarge { size: u64, most: u64 },
    /// The device has begun too many files.
    #[error("{open} uploads are open, at most {most} may be")]
    Quota { open: u64, most: u64 },
    /// The device's unfinished files are too large together.
    #[error("{open} bytes of uploads are open, at most {most} may be")]
    QuotaBytes { open: u64, most: u64 },
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
    limits: Limits,
    active: Mutex<HashMap<String, Arc<Active>>>,
}

/// What a sweep dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    pub uploads: u64,
    /// Bytes of the disk that are free again.
    pub bytes: u64,
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
    /// `None` only while a thread has it, or after one failed.
    incoming: Option<Incoming>,
    /// Received, not yet hashed.
    raw: Vec<u8>,
    /// Sealed, not yet durable.
    out: Vec<u8>,
    flushed: u64,
    begun: IncomingState,
    _turn: OwnedMutexGuard<()>,
    /// Changes when another writer wants in.
    pub wanted: watch::Receiver<u64>,
}

impl Uploads {
    pub fn new(ingest: Arc<Ingest>, blobs: Arc<dyn BlobStore>, limits: Limits) -> Self {
        Self {
            ingest,
            blobs,
            limits,
            active: Mutex::new(HashMap::new()),
        }
    }

    /// Finishes uploads whose last byte was durable when the process ended, and drops staged bytes that no upload names.
    ///
    /// # Errors
    /// When a store cannot be read.
    pub async fn recover(&self) -> Result<(), LedgerError> {
        let mut named = HashSet::new();
        let mut after = Vec::new();
        loop {
            let page = self.ingest.ledger.registers(space::UPLOAD, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.key.clone();
            for register in &page {
                let upload = decode(register)?;
                self.index(&upload).await?;
                match self.resettle(&upload).await {
                    Ok(_) | Err(UploadError::Mismatch) => {}
                    Err(UploadError::Ledger(e)) => return Err(e),
                    Err(other) => {
                        tracing::warn!(upload = upload.id, error = %other, "an upload could not be finished");
                    }
                }
                named.insert(upload.object);
            }
        }
        let staged = self.blobs.staged_names().await.unwrap_or_default();
        for object in staged.iter().filter(|object| !named.contains(*object)) {
            if let Err(error) = self.blobs.discard(object).await {
                tracing::warn!(%error, "bytes that belong to no upload could not be dropped");
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
    /// When a store refuses, and where the device has begun more than it may (the file stays on the tablet).
    pub async fn create(
        &self,
        device: DeviceId,
        sha256: [u8; 32],
        size: u64,
        media_type: String,
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
            self.publish(&upload, sha256).await?;
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

    async fn held(&self, device: DeviceId, sha256: &[u8; 32]) -> Result<Option<Upload>, UploadError> {
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

    async fn row(&self, id: &str) -> Result<Option<Upload>, UploadError> {
        let register = self
            .ingest
            .ledger
            .register(space::UPLOAD, id.as_bytes().to_vec())
            .await?;
        Ok(register.map(|register| decode(&register)).transpose()?)
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

    fn active(&self, id: &str) -> Arc<Active> {
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
    }

    /// Takes the upload over from whoever holds it, at this offset.
    ///
    /// # Errors
    /// Another offset than the durable one.
    pub async fn take(&self, id: &str, offset: u64) -> Result<Writing, UploadError> {
        let active = self.active(id);
        active.wanted.send_modify(|count| *count += 1);
        let turn = active.turn.clone().lock_owned().await;
        let wanted = active.wanted.subscribe();
        let upload = self.find(id).await?;
        if self.resettle(&upload).await? {
            // It was whole already; the client asks for its receipt.
            return Err(UploadError::Unknown);
        }
        if upload.state.offset != offset {
            return Err(UploadError::Offset {
                have: upload.state.offset,
            });
        }
        let start = self.start(&upload).await?;
        let incoming = Incoming::resume(upload.size, &upload.state, &start, &self.ingest.keys.vault)
            .ok_or_else(|| UploadError::Blobs(BlobError::Io("the staged file does not fit its row".into())))?;
        let begun = upload.state.clone();
        Ok(Writing {
            flushed: upload.state.sealed,
            upload,
            incoming: Some(incoming),
            raw: Vec::new(),
            out: Vec::new(),
            begun,
            _turn: turn,
            wanted,
        })
    }

    /// The first bytes of the object.
    async fn start(&self, upload: &Upload) -> Result<Vec<u8>, UploadError> {
        match from_base64(&upload.head) {
            Some(head) if !head.is_empty() => Ok(head),
            _ => Ok(self.blobs.read_staged(&upload.object, 0, HEAD_BYTES).await?),
        }
    }

    /// Takes bytes in; makes them durable when enough have come.
    ///
    /// # Errors
    /// More than declared: nothing of `bytes` is taken.
    pub async fn write(&self, writing: &mut Writing, bytes: &[u8]) -> Result<(), UploadError> {
        let taken = writing.incoming.as_ref().map_or(0, Incoming::offset) + writing.raw.len() as u64;
        if bytes.len() as u64 > writing.upload.size.saturating_sub(taken) {
            return Err(UploadError::TooMany);
        }
        writing.raw.extend_from_slice(bytes);
        if writing.raw.len() >= SEAL {
            self.seal(writing).await?;
        }
        if writing.out.len() >= FLUSH {
            self.flush(writing).await
        } else {
            Ok(())
        }
    }

    /// Hashes and seals what was received, away from the threads that answer requests.
    async fn seal(&self, writing: &mut Writing) -> Result<(), UploadError> {
        if writing.raw.is_empty() {
            return Ok(());
        }
        let lost = || UploadError::Blobs(BlobError::Io("the thread that seals has failed".into()));
        let mut incoming = writing.incoming.take().ok_or_else(lost)?;
        let (raw, mut out) = (std::mem::take(&mut writing.raw), std::mem::take(&mut writing.out));
        let sealed = tokio::task::spawn_blocking(move || {
            let whole = incoming.push_into(&raw, &mut out);
            (incoming, raw, out, whole)
        });
        let (incoming, mut raw, out, whole) = sealed.await.map_err(|_| lost())?;
        raw.clear();
        (writing.incoming, writing.raw, writing.out) = (Some(incoming), raw, out);
        if whole { Ok(()) } else { Err(UploadError::TooMany) }
    }

    /// Makes everything taken in durable and says so in the row.
    ///
    /// # Errors
    /// When a store refuses; the offset then stays where it was.
    pub async fn flush(&self, writing: &mut Writing) -> Result<(), UploadError> {
        self.append(writing).await?;
        let Some(incoming) = &writing.incoming else {
            return Ok(());
        };
        if incoming.offset() == writing.upload.state.offset {
            return Ok(());
        }
        writing.upload.state = incoming
            .state(&self.ingest.keys.vault, &*self.ingest.random)
            .map_err(|_| UploadError::Random)?;
        writing.upload.expires_ms = self.expiry();
        self.store(&writing.upload).await
    }

    /// Makes the sealed bytes durable.
    async fn append(&self, writing: &mut Writing) -> Result<(), UploadError> {
        self.seal(writing).await?;
        let mut out = std::mem::take(&mut writing.out);
        let added = out.len() as u64;
        if added == 0 {
            return Ok(());
        }
        let head = from_base64(&writing.upload.head).unwrap_or_default();
        let mut at = writing.flushed;
        if !head.is_empty() && at == head.len() as u64 {
            // The first bytes of the object go together with its first segment.
            out = [head, out].concat();
            at = 0;
        }
        self.blobs.append(&writing.upload.object, at, out).await?;
        writing.flushed += added;
        Ok(())
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
        self.append(&mut writing).await?;
        let whole = writing.incoming.as_ref().filter(|incoming| incoming.is_complete());
        let Some(hash) = whole.map(Incoming::sha256) else {
            self.flush(&mut writing).await?;
            return Ok(writing.upload.state.offset);
        };
        // Its row still says an earlier offset. A cut from here on sends the client back there, or `resettle` finds it published.
        self.publish(&writing.upload, hash).await?;
        Ok(writing.upload.size)
    }

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

    /// Drops one upload if it has expired and its turn is free: a resume that came first keeps it, one that comes later does not
    /// find it.
    async fn sweep_one(&self, id: &str) -> Result<Option<u64>, UploadError> {
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
    async fn resettle(&self, upload: &Upload) -> Result<bool, UploadError> {
        let sha256 = sha256_of(upload)?;
        let complete = upload.state.offset == upload.size;
        if self.blobs.staged(&upload.object).await? == 0 {
            // Published before the cut, with a hash that was checked before that.
            if self.blobs.size(&upload.object).await.is_err() {
                return Ok(false);
            }
            self.receipt(upload, sha256).await?;
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
    async fn publish(&self, upload: &Upload, hash: [u8; 32]) -> Result<(), UploadError> {
        if hash != sha256_of(upload)? {
            self.remove(upload).await?;
            return Err(UploadError::Mismatch);
        }
        if self.blob(&hash).await?.is_some() {
            // The same bytes came on another way.
            return self.remove(upload).await;
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
        let mut registers = over(upload)?;
        registers.push(Swap::create(space::BLOB, sha256, encode(&blob)?));
        match self.change(registers).await {
            Ok(()) => Ok(()),
            Err(LedgerError::Conflict(_)) => self.remove(upload).await,
            Err(other) => Err(other.into()),
        }
    }

    /// Forgets an upload and its staged bytes. The caller holds its turn.
    async fn remove(&self, upload: &Upload) -> Result<(), UploadError> {
        self.blobs.discard(&upload.object).await?;
        Ok(self.change(over(upload)?).await?)
    }

    async fn store(&self, upload: &Upload) -> Result<(), UploadError> {
        let row = Swap::set(space::UPLOAD, upload.id.as_bytes(), encode(upload)?);
        Ok(self.change(vec![row]).await?)
    }

    /// Makes the index of an upload that an earlier version began.
    async fn index(&self, upload: &Upload) -> Result<(), LedgerError> {
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

    async fn change(&self, registers: Vec<Swap>) -> Result<(), LedgerError> {
        let commit = Commit {
            registers,
            ..Commit::default()
        };
        self.ingest.ledger.commit(commit).await.map(|_| ())
    }

    fn expiry(&self) -> u64 {
        self.ingest
            .now_ms()
            .saturating_add(self.limits.upload_keep_s.saturating_mul(1000))
    }
}

/// An upload's rows go.
fn over(upload: &Upload) -> Result<Vec<Swap>, LedgerError> {
    let mut registers = vec![Swap::remove(space::UPLOAD, upload.id.as_bytes())];
    if let Ok(device) = upload.device.parse() {
        registers.push(Swap::remove(space::UPLOAD_OF, of(device, &sha256_of(upload)?)));
    }
    Ok(registers)
}

fn of(device: DeviceId, sha256: &[u8; 32]) -> Vec<u8> {
    [device.as_bytes().as_slice(), sha256].concat()
}

fn sha256_of(upload: &Upload) -> Result<[u8; 32], LedgerError> {
    hex::decode(&upload.sha256)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| LedgerError::Corrupt("an upload's hash".into()))
}

fn decode(register: &Register) -> Result<Upload, LedgerError> {
    serde_json::from_slice(&register.value).map_err(|e| LedgerError::Corrupt(e.to_string()))
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, LedgerError> {
    serde_json::to_vec(value).map_err(|e| LedgerError::Corrupt(e.to_string()))
}
