//! The operations of a bundle: each read, signed by an enrolled key in force, included in the checkpoint, in its chain.

use std::collections::{BTreeMap, BTreeSet};

use super::Ground;
use super::findings::Findings;
use crate::attest;
use crate::cbor::Value;
use crate::ids::{Commitment, DeviceId, IncarnationId, KeyId, Link, OpId, from_hex};
use crate::key_log::{EnrolledKey, head_leaf};
use crate::operation::{MAX_FRAME, Operation, VerifiedOperation, link_next, link_origin};
use crate::tlog_proof::TlogProof;

/// A device's incarnation: one chain.
pub(super) type ChainKey = (DeviceId, IncarnationId);

/// What the server's dispositions say of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing.
    Clear,
    /// It was set aside once and counts again.
    Released,
    /// It is set aside: shown, and nothing that it says counts.
    Quarantined,
}

/// A verified operation with its proven place in the log and the key that signed it.
pub(super) struct Included<'k> {
    pub operation: VerifiedOperation,
    pub index: u64,
    pub key: &'k EnrolledKey,
    pub standing: Standing,
}

/// All operations that passed, by id.
pub(super) struct Operations<'k> {
    pub by_id: BTreeMap<OpId, Included<'k>>,
}

impl Operations<'_> {
    /// Operations in log order.
    pub fn in_log_order(&self) -> Vec<(&OpId, &Included<'_>)> {
        let mut all: Vec<_> = self.by_id.iter().collect();
        all.sort_by_key(|(_, o)| o.index);
        all
    }

    /// Those that are not set aside, in log order.
    pub fn counted(&self) -> Vec<(&OpId, &Included<'_>)> {
        let mut all = self.in_log_order();
        all.retain(|(_, o)| o.standing != Standing::Quarantined);
        all
    }

    /// Counted operations of a kind, in log order.
    pub fn of_kind(&self, kind: &str) -> Vec<(&OpId, &Included<'_>)> {
        let mut all = self.counted();
        all.retain(|(_, o)| o.operation.header().kind == kind);
        all
    }

    /// Operations of each device's incarnation, by sequence.
    pub fn chains(&self) -> BTreeMap<ChainKey, Vec<&Included<'_>>> {
        let mut chains: BTreeMap<_, Vec<&Included>> = BTreeMap::new();
        for included in self.by_id.values() {
            let header = included.operation.header();
            chains.entry((header.device, header.incarnation)).or_default().push(included);
        }
        chains.values_mut().for_each(|chain| chain.sort_by_key(|o| o.operation.header().seq));
        chains
    }
}

impl Included<'_> {
    /// The value of a field, if the operation shows it.
    pub fn field(&self, path: &str) -> Option<Value> {
        self.operation.body()?.get(path)
    }
}

/// Reads and checks `data/operations/` with `data/proofs/`.
pub(super) fn check<'k>(ground: &'k Ground, findings: &mut Findings) -> Operations<'k> {
    let mut out = Operations { by_id: BTreeMap::new() };
    let mut case = None;
    for (path, name) in ground.bag.under("data/operations/") {
        let read = ground.bag.read(path, MAX_FRAME as u64);
        let operation = match read.and_then(|frame| Operation::parse(&frame).map_err(|e| e.to_string())) {
            Ok(operation) => operation,
            Err(reason) => {
                findings.add_with("operation.malformed", path, reason);
                continue;
            }
        };
        let id = operation.id();
        if name != format!("{id}.cbor") {
            findings.add("operation.name", path);
        }
        if operation.header().tenant != ground.keys.tenant() {
            findings.add("operation.tenant", path);
            continue;
        }
        case = case.or(operation.header().case);
        if operation.header().case.is_none() || operation.header().case != case {
            findings.add("operation.other_case", path);
        }
        if let Some(included) = included(ground, operation, path, findings) {
            out.by_id.insert(id, included);
        }
    }
    if out.by_id.is_empty() {
        findings.add("operation.none", "data/operations/");
    }
    set_aside(&mut out);
    out
}

/// Signature under the key of its device's incarnation, and inclusion in the checkpoint.
fn included<'k>(ground: &'k Ground, operation: Operation, path: &str, findings: &mut Findings) -> Option<Included<'k>> {
    let header = operation.header();
    let Some(key) = ground.keys.operation_key(&header.device, &header.incarnation) else {
        findings.add("operation.key_unknown", path);
        return None;
    };
    let signed = key.record.key().and_then(|key| operation.verify(&key));
    let operation = signed.map_err(|e| findings.add_with("operation.signature", path, e)).ok()?;
    let proof = format!("data/proofs/{}.tlog-proof", operation.id());
    let index = place(ground, &proof, operation.commitment().as_bytes());
    let index = index.map_err(|reason| findings.add_with("operation.inclusion", proof, reason)).ok()?;
    Some(Included { operation, index, key, standing: Standing::Clear })
}

