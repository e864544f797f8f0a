//! The confirm page: what will be written, byte for byte, and the signature over it.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use fieldseal_proof::encoding::base64;
use fieldseal_proof::hash::sha256;
use fieldseal_proof::ids::{KeyId, from_hex, to_hex};
use fieldseal_proof::key_log::Custody;
use serde::Deserialize;

use super::super::accounts::{self, Role};
use super::super::error::PageError;
use super::super::form::Fields;
use super::super::page::{Area, Page, html};
use super::super::password::Hashed;
use super::super::visitor::Desk;
use super::action::Refused;
use super::keys::{self, OwnKey};
use super::office::{Committed, Prepared};
use super::readable::Readable;
use super::{labelled, lost};
use crate::api::App;

/// A key that may sign here.
struct KeyShown {
    id: String,
    public: String,
    fingerprint: String,
}

#[derive(Template)]
#[template(path = "act/confirm.html")]
struct ConfirmPage {
    page: Page,
    token: String,
    effect: String,
    verb: String,
    readable: Readable,
    statement_sha256: String,
    signed_base64: String,
    signed_bytes: usize,
    until: String,
    browser_keys: Vec<KeyShown>,
    server_key: Option<KeyShown>,
    moved: bool,
    problem: Option<String>,
    back: String,
}

#[derive(Deserialize)]
pub struct How {
    #[serde(default)]
    moved: String,
}

/// `GET /console/act/sign/{token}`
pub async fn page(
    State(app): State<App>,
    desk: Desk,
    Path(token): Path<String>,
    Query(how): Query<How>,
) -> Result<Response, PageError> {
    desk.staff.needs(Role::Supervisor)?;
    let prepared = app.office.find(&app, &desk.staff, &token)?;
    shown(&app, &desk, &token, &prepared, how.moved == "1", None).await
}

/// `POST /console/act/sign/{token}`
pub async fn sign(
    State(app): State<App>,
    desk: Desk,
    Path(token): Path<String>,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    desk.staff.needs(Role::Supervisor)?;
    let fields = Fields(form);
    let prepared = app.office.find(&app, &desk.staff, &token)?;
    let key: KeyId = fields.text("key").parse().map_err(|_| PageError::bad_request("key"))?;
    let own = keys::standing(&app, &desk.staff.account)
        .into_iter()
        .find(|own| own.id == key);
    let own = own.ok_or(PageError::not_yet("console.key.none"))?;
    let signature = if own.custody == Custody::Server {
        // The server signs for a person only when that person proves to be there at this moment.
        if !known(&app, &desk, fields.text("password")).await? {
            let sentence = desk.words().t("console.sign.password_wrong");
            let page = shown(&app, &desk, &token, &prepared, false, Some(sentence)).await?;
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
        }
        keys::sign_server_held(&app, &own, &prepared.statement())?
    } else {
        from_hex(fields.text("signature")).ok_or_else(|| PageError::bad_request("signature"))?
    };
    let own_words = || labelled(&desk, prepared.action.own_words());
    match app.office.commit(&app, &desk.staff, &token, key, signature).await {
        Ok(Committed::Done(id)) => {
            let joint = if prepared.action.back().contains('?') { '&' } else { '?' };
            Ok(Redirect::to(&format!("{}{joint}done={id}", prepared.action.back())).into_response())
        }
        Ok(Committed::Moved(again)) => {
            let prepared = app.office.find(&app, &desk.staff, &again)?;
            let page = shown(&app, &desk, &again, &prepared, true, None).await?;
            Ok((StatusCode::CONFLICT, page).into_response())
        }
        Err(Refused::Page(error)) => Err(lost(&app, &desk, &prepared.action, error).await.keeping(own_words())),
        Err(Refused::Input(message)) => {
            let sentence = message.text(desk.words().lang);
            let page = shown(&app, &desk, &token, &prepared, false, Some(sentence)).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

async fn known(app: &App, desk: &Desk, password: &str) -> Result<bool, PageError> {
    let held = accounts::find(&*app.server.ledger, &desk.staff.account.user).await?;
    Ok(Hashed::fits(held.as_ref().map(|(account, _)| &account.password), password).await?)
}

async fn shown(
    app: &App,
    desk: &Desk,
    token: &str,
    prepared: &Arc<Prepared>,
    moved: bool,
    problem: Option<String>,
) -> Result<Response, PageError> {
    let words = desk.words();
    let mut page = Page::of(app, desk, Area::Work, words.t("console.sign.title")).await?;
    page.switch = super::super::language::link(&format!("/console/act/sign/{token}"), words.other());
    page.error = problem.is_some();
    let (server, browser): (Vec<OwnKey>, Vec<OwnKey>) = keys::standing(app, &desk.staff.account)
        .into_iter()
        .partition(|key| key.custody == Custody::Server);
    let show = |key: OwnKey| KeyShown {
        id: key.id.to_string(),
        public: to_hex(key.public.as_bytes()),
        fingerprint: key.public.fingerprint(),
    };
    let signed = prepared.signed_bytes();
    html(&ConfirmPage {
        page,
        token: token.to_owned(),
        effect: words.t(prepared.action.effect()),
        verb: words.t(prepared.action.verb()),
        readable: Readable::of(app, &prepared.operation, words).await?,
        statement_sha256: to_hex(&sha256(&signed)),
        signed_bytes: signed.len(),
        signed_base64: base64(&signed),
        until: words.clock(prepared.until_ms()),
        browser_keys: browser.into_iter().map(show).collect(),
        server_key: server.into_iter().next().map(show),
        moved,
        problem,
        back: prepared.action.back(),
    })
}
