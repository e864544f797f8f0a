//! The public page: the log's newest checkpoint and how anybody checks with it. No sign-in, no scripts.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use fieldseal_proof::encoding::base64;
use fieldseal_proof::ids::to_hex;

use super::error::PageError;
use super::page::{Page, html};
use super::visitor::Visitor;
use crate::api::App;

#[derive(Template)]
#[template(path = "checkpoint.html")]
struct CheckpointPage {
    page: Page,
    origin: String,
    vkey: String,
    size: u64,
    root: String,
    /// Names of the keys that signed the note beside the log's own.
    cosigners: Vec<String>,
    /// A shell command that checks the newest leaf; empty before the first checkpoint.
    command: String,
}

/// Checks one leaf with Python's own library and openssl, both of which every Debian has.
const CHECK: &str = include_str!("check_leaf.py");

/// `GET /`
pub async fn page(State(app): State<App>, visitor: Visitor) -> Result<Response, PageError> {
    let published = app.server.published.borrow().clone();
    let origin = app.server.config.origin.clone();
    let mut page = Page::plain(&app, &visitor, visitor.words.t("checkpoint.title"));
    page.bare = true;
    let vkey = app.server.keys.log_vkey(&origin).map_err(|e| PageError::internal(&e))?;
    html(&CheckpointPage {
        command: command(&app, &vkey, published.size).await?,
        vkey,
        size: published.size,
        root: base64(&published.root),
        cosigners: cosigners(&published.note, &origin),
        origin,
        page,
    })
}

/// The command for the newest leaf; another leaf has another index and another 32 bytes.
async fn command(app: &App, vkey: &str, size: u64) -> Result<String, PageError> {
    let Some(index) = size.checked_sub(1) else {
        return Ok(String::new());
    };
    let leaves = app.server.ledger.leaves(index, size).await?;
    let leaf = leaves.first().map(|leaf| to_hex(leaf)).unwrap_or_default();
    let url = app.server.public_url().map_err(|e| PageError::internal(&e))?;
    Ok(format!("python3 - '{url}' '{vkey}' {index} {leaf} <<'EOF'\n{CHECK}EOF"))
}

/// Signature lines of a note (`— name base64`) that are not the log's own.
fn cosigners(note: &[u8], origin: &str) -> Vec<String> {
    let text = String::from_utf8_lossy(note);
    let names = text
        .lines()
        .filter_map(|line| line.strip_prefix("— ")?.split(' ').next().map(str::to_owned));
    names.filter(|name| name != origin).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn cosigners_are_those_beside_the_log() {
        let note = "a.example/0\n1\nAAAA\n\n— a.example/0 xx\n— witness.example/w1 yy\n";
        assert_eq!(super::cosigners(note.as_bytes(), "a.example/0"), ["witness.example/w1"]);
    }
}
