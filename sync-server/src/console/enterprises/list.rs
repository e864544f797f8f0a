//! The list of enterprises, found by name, code and address.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use fieldseal_core::domain::CreditCode;
use serde::Deserialize;

use crate::api::App;
use crate::console::access::{Deed, log};
use crate::console::accounts::Role;
use crate::console::error::{PageError, url_escaped};
use crate::console::page::{Area, Page, html};
use crate::console::visitor::Desk;
use crate::ledger::{LineKind, LineOrder, LineQuery, SearchWords};
use crate::projection::EnterpriseLine;

const ROWS: u64 = 50;
const CSV_MOST: u64 = 100_000;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    q: String,
    page: u64,
}

struct Row {
    href: String,
    names: Vec<String>,
    code: Option<String>,
    code_stands: bool,
    address: Option<String>,
    joined: bool,
}

#[derive(Template)]
#[template(path = "enterprises/list.html")]
struct ListPage {
    page: Page,
    q: String,
    rows: Vec<Row>,
    total: u64,
    csv: String,
    earlier: Option<String>,
    later: Option<String>,
}

fn query(asked: &Asked) -> LineQuery {
    let mut query = LineQuery::new(LineKind::Enterprise, SearchWords::parse(&asked.q));
    query.order = LineOrder::Seen;
    query.skip = asked.page.min(1_000_000) * ROWS;
    query.limit = ROWS;
    query
}

/// `GET /console/enterprises`
pub async fn page(State(app): State<App>, desk: Desk, Query(asked): Query<Asked>) -> Result<Response, PageError> {
    desk.staff.needs_one_of(&[Role::Supervisor, Role::Legal])?;
    let words = desk.words();
    let mut page = Page::of(&app, &desk, Area::Enterprises, words.t("console.nav.enterprises")).await?;
    page.query.clone_from(&asked.q);
    let found = app.server.ledger.lines(query(&asked)).await?;
    let link = |to: u64| format!("/console/enterprises?q={}&page={to}", url_escaped(&asked.q));
    let rows = found
        .lines
        .iter()
        .filter_map(|line| serde_json::from_slice(&line.shown).ok());
    let row = |line: EnterpriseLine| Row {
        href: format!("/console/enterprises/{}", line.enterprise),
        code_stands: line
            .credit_codes
            .first()
            .is_some_and(|code| CreditCode::parse(code).is_ok()),
        code: line.credit_codes.first().cloned(),
        names: line.names,
        address: line.address,
        joined: line.same_as.is_some(),
    };
    html(&ListPage {
        page,
        rows: rows.map(row).collect(),
        total: found.total,
        csv: format!("/console/enterprises.csv?q={}", url_escaped(&asked.q)),
        earlier: (asked.page > 0).then(|| link(asked.page - 1)),
        later: ((asked.page + 1).saturating_mul(ROWS) < found.total).then(|| link(asked.page + 1)),
        q: asked.q,
    })
}

/// `GET /console/enterprises.csv`
pub async fn csv(State(app): State<App>, desk: Desk, Query(asked): Query<Asked>) -> Result<Response, PageError> {
    desk.staff.needs_one_of(&[Role::Supervisor, Role::Legal])?;
    let words = desk.words();
    let mut whole = query(&asked);
    (whole.skip, whole.limit) = (0, CSV_MOST);
    let found = app.server.ledger.lines(whole).await?;
    log(
        &app,
        &desk.staff,
        Deed::Listed,
        format!("enterprises.csv {}", found.total),
    )
    .await?;
    let mut out = csv::Writer::from_writer(b"\xef\xbb\xbf".to_vec());
    let headings = [
        "label.name",
        "label.credit_code",
        "label.address",
        "label.head",
        "enterprise.id",
    ];
    let failed = |e: csv::Error| PageError::internal(&e);
    out.write_record(headings.map(|code| words.t(code))).map_err(failed)?;
    for line in &found.lines {
        let Ok(line) = serde_json::from_slice::<EnterpriseLine>(&line.shown) else {
            continue;
        };
        let cells = [
            line.names.join(" / "),
            line.credit_codes.join(" / "),
            line.address.unwrap_or_default(),
            line.head.unwrap_or_default(),
            line.enterprise,
        ];
        out.write_record(cells.map(crate::console::cases::harmless))
            .map_err(failed)?;
    }
    let bytes = out.into_inner().map_err(|e| PageError::internal(&e))?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"enterprises.csv\""),
    ];
    Ok((headers, bytes).into_response())
}
