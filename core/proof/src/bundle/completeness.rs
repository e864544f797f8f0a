//! Omissions and broken promises: two signed facts that contradict (`formats/roll.md`, `formats/receipts.md`).

use std::collections::{BTreeMap, BTreeSet};

use super::Ground;
use super::findings::Findings;
use super::operations::{ChainKey, ChainList, Included, Operations, Standing};
use super::time::Attested;
use crate::attest;
use crate::ids::{DeviceId, IncarnationId, OpId};
use crate::key_log::Purpose;
use crate::receipt::BatchReceipt;
use crate::roll::{self, Roll};

type StreamKey = (DeviceId, IncarnationId, [u8; 16]);
/// The operations of each stream by counter; more than one only where the device forked.
type Counters<'o> = BTreeMap<StreamKey, BTreeMap<u64, Vec<(OpId, &'o Included<'o>)>>>;

/// What rolls and closings leave to be shown.
#[derive(Default)]
pub(super) struct Completeness {
    /// Whether a roll was found.
    pub by_roll: bool,
    /// Operations with a greater counter than the newest roll names.
    pub after_roll: BTreeSet<OpId>,
    /// Operations that came after a closing.
    pub late: Vec<OpId>,
}

/// Checks that no stream has a gap, all rolls, and all closings.
pub(super) fn check(
    ground: &Ground,
    heads: &BTreeMap<u64, u64>,
    operations: &Operations,
    findings: &mut Findings,
) -> Completeness {
    let mut counters = Counters::new();
    for (id, included) in &operations.by_id {
        let h = included.operation.header();
        let stream = counters.entry((h.device, h.incarnation, h.stream().id())).or_default();
        stream.entry(h.counter).or_default().push((*id, included));
    }
    for held in counters.values() {
        let gap = (0..).zip(held).find(|(n, (counter, _))| n != *counter);
        gap.iter().for_each(|(_, (_, after))| findings.add("stream.gap", after[0].0));
    }
    let mut out = Completeness { late: check_closings(operations, &counters, findings), ..Completeness::default() };
    for (id, included) in operations.of_kind(roll::ROLL) {
        if !included.key.is_servers() {
            findings.add("roll.author", id);
        } else if let Some(roll) = included.operation.body().and_then(Roll::read) {
            out.by_roll = true;
            out.after_roll = check_roll(ground, heads, id, &roll, included.index, &counters, findings);
        } else {
            findings.add("roll.malformed", id);
        }
    }
    out
}

/// Holds a roll against the streams; gives the operations that it does not name.
fn check_roll(
    ground: &Ground,
    heads: &BTreeMap<u64, u64>,
    id: &OpId,
    roll: &Roll,
    index: u64,
    counters: &Counters,
    findings: &mut Findings,
) -> BTreeSet<OpId> {
    let later_head = heads.range(roll.key_log_size.saturating_add(1)..).any(|(_, at)| *at < roll.size);
    if ground.keys.head_at(roll.key_log_size) != Some(roll.key_log_head) || later_head {
        findings.add("roll.key_log", id);
    }
    let mut too_new = roll.size > index;
    let empty = BTreeMap::new();
    let mut named: BTreeMap<StreamKey, u64> = BTreeMap::new();
    for end in &roll.streams {
        let key = (end.device, end.incarnation, end.stream);
        named.insert(key, end.counter);
        let held = counters.get(&key).unwrap_or(&empty);
        let missing: Vec<u64> = (0..=end.counter).filter(|c| !held.contains_key(c)).take(5).collect();
        if !missing.is_empty() {
            findings.add_with("roll.missing", id, format!("{missing:?} of device {}", end.device));
        } else if !held[&end.counter].iter().any(|(op, _)| *op == end.id) {
            findings.add_with("roll.other", id, end.id);
        }
        too_new |= held.range(..=end.counter).any(|(_, ops)| ops.iter().all(|(_, o)| o.index >= roll.size));
    }
    if too_new {
        findings.add("roll.size", id);
    }
    let mut unnamed = BTreeSet::new();
    for (key, held) in counters {
        let last = named.get(key);
        for (op, included) in held.iter().filter(|(c, _)| last.is_none_or(|l| *c > l)).flat_map(|(_, ops)| ops) {
            // What waited beyond a gap was set aside then, and no roll could name it.
            if included.index < roll.size && included.standing == Standing::Clear {
                findings.add_with("roll.unnamed", op, format!("roll {id}"));
            }
            unnamed.insert(*op);
        }
    }
    unnamed.remove(id);
    unnamed
}

