//! Actions: a form, a confirm page with the readable form of the exact bytes, a signature by the person's own key, one commit.
//!
//! Each action has its form in a file of its own; `office` prepares and writes, `confirm` shows and takes the signature.

pub mod action;
mod assign;
mod board;
mod confirm;
mod decide;
pub mod device;
mod key_page;
pub mod keys;
mod latest;
mod names;
pub mod office;
pub mod readable;
mod simple;
pub mod state;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use fieldseal_core::catalogue::Message;

use super::accounts::Role;
use super::error::PageError;
use super::visitor::Desk;
use crate::api::App;

use action::{Action, Refused};
pub use simple::device_name;

/// Routes of the actions.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/console/act/decide", get(decide::form).post(decide::send))
        .route("/console/act/settle", get(simple::settle_form).post(simple::settle))
        .route("/console/act/join", get(simple::join_form).post(simple::join))
        .route("/console/act/return", get(simple::return_form).post(simple::send_back))
        .route("/console/act/freeze", get(simple::freeze_form).post(simple::freeze))
        .route("/console/assign", get(board::page))
        .route("/console/act/move", post(board::change_day))
        .route("/console/act/assign", get(assign::form).post(assign::send))
        .route("/console/act/sign/{token}", get(confirm::page).post(confirm::sign))
        .route("/console/keys", get(key_page::page).post(key_page::ask))
        .route("/console/keys/server", post(key_page::ask_server_held))
}

/// Prepares an action and leads to its confirm page; `again` shows the form once more with what is wrong.
async fn prepared(
    app: &App,
    desk: &Desk,
    action: Action,
    seen: &str,
    again: impl AsyncFnOnce(Message) -> Result<Response, PageError>,
) -> Result<Response, PageError> {
    desk.staff.needs(Role::Supervisor)?;
    let (own, subject) = (action.own_words(), action.clone());
    match app
        .office
        .prepare(app, &desk.staff, action, Some(seen).filter(|seen| !seen.is_empty()))
        .await
    {
        Ok(token) => Ok(Redirect::to(&format!("/console/act/sign/{token}")).into_response()),
        Err(Refused::Input(message)) => {
            let page = again(message).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
        Err(Refused::Page(error)) => Err(lost(app, desk, &subject, error).await.keeping(labelled(desk, own))),
    }
}

/// When somebody was faster: with how the subject stands now.
async fn lost(app: &App, desk: &Desk, action: &Action, error: PageError) -> PageError {
    match error {
        PageError::Conflict { .. } => match latest::of(app, desk.words(), action).await {
            Ok(now) => error.showing(now),
            Err(other) => other,
        },
        other => other,
    }
}

/// The form once more, because something in it is missing.
fn incomplete(page: Response) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, page).into_response()
}

/// What a person wrote, with labels in their language.
fn labelled(desk: &Desk, own: Vec<(&'static str, String)>) -> Vec<(String, String)> {
    own.into_iter()
        .map(|(code, text)| (desk.words().t(code), text))
        .collect()
}
