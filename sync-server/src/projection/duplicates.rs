//! What may be recorded twice: enterprises, and cases. It only proposes; a supervisor joins by a signed operation.

use std::collections::{BTreeSet, HashMap, HashSet};

use fieldseal_core::domain::view::{CaseTrace, EnterpriseView, Similar, SimilarCases, similar_cases, similar_pairs};
use fieldseal_proof::ids::{CaseId, EnterpriseId};

use super::{CaseSummary, EnterpriseLine, STAGES};
use crate::ledger::{LedgerError, LedgerStore, LineKind, LineOrder, LineQuery, SearchWords};

/// Lines that are read at a time.
const PAGE: u64 = 5_000;

/// Everything that may be recorded twice, at the moment of asking.
#[derive(Debug, Default)]
pub struct Duplicates {
    /// The records that are named in `enterprises`.
    pub known: HashMap<EnterpriseId, EnterpriseView>,
    pub enterprises: Vec<Similar>,
    pub cases: Vec<SimilarCases>,
}

impl Duplicates {
    /// Looks through registry and open cases. Records that were joined are one already.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn find(ledger: &dyn LedgerStore) -> Result<Self, LedgerError> {
        let lines: Vec<EnterpriseLine> = all(ledger, LineKind::Enterprise).await?;
        let joined: HashMap<EnterpriseId, EnterpriseId> = lines
            .iter()
            .filter_map(|line| Some((line.enterprise.parse().ok()?, line.same_as.as_ref()?.parse().ok()?)))
            .collect();
        let open = lines.iter().filter(|line| line.same_as.is_none());
        let mut views: Vec<EnterpriseView> = open.filter_map(EnterpriseLine::view).collect();
        views.sort_by_key(|view| view.enterprise);
        let summaries: Vec<CaseSummary> = all(ledger, LineKind::Case).await?;
        let cases: Vec<CaseTrace> = summaries
            .iter()
            .filter(|case| case.stage != STAGES[2])
            .filter_map(|case| trace(case, &joined))
            .collect();
        // A large registry takes a second: not on a thread that answers others.
        let found = tokio::task::spawn_blocking(move || {
            let enterprises = similar_pairs(&views);
            let cases = similar_cases(&cases, &enterprises);
            let named: BTreeSet<EnterpriseId> = enterprises.iter().flat_map(|pair| [pair.first, pair.second]).collect();
            let known = views
                .into_iter()
                .filter(|view| named.contains(&view.enterprise))
                .map(|view| (view.enterprise, view))
                .collect();
            Self {
                known,
                enterprises,
                cases,
            }
        });
        let mut found = found.await.map_err(|e| LedgerError::Broken(e.to_string()))?;
        // Whoever is named in both, or wrote in both, knows that they are two.
        let mut apart = Vec::new();
        for pair in found.cases {
            let named: HashSet<[u8; 16]> = subjects(ledger, pair.first).await?;
            if named.is_disjoint(&subjects(ledger, pair.second).await?) {
                apart.push(pair);
            }
        }
        found.cases = apart;
        Ok(found)
    }
}

async fn subjects(ledger: &dyn LedgerStore, case: CaseId) -> Result<HashSet<[u8; 16]>, LedgerError> {
    Ok(ledger
        .members(case)
        .await?
        .iter()
        .map(|member| member.subject)
        .collect())
}

fn trace(case: &CaseSummary, joined: &HashMap<EnterpriseId, EnterpriseId>) -> Option<CaseTrace> {
    let enterprise: EnterpriseId = case.enterprise.as_ref()?.parse().ok()?;
    Some(CaseTrace {
        case: case.case.parse().ok()?,
        enterprise: joined.get(&enterprise).copied().unwrap_or(enterprise),
        party: case.party.clone().unwrap_or_default(),
        planned: case.planned.clone(),
        devices: case.devices.iter().filter_map(|id| id.parse().ok()).collect(),
    })
}

async fn all<T: serde::de::DeserializeOwned>(ledger: &dyn LedgerStore, kind: LineKind) -> Result<Vec<T>, LedgerError> {
    let mut query = LineQuery::new(kind, SearchWords::default());
    query.order = LineOrder::Seen;
    query.limit = PAGE;
    let mut found = Vec::new();
    loop {
        let page = ledger.lines(query.clone()).await?;
        found.extend(
            page.lines
                .iter()
                .filter_map(|line| serde_json::from_slice(&line.shown).ok()),
        );
        query.skip += PAGE;
        if query.skip >= page.total {
            return Ok(found);
        }
    }
}
