//! A damaged database is kept whole and read for what it still holds.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use fieldseal_proof::key_log::{KeyLog, KeyLogFrame};
use fieldseal_proof::operation::Operation;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, TransactionBehavior, params, params_from_iter};

use super::insert::{find, insert_operation};
use super::{DATABASE, StoreError, StorePorts, connect};
use crate::keyring::KeyStore;

/// What came over from a damaged database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salvage {
    /// Where the damaged database stands now, untouched.
    pub aside: PathBuf,
    /// Operations that could be read and whose signature or form holds.
    pub operations: u64,
    /// Rows that could not be read.
    pub unreadable: u64,
    /// Rows of other tables that came over.
    pub other_rows: u64,
    /// Whether this device's own chain came over without a hole up to the end it is known to have had.
    pub chain_complete: bool,
}

/// Tables whose rows are taken over as they are, besides the operations.
const TABLES: &[&str] = &[
    "meta",
    "chains",
    "drafts",
    "blobs",
    "receipts",
    "key_log",
    "packs",
    "attestations",
    "checkpoints",
    "numbers",
    "sessions",
];

/// Sets the damaged database aside and builds a new one from what can be read of it.
pub(super) fn salvage(
    folder: &Path,
    keys: &dyn KeyStore,
    ports: &StorePorts,
) -> Result<(Connection, Salvage), StoreError> {
    let aside = set_aside(folder)?;
    let key = keys.database_key();
    let mut fresh = connect::open(&folder.join(DATABASE), &key, ports)?;
    let mut old = OldDatabase::open(&aside, &key, ports)?;
    let mut salvage = Salvage {
        aside,
        operations: 0,
        unreadable: 0,
        other_rows: 0,
        chain_complete: true,
    };
    let transaction = fresh.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for table in TABLES {
        for row in old.rows(table, &mut salvage.unreadable)? {
            let marks = vec!["?"; row.len()].join(", ");
            let inserted = transaction.execute(
                &format!("INSERT OR IGNORE INTO {table} VALUES ({marks})"),
                params_from_iter(row),
            )?;
            salvage.other_rows += inserted as u64;
        }
    }
    let log = key_log(&transaction, keys)?;
    let ingest: BTreeSet<_> = log
        .keys()
        .filter(|(_, key)| key.action == "server")
        .filter_map(|(_, key)| key.subject.map(fieldseal_proof::ids::DeviceId::from_bytes))
        .collect();
    let identity = keys.identity();
    let own_key = keys.operation_key()?.public().clone();
    for frame in old.frames(&mut salvage.unreadable)? {
        let Ok(operation) = Operation::parse(&frame) else {
            salvage.unreadable += 1;
            continue;
        };
        let header = operation.header();
        let present = (header.device, header.incarnation) == (identity.device, identity.incarnation);
        let key = if present {
            Some(own_key.clone())
        } else {
            log.operation_key(&header.device, &header.incarnation)
                .and_then(|key| key.record.key().ok())
        };
        // Without a key the form still holds; a check later says that it is unverified.
        if key.is_some_and(|key| operation.clone().verify(&key).is_err()) {
            salvage.unreadable += 1;
        } else if find(&transaction, &operation.id())?.is_none() {
            insert_operation(&transaction, &operation, &frame, &ingest)?;
            salvage.operations += 1;
        }
    }
    salvage.chain_complete = settle_chains(&transaction, keys)?;
    transaction.commit()?;
    let suspect = folder.join(connect::SUSPECT);
    if suspect.exists() {
        std::fs::remove_file(&suspect).map_err(StoreError::file("removing", &suspect))?;
    }
    Ok((fresh, salvage))
}

/// Renames the database with its side files; the new name is free.
fn set_aside(folder: &Path) -> Result<PathBuf, StoreError> {
    let target = (1..)
        .map(|n| folder.join(format!("damaged-{n}")))
        .find(|path| !path.exists());
    let target = target.unwrap_or_else(|| folder.join("damaged"));
    std::fs::create_dir(&target).map_err(StoreError::file("making", &target))?;
    for suffix in ["", "-wal", "-shm"] {
        let name = format!("{DATABASE}{suffix}");
        let from = folder.join(&name);
        if from.exists() {
            std::fs::rename(&from, target.join(&name)).map_err(StoreError::file("renaming", &from))?;
        }
    }
    Ok(target)
}