/// Holds every closing against the streams; gives the operations that came late.
fn check_closings(operations: &Operations, counters: &Counters, findings: &mut Findings) -> Vec<OpId> {
    let mut closed: BTreeMap<[u8; 16], (ChainKey, BTreeMap<ChainKey, u64>)> = BTreeMap::new();
    let counted = operations.counted();
    for (id, included) in &counted {
        let h = included.operation.header();
        let stream = h.stream().id();
        if h.kind == "inspection.return" {
            closed.remove(&stream);
        } else if h.kind == roll::CLOSE {
            let Some(held) = included.operation.body().and_then(roll::read_closing) else {
                findings.add("closing.malformed", id);
                continue;
            };
            let mut ends = BTreeMap::new();
            for (device, incarnation, counter, op) in held {
                ends.insert((device, incarnation), counter);
                let there = counters.get(&(device, incarnation, stream));
                if !there.is_some_and(|t| (0..=counter).all(|c| t.contains_key(&c))) {
                    findings.add_with("closing.missing", id, format!("up to {counter} of device {device}"));
                } else if !there.is_some_and(|t| t[&counter].iter().any(|(held, _)| *held == op)) {
                    findings.add_with("closing.other", id, op);
                }
            }
            closed.insert(stream, ((h.device, h.incarnation), ends));
        }
    }
    let late = |included: &Included| {
        let h = included.operation.header();
        let chain = (h.device, h.incarnation);
        let acts = [attest::KIND, roll::CLOSE, "inspection.return"].contains(&h.kind.as_str());
        let closing = closed.get(&h.stream().id()).filter(|(author, _)| *author != chain && !acts);
        closing.is_some_and(|(_, ends)| ends.get(&chain).is_none_or(|last| h.counter > *last))
    };
    counted.iter().filter(|(_, o)| late(o)).map(|(id, _)| **id).collect()
}

/// Checks batch receipts: signature and name, the link they promise, and the promise itself.
pub(super) fn check_receipts(
    ground: &Ground,
    lists: &BTreeMap<ChainKey, ChainList>,
    operations: &Operations,
    attested: &[Attested],
    findings: &mut Findings,
) {
    let ingest = ground.keys.server_keys(Purpose::Operation);
    let ingest: Vec<_> = ingest.into_iter().filter_map(|k| k.record.key().ok()).collect();
    let chains = operations.chains();
    for (path, name) in ground.bag.under("data/receipts/") {
        let bytes = ground.bag.read(path, 64 * 1024).unwrap_or_default();
        let receipt = ingest.iter().find_map(|key| BatchReceipt::open(&bytes, key).ok()).filter(|r| {
            name == format!("{}.{}.{}.cbor", r.device, r.incarnation, r.last_seq)
                && (r.tenant, &r.origin) == (ground.keys.tenant(), &ground.checkpoint.origin)
        });
        let Some(receipt) = receipt else {
            findings.add("receipt.signature", path);
            continue;
        };
        // A receipt for a forked branch promises another history; the fork itself is what is found.
        if receipt.fork.is_some() {
            continue;
        }
        let key = (receipt.device, receipt.incarnation);
        let after = usize::try_from(receipt.last_seq).ok().and_then(|last| last.checked_add(1));
        let link = lists.get(&key).zip(after).and_then(|(list, after)| list.links.get(after));
        if link.is_some_and(|l| *l != receipt.link) {
            findings.add("receipt.link", path);
            continue;
        }
        let promised = |o: &&&Included| (receipt.first_seq..=receipt.last_seq).contains(&o.operation.header().seq);
        let newest = chains.get(&key).and_then(|c| c.iter().filter(promised).map(|o| o.index).max());
        let broken =
            |a: &&Attested| a.unix_ms() > receipt.deadline_ms && newest.is_some_and(|index| a.tree.size <= index);
        if attested.iter().any(|a| broken(&a)) {
            findings.add("receipt.promise", path);
        }
    }
}
