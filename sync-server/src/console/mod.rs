//! The console: pages for supervisors, administrators and the legal unit, rendered here, readable without scripts.
//!
//! ```text
//! request ─visit─▶ Visitor (language, session) ─handler─▶ a page's struct ─askama─▶ shell ─dress─▶ headers, error pages
//! ```
//! A page is a struct with a template; docs/console.md tells how to add one. Words come from core's catalogue only.

pub mod access;
pub mod accounts;
pub mod act;
mod assets;
mod checkpoint;
pub mod enrolment;
pub mod error;
pub mod form;
mod headers;
mod language;
pub mod lockout;
pub mod page;
pub mod password;
pub mod session;
mod settings;
mod sign_in;
pub mod visitor;
pub mod words;
mod work;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::Redirect;
use axum::routing::{any, get, post};

use crate::api::App;

/// A form of a person: text fields, never a file.
const FORM_BODY: usize = 256 * 1024;

/// Every page of the console. `/console/…` that nobody serves answers with the console's own 404 page.
pub fn router(app: &App) -> Router<App> {
    Router::new()
        .route("/", get(checkpoint::page))
        .route("/console", get(|| async { Redirect::to("/console/worklist") }))
        .route("/console/", get(|| async { Redirect::to("/console/worklist") }))
        .route("/console/sign-in", get(sign_in::form).post(sign_in::enter))
        .route("/console/sign-out", post(sign_in::leave))
        .route("/console/worklist", get(work::first))
        .route("/console/worklist/{list}", get(work::list))
        .merge(act::routes())
        .route("/console/enrolment", get(enrolment::page))
        .route("/console/enrolment/invite", post(enrolment::invite))
        .route("/console/enrolment/revoke", get(enrolment::revoke))
        .route("/console/settings", get(settings::page).post(settings::change))
        .route("/console/{*rest}", any(error::no_such_page))
        .route("/assets/{name}", get(assets::serve))
        .route("/favicon.svg", get(assets::favicon))
        .layer(DefaultBodyLimit::max(FORM_BODY))
        .layer(axum::middleware::from_fn_with_state(app.clone(), visitor::around))
}
