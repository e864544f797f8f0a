//! One account: its one-time word while it is shown, and what an administrator may do to it.

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use fieldseal_proof::hash::sha256;
use serde::Deserialize;

use super::super::access::{self, Deed};
use super::super::error::{PageError, url_escaped};
use super::super::form::Fields;
use super::super::lockout::slot;
use super::super::once::Use;
use super::super::page::{Area, Page, html};
use super::super::visitor::Desk;
use super::list::{one, roles, state};
use super::{Role, find, swap, word};
use crate::api::App;
use crate::ledger::{Commit, Swap, space};

#[derive(Template)]
#[template(path = "accounts/one.html")]
struct OnePage {
    page: Page,
    user: String,
    name: String,
    role: String,
    state: String,
    tone: &'static str,
    /// The word, and until when it holds.
    word: Option<(String, String)>,
    /// A word was asked for that is no longer shown.
    gone: bool,
    roles: Vec<(&'static str, String, bool)>,
    closed: bool,
    locked: bool,
    own: bool,
    /// Address of the account's lines in the access log.
    log: String,
}

#[derive(Deserialize)]
pub struct Asked {
    user: String,
    #[serde(default)]
    word: String,
}

/// `GET /console/accounts/one?user=`
pub async fn page(State(app): State<App>, desk: Desk, Query(asked): Query<Asked>) -> Result<Response, PageError> {
    desk.staff.needs(Role::Administrator)?;
    let words = desk.words();
    let ledger = &*app.server.ledger;
    let (account, _) = find(ledger, &asked.user).await?.ok_or(PageError::NotFound)?;
    let page = Page::of(
        &app,
        &desk,
        Area::Accounts,
        words.t1("accounts.one", "user", &account.name),
    )
    .await?;
    let now = app.server.clock.now().wall_ms;
    let code = app
        .codes
        .find(Use::Account, &asked.word, &desk.staff.account.user, now)
        .filter(|code| code.label == account.user);
    let (state, tone) = state(&app, words, &account).await?;
    html(&OnePage {
        page: page.crumb("/console/accounts", words.t("accounts.title")),
        gone: !asked.word.is_empty() && code.is_none(),
        word: code.map(|code| (code.text, words.minute(account.one_time_until_ms.unwrap_or_default()))),
        role: words.t(account.role.word()),
        roles: roles(words, account.role),
        closed: account.closed,
        locked: tone == "warn",
        own: account.user == desk.staff.account.user,
        log: format!("/console/access?who={}", url_escaped(&account.user)),
        user: account.user,
        name: account.name,
        state,
        tone,
    })
}

/// `POST /console/accounts/one`: one deed, with its line in the access log. Of two administrators at once the second gets 409.
pub async fn change(
    State(app): State<App>,
    desk: Desk,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    desk.staff.needs(Role::Administrator)?;
    let fields = Fields(form);
    let ledger = &*app.server.ledger;
    let found = find(ledger, fields.text("user")).await?;
    let (mut account, version) = found.ok_or(PageError::NotFound)?;
    let own = account.user == desk.staff.account.user;
    let deed = fields.text("deed");
    let mut to = one(&account.user);
    let now = app.server.clock.now().wall_ms;
    match deed {
        // Nobody locks the last administrator out by mistake: one's own account is another's affair.
        "role" | "disable" if own => return Err(PageError::bad_request("own account")),
        "role" => {
            account.role = Role::from_word(fields.text("role")).ok_or_else(|| PageError::bad_request("role"))?;
            account.changed_ms = now;
        }
        "reset" => to = format!("{to}&word={}", word::give(&app, &desk, &mut account).await?),
        "disable" => (account.closed, account.changed_ms) = (true, now),
        "enable" => (account.closed, account.changed_ms) = (false, now),
        "unlock" => {}
        _ => return Err(PageError::bad_request("deed")),
    }
    let mut registers = vec![swap(&account, version)?];
    if matches!(deed, "unlock" | "reset") {
        registers.push(Swap::remove(space::LOCKOUT, slot(&sha256(account.user.as_bytes()))));
    }
    let line = access::line(
        &app,
        &desk.staff,
        Deed::Administered,
        format!("account {deed} {} {}", account.user, account.role.as_str()),
    );
    let commit = Commit {
        registers,
        accesses: vec![line],
        ..Commit::default()
    };
    ledger.commit(commit).await?;
    Ok(Redirect::to(&to).into_response())
}
