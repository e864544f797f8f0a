//! The one way to change a ledger: a list of guarded changes that happen together or not at all.

use fieldseal_proof::ids::{CaseId, Commitment, DeviceId, Link, OpId};

use super::{Access, Chain, FieldRow, KeyLogRow, LineRow, MemberRow, StreamHead, WriteRow};

/// Guarded changes. The default changes nothing.
#[derive(Debug, Default)]
pub struct Commit {
    pub batch: Option<NewBatch>,
    pub key_log: Option<KeyLogAppend>,
    pub registers: Vec<Swap>,
    /// Derived rows; replaced by key.
    pub writes: Vec<WriteRow>,
    /// Derived rows; replaced by key. An outcome of `absent` removes the row.
    pub fields: Vec<FieldRow>,
    /// Derived rows; the least `since` of a key stays.
    pub members: Vec<MemberRow>,
    /// Derived rows; replaced by kind and id.
    pub lines: Vec<LineRow>,
    pub accesses: Vec<Access>,
    /// Leaves to append whose operations are not held: read from entry bundles when a server is restored.
    pub awaited: Vec<[u8; 32]>,
    /// Drop all derived rows first: only for a rebuild.
    pub drop_views: bool,
}

impl Commit {
    /// Only these registers.
    pub fn of(registers: Vec<Swap>) -> Self {
        Self {
            registers,
            ..Self::default()
        }
    }
}

/// Operations of one chain that arrive together.
#[derive(Debug)]
pub struct NewBatch {
    /// The chain as it will be. `version` names the version it was decided on (0 = not stored); the store adds one.
    pub chain: Chain,
    pub operations: Vec<NewOperation>,
    /// Stream heads as they will be.
    /// Stream heads as they will be; the store fills in `leaf` where it is `u64::MAX` from the operation with that id.
    pub streams: Vec<StreamHead>,
    /// Runs that closed a gap: their operations now lie in another run `(from, to)`.
    pub moved: Vec<(u64, u64)>,
    pub received_ms: u64,
}

/// An operation that was checked and placed.
#[derive(Debug)]
pub struct NewOperation {
    pub id: OpId,
    pub commitment: Commitment,
    pub run: u64,
    pub seq: u64,
    pub link: Link,
    pub kind: String,
    pub case: Option<CaseId>,
    pub stream: [u8; 16],
    pub counter: u64,
    pub audience: Option<DeviceId>,
    pub spoiled: bool,
    /// Hashes of the blobs that its body names.
    pub blobs: Vec<[u8; 32]>,
    pub frame: Vec<u8>,
}

/// Entries to append to the key log.
#[derive(Debug)]
pub struct KeyLogAppend {
    /// Number of entries it was checked against.
    pub expected: u64,
    pub frames: Vec<Vec<u8>>,
    /// Leaf of the head after each frame, appended to the tree in this order: an entry takes effect at its own head's index,
    /// so that nobody can choose a later head to date it by.
    pub leaves: Vec<[u8; 32]>,
}

/// What a register must be for a swap to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// It does not exist.
    Absent,
    /// It has this version.
    Version(u64),
    /// Whatever it is: for values that only say what happened last.
    Any,
}

/// A guarded change of one register.
#[derive(Debug, Clone)]
pub struct Swap {
    pub space: &'static str,
    pub key: Vec<u8>,
    pub expect: Expect,
    /// `None` removes it.
    pub value: Option<Vec<u8>>,
}

impl Swap {
    /// A new register; conflicts when it exists.
    pub fn create(space: &'static str, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        Self {
            space,
            key: key.into(),
            expect: Expect::Absent,
            value: Some(value.into()),
        }
    }

    /// The next value of a register read at `version` (0: it did not exist).
    pub fn update(space: &'static str, key: impl Into<Vec<u8>>, version: u64, value: impl Into<Vec<u8>>) -> Self {
        let expect = if version == 0 {
            Expect::Absent
        } else {
            Expect::Version(version)
        };
        Self {
            space,
            key: key.into(),
            expect,
            value: Some(value.into()),
        }
    }

    /// A value that replaces whatever is there.
    pub fn set(space: &'static str, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        Self {
            space,
            key: key.into(),
            expect: Expect::Any,
            value: Some(value.into()),
        }
    }

    /// Removes a register whatever it is.
    pub fn remove(space: &'static str, key: impl Into<Vec<u8>>) -> Self {
        Self {
            space,
            key: key.into(),
            expect: Expect::Any,
            value: None,
        }
    }
}

/// What a commit did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Committed {
    /// Leaf of each operation, in the order given.
    pub leaves: Vec<u64>,
    /// Number of leaves after it.
    pub size: u64,
    /// The key log entries appended.
    pub key_log: Vec<KeyLogRow>,
}
