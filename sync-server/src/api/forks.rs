//! Devices that signed two histories: the list, and each proof as a file.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::App;
use super::caller::Caller;
use super::limits::Plane;
use super::problem::Problem;
use crate::forks;
use crate::ledger::ChainKey;

/// `GET /v1/forks`
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Value>, Problem> {
    let caller = office(caller)?;
    let _turn = app.pools.turn(Plane::Pull, caller.share).await?;
    let found = forks::all(&*app.server.ledger).await?;
    let item = |fork: &forks::KeptFork| {
        let operations = fork.shown.operations.iter().map(|operation| {
            let header = operation.header();
            json!({
                "id": operation.id().to_string(), "incarnation": header.incarnation.to_string(), "seq": header.seq,
                "kind": header.kind, "case": header.case.map(|case| case.to_string()),
            })
        });
        let ChainKey { device, incarnation } = fork.chain;
        json!({
            "device": device.to_string(), "incarnation": incarnation.to_string(), "seq": fork.seq,
            "fork": fork.shown.fork.as_str(), "operations": operations.collect::<Vec<_>>(),
            "proof": format!("/v1/forks/{device}/{incarnation}/{}", fork.seq),
        })
    };
    Ok(Json(json!({ "items": found.iter().map(item).collect::<Vec<_>>() })))
}

/// `GET /v1/forks/{device}/{incarnation}/{seq}`
pub async fn proof(
    State(app): State<App>,
    caller: Caller,
    Path((device, incarnation, seq)): Path<(String, String, u64)>,
) -> Result<Response, Problem> {
    let caller = office(caller)?;
    let _turn = app.pools.turn(Plane::Pull, caller.share).await?;
    let chain = ChainKey {
        device: device.parse().map_err(|_| Problem::not_found())?,
        incarnation: incarnation.parse().map_err(|_| Problem::not_found())?,
    };
    let fork = forks::find(&*app.server.ledger, chain, seq).await?;
    let fork = fork.ok_or_else(Problem::not_found)?;
    let name = forks::file_name(chain, seq);
    let headers = [
        (header::CONTENT_TYPE, "application/cbor".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((headers, fork.proof.encode()).into_response())
}

/// Supervisors and administrators: a proof names a device and nobody, and a tablet has no use for it.
fn office(caller: Caller) -> Result<Caller, Problem> {
    let caller = caller.enrolled()?;
    match caller.token.role.as_str() {
        "tablet" => Err(Problem::forbidden("supervisor")),
        _ => Ok(caller),
    }
}
