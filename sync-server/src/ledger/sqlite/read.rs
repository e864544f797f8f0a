//! Reads. Each runs in one statement or one short transaction, so it sees whole commits only.

use std::collections::HashSet;

use fieldseal_proof::ids::{CaseId, Commitment, DeviceId, IncarnationId, Link, OpId};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::super::{
    Access, AccessFilter, BlobRef, Chain, ChainKey, FeedScope, FieldRow, KeyLogRow, MemberRow, OperationRow, Register,
    Stored, StreamHead, WriteRow,
};
use super::rows::{case, fixed, runs, uint, wrong};

type Read<T> = rusqlite::Result<T>;

pub(super) fn size(c: &Connection) -> Read<u64> {
    c.prepare_cached("SELECT ifnull(max(idx) + 1, 0) FROM leaf")?
        .query_row([], |row| uint(row, 0))
}

pub(super) fn chain_number(c: &Connection, key: ChainKey) -> Read<Option<i64>> {
    c.prepare_cached("SELECT number FROM chain WHERE device = ?1 AND incarnation = ?2")?
        .query_row(params![key.device.as_bytes(), key.incarnation.as_bytes()], |row| {
            row.get(0)
        })
        .optional()
}

pub(super) fn chains(c: &Connection, device: Option<DeviceId>) -> Read<Vec<Chain>> {
    let read = |row: &Row<'_>| {
        Ok(Chain {
            key: key(row, 0)?,
            version: uint(row, 2)?,
            runs: runs(row, 3)?,
        })
    };
    let mut statement = match device {
        Some(_) => {
            c.prepare_cached("SELECT device, incarnation, version, runs FROM chain WHERE device = ?1 ORDER BY number")?
        }
        None => {
            c.prepare_cached("SELECT device, incarnation, version, runs FROM chain WHERE ?1 IS NULL ORDER BY number")?
        }
    };
    statement
        .query_map(params![device.as_ref().map(|d| d.as_bytes().as_slice())], read)?
        .collect()
}

pub(super) fn stored(c: &Connection, chain: ChainKey, first: u64, last: u64) -> Read<Vec<Stored>> {
    let Some(number) = chain_number(c, chain)? else {
        return Ok(Vec::new());
    };
    let last = last.min(i64::MAX as u64) as i64;
    let mut statement =
        c.prepare_cached("SELECT seq, run, leaf, id, commitment, link, scope, stream, counter FROM operation WHERE chain = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq, run")?;
    let read = |row: &Row<'_>| {
        Ok(Stored {
            seq: uint(row, 0)?,
            run: uint(row, 1)?,
            leaf: uint(row, 2)?,
            id: OpId::from_bytes(fixed(row, 3)?),
            commitment: Commitment::from_bytes(fixed(row, 4)?),
            link: Link::from_bytes(fixed(row, 5)?),
            case: case(row, 6)?,
            stream: fixed(row, 7)?,
            counter: uint(row, 8)?,
        })
    };
    statement
        .query_map(params![number, first.min(i64::MAX as u64) as i64, last], read)?
        .collect()
}

pub(super) fn streams(c: &Connection, chain: Option<ChainKey>, of: Option<CaseId>) -> Read<Vec<StreamHead>> {
    const COLUMNS: &str = "SELECT device, incarnation, stream, scope, counter, id, leaf FROM stream JOIN chain ON stream.chain = chain.number";
    let read = |row: &Row<'_>| {
        Ok(StreamHead {
            chain: key(row, 0)?,
            stream: fixed(row, 2)?,
            case: case(row, 3)?,
            counter: uint(row, 4)?,
            id: OpId::from_bytes(fixed(row, 5)?),
            leaf: uint(row, 6)?,
        })
    };
    match (chain, of) {
        (Some(chain), _) => c
            .prepare_cached(&format!("{COLUMNS} WHERE device = ?1 AND incarnation = ?2"))?
            .query_map(params![chain.device.as_bytes(), chain.incarnation.as_bytes()], read)?
            .collect(),
        (None, Some(of)) => c
            .prepare_cached(&format!(
                "{COLUMNS} WHERE scope = ?1 ORDER BY device, incarnation, stream"
            ))?
            .query_map(params![of.as_bytes()], read)?
            .collect(),
        (None, None) => Ok(Vec::new()),
    }
}

