//! tus 1.0 over the states of `crate::uploads`: core, creation, creation-with-upload, expiration, termination, checksum.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fieldseal_core::catalogue::Param;
use fieldseal_proof::encoding::from_base64;
use fieldseal_proof::ids::{DeviceId, from_hex};
use futures_util::StreamExt;
use sha2::{Digest, Sha256};

use super::App;
use super::caller::Caller;
use super::limits::{Plane, Turn};
use super::problem::{Problem, checksum_mismatch};
use crate::uploads::{Upload, Writing};

/// A sender that is silent for so long gets its bytes made durable meanwhile.
const IDLE: Duration = Duration::from_millis(400);
/// When somebody asks how far an upload has come, nothing more is on its way to us after so long a silence: the line is dead …
const QUIET: Duration = Duration::from_millis(20);
/// … and one on which bytes go on coming for so long is not dead; then what is here counts.
const LIVELY: Duration = Duration::from_millis(250);
const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const LENGTH: HeaderName = HeaderName::from_static("upload-length");
const EXPIRES: HeaderName = HeaderName::from_static("upload-expires");

fn tus(status: StatusCode, more: &[(HeaderName, String)]) -> Response {
    let mut response = status.into_response();
    let headers = response.headers_mut();
    headers.insert("tus-resumable", HeaderValue::from_static("1.0.0"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in more {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name.clone(), value);
        }
    }
    response
}

/// `OPTIONS /v1/uploads`
pub async fn options(State(app): State<App>) -> Response {
    let extensions = "creation,creation-with-upload,expiration,termination,checksum";
    tus(
        StatusCode::NO_CONTENT,
        &[
            (HeaderName::from_static("tus-version"), "1.0.0".into()),
            (HeaderName::from_static("tus-extension"), extensions.into()),
            (HeaderName::from_static("tus-checksum-algorithm"), "sha256".into()),
            (
                HeaderName::from_static("tus-max-size"),
                app.server.config.limits.upload_bytes.to_string(),
            ),
        ],
    )
}

/// `POST /v1/uploads`
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (caller, device) = caller.author()?;
    let turn = app.pools.turn(Plane::Blobs, caller.share).await?;
    version(&headers)?;
    let size = number(&headers, &LENGTH)?.ok_or_else(|| Problem::bad_request("Upload-Length is missing"))?;
    let Metadata {
        sha256,
        media_type,
        named_by,
    } = metadata(&headers)?;
    let refs = app.server.ledger.blob_refs(sha256).await?;
    // A supervisor hands in the files of another device with its rescue file.
    let handing_in = caller.token.role == "supervisor" && !caller.revoked;
    let named_by = named_by.filter(|_| handing_in);
    let owner = named_by.unwrap_or(device);
    let any = handing_in && named_by.is_none();
    if !refs.iter().any(|named| any || named.device == owner) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "blob_unnamed", []));
    }
    if app.server.uploads.is_held_by(&sha256, owner).await? {
        // Nothing to send: the client reads the receipt. There is no upload to give a place to. Of bytes that only others have
        // sent it is told nothing: it sends them like any other file, and they are kept once.
        return Err(Problem::new(StatusCode::CONFLICT, "already_done", []));
    }
    let uploads = &app.server.uploads;
    let upload = uploads.create(device, sha256, size, media_type, named_by).await?;
    let mut offset = upload.state.offset;
    let streams = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value == "application/offset+octet-stream");
    if streams && offset == 0 && size > 0 {
        offset = received(&app, turn, &upload.id, 0, &headers, body).await?;
    }
    let place = format!("/v1/uploads/{}", upload.id);
    Ok(tus(
        StatusCode::CREATED,
        &[
            (header::LOCATION, place),
            (OFFSET, offset.to_string()),
            (EXPIRES, expires(&upload)),
        ],
    ))
}

