//! Reading operations and views back.

use std::sync::Arc;

use fieldseal_proof::cbor::{self, Value};
use fieldseal_proof::ids::{CaseId, DeviceId, EnterpriseId, IncarnationId, InspectionId, OpId, PackHash};
use fieldseal_proof::key_log::{KeyLog, KeyLogFrame};
use fieldseal_proof::operation::Operation;
use rusqlite::{OptionalExtension, Row, params};

use super::insert::put_meta;
use super::{Store, StoreError};
use crate::merge::{Scope, State, fold};

/// How far an operation of this device has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
    /// Signed and durable on this device.
    Sealed,
    /// Covered by a batch receipt of the server.
    Received,
    /// Its place in the central log was checked.
    Logged,
}

/// An operation with what this device knows of its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationRow {
    /// The operation.
    pub operation: Operation,
    /// How far it has come; foreign operations come from the log.
    pub progress: Progress,
    /// Index in the central log, once checked.
    pub leaf: Option<u64>,
}

/// One effective write of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredWrite {
    /// Path.
    pub path: String,
    /// Value; `None` when it is withheld.
    pub value: Option<Value>,
    /// The operation that wrote it.
    pub id: OpId,
}

impl Store {
    /// Receipts of the server that cover an own operation, by kind (`batch`, `index`), framed as they came.
    ///
    /// # Errors
    /// When the database does.
    pub fn receipts(&self, incarnation: IncarnationId, seq: u64) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let connection = self.connection();
        let mut query = connection.prepare_cached(
            "SELECT kind, bytes FROM receipts WHERE incarnation = ?1 AND first <= ?2 AND last >= ?2 ORDER BY kind, first",
        )?;
        let rows = query.query_map(params![incarnation.as_bytes(), seq], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One operation.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] when it is not held.
    pub fn operation(&self, id: OpId) -> Result<OperationRow, StoreError> {
        let connection = self.connection();
        let mut query = connection.prepare_cached(concat_columns!("WHERE operations.id = ?1"))?;
        query
            .query_row([id.as_bytes()], |row| Ok(row_of(row)))
            .optional()?
            .unwrap_or(Err(StoreError::Unknown(id)))
    }

    /// All operations of a scope, in order of arrival.
    ///
    /// # Errors
    /// When the database does, or a stored frame does not parse.
    pub fn operations(&self, case: Option<CaseId>) -> Result<Vec<OperationRow>, StoreError> {
        let connection = self.connection();
        let mut query =
            connection.prepare_cached(concat_columns!("WHERE operations.scope = ?1 ORDER BY operations.n"))?;
        let scope: &[u8] = case.as_ref().map_or(&[], |case| case.as_bytes());
        let mut rows = query.query([scope])?;
        let mut operations = Vec::new();
        while let Some(row) = rows.next()? {
            operations.push(row_of(row)?);
        }
        Ok(operations)
    }

    /// The state of a scope, folded from its operations.
    ///
    /// # Errors
    /// As [`Store::operations`].
    pub fn state(&self, scope: Scope) -> Result<State, StoreError> {
        let case = match scope {
            Scope::Registry => None,
            Scope::Case(case) | Scope::Inspection(case, _) => Some(case),
        };
        let rows = self.operations(case)?;
        Ok(fold(
            scope,
            self.ingest_devices()?,
            rows.iter().map(|row| &row.operation),
        ))
    }

