//! What this server can check of one sealed item by itself, step by step. It is the server's own word: a hearing uses the bundle.

mod follow;
mod held;

use fieldseal_proof::attest::{Attestation, KIND as ATTEST, Place};
use fieldseal_proof::bundle::Verdict;
use fieldseal_proof::checkpoint::Checkpoint;
use fieldseal_proof::ids::KeyId;
use fieldseal_proof::merkle::{leaf_hash, prove_inclusion, verify_inclusion};
use fieldseal_proof::note::{SignedNote, VerifierKey};
use fieldseal_proof::operation::Operation;
use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};

use crate::ledger::LedgerError;
use crate::ledger::blob::{Stored, open_range};
use crate::projection::Entry;
use crate::server::Server;

pub use follow::{follow, sealed_items};
pub use held::{Held, check_sealed, held};

/// Files up to this size are hashed when a page asks; larger ones only when a person does.
pub const HASHED_AT_ONCE: u64 = 32 << 20;

/// What came of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Holds,
    Fails(String),
    /// Read, or not even read, but not checked.
    NotChecked,
}

/// What a step is about; the page has the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The device's signature under the key that the key log enrols.
    DeviceSignature,
    /// The key was in force when the operation was logged.
    KeyInForce,
    /// So many officers' signatures.
    OfficerSignatures(usize),
    /// Inclusion under the published checkpoint of this size.
    Inclusion(u64),
    /// SHA-256 of the stored bytes against the signed one.
    Bytes,
}

/// Everything that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemCheck {
    pub steps: Vec<(Subject, Outcome)>,
}

impl ItemCheck {
    /// The worst of the steps; `None`: something that was asked for was not checked. Never better than ANCHORED: who else saw
    /// the log is for a bundle to show.
    pub fn verdict(&self) -> Option<Verdict> {
        let fails = |outcome: &Outcome| matches!(outcome, Outcome::Fails(_));
        if self.steps.iter().any(|(_, outcome)| fails(outcome)) {
            return Some(Verdict::Invalid);
        }
        let open = self.steps.iter().any(|(_, outcome)| *outcome == Outcome::NotChecked);
        (!open).then_some(Verdict::Anchored)
    }
}

/// Why nothing could be said.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("{0}")]
    Task(String),
}

/// The bytes that belong to an operation.
#[derive(Debug, Clone)]
pub struct Bytes {
    /// As the operation signs it.
    pub sha256: [u8; 32],
    /// Where they lie; `None` while they have not arrived.
    pub stored: Option<Stored>,
}

/// Checks an operation, those that attest it, and its bytes. `hash_all`: also a file above [`HASHED_AT_ONCE`].
///
/// # Errors
/// When the store cannot be read; a check that fails is an outcome.
pub async fn check_item(
    server: &Server,
    entry: &Entry,
    attests: &[&Entry],
    bytes: Option<&Bytes>,
    hash_all: bool,
) -> Result<ItemCheck, CheckError> {
    let keys = server.ingest.key_log();
    let header = entry.operation.header();
    let device_key = keys.log.operation_key(&header.device, &header.incarnation);
    let signature = match device_key.map(|enrolled| enrolled.record.key()) {
        None => Outcome::Fails("the device is not in the key log".into()),
        Some(Err(error)) => Outcome::Fails(error.to_string()),
        Some(Ok(key)) => match entry.operation.clone().verify(&key) {
            Ok(_) if entry.spoiled => Outcome::Fails("the body does not hash to the signed root".into()),
            Ok(_) => Outcome::Holds,
            Err(error) => Outcome::Fails(error.to_string()),
        },
    };
    let in_force = if keys.is_revoked(&entry.operation, entry.leaf) {
        Outcome::Fails("it was logged after the key was revoked".into())
    } else {
        Outcome::Holds
    };
    let mut steps = vec![(Subject::DeviceSignature, signature), (Subject::KeyInForce, in_force)];
    if !attests.is_empty() {
        let faults = attests
            .iter()
            .filter_map(|attest| attested(&attest.operation, &keys.log).err());
        let outcome = faults
            .reduce(|all, one| format!("{all}; {one}"))
            .map_or(Outcome::Holds, Outcome::Fails);
        steps.push((Subject::OfficerSignatures(attests.len()), outcome));
    }
    steps.push(inclusion(server, entry).await?);
    if let Some(bytes) = bytes {
        steps.push((Subject::Bytes, compare(server, bytes, hash_all).await?));
    }
    Ok(ItemCheck { steps })
}