const OPERATION: &str = "SELECT leaf, device, incarnation, run, seq, id, commitment, link, scope, batch, received_ms, spoiled, frame, audience, arrival \
                         FROM operation JOIN chain ON operation.chain = chain.number";

fn operation_row(row: &Row<'_>) -> Read<OperationRow> {
    Ok(OperationRow {
        arrival: uint(row, 14)?,
        leaf: uint(row, 0)?,
        chain: key(row, 1)?,
        run: uint(row, 3)?,
        seq: uint(row, 4)?,
        id: OpId::from_bytes(fixed(row, 5)?),
        commitment: Commitment::from_bytes(fixed(row, 6)?),
        link: Link::from_bytes(fixed(row, 7)?),
        case: case(row, 8)?,
        batch: uint(row, 9)?,
        received_ms: uint(row, 10)?,
        spoiled: row.get(11)?,
        frame: row.get(12)?,
    })
}

pub(super) fn operations(
    c: &Connection,
    scope: &FeedScope,
    from: u64,
    to: u64,
    max_bytes: usize,
) -> Read<Vec<OperationRow>> {
    if let FeedScope::Cases(cases) = scope
        && let [only] = cases.as_slice()
    {
        let mut statement = c.prepare_cached(&format!(
            "{OPERATION} WHERE operation.scope = ?1 AND arrival >= ?2 AND arrival < ?3 ORDER BY arrival"
        ))?;
        return page(
            statement.query(params![only.as_bytes(), from as i64, to as i64])?,
            |_| Ok(true),
            max_bytes,
        );
    }
    let cases: HashSet<CaseId> = match scope {
        FeedScope::All => HashSet::new(),
        FeedScope::Cases(cases) | FeedScope::Device { cases, .. } => cases.iter().copied().collect(),
    };
    let wanted = |row: &Row<'_>| -> Read<bool> {
        let device = match scope {
            FeedScope::All => return Ok(true),
            FeedScope::Cases(_) => None,
            FeedScope::Device { device, .. } => Some(device),
        };
        Ok(match (case(row, 8)?, device) {
            (None, Some(_)) => true,
            (Some(of), _) if cases.contains(&of) => true,
            (_, Some(device)) => {
                row.get_ref(1)?.as_blob()? == device.as_bytes()
                    || row.get_ref(13)?.as_blob_or_null()? == Some(device.as_bytes().as_slice())
            }
            _ => false,
        })
    };
    let mut statement = c.prepare_cached(&format!(
        "{OPERATION} WHERE arrival >= ?1 AND arrival < ?2 ORDER BY arrival"
    ))?;
    page(statement.query(params![from as i64, to as i64])?, wanted, max_bytes)
}

