//! Cases that can go to a hearing: the closed ones first.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use crate::api::App;
use crate::console::accounts::Role;
use crate::console::error::{PageError, url_escaped};
use crate::console::page::{Area, Page, html};
use crate::console::visitor::Desk;
use crate::ledger::{LineKind, LineOrder, LineQuery, SearchWords};
use crate::projection::CaseSummary;

const ROWS: u64 = 50;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    q: String,
    all: String,
    page: u64,
}

struct Row {
    href: String,
    numbers: Vec<String>,
    party: Option<String>,
    stage: String,
    evidence: usize,
    missing: usize,
    seen: String,
}

#[derive(Template)]
#[template(path = "hearing/list.html")]
struct ListPage {
    page: Page,
    q: String,
    all: bool,
    rows: Vec<Row>,
    total: u64,
    earlier: Option<String>,
    later: Option<String>,
}

/// `GET /console/hearing`
pub async fn page(State(app): State<App>, desk: Desk, Query(asked): Query<Asked>) -> Result<Response, PageError> {
    desk.staff.needs_one_of(&[Role::Supervisor, Role::Legal])?;
    let words = desk.words();
    let page = Page::of(&app, &desk, Area::Hearing, words.t("console.nav.hearing")).await?;
    let all = !asked.all.is_empty();
    let mut query = LineQuery::new(LineKind::Case, SearchWords::parse(&asked.q));
    // Rank 2: closed.
    query.stage = (!all).then_some(2);
    query.order = LineOrder::Seen;
    query.skip = asked.page.min(1_000_000) * ROWS;
    let found = app.server.ledger.lines(query).await?;
    let link = |to: u64| {
        let all = if all { "&all=1" } else { "" };
        format!("/console/hearing?q={}{all}&page={to}", url_escaped(&asked.q))
    };
    let row = |case: CaseSummary| Row {
        href: format!("/console/hearing/{}", case.case),
        numbers: case.numbers,
        party: case.party,
        stage: words.t(&format!(
            "stage.{}",
            if case.stage.is_empty() { "planned" } else { &case.stage }
        )),
        evidence: case.evidence,
        missing: case.evidence_missing,
        seen: words.minute(case.seen_ms),
    };
    let rows = found
        .lines
        .iter()
        .filter_map(|line| serde_json::from_slice(&line.shown).ok())
        .map(row);
    html(&ListPage {
        page,
        rows: rows.collect(),
        total: found.total,
        earlier: (asked.page > 0).then(|| link(asked.page - 1)),
        later: ((asked.page + 1).saturating_mul(ROWS) < found.total).then(|| link(asked.page + 1)),
        all,
        q: asked.q,
    })
}
