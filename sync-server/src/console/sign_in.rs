//! Sign-in and sign-out.

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use fieldseal_core::catalogue::Param;
use fieldseal_proof::hash::sha256;
use serde::Deserialize;

use super::access::{self, Deed};
use super::accounts;
use super::error::PageError;
use super::lockout::{self, Lockout};
use super::page::{Page, home, html};
use super::password::Hashed;
use super::session;
use super::visitor::{Staff, Visitor};
use crate::api::App;
use crate::ledger::{Commit, LedgerError, LedgerStore, Swap, space};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    page: Page,
    user: String,
    next: String,
    /// What is wrong, above the fields.
    problem: Option<String>,
    fingerprint: Vec<String>,
    left: bool,
}

#[derive(Deserialize)]
pub struct Way {
    #[serde(default)]
    next: String,
    #[serde(default)]
    left: String,
}

/// `GET /console/sign-in`
pub async fn form(State(app): State<App>, visitor: Visitor, Query(way): Query<Way>) -> Result<Response, PageError> {
    if let Some(staff) = &visitor.staff {
        return Ok(Redirect::to(home(staff.account.role)).into_response());
    }
    let page = shown(&app, &visitor, String::new(), way.next, None, way.left == "1")?;
    html(&page)
}

#[derive(Deserialize)]
pub struct Entry {
    #[serde(default)]
    user: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

/// `POST /console/sign-in`: one answer for a wrong name and a wrong password, after the same work.
pub async fn enter(State(app): State<App>, visitor: Visitor, Form(entry): Form<Entry>) -> Result<Response, PageError> {
    let ledger = &*app.server.ledger;
    let now = app.server.clock.now().wall_ms;
    let name = accounts::normal(&entry.user).unwrap_or_default();
    let slot = lockout::slot(&sha256(name.as_bytes()));
    let (lock, version) = lock_of(ledger, &slot).await?;
    let wait = lock.wait_ms(now);
    if wait > 0 {
        let problem = visitor
            .words
            .all("console.sign_in.locked", &[("wait", Param::Span(wait.max(1_000)))]);
        let page = shown(&app, &visitor, entry.user, entry.next, Some(problem), false)?;
        return Ok((StatusCode::TOO_MANY_REQUESTS, html(&page)?).into_response());
    }
    let held = accounts::find(ledger, &name)
        .await?
        .filter(|(account, _)| !account.closed && account.one_time_until_ms.is_none_or(|until| now < until));
    let fits = Hashed::fits(held.as_ref().map(|(account, _)| &account.password), &entry.password).await?;
    let Some((account, _)) = held.filter(|_| fits) else {
        count(ledger, slot, lock, version, now).await?;
        tracing::warn!(code = "sign_in_refused", "a sign-in to the console was refused");
        let problem = visitor.words.t("console.sign_in.refused");
        let page = shown(&app, &visitor, entry.user, entry.next, Some(problem), false)?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, html(&page)?).into_response());
    };
    let (begun, token) = session::begin(&app, &account)?;
    let mut registers = session::expired(&app).await?;
    registers.push(Swap::remove(space::LOCKOUT, slot));
    registers.push(begun);
    let target = way_back(&entry.next).unwrap_or_else(|| home(account.role).to_owned());
    let staff = Staff {
        session: session::Session {
            user: account.user.clone(),
            begun_ms: now,
            seen_ms: now,
            key: Vec::new(),
        },
        account,
    };
    let accesses = vec![access::line(&app, &staff, Deed::SignedIn, "")];
    ledger
        .commit(Commit {
            registers,
            accesses,
            ..Commit::default()
        })
        .await?;
    let mut answer = Redirect::to(&target).into_response();
    session::give(&mut answer, &token);
    Ok(answer)
}

/// `POST /console/sign-out`
pub async fn leave(State(app): State<App>, visitor: Visitor) -> Result<Response, PageError> {
    if let Some(staff) = &visitor.staff {
        let commit = Commit {
            registers: vec![Swap::remove(space::SESSION, staff.session.key.clone())],
            accesses: vec![access::line(&app, staff, Deed::SignedOut, "")],
            ..Commit::default()
        };
        app.server.ledger.commit(commit).await?;
    }
    let mut answer = Redirect::to("/console/sign-in?left=1").into_response();
    session::take_back(&mut answer);
    Ok(answer)
}

fn shown(
    app: &App,
    visitor: &Visitor,
    user: String,
    next: String,
    problem: Option<String>,
    left: bool,
) -> Result<SignInPage, PageError> {
    let mut page = Page::plain(app, visitor, visitor.words.t("console.sign_in.title"));
    page.error = problem.is_some();
    if page.error {
        // The answer to a form lies at the form's own address, so the language link leads there.
        page.switch = super::language::link("/console/sign-in", page.words.other());
    }
    Ok(SignInPage {
        page,
        user: user.chars().take(64).collect(),
        next,
        problem,
        fingerprint: fingerprint(app)?,
        left,
    })
}

/// SHA-256 of the certificate as a browser shows it, in groups of four, so that a person can compare.
fn fingerprint(app: &App) -> Result<Vec<String>, PageError> {
    let text = app.server.tls_sha256().map_err(|e| PageError::internal(&e))?;
    Ok(text
        .as_bytes()
        .chunks(4)
        .map(|group| String::from_utf8_lossy(group).into_owned())
        .collect())
}

/// Wrong tries for a name so far, with the register's version.
///
/// # Errors
/// When the ledger cannot be read.
pub(super) async fn lock_of(ledger: &dyn LedgerStore, slot: &[u8]) -> Result<(Lockout, u64), LedgerError> {
    let held = ledger.register(space::LOCKOUT, slot.to_vec()).await?;
    Ok(held.map_or((Lockout::default(), 0), |row| {
        (serde_json::from_slice(&row.value).unwrap_or_default(), row.version)
    }))
}

/// Counts a wrong try; of two at the same moment both are counted.
///
/// # Errors
/// When the ledger cannot be written.
pub(super) async fn count(
    ledger: &dyn LedgerStore,
    slot: Vec<u8>,
    mut lock: Lockout,
    mut version: u64,
    now: u64,
) -> Result<(), LedgerError> {
    loop {
        let value = serde_json::to_vec(&lock.after_failure(now)).map_err(|e| LedgerError::Corrupt(e.to_string()))?;
        let swap = Swap::update(space::LOCKOUT, slot.clone(), version, value);
        match ledger.commit(session::one(swap)).await {
            Err(LedgerError::Conflict(_)) => (lock, version) = lock_of(ledger, &slot).await?,
            other => return other.map(|_| ()),
        }
    }
}

/// Only back into this console.
fn way_back(next: &str) -> Option<String> {
    let inside = next.starts_with("/console/") && !next.starts_with("/console/sign-");
    let plain = !next.contains(['\\', '\r', '\n']) && next.len() <= 2_000;
    (inside && plain).then(|| next.to_owned())
}

#[cfg(test)]
mod tests {
    use super::way_back;

    #[test]
    fn the_way_back_stays_inside() {
        assert_eq!(way_back("/console/cases?q=a").as_deref(), Some("/console/cases?q=a"));
        for bad in [
            "",
            "https://evil.example",
            "//evil.example",
            "/console/sign-out",
            "/v1/cases",
            "/console/\r\nx",
        ] {
            assert_eq!(way_back(bad), None, "{bad}");
        }
    }
}
