//! `fsck`: rereads everything from storage and names what does not hold.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use fieldseal_core::catalogue::{Lang, text};
use fieldseal_core::merge::{self, Resolved};
use fieldseal_proof::ids::{CaseId, to_hex};
use fieldseal_proof::operation::Operation;
use serde_json::json;

use super::reread::{Fallible, Reread, STEP_BYTES};
use super::{Failure, Outcome, Report};
use crate::ingest::bare;
use crate::ledger::{Commit, FeedScope, LedgerStore, Swap, space};
use crate::projection::{CURSOR_PROJECTED, scope_of, set_aside_all};
use crate::reprint;
use crate::server::Server;

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
    let printed = print_again(&server).await.map_err(Failure::of)?;
    workers.stop().await;
    let mut findings = findings;
    findings.extend(printed.findings);
    let clean = findings.is_empty();
    let mut lines = findings.clone();
    lines.extend(printed.counts.iter().map(|(code, count)| {
        let code = format!("reprint.{code}");
        format!("{} {}: {count}", text(Lang::Zh, &code, &[]), text(Lang::En, &code, &[]))
    }));
    lines.push(if clean {
        format!("没有发现问题 nothing found: {size} leaves")
    } else {
        format!("发现 {} 处 found: {}", findings.len(), findings.len())
    });
    let orphans = server.ledger.orphans().await.map_err(Failure::open)?;
    let blobs = server.ledger.registers(space::BLOB, Vec::new(), usize::MAX >> 1).await;
    let blobs = blobs.map_err(Failure::open)?.len();
    let mut report = Report::done(
        json!({ "leaves": size, "operations": arrived, "blobs": blobs, "awaited": orphans, "findings": findings, "documents": printed.counts }),
        lines,
    );
    report.code = u8::from(!clean);
    Ok(report)
}

/// What came of printing every document again.
struct Printed {
    /// By the word of the result.
    counts: BTreeMap<&'static str, u64>,
    findings: Vec<String>,
}

/// Documents whose fields give other bytes are findings; those that cannot be printed here (other fonts, another version of the
/// typesetter) are counted.
async fn print_again(server: &Arc<Server>) -> Fallible<Printed> {
    let cases = server
        .ledger
        .registers(space::CASE, Vec::new(), usize::MAX >> 1)
        .await?;
    let ids = cases.iter().filter_map(|case| case.key.as_slice().try_into().ok());
    let cases: Vec<CaseId> = ids.map(CaseId::from_bytes).collect();
    let mut printed = Printed {
        counts: BTreeMap::new(),
        findings: Vec::new(),
    };
    for (case, one) in reprint::everything(server, &cases).await? {
        *printed.counts.entry(one.reprint.code()).or_default() += 1;
        if one.reprint.is_fault() {
            printed.findings.push(format!(
                "case {case}: document {} ({}): printed again: {} {}",
                one.document,
                one.role.as_deref().unwrap_or("as issued"),
                one.reprint.code(),
                one.reprint.detail().unwrap_or_default()
            ));
        }
    }
    Ok(printed)
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
    let (key_log, published) = (server.ingest.key_log(), server.published.borrow().clone());
    let stored = Reread {
        ledger: &*server.ledger,
        tiles: &server.tiles,
        blobs: &*server.blobs,
        vault: &server.keys.vault,
        key_log: &key_log,
        published: &published,
        tiles_may_lack: false,
    };
    let mut findings = stored.findings().await?;
    check_views(server, &mut findings).await?;
    Ok(findings)
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
