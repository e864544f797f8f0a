//! The folded state of a scope, and how a reader asks it.

use std::collections::{BTreeMap, BTreeSet};

use fieldseal_proof::cbor::Value;
use fieldseal_proof::hash::Digest32;
use fieldseal_proof::ids::{InspectionId, OfficerId, OpId, PackHash, SessionId};
use fieldseal_proof::operation::{Header, RequiredSigner};

use super::{DispositionFact, MergeKey, Outcome, Quarantine, Resolved, Scope, state_hash};

/// What a view shows of an operation beside its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationFact {
    pub id: OpId,
    pub kind: String,
    pub key: MergeKey,
    pub inspection: Option<InspectionId>,
    pub session: Option<SessionId>,
    /// The device's own clock, milliseconds since 1970: a claim.
    pub wall_ms: u64,
    pub pack: Option<PackHash>,
    /// Signers that the header adds to the least set.
    pub signers: Vec<RequiredSigner>,
}

impl OperationFact {
    pub(super) fn of(id: OpId, header: &Header) -> OperationFact {
        OperationFact {
            id,
            kind: header.kind.clone(),
            key: MergeKey::of(header),
            inspection: header.inspection,
            session: header.session,
            wall_ms: header.clock.wall_ms,
            pack: header.pack,
            signers: header.signers.clone(),
        }
    }
}

/// One `attest` operation, read. Its officer signature is checked by whoever admitted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestFact {
    pub id: OpId,
    pub officer: OfficerId,
    pub role: String,
    /// `made`, `approved`, `refused` or `dissents`.
    pub meaning: String,
    pub targets: Vec<OpId>,
}

/// The state of a scope. Equal sets of operations give equal states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    pub(super) scope: Scope,
    pub(super) paths: BTreeMap<String, Resolved>,
    pub(super) facts: BTreeMap<String, Resolved>,
    pub(super) operations: BTreeMap<OpId, OperationFact>,
    pub(super) attests: Vec<AttestFact>,
    pub(super) dispositions: Vec<DispositionFact>,
    pub(super) quarantine: BTreeMap<OpId, Quarantine>,
    pub(super) unknown: BTreeSet<OpId>,
    pub(super) bodyless: BTreeSet<OpId>,
}

impl State {
    /// The scope folded.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// The resolved path, if anything ever wrote it.
    pub fn get(&self, path: &str) -> Option<&Resolved> {
        self.paths.get(path)
    }

    /// Every path with what it came to, in ascending byte order. Facts about other operations (attest, disposition, closing,
    /// roll) are not among them.
    pub fn paths(&self) -> impl Iterator<Item = (&str, &Resolved)> {
        self.paths.iter().map(|(path, resolved)| (path.as_str(), resolved))
    }

    /// The paths below `prefix/`.
    pub fn under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Resolved)> {
        let from = format!("{prefix}/");
        let end = from.clone();
        self.paths
            .range(from..)
            .take_while(move |(path, _)| path.starts_with(&end))
            .map(|(path, resolved)| (path.as_str(), resolved))
    }

    /// The distinct segments that follow `prefix/`: the ids of the findings below `finding`, for example.
    pub fn members(&self, prefix: &str) -> Vec<String> {
        let skip = prefix.len() + 1;
        let mut members: Vec<String> = self
            .under(prefix)
            .filter(|(_, resolved)| !resolved.held().is_empty())
            .filter_map(|(path, _)| path[skip..].split('/').next())
            .map(str::to_owned)
            .collect();
        members.dedup();
        members
    }

    /// The one value of a path. `None` when there is none, it is withheld, or several stand side by side.
    pub fn value(&self, path: &str) -> Option<Value> {
        self.get(path)?.single()
    }

    /// The one text of a path.
    pub fn text(&self, path: &str) -> Option<String> {
        self.value(path)?.as_text().map(str::to_owned)
    }

    /// The one integer of a path.
    pub fn int(&self, path: &str) -> Option<i64> {
        self.value(path)?.as_int()
    }

    /// The one unsigned integer of a path.
    pub fn uint(&self, path: &str) -> Option<u64> {
        self.value(path)?.as_uint()
    }

    /// The one byte string of a path, of exactly `N` bytes: an id or a hash.
    pub fn bytes<const N: usize>(&self, path: &str) -> Option<[u8; N]> {
        self.value(path)?.as_bytes()?.try_into().ok()
    }

    /// All values of a path that are not withheld: the elements of a set, the lines of a record, both sides of a conflict.
    pub fn all(&self, path: &str) -> Vec<Value> {
        self.get(path).map_or_else(Vec::new, |resolved| {
            resolved.held().iter().filter_map(|h| h.decoded()).collect()
        })
    }

    /// Fields with several legal values. What depends on them is blocked.
    pub fn conflicts(&self) -> impl Iterator<Item = (&str, &Resolved)> {
        self.paths()
            .filter(|(_, resolved)| matches!(resolved.outcome, Outcome::Conflict(_)))
    }

    /// Sealed fields that were written twice with different values.
    pub fn contradictions(&self) -> impl Iterator<Item = (&str, &Resolved)> {
        self.paths()
            .filter(|(_, resolved)| matches!(resolved.outcome, Outcome::Contradiction(_)))
    }

    /// The heads of a path: what a new write of it supersedes.
    pub fn heads(&self, path: &str) -> &[OpId] {
        self.get(path).map_or(&[], |resolved| &resolved.heads)
    }

    /// An operation of the scope.
    pub fn operation(&self, id: &OpId) -> Option<&OperationFact> {
        self.operations.get(id)
    }

    /// Every operation of the scope by id, quarantined ones included.
    pub fn operations(&self) -> impl Iterator<Item = &OperationFact> {
        self.operations.values()
    }

    /// The operations that hold the value or values of a path now.
    pub fn writers(&self, path: &str) -> Vec<OpId> {
        self.get(path).map_or_else(Vec::new, |resolved| {
            resolved.held().iter().flat_map(|h| h.by.clone()).collect()
        })
    }

    /// The officers' attestations of an operation, oldest first by merge key. Quarantined ones do not count.
    pub fn attests(&self, target: &OpId) -> Vec<&AttestFact> {
        let mut attests: Vec<&AttestFact> = self.attests.iter().filter(|a| a.targets.contains(target)).collect();
        attests.sort_by_key(|attest| (self.operations.get(&attest.id).map(|op| op.key), attest.id));
        attests
    }

    /// What is set aside, and why.
    pub fn quarantine(&self) -> &BTreeMap<OpId, Quarantine> {
        &self.quarantine
    }

    /// Every disposition by the ingest device, as read.
    pub fn dispositions(&self) -> &[DispositionFact] {
        &self.dispositions
    }

    /// Superseded ids that are not held. While there is one the state is provisional.
    pub fn unknown(&self) -> &BTreeSet<OpId> {
        &self.unknown
    }

    /// Operations whose whole body is withheld: they prove their place and nothing else.
    pub fn bodyless(&self) -> &BTreeSet<OpId> {
        &self.bodyless
    }

    /// Whether the state may change without anybody writing, because something it refers to has not arrived.
    pub fn is_provisional(&self) -> bool {
        !self.unknown.is_empty()
    }

    /// The state hash of merge.md, over all paths.
    pub fn hash(&self) -> Digest32 {
        let mut all: Vec<(&str, &Resolved)> = self
            .paths
            .iter()
            .chain(&self.facts)
            .map(|(path, resolved)| (path.as_str(), resolved))
            .collect();
        all.sort_unstable_by_key(|(path, _)| *path);
        state_hash(all)
    }
}
