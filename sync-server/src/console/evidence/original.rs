//! Original bytes. Each opening is in the access log before the first byte goes out.

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fieldseal_core::media::{extension, sniff};
use futures_util::{StreamExt, TryStreamExt};
use serde::Deserialize;

use super::blob_of;
use super::inline::Player;
use super::range::{Wanted, wanted};
use crate::api::{App, Plane, ShareKey};
use crate::console::access::{Deed, line};
use crate::console::error::{PageError, url_escaped};
use crate::console::visitor::Desk;
use crate::ledger::blob::{Stored, open_range};

/// Nothing in such an answer may run, load, post or be framed.
const POLICY: &str = "sandbox; default-src 'none'";
/// Bytes that the type is told from.
const PROBE: u64 = 8 * 1024;

#[derive(Deserialize)]
pub struct How {
    /// Asked for as a file.
    #[serde(default)]
    download: bool,
    /// What to call it.
    #[serde(default)]
    name: String,
}

/// `GET /console/originals/{sha256}`
pub async fn original(
    State(app): State<App>,
    desk: Desk,
    Path(hex): Path<String>,
    Query(how): Query<How>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let (sha256, blob) = blob_of(&app, &desk, &hex).await?;
    // A person's share, like a device's: one gallery full of films does not keep the tablets waiting.
    let share = ShareKey::Token(fieldseal_proof::hash::sha256(desk.staff.account.user.as_bytes()));
    let Ok(turn) = app.pools.turn(Plane::Blobs, share).await else {
        return Ok(StatusCode::SERVICE_UNAVAILABLE.into_response());
    };
    let stored = Stored {
        object: blob.object.clone(),
        size: blob.size,
    };
    let (store, vault) = (app.server.blobs.clone(), &app.server.keys.vault);
    let etag = format!("\"{hex}\"");
    let (status, from, to) = match wanted(&headers, &etag, blob.size) {
        Wanted::Whole => (StatusCode::OK, 0, blob.size),
        Wanted::Part(from, to) => (StatusCode::PARTIAL_CONTENT, from, to),
        Wanted::Unsatisfiable => {
            let whole = format!("bytes */{}", blob.size);
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, [(header::CONTENT_RANGE, whole)]).into_response());
        }
    };
    let probe: Vec<Vec<u8>> = open_range(store.clone(), vault, stored.clone(), 0, PROBE)
        .await?
        .try_collect()
        .await
        .map_err(|e| PageError::internal(&e))?;
    let media_type = sniff(&probe.concat());
    let player = Player::of(&media_type);
    let now = app.server.clock.now().wall_ms;
    if app.shelves.openings.is_new(&desk.staff.session.key, sha256, from, now) {
        let access = line(&app, &desk.staff, Deed::OpenedOriginal, hex.clone());
        app.server.custody.accessed(&app.server.ingest, sha256, access).await?;
    }
    let parts = open_range(store, vault, stored, from, to).await?;
    let body = Body::from_stream(parts.map(move |part| {
        let _held = &turn;
        part
    }));
    let inline = player != Player::Attachment && !how.download;
    let name = file_name(&how.name, &hex, &media_type);
    let disposition = if inline { "inline" } else { "attachment" };
    // A type that is not shown is not even named: the browser has nothing to guess from.
    let shown = if inline {
        media_type.as_str()
    } else {
        "application/octet-stream"
    };
    let mut answer = (status, body).into_response();
    let set = answer.headers_mut();
    let mut put = |name: header::HeaderName, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            set.insert(name, value);
        }
    };
    put(header::CONTENT_SECURITY_POLICY, POLICY.into());
    put(header::CONTENT_TYPE, shown.to_owned());
    put(header::CONTENT_LENGTH, (to - from).to_string());
    put(header::ACCEPT_RANGES, "bytes".into());
    put(header::ETAG, etag);
    put(header::CACHE_CONTROL, "private, no-store".into());
    put(
        header::CONTENT_DISPOSITION,
        format!(
            "{disposition}; filename=\"{}\"; filename*=UTF-8''{}",
            ascii_name(&hex, &media_type),
            url_escaped(&name)
        ),
    );
    if status == StatusCode::PARTIAL_CONTENT {
        put(header::CONTENT_RANGE, format!("bytes {from}-{}/{}", to - 1, blob.size));
    }
    Ok(answer)
}

/// What a person called it, without anything that a file system or a header could take for something else.
fn file_name(asked: &str, hex: &str, media_type: &str) -> String {
    let kept = |c: &char| {
        !c.is_control()
            && !"/\\:*?\"<>|".contains(*c)
            && !('\u{202a}'..='\u{202e}').contains(c)
            && !('\u{2066}'..='\u{2069}').contains(c)
    };
    let name: String = asked.chars().filter(kept).take(120).collect();
    let name = name.trim().trim_start_matches('.');
    if name.is_empty() {
        return ascii_name(hex, media_type);
    }
    let ending = extension(media_type);
    if name.to_lowercase().ends_with(&format!(".{ending}")) {
        name.to_owned()
    } else {
        format!("{name}.{ending}")
    }
}

fn ascii_name(hex: &str, media_type: &str) -> String {
    format!("{}.{}", &hex[..hex.len().min(16)], extension(media_type))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_nothing_else() {
        let of = |asked: &str| file_name(asked, "00112233445566778899", "image/jpeg");
        assert_eq!(of("安全出口"), "安全出口.jpg");
        assert_eq!(of("a.JPG"), "a.JPG");
        assert_eq!(of("../../etc/passwd"), "etcpasswd.jpg");
        assert_eq!(of("x\u{202e}gpj.exe"), "xgpj.exe.jpg");
        assert_eq!(of("\r\n"), "0011223344556677.jpg");
    }
}
