//! Where a server is killed: the stores under it, with a fuse that burns at a chosen durable effect.
//!
//! Nothing else of the server is visible after a kill than what its stores hold, so these are all the places where a kill makes a
//! difference; and counting effects, not polls or time, is what makes a seed replay.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use fieldseal_proof::ids::{CaseId, DeviceId, OpId};
use fieldseal_sync_server::ledger::blob::{Answer as BlobAnswer, MemoryBlobs};
use fieldseal_sync_server::ledger::sqlite::SqliteLedger;
use fieldseal_sync_server::ledger::*;
use futures_util::FutureExt;
use tokio::sync::Notify;

const SAFE: u32 = u32::MAX;

/// Shared by the stores of one server.
pub struct Fuse {
    /// Durable effects that still happen.
    left: AtomicU32,
    tripped: Notify,
}

impl Fuse {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            left: AtomicU32::new(SAFE),
            tripped: Notify::new(),
        })
    }

    /// So many durable effects happen from now on; the next one hangs for ever.
    pub fn light(&self, effects: u32) {
        self.left.store(effects, Ordering::SeqCst);
    }

    pub fn put_out(&self) {
        self.left.store(SAFE, Ordering::SeqCst);
    }

    /// Ends when the fuse has burnt.
    pub async fn burnt(&self) {
        self.tripped.notified().await;
    }

    async fn pass(&self) {
        let left = self.left.load(Ordering::SeqCst);
        if left == SAFE {
            return;
        }
        if left == 0 {
            self.tripped.notify_one();
            std::future::pending::<()>().await;
        }
        self.left.store(left - 1, Ordering::SeqCst);
    }
}

/// The blobs of a server.
pub struct FusedBlobs {
    pub inner: Arc<MemoryBlobs>,
    pub fuse: Arc<Fuse>,
}

impl BlobStore for FusedBlobs {
    fn append(&self, name: &str, end: u64, bytes: Vec<u8>) -> BlobAnswer<'_, ()> {
        let name = name.to_owned();
        async move {
            self.fuse.pass().await;
            self.inner.append(&name, end, bytes).await
        }
        .boxed()
    }
    fn staged(&self, name: &str) -> BlobAnswer<'_, u64> {
        self.inner.staged(name)
    }
    fn read_staged(&self, name: &str, from: u64, length: usize) -> BlobAnswer<'_, Vec<u8>> {
        self.inner.read_staged(name, from, length)
    }
    fn discard(&self, name: &str) -> BlobAnswer<'_, ()> {
        self.inner.discard(name)
    }
    fn publish(&self, name: &str) -> BlobAnswer<'_, ()> {
        let name = name.to_owned();
        async move {
            self.fuse.pass().await;
            self.inner.publish(&name).await
        }
        .boxed()
    }
    fn size(&self, name: &str) -> BlobAnswer<'_, u64> {
        self.inner.size(name)
    }
    fn read(&self, name: &str, from: u64, length: usize) -> BlobAnswer<'_, Vec<u8>> {
        self.inner.read(name, from, length)
    }
    fn names(&self) -> BlobAnswer<'_, Vec<String>> {
        self.inner.names()
    }
    fn staged_names(&self) -> BlobAnswer<'_, Vec<String>> {
        self.inner.staged_names()
    }
}

/// The ledger of a server.
pub struct FusedLedger {
    pub inner: SqliteLedger,
    pub fuse: Arc<Fuse>,
}

macro_rules! reads {
    ($($name:ident($($given:ident: $kind:ty),*) -> $answer:ty;)*) => {
        $(fn $name(&self, $($given: $kind),*) -> Answer<'_, $answer> {
            self.inner.$name($($given),*)
        })*
    };
}

impl LedgerStore for FusedLedger {
    fn commit(&self, commit: Commit) -> Answer<'_, Committed> {
        async move {
            self.fuse.pass().await;
            self.inner.commit(commit).await
        }
        .boxed()
    }

    reads! {
        chains(device: DeviceId) -> Vec<Chain>;
        all_chains() -> Vec<Chain>;
        stored(chain: ChainKey, first: u64, last: u64) -> Vec<Stored>;
        streams(chain: ChainKey) -> Vec<StreamHead>;
        streams_of(case: CaseId) -> Vec<StreamHead>;
        operations(scope: FeedScope, from: u64, to: u64, max_bytes: usize) -> Vec<OperationRow>;
        arrived(size: u64) -> u64;
        operation(id: OpId) -> Vec<OperationRow>;
        operations_of(case: CaseId) -> Vec<OperationRow>;
        held(ids: Vec<OpId>) -> Vec<OpId>;
        leaves(from: u64, to: u64) -> Vec<[u8; 32]>;
        size() -> u64;
        orphans() -> u64;
        key_log(from: u64) -> Vec<KeyLogRow>;
        register(space: &'static str, key: Vec<u8>) -> Option<Register>;
        registers(space: &'static str, after: Vec<u8>, limit: usize) -> Vec<Register>;
        registers_under(space: &'static str, prefix: Vec<u8>) -> Vec<Register>;
        blob_refs(sha256: [u8; 32]) -> Vec<BlobRef>;
        blobs_of(case: CaseId) -> Vec<BlobRef>;
        writes(scope: [u8; 16], paths: Vec<String>) -> Vec<WriteRow>;
        fields(scope: [u8; 16], prefix: String) -> Vec<FieldRow>;
        undecided(skip: u64, limit: u64) -> (u64, Vec<FieldRow>);
        memberships(subjects: Vec<[u8; 16]>) -> Vec<MemberRow>;
        members(case: CaseId) -> Vec<MemberRow>;
        lines(query: LineQuery) -> LinePage;
        line_counts(kind: LineKind, today: i32) -> LineCounts;
        accesses(from: u64, limit: usize) -> Vec<(u64, Access)>;
        newest_accesses(below: u64, filter: AccessFilter, limit: usize) -> Vec<(u64, Access)>;
        accesses_of(target: String, limit: usize) -> Vec<Access>;
        copy_to(path: PathBuf) -> ();
    }
}
