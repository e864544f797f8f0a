//! A case, and its row in the case register (案卷台账).

use fieldseal_proof::ids::{CaseId, InspectionId};
use serde::Serialize;

use super::{InspectionView, People, Stage, as_text, as_texts};
use crate::domain::Day;
use crate::merge::{Scope, State};
use crate::pack::RulePack;

/// A case as its operations tell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseView {
    #[serde(serialize_with = "as_text")]
    pub case: CaseId,
    #[serde(serialize_with = "as_texts")]
    pub inspections: Vec<InspectionId>,
    /// State hash of the whole case, hex.
    pub state: String,
    #[serde(flatten)]
    pub view: InspectionView,
}

impl CaseView {
    /// Reads a state folded over a case; `None` for a state of another scope.
    pub fn of(state: &State, pack: Option<&RulePack>, people: &People) -> Option<CaseView> {
        let Scope::Case(case) = state.scope() else { return None };
        let mut inspections: Vec<InspectionId> = state.operations().filter_map(|op| op.inspection).collect();
        inspections.sort_unstable();
        inspections.dedup();
        let view = InspectionView::of(state, pack, people);
        Some(CaseView {
            case,
            inspections,
            state: fieldseal_proof::ids::to_hex(&state.hash()),
            view,
        })
    }

    /// Its row in the register. `today` decides what is overdue.
    pub fn row(&self, pack: Option<&RulePack>, people: &People, today: Day) -> CaseRow {
        let view = &self.view;
        let dues: Vec<Day> = view
            .orders
            .iter()
            .flat_map(|order| &order.items)
            .filter_map(|item| Day::parse("due", item.due.as_deref()?).ok())
            .collect();
        let graver = |grade: &String| pack.and_then(|pack| pack.grade(grade)).map_or(0, |grade| grade.rank);
        let name = |id| {
            people
                .get(id)
                .map_or_else(|| format!("{id}"), |officer| officer.name.clone())
        };
        CaseRow {
            case: self.case,
            party: view.party.name.clone(),
            credit_code: view.party.credit_code.clone(),
            title: view.title.clone(),
            stage: view.stage,
            officers: view.officers.iter().map(name).collect(),
            planned: view.planned.clone(),
            findings: view.findings.len() as u64,
            gravest: view
                .findings
                .iter()
                .filter_map(|finding| finding.grade.clone())
                .max_by_key(graver),
            evidence: view.evidence.len() as u64,
            numbers: view
                .documents
                .iter()
                .filter_map(|document| document.number.clone())
                .collect(),
            next_due: dues.iter().filter(|due| **due >= today).min().map(ToString::to_string),
            overdue: dues.iter().filter(|due| **due < today).count() as u64,
            clashes: view.clashes.len() as u64,
            quarantined: view.quarantined.len() as u64,
            awaiting: view
                .documents
                .iter()
                .filter(|d| !d.awaiting.is_empty() || !d.unsigned.is_empty())
                .count() as u64,
            last_ms: view.last_ms,
        }
    }
}

/// One line of the case register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseRow {
    #[serde(serialize_with = "as_text")]
    pub case: CaseId,
    pub party: Option<String>,
    pub credit_code: Option<String>,
    pub title: Option<String>,
    pub stage: Stage,
    pub officers: Vec<String>,
    pub planned: Option<String>,
    pub findings: u64,
    /// Id of the gravest grade among its findings, by the pack's rank.
    pub gravest: Option<String>,
    pub evidence: u64,
    pub numbers: Vec<String>,
    pub next_due: Option<String>,
    pub overdue: u64,
    pub clashes: u64,
    pub quarantined: u64,
    /// Documents that lack a signature.
    pub awaiting: u64,
    /// The last device clock among its operations: a claim.
    pub last_ms: Option<u64>,
}
