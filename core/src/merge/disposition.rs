//! Quarantine and release, as facts that follow `supersedes` like everything else.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use fieldseal_proof::ids::OpId;

use super::MergeKey;

/// What a disposition says of its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    Quarantined,
    Released,
}

impl Standing {
    /// The text in `disposition/state`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quarantined => "quarantined",
            Self::Released => "released",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Quarantined, Self::Released]
            .into_iter()
            .find(|standing| standing.name() == text)
    }
}

/// One `disposition` operation of the ingest device, read. The caller has made sure whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DispositionFact {
    pub id: OpId,
    pub key: MergeKey,
    pub target: OpId,
    pub state: Standing,
    /// Reason code of merge.md.
    pub reason: String,
    /// The supervisor's `quarantine.decide` behind it.
    pub decision: Option<OpId>,
    pub supersedes: Arc<[OpId]>,
}

/// Why an operation is set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantine {
    /// Reason code of merge.md.
    pub reason: String,
    /// The dispositions that stand, ascending; a release has to supersede them all.
    pub by: Vec<OpId>,
}

/// The operations that are set aside, by all dispositions known. Among concurrent dispositions of a target quarantine wins.
/// A disposition itself cannot be set aside, whatever says so.
pub fn quarantined_ops<'a>(facts: impl IntoIterator<Item = &'a DispositionFact>) -> BTreeMap<OpId, Quarantine> {
    let facts: BTreeMap<OpId, &DispositionFact> = facts.into_iter().map(|fact| (fact.id, fact)).collect();
    let mut by_target: HashMap<OpId, Vec<&DispositionFact>> = HashMap::new();
    for fact in facts.values().filter(|fact| !facts.contains_key(&fact.target)) {
        by_target.entry(fact.target).or_default().push(fact);
    }
    let mut set_aside = BTreeMap::new();
    for (target, of_target) in by_target {
        let mut standing: Vec<&&DispositionFact> = heads(&of_target, &facts);
        standing.retain(|fact| fact.state == Standing::Quarantined);
        standing.sort_by_key(|fact| (fact.key, fact.id));
        if let Some(newest) = standing.last() {
            let reason = newest.reason.clone();
            let mut by: Vec<OpId> = standing.iter().map(|fact| fact.id).collect();
            by.sort_unstable();
            set_aside.insert(target, Quarantine { reason, by });
        }
    }
    set_aside
}

fn heads<'a, 'f>(
    of_target: &'a [&'f DispositionFact],
    facts: &BTreeMap<OpId, &'f DispositionFact>,
) -> Vec<&'a &'f DispositionFact> {
    let mut reached: BTreeSet<OpId> = BTreeSet::new();
    let mut open: Vec<OpId> = of_target
        .iter()
        .flat_map(|fact| fact.supersedes.iter().copied())
        .collect();
    while let Some(id) = open.pop() {
        let same_target = facts.get(&id).filter(|fact| fact.target == of_target[0].target);
        if let Some(fact) = same_target.filter(|_| reached.insert(id)) {
            open.extend(fact.supersedes.iter().copied());
        }
    }
    of_target.iter().filter(|fact| !reached.contains(&fact.id)).collect()
}
