//! Lists of cases: terms that have passed, inspections that went back.

use fieldseal_proof::ids::CaseId;

use super::list::{Bench, Row};
use crate::api::App;
use crate::console::act::readable::kind;
use crate::console::act::state;
use crate::console::error::PageError;
use crate::console::figure::due_text;
use crate::console::words::{Words, at};
use crate::ledger::{LineKind, LineOrder, LineQuery, SearchWords};
use crate::projection::{CaseSummary, day_number};

/// The stage of a case whose inspection went back.
const RETURNED: u8 = 3;
/// Cases that are read together where all of a list are gone through.
const STEP: u64 = 500;

fn overdue_query(app: &App) -> LineQuery {
    let mut query = LineQuery::new(LineKind::Case, SearchWords::default());
    query.due_by = Some(today(app) - 1);
    query
}

fn returned_query() -> LineQuery {
    let mut query = LineQuery::new(LineKind::Case, SearchWords::default());
    query.stage = Some(RETURNED);
    query.order = LineOrder::Oldest;
    query
}

/// Days since 1970-01-01 at the agency's place.
fn today(app: &App) -> i32 {
    day_number(&at(app.server.clock.now().wall_ms, "%Y-%m-%d")).unwrap_or_default()
}

async fn count(app: &App, mut query: LineQuery) -> Result<u64, PageError> {
    query.limit = 0;
    Ok(app.server.ledger.lines(query).await?.total)
}

async fn page(app: &App, mut query: LineQuery, skip: u64, limit: u64) -> Result<Vec<CaseSummary>, PageError> {
    (query.skip, query.limit) = (skip, limit);
    let found = app.server.ledger.lines(query).await?;
    let read = |shown: &Vec<u8>| serde_json::from_slice(shown).ok();
    Ok(found.lines.iter().filter_map(|line| read(&line.shown)).collect())
}

async fn all(app: &App, query: LineQuery) -> Result<Vec<CaseSummary>, PageError> {
    let mut all = Vec::new();
    loop {
        let step = page(app, query.clone(), all.len() as u64, STEP).await?;
        if step.is_empty() {
            return Ok(all);
        }
        all.extend(step);
    }
}

pub(super) async fn overdue_count(app: &App) -> Result<u64, PageError> {
    count(app, overdue_query(app)).await
}

pub(super) async fn returned_count(app: &App) -> Result<u64, PageError> {
    count(app, returned_query()).await
}

pub(super) async fn overdue_addresses(app: &App) -> Result<Vec<String>, PageError> {
    let cases = all(app, overdue_query(app)).await?;
    Ok(cases.iter().map(|case| overdue_address(&case.case)).collect())
}

pub(super) async fn returned_addresses(app: &App) -> Result<Vec<String>, PageError> {
    let cases = all(app, returned_query()).await?;
    Ok(cases.iter().map(|case| returned_address(&case.case)).collect())
}

/// The page of a case's terms, with its place in the list.
pub fn overdue_address(case: &str) -> String {
    format!("/console/cases/{case}/deadlines?queue=overdue")
}

/// The page of a case that went back, with its place in the list.
pub fn returned_address(case: &str) -> String {
    format!("/console/cases/{case}?queue=returns")
}

/// Orders whose term has passed, the longest overdue first.
pub(super) async fn overdue(bench: &Bench<'_>, skip: u64, limit: u64) -> Result<Vec<Row>, PageError> {
    let (app, words) = (bench.app, bench.words);
    let now = today(app);
    let mut rows = Vec::new();
    for case in page(app, overdue_query(app), skip, limit).await? {
        let late: Vec<i32> = case
            .dues
            .iter()
            .filter_map(|due| day_number(due))
            .filter(|due| *due < now)
            .collect();
        let Some(due) = late.first().copied() else { continue };
        let (what, basis) = item_due(bench, &case, due).await?;
        let mut why = words.t2(
            "console.work.overdue.why",
            "count",
            u64::from((now - due).unsigned_abs()),
            "basis",
            basis.unwrap_or_else(|| words.t("value.empty")),
        );
        if late.len() > 1 {
            why.push_str(&words.t1("console.work.overdue.more", "count", late.len() - 1));
        }
        rows.push(Row {
            proof: None,
            href: overdue_address(&case.case),
            what: what.unwrap_or_else(|| words.t("console.work.order_due")),
            party: case.party.unwrap_or_else(|| words.t("value.empty")),
            why,
            since: due_text(words, due, now),
            who: case.title.unwrap_or_default(),
            next: words.t("console.work.overdue.next"),
        });
    }
    Ok(rows)
}

