//! The log plane: time notes, checkpoints that must extend the one held, and the place of own operations in the tree.

use fieldseal_proof::checkpoint::{Checkpoint, TimeNote};
use fieldseal_proof::hash::Digest32;
use fieldseal_proof::ids::IncarnationId;
use fieldseal_proof::key_log::Purpose;
use fieldseal_proof::merkle::{leaf_hash, prove_consistency, prove_inclusion, verify_consistency, verify_inclusion};
use fieldseal_proof::note::{NoteError, SignedNote, VerifierKey};
use fieldseal_proof::receipt::IndexReceipt;

use fieldseal_proof::suite::PublicKey;

use super::fault::{Fault, Refusal};
use super::limits::answer;
use super::message::{Expect, Response};
use super::records::server_key;
use super::report::Alarm;
use super::session::{Ask, Draft, Gain, SyncSession};
use super::store::{HeldCheckpoint, HeldTimeNote, SyncStore};
use super::tiles::{TileName, Tiles};

/// What the log plane remembers within one session.
#[derive(Default)]
pub(super) struct LogWork {
    /// Newest time note offered, not checked yet.
    pub time_note: Option<String>,
    checkpoint: Option<Vec<u8>>,
    asked_checkpoint: bool,
    receipts_over: bool,
    pending: Option<PendingIndexes>,
    tiles: Tiles,
    tile_failures: u32,
    whole_tile: Option<TileName>,
}

/// Indexes that the server named and that are not checked yet.
struct PendingIndexes {
    incarnation: IncarnationId,
    pairs: Vec<(u64, u64)>,
    /// What stands in the tree for each pair.
    leaves: Vec<Digest32>,
    /// How many of them hold; the rest waits for tiles.
    proven: usize,
    receipt: Vec<u8>,
}

/// Most operations whose indexes are taken from one answer; the next one asks from there. 48 bytes each.
const INDEXES: usize = 100_000;

#[derive(Clone, Debug)]
pub(super) enum LogAsk {
    Checkpoint,
    Receipts { incarnation: IncarnationId, from: u64 },
}

/// Result of a proof that may still lack tiles.
enum Proven {
    Yes,
    No,
    Needs(TileName),
}

impl LogWork {
    /// Takes what an answer brought along; the newer one replaces the older.
    pub fn offer(&mut self, checkpoint: Option<String>, time_note: Option<String>) {
        if let Some(note) = checkpoint {
            self.checkpoint = Some(note.into_bytes());
        }
        if time_note.is_some() {
            self.time_note = time_note;
        }
    }
}

impl SyncSession {
    pub(super) fn draft_log(&mut self, store: &mut dyn SyncStore) -> Result<Option<Draft>, Fault> {
        self.keep_time_note(store)?;
        loop {
            if self.log.checkpoint.is_none() && !self.log.asked_checkpoint {
                // Asked once at most; usually a push or a page brought one along.
                return Ok(Some(get(
                    LogAsk::Checkpoint,
                    "/checkpoint".into(),
                    Expect::Note,
                    answer::NOTE,
                )));
            }
            if let Some(tile) = self.check_checkpoint(store)? {
                return Ok(Some(self.draft_tile(tile)));
            }
            if let Some(tile) = self.check_indexes(store)? {
                return Ok(Some(self.draft_tile(tile)));
            }
            if self.log.checkpoint.is_some() || self.log.pending.is_some() {
                continue;
            }
            if self.log.receipts_over {
                return Ok(None);
            }
            let Some((incarnation, from)) = store.unsealed()? else {
                self.log.receipts_over = true;
                continue;
            };
            let device = store.identity()?.device;
            let mut path = format!("/v1/log/{device}/{incarnation}/receipts?from={from}");
            // Where the chain has branches, it says which of them is ours.
            if let Some((link, _)) = store.own(incarnation, from)? {
                path.push_str(&format!("&link={link}"));
            }
            return Ok(Some(get(
                LogAsk::Receipts { incarnation, from },
                path,
                Expect::Cbor,
                answer::RECEIPTS,
            )));
        }
    }

    pub(super) fn take_log(
        &mut self,
        store: &mut dyn SyncStore,
        ask: &LogAsk,
        answer: Response,
    ) -> Result<Gain, Fault> {
        match ask {
            LogAsk::Checkpoint => {
                self.log.asked_checkpoint = true;
                self.log.checkpoint = Some(answer.body);
            }
            LogAsk::Receipts { incarnation, from } => self.take_receipts(store, *incarnation, *from, answer.body)?,
        }
        Ok(Gain::Some)
    }

    /// An empty log has no checkpoint yet, and an operation that is not sequenced has no index: both come later.
    pub(super) fn refused_log(&mut self, ask: &LogAsk, refusal: Refusal) -> Result<Gain, Fault> {
        match ask {
            LogAsk::Checkpoint if refusal.status == 404 => self.log.asked_checkpoint = true,
            LogAsk::Receipts { .. } if refusal.status == 404 => self.log.receipts_over = true,
            _ => return Err(refusal.into()),
        }
        Ok(Gain::Some)
    }

