//! Everything of a case that lies under one checkpoint, and nothing that came later.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fieldseal_core::bundle::{Chain, Contents, LoggedOperation};
use fieldseal_proof::ids::{CaseId, KeyId};
use fieldseal_proof::key_log::{EnrolledKey, KeyLog};
use fieldseal_proof::merkle::prove_inclusion;
use fieldseal_proof::note::SignedNote;
use fieldseal_proof::operation::{Operation, VerifiedOperation};

use super::ExportError;
use super::attested::{attestations, receipts};
use super::roll::contiguous;
use super::stored::blobs;
use crate::ingest::bare;
use crate::ledger::{ChainKey, OperationRow, Run, RunState};
use crate::projection::view_under;
use crate::server::Server;
use crate::tlog::Published;

/// Gathers the contents of a bundle.
pub(super) async fn gather(
    server: &Arc<Server>,
    case: CaseId,
    checkpoint: &Published,
) -> Result<Contents, ExportError> {
    let (size, ledger) = (checkpoint.size, &server.ledger);
    let tiles = &server.tiles;
    let mut rows: Vec<OperationRow> = ledger.operations_of(case).await?;
    rows.retain(|row| row.leaf < size);
    let mut key_rows = ledger.key_log(0).await?;
    key_rows.retain(|row| row.leaf < size);
    let key_log: Vec<u8> = key_rows.iter().flat_map(|row| row.frame.clone()).collect();
    let keys = KeyLog::read(&key_log).map_err(|e| ExportError::Corrupt(e.to_string()))?;
    let chains = Chains::of(server, &rows, size).await?;
    let unbroken = contiguous(&rows)?;
    rows.retain(|row| unbroken.contains(&row.leaf) && chains.holds(row));
    let mut operations = Vec::new();
    for row in &rows {
        operations.push(LoggedOperation {
            operation: verified(row, &keys)?,
            index: row.leaf,
            inclusion: prove_inclusion(row.leaf, size, tiles)?,
        });
    }
    let mut key_log_proofs = Vec::new();
    let needed = heads_needed(&keys, &operations);
    for row in key_rows.iter().filter(|row| needed.contains(&(row.index + 1))) {
        key_log_proofs.push((row.index + 1, row.leaf, prove_inclusion(row.leaf, size, tiles)?));
    }
    let (attestations, consistency) = attestations(server, &operations, size).await?;
    let blobs = blobs(server, case, &operations).await?;
    Ok(Contents {
        case,
        checkpoint: SignedNote::parse(&checkpoint.note).map_err(|e| ExportError::Corrupt(e.to_string()))?,
        key_log,
        key_log_proofs,
        chains: chains.lists(&rows),
        receipts: receipts(server, &operations, size).await?,
        view: view_under(
            case,
            size,
            operations.iter().map(|logged| (logged.index, &*logged.operation)),
            &keys,
        ),
        blobs,
        attestations,
        consistency,
        keys,
        operations,
    })
}

/// The chains of a case's operations as they stood under a checkpoint.
struct Chains(BTreeMap<ChainKey, Stand>);

struct Stand {
    main: Option<Run>,
    forks: BTreeSet<u64>,
    /// Commitments of the main run from seq 0, as far as every one lies below the checkpoint.
    commitments: Vec<fieldseal_proof::ids::Commitment>,
}

impl Chains {
    async fn of(server: &Arc<Server>, rows: &[OperationRow], size: u64) -> Result<Self, ExportError> {
        let mut chains = BTreeMap::new();
        for row in rows {
            if chains.contains_key(&row.chain) {
                continue;
            }
            let stored = server.ingest.chain(row.chain).await?;
            let main = stored.main().copied();
            let last = rows
                .iter()
                .filter(|other| other.chain == row.chain)
                .map(|other| other.seq)
                .max();
            let all = server.ledger.stored(row.chain, 0, last.unwrap_or(0)).await?;
            let of_main = all.iter().filter(|one| main.is_some_and(|main| main.number == one.run));
            // What fills a gap after the checkpoint does not fill it yet.
            let below = of_main
                .zip(0..)
                .take_while(|(one, seq)| one.seq == *seq && one.leaf < size);
            let stand = Stand {
                main,
                forks: stored
                    .runs
                    .iter()
                    .filter(|run| run.state == RunState::Fork)
                    .map(|run| run.number)
                    .collect(),
                commitments: below.map(|(one, _)| one.commitment).collect(),
            };
            chains.insert(row.chain, stand);
        }
        Ok(Self(chains))
    }

    /// Beyond a gap nothing can be shown to follow anything; it is quarantined and no roll names it.
    fn holds(&self, row: &OperationRow) -> bool {
        self.0.get(&row.chain).is_some_and(|stand| {
            let in_main = stand.main.is_some_and(|main| main.number == row.run);
            (in_main && row.seq < stand.commitments.len() as u64) || stand.forks.contains(&row.run)
        })
    }

    /// Each up to the last operation that is shown of it.
    fn lists(self, rows: &[OperationRow]) -> Vec<Chain> {
        let list = |(key, stand): (ChainKey, Stand)| {
            let main = stand.main?;
            let of_main = rows.iter().filter(|row| row.chain == key && row.run == main.number);
            let last = of_main.map(|row| row.seq).max()?;
            Some(Chain {
                device: key.device,
                incarnation: key.incarnation,
                start: main.before,
                commitments: stand.commitments.into_iter().take(last as usize + 1).collect(),
            })
        };
        self.0.into_iter().filter_map(list).collect()
    }
}

/// Sizes of the key log whose heads a reader must be shown: after the enrolment and the revocation of every key that the
/// operations rest on and of the server's own keys, and the newest.
fn heads_needed(keys: &KeyLog, operations: &[LoggedOperation]) -> BTreeSet<u64> {
    let mut used: Vec<&EnrolledKey> = keys.keys().map(|(_, key)| key).filter(|key| key.is_servers()).collect();
    for logged in operations {
        let header = logged.operation.header();
        used.extend(keys.operation_key(&header.device, &header.incarnation));
        let carried = logged.operation.body().and_then(|body| body.get("attest/key"));
        used.extend(carried.and_then(|v| keys.key(&KeyId::from_bytes(v.as_bytes()?.try_into().ok()?))));
    }
    let entries = used.into_iter().flat_map(|key| [Some(key.enrolled_at), key.revoked_at]);
    entries.flatten().map(|entry| entry + 1).chain([keys.size()]).collect()
}

fn verified(row: &OperationRow, keys: &KeyLog) -> Result<VerifiedOperation, ExportError> {
    let corrupt = |why: String| ExportError::Corrupt(format!("leaf {}: {why}", row.leaf));
    let frame = if row.spoiled {
        bare(&row.frame)
    } else {
        Some(row.frame.clone())
    };
    let operation = Operation::parse(&frame.unwrap_or_default()).map_err(|e| corrupt(e.to_string()))?;
    let key = keys
        .operation_key(&row.chain.device, &row.chain.incarnation)
        .ok_or_else(|| corrupt("no key".into()))?;
    let key = key.record.key().map_err(|e| corrupt(e.to_string()))?;
    operation.verify(&key).map_err(|e| corrupt(e.to_string()))
}
