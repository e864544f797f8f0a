//! Original bytes, their receipts, and rule packs.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fieldseal_proof::encoding::from_base64;
use fieldseal_proof::ids::from_hex;
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::caller::Caller;
use super::limits::Plane;
use super::problem::Problem;
use crate::ledger::blob::{Stored, open_range};
use crate::ledger::space;

#[derive(Deserialize)]
pub struct Have {
    sha256: Vec<String>,
}

fn hash(text: &str) -> Result<[u8; 32], Problem> {
    from_hex(text)
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(Problem::not_found)
}

/// `POST /v1/blobs/have`: speaks only of blobs that an operation of this device names.
pub async fn have(State(app): State<App>, caller: Caller, Json(asked): Json<Have>) -> Result<Json<Value>, Problem> {
    let (caller, device) = caller.author()?;
    let _turn = app.pools.turn(Plane::Pull, caller.share).await?;
    let mut missing = Vec::new();
    for text in &asked.sha256 {
        let sha256 = hash(text).map_err(|_| Problem::bad_request("a hash is not 64 hex digits"))?;
        let named = app
            .server
            .ledger
            .blob_refs(sha256)
            .await?
            .iter()
            .any(|named| named.device == device);
        if named && app.server.uploads.blob(&sha256).await?.is_none() {
            missing.push(text);
        }
    }
    Ok(Json(json!({ "missing": missing })))
}

/// `GET /v1/blobs/{sha256}/receipt`
pub async fn receipt(State(app): State<App>, caller: Caller, Path(sha256): Path<String>) -> Result<Response, Problem> {
    let absent = || Problem::new(StatusCode::NOT_FOUND, "blob_absent", []);
    let key = hash(&sha256)?;
    if caller.revoked {
        // What became of its own files it may still learn; of others' nothing.
        let (_, device) = caller.author()?;
        let refs = app.server.ledger.blob_refs(key).await?;
        if !refs.iter().any(|named| named.device == device) {
            return Err(absent());
        }
    } else {
        caller.enrolled()?;
    }
    let blob = app.server.uploads.blob(&key).await?.ok_or_else(absent)?;
    let receipt = from_base64(&blob.receipt).ok_or_else(|| Problem::internal(&"a stored receipt is not base64"))?;
    Ok(([(header::CONTENT_TYPE, "application/cbor")], receipt).into_response())
}

/// `GET /v1/blobs/{sha256}`: original bytes; every read is logged, and its custody signed.
pub async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(sha256): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = caller.enrolled()?;
    let turn = app.pools.turn(Plane::Blobs, caller.share).await?;
    let key = hash(&sha256)?;
    let refs = app.server.ledger.blob_refs(key).await?;
    let mut allowed = false;
    for named in &refs {
        allowed |= Some(named.device) == caller.device || caller.may_read(&app, named.case).await?;
    }
    if !allowed {
        return Err(Problem::not_found());
    }
    let absent = || Problem::new(StatusCode::NOT_FOUND, "blob_absent", []);
    let blob = app.server.uploads.blob(&key).await?.ok_or_else(absent)?;
    let unsatisfiable = || Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "range_unsatisfiable", []);
    let range = match headers.get(header::RANGE).and_then(|value| value.to_str().ok()) {
        Some(text) => Some(one_range(text, blob.size).ok_or_else(unsatisfiable)?),
        None => None,
    };
    let access = caller.access(&app, "blob.read", sha256);
    app.server.custody.accessed(&app.server.ingest, key, access).await?;
    let (from, to) = range.unwrap_or((0, blob.size));
    let stored = Stored {
        object: blob.object.clone(),
        size: blob.size,
    };
    let parts = open_range(app.server.blobs.clone(), &app.server.keys.vault, stored, from, to).await?;
    let segments = parts.map(move |part| {
        let _held = &turn;
        part
    });
    let mut answer = Response::builder()
        .header(header::CONTENT_TYPE, &blob.media_type)
        .header(header::CONTENT_LENGTH, to - from)
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::CONTENT_DISPOSITION, "attachment")
        .header(header::CACHE_CONTROL, "private, no-store");
    if range.is_some() {
        let shown = format!("bytes {from}-{}/{}", to - 1, blob.size);
        answer = answer
            .status(StatusCode::PARTIAL_CONTENT)
            .header(header::CONTENT_RANGE, shown);
    }
    answer
        .body(Body::from_stream(segments))
        .map_err(|e| Problem::internal(&e))
}

/// One byte range as `[from, to)`; several ranges are not served.
fn one_range(text: &str, size: u64) -> Option<(u64, u64)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let (from, to) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(from), Ok(last)) => (from, last.checked_add(1)?.min(size)),
        (Ok(from), Err(_)) if last.is_empty() => (from, size),
        (Err(_), Ok(count)) if first.is_empty() => (size.saturating_sub(count), size),
        _ => return None,
    };
    (from < to && to <= size).then_some((from, to))
}

/// `GET /v1/packs`
pub async fn packs(State(app): State<App>, caller: Caller) -> Result<Json<Value>, Problem> {
    caller.enrolled()?;
    let packs = app.server.ledger.registers(space::PACK, Vec::new(), 1_000).await?;
    Ok(Json(
        json!({ "packs": packs.iter().map(|pack| json!({ "hash": hex::encode(&pack.key), "size": pack.value.len() })).collect::<Vec<_>>() }),
    ))
}

/// `GET /v1/packs/{hash}`
pub async fn pack(State(app): State<App>, caller: Caller, Path(pack): Path<String>) -> Result<Response, Problem> {
    caller.enrolled()?;
    let held = app
        .server
        .ledger
        .register(space::PACK, hash(&pack)?.to_vec())
        .await?
        .ok_or_else(Problem::not_found)?;
    Ok(([(header::CONTENT_TYPE, "application/cbor")], held.value).into_response())
}

#[cfg(test)]
mod tests {
    use super::one_range;

    #[test]
    fn ranges() {
        assert_eq!(one_range("bytes=0-0", 10), Some((0, 1)));
        assert_eq!(one_range("bytes=4-", 10), Some((4, 10)));
        assert_eq!(one_range("bytes=-3", 10), Some((7, 10)));
        assert_eq!(one_range("bytes=5-99", 10), Some((5, 10)));
        for bad in [
            "bytes=10-",
            "bytes=5-4",
            "bytes=",
            "bytes=a-b",
            "items=0-1",
            "bytes=0-1,3-4",
            "bytes=-0",
        ] {
            assert_eq!(one_range(bad, 10), None, "{bad}");
        }
    }
}
