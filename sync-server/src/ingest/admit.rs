//! A push, from bytes to a receipt.

use std::collections::HashMap;

use fieldseal_proof::body::FieldValue;
use fieldseal_proof::ids::{Commitment, Link, OpId};
use fieldseal_proof::operation::Operation;
use fieldseal_proof::receipt::BatchReceipt;

use super::frames::{self, Checked, FrameFault};
use super::plan::{Arrived, Outcome, Plan, plan};
use super::{Ingest, kinds};
use crate::ledger::{
    Chain, ChainKey, Commit, LedgerError, NewBatch, NewOperation, RunState, Stored, StreamHead, Swap, space,
};

/// By when an admitted operation is in the log. It takes about a second; the promise leaves room for a failed disk.
const PROMISE_MS: u64 = 24 * 3_600_000;

/// What became of one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperationResult {
    pub seq: u64,
    pub id: OpId,
    pub outcome: Outcome,
}

/// Answer to a push, given after the durable commit.
#[derive(Debug, Clone)]
pub struct Admission {
    /// Last operation of the contiguous chain that is held.
    pub head: Option<(u64, Link)>,
    pub results: Vec<OperationResult>,
    /// Framed batch receipt over what was kept; empty when nothing was.
    pub receipt: Vec<u8>,
    /// Why the batch ended early, if it did.
    pub fault: Option<FrameFault>,
}

/// Why a push could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdmitError {
    /// The key log has no operation key for this device and incarnation.
    #[error("this device or incarnation is not enrolled")]
    Unknown,
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("the receipt could not be signed: {0}")]
    Sign(String),
}

impl Ingest {
    /// Admits a batch of frames of one chain.
    ///
    /// # Errors
    /// Only where nothing could be decided. A batch that ends early is an [`Admission`] with a fault.
    pub async fn admit(&self, chain: ChainKey, batch: Vec<u8>) -> Result<Admission, AdmitError> {
        let key_log = self.key_log();
        let enrolled = key_log
            .log
            .operation_key(&chain.device, &chain.incarnation)
            .ok_or(AdmitError::Unknown)?;
        let key = enrolled.record.key().map_err(|_| AdmitError::Unknown)?;
        let tenant = self.tenant;
        // Signatures are checked before and outside every lock, on threads that may block.
        let (checked, fault) = tokio::task::spawn_blocking(move || frames::check(&batch, &tenant, chain, &key))
            .await
            .map_err(|e| LedgerError::Broken(e.to_string()))?;
        let (Some(first), Some(last)) = (checked.first(), checked.last()) else {
            let stored = self.chain(chain).await?;
            return Ok(Admission {
                head: stored.main().map(|m| (m.last_seq, m.link)),
                results: Vec::new(),
                receipt: Vec::new(),
                fault,
            });
        };
        let (first_seq, last_seq) = (first.operation.header().seq, last.operation.header().seq);
        let arrived: Vec<Arrived> = checked.iter().map(Checked::arrived).collect();
        loop {
            let chains = self.ledger.chains(chain.device).await?;
            let current = chains
                .iter()
                .find(|c| c.key == chain)
                .cloned()
                .unwrap_or_else(|| Chain::unknown(chain));
            let fresh = current.runs.iter().all(|run| run.last_seq < first_seq);
            let stored = if fresh {
                Vec::new()
            } else {
                self.ledger.stored(chain, first_seq, last_seq).await?
            };
            let plan = plan(&current, &stored, &arrived);
            let receipt = match self.earlier_receipt(chain, first_seq, last_seq, &plan).await? {
                Some(receipt) => receipt,
                None => self.receipt(chain, first_seq, last_seq, last.link, &plan)?,
            };
            if !plan.placed.is_empty() {
                let commit = self.commit_of(&chains, &plan, &checked, last_seq, &receipt).await?;
                match self.ledger.commit(commit).await {
                    Ok(_) => self.announce(),
                    // Somebody pushed to the same chain at the same time: decide again on what is there now.
                    Err(LedgerError::Conflict(_)) => continue,
                    Err(other) => return Err(other.into()),
                }
            }
            let results = checked.iter().zip(&plan.outcomes).map(|(c, outcome)| OperationResult {
                seq: c.operation.header().seq,
                id: c.id,
                outcome: *outcome,
            });
            return Ok(Admission {
                head: plan.chain.main().map(|m| (m.last_seq, m.link)),
                results: results.collect(),
                receipt,
                fault,
            });
        }
    }

