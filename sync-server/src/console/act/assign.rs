//! The form of a new assignment.

use std::collections::BTreeMap;

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
use super::action::{Action, Assignment};
use super::simple::device_name;
use super::{prepared, state};
use crate::api::App;

/// Something to choose.
struct Choice {
    id: String,
    word: String,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "act/assign.html")]
struct AssignForm {
    page: Page,
    query: String,
    enterprises: Vec<Choice>,
    officers: Vec<Choice>,
    tablets: Vec<Choice>,
    items: Vec<Choice>,
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
const OFFERED: usize = 50;

/// `GET /console/act/assign?enterprise=&name=`
pub async fn form(State(app): State<App>, desk: Desk, Query(wish): Query<Wish>) -> Result<Response, PageError> {
    let fields = Fields(vec![("enterprise".into(), wish.enterprise), ("name".into(), wish.name)]);
    shown(&app, &desk, &fields, None).await
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
        )
        .await;
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
    prepared(&app, &desk, Action::Assign(Box::new(plan)), "", async |message| {
        shown(&app, &desk, &fields, Some(message)).await
    })
    .await
}

async fn shown(app: &App, desk: &Desk, fields: &Fields, message: Option<Message>) -> Result<Response, PageError> {
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
    let items = pack.iter().flat_map(|pack| pack.items()).map(|item| Choice {
        id: item.id.clone(),
        word: item.text.text(words.lang).to_owned(),
        chosen: fields.all("item").contains(&item.id.as_str()),
    });
    html(&AssignForm {
        query: fields.text("name").to_owned(),
        enterprises: offered(app, fields.text("name"), fields.text("enterprise")).await?,
        officers,
        tablets,
        items: items.collect(),
        title: fields.text("title").to_owned(),
        place: fields.text("place").to_owned(),
        planned: fields.text("planned").to_owned(),
        remark: fields.text("remark").to_owned(),
        warnings: Vec::new(),
        problem: message.map(|message| message.text(words.lang)),
        page,
    })
}

/// Enterprises whose name, code or address holds what was typed; the chosen one first.
async fn offered(app: &App, typed: &str, chosen: &str) -> Result<Vec<Choice>, PageError> {
    let rows = app
        .server
        .ledger
        .fields(*app.server.ingest.tenant().as_bytes(), "enterprise/".into())
        .await?;
    let mut known: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for row in rows {
        let mut parts = row.path.splitn(3, '/');
        let (Some(_), Some(id), Some(field)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let texts = state::values(&row.held)
            .iter()
            .filter_map(|v| v.as_text().map(str::to_owned))
            .collect::<Vec<_>>();
        let entry = known.entry(id.to_owned()).or_default();
        entry.insert(field.to_owned(), texts.join(" / "));
        if field == "same_as" {
            entry.insert("joined".into(), String::new());
        }
    }
    let typed = typed.trim().to_lowercase();
    let fits = |fields: &BTreeMap<String, String>| {
        typed.is_empty() || fields.values().any(|text| text.to_lowercase().contains(&typed))
    };
    let mut all: Vec<Choice> = known
        .into_iter()
        .filter(|(id, fields)| id == chosen || (!fields.contains_key("joined") && fits(fields)))
        .map(|(id, fields)| {
            let said = |field: &str| fields.get(field).cloned().unwrap_or_default();
            Choice {
                chosen: id == chosen,
                word: [said("name"), said("address")]
                    .into_iter()
                    .filter(|t| !t.is_empty())
                    .collect::<Vec<_>>()
                    .join(" · "),
                id,
            }
        })
        .collect();
    all.sort_by(|a, b| (!a.chosen, &a.word).cmp(&(!b.chosen, &b.word)));
    all.truncate(OFFERED);
    Ok(all)
}
