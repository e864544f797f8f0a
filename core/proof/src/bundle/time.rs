//! Brackets: between which proven times an operation was sealed (`formats/time.md`).

use std::collections::BTreeMap;

use super::bag::Bag;
use super::operations::Operations;
use super::report::{Bound, Findings, TimeBasis, TimeBracket};
use super::source::BundleSource;
use super::trust::Witness;
use crate::checkpoint::{AttestationKind, Checkpoint, TimeNote, anchor};
use crate::encoding::from_base64;
use crate::hash::Digest32;
use crate::ids::{Anchor, OpId};
use crate::key_log::{KeyLog, Purpose};
use crate::merkle;
use crate::note::{MAX_NOTE, SignedNote, VerifierKey};

/// A checked time: at `unix_ms`, somebody knew a tree of `size` leaves with `root`.
#[derive(Debug, Clone)]
pub(super) struct Attested {
    pub anchor: Anchor,
    pub unix_ms: u64,
    pub basis: TimeBasis,
    pub size: u64,
    pub root: Digest32,
}

/// An RFC 3161 token over a checkpoint note whose signature and chain the caller has checked.
#[derive(Debug, Clone)]
pub struct CheckedStamp {
    /// The token's bytes.
    pub token: Vec<u8>,
    /// The checkpoint it stamps.
    pub checkpoint: Checkpoint,
    /// Its time, milliseconds since 1970.
    pub unix_ms: u64,
}

/// Reads `data/attestations/`; gives those that verify and lists what was only read.
pub(super) fn check_attestations(
    source: &dyn BundleSource,
    bag: &Bag,
    keys: &KeyLog,
    witnesses: &[Witness],
    stamps: &[CheckedStamp],
    findings: &mut Findings,
    not_checked: &mut Vec<String>,
) -> Vec<Attested> {
    let mut out = Vec::new();
    for (path, name) in bag.under("data/attestations/") {
        let parsed = name
            .split_once('.')
            .and_then(|(a, k)| Some((a.parse::<Anchor>().ok()?, AttestationKind::from_word(k)?)));
        let Some((named, kind)) = parsed else {
            not_checked.push(path.to_owned());
            continue;
        };
        let bytes = source.read(path, MAX_NOTE as u64).unwrap_or_default();
        if anchor(kind, &bytes) != named {
            findings.invalid(
                "attestation.name",
                path,
                "its bytes do not hash to the anchor it is named after",
            );
            continue;
        }
        let checked = match kind {
            AttestationKind::TimeNote => time_note(&bytes, keys).map(Some),
            AttestationKind::CosignedNote => cosigned(&bytes, witnesses),
            AttestationKind::Rfc3161 => Ok(stamps
                .iter()
                .find(|s| s.token == bytes)
                .map(|s| (s.unix_ms, TimeBasis::Stamped, s.checkpoint.size, s.checkpoint.root))),
        };
        match checked {
            Ok(Some((unix_ms, basis, size, root))) => out.push(Attested {
                anchor: named,
                unix_ms,
                basis,
                size,
                root,
            }),
            Ok(None) => not_checked.push(path.to_owned()),
            Err(reason) => findings.invalid("attestation.signature", path, reason),
        }
    }
    out
}

type Fact = (u64, TimeBasis, u64, Digest32);

fn time_note(bytes: &[u8], keys: &KeyLog) -> Result<Fact, String> {
    let note = SignedNote::parse(bytes).map_err(|e| e.to_string())?;
    let time = TimeNote::of(&note).map_err(|e| e.to_string())?;
    let name = TimeNote::key_name(&time.origin);
    let enrolled = keys
        .server_keys(Purpose::Time)
        .into_iter()
        .filter(|k| k.name.as_deref() == Some(&time.origin));
    let verifies = |k: &crate::key_log::EnrolledKey| {
        let key = k
            .record
            .key()
            .ok()
            .and_then(|key| VerifierKey::ed25519(&name, key).ok());
        key.is_some_and(|key| note.verify(&key).is_ok())
    };
    if !enrolled.into_iter().any(verifies) {
        return Err("no time key of the key log signed it".into());
    }
    Ok((time.unix_ms, TimeBasis::Claimed, time.size, time.root))
}