/// Rows up to the batch boundary at which `max_bytes` are exceeded.
fn page(
    mut found: rusqlite::Rows<'_>,
    wanted: impl Fn(&Row<'_>) -> Read<bool>,
    max_bytes: usize,
) -> Read<Vec<OperationRow>> {
    let mut out: Vec<OperationRow> = Vec::new();
    let (mut bytes, mut whole) = (0usize, 0usize);
    while let Some(row) = found.next()? {
        if !wanted(row)? {
            continue;
        }
        let batch = uint(row, 9)?;
        if out.last().is_some_and(|last| last.batch != batch) {
            whole = out.len();
        }
        bytes = bytes.saturating_add(row.get_ref(12)?.as_blob()?.len());
        if bytes > max_bytes && whole > 0 {
            out.truncate(whole);
            return Ok(out);
        }
        out.push(operation_row(row)?);
    }
    Ok(out)
}

/// The plus sign keeps SQLite from walking the whole table in the order of arrival: the index of the leaves holds both columns, and
/// what lies beyond a published size is little.
const BEYOND: &str = "SELECT min(+arrival) FROM operation WHERE leaf >= ?1";

pub(super) fn arrived(c: &Connection, size: u64) -> Read<u64> {
    let beyond: Option<u64> =
        c.prepare_cached(BEYOND)?
            .query_row(params![size.min(i64::MAX as u64) as i64], |row| {
                match row.get_ref(0)? {
                    rusqlite::types::ValueRef::Null => Ok(None),
                    _ => uint(row, 0).map(Some),
                }
            })?;
    match beyond {
        Some(arrival) => Ok(arrival),
        None => c
            .prepare_cached("SELECT ifnull(max(arrival) + 1, 1) FROM operation")?
            .query_row([], |row| uint(row, 0)),
    }
}

pub(super) fn operation(c: &Connection, id: OpId) -> Read<Vec<OperationRow>> {
    c.prepare_cached(&format!("{OPERATION} WHERE id = ?1 ORDER BY leaf"))?
        .query_map(params![id.as_bytes()], operation_row)?
        .collect()
}

pub(super) fn held(c: &Connection, ids: &[OpId]) -> Read<Vec<OpId>> {
    let mut statement = c.prepare_cached("SELECT EXISTS (SELECT 1 FROM operation WHERE id = ?1)")?;
    let mut held = Vec::new();
    for id in ids {
        if statement.query_row(params![id.as_bytes()], |row| row.get::<_, bool>(0))? {
            held.push(*id);
        }
    }
    Ok(held)
}

pub(super) fn leaves(c: &Connection, from: u64, to: u64) -> Read<Vec<[u8; 32]>> {
    c.prepare_cached("SELECT data FROM leaf WHERE idx >= ?1 AND idx < ?2 ORDER BY idx")?
        .query_map(params![from as i64, to as i64], |row| fixed(row, 0))?
        .collect()
}

pub(super) fn key_log(c: &Connection, from: u64) -> Read<Vec<KeyLogRow>> {
    c.prepare_cached("SELECT idx, frame, leaf FROM key_log WHERE idx >= ?1 ORDER BY idx")?
        .query_map(params![from.min(i64::MAX as u64) as i64], |row| {
            Ok(KeyLogRow {
                index: uint(row, 0)?,
                frame: row.get(1)?,
                leaf: uint(row, 2)?,
            })
        })?
        .collect()
}

pub(super) fn register(c: &Connection, space: &str, key: &[u8]) -> Read<Option<Register>> {
    c.prepare_cached("SELECT key, version, value FROM register WHERE space = ?1 AND key = ?2")?
        .query_row(params![space, key], register_row)
        .optional()
}

pub(super) fn registers(c: &Connection, space: &str, after: &[u8], limit: usize) -> Read<Vec<Register>> {
    c.prepare_cached("SELECT key, version, value FROM register WHERE space = ?1 AND key > ?2 ORDER BY key LIMIT ?3")?
        .query_map(params![space, after, limit.min(i64::MAX as usize) as i64], register_row)?
        .collect()
}

pub(super) fn registers_under(c: &Connection, space: &str, prefix: &[u8]) -> Read<Vec<Register>> {
    // The least key above every key with the prefix: its last byte that is not 0xff, one higher.
    let mut end = prefix.to_vec();
    while end.last() == Some(&0xff) {
        end.pop();
    }
    let Some(last) = end.last_mut() else {
        return Ok(Vec::new());
    };
    *last += 1;
    c.prepare_cached(
        "SELECT key, version, value FROM register WHERE space = ?1 AND key >= ?2 AND key < ?3 ORDER BY key",
    )?
    .query_map(params![space, prefix, end], register_row)?
    .collect()
}

fn register_row(row: &Row<'_>) -> Read<Register> {
    Ok(Register {
        key: row.get(0)?,
        version: uint(row, 1)?,
        value: row.get(2)?,
    })
}

pub(super) fn blob_refs(c: &Connection, sha256: Option<[u8; 32]>, of: Option<CaseId>) -> Read<Vec<BlobRef>> {
    let read = |row: &Row<'_>| {
        Ok(BlobRef {
            sha256: fixed(row, 0)?,
            device: DeviceId::from_bytes(fixed(row, 1)?),
            leaf: uint(row, 2)?,
            case: case(row, 3)?,
        })
    };
    match (sha256, of) {
        (Some(sha256), _) => c
            .prepare_cached("SELECT sha256, device, leaf, scope FROM blob_ref WHERE sha256 = ?1 ORDER BY leaf")?
            .query_map(params![sha256], read)?
            .collect(),
        (None, of) => c
            .prepare_cached("SELECT sha256, device, leaf, scope FROM blob_ref WHERE scope = ?1 ORDER BY leaf")?
            .query_map(params![of.as_ref().map(|of| of.as_bytes().as_slice())], read)?
            .collect(),
    }
}

