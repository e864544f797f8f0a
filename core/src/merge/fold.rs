//! From operations to state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fieldseal_proof::body::FieldValue;
use fieldseal_proof::cbor::{self, Value};
use fieldseal_proof::disposal::{self, Disposal};
use fieldseal_proof::ids::{CaseId, DeviceId, InspectionId, OfficerId, OpId};
use fieldseal_proof::operation::{Header, Operation};

use super::state::{AttestFact, OperationFact};
use super::{DispositionFact, FieldClass, MergeKey, Resolved, Standing, State, Write, quarantined_ops, resolve_path};

/// Which operations are merged with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The tenant's registry: operations without a case.
    Registry,
    /// One case.
    Case(CaseId),
    /// One inspection of a case: what a view of that inspection shows when its case has several.
    Inspection(CaseId, InspectionId),
}

impl Scope {
    /// The scope an operation merges in, by its header.
    pub fn of(header: &Header) -> Scope {
        header.case.map_or(Scope::Registry, Scope::Case)
    }

    fn holds(self, header: &Header) -> bool {
        match self {
            Scope::Registry => header.case.is_none(),
            Scope::Case(case) => header.case == Some(case),
            Scope::Inspection(case, inspection) => {
                header.case == Some(case) && header.inspection.is_none_or(|of| of == inspection)
            }
        }
    }
}

/// The state of a scope from its operations, in any order and with repetitions.
///
/// Signatures are the caller's business: what is given here counts. `ingest` names the devices whose `disposition` operations
/// count (the key log's `server` entries); one by any other device says nothing.
pub fn fold<'a>(
    scope: Scope,
    ingest: impl IntoIterator<Item = DeviceId>,
    operations: impl IntoIterator<Item = &'a Operation>,
) -> State {
    let mut fold = Fold::new(scope, ingest);
    for operation in operations {
        fold.add(operation);
    }
    fold.state()
}

/// A set of operations of one scope that is still growing. Two folds of the same scope can be joined.
#[derive(Debug, Clone)]
pub struct Fold {
    scope: Scope,
    ingest: BTreeSet<DeviceId>,
    operations: BTreeMap<OpId, Entry>,
    foreign: BTreeSet<OpId>,
}

#[derive(Debug, Clone)]
struct Entry {
    fact: OperationFact,
    supersedes: Arc<[OpId]>,
    /// Encoded values by path; `None` is withheld.
    fields: BTreeMap<String, Option<Vec<u8>>>,
    /// The frame came without a body, so its paths are unknown.
    bodyless: bool,
}

impl Fold {
    /// An empty set; see [`fold`] for `ingest`.
    pub fn new(scope: Scope, ingest: impl IntoIterator<Item = DeviceId>) -> Fold {
        Fold {
            scope,
            ingest: ingest.into_iter().collect(),
            operations: BTreeMap::new(),
            foreign: BTreeSet::new(),
        }
    }

    /// Adds an operation. Returns whether it belongs to the scope; one of another scope is remembered as known and has no
    /// effect. The same operation with more of its body shown adds what it shows.
    pub fn add(&mut self, operation: &Operation) -> bool {
        let id = operation.id();
        let header = operation.header();
        if !self.scope.holds(header) {
            self.foreign.insert(id);
            return false;
        }
        let fields = operation.body().map(|body| {
            body.fields()
                .iter()
                .filter(|field| !field.path.is_empty())
                .map(|field| {
                    let shown = match &field.value {
                        FieldValue::Shown { value, .. } => Some(value.clone()),
                        FieldValue::Withheld(_) => None,
                    };
                    (field.path.clone(), shown)
                })
                .collect::<BTreeMap<String, Option<Vec<u8>>>>()
        });
        let entry = Entry {
            fact: OperationFact::of(id, header),
            supersedes: header.supersedes.iter().copied().collect(),
            bodyless: fields.is_none(),
            fields: fields.unwrap_or_default(),
        };
        self.put(id, entry);
        true
    }

    /// Adds everything another fold of the same scope holds.
    pub fn join(&mut self, other: Fold) {
        for (id, entry) in other.operations {
            self.put(id, entry);
        }
        self.ingest.extend(other.ingest);
        self.foreign.extend(other.foreign);
    }

    /// Whether an operation is held.
    pub fn holds(&self, id: &OpId) -> bool {
        self.operations.contains_key(id) || self.foreign.contains(id)
    }