    /// One chain as stored.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn chain(&self, key: ChainKey) -> Result<Chain, LedgerError> {
        let chains = self.ledger.chains(key.device).await?;
        Ok(chains
            .into_iter()
            .find(|chain| chain.key == key)
            .unwrap_or_else(|| Chain::unknown(key)))
    }

    /// The receipt given before for the same piece, so that a repeated push gets the same answer.
    async fn earlier_receipt(
        &self,
        chain: ChainKey,
        first_seq: u64,
        last_seq: u64,
        plan: &Plan,
    ) -> Result<Option<Vec<u8>>, LedgerError> {
        if !plan.placed.is_empty() {
            return Ok(None);
        }
        let held = self
            .ledger
            .register(space::RECEIPT, receipt_key(chain, last_seq))
            .await?;
        let covers =
            |bytes: &[u8]| BatchReceipt::peek(bytes).is_ok_and(|r| r.first_seq <= first_seq && r.epoch == self.epoch);
        Ok(held.map(|register| register.value).filter(|bytes| covers(bytes)))
    }

    fn receipt(
        &self,
        chain: ChainKey,
        first_seq: u64,
        last_seq: u64,
        link: Link,
        plan: &Plan,
    ) -> Result<Vec<u8>, AdmitError> {
        let received_ms = self.now_ms();
        let run = plan.chain.runs.iter().find(|run| run.number == plan.last_run);
        let receipt = BatchReceipt {
            tenant: self.tenant,
            origin: self.origin.clone(),
            log_key: self.keys.log.public_key_id(),
            epoch: self.epoch,
            device: chain.device,
            incarnation: chain.incarnation,
            first_seq,
            last_seq,
            link,
            received_ms,
            deadline_ms: received_ms + PROMISE_MS,
            fork: run.filter(|run| run.state == RunState::Fork).and_then(|run| run.fork),
        };
        receipt
            .sign(&*self.keys.operation.signer())
            .map_err(|e| AdmitError::Sign(e.to_string()))
    }

    async fn commit_of(
        &self,
        chains: &[Chain],
        plan: &Plan,
        checked: &[Checked],
        last_seq: u64,
        receipt: &[u8],
    ) -> Result<Commit, LedgerError> {
        let chain = plan.chain.key;
        let mut registers = vec![Swap::set(space::RECEIPT, receipt_key(chain, last_seq), receipt)];
        for (seq, first, at) in &plan.contradictions {
            registers.extend(self.equivocation(chain, *seq, *first, &checked[*at]).await?);
        }
        registers.extend(self.second_opening(chains, chain, plan, checked).await?);
        let streams = self.stream_heads(chain, plan, checked).await?;
        let operations = plan
            .placed
            .iter()
            .map(|(at, run)| new_operation(&checked[*at], *run))
            .collect();
        let batch = NewBatch {
            chain: plan.chain.clone(),
            operations,
            streams,
            moved: plan.moved.clone(),
            received_ms: self.now_ms(),
        };
        Ok(Commit {
            batch: Some(batch),
            registers,
            ..Commit::default()
        })
    }

    /// Proof of equivocation: the two headers with their signatures (operation.md).
    async fn equivocation(
        &self,
        chain: ChainKey,
        seq: u64,
        first: Commitment,
        second: &Checked,
    ) -> Result<Option<Swap>, LedgerError> {
        let stored = self.ledger.stored(chain, seq, seq).await?;
        let Some(held) = stored.iter().find(|s| s.commitment == first) else {
            return Ok(None);
        };
        let rows = self.ledger.operation(held.id).await?;
        let Some(row) = rows.iter().find(|row| row.commitment == first) else {
            return Ok(None);
        };
        Ok(contradiction(chain, seq, &row.frame, &second.frame))
    }

    /// Two operations of a device with the same link before them, in different incarnations, contradict each other as well.
    async fn second_opening(
        &self,
        chains: &[Chain],
        chain: ChainKey,
        plan: &Plan,
        checked: &[Checked],
    ) -> Result<Vec<Swap>, LedgerError> {
        let mut found = Vec::new();
        for other in chains.iter().filter(|other| other.key != chain) {
            for (at, _) in &plan.placed {
                let next = &checked[*at];
                let header = next.operation.header();
                let opening = header.seq == 0;
                let meets = other.runs.iter().any(|run| run.before == header.prev);
                if !opening && !meets {
                    continue;
                }
                // Rare: an incarnation opens once. The other chain is searched for the operation that follows the same link.
                let stored = self.ledger.stored(other.key, 0, u64::MAX).await?;
                // It follows it within its run, or its run begins there; an operation of another branch at the next number does not.
                let within = |s: &&Stored| {
                    s.seq > 0
                        && stored
                            .iter()
                            .any(|b| b.run == s.run && b.seq + 1 == s.seq && b.link == header.prev)
                };
                let begins = |s: &&Stored| {
                    other
                        .runs
                        .iter()
                        .any(|run| run.number == s.run && run.first_seq == s.seq && run.before == header.prev)
                };
                if let Some(same) = stored.iter().find(|s| within(s) || begins(s)) {
                    let rows = self.ledger.operation(same.id).await?;
                    found.extend(
                        rows.first()
                            .and_then(|row| contradiction(chain, header.seq, &row.frame, &next.frame)),
                    );
                }
            }
        }
        Ok(found)
    }

    /// Stream heads after this batch: only the main run counts, and only without a gap in the counter.
    async fn stream_heads(
        &self,
        chain: ChainKey,
        plan: &Plan,
        checked: &[Checked],
    ) -> Result<Vec<StreamHead>, LedgerError> {
        let main = plan.chain.main().map(|run| run.number);
        let mut heads: HashMap<[u8; 16], StreamHead> = self
            .ledger
            .streams(chain)
            .await?
            .into_iter()
            .map(|head| (head.stream, head))
            .collect();
        let mut changed: Vec<[u8; 16]> = Vec::new();
        let mut take = |next: StreamHead| {
            let expected = heads.get(&next.stream).map_or(0, |head| head.counter + 1);
            if next.counter == expected {
                heads.insert(next.stream, next);
                changed.push(next.stream);
            }
        };
        for (at, run) in &plan.placed {
            if Some(*run) == main {
                let (header, id) = (checked[*at].operation.header(), checked[*at].id);
                take(StreamHead {
                    chain,
                    stream: header.stream().id(),
                    case: header.case,
                    counter: header.counter,
                    id,
                    leaf: u64::MAX,
                });
            }
        }
        for (gap, into) in &plan.moved {
            if Some(*into) == main {
                for one in self
                    .ledger
                    .stored(chain, 0, u64::MAX)
                    .await?
                    .iter()
                    .filter(|one| one.run == *gap)
                {
                    take(StreamHead {
                        chain,
                        stream: one.stream,
                        case: one.case,
                        counter: one.counter,
                        id: one.id,
                        leaf: one.leaf,
                    });
                }
            }
        }
        changed.sort_unstable();
        changed.dedup();
        Ok(changed.iter().filter_map(|stream| heads.get(stream).copied()).collect())
    }
}

