//! The deadlines of a case's orders, and what became of each ordered item.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use fieldseal_core::domain::Day;
use fieldseal_core::domain::view::{Basis, JudgedItem};
use fieldseal_proof::ids::{CaseId, ItemId};

use super::{CaseBar, FromQueue, OpenCase, Tab, open};
use crate::api::App;
use crate::console::error::PageError;
use crate::console::figure::{day_of, day_text, due_text};
use crate::console::page::{Page, html};
use crate::console::queue::Queue;
use crate::console::visitor::Desk;
use crate::console::words::{Words, at};
use crate::console::work::{self, List};
use crate::projection::{CaseFile, day_number, ingest_devices, judged, visits};

struct Item {
    text: String,
    due: Option<String>,
    overdue: bool,
    /// Nothing is left to do.
    fulfilled: bool,
    /// What the last look at it found.
    state: String,
    /// The case in which that was found, and on what the judgement rests.
    found: Option<(String, String)>,
    grade: Option<String>,
    clause: Option<String>,
    /// Of 100, from the order to the due date; today.
    passed: u64,
    number: usize,
    ordered: String,
}

#[derive(Template)]
#[template(path = "cases/deadlines.html")]
struct DeadlinesPage {
    queue: Option<Queue>,
    page: Page,
    bar: CaseBar,
    items: Vec<Item>,
    overdue: usize,
}

/// `GET /console/cases/{case}/deadlines`
pub async fn page(
    State(app): State<App>,
    desk: Desk,
    Path(case): Path<String>,
    Query(from): Query<FromQueue>,
) -> Result<Response, PageError> {
    let opened = open(&app, &desk, &case, Tab::Deadlines).await?;
    let queue = match from.queue.as_str() {
        "overdue" if opened.decides => {
            let here = work::overdue_address(&opened.file.case.to_string());
            work::queue(&app, opened.wording.words, List::Overdue, &here).await?
        }
        _ => None,
    };
    let OpenCase { file, wording, .. } = &opened;
    let words = wording.words;
    let today = day_of(words, app.server.clock.now().wall_ms);
    let pack = file.pack.as_deref();
    let mut items: Vec<(bool, i32, Item)> = Vec::new();
    for (number, item) in file.view.view.orders.iter().flat_map(|order| &order.items).enumerate() {
        let due = item.due.as_deref().and_then(day_number);
        let prefix = format!("/item/{}/", item.item);
        // When it was ordered is the tablet's word, like every time of a tablet.
        let ordered = file.entries.iter().find(|entry| {
            let body = entry.operation.body();
            body.is_some_and(|body| body.fields().iter().any(|field| field.path.contains(&prefix)))
        });
        let ordered = ordered.map(|entry| words.day(entry.operation.header().clock.wall_ms));
        let from = ordered.as_deref().and_then(day_number);
        let passed = match (from, due) {
            (Some(from), Some(due)) if due > from => {
                (i64::from(today - from) * 100 / i64::from(due - from)).clamp(0, 100)
            }
            _ => 100,
        };
        let grade = item.grade.as_ref().map(|id| {
            let known = pack.and_then(|pack| pack.grade(id));
            known.map_or_else(|| id.clone(), |grade| grade.name.text(words.lang).to_owned())
        });
        let clause = item.clause.as_ref().map(|id| {
            let known = pack.and_then(|pack| pack.clause(id));
            known.map_or_else(|| id.clone(), |clause| clause.cite.text(words.lang).to_owned())
        });
        let known = opened.known.judged.get(&item.item);
        let fulfilled = known.is_some_and(JudgedItem::is_fulfilled);
        let row = Item {
            fulfilled,
            state: words.t(&format!("review.{}", known.map_or("open", |known| known.state))),
            found: known.and_then(|known| found(words, known)),
            text: item.text.clone().unwrap_or_else(|| words.t("value.empty")),
            due: due.map(|due| match fulfilled {
                true => day_text(due),
                false => due_text(words, due, today),
            }),
            overdue: !fulfilled && due.is_some_and(|due| due < today),
            grade,
            clause,
            passed: passed as u64,
            number: number + 1,
            ordered: ordered.unwrap_or_default(),
        };
        items.push((fulfilled, due.unwrap_or(i32::MAX), row));
    }
    items.sort_by_key(|(fulfilled, due, item)| (*fulfilled, *due, item.number));
    let items: Vec<Item> = items.into_iter().map(|(_, _, item)| item).collect();
    html(&DeadlinesPage {
        queue,
        overdue: items.iter().filter(|item| item.overdue).count(),
        items,
        page: opened.page,
        bar: opened.bar,
    })
}

/// What became of each ordered item of a case.
pub type Judged = BTreeMap<ItemId, JudgedItem>;

/// Judges the ordered items of a case by every visit to its enterprise: a review lies in the case of the later visit.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn judged_items(app: &App, file: &CaseFile) -> Result<Judged, PageError> {
    let view = &file.view.view;
    if view.orders.is_empty() {
        return Ok(Judged::new());
    }
    let ledger = &*app.server.ledger;
    let mut cases = BTreeSet::from([file.case]);
    if let Some(enterprise) = view.party.enterprise {
        let known = visits(ledger, enterprise).await?;
        cases.extend(known.iter().filter_map(|visit| visit.case.parse::<CaseId>().ok()));
    }
    let today = at(app.server.clock.now().wall_ms, "%Y-%m-%d");
    let today = Day::parse("date", &today).map_err(|e| PageError::broken(e.code()))?;
    let orders = judged(ledger, &ingest_devices(&app.server.ingest), &cases, today).await?;
    let own = orders.into_iter().filter(|order| order.case == file.case);
    Ok(own
        .flat_map(|order| order.items)
        .map(|item| (item.item, item))
        .collect())
}

/// Where the judgement was made: the later case, and whether somebody reviewed the item or answered its checklist item again.
fn found(words: Words, item: &JudgedItem) -> Option<(String, String)> {
    let code = match item.basis? {
        Basis::Review => "review.by_review",
        Basis::Check => "review.by_check",
    };
    Some((format!("/console/cases/{}/timeline", item.judged_in?), words.t(code)))
}
