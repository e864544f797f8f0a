//! Brackets: between which proven times an operation was sealed (`formats/time.md`).

use std::collections::BTreeMap;

use super::Ground;
use super::findings::Findings;
use super::operations::Operations;
use super::report::{Bound, TimeBasis, TimeBracket};
use crate::checkpoint::{AttestationKind, Checkpoint, TimeNote, anchor};
use crate::encoding::from_base64;
use crate::hash::Digest32;
use crate::ids::{Anchor, OpId};
use crate::key_log::{EnrolledKey, Purpose};
use crate::merkle;
use crate::note::{MAX_NOTE, SignedNote, VerifierKey};

/// A checked time: at `bound.unix_ms`, somebody knew this tree.
#[derive(Debug, Clone)]
pub(super) struct Attested {
    pub anchor: Anchor,
    pub bound: Bound,
    pub tree: Checkpoint,
}

impl Attested {
    pub fn unix_ms(&self) -> u64 {
        self.bound.unix_ms
    }
}

/// An RFC 3161 attestation whose token the caller has checked.
#[derive(Debug, Clone)]
pub struct CheckedStamp {
    /// Who runs the time-stamping authority.
    pub authority: String,
    /// The attestation's bytes.
    pub token: Vec<u8>,
    /// The checkpoint it stamps.
    pub checkpoint: Checkpoint,
    /// Its time, milliseconds since 1970.
    pub unix_ms: u64,
}

/// Reads `data/attestations/`; gives those that verify and lists what was only read.
pub(super) fn check_attestations(
    ground: &Ground,
    heads: &BTreeMap<u64, u64>,
    stamps: &[CheckedStamp],
    findings: &mut Findings,
    not_checked: &mut Vec<String>,
) -> Vec<Attested> {
    let mut out = Vec::new();
    for (path, name) in ground.bag.under("data/attestations/") {
        let parsed = name.split_once('.').and_then(|(a, k)| Some((a.parse().ok()?, AttestationKind::from_word(k)?)));
        let bytes = ground.bag.read(path, 2 * MAX_NOTE as u64).unwrap_or_default();
        let Some((named, kind)) = parsed.filter(|(named, kind)| anchor(*kind, &bytes) == *named) else {
            findings.add("attestation.name", path);
            continue;
        };
        let checked = match kind {
            AttestationKind::TimeNote => time_note(ground, heads, &bytes).map(Some),
            AttestationKind::CosignedNote => cosigned(ground, &bytes),
            AttestationKind::Rfc3161 => Ok(stamps.iter().zip(0..).find(|(s, _)| s.token == bytes).map(|(s, at)| {
                let who = Some(ground.trust.witnesses.len() + at);
                let bound = Bound { unix_ms: s.unix_ms, basis: TimeBasis::Stamped, tree: s.checkpoint.size, who };
                (bound, s.checkpoint.clone())
            })),
        };
        match checked {
            Ok(Some((bound, tree))) => out.push(Attested { anchor: named, bound, tree }),
            Ok(None) => not_checked.push(path.to_owned()),
            Err(reason) => findings.add_with("attestation.signature", path, reason),
        }
    }
    out
}

type Fact = (Bound, Checkpoint);

/// A note by a time key of the key log; a key that was revoked below the tree that the note names may not attest it.
fn time_note(ground: &Ground, heads: &BTreeMap<u64, u64>, bytes: &[u8]) -> Result<Fact, String> {
    let note = SignedNote::parse(bytes).map_err(|e| e.to_string())?;
    let time = TimeNote::of(&note).map_err(|e| e.to_string())?;
    let name = TimeNote::key_name(&time.origin);
    let in_force = |k: &&EnrolledKey| {
        let revoked = k.revoked_at.map(|at| heads.get(&(at + 1)).is_none_or(|index| time.size > *index));
        k.name.as_deref() == Some(&time.origin) && revoked != Some(true)
    };
    let signed = |k: &EnrolledKey| {
        let key = k.record.key().ok().and_then(|key| VerifierKey::ed25519(&name, key).ok());
        key.is_some_and(|key| note.verify(&key).is_ok())
    };
    let keys = ground.keys.server_keys(Purpose::Time);
    if !keys.into_iter().filter(in_force).any(signed) {
        return Err("no time key of the key log that was in force signed it".into());
    }
    let bound = Bound { unix_ms: time.unix_ms, basis: TimeBasis::Claimed, tree: time.size, who: None };
    Ok((bound, Checkpoint { origin: time.origin, size: time.size, root: time.root }))
}

