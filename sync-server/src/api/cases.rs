//! The case register, a case's view, its bundle, and number leases.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use fieldseal_core::catalogue::Param;
use fieldseal_proof::ids::CaseId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::caller::Caller;
use super::limits::Plane;
use super::problem::Problem;
use super::silence::while_taken;
use crate::export::{self, ExportError, export_case};
use crate::ingest::LeaseRequest;
use crate::ledger::{LineKind, LineQuery, SearchWords};
use crate::projection::{CaseFile, CaseSummary, case_view};

/// Cases on a page, at most and where nobody says.
const CASES_MOST: u64 = 500;

#[derive(Deserialize)]
pub struct Search {
    #[serde(default)]
    query: String,
    /// Of the page before.
    cursor: Option<String>,
    limit: Option<u64>,
}

/// `GET /v1/cases?query=&cursor=&limit=`: a page of the register. A case that moves in the meantime may stand on two pages or on
/// none; who wants every case reads the feed.
pub async fn register(
    State(app): State<App>,
    caller: Caller,
    Query(search): Query<Search>,
) -> Result<Json<Value>, Problem> {
    let caller = caller.supervisor()?;
    let _turn = app.pools.turn(Plane::Pull, caller.share).await?;
    caller.log(&app, "register.read", search.query.clone()).await?;
    let mut wanted = LineQuery::new(LineKind::Case, SearchWords::parse(&search.query));
    wanted.limit = search.limit.unwrap_or(CASES_MOST).clamp(1, CASES_MOST);
    wanted.skip = match search.cursor.as_deref() {
        None | Some("") => 0,
        Some(text) => text.parse().map_err(|_| Problem::bad_request("cursor"))?,
    };
    let reached = wanted.skip.saturating_add(wanted.limit);
    let page = app.server.ledger.lines(wanted).await?;
    let items: Vec<CaseSummary> = page
        .lines
        .iter()
        .filter_map(|line| serde_json::from_slice(&line.shown).ok())
        .collect();
    let next = (reached < page.total).then(|| reached.to_string());
    Ok(Json(
        json!({ "as_of": *app.server.place.borrow(), "total": page.total, "items": items, "cursor": next }),
    ))
}

/// `GET /v1/cases/{case}`
pub async fn view(State(app): State<App>, caller: Caller, Path(case): Path<String>) -> Result<Json<Value>, Problem> {
    let caller = caller.supervisor()?;
    let _turn = app.pools.turn(Plane::Pull, caller.share).await?;
    let case: CaseId = case.parse().map_err(|_| Problem::not_found())?;
    let place = *app.server.place.borrow();
    let view = case_view(&*app.server.ledger, case, place).await?;
    let view = view.ok_or_else(Problem::not_found)?;
    caller.log(&app, "case.read", case.to_string()).await?;
    Ok(Json(view))
}

/// `GET /v1/cases/{case}/documents`: each PDF whose hash was signed, and what printing it again here gave.
pub async fn documents(
    State(app): State<App>,
    caller: Caller,
    Path(case): Path<String>,
) -> Result<Json<Value>, Problem> {
    let caller = caller.supervisor()?;
    let _turn = app.pools.turn(Plane::Pull, caller.share).await?;
    let case: CaseId = case.parse().map_err(|_| Problem::not_found())?;
    let packs = &app.shelves.packs;
    let file = CaseFile::load(&app.server.ingest, packs, case).await?;
    let file = file.ok_or_else(Problem::not_found)?;
    caller.log(&app, "case.read", case.to_string()).await?;
    let printed = app.reprints.of_case(&app.server.ingest, packs, &file).await?;
    let items = printed.iter().map(|one| {
        json!({ "document": one.document.to_string(), "operation": one.operation.to_string(), "role": one.role,
            "pdf_sha256": one.pdf_sha256.to_string(), "reprint": one.reprint.code(), "detail": one.reprint.detail() })
    });
    Ok(Json(json!({ "items": items.collect::<Vec<_>>() })))
}

