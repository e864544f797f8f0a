//! What is durable: the record (operations, leaves, key log, registers) and the blobs.
//!
//! Both contracts are written as semantics, so that another database or object store can stand behind them:
//! - [`LedgerStore`] appends and compares-and-swaps. One [`Commit`] happens whole or not at all, and is durable when it returns.
//! - [`BlobStore`] holds immutable objects under a name that is written once.
//!
//! `conformance` is the one suite that every implementation has to pass.

pub mod blob;
mod commit;
pub mod conformance;
mod line;
mod record;
pub mod space;
pub mod sqlite;
mod words;

use std::fmt;

use fieldseal_proof::ids::{CaseId, DeviceId, OpId};
use futures_util::future::BoxFuture;

pub use blob::BlobStore;
pub use commit::{Commit, Committed, Expect, KeyLogAppend, NewBatch, NewOperation, Swap};
pub use line::{FoundLine, LineCounts, LineKind, LineOrder, LinePage, LineQuery, LineRow, tag};
pub use record::{
    Access, AccessFilter, BlobRef, Chain, ChainKey, FeedScope, FieldRow, KeyLogRow, MemberRow, OperationRow, Register,
    Run, RunState, Stored, StreamHead, WriteRow,
};
pub use words::SearchWords;

/// Why the ledger did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Somebody else changed it first. Nothing was written; read again and decide again.
    #[error("{0} changed in the meantime")]
    Conflict(String),
    /// No space. Nothing was written; the store can still be read.
    #[error("no space left for the ledger")]
    Full,
    /// The store failed in a way after which its state is unknown: the process must stop and recover by starting again.
    #[error("the ledger failed: {0}")]
    Broken(String),
    /// What was read is not what this program writes.
    #[error("the ledger holds something unreadable: {0}")]
    Corrupt(String),
}

/// Answer of a ledger call.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, LedgerError>>;

/// The central record.
///
/// - A commit MUST be durable when it returns `Ok`, and MUST be seen by every later read.
/// - A commit whose expectation does not hold MUST return [`LedgerError::Conflict`] and change nothing.
/// - Leaf indices MUST be given in one order without gaps, also under concurrent commits.
/// - Reads MUST see whole commits only.
pub trait LedgerStore: Send + Sync + 'static {
    /// Applies a commit, whole or not at all.
    fn commit(&self, commit: Commit) -> Answer<'_, Committed>;

    /// All chains of a device.
    fn chains(&self, device: DeviceId) -> Answer<'_, Vec<Chain>>;
    /// Every chain.
    fn all_chains(&self) -> Answer<'_, Vec<Chain>>;
    /// What is stored of a chain with `first ≤ seq ≤ last`, all runs, by seq then run.
    fn stored(&self, chain: ChainKey, first: u64, last: u64) -> Answer<'_, Vec<Stored>>;
    /// Last counter and id of the streams of a chain.
    fn streams(&self, chain: ChainKey) -> Answer<'_, Vec<StreamHead>>;
    /// Last counter and id of every stream of a case.
    fn streams_of(&self, case: CaseId) -> Answer<'_, Vec<StreamHead>>;

    /// Operations with `from ≤ arrival < to` in order of arrival that are in the scope; ends at a batch boundary once `max_bytes`
    /// of frames are exceeded. At least one batch is returned if there is any.
    fn operations(&self, scope: FeedScope, from: u64, to: u64, max_bytes: usize) -> Answer<'_, Vec<OperationRow>>;
    /// One more than the last arrival such that every operation up to it has a leaf below `size`.
    fn arrived(&self, size: u64) -> Answer<'_, u64>;
    /// The operations with this id: more than one only where one header was signed twice.
    fn operation(&self, id: OpId) -> Answer<'_, Vec<OperationRow>>;
    /// All operations of a case, in order of arrival.
    fn operations_of(&self, case: CaseId) -> Answer<'_, Vec<OperationRow>>;
    /// Which of these ids are held.
    fn held(&self, ids: Vec<OpId>) -> Answer<'_, Vec<OpId>>;

    /// Leaf data with `from ≤ index < to`.
    fn leaves(&self, from: u64, to: u64) -> Answer<'_, Vec<[u8; 32]>>;
    /// Number of leaves.
    fn size(&self) -> Answer<'_, u64>;
    /// Leaves whose operation is not held (after a restore).
    fn orphans(&self) -> Answer<'_, u64>;

    /// Key log entries from an index on.
    fn key_log(&self, from: u64) -> Answer<'_, Vec<KeyLogRow>>;

    /// One register.
    fn register(&self, space: &'static str, key: Vec<u8>) -> Answer<'_, Option<Register>>;
    /// The registers of a space with keys above `after`, ascending, at most `limit`.
    fn registers(&self, space: &'static str, after: Vec<u8>, limit: usize) -> Answer<'_, Vec<Register>>;
    /// The registers of a space whose keys begin with `prefix` (not empty), ascending. Reads no others.
    fn registers_under(&self, space: &'static str, prefix: Vec<u8>) -> Answer<'_, Vec<Register>>;

    /// Who names a blob.
    fn blob_refs(&self, sha256: [u8; 32]) -> Answer<'_, Vec<BlobRef>>;
    /// The blobs that a case names.
    fn blobs_of(&self, case: CaseId) -> Answer<'_, Vec<BlobRef>>;

    /// The writes of these paths of a scope.
    fn writes(&self, scope: [u8; 16], paths: Vec<String>) -> Answer<'_, Vec<WriteRow>>;
    /// The folded fields of a scope whose path begins so, ascending.
    fn fields(&self, scope: [u8; 16], prefix: String) -> Answer<'_, Vec<FieldRow>>;
    /// How many fields of cases hold several values that nobody has decided between, and a page of them: sealed facts that
    /// contradict first, then those whose case has the earliest due date, then those whose case was heard of last the longest ago.
    fn undecided(&self, skip: u64, limit: u64) -> Answer<'_, (u64, Vec<FieldRow>)>;
    /// The cases in which any of these (device, officers) is named.
    fn memberships(&self, subjects: Vec<[u8; 16]>) -> Answer<'_, Vec<MemberRow>>;
    /// Who is named in a case.
    fn members(&self, case: CaseId) -> Answer<'_, Vec<MemberRow>>;
    /// A page of what people look for. Words MUST be found as they stand in a text, letter by letter, whatever the width, the case
    /// and the brackets (`words`).
    fn lines(&self, query: LineQuery) -> Answer<'_, LinePage>;
    /// Counts over all lines of a kind; `today` in days since 1970-01-01.
    fn line_counts(&self, kind: LineKind, today: i32) -> Answer<'_, LineCounts>;
    /// The access log from a number on.
    fn accesses(&self, from: u64, limit: usize) -> Answer<'_, Vec<(u64, Access)>>;

    /// Lines of the access log below a number, newest first.
    fn newest_accesses(&self, below: u64, filter: AccessFilter, limit: usize) -> Answer<'_, Vec<(u64, Access)>>;

    /// The newest lines of the access log about one target, newest first.
    fn accesses_of(&self, target: String, limit: usize) -> Answer<'_, Vec<Access>>;

    /// A consistent copy of the whole ledger into a new file.
    fn copy_to(&self, path: std::path::PathBuf) -> Answer<'_, ()>;
}

impl fmt::Debug for dyn LedgerStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LedgerStore")
    }
}
