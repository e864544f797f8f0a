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
pub mod cases;
mod checkpoint;
mod devices;
pub mod enrolment;
mod enterprises;
pub mod error;
pub mod evidence;
pub mod figure;
pub mod form;
mod headers;
mod hearing;
mod language;
mod links;
pub mod lockout;
mod moments;
mod news;
pub mod once;
pub mod page;
pub mod password;
mod queue;
pub mod session;
mod settings;
mod shelves;
mod sign_in;
pub mod trust;
pub mod visitor;
pub mod words;
mod work;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::Redirect;
use axum::routing::{any, get, post};

use crate::api::App;

pub use shelves::Shelves;

/// A form of a person: text fields, never a file.
const FORM_BODY: usize = 256 * 1024;

/// Every page of the console. `/console/…` that nobody serves answers with the console's own 404 page.
pub fn router(app: &App) -> Router<App> {
    Router::new()
        .route("/", get(checkpoint::page))
        .route("/console", get(begin))
        .route("/console/", get(begin))
        .route("/console/sign-in", get(sign_in::form).post(sign_in::enter))
        .route("/console/sign-out", post(sign_in::leave))
        .route("/console/worklist", get(work::first))
        .route("/console/worklist/{list}", get(work::list))
        .merge(act::routes())
        .route("/console/enrolment", get(enrolment::page))
        .route("/console/enrolment/invite", post(enrolment::invite))
        .route("/console/enrolment/revoke", get(enrolment::revoke))
        .route("/console/accounts", get(accounts::list).post(accounts::make))
        .route("/console/accounts/one", get(accounts::one).post(accounts::change))
        .route(
            "/console/password",
            get(accounts::password).post(accounts::change_password),
        )
        .route("/console/access", get(access::page))
        .route("/console/settings", get(settings::page).post(settings::change))
        .merge(case_pages())
        .route("/console/{*rest}", any(error::no_such_page))
        .route("/assets/{name}", get(assets::serve))
        .route("/favicon.svg", get(assets::favicon))
        .layer(DefaultBodyLimit::max(FORM_BODY))
        .layer(axum::middleware::from_fn_with_state(app.clone(), visitor::around))
}

/// `GET /console`: where the person's role begins.
async fn begin(desk: visitor::Desk) -> Redirect {
    Redirect::to(page::home(desk.staff.account.role))
}

/// Cases, evidence, enterprises, devices, hearings.
fn case_pages() -> Router<App> {
    Router::new()
        .route("/console/cases", get(cases::list))
        .route("/console/cases.csv", get(cases::csv))
        .route("/console/cases/{case}", get(cases::overview))
        .route("/console/cases/{case}/timeline", get(cases::timeline))
        .route("/console/cases/{case}/records", get(cases::records))
        .route("/console/cases/{case}/evidence", get(cases::gallery))
        .route("/console/cases/{case}/evidence/{evidence}", get(cases::item))
        .route("/console/cases/{case}/documents", get(cases::documents))
        .route("/console/cases/{case}/deadlines", get(cases::deadlines))
        .route("/console/documents", get(cases::found_documents))
        .route("/console/originals/{sha256}", get(evidence::original))
        .route("/console/previews/{size}/{sha256}", get(evidence::preview))
        .route("/console/operations/{id}/message", get(evidence::message))
        .route("/console/operations/{id}/signature", get(evidence::signature))
        .route("/console/operations/{id}/key", get(evidence::public_key))
        .route("/console/enterprises", get(enterprises::list))
        .route("/console/enterprises.csv", get(enterprises::csv))
        .route("/console/enterprises/{id}", get(enterprises::page))
        .route("/console/duplicates", get(enterprises::duplicates))
        .route("/console/devices", get(devices::page))
        .route("/console/forks/{device}/{incarnation}/{seq}", get(work::fork_proof))
        .route("/console/hearing", get(hearing::list))
        .route("/console/hearing/{case}", get(hearing::case).post(hearing::begin))
        .route("/console/hearing/bundles/{job}", get(hearing::bundle))
}