    /// The state of everything added so far.
    pub fn state(&self) -> State {
        let dispositions: Vec<DispositionFact> = self.operations.values().filter_map(|e| self.disposition(e)).collect();
        let quarantine = quarantined_ops(&dispositions);
        let counted = self.operations.iter().filter(|(id, _)| !quarantine.contains_key(id));
        let disposals: Vec<Disposal> = counted.filter_map(|(_, entry)| disposal(entry)).collect();
        let mut writes: BTreeMap<&str, Vec<Write>> = BTreeMap::new();
        for (id, entry) in &self.operations {
            let quarantined = quarantine.contains_key(id);
            for (path, value) in &entry.fields {
                // Once its disposal is in the set a value is withheld, also where its bytes are still held.
                let gone = |d: &Disposal| d.target == *id && d.covers(&entry.fact.kind, path);
                writes.entry(path).or_default().push(Write {
                    id: *id,
                    key: entry.fact.key,
                    value: value.clone().filter(|_| !disposals.iter().any(gone)),
                    supersedes: Arc::clone(&entry.supersedes),
                    quarantined,
                });
            }
        }
        let known = |id: &OpId| self.holds(id);
        let mut paths: BTreeMap<String, Resolved> = BTreeMap::new();
        let mut facts: BTreeMap<String, Resolved> = BTreeMap::new();
        for (path, of_path) in writes {
            let room = if FieldClass::is_fact(path) {
                &mut facts
            } else {
                &mut paths
            };
            room.insert(path.to_owned(), resolve_path(FieldClass::of(path), &of_path, known));
        }
        let unknown = self
            .operations
            .values()
            .flat_map(|e| e.supersedes.iter())
            .filter(|id| !known(id))
            .copied()
            .collect();
        State {
            scope: self.scope,
            paths,
            facts,
            attests: self
                .operations
                .iter()
                .filter(|(id, _)| !quarantine.contains_key(id))
                .filter_map(|(_, entry)| attest(entry))
                .collect(),
            quarantine,
            dispositions,
            unknown,
            bodyless: self
                .operations
                .iter()
                .filter(|(_, e)| e.bodyless)
                .map(|(id, _)| *id)
                .collect(),
            operations: self
                .operations
                .iter()
                .map(|(id, entry)| (*id, entry.fact.clone()))
                .collect(),
        }
    }

    fn put(&mut self, id: OpId, entry: Entry) {
        match self.operations.get_mut(&id) {
            None => {
                self.operations.insert(id, entry);
            }
            Some(held) => {
                held.bodyless &= entry.bodyless;
                for (path, value) in entry.fields {
                    let slot = held.fields.entry(path).or_default();
                    if slot.is_none() {
                        *slot = value;
                    }
                }
            }
        }
    }

    fn disposition(&self, entry: &Entry) -> Option<DispositionFact> {
        if entry.fact.kind != "disposition" || !self.ingest.contains(&entry.fact.key.device) {
            return None;
        }
        Some(DispositionFact {
            id: entry.fact.id,
            key: entry.fact.key,
            target: id32(entry.read("disposition/target")?.as_bytes()?)?,
            state: Standing::parse(entry.read("disposition/state")?.as_text()?)?,
            reason: entry.read("disposition/reason")?.as_text()?.to_owned(),
            decision: entry.read("disposition/decision").and_then(|v| id32(v.as_bytes()?)),
            supersedes: Arc::clone(&entry.supersedes),
        })
    }
}

impl Entry {
    fn read(&self, path: &str) -> Option<Value> {
        cbor::decode(self.fields.get(path)?.as_deref()?).ok()
    }
}

fn attest(entry: &Entry) -> Option<AttestFact> {
    if entry.fact.kind != "attest" {
        return None;
    }
    let targets = entry.read("attest/targets")?;
    Some(AttestFact {
        id: entry.fact.id,
        officer: OfficerId::from_bytes(entry.read("attest/officer")?.as_bytes()?.try_into().ok()?),
        role: entry.read("attest/role")?.as_text()?.to_owned(),
        meaning: entry.read("attest/meaning")?.as_text()?.to_owned(),
        targets: targets
            .as_array()?
            .iter()
            .filter_map(|target| id32(target.as_bytes()?))
            .collect(),
    })
}

fn disposal(entry: &Entry) -> Option<Disposal> {
    if entry.fact.kind != disposal::KIND {
        return None;
    }
    Disposal::read(entry.fields.keys().map(|path| (path.clone(), entry.read(path))))
}

fn id32(bytes: &[u8]) -> Option<OpId> {
    bytes.try_into().ok().map(OpId::from_bytes)
}

impl MergeKey {
    /// The merge key of an operation, from its header.
    pub fn of(header: &Header) -> MergeKey {
        MergeKey {
            hlc_ms: header.hlc_ms,
            hlc_counter: header.hlc_counter,
            device: header.device,
            incarnation: header.incarnation,
            seq: header.seq,
        }
    }
}
