//! The operations of a bundle: each read, signed by an enrolled key, and included in the checkpoint.

use std::collections::{BTreeMap, BTreeSet};

use super::bag::Bag;
use super::report::Findings;
use super::source::BundleSource;
use crate::attest;
use crate::body::FieldValue;
use crate::cbor::Value;
use crate::checkpoint::Checkpoint;
use crate::ids::{CaseId, DeviceId, IncarnationId, KeyId, Link, OpId, from_hex};
use crate::key_log::{EnrolledKey, KeyLog, head_leaf};
use crate::operation::{MAX_FRAME, Operation, VerifiedOperation, link_next};
use crate::tlog_proof::TlogProof;

/// A verified operation with its proven place in the log.
pub(super) struct Included {
    pub operation: VerifiedOperation,
    pub index: u64,
}

/// All operations that passed, by id.
pub(super) struct Operations {
    pub by_id: BTreeMap<OpId, Included>,
    pub withheld: Vec<(OpId, String)>,
}

impl Operations {
    /// Operations in log order.
    pub fn in_log_order(&self) -> Vec<(&OpId, &Included)> {
        let mut all: Vec<_> = self.by_id.iter().collect();
        all.sort_by_key(|(_, o)| o.index);
        all
    }

    /// Operations of each device's incarnation, by sequence.
    pub fn chains(&self) -> BTreeMap<(DeviceId, IncarnationId), Vec<&Included>> {
        let mut chains: BTreeMap<_, Vec<&Included>> = BTreeMap::new();
        for included in self.by_id.values() {
            let header = included.operation.header();
            chains
                .entry((header.device, header.incarnation))
                .or_default()
                .push(included);
        }
        chains
            .values_mut()
            .for_each(|chain| chain.sort_by_key(|o| o.operation.header().seq));
        chains
    }

    /// The value of a field, if the operation shows it.
    pub fn field(&self, id: &OpId, path: &str) -> Option<Value> {
        self.by_id.get(id)?.operation.body()?.get(path)
    }
}

/// Reads and checks `data/operations/` with `data/proofs/`.
pub(super) fn check(
    source: &dyn BundleSource,
    bag: &Bag,
    keys: &KeyLog,
    checkpoint: &Checkpoint,
    findings: &mut Findings,
) -> Operations {
    let mut out = Operations {
        by_id: BTreeMap::new(),
        withheld: Vec::new(),
    };
    let mut case: Option<CaseId> = None;
    for (path, name) in bag.under("data/operations/") {
        let parsed = source.read(path, MAX_FRAME as u64).map_err(|e| e.to_string());
        let operation = match parsed.and_then(|frame| Operation::parse(&frame).map_err(|e| e.to_string())) {
            Ok(operation) => operation,
            Err(reason) => {
                findings.invalid("operation.malformed", path, reason);
                continue;
            }
        };
        let id = operation.id();
        if name != format!("{id}.cbor") {
            findings.invalid(
                "operation.name",
                path,
                "the file is not named after the operation in it",
            );
        }
        if operation.header().tenant != keys.tenant() {
            findings.invalid("operation.tenant", path, "is of another tenant than the key log");
            continue;
        }
        if *case.get_or_insert(operation.header().case.unwrap_or(CaseId::from_bytes([0; 16])))
            != operation.header().case.unwrap_or(CaseId::from_bytes([0; 16]))
        {
            findings.invalid(
                "operation.other_case",
                path,
                "is of another case than the other operations",
            );
        }
        let Some(operation) = verified(operation, keys, path, findings) else {
            continue;
        };
        let Some(index) = included(source, &operation, checkpoint, findings) else {
            continue;
        };
        match operation.body() {
            None => out.withheld.push((id, String::new())),
            Some(body) => {
                let kept_back = body
                    .fields()
                    .iter()
                    .filter(|f| matches!(f.value, FieldValue::Withheld(_)));
                out.withheld.extend(kept_back.map(|f| (id, f.path.clone())));
            }
        }
        out.by_id.insert(id, Included { operation, index });
    }
    if out.by_id.is_empty() {
        findings.invalid(
            "operation.none",
            "data/operations/",
            "no operation in the bundle passed",
        );
    }
    out
}

fn verified(operation: Operation, keys: &KeyLog, path: &str, findings: &mut Findings) -> Option<VerifiedOperation> {
    let header = operation.header();
    let Some(enrolled) = keys.operation_key(&header.device, &header.incarnation) else {
        findings.unanchored("operation.key_unknown", path, "its device is not in the key log");
        return None;
    };
    let checked = enrolled.record.key().and_then(|key| operation.verify(&key));
    checked
        .map_err(|e| findings.invalid("operation.signature", path, e.to_string()))
        .ok()
}

fn included(
    source: &dyn BundleSource,
    operation: &VerifiedOperation,
    checkpoint: &Checkpoint,
    findings: &mut Findings,
) -> Option<u64> {
    let path = format!("data/proofs/{}.tlog-proof", operation.id());
    proof(source, &path, operation.commitment().as_bytes(), checkpoint)
        .map_err(|reason| findings.invalid("operation.inclusion", path, reason))
        .ok()
}

