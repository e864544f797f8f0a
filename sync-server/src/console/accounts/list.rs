//! The list of accounts: who may sign in, as what; and a new account, which begins with a one-time word.

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use fieldseal_core::catalogue::Param;
use fieldseal_proof::hash::sha256;

use super::super::access::{self, Deed};
use super::super::error::{PageError, url_escaped};
use super::super::form::Fields;
use super::super::lockout::slot;
use super::super::page::{Area, Page, html};
use super::super::password::Hashed;
use super::super::sign_in::lock_of;
use super::super::visitor::Desk;
use super::super::words::Words;
use super::{Account, Role, all, find, normal, swap, word};
use crate::api::App;
use crate::ledger::{Commit, LedgerError};

/// Letters of a person's name at most.
const NAME_MOST: usize = 60;

struct Row {
    href: String,
    user: String,
    name: String,
    role: String,
    state: String,
    tone: &'static str,
    changed: String,
}

#[derive(Template)]
#[template(path = "accounts/list.html")]
struct ListPage {
    page: Page,
    rows: Vec<Row>,
    roles: Vec<(&'static str, String, bool)>,
    user: String,
    name: String,
    problem: Option<String>,
}

/// `GET /console/accounts`
pub async fn page(State(app): State<App>, desk: Desk) -> Result<Response, PageError> {
    shown(&app, &desk, &Fields(Vec::new()), None).await
}

/// `POST /console/accounts`: a new account. It is led to the page that shows its one-time word.
pub async fn make(
    State(app): State<App>,
    desk: Desk,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    desk.staff.needs(Role::Administrator)?;
    let fields = Fields(form);
    let role = Role::from_word(fields.text("role")).ok_or_else(|| PageError::bad_request("role"))?;
    let name = fields.text("name").trim();
    let fits = !name.is_empty() && name.chars().count() <= NAME_MOST && !name.chars().any(char::is_control);
    let Some(user) = normal(fields.text("user")).filter(|_| fits) else {
        return refused(&app, &desk, &fields, "accounts.input").await;
    };
    if find(&*app.server.ledger, &user).await?.is_some() {
        return refused(&app, &desk, &fields, "accounts.exists").await;
    }
    let now = app.server.clock.now().wall_ms;
    // A password that nobody knows, until the word takes its place.
    let nobody = Hashed::new(&hex::encode(now.to_be_bytes()), &*app.server.random).await?;
    let mut account = Account::new(&user, name, role, nobody, now);
    account.certificate = Some(fields.text("user").trim().to_owned());
    let token = word::give(&app, &desk, &mut account).await?;
    let commit = Commit {
        registers: vec![swap(&account, 0)?],
        accesses: vec![access::line(
            &app,
            &desk.staff,
            Deed::Administered,
            format!("account make {user} {}", role.as_str()),
        )],
        ..Commit::default()
    };
    match app.server.ledger.commit(commit).await {
        Ok(_) => Ok(Redirect::to(&format!("{}&word={token}", one(&user))).into_response()),
        Err(LedgerError::Conflict(_)) => refused(&app, &desk, &fields, "accounts.exists").await,
        Err(other) => Err(other.into()),
    }
}

/// Address of an account's page.
pub fn one(user: &str) -> String {
    format!("/console/accounts/one?user={}", url_escaped(user))
}

async fn refused(app: &App, desk: &Desk, fields: &Fields, code: &str) -> Result<Response, PageError> {
    let page = shown(app, desk, fields, Some(desk.words().t(code))).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

async fn shown(app: &App, desk: &Desk, fields: &Fields, problem: Option<String>) -> Result<Response, PageError> {
    desk.staff.needs(Role::Administrator)?;
    let words = desk.words();
    let mut page = Page::of(app, desk, Area::Accounts, words.t("accounts.title")).await?;
    page.error = problem.is_some();
    let mut rows = Vec::new();
    for account in all(&*app.server.ledger).await? {
        let (state, tone) = state(app, words, &account).await?;
        rows.push(Row {
            href: one(&account.user),
            role: words.t(account.role.word()),
            changed: words.minute(account.changed_ms),
            user: account.user,
            name: account.name,
            state,
            tone,
        });
    }
    html(&ListPage {
        page,
        rows,
        roles: roles(words, Role::from_word(fields.text("role")).unwrap_or(Role::Supervisor)),
        user: fields.text("user").to_owned(),
        name: fields.text("name").to_owned(),
        problem,
    })
}

/// Roles to choose from.
pub fn roles(words: Words, chosen: Role) -> Vec<(&'static str, String, bool)> {
    let one = |role: Role| (role.as_str(), words.t(role.word()), role == chosen);
    Role::ALL.into_iter().map(one).collect()
}

/// How an account stands, with the tone of its tag.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn state(app: &App, words: Words, account: &Account) -> Result<(String, &'static str), LedgerError> {
    let now = app.server.clock.now().wall_ms;
    if account.closed {
        return Ok((words.t("accounts.state.closed"), "bad"));
    }
    let (lock, _) = lock_of(&*app.server.ledger, &slot(&sha256(account.user.as_bytes()))).await?;
    if lock.wait_ms(now) > 0 {
        let wait = Param::Span(lock.wait_ms(now).max(1_000));
        return Ok((words.all("accounts.state.locked", &[("wait", wait)]), "warn"));
    }
    Ok(match account.one_time_until_ms {
        None => (words.t("accounts.state.open"), "none"),
        Some(until) if now < until => (words.t1("accounts.state.word", "until", words.minute(until)), "info"),
        Some(_) => (words.t("accounts.state.word_over"), "warn"),
    })
}
