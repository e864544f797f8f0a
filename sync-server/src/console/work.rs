//! Work lists: what waits for a supervisor. One template, one tab for each list.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use fieldseal_core::domain::view::People;
use fieldseal_proof::ids::{CaseId, OpId};
use serde::Deserialize;

use super::accounts::Role;
use super::act::readable::{kind, label, value_of};
use super::act::{device_name, state};
use super::error::{PageError, url_escaped};
use super::page::{Area, Page, html};
use super::visitor::Desk;
use super::words::Words;
use crate::api::App;
use crate::ledger::{RunState, space};
use crate::projection::{CaseSummary, set_aside_all};

/// Rows of a page.
const ROWS: usize = 50;

/// A list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Conflicts,
    Quarantine,
    Incidents,
}

impl List {
    const ALL: [List; 3] = [List::Conflicts, List::Quarantine, List::Incidents];

    fn word(self) -> &'static str {
        match self {
            Self::Conflicts => "conflicts",
            Self::Quarantine => "quarantine",
            Self::Incidents => "incidents",
        }
    }

    fn term(self) -> &'static str {
        match self {
            Self::Conflicts => "conflict",
            Self::Quarantine => "quarantine",
            Self::Incidents => "fork",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|list| list.word() == word)
    }

    async fn rows(self, app: &App, words: Words) -> Result<Vec<Row>, PageError> {
        match self {
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

/// `GET /console/worklist`
pub async fn first() -> Response {
    Redirect::to("/console/worklist/conflicts").into_response()
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

async fn conflicts(app: &App, words: Words) -> Result<Vec<Row>, PageError> {
    let ledger = &*app.server.ledger;
    let people = People::of(&app.server.ingest.key_log().log);
    let mut rows = Vec::new();
    for line in ledger.registers(space::CASE, Vec::new(), usize::MAX >> 1).await? {
        let Ok(summary) = serde_json::from_slice::<CaseSummary>(&line.value) else {
            continue;
        };
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
                .map(|value| value_of(words, &people, &field.path, value))
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
                what: label(words, &field.path),
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
