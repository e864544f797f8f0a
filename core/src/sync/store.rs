//! What the conversation needs from this device's store. [`crate::device`] is the real one; tests have one in memory.
//!
//! Every `keep_…` is durable when it returns, and is safe to repeat: a session that dies between an answer and its
//! keeping asks again.

use std::io::Read;

use fieldseal_proof::ids::{BlobHash, CaseId, Commitment, DeviceId, Epoch, IncarnationId, Link, PackHash, TenantId};
use fieldseal_proof::key_log::KeyLog;
use fieldseal_proof::note::VerifierKey;
use fieldseal_proof::operation::VerifiedOperation;

use super::fault::StoreFault;
use super::health::Health;

/// Result of a store call.
pub type Kept<T> = Result<T, StoreFault>;

/// Who this device is and whom it trusts, from its enrolment.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Tenant of the enrolment.
    pub tenant: TenantId,
    /// This device.
    pub device: DeviceId,
    /// Key of the central log, from the enrolment text; its name is the origin.
    pub log: VerifierKey,
}

/// A contiguous run of this device's own operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Which life of the store made them.
    pub incarnation: IncarnationId,
    /// Sequence number of the first.
    pub first: u64,
    /// Frames, in order.
    pub frames: Vec<Vec<u8>>,
}

impl Batch {
    /// Sequence number of the last.
    pub fn last(&self) -> u64 {
        (self.first + self.frames.len() as u64).saturating_sub(1)
    }
}

/// Upload order of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BlobClass {
    /// Documents and signatures.
    Paper,
    /// Photographs.
    Photo,
    /// Sound, and whatever is none of the others.
    Audio,
    /// Video.
    Video,
}

impl BlobClass {
    /// Class of a media type.
    pub fn of(media_type: &str) -> Self {
        match media_type.split('/').next().unwrap_or_default() {
            "image" => Self::Photo,
            "video" => Self::Video,
            "audio" => Self::Audio,
            _ if matches!(media_type, "application/pdf" | "application/json" | "image/svg+xml") => Self::Paper,
            _ => Self::Audio,
        }
    }
}

/// A blob of this device for which no blob receipt is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingBlob {
    /// Its name.
    pub sha256: BlobHash,
    /// Bytes.
    pub size: u64,
    /// Media type by content.
    pub media_type: String,
    /// Path of an upload that was begun.
    pub upload: Option<String>,
}

/// A verified page of the feed.
pub struct Page {
    /// Index in the central log, and operation.
    pub operations: Vec<(u64, VerifiedOperation)>,
    /// Where the next page begins.
    pub cursor: String,
}

/// A tree that the log key signed, checked against every one held before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldCheckpoint {
    /// Number of leaves.
    pub size: u64,
    /// Root.
    pub root: [u8; 32],
    /// The signed note.
    pub note: Vec<u8>,
}

/// The server's word about the time, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldTimeNote {
    /// Its time, milliseconds since 1970.
    pub unix_ms: u64,
    /// Tree size it names.
    pub size: u64,
    /// The signed note.
    pub note: Vec<u8>,
}

/// What still waits on this device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Operations without a batch receipt.
    pub operations: u64,
    /// Operations with a batch receipt, without a checked index in the log.
    pub unsealed: u64,
    /// Blobs without a blob receipt.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
}

impl Waiting {
    /// Everything is received, sealed in the log, and every blob is receipted.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// The same without the blobs that wait for another network: what this one can still carry.
    #[must_use]
    pub fn without(self, held: HeldBack) -> Self {
        Self {
            blobs: self.blobs.saturating_sub(held.blobs),
            blob_bytes: self.blob_bytes.saturating_sub(held.bytes),
            ..self
        }
    }
}

/// Files that wait for another network than the present one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeldBack {
    /// How many.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The store behind a [`super::SyncSession`].
pub trait SyncStore {
    /// Who this device is.
    fn identity(&self) -> Kept<Identity>;
    /// The key log as verified so far.
    fn key_log(&self) -> Kept<KeyLog>;
    /// Keeps key log frames, already appended to a checked copy of [`Self::key_log`].
    fn keep_key_log(&mut self, frames: &[Vec<u8>]) -> Kept<()>;

    /// The server epoch of the last session.
    fn epoch(&self) -> Kept<Option<Epoch>>;
    /// A new epoch: every blob is offered again, the feed starts anew. Receipts and indexes are kept.
    fn enter_epoch(&mut self, epoch: Epoch) -> Kept<()>;
    /// Lives of this store that hold operations, oldest first.
    fn incarnations(&self) -> Kept<Vec<IncarnationId>>;
    /// Operations of an incarnation from `from` on count as not received.
    fn offer_again(&mut self, incarnation: IncarnationId, from: u64) -> Kept<()>;

