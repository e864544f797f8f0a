//! The two states of a piece of evidence on a device.

use std::io::Read;

use fieldseal_proof::ids::{BlobHash, CaseId, EvidenceId, InspectionId, OpId, SessionId};

use super::Intent;
use crate::domain::EvidenceSeal;
use crate::media::{self, MediaFacts};
use crate::operation::NewOperation;
use crate::store::{AppendWith, BlobState, Store, StoreError, insert_blob};
use crate::vault::{OnFailure, Vault, VaultError, VaultFile};

/// Evidence whose original bytes lie complete and durable in the vault. No operation speaks of it yet; if the device stops
/// here, the next start finds it.
#[derive(Debug, Clone)]
pub struct Capture {
    file: VaultFile,
    facts: MediaFacts,
    cut: bool,
}

/// Evidence that a signed operation of this device names. Only [`Capture::seal`] makes one.
#[derive(Debug, Clone)]
pub struct SealedEvidence {
    evidence: EvidenceId,
    operation: OpId,
    file: VaultFile,
}

impl Capture {
    /// Takes everything a source gives, hashing the original bytes once on the way into the vault, then reads what the file
    /// says of itself. Empty and broken files are taken as they are.
    ///
    /// # Errors
    /// As [`Vault::write`].
    pub fn take(vault: &Vault, source: &mut dyn Read, on_failure: OnFailure) -> Result<Self, VaultError> {
        let file = vault.write(source, on_failure)?;
        Self::of_file(vault, file)
    }

    /// As [`Capture::take`] for a file, with what will be said about the evidence kept in the vault's file itself: if the
    /// device stops before the operation is signed, the next start knows where the file belongs.
    ///
    /// # Errors
    /// As [`Vault::write`].
    pub fn import_for(vault: &Vault, source: &mut dyn Read, intent: &Intent) -> Result<Self, VaultError> {
        let file = vault.write_for(source, OnFailure::Discard, Some(&intent.encode()))?;
        Self::of_file(vault, file)
    }

    /// As [`Capture::import_for`] for a camera or recorder: when room runs out, above `floor` bytes that stay free, what was
    /// recorded until then is the capture.
    ///
    /// # Errors
    /// As [`Vault::record`].
    pub fn record_for(vault: &Vault, source: &mut dyn Read, floor: u64, intent: &Intent) -> Result<Self, VaultError> {
        let recorded = vault.record(source, floor, Some(&intent.encode()))?;
        Ok(Self {
            cut: recorded.cut,
            ..Self::of_file(vault, recorded.file)?
        })
    }

    /// A file that lies in the vault already.
    ///
    /// # Errors
    /// When it cannot be read or is not what was written.
    pub fn of_file(vault: &Vault, file: VaultFile) -> Result<Self, VaultError> {
        let facts = media::read(vault.read(&file.name)?, file.size);
        Ok(Self {
            file,
            facts,
            cut: false,
        })
    }

    /// Whether room ran out before the source ended.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// SHA-256 of the original bytes.
    pub fn sha256(&self) -> BlobHash {
        self.file.sha256
    }

    /// Number of original bytes.
    pub fn size(&self) -> u64 {
        self.file.size
    }

    /// Media type by content.
    pub fn media_type(&self) -> &str {
        &self.facts.media_type
    }

    /// What the file says of itself, which proves nothing, and what is odd about it.
    pub fn facts(&self) -> &MediaFacts {
        &self.facts
    }

    /// The vault's file.
    pub fn file(&self) -> &VaultFile {
        &self.file
    }

    /// Signs what is said about these bytes, together with the vault's row.
    ///
    /// # Errors
    /// As [`Store::append`]; the capture stays in the vault and the next start finds it.
    pub fn seal(
        self,
        store: &Store,
        case: CaseId,
        inspection: InspectionId,
        seal: EvidenceSeal,
        session: Option<SessionId>,
    ) -> Result<SealedEvidence, StoreError> {
        let evidence = seal.evidence;
        let (kind, fields) = seal.act().into_parts();
        let new = NewOperation {
            fields,
            ..NewOperation::new(kind.as_str())
        }
        .in_inspection(case, inspection);
        let now_ms = store.clock().now().wall_ms;
        let along = |tx: &rusqlite::Transaction<'_>| {
            insert_blob(tx, &self.file, &self.facts.media_type, BlobState::Sealed, true, now_ms)
        };
        let with = AppendWith {
            session,
            along: Some(&along),
            ..AppendWith::default()
        };
        let operation = store.append_with(new, &with, &|_| Ok(()))?;
        Ok(SealedEvidence {
            evidence,
            operation,
            file: self.file,
        })
    }
}

impl SealedEvidence {
    /// Its id.
    pub fn evidence(&self) -> EvidenceId {
        self.evidence
    }

    /// The operation that names it.
    pub fn operation(&self) -> OpId {
        self.operation
    }

    /// The vault's file.
    pub fn file(&self) -> &VaultFile {
        &self.file
    }
}
