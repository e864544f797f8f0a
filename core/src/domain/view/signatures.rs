//! Whether the people who have to sign an operation have signed it.

use std::collections::BTreeSet;

use fieldseal_proof::ids::OpId;
use fieldseal_proof::operation::RequiredSigner;

use super::People;
use crate::domain::Kind;
use crate::merge::State;
use crate::pack::RulePack;

/// The signers that an operation still waits for: roles, and officers by id. Empty: complete. `document` is the pack's document
/// definition where the operation issues one; the pack and the header add to the specification's least set and never take away.
pub fn awaiting(
    state: &State,
    operation: &OpId,
    pack: Option<&RulePack>,
    document: Option<&str>,
    people: &People,
) -> Vec<String> {
    let Some(fact) = state.operation(operation) else {
        return Vec::new();
    };
    let mut roles: BTreeSet<String> = BTreeSet::new();
    if let Ok(kind) = fact.kind.parse::<Kind>() {
        roles.extend(kind.least_signers().iter().map(|role| (*role).to_owned()));
    }
    if let Some(definition) = pack.zip(document).and_then(|(pack, id)| pack.document(id)) {
        roles.extend(definition.attested_by.iter().cloned());
    }
    let mut officers = Vec::new();
    for signer in &fact.signers {
        match signer {
            RequiredSigner::Role(role) => {
                roles.insert(role.clone());
            }
            RequiredSigner::Officer(officer) => officers.push(*officer),
        }
    }
    let attests = state.attests(operation);
    let agreeing: Vec<_> = attests
        .iter()
        .filter(|a| matches!(a.meaning.as_str(), "made" | "approved"))
        .collect();
    let first = attests.iter().find(|a| a.meaning == "made").map(|a| a.officer);
    let enrolled_as = |officer, role: &str| people.get(officer).is_some_and(|person| person.role == role);
    let met = |role: &String| match role.as_str() {
        "second_officer" => first.is_some_and(|first| {
            agreeing
                .iter()
                .any(|a| a.officer != first && people.get(&a.officer).is_some())
        }),
        _ => agreeing.iter().any(|a| enrolled_as(&a.officer, role)),
    };
    let mut missing: Vec<String> = roles.iter().filter(|role| !met(role)).cloned().collect();
    missing.extend(
        officers
            .iter()
            .filter(|id| !agreeing.iter().any(|a| a.officer == **id))
            .map(ToString::to_string),
    );
    missing
}
