//! One write of one path by one operation.

use std::sync::Arc;

use fieldseal_proof::ids::{DeviceId, IncarnationId, OpId};

/// The order among concurrent writes: clock, then device, incarnation and sequence. It chooses, it never dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MergeKey {
    /// Hybrid logical clock, milliseconds since 1970.
    pub hlc_ms: u64,
    /// Hybrid logical clock, counter within the millisecond.
    pub hlc_counter: u16,
    pub device: DeviceId,
    pub incarnation: IncarnationId,
    pub seq: u64,
}

/// A write of one path. All writes given to [`resolve_path`](super::resolve_path) are of the same path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    pub id: OpId,
    pub key: MergeKey,
    /// The encoded CBOR value; `None` when it is withheld. A withheld value is unequal to every other.
    pub value: Option<Vec<u8>>,
    /// Everything the operation supersedes; ids that do not write this path are ignored here.
    pub supersedes: Arc<[OpId]>,
    /// Set aside by a disposition: it writes nothing but passes reachability on.
    pub quarantined: bool,
}
