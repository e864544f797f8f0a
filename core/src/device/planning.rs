//! Where an inspection comes from and how it ends: assigned by a supervisor, begun on site, closed over what is held of it.

use fieldseal_proof::ids::{CaseId, DeviceId, EnterpriseId, InspectionId, OfficerId, OpId};

use super::{DeviceError, FieldDevice, operation_of};
use crate::domain::{Act, CreditCode, Day, Held, InspectionPlan, Line, Paragraph, Party, Refusal, inspection_close};
use crate::pack::RulePack;

/// An inspection to come, assigned or begun.
#[derive(Debug, Clone, Default)]
pub struct NewInspection<'a> {
    /// The enterprise inspected.
    pub enterprise: Option<EnterpriseId>,
    /// What it is called.
    pub title: &'a str,
    /// Where.
    pub place: &'a str,
    /// Planned day, `YYYY-MM-DD`.
    pub planned: Option<&'a str>,
    /// Remark.
    pub remark: &'a str,
    /// Certificate numbers of the officers: on this device where it is begun, in the key log where it is assigned.
    pub certificates: &'a [&'a str],
    /// Tablets, where it is assigned.
    pub devices: &'a [DeviceId],
    /// Checklist items, ids of the rule pack.
    pub items: &'a [&'a str],
}

impl FieldDevice {
    /// Begins an inspection that nobody assigned; a case is opened for it.
    ///
    /// # Errors
    /// `field_empty` without an enterprise, `officer_unknown`, `not_in_pack`, or a field that is not accepted.
    pub fn begin(&self, new: &NewInspection<'_>) -> Result<(CaseId, InspectionId, OpId), DeviceError> {
        let mut plan = self.plan(new, |certificate| Ok(self.officer(certificate)?.officer))?;
        plan.devices = vec![self.identity().device];
        self.open_case(plan, InspectionPlan::begin)
    }

    /// Assigns an inspection; a case is opened for it.
    ///
    /// # Errors
    /// `officer_unknown`, `not_in_pack`, or a field that is not accepted.
    pub fn assign(&self, new: &NewInspection<'_>) -> Result<(CaseId, InspectionId, OpId), DeviceError> {
        let plan = self.plan(new, |certificate| self.enrolled_officer(certificate))?;
        self.open_case(plan, InspectionPlan::assign)
    }

    fn plan(
        &self,
        new: &NewInspection<'_>,
        officer: impl Fn(&str) -> Result<OfficerId, DeviceError>,
    ) -> Result<InspectionPlan, DeviceError> {
        let enterprise = new.enterprise.ok_or_else(|| DeviceError::not_found("enterprise"))?;
        let officers: Result<_, DeviceError> = new
            .certificates
            .iter()
            .map(|certificate| officer(certificate))
            .collect();
        Ok(InspectionPlan {
            enterprise,
            title: Line::parse("title", new.title)?,
            place: Line::parse_opt("place", new.place)?,
            planned: new.planned.map(|day| Day::parse("planned", day)).transpose()?,
            remark: Paragraph::parse_opt("remark", new.remark)?,
            officers: officers?,
            devices: new.devices.to_vec(),
            items: new.items.iter().map(|item| (*item).to_owned()).collect(),
            party: self.party(enterprise)?,
        })
    }

    fn open_case(
        &self,
        plan: InspectionPlan,
        act: fn(InspectionPlan, &RulePack) -> Result<Act, Refusal>,
    ) -> Result<(CaseId, InspectionId, OpId), DeviceError> {
        let act = act(plan, &*self.pack()?)?;
        let (case, inspection) = (
            CaseId::from_bytes(self.fresh_id()?),
            InspectionId::from_bytes(self.fresh_id()?),
        );
        let id = self.append(operation_of(act).in_inspection(case, inspection))?;
        Ok((case, inspection, id))
    }

    /// Closes an inspection over everything this device holds of it.
    ///
    /// # Errors
    /// `not_found`.
    pub fn close(&self, inspection: InspectionId) -> Result<OpId, DeviceError> {
        let case = self.store.case_of(inspection)?;
        let held: Vec<Held> = self
            .store
            .held_in(case, inspection)?
            .into_iter()
            .map(|(device, incarnation, last_counter, last_id)| Held {
                device,
                incarnation,
                stream: *inspection.as_bytes(),
                last_counter,
                last_id,
            })
            .collect();
        self.record(inspection, inspection_close(&held))
    }

    /// What the registry says of an enterprise, copied into the inspection as it was then.
    fn party(&self, enterprise: EnterpriseId) -> Result<Party, DeviceError> {
        let row = self.enterprise(enterprise)?;
        let line = |field, value: &Option<String>| -> Result<Option<Line>, DeviceError> {
            Ok(value
                .as_deref()
                .map(|value| Line::parse_opt(field, value))
                .transpose()?
                .flatten())
        };
        Ok(Party {
            name: line("name", &row.name)?,
            // A registry entry with a wrong code keeps it as entered; the inspection then carries none.
            credit_code: row.credit_code.as_deref().and_then(|code| CreditCode::parse(code).ok()),
            address: line("address", &row.address)?,
            head: line("head", &row.head)?,
            position: None,
            phone: line("phone", &row.phone)?,
        })
    }
}