    /// The first run of operations that wait for a batch receipt, within both limits; at least one when any waits.
    fn unsent(&self, operations: usize, bytes: usize) -> Kept<Option<Batch>>;
    /// Own link after `seq`, and the commitment of `seq`.
    fn own(&self, incarnation: IncarnationId, seq: u64) -> Kept<Option<(Link, Commitment)>>;
    /// Commitments of own operations from `first` on up to the first hole, at most `most`.
    fn commitments(&self, incarnation: IncarnationId, first: u64, most: usize) -> Kept<Vec<Commitment>>;
    /// Keeps a checked batch receipt (framed) that covers everything up to `last`.
    fn keep_batch_receipt(&mut self, incarnation: IncarnationId, first: u64, last: u64, receipt: &[u8]) -> Kept<()>;

    /// The first operation of a page that is of this device's present life and that this store did not write: its life and
    /// sequence number. Another copy of the device signs with the same key.
    fn contradiction(&self, _page: &Page) -> Kept<Option<(IncarnationId, u64)>> {
        Ok(None)
    }
    /// Ends a life, if it is the present one; what is written afterwards is of a new one, whose key wants to be enrolled. Returns
    /// whether it ended now.
    fn end_life(&mut self, _incarnation: IncarnationId) -> Kept<bool> {
        Ok(false)
    }

    /// Where the next feed page begins.
    fn cursor(&self) -> Kept<Option<String>>;
    /// The cases that a supervisor's laptop wants to hold; none: every case. Whoever changes it forgets the cursor.
    fn wanted_cases(&self) -> Kept<Vec<CaseId>> {
        Ok(Vec::new())
    }
    /// Takes a page in: operations, views and cursor in one transaction.
    fn import(&mut self, page: Page) -> Kept<()>;
    /// The feed was read to its end.
    fn feed_read(&mut self) -> Kept<()>;
    /// Whether a pack is held.
    fn has_pack(&self, pack: PackHash) -> Kept<bool>;
    /// Keeps a pack file whose hash and signature the store checks against the key log.
    fn keep_pack(&mut self, pack: PackHash, file: &[u8]) -> Kept<()>;

    /// The newest checked checkpoint.
    fn checkpoint(&self) -> Kept<Option<HeldCheckpoint>>;
    /// Keeps a checked checkpoint that extends the held one.
    fn keep_checkpoint(&mut self, checkpoint: &HeldCheckpoint) -> Kept<()>;
    /// Keeps a checked time note: the anchor of the next operations.
    fn keep_time_note(&mut self, note: &HeldTimeNote) -> Kept<()>;

    /// First own operation with a batch receipt and without a checked index.
    fn unsealed(&self) -> Kept<Option<(IncarnationId, u64)>>;
    /// Keeps checked `(seq, leaf index)` pairs with the index receipt that named them.
    fn keep_indexes(&mut self, incarnation: IncarnationId, pairs: &[(u64, u64)], receipt: &[u8]) -> Kept<()>;

    /// Blobs that wait for a receipt and may go over the present network, at most `most`, in the order they were sealed.
    fn waiting_blobs(&self, most: usize) -> Kept<Vec<WaitingBlob>>;
    /// Blobs that wait for a receipt and for another network.
    fn held_back(&self) -> Kept<HeldBack> {
        Ok(HeldBack::default())
    }
    /// Lends the plain bytes of a blob from `offset` on.
    fn read_blob(&self, blob: BlobHash, offset: u64) -> Kept<Box<dyn Read + Send>>;
    /// Remembers or forgets the path of an upload.
    fn keep_upload(&mut self, blob: BlobHash, path: Option<&str>) -> Kept<()>;
    /// Keeps a checked blob receipt (framed).
    fn keep_blob_receipt(&mut self, blob: BlobHash, receipt: &[u8]) -> Kept<()>;

    /// What still waits.
    fn waiting(&self) -> Kept<Waiting>;
    /// A clock that only runs forward, in milliseconds from any beginning: how long an exchange took is measured with it. `None`
    /// where there is none; slices then grow as on a fast line.
    fn monotonic_ms(&self) -> Option<u64> {
        None
    }
    /// What the device tells about itself; `None` tells nothing.
    fn health(&self) -> Kept<Option<Health>> {
        Ok(None)
    }
}