    pub(super) fn take_tile(&mut self, name: TileName, bytes: &[u8]) -> Result<Gain, Fault> {
        if self.log.tiles.insert(name, bytes) {
            Ok(Gain::Some)
        } else {
            Err(Fault::untrue("tile", "wrong length"))
        }
    }

    /// A partial tile may be gone once the log has grown over it; then the whole one is there.
    pub(super) fn refused_tile(&mut self, name: TileName, refusal: Refusal) -> Result<Gain, Fault> {
        if refusal.status == 404 && name != name.whole() {
            self.log.whole_tile = Some(name.whole());
            return Ok(Gain::None);
        }
        Err(refusal.into())
    }

    fn draft_tile(&mut self, name: TileName) -> Draft {
        let name = self
            .log
            .whole_tile
            .take()
            .filter(|whole| *whole == name.whole())
            .unwrap_or(name);
        Draft::get(Ask::Tile(name), name.path(), Expect::Bytes, answer::TILE)
    }

    /// A time note counts only under the key that the key log gives the server for it.
    fn keep_time_note(&mut self, store: &mut dyn SyncStore) -> Result<(), Fault> {
        let Some(note) = self.log.time_note.take() else {
            return Ok(());
        };
        let identity = store.identity()?;
        let key = server_key(self.key_log(store)?, Purpose::Time)?;
        match checked_time(note.as_bytes(), identity.log.name(), key) {
            Ok(time) => {
                store.keep_time_note(&HeldTimeNote {
                    unix_ms: time.unix_ms,
                    size: time.size,
                    note: note.into_bytes(),
                })?;
            }
            Err(why) => self.report.alarms.push(Alarm::TimeNoteRefused { why: why.to_string() }),
        }
        Ok(())
    }

    /// An attestation that a fed operation names: kept if any key that the server ever had for it has signed it, for the one that
    /// signed may have been replaced since.
    pub(super) fn keep_attestation(&mut self, store: &mut dyn SyncStore, note: Vec<u8>) -> Result<(), Fault> {
        let identity = store.identity()?;
        let keys: Vec<PublicKey> = {
            let enrolled = self.key_log(store)?.server_keys(Purpose::Time);
            enrolled.into_iter().filter_map(|key| key.record.key().ok()).collect()
        };
        let checked = keys
            .into_iter()
            .find_map(|key| checked_time(&note, identity.log.name(), key).ok());
        match checked {
            Some(time) => store.keep_time_note(&HeldTimeNote {
                unix_ms: time.unix_ms,
                size: time.size,
                note,
            })?,
            None => self.report.alarms.push(Alarm::TimeNoteRefused {
                why: "no time key of the server has signed it".into(),
            }),
        }
        Ok(())
    }

    /// Checks the offered checkpoint against the held one and keeps it. Names a tile that it needs first.
    fn check_checkpoint(&mut self, store: &mut dyn SyncStore) -> Result<Option<TileName>, Fault> {
        let Some(note) = self.log.checkpoint.take() else {
            return Ok(None);
        };
        self.log.asked_checkpoint = true;
        let identity = store.identity()?;
        let offered = checked_checkpoint(&note, &identity.log).map_err(|why| Fault::untrue("checkpoint", why))?;
        let held = store.checkpoint()?;
        let proven = match &held {
            Some(held) if offered.size < held.size => {
                self.report.log_size = held.size;
                let (held, offered) = (held.size, offered.size);
                // Within one epoch an answer may simply be older than the one before it.
                if self.report.new_epoch {
                    self.report.alarms.push(Alarm::LogBehind { held, offered });
                }
                return Ok(None);
            }
            Some(held) if held.size > 0 => self
                .log
                .consistent((held.size, &held.root), (offered.size, &offered.root)),
            _ => Proven::Yes,
        };
        match proven {
            Proven::Needs(tile) => {
                self.log.checkpoint = Some(note);
                return Ok(Some(tile));
            }
            Proven::Yes => {
                self.report.log_size = offered.size;
                store.keep_checkpoint(&HeldCheckpoint {
                    size: offered.size,
                    root: offered.root,
                    note,
                })?;
            }
            Proven::No if self.log.try_other_tiles() => self.log.checkpoint = Some(note),
            Proven::No => {
                let held = held.map(|held| held.size).unwrap_or_default();
                self.report.log_size = held;
                self.report.alarms.push(Alarm::LogContradiction {
                    held,
                    offered: offered.size,
                    note,
                });
                self.log.receipts_over = true;
            }
        }
        Ok(None)
    }

