//! "My signing keys": asks for a key to be made in this browser, shows what stands and what waits.

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use fieldseal_proof::ids::{from_hex, to_hex};
use fieldseal_proof::key_log::Custody;
use fieldseal_proof::suite::{PublicKey, Suite};

use super::super::accounts::{self, Role};
use super::super::error::PageError;
use super::super::form::Fields;
use super::super::page::{Area, Page, html};
use super::super::password::Hashed;
use super::super::visitor::Desk;
use super::device::ConsoleDevice;
use super::keys::{self, Asked};
use crate::api::App;

struct KeyRow {
    public: String,
    fingerprint: String,
    server_held: bool,
    /// How it is kept, in words.
    custody: String,
    revoked: bool,
}

#[derive(Template)]
#[template(path = "act/keys.html")]
struct KeyPage {
    page: Page,
    user: String,
    keys: Vec<KeyRow>,
    waiting: Vec<Asked>,
    /// Why the console cannot write yet.
    not_ready: Option<String>,
    problem: Option<String>,
}

/// `GET /console/keys`
pub async fn page(State(app): State<App>, desk: Desk) -> Result<Response, PageError> {
    shown(&app, &desk, None).await
}

/// `POST /console/keys`: the public half of a key that a browser made.
pub async fn ask(
    State(app): State<App>,
    desk: Desk,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    desk.staff.needs(Role::Supervisor)?;
    let fields = Fields(form);
    let bytes = from_hex(fields.text("public")).unwrap_or_default();
    let public = PublicKey::parse(Suite::P256, &bytes).map_err(|e| PageError::bad_request(e.to_string()))?;
    keys::ask(&app, &desk.staff, &public, Custody::Software).await?;
    Ok(Redirect::to("/console/keys").into_response())
}

/// `POST /console/keys/server`: a key that the server keeps, asked for with the password.
pub async fn ask_server_held(
    State(app): State<App>,
    desk: Desk,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    desk.staff.needs(Role::Supervisor)?;
    let fields = Fields(form);
    let held = accounts::find(&*app.server.ledger, &desk.staff.account.user).await?;
    let fits = Hashed::fits(
        held.as_ref().map(|(account, _)| &account.password),
        fields.text("password"),
    )
    .await?;
    if !fits {
        let page = shown(&app, &desk, Some(desk.words().t("console.sign.password_wrong"))).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    keys::ask_server_held(&app, &desk.staff).await?;
    Ok(Redirect::to("/console/keys").into_response())
}

async fn shown(app: &App, desk: &Desk, problem: Option<String>) -> Result<Response, PageError> {
    desk.staff.needs(Role::Supervisor)?;
    let words = desk.words();
    let mut page = Page::of(app, desk, Area::Enrolment, words.t("console.key.title")).await?;
    page.error = problem.is_some();
    page.switch = super::super::language::link("/console/keys", words.other());
    let ready = ConsoleDevice::ready(&app.server)?;
    let made_here = keys::made_in_browsers(app).await?;
    let rows = keys::all(app, &desk.staff.account).into_iter().map(|key| KeyRow {
        custody: words.t(if made_here.contains(&to_hex(key.public.as_bytes())) {
            "console.key.browser"
        } else {
            "console.key.elsewhere"
        }),
        public: to_hex(key.public.as_bytes()),
        fingerprint: key.public.fingerprint(),
        server_held: key.custody == Custody::Server,
        revoked: key.revoked,
    });
    html(&KeyPage {
        user: desk.staff.account.user.clone(),
        keys: rows.collect(),
        waiting: keys::waiting(app, &desk.staff.account).await?,
        not_ready: ready.err().map(|why| words.t(why.word())),
        problem,
        page,
    })
}
