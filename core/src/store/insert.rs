//! Taking an operation in: its row, its writes, and which of them are heads. The same steps for own and foreign operations.

use std::collections::BTreeSet;
use std::sync::Arc;

use fieldseal_proof::body::{Body, FieldValue};
use fieldseal_proof::cbor;
use fieldseal_proof::ids::{DeviceId, IncarnationId, OpId};
use fieldseal_proof::operation::{Header, Operation, VerifiedOperation};
use rusqlite::{OptionalExtension, Transaction, params};

use super::life::is_stray;
use super::{Store, StoreError};
use crate::clock::Hlc;
use crate::merge::{DispositionFact, FieldClass, MergeKey, Standing, Write, quarantined_ops, resolve_path};

/// What an import changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Imported {
    /// Operations that were not held before.
    pub new: u64,
    /// Operations that were held already.
    pub known: u64,
}

impl Store {
    /// Takes verified operations in, in one transaction; repeating it changes nothing. `meta` is written along with them.
    ///
    /// # Errors
    /// When the database refuses; then nothing was taken.
    pub fn import(
        &self,
        operations: &[(Option<u64>, VerifiedOperation)],
        meta: &[(&str, &[u8])],
    ) -> Result<Imported, StoreError> {
        let ingest = self.ingest_devices()?;
        let wall_ms = self.clock.now().wall_ms;
        self.write(|tx| {
            let present = self.incarnation();
            let mut imported = Imported::default();
            let mut clock = read_clock(tx)?;
            for (leaf, operation) in operations {
                let n = match find(tx, &operation.id())? {
                    Some(n) => {
                        imported.known += 1;
                        n
                    }
                    None => {
                        imported.new += 1;
                        let header = operation.header();
                        let seen = Hlc {
                            ms: header.hlc_ms,
                            counter: header.hlc_counter,
                        };
                        clock = clock.adopt(seen, wall_ms);
                        let mine = header.device == self.identity.device;
                        let stray = mine && is_stray(tx, header.device, operation)?;
                        if mine && !stray {
                            take_back(tx, operation, present)?;
                        }
                        link_files(tx, operation, mine)?;
                        let n = insert_operation(tx, operation, &operation.frame(), &ingest)?;
                        if stray {
                            tx.execute("INSERT INTO strays (n) VALUES (?1)", [n])?;
                        }
                        n
                    }
                };
                if let Some(leaf) = leaf {
                    tx.prepare_cached("INSERT OR IGNORE INTO leaves (n, leaf) VALUES (?1, ?2)")?
                        .execute((n, leaf))?;
                }
            }
            write_clock(tx, clock)?;
            for (key, value) in meta {
                put_meta(tx, key, value)?;
            }
            Ok(imported)
        })
    }

    pub(super) fn ingest_devices(&self) -> Result<BTreeSet<DeviceId>, StoreError> {
        self.with_key_log(|log| {
            let ingest = log
                .keys()
                .filter(|(_, key)| key.action == "server")
                .filter_map(|(_, key)| key.subject);
            ingest.map(DeviceId::from_bytes).collect()
        })
    }
}

/// An own operation that this store lost comes back from the server: its chain grows by it, where it is the next one. Of an
/// earlier life, which writes no more, it may also lie behind a hole that nothing fills.
fn take_back(tx: &Transaction<'_>, operation: &Operation, present: IncarnationId) -> Result<(), StoreError> {
    let header = operation.header();
    if header.incarnation != present {
        // A life that the store does not know any more lies before all that it knows.
        tx.execute(
            "INSERT OR IGNORE INTO chains (incarnation, born, next_seq, link, received)
             VALUES (?1, (SELECT coalesce(min(born), 0) - 1 FROM chains), ?2, ?3, ?2)",
            params![header.incarnation.as_bytes(), clamp(header.seq), header.prev.as_bytes()],
        )?;
        tx.execute(
            "UPDATE chains SET next_seq = ?2 + 1, link = ?3, received = CASE WHEN received = next_seq THEN ?2 + 1 ELSE received END
             WHERE incarnation = ?1 AND next_seq < ?2",
            params![header.incarnation.as_bytes(), clamp(header.seq), operation.link().as_bytes()],
        )?;
    }
    tx.execute(
        "UPDATE chains SET next_seq = ?2 + 1, link = ?4, received = CASE WHEN received = ?2 THEN ?2 + 1 ELSE received END
         WHERE incarnation = ?1 AND next_seq = ?2 AND link = ?3",
        params![
            header.incarnation.as_bytes(),
            clamp(header.seq),
            header.prev.as_bytes(),
            operation.link().as_bytes()
        ],
    )?;
    Ok(())
}

