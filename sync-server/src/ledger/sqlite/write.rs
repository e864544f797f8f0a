//! Applies one commit inside the writer's transaction.

use rusqlite::{Connection, OptionalExtension, params};

use super::super::{Commit, Committed, Expect, KeyLogAppend, KeyLogRow, LedgerError, NewBatch, Swap};
use super::rows::{failed, runs_text};
use super::{lines, read, rows};

pub(super) fn apply(connection: &Connection, commit: Commit) -> Result<Committed, LedgerError> {
    let mut done = Committed::default();
    // Guards first: a conflict is the cheap and frequent answer.
    for swap in &commit.registers {
        apply_swap(connection, swap)?;
    }
    let mut size = read::size(connection).map_err(failed)?;
    for leaf in &commit.awaited {
        let mut append = connection
            .prepare_cached("INSERT INTO leaf (idx, data) VALUES (?1, ?2)")
            .map_err(failed)?;
        append.execute(params![size as i64, leaf]).map_err(failed)?;
        let mut await_it = connection
            .prepare_cached("INSERT INTO orphan (commitment, idx) VALUES (?1, ?2)")
            .map_err(failed)?;
        await_it.execute(params![leaf, size as i64]).map_err(failed)?;
        size += 1;
    }
    if let Some(batch) = &commit.batch {
        done.leaves = append_batch(connection, batch, &mut size)?;
    }
    if let Some(append) = &commit.key_log {
        done.key_log = append_key_log(connection, append, &mut size)?;
    }
    derive(connection, &commit).map_err(failed)?;
    for access in &commit.accesses {
        let mut insert = connection
            .prepare_cached("INSERT INTO access (at_ms, who, action, target) VALUES (?1, ?2, ?3, ?4)")
            .map_err(failed)?;
        insert
            .execute(params![access.at_ms as i64, access.who, access.action, access.target])
            .map_err(failed)?;
    }
    done.size = size;
    Ok(done)
}

fn apply_swap(connection: &Connection, swap: &Swap) -> Result<(), LedgerError> {
    let current: Option<u64> = connection
        .prepare_cached("SELECT version FROM register WHERE space = ?1 AND key = ?2")
        .and_then(|mut s| {
            s.query_row(params![swap.space, swap.key], |row| rows::uint(row, 0))
                .optional()
        })
        .map_err(failed)?;
    let expected = match swap.expect {
        Expect::Absent => current.is_none(),
        Expect::Version(version) => current == Some(version),
        Expect::Any => true,
    };
    if !expected {
        return Err(LedgerError::Conflict(format!(
            "{} {}",
            swap.space,
            hex::encode(&swap.key)
        )));
    }
    match &swap.value {
        Some(value) => connection
            .prepare_cached("INSERT OR REPLACE INTO register (space, key, version, value) VALUES (?1, ?2, ?3, ?4)")
            .and_then(|mut s| s.execute(params![swap.space, swap.key, current.unwrap_or(0) as i64 + 1, value])),
        None => connection
            .prepare_cached("DELETE FROM register WHERE space = ?1 AND key = ?2")
            .and_then(|mut s| s.execute(params![swap.space, swap.key])),
    }
    .map(|_| ())
    .map_err(failed)
}

fn append_batch(connection: &Connection, batch: &NewBatch, size: &mut u64) -> Result<Vec<u64>, LedgerError> {
    let number = swap_chain(connection, batch)?;
    for (from, to) in &batch.moved {
        connection
            .prepare_cached("UPDATE operation SET run = ?3 WHERE chain = ?1 AND run = ?2")
            .and_then(|mut s| s.execute(params![number, *from as i64, *to as i64]))
            .map_err(failed)?;
    }
    let leaves = place(connection, batch, size).map_err(failed)?;
    insert_operations(connection, batch, number, &leaves).map_err(failed)?;
    Ok(leaves)
}

