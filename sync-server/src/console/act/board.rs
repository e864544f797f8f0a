//! The assignment board: who goes where, by day. A day is chosen and sent by a button; nothing has to be dragged.

use std::collections::{BTreeMap, HashSet};

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::response::Response;
use fieldseal_core::catalogue::Param;
use fieldseal_core::domain::view::People;
use fieldseal_proof::ids::{CaseId, DeviceId, OfficerId, OpId};

use super::super::accounts::Role;
use super::super::enterprises;
use super::super::error::PageError;
use super::super::form::Fields;
use super::super::page::{Area, Page, html};
use super::super::visitor::Desk;
use super::super::words::{Words, at};
use super::action::{Action, Assignment};
use super::prepared;
use super::simple::device_name;
use super::state;
use crate::api::App;
use crate::api::devices::fed;
use crate::ledger::{LineKind, LineQuery, SearchWords, tag};
use crate::projection::{CaseSummary, day_number};

/// Closed inspections stay on the board for so long after their day.
const SHOWN_AFTER_MS: u64 = 14 * 86_400_000;
/// Stages in which somebody still has to go: planned, in progress, sent back.
const OPEN: [u8; 3] = [0, 1, 3];
/// Cards of a board; what is further away is on the case list.
const CARDS: usize = 400;
/// Lines that one question reads at most.
const READ: u64 = 1_000;

/// An inspection on the board.
struct Card {
    case: String,
    party: String,
    title: String,
    planned: String,
    officers: String,
    tablets: String,
    /// Not fetched by its tablet yet, a clash, a pair that was there before.
    warnings: Vec<String>,
    closed: bool,
}

struct Day {
    date: String,
    cards: Vec<Card>,
}

#[derive(Template)]
#[template(path = "act/board.html")]
struct Board {
    page: Page,
    days: Vec<Day>,
    total: usize,
    /// At least so many more are not on the board.
    left_out: u64,
    problem: Option<String>,
}

/// `GET /console/assign`
pub async fn page(State(app): State<App>, desk: Desk) -> Result<Response, PageError> {
    shown(&app, &desk, None).await
}

/// `POST /console/act/move`: another day for an inspection.
pub async fn change_day(
    State(app): State<App>,
    desk: Desk,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let fields = Fields(form);
    let action = Action::Move {
        case: fields.id::<CaseId>("case")?,
        day: fields.text("day").to_owned(),
    };
    prepared(&app, &desk, action, "", async |message| {
        shown(&app, &desk, Some(message.text(desk.words().lang))).await
    })
    .await
}

async fn shown(app: &App, desk: &Desk, problem: Option<String>) -> Result<Response, PageError> {
    desk.staff.needs(Role::Supervisor)?;
    let words = desk.words();
    let people = People::of(&app.server.ingest.key_log().log);
    let mut page = Page::of(app, desk, Area::Assign, words.t("console.nav.assign")).await?;
    page.error = problem.is_some();
    page.switch = super::super::language::link("/console/assign", words.other());
    let oldest = at(
        app.server.clock.now().wall_ms.saturating_sub(SHOWN_AFTER_MS),
        "%Y-%m-%d",
    );
    let (mut all, mut left_out) = lines(app, |query| query.from = day_number(&oldest)).await?;
    let mut known: HashSet<String> = all.iter().map(|line| line.case.clone()).collect();
    for stage in OPEN {
        let (found, more) = lines(app, |query| query.stage = Some(stage)).await?;
        all.extend(found.into_iter().filter(|line| known.insert(line.case.clone())));
        left_out = left_out.max(more);
    }
    left_out += all.len().saturating_sub(CARDS) as u64;
    let mut cards: Vec<&CaseSummary> = all.iter().collect();
    // Days without a date come last: somebody has to plan them.
    cards.sort_by(|a, b| (&b.planned, &a.party).cmp(&(&a.planned, &b.party)));
    cards.truncate(CARDS);
    let mut days: Vec<Day> = Vec::new();
    for line in &cards {
        let date = line.planned.clone().unwrap_or_default();
        let card = card(app, words, &people, line, &all).await?;
        match days.last_mut() {
            Some(day) if day.date == date => day.cards.push(card),
            _ => days.push(Day {
                date,
                cards: vec![card],
            }),
        }
    }
    for day in days.iter_mut().filter(|day| day.date.is_empty()) {
        day.date = words.t("console.assign.no_date");
    }
    html(&Board {
        page,
        days,
        left_out,
        total: cards.len(),
        problem,
    })
}

