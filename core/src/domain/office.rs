//! What a supervisor writes.

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{DeviceId, EnterpriseId, EvidenceId, InspectionId, ItemId, OpId};

use super::act::id_array;
use super::{Act, Kind, Line, Paragraph, Refusal};
use crate::catalogue::Param;
use crate::merge::{FieldClass, Standing};

/// An inspection sent back for correction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectionReturn {
    pub id: ItemId,
    pub inspection: InspectionId,
    pub reason: Paragraph,
    /// What is to be corrected: paths or item ids.
    pub items: Vec<String>,
}

impl InspectionReturn {
    pub fn act(self) -> Act {
        let at = |field: &str| format!("return/{}/{field}", self.id);
        let act = Act::new(Kind::InspectionReturn)
            .put(at("inspection"), Value::bytes(self.inspection.as_bytes()))
            .text(at("reason"), self.reason);
        if self.items.is_empty() {
            return act;
        }
        act.put(
            at("items"),
            Value::Array(self.items.into_iter().map(Value::text).collect()),
        )
    }
}

/// A conflict settled by choosing a value. The caller supersedes every head of the path.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldDecide {
    pub id: ItemId,
    pub path: String,
    pub value: Value,
    pub reason: Paragraph,
}

impl FieldDecide {
    /// Refused for a path that is not one, or whose class no writing can settle.
    pub fn act(self) -> Result<Act, Refusal> {
        let class = FieldClass::of(&self.path);
        if !is_path(&self.path)
            || class == FieldClass::Sealed
            || class == FieldClass::Append
            || !self.value.is_mapless()
        {
            return Err(Refusal::new("path_form", [("path", Param::text(self.path))]));
        }
        Ok(Act::new(Kind::FieldDecide)
            .text(format!("resolution/{}/path", self.id), self.path.clone())
            .text(format!("resolution/{}/reason", self.id), self.reason)
            .put(self.path, self.value))
    }
}

/// The evidence set of a case, frozen: provably older than the decision that rests on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceFreeze {
    pub id: ItemId,
    pub evidence: Vec<EvidenceId>,
    /// State hash of the case when it was frozen.
    pub state: [u8; 32],
    pub reason: Paragraph,
}

impl EvidenceFreeze {
    pub fn act(self) -> Result<Act, Refusal> {
        super::evidence::bounded("items", self.evidence.len(), 10_000)?;
        let at = |field: &str| format!("freeze/{}/{field}", self.id);
        Ok(Act::new(Kind::EvidenceFreeze)
            .put(
                at("evidence"),
                id_array(self.evidence.iter().map(|e| e.as_bytes().as_slice())),
            )
            .put(at("state"), Value::bytes(self.state))
            .text(at("reason"), self.reason))
    }
}

/// What is to become of a quarantined operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineDecide {
    pub target: OpId,
    pub state: Standing,
    pub reason: Paragraph,
}

impl QuarantineDecide {
    pub fn act(self) -> Act {
        Act::new(Kind::QuarantineDecide)
            .put("decide/target", Value::bytes(self.target.as_bytes()))
            .text("decide/state", self.state.name())
            .text("decide/reason", self.reason)
    }
}

/// Two records of one enterprise joined. Both ids are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnterpriseJoin {
    pub id: ItemId,
    pub keep: EnterpriseId,
    pub other: EnterpriseId,
    pub reason: Paragraph,
}

impl EnterpriseJoin {
    pub fn act(self) -> Result<Act, Refusal> {
        if self.keep == self.other {
            return Err(Refusal::new("same_enterprise", []));
        }
        Ok(Act::new(Kind::EnterpriseJoin)
            .put(
                format!("enterprise/{}/same_as", self.other),
                Value::bytes(self.keep.as_bytes()),
            )
            .text(format!("resolution/{}/reason", self.id), self.reason))
    }
}

/// The escrow opened by its holders, for the work of a tablet that cannot hand it in itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EscrowOpen {
    pub id: ItemId,
    /// The tablet; `None` where not one of its operations could be read.
    pub device: Option<DeviceId>,
    /// Numbers of the shares that were joined, 1…16 of them.
    pub holders: Vec<u8>,
    /// Who had it opened.
    pub by: Line,
    pub reason: Paragraph,
}

impl EscrowOpen {
    pub fn act(self) -> Act {
        let at = |field: &str| format!("custody/{}/{field}", self.id);
        let holders = self.holders.into_iter().map(|holder| Value::Uint(u64::from(holder)));
        let act = Act::new(Kind::EscrowOpen)
            .text(at("event"), "escrow_opened")
            .put(at("holders"), Value::Array(holders.collect()))
            .text(at("by"), self.by)
            .text(at("note"), self.reason);
        match self.device {
            Some(device) => act.put(at("device"), Value::bytes(device.as_bytes())),
            None => act,
        }
    }
}

fn is_path(path: &str) -> bool {
    path.len() <= 200
        && path.contains('/')
        && path.split('/').all(|s| !s.is_empty())
        && !path.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_decided() {
        let decide = |path: &str| {
            FieldDecide {
                id: ItemId::from_bytes([1; 16]),
                path: path.into(),
                value: Value::text("x"),
                reason: Paragraph::parse("reason", "checked").unwrap(),
            }
            .act()
        };
        assert!(decide("finding/a/grade").is_ok());
        for path in [
            "",
            "party",
            "evidence/a/sha256",
            "statement/a/line",
            "a//b",
            "attest/officer",
            "party/\u{0}",
        ] {
            assert_eq!(decide(path).unwrap_err().code(), "path_form", "{path}");
        }
        let id = EnterpriseId::from_bytes([2; 16]);
        let reason = Paragraph::parse("reason", "same").unwrap();
        let join = EnterpriseJoin {
            id: ItemId::from_bytes([1; 16]),
            keep: id,
            other: id,
            reason,
        };
        assert_eq!(join.act().unwrap_err().code(), "same_enterprise");
    }
}
