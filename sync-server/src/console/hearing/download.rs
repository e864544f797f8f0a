//! The bundle as a file.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::api::App;
use crate::console::error::PageError;
use crate::console::visitor::Desk;
use crate::hearing::State as JobState;

/// `GET /console/hearing/bundles/{job}`: only by whoever had it made; that was logged then.
pub async fn bundle(State(app): State<App>, desk: Desk, Path(name): Path<String>) -> Result<Response, PageError> {
    let job = app
        .shelves
        .exports
        .find(&name, &desk.staff.who())
        .ok_or(PageError::NotFound)?;
    let JobState::Done(done) = job.state else {
        return Err(PageError::NotFound);
    };
    let file = tokio::fs::File::open(&done.zip)
        .await
        .map_err(|_| PageError::NotFound)?;
    let headers = [
        (header::CONTENT_TYPE, "application/zip".to_owned()),
        (header::CONTENT_LENGTH, done.bytes.to_string()),
        (
            header::CONTENT_SECURITY_POLICY,
            "sandbox; default-src 'none'".to_owned(),
        ),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{}.zip\"", job.case),
        ),
    ];
    Ok((headers, Body::from_stream(tokio_util::io::ReaderStream::new(file))).into_response())
}