/// Puts the chain at its next version, if it still is at the version that was decided on.
fn swap_chain(connection: &Connection, batch: &NewBatch) -> Result<i64, LedgerError> {
    let chain = &batch.chain;
    let runs = runs_text(&chain.runs)?;
    let (device, incarnation) = (chain.key.device.as_bytes(), chain.key.incarnation.as_bytes());
    let changed = if chain.version == 0 {
        connection
            .prepare_cached("INSERT INTO chain (device, incarnation, version, runs) VALUES (?1, ?2, 1, ?3) ON CONFLICT DO NOTHING")
            .and_then(|mut s| s.execute(params![device, incarnation, runs]))
    } else {
        connection
            .prepare_cached("UPDATE chain SET version = version + 1, runs = ?4 WHERE device = ?1 AND incarnation = ?2 AND version = ?3")
            .and_then(|mut s| s.execute(params![device, incarnation, chain.version as i64, runs]))
    }
    .map_err(failed)?;
    if changed != 1 {
        return Err(LedgerError::Conflict(format!(
            "chain {}/{}",
            chain.key.device, chain.key.incarnation
        )));
    }
    read::chain_number(connection, chain.key)
        .map_err(failed)?
        .ok_or_else(|| LedgerError::Corrupt("a chain that was just written is gone".into()))
}

/// Gives each operation its leaf: a new one, or after a restore the one that its commitment already has.
fn place(connection: &Connection, batch: &NewBatch, size: &mut u64) -> rusqlite::Result<Vec<u64>> {
    let awaited: bool = connection.query_row("SELECT EXISTS (SELECT 1 FROM orphan)", [], |row| row.get(0))?;
    let mut adopt = connection.prepare_cached("DELETE FROM orphan WHERE commitment = ?1 RETURNING idx")?;
    let mut append = connection.prepare_cached("INSERT INTO leaf (idx, data) VALUES (?1, ?2)")?;
    let mut leaves = Vec::with_capacity(batch.operations.len());
    for operation in &batch.operations {
        let commitment = operation.commitment.as_bytes();
        let known = if awaited {
            adopt
                .query_row(params![commitment], |row| rows::uint(row, 0))
                .optional()?
        } else {
            None
        };
        leaves.push(match known {
            Some(leaf) => leaf,
            None => {
                append.execute(params![*size as i64, commitment])?;
                *size += 1;
                *size - 1
            }
        });
    }
    Ok(leaves)
}

fn insert_operations(connection: &Connection, batch: &NewBatch, number: i64, leaves: &[u64]) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO operation (leaf, id, commitment, chain, run, seq, link, kind, scope, stream, counter, batch, audience, received_ms, spoiled, frame) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?;
    let first: i64 = connection
        .prepare_cached("SELECT ifnull(max(arrival) + 1, 1) FROM operation")?
        .query_row([], |row| row.get(0))?;
    let mut refer = connection
        .prepare_cached("INSERT OR IGNORE INTO blob_ref (sha256, device, leaf, scope) VALUES (?1, ?2, ?3, ?4)")?;
    for (operation, leaf) in batch.operations.iter().zip(leaves) {
        let scope = operation.case.as_ref().map(|case| case.as_bytes().as_slice());
        insert.execute(params![
            *leaf as i64,
            operation.id.as_bytes(),
            operation.commitment.as_bytes(),
            number,
            operation.run as i64,
            operation.seq as i64,
            operation.link.as_bytes(),
            operation.kind,
            scope,
            operation.stream,
            operation.counter as i64,
            first,
            operation.audience.as_ref().map(|device| device.as_bytes().as_slice()),
            batch.received_ms as i64,
            operation.spoiled,
            operation.frame,
        ])?;
        for sha256 in &operation.blobs {
            refer.execute(params![sha256, batch.chain.key.device.as_bytes(), *leaf as i64, scope])?;
        }
    }
    let mut head = connection.prepare_cached(
        "INSERT OR REPLACE INTO stream (chain, stream, scope, counter, id, leaf) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for stream in &batch.streams {
        let leaf = batch
            .operations
            .iter()
            .position(|operation| operation.id == stream.id)
            .map_or(stream.leaf, |at| leaves[at]);
        let scope = stream.case.as_ref().map(|case| case.as_bytes().as_slice());
        head.execute(params![
            number,
            stream.stream,
            scope,
            stream.counter as i64,
            stream.id.as_bytes(),
            leaf as i64
        ])?;
    }
    Ok(())
}