/// A file of the vault that lost its row's standing (the database was damaged) is sealed again once the operation that names
/// its bytes is back.
fn link_files(tx: &Transaction<'_>, operation: &Operation, mine: bool) -> Result<(), StoreError> {
    let fields = operation.body().map_or(&[][..], Body::fields);
    for field in fields.iter().filter(|field| field.path.ends_with("sha256")) {
        let FieldValue::Shown { value, .. } = &field.value else {
            continue;
        };
        if let Ok(cbor::Value::Bytes(sha256)) = cbor::decode(value) {
            tx.prepare_cached("UPDATE blobs SET state = 'sealed', mine = ?2 WHERE sha256 = ?1 AND state = 'unsealed'")?
                .execute(params![sha256, mine])?;
        }
    }
    Ok(())
}

/// Inserts an operation that is not held yet and gives its row number.
pub(super) fn insert_operation(
    tx: &Transaction<'_>,
    operation: &Operation,
    frame: &[u8],
    ingest: &BTreeSet<DeviceId>,
) -> Result<i64, StoreError> {
    let header = operation.header();
    let (id, scope) = (operation.id(), scope_of(header));
    tx.prepare_cached(
        "INSERT INTO operations (id, device, incarnation, seq, scope, stream, counter, kind, wall_ms, link, frame)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        id.as_bytes(),
        header.device.as_bytes(),
        header.incarnation.as_bytes(),
        clamp(header.seq),
        scope,
        header.stream().id(),
        clamp(header.counter),
        header.kind,
        clamp(header.clock.wall_ms),
        operation.link().as_bytes(),
        frame,
    ])?;
    let n = tx.last_insert_rowid();
    tx.prepare_cached("DELETE FROM inspection_view WHERE scope = ?1")?
        .execute([scope])?;
    for target in &header.supersedes {
        tx.prepare_cached("INSERT INTO edges (target, n) VALUES (?1, ?2)")?
            .execute((target.as_bytes(), n))?;
    }
    if let Some(body) = operation.body() {
        insert_writes(tx, n, &id, header, scope, body)?;
    }
    if header.kind == "disposition" && ingest.contains(&header.device) {
        settle_disposition(tx, operation, scope, ingest)?;
    }
    Ok(n)
}

fn insert_writes(
    tx: &Transaction<'_>,
    n: i64,
    id: &OpId,
    header: &Header,
    scope: &[u8],
    body: &Body,
) -> Result<(), StoreError> {
    let superseded_already = tx
        .prepare_cached("SELECT 1 FROM edges WHERE target = ?1")?
        .exists([id.as_bytes()])?;
    let targets = header
        .supersedes
        .iter()
        .filter_map(|target| find(tx, target).transpose());
    let targets: Vec<i64> = targets.collect::<Result<_, _>>()?;
    let mut insert =
        tx.prepare_cached("INSERT INTO writes (scope, path, n, head, value) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for field in body.fields() {
        let value = match &field.value {
            FieldValue::Shown { value, .. } => Some(value.as_slice()),
            FieldValue::Withheld(_) => None,
        };
        let head = !superseded_already || !is_superseded(tx, id, scope, &field.path)?;
        insert.execute(params![scope, field.path, n, head, value])?;
        for target in &targets {
            tx.prepare_cached("UPDATE writes SET head = 0 WHERE scope = ?1 AND path = ?2 AND n = ?3 AND head = 1")?
                .execute(params![scope, field.path, target])?;
        }
    }
    // The quick rule above holds while every operation of the scope counts. A quarantined one is a stepping stone only, so
    // its neighbours are resolved in full.
    if any_quarantined(tx, id, scope)? {
        for field in body.fields() {
            settle_path(tx, scope, &field.path)?;
        }
    }
    Ok(())
}

