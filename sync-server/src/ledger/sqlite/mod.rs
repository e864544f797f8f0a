//! The embedded ledger: one SQLite file, WAL, synchronous=FULL, one writer thread and a few readers.

mod lines;
mod migrate;
mod read;
mod rows;
mod write;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fieldseal_proof::ids::{CaseId, DeviceId, OpId};
use futures_util::FutureExt;
use rusqlite::{Connection, OpenFlags};

use self::writer::Writer;
use super::*;

/// Readers beside the writer: one for each core of a small machine, and one for a slow page.
const READERS: usize = 3;

/// A ledger in one SQLite file, or in memory for tests.
pub struct SqliteLedger {
    writer: Writer,
    /// Empty for a ledger in memory: it has one connection, the writer's.
    readers: Arc<Readers>,
}

impl SqliteLedger {
    /// Opens or creates the file and brings its schema up to date.
    ///
    /// # Errors
    /// A file that is not a ledger, is of a newer program, or cannot be opened.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let mut connection = Connection::open(path).map_err(rows::failed)?;
        prepare(&connection)?;
        migrate::migrate(&mut connection)?;
        let readers = (0..READERS).map(|_| reader(path)).collect::<Result<_, _>>()?;
        Ok(Self {
            writer: Writer::start(connection)?,
            readers: Arc::new(Readers::new(readers)),
        })
    }

    /// A copy of a ledger, only to be read; its file is not changed by a byte.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn open_copy(path: &Path) -> Result<Self, LedgerError> {
        let open = || Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(rows::failed);
        let readers = (0..READERS).map(|_| open()).collect::<Result<_, _>>()?;
        Ok(Self {
            writer: Writer::start(open()?)?,
            readers: Arc::new(Readers::new(readers)),
        })
    }

    /// What SQLite's own check of every page and index says; empty where all is well.
    ///
    /// # Errors
    /// A file that is no database at all.
    pub fn damage(path: &Path) -> Result<Vec<String>, LedgerError> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(rows::failed)?;
        let mut check = connection.prepare("PRAGMA integrity_check(20)").map_err(rows::failed)?;
        let lines = check
            .query_map([], |row| row.get::<_, String>(0))
            .map_err(rows::failed)?;
        let lines: rusqlite::Result<Vec<String>> = lines.collect();
        Ok(lines
            .map_err(rows::failed)?
            .into_iter()
            .filter(|line| line != "ok")
            .collect())
    }

    /// A ledger that is gone with the process.
    ///
    /// # Errors
    /// When SQLite cannot be set up.
    pub fn in_memory() -> Result<Self, LedgerError> {
        let mut connection = Connection::open_in_memory().map_err(rows::failed)?;
        prepare(&connection)?;
        migrate::migrate(&mut connection)?;
        Ok(Self {
            writer: Writer::start(connection)?,
            readers: Arc::new(Readers::new(Vec::new())),
        })
    }

    fn read<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<'_, T> {
        if self.readers.is_empty() {
            return self
                .writer
                .run(move |connection| f(connection).map_err(rows::failed))
                .boxed();
        }
        let readers = self.readers.clone();
        async move {
            // A reader that waits for a connection waits here, not on a thread: threads cost memory, and files need them too.
            let turn = readers.turns.clone().acquire_owned().await;
            let turn = turn.map_err(|e| LedgerError::Broken(e.to_string()))?;
            let done = tokio::task::spawn_blocking(move || {
                let connection = readers.take()?;
                let answer = f(&connection).map_err(rows::failed);
                readers.put(connection);
                drop(turn);
                answer
            });
            done.await.map_err(|e| LedgerError::Broken(e.to_string()))?
        }
        .boxed()
    }
}

/// Why each setting: see docs/operating.md, "The ledger file".
fn prepare(connection: &Connection) -> Result<(), LedgerError> {
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -8192; \
             PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864;",
        )
        .map_err(rows::failed)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

