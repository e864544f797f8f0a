//! The case list: which cases are late or stuck?

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use fieldseal_core::domain::view::People;
use fieldseal_core::pack::RulePack;
use fieldseal_proof::ids::OfficerId;

use super::Wording;
use super::filters::{self, Asked, Chip, Choice, ROWS};
use crate::api::App;
use crate::console::access::{Deed, log};
use crate::console::accounts::Role;
use crate::console::error::{PageError, url_escaped};
use crate::console::figure::{DeadlineChart, StageBars, day_of, due_text};
use crate::console::news::News;
use crate::console::page::{Area, Page, html};
use crate::console::visitor::Desk;
use crate::console::words::Words;
use crate::ledger::{LineKind, LineOrder, LineQuery, SearchWords};
use crate::projection::{CaseSummary, DocumentLine, day_number};

/// Lines of a CSV at most: what a spreadsheet opens.
const CSV_MOST: u64 = 100_000;
/// New arrivals that are counted at most: a page full.
const NEWS: u64 = 50;

/// A case in the list.
struct Row {
    href: String,
    numbers: Vec<String>,
    short: String,
    party: Option<String>,
    code: Option<String>,
    matter: String,
    stage: String,
    returned: bool,
    due: Option<String>,
    overdue: bool,
    gaps: Vec<String>,
    officers: Vec<String>,
    seen: String,
}

impl Row {
    fn new(words: Words, people: &People, packs: &[Arc<RulePack>], case: CaseSummary, today: i32) -> Self {
        let due = case.dues.first().and_then(|due| day_number(due));
        let mut gaps = Vec::new();
        let mut gap = |code: &'static str, count: usize| {
            if count > 0 {
                gaps.push(words.t1(code, "count", count));
            }
        };
        gap("console.cases.gap_conflicts", case.conflicts);
        gap("console.cases.gap_quarantined", case.quarantined);
        gap("console.cases.gap_missing", case.evidence_missing);
        let officer = |id: &String| {
            let person = id.parse::<OfficerId>().ok().and_then(|id| people.get(&id).cloned());
            person.map_or_else(|| id.chars().take(8).collect(), |person| person.name)
        };
        let matter: Vec<String> = match case.violations.as_slice() {
            // A title that only repeats the party says nothing.
            [] => case
                .title
                .iter()
                .filter(|title| case.party.as_ref() != Some(title))
                .cloned()
                .collect(),
            some => some
                .iter()
                .map(|id| filters::violation_name(words, packs, id))
                .collect(),
        };
        Self {
            href: format!("/console/cases/{}", case.case),
            short: case.case.chars().take(8).collect(),
            numbers: case.numbers,
            party: case.party,
            code: case.credit_code,
            matter: super::cut(&matter.join(if words.zh() { "；" } else { "; " }), 120),
            stage: words.t(&format!(
                "stage.{}",
                if case.stage.is_empty() { "planned" } else { &case.stage }
            )),
            returned: case.stage == "returned",
            due: due.map(|due| due_text(words, due, today)),
            overdue: due.is_some_and(|due| due < today),
            gaps,
            officers: case.officers.iter().map(officer).collect(),
            seen: words.minute(case.seen_ms),
        }
    }
}

