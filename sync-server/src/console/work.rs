//! Work lists: what waits for a supervisor. One template, one tab for each list.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use fieldseal_core::domain::view::People;
use fieldseal_proof::ids::{CaseId, OpId};
use serde::Deserialize;

use super::accounts::Role;
use super::act::readable::{item_of, kind, label, word_of};
use super::act::{device_name, state};
use super::cases::cut;
use super::error::{PageError, url_escaped};
use super::page::{Area, Page, html};
use super::queue::{Neighbour, Queue};
use super::visitor::Desk;
use super::words::Words;
use crate::api::App;
use crate::ledger::{LineKind, LineQuery, RunState, SearchWords};
use crate::projection::{CaseSummary, day_number, set_aside_all};

/// Rows of a page.
const ROWS: usize = 50;
/// Letters of a neighbour's name.
const QUEUE_LETTERS: usize = 24;
/// The stage of a case whose inspection went back.
const RETURNED: u8 = 3;

/// A list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Overdue,
    Conflicts,
    Quarantine,
    Incidents,
    Returns,
}

impl List {
    const ALL: [List; 5] = [
        List::Overdue,
        List::Conflicts,
        List::Quarantine,
        List::Incidents,
        List::Returns,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Overdue => "overdue",
            Self::Conflicts => "conflicts",
            Self::Quarantine => "quarantine",
            Self::Incidents => "incidents",
            Self::Returns => "returns",
        }
    }

    fn term(self) -> &'static str {
        match self {
            Self::Overdue => "overdue",
            Self::Conflicts => "conflict",
            Self::Quarantine => "quarantine",
            Self::Incidents => "fork",
            Self::Returns => "return",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|list| list.word() == word)
    }

    async fn rows(self, app: &App, words: Words) -> Result<Vec<Row>, PageError> {
        match self {
            Self::Overdue => overdue(app, words).await,
            Self::Returns => returns(app, words).await,
            Self::Conflicts => conflicts(app, words).await,
            Self::Quarantine => quarantine(app, words).await,
            Self::Incidents => incidents(app, words).await,
        }
    }
}

/// A thing to decide.
struct Row {
    href: String,
    what: String,
    party: String,
    why: String,
    since_ms: u64,
    since: String,
    who: String,
    next: String,
}

struct Tab {
    href: String,
    word: String,
    count: usize,
    current: bool,
}

#[derive(Template)]
#[template(path = "work.html", blocks = ["counts"])]
struct WorkPage {
    page: Page,
    tabs: Vec<Tab>,
    here: String,
    rows: Vec<Row>,
    total: usize,
    earlier: Option<String>,
    later: Option<String>,
    empty: String,
    /// Id of the list's word in the glossary.
    term: &'static str,
}

/// `GET /console/worklist`: the first list in which something waits, else the first.
pub async fn first(State(app): State<App>, desk: Desk) -> Result<Response, PageError> {
    desk.staff.needs(Role::Supervisor)?;
    let mut chosen = List::Overdue;
    for list in List::ALL {
        if !list.rows(&app, desk.words()).await?.is_empty() {
            chosen = list;
            break;
        }
    }
    Ok(Redirect::to(&format!("/console/worklist/{}", chosen.word())).into_response())
}

/// Where `here` waits, for the pages of single items: in the list of conflicts, or of what was set aside.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn queue(app: &App, words: Words, here: &str) -> Result<Option<Queue>, PageError> {
    let list = match here.starts_with("/console/act/decide") {
        true => List::Conflicts,
        false => List::Quarantine,
    };
    let mut rows = list.rows(app, words).await?;
    rows.sort_by_key(|row| row.since_ms);
    let neighbours: Vec<Neighbour> = rows
        .into_iter()
        .map(|row| Neighbour {
            name: format!("{} · {}", cut(&row.what, QUEUE_LETTERS), row.party),
            href: row.href,
        })
        .collect();
    Ok(Queue::of(words, &neighbours, here))
}

#[derive(Deserialize)]
pub struct Place {
    #[serde(default)]
    from: usize,
}

