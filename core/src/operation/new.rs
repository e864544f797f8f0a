//! An operation before it is signed.

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{CaseId, InspectionId, OpId};
use fieldseal_proof::operation::RequiredSigner;

/// The part of an operation that an author decides; `Store::append` adds everything else and signs.
#[derive(Debug, Clone, PartialEq)]
pub struct NewOperation {
    /// Kind of merge.md, 1…64 of `a-z0-9._`.
    pub kind: String,
    /// The case it belongs to; without one it belongs to the registry.
    pub case: Option<CaseId>,
    /// The inspection whose stream it lies in; only with a case.
    pub inspection: Option<InspectionId>,
    /// Body fields in any order, each path once, without the empty path.
    pub fields: Vec<(String, Value)>,
    /// Required signers beyond the least set of the kind.
    pub signers: Vec<RequiredSigner>,
    /// Operations it supersedes beyond the current heads of the paths it writes.
    pub supersedes: Vec<OpId>,
}

impl NewOperation {
    /// An operation of the registry without fields.
    pub fn new(kind: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            case: None,
            inspection: None,
            fields: Vec::new(),
            signers: Vec::new(),
            supersedes: Vec::new(),
        }
    }

    /// Places it in a case.
    #[must_use]
    pub fn in_case(mut self, case: CaseId) -> Self {
        self.case = Some(case);
        self
    }

    /// Places it in an inspection of a case.
    #[must_use]
    pub fn in_inspection(mut self, case: CaseId, inspection: InspectionId) -> Self {
        self.case = Some(case);
        self.inspection = Some(inspection);
        self
    }

    /// Adds a body field.
    #[must_use]
    pub fn field(mut self, path: impl Into<String>, value: Value) -> Self {
        self.fields.push((path.into(), value));
        self
    }

    /// Adds a body field if there is a value.
    #[must_use]
    pub fn field_opt(self, path: impl Into<String>, value: Option<Value>) -> Self {
        match value {
            Some(value) => self.field(path, value),
            None => self,
        }
    }

    /// Adds a required signer.
    #[must_use]
    pub fn signer(mut self, signer: RequiredSigner) -> Self {
        self.signers.push(signer);
        self
    }
}