#[derive(Template)]
#[template(path = "cases/list.html")]
struct ListPage {
    page: Page,
    asked: Asked,
    chips: Vec<Chip>,
    stages: Vec<Choice>,
    officers: Vec<Choice>,
    partners: Vec<Choice>,
    tablets: Vec<Choice>,
    violations: Vec<Choice>,
    rows: Vec<Row>,
    total: u64,
    news: News,
    /// No case at all: how cases arrive is said instead of an empty list.
    never: bool,
    /// Enterprises and documents that have the words too.
    others: Vec<(String, &'static str, u64)>,
    by_due: String,
    by_seen: String,
    seen_order: bool,
    csv: String,
    earlier: Option<String>,
    later: Option<String>,
    charts: Option<(StageBars, DeadlineChart)>,
}

/// `GET /console/cases`
pub async fn page(State(app): State<App>, desk: Desk, Query(asked): Query<Asked>) -> Result<Response, PageError> {
    desk.staff.needs_one_of(&[Role::Supervisor, Role::Legal])?;
    let words = desk.words();
    let ledger = &app.server.ledger;
    if desk.visitor.fragment {
        return html(&news(&app, words, &asked, asked.since).await?);
    }
    let since = app.server.clock.now().wall_ms;
    let mut page = Page::of(&app, &desk, Area::Cases, words.t("console.nav.cases")).await?;
    page.query.clone_from(&asked.q);
    let today = day_of(words, app.server.clock.now().wall_ms);
    let found = ledger.lines(asked.query()).await?;
    let people = People::of(&app.server.ingest.key_log().log);
    let packs = app.shelves.packs.all(&**ledger).await?;
    let wording = Wording::load(&app, words).await?;
    let chips = asked.chips(words, &wording, &people, &packs);
    let mut others = Vec::new();
    if !SearchWords::parse(&asked.q).is_empty() {
        let q = url_escaped(&asked.q);
        let kinds = [
            (LineKind::Enterprise, "enterprises", "console.search.enterprises"),
            (LineKind::Document, "documents", "console.search.documents"),
        ];
        for (kind, path, code) in kinds {
            let mut query = LineQuery::new(kind, SearchWords::parse(&asked.q));
            query.limit = 0;
            others.push((format!("/console/{path}?q={q}"), code, ledger.lines(query).await?.total));
        }
    }
    // Figures belong to the whole list, not to a search.
    let charts = match chips.is_empty() && asked.page == 0 && found.total > 0 {
        true => {
            let counts = ledger.line_counts(LineKind::Case, today).await?;
            Some((
                StageBars::new(words, &counts),
                DeadlineChart::new(words, &counts, today),
            ))
        }
        false => None,
    };
    let summaries = found
        .lines
        .iter()
        .filter_map(|line| serde_json::from_slice(&line.shown).ok());
    let turn = |to: u64| asked.link("/console/cases", "page", &to.to_string());
    let shown = ListPage {
        page,
        rows: summaries
            .map(|case| Row::new(words, &people, &packs, case, today))
            .collect(),
        total: found.total,
        news: news_line(words, &asked, since, 0),
        never: chips.is_empty() && found.total == 0,
        others,
        stages: filters::stages(words, &asked),
        officers: filters::officers(&people, &asked.officer),
        partners: filters::officers(&people, &asked.with),
        tablets: filters::tablets(&wording, &asked),
        violations: filters::violations(words, &packs, &asked),
        by_due: asked.link("/console/cases", "order", ""),
        by_seen: asked.link("/console/cases", "order", "seen"),
        seen_order: asked.order == "seen",
        csv: asked.link("/console/cases.csv", "page", ""),
        earlier: (asked.page > 0).then(|| turn(asked.page - 1)),
        later: ((asked.page + 1).saturating_mul(ROWS) < found.total).then(|| turn(asked.page + 1)),
        chips,
        charts,
        asked,
    };
    html(&shown)
}

/// How many of the cases under the filter something arrived for since a page was made.
async fn news(app: &App, words: Words, asked: &Asked, since: u64) -> Result<News, PageError> {
    let mut query = asked.query();
    (query.order, query.skip, query.limit) = (LineOrder::Seen, 0, NEWS);
    let found = app.server.ledger.lines(query).await?;
    let newer = found
        .lines
        .iter()
        .filter_map(|line| serde_json::from_slice::<CaseSummary>(&line.shown).ok())
        .filter(|case| case.seen_ms > since);
    Ok(news_line(words, asked, since, newer.count() as u64))
}

fn news_line(words: Words, asked: &Asked, since: u64, count: u64) -> News {
    let list = asked.link("/console/cases", "page", "");
    let joint = if list.contains('?') { '&' } else { '?' };
    News::new(words, format!("{list}{joint}since={since}"), list, count)
}

/// `GET /console/cases.csv`: the same filter, every line.
pub async fn csv(State(app): State<App>, desk: Desk, Query(asked): Query<Asked>) -> Result<Response, PageError> {
    desk.staff.needs_one_of(&[Role::Supervisor, Role::Legal])?;
    let words = desk.words();
    let mut query = asked.query();
    (query.skip, query.limit) = (0, CSV_MOST);
    let found = app.server.ledger.lines(query).await?;
    log(&app, &desk.staff, Deed::Listed, format!("cases.csv {}", found.total)).await?;
    let people = People::of(&app.server.ingest.key_log().log);
    let packs = app.shelves.packs.all(&*app.server.ledger).await?;
    let today = day_of(words, app.server.clock.now().wall_ms);
    let mut out = csv::Writer::from_writer(b"\xef\xbb\xbf".to_vec());
    let headings = [
        "label.number",
        "console.cases.party",
        "label.credit_code",
        "console.cases.matter",
        "console.cases.stage",
        "console.case.next_due",
        "console.cases.gaps",
        "label.officers",
        "console.cases.seen",
        "console.cases.case",
    ];
    let failed = |e: csv::Error| PageError::internal(&e);
    out.write_record(headings.map(|code| words.t(code))).map_err(failed)?;
    for line in &found.lines {
        let Ok(case) = serde_json::from_slice::<CaseSummary>(&line.shown) else {
            continue;
        };
        let due = case.dues.first().cloned().unwrap_or_default();
        let id = case.case.clone();
        let row = Row::new(words, &people, &packs, case, today);
        let cells = [
            row.numbers.join(" "),
            row.party.unwrap_or_default(),
            row.code.unwrap_or_default(),
            row.matter,
            row.stage,
            due,
            row.gaps.join(" "),
            row.officers.join(" "),
            row.seen,
            id,
        ];
        out.write_record(cells.map(harmless)).map_err(failed)?;
    }
    let bytes = out.into_inner().map_err(|e| PageError::internal(&e))?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"cases.csv\""),
    ];
    Ok((headers, bytes).into_response())
}

