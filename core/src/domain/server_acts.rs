//! What the server's ingest device writes, and the closing that a tablet writes: facts about other operations.

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{DeviceId, IncarnationId, KeyLogHead, OpId};

use super::{Act, Kind};
use crate::merge::Standing;

/// How far somebody holds one stream of one device's life: the last counter and the operation that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    pub device: DeviceId,
    pub incarnation: IncarnationId,
    /// Inspection, case or device.
    pub stream: [u8; 16],
    pub last_counter: u64,
    pub last_id: OpId,
}

/// A disposition of an admitted operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disposition {
    pub target: OpId,
    pub state: Standing,
    /// Reason code of merge.md.
    pub reason: &'static str,
    /// The supervisor's `quarantine.decide`.
    pub decision: Option<OpId>,
}

/// The `disposition` operation.
pub fn disposition(of: Disposition) -> Act {
    Act::new(Kind::Disposition)
        .put("disposition/target", Value::bytes(of.target.as_bytes()))
        .text("disposition/state", of.state.name())
        .text("disposition/reason", of.reason)
        .put_opt(
            "disposition/decision",
            of.decision.map(|id| Value::bytes(id.as_bytes())),
        )
}

/// The `inspection.close` operation: everything its author holds in the stream of the inspection, itself excluded.
pub fn inspection_close(held: &[Held]) -> Act {
    held.iter().fold(Act::new(Kind::InspectionClose), |act, one| {
        act.put(format!("closing/held/{}/{}", one.device, one.incarnation), last_of(one))
    })
}

/// The `roll` operation of a case as of a tree size (roll.md).
pub fn roll(size: u64, key_log: (u64, KeyLogHead), streams: &[Held]) -> Act {
    let act = Act::new(Kind::Roll).put("roll/size", Value::Uint(size)).put(
        "roll/key_log",
        Value::Array(vec![Value::Uint(key_log.0), Value::bytes(key_log.1.as_bytes())]),
    );
    streams.iter().fold(act, |act, one| {
        let stream = fieldseal_proof::ids::ItemId::from_bytes(one.stream);
        act.put(
            format!("roll/stream/{}/{}/{stream}", one.device, one.incarnation),
            last_of(one),
        )
    })
}

fn last_of(held: &Held) -> Value {
    Value::Array(vec![
        Value::Uint(held.last_counter),
        Value::bytes(held.last_id.as_bytes()),
    ])
}
