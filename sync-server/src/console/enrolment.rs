//! Enrolment: who can sign for the agency, who waits, and a one-time code for a new tablet. Trust itself is given elsewhere: by an
//! administrator's key, which is never on this server. The pages name the command.

use std::collections::HashMap;

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use fieldseal_core::catalogue::Param;
use fieldseal_core::domain::view::People;
use fieldseal_core::random::array;
use fieldseal_proof::hash::sha256;
use fieldseal_proof::ids::{DeviceId, KeyId, OfficerId, to_hex};
use fieldseal_proof::key_log::{Custody, EnrolledKey, KeyLog, KeyLogFrame, Purpose};
use fieldseal_proof::suite::fingerprint;
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::{self, Deed};
use super::accounts::Role;
use super::cases::Wording;
use super::devices::holders;
use super::error::PageError;
use super::form::Fields;
use super::once::{Code, Use};
use super::page::{Area, Page, html};
use super::visitor::Desk;
use super::words::Words;
use crate::api::App;
use crate::ledger::{Commit, Swap, space};
use crate::office::enrolments::{self, Invitation, OpenRequest};

/// A code on a screen is used at once or never.
const CODE_MS: u64 = 15 * 60_000;

/// A QR code as inline SVG; made here from modules, so it needs no escaping.
struct Qr(String);

impl std::fmt::Display for Qr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl askama::filters::HtmlSafe for Qr {}

struct Shown {
    qr: Qr,
    text: String,
    label: String,
    until: String,
}

struct Waiting {
    request: String,
    kind: String,
    name: String,
    fingerprint: String,
    server_held: bool,
}

struct DeviceRow {
    name: String,
    role: String,
    operation: String,
    cosigner: String,
    custody: String,
    server_held: bool,
    /// Whose keys it carries.
    holders: Vec<String>,
    /// When an administrator enrolled it, by that machine's clock.
    enrolled: String,
    seen: String,
    revoked: bool,
    key: String,
}

struct PersonRow {
    enrolled: String,
    /// A supervisor's key in a browser, or one that the server holds.
    office: bool,
    name: String,
    certificate: String,
    role: String,
    fingerprint: String,
    custody: String,
    server_held: bool,
    revoked: bool,
    key: String,
}

#[derive(Template)]
#[template(path = "enrolment.html")]
struct EnrolmentPage {
    page: Page,
    administrator: bool,
    shown: Option<Shown>,
    expired: bool,
    waiting: Vec<Waiting>,
    devices: Vec<DeviceRow>,
    people: Vec<PersonRow>,
    /// The keys with which supervisors sign in this console.
    office: Vec<PersonRow>,
    size: u64,
    head: String,
    root: String,
}

#[derive(Deserialize)]
pub struct Which {
    #[serde(default)]
    code: String,
}

/// `GET /console/enrolment`
pub async fn page(State(app): State<App>, desk: Desk, Query(which): Query<Which>) -> Result<Response, PageError> {
    desk.staff.needs_one_of(&[Role::Administrator, Role::Supervisor])?;
    let words = desk.words();
    let page = Page::of(&app, &desk, Area::Enrolment, words.t("console.enrolment.title")).await?;
    let now = app.server.clock.now().wall_ms;
    let code = app
        .codes
        .find(Use::Enrolment, &which.code, &desk.staff.account.user, now);
    let expired = !which.code.is_empty() && code.is_none();
    let shown = match code {
        Some(code) => Some(Shown {
            qr: qr(&code.text)?,
            text: code.text,
            label: code.label,
            until: words.clock(code.expires_ms),
        }),
        None => None,
    };
    let enrolled = enrolled(&app).await?;
    let (office, people) = people(&app, words, &enrolled).into_iter().partition(|one| one.office);
    let state = app.server.ingest.key_log();
    let administrator = desk.staff.account.role == Role::Administrator;
    html(&EnrolmentPage {
        shown,
        expired,
        administrator,
        waiting: waiting(&app, words).await?,
        devices: devices(&app, words, &enrolled).await?,
        people,
        office,
        size: state.log.size(),
        head: state.log.head().to_string(),
        root: state
            .log
            .root()
            .map(|root| fingerprint(&key_id(root)))
            .unwrap_or_default(),
        page,
    })
}

fn key_id(key: &EnrolledKey) -> KeyId {
    key.record
        .key()
        .map_or(KeyId::from_bytes([0; 32]), |public| public.key_id())
}

