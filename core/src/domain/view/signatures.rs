//! Whether the people who have to sign an operation have signed it.

use std::collections::BTreeSet;

use fieldseal_proof::ids::{OfficerId, OpId};
use fieldseal_proof::operation::RequiredSigner;

use super::People;
use crate::domain::Kind;
use crate::merge::{AttestFact, State};

/// The signers that an operation still waits for: roles, and officers by id. Empty: complete. `asked` are the roles that the
/// pack asks for; pack and header add to the specification's least set and never take away.
pub fn awaiting(state: &State, operation: &OpId, asked: &[String], people: &People) -> Vec<String> {
    let Some(fact) = state.operation(operation) else {
        return Vec::new();
    };
    let mut roles: BTreeSet<String> = asked.iter().cloned().collect();
    if let Ok(kind) = fact.kind.parse::<Kind>() {
        roles.extend(kind.least_signers().iter().map(|role| (*role).to_owned()));
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
    let enrolled_as = |officer: &OfficerId, role: &str| people.get(officer).is_some_and(|person| person.role == role);
    let made = |a: &&&AttestFact| a.meaning == "made" && enrolled_as(&a.officer, "officer");
    let first = attests.iter().find(made).map(|a| a.officer);
    let met = |role: &String| match role.as_str() {
        "second_officer" => first.is_some_and(|first| {
            agreeing
                .iter()
                .any(|a| a.officer != first && enrolled_as(&a.officer, "officer"))
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
