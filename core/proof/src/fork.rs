//! Equivocation: two operations of a device that cannot both be its history (`formats/operation.md`, Same, duplicate, fork).

use crate::cbor::{self, CborError, FieldError, MapReader, MapWriter, Value};
use crate::ids::TenantId;
use crate::key_log::{KeyLog, KeyLogError, KeyLogFrame, MAX_ENTRIES};
use crate::operation::{Operation, OperationError, VerifiedOperation, link_origin};
use crate::suite::{PublicKey, SignatureError};

/// In what two operations of one device clash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fork {
    /// The same id under two signatures.
    SignedTwice,
    /// The same place in the incarnation.
    Seq,
    /// The same link before it, in whatever incarnation; but every incarnation may open at the device's origin link.
    Prev,
    /// The same counter in a stream.
    Counter,
}

impl Fork {
    /// A stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Fork::SignedTwice => "signed-twice",
            Fork::Seq => "seq",
            Fork::Prev => "prev",
            Fork::Counter => "counter",
        }
    }
}

/// Whether two verified operations prove that their device equivocated; a duplicate is none.
pub fn between(one: &VerifiedOperation, other: &VerifiedOperation) -> Option<Fork> {
    let (a, b) = (one.header(), other.header());
    if (a.tenant, a.device) != (b.tenant, b.device) || one.commitment() == other.commitment() {
        return None;
    }
    let same_life = a.incarnation == b.incarnation;
    if one.header_bytes() == other.header_bytes() {
        Some(Fork::SignedTwice)
    } else if same_life && a.seq == b.seq {
        Some(Fork::Seq)
    } else if a.prev == b.prev && (same_life || a.prev != link_origin(&a.tenant, &a.device) || (a.seq, b.seq) != (0, 0))
    {
        Some(Fork::Prev)
    } else if same_life && a.stream() == b.stream() && a.counter == b.counter {
        Some(Fork::Counter)
    } else {
        None
    }
}

/// A proof of equivocation that stands alone (`formats/operation.md`, Fork proof): two signed headers and the key log up to the
/// entries that enrol their keys. No body, no name: whoever is given it learns nothing but that the device signed both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForkProof {
    /// The two frames, without bodies; the one that arrived first at the server comes first.
    pub operations: [Vec<u8>; 2],
    /// Key log frames from entry 0 on, without attributes.
    pub key_log: Vec<Vec<u8>>,
}

/// What a fork proof shows once everything in it holds. Whether it counts depends on the root, which is known from elsewhere.
#[derive(Debug, Clone)]
pub struct ShownFork {
    /// Agency.
    pub tenant: TenantId,
    /// Root key of the key log in the proof.
    pub root: PublicKey,
    /// In what the two clash.
    pub fork: Fork,
    /// The two operations, checked.
    pub operations: [VerifiedOperation; 2],
}

