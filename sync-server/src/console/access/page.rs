//! The access log as a page: who did what, and when, newest first.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use fieldseal_core::catalogue::exists;
use fieldseal_proof::ids::{CaseId, from_hex};
use serde::Deserialize;

use super::super::accounts::{self, Role};
use super::super::cases::Wording;
use super::super::error::{PageError, url_escaped};
use super::super::page::{Area, Page, html};
use super::super::visitor::Desk;
use super::Deed;
use crate::api::App;
use crate::ledger::{Access, AccessFilter, space};

/// Rows of a page.
const ROWS: usize = 50;

/// Deeds that come over the programs' own interface (api.md).
const BY_MACHINES: [&str; 10] = [
    "blob.read",
    "case.read",
    "enrolment.refuse",
    "enrolments.read",
    "enterprises.import",
    "feed.read",
    "invitation",
    "key_log.append",
    "pack.publish",
    "register.read",
];

/// What the address says; what cannot be read is as if it were not there.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    deed: String,
    target: String,
    who: String,
    before: u64,
}

impl Asked {
    fn link(&self, before: u64) -> String {
        let parts = [("deed", &self.deed), ("target", &self.target), ("who", &self.who)];
        let kept = parts.iter().filter(|(_, value)| !value.is_empty());
        let kept: String = kept
            .map(|(name, value)| format!("{name}={}&", url_escaped(value)))
            .collect();
        format!("/console/access?{kept}before={before}")
    }
}

struct Row {
    when: String,
    who: String,
    what: String,
    target: String,
    /// A hash is shown short.
    hash: bool,
    href: Option<String>,
}

#[derive(Template)]
#[template(path = "access.html")]
struct AccessPage {
    page: Page,
    rows: Vec<Row>,
    deeds: Vec<(&'static str, String, bool)>,
    target: String,
    who: String,
    first: Option<String>,
    later: Option<String>,
}

/// `GET /console/access`
pub async fn page(State(app): State<App>, desk: Desk, Query(asked): Query<Asked>) -> Result<Response, PageError> {
    desk.staff.needs_one_of(&[Role::Administrator, Role::Supervisor])?;
    let words = desk.words();
    let page = Page::of(&app, &desk, Area::Access, words.t("access.title")).await?;
    let ledger = &*app.server.ledger;
    let below = if asked.before == 0 { u64::MAX >> 1 } else { asked.before };
    let wanted = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    // Whoever wrote it, by the name that the log has.
    let people = accounts::all(ledger).await?;
    let who = people
        .iter()
        .find(|account| account.user == asked.who)
        .map(|account| format!("console {} {}", account.role.as_str(), account.user));
    let filter = AccessFilter {
        action: wanted(&asked.deed),
        target: wanted(&asked.target),
        who,
    };
    let found = ledger.newest_accesses(below, filter, ROWS + 1).await?;
    let more = found.len() > ROWS;
    let names: BTreeMap<&str, &str> = people
        .iter()
        .map(|account| (account.user.as_str(), account.name.as_str()))
        .collect();
    let wording = Wording::load(&app, words).await?;
    let mut rows = Vec::new();
    for (_, access) in found.iter().take(ROWS) {
        rows.push(row(&app, &desk, &wording, &names, access).await?);
    }
    let codes = Deed::ALL.iter().map(|deed| deed.as_str()).chain(BY_MACHINES);
    let deeds = codes.map(|code| (code, words.t(&format!("access.deed.{code}")), code == asked.deed));
    html(&AccessPage {
        page,
        deeds: deeds.collect(),
        first: (asked.before > 0).then(|| asked.link(0)),
        later: found
            .get(ROWS - 1)
            .filter(|_| more)
            .map(|(number, _)| asked.link(*number)),
        rows,
        target: asked.target,
        who: asked.who,
    })
}

async fn row(
    app: &App,
    desk: &Desk,
    wording: &Wording,
    names: &BTreeMap<&str, &str>,
    access: &Access,
) -> Result<Row, PageError> {
    let words = wording.words;
    let code = format!("access.deed.{}", access.action);
    let hash = from_hex(&access.target).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let reads = desk.staff.account.role == Role::Supervisor;
    let case = match (&hash, access.target.parse::<CaseId>()) {
        // A request for enrolment has an id of the same form: only what is a case leads to one.
        (_, Ok(case)) => {
            let known = app
                .server
                .ledger
                .register(space::CASE, case.as_bytes().to_vec())
                .await?;
            known.map(|_| case)
        }
        (Some(hash), _) => {
            let named = app.server.ledger.blob_refs(*hash).await?;
            named.iter().find_map(|named| named.case)
        }
        _ => None,
    };
    Ok(Row {
        when: words.moment(access.at_ms),
        who: who(wording, names, &access.who),
        what: if exists(&code) {
            words.t(&code)
        } else {
            access.action.clone()
        },
        href: case.filter(|_| reads).map(|case| format!("/console/cases/{case}")),
        target: access.target.clone(),
        hash: hash.is_some(),
    })
}

/// `console supervisor s-1` as the person's name, user name and role; `tablet ID` by the tablet's label.
pub fn who(wording: &Wording, names: &BTreeMap<&str, &str>, who: &str) -> String {
    let words = wording.words;
    if who == "command line" {
        return words.t("access.command_line");
    }
    if who == "admin" {
        return words.t("access.admin_key");
    }
    let console = who.strip_prefix("console ").and_then(|rest| rest.split_once(' '));
    match console {
        Some((role, user)) => {
            let role = Role::from_word(role).map_or_else(|| role.to_owned(), |role| words.t(role.word()));
            let name = names.get(user).copied().unwrap_or_default();
            format!("{name} {user} · {role}").trim_start().to_owned()
        }
        None => match who.split_once(' ').map(|(_, device)| device.parse()) {
            Some(Ok(device)) => wording.device(&device),
            _ => who.to_owned(),
        },
    }
}
