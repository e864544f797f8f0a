//! Evidence bytes on their way in: the states of an upload, whatever protocol carries it.
//!
//! An upload's offset is what is durable: bytes are sealed, appended and fsynced, then the row says so, then the client may.
//! A new writer preempts a stale one. Whoever only asks for the offset takes no turn: the writer makes durable what has arrived,
//! says so and goes on; one that does not come to it is waited for a moment only. Whoever changes an upload (a writer, its owner who
//! gives it up, the sweep of expired ones) holds its turn.
//!
//! A file that arrives in one piece costs four waits for the disk: the row of the new upload (its place survives a restart), the
//! object's bytes, the folder that gains its name, the row of the blob with its receipt. A longer one costs two more (bytes, row)
//! for each 2 MiB, on a slow line for each 256 KiB.

mod ending;
mod quota;
mod row;
mod writing;

pub use ending::Swept;
pub use row::{Blob, Upload};
pub use writing::Writing;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use self::row::decode;
use crate::config::Limits;
use crate::incident::kinds;
use crate::ingest::Ingest;
use crate::ledger::blob::BlobError;
use crate::ledger::{BlobStore, Commit, LedgerError, Swap, space};

/// Rows that are read at a time.
const PAGE: usize = 500;
/// How long whoever asks for the offset waits for a writer to say what has arrived.
const ASKING: Duration = Duration::from_secs(2);

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

/// Who writes to an upload now.
struct Active {
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Counts writers that want in; a writer that sees it change makes room.
    wanted: watch::Sender<u64>,
    /// Counts those who ask how far it has come …
    asked: watch::Sender<u64>,
    /// … and up to which of them a writer has answered.
    answered: watch::Sender<u64>,
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

    /// Who holds the files of a ledger in which that was not noted yet: the device that named each first, since only one that names a
    /// file could send it.
    async fn note_holders(&self) -> Result<(), LedgerError> {
        let ledger = &self.ingest.ledger;
        if !ledger.registers(space::HOLDER, Vec::new(), 1).await?.is_empty() {
            return Ok(());
        }
        let mut after = Vec::new();
        loop {
            let page = ledger.registers(space::BLOB, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.key.clone();
            let mut noted = Vec::new();
            for register in &page {
                let Ok(sha256) = register.key.as_slice().try_into() else {
                    continue;
                };
                let first = ledger.blob_refs(sha256).await?.first().map(|named| named.device);
                noted.extend(first.map(|device| row::held(&sha256, device)));
            }
            self.change(noted).await?;
        }
    }

    /// Finishes uploads whose last byte was durable when the process ended, and drops staged bytes that no upload names.
    ///
    /// # Errors
    /// When a store cannot be read.
    pub async fn recover(&self) -> Result<(), LedgerError> {
        self.note_holders().await?;
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
                        tracing::warn!(
                            upload = upload.id,
                            what = kinds(&other),
                            "an upload could not be finished"
                        );
                    }
                }
                named.insert(upload.object);
            }
        }
        let staged = self.blobs.staged_names().await.unwrap_or_default();
        for object in staged.iter().filter(|object| !named.contains(*object)) {
            if let Err(error) = self.blobs.discard(object).await {
                tracing::warn!(
                    what = kinds(&error),
                    "bytes that belong to no upload could not be dropped"
                );
            }
        }
        Ok(())
    }

    fn active(&self, id: &str) -> Arc<Active> {
        let mut all = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, active| Arc::strong_count(active) > 1 || active.turn.try_lock().is_err());
        all.entry(id.to_owned())
            .or_insert_with(|| {
                Arc::new(Active {
                    turn: Arc::default(),
                    wanted: watch::Sender::new(0),
                    asked: watch::Sender::new(0),
                    answered: watch::Sender::new(0),
                })
            })
            .clone()
    }

    /// Waits until everything that had arrived of an upload is durable and stands in its row. Without it a client that asks right
    /// after a cut hears of an offset from before the cut, and sends again what is here already.
    pub async fn caught_up(&self, id: &str) {
        let active = self.active(id);
        if active.turn.try_lock().is_ok() {
            return;
        }
        let mut answered = active.answered.subscribe();
        let mut number = 0;
        active.asked.send_modify(|count| {
            *count += 1;
            number = *count;
        });
        let settled = async {
            tokio::select! {
                _ = async { answered.wait_for(|count| *count >= number).await.is_ok() } => {}
                _ = active.turn.lock() => {}
            }
        };
        // A writer that a disk holds up must not hold up the answer: the row is true, only older.
        let _ = tokio::time::timeout(ASKING, settled).await;
    }

    async fn change(&self, registers: Vec<Swap>) -> Result<(), LedgerError> {
        let commit = Commit::of(registers);
        self.ingest.ledger.commit(commit).await.map(|_| ())
    }

    fn expiry(&self) -> u64 {
        self.ingest
            .now_ms()
            .saturating_add(self.limits.upload_keep_s.saturating_mul(1000))
    }
}