    /// Inspections that operations of this device speak of, oldest first, with their case.
    ///
    /// # Errors
    /// When the database does.
    pub fn inspections(&self) -> Result<Vec<(CaseId, InspectionId)>, StoreError> {
        let connection = self.connection();
        let mut query = connection.prepare_cached(
            "SELECT scope, stream, min(n) AS first FROM operations
             WHERE kind IN ('inspection.assign', 'inspection.begin') AND stream <> scope AND scope <> x''
             GROUP BY scope, stream ORDER BY first",
        )?;
        let rows = query.query_map([], |row| {
            Ok((CaseId::from_bytes(row.get(0)?), InspectionId::from_bytes(row.get(1)?)))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The case of an inspection.
    ///
    /// # Errors
    /// [`StoreError::Absent`] when no operation held here speaks of it.
    pub fn case_of(&self, inspection: InspectionId) -> Result<CaseId, StoreError> {
        let connection = self.connection();
        let case = connection
            .prepare_cached(
                "SELECT scope FROM operations WHERE kind IN ('inspection.assign', 'inspection.begin')
                 AND stream = ?1 AND stream <> scope AND scope <> x'' ORDER BY n LIMIT 1",
            )?
            .query_row([inspection.as_bytes()], |row| Ok(CaseId::from_bytes(row.get(0)?)))
            .optional()?;
        case.ok_or_else(|| StoreError::Absent(inspection.to_string()))
    }

    /// How many operations held here are set aside.
    ///
    /// # Errors
    /// When the database does.
    pub fn quarantined(&self) -> Result<u64, StoreError> {
        let connection = self.connection();
        let mut query = connection
            .prepare_cached("SELECT count(*) FROM quarantine JOIN operations ON operations.id = quarantine.id")?;
        Ok(query.query_row([], |row| row.get(0))?)
    }

    /// The cases of an enterprise's inspections.
    ///
    /// # Errors
    /// When the database does.
    pub fn cases_of_enterprise(&self, enterprise: EnterpriseId) -> Result<Vec<CaseId>, StoreError> {
        let connection = self.connection();
        // The path stands in the text, so that the index over it is used.
        let mut query = connection.prepare_cached(
            "SELECT DISTINCT scope FROM writes
             WHERE path = 'inspection/enterprise' AND value = ?1 AND head = 1 AND scope <> x''",
        )?;
        let value = cbor::encode(&Value::bytes(enterprise.as_bytes()));
        let rows = query.query_map([value], |row| Ok(CaseId::from_bytes(row.get(0)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Effective writes of paths that begin with `prefix`, by path.
    ///
    /// # Errors
    /// When the database does.
    pub fn heads_under(&self, case: Option<CaseId>, prefix: &str) -> Result<Vec<StoredWrite>, StoreError> {
        let connection = self.connection();
        let mut query = connection.prepare_cached(
            "SELECT writes.path, writes.value, operations.id FROM writes JOIN operations ON operations.n = writes.n
             WHERE writes.scope = ?1 AND writes.path >= ?2 AND writes.path < ?3 AND writes.head = 1
             ORDER BY writes.path, writes.n",
        )?;
        let scope: &[u8] = case.as_ref().map_or(&[], |case| case.as_bytes());
        // No path holds U+10FFFF, so it stands after every continuation of the prefix.
        let rows = query.query_map(params![scope, prefix, format!("{prefix}\u{10ffff}")], |row| {
            let value: Option<Vec<u8>> = row.get(1)?;
            Ok(StoredWrite {
                path: row.get(0)?,
                value: value.and_then(|bytes| cbor::decode(&bytes).ok()),
                id: OpId::from_bytes(row.get(2)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What a closing says of an inspection's stream: per device and life the last counter of the unbroken run from 0 and
    /// its operation.
    ///
    /// # Errors
    /// When the database does.
    pub fn held_in(
        &self,
        case: CaseId,
        inspection: InspectionId,
    ) -> Result<Vec<(DeviceId, IncarnationId, u64, OpId)>, StoreError> {
        let connection = self.connection();
        let mut query = connection.prepare_cached(
            "SELECT device, incarnation, counter, id FROM operations WHERE scope = ?1 AND stream = ?2
             ORDER BY device, incarnation, counter",
        )?;
        let rows = query.query_map(params![case.as_bytes(), inspection.as_bytes()], |row| {
            Ok((
                DeviceId::from_bytes(row.get(0)?),
                IncarnationId::from_bytes(row.get(1)?),
                row.get::<_, u64>(2)?,
                OpId::from_bytes(row.get(3)?),
            ))
        })?;
        let mut held: Vec<(DeviceId, IncarnationId, u64, OpId)> = Vec::new();
        for row in rows {
            let row = row?;
            match held.last_mut().filter(|last| (last.0, last.1) == (row.0, row.1)) {
                Some(last) if row.2 == last.2 + 1 => *last = row,
                None if row.2 == 0 => held.push(row),
                Some(_) | None => {}
            }
        }
        Ok(held)
    }

    /// The key log held here, checked again from its first entry; empty before the first contact.
    ///
    /// # Errors
    /// [`StoreError::KeyLog`] when a stored frame does not check.
    pub fn key_log(&self) -> Result<KeyLog, StoreError> {
        self.with_key_log(KeyLog::clone)
    }

    /// Looks at the key log. What was checked once in this process is not checked again: it only ever grows.
    pub(super) fn with_key_log<T>(&self, look: impl FnOnce(&KeyLog) -> T) -> Result<T, StoreError> {
        let frames = {
            let known = self.checked_keys().size();
            let connection = self.connection();
            let mut query = connection.prepare_cached("SELECT frame FROM key_log WHERE idx >= ?1 ORDER BY idx")?;
            let rows = query.query_map([known], |row| Ok((known, row.get::<_, Vec<u8>>(0)?)))?;
            rows.collect::<Result<Vec<_>, _>>()?
        };
        let mut log = self.checked_keys();
        for (place, (known, frame)) in frames.into_iter().enumerate() {
            // Another thread may have taken them in meanwhile.
            if log.size() == known + place as u64 {
                log.append(&KeyLogFrame::decode(&frame)?)?;
            }
        }
        Ok(look(&log))
    }

    /// The frames of the key log, in order.
    ///
    /// # Errors
    /// When the database does.
    pub fn key_log_frames(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        let connection = self.connection();
        let mut query = connection.prepare_cached("SELECT frame FROM key_log ORDER BY idx")?;
        let rows = query.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// A rule pack's file.
    ///
    /// # Errors
    /// [`StoreError::Absent`] when it is not held.
    pub fn pack(&self, pack: PackHash) -> Result<Arc<[u8]>, StoreError> {
        let connection = self.connection();
        let file: Option<Vec<u8>> = connection
            .prepare_cached("SELECT file FROM packs WHERE hash = ?1")?
            .query_row([pack.as_bytes()], |row| row.get(0))
            .optional()?;
        file.map(Arc::from).ok_or_else(|| StoreError::Absent(pack.to_string()))
    }

    /// Hashes of the packs held, oldest first.
    ///
    /// # Errors
    /// When the database does.
    pub fn packs(&self) -> Result<Vec<PackHash>, StoreError> {
        let connection = self.connection();
        let mut query = connection.prepare_cached("SELECT hash FROM packs ORDER BY added_ms, hash")?;
        let rows = query.query_map([], |row| Ok(PackHash::from_bytes(row.get(0)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The pack whose hash the next operations carry.
    ///
    /// # Errors
    /// When the database does.
    pub fn pack_in_force(&self) -> Result<Option<PackHash>, StoreError> {
        let bytes = self.fact("pack")?;
        Ok(bytes.and_then(|bytes| bytes.try_into().ok()).map(PackHash::from_bytes))
    }

    /// A small fact kept by name.
    ///
    /// # Errors
    /// When the database does.
    pub fn fact(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let connection = self.connection();
        let mut query = connection.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
        Ok(query.query_row([key], |row| row.get(0)).optional()?)
    }

    /// Keeps a small fact by name.
    ///
    /// # Errors
    /// When the database does.
    pub fn set_fact(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.write(|tx| put_meta(tx, key, value))
    }
}

macro_rules! concat_columns {
    ($rest:literal) => {
        concat!(
            "SELECT operations.frame, leaves.leaf, chains.received, operations.seq FROM operations
             LEFT JOIN leaves ON leaves.n = operations.n
             LEFT JOIN chains ON chains.incarnation = operations.incarnation ",
            $rest
        )
    };
}
use concat_columns;

fn row_of(row: &Row<'_>) -> Result<OperationRow, StoreError> {
    let operation = Operation::parse(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?;
    let leaf: Option<u64> = row.get(1)?;
    let received: Option<i64> = row.get(2)?;
    let seq: i64 = row.get(3)?;
    let progress = match (leaf, received) {
        (Some(_), _) => Progress::Logged,
        // Foreign operations are handed out by the server after it received them.
        (None, None) => Progress::Received,
        (None, Some(received)) if seq < received => Progress::Received,
        (None, Some(_)) => Progress::Sealed,
    };
    Ok(OperationRow {
        operation,
        progress,
        leaf,
    })
}
