//! What everybody may see: the log's tiles, the server's name, the description of the interface.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::App;
use super::log::text_or_null;
use super::problem::Problem;
use crate::tlog::TileError;

/// `GET /checkpoint`
pub async fn checkpoint(State(app): State<App>) -> Result<Response, Problem> {
    let note = app.server.published.borrow().note.clone();
    if note.is_empty() {
        return Err(Problem::not_found());
    }
    Ok((
        [
            (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
            (header::CACHE_CONTROL, "no-cache"),
        ],
        note,
    )
        .into_response())
}

/// `GET /tile/…`
pub async fn tile(State(app): State<App>, Path(path): Path<String>) -> Result<Response, Problem> {
    if !is_tile(&path) {
        return Err(Problem::not_found());
    }
    let tiles = app.server.tiles.clone();
    let name = format!("tile/{path}");
    let bytes = tokio::task::spawn_blocking(move || tiles.read(&name))
        .await
        .map_err(|e| Problem::internal(&e))?;
    match bytes {
        Ok(bytes) => Ok((
            [
                (header::CONTENT_TYPE, "application/octet-stream"),
                (header::CACHE_CONTROL, "public, max-age=604800, immutable"),
            ],
            bytes,
        )
            .into_response()),
        Err(TileError::Missing(_)) => Err(Problem::not_found()),
        Err(other) => Err(Problem::internal(&other)),
    }
}

/// `<L>/<N>[.p/<W>]` and `entries/<N>[.p/<W>]` and nothing else: digits in groups of three, all but the last with `x`.
fn is_tile(path: &str) -> bool {
    let Some((level, rest)) = path.split_once('/') else {
        return false;
    };
    let level_fits = level == "entries" || level.parse::<u8>().is_ok_and(|l| l < 8 && l.to_string() == level);
    let (index, width) = match rest.split_once(".p/") {
        Some((index, width)) => (
            index,
            width
                .parse::<u16>()
                .is_ok_and(|w| (1..256).contains(&w) && w.to_string() == width),
        ),
        None => (rest, true),
    };
    let groups: Vec<&str> = index.split('/').collect();
    let three = |group: &str| group.len() == 3 && group.bytes().all(|b| b.is_ascii_digit());
    let last = groups.len() - 1;
    level_fits
        && width
        && groups.len() <= 7
        && groups.iter().enumerate().all(|(at, group)| {
            if at == last {
                three(group)
            } else {
                group.strip_prefix('x').is_some_and(three)
            }
        })
}

/// `GET /v1/server`
pub async fn server(State(app): State<App>) -> Result<Json<Value>, Problem> {
    let server = &app.server;
    let origin = &server.config.origin;
    let vkey = |key: Result<String, fieldseal_proof::note::NoteError>| key.map_err(|e| Problem::internal(&e));
    Ok(Json(json!({
        "tenant": server.ingest.tenant().to_string(),
        "origin": origin,
        "log_vkey": vkey(server.keys.log_vkey(origin))?,
        "time_vkey": vkey(server.keys.time_vkey(origin))?,
        "epoch": hex::encode(server.epoch.as_bytes()),
        "versions": { "wire": [1], "formats": [0], "server": env!("CARGO_PKG_VERSION") },
        "capabilities": ["push", "feed", "tus", "receipts", "leases", "packs", "rescue"],
        "time_note": text_or_null(&server.time.current().await?),
    })))
}

/// `GET /openapi.json`
pub async fn openapi() -> Response {
    (
        [(header::CONTENT_TYPE, "application/json")],
        include_str!("openapi.json"),
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::is_tile;

    #[test]
    fn only_tile_paths_are_read() {
        for good in [
            "0/000",
            "0/x001/234",
            "1/000.p/17",
            "entries/x001/x234/067",
            "entries/000.p/255",
        ] {
            assert!(is_tile(good), "{good}");
        }
        for bad in [
            "",
            "0",
            "8/000",
            "00/000",
            "0/00",
            "0/000.p/0",
            "0/000.p/256",
            "0/../../keys",
            "0/x00/000",
            "entries/000.p/01",
            "0/000/",
            "0//000",
        ] {
            assert!(!is_tile(bad), "{bad}");
        }
    }
}
