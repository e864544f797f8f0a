//! `fsck`: rereads everything from storage and names what does not hold.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use fieldseal_core::merge::{self, Resolved};
use fieldseal_proof::hash::StreamHash;
use fieldseal_proof::ids::to_hex;
use fieldseal_proof::key_log::head_leaf;
use fieldseal_proof::merkle::{CompactRange, leaf_hash};
use fieldseal_proof::note::SignedNote;
use fieldseal_proof::operation::Operation;
use fieldseal_proof::tile::WIDTH;
use serde_json::json;

use super::{Failure, Outcome, Report};
use crate::ingest::{KeyLogState, bare};
use crate::ledger::blob::{Opened, SEGMENT};
use crate::ledger::{Commit, FeedScope, LedgerStore, RunState, Swap, space};
use crate::projection::{CURSOR_PROJECTED, scope_of, set_aside_all};
use crate::server::Server;

const STEP_BYTES: usize = 4 << 20;

type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

pub(super) async fn run(dir: &Path, rebuild: bool) -> Outcome {
    if rebuild {
        drop_views(dir).await.map_err(Failure::of)?;
    }
    let (server, workers) = Server::open(dir).await.map_err(Failure::open)?;
    let size = server.ledger.size().await.map_err(Failure::open)?;
    let mut place = server.place.clone();
    let arrived = server.ledger.arrived(u64::MAX).await.map_err(Failure::open)?;
    place.wait_for(|now| *now >= arrived).await.map_err(Failure::of)?;
    let findings = check_all(&server).await.map_err(Failure::of)?;
    workers.stop().await;
    let clean = findings.is_empty();
    let mut lines = findings.clone();
    lines.push(if clean {
        format!("没有发现问题 nothing found: {size} leaves")
    } else {
        format!("发现 {} 处 found: {}", findings.len(), findings.len())
    });
    let orphans = server.ledger.orphans().await.map_err(Failure::open)?;
    let mut report = Report::done(
        json!({ "leaves": size, "awaited": orphans, "findings": findings }),
        lines,
    );
    report.code = u8::from(!clean);
    Ok(report)
}

async fn drop_views(dir: &Path) -> Fallible<()> {
    let ledger = crate::ledger::sqlite::SqliteLedger::open(&crate::config::Layout::new(dir).ledger())?;
    let again = Swap::set(space::META, CURSOR_PROJECTED, b"0".to_vec());
    ledger
        .commit(Commit {
            drop_views: true,
            registers: vec![again],
            ..Commit::default()
        })
        .await?;
    Ok(())
}

/// Everything, from storage; one line for each thing that does not hold.
///
/// # Errors
/// When something cannot be read at all.
pub async fn check_all(server: &Arc<Server>) -> Fallible<Vec<String>> {
    let mut findings = Vec::new();
    check_log(server, &mut findings).await?;
    check_operations(server, &mut findings).await?;
    check_blobs(server, &mut findings).await?;
    check_views(server, &mut findings).await?;
    Ok(findings)
}

/// Leaves against tiles, bundles, head and checkpoint; key log heads against their leaves.
async fn check_log(server: &Arc<Server>, findings: &mut Vec<String>) -> Fallible<()> {
    let published = server.published.borrow().clone();
    let mut range = CompactRange::default();
    for bundle in 0..published.size.div_ceil(WIDTH) {
        let first = bundle * WIDTH;
        let width = (published.size - first).min(WIDTH);
        let leaves = server.ledger.leaves(first, first + width).await?;
        leaves.iter().for_each(|leaf| range.push(leaf_hash(leaf), |_, _, _| {}));
        match server.tiles.bundle(bundle, width) {
            Ok(entries) if entries == leaves => {}
            Ok(_) => findings.push(format!("tile/entries/{bundle}: other leaves than the ledger's")),
            Err(e) => findings.push(format!("entry bundle: {e}")),
        }
    }
    if range.root() != published.root {
        findings.push(format!(
            "the ledger's leaves do not give the root published for size {}",
            published.size
        ));
    }
    match CompactRange::load(published.size, &server.tiles) {
        Ok(of_tiles) if of_tiles == range => {}
        Ok(_) => findings.push("the tiles do not give the published root".into()),
        Err(e) => findings.push(format!("tiles: {e}")),
    }
    if published.size > 0 && SignedNote::parse(&published.note).is_err() {
        findings.push("the published checkpoint is not a signed note".into());
    }
    if let Some(state) = KeyLogState::load(&*server.ledger).await? {
        let rows = server.ledger.key_log(0).await?;
        for row in &rows {
            let head = state.log.head_at(row.index + 1);
            let leaf = server.ledger.leaves(row.leaf, row.leaf + 1).await?;
            if head.is_some_and(|head| leaf.first() != Some(head_leaf(row.index + 1, &head).as_bytes())) {
                findings.push(format!(
                    "key log entry {}: its head is not at leaf {}",
                    row.index, row.leaf
                ));
            }
        }
    }
    Ok(())
}