/// What a spreadsheet takes for the beginning of a formula; the wide signs too, where its language is Chinese or Japanese.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// A cell that a spreadsheet would take for a formula begins with an apostrophe.
pub fn harmless(cell: String) -> String {
    if cell.starts_with(FORMULA) {
        format!("'{cell}")
    } else {
        cell
    }
}

struct DocumentRow {
    href: String,
    number: String,
    kind: String,
    party: Option<String>,
}

#[derive(Template)]
#[template(path = "cases/found_documents.html")]
struct DocumentsPage {
    page: Page,
    q: String,
    rows: Vec<DocumentRow>,
    total: u64,
}

#[derive(serde::Deserialize)]
pub struct Typed {
    #[serde(default)]
    q: String,
}

/// `GET /console/documents?q=`: documents by their number.
pub async fn found_documents(
    State(app): State<App>,
    desk: Desk,
    Query(typed): Query<Typed>,
) -> Result<Response, PageError> {
    desk.staff.needs_one_of(&[Role::Supervisor, Role::Legal])?;
    let words = desk.words();
    let mut page = Page::of(&app, &desk, Area::Cases, words.t("console.search.documents")).await?;
    page.query.clone_from(&typed.q);
    let packs = app.shelves.packs.all(&*app.server.ledger).await?;
    let query = LineQuery::new(LineKind::Document, SearchWords::parse(&typed.q));
    let found = app.server.ledger.lines(query).await?;
    let row = |line: DocumentLine| DocumentRow {
        href: format!("/console/cases/{}/documents#d-{}", line.case, line.document),
        kind: match line.kind.as_deref() {
            Some(kind) => {
                let known = packs.iter().find_map(|pack| pack.document(kind));
                known.map_or_else(|| kind.to_owned(), |document| document.name.text(words.lang).to_owned())
            }
            None => String::new(),
        },
        number: line.number,
        party: line.party,
    };
    let lines = found
        .lines
        .iter()
        .filter_map(|line| serde_json::from_slice(&line.shown).ok());
    html(&DocumentsPage {
        page,
        q: typed.q,
        rows: lines.map(row).collect(),
        total: found.total,
    })
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn a_party_is_no_formula() {
        assert_eq!(harmless("=HYPERLINK(1)".into()), "'=HYPERLINK(1)");
        assert_eq!(harmless("＝1+1".into()), "'＝1+1");
        assert_eq!(harmless("恒泰".into()), "恒泰");
    }
}
