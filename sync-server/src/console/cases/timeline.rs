//! Everything that happened in a case, in the order in which it reached the log. Nothing ever disappears from here.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use fieldseal_proof::ids::CaseId;
use serde::Deserialize;

use super::{CaseBar, OpenCase, Tab, open};
use crate::api::App;
use crate::console::accounts::Role;
use crate::console::error::{PageError, url_escaped};
use crate::console::links;
use crate::console::news::News;
use crate::console::page::{Page, html};
use crate::console::trust::{SignedBy, short_bracket};
use crate::console::visitor::Desk;
use crate::projection::Entry;
use crate::tlog::bracket;

/// Items of a page.
const ROWS: usize = 50;

/// What a filter shows: a word and the kinds under it.
const GROUPS: [(&str, &[&str]); 5] = [
    (
        "records",
        &[
            "check.answer",
            "finding.record",
            "statement.record",
            "order.draft",
            "order.review",
            "note.record",
            "credentials.show",
        ],
    ),
    ("evidence", &["evidence.seal", "custody.event", "evidence.freeze"]),
    ("documents", &["document.issue", "document.sign"]),
    ("signatures", &["attest"]),
    (
        "office",
        &[
            "inspection.assign",
            "inspection.begin",
            "inspection.close",
            "inspection.return",
            "field.decide",
            "quarantine.decide",
            "disposition",
            "roll",
        ],
    ),
];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    kind: String,
    order: String,
    page: usize,
    /// How many operations the page stands on that asks what is new.
    shown: Option<usize>,
}

struct Row {
    what: String,
    about: String,
    href: Option<String>,
    by: SignedBy,
    device: String,
    officers: Vec<SignedBy>,
    bracket: String,
    clock: String,
    leaf: u64,
    id: String,
    aside: Option<String>,
    /// Where a supervisor decides whether it counts.
    settle: Option<String>,
    withheld: bool,
}

struct Group {
    href: String,
    word: String,
    count: usize,
    current: bool,
}

#[derive(Template)]
#[template(path = "cases/timeline.html")]
struct TimelinePage {
    page: Page,
    bar: CaseBar,
    news: News,
    groups: Vec<Group>,
    rows: Vec<Row>,
    total: usize,
    oldest_first: bool,
    turned: String,
    earlier: Option<String>,
    later: Option<String>,
}

/// `GET /console/cases/{case}/timeline`
pub async fn page(
    State(app): State<App>,
    desk: Desk,
    Path(case): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    if let Some(shown) = asked.shown.filter(|_| desk.visitor.fragment) {
        return news(&app, &desk, &case, shown).await;
    }
    let opened = open(&app, &desk, &case, Tab::Timeline).await?;
    let chosen = GROUPS.iter().find(|(name, _)| *name == asked.kind);
    let oldest_first = asked.order == "oldest";
    let mut entries: Vec<&Entry> = opened
        .file
        .entries
        .iter()
        .filter(|entry| chosen.is_none_or(|(_, kinds)| kinds.contains(&entry.kind())))
        .collect();
    if !oldest_first {
        entries.reverse();
    }
    let total = entries.len();
    let decides = desk.staff.account.role == Role::Supervisor;
    let mut rows = Vec::new();
    for entry in entries.into_iter().skip(asked.page.saturating_mul(ROWS)).take(ROWS) {
        rows.push(row(&app, &opened, entry, decides).await?);
    }
    let base = format!("/console/cases/{}/timeline", opened.file.case);
    let link = |kind: &str, order: &str, page: usize| {
        let page = page.to_string();
        let parts = [
            ("kind", kind),
            ("order", order),
            ("page", if page == "0" { "" } else { &page }),
        ];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={}", url_escaped(value)))
            .collect();
        format!("{base}{}{}", if parts.is_empty() { "" } else { "?" }, parts.join("&"))
    };
    let words = opened.wording.words;
    let all = Group {
        href: link("", &asked.order, 0),
        word: words.t("console.timeline.all"),
        count: opened.file.entries.len(),
        current: chosen.is_none(),
    };
    let group = |(name, kinds): &(&str, &[&str])| Group {
        href: link(name, &asked.order, 0),
        word: words.t(&format!("console.timeline.{name}")),
        count: opened
            .file
            .entries
            .iter()
            .filter(|entry| kinds.contains(&entry.kind()))
            .count(),
        current: chosen.is_some_and(|(chosen, _)| chosen == name),
    };
    let groups = std::iter::once(all).chain(GROUPS.iter().map(group)).collect();
    let kind = chosen.map_or("", |(name, _)| name);
    let shown = opened.file.entries.len();
    html(&TimelinePage {
        news: News::new(words, format!("{base}?shown={shown}"), base.clone(), 0),
        groups,
        rows,
        total,
        oldest_first,
        turned: link(kind, if oldest_first { "" } else { "oldest" }, 0),
        earlier: (asked.page > 0).then(|| link(kind, &asked.order, asked.page - 1)),
        later: ((asked.page + 1).saturating_mul(ROWS) < total).then(|| link(kind, &asked.order, asked.page + 1)),
        page: opened.page,
        bar: opened.bar,
    })
}

/// The line that says how many operations came since a page was made.
async fn news(app: &App, desk: &Desk, case: &str, shown: usize) -> Result<Response, PageError> {
    desk.staff.needs_one_of(&[Role::Supervisor, Role::Legal])?;
    let case: CaseId = case.parse().map_err(|_| PageError::NotFound)?;
    let now = app.server.ledger.operations_of(case).await?.len();
    let base = format!("/console/cases/{case}/timeline");
    let more = now.saturating_sub(shown) as u64;
    html(&News::new(desk.words(), format!("{base}?shown={shown}"), base, more))
}

async fn row(app: &App, opened: &OpenCase, entry: &Entry, decides: bool) -> Result<Row, PageError> {
    let OpenCase { file, wording, .. } = opened;
    let header = entry.operation.header();
    let logged = entry.leaf < app.server.published.borrow().size;
    let sealed = bracket(&*app.server.ledger, header.anchor, entry.leaf).await?;
    let id = entry.id();
    let case = file.case;
    let href = match entry.kind() {
        "evidence.seal" => {
            let item = file.view.view.evidence.iter().find(|item| item.operation == id);
            item.map(|item| format!("/console/cases/{case}/evidence/{}", item.evidence))
        }
        "document.issue" => {
            let document = file
                .view
                .view
                .documents
                .iter()
                .find(|document| document.operation == id);
            document.map(|document| format!("/console/cases/{case}/documents#d-{}", document.document))
        }
        _ => None,
    };
    let aside = file
        .state
        .quarantine()
        .get(&id)
        .map(|aside| wording.words.t(&format!("quarantine.{}", aside.reason)));
    Ok(Row {
        what: wording.kind(entry.kind()),
        about: wording.summary(file, entry),
        href,
        by: wording.signed_by(app, &header.device, &header.incarnation),
        device: wording.device(&header.device),
        officers: wording.attesters(app, file, &id),
        bracket: short_bracket(wording.words, &sealed, logged),
        clock: wording.words.moment(header.clock.wall_ms),
        leaf: entry.leaf,
        id: id.to_string(),
        settle: (aside.is_some() && decides).then(|| links::settle(&id)),
        aside,
        withheld: entry.operation.body().is_none(),
    })
}
