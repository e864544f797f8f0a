//! Enterprises of the registry, joined ones under the id that stays.

use std::collections::{BTreeMap, BTreeSet};

use fieldseal_proof::ids::EnterpriseId;
use serde::Serialize;

use super::inspection::readable;
use super::{as_text, as_texts};
use crate::merge::State;

/// An enterprise. Every id it was ever recorded under is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EnterpriseView {
    #[serde(serialize_with = "as_text")]
    pub enterprise: EnterpriseId,
    /// The ids that were joined into this one.
    #[serde(serialize_with = "as_texts")]
    pub joined: Vec<EnterpriseId>,
    /// All names that stand side by side; usually one.
    pub names: Vec<String>,
    pub credit_codes: Vec<String>,
    pub credit_code_raw: Option<String>,
    pub address: Option<String>,
    pub head: Option<String>,
    pub phone: Option<String>,
    pub industry: Option<String>,
}

impl EnterpriseView {
    /// The name, or all that stand side by side.
    pub fn name(&self) -> String {
        self.names.join(" / ")
    }
}

/// Every enterprise of a folded registry, ascending by id.
pub fn enterprises(registry: &State) -> Vec<EnterpriseView> {
    let all: Vec<EnterpriseId> = registry
        .members("enterprise")
        .iter()
        .filter_map(|id| id.parse().ok())
        .collect();
    let keeps: BTreeMap<EnterpriseId, EnterpriseId> = all.iter().map(|id| (*id, kept(registry, *id))).collect();
    let mut joined: BTreeMap<EnterpriseId, Vec<EnterpriseId>> = BTreeMap::new();
    for (id, keep) in keeps.iter().filter(|(id, keep)| id != keep) {
        joined.entry(*keep).or_default().push(*id);
    }
    let heads = all.iter().filter(|id| keeps[id] == **id);
    heads
        .map(|id| read(registry, *id, joined.remove(id).unwrap_or_default()))
        .collect()
}

/// The id that stays, over a chain of joins. A circle of joins ends at its least id, so that every reader sees the same.
fn kept(registry: &State, id: EnterpriseId) -> EnterpriseId {
    let mut seen = BTreeSet::from([id]);
    let mut at = id;
    loop {
        let next = registry
            .bytes(&format!("enterprise/{at}/same_as"))
            .map(EnterpriseId::from_bytes);
        match next {
            None => return at,
            Some(next) if !seen.insert(next) => return circle(registry, next),
            Some(next) => at = next,
        }
    }
}

fn circle(registry: &State, start: EnterpriseId) -> EnterpriseId {
    let mut least = start;
    let mut at = start;
    while let Some(next) = registry
        .bytes(&format!("enterprise/{at}/same_as"))
        .map(EnterpriseId::from_bytes)
    {
        if next == start {
            break;
        }
        least = least.min(next);
        at = next;
    }
    least
}

fn read(registry: &State, id: EnterpriseId, joined: Vec<EnterpriseId>) -> EnterpriseView {
    let at = |field: &str| format!("enterprise/{id}/{field}");
    // What the id that stays does not say, one of the joined may.
    let text = |field: &str| {
        let of = |id: &EnterpriseId| registry.text(&format!("enterprise/{id}/{field}"));
        of(&id).or_else(|| joined.iter().find_map(of))
    };
    let all = |field: &str| registry.all(&at(field)).iter().map(readable).collect::<Vec<_>>();
    let credit_codes = match all("credit_code") {
        none if none.is_empty() => text("credit_code").into_iter().collect(),
        some => some,
    };
    EnterpriseView {
        enterprise: id,
        names: all("name"),
        credit_codes,
        credit_code_raw: text("credit_code_raw"),
        address: text("address"),
        head: text("head"),
        phone: text("phone"),
        industry: text("industry"),
        joined,
    }
}
