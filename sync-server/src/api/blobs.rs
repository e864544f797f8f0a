//! Original bytes, their receipts, and rule packs.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fieldseal_proof::encoding::from_base64;
use fieldseal_proof::ids::from_hex;
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::caller::Caller;
use super::limits::Plane;
use super::problem::Problem;
use super::silence::while_taken;
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
        // What only others have sent is missing too: to know a hash is not to hold the file.
        if named && !app.server.uploads.is_held_by(&sha256, device).await? {
            missing.push(text);
        }
    }
    Ok(Json(json!({ "missing": missing })))
}

/// `GET /v1/blobs/{sha256}/receipt`
pub async fn receipt(State(app): State<App>, caller: Caller, Path(sha256): Path<String>) -> Result<Response, Problem> {
    let absent = || Problem::new(StatusCode::NOT_FOUND, "blob_absent", []);
    let key = hash(&sha256)?;
    // What became of its own files it may learn also after its key was revoked; of others' then nothing.
    let (caller, device) = caller.author()?;
    let own = app.server.uploads.is_held_by(&key, device).await?;
    if !own && (caller.revoked || !may_have(&app, &caller, key).await?) {
        return Err(absent());
    }
    let blob = app.server.uploads.blob(&key).await?.ok_or_else(absent)?;
    let receipt = from_base64(&blob.receipt).ok_or_else(|| Problem::broken("a stored receipt is not base64"))?;
    Ok(([(header::CONTENT_TYPE, "application/cbor")], receipt).into_response())
}

/// Whether the caller may have these bytes: it has shown that it holds them, or they lie in a case that it may read. That an
/// operation names a hash opens nothing: a file lies in a case once a device that holds it has named it there. (A supervisor reads
/// every case, so what she may read does not hang on it.)
async fn may_have(app: &App, caller: &Caller, sha256: [u8; 32]) -> Result<bool, Problem> {
    let holders = app.server.uploads.holders(&sha256).await?;
    if caller.device.is_some_and(|device| holders.contains(&device)) {
        return Ok(true);
    }
    let reads_all = caller.token.role == "supervisor";
    for named in app.server.ledger.blob_refs(sha256).await? {
        if let Some(case) = named.case
            && (reads_all || holders.contains(&named.device))
            && caller.may_read(app, case).await?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `GET /v1/blobs/{sha256}`: original bytes; every read is logged, and its custody signed.
pub async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(sha256): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (caller, _) = caller.device()?;
    let turn = app.pools.turn(Plane::Blobs, caller.share).await?;
    let key = hash(&sha256)?;
    if !may_have(&app, &caller, key).await? {
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
    let silence = app.server.config.limits.silence();
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
        .body(while_taken(parts, turn, silence))
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