/// Text and legal basis of the open item that is due on a day.
async fn item_due(
    bench: &Bench<'_>,
    case: &CaseSummary,
    due: i32,
) -> Result<(Option<String>, Option<String>), PageError> {
    let Ok(id) = case.case.parse::<CaseId>() else {
        return Ok((None, None));
    };
    let fields = bench.app.server.ledger.fields(*id.as_bytes(), "order/".into()).await?;
    let text = |path: &str| {
        let row = fields.iter().find(|row| row.path == path)?;
        state::values(&row.held)
            .iter()
            .find_map(|value| value.as_text().map(str::to_owned))
    };
    let item = fields.iter().find_map(|row| {
        let item = row.path.strip_suffix("due")?;
        let open = !case.fulfilled.contains(item);
        (open && text(&row.path).and_then(|day| day_number(&day)) == Some(due)).then_some(item)
    });
    let Some(item) = item else { return Ok((None, None)) };
    let cite = |id: String| {
        let clause = bench.pack.as_ref().and_then(|pack| pack.clause(&id));
        clause.map_or(id, |clause| clause.cite.text(bench.words.lang).to_owned())
    };
    Ok((text(&format!("{item}text")), text(&format!("{item}clause")).map(cite)))
}

/// Inspections that went back to their officers, the longest without news first.
pub(super) async fn returned(bench: &Bench<'_>, skip: u64, limit: u64) -> Result<Vec<Row>, PageError> {
    let (app, words) = (bench.app, bench.words);
    let mut rows = Vec::new();
    for case in page(app, returned_query(), skip, limit).await? {
        let (since, who, why) = last_return(bench, &case).await?;
        rows.push(Row {
            proof: None,
            href: returned_address(&case.case),
            what: kind(words, "inspection.return"),
            party: case.party.unwrap_or_else(|| words.t("value.empty")),
            why,
            since: since.map_or_else(String::new, |ms| age(words, ms, app.server.clock.now().wall_ms)),
            who,
            next: words.t("console.work.returns.next"),
        });
    }
    Ok(rows)
}

/// When a case went back last, through which device, and why.
async fn last_return(bench: &Bench<'_>, case: &CaseSummary) -> Result<(Option<u64>, String, String), PageError> {
    let words = bench.words;
    let mut newest = (None, String::new(), words.t("value.withheld"));
    let Ok(id) = case.case.parse::<CaseId>() else {
        return Ok(newest);
    };
    let fields = bench.app.server.ledger.fields(*id.as_bytes(), "return/".into()).await?;
    for field in fields.iter().filter(|field| field.path.ends_with("/reason")) {
        let Some(by) = state::holders(&field.held).first().copied() else {
            continue;
        };
        let (since, who) = bench.arrival(by).await?;
        if newest.0.is_some_and(|held| held >= since) {
            continue;
        }
        let reason = state::values(&field.held)
            .iter()
            .find_map(|value| value.as_text().map(str::to_owned));
        newest = (Some(since), who, reason.unwrap_or_else(|| words.t("value.withheld")));
    }
    Ok(newest)
}

/// A moment and how long ago it was.
pub(super) fn age(words: Words, ms: u64, now: u64) -> String {
    use fieldseal_core::catalogue::Param;
    let params = [
        ("time", Param::text(words.minute(ms))),
        ("ago", Param::Span(now.saturating_sub(ms))),
    ];
    words.all("console.work.ago", &params)
}
