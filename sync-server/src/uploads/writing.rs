//! An upload in the hands of one writer: bytes are taken in, sealed, made durable, and only then counted.

use std::sync::Arc;
use std::time::Duration;

use fieldseal_proof::encoding::from_base64;
use tokio::sync::{OwnedMutexGuard, watch};
use tokio::time::Instant;

use super::{Active, Upload, UploadError, Uploads};
use crate::ledger::blob::{BlobError, Incoming, IncomingState};

/// Sealed bytes are made durable at least so often, whenever the sender pauses and whenever somebody asks: what a power cut can cost
/// on a fast line.
const FLUSH: usize = 2 << 20;
/// On a slow line so many received bytes are made durable where the last time is longer ago than [`FLUSH_EVERY`]: what a power cut
/// costs there. Ten times a second costs a disk nothing that is felt.
const FLUSH_SLOW: usize = 256 * 1024;
const FLUSH_EVERY: Duration = Duration::from_millis(100);
/// Received bytes are hashed and sealed so many at a time, on a thread that may be busy.
const SEAL: usize = 512 * 1024;
/// First bytes of an object that hold its head.
const HEAD_BYTES: usize = 1024;

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
    /// When everything was last made durable.
    durable: Instant,
    begun: IncomingState,
    active: Arc<Active>,
    _turn: OwnedMutexGuard<()>,
    /// Changes when another writer wants in.
    pub wanted: watch::Receiver<u64>,
    /// Counts those who ask how far it has come.
    pub asked: watch::Receiver<u64>,
}

impl Writing {
    /// The newest question how far it has come that was not answered yet.
    pub fn question(&self) -> Option<u64> {
        let newest = *self.asked.borrow();
        (newest > self.answered()).then_some(newest)
    }

    /// Up to which question there are answers.
    pub fn answered(&self) -> u64 {
        *self.active.answered.borrow()
    }

    /// Answers all questions up to this one: what had arrived is durable.
    pub fn answer(&self, question: u64) {
        self.active.answered.send_replace(question);
    }
}

impl Uploads {
    /// Takes the upload over from whoever holds it, at this offset.
    ///
    /// # Errors
    /// Another offset than the durable one.
    pub async fn take(&self, id: &str, offset: u64) -> Result<Writing, UploadError> {
        let active = self.active(id);
        active.wanted.send_modify(|count| *count += 1);
        let turn = active.turn.clone().lock_owned().await;
        let (wanted, asked) = (active.wanted.subscribe(), active.asked.subscribe());
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
            durable: Instant::now(),
            begun,
            active,
            _turn: turn,
            wanted,
            asked,
        })
    }

    /// The first bytes of the object.
    pub(super) async fn start(&self, upload: &Upload) -> Result<Vec<u8>, UploadError> {
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
        let slow = writing.raw.len() + writing.out.len() >= FLUSH_SLOW && writing.durable.elapsed() >= FLUSH_EVERY;
        if writing.out.len() >= FLUSH || slow {
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
        writing.durable = Instant::now();
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
        if let Err(why) = self.blobs.append(&writing.upload.object, at, out).await {
            // What was hashed is not on the disk: nothing of this writer counts any more. The row says where to go on.
            writing.incoming = None;
            return Err(why.into());
        }
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
}