/// Lines of the case register under a filter, and how many more there are.
async fn lines(app: &App, ask: impl FnOnce(&mut LineQuery)) -> Result<(Vec<CaseSummary>, u64), PageError> {
    let mut query = LineQuery::new(LineKind::Case, SearchWords::default());
    query.limit = READ;
    ask(&mut query);
    let found = app.server.ledger.lines(query).await?;
    let more = found.total.saturating_sub(found.lines.len() as u64);
    let read = |shown: &Vec<u8>| serde_json::from_slice(shown).map_err(|e| PageError::internal(&e));
    let lines = found.lines.iter().map(|line| read(&line.shown));
    Ok((lines.collect::<Result<_, _>>()?, more))
}

fn is_closed(line: &CaseSummary) -> bool {
    line.inspections > 0 && line.closed >= line.inspections
}

async fn card(
    app: &App,
    words: Words,
    people: &People,
    line: &CaseSummary,
    all: &[CaseSummary],
) -> Result<Card, PageError> {
    let joint = if words.zh() { "、" } else { ", " };
    let closed = is_closed(line);
    let mut tablets = Vec::new();
    let mut waiting = Vec::new();
    let assigned = match (closed, line.case.parse()) {
        (false, Ok(case)) => assigned(app, case).await?,
        _ => Vec::new(),
    };
    for device in &line.devices {
        let name = device_name(app, device).await?;
        if !has_fetched(app, device, &assigned).await? {
            waiting.push(name.clone());
        }
        tablets.push(name);
    }
    let mut warnings = Vec::new();
    if !waiting.is_empty() {
        warnings.push(words.t1("console.assign.not_fetched", "name", waiting.join(joint)));
    }
    if !closed {
        warnings.extend(clashes(words, people, line, all));
        warnings.extend(repeated(words, people, line, all));
    }
    let officers: Vec<String> = line.officers.iter().map(|id| officer_name(people, id)).collect();
    Ok(Card {
        case: line.case.clone(),
        party: line.party.clone().unwrap_or_else(|| words.t("value.empty")),
        title: line.title.clone().unwrap_or_default(),
        planned: line.planned.clone().unwrap_or_default(),
        officers: officers.join(joint),
        tablets: tablets.join(joint),
        warnings,
        closed,
    })
}

fn officer_name(people: &People, id: &str) -> String {
    let known = id
        .parse::<OfficerId>()
        .ok()
        .and_then(|id| people.get(&id).map(|officer| officer.name.clone()));
    known.unwrap_or_else(|| id.to_owned())
}

/// Officers with another open inspection on the same day, in one sentence.
fn clashes(words: Words, people: &People, line: &CaseSummary, all: &[CaseSummary]) -> Option<String> {
    let day = line.planned.as_ref()?;
    let others = || {
        all.iter()
            .filter(|other| other.case != line.case && other.planned.as_ref() == Some(day) && !is_closed(other))
    };
    let names: Vec<String> = line
        .officers
        .iter()
        .filter(|officer| others().any(|other| other.officers.contains(officer)))
        .map(|officer| officer_name(people, officer))
        .collect();
    (!names.is_empty()).then(|| {
        words.t1(
            "console.assign.clash",
            "name",
            names.join(if words.zh() { "、" } else { ", " }),
        )
    })
}

/// Whether two inspections are of one enterprise: by its record, or by its name as it was written there.
fn at_one_place(a: &CaseSummary, b: &CaseSummary) -> bool {
    let by_record = a.enterprise.is_some() && a.enterprise == b.enterprise;
    by_record || (a.party.is_some() && a.party == b.party)
}

