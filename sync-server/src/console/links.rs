//! Addresses of the pages on which a supervisor decides and signs.

use fieldseal_proof::ids::{CaseId, InspectionId, OpId};

use super::error::url_escaped;
use crate::ledger::ChainKey;

/// Choosing between values that stand side by side.
pub fn decide(case: &CaseId, path: &str) -> String {
    format!("/console/act/decide?case={case}&path={}", url_escaped(path))
}

/// Joining two records of one enterprise.
pub fn join(keep: &str, other: &str) -> String {
    format!("/console/act/join?keep={keep}&other={other}")
}

/// Freezing the evidence of a case.
pub fn freeze(case: &CaseId) -> String {
    format!("/console/act/freeze?case={case}")
}

/// Sending an inspection back for correction.
pub fn send_back(case: &CaseId, inspection: &InspectionId) -> String {
    format!("/console/act/return?case={case}&inspection={inspection}")
}

/// Deciding whether an operation that is set aside counts.
pub fn settle(operation: &OpId) -> String {
    format!("/console/act/settle?op={operation}")
}

/// Assigning an inspection of an enterprise.
pub fn assign(enterprise: &str) -> String {
    format!("/console/act/assign?enterprise={enterprise}")
}

/// The file that proves that a device signed two histories.
pub fn fork(chain: ChainKey, seq: u64) -> String {
    format!("/console/forks/{}/{}/{seq}", chain.device, chain.incarnation)
}
