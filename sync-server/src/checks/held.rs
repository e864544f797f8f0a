//! What checks came to, kept in the ledger: a restart forgets no verdict, and each says at which checkpoint it was made.

use std::collections::HashMap;

use fieldseal_proof::bundle::Verdict;
use fieldseal_proof::ids::{BlobHash, OpId};
use serde::{Deserialize, Serialize};

use super::{Bytes, CheckError, ItemCheck, check_item};
use crate::ledger::blob::Stored;
use crate::ledger::{Commit, LedgerError, LedgerStore, Swap, space};
use crate::projection::{CaseFile, Entry};
use crate::server::Server;

/// The outcome of a whole check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    pub verdict: Verdict,
    /// Server clock, milliseconds.
    pub at_ms: u64,
    /// Size of the checkpoint that it was made at.
    pub size: u64,
}

#[derive(Serialize, Deserialize)]
struct Row {
    verdict: String,
    at_ms: u64,
    size: u64,
}

/// What is held of these operations; one that was never checked whole is not among them.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn held(ledger: &dyn LedgerStore, operations: &[OpId]) -> Result<HashMap<OpId, Held>, LedgerError> {
    let mut all = HashMap::new();
    for id in operations {
        let row = ledger.register(space::CHECKED, id.as_bytes().to_vec()).await?;
        let row = row.and_then(|row| serde_json::from_slice::<Row>(&row.value).ok());
        let held = row.and_then(|row| {
            Some(Held {
                verdict: Verdict::from_word(&row.verdict)?,
                at_ms: row.at_ms,
                size: row.size,
            })
        });
        all.extend(held.map(|held| (*id, held)));
    }
    Ok(all)
}

/// Checks a sealed item of a case, and keeps the outcome when everything could be checked. `sha256`: of the bytes that it names.
///
/// # Errors
/// When the stores cannot be read or written; a check that fails is an outcome. `Ok(None)`: no such operation in the case.
pub async fn check_sealed(
    server: &Server,
    file: &CaseFile,
    operation: OpId,
    sha256: Option<&BlobHash>,
    hash_all: bool,
) -> Result<Option<ItemCheck>, CheckError> {
    let Some(entry) = file.entry(&operation) else {
        return Ok(None);
    };
    let attests = file.state.attests(&operation);
    let attests: Vec<&Entry> = attests.iter().filter_map(|attest| file.entry(&attest.id)).collect();
    let bytes = match sha256 {
        None => None,
        Some(sha256) => {
            let blob = server.uploads.blob(sha256.as_bytes()).await?;
            Some(Bytes {
                sha256: *sha256.as_bytes(),
                stored: blob.map(|blob| Stored {
                    object: blob.object,
                    size: blob.size,
                }),
            })
        }
    };
    let size = server.published.borrow().size;
    let checked = check_item(server, entry, &attests, bytes.as_ref(), hash_all).await?;
    if let Some(verdict) = checked.verdict() {
        let at_ms = server.clock.now().wall_ms;
        keep(&*server.ledger, operation, Held { verdict, at_ms, size }).await?;
    }
    Ok(Some(checked))
}

/// Writes an outcome, unless the ledger says the same of this checkpoint already.
async fn keep(ledger: &dyn LedgerStore, id: OpId, new: Held) -> Result<(), LedgerError> {
    let known = held(ledger, &[id]).await?;
    if known
        .get(&id)
        .is_some_and(|old| (old.verdict, old.size) == (new.verdict, new.size))
    {
        return Ok(());
    }
    let row = Row {
        verdict: new.verdict.as_str().to_owned(),
        at_ms: new.at_ms,
        size: new.size,
    };
    let row = serde_json::to_vec(&row).map_err(|e| LedgerError::Corrupt(e.to_string()))?;
    let row = Swap::set(space::CHECKED, *id.as_bytes(), row);
    ledger.commit(Commit::of(vec![row])).await.map(|_| ())
}
