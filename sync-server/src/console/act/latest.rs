//! How the subject of an action stands now: shown to whoever was not the first.

use fieldseal_core::domain::view::People;
use fieldseal_proof::ids::{CaseId, OpId};
use fieldseal_proof::operation::Operation;

use super::super::error::{Latest, PageError};
use super::super::links;
use super::super::words::Words;
use super::action::Action;
use super::readable::{label, value_of};
use super::state;
use crate::api::App;
use crate::console::cases::Wording;
use crate::projection::set_aside_all;

/// The page of the subject, and what stands there.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn of(app: &App, words: Words, action: &Action) -> Result<Latest, PageError> {
    let (href, lines) = match action {
        Action::Decide { case, path, .. } => (links::decide(case, path), field(app, words, *case, path).await?),
        Action::Move { case, .. } => (
            "/console/assign".to_owned(),
            field(app, words, *case, "inspection/planned").await?,
        ),
        Action::Settle { target, .. } => (links::settle(target), aside(app, words, *target).await?),
        Action::Join { keep, .. } => (format!("/console/enterprises/{keep}"), Vec::new()),
        Action::SendBack { case, .. } | Action::Freeze { case, .. } => (format!("/console/cases/{case}"), Vec::new()),
        Action::Assign(_) => ("/console/assign".to_owned(), Vec::new()),
    };
    Ok(Latest { href, lines })
}

/// The values that stand, and who wrote each.
async fn field(app: &App, words: Words, case: CaseId, path: &str) -> Result<Vec<(String, String)>, PageError> {
    let wording = Wording::load(app, words).await?;
    let people = People::of(&app.server.ingest.key_log().log);
    let rows = app.server.ledger.fields(*case.as_bytes(), path.to_owned()).await?;
    let mut lines = Vec::new();
    for row in rows.iter().filter(|row| row.path == path) {
        let values = state::values(&row.held);
        lines.extend(
            values
                .iter()
                .map(|value| (label(words, path), value_of(words, &people, path, value))),
        );
        for id in state::holders(&row.held) {
            lines.extend(author(app, &wording, &people, id).await?);
        }
    }
    Ok(lines)
}

/// Who wrote an operation, when it arrived, and the reason that it gives.
async fn author(app: &App, wording: &Wording, people: &People, id: OpId) -> Result<Vec<(String, String)>, PageError> {
    let words = wording.words;
    let rows = app.server.ledger.operation(id).await?;
    let Some(row) = rows.first() else { return Ok(Vec::new()) };
    let mut lines = vec![(
        words.t("console.act.row.received"),
        format!(
            "{} · {}",
            words.moment(row.received_ms),
            wording.device(&row.chain.device)
        ),
    )];
    if let Some(case) = row.case
        && let Some(fold) = state::of(app, case).await?
    {
        for attest in fold.attests(&id) {
            let rows = app.server.ledger.operation(attest.id).await?;
            let signed = rows.first().and_then(|row| Operation::parse(&row.frame).ok());
            let signed = signed.and_then(|signed| wording.attested_by(app, people, &signed));
            lines.extend(signed.map(|signed| (words.t("console.act.row.who"), signed.sentence().to_owned())));
        }
        let body = Operation::parse(&row.frame).ok();
        let body = body.as_ref().and_then(|operation| operation.body());
        let reason = body
            .iter()
            .flat_map(|body| body.fields())
            .find(|field| field.path.ends_with("/reason"));
        let reason = reason.and_then(|field| fold.text(&field.path));
        lines.extend(reason.map(|reason| (words.t("label.reason"), reason)));
    }
    Ok(lines)
}

/// Whether a record counts now.
async fn aside(app: &App, words: Words, target: OpId) -> Result<Vec<(String, String)>, PageError> {
    let all = set_aside_all(&*app.server.ledger).await?;
    let state = all.get(&target).map(|aside| aside.state.clone()).unwrap_or_default();
    let code = format!("console.act.state.{state}");
    let word = match fieldseal_core::catalogue::exists(&code) {
        true => words.t(&code),
        false => state,
    };
    Ok(vec![(words.t("console.act.settle.state"), word)])
}
