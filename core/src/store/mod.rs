//! The tablet's database: operations, the view folded from them, drafts, and what the server gave.
//!
//! ```text
//! NewOperation ──append──▶ one transaction { operation, writes, chain, hybrid clock, drafts removed } ──▶ durable
//! feed page    ──import──▶ one transaction { operations, writes, leaf indexes, cursor }
//! ```
//!
//! Several processes may have a store open. What an append needs to know (sequence, link, counters, heads) is read inside its
//! own write transaction, so two processes can never give the same place in the chain to two operations.

mod append;
mod blobs;
mod brackets;
mod check;
mod connect;
mod drafts;
mod exchange;
mod insert;
mod inspections;
mod life;
mod lock;
mod migrate;
mod numbers;
mod read;
mod salvage;
mod sessions;
mod tail;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use fieldseal_proof::body::BodyError;
use fieldseal_proof::ids::{IncarnationId, OpId};
use fieldseal_proof::key_log::{KeyLog, KeyLogError};
use fieldseal_proof::operation::{OperationError, SealError};
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};

use crate::clock::Clock;
use crate::keyring::{Identity, KeyStore, KeyringError};
use crate::random::{Random, RandomError};

pub(crate) use append::APP;
pub use append::AppendStep;
pub(crate) use append::{AppendWith, Attesting};
pub(crate) use blobs::insert_blob;
pub use blobs::{BlobRow, BlobState};
pub use check::{StoreCheck, StoreFault};
pub use drafts::Draft;
pub use exchange::{KeptCheckpoint, OwnRun, PendingCounts};
pub use insert::Imported;
pub(crate) use inspections::KeptView;
pub use numbers::LeasedNumber;
pub use read::{OperationRow, Progress, StoredWrite};
pub use salvage::{Recovered, Salvage, recover};
pub use sessions::SessionRow;

/// A store that could not do what was asked. Nothing was changed, unless the variant says so.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process is at work on the store and did not finish in time.
    #[error("the store is in use by another process")]
    Busy,
    /// The disk has no room for the database.
    #[error("no space left for the database")]
    NoSpace,
    /// Bytes of the database are not what was written.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// The database was written by a newer version of this program.
    #[error("the database has version {found}, this program knows {known}")]
    Newer {
        /// Version found.
        found: i64,
        /// Newest version known.
        known: i64,
    },
    /// The operation breaks a limit or a rule of its page; nothing was signed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The fields do not make a body; nothing was signed.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// A stored frame does not parse.
    #[error("a stored operation does not parse: {0}")]
    Frame(#[from] OperationError),
    /// The stored key log does not check.
    #[error("the stored key log does not check: {0}")]
    KeyLog(#[from] KeyLogError),
    /// More than 256 concurrent heads would have to be superseded.
    #[error("the fields written have too many concurrent values")]
    TooManyHeads,
    /// An operation that is not held here.
    #[error("operation {0} is not held here")]
    Unknown(OpId),
    /// Something that a caller asked by name is not there.
    #[error("{0} is not held here")]
    Absent(String),
    /// No leased number is left.
    #[error("no leased number is left for form {form}")]
    NoNumber {
        /// The form.
        form: String,
    },
    /// This life of the store has ended: another process began the next one, and has not finished.
    #[error("another process has begun a new life of this store")]
    LifeOver,
    /// A step was made to fail by a test of the one-transaction rule.
    #[error("stopped at {0:?}")]
    Stopped(AppendStep),
    /// Whoever watched a check wished to stop.
    #[error("stopped by whoever watched")]
    Cancelled,
    /// A key could not be used.
    #[error(transparent)]
    Keys(#[from] KeyringError),
    /// No randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// A file beside the database could not be read or written.
    #[error("{action} {path}: {source}")]
    File {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// Anything else SQLite says.
    #[error("database: {0}")]
    Sqlite(#[source] rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        // The shared memory file beside the database is made longer before anything else: where a full disk is met first.
        let shm_size = rusqlite::ffi::SQLITE_IOERR_SHMSIZE;
        if error
            .sqlite_error()
            .is_some_and(|inner| inner.extended_code == shm_size)
        {
            return Self::NoSpace;
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DiskFull) => Self::NoSpace,
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Damaged(error.to_string()),
            _ => Self::Sqlite(error),
        }
    }
}

impl StoreError {
    fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::NoSpace,
            _ => Self::File { action, path, source },
        }
    }
}

/// What the store is given from outside.
#[derive(Clone)]
pub struct StorePorts {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// How long to wait for another process, in milliseconds.
    pub wait_ms: u64,
    /// Most pages of the database, to rehearse a full disk; `None` in the field.
    pub max_pages: Option<u32>,
}

/// What a start of the store had to do.
#[derive(Debug, Default)]
pub struct StoreStart {
    /// The database was damaged: where it stands now, and what came over.
    pub salvage: Option<Salvage>,
    /// The store was restored or set back: a new life began.
    pub new_incarnation: bool,
    /// This process is the only one at work, so a sweep of the vault is safe.
    pub alone: bool,
}

/// The open store.
pub struct Store {
    folder: PathBuf,
    connection: Mutex<Connection>,
    /// Tenant, device, role and label; the incarnation is that of `life`.
    identity: Identity,
    life: RwLock<life::Life>,
    /// The keys of a device that stays open: where another process began a new life, this one goes on in it.
    keys: OnceLock<Arc<dyn KeyStore>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    tail: tail::TailFile,
    /// The part of the key log that was checked in this process.
    checked_keys: Mutex<KeyLog>,
    lock: lock::StoreLock,
}

