//! The key log over HTTP.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use fieldseal_proof::key_log::Entry;
use futures_util::FutureExt;
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::caller::Caller;
use super::problem::Problem;
use crate::ledger::LedgerStore;
use crate::office::enrolments::consequences;

#[derive(Deserialize)]
pub struct From {
    #[serde(default)]
    from: u64,
}

/// `GET /v1/key-log?from=N`
pub async fn read(State(app): State<App>, caller: Caller, Query(query): Query<From>) -> Result<Response, Problem> {
    caller.enrolled()?;
    let rows = app.server.ledger.key_log(query.from).await?;
    let frames: Vec<u8> = rows.into_iter().flat_map(|row| row.frame).collect();
    Ok(([(header::CONTENT_TYPE, "application/cbor-seq")], frames).into_response())
}

/// `POST /v1/admin/key-log`
pub async fn append(State(app): State<App>, caller: Caller, body: Bytes) -> Result<Json<Value>, Problem> {
    let caller = caller.admin()?;
    let after = |ledger: Arc<dyn LedgerStore>, entries: Vec<Entry>| {
        async move { consequences(&*ledger, &entries).await }.boxed()
    };
    let size = app.server.ingest.append_key_log(&body, after).await?;
    caller.log(&app, "key_log.append", size.to_string()).await?;
    Ok(Json(json!({ "key_log_size": size })))
}
