//! Work lists: what waits for a supervisor. One template, one tab for each list.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::accounts::Role;
use super::error::PageError;
use super::page::{Area, Page, html};
use super::visitor::Desk;
use super::words::Words;
use crate::api::App;
use crate::ledger::{LedgerStore, space};
use crate::projection::{CaseSummary, set_aside_all};

/// Rows of a page.
const ROWS: usize = 50;

/// A list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Conflicts,
    Quarantine,
}

impl List {
    const ALL: [List; 2] = [List::Conflicts, List::Quarantine];

    fn word(self) -> &'static str {
        match self {
            Self::Conflicts => "conflicts",
            Self::Quarantine => "quarantine",
        }
    }
}

/// A thing to decide.
struct Row {
    href: String,
    what: String,
    party: String,
    why: String,
    since: String,
    next: String,
}

struct Tab {
    href: String,
    word: String,
    count: usize,
    current: bool,
}

#[derive(Template)]
#[template(path = "work.html")]
struct WorkPage {
    page: Page,
    tabs: Vec<Tab>,
    rows: Vec<Row>,
    total: usize,
    earlier: Option<String>,
    later: Option<String>,
    empty: String,
}

/// `GET /console/work`
pub async fn first() -> Response {
    Redirect::to("/console/worklist/conflicts").into_response()
}

#[derive(Deserialize)]
pub struct Place {
    #[serde(default)]
    from: usize,
}

/// `GET /console/worklist/{list}`
pub async fn list(
    State(app): State<App>,
    desk: Desk,
    Path(name): Path<String>,
    Query(place): Query<Place>,
) -> Result<Response, PageError> {
    desk.staff.needs(Role::Supervisor)?;
    let chosen = List::ALL
        .into_iter()
        .find(|list| list.word() == name)
        .ok_or(PageError::NotFound)?;
    let words = desk.words();
    let mut page = Page::of(
        &app,
        &desk,
        Area::Work,
        words.t(&format!("console.work.{}", chosen.word())),
    )
    .await?;
    page.title = words.t(&format!("console.work.{}", chosen.word()));
    let ledger = &*app.server.ledger;
    let mut lists = BTreeMap::new();
    lists.insert("conflicts", conflicts(ledger, words).await?);
    lists.insert("quarantine", quarantine(ledger, words).await?);
    let tabs = List::ALL.iter().map(|list| Tab {
        href: format!("/console/worklist/{}", list.word()),
        word: words.t(&format!("console.work.{}", list.word())),
        count: lists.get(list.word()).map_or(0, Vec::len),
        current: *list == chosen,
    });
    let tabs = tabs.collect();
    let rows = lists.remove(chosen.word()).unwrap_or_default();
    let total = rows.len();
    let link = |from: usize| format!("/console/worklist/{}?from={from}", chosen.word());
    let now = words.clock(app.server.clock.now().wall_ms);
    let shown = WorkPage {
        empty: words.t1(&format!("console.work.{}.empty", chosen.word()), "time", now),
        page,
        tabs,
        total,
        earlier: (place.from > 0).then(|| link(place.from.saturating_sub(ROWS))),
        later: (place.from + ROWS < total).then(|| link(place.from + ROWS)),
        rows: rows.into_iter().skip(place.from).take(ROWS).collect(),
    };
    html(&shown)
}

async fn conflicts(ledger: &dyn LedgerStore, words: Words) -> Result<Vec<Row>, PageError> {
    let mut rows = Vec::new();
    for line in ledger.registers(space::CASE, Vec::new(), usize::MAX >> 1).await? {
        let Ok(case) = serde_json::from_slice::<CaseSummary>(&line.value) else {
            continue;
        };
        if case.conflicts == 0 {
            continue;
        }
        rows.push(Row {
            href: format!("/console/cases/{}", case.case),
            what: words.t("console.work.conflict"),
            party: case.party.unwrap_or_else(|| words.t("value.empty")),
            why: words.t1("console.work.conflict_why", "count", case.conflicts),
            since: case.planned.unwrap_or_default(),
            next: words.t("console.work.compare"),
        });
    }
    Ok(rows)
}

async fn quarantine(ledger: &dyn LedgerStore, words: Words) -> Result<Vec<Row>, PageError> {
    let mut aside: Vec<_> = set_aside_all(ledger)
        .await?
        .into_iter()
        .filter(|(_, aside)| aside.stands())
        .collect();
    aside.sort_by_key(|(_, aside)| aside.leaf);
    let rows = aside.into_iter().map(|(id, aside)| Row {
        href: format!("/console/quarantine/{id}"),
        what: aside.kind,
        party: aside.case.unwrap_or_else(|| words.t("value.not_applicable")),
        why: words.t(&format!("quarantine.{}", aside.reason)),
        since: aside.leaf.to_string(),
        next: words.t("console.work.decide"),
    });
    Ok(rows.collect())
}