/// The earliest cosignature by an organisation other than the operator.
fn cosigned(bytes: &[u8], witnesses: &[Witness]) -> Result<Option<Fact>, String> {
    let note = SignedNote::parse(bytes).map_err(|e| e.to_string())?;
    let checkpoint = Checkpoint::of(&note).map_err(|e| e.to_string())?;
    let independent = witnesses.iter().filter(|w| !w.same_operator);
    let first = independent.filter_map(|w| note.verify_cosignature(&w.key).ok()).min();
    Ok(first.map(|seconds| {
        (
            seconds.saturating_mul(1000),
            TimeBasis::Cosigned,
            checkpoint.size,
            checkpoint.root,
        )
    }))
}

/// Keeps the attestations whose tree is shown to be a prefix of the bundle's checkpoint; only these bound from above.
pub(super) fn of_this_tree(
    source: &dyn BundleSource,
    attested: &[Attested],
    checkpoint: &Checkpoint,
    findings: &mut Findings,
) -> Vec<Attested> {
    let shown = |a: &&Attested| {
        if a.size == checkpoint.size && a.root != checkpoint.root {
            findings.diverged(
                "attestation.split_view",
                a.anchor.to_string(),
                "the same size of the log was attested with another root",
            );
            return false;
        }
        if a.size == checkpoint.size || a.size == 0 {
            return a.size != 0;
        }
        let path = format!("data/consistency/{}.txt", a.size);
        let Ok(bytes) = source.read(&path, 64 * 1024) else {
            return false;
        };
        let text = String::from_utf8_lossy(&bytes);
        let hashes: Option<Vec<Digest32>> = text.lines().map(|l| from_base64(l)?.try_into().ok()).collect();
        let holds = hashes
            .filter(|h| h.len() <= merkle::MAX_CONSISTENCY)
            .is_some_and(|hashes| {
                merkle::verify_consistency(a.size, &a.root, checkpoint.size, &checkpoint.root, &hashes).is_ok()
            });
        if !holds {
            findings.invalid(
                "attestation.consistency",
                path,
                "does not show that the attested log is the beginning of this one",
            );
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
    let by_anchor: BTreeMap<Anchor, &Attested> = attested.iter().map(|a| (a.anchor, a)).collect();
    let mut upper: Vec<&Attested> = upper.iter().collect();
    upper.sort_by_key(|a| (a.unix_ms, std::cmp::Reverse(a.basis)));
    let mut out = BTreeMap::new();
    for chain in operations.chains().into_values() {
        let mut not_before: Option<Bound> = None;
        for included in chain {
            let id = included.operation.id();
            if let Some(own) = included.operation.header().anchor.and_then(|a| by_anchor.get(&a)) {
                let bound = Bound {
                    unix_ms: own.unix_ms,
                    basis: own.basis,
                };
                if not_before.is_some_and(|earlier| earlier.unix_ms > bound.unix_ms) {
                    findings.diverged(
                        "bracket.anchor_went_back",
                        id.to_string(),
                        "names an older time than an earlier operation of its chain",
                    );
                }
                not_before = Some(bound);
            }
            let after = upper.iter().find(|a| a.size > included.index);
            let not_after = after.map(|a| Bound {
                unix_ms: a.unix_ms,
                basis: a.basis,
            });
            if let (Some(low), Some(high)) = (not_before, not_after)
                && low.unix_ms > high.unix_ms
            {
                findings.diverged(
                    "bracket.reversed",
                    id.to_string(),
                    "was attested as logged before the time it names as known",
                );
            }
            out.insert(id, TimeBracket { not_before, not_after });
        }
    }
    out
}