/// `HEAD /v1/uploads/{id}`: everything that has arrived, also over a connection that is dead or still at it; it waits for nobody longer
/// than a moment and ends no PATCH.
pub async fn offset(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let upload = own(&app, caller, &id).await?;
    app.server.uploads.caught_up(&id).await;
    let upload = app.server.uploads.find(&upload.id).await?;
    if upload.state.offset == upload.size {
        app.server.uploads.settle(&upload).await?;
    }
    let headers = [
        (OFFSET, upload.state.offset.to_string()),
        (LENGTH, upload.size.to_string()),
        (EXPIRES, expires(&upload)),
    ];
    Ok(tus(StatusCode::OK, &headers))
}

/// `PATCH /v1/uploads/{id}`
pub async fn patch(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    version(&headers)?;
    let turn = app.pools.turn(Plane::Blobs, caller.share).await?;
    let upload = own(&app, caller, &id).await?;
    if headers
        .get(header::CONTENT_TYPE)
        .is_none_or(|value| value != "application/offset+octet-stream")
    {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "bad_request",
            [("detail", Param::text("Content-Type"))],
        ));
    }
    let at = number(&headers, &OFFSET)?.ok_or_else(|| Problem::bad_request("Upload-Offset is missing"))?;
    let offset = received(&app, turn, &id, at, &headers, body).await?;
    Ok(tus(
        StatusCode::NO_CONTENT,
        &[(OFFSET, offset.to_string()), (EXPIRES, expires(&upload))],
    ))
}

/// `DELETE /v1/uploads/{id}`
pub async fn terminate(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let upload = own(&app, caller, &id).await?;
    app.server.uploads.terminate(&upload.id).await?;
    Ok(tus(StatusCode::NO_CONTENT, &[]))
}

/// [`receive`] on a task of its own. With the connection dies its handler, in the middle of whatever it does; what had arrived by then
/// would be lost with it.
async fn received(
    app: &App,
    mut turn: Turn,
    id: &str,
    at: u64,
    headers: &HeaderMap,
    body: Body,
) -> Result<u64, Problem> {
    let (app, id, headers) = (app.clone(), id.to_owned(), headers.clone());
    let task = tokio::spawn(async move { receive(&app, &mut turn, &id, at, &headers, body).await });
    task.await.map_err(|error| Problem::internal(&error))?
}

/// Takes a body in at an offset. What arrived before the connection died, or before another writer came, is kept.
async fn receive(
    app: &App,
    turn: &mut Turn,
    id: &str,
    at: u64,
    headers: &HeaderMap,
    body: Body,
) -> Result<u64, Problem> {
    let expected = checksum(headers)?;
    let uploads = &app.server.uploads;
    let mut writing = uploads.take(id, at).await?;
    let mut hash = expected.as_ref().map(|_| Sha256::new());
    let whole = stream(app, turn, &mut writing, body, &mut hash).await;
    turn.resume().await;
    match whole {
        Err(problem) => {
            uploads.flush(&mut writing).await?;
            Err(problem)
        }
        Ok(complete) => {
            if let (Some(expected), Some(hash), true) = (expected, hash, complete)
                && hash.finalize().as_slice() != expected
            {
                uploads.take_back(writing).await?;
                return Err(Problem::new(checksum_mismatch(), "upload_checksum", []));
            }
            Ok(uploads.done(writing).await?)
        }
    }
}

/// Whether the body came to its end; `false` when another writer wants in or the sender fell silent.
async fn stream(
    app: &App,
    turn: &mut Turn,
    writing: &mut Writing,
    body: Body,
    hash: &mut Option<Sha256>,
) -> Result<bool, Problem> {
    let silence = app.server.config.limits.silence();
    let mut chunks = body.into_data_stream();
    let mut heard = tokio::time::Instant::now();
    let mut questioned = None;
    loop {
        let (mut wanted, mut asked) = (writing.wanted.clone(), writing.asked.clone());
        let (question, answered) = (writing.question(), writing.answered());
        questioned = question.map(|_| questioned.unwrap_or_else(tokio::time::Instant::now));
        let patience = if question.is_some() { QUIET } else { IDLE };
        let chunk = tokio::select! {
            biased;
            _ = wanted.changed() => return Ok(false),
            _ = async { asked.wait_for(|count| *count > answered).await.is_ok() }, if question.is_none() => continue,
            chunk = tokio::time::timeout(patience, chunks.next()) => chunk,
        };
        match chunk {
            Ok(Some(Ok(bytes))) => {
                turn.resume().await;
                if let Some(hash) = hash {
                    hash.update(&bytes);
                }
                metrics::counter!("upload_bytes_total").increment(bytes.len() as u64);
                app.server.uploads.write(writing, &bytes).await?;
                heard = tokio::time::Instant::now();
                if let Some(question) = question
                    && questioned.is_some_and(|since| since.elapsed() >= LIVELY)
                {
                    app.server.uploads.flush(writing).await?;
                    writing.answer(question);
                }
            }
            Ok(None) => return Ok(true),
            // A slow or stalled sender: what came so far is made durable, so that no cut costs more than a moment of it, and others
            // work meanwhile.
            Err(_) if heard.elapsed() < silence => {
                app.server.uploads.flush(writing).await?;
                turn.rest();
                if let Some(question) = question {
                    writing.answer(question);
                }
            }
            // The connection died or is silent. What came is kept by `done`.
            Ok(Some(Err(_))) | Err(_) => return Ok(false),
        }
    }
}