#[derive(Deserialize)]
pub struct Moment {
    /// Size of a checkpoint that was signed; without it a new roll and checkpoint are made.
    at: Option<u64>,
}

/// `POST /v1/cases/{case}/export?at=SIZE`
pub async fn export(
    State(app): State<App>,
    caller: Caller,
    Path(case): Path<String>,
    Query(moment): Query<Moment>,
) -> Result<Response, Problem> {
    let caller = caller.supervisor()?;
    let turn = app.pools.turn(Plane::Blobs, caller.share).await?;
    let case: CaseId = case.parse().map_err(|_| Problem::not_found())?;
    caller.log(&app, "case.export", case.to_string()).await?;
    let folder = app.server.layout.root.join("exports");
    let by = caller.who();
    let wish = export::Wish {
        case,
        at: moment.at,
        despite_awaited: false,
        by: &by,
    };
    let unprocessable = |code, size| {
        let size = [("size", Param::Count(size))];
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, size)
    };
    let exported = export_case(&app.server, wish, &folder)
        .await
        .map_err(|error| match error {
            ExportError::NoSuchCase => Problem::not_found(),
            ExportError::NoSuchCheckpoint(size) => unprocessable("no_such_checkpoint", size),
            ExportError::NoRoll(size) => unprocessable("no_roll_then", size),
            ExportError::Awaiting(_) => Problem::new(StatusCode::CONFLICT, "export_awaits", []),
            other => Problem::internal(&other),
        })?;
    let file = tokio::fs::File::open(&exported.zip)
        .await
        .map_err(|e| Problem::internal(&e))?;
    let length = file.metadata().await.map_err(|e| Problem::internal(&e))?.len();
    // The name may go now: the open file is read to its end, and nothing stays behind.
    tokio::fs::remove_file(&exported.zip)
        .await
        .map_err(|e| Problem::internal(&e))?;
    let silence = app.server.config.limits.silence();
    let body = while_taken(tokio_util::io::ReaderStream::new(file), turn, silence);
    let checkpoint = header::HeaderName::from_static("fieldseal-checkpoint");
    let headers = [
        (header::CONTENT_TYPE, "application/zip".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (checkpoint, exported.checkpoint.to_string()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{case}.zip\""),
        ),
    ];
    Ok((headers, body).into_response())
}

#[derive(Deserialize)]
pub struct Wish {
    form: String,
    year: u64,
    count: u64,
    #[serde(default)]
    prefix: String,
    /// The life of the device that will number from it.
    incarnation: Option<String>,
}

/// `POST /v1/numbers/lease`
pub async fn lease(State(app): State<App>, caller: Caller, Json(wish): Json<Wish>) -> Result<Json<Value>, Problem> {
    let (caller, device) = caller.device()?;
    let refused = |detail: &str| {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "lease_refused",
            [("detail", Param::text(detail))],
        )
    };
    if caller.token.role != "tablet" {
        return Err(Problem::forbidden("tablet"));
    }
    if !(1..=1_000).contains(&wish.count) {
        return Err(refused("count is not 1 to 1,000"));
    }
    if wish.form.is_empty() || wish.form.len() > 64 || wish.prefix.len() > 64 || !(1900..=9999).contains(&wish.year) {
        return Err(refused("form, year or prefix"));
    }
    let incarnation = wish.incarnation.as_deref().map(str::parse).transpose();
    let incarnation = incarnation.map_err(|_| refused("incarnation is not a UUID"))?;
    let request = LeaseRequest {
        device,
        incarnation,
        form: wish.form.clone(),
        year: wish.year,
        count: wish.count,
        prefix: wish.prefix.clone(),
    };
    let lease = app.server.ingest.lease(request).await?;
    Ok(Json(
        json!({ "operation": lease.operation.to_string(), "form": wish.form, "year": wish.year, "prefix": wish.prefix,
        "first": lease.first, "last": lease.last }),
    ))
}
