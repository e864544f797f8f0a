//! Inspections on this device: the list, and one with all that is held of it.

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{BlobHash, CaseId, DeviceId, EnterpriseId, EvidenceId, InspectionId};

use super::{DeviceError, FieldDevice};
use crate::domain::view::JudgedOrder;
use crate::merge::{Scope, State};
use crate::store::{Draft, KeptView, OperationRow, Progress};

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
    /// Orders of earlier visits to the same enterprise of which something is left to do, each item judged.
    pub open_orders: Vec<JudgedOrder>,
}

impl FieldDevice {
    /// The inspections this device knows of, oldest first. Only cases in which something was written since the last call are
    /// folded.
    ///
    /// # Errors
    /// When the database does.
    pub fn inspections(&self) -> Result<Vec<InspectionRow>, DeviceError> {
        let seen = self.store.last_arrival()?;
        let mut kept = self.store.inspection_views()?;
        let (progress, drafts) = (self.store.progress_of_streams()?, self.store.drafts_of_inspections()?);
        let (mut rows, mut fresh) = (Vec::new(), Vec::new());
        for (case, inspection) in self.store.inspections()? {
            let view = match kept.remove(&(case, inspection)) {
                Some(view) => view,
                None => {
                    let (state, operations) = self.read(case, inspection)?;
                    let view = view_of(&state, &operations);
                    fresh.push(((case, inspection), view.clone()));
                    view
                }
            };
            // What speaks of the whole case counts for each of its inspections.
            let streams = [(case, *inspection.as_bytes()), (case, *case.as_bytes())];
            let counts = streams.iter().filter_map(|stream| progress.get(stream));
            let progress = counts.fold([0; 3], |sum: [u64; 3], next| {
                std::array::from_fn(|at| sum[at] + next[at])
            });
            rows.push(row(
                case,
                inspection,
                view,
                drafts.get(&inspection).copied().unwrap_or(0),
                progress,
            ));
        }
        self.store.keep_inspection_views(&fresh, seen)?;
        Ok(rows)
    }

    /// Everything held of an inspection, with the open orders of the last visits.
    ///
    /// # Errors
    /// `not_found`.
    pub fn inspection(&self, inspection: InspectionId) -> Result<InspectionView, DeviceError> {
        let case = self.store.case_of(inspection)?;
        let (state, operations) = self.read(case, inspection)?;
        let drafts = self.store.drafts(Some(inspection))?;
        let mut progress = [0; 3];
        for operation in &operations {
            progress[match operation.progress {
                Progress::Sealed => 0,
                Progress::Received => 1,
                Progress::Logged => 2,
            }] += 1;
        }
        let row = row(
            case,
            inspection,
            view_of(&state, &operations),
            drafts.len() as u64,
            progress,
        );
        let open_orders = match row.enterprise {
            Some(enterprise) => self.open_orders(enterprise, case)?,
            None => Vec::new(),
        };
        Ok(InspectionView {
            row,
            state,
            operations,
            drafts,
            open_orders,
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

/// What the list shows of an inspection, from its fold.
fn view_of(state: &State, operations: &[OperationRow]) -> KeptView {
    let last = |kind: &str| operations.iter().rposition(|row| row.operation.header().kind == kind);
    KeptView {
        title: state.text("inspection/title"),
        enterprise: state.bytes("inspection/enterprise").map(EnterpriseId::from_bytes),
        party: state.text("party/name"),
        planned: state.text("inspection/planned"),
        closed: last("inspection.close").is_some(),
        returned: last("inspection.return") > last("inspection.close"),
        conflicts: state.conflicts().count() as u64,
    }
}

fn row(case: CaseId, inspection: InspectionId, view: KeptView, drafts: u64, progress: [u64; 3]) -> InspectionRow {
    InspectionRow {
        case,
        inspection,
        title: view.title,
        enterprise: view.enterprise,
        party: view.party,
        planned: view.planned,
        closed: view.closed,
        returned: view.returned,
        conflicts: view.conflicts,
        drafts,
        progress,
    }
}
