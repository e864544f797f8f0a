//! What a signature covers, as files that openssl reads: message, signature, public key.

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use fieldseal_proof::dsse;
use fieldseal_proof::suite::PublicKey;

use crate::api::App;
use crate::console::accounts::Role;
use crate::console::error::PageError;
use crate::console::visitor::Desk;
use crate::projection::{Entry, entry_of};

/// `GET /console/operations/{id}/message`: exactly the bytes that the device signed.
pub async fn message(State(app): State<App>, desk: Desk, Path(id): Path<String>) -> Result<Response, PageError> {
    let (entry, _) = find(&app, &desk, &id).await?;
    let bytes = dsse::pae(dsse::OPERATION, entry.operation.header_bytes());
    Ok(file(bytes, &format!("{}.pae", short(&id))))
}

/// `GET /console/operations/{id}/signature`, in the form that openssl wants.
pub async fn signature(State(app): State<App>, desk: Desk, Path(id): Path<String>) -> Result<Response, PageError> {
    let (entry, key) = find(&app, &desk, &id).await?;
    let bytes = key.signature_for_openssl(entry.operation.signature());
    Ok(file(bytes, &format!("{}.sig", short(&id))))
}

/// `GET /console/operations/{id}/key`: the device's public key, as the key log enrols it.
pub async fn public_key(State(app): State<App>, desk: Desk, Path(id): Path<String>) -> Result<Response, PageError> {
    let (_, key) = find(&app, &desk, &id).await?;
    Ok(file(key.to_pem().into_bytes(), &format!("{}.pub.pem", short(&id))))
}

async fn find(app: &App, desk: &Desk, id: &str) -> Result<(Entry, PublicKey), PageError> {
    desk.staff.needs_one_of(&[Role::Supervisor, Role::Legal])?;
    let id = id.parse().map_err(|_| PageError::NotFound)?;
    let entry = entry_of(&*app.server.ledger, id).await?.ok_or(PageError::NotFound)?;
    let header = entry.operation.header();
    let keys = app.server.ingest.key_log();
    let enrolled = keys.log.operation_key(&header.device, &header.incarnation);
    let key = enrolled
        .and_then(|key| key.record.key().ok())
        .ok_or(PageError::NotFound)?;
    Ok((entry, key))
}

/// The part of an id that names its files on a page and in a command.
pub fn short(id: &str) -> &str {
    &id[..id.len().min(12)]
}

fn file(bytes: Vec<u8>, name: &str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (
            header::CONTENT_SECURITY_POLICY,
            "sandbox; default-src 'none'".to_owned(),
        ),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    (headers, bytes).into_response()
}
