//! The roll that a bundle stands on: signed now, or the one that stood at an earlier checkpoint.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fieldseal_core::domain::{Held, roll};
use fieldseal_proof::ids::CaseId;
use fieldseal_proof::operation::{Header, Operation};

use super::ExportError;
use crate::ingest::{OwnOperation, bare};
use crate::ledger::{ChainKey, Commit, OperationRow};
use crate::server::Server;
use crate::tlog::LogError;

/// Signs the roll of a case; returns its leaf.
pub(super) async fn write_roll(server: &Arc<Server>, case: CaseId) -> Result<u64, ExportError> {
    // Only what everybody can see already: the roll names a size, and every named operation lies below it.
    let size = server.ledger.size().await?;
    let mut published = server.published.clone();
    published
        .wait_for(|now| now.size >= size)
        .await
        .map_err(|_| LogError::Frozen("the sequencer has stopped".into()))?;
    let rows: Vec<OperationRow> = server.ledger.operations_of(case).await?;
    if rows.is_empty() {
        return Err(ExportError::NoSuchCase);
    }
    // Everything below the size and nothing above it: what arrives meanwhile must not make the roll forget a stream.
    let rows: Vec<OperationRow> = rows.into_iter().filter(|row| row.leaf < size).collect();
    let unbroken = contiguous(&rows)?;
    let mut ends: BTreeMap<(ChainKey, [u8; 16]), Held> = BTreeMap::new();
    for row in rows.iter().filter(|row| unbroken.contains(&row.leaf)) {
        let stored = server.ingest.chain(row.chain).await?;
        if stored.main().is_none_or(|main| main.number != row.run) {
            continue;
        }
        let header = header_of(row)?;
        let stream = header.stream().id();
        let next = Held {
            device: header.device,
            incarnation: header.incarnation,
            stream,
            last_counter: header.counter,
            last_id: row.id,
        };
        let end = ends.entry((row.chain, stream)).or_insert(next);
        if end.last_counter < next.last_counter {
            *end = next;
        }
    }
    let held: Vec<Held> = ends.into_values().collect();
    let key_rows = server.ledger.key_log(0).await?;
    let covered = key_rows.iter().filter(|row| row.leaf < size).count() as u64;
    let key_log = server.ingest.key_log();
    let head = key_log
        .log
        .head_at(covered)
        .ok_or_else(|| ExportError::Corrupt("the key log has no logged head".into()))?;
    let (_, fields) = roll(size, (covered, head), &held).into_parts();
    let own = OwnOperation {
        kind: "roll",
        case: Some(case),
        inspection: None,
        supersedes: Vec::new(),
        fields,
        audience: None,
    };
    let ids = server.ingest.author(vec![own], Commit::default()).await?;
    let rows = server.ledger.operation(ids[0]).await?;
    rows.first()
        .map(|row| row.leaf)
        .ok_or_else(|| ExportError::Corrupt("the roll is gone".into()))
}

/// Makes sure that a roll of the case lies below a checkpoint.
pub(super) async fn roll_below(server: &Arc<Server>, case: CaseId, size: u64) -> Result<(), ExportError> {
    let rows: Vec<OperationRow> = server.ledger.operations_of(case).await?;
    if rows.is_empty() {
        return Err(ExportError::NoSuchCase);
    }
    let own = server.ingest.own_chain();
    for row in rows.iter().filter(|row| row.leaf < size && row.chain == own) {
        if header_of(row)?.kind == "roll" {
            return Ok(());
        }
    }
    Err(ExportError::NoRoll(size))
}

/// Leaves of the operations that no gap in the counter of their stream precedes. What a push fills between the checkpoint and
/// this reading lies behind a gap that the checkpoint does not fill yet; the next bundle has it.
pub(super) fn contiguous(rows: &[OperationRow]) -> Result<BTreeSet<u64>, ExportError> {
    let mut streams: BTreeMap<(ChainKey, [u8; 16]), BTreeMap<u64, Vec<u64>>> = BTreeMap::new();
    for row in rows {
        let header = header_of(row)?;
        let stream = streams.entry((row.chain, header.stream().id())).or_default();
        stream.entry(header.counter).or_default().push(row.leaf);
    }
    let unbroken = |held: BTreeMap<u64, Vec<u64>>| {
        (0..)
            .zip(held)
            .take_while(|(n, (counter, _))| n == counter)
            .flat_map(|(_, (_, leaves))| leaves)
    };
    Ok(streams.into_values().flat_map(unbroken).collect())
}

pub(super) fn header_of(row: &OperationRow) -> Result<Header, ExportError> {
    let operation = Operation::parse(&row.frame).or_else(|_| Operation::parse(&bare(&row.frame).unwrap_or_default()));
    let operation = operation.map_err(|e| ExportError::Corrupt(format!("leaf {}: {e}", row.leaf)))?;
    Ok(operation.header().clone())
}