impl Store {
    /// Opens or makes the store of a device in `folder`.
    ///
    /// A damaged database is renamed together with its side files and salvaged into a new one. A store that is older than the
    /// tail file beside it was restored: it starts a new incarnation with a fresh key.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when another process is starting or repairing it, [`StoreError::Newer`] for a database of a newer
    /// version, which is left as it is.
    pub fn open(folder: &Path, keys: &dyn KeyStore, ports: &StorePorts) -> Result<(Self, StoreStart), StoreError> {
        let lock = lock::StoreLock::take(folder, ports.wait_ms)?;
        let mut start = StoreStart {
            alone: lock.alone(),
            ..StoreStart::default()
        };
        let path = folder.join(DATABASE);
        let tail = tail::TailFile::beside(&path);
        let known = known_end(&tail, keys);
        // A chain was begun, so there was a database: one that is gone is a damaged one.
        let gone = known.is_some() && std::fs::metadata(&path).map_or(0, |meta| meta.len()) == 0;
        let opened = match (gone || salvage::is_unfinished(folder)) && lock.alone() {
            true => Err(StoreError::Damaged("there is no database any more".into())),
            false => connect::open(&path, &keys.database_key(), ports),
        };
        let connection = match opened {
            Err(StoreError::Damaged(_)) if lock.alone() => {
                let (connection, salvage) = salvage::salvage(folder, keys, ports, known)?;
                start.salvage = Some(salvage);
                connection
            }
            other => other?,
        };
        if start.alone {
            keep_salt(&path, keys)?;
        }
        let mut store = Self {
            folder: folder.to_owned(),
            connection: Mutex::new(connection),
            identity: keys.identity(),
            life: RwLock::new(life::Life::of(keys)?),
            keys: OnceLock::new(),
            clock: ports.clock.clone(),
            random: ports.random.clone(),
            tail,
            checked_keys: Mutex::new(KeyLog::new(keys.identity().tenant)),
            lock,
        };
        if start.alone {
            start.new_incarnation = store.settle_chain(keys, known, start.salvage.as_ref())?;
        }
        store.lock.share();
        Ok((store, start))
    }

    /// Who writes here, in which life.
    pub fn identity(&self) -> Identity {
        Identity {
            incarnation: self.incarnation(),
            ..self.identity.clone()
        }
    }

    /// The present life.
    fn incarnation(&self) -> IncarnationId {
        self.life().incarnation
    }

    /// The clock port.
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// The random port.
    pub fn random(&self) -> &dyn Random {
        &*self.random
    }

    /// Notes that the database is suspect, so that the next start checks every page of it and repairs.
    ///
    /// # Errors
    /// When the mark cannot be written.
    pub fn suspect(&self) -> Result<(), StoreError> {
        let path = self.folder.join(connect::SUSPECT);
        std::fs::write(&path, b"").map_err(StoreError::file("writing", &path))
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn checked_keys(&self) -> MutexGuard<'_, KeyLog> {
        self.checked_keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a write transaction; it is rolled back unless `work` succeeds and the commit is durable.
    fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let written = work(&transaction).and_then(|result| {
            transaction.commit()?;
            Ok(result)
        });
        if matches!(written, Err(StoreError::Damaged(_))) {
            // Met on the way; the next start reads every page and repairs. A mark that cannot be written is made by the next one.
            let _ = self.suspect();
        }
        written
    }

    /// Whether rows were lost and the server's whole feed was not read since: until then nobody knows which files and numbers
    /// are spoken for.
    ///
    /// # Errors
    /// When the database does.
    pub fn is_healing(&self) -> Result<bool, StoreError> {
        Ok(self.fact(salvage::HEALING)?.is_some())
    }

    /// The server's whole feed was read. Numbers that were leased before stay unused, for nobody knows which of them stand on
    /// paper: a gap can be explained, a double cannot.
    ///
    /// # Errors
    /// When the database does.
    pub fn healed(&self) -> Result<(), StoreError> {
        self.burn_leases()?;
        self.write(|tx| {
            tx.execute("DELETE FROM meta WHERE key = ?1", [salvage::HEALING])?;
            Ok(())
        })
    }
}

/// The newest end of the present life's chain that stands beside the database: the tail, written at each operation, or the
/// key file, written at each receipt.
fn known_end(tail: &tail::TailFile, keys: &dyn KeyStore) -> Option<tail::Tail> {
    let incarnation = keys.identity().incarnation;
    let kept = keys.chain_end().map(|(next_seq, link)| tail::Tail {
        incarnation,
        next_seq,
        link,
    });
    let tail = tail.read().filter(|tail| tail.incarnation == incarnation);
    kept.into_iter().chain(tail).max_by_key(|end| end.next_seq)
}

/// Keeps a copy of the database's salt with the keys: without the first page nothing else in the file would open.
fn keep_salt(database: &Path, keys: &dyn KeyStore) -> Result<(), StoreError> {
    let mut salt = [0; salvage::SALT];
    let read = std::fs::File::open(database).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut salt));
    if read.is_ok() && keys.database_salt() != Some(salt) {
        keys.keep_database_salt(salt)?;
    }
    Ok(())
}

/// Name of the database file.
pub const DATABASE: &str = "store.db";

#[cfg(test)]
mod import_tests;
#[cfg(test)]
mod life_tests;
#[cfg(test)]
mod tests;
