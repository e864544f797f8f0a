//! The tenant's key log on the server: checked by `fieldseal-proof`, logged by its head, in force from its leaf on.

use std::sync::{Arc, PoisonError};

use fieldseal_proof::attest;
use fieldseal_proof::cbor;
use fieldseal_proof::ids::{DeviceId, IncarnationId, KeyId};
use fieldseal_proof::key_log::{EnrolledKey, Entry, KeyLog, KeyLogFrame, head_leaf};
use fieldseal_proof::operation::Operation;

use futures_util::future::BoxFuture;

use super::Ingest;
use crate::ledger::{Commit, KeyLogAppend, KeyLogRow, LedgerError, LedgerStore, Swap};

/// The key log, and where each entry takes effect.
#[derive(Debug, Clone)]
pub struct KeyLogState {
    pub log: KeyLog,
    /// Leaf of the head right after entry n.
    pub in_force: Vec<u64>,
}

/// Why frames were not appended. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyLogRefusal {
    #[error("entry {index}: {detail}")]
    Refused { index: u64, detail: String },
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl KeyLogState {
    /// Reads and checks the stored key log. `None` before the ceremony.
    ///
    /// # Errors
    /// When a stored entry does not hold.
    pub async fn load(ledger: &dyn LedgerStore) -> Result<Option<Self>, LedgerError> {
        let rows = ledger.key_log(0).await?;
        let Some(first) = rows.first() else { return Ok(None) };
        let corrupt = |e: String| LedgerError::Corrupt(format!("key log: {e}"));
        let tenant = KeyLog::read(&first.frame).map_err(|e| corrupt(e.to_string()))?.tenant();
        let mut state = Self {
            log: KeyLog::new(tenant),
            in_force: Vec::new(),
        };
        state.extend(&rows).map_err(corrupt)?;
        Ok(Some(state))
    }

    fn extend(&mut self, rows: &[KeyLogRow]) -> Result<(), String> {
        for row in rows {
            let frame = KeyLogFrame::decode(&row.frame).map_err(|e| e.to_string())?;
            self.log.append(&frame).map_err(|e| e.to_string())?;
            self.in_force.push(row.leaf);
        }
        Ok(())
    }

    /// Whether a key that an operation rests on was revoked before its leaf: its device's, and for an attest also its officer's.
    pub fn is_revoked(&self, operation: &Operation, leaf: u64) -> bool {
        let header = operation.header();
        let device = self.log.operation_key(&header.device, &header.incarnation);
        let carried = operation.body().filter(|_| header.kind == attest::KIND);
        let named = carried.and_then(|body| body.get("attest/key"));
        let officer = named.and_then(|v| self.log.key(&KeyId::from_bytes(v.as_bytes()?.try_into().ok()?)));
        let revoked = |key: &EnrolledKey| {
            let head = key.revoked_at.and_then(|entry| self.in_force.get(entry as usize));
            head.is_some_and(|from| *from <= leaf)
        };
        device.into_iter().chain(officer).any(revoked)
    }

    /// `tablet` or `supervisor`; `None` for the ingest device and unknown ones.
    pub fn role(&self, device: &DeviceId, incarnation: &IncarnationId) -> Option<&str> {
        self.log.operation_key(device, incarnation)?.role.as_deref()
    }

    /// Whether a key id is enrolled.
    pub fn holds(&self, id: &KeyId) -> bool {
        self.log.key(id).is_some()
    }
}

/// Frames that continue a key log.
pub(crate) struct CheckedFrames {
    /// The log with them.
    pub next: KeyLog,
    /// Their bytes, in order.
    pub frames: Vec<Vec<u8>>,
    /// What they say, in the same order.
    pub entries: Vec<Entry>,
    /// The leaf of the head after each, in the same order.
    pub leaves: Vec<[u8; 32]>,
}

/// Checks frames against a key log; an error is the index of the first that does not hold, and why.
pub(crate) fn check_frames(log: &KeyLog, sequence: &[u8]) -> Result<CheckedFrames, (u64, String)> {
    let frames = cbor::split_sequence(sequence).map_err(|e| (log.size(), format!("not a sequence of frames: {e}")))?;
    let mut next = log.clone();
    let mut taken = Vec::new();
    let mut entries = Vec::new();
    let mut leaves = Vec::new();
    for bytes in frames {
        let at = next.size();
        let frame = KeyLogFrame::decode(bytes).map_err(|e| (at, e.to_string()))?;
        entries.push(next.append(&frame).map_err(|e| (at, e.to_string()))?);
        leaves.push(*head_leaf(next.size(), &next.head()).as_bytes());
        taken.push(bytes.to_vec());
    }
    Ok(CheckedFrames {
        next,
        frames: taken,
        entries,
        leaves,
    })
}

impl Ingest {
    /// Appends administrators' frames, with whatever changes because of them, in one commit; logs the new head.
    ///
    /// # Errors
    /// The first frame that breaks a rule, by name. Frames that are held already are not an error.
    pub async fn append_key_log(
        &self,
        sequence: &[u8],
        consequences: impl Fn(Arc<dyn LedgerStore>, Vec<Entry>) -> BoxFuture<'static, Result<Vec<Swap>, LedgerError>> + Send,
    ) -> Result<u64, KeyLogRefusal> {
        loop {
            let current = self.key_log();
            let held = self.ledger.key_log(0).await?;
            let rest = skip_held(sequence, &held);
            if rest.is_empty() {
                return Ok(current.log.size());
            }
            let CheckedFrames {
                next,
                frames,
                entries,
                leaves,
            } = check_frames(&current.log, rest).map_err(|(index, detail)| KeyLogRefusal::Refused { index, detail })?;
            let registers = consequences(self.ledger.clone(), entries).await?;
            let append = KeyLogAppend {
                expected: current.log.size(),
                frames,
                leaves,
            };
            match self
                .ledger
                .commit(Commit {
                    key_log: Some(append),
                    registers,
                    ..Commit::default()
                })
                .await
            {
                Ok(done) => {
                    let mut state = (*current).clone();
                    state.log = next;
                    state.in_force.extend(done.key_log.iter().map(|row| row.leaf));
                    *self.key_log.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
                    self.announce();
                    return Ok(self.key_log().log.size());
                }
                Err(LedgerError::Conflict(_)) => self.reload_key_log().await?,
                Err(other) => return Err(other.into()),
            }
        }
    }

    async fn reload_key_log(&self) -> Result<(), LedgerError> {
        if let Some(state) = KeyLogState::load(&*self.ledger).await? {
            *self.key_log.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
        }
        Ok(())
    }
}

/// Drops the leading frames that the ledger holds byte for byte: an administrator may post the whole log.
fn skip_held<'a>(sequence: &'a [u8], held: &[KeyLogRow]) -> &'a [u8] {
    let Some(first) = held.first() else { return sequence };
    let whole = sequence.starts_with(&first.frame);
    let mut rest = sequence;
    for row in held {
        match rest.strip_prefix(row.frame.as_slice()) {
            Some(after) => rest = after,
            None if whole => return rest,
            None => {}
        }
    }
    rest
}
