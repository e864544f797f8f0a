//! Whether the people who have to sign an operation have signed it.

use std::collections::BTreeSet;

use fieldseal_proof::ids::{OfficerId, OpId};
use fieldseal_proof::operation::{Operation, RequiredSigner};

use super::People;
use crate::domain::Kind;
use crate::merge::{AttestFact, State};
use crate::pack::RulePack;

/// The roles that a pack asks for under an operation and that its header does not name, though the device that made it had to
/// write them there (operation.md, Required signers). Empty where the pack asks for nothing, or what decides it is withheld.
pub fn unnamed_signers(pack: &RulePack, operation: &Operation) -> Vec<String> {
    let header = operation.header();
    let asked = match header.kind.parse::<Kind>() {
        Ok(Kind::CredentialsShow) => pack.credentials_attested_by(),
        Ok(Kind::DocumentIssue) => issued_type(operation)
            .and_then(|kind| pack.document(&kind))
            .map_or(&[][..], |definition| &definition.attested_by),
        _ => &[],
    };
    let least = header.kind.parse::<Kind>().map_or(&[][..], Kind::least_signers);
    let named =
        |role: &String| least.contains(&role.as_str()) || header.signers.contains(&RequiredSigner::Role(role.clone()));
    asked.iter().filter(|role| !named(role)).cloned().collect()
}

/// `document/*/type` of what is issued.
fn issued_type(operation: &Operation) -> Option<String> {
    let body = operation.body()?;
    let path = body.fields().iter().map(|field| &field.path).find(|path| {
        let mut parts = path.split('/');
        (parts.next(), parts.nth(1), parts.next()) == (Some("document"), Some("type"), None)
    })?;
    body.get(path)?.as_text().map(str::to_owned)
}

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