/// Sets each own chain to what came over. True if the present one has no hole and nothing is missing at its end.
fn settle_chains(transaction: &rusqlite::Transaction<'_>, keys: &dyn KeyStore) -> Result<bool, StoreError> {
    let identity = keys.identity();
    let (count, last): (u64, Option<u64>) = transaction.query_row(
        "SELECT count(DISTINCT seq), max(seq) FROM operations WHERE device = ?1 AND incarnation = ?2",
        params![identity.device.as_bytes(), identity.incarnation.as_bytes()],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let known: Option<u64> = {
        let mut query = transaction.prepare("SELECT next_seq FROM chains WHERE incarnation = ?1")?;
        let mut rows = query.query([identity.incarnation.as_bytes()])?;
        rows.next()?.map(|row| row.get(0)).transpose()?
    };
    let held = last.map_or(0, |last| last + 1);
    let complete = count == held && known == Some(held);
    if !complete {
        // The chain's row must not claim what is not there; the tail file beside it then shows that a new life must begin.
        transaction.execute(
            "DELETE FROM chains WHERE incarnation = ?1",
            [identity.incarnation.as_bytes()],
        )?;
    }
    Ok(complete)
}

fn key_log(transaction: &rusqlite::Transaction<'_>, keys: &dyn KeyStore) -> Result<KeyLog, StoreError> {
    let mut log = KeyLog::new(keys.identity().tenant);
    let mut query = transaction.prepare("SELECT frame FROM key_log ORDER BY idx")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let frame: Vec<u8> = row.get(0)?;
        let Ok(frame) = KeyLogFrame::decode(&frame) else { break };
        if log.append(&frame).is_err() {
            break;
        }
    }
    Ok(log)
}

/// A database in which some pages do not authenticate. SQLCipher gives up a connection at the first bad page, so each
/// fault costs a new one.
struct OldDatabase<'a> {
    path: PathBuf,
    key: &'a [u8; 32],
    ports: &'a StorePorts,
    connection: Connection,
}

impl<'a> OldDatabase<'a> {
    fn open(aside: &Path, key: &'a [u8; 32], ports: &'a StorePorts) -> Result<Self, StoreError> {
        let path = aside.join(DATABASE);
        let connection = connect::open_raw(&path, key, ports)?;
        Ok(Self {
            path,
            key,
            ports,
            connection,
        })
    }

    fn again(&mut self) -> Result<(), StoreError> {
        self.connection = connect::open_raw(&self.path, self.key, self.ports)?;
        Ok(())
    }

    /// Rows from the front until a fault, then from the back until a fault.
    fn rows(&mut self, table: &str, unreadable: &mut u64) -> Result<Vec<Vec<Sql>>, StoreError> {
        let (mut rows, whole) = self.rows_in_order(&format!("SELECT * FROM {table}"));
        if !whole {
            *unreadable += 1;
            self.again()?;
            let key = if table == "meta" { "key" } else { "1" };
            let (behind, _) = self.rows_in_order(&format!("SELECT * FROM {table} ORDER BY {key} DESC"));
            rows.extend(behind);
            self.again()?;
        }
        Ok(rows)
    }

    fn rows_in_order(&self, sql: &str) -> (Vec<Vec<Sql>>, bool) {
        let mut found = Vec::new();
        let Ok(mut query) = self.connection.prepare(sql) else {
            return (found, false);
        };
        let columns = query.column_count();
        let Ok(mut rows) = query.query([]) else {
            return (found, false);
        };
        loop {
            match rows.next() {
                Ok(Some(row)) => {
                    let row: Result<Vec<Sql>, _> = (0..columns).map(|i| row.get(i)).collect();
                    match row {
                        Ok(row) => found.push(row),
                        Err(_) => return (found, false),
                    }
                }
                Ok(None) => return (found, true),
                Err(_) => return (found, false),
            }
        }
    }

    /// Frames in order of arrival: each row is asked for by its number, so that one bad page takes only its own rows.
    fn frames(&mut self, unreadable: &mut u64) -> Result<Vec<Vec<u8>>, StoreError> {
        let last: Result<Option<i64>, _> = self
            .connection
            .query_row("SELECT max(n) FROM operations", [], |row| row.get(0));
        let last = match last {
            Ok(last) => last.unwrap_or(0),
            Err(_) => {
                self.again()?;
                // No row is smaller than 300 bytes, so the file's length bounds their number.
                let length = std::fs::metadata(&self.path)
                    .map_err(StoreError::file("reading", &self.path))?
                    .len();
                i64::try_from(length / 300).unwrap_or(i64::MAX)
            }
        };
        let mut frames = Vec::new();
        for n in 1..=last {
            let row = self
                .connection
                .query_row("SELECT frame FROM operations WHERE n = ?1", [n], |row| row.get(0));
            match row {
                Ok(frame) => frames.push(frame),
                Err(rusqlite::Error::QueryReturnedNoRows) => {}
                Err(_) => {
                    *unreadable += 1;
                    self.again()?;
                }
            }
        }
        Ok(frames)
    }
}