/// `POST /console/enrolment/invite`
pub async fn invite(
    State(app): State<App>,
    desk: Desk,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    desk.staff.needs(Role::Administrator)?;
    let fields = Fields(form);
    let label = fields.text("label").trim().to_owned();
    let role = match fields.text("role") {
        role @ ("tablet" | "supervisor") => role,
        _ => return Err(PageError::bad_request("role")),
    };
    if label.is_empty() || label.chars().count() > 60 || label.chars().any(char::is_control) {
        return Err(PageError::bad_request("label"));
    }
    let random = |_| PageError::broken("no randomness");
    let code = hex::encode(array::<16>(&*app.server.random).map_err(random)?);
    let token = hex::encode(array::<16>(&*app.server.random).map_err(random)?);
    let now = app.server.clock.now().wall_ms;
    let invitation = Invitation {
        role: role.to_owned(),
        label: label.clone(),
        expires_ms: now + CODE_MS,
        used: None,
    };
    let value = serde_json::to_vec(&invitation).map_err(|e| PageError::internal(&e))?;
    let commit = Commit {
        registers: vec![Swap::create(space::INVITATION, sha256(code.as_bytes()), value)],
        accesses: vec![access::line(
            &app,
            &desk.staff,
            Deed::Administered,
            format!("invitation {role}"),
        )],
        ..Commit::default()
    };
    let text = enrolment_text(&app, &code, &label, role)?;
    app.server.ledger.commit(commit).await?;
    let kept = Code {
        of: Use::Enrolment,
        text,
        label,
        expires_ms: now + CODE_MS,
        user: desk.staff.account.user.clone(),
    };
    app.codes.keep(token.clone(), kept, now);
    Ok(Redirect::to(&format!("/console/enrolment?code={token}")).into_response())
}

/// What a device needs to find this server and no other (wire.md, Enrolment text).
fn enrolment_text(app: &App, code: &str, label: &str, role: &str) -> Result<String, PageError> {
    let server = &app.server;
    let card = std::fs::read(server.layout.root.join("card.json")).map_err(|e| PageError::internal(&e))?;
    let card: Value = serde_json::from_slice(&card).map_err(|e| PageError::internal(&e))?;
    let state = server.ingest.key_log();
    let root = state
        .log
        .root()
        .map(|root| to_hex(&root.record.public))
        .unwrap_or_default();
    let inside = json!({
        "url": card["url"], "tls_sha256": card["tls_sha256"], "tenant": state.log.tenant().to_string(), "root": root,
        "log_vkey": card["log_vkey"], "code": code, "label": label, "role": role,
    });
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(inside.to_string());
    Ok(format!("fieldseal:enrol:1:{text}"))
}

fn qr(text: &str) -> Result<Qr, PageError> {
    fieldseal_render::qr_inline(text)
        .map(Qr)
        .map_err(|e| PageError::internal(&e))
}

async fn waiting(app: &App, words: Words) -> Result<Vec<Waiting>, PageError> {
    let open = enrolments::open(&*app.server.ledger).await?;
    let pending = open.into_iter().filter(|request| request.enrolment.state == "pending");
    let shown = pending.map(|OpenRequest { id, enrolment, .. }| {
        let said = |name: &str| enrolment.asked[name].as_str().unwrap_or_default().to_owned();
        let officer = enrolment.kind == "officer";
        Waiting {
            request: id,
            kind: words.t(if officer {
                "console.enrolment.person"
            } else {
                "console.enrolment.device"
            }),
            name: if officer {
                format!("{} {}", said("name"), said("certificate"))
            } else {
                said("label")
            },
            fingerprint: said("fingerprint"),
            server_held: said("custody") == "server",
        }
    });
    Ok(shown.collect())
}

/// When each entry of the key log was signed: the administrator's clock, a claim.
async fn enrolled(app: &App) -> Result<HashMap<u64, u64>, PageError> {
    let rows = app.server.ledger.key_log(0).await?;
    let mut log = KeyLog::new(app.server.ingest.tenant());
    let mut signed = HashMap::new();
    for row in rows {
        let frame = KeyLogFrame::decode(&row.frame).map_err(|e| PageError::internal(&e))?;
        let entry = log.append(&frame).map_err(|e| PageError::internal(&e))?;
        signed.insert(entry.index, entry.wall_ms);
    }
    Ok(signed)
}

fn day(words: Words, enrolled: &HashMap<u64, u64>, entry: u64) -> String {
    enrolled.get(&entry).map_or_else(String::new, |ms| words.day(*ms))
}