/// `GET /console/worklist/{list}`: the page, or for htmx the tabs with their counts alone.
pub async fn list(
    State(app): State<App>,
    desk: Desk,
    Path(name): Path<String>,
    Query(place): Query<Place>,
) -> Result<Response, PageError> {
    desk.staff.needs(Role::Supervisor)?;
    let chosen = List::from_word(&name).ok_or(PageError::NotFound)?;
    let words = desk.words();
    let title = words.t(&format!("console.work.{}", chosen.word()));
    let page = Page::of(&app, &desk, Area::Work, title).await?;
    let (mut tabs, mut rows) = (Vec::new(), Vec::new());
    for list in List::ALL {
        let found = list.rows(&app, words).await?;
        tabs.push(Tab {
            href: format!("/console/worklist/{}", list.word()),
            word: words.t(&format!("console.work.{}", list.word())),
            count: found.len(),
            current: list == chosen,
        });
        if list == chosen {
            rows = found;
        }
    }
    rows.sort_by_key(|row| row.since_ms);
    let total = rows.len();
    let link = |from: usize| format!("/console/worklist/{}?from={from}", chosen.word());
    let now = words.clock(app.server.clock.now().wall_ms);
    let shown = WorkPage {
        empty: words.t1(&format!("console.work.{}.empty", chosen.word()), "time", now),
        page,
        tabs,
        here: format!("/console/worklist/{}", chosen.word()),
        term: chosen.term(),
        total,
        earlier: (place.from > 0).then(|| link(place.from.saturating_sub(ROWS))),
        later: (place.from + ROWS < total).then(|| link(place.from + ROWS)),
        rows: rows.into_iter().skip(place.from).take(ROWS).collect(),
    };
    if desk.visitor.fragment {
        return html(&shown.as_counts());
    }
    html(&shown)
}

/// Cases that a list takes from the register at most; more are found on the case list, whose filters say the same.
const MOST: u64 = 1_000;

/// Lines of the case register under a filter.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn lines(app: &App, ask: impl FnOnce(&mut LineQuery)) -> Result<Vec<CaseSummary>, PageError> {
    let mut query = LineQuery::new(LineKind::Case, SearchWords::default());
    query.limit = MOST;
    ask(&mut query);
    let found = app.server.ledger.lines(query).await?;
    Ok(found
        .lines
        .iter()
        .filter_map(|line| serde_json::from_slice(&line.shown).ok())
        .collect())
}

/// Orders whose term has passed.
async fn overdue(app: &App, words: Words) -> Result<Vec<Row>, PageError> {
    let today = super::words::at(app.server.clock.now().wall_ms, "%Y-%m-%d");
    let now = day_number(&today).unwrap_or_default();
    let cases = lines(app, |query| query.due_by = Some(now - 1)).await?;
    let rows = cases.into_iter().filter_map(|case| {
        let due = case
            .dues
            .iter()
            .find(|due| day_number(due).is_some_and(|day| day < now))?;
        let late = (now - day_number(due)?).unsigned_abs();
        Some(Row {
            href: format!("/console/cases/{}/deadlines", case.case),
            what: words.t("console.work.order_due"),
            party: case.party.unwrap_or_else(|| words.t("value.empty")),
            why: words.t1("console.work.overdue.why", "count", u64::from(late)),
            since_ms: u64::from(day_number(due)?.unsigned_abs()),
            since: due.clone(),
            who: case.title.unwrap_or_default(),
            next: words.t("console.work.overdue.next"),
        })
    });
    Ok(rows.collect())
}

/// Inspections that went back to their officers.
async fn returns(app: &App, words: Words) -> Result<Vec<Row>, PageError> {
    let cases = lines(app, |query| query.stage = Some(RETURNED)).await?;
    let mut rows = Vec::new();
    for case in cases {
        let Ok(id) = case.case.parse::<CaseId>() else { continue };
        let fields = app.server.ledger.fields(*id.as_bytes(), "return/".into()).await?;
        for field in fields.iter().filter(|field| field.path.ends_with("/reason")) {
            let by = state::holders(&field.held).first().copied();
            let (since_ms, who) = match by {
                Some(id) => arrival(app, id).await?,
                None => (0, String::new()),
            };
            let reason = state::values(&field.held)
                .iter()
                .find_map(|value| value.as_text().map(str::to_owned));
            rows.push(Row {
                href: format!("/console/cases/{}", case.case),
                what: kind(words, "inspection.return"),
                party: case.party.clone().unwrap_or_else(|| words.t("value.empty")),
                why: reason.unwrap_or_else(|| words.t("value.withheld")),
                since_ms,
                since: words.minute(since_ms),
                who,
                next: words.t("console.work.returns.next"),
            });
        }
    }
    Ok(rows)
}

