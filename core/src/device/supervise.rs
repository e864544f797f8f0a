//! What is decided: by a supervisor, and a conflict also by the officers at the site.

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{CaseId, DeviceId, EnterpriseId, EvidenceId, InspectionId, ItemId, OfficerId, OpId};

use super::{DeviceError, FieldDevice, operation_of};
use crate::domain::view::readable;
use crate::domain::{
    EnterpriseJoin, EscrowOpen, EvidenceFreeze, FieldDecide, InspectionReturn, Line, Paragraph, QuarantineDecide,
};
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

    /// Decides a field in conflict as somebody does who sees the values, at the site or in the office: `chosen` is one of them as the
    /// views show it ([`readable`]), or another text. The decision lies in the stream of the inspection that is in conflict, so that
    /// all its tablets see it.
    ///
    /// # Errors
    /// `no_conflict` where a path has one value, or none, in this case; a reason that is not accepted.
    pub fn decide_conflict(&self, case: CaseId, path: &str, chosen: &str, reason: &str) -> Result<OpId, DeviceError> {
        let mut held = self.store.heads_under(Some(case), path)?;
        held.retain(|write| write.path == path);
        let state = self.store.state(Scope::Case(case))?;
        let (Some(first), true) = (held.first(), state.conflicts().any(|(one, _)| one == path)) else {
            return Err(DeviceError::text("no_conflict", "field", path));
        };
        let shown = |value: &&Value| readable(value) == chosen;
        let known = held.iter().filter_map(|write| write.value.as_ref()).find(shown);
        let value = known.cloned().unwrap_or_else(|| Value::text(chosen));
        let inspection = self.store.operation(first.id)?.operation.header().inspection;
        self.decide(case, inspection, path, value, reason)
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

    /// Records that the escrow was opened, by which of its holders and why, before anything of what it opened is given out.
    ///
    /// # Errors
    /// A name or reason that is not accepted.
    pub fn record_escrow_opening(
        &self,
        device: Option<DeviceId>,
        holders: Vec<u8>,
        by: &str,
        reason: &str,
    ) -> Result<OpId, DeviceError> {
        let open = EscrowOpen {
            id: ItemId::from_bytes(self.fresh_id()?),
            device,
            holders,
            by: Line::parse("by", by)?,
            reason: Paragraph::parse("reason", reason)?,
        };
        self.record_in_registry(open.act())
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
