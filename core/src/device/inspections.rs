//! Inspections on this device: list, show, begin, close.

use std::collections::BTreeMap;

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{
    BlobHash, CaseId, DeviceId, EnterpriseId, EvidenceId, InspectionId, ItemId, OfficerId, OpId,
};

use super::{DeviceError, FieldDevice, operation_of};
use crate::domain::{CreditCode, Day, Held, InspectionPlan, Line, Paragraph, Party, inspection_close};
use crate::merge::{Scope, State};
use crate::store::{Draft, OperationRow, Progress};

/// An inspection that nobody assigned.
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
    /// Certificate numbers of the officers; they must be on this device.
    pub certificates: &'a [&'a str],
    /// Checklist items, ids of the rule pack.
    pub items: &'a [&'a str],
}

/// A line in the list of inspections.
#[derive(Debug, Clone)]
pub struct InspectionRow {
    /// Case.
    pub case: CaseId,
    /// Inspection.
    pub inspection: InspectionId,
    /// Title.
    pub title: Option<String>,
    /// Enterprise.
    pub enterprise: Option<EnterpriseId>,
    /// The party's name.
    pub party: Option<String>,
    /// Planned day.
    pub planned: Option<String>,
    /// Whether somebody closed it.
    pub closed: bool,
    /// Whether a supervisor sent it back after that.
    pub returned: bool,
    /// Fields in conflict.
    pub conflicts: u64,
    /// Drafts that are not signed yet.
    pub drafts: u64,
    /// Operations by how far they have come: sealed, received, in the log.
    pub progress: [u64; 3],
}

/// An order that was given at an earlier visit to the same enterprise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenOrder {
    /// The earlier case.
    pub case: CaseId,
    /// The order.
    pub order: ItemId,
    /// Text of each item with its due day.
    pub items: Vec<(String, Option<String>)>,
}

/// Everything held of an inspection.
#[derive(Debug)]
pub struct InspectionView {
    /// The line in the list.
    pub row: InspectionRow,
    /// The folded state, with conflicts and quarantine.
    pub state: State,
    /// The operations, in order of arrival.
    pub operations: Vec<OperationRow>,
    /// Drafts.
    pub drafts: Vec<Draft>,
    /// Orders of earlier visits to the same enterprise, newest visit last.
    pub open_orders: Vec<OpenOrder>,
}

impl FieldDevice {
    /// The inspections this device knows of, oldest first.
    ///
    /// # Errors
    /// When the database does.
    pub fn inspections(&self) -> Result<Vec<InspectionRow>, DeviceError> {
        let mut rows = Vec::new();
        for (case, inspection) in self.store.inspections()? {
            let (state, operations) = self.read(case, inspection)?;
            rows.push(self.row(case, inspection, &state, &operations)?);
        }
        Ok(rows)
    }

    /// Everything held of an inspection, with the open orders of the last visits.
    ///
    /// # Errors
    /// `not_found`.
    pub fn inspection(&self, inspection: InspectionId) -> Result<InspectionView, DeviceError> {
        let case = self.store.case_of(inspection)?;
        let (state, operations) = self.read(case, inspection)?;
        let row = self.row(case, inspection, &state, &operations)?;
        let open_orders = match row.enterprise {
            Some(enterprise) => self.open_orders(enterprise, case)?,
            None => Vec::new(),
        };
        let drafts = self.store.drafts(Some(inspection))?;
        Ok(InspectionView {
            row,
            state,
            operations,
            drafts,
            open_orders,
        })
    }