impl Checked {
    fn arrived(&self) -> Arrived {
        let header = self.operation.header();
        Arrived {
            seq: header.seq,
            prev: header.prev,
            link: self.link,
            commitment: self.commitment,
        }
    }
}

pub(super) fn new_operation(checked: &Checked, run: u64) -> NewOperation {
    let header = checked.operation.header();
    NewOperation {
        id: checked.id,
        commitment: checked.commitment,
        run,
        seq: header.seq,
        link: checked.link,
        kind: header.kind.clone(),
        case: header.case,
        stream: header.stream().id(),
        counter: header.counter,
        audience: None,
        spoiled: checked.spoiled,
        blobs: blobs_named(&checked.operation),
        frame: checked.frame.clone(),
    }
}

/// Hashes of blobs in the body: 32-byte values under paths that name a file by its hash.
pub(super) fn blobs_named(operation: &Operation) -> Vec<[u8; 32]> {
    let Some(body) = operation.body() else {
        return Vec::new();
    };
    let hash = |value: &FieldValue| match value {
        // A byte string of 32 bytes in deterministic CBOR: 0x58 0x20 and the bytes.
        FieldValue::Shown { value, .. } => value
            .strip_prefix(&[0x58, 0x20])
            .and_then(|b| <[u8; 32]>::try_from(b).ok()),
        FieldValue::Withheld(_) => None,
    };
    body.fields()
        .iter()
        .filter(|f| kinds::names_blob(&f.path))
        .filter_map(|f| hash(&f.value))
        .collect()
}

pub(crate) fn receipt_key(chain: ChainKey, last_seq: u64) -> Vec<u8> {
    [
        chain.device.as_bytes().as_slice(),
        chain.incarnation.as_bytes(),
        &last_seq.to_be_bytes(),
    ]
    .concat()
}

fn contradiction(chain: ChainKey, seq: u64, first: &[u8], second: &[u8]) -> Option<Swap> {
    let (first, second) = (frames::without_body(first)?, frames::without_body(second)?);
    let key = receipt_key(chain, seq);
    Some(Swap::set(space::EQUIVOCATION, key, [first, second].concat()))
}