pub(super) fn writes(c: &Connection, scope: [u8; 16], paths: &[String]) -> Read<Vec<WriteRow>> {
    let mut statement =
        c.prepare_cached("SELECT path, op, leaf, value, key, supersedes FROM write WHERE scope = ?1 AND path = ?2")?;
    let mut out = Vec::new();
    for path in paths {
        let found = statement.query_map(params![scope, path], |row| {
            let ids = row.get_ref(5)?.as_blob()?;
            if ids.len() % 32 != 0 {
                return Err(wrong(5, "not a list of ids".into()));
            }
            let id = |chunk: &[u8]| {
                chunk
                    .try_into()
                    .map(OpId::from_bytes)
                    .map_err(|_| wrong(5, "not an id".into()))
            };
            Ok(WriteRow {
                scope,
                path: row.get(0)?,
                op: OpId::from_bytes(fixed(row, 1)?),
                leaf: uint(row, 2)?,
                value: row.get(3)?,
                key: row.get(4)?,
                supersedes: ids.chunks(32).map(id).collect::<Read<_>>()?,
            })
        })?;
        for row in found {
            out.push(row?);
        }
    }
    Ok(out)
}

pub(super) fn fields(c: &Connection, scope: [u8; 16], prefix: &str) -> Read<Vec<FieldRow>> {
    // Paths are compared as bytes; U+10FFFF is above every path, which holds no control characters.
    let end = format!("{prefix}\u{10ffff}");
    c.prepare_cached("SELECT path, class, outcome, provisional, held FROM field WHERE scope = ?1 AND path >= ?2 AND path < ?3 ORDER BY path")?
        .query_map(params![scope, prefix, end], |row| {
            Ok(FieldRow { scope, path: row.get(0)?, class: row.get(1)?, outcome: row.get(2)?, provisional: row.get(3)?, held: row.get(4)? })
        })?
        .collect()
}

pub(super) fn undecided(c: &Connection, skip: u64, limit: u64) -> Read<(u64, Vec<FieldRow>)> {
    // The condition is written as in the partial index, which is how the index is found.
    const FROM: &str = "FROM field f CROSS JOIN line l ON l.kind = 1 AND l.id = f.scope \
                        WHERE f.outcome IN ('conflict', 'contradiction')";
    let total = c
        .prepare_cached(&format!("SELECT count(*) {FROM}"))?
        .query_row([], |row| uint(row, 0))?;
    let page = format!(
        "SELECT f.scope, f.path, f.class, f.outcome, f.provisional, f.held {FROM} \
         ORDER BY f.outcome = 'contradiction' DESC, l.due, l.seen_ms, f.scope, f.path LIMIT ?1 OFFSET ?2"
    );
    let most = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let rows = c
        .prepare_cached(&page)?
        .query_map(params![most(limit), most(skip)], |row| {
            Ok(FieldRow {
                scope: fixed(row, 0)?,
                path: row.get(1)?,
                class: row.get(2)?,
                outcome: row.get(3)?,
                provisional: row.get(4)?,
                held: row.get(5)?,
            })
        })?
        .collect::<Read<_>>()?;
    Ok((total, rows))
}

