//! Work lists: what waits for a supervisor. One template, one tab for each list.
//!
//! ```text
//! List ─count─▶ tabs │ ─rows(skip, limit)─▶ the page, the CSV │ ─addresses─▶ the place of one item among the others
//! ```

mod cases;
mod incidents;
mod list;
mod records;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::access::{Deed, log};
use super::accounts::Role;
use super::cases::{cut, harmless};
use super::error::PageError;
use super::page::{Area, Page, html};
use super::queue::{Neighbour, Queue};
use super::visitor::Desk;
use super::words::Words;
use crate::api::App;
use list::{Bench, Row};

pub use cases::{overdue_address, returned_address};
pub use incidents::fork_proof;
pub use list::List;

/// Rows of a page.
const ROWS: u64 = 50;
/// Rows that a CSV reads together.
const STEP: u64 = 500;
/// Letters of a neighbour's name.
const QUEUE_LETTERS: usize = 24;

struct Tab {
    href: String,
    word: String,
    count: u64,
    current: bool,
}

#[derive(Template)]
#[template(path = "work.html", blocks = ["counts"])]
struct WorkPage {
    page: Page,
    tabs: Vec<Tab>,
    /// Where the tabs are asked for again: it says how many things the page shows.
    here: String,
    csv: String,
    /// Things that came, or went, since the page was made.
    news: Option<String>,
    again: String,
    rows: Vec<Row>,
    total: u64,
    order: String,
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
        if list.count(&app).await? > 0 {
            chosen = list;
            break;
        }
    }
    Ok(Redirect::to(&chosen.address()).into_response())
}

/// The place of `here` in a list, and the way to its neighbours; `None` when it does not wait there (any more).
///
/// # Errors
/// When the ledger cannot be read.
pub async fn queue(app: &App, words: Words, list: List, here: &str) -> Result<Option<Queue>, PageError> {
    let all = list.addresses(app).await?;
    let Some(at) = all.iter().position(|one| one == here) else {
        return Ok(None);
    };
    let from = at.saturating_sub(1);
    let rows = list.rows(&Bench::new(app, words).await?, from as u64, 3).await?;
    let neighbour = |at: Option<usize>| {
        let row = rows.get(at?.checked_sub(from)?)?;
        Some(Neighbour {
            name: format!("{} · {}", cut(&row.what, QUEUE_LETTERS), row.party),
            href: row.href.clone(),
        })
    };
    let (earlier, later) = (neighbour(at.checked_sub(1)), neighbour(Some(at + 1)));
    Ok(Some(Queue::new(words, at + 1, all.len(), earlier, later)))
}

#[derive(Deserialize)]
pub struct Place {
    #[serde(default)]
    from: u64,
    /// How many things the page shows that asks for the counts again.
    shown: Option<u64>,
}

/// `GET /console/worklist/{list}` and `/{list}.csv`: the page, for htmx the tabs with their counts alone, or every row.
pub async fn list(
    State(app): State<App>,
    desk: Desk,
    Path(name): Path<String>,
    Query(place): Query<Place>,
) -> Result<Response, PageError> {
    desk.staff.needs(Role::Supervisor)?;
    if let Some(name) = name.strip_suffix(".csv") {
        return csv(&app, &desk, List::from_word(name).ok_or(PageError::NotFound)?).await;
    }
    let chosen = List::from_word(&name).ok_or(PageError::NotFound)?;
    let words = desk.words();
    let title = words.t(&format!("console.work.{}", chosen.word()));
    let page = Page::of(&app, &desk, Area::Work, title).await?;
    let (mut tabs, mut total) = (Vec::new(), 0);
    for list in List::ALL {
        let count = list.count(&app).await?;
        tabs.push(Tab {
            href: list.address(),
            word: words.t(&format!("console.work.{}", list.word())),
            count,
            current: list == chosen,
        });
        if list == chosen {
            total = count;
        }
    }
    let rows = match desk.visitor.fragment {
        true => Vec::new(),
        false => chosen.rows(&Bench::new(&app, words).await?, place.from, ROWS).await?,
    };
    let base = chosen.address();
    let link = |from: u64| format!("{base}?from={from}");
    let now = words.clock(app.server.clock.now().wall_ms);
    let shown = WorkPage {
        empty: words.t1(&format!("console.work.{}.empty", chosen.word()), "time", now),
        page,
        tabs,
        news: place.shown.and_then(|shown| news(words, shown, total)),
        here: format!("{base}?shown={}", place.shown.unwrap_or(total)),
        csv: format!("{base}.csv"),
        term: chosen.term(),
        order: words.t(&format!("console.work.{}.order", chosen.word())),
        total,
        earlier: (place.from > 0).then(|| link(place.from.saturating_sub(ROWS))),
        later: (place.from + ROWS < total).then(|| link(place.from + ROWS)),
        rows,
        again: base,
    };
    if desk.visitor.fragment {
        return html(&shown.as_counts());
    }
    html(&shown)
}

/// What changed since a page was made that showed so many: said, and never moved under whoever reads.
pub fn news(words: Words, shown: u64, now: u64) -> Option<String> {
    match now.checked_sub(shown) {
        Some(0) => None,
        Some(more) => Some(words.t1("console.news", "count", more)),
        None => Some(words.t("console.news.fewer")),
    }
}

async fn csv(app: &App, desk: &Desk, list: List) -> Result<Response, PageError> {
    let words = desk.words();
    let what = format!("worklist {}.csv", list.word());
    log(app, &desk.staff, Deed::Listed, what).await?;
    let failed = |e: ::csv::Error| PageError::internal(&e);
    let mut out = ::csv::Writer::from_writer(b"\xef\xbb\xbf".to_vec());
    let headings = ["what", "party", "why", "since", "who", "next"];
    let headings = headings.map(|code| words.t(&format!("console.work.{code}")));
    out.write_record(headings).map_err(failed)?;
    let bench = Bench::new(app, words).await?;
    let mut done = 0;
    loop {
        let rows = list.rows(&bench, done, STEP).await?;
        if rows.is_empty() {
            break;
        }
        done += STEP;
        for row in rows {
            let cells = [row.what, row.party, row.why, row.since, row.who, row.next];
            out.write_record(cells.map(harmless)).map_err(failed)?;
        }
    }
    let bytes = out.into_inner().map_err(|e| PageError::internal(&e))?;
    let name = format!("attachment; filename=\"{}.csv\"", list.word());
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, bytes).into_response())
}
