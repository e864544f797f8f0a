//! The server's signed promises (`formats/receipts.md`).

use crate::cbor::{self, FieldError, MapReader, MapWriter, Value};
use crate::checkpoint::Checkpoint;
use crate::dsse;
use crate::ids::{BlobHash, Commitment, DeviceId, Epoch, IncarnationId, KeyId, Link, TenantId};
use crate::note::{NoteError, SignedNote, VerifierKey};
use crate::suite::{PublicKey, SignError, SignatureError, Signer};

/// A receipt that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Not deterministic CBOR.
    #[error("receipt: {0}")]
    Cbor(#[from] cbor::CborError),
    /// A field is missing or of another type.
    #[error("receipt: {0}")]
    Field(#[from] FieldError),
    /// A rule of the page is broken.
    #[error("receipt: {0}")]
    Rule(&'static str),
    /// The signature does not hold.
    #[error("receipt: {0}")]
    Signature(#[from] SignatureError),
    /// The checkpoint of an index receipt does not hold.
    #[error("receipt: {0}")]
    Note(#[from] NoteError),
}

/// "Received": every operation of the chain up to `last_seq` will be in the log by the deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchReceipt {
    /// Agency.
    pub tenant: TenantId,
    /// The log.
    pub origin: String,
    /// Key of the log.
    pub log_key: KeyId,
    /// The server's life.
    pub epoch: Epoch,
    /// Whose operations.
    pub device: DeviceId,
    /// Of which incarnation.
    pub incarnation: IncarnationId,
    /// First operation of the batch.
    pub first_seq: u64,
    /// Last operation of the batch.
    pub last_seq: u64,
    /// Device link after it.
    pub link: Link,
    /// Server clock, milliseconds since 1970.
    pub received_ms: u64,
    /// By when they are in the log.
    pub deadline_ms: u64,
    /// For a forked branch: where it left the first one.
    pub fork: Option<(u64, Commitment)>,
}

impl BatchReceipt {
    /// Signs; the result is the stored and sent form.
    pub fn sign(&self, signer: &dyn Signer) -> Result<Vec<u8>, SignError> {
        let fork = self.fork.map(|(seq, c)| Value::Array(vec![Value::Uint(seq), Value::bytes(c.as_bytes())]));
        let receipt = MapWriter::default()
            .put(0, Value::Uint(0))
            .put(1, Value::bytes(self.tenant.as_bytes()))
            .put(2, Value::text(&self.origin))
            .put(3, Value::bytes(self.log_key.as_bytes()))
            .put(4, Value::bytes(self.epoch.as_bytes()))
            .put(5, Value::bytes(self.device.as_bytes()))
            .put(6, Value::bytes(self.incarnation.as_bytes()))
            .put(7, Value::Uint(self.first_seq))
            .put(8, Value::Uint(self.last_seq))
            .put(9, Value::bytes(self.link.as_bytes()))
            .put(10, Value::Uint(self.received_ms))
            .put(11, Value::Uint(self.deadline_ms))
            .put_opt(12, fork)
            .encode();
        seal(dsse::RECEIPT, receipt, signer)
    }

    /// Reads and checks a receipt under the ingest key.
    pub fn open(bytes: &[u8], key: &PublicKey) -> Result<Self, ReceiptError> {
        let decoded = open(dsse::RECEIPT, bytes, Some(key))?;
        Self::read(&decoded)
    }

    /// Reads a receipt without checking its signature, e.g. to learn which key it needs.
    pub fn peek(bytes: &[u8]) -> Result<Self, ReceiptError> {
        let decoded = open(dsse::RECEIPT, bytes, None)?;
        Self::read(&decoded)
    }

    fn read(decoded: &Value) -> Result<Self, ReceiptError> {
        let map = MapReader::new(decoded, "receipt")?;
        version_0(&map)?;
        let fork = match map.opt_array(12)? {
            None => None,
            Some([Value::Uint(seq), Value::Bytes(c)]) => {
                let c = c.as_slice().try_into().map_err(|_| ReceiptError::Rule("the fork is malformed"))?;
                Some((*seq, Commitment::from_bytes(c)))
            }
            Some(_) => return Err(ReceiptError::Rule("the fork is malformed")),
        };
        let receipt = Self {
            tenant: TenantId::from_bytes(map.fixed(1)?),
            origin: map.text(2)?.to_owned(),
            log_key: KeyId::from_bytes(map.fixed(3)?),
            epoch: Epoch::from_bytes(map.fixed(4)?),
            device: DeviceId::from_bytes(map.fixed(5)?),
            incarnation: IncarnationId::from_bytes(map.fixed(6)?),
            first_seq: map.uint(7)?,
            last_seq: map.uint(8)?,
            link: Link::from_bytes(map.fixed(9)?),
            received_ms: map.uint(10)?,
            deadline_ms: map.uint(11)?,
            fork,
        };
        if receipt.first_seq > receipt.last_seq {
            return Err(ReceiptError::Rule("the first seq is after the last"));
        }
        if receipt.fork.is_some_and(|(seq, _)| seq > receipt.last_seq) {
            return Err(ReceiptError::Rule("the fork is malformed"));
        }
        Ok(receipt)
    }
}

/// "The file arrived": the bytes were hashed, matched and made durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobReceipt {
    /// Agency.
    pub tenant: TenantId,
    /// SHA-256 of the bytes.
    pub sha256: BlobHash,
    /// How many bytes.
    pub size: u64,
    /// Server clock, milliseconds since 1970.
    pub received_ms: u64,
    /// The server's life.
    pub epoch: Epoch,
}

impl BlobReceipt {
    /// Signs; the result is the stored and sent form.
    pub fn sign(&self, signer: &dyn Signer) -> Result<Vec<u8>, SignError> {
        let receipt = MapWriter::default()
            .put(0, Value::Uint(0))
            .put(1, Value::bytes(self.tenant.as_bytes()))
            .put(2, Value::bytes(self.sha256.as_bytes()))
            .put(3, Value::Uint(self.size))
            .put(4, Value::Uint(self.received_ms))
            .put(5, Value::bytes(self.epoch.as_bytes()))
            .encode();
        seal(dsse::BLOB_RECEIPT, receipt, signer)
    }

    /// Reads and checks a receipt under the ingest key.
    pub fn open(bytes: &[u8], key: &PublicKey) -> Result<Self, ReceiptError> {
        let decoded = open(dsse::BLOB_RECEIPT, bytes, Some(key))?;
        let map = MapReader::new(&decoded, "blob receipt")?;
        version_0(&map)?;
        Ok(Self {
            tenant: TenantId::from_bytes(map.fixed(1)?),
            sha256: BlobHash::from_bytes(map.fixed(2)?),
            size: map.uint(3)?,
            received_ms: map.uint(4)?,
            epoch: Epoch::from_bytes(map.fixed(5)?),
        })
    }
}

/// "Sealed in the log": where a chain's operations stand; the checkpoint carries the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexReceipt {
    /// Whose operations.
    pub device: DeviceId,
    /// Of which incarnation.
    pub incarnation: IncarnationId,
    /// (leaf index, first seq, count), ascending by seq.
    pub runs: Vec<(u64, u64, u64)>,
    /// The checkpoint note that covers them.
    pub checkpoint: Vec<u8>,
}

impl IndexReceipt {
    /// The stored and sent bytes.
    pub fn encode(&self) -> Vec<u8> {
        let run = |r: &(u64, u64, u64)| Value::Array([r.0, r.1, r.2].map(Value::Uint).into());
        MapWriter::default()
            .put(0, Value::Uint(0))
            .put(1, Value::bytes(self.device.as_bytes()))
            .put(2, Value::bytes(self.incarnation.as_bytes()))
            .put(3, Value::Array(self.runs.iter().map(run).collect()))
            .put(4, Value::bytes(&self.checkpoint))
            .encode()
    }

    /// Reads an index receipt.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReceiptError> {
        let decoded = cbor::decode(bytes)?;
        let map = MapReader::only(&decoded, "index receipt", 4)?;
        version_0(&map)?;
        let run = |v: &Value| match v.as_array() {
            Some([Value::Uint(index), Value::Uint(seq), Value::Uint(count)]) if *count > 0 => {
                index.checked_add(*count).and(seq.checked_add(*count)).map(|_| (*index, *seq, *count))
            }
            _ => None,
        };
        let runs: Option<Vec<_>> = map.array(3)?.iter().map(run).collect();
        let runs = runs.ok_or(ReceiptError::Rule("a run is malformed"))?;
        if runs.windows(2).any(|w| w[0].1 + w[0].2 > w[1].1) {
            return Err(ReceiptError::Rule("runs overlap or do not ascend"));
        }
        Ok(Self {
            device: DeviceId::from_bytes(map.fixed(1)?),
            incarnation: IncarnationId::from_bytes(map.fixed(2)?),
            runs,
            checkpoint: map.bytes(4)?.to_vec(),
        })
    }

    /// Reads an index receipt and checks its checkpoint under the log's key; every run must end inside the tree.
    pub fn open(bytes: &[u8], log: &VerifierKey) -> Result<(Self, Checkpoint), ReceiptError> {
        let receipt = Self::decode(bytes)?;
        let note = SignedNote::parse(&receipt.checkpoint)?;
        note.verify(log)?;
        let checkpoint = Checkpoint::of(&note)?;
        if receipt.runs.iter().any(|(index, _, count)| index + count > checkpoint.size) {
            return Err(ReceiptError::Rule("a run ends beyond the checkpoint"));
        }
        Ok((receipt, checkpoint))
    }

    /// Leaf index of an operation, if a run covers it.
    pub fn index_of(&self, seq: u64) -> Option<u64> {
        self.runs
            .iter()
            .find(|(_, first, count)| (*first..first + count).contains(&seq))
            .map(|(index, first, _)| index + seq - first)
    }
}

fn version_0(map: &MapReader) -> Result<(), ReceiptError> {
    (map.uint(0)? == 0).then_some(()).ok_or(ReceiptError::Rule("the version is not 0"))
}

fn seal(payload_type: &str, receipt: Vec<u8>, signer: &dyn Signer) -> Result<Vec<u8>, SignError> {
    let signature = signer.sign(payload_type, &receipt)?;
    Ok(MapWriter::default().put(0, Value::Bytes(receipt)).put(1, Value::bytes(signature)).encode())
}

fn open(payload_type: &str, bytes: &[u8], key: Option<&PublicKey>) -> Result<Value, ReceiptError> {
    let decoded = cbor::decode(bytes)?;
    let map = MapReader::only(&decoded, "receipt frame", 1)?;
    let receipt = map.bytes(0)?;
    if let Some(key) = key {
        key.verify(payload_type, receipt, map.bytes(1)?)?;
    }
    Ok(cbor::decode(receipt)?)
}