async fn devices(app: &App, words: Words, enrolled: &HashMap<u64, u64>) -> Result<Vec<DeviceRow>, PageError> {
    let state = app.server.ingest.key_log();
    let mut rows = Vec::new();
    for (id, key) in state.log.keys().filter(|(_, key)| key.action == "device") {
        if key.record.purpose != Purpose::Operation {
            continue;
        }
        let Some(subject) = key.subject else { continue };
        let device = DeviceId::from_bytes(subject);
        let cosigner = state
            .log
            .keys()
            .find(|(_, other)| other.record.purpose == Purpose::Cosigner && other.enrolled_at == key.enrolled_at);
        let contact = app
            .server
            .ledger
            .register(space::DEVICE, device.as_bytes().to_vec())
            .await?;
        let contact: Option<Value> = contact.and_then(|row| serde_json::from_slice(&row.value).ok());
        let said = |name: &str| contact.as_ref().map(|value| value[name].clone());
        let label = said("label").and_then(|label| label.as_str().map(str::to_owned));
        let held_here = key.record.custody == Custody::Server;
        rows.push(DeviceRow {
            name: label.unwrap_or_else(|| {
                if held_here {
                    words.t("console.device.title")
                } else {
                    device.to_string()
                }
            }),
            role: words.t(&format!(
                "console.enrolment.role.{}",
                if key.role.as_deref() == Some("tablet") {
                    "tablet"
                } else {
                    "supervisor"
                }
            )),
            operation: fingerprint(id),
            cosigner: cosigner.map(|(id, _)| fingerprint(id)).unwrap_or_default(),
            custody: custody(words, key.record.custody),
            server_held: held_here,
            holders: holders(app, device).await?,
            enrolled: day(words, enrolled, key.enrolled_at),
            seen: match said("last_contact_ms").and_then(|at| at.as_u64()) {
                Some(at) => words.minute(at),
                None => words.t("console.enrolment.never"),
            },
            revoked: key.revoked_at.is_some(),
            key: id.to_string(),
        });
    }
    rows.sort_by(|a, b| (a.revoked, &a.name).cmp(&(b.revoked, &b.name)));
    Ok(rows)
}

fn people(app: &App, words: Words, enrolled: &HashMap<u64, u64>) -> Vec<PersonRow> {
    let state = app.server.ingest.key_log();
    let known = People::of(&state.log);
    let keys = state
        .log
        .keys()
        .filter(|(_, key)| key.record.purpose == Purpose::Officer);
    let mut rows: Vec<PersonRow> = keys
        .filter_map(|(id, key)| {
            let officer = known.get(&OfficerId::from_bytes(key.subject?))?;
            let role = key.role.clone().unwrap_or_default();
            Some(PersonRow {
                enrolled: day(words, enrolled, key.enrolled_at),
                office: role == "supervisor",
                name: officer.name.clone(),
                certificate: officer.certificate.clone(),
                role: if role == "supervisor" {
                    words.t("role.supervisor")
                } else {
                    words.t("role.officer")
                },
                fingerprint: fingerprint(id),
                custody: custody(words, key.record.custody),
                server_held: key.record.custody == Custody::Server,
                revoked: key.revoked_at.is_some(),
                key: id.to_string(),
            })
        })
        .collect();
    rows.sort_by(|a, b| (a.revoked, &a.certificate).cmp(&(b.revoked, &b.certificate)));
    rows
}

fn custody(words: Words, custody: Custody) -> String {
    words.t(match custody {
        Custody::Hardware => "console.custody.hardware",
        Custody::Software => "console.custody.software",
        Custody::Server => "glossary.server_held",
    })
}

#[derive(Template)]
#[template(path = "revoke.html")]
struct RevokePage {
    page: Page,
    name: String,
    fingerprint: String,
    key: String,
    revoked: bool,
    /// For a device that is lost: what whoever asks hands to an administrator.
    request: Option<String>,
}

#[derive(Deserialize)]
pub struct Target {
    key: String,
    #[serde(default)]
    lost: String,
}

/// `GET /console/enrolment/revoke?key=`: what revoking does, and the command; the act itself takes the administrator's own key.
pub async fn revoke(State(app): State<App>, desk: Desk, Query(target): Query<Target>) -> Result<Response, PageError> {
    desk.staff.needs_one_of(&[Role::Administrator, Role::Supervisor])?;
    let words = desk.words();
    let id: KeyId = target.key.parse().map_err(|_| PageError::NotFound)?;
    let state = app.server.ingest.key_log();
    let key = state.log.key(&id).ok_or(PageError::NotFound)?;
    let known = People::of(&state.log);
    let person = key
        .subject
        .and_then(|subject| known.get(&OfficerId::from_bytes(subject)).cloned());
    let name = match (person, key.subject) {
        (Some(officer), _) => format!("{} {}", officer.name, officer.certificate),
        (None, Some(subject)) => Wording::load(&app, words).await?.device(&DeviceId::from_bytes(subject)),
        (None, None) => words.t("value.not_applicable"),
    };
    let page = Page::of(&app, &desk, Area::Enrolment, words.t("console.revoke.title")).await?;
    let request = (!target.lost.is_empty() && key.revoked_at.is_none()).then(|| {
        let params = [
            ("name", Param::text(&name)),
            ("fingerprint", Param::text(fingerprint(&id))),
            ("who", Param::text(&desk.staff.account.name)),
            ("time", Param::text(words.minute(app.server.clock.now().wall_ms))),
        ];
        words.all("device.lost_request", &params)
    });
    html(&RevokePage {
        request,
        page: page.crumb("/console/enrolment", words.t("console.enrolment.title")),
        name,
        fingerprint: fingerprint(&id),
        key: id.to_string(),
        revoked: key.revoked_at.is_some(),
    })
}
