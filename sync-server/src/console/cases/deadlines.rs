//! The deadlines of a case's orders.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;

use super::{CaseBar, OpenCase, Tab, open};
use crate::api::App;
use crate::console::error::PageError;
use crate::console::figure::{day_of, due_text};
use crate::console::page::{Page, html};
use crate::console::visitor::Desk;
use crate::projection::day_number;

struct Item {
    text: String,
    due: Option<String>,
    overdue: bool,
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
    page: Page,
    bar: CaseBar,
    items: Vec<Item>,
    overdue: usize,
}

/// `GET /console/cases/{case}/deadlines`
pub async fn page(State(app): State<App>, desk: Desk, Path(case): Path<String>) -> Result<Response, PageError> {
    let opened = open(&app, &desk, &case, Tab::Deadlines).await?;
    let OpenCase {
        file,
        wording,
        page,
        bar,
        ..
    } = opened;
    let words = wording.words;
    let today = day_of(words, app.server.clock.now().wall_ms);
    let pack = file.pack.as_deref();
    let mut items: Vec<(i32, Item)> = Vec::new();
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
        let row = Item {
            text: item.text.clone().unwrap_or_else(|| words.t("value.empty")),
            due: due.map(|due| due_text(words, due, today)),
            overdue: due.is_some_and(|due| due < today),
            grade,
            clause,
            passed: passed as u64,
            number: number + 1,
            ordered: ordered.unwrap_or_default(),
        };
        items.push((due.unwrap_or(i32::MAX), row));
    }
    items.sort_by_key(|(due, item)| (*due, item.number));
    let items: Vec<Item> = items.into_iter().map(|(_, item)| item).collect();
    html(&DeadlinesPage {
        overdue: items.iter().filter(|item| item.overdue).count(),
        items,
        page,
        bar,
    })
}