async fn conflicts(app: &App, words: Words) -> Result<Vec<Row>, PageError> {
    let ledger = &*app.server.ledger;
    let people = People::of(&app.server.ingest.key_log().log);
    let pack = state::pack(app).await?;
    let mut rows = Vec::new();
    for summary in lines(app, |query| query.problems_only = true).await? {
        if summary.conflicts == 0 {
            continue;
        }
        let case: CaseId = summary.case.parse().map_err(|_| PageError::NotFound)?;
        for field in ledger.fields(*case.as_bytes(), String::new()).await? {
            if field.outcome != "conflict" && field.outcome != "contradiction" {
                continue;
            }
            let shown: Vec<String> = state::values(&field.held)
                .iter()
                .map(|value| word_of(words, &people, &field.path, value))
                .collect();
            let (mut since_ms, mut who) = (0, Vec::new());
            for id in state::holders(&field.held) {
                let (received, device) = arrival(app, id).await?;
                since_ms = since_ms.max(received);
                who.push(device);
            }
            who.dedup();
            rows.push(Row {
                href: format!("/console/act/decide?case={case}&path={}", url_escaped(&field.path)),
                what: item_of(words, pack.as_ref(), &field.path).unwrap_or_else(|| label(words, &field.path)),
                party: summary.party.clone().unwrap_or_else(|| words.t("value.empty")),
                why: words.t1(
                    &format!("console.work.{}.why", field.outcome),
                    "values",
                    shown.join(" ≠ "),
                ),
                since_ms,
                since: words.minute(since_ms),
                who: who.join(" · "),
                next: words.t("console.work.compare"),
            });
        }
    }
    Ok(rows)
}

async fn quarantine(app: &App, words: Words) -> Result<Vec<Row>, PageError> {
    let aside = set_aside_all(&*app.server.ledger).await?;
    let mut rows = Vec::new();
    for (id, aside) in aside.into_iter().filter(|(_, aside)| aside.stands()) {
        let (since_ms, who) = arrival(app, id).await?;
        let heals = aside.reason().is_some_and(|reason| reason.heals());
        rows.push(Row {
            href: format!("/console/act/settle?op={id}"),
            what: kind(words, &aside.kind),
            party: match &aside.case {
                Some(case) => state::party_name(app, case).await?,
                None => words.t("console.work.registry"),
            },
            why: words.t(&format!("quarantine.{}", aside.reason)),
            since_ms,
            since: words.minute(since_ms),
            who,
            next: words.t(if heals {
                "console.work.heals"
            } else {
                "console.work.decide"
            }),
        });
    }
    Ok(rows)
}

/// Forks and gaps of devices' chains.
async fn incidents(app: &App, words: Words) -> Result<Vec<Row>, PageError> {
    let mut rows = Vec::new();
    for chain in app.server.ledger.all_chains().await? {
        let main = chain.main().map_or(0, |run| run.last_seq);
        for run in chain.runs.iter().filter(|run| run.state != RunState::Main) {
            let fork = run.state == RunState::Fork;
            let code = if fork { "fork" } else { "gap" };
            let stored = app
                .server
                .ledger
                .stored(chain.key, run.first_seq, run.first_seq)
                .await?;
            let first = stored.iter().find(|one| one.run == run.number);
            let (since_ms, who) = match first {
                Some(one) => arrival(app, one.id).await?,
                None => (0, chain.key.device.to_string()),
            };
            rows.push(Row {
                href: "/console/devices".into(),
                what: words.t(&format!("glossary.{code}")),
                party: who.clone(),
                why: words.t2(
                    &format!("console.work.{code}.why"),
                    "first",
                    run.first_seq,
                    "main",
                    main,
                ),
                since_ms,
                since: words.minute(since_ms),
                who,
                next: words.t(&format!("console.work.{code}.next")),
            });
        }
    }
    Ok(rows)
}

/// When an operation arrived, and from which device.
async fn arrival(app: &App, id: OpId) -> Result<(u64, String), PageError> {
    let rows = app.server.ledger.operation(id).await?;
    match rows.first() {
        Some(row) => Ok((row.received_ms, device_name(app, &row.chain.device.to_string()).await?)),
        None => Ok((0, String::new())),
    }
}