/// The earliest cosignature by an organisation other than the operator.
fn cosigned(ground: &Ground, bytes: &[u8]) -> Result<Option<Fact>, String> {
    let note = SignedNote::parse(bytes).map_err(|e| e.to_string())?;
    let tree = Checkpoint::of(&note).map_err(|e| e.to_string())?;
    let independent = ground.trust.witnesses.iter().enumerate().filter(|(_, w)| !w.same_operator);
    let first = independent.filter_map(|(who, w)| Some((note.verify_cosignature(&w.key).ok()?, who))).min();
    Ok(first.map(|(seconds, who)| {
        let unix_ms = seconds.saturating_mul(1000);
        (Bound { unix_ms, basis: TimeBasis::Cosigned, tree: tree.size, who: Some(who) }, tree)
    }))
}

/// Keeps the attestations whose tree is shown to be a prefix of the bundle's checkpoint; only these bound from above.
pub(super) fn of_this_tree(ground: &Ground, attested: &[Attested], findings: &mut Findings) -> Vec<Attested> {
    let now = &ground.checkpoint;
    let shown = |a: &&Attested| {
        if a.tree.origin != now.origin || a.tree.size == 0 || a.tree.size == now.size {
            let split = a.tree.size == now.size && a.tree.origin == now.origin && a.tree.root != now.root;
            if split {
                findings.add("attestation.split_view", a.anchor);
            }
            return a.tree == *now;
        }
        let path = format!("data/consistency/{}.txt", a.tree.size);
        let Ok(bytes) = ground.bag.read(&path, 64 * 1024) else {
            return false;
        };
        let text = String::from_utf8_lossy(&bytes);
        let hashes: Option<Vec<Digest32>> =
            text.split_terminator('\n').map(|l| from_base64(l)?.try_into().ok()).collect();
        let proves = |hashes: Vec<Digest32>| {
            hashes.len() <= merkle::MAX_CONSISTENCY
                && merkle::verify_consistency(a.tree.size, &a.tree.root, now.size, &now.root, &hashes).is_ok()
        };
        let holds = hashes.is_some_and(proves);
        if !holds {
            findings.add("attestation.consistency", path);
        }
        holds
    };
    attested.iter().filter(shown).cloned().collect()
}

/// The bracket of every operation, and contradictions between brackets.
pub(super) fn brackets(
    operations: &Operations,
    attested: &[Attested],
    upper: &[Attested],
    findings: &mut Findings,
) -> BTreeMap<OpId, TimeBracket> {
    let by_anchor: BTreeMap<Anchor, Bound> = attested.iter().map(|a| (a.anchor, a.bound)).collect();
    let mut upper: Vec<&Attested> = upper.iter().collect();
    upper.sort_by_key(|a| (a.unix_ms(), std::cmp::Reverse(a.bound.basis)));
    let mut out = BTreeMap::new();
    for chain in operations.chains().into_values() {
        let mut not_before: Option<Bound> = None;
        for included in chain {
            let id = included.operation.id();
            if let Some(own) = included.operation.header().anchor.and_then(|a| by_anchor.get(&a)) {
                if not_before.is_some_and(|earlier| earlier.unix_ms > own.unix_ms) {
                    findings.add("bracket.anchor_went_back", id);
                }
                not_before = Some(*own);
            }
            let not_after = upper.iter().find(|a| a.tree.size > included.index).map(|a| a.bound);
            if not_before.zip(not_after).is_some_and(|(low, high)| low.unix_ms > high.unix_ms) {
                findings.add("bracket.reversed", id);
            }
            out.insert(id, TimeBracket { not_before, not_after });
        }
    }
    out
}
