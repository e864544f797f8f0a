//! Settings of a person, and the glossary that every term links to.

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::accounts;
use super::error::PageError;
use super::page::{Area, Page, html};
use super::session::one;
use super::visitor::Desk;
use crate::api::App;

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    page: Page,
    /// The person may read the access log.
    access_log: bool,
    terms: Vec<Term>,
}

/// A term with what it means here.
struct Term {
    id: &'static str,
    name: String,
    meaning: String,
}

/// Terms of the glossary: the catalogue has `glossary.<id>` and `glossary.<id>.meaning`.
const TERMS: &[&str] = &[
    "seal",
    "sealing_up",
    "bracket",
    "checkpoint",
    "witness",
    "anchored",
    "attest",
    "conflict",
    "quarantine",
    "acquisition",
    "claim",
    "receipt",
    "fork",
    "gap",
    "roll",
    "server_held",
    "freeze",
    "bundle",
    "overdue",
    "return",
];

/// `GET /console/settings`
pub async fn page(State(app): State<App>, desk: Desk) -> Result<Response, PageError> {
    let words = desk.words();
    let page = Page::of(&app, &desk, Area::Other, words.t("console.nav.settings")).await?;
    let terms = TERMS.iter().map(|id| Term {
        id,
        name: words.t(&format!("glossary.{id}")),
        meaning: words.t(&format!("glossary.{id}.meaning")),
    });
    html(&SettingsPage {
        page,
        access_log: desk.staff.account.role != accounts::Role::Legal,
        terms: terms.collect(),
    })
}

#[derive(Deserialize)]
pub struct Change {
    shortcuts: Option<String>,
}

/// `POST /console/settings`
pub async fn change(State(app): State<App>, desk: Desk, Form(change): Form<Change>) -> Result<Response, PageError> {
    let ledger = &*app.server.ledger;
    if let Some((mut account, version)) = accounts::find(ledger, &desk.staff.account.user).await? {
        account.shortcuts = change.shortcuts.is_some();
        ledger.commit(one(accounts::swap(&account, version)?)).await?;
    }
    Ok(Redirect::to("/console/settings").into_response())
}

#[cfg(test)]
mod tests {
    use fieldseal_core::catalogue::exists;

    #[test]
    fn every_term_is_explained() {
        for id in super::TERMS {
            assert!(
                exists(&format!("glossary.{id}")) && exists(&format!("glossary.{id}.meaning")),
                "{id}"
            );
        }
    }
}
