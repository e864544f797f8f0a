//! The server's own word about time. Every note that is given out is kept: an operation may name it as its anchor.

use std::sync::Arc;

use fieldseal_core::clock::Clock;
use fieldseal_proof::checkpoint::{AttestationKind, TimeNote, anchor};
use fieldseal_proof::hash::Digest32;
use fieldseal_proof::note::SignedNote;
use fieldseal_proof::suite::Ed25519Signer;
use tokio::sync::{Mutex, watch};

use super::{LogError, Published};
use crate::ledger::{Commit, LedgerStore, Swap, space};

/// A note is given out again for so long, so that idle polling does not fill the ledger.
const FRESH_MS: u64 = 10_000;
/// While the log grows, a new note is made at most so often.
const GROWING_MS: u64 = 1_000;

/// Makes and remembers time notes.
pub struct TimeNotes {
    ledger: Arc<dyn LedgerStore>,
    clock: Arc<dyn Clock>,
    origin: String,
    signer: Arc<Ed25519Signer>,
    published: watch::Receiver<Published>,
    last: Mutex<Option<Given>>,
}

struct Given {
    at_ms: u64,
    size: u64,
    note: Vec<u8>,
}

impl TimeNotes {
    pub fn new(
        ledger: Arc<dyn LedgerStore>,
        clock: Arc<dyn Clock>,
        origin: &str,
        signer: Arc<Ed25519Signer>,
        published: watch::Receiver<Published>,
    ) -> Self {
        Self {
            ledger,
            clock,
            origin: origin.to_owned(),
            signer,
            published,
            last: Mutex::new(None),
        }
    }

    /// A note that is at most ten seconds old, one second while the log grows. Empty before the first checkpoint.
    ///
    /// # Errors
    /// When it cannot be stored; then it is not given out.
    pub async fn current(&self) -> Result<Vec<u8>, LogError> {
        let (size, root) = {
            let published = self.published.borrow();
            (published.size, published.root)
        };
        if size == 0 {
            return Ok(Vec::new());
        }
        let now = self.clock.now().wall_ms;
        let mut last = self.last.lock().await;
        if let Some(given) = &*last {
            // A clock that was set back makes a new note: the age of the old one is unknown.
            let age = now.checked_sub(given.at_ms);
            if age.is_some_and(|age| age < GROWING_MS || (age < FRESH_MS && given.size == size)) {
                return Ok(given.note.clone());
            }
        }
        let note = self.store(now, size, root).await?;
        *last = Some(Given {
            at_ms: now,
            size,
            note: note.clone(),
        });
        Ok(note)
    }

    /// A new note of exactly this published tree, for an export whose newest operations want an upper bound.
    ///
    /// # Errors
    /// When it cannot be stored; then it is not given out.
    pub async fn of(&self, published: &Published) -> Result<Vec<u8>, LogError> {
        self.store(self.clock.now().wall_ms, published.size, published.root)
            .await
    }

    async fn store(&self, now: u64, size: u64, root: Digest32) -> Result<Vec<u8>, LogError> {
        let text = TimeNote {
            origin: self.origin.clone(),
            unix_ms: now,
            size,
            root,
        }
        .text();
        let note = SignedNote::sign(&text, &TimeNote::key_name(&self.origin), &*self.signer)
            .map_err(|e| LogError::Sign(e.to_string()))?;
        let note = note.to_bytes();
        let key = anchor(AttestationKind::TimeNote, &note);
        let by_size = [size.to_be_bytes(), now.to_be_bytes()].concat();
        let registers = vec![
            Swap::set(space::ATTESTATION, *key.as_bytes(), note.clone()),
            Swap::set(space::TIME, by_size, *key.as_bytes()),
        ];
        self.ledger.commit(Commit::of(registers)).await?;
        Ok(note)
    }
}