    fn take_receipts(
        &mut self,
        store: &mut dyn SyncStore,
        incarnation: IncarnationId,
        from: u64,
        body: Vec<u8>,
    ) -> Result<(), Fault> {
        let identity = store.identity()?;
        let receipt = IndexReceipt::decode(&body).map_err(|why| Fault::untrue("index receipt", why))?;
        if receipt.device != identity.device || receipt.incarnation != incarnation {
            return Err(Fault::untrue("index receipt", "it is about another chain"));
        }
        let claimed = receipt.runs.iter().fold(0u64, |sum, run| sum.saturating_add(run.2));
        let most = usize::try_from(claimed).unwrap_or(usize::MAX).min(INDEXES);
        let commitments = store.commitments(incarnation, from, most)?;
        let end = from + commitments.len() as u64;
        let (mut pairs, mut leaves) = (Vec::new(), Vec::new());
        for &(index, first, count) in &receipt.runs {
            // A run may claim any length; it is followed only as far as this device has operations.
            for seq in first.max(from)..first.saturating_add(count).min(end) {
                let Some(commitment) = commitments.get((seq - from) as usize) else {
                    break;
                };
                pairs.push((seq, index.saturating_add(seq - first)));
                leaves.push(leaf_hash(commitment.as_bytes()));
            }
        }
        if pairs.first().is_none_or(|(seq, _)| *seq != from) {
            // Not sequenced yet: the batch receipt's deadline stands, a later session asks again.
            self.log.receipts_over = true;
            return Ok(());
        }
        let offered = checked_checkpoint(&receipt.checkpoint, &identity.log)
            .map_err(|why| Fault::untrue("index receipt", why))?;
        if store.checkpoint()?.is_none_or(|held| held.size < offered.size) {
            self.log.checkpoint = Some(receipt.checkpoint.clone());
        }
        self.log.pending = Some(PendingIndexes {
            incarnation,
            pairs,
            leaves,
            proven: 0,
            receipt: body,
        });
        Ok(())
    }

    /// Proves every named index in the held tree, and keeps those that hold.
    fn check_indexes(&mut self, store: &mut dyn SyncStore) -> Result<Option<TileName>, Fault> {
        if self.log.checkpoint.is_some() {
            return Ok(None);
        }
        let (Some(mut pending), Some(held)) = (self.log.pending.take(), store.checkpoint()?) else {
            return Ok(None);
        };
        // Goes on where it stopped for a tile: each place is proven once.
        while let (Some(&(seq, index)), Some(leaf)) =
            (pending.pairs.get(pending.proven), pending.leaves.get(pending.proven))
        {
            match self.log.included(leaf, index, held.size, &held.root) {
                Proven::Yes => pending.proven += 1,
                Proven::Needs(tile) => {
                    self.log.pending = Some(pending);
                    return Ok(Some(tile));
                }
                Proven::No if self.log.try_other_tiles() => {
                    self.log.pending = Some(pending);
                    return Ok(None);
                }
                Proven::No => {
                    self.report.alarms.push(Alarm::NotInLog { seq, index });
                    self.log.receipts_over = true;
                    break;
                }
            }
        }
        let sealed = &pending.pairs[..pending.proven];
        if !sealed.is_empty() {
            store.keep_indexes(pending.incarnation, sealed, &pending.receipt)?;
            self.report.sealed += sealed.len() as u64;
        }
        Ok(None)
    }
}

impl LogWork {
    fn consistent(&self, old: (u64, &[u8; 32]), new: (u64, &[u8; 32])) -> Proven {
        match prove_consistency(old.0, new.0, &self.tiles.at(new.0)) {
            Err(tile) => Proven::Needs(tile),
            Ok(proof) => match verify_consistency(old.0, old.1, new.0, new.1, &proof) {
                Ok(()) => Proven::Yes,
                Err(_) => Proven::No,
            },
        }
    }

    fn included(&self, leaf: &Digest32, index: u64, size: u64, root: &[u8; 32]) -> Proven {
        if index >= size {
            return Proven::No;
        }
        match prove_inclusion(index, size, &self.tiles.at(size)) {
            Err(tile) => Proven::Needs(tile),
            Ok(proof) => match verify_inclusion(leaf, index, size, &proof, root) {
                Ok(()) => Proven::Yes,
                Err(_) => Proven::No,
            },
        }
    }

    /// A proof that fails may be a spoilt tile: they are fetched once more before anything is said about the server.
    fn try_other_tiles(&mut self) -> bool {
        self.tile_failures += 1;
        self.tiles.clear();
        self.tile_failures == 1
    }
}

fn checked_checkpoint(note: &[u8], key: &VerifierKey) -> Result<Checkpoint, NoteError> {
    let note = SignedNote::parse(note)?;
    note.verify(key)?;
    Checkpoint::of(&note).and_then(|checkpoint| of_log(checkpoint.origin == key.name(), checkpoint))
}

fn checked_time(note: &[u8], origin: &str, key: PublicKey) -> Result<TimeNote, NoteError> {
    let note = SignedNote::parse(note)?;
    note.verify(&VerifierKey::ed25519(&TimeNote::key_name(origin), key)?)?;
    TimeNote::of(&note).and_then(|time| of_log(time.origin == origin, time))
}

fn of_log<T>(same: bool, checked: T) -> Result<T, NoteError> {
    if same {
        Ok(checked)
    } else {
        Err(NoteError::Form("it is about another log"))
    }
}

fn get(ask: LogAsk, path: String, expect: Expect, limit: usize) -> Draft {
    Draft::get(Ask::Log(ask), path, expect, limit)
}
