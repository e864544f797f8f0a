//! What goes into a bundle, gathered by the server from its ledger.

use fieldseal_proof::checkpoint::AttestationKind;
use fieldseal_proof::hash::Digest32;
use fieldseal_proof::ids::{BlobHash, CaseId, Commitment, DeviceId, IncarnationId, Link};
use fieldseal_proof::key_log::KeyLog;
use fieldseal_proof::note::SignedNote;
use fieldseal_proof::operation::VerifiedOperation;

/// An operation of the case with its place under the bundle's checkpoint.
pub struct LoggedOperation {
    /// The operation; a partial body withholds fields.
    pub operation: VerifiedOperation,
    /// Leaf index.
    pub index: u64,
    /// Inclusion proof in the bundle's checkpoint.
    pub inclusion: Vec<Digest32>,
}

/// One device incarnation's chain up to its last operation in the bundle.
pub struct Chain {
    /// Device.
    pub device: DeviceId,
    /// Incarnation.
    pub incarnation: IncarnationId,
    /// Link before seq 0.
    pub start: Link,
    /// Commitments of seq 0, 1, …
    pub commitments: Vec<Commitment>,
}

/// Which folder a blob belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobClass {
    /// `data/evidence/`, original bytes.
    Evidence,
    /// `data/documents/`, PDFs.
    Document,
}

/// Bytes that an operation of the bundle seals and that have arrived.
pub struct BlobEntry {
    /// SHA-256 of the bytes.
    pub sha256: BlobHash,
    /// Which folder.
    pub class: BlobClass,
    /// File name extension without dot, by content; `a-z0-9` only.
    pub extension: String,
}

/// Everything of a bundle but the blobs' bytes.
pub struct Contents {
    /// The case.
    pub case: CaseId,
    /// The checkpoint with its cosignature lines.
    pub checkpoint: SignedNote,
    /// All key log frames, concatenated.
    pub key_log: Vec<u8>,
    /// The same, checked.
    pub keys: KeyLog,
    /// Key log heads to be placed: size, leaf index, inclusion proof.
    pub key_log_proofs: Vec<(u64, u64, Vec<Digest32>)>,
    /// The case's operations.
    pub operations: Vec<LoggedOperation>,
    /// Chains of their devices.
    pub chains: Vec<Chain>,
    /// Time attestations: those named by anchors, and those for upper bounds.
    pub attestations: Vec<(AttestationKind, Vec<u8>)>,
    /// Consistency proofs from attested sizes to the checkpoint.
    pub consistency: Vec<(u64, Vec<Digest32>)>,
    /// Batch receipts: device, incarnation, last seq, bytes.
    pub receipts: Vec<(DeviceId, IncarnationId, u64, Vec<u8>)>,
    /// Blobs that have arrived.
    pub blobs: Vec<BlobEntry>,
    /// The readable view, derived from the operations.
    pub view: serde_json::Value,
}