/// Checks one proof file against the bundle's checkpoint; gives the index.
fn proof(source: &dyn BundleSource, path: &str, leaf: &[u8; 32], checkpoint: &Checkpoint) -> Result<u64, String> {
    let bytes = source.read(path, 128 * 1024).map_err(|e| e.to_string())?;
    let proof = TlogProof::parse(&bytes).map_err(|e| e.to_string())?;
    if Checkpoint::of(&proof.note).map_err(|e| e.to_string())? != *checkpoint {
        return Err("the proof is of another checkpoint than the bundle".into());
    }
    proof.verify(leaf, checkpoint).map_err(|e| e.to_string())?;
    Ok(proof.index)
}

/// Recomputes the device links from the chain files; `links[seq]` is the link after that operation.
pub(super) fn check_chains(
    source: &dyn BundleSource,
    operations: &Operations,
    findings: &mut Findings,
) -> BTreeMap<(DeviceId, IncarnationId), Vec<Link>> {
    let mut out = BTreeMap::new();
    for ((device, incarnation), chain) in operations.chains() {
        let path = format!("data/chains/{device}.{incarnation}.txt");
        let Some((start, commitments)) = read_chain(source, &path, findings) else {
            continue;
        };
        let mut links = Vec::with_capacity(commitments.len());
        let mut link = start;
        for commitment in &commitments {
            link = link_next(&link, &crate::ids::Commitment::from_bytes(*commitment));
            links.push(link);
        }
        let stands = |o: &Included| {
            let (header, seq) = (o.operation.header(), o.operation.header().seq as usize);
            let before = if seq == 0 { Some(&start) } else { links.get(seq - 1) };
            commitments.get(seq) == Some(o.operation.commitment().as_bytes()) && before == Some(&header.prev)
        };
        // The list holds one branch. An operation of another branch is no fault of the list: the fork is found by itself.
        let mut branches: BTreeSet<Link> = BTreeSet::new();
        for included in &chain {
            let (header, seq) = (included.operation.header(), included.operation.header().seq);
            let twin = |o: &Included| o.operation.header().seq == seq && stands(o);
            if !stands(included) && (branches.contains(&header.prev) || chain.iter().any(|o| twin(o))) {
                branches.insert(included.operation.link());
            } else if !stands(included) {
                let detail = format!(
                    "operation {} does not stand at {seq} of the chain, or not after that link",
                    included.operation.id()
                );
                findings.invalid("chain.broken", &path, detail);
            }
        }
        if let Some(last) = chain.last()
            && commitments.len() as u64 != last.operation.header().seq + 1
        {
            findings.invalid(
                "chain.length",
                &path,
                "the chain does not end at the last operation of the bundle",
            );
        }
        out.insert((device, incarnation), links);
    }
    out
}

fn read_chain(source: &dyn BundleSource, path: &str, findings: &mut Findings) -> Option<(Link, Vec<[u8; 32]>)> {
    let bytes = match source.read(path, 65 * 1_000_001) {
        Ok(bytes) => bytes,
        Err(error) => {
            findings.invalid("chain.missing", path, error.reason);
            return None;
        }
    };
    let lines = std::str::from_utf8(&bytes).unwrap_or_default().lines();
    let hashes: Option<Vec<[u8; 32]>> = lines.map(|l| from_hex(l)?.try_into().ok()).collect();
    match hashes {
        Some(hashes) if hashes.len() > 1 => Some((Link::from_bytes(hashes[0]), hashes[1..].to_vec())),
        _ => {
            findings.invalid("chain.malformed", path, "is not a list of hashes in hex");
            None
        }
    }
}

/// Finds operations of revoked keys that were logged after the revocation took effect.
pub(super) fn check_revocations(
    source: &dyn BundleSource,
    bag: &Bag,
    keys: &KeyLog,
    operations: &Operations,
    quarantined: &dyn Fn(&OpId) -> bool,
    checkpoint: &Checkpoint,
    findings: &mut Findings,
) {
    let mut placed: BTreeMap<u64, u64> = BTreeMap::new();
    for (path, name) in bag.under("data/key-log/") {
        let size = name.strip_suffix(".tlog-proof").and_then(|n| n.parse::<u64>().ok());
        let Some((size, head)) = size.and_then(|s| Some((s, keys.head_at(s)?))) else {
            findings.invalid("key_log.proof", path, "names a size the key log does not have");
            continue;
        };
        match proof(source, path, head_leaf(size, &head).as_bytes(), checkpoint) {
            Ok(index) => drop(placed.insert(size, index)),
            Err(reason) => findings.invalid("key_log.proof", path, reason),
        }
    }
    let effect = |key: &EnrolledKey| {
        key.revoked_at
            .map(|at| placed.range(at + 1..).next().map(|(_, index)| *index))
    };
    for (id, included) in &operations.by_id {
        let header = included.operation.header();
        // An attest stands on two keys: the device's, and that of the officer it carries.
        let officer = operations
            .field(id, "attest/key")
            .filter(|_| header.kind == attest::KIND)
            .and_then(|v| keys.key(&KeyId::from_bytes(v.as_bytes()?.try_into().ok()?)));
        let device = keys.operation_key(&header.device, &header.incarnation);
        for key in device.into_iter().chain(officer) {
            match effect(key) {
                Some(None) => findings.invalid(
                    "key_log.revocation_unplaced",
                    id.to_string(),
                    "no proof shows when its key was revoked",
                ),
                Some(Some(index)) if included.index >= index && !quarantined(id) => {
                    findings.invalid(
                        "operation.key_revoked",
                        id.to_string(),
                        "was logged after its key was revoked",
                    );
                }
                _ => {}
            }
        }
    }
}
