//! Omissions, forks and broken promises: two signed facts that contradict (`formats/roll.md`, `formats/receipts.md`).

use std::collections::{BTreeMap, BTreeSet};

use super::bag::Bag;
use super::operations::{Included, Operations};
use super::report::Findings;
use super::source::BundleSource;
use super::time::Attested;
use crate::ids::{DeviceId, IncarnationId, Link, OpId};
use crate::key_log::{KeyLog, Purpose};
use crate::receipt::BatchReceipt;
use crate::roll::{self, Roll};

type ChainKey = (DeviceId, IncarnationId);
type StreamKey = (DeviceId, IncarnationId, [u8; 16]);
/// The operations of each stream by counter; more than one only where the device forked.
type Counters = BTreeMap<StreamKey, BTreeMap<u64, BTreeSet<OpId>>>;

/// What the roll and the closings leave to be shown.
pub(super) struct Completeness {
    /// Whether a roll was found.
    pub by_roll: bool,
    /// Operations with a greater counter than the roll names.
    pub after_roll: BTreeSet<OpId>,
    /// Operations that came after a closing.
    pub late: Vec<OpId>,
}

/// Two operations where a device may have signed only one.
pub(super) fn check_forks(operations: &Operations, findings: &mut Findings) {
    let mut seen: BTreeMap<(&'static str, DeviceId, Vec<u8>), OpId> = BTreeMap::new();
    for (id, included) in operations.in_log_order() {
        let h = included.operation.header();
        let place = [&h.incarnation.as_bytes()[..], &h.seq.to_be_bytes()].concat();
        let stream = [
            &h.incarnation.as_bytes()[..],
            &h.stream().id(),
            &h.counter.to_be_bytes(),
        ]
        .concat();
        for key in [
            ("seq", place),
            ("prev", h.prev.as_bytes().to_vec()),
            ("counter", stream),
        ] {
            if let Some(other) = seen.insert((key.0, h.device, key.1), *id) {
                findings.diverged(
                    "fork",
                    id.to_string(),
                    format!("its device signed {other} with the same {}", key.0),
                );
            }
        }
    }
}

/// Checks the newest roll and all closings.
pub(super) fn check(operations: &Operations, keys: &KeyLog, tree_size: u64, findings: &mut Findings) -> Completeness {
    let mut counters = Counters::new();
    for (id, included) in &operations.by_id {
        let h = included.operation.header();
        counters
            .entry((h.device, h.incarnation, h.stream().id()))
            .or_default()
            .entry(h.counter)
            .or_default()
            .insert(*id);
    }
    let mut out = Completeness {
        by_roll: false,
        after_roll: BTreeSet::new(),
        late: Vec::new(),
    };
    let rolls = operations
        .in_log_order()
        .into_iter()
        .filter(|(_, o)| o.operation.header().kind == roll::ROLL);
    if let Some((id, newest)) = rolls.max_by_key(|(_, o)| o.index) {
        check_roll(id, newest, &counters, keys, tree_size, &mut out, findings);
    }
    let closings = operations
        .in_log_order()
        .into_iter()
        .filter(|(_, o)| o.operation.header().kind == roll::CLOSE);
    closings.for_each(|(id, closing)| check_closing(id, closing, &counters, &mut out, findings));
    out
}

fn check_roll(
    id: &OpId,
    included: &Included,
    counters: &Counters,
    keys: &KeyLog,
    tree_size: u64,
    out: &mut Completeness,
    findings: &mut Findings,
) {
    let header = included.operation.header();
    let Some(roll) = included.operation.body().and_then(Roll::read) else {
        return findings.invalid(
            "roll.malformed",
            id.to_string(),
            "the roll cannot be read or is withheld",
        );
    };
    if !keys.is_ingest(&header.device) {
        return findings.invalid(
            "roll.author",
            id.to_string(),
            "a roll by a device that is not the server's",
        );
    }
    out.by_roll = true;
    if roll.size > tree_size || roll.size > included.index {
        findings.diverged(
            "roll.size",
            id.to_string(),
            "the roll speaks of a larger log than it stands in",
        );
    }
    if keys.head_at(roll.key_log_size) != Some(roll.key_log_head) {
        findings.diverged(
            "roll.key_log",
            id.to_string(),
            "the key log of the bundle does not reach the head the roll names",
        );
    }
    for end in &roll.streams {
        let key = (end.device, end.incarnation, end.stream);
        let empty = BTreeMap::new();
        let held = counters.get(&key).unwrap_or(&empty);
        let missing: Vec<u64> = (0..=end.counter).filter(|c| !held.contains_key(c)).take(5).collect();
        if !missing.is_empty() {
            let detail = format!(
                "the roll names operation(s) {missing:?} of device {} in this case; the bundle lacks them",
                end.device
            );
            findings.diverged("roll.missing", id.to_string(), detail);
        } else if !held.get(&end.counter).is_some_and(|ids| ids.contains(&end.id)) {
            findings.diverged(
                "roll.other",
                id.to_string(),
                format!("the roll names {}; the bundle has another", end.id),
            );
        }
    }
    let named: BTreeMap<StreamKey, u64> = roll
        .streams
        .iter()
        .map(|s| ((s.device, s.incarnation, s.stream), s.counter))
        .collect();
    for (key, held) in counters {
        let last = named.get(key).copied();
        out.after_roll.extend(
            held.iter()
                .filter(|(c, _)| last.is_none_or(|l| **c > l))
                .flat_map(|(_, ops)| ops.iter().copied().filter(|op| op != id)),
        );
    }
}

fn check_closing(id: &OpId, included: &Included, counters: &Counters, out: &mut Completeness, findings: &mut Findings) {
    let header = included.operation.header();
    let Some(held) = included.operation.body().and_then(roll::read_closing) else {
        return findings.invalid(
            "closing.malformed",
            id.to_string(),
            "the closing cannot be read or is withheld",
        );
    };
    let stream = header.stream().id();
    let ends: BTreeMap<ChainKey, (u64, OpId)> = held.iter().map(|(d, i, c, op)| ((*d, *i), (*c, *op))).collect();
    for ((device, incarnation), (counter, op)) in &ends {
        let there = counters.get(&(*device, *incarnation, stream));
        let all = there.is_some_and(|t| (0..=*counter).all(|c| t.contains_key(&c)));
        if !all {
            findings.diverged(
                "closing.missing",
                id.to_string(),
                format!(
                    "its author held {} operations of {device}; the bundle has fewer",
                    counter + 1
                ),
            );
        } else if !there.and_then(|t| t.get(counter)).is_some_and(|ids| ids.contains(op)) {
            findings.diverged(
                "closing.other",
                id.to_string(),
                format!("its author held {op}; the bundle has another"),
            );
        }
    }
    for ((device, incarnation, s), there) in counters.iter().filter(|((_, _, s), _)| *s == stream) {
        debug_assert_eq!(*s, stream);
        let last = ends.get(&(*device, *incarnation)).map(|(c, _)| *c);
        // The author's own operations after the closing (its attest) are no surprise to him; others' are late.
        let own = (*device, *incarnation) == (header.device, header.incarnation);
        out.late.extend(
            there
                .iter()
                .filter(|(c, _)| !own && last.is_none_or(|l| **c > l))
                .flat_map(|(_, ops)| ops.iter().copied()),
        );
    }
}

/// Checks batch receipts: signature, the link they promise, and the promise itself.
pub(super) fn check_receipts(
    source: &dyn BundleSource,
    bag: &Bag,
    keys: &KeyLog,
    chains: &BTreeMap<ChainKey, Vec<Link>>,
    operations: &Operations,
    attested: &[Attested],
    findings: &mut Findings,
) {
    let ingest: Vec<_> = keys
        .server_keys(Purpose::Operation)
        .into_iter()
        .filter_map(|k| k.record.key().ok())
        .collect();
    for (path, _) in bag.under("data/receipts/") {
        let bytes = source.read(path, 64 * 1024).unwrap_or_default();
        let Some(receipt) = ingest.iter().find_map(|key| BatchReceipt::open(&bytes, key).ok()) else {
            findings.invalid(
                "receipt.signature",
                path,
                "is malformed or not signed by the server's ingest key",
            );
            continue;
        };
        let chain = chains.get(&(receipt.device, receipt.incarnation));
        let link = chain.and_then(|links| links.get(receipt.last_seq as usize));
        if receipt.fork.is_none() && link.is_some_and(|l| *l != receipt.link) {
            findings.diverged(
                "receipt.link",
                path,
                "the server received another history of this device",
            );
        }
        let covered = operations.by_id.values().filter(|o| {
            let h = o.operation.header();
            h.device == receipt.device
                && h.incarnation == receipt.incarnation
                && h.seq <= receipt.last_seq
                && h.seq >= receipt.first_seq
        });
        let broken = covered.flat_map(|o| {
            attested
                .iter()
                .filter(move |a| a.unix_ms > receipt.deadline_ms && a.size <= o.index)
        });
        if broken.count() > 0 {
            findings.diverged(
                "receipt.promise",
                path,
                "an operation was promised by a deadline and logged later",
            );
        }
    }
}
