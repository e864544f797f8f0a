//! What a supervisor decides.

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{CaseId, EnterpriseId, EvidenceId, InspectionId, ItemId, OfficerId, OpId};

use super::{DeviceError, FieldDevice, operation_of};
use crate::domain::{EnterpriseJoin, EvidenceFreeze, FieldDecide, InspectionReturn, Paragraph, QuarantineDecide};
use crate::merge::{Scope, Standing};

impl FieldDevice {
    /// Chooses the cases that this laptop's sync brings, at most 200 (`docs/formats/wire.md`); none: every case. The next sync reads
    /// the feed from its beginning.
    ///
    /// # Errors
    /// When the store fails.
    pub fn want_cases(&self, cases: &[CaseId]) -> Result<(), DeviceError> {
        Ok(self.store.want_cases(cases)?)
    }

    /// The cases that were chosen; none: every case.
    ///
    /// # Errors
    /// When the store fails.
    pub fn wanted_cases(&self) -> Result<Vec<CaseId>, DeviceError> {
        Ok(self.store.wanted_cases()?)
    }

    /// Decides a field in conflict: the value stands, the others stay in the record. `inspection` places the decision in the
    /// stream of one inspection of the case.
    ///
    /// # Errors
    /// `not_found` for a path that has no value in this case; a value or reason that is not accepted.
    pub fn decide(
        &self,
        case: CaseId,
        inspection: Option<InspectionId>,
        path: &str,
        value: Value,
        reason: &str,
    ) -> Result<OpId, DeviceError> {
        let state = self.store.state(Scope::Case(case))?;
        if !state.paths().any(|(held, _)| held == path) {
            return Err(DeviceError::not_found(path));
        }
        let decide = FieldDecide {
            id: ItemId::from_bytes(self.fresh_id()?),
            path: path.to_owned(),
            value,
            reason: Paragraph::parse("reason", reason)?,
        };
        let mut new = operation_of(decide.act()?).in_case(case);
        new.inspection = inspection;
        self.append(new)
    }

    /// Joins two enterprises that are one; both ids stay.
    ///
    /// # Errors
    /// `not_found` for an enterprise that is not held here.
    pub fn join(&self, keep: EnterpriseId, other: EnterpriseId, reason: &str) -> Result<OpId, DeviceError> {
        self.enterprise(keep)?;
        self.enterprise(other)?;
        let id = ItemId::from_bytes(self.fresh_id()?);
        let join = EnterpriseJoin {
            id,
            keep,
            other,
            reason: Paragraph::parse("reason", reason)?,
        };
        self.record_in_registry(join.act()?)
    }

    /// Sends an inspection back for correction.
    ///
    /// # Errors
    /// `not_found`.
    pub fn return_inspection(
        &self,
        inspection: InspectionId,
        reason: &str,
        items: &[&str],
    ) -> Result<OpId, DeviceError> {
        let back = InspectionReturn {
            id: ItemId::from_bytes(self.fresh_id()?),
            inspection,
            reason: Paragraph::parse("reason", reason)?,
            items: items.iter().map(|item| (*item).to_owned()).collect(),
        };
        self.record(inspection, back.act())
    }

    /// Freezes the evidence of a case as it stands now.
    ///
    /// # Errors
    /// `list_empty` when the case has no evidence here.
    pub fn freeze(&self, case: CaseId, reason: &str) -> Result<OpId, DeviceError> {
        let state = self.store.state(Scope::Case(case))?;
        let evidence: Vec<EvidenceId> = state
            .members("evidence")
            .iter()
            .filter_map(|id| id.parse().ok())
            .collect();
        let freeze = EvidenceFreeze {
            id: ItemId::from_bytes(self.fresh_id()?),
            evidence,
            state: state.hash(),
            reason: Paragraph::parse("reason", reason)?,
        };
        self.record_in_case(case, freeze.act()?)
    }

    /// Settles a quarantine: release the operation, or keep it set aside.
    ///
    /// # Errors
    /// `not_found` for an operation that is not held here.
    pub fn decide_quarantine(&self, target: OpId, release: bool, reason: &str) -> Result<OpId, DeviceError> {
        let header = self.store.operation(target)?.operation.header().clone();
        let decide = QuarantineDecide {
            target,
            state: if release {
                Standing::Released
            } else {
                Standing::Quarantined
            },
            reason: Paragraph::parse("reason", reason)?,
        };
        let mut new = operation_of(decide.act());
        (new.case, new.inspection) = (header.case, header.inspection);
        self.append(new)
    }

    /// An officer by certificate number: of this device, else of the key log.
    ///
    /// # Errors
    /// `officer_unknown`.
    pub fn enrolled_officer(&self, certificate: &str) -> Result<OfficerId, DeviceError> {
        let unknown = match self.officer(certificate) {
            Ok(record) => return Ok(record.officer),
            Err(error) => error,
        };
        let log = self.store.key_log()?;
        let found = log.keys().filter(|(_, key)| key.action == "officer").find(|(_, key)| {
            let held = key.attrs.as_ref().and_then(|attrs| attrs.get("certificate"));
            held.as_ref().and_then(Value::as_text) == Some(certificate.trim())
        });
        found
            .and_then(|(_, key)| key.subject)
            .map(OfficerId::from_bytes)
            .ok_or(unknown)
    }
}