/// Checks one proof file against the bundle's checkpoint; gives the index.
fn place(ground: &Ground, path: &str, leaf: &[u8; 32]) -> Result<u64, String> {
    let bytes = ground.bag.read(path, 128 * 1024)?;
    let proof = TlogProof::parse(&bytes).map_err(|e| e.to_string())?;
    if Some(&proof.note) != ground.note.as_ref() {
        return Err("its checkpoint is not, byte for byte, that of the bundle".into());
    }
    proof.verify(leaf, &ground.checkpoint).map_err(|e| e.to_string())?;
    Ok(proof.index)
}

/// The newest disposition of each target; among concurrent ones quarantine wins. A disposition is never set aside.
fn set_aside(operations: &mut Operations) {
    let mut by_target: BTreeMap<OpId, Vec<(OpId, Vec<OpId>, bool)>> = BTreeMap::new();
    let dispositions = operations.by_id.iter().filter(|(_, o)| o.operation.header().kind == "disposition");
    for (id, included) in dispositions.filter(|(_, o)| o.key.is_servers()) {
        let target = included.field("disposition/target");
        let Some(target) = target.and_then(|v| v.as_bytes()?.try_into().ok().map(OpId::from_bytes)) else {
            continue;
        };
        let state = included.field("disposition/state");
        let quarantines = state.as_ref().and_then(Value::as_text) == Some("quarantined");
        let facts = by_target.entry(target).or_default();
        facts.push((*id, included.operation.header().supersedes.clone(), quarantines));
    }
    for (target, facts) in by_target {
        let superseded: BTreeSet<&OpId> = facts.iter().flat_map(|(_, s, _)| s).collect();
        let stands = facts.iter().any(|(id, _, quarantines)| *quarantines && !superseded.contains(id));
        let ever = facts.iter().any(|(_, _, quarantines)| *quarantines);
        if let Some(one) = operations.by_id.get_mut(&target).filter(|o| o.operation.header().kind != "disposition") {
            one.standing = match (stands, ever) {
                (true, _) => Standing::Quarantined,
                (false, true) => Standing::Released,
                (false, false) => Standing::Clear,
            };
        }
    }
}

/// The list of one incarnation's commitments, with the links recomputed.
pub(super) struct ChainList {
    /// `links[n]` is the link before seq n.
    pub links: Vec<Link>,
    /// C of seq 0, 1, …
    pub commitments: Vec<Commitment>,
}

impl ChainList {
    fn read(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
        let hash = |line: &str| from_hex(line)?.try_into().ok();
        let hashes: Vec<[u8; 32]> = text.split('\n').map(hash).collect::<Option<_>>()?;
        let (start, commitments) = hashes.split_first().filter(|(_, rest)| !rest.is_empty())?;
        let commitments: Vec<Commitment> = commitments.iter().copied().map(Commitment::from_bytes).collect();
        let mut links = vec![Link::from_bytes(*start)];
        commitments.iter().for_each(|c| links.push(link_next(&links[links.len() - 1], c)));
        Some(Self { links, commitments })
    }

    fn holds(&self, operation: &Operation) -> bool {
        let (header, seq) = (operation.header(), operation.header().seq as usize);
        self.commitments.get(seq) == Some(&operation.commitment()) && self.links[seq] == header.prev
    }
}

/// Reads the chain lists and finds every shown operation in them.
pub(super) fn check_chains(
    ground: &Ground,
    operations: &Operations,
    findings: &mut Findings,
) -> BTreeMap<ChainKey, ChainList> {
    let mut out = BTreeMap::new();
    for (key, chain) in operations.chains() {
        let path = format!("data/chains/{}.{}.txt", key.0, key.1);
        let Ok(bytes) = ground.bag.read(&path, 65 * 1_000_001) else {
            findings.add("chain.missing", path);
            continue;
        };
        let Some(list) = ChainList::read(&bytes) else {
            findings.add("chain.malformed", path);
            continue;
        };
        // The list holds one branch. An operation of another branch is no fault of the list: the fork is found by itself.
        let stands: BTreeSet<u64> =
            chain.iter().filter(|o| list.holds(&o.operation)).map(|o| o.operation.header().seq).collect();
        let mut branches: BTreeSet<Link> = BTreeSet::new();
        for operation in chain.iter().map(|o| &o.operation).filter(|o| !list.holds(o)) {
            let header = operation.header();
            if stands.contains(&header.seq) || branches.contains(&header.prev) {
                branches.insert(operation.link());
            } else {
                findings.add_with("chain.broken", &path, operation.id());
            }
        }
        if stands.last().is_some_and(|last| last + 1 != list.commitments.len() as u64) {
            findings.add("chain.length", path);
        }
        out.insert(key, list);
    }
    out
}

