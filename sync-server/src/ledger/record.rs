//! What a ledger holds, as plain values.

use fieldseal_proof::ids::{CaseId, Commitment, DeviceId, IncarnationId, Link, OpId};

/// One incarnation of one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChainKey {
    pub device: DeviceId,
    pub incarnation: IncarnationId,
}

/// How a run of operations hangs together with the rest of its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// From seq 0 without a gap; the first branch that arrived.
    Main,
    /// Begins beyond the main head; what lies between has not arrived.
    Gap,
    /// Contradicts an operation that arrived before it. Both branches are kept.
    Fork,
}

/// A contiguous run of operations of one chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Its name within the chain; main is 0.
    pub number: u64,
    pub state: RunState,
    pub first_seq: u64,
    /// Device link before the first operation.
    pub before: Link,
    pub last_seq: u64,
    /// Device link after the last operation.
    pub link: Link,
    /// For a fork: the operation that arrived first at the place where the branches part.
    pub fork: Option<(u64, Commitment)>,
}

/// The runs of one incarnation, and the version that a change has to name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    pub key: ChainKey,
    /// 0 for a chain that is not stored yet.
    pub version: u64,
    pub runs: Vec<Run>,
}

impl Chain {
    /// A chain of which nothing has arrived.
    pub fn unknown(key: ChainKey) -> Self {
        Self {
            key,
            version: 0,
            runs: Vec::new(),
        }
    }

    /// The contiguous run from seq 0.
    pub fn main(&self) -> Option<&Run> {
        self.runs.iter().find(|run| run.state == RunState::Main)
    }
}

/// An operation as stored, without its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    pub seq: u64,
    pub run: u64,
    pub leaf: u64,
    pub id: OpId,
    pub commitment: Commitment,
    pub link: Link,
    pub case: Option<CaseId>,
    pub stream: [u8; 16],
    pub counter: u64,
}

/// An admitted operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationRow {
    /// Order of arrival, from 1.
    pub arrival: u64,
    pub leaf: u64,
    pub chain: ChainKey,
    pub run: u64,
    pub seq: u64,
    pub id: OpId,
    pub commitment: Commitment,
    pub link: Link,
    pub case: Option<CaseId>,
    /// Arrival of the first operation that came with it.
    pub batch: u64,
    pub received_ms: u64,
    /// Header and signature hold, the body does not.
    pub spoiled: bool,
    /// The envelope as it came.
    pub frame: Vec<u8>,
}

/// Last counter and id of one stream of one chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamHead {
    pub chain: ChainKey,
    pub stream: [u8; 16],
    pub case: Option<CaseId>,
    pub counter: u64,
    pub id: OpId,
    pub leaf: u64,
}

/// An entry of the key log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyLogRow {
    pub index: u64,
    pub frame: Vec<u8>,
    /// Where it takes effect: leaf of the head right after it.
    pub leaf: u64,
}

/// A small named value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    pub key: Vec<u8>,
    /// Counts changes, from 1.
    pub version: u64,
    pub value: Vec<u8>,
}

/// An operation names a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobRef {
    pub sha256: [u8; 32],
    pub device: DeviceId,
    pub leaf: u64,
    pub case: Option<CaseId>,
}

/// Which operations a reader may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedScope {
    /// Everything: supervisors, and the server itself.
    All,
    /// Only these cases (to fill up what happened in them before the reader was named).
    Cases(Vec<CaseId>),
    /// The registry, its own operations, those addressed to it, and these cases.
    Device { device: DeviceId, cases: Vec<CaseId> },
}

/// One write of one path, for the fold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteRow {
    pub scope: [u8; 16],
    pub path: String,
    pub op: OpId,
    pub leaf: u64,
    pub value: Option<Vec<u8>>,
    /// hlc_ms (8) ‖ hlc_counter (2) ‖ device (16) ‖ incarnation (16) ‖ seq (8), big-endian.
    pub key: Vec<u8>,
    pub supersedes: Vec<OpId>,
}

/// What the writes of a path come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldRow {
    pub scope: [u8; 16],
    pub path: String,
    pub class: String,
    pub outcome: String,
    pub provisional: bool,
    /// CBOR: an array of `[value bytes, [op id…]]`; a withheld value is an empty byte string.
    pub held: Vec<u8>,
}

/// A device or officer is named in a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MemberRow {
    pub subject: [u8; 16],
    pub case: CaseId,
    /// Arrival of the operation that named it.
    pub since: u64,
}

/// Which lines of the access log are looked for; what is `None` is not asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessFilter {
    pub action: Option<String>,
    pub target: Option<String>,
    pub who: Option<String>,
}

/// One line of the access log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    pub at_ms: u64,
    pub who: String,
    pub action: String,
    pub target: String,
}
