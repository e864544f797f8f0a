//! How the server stands: one word for whoever restarts it, numbers for whoever watches it.

use std::time::{Duration, UNIX_EPOCH};

use axum::Json;
use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use fieldseal_proof::hash::sha256;
use serde_json::json;
use subtle::ConstantTimeEq;

use super::App;
use super::problem::Problem;
use crate::ledger::space;

/// With less free disk than this no commit is certain to succeed.
const WRITABLE_BYTES: u64 = 8 << 20;
/// Leaves that wait longer than this for their checkpoint are worth a look.
const LATE_S: f64 = 60.0;

/// What is looked at.
struct Standing {
    failed: bool,
    /// Leaves admitted, and up to where they are published.
    leaves: Option<u64>,
    published: u64,
    /// Operations that arrived, and up to where they are judged and folded.
    arrived: Option<u64>,
    folded: u64,
    free_bytes: Option<u64>,
    /// Seconds since the checkpoint was written.
    checkpoint_age_s: Option<f64>,
}

impl Standing {
    async fn of(app: &App) -> Self {
        let server = &app.server;
        let (layout, now_ms) = (server.layout.clone(), server.clock.now().wall_ms);
        let disk = tokio::task::spawn_blocking(move || {
            let written = std::fs::metadata(layout.tiles().join("checkpoint")).and_then(|file| file.modified());
            let written = written.ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
            let age = written.map(|at| Duration::from_millis(now_ms).saturating_sub(at));
            (
                fs4::available_space(&layout.root).ok(),
                age.map(|age| age.as_secs_f64()),
            )
        });
        let (free_bytes, checkpoint_age_s) = disk.await.unwrap_or_default();
        let (leaves, arrived) = (
            server.ledger.size().await.ok(),
            server.ledger.arrived(u64::MAX).await.ok(),
        );
        // Looked at after the ledger, so that what was finished meanwhile does not count as waiting.
        let (published, folded) = (server.published.borrow().size, *server.place.borrow());
        let failed = server.failed.borrow().is_some();
        Self {
            failed,
            leaves,
            published,
            arrived,
            folded,
            free_bytes,
            checkpoint_age_s,
        }
    }

    fn waiting_for_log(&self) -> u64 {
        self.leaves.unwrap_or_default().saturating_sub(self.published)
    }

    fn waiting_for_fold(&self) -> u64 {
        self.arrived.unwrap_or_default().saturating_sub(self.folded)
    }

    /// Nothing can be taken in any more.
    fn broken(&self) -> Vec<&'static str> {
        let full = self.free_bytes.is_none_or(|free| free < WRITABLE_BYTES);
        let unread = self.leaves.is_none() || self.arrived.is_none();
        chosen([("worker", self.failed), ("ledger", unread), ("disk", full)])
    }

    /// Records are taken, something else is not as it should be.
    fn lacking(&self, keep_free: u64) -> Vec<&'static str> {
        let low = self.free_bytes.is_some_and(|free| free < keep_free);
        let late = self.waiting_for_log() > 0 && self.checkpoint_age_s.is_some_and(|age| age > LATE_S);
        chosen([("disk_low", low), ("log_late", late)])
    }
}

fn chosen<const N: usize>(named: [(&'static str, bool); N]) -> Vec<&'static str> {
    named.into_iter().filter(|(_, is)| *is).map(|(name, _)| name).collect()
}

/// `GET /healthz`: 503 when nothing can be taken in; what is only lacking is named and 200.
pub async fn health(State(app): State<App>) -> Response {
    let standing = Standing::of(&app).await;
    let broken = standing.broken();
    let lacking = standing.lacking(app.server.config.limits.keep_free_bytes);
    let (status, word) = match (broken.is_empty(), lacking.is_empty()) {
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "failed"),
        (true, false) => (StatusCode::OK, "degraded"),
        (true, true) => (StatusCode::OK, "ok"),
    };
    let reasons = [broken, lacking].concat();
    let body = json!({ "status": word, "reasons": reasons, "size": standing.published, "folded": standing.folded });
    (status, Json(body)).into_response()
}

/// `GET /metrics`, for whoever holds `keys/metrics.token`: an address says nothing, a proxy on this machine has that of
/// everybody.
pub async fn metrics(State(app): State<App>, headers: HeaderMap) -> Result<String, Problem> {
    let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = given
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default();
    if !bool::from(sha256(token.as_bytes()).ct_eq(&app.server.metrics_token_sha256)) {
        return Err(Problem::unauthorized());
    }
    let standing = Standing::of(&app).await;
    let uploads = app.server.ledger.registers(space::UPLOAD, Vec::new(), usize::MAX >> 1);
    let uploads = uploads.await?.len();
    metrics::gauge!("log_size").set(standing.published as f64);
    metrics::gauge!("log_waiting_leaves").set(standing.waiting_for_log() as f64);
    metrics::gauge!("fold_waiting_operations").set(standing.waiting_for_fold() as f64);
    metrics::gauge!("uploads_open").set(uploads as f64);
    metrics::gauge!("workers_failed").set(f64::from(u8::from(standing.failed)));
    if let Some(free) = standing.free_bytes {
        metrics::gauge!("disk_free_bytes").set(free as f64);
    }
    if let Some(age) = standing.checkpoint_age_s {
        metrics::gauge!("checkpoint_age_seconds").set(age);
    }
    for (plane, at_work) in app.pools.at_work() {
        metrics::gauge!("requests_at_work", "plane" => plane).set(at_work as f64);
    }
    Ok(app.metrics.render())
}
