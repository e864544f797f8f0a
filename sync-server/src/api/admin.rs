//! What an administrator does over HTTP. Trust is not given here: it comes from key log entries that the administrator signs.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use fieldseal_core::catalogue::Param;
use fieldseal_core::domain::{CreditCode, EnterpriseRecord, Line};
use fieldseal_core::pack::PackFile;
use fieldseal_core::random::{array, uuid};
use fieldseal_proof::cbor::Value as Cbor;
use fieldseal_proof::hash::sha256;
use fieldseal_proof::ids::EnterpriseId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::caller::Caller;
use super::enrol::to_json;
use super::problem::Problem;
use crate::ingest::OwnOperation;
use crate::ledger::{Commit, Swap, space};
use crate::office::enrolments::{self, Invitation, OpenRequest};

/// A code lives a week at most.
const TTL_MOST_S: u64 = 7 * 24 * 3600;
/// Enterprises that one commit takes in.
const IMPORT_STEP: usize = 250;

#[derive(Deserialize)]
pub struct Invite {
    /// `tablet` or `supervisor`.
    kind: String,
    label: String,
    #[serde(default = "hour")]
    ttl_s: u64,
}

fn hour() -> u64 {
    3600
}

/// `POST /v1/admin/invitations`
pub async fn invite(State(app): State<App>, caller: Caller, Json(wish): Json<Invite>) -> Result<Json<Value>, Problem> {
    let caller = caller.admin()?;
    let role = match wish.kind.as_str() {
        "device" => "tablet",
        role @ ("tablet" | "supervisor") => role,
        _ => return Err(Problem::bad_request("kind is neither tablet nor supervisor")),
    };
    if wish.label.is_empty() || wish.label.len() > 200 {
        return Err(Problem::bad_request("label"));
    }
    let secret: [u8; 16] = array(&*app.server.random).map_err(|e| Problem::internal(&e))?;
    let code = hex::encode(secret);
    let expires_ms = app.server.clock.now().wall_ms + wish.ttl_s.clamp(1, TTL_MOST_S) * 1000;
    let invitation = Invitation {
        role: role.into(),
        label: wish.label,
        expires_ms,
        used: None,
    };
    let row = Swap::create(space::INVITATION, sha256(code.as_bytes()), to_json(&invitation)?);
    app.server.ledger.commit(Commit::of(vec![row])).await?;
    caller.log(&app, "invitation", role.to_owned()).await?;
    Ok(Json(json!({ "code": code, "role": role, "expires_ms": expires_ms })))
}

#[derive(Deserialize)]
pub struct Pending {
    /// Those that were refused as well.
    #[serde(default)]
    refused: bool,
}

/// `GET /v1/admin/enrolments?refused=true`
pub async fn pending(
    State(app): State<App>,
    caller: Caller,
    Query(ask): Query<Pending>,
) -> Result<Json<Value>, Problem> {
    let caller = caller.admin()?;
    let mut items = Vec::new();
    for OpenRequest { id, enrolment, .. } in enrolments::open(&*app.server.ledger).await? {
        if enrolment.state != "pending" && !ask.refused {
            continue;
        }
        let mut item = enrolment.asked;
        item["request"] = json!(id);
        item["subject"] = json!(enrolment.subject);
        item["state"] = json!(enrolment.state);
        if let Some(device) = enrolment.device {
            item["device"] = json!(device);
        }
        if let Some(reason) = enrolment.reason {
            item["reason"] = json!(reason);
        }
        items.push(item);
    }
    caller.log(&app, "enrolments.read", items.len().to_string()).await?;
    Ok(Json(json!({ "items": items })))
}

#[derive(Deserialize)]
pub struct Reason {
    reason: String,
}

/// `POST /v1/admin/enrolments/{request}/refuse`
pub async fn refuse(
    State(app): State<App>,
    caller: Caller,
    Path(request): Path<String>,
    Json(wish): Json<Reason>,
) -> Result<Json<Value>, Problem> {
    let caller = caller.admin()?;
    let server = &app.server;
    let now_ms = server.clock.now().wall_ms;
    let refused = enrolments::refuse(&*server.ledger, &request, &wish.reason, now_ms).await?;
    caller.log(&app, "enrolment.refuse", request).await?;
    Ok(Json(
        json!({ "request": refused.id, "state": "refused", "reason": refused.enrolment.reason }),
    ))
}

