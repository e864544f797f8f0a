//! The record plane: push, head, index receipts.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use fieldseal_core::catalogue::Param;
use fieldseal_proof::encoding::base64;
use fieldseal_proof::ids::Link;
use fieldseal_proof::receipt::IndexReceipt;
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::caller::Caller;
use super::devices::{Call, note_contact};
use super::limits::{Plane, Sending};
use super::problem::Problem;
use crate::ledger::{Chain, ChainKey, RunState, Stored};

/// Runs that one index receipt names at most; the client asks for the rest from there.
const RUNS_MOST: usize = 10_000;
/// Operations that one index receipt is made from at most; the client asks for the rest from there.
const OPERATIONS_MOST: u64 = 2_000;

fn chain(device: &str, incarnation: &str) -> Result<ChainKey, Problem> {
    let device = device.parse().map_err(|_| Problem::not_found())?;
    Ok(ChainKey {
        device,
        incarnation: incarnation.parse().map_err(|_| Problem::not_found())?,
    })
}

fn head_json(head: Option<(u64, Link)>) -> Value {
    head.map_or(
        Value::Null,
        |(seq, link)| json!({ "seq": seq, "link": link.to_string() }),
    )
}

/// Who may push to this chain: all of it is settled before a byte of the body is read. The server's own share is taken only when
/// the body is here.
pub struct Pushing {
    caller: Caller,
    key: ChainKey,
    sending: Sending,
}

impl FromRequestParts<App> for Pushing {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let named = Path::<(String, String)>::from_request_parts(parts, app).await;
        let Path((device, incarnation)) = named.map_err(|_| Problem::not_found())?;
        let key = chain(&device, &incarnation)?;
        let own = caller.device == Some(key.device);
        // What a device signed is taken from itself also after its key was revoked. A rescue file may be handed in by a
        // supervisor or an administrator; everything in it is signed by its device.
        let caller = if own { caller.author()?.0 } else { caller.enrolled()? };
        if caller.token.role == "tablet" && !own {
            return Err(Problem::forbidden("supervisor"));
        }
        let sending = app.pools.sending(Plane::Push, caller.share).await?;
        Ok(Self { caller, key, sending })
    }
}

/// `POST /v1/log/{device}/{incarnation}`
pub async fn push(
    State(app): State<App>,
    Pushing { caller, key, sending }: Pushing,
    body: Bytes,
) -> Result<Response, Problem> {
    let _turn = app.pools.arrived(sending).await?;
    let length = body.len();
    let admission = app.server.ingest.admit(key, body.into()).await?;
    metrics::counter!("operations_admitted_total").increment(admission.results.len() as u64);
    metrics::counter!("push_bytes_total").increment(length as u64);
    if let Some(fault) = admission.fault {
        let seq = admission.results.last().map_or(fault.at as u64, |last| last.seq + 1);
        tracing::info!(code = fault.code, at = fault.at, "a batch ended early");
        let mut params = vec![("seq", Param::Count(seq))];
        if fault.code == "frame_malformed" {
            params.push(("detail", Param::text(fault.detail)));
        }
        let receipt = base64(&admission.receipt);
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, fault.code, params)
            .with("seq", json!(seq))
            .with("head", head_json(admission.head))
            .with("receipt", json!(receipt)));
    }
    note_contact(&app, &caller, Call::Push(admission.results.len())).await?;
    let results: Vec<Value> = admission
        .results
        .iter()
        .map(|r| json!({ "seq": r.seq, "id": r.id.to_string(), "outcome": r.outcome.as_str() }))
        .collect();
    let checkpoint = app.server.published.borrow().note.clone();
    let time_note = app.server.time.current().await?;
    Ok(Json(json!({
        "head": head_json(admission.head),
        "results": results,
        "receipt": base64(&admission.receipt),
        "checkpoint": text_or_null(&checkpoint),
        "time_note": text_or_null(&time_note),
    }))
    .into_response())
}

/// A note as JSON text; `null` before the first checkpoint.
pub fn text_or_null(note: &[u8]) -> Value {
    if note.is_empty() {
        Value::Null
    } else {
        json!(String::from_utf8_lossy(note))
    }
}

/// Any enrolled device; a revoked one learns only what became of its own operations.
fn reader(caller: Caller, key: ChainKey) -> Result<Caller, Problem> {
    if caller.device == Some(key.device) {
        caller.author().map(|(caller, _)| caller)
    } else {
        caller.enrolled()
    }
}

/// `GET /v1/log/{device}/{incarnation}/head`
pub async fn head(
    State(app): State<App>,
    caller: Caller,
    Path((device, incarnation)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let key = chain(&device, &incarnation)?;
    reader(caller, key)?;
    let chain = app.server.ingest.chain(key).await?;
    let main = chain.main().ok_or_else(Problem::not_found)?;
    Ok(Json(head_json(Some((main.last_seq, main.link)))))
}

/// Leaves the operations of one branch, for the runs of a receipt may not overlap. That of `link` ends where another branch begins:
/// which of them the reader is on, it says when it asks from there. Who names no link is told of the first branch.
fn retain_branch(stored: &mut Vec<Stored>, chain: &Chain, from: u64, link: Option<&str>) {
    let forks = || chain.runs.iter().filter(|run| run.state == RunState::Fork);
    if forks().next().is_none() {
        return;
    }
    let link = link.and_then(|text| text.parse::<Link>().ok());
    let meant = link.and_then(|link| stored.iter().find(|one| one.seq == from && one.link == link));
    match meant.map(|one| one.run) {
        Some(run) => {
            let end = forks().map(|fork| fork.first_seq).filter(|first| *first > from).min();
            stored.retain(|one| one.run == run && end.is_none_or(|end| one.seq < end));
        }
        None => {
            let on_fork = |one: &Stored| forks().any(|fork| fork.number == one.run);
            stored.retain(|one| !on_fork(one));
        }
    }
}

#[derive(Deserialize)]
pub struct From {
    #[serde(default)]
    from: u64,
    /// Device link after the operation `from`: which branch is meant, where there are several.
    link: Option<String>,
}

/// `GET /v1/log/{device}/{incarnation}/receipts?from=SEQ&link=LINK`
pub async fn receipts(
    State(app): State<App>,
    caller: Caller,
    Path((device, incarnation)): Path<(String, String)>,
    Query(query): Query<From>,
) -> Result<Response, Problem> {
    let key = chain(&device, &incarnation)?;
    let caller = reader(caller, key)?;
    let _turn = app.pools.turn(Plane::Pull, caller.share).await?;
    let published = app.server.published.borrow().clone();
    let last = query.from.saturating_add(OPERATIONS_MOST - 1);
    let mut stored = app.server.ledger.stored(key, query.from, last).await?;
    let held = app.server.ingest.chain(key).await?;
    retain_branch(&mut stored, &held, query.from, query.link.as_deref());
    let mut runs: Vec<(u64, u64, u64)> = Vec::new();
    for one in stored.iter().filter(|one| one.leaf < published.size) {
        if let Some((leaf, first, count)) = runs.last_mut()
            && (one.leaf, one.seq) == (*leaf + *count, *first + *count)
        {
            *count += 1;
        } else if runs.len() < RUNS_MOST {
            runs.push((one.leaf, one.seq, 1));
        } else {
            break;
        }
    }
    let receipt = IndexReceipt {
        device: key.device,
        incarnation: key.incarnation,
        runs,
        checkpoint: published.note,
    };
    Ok(([(header::CONTENT_TYPE, "application/cbor")], receipt.encode()).into_response())
}
