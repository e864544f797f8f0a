//! What became of the things that were ordered, judged over all visits to an enterprise: a review belongs to the later visit, and
//! settles an item of an earlier one.

use std::collections::{BTreeMap, BTreeSet};

use fieldseal_core::domain::Day;
use fieldseal_core::domain::view::{JudgedOrder, judged_orders};
use fieldseal_core::merge::{Fold, Scope, State};
use fieldseal_proof::ids::{CaseId, DeviceId, EnterpriseId};
use fieldseal_proof::operation::Operation;

use super::case_file::ingest_devices;
use super::fold::values_of;
use super::register::{CaseSummary, held};
use crate::ingest::{Ingest, bare};
use crate::ledger::{FieldRow, LedgerError, LedgerStore, LineKind, LineOrder, LineQuery, SearchWords, tag};

/// Visits to one enterprise that are judged together: its newest ones.
pub const VISITS: u64 = 100;

/// The other cases of an enterprise by the index, those heard of last first.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn visits(ledger: &dyn LedgerStore, enterprise: EnterpriseId) -> Result<Vec<CaseSummary>, LedgerError> {
    let mut query = LineQuery::new(LineKind::Case, SearchWords::default());
    query.tags = vec![tag('e', enterprise.as_bytes())];
    query.order = LineOrder::Seen;
    query.limit = VISITS;
    let found = ledger.lines(query).await?;
    let read = |shown: &Vec<u8>| serde_json::from_slice::<CaseSummary>(shown).ok();
    Ok(found.lines.iter().filter_map(|line| read(&line.shown)).collect())
}

/// Every ordered item of these cases with what is known of it now. `ours`: the devices whose dispositions count.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn judged(
    ledger: &dyn LedgerStore,
    ours: &[DeviceId],
    cases: &BTreeSet<CaseId>,
    today: Day,
) -> Result<Vec<JudgedOrder>, LedgerError> {
    let mut states: BTreeMap<CaseId, State> = BTreeMap::new();
    for case in cases {
        let mut fold = Fold::new(Scope::Case(*case), ours.iter().copied());
        for row in ledger.operations_of(*case).await? {
            let frame = if row.spoiled { bare(&row.frame) } else { Some(row.frame) };
            if let Some(operation) = frame.and_then(|frame| Operation::parse(&frame).ok()) {
                fold.add(&operation);
            }
        }
        states.insert(*case, fold.state());
    }
    Ok(judged_orders(&states, today))
}

/// The cases that a step sums up again, each with the ordered items of which nothing is left to do, as the beginnings of their
/// paths. Where the step says something about orders, every case of the enterprise that ordered something is among them.
pub(super) async fn settled(
    ingest: &Ingest,
    cases: &BTreeSet<CaseId>,
    touched: &BTreeSet<([u8; 16], String)>,
    fresh: &[FieldRow],
) -> Result<BTreeMap<CaseId, BTreeSet<String>>, LedgerError> {
    let ledger = &*ingest.ledger;
    let news: BTreeSet<CaseId> = touched
        .iter()
        .filter(|(_, path)| concerns(path))
        .map(|(scope, _)| CaseId::from_bytes(*scope))
        .filter(|case| cases.contains(case))
        .collect();
    let mut settled = BTreeMap::new();
    let mut together: BTreeMap<EnterpriseId, BTreeSet<CaseId>> = BTreeMap::new();
    for case in cases {
        let before = held(ledger, *case).await?.unwrap_or_else(CaseSummary::default);
        if news.contains(case) {
            // A visit to nobody known is judged by itself, under its own id.
            let known = enterprise_of(ledger, *case, fresh).await?;
            let enterprise = known.unwrap_or(EnterpriseId::from_bytes(*case.as_bytes()));
            together.entry(enterprise).or_default().insert(*case);
        }
        settled.insert(*case, before.fulfilled);
    }
    for (enterprise, mut group) in together {
        let mut ordering = BTreeSet::new();
        for case in &group {
            let here = fresh
                .iter()
                .any(|row| row.scope == *case.as_bytes() && row.path.starts_with("order/"));
            if here || held(ledger, *case).await?.is_some_and(|before| before.ordered > 0) {
                ordering.insert(*case);
            }
        }
        for visit in visits(ledger, enterprise).await? {
            let Ok(case) = visit.case.parse() else { continue };
            if visit.ordered > 0 {
                ordering.insert(case);
            }
            group.insert(case);
        }
        if ordering.is_empty() {
            continue;
        }
        let today = Day::parse("date", "1970-01-01").map_err(|e| LedgerError::Corrupt(e.to_string()))?;
        let orders = judged(ledger, &ingest_devices(ingest), &group, today).await?;
        settled.extend(ordering.into_iter().map(|case| (case, fulfilled(&orders, case))));
    }
    Ok(settled)
}

/// The ordered items of which nothing is left to do, as the beginnings of their paths.
fn fulfilled(orders: &[JudgedOrder], case: CaseId) -> BTreeSet<String> {
    let of_case = orders.iter().filter(|order| order.case == case);
    let items = of_case.flat_map(|order| {
        let done = order.items.iter().filter(|item| item.is_fulfilled());
        done.map(move |item| format!("order/{}/item/{}/", order.order, item.item))
    });
    items.collect()
}

/// Whether a path says something about what was ordered, or about what became of it.
fn concerns(path: &str) -> bool {
    match path.split('/').next() {
        Some("order" | "review") => true,
        Some("check") => path.ends_with("/result"),
        _ => false,
    }
}

async fn enterprise_of(
    ledger: &dyn LedgerStore,
    case: CaseId,
    fresh: &[FieldRow],
) -> Result<Option<EnterpriseId>, LedgerError> {
    const PATH: &str = "inspection/enterprise";
    let new = fresh
        .iter()
        .find(|row| row.scope == *case.as_bytes() && row.path == PATH)
        .cloned();
    let row = match new {
        Some(row) => Some(row),
        None => {
            let rows = ledger.fields(*case.as_bytes(), PATH.into()).await?;
            rows.into_iter().find(|row| row.path == PATH)
        }
    };
    let values = row.map(|row| values_of(&row)).unwrap_or_default();
    Ok(values
        .into_iter()
        .find_map(|(value, _)| value?.as_bytes()?.try_into().ok())
        .map(EnterpriseId::from_bytes))
}
