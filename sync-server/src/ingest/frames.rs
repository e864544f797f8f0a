//! Structure: is this a contiguous piece of one device's chain, signed by the key that the key log gives for it?

use fieldseal_proof::cbor::{self, MapReader, MapWriter};
use fieldseal_proof::ids::{Commitment, Link, OpId, TenantId};
use fieldseal_proof::operation::{MAX_FRAME, Operation, OperationError};
use fieldseal_proof::suite::PublicKey;

use crate::ledger::ChainKey;

/// Most operations in one push (wire.md).
pub const BATCH_OPERATIONS: usize = 500;
/// Below this many operations a second thread costs more than it saves.
const WORTH_A_THREAD: usize = 16;

/// No device writes so many operations; numbers above it would not fit the ledger's columns.
const PLACE_MOST: u64 = 1 << 62;

/// An operation whose structure and signature hold.
#[derive(Debug)]
pub struct Checked {
    pub operation: Operation,
    pub id: OpId,
    pub commitment: Commitment,
    pub link: Link,
    /// The body does not belong to the header; `operation` is without it, `frame` is as it came.
    pub spoiled: bool,
    pub frame: Vec<u8>,
}

/// Where and why a batch ends early. What came before is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameFault {
    /// Code of the message catalogue.
    pub code: &'static str,
    /// Place in the batch, from 0.
    pub at: usize,
    /// For the log and the client's developer; says what, not whose.
    pub detail: String,
}

/// Checks a batch. Everything up to the first fault is returned with it.
pub fn check(batch: &[u8], tenant: &TenantId, chain: ChainKey, key: &PublicKey) -> (Vec<Checked>, Option<FrameFault>) {
    let (frames, mut fault) = split(batch);
    let results = check_all(&frames, tenant, chain, key);
    let mut checked: Vec<Checked> = Vec::with_capacity(results.len());
    for (at, result) in results.into_iter().enumerate() {
        let next = match result {
            Ok(next) => next,
            Err((code, detail)) => {
                fault = Some(FrameFault { code, at, detail });
                break;
            }
        };
        if let Some(last) = checked.last() {
            let (before, header) = (last.operation.header(), next.operation.header());
            if header.seq != before.seq.wrapping_add(1) || header.prev != last.link {
                let code = if header.prev == last.link {
                    "frame_order"
                } else {
                    "frame_chain"
                };
                fault = Some(FrameFault {
                    code,
                    at,
                    detail: format!("seq {} does not continue seq {}", header.seq, before.seq),
                });
                break;
            }
        }
        checked.push(next);
    }
    (checked, fault)
}

/// Cuts the sequence into frames without looking into them.
fn split(batch: &[u8]) -> (Vec<&[u8]>, Option<FrameFault>) {
    let mut frames = Vec::new();
    let mut rest = batch;
    while !rest.is_empty() {
        let at = frames.len();
        if at == BATCH_OPERATIONS {
            return (
                frames,
                Some(FrameFault {
                    code: "frame_malformed",
                    at,
                    detail: format!("more than {BATCH_OPERATIONS} operations"),
                }),
            );
        }
        match cbor::decode_prefix(rest) {
            Ok((_, used)) if used <= MAX_FRAME => {
                frames.push(&rest[..used]);
                rest = &rest[used..];
            }
            Ok((_, used)) => {
                return (
                    frames,
                    Some(FrameFault {
                        code: "frame_malformed",
                        at,
                        detail: format!("{used} bytes"),
                    }),
                );
            }
            Err(e) => {
                return (
                    frames,
                    Some(FrameFault {
                        code: "frame_malformed",
                        at,
                        detail: e.to_string(),
                    }),
                );
            }
        }
    }
    (frames, None)
}

type CheckResult = Result<Checked, (&'static str, String)>;

fn check_all(frames: &[&[u8]], tenant: &TenantId, chain: ChainKey, key: &PublicKey) -> Vec<CheckResult> {
    let run = |part: &[&[u8]]| {
        part.iter()
            .map(|frame| check_one(frame, tenant, chain, key))
            .collect::<Vec<_>>()
    };
    if frames.len() < WORTH_A_THREAD {
        return run(frames);
    }
    let (left, right) = frames.split_at(frames.len() / 2);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| run(right));
        let mut results = run(left);
        match other.join() {
            Ok(more) => results.extend(more),
            Err(_) => results.push(Err(("frame_malformed", "the check did not finish".into()))),
        }
        results
    })
}

fn check_one(frame: &[u8], tenant: &TenantId, chain: ChainKey, key: &PublicKey) -> CheckResult {
    let (operation, spoiled) = match Operation::parse(frame) {
        Ok(operation) => (operation, false),
        // Header and signature are what is signed and logged. A body that does not belong to them takes nothing away from that.
        Err(OperationError::BodyRoot | OperationError::Body(_)) => {
            let bare = without_body(frame).ok_or(("frame_malformed", "the envelope".to_owned()))?;
            (
                Operation::parse(&bare).map_err(|e| ("frame_malformed", e.to_string()))?,
                true,
            )
        }
        Err(e) => return Err(("frame_malformed", e.to_string())),
    };
    let header = operation.header();
    if header.tenant != *tenant {
        return Err(("frame_malformed", "the operation is of another tenant".into()));
    }
    if (header.device, header.incarnation) != (chain.device, chain.incarnation) {
        return Err((
            "frame_malformed",
            "the operation is of another device or incarnation than the address says".into(),
        ));
    }
    if header.seq > PLACE_MOST || header.counter > PLACE_MOST {
        return Err(("frame_malformed", "a place in the chain beyond 2^62".into()));
    }
    let verified = operation.verify(key).map_err(|e| ("frame_signature", e.to_string()))?;
    let operation = verified.into_inner();
    let commitment = operation.commitment();
    let link = fieldseal_proof::operation::link_next(&operation.header().prev, &commitment);
    Ok(Checked {
        id: operation.id(),
        commitment,
        link,
        spoiled,
        frame: frame.to_vec(),
        operation,
    })
}

/// The envelope without its body.
pub(crate) fn without_body(frame: &[u8]) -> Option<Vec<u8>> {
    let value = cbor::decode(frame).ok()?;
    let map = MapReader::new(&value, "frame").ok()?;
    Some(
        MapWriter::default()
            .put(0, map.get(0)?.clone())
            .put(1, map.get(1)?.clone())
            .encode(),
    )
}