fn append_key_log(
    connection: &Connection,
    append: &KeyLogAppend,
    size: &mut u64,
) -> Result<Vec<KeyLogRow>, LedgerError> {
    let held = connection
        .query_row("SELECT count(*) FROM key_log", [], |row| rows::uint(row, 0))
        .map_err(failed)?;
    if held != append.expected {
        return Err(LedgerError::Conflict("key log".into()));
    }
    let rows = (held..).zip(append.frames.iter().zip(&append.leaves));
    rows.map(|(index, (frame, data))| {
        let leaf = head_leaf_of(connection, data, size).map_err(failed)?;
        connection
            .prepare_cached("INSERT INTO key_log (idx, frame, leaf) VALUES (?1, ?2, ?3)")
            .and_then(|mut insert| insert.execute(params![index as i64, frame, leaf as i64]))
            .map_err(failed)?;
        let frame = frame.clone();
        Ok(KeyLogRow { index, frame, leaf })
    })
    .collect()
}

/// The leaf of a key log head: a new one, or after a restore the one that it already has.
fn head_leaf_of(connection: &Connection, data: &[u8; 32], size: &mut u64) -> rusqlite::Result<u64> {
    let known = connection
        .prepare_cached("DELETE FROM orphan WHERE commitment = ?1 RETURNING idx")?
        .query_row(params![data], |row| rows::uint(row, 0))
        .optional()?;
    if let Some(leaf) = known {
        return Ok(leaf);
    }
    connection
        .prepare_cached("INSERT INTO leaf (idx, data) VALUES (?1, ?2)")?
        .execute(params![*size as i64, data])?;
    *size += 1;
    Ok(*size - 1)
}

fn derive(connection: &Connection, commit: &Commit) -> rusqlite::Result<()> {
    if commit.drop_views {
        connection.execute_batch("DELETE FROM write; DELETE FROM field; DELETE FROM member; DELETE FROM register WHERE space IN ('case', 'quarantine', 'closing')")?;
        lines::drop_all(connection)?;
    }
    let mut write = connection
        .prepare_cached("INSERT OR REPLACE INTO write (scope, path, op, leaf, value, key, supersedes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    for row in &commit.writes {
        let supersedes: Vec<u8> = row.supersedes.iter().flat_map(|id| *id.as_bytes()).collect();
        write.execute(params![
            row.scope,
            row.path,
            row.op.as_bytes(),
            row.leaf as i64,
            row.value,
            row.key,
            supersedes
        ])?;
    }
    let mut field = connection.prepare_cached(
        "INSERT OR REPLACE INTO field (scope, path, class, outcome, provisional, held) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let mut remove = connection.prepare_cached("DELETE FROM field WHERE scope = ?1 AND path = ?2")?;
    for row in &commit.fields {
        if row.outcome == "absent" {
            remove.execute(params![row.scope, row.path])?;
        } else {
            field.execute(params![
                row.scope,
                row.path,
                row.class,
                row.outcome,
                row.provisional,
                row.held
            ])?;
        }
    }
    let mut member =
        connection.prepare_cached("INSERT OR IGNORE INTO member (subject, scope, since) VALUES (?1, ?2, ?3)")?;
    for row in &commit.members {
        member.execute(params![row.subject, row.case.as_bytes(), row.since as i64])?;
    }
    commit.lines.iter().try_for_each(|row| lines::put(connection, row))
}