/// Whether an officer's signature holds.
fn attested(operation: &Operation, keys: &fieldseal_proof::key_log::KeyLog) -> Result<(), String> {
    let body = operation.body().ok_or("an attestation without its body")?;
    if operation.header().kind != ATTEST {
        return Err("not an attestation".into());
    }
    let attestation = Attestation::read(body).map_err(|e| e.to_string())?;
    let key: &KeyId = &attestation.key;
    let enrolled = keys.key(key).ok_or("a key that is not in the key log")?;
    if enrolled.subject != Some(*attestation.officer.as_bytes()) {
        return Err("a key of another officer".into());
    }
    let key = enrolled.record.key().map_err(|e| e.to_string())?;
    attestation
        .verify(&Place::of(operation), &key)
        .map_err(|e| e.to_string())
}

/// Proves the leaf under the newest checkpoint, checks the proof and the checkpoint's own signature.
async fn inclusion(server: &Server, entry: &Entry) -> Result<(Subject, Outcome), CheckError> {
    let published = server.published.borrow().clone();
    let subject = Subject::Inclusion(published.size);
    if entry.leaf >= published.size {
        return Ok((subject, Outcome::NotChecked));
    }
    let (tiles, leaf, commitment) = (server.tiles.clone(), entry.leaf, entry.operation.commitment());
    let vkey = server.keys.log_vkey(&server.config.origin);
    let proven = tokio::task::spawn_blocking(move || {
        let note = SignedNote::parse(&published.note).map_err(|e| e.to_string())?;
        let key = VerifierKey::parse(&vkey.map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
        note.verify(&key).map_err(|e| e.to_string())?;
        let checkpoint = Checkpoint::of(&note).map_err(|e| e.to_string())?;
        let path = prove_inclusion(leaf, checkpoint.size, &tiles).map_err(|e| e.to_string())?;
        verify_inclusion(
            &leaf_hash(commitment.as_bytes()),
            leaf,
            checkpoint.size,
            &path,
            &checkpoint.root,
        )
        .map_err(|e| e.to_string())
    });
    let proven = proven.await.map_err(|e| CheckError::Task(e.to_string()))?;
    Ok((subject, proven.err().map_or(Outcome::Holds, Outcome::Fails)))
}

async fn compare(server: &Server, bytes: &Bytes, hash_all: bool) -> Result<Outcome, CheckError> {
    let Some(stored) = &bytes.stored else {
        return Ok(Outcome::NotChecked);
    };
    if stored.size > HASHED_AT_ONCE && !hash_all {
        return Ok(Outcome::NotChecked);
    }
    // A file that is gone or whose head does not open fails the check like one whose bytes changed: it is no fault of the page.
    let parts = match open_range(server.blobs.clone(), &server.keys.vault, stored.clone(), 0, stored.size).await {
        Ok(parts) => parts,
        Err(error) => return Ok(Outcome::Fails(error.to_string())),
    };
    let hashed = parts
        .try_fold((Sha256::new(), 0), |(mut hash, length), part| async move {
            hash.update(&part);
            Ok((hash, length + part.len() as u64))
        })
        .await;
    Ok(match hashed {
        Err(error) => Outcome::Fails(error.to_string()),
        Ok((hash, length)) => {
            let same = length == stored.size && hash.finalize().as_slice() == bytes.sha256;
            if same {
                Outcome::Holds
            } else {
                Outcome::Fails("the bytes do not hash to what was signed".into())
            }
        }
    })
}
