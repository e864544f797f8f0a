//! One enterprise: who is this, and what is open?

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use fieldseal_core::domain::CreditCode;
use fieldseal_core::domain::view::OrderItemView;
use fieldseal_proof::ids::{CaseId, EnterpriseId};

use super::registry;
use crate::api::App;
use crate::console::accounts::Role;
use crate::console::cases::{cut, judged_items};
use crate::console::error::PageError;
use crate::console::figure::{day_of, due_text};
use crate::console::links;
use crate::console::page::{Area, Page, html};
use crate::console::visitor::Desk;
use crate::ledger::{LineKind, LineOrder, LineQuery, SearchWords, tag};
use crate::projection::{CaseFile, CaseSummary, day_number};

/// Cases that are listed, and of which the hazards are read.
const CASES: u64 = 50;

struct CaseRow {
    href: String,
    title: String,
    numbers: Vec<String>,
    stage: String,
    planned: Option<String>,
    findings: usize,
    due: Option<String>,
    overdue: bool,
}

struct Hazard {
    href: String,
    text: String,
    grade: Option<String>,
    due: Option<String>,
    overdue: bool,
}

struct Duplicate {
    href: String,
    name: String,
    code: Option<String>,
    address: Option<String>,
    reason: String,
    join: Option<String>,
}

#[derive(Template)]
#[template(path = "enterprises/page.html")]
struct EnterprisePage {
    page: Page,
    name: String,
    names: Vec<String>,
    facts: Vec<(String, Option<String>)>,
    code: Option<(String, bool)>,
    same_as: Option<String>,
    joined: Vec<String>,
    hazards: Vec<Hazard>,
    settled: usize,
    cases: Vec<CaseRow>,
    case_total: u64,
    duplicates: Vec<Duplicate>,
    assign: Option<String>,
    id: String,
}

/// `GET /console/enterprises/{id}`
pub async fn page(State(app): State<App>, desk: Desk, Path(id): Path<String>) -> Result<Response, PageError> {
    desk.staff.needs_one_of(&[Role::Supervisor, Role::Legal])?;
    let words = desk.words();
    let id: EnterpriseId = id.parse().map_err(|_| PageError::NotFound)?;
    let known = registry::read(&app, id).await?.ok_or(PageError::NotFound)?;
    let view = &known.view;
    let today = day_of(words, app.server.clock.now().wall_ms);
    // Inspections of every id that it was ever recorded under.
    let (mut summaries, mut case_total) = (Vec::new(), 0);
    for one in std::iter::once(&id).chain(&view.joined) {
        let mut query = LineQuery::new(LineKind::Case, SearchWords::default());
        query.tags = vec![tag('e', one.as_bytes())];
        query.order = LineOrder::Seen;
        query.limit = CASES;
        let found = app.server.ledger.lines(query).await?;
        case_total += found.total;
        summaries.extend(
            found
                .lines
                .iter()
                .filter_map(|line| serde_json::from_slice::<CaseSummary>(&line.shown).ok()),
        );
    }
    let (mut hazards, mut settled) = (Vec::new(), 0);
    for case in summaries
        .iter()
        .filter(|case| case.findings + case.ordered > 0)
        .take(10)
    {
        let (open, done) = hazards_of(&app, words, case, today).await?;
        hazards.extend(open);
        settled += done;
    }
    hazards.sort_by_key(|(due, _)| due.unwrap_or(i32::MAX));
    let may_join = desk.staff.account.role == Role::Supervisor;
    let duplicates = registry::similar(&app, view)
        .await?
        .into_iter()
        .map(|(similar, line)| Duplicate {
            href: format!("/console/enterprises/{}", line.enterprise),
            name: line.names.join(" / "),
            code: line.credit_codes.first().cloned(),
            address: line.address,
            reason: similar.reason.text(words.lang),
            join: may_join.then(|| links::join(&id.to_string(), &line.enterprise)),
        });
    let duplicates = duplicates.collect();
    let name = match view.name() {
        empty if empty.is_empty() => words.t("value.empty"),
        name => name,
    };
    let code = view.credit_codes.first().or(view.credit_code_raw.as_ref());
    let facts = [
        ("label.address", &view.address),
        ("label.head", &view.head),
        ("label.phone", &view.phone),
        ("label.industry", &view.industry),
    ];
    let page = Page::of(&app, &desk, Area::Enterprises, name.clone())
        .await?
        .crumb("/console/enterprises", words.t("console.nav.enterprises"));
    html(&EnterprisePage {
        page,
        facts: facts.map(|(code, value)| (words.t(code), value.clone())).into(),
        code: code.map(|code| (code.clone(), CreditCode::parse(code).is_ok())),
        names: view.names.clone(),
        same_as: known.same_as.clone(),
        joined: view.joined.iter().map(ToString::to_string).collect(),
        hazards: hazards.into_iter().map(|(_, hazard)| hazard).collect(),
        cases: summaries.into_iter().map(|case| case_row(words, case, today)).collect(),
        case_total,
        settled,
        duplicates,
        assign: may_join.then(|| links::assign(&id.to_string())),
        id: id.to_string(),
        name,
    })
}