/// `POST /v1/admin/packs`
pub async fn publish_pack(State(app): State<App>, caller: Caller, body: Bytes) -> Result<Json<Value>, Problem> {
    let caller = caller.admin()?;
    let refused = |error: fieldseal_core::pack::PackFileError| {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "bad_request",
            [("detail", Param::text(error.to_string()))],
        )
    };
    let key_log = app.server.ingest.key_log();
    let bytes = body.clone();
    let hash = tokio::task::spawn_blocking(move || {
        let file = PackFile::decode(&bytes)?;
        file.verify(&key_log.log)?;
        Ok(file.hash())
    })
    .await
    .map_err(|e| Problem::internal(&e))?
    .map_err(refused)?;
    let row = Swap::set(space::PACK, *hash.as_bytes(), Vec::from(body));
    app.server.ledger.commit(Commit::of(vec![row])).await?;
    app.server.ingest.announce();
    caller.log(&app, "pack.publish", hash.to_string()).await?;
    Ok(Json(json!({ "hash": hash.to_string() })))
}

/// `POST /v1/admin/enterprises`: CSV with a heading row; columns by their heading, Chinese or English.
pub async fn enterprises(State(app): State<App>, caller: Caller, body: Bytes) -> Result<Json<Value>, Problem> {
    let caller = caller.admin()?;
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&body);
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text);
    let headings = reader
        .headers()
        .map_err(|e| Problem::bad_request(e.to_string()))?
        .clone();
    let column = |names: &[&str]| headings.iter().position(|heading| names.contains(&heading));
    let name = column(&["name", "企业名称", "单位名称", "名称"])
        .ok_or_else(|| Problem::bad_request("no column name / 企业名称"))?;
    let code = column(&["credit_code", "统一社会信用代码", "信用代码"]);
    let others = [
        column(&["address", "地址", "住所"]),
        column(&["head", "法定代表人", "负责人", "主要负责人"]),
        column(&["phone", "电话", "联系电话"]),
        column(&["industry", "行业"]),
    ];
    let (mut taken, mut refused, mut step) = (0usize, Vec::new(), Vec::new());
    // Cut off within quotation marks: the last row runs on to the end of the file, so it is none.
    let torn = text.iter().filter(|byte| **byte == b'"').count() % 2 == 1;
    let mut records = (2u64..).zip(reader.records()).peekable();
    while let Some((row, record)) = records.next() {
        let last = torn && records.peek().is_none();
        let made = record.map_err(|e| e.to_string()).and_then(|record| {
            if last {
                return Err("the table ends within quotation marks".to_owned());
            }
            let cell = |at: Option<usize>| at.and_then(|at| record.get(at)).filter(|text| !text.is_empty());
            let line = |field, at: Option<usize>| {
                cell(at)
                    .map(|text| Line::parse(field, text))
                    .transpose()
                    .map_err(|e| e.to_string())
            };
            let id = EnterpriseId::from_bytes(uuid(&*app.server.random).map_err(|e| e.to_string())?);
            let raw = cell(code);
            let credit_code = raw.and_then(|raw| CreditCode::parse(raw).ok());
            Ok(EnterpriseRecord {
                enterprise: id,
                name: line("name", Some(name))?.ok_or_else(|| "the name is empty".to_owned())?,
                credit_code_raw: if credit_code.is_some() {
                    None
                } else {
                    line("credit_code", code)?
                },
                credit_code,
                address: line("address", others[0])?,
                head: line("head", others[1])?,
                phone: line("phone", others[2])?,
                industry: line("industry", others[3])?,
            })
        });
        match made {
            Ok(enterprise) => step.push(own(enterprise.act().into_parts().1)),
            Err(reason) => refused.push(json!({ "row": row, "reason": reason })),
        }
        if step.len() == IMPORT_STEP {
            taken += step.len();
            app.server
                .ingest
                .author(std::mem::take(&mut step), Commit::default())
                .await?;
        }
    }
    if !step.is_empty() {
        taken += step.len();
        app.server.ingest.author(step, Commit::default()).await?;
    }
    caller.log(&app, "enterprises.import", taken.to_string()).await?;
    Ok(Json(json!({ "taken": taken, "refused": refused })))
}

fn own(fields: Vec<(String, Cbor)>) -> OwnOperation {
    OwnOperation {
        kind: "enterprise.record",
        case: None,
        inspection: None,
        supersedes: Vec::new(),
        fields,
        audience: None,
    }
}