/// Every frame: parses, is signed by its key, is what its leaf and its place say.
async fn check_operations(server: &Arc<Server>, findings: &mut Vec<String>) -> Fallible<()> {
    let key_log = server.ingest.key_log();
    let size = server.ledger.arrived(u64::MAX).await?;
    let mut at = 0;
    while at < size {
        let rows = server.ledger.operations(FeedScope::All, at, size, STEP_BYTES).await?;
        let Some(last) = rows.last() else { break };
        at = last.arrival + 1;
        for row in rows {
            let frame = if row.spoiled {
                bare(&row.frame)
            } else {
                Some(row.frame.clone())
            };
            let operation = frame.and_then(|frame| Operation::parse(&frame).ok());
            let Some(operation) = operation else {
                findings.push(format!("leaf {}: the frame does not parse", row.leaf));
                continue;
            };
            let header = operation.header();
            let placed =
                (header.device, header.incarnation, header.seq) == (row.chain.device, row.chain.incarnation, row.seq);
            let leaf = server.ledger.leaves(row.leaf, row.leaf + 1).await?;
            if !placed
                || operation.id() != row.id
                || operation.link() != row.link
                || leaf.first() != Some(operation.commitment().as_bytes())
            {
                findings.push(format!(
                    "leaf {}: the operation is not the one that was logged there",
                    row.leaf
                ));
            }
            let key = key_log
                .log
                .operation_key(&row.chain.device, &row.chain.incarnation)
                .and_then(|key| key.record.key().ok());
            if key.is_none_or(|key| operation.verify(&key).is_err()) {
                findings.push(format!("leaf {}: the signature does not hold", row.leaf));
            }
        }
    }
    for chain in server.ledger.all_chains().await? {
        let stored = server.ledger.stored(chain.key, 0, u64::MAX).await?;
        for run in &chain.runs {
            let of_run: Vec<_> = stored.iter().filter(|one| one.run == run.number).collect();
            let whole = of_run.len() as u64 == run.last_seq - run.first_seq + 1;
            if !whole || of_run.last().map(|one| one.link) != Some(run.link) {
                let state = if run.state == RunState::Main { "main" } else { "side" };
                findings.push(format!(
                    "chain {}/{}: the {state} run is not whole",
                    chain.key.device, chain.key.incarnation
                ));
            }
        }
    }
    Ok(())
}

/// Every blob: opens, has its size, hashes to its name.
async fn check_blobs(server: &Arc<Server>, findings: &mut Vec<String>) -> Fallible<()> {
    for register in server
        .ledger
        .registers(space::BLOB, Vec::new(), usize::MAX >> 1)
        .await?
    {
        let sha256 = to_hex(&register.key);
        if let Err(why) = check_blob(server, &register.key).await {
            findings.push(format!("blob {sha256}: {why}"));
        }
    }
    Ok(())
}

async fn check_blob(server: &Arc<Server>, key: &[u8]) -> Fallible<()> {
    let blob = server.uploads.blob(key.try_into()?).await?.ok_or("its row is gone")?;
    let file = Opened::open(&server.blobs.read(&blob.object, 0, 1024).await?, &server.keys.vault)?;
    let count = (blob.size.div_ceil(SEGMENT as u64) as u32).max(1);
    let mut hash = StreamHash::default();
    for number in 0..count {
        let (at, length) = file.place(number, blob.size);
        hash.update(&file.open_segment(
            number,
            number + 1 == count,
            &server.blobs.read(&blob.object, at, length).await?,
        )?);
    }
    let (digest, size) = hash.finish();
    if digest.as_slice() != key || size != blob.size {
        Err("other bytes than were sealed".into())
    } else {
        Ok(())
    }
}

/// Stored fields against a fold of the operations themselves, scope by scope, by state hash.
async fn check_views(server: &Arc<Server>, findings: &mut Vec<String>) -> Fallible<()> {
    let tenant = server.ingest.tenant();
    let aside = set_aside_all(&*server.ledger).await?;
    let size = server.ledger.arrived(u64::MAX).await?;
    let mut writes: BTreeMap<([u8; 16], String), Vec<merge::Write>> = BTreeMap::new();
    let mut known = std::collections::HashSet::new();
    let mut at = 0;
    while at < size {
        let rows = server.ledger.operations(FeedScope::All, at, size, STEP_BYTES).await?;
        let Some(last) = rows.last() else { break };
        at = last.arrival + 1;
        for row in rows {
            known.insert(row.id);
            let frame = if row.spoiled { bare(&row.frame) } else { Some(row.frame) };
            let Some(operation) = frame.and_then(|frame| Operation::parse(&frame).ok()) else {
                continue;
            };
            let quarantined = aside.get(&row.id).is_some_and(|aside| aside.stands());
            for (path, write) in crate::projection::merge_writes(&operation, row.id, quarantined) {
                writes
                    .entry((scope_of(&operation, &tenant), path))
                    .or_default()
                    .push(write);
            }
        }
    }
    let mut hashes: BTreeMap<[u8; 16], Vec<(String, Resolved)>> = BTreeMap::new();
    for ((scope, path), writes) in &writes {
        let resolved = merge::resolve_path(merge::FieldClass::of(path), writes, |id| known.contains(id));
        hashes.entry(*scope).or_default().push((path.clone(), resolved));
    }
    for (scope, paths) in hashes {
        let stored: BTreeMap<String, _> = server
            .ledger
            .fields(scope, String::new())
            .await?
            .into_iter()
            .map(|row| (row.path.clone(), row))
            .collect();
        let mut expected = 0;
        for (path, resolved) in &paths {
            let row = crate::projection::field_row(scope, path, resolved);
            if row.outcome == "absent" {
                continue;
            }
            expected += 1;
            if stored.get(path) != Some(&row) {
                findings.push(format!(
                    "view {}: {path} is not what the operations come to",
                    to_hex(&scope)
                ));
            }
        }
        if stored.len() != expected {
            findings.push(format!(
                "view {}: {} fields instead of {expected}",
                to_hex(&scope),
                stored.len()
            ));
        }
    }
    Ok(())
}