pub(super) fn memberships(c: &Connection, subjects: &[[u8; 16]]) -> Read<Vec<MemberRow>> {
    let mut statement =
        c.prepare_cached("SELECT subject, scope, since FROM member WHERE subject = ?1 ORDER BY since")?;
    let mut out = Vec::new();
    for subject in subjects {
        for row in statement.query_map(params![subject], member_row)? {
            out.push(row?);
        }
    }
    Ok(out)
}

pub(super) fn members(c: &Connection, case: CaseId) -> Read<Vec<MemberRow>> {
    c.prepare_cached("SELECT subject, scope, since FROM member WHERE scope = ?1 ORDER BY since")?
        .query_map(params![case.as_bytes()], member_row)?
        .collect()
}

fn member_row(row: &Row<'_>) -> Read<MemberRow> {
    Ok(MemberRow {
        subject: fixed(row, 0)?,
        case: CaseId::from_bytes(fixed(row, 1)?),
        since: uint(row, 2)?,
    })
}

pub(super) fn accesses(c: &Connection, from: u64, limit: usize) -> Read<Vec<(u64, Access)>> {
    c.prepare_cached(
        "SELECT number, at_ms, who, action, target FROM access WHERE number >= ?1 ORDER BY number LIMIT ?2",
    )?
    .query_map(params![from as i64, limit as i64], numbered_access)?
    .collect()
}

pub(super) fn newest_accesses(
    c: &Connection,
    below: u64,
    filter: &AccessFilter,
    limit: usize,
) -> Read<Vec<(u64, Access)>> {
    c.prepare_cached(
        "SELECT number, at_ms, who, action, target FROM access
         WHERE number < ?1 AND (?2 IS NULL OR action = ?2) AND (?3 IS NULL OR target = ?3) AND (?4 IS NULL OR who = ?4)
         ORDER BY number DESC LIMIT ?5",
    )?
    .query_map(
        params![below as i64, filter.action, filter.target, filter.who, limit as i64],
        numbered_access,
    )?
    .collect()
}

fn numbered_access(row: &Row<'_>) -> Read<(u64, Access)> {
    Ok((
        uint(row, 0)?,
        Access {
            at_ms: uint(row, 1)?,
            who: row.get(2)?,
            action: row.get(3)?,
            target: row.get(4)?,
        },
    ))
}

pub(super) fn accesses_of(c: &Connection, target: &str, limit: usize) -> Read<Vec<Access>> {
    c.prepare_cached("SELECT at_ms, who, action, target FROM access WHERE target = ?1 ORDER BY number DESC LIMIT ?2")?
        .query_map(params![target, limit as i64], |row| {
            Ok(Access {
                at_ms: uint(row, 0)?,
                who: row.get(1)?,
                action: row.get(2)?,
                target: row.get(3)?,
            })
        })?
        .collect()
}

fn key(row: &Row<'_>, first: usize) -> Read<ChainKey> {
    Ok(ChainKey {
        device: DeviceId::from_bytes(fixed(row, first)?),
        incarnation: IncarnationId::from_bytes(fixed(row, first + 1)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::sqlite::migrate;

    #[test]
    fn what_is_asked_after_every_push_reads_no_table() {
        let mut ledger = Connection::open_in_memory().unwrap();
        migrate::migrate(&mut ledger).unwrap();
        let plan = ledger
            .prepare(&format!("EXPLAIN QUERY PLAN {BEYOND}"))
            .unwrap()
            .query_map(params![7], |row| row.get::<_, String>(3))
            .unwrap()
            .collect::<Read<Vec<_>>>()
            .unwrap();
        assert!(plan.iter().all(|step| step.contains("COVERING INDEX")), "{plan:?}");
    }
}