async fn own(app: &App, caller: Caller, id: &str) -> Result<Upload, Problem> {
    let (_, device) = caller.author()?;
    let upload = app.server.uploads.find(id).await?;
    if upload.device != device.to_string() {
        return Err(Problem::new(StatusCode::NOT_FOUND, "upload_unknown", []));
    }
    Ok(upload)
}

fn version(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get("tus-resumable") {
        Some(value) if value == "1.0.0" => Ok(()),
        _ => Err(Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "bad_request",
            [("detail", Param::text("Tus-Resumable: 1.0.0"))],
        )),
    }
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let number = value
        .to_str()
        .ok()
        .filter(|text| text.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|text| text.parse().ok());
    number
        .map(Some)
        .ok_or_else(|| Problem::bad_request(format!("{name} is not a number")))
}

/// What a client says of a file before it sends it.
struct Metadata {
    sha256: [u8; 32],
    media_type: String,
    named_by: Option<DeviceId>,
}

/// `Upload-Metadata: sha256 <base64 of hex>,media_type <base64>,for <base64 of a device's id>`
fn metadata(headers: &HeaderMap) -> Result<Metadata, Problem> {
    let text = headers
        .get("upload-metadata")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let (mut sha256, mut media_type, mut named_by) = (None, "application/octet-stream".to_owned(), None);
    for pair in text.split(',') {
        let (key, value) = pair.trim().split_once(' ').unwrap_or((pair.trim(), ""));
        let value = from_base64(value)
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .unwrap_or_default();
        match key {
            "sha256" => sha256 = from_hex(&value).and_then(|bytes| bytes.try_into().ok()),
            "media_type" if !value.is_empty() && value.len() <= 127 && value.bytes().all(|b| b.is_ascii_graphic()) => {
                media_type = value
            }
            "for" => {
                named_by = Some(
                    value
                        .parse()
                        .map_err(|_| Problem::bad_request("Upload-Metadata: for is no device"))?,
                )
            }
            _ => {}
        }
    }
    let sha256 =
        sha256.ok_or_else(|| Problem::bad_request("Upload-Metadata lacks sha256 (base64 of 64 hex digits)"))?;
    Ok(Metadata {
        sha256,
        media_type,
        named_by,
    })
}

/// `Upload-Checksum: sha256 <base64>`
fn checksum(headers: &HeaderMap) -> Result<Option<Vec<u8>>, Problem> {
    let Some(value) = headers.get("upload-checksum") else {
        return Ok(None);
    };
    let hash = value
        .to_str()
        .ok()
        .and_then(|text| text.strip_prefix("sha256 "))
        .and_then(from_base64);
    hash.filter(|hash| hash.len() == 32)
        .map(Some)
        .ok_or_else(|| Problem::bad_request("Upload-Checksum is not sha256 and base64"))
}

/// RFC 9110 date of the day the upload may be dropped.
fn expires(upload: &Upload) -> String {
    let at = jiff::Timestamp::from_millisecond(i64::try_from(upload.expires_ms).unwrap_or(i64::MAX))
        .unwrap_or(jiff::Timestamp::MAX);
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