    /// Begins an inspection that nobody assigned; a case is opened for it.
    ///
    /// # Errors
    /// `field_empty` without an enterprise, `officer_unknown`, `not_in_pack`, or a field that is not accepted.
    pub fn begin(&self, new: &NewInspection<'_>) -> Result<(CaseId, InspectionId, OpId), DeviceError> {
        let pack = self.pack()?;
        let enterprise = new.enterprise.ok_or_else(|| DeviceError::not_found("enterprise"))?;
        let officers: Vec<OfficerId> = new
            .certificates
            .iter()
            .map(|c| Ok(self.officer(c)?.officer))
            .collect::<Result<_, DeviceError>>()?;
        let plan = InspectionPlan {
            enterprise,
            title: Line::parse("title", new.title)?,
            place: Line::parse_opt("place", new.place)?,
            planned: new.planned.map(|day| Day::parse("planned", day)).transpose()?,
            remark: Paragraph::parse_opt("remark", new.remark)?,
            officers,
            devices: vec![self.identity().device],
            items: new.items.iter().map(|item| (*item).to_owned()).collect(),
            party: self.party(enterprise)?,
        };
        let (case, inspection) = (
            CaseId::from_bytes(self.fresh_id()?),
            InspectionId::from_bytes(self.fresh_id()?),
        );
        let id = self.append(operation_of(plan.begin(&pack)?).in_inspection(case, inspection))?;
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
    pub(super) fn party(&self, enterprise: EnterpriseId) -> Result<Party, DeviceError> {
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

    /// Evidence that names some bytes, with its case.
    pub(super) fn evidence_with(&self, sha256: BlobHash) -> Result<Vec<(CaseId, EvidenceId)>, DeviceError> {
        let mut found = Vec::new();
        for (case, _) in self.store.inspections()? {
            for write in self.store.heads_under(Some(case), "evidence/")? {
                let Some((id, "sha256")) = write
                    .path
                    .strip_prefix("evidence/")
                    .and_then(|rest| rest.split_once('/'))
                else {
                    continue;
                };
                if write.value == Some(Value::bytes(sha256.as_bytes()))
                    && let Ok(id) = id.parse()
                    && !found.contains(&(case, id))
                {
                    found.push((case, id));
                }
            }
        }
        Ok(found)
    }

    fn read(&self, case: CaseId, inspection: InspectionId) -> Result<(State, Vec<OperationRow>), DeviceError> {
        let state = self.store.state(Scope::Inspection(case, inspection))?;
        let mut operations = self.store.operations(Some(case))?;
        operations.retain(|row| row.operation.header().inspection.is_none_or(|of| of == inspection));
        Ok((state, operations))
    }

    fn row(
        &self,
        case: CaseId,
        inspection: InspectionId,
        state: &State,
        operations: &[OperationRow],
    ) -> Result<InspectionRow, DeviceError> {
        let last = |kind: &str| operations.iter().rposition(|row| row.operation.header().kind == kind);
        let mut progress = [0; 3];
        for row in operations {
            progress[match row.progress {
                Progress::Sealed => 0,
                Progress::Received => 1,
                Progress::Logged => 2,
            }] += 1;
        }
        Ok(InspectionRow {
            case,
            inspection,
            title: state.text("inspection/title"),
            enterprise: state.bytes("inspection/enterprise").map(EnterpriseId::from_bytes),
            party: state.text("party/name"),
            planned: state.text("inspection/planned"),
            closed: last("inspection.close").is_some(),
            returned: last("inspection.return") > last("inspection.close"),
            conflicts: state.conflicts().count() as u64,
            drafts: self.store.drafts(Some(inspection))?.len() as u64,
            progress,
        })
    }

    fn open_orders(&self, enterprise: EnterpriseId, except: CaseId) -> Result<Vec<OpenOrder>, DeviceError> {
        let mut orders = Vec::new();
        for case in self
            .store
            .cases_where("inspection/enterprise", &Value::bytes(enterprise.as_bytes()))?
        {
            if case == except {
                continue;
            }
            let state = self.store.state(Scope::Case(case))?;
            let mut items: BTreeMap<ItemId, Vec<(String, Option<String>)>> = BTreeMap::new();
            for (path, _) in state.under("order") {
                let segments: Vec<&str> = path.split('/').collect();
                let ["order", order, "item", item, "text"] = segments.as_slice() else {
                    continue;
                };
                let (Ok(order_id), Some(text)) = (order.parse(), state.text(path)) else {
                    continue;
                };
                let due = state.text(&format!("order/{order}/item/{item}/due"));
                items.entry(order_id).or_default().push((text, due));
            }
            orders.extend(items.into_iter().map(|(order, items)| OpenOrder { case, order, items }));
        }
        Ok(orders)
    }

    /// The devices named by an inspection.
    ///
    /// # Errors
    /// `not_found`.
    pub fn devices_of(&self, inspection: InspectionId) -> Result<Vec<DeviceId>, DeviceError> {
        let case = self.store.case_of(inspection)?;
        let state = self.store.state(Scope::Inspection(case, inspection))?;
        let named = state.all("inspection/device");
        let ids = named
            .iter()
            .filter_map(Value::as_array)
            .flatten()
            .filter_map(Value::as_bytes);
        Ok(ids
            .filter_map(|bytes| bytes.try_into().ok().map(DeviceId::from_bytes))
            .collect())
    }
}
