//! Stylesheet, scripts and icon: part of the program, served under a name that carries their hash, so that a browser keeps them for ever.

use std::io::Write;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use fieldseal_proof::hash::sha256;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::error::PageError;

struct Asset {
    name: String,
    media: &'static str,
    bytes: &'static [u8],
    /// The same, compressed once: what every browser takes.
    gzip: Vec<u8>,
}

/// Paths of the assets, for the shell.
#[derive(Debug)]
pub struct Paths {
    pub css: String,
    pub trusted: String,
    pub htmx: String,
    pub app: String,
}

const FAVICON: &[u8] = include_bytes!("assets/favicon.svg");
const CSS: &[u8] = concat!(include_str!("assets/app.css"), include_str!("assets/pages.css")).as_bytes();
const TRUSTED: &[u8] = include_bytes!("assets/trusted.js");
const HTMX: &[u8] = include_bytes!("assets/htmx.min.js");
const APP: &[u8] = include_bytes!("assets/app.js");

static ASSETS: LazyLock<[Asset; 4]> = LazyLock::new(|| {
    let script = "text/javascript; charset=utf-8";
    [
        asset("app", "css", "text/css; charset=utf-8", CSS),
        asset("trusted", "js", script, TRUSTED),
        asset("htmx", "js", script, HTMX),
        asset("app", "js", script, APP),
    ]
});

static PATHS: LazyLock<Paths> = LazyLock::new(|| {
    let path = |at: usize| format!("/assets/{}", ASSETS[at].name);
    Paths {
        css: path(0),
        trusted: path(1),
        htmx: path(2),
        app: path(3),
    }
});

fn asset(stem: &str, ending: &str, media: &'static str, bytes: &'static [u8]) -> Asset {
    let hash = hex::encode(&sha256(bytes)[..8]);
    Asset {
        name: format!("{stem}-{hash}.{ending}"),
        media,
        bytes,
        gzip: gzip(bytes),
    }
}

/// At the best level: it is done once in the life of a server.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Into memory nothing fails.
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.unwrap_or_default()
}

/// Where the assets are.
pub fn paths() -> &'static Paths {
    &PATHS
}

/// `GET /assets/{name}`. Pages themselves are never compressed: what a stranger typed and what is secret stand in them side by side.
pub async fn serve(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, PageError> {
    let found = ASSETS
        .iter()
        .find(|asset| asset.name == name)
        .ok_or(PageError::NotFound)?;
    let accepted = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok());
    let takes = accepted.is_some_and(|all| all.split(',').any(|one| one.trim() == "gzip"));
    let bytes = if takes { &found.gzip } else { found.bytes };
    let mut answer = kept(found.media, bytes, "public, max-age=31536000, immutable");
    if takes {
        answer
            .headers_mut()
            .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    answer
        .headers_mut()
        .insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    Ok(answer)
}

/// `GET /favicon.svg`
pub async fn favicon() -> Response {
    kept("image/svg+xml", FAVICON, "public, max-age=86400")
}

fn kept(media: &'static str, bytes: &'static [u8], keep: &'static str) -> Response {
    ([(header::CONTENT_TYPE, media), (header::CACHE_CONTROL, keep)], bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn htmx_is_the_pinned_file_and_our_script_stays_small() {
        let pinned = "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130";
        assert_eq!(hex::encode(sha256(HTMX)), pinned);
        assert!(include_str!("assets/README.md").contains(pinned));
        assert!(APP.len() <= 6 * 1024, "app.js has {} bytes", APP.len());
    }
}