fn reader(path: &Path) -> Result<Connection, LedgerError> {
    let connection = Connection::open(path).map_err(rows::failed)?;
    connection
        .execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -2048;")
        .map_err(rows::failed)?;
    connection
        .busy_timeout(std::time::Duration::from_secs(10))
        .map_err(rows::failed)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Idle reading connections, and a turn for each.
struct Readers {
    idle: std::sync::Mutex<Vec<Connection>>,
    turns: Arc<tokio::sync::Semaphore>,
    count: usize,
}

impl Readers {
    fn new(idle: Vec<Connection>) -> Self {
        Self {
            count: idle.len(),
            turns: Arc::new(tokio::sync::Semaphore::new(idle.len())),
            idle: std::sync::Mutex::new(idle),
        }
    }

    fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whoever holds a turn finds a connection, unless a read before it panicked with one.
    fn take(&self) -> Result<Connection, LedgerError> {
        let mut idle = self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        idle.pop()
            .ok_or_else(|| LedgerError::Broken("a reading connection was lost".into()))
    }

    fn put(&self, connection: Connection) {
        self.idle
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(connection);
    }
}

impl LedgerStore for SqliteLedger {
    fn commit(&self, commit: Commit) -> Answer<'_, Committed> {
        self.writer
            .run(move |connection| write::apply(connection, commit))
            .boxed()
    }
    fn chains(&self, device: DeviceId) -> Answer<'_, Vec<Chain>> {
        self.read(move |c| read::chains(c, Some(device)))
    }
    fn all_chains(&self) -> Answer<'_, Vec<Chain>> {
        self.read(|c| read::chains(c, None))
    }
    fn stored(&self, chain: ChainKey, first: u64, last: u64) -> Answer<'_, Vec<Stored>> {
        self.read(move |c| read::stored(c, chain, first, last))
    }
    fn streams(&self, chain: ChainKey) -> Answer<'_, Vec<StreamHead>> {
        self.read(move |c| read::streams(c, Some(chain), None))
    }
    fn streams_of(&self, case: CaseId) -> Answer<'_, Vec<StreamHead>> {
        self.read(move |c| read::streams(c, None, Some(case)))
    }
    fn operations(&self, scope: FeedScope, from: u64, to: u64, max_bytes: usize) -> Answer<'_, Vec<OperationRow>> {
        self.read(move |c| read::operations(c, &scope, from, to, max_bytes))
    }
    fn arrived(&self, size: u64) -> Answer<'_, u64> {
        self.read(move |c| read::arrived(c, size))
    }
    fn operation(&self, id: OpId) -> Answer<'_, Vec<OperationRow>> {
        self.read(move |c| read::operation(c, id))
    }
    fn operations_of(&self, case: CaseId) -> Answer<'_, Vec<OperationRow>> {
        self.read(move |c| read::operations(c, &FeedScope::Cases(vec![case]), 0, u64::MAX >> 1, usize::MAX))
    }
    fn held(&self, ids: Vec<OpId>) -> Answer<'_, Vec<OpId>> {
        self.read(move |c| read::held(c, &ids))
    }
    fn leaves(&self, from: u64, to: u64) -> Answer<'_, Vec<[u8; 32]>> {
        self.read(move |c| read::leaves(c, from, to))
    }
    fn size(&self) -> Answer<'_, u64> {
        self.read(read::size)
    }
    fn orphans(&self) -> Answer<'_, u64> {
        self.read(|c| c.query_row("SELECT count(*) FROM orphan", [], |row| rows::uint(row, 0)))
    }
    fn key_log(&self, from: u64) -> Answer<'_, Vec<KeyLogRow>> {
        self.read(move |c| read::key_log(c, from))
    }
    fn register(&self, space: &'static str, key: Vec<u8>) -> Answer<'_, Option<Register>> {
        self.read(move |c| read::register(c, space, &key))
    }
    fn registers(&self, space: &'static str, after: Vec<u8>, limit: usize) -> Answer<'_, Vec<Register>> {
        self.read(move |c| read::registers(c, space, &after, limit))
    }
    fn registers_under(&self, space: &'static str, prefix: Vec<u8>) -> Answer<'_, Vec<Register>> {
        self.read(move |c| read::registers_under(c, space, &prefix))
    }
    fn blob_refs(&self, sha256: [u8; 32]) -> Answer<'_, Vec<BlobRef>> {
        self.read(move |c| read::blob_refs(c, Some(sha256), None))
    }
    fn blobs_of(&self, case: CaseId) -> Answer<'_, Vec<BlobRef>> {
        self.read(move |c| read::blob_refs(c, None, Some(case)))
    }
    fn writes(&self, scope: [u8; 16], paths: Vec<String>) -> Answer<'_, Vec<WriteRow>> {
        self.read(move |c| read::writes(c, scope, &paths))
    }
    fn fields(&self, scope: [u8; 16], prefix: String) -> Answer<'_, Vec<FieldRow>> {
        self.read(move |c| read::fields(c, scope, &prefix))
    }
    fn undecided(&self, skip: u64, limit: u64) -> Answer<'_, (u64, Vec<FieldRow>)> {
        self.read(move |c| read::undecided(c, skip, limit))
    }
    fn memberships(&self, subjects: Vec<[u8; 16]>) -> Answer<'_, Vec<MemberRow>> {
        self.read(move |c| read::memberships(c, &subjects))
    }
    fn members(&self, case: CaseId) -> Answer<'_, Vec<MemberRow>> {
        self.read(move |c| read::members(c, case))
    }
    fn lines(&self, query: LineQuery) -> Answer<'_, LinePage> {
        self.read(move |c| lines::find(c, &query))
    }
    fn line_counts(&self, kind: LineKind, today: i32) -> Answer<'_, LineCounts> {
        self.read(move |c| lines::counts(c, kind, today))
    }
    fn accesses(&self, from: u64, limit: usize) -> Answer<'_, Vec<(u64, Access)>> {
        self.read(move |c| read::accesses(c, from, limit))
    }
    fn newest_accesses(&self, below: u64, filter: AccessFilter, limit: usize) -> Answer<'_, Vec<(u64, Access)>> {
        self.read(move |c| read::newest_accesses(c, below, &filter, limit))
    }
    fn accesses_of(&self, target: String, limit: usize) -> Answer<'_, Vec<Access>> {
        self.read(move |c| read::accesses_of(c, &target, limit))
    }
    fn copy_to(&self, path: PathBuf) -> Answer<'_, ()> {
        self.read(move |c| {
            let mut target = Connection::open(&path)?;
            {
                // -1: all pages in one step, so that the copy is of one moment; WAL lets the writer go on meanwhile.
                let backup = rusqlite::backup::Backup::new(c, &mut target)?;
                backup.step(-1)?;
            }
            target.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL;")
        })
    }
}
