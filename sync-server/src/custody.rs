//! Custody events that the server signs for what it hands out (merge.md, `custody.event`): an original that is read, a case that is
//! exported. They lie in the case, in the stream of the ingest device, so every later roll names them and every later bundle holds them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use fieldseal_core::domain::CustodyKind;
use fieldseal_proof::ids::{CaseId, EvidenceId};

use crate::ingest::{AuthorError, Ingest, OwnOperation, custody_event};
use crate::ledger::{Access, Commit, LedgerError};
use crate::projection::values_of;

/// Readings of one file by one person within this are one: a player asks for a film in many ranges.
const ONE_READING_MS: u64 = 10 * 60 * 1000;
/// Readings that are remembered; above it those that are long past are forgotten.
const REMEMBERED: usize = 10_000;
/// Most pieces of evidence in one event.
const PIECES: usize = 1_000;

/// Who read what lately.
#[derive(Debug, Default)]
pub struct Custody {
    lately: Mutex<HashMap<(String, [u8; 32]), u64>>,
}

impl Custody {
    /// Signs that an original is read, once for each reading, in one commit with the line of the access log. Durable when it
    /// returns; only then may the first byte go out.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn accessed(&self, ingest: &Ingest, sha256: [u8; 32], access: Access) -> Result<(), AuthorError> {
        let reading = (access.who.clone(), sha256);
        let events = if self.is_new(&reading, access.at_ms) {
            accesses_of(ingest, sha256, &access.who).await?
        } else {
            Vec::new()
        };
        let commit = Commit {
            accesses: vec![access],
            ..Commit::default()
        };
        let done = if events.is_empty() {
            ingest
                .ledger
                .commit(commit)
                .await
                .map(|_| ())
                .map_err(AuthorError::from)
        } else {
            ingest.author(events, commit).await.map(|_| ())
        };
        if done.is_err() {
            self.lately().remove(&reading);
        }
        done
    }

    fn is_new(&self, reading: &(String, [u8; 32]), now_ms: u64) -> bool {
        let mut lately = self.lately();
        if lately.len() >= REMEMBERED {
            lately.retain(|_, at| now_ms < at.saturating_add(ONE_READING_MS));
        }
        let before = lately.get(reading).copied();
        let new = before.is_none_or(|at| now_ms >= at.saturating_add(ONE_READING_MS));
        if new {
            lately.insert(reading.clone(), now_ms);
        }
        new
    }

    fn lately(&self) -> std::sync::MutexGuard<'_, HashMap<(String, [u8; 32]), u64>> {
        self.lately.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Signs that the evidence of a case was exported, and in which bundle. It lies above the bundle's checkpoint, so the next bundle
/// shows it. A case without evidence has no custody.
///
/// # Errors
/// When the ledger cannot be written.
pub async fn exported(ingest: &Ingest, case: CaseId, by: &str, bundle: &str) -> Result<(), AuthorError> {
    let pieces: Vec<EvidenceId> = evidence_of(ingest, case).await?.into_keys().collect();
    let events = pieces
        .chunks(PIECES)
        .map(|pieces| custody_event(ingest, case, CustodyKind::Exported, (by, Some(bundle)), pieces.to_vec()))
        .collect::<Result<Vec<_>, _>>()?;
    if !events.is_empty() {
        ingest.author(events, Commit::default()).await?;
    }
    Ok(())
}

/// What an export's custody event says of its bundle.
pub fn bundle_note(tag_manifest_sha256: &str, checkpoint: u64) -> String {
    format!("bundle {tag_manifest_sha256} at checkpoint {checkpoint}")
}

/// The bundle and the size of its checkpoint in such a note; `None` for what other people wrote there.
pub fn bundle_in(note: &str) -> Option<(&str, u64)> {
    let (bundle, checkpoint) = note.strip_prefix("bundle ")?.split_once(" at checkpoint ")?;
    Some((bundle, checkpoint.parse().ok()?))
}

/// One event for each case that holds the file as evidence.
async fn accesses_of(ingest: &Ingest, sha256: [u8; 32], by: &str) -> Result<Vec<OwnOperation>, AuthorError> {
    let refs = ingest.ledger.blob_refs(sha256).await?;
    let cases: BTreeSet<CaseId> = refs.iter().filter_map(|named| named.case).collect();
    let mut events = Vec::new();
    for case in cases {
        let pieces = evidence_of(ingest, case).await?;
        let same: Vec<EvidenceId> = pieces
            .into_iter()
            .filter(|(_, hashes)| hashes.contains(&sha256))
            .map(|(id, _)| id)
            .take(PIECES)
            .collect();
        if !same.is_empty() {
            events.push(custody_event(ingest, case, CustodyKind::Accessed, (by, None), same)?);
        }
    }
    Ok(events)
}

/// The evidence of a case with the hashes that its records name.
async fn evidence_of(ingest: &Ingest, case: CaseId) -> Result<BTreeMap<EvidenceId, Vec<[u8; 32]>>, LedgerError> {
    let fields = ingest.ledger.fields(*case.as_bytes(), "evidence/".to_owned()).await?;
    let piece = |row: &crate::ledger::FieldRow| {
        let id = row.path.strip_prefix("evidence/")?.strip_suffix("/sha256")?;
        let hashes = values_of(row)
            .into_iter()
            .filter_map(|(value, _)| value?.as_bytes()?.try_into().ok())
            .collect();
        Some((id.parse().ok()?, hashes))
    };
    Ok(fields.iter().filter_map(piece).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_of_a_bundle_is_read_back() {
        assert_eq!(bundle_in(&bundle_note("ab12", 40)), Some(("ab12", 40)));
        assert_eq!(bundle_in("bundle ab12 at checkpoint soon"), None);
        assert_eq!(bundle_in("听证日期已定"), None);
    }

    #[test]
    fn the_ranges_of_one_reading_are_one() {
        let custody = Custody::default();
        let of = |who: &str, file: u8| (who.to_owned(), [file; 32]);
        assert!(custody.is_new(&of("a", 1), 1_000));
        assert!(!custody.is_new(&of("a", 1), 2_000));
        assert!(custody.is_new(&of("b", 1), 2_000));
        assert!(custody.is_new(&of("a", 2), 2_000));
        assert!(custody.is_new(&of("a", 1), 1_000 + ONE_READING_MS));
    }
}