/// Why a fork proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForkError {
    /// Not CBOR in the deterministic form.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// Not the map that a fork proof is.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The form of a part.
    #[error("{0}")]
    Form(&'static str),
    /// An operation does not parse.
    #[error(transparent)]
    Operation(#[from] OperationError),
    /// The key log breaks a rule.
    #[error(transparent)]
    KeyLog(#[from] KeyLogError),
    /// The key log gives no key for an operation's device and incarnation.
    #[error("the key log does not enrol the key of operation {0}")]
    NoKey(usize),
    /// A signature does not hold.
    #[error("operation {at}: {why}")]
    Signature {
        /// Which of the two.
        at: usize,
        /// What fails.
        why: SignatureError,
    },
    /// Both hold, and nothing in them contradicts.
    #[error("the two operations do not contradict each other")]
    NoFork,
}

impl ForkProof {
    /// Makes one from two stored frames and the key log; bodies, attributes and entries that are not needed are left out.
    ///
    /// # Errors
    /// When a frame does not parse, or the key log does not enrol both keys.
    pub fn of<'a>(operations: [&[u8]; 2], key_log: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, ForkError> {
        let bare = |frame: &[u8]| Operation::parse(frame).and_then(|operation| operation.with_body(None));
        let [first, second] = operations;
        let operations = [bare(first)?, bare(second)?];
        let mut log = KeyLog::new(operations[0].header().tenant);
        let mut frames = Vec::new();
        for bytes in key_log {
            if keys_of(&log, &operations).is_ok() {
                break;
            }
            let frame = KeyLogFrame { attrs: None, ..KeyLogFrame::decode(bytes)? };
            log.append(&frame)?;
            frames.push(frame.encode());
        }
        keys_of(&log, &operations)?;
        Ok(Self { operations: operations.map(|operation| operation.frame()), key_log: frames })
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let all = |frames: &[Vec<u8>]| Value::Array(frames.iter().map(Value::bytes).collect());
        MapWriter::default().put(0, Value::Uint(0)).put(1, all(&self.operations)).put(2, all(&self.key_log)).encode()
    }

    /// Reads a file; nothing of it is checked yet.
    pub fn decode(bytes: &[u8]) -> Result<Self, ForkError> {
        let decoded = cbor::decode(bytes)?;
        let map = MapReader::only(&decoded, "fork proof", 2)?;
        if map.uint(0)? != 0 {
            return Err(ForkError::Form("another version of the form"));
        }
        let all = |values: &[Value]| -> Option<Vec<Vec<u8>>> {
            values.iter().map(|value| value.as_bytes().map(<[u8]>::to_vec)).collect()
        };
        let operations = all(map.array(1)?).ok_or(ForkError::Form("an operation is no byte string"))?;
        let key_log = all(map.array(2)?).ok_or(ForkError::Form("a key log frame is no byte string"))?;
        if key_log.len() as u64 > MAX_ENTRIES {
            return Err(ForkError::Form("too many key log entries"));
        }
        let operations = operations.try_into().map_err(|_| ForkError::Form("not two operations"))?;
        Ok(Self { operations, key_log })
    }

    /// Checks everything that stands in the proof.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn verify(&self) -> Result<ShownFork, ForkError> {
        let [first, second] = &self.operations;
        let operations = [Operation::parse(first)?, Operation::parse(second)?];
        if operations.iter().any(|operation| operation.body().is_some()) {
            return Err(ForkError::Form("an operation with its body"));
        }
        let tenant = operations[0].header().tenant;
        let mut log = KeyLog::new(tenant);
        for bytes in &self.key_log {
            let frame = KeyLogFrame::decode(bytes)?;
            if frame.attrs.is_some() {
                return Err(ForkError::Form("a key log entry with its attributes"));
            }
            log.append(&frame)?;
        }
        let root = log.root().ok_or(ForkError::NoKey(0))?.record.key();
        let root = root.map_err(|why| ForkError::Signature { at: 0, why })?;
        let [first_key, second_key] = keys_of(&log, &operations)?;
        let [first, second] = operations;
        let first = first.verify(&first_key).map_err(|why| ForkError::Signature { at: 0, why })?;
        let second = second.verify(&second_key).map_err(|why| ForkError::Signature { at: 1, why })?;
        let fork = between(&first, &second).ok_or(ForkError::NoFork)?;
        Ok(ShownFork { tenant, root, fork, operations: [first, second] })
    }
}

/// The operation keys that the key log gives for two operations.
fn keys_of(log: &KeyLog, operations: &[Operation; 2]) -> Result<[PublicKey; 2], ForkError> {
    let key = |at: usize| {
        let header = operations[at].header();
        let enrolled = log.operation_key(&header.device, &header.incarnation).ok_or(ForkError::NoKey(at))?;
        enrolled.record.key().map_err(|why| ForkError::Signature { at, why })
    };
    Ok([key(0)?, key(1)?])
}