/// Whether an operation that came before the one it supersedes writes the same path.
fn is_superseded(tx: &Transaction<'_>, id: &OpId, scope: &[u8], path: &str) -> Result<bool, StoreError> {
    let mut query = tx.prepare_cached(
        "SELECT 1 FROM edges JOIN writes ON writes.n = edges.n
         WHERE edges.target = ?1 AND writes.scope = ?2 AND writes.path = ?3",
    )?;
    Ok(query.exists(params![id.as_bytes(), scope, path])?)
}

fn any_quarantined(tx: &Transaction<'_>, id: &OpId, scope: &[u8]) -> Result<bool, StoreError> {
    let mut query = tx.prepare_cached(
        "SELECT 1 FROM quarantine LEFT JOIN operations ON operations.id = quarantine.id
         WHERE quarantine.id = ?1 OR operations.scope = ?2",
    )?;
    Ok(query.exists(params![id.as_bytes(), scope])?)
}

/// Resolves the heads of one path by the rules of merge.md, from all its writes.
pub(super) fn settle_path(tx: &Transaction<'_>, scope: &[u8], path: &str) -> Result<(), StoreError> {
    let writes = writes_of_path(tx, scope, path)?;
    let resolved = resolve_path(FieldClass::of(path), &writes, |_| true);
    tx.prepare_cached("UPDATE writes SET head = 0 WHERE scope = ?1 AND path = ?2")?
        .execute(params![scope, path])?;
    let mut mark = tx.prepare_cached(
        "UPDATE writes SET head = 1 WHERE scope = ?1 AND path = ?2
         AND n = (SELECT n FROM operations WHERE id = ?3)",
    )?;
    for head in &resolved.heads {
        mark.execute(params![scope, path, head.as_bytes()])?;
    }
    Ok(())
}

fn writes_of_path(tx: &Transaction<'_>, scope: &[u8], path: &str) -> Result<Vec<Write>, StoreError> {
    let mut query = tx.prepare_cached(
        "SELECT writes.value, operations.frame, quarantine.id IS NOT NULL
         FROM writes JOIN operations ON operations.n = writes.n
         LEFT JOIN quarantine ON quarantine.id = operations.id
         WHERE writes.scope = ?1 AND writes.path = ?2",
    )?;
    let mut rows = query.query(params![scope, path])?;
    let mut writes = Vec::new();
    while let Some(row) = rows.next()? {
        let operation = Operation::parse(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?)?;
        let header = operation.header();
        writes.push(Write {
            id: operation.id(),
            key: MergeKey::of(header),
            value: row.get(0)?,
            supersedes: header.supersedes.as_slice().into(),
            quarantined: row.get(2)?,
        });
    }
    Ok(writes)
}

