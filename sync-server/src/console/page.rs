//! What every page has around its content.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use fieldseal_proof::ids::OpId;

use super::accounts::Role;
use super::assets::{self, Paths};
use super::error::PageError;
use super::language;
use super::visitor::{Desk, Visitor};
use super::words::{Fill, Words};
use crate::api::App;
use crate::ledger::{LedgerError, space};

/// A tablet that did not call for so long is named on every page.
const SILENT_MS: u64 = 24 * 3_600_000;

/// The part of the console that a page belongs to; the navigation marks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    Work,
    Cases,
    Assign,
    Enterprises,
    Devices,
    Hearing,
    Enrolment,
    /// Who may sign in: administrators.
    Accounts,
    /// Who opened what.
    Access,
    /// Sign-in, settings, errors.
    Other,
}

impl Area {
    /// Path and code of its word.
    pub fn entry(self) -> (&'static str, &'static str) {
        match self {
            Self::Work => ("/console/worklist", "console.nav.work"),
            Self::Cases => ("/console/cases", "console.nav.cases"),
            Self::Assign => ("/console/assign", "console.nav.assign"),
            Self::Enterprises => ("/console/enterprises", "console.nav.enterprises"),
            Self::Devices => ("/console/devices", "console.nav.devices"),
            Self::Hearing => ("/console/hearing", "console.nav.hearing"),
            Self::Enrolment => ("/console/enrolment", "console.nav.enrolment"),
            Self::Accounts => ("/console/accounts", "accounts.title"),
            Self::Access => ("/console/access", "access.title"),
            Self::Other => ("/console/settings", "console.nav.settings"),
        }
    }

    /// What a role finds in its navigation.
    fn of(role: Role) -> &'static [Area] {
        match role {
            Role::Administrator => &[Self::Enrolment, Self::Accounts, Self::Devices, Self::Access],
            Role::Supervisor => &[
                Self::Work,
                Self::Cases,
                Self::Assign,
                Self::Enterprises,
                Self::Devices,
                Self::Hearing,
                Self::Enrolment,
            ],
            Role::Legal => &[Self::Cases, Self::Enterprises, Self::Hearing],
        }
    }
}

/// Where the console begins for a role.
pub fn home(role: Role) -> &'static str {
    Area::of(role)
        .first()
        .map_or("/console/settings", |area| area.entry().0)
}

/// A link of the navigation.
#[derive(Debug, Clone)]
pub struct NavLink {
    pub href: &'static str,
    pub word: &'static str,
    pub current: bool,
}

/// A step of the way to a page.
#[derive(Debug, Clone)]
pub struct Crumb {
    pub href: String,
    pub text: String,
}

/// The shell of a page; every template extends `shell.html` and holds one as `page`.
#[derive(Debug, Clone)]
pub struct Page {
    pub words: Words,
    pub title: String,
    pub crumbs: Vec<Crumb>,
    pub agency: String,
    pub nav: Vec<NavLink>,
    /// Name and role of whoever is signed in.
    pub person: Option<(String, &'static str)>,
    /// The same page in the other language.
    pub switch: String,
    /// One line under the navigation, only where silence would mislead.
    pub stale: Option<String>,
    pub assets: &'static Paths,
    /// Title begins with "Error:".
    pub error: bool,
    /// Single-key shortcuts are on.
    pub shortcuts: bool,
    /// No scripts at all on this page.
    pub bare: bool,
    /// When the page was made, for its foot and for print.
    pub made: String,
    /// Checkpoint that the view stands on.
    pub as_of: u64,
    /// Id of what was just signed and written: every page that an action leads back to says so.
    pub done: Option<String>,
    /// What the search box holds.
    pub query: String,
    /// The role may look for cases.
    pub searches: bool,
}

impl Page {
    /// The shell for a signed-in person, with the stale line.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn of(app: &App, desk: &Desk, area: Area, title: impl Into<String>) -> Result<Self, PageError> {
        let mut page = Self::plain(app, &desk.visitor, title);
        for link in &mut page.nav {
            link.current = link.href == area.entry().0;
        }
        page.stale = stale_line(app, page.words).await?;
        Ok(page)
    }