/// Officers who were at the same enterprise before: the agency may want others to go. What has no day yet comes after all that has.
fn repeated(words: Words, people: &People, line: &CaseSummary, all: &[CaseSummary]) -> Option<String> {
    let mut earlier: BTreeMap<&str, &str> = BTreeMap::new();
    for other in all
        .iter()
        .filter(|other| other.case != line.case && at_one_place(other, line))
    {
        let before = |day: &&str| line.planned.as_deref().is_none_or(|planned| *day < planned);
        let Some(day) = other.planned.as_deref().filter(before) else {
            continue;
        };
        for officer in other.officers.iter().filter(|officer| line.officers.contains(officer)) {
            let last = earlier.entry(officer).or_insert(day);
            *last = (*last).max(day);
        }
    }
    let (officer, day) = earlier.into_iter().max_by_key(|(_, day)| *day)?;
    let params = [
        ("name", Param::text(officer_name(people, officer))),
        ("day", Param::text(day)),
    ];
    Some(words.all("console.assign.repeated", &params))
}

/// What speaks against an assignment before it is signed: an officer who is elsewhere that day, or who was there before.
pub(super) async fn warnings(app: &App, words: Words, plan: &Assignment) -> Result<Vec<String>, PageError> {
    let people = People::of(&app.server.ingest.key_log().log);
    let known = state::enterprise(app, plan.enterprise).await?.unwrap_or_default();
    let planned = plan.planned.trim();
    let line = CaseSummary {
        enterprise: Some(plan.enterprise.to_string()),
        party: known.get("name").and_then(|names| names.first().cloned()),
        planned: Some(planned.to_owned()).filter(|day| !day.is_empty()),
        officers: plan.officers.iter().map(ToString::to_string).collect(),
        ..CaseSummary::default()
    };
    let mut others = Vec::new();
    if let Some(day) = day_number(planned) {
        let (that_day, _) = lines(app, |query| (query.from, query.to) = (Some(day), Some(day))).await?;
        others.extend(that_day);
    }
    // Visits under every record that was joined into this one are visits to it.
    for record in enterprises::records_of(app, plan.enterprise).await? {
        let firm = tag('e', record.as_bytes());
        let (there, _) = lines(app, |query| query.tags = vec![firm]).await?;
        others.extend(there.into_iter().map(|visit| CaseSummary {
            enterprise: line.enterprise.clone(),
            ..visit
        }));
    }
    let clash = clashes(words, &people, &line, &others);
    Ok(clash
        .into_iter()
        .chain(repeated(words, &people, &line, &others))
        .collect())
}

/// What says who goes where and when, as it stands: author and arrival of each operation.
async fn assigned(app: &App, case: CaseId) -> Result<Vec<(DeviceId, u64)>, PageError> {
    let ledger = &app.server.ledger;
    let fields = ledger.fields(*case.as_bytes(), "inspection/".into()).await?;
    let mut writers: Vec<OpId> = fields.iter().flat_map(|field| state::holders(&field.held)).collect();
    writers.sort_unstable();
    writers.dedup();
    let mut all = Vec::new();
    for id in writers {
        let rows = ledger.operation(id).await?;
        all.extend(rows.first().map(|row| (row.chain.device, row.arrival)));
    }
    Ok(all)
}

/// Whether a tablet has everything that others wrote of its assignment: its feed has come beyond the arrival of each. That it has
/// called at all says nothing about this.
async fn has_fetched(app: &App, device: &str, assigned: &[(DeviceId, u64)]) -> Result<bool, PageError> {
    let Ok(id) = device.parse::<DeviceId>() else {
        return Ok(false);
    };
    let newest = assigned
        .iter()
        .filter(|(author, _)| *author != id)
        .map(|(_, at)| *at)
        .max();
    Ok(match newest {
        Some(arrival) => fed(app, id).await? > arrival,
        None => true,
    })
}