/// Works out whether the target of a new disposition is set aside now, and settles the paths it writes.
fn settle_disposition(
    tx: &Transaction<'_>,
    disposition: &Operation,
    scope: &[u8],
    ingest: &BTreeSet<DeviceId>,
) -> Result<(), StoreError> {
    let Some(fact) = disposition_fact(disposition) else {
        return Ok(());
    };
    let target = fact.target;
    let mut facts = Vec::new();
    {
        let mut query = tx.prepare_cached(
            "SELECT operations.frame FROM writes JOIN operations ON operations.n = writes.n
             WHERE writes.scope = ?1 AND writes.path = 'disposition/target' AND writes.value = ?2",
        )?;
        let mut rows = query.query(params![scope, cbor::encode(&cbor::Value::bytes(target.as_bytes()))])?;
        while let Some(row) = rows.next()? {
            let operation = Operation::parse(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?;
            if operation.header().kind == "disposition" && ingest.contains(&operation.header().device) {
                facts.extend(disposition_fact(&operation));
            }
        }
    }
    match quarantined_ops(&facts).get(&target) {
        Some(quarantine) => tx
            .prepare_cached(
                "INSERT INTO quarantine (id, reason) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET reason = ?2",
            )?
            .execute(params![target.as_bytes(), quarantine.reason])?,
        None => tx
            .prepare_cached("DELETE FROM quarantine WHERE id = ?1")?
            .execute([target.as_bytes()])?,
    };
    let mut query = tx.prepare_cached(
        "SELECT writes.scope, writes.path FROM operations
         JOIN writes ON writes.scope = operations.scope AND writes.n = operations.n WHERE operations.id = ?1",
    )?;
    let paths = query.query_map([target.as_bytes()], |row| {
        Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, String>(1)?))
    })?;
    for path in paths.collect::<Result<Vec<_>, _>>()? {
        settle_path(tx, &path.0, &path.1)?;
    }
    Ok(())
}

fn disposition_fact(operation: &Operation) -> Option<DispositionFact> {
    let body = operation.body()?;
    let id32 = |path: &str| body.get(path)?.as_bytes()?.try_into().ok().map(OpId::from_bytes);
    Some(DispositionFact {
        id: operation.id(),
        key: MergeKey::of(operation.header()),
        target: id32("disposition/target")?,
        state: Standing::parse(body.get("disposition/state")?.as_text()?)?,
        reason: body.get("disposition/reason")?.as_text()?.to_owned(),
        decision: id32("disposition/decision"),
        supersedes: Arc::from(operation.header().supersedes.as_slice()),
    })
}

/// The scope column of an operation: its case, or nothing for the registry.
pub(super) fn scope_of(header: &Header) -> &[u8] {
    header.case.as_ref().map_or(&[], |case| case.as_bytes())
}

pub(super) fn find(tx: &Transaction<'_>, id: &OpId) -> Result<Option<i64>, StoreError> {
    Ok(tx
        .prepare_cached("SELECT n FROM operations WHERE id = ?1")?
        .query_row([id.as_bytes()], |r| r.get(0))
        .optional()?)
}

pub(super) fn put_meta(tx: &Transaction<'_>, key: &str, value: &[u8]) -> Result<(), StoreError> {
    tx.prepare_cached("INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2")?
        .execute((key, value))?;
    Ok(())
}

pub(super) fn read_clock(tx: &Transaction<'_>) -> Result<Hlc, StoreError> {
    let bytes: Option<Vec<u8>> = tx
        .prepare_cached("SELECT value FROM meta WHERE key = 'clock'")?
        .query_row([], |r| r.get(0))
        .optional()?;
    let parsed = bytes
        .as_deref()
        .and_then(|b| Some((b.get(..8)?.try_into().ok()?, b.get(8..)?.try_into().ok()?)));
    Ok(parsed.map_or(Hlc::default(), |(ms, counter)| Hlc {
        ms: u64::from_be_bytes(ms),
        counter: u16::from_be_bytes(counter),
    }))
}

pub(super) fn write_clock(tx: &Transaction<'_>, clock: Hlc) -> Result<(), StoreError> {
    put_meta(
        tx,
        "clock",
        &[&clock.ms.to_be_bytes()[..], &clock.counter.to_be_bytes()].concat(),
    )
}

/// SQLite's integers are signed; a foreign header may hold more. The frame keeps the true value, the column only orders.
fn clamp(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
