//! One's own password: changed by whoever knows the present one. Whoever came with a one-time word sees nothing else before.

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use fieldseal_core::catalogue::Param;
use fieldseal_proof::hash::sha256;
use serde::Deserialize;

use super::super::access::{self, Deed};
use super::super::error::PageError;
use super::super::form::Fields;
use super::super::lockout::slot;
use super::super::page::{Area, Page, html};
use super::super::password::{Hashed, LEAST, MOST};
use super::super::session;
use super::super::sign_in::{count, lock_of};
use super::super::visitor::Desk;
use super::{find, swap};
use crate::api::App;
use crate::ledger::{Commit, Swap, space};

#[derive(Template)]
#[template(path = "accounts/own_password.html")]
struct PasswordPage {
    page: Page,
    user: String,
    least: usize,
    first: bool,
    done: bool,
    problem: Option<String>,
}

#[derive(Deserialize)]
pub struct After {
    #[serde(default)]
    changed: String,
}

/// `GET /console/password`
pub async fn page(State(app): State<App>, desk: Desk, Query(after): Query<After>) -> Result<Response, PageError> {
    shown(&app, &desk, after.changed == "1", None).await
}

/// `POST /console/password`: ends every session but the new one that it begins. Wrong tries count as they do at sign-in.
pub async fn change(
    State(app): State<App>,
    desk: Desk,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let (fields, words) = (Fields(form), desk.words());
    let ledger = &*app.server.ledger;
    let now = app.server.clock.now().wall_ms;
    let found = find(ledger, &desk.staff.account.user).await?;
    let (mut account, version) = found.ok_or(PageError::SignIn)?;
    let slot = slot(&sha256(account.user.as_bytes()));
    let (lock, lock_version) = lock_of(ledger, &slot).await?;
    let wait = lock.wait_ms(now);
    if wait > 0 {
        let problem = words.all("console.sign_in.locked", &[("wait", Param::Span(wait.max(1_000)))]);
        return refused(&app, &desk, StatusCode::TOO_MANY_REQUESTS, problem).await;
    }
    let (present, new) = (fields.text("password"), fields.text("new"));
    let problem = if !Hashed::fits(Some(&account.password), present).await? {
        count(ledger, slot.clone(), lock, lock_version, now).await?;
        Some("password.wrong")
    } else if new.chars().count() < LEAST || new.len() > MOST {
        Some("password.short")
    } else if new != fields.text("again") {
        Some("password.differ")
    } else if new == present {
        Some("password.same")
    } else {
        None
    };
    if let Some(code) = problem {
        return refused(&app, &desk, StatusCode::UNPROCESSABLE_ENTITY, words.t(code)).await;
    }
    account.password = Hashed::new(new, &*app.server.random).await?;
    account.one_time_until_ms = None;
    account.changed_ms = now;
    let (begun, token) = session::begin(&app, &account)?;
    let commit = Commit {
        registers: vec![
            swap(&account, version)?,
            Swap::remove(space::LOCKOUT, slot),
            Swap::remove(space::SESSION, desk.staff.session.key.clone()),
            begun,
        ],
        accesses: vec![access::line(&app, &desk.staff, Deed::OwnPassword, "")],
        ..Commit::default()
    };
    ledger.commit(commit).await?;
    let mut answer = Redirect::to("/console/password?changed=1").into_response();
    session::give(&mut answer, &token);
    Ok(answer)
}

async fn refused(app: &App, desk: &Desk, status: StatusCode, problem: String) -> Result<Response, PageError> {
    let page = shown(app, desk, false, Some(problem)).await?;
    Ok((status, page).into_response())
}

async fn shown(app: &App, desk: &Desk, done: bool, problem: Option<String>) -> Result<Response, PageError> {
    let words = desk.words();
    let account = &desk.staff.account;
    let mut page = Page::of(app, desk, Area::Other, words.t("password.title")).await?;
    page.error = problem.is_some();
    let first = account.one_time_until_ms.is_some();
    if first {
        // Nothing else opens before.
        page.nav.clear();
    }
    html(&PasswordPage {
        page,
        user: account.user.clone(),
        least: LEAST,
        first,
        done: done && !first,
        problem,
    })
}