    /// The shell for anybody, without a question to the ledger: sign-in, public pages, errors.
    pub fn plain(app: &App, visitor: &Visitor, title: impl Into<String>) -> Self {
        let words = visitor.words;
        let account = visitor.staff.as_ref().map(|staff| &staff.account);
        let areas = account.map_or(&[][..], |account| Area::of(account.role));
        let nav = areas.iter().map(|area| {
            let (href, word) = area.entry();
            NavLink {
                href,
                word,
                current: false,
            }
        });
        Self {
            words,
            title: title.into(),
            crumbs: Vec::new(),
            agency: app.server.config.name.clone(),
            nav: nav.collect(),
            person: account.map(|account| (account.name.clone(), account.role.word())),
            switch: language::link(&visitor.here, words.other()),
            stale: None,
            assets: assets::paths(),
            error: false,
            shortcuts: account.is_some_and(|account| account.shortcuts),
            bare: false,
            made: words.minute(app.server.clock.now().wall_ms),
            as_of: app.server.published.borrow().size,
            done: done(&visitor.here),
            query: String::new(),
            searches: account.is_some_and(|account| account.role != Role::Administrator),
        }
    }

    /// Adds a step of the way.
    #[must_use]
    pub fn crumb(mut self, href: impl Into<String>, text: impl Into<String>) -> Self {
        self.crumbs.push(Crumb {
            href: href.into(),
            text: text.into(),
        });
        self
    }

    /// A word of the catalogue.
    pub fn t(&self, code: &str) -> String {
        self.words.t(code)
    }
    /// A sentence with one parameter.
    pub fn t1(&self, code: &str, name: &'static str, value: impl Fill) -> String {
        self.words.t1(code, name, value)
    }
    /// A sentence with two.
    pub fn t2(&self, code: &str, one: &'static str, a: impl Fill, two: &'static str, b: impl Fill) -> String {
        self.words.t2(code, one, a, two, b)
    }
}

/// The operation in `?done=`, if it is one.
fn done(here: &str) -> Option<String> {
    let query = here.split_once('?')?.1;
    let id = query.split('&').find_map(|pair| pair.strip_prefix("done="))?;
    id.parse::<OpId>().ok().map(|id| id.to_string())
}

/// Renders a page, or the fragment of it that htmx asked for (`#[template(block = …)]`).
///
/// # Errors
/// When a template fails, which only its own formatting can make it do.
pub fn html(template: &impl Template) -> Result<Response, PageError> {
    Ok(Html(template.render()?).into_response())
}

/// Truth that silence would hide: the view is behind the log, or tablets are silent.
async fn stale_line(app: &App, words: Words) -> Result<Option<String>, LedgerError> {
    let mut parts = Vec::new();
    let (size, place) = (app.server.published.borrow().size, *app.server.place.borrow());
    let waiting = app.server.ledger.arrived(size).await?.saturating_sub(place);
    if waiting > 0 {
        parts.push(words.t1("console.stale.behind", "count", waiting));
    }
    let now = app.server.clock.now().wall_ms;
    let rows = app
        .server
        .ledger
        .registers(space::DEVICE, Vec::new(), usize::MAX >> 1)
        .await?;
    let contacts: Vec<u64> = rows
        .iter()
        .filter_map(|row| serde_json::from_slice::<serde_json::Value>(&row.value).ok())
        .filter_map(|value| value["last_contact_ms"].as_u64())
        .collect();
    let silent = contacts.iter().filter(|at| now > at.saturating_add(SILENT_MS)).count();
    if silent > 0 {
        parts.push(words.t1("console.stale.silent", "count", silent));
    }
    if let Some(last) = contacts.iter().max().filter(|_| !parts.is_empty()) {
        parts.insert(0, words.t1("console.stale.last", "time", words.minute(*last)));
    }
    Ok((!parts.is_empty()).then(|| parts.join(" · ")))
}