fn case_row(words: crate::console::words::Words, case: CaseSummary, today: i32) -> CaseRow {
    let due = case.dues.first().and_then(|due| day_number(due));
    CaseRow {
        href: format!("/console/cases/{}", case.case),
        title: case.title.unwrap_or_else(|| case.case.chars().take(8).collect()),
        numbers: case.numbers,
        stage: words.t(&format!(
            "stage.{}",
            if case.stage.is_empty() { "planned" } else { &case.stage }
        )),
        planned: case.planned,
        findings: case.findings,
        due: due.map(|due| due_text(words, due, today)),
        overdue: due.is_some_and(|due| due < today),
    }
}

/// The items of a case's orders of which something is left to do, a finding that no order names by itself, and how many items
/// are settled.
async fn hazards_of(
    app: &App,
    words: crate::console::words::Words,
    case: &CaseSummary,
    today: i32,
) -> Result<(Vec<(Option<i32>, Hazard)>, usize), PageError> {
    let Ok(id) = case.case.parse::<CaseId>() else {
        return Ok(Default::default());
    };
    let Some(file) = CaseFile::load(&app.server.ingest, &app.shelves.packs, id).await? else {
        return Ok(Default::default());
    };
    let judged = judged_items(app, &file).await?;
    let view = &file.view.view;
    let grade = |id: &Option<String>| {
        let id = id.as_ref()?;
        let known = file.pack.as_deref().and_then(|pack| pack.grade(id));
        Some(known.map_or_else(|| id.clone(), |grade| grade.name.text(words.lang).to_owned()))
    };
    let ordered = view.orders.iter().flat_map(|order| &order.items);
    let open = |item: &&OrderItemView| judged.get(&item.item).is_none_or(|known| !known.is_fulfilled());
    let settled = ordered.clone().count() - ordered.clone().filter(open).count();
    let mut hazards: Vec<(Option<i32>, Hazard)> = ordered
        .clone()
        .filter(open)
        .map(|item| {
            let due = item.due.as_deref().and_then(day_number);
            let hazard = Hazard {
                href: format!("/console/cases/{id}/deadlines"),
                text: cut(item.text.as_deref().unwrap_or_default(), 120),
                grade: grade(&item.grade),
                due: due.map(|due| due_text(words, due, today)),
                overdue: due.is_some_and(|due| due < today),
            };
            (due, hazard)
        })
        .collect();
    let named: Vec<_> = ordered.filter_map(|item| item.finding).collect();
    hazards.extend(
        view.findings
            .iter()
            .filter(|finding| !named.contains(&finding.finding))
            .map(|finding| {
                let hazard = Hazard {
                    href: format!("/console/cases/{id}/records#finding"),
                    text: cut(finding.text.as_deref().unwrap_or_default(), 120),
                    grade: grade(&finding.grade),
                    due: None,
                    overdue: false,
                };
                (None, hazard)
            }),
    );
    Ok((hazards, settled))
}
