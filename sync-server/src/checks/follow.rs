//! Checks what arrived while nothing else happens, so that a case's verdict does not wait for somebody to open each item.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fieldseal_proof::ids::{BlobHash, CaseId, OpId};
use tokio::sync::watch;

use super::{CheckError, check_sealed, held};
use crate::incident::kinds;
use crate::ledger::{Commit, FeedScope, LedgerError, Swap, space};
use crate::projection::{CaseFile, PackShelf};
use crate::server::Server;

/// The log has stood still for so long when a check begins.
const IDLE: Duration = Duration::from_secs(2);
/// Cases whose files are still on their way are looked at again so often.
const AGAIN: Duration = Duration::from_secs(30);
/// After each case the worker rests so many times as long as it worked.
const REST: u32 = 3;
/// Bytes of operations that are read at a time to see which cases changed.
const STEP_BYTES: usize = 2 << 20;
/// Place in the arrivals up to which cases were looked at.
const CURSOR: &[u8] = b"checked ";

/// Follows the log until it is told to stop.
pub async fn follow(server: Arc<Server>, mut stopped: watch::Receiver<bool>) {
    let packs = PackShelf::default();
    while !*stopped.borrow() {
        match round(&server, &packs, &mut stopped).await {
            Ok(()) => {}
            // A verdict that is missing is shown as not checked: nothing is lost by trying later.
            Err(error) => tracing::warn!(what = kinds(&error), "sealed items could not be checked; trying again"),
        }
        // Whoever told it to stop says so once: what heard it must not wait for a second time.
        if !*stopped.borrow() {
            rest(AGAIN, &server, &mut stopped).await;
        }
    }
}

/// Waits for the log to stand still, then checks what changed and what was still open.
async fn round(server: &Server, packs: &PackShelf, stopped: &mut watch::Receiver<bool>) -> Result<(), CheckError> {
    let Some(end) = idle(server, stopped).await else {
        return Ok(());
    };
    let begin = cursor(server).await?;
    let mut cases = open_cases(server).await?;
    let mut at = begin;
    while at < end {
        let rows = server.ledger.operations(FeedScope::All, at, end, STEP_BYTES).await?;
        at = rows.last().map_or(end, |last| last.arrival + 1);
        cases.extend(rows.iter().filter_map(|row| row.case));
    }
    for case in cases {
        let begun = Instant::now();
        // A long film is read for minutes; a server that stops does not wait for it.
        let whole = tokio::select! {
            whole = check_case(server, packs, case) => whole?,
            _ = stopped.changed() => return Ok(()),
        };
        mark(server, case, !whole).await?;
        tokio::select! {
            () = tokio::time::sleep((begun.elapsed() * REST).min(AGAIN)) => {}
            _ = stopped.changed() => return Ok(()),
        }
    }
    if at > begin {
        let place = Swap::set(space::META, cursor_key(server), at.to_string());
        server.ledger.commit(Commit::of(vec![place])).await?;
    }
    Ok(())
}

/// Up to where the log is shown, once it has stood still; `None` when the server stops.
async fn idle(server: &Server, stopped: &mut watch::Receiver<bool>) -> Option<u64> {
    let mut place = server.place.clone();
    loop {
        place.borrow_and_update();
        tokio::select! {
            changed = place.changed() => changed.ok()?,
            _ = stopped.changed() => return None,
            () = tokio::time::sleep(IDLE) => return Some(*place.borrow()),
        }
    }
}

/// Until something arrives, the server stops, or so long.
async fn rest(span: Duration, server: &Server, stopped: &mut watch::Receiver<bool>) {
    let mut place = server.place.clone();
    place.borrow_and_update();
    tokio::select! {
        _ = place.changed() => {}
        _ = stopped.changed() => {}
        () = tokio::time::sleep(span) => {}
    }
}

/// Checks every item of a case that has no verdict yet; whether all of them have one now.
async fn check_case(server: &Server, packs: &PackShelf, case: CaseId) -> Result<bool, CheckError> {
    let Some(file) = CaseFile::load(&server.ingest, packs, case).await? else {
        return Ok(true);
    };
    let items = sealed_items(&file);
    let ids: Vec<OpId> = items.iter().map(|(id, _)| *id).collect();
    let known = held(&*server.ledger, &ids).await?;
    let mut whole = true;
    for (id, sha256) in items.iter().filter(|(id, _)| !known.contains_key(id)) {
        let arrived = match sha256 {
            Some(sha256) => server.uploads.blob(sha256.as_bytes()).await?.is_some(),
            None => true,
        };
        let checked = match arrived {
            true => check_sealed(server, &file, *id, sha256.as_ref(), true).await?,
            false => None,
        };
        whole &= checked.is_some_and(|checked| checked.verdict().is_some());
    }
    Ok(whole)
}

/// What a case's verdict is about: evidence and documents, with the hash of their bytes.
pub fn sealed_items(file: &CaseFile) -> Vec<(OpId, Option<BlobHash>)> {
    let view = &file.view.view;
    let evidence = view.evidence.iter().map(|item| (item.operation, item.sha256));
    let documents = view.documents.iter().map(|item| (item.operation, item.pdf_sha256));
    evidence.chain(documents).collect()
}

/// Remembers that a case has items that could not be checked yet, or forgets it.
async fn mark(server: &Server, case: CaseId, open: bool) -> Result<(), LedgerError> {
    let key = case.as_bytes().to_vec();
    let known = server.ledger.register(space::UNCHECKED, key).await?.is_some();
    let change = match (open, known) {
        (true, false) => Swap::set(space::UNCHECKED, *case.as_bytes(), "open"),
        (false, true) => Swap::remove(space::UNCHECKED, *case.as_bytes()),
        _ => return Ok(()),
    };
    server.ledger.commit(Commit::of(vec![change])).await.map(|_| ())
}

async fn open_cases(server: &Server) -> Result<BTreeSet<CaseId>, LedgerError> {
    let rows = server
        .ledger
        .registers(space::UNCHECKED, Vec::new(), usize::MAX >> 1)
        .await?;
    let case = |row: &crate::ledger::Register| row.key.as_slice().try_into().ok().map(CaseId::from_bytes);
    Ok(rows.iter().filter_map(case).collect())
}

/// Of this epoch: arrivals are counted anew after a restore.
fn cursor_key(server: &Server) -> Vec<u8> {
    [CURSOR, server.epoch.as_bytes().as_slice()].concat()
}

async fn cursor(server: &Server) -> Result<u64, LedgerError> {
    let row = server.ledger.register(space::META, cursor_key(server)).await?;
    let text = row.and_then(|row| String::from_utf8(row.value).ok());
    Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
}
