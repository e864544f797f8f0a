//! The form of a new assignment.

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::Response;
use fieldseal_core::catalogue::Message;
use fieldseal_core::domain::view::People;
use fieldseal_proof::ids::{DeviceId, EnterpriseId};
use fieldseal_proof::key_log::Purpose;
use serde::Deserialize;

use super::super::accounts::Role;
use super::super::error::PageError;
use super::super::form::Fields;
use super::super::page::{Area, Page, html};
use super::super::visitor::Desk;
use super::super::words::Words;
use super::action::{Action, Assignment};
use super::simple::device_name;
use super::{board, incomplete, prepared, state};
use crate::api::App;
use crate::ledger::{LineKind, LineQuery, SearchWords};
use crate::projection::EnterpriseLine;

/// Something to choose.
struct Choice {
    id: String,
    word: String,
    chosen: bool,
}

/// A line of the pack's checklist, in the page's language where the pack has it.
struct Item {
    id: String,
    word: String,
    lang: &'static str,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "act/assign.html")]
struct AssignForm {
    page: Page,
    query: String,
    enterprises: Vec<Choice>,
    /// Enterprises with these words that the form does not offer.
    more: u64,
    officers: Vec<Choice>,
    tablets: Vec<Choice>,
    items: Vec<Item>,
    title: String,
    place: String,
    planned: String,
    remark: String,
    warnings: Vec<String>,
    problem: Option<String>,
}

#[derive(Deserialize)]
pub struct Wish {
    #[serde(default)]
    enterprise: String,
    #[serde(default)]
    name: String,
}

/// Enterprises that the form offers at once; more are found by name.
const OFFERED: u64 = 50;

/// `GET /console/act/assign?enterprise=&name=`
pub async fn form(State(app): State<App>, desk: Desk, Query(wish): Query<Wish>) -> Result<Response, PageError> {
    let fields = Fields(vec![("enterprise".into(), wish.enterprise), ("name".into(), wish.name)]);
    shown(&app, &desk, &fields, None, Vec::new()).await
}

/// `POST /console/act/assign`
pub async fn send(
    State(app): State<App>,
    desk: Desk,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let fields = Fields(form);
    let Ok(enterprise) = fields.text("enterprise").parse::<EnterpriseId>() else {
        return shown(
            &app,
            &desk,
            &fields,
            Some(Message::new("console.assign.choose_enterprise", [])),
            Vec::new(),
        )
        .await
        .map(incomplete);
    };
    let title = match fields.text("title").trim() {
        "" => state::enterprise(&app, enterprise)
            .await?
            .and_then(|known| known.get("name").map(|names| names.join(" / ")))
            .unwrap_or_default(),
        title => title.to_owned(),
    };
    let plan = Assignment {
        enterprise,
        title,
        place: fields.text("place").to_owned(),
        planned: fields.text("planned").to_owned(),
        remark: fields.text("remark").to_owned(),
        officers: fields.ids("officer")?,
        devices: fields.ids("tablet")?,
        items: fields.all("item").into_iter().map(str::to_owned).collect(),
    };
    // Whoever assigns sees once what speaks against it, and may go on all the same.
    if fields.text("warned").is_empty() {
        let warnings = board::warnings(&app, desk.words(), &plan).await?;
        if !warnings.is_empty() {
            return shown(&app, &desk, &fields, None, warnings).await;
        }
    }
    prepared(&app, &desk, Action::Assign(Box::new(plan)), "", async |message| {
        shown(&app, &desk, &fields, Some(message), Vec::new()).await
    })
    .await
}

async fn shown(
    app: &App,
    desk: &Desk,
    fields: &Fields,
    message: Option<Message>,
    warnings: Vec<String>,
) -> Result<Response, PageError> {
    desk.staff.needs(Role::Supervisor)?;
    let words = desk.words();
    let mut page = Page::of(app, desk, Area::Assign, words.t("console.assign.new")).await?;
    page = page.crumb("/console/assign", words.t("console.nav.assign"));
    page.error = message.is_some();
    page.switch = super::super::language::link("/console/act/assign", words.other());
    let key_log = app.server.ingest.key_log();
    let people = People::of(&key_log.log);
    let officers = people
        .all()
        .filter(|officer| !officer.revoked && officer.role != "supervisor")
        .map(|officer| Choice {
            id: officer.officer.to_string(),
            word: format!("{} {}", officer.name, officer.certificate),
            chosen: fields.all("officer").contains(&officer.officer.to_string().as_str()),
        });
    let mut officers: Vec<Choice> = officers.collect();
    officers.sort_by(|a, b| a.word.cmp(&b.word));
    let mut tablets = Vec::new();
    for (_, key) in key_log.log.keys() {
        let stands = key.record.purpose == Purpose::Operation
            && key.revoked_at.is_none()
            && key.role.as_deref() == Some("tablet");
        let Some(subject) = key.subject.filter(|_| stands) else {
            continue;
        };
        let id = DeviceId::from_bytes(subject).to_string();
        tablets.push(Choice {
            word: device_name(app, &id).await?,
            chosen: fields.all("tablet").contains(&id.as_str()),
            id,
        });
    }
    tablets.sort_by(|a, b| a.word.cmp(&b.word));
    let pack = state::pack(app).await?;
    let items = pack.iter().flat_map(|pack| pack.items()).map(|item| Item {
        id: item.id.clone(),
        word: item.text.text(words.lang).to_owned(),
        lang: Words {
            lang: item.text.language(words.lang),
        }
        .tag(),
        chosen: fields.all("item").contains(&item.id.as_str()),
    });
    let (enterprises, found) = offered(app, fields.text("name"), fields.text("enterprise")).await?;
    html(&AssignForm {
        query: fields.text("name").to_owned(),
        more: found.saturating_sub(OFFERED),
        enterprises,
        officers,
        tablets,
        items: items.collect(),
        title: fields.text("title").to_owned(),
        place: fields.text("place").to_owned(),
        planned: fields.text("planned").to_owned(),
        remark: fields.text("remark").to_owned(),
        warnings,
        problem: message.map(|message| message.text(words.lang)),
        page,
    })
}

/// Enterprises whose name, code or address has the words, the chosen one first, and how many there are in all.
async fn offered(app: &App, typed: &str, chosen: &str) -> Result<(Vec<Choice>, u64), PageError> {
    let mut query = LineQuery::new(LineKind::Enterprise, SearchWords::parse(typed));
    query.limit = OFFERED;
    let found = app.server.ledger.lines(query).await?;
    let known = found
        .lines
        .iter()
        .filter_map(|line| serde_json::from_slice::<EnterpriseLine>(&line.shown).ok());
    let mut all: Vec<Choice> = known
        .filter(|line| line.same_as.is_none() && line.enterprise != chosen)
        .map(|line| named(line.enterprise, line.names, line.address))
        .collect();
    all.sort_by(|a, b| a.word.cmp(&b.word));
    if let Ok(id) = chosen.parse::<EnterpriseId>()
        && let Some(fields) = state::enterprise(app, id).await?
    {
        let said = |field: &str| fields.get(field).cloned().unwrap_or_default();
        let mut first = named(id.to_string(), said("name"), said("address").pop());
        first.chosen = true;
        all.insert(0, first);
    }
    Ok((all, found.total))
}

fn named(id: String, names: Vec<String>, address: Option<String>) -> Choice {
    let parts = [Some(names.join(" / ")), address];
    let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    Choice {
        word: parts.join(" · "),
        chosen: false,
        id,
    }
}