/// Two operations where a device may have signed only one: among those shown, and among those that only the lists name.
pub(super) fn check_forks(
    ground: &Ground,
    operations: &Operations,
    lists: &BTreeMap<ChainKey, ChainList>,
    findings: &mut Findings,
) {
    let mut seen: BTreeMap<(&'static str, DeviceId, Vec<u8>), Commitment> = BTreeMap::new();
    let tenant = ground.keys.tenant();
    // Every incarnation may open at the origin: after a total loss a device knows no other link.
    let after = |device: &DeviceId, incarnation: &IncarnationId, seq: u64, prev: &Link| {
        let opens = seq == 0 && *prev == link_origin(&tenant, device);
        [&prev.as_bytes()[..], if opens { &incarnation.as_bytes()[..] } else { &[] }].concat()
    };
    let mut clash = |what, device, place, commitment: Commitment| {
        seen.insert((what, device, place), commitment).is_some_and(|other| other != commitment)
    };
    for (id, included) in operations.in_log_order() {
        let (h, commitment) = (included.operation.header(), included.operation.commitment());
        let life = h.incarnation.as_bytes();
        let places = [
            ("seq", [life, &h.seq.to_be_bytes()[..]].concat()),
            ("prev", after(&h.device, &h.incarnation, h.seq, &h.prev)),
            ("counter", [life, &h.stream().id()[..], &h.counter.to_be_bytes()].concat()),
        ];
        for (what, place) in places {
            if clash(what, h.device, place, commitment) {
                findings.add_with("fork", id, format!("another has the same {what}"));
            }
        }
    }
    let first = IncarnationId::from_bytes([0; 16]);
    let lives = |device: &DeviceId| lists.range((*device, first)..).take(2).filter(|((d, _), _)| d == device).count();
    for ((device, incarnation), list) in lists.iter().filter(|((device, _), _)| lives(device) > 1) {
        for (seq, commitment) in list.commitments.iter().enumerate() {
            if clash("prev", *device, after(device, incarnation, seq as u64, &list.links[seq]), *commitment) {
                findings.add_with("fork", device, format!("two of its operations continue {}", list.links[seq]));
            }
        }
    }
}

/// Leaf index of each key log head that a proof places, by the number of entries it covers.
pub(super) fn place_heads(ground: &Ground, findings: &mut Findings) -> BTreeMap<u64, u64> {
    let mut placed: BTreeMap<u64, u64> = BTreeMap::new();
    for (path, name) in ground.bag.under("data/key-log/") {
        let number = name.strip_suffix(".tlog-proof");
        let size = number.and_then(|n| n.parse::<u64>().ok().filter(|size| size.to_string() == n));
        let head = size.and_then(|size| Some((size, ground.keys.head_at(size)?)));
        let head = head.ok_or("the key log has no such size".to_owned());
        let index = head.and_then(|(size, head)| Ok((size, place(ground, path, head_leaf(size, &head).as_bytes())?)));
        match index {
            Ok((size, index)) => drop(placed.insert(size, index)),
            Err(reason) => findings.add_with("key_log.proof", path, reason),
        }
    }
    if placed.values().zip(placed.values().skip(1)).any(|(earlier, later)| earlier >= later) {
        findings.add_with("key_log.proof", "data/key-log/", "a later head stands before an earlier one");
    }
    placed
}

/// Every operation lies between the heads that enrolled and that revoked its key; an attest also under its officer's key.
pub(super) fn check_keys(
    ground: &Ground,
    heads: &BTreeMap<u64, u64>,
    operations: &Operations,
    findings: &mut Findings,
) {
    let mut unplaced: BTreeSet<KeyId> = BTreeSet::new();
    for (id, included) in operations.in_log_order() {
        // An attest stands on two keys: the device's, and that of the officer it carries.
        let carried = included.field("attest/key").filter(|_| included.operation.header().kind == attest::KIND);
        let officer = carried.and_then(|v| ground.keys.key(&KeyId::from_bytes(v.as_bytes()?.try_into().ok()?)));
        for key in std::iter::once(included.key).chain(officer) {
            let from = heads.get(&(key.enrolled_at + 1));
            let until = key.revoked_at.map(|at| heads.get(&(at + 1)));
            if from.is_none() || until == Some(None) {
                unplaced.insert(key.record.id());
            } else if included.standing == Standing::Quarantined {
                continue;
            } else if until.flatten().is_some_and(|at| included.index >= *at) {
                findings.add("operation.key_revoked", id);
            } else if key == included.key && from.is_some_and(|at| included.index <= *at) {
                findings.add("operation.key_too_early", id);
            }
        }
    }
    unplaced.iter().for_each(|key| findings.add("key_log.unplaced", key));
}
