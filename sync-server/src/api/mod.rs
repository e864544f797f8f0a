//! HTTP: the only part that names axum. Each file is one resource of `core/docs/formats/wire.md`.

mod admin;
mod blobs;
mod caller;
mod cases;
pub(crate) mod devices;
mod duplicates;
mod enrol;
mod feed;
mod forks;
mod key_log;
mod limits;
mod log;
mod problem;
mod routes;
mod silence;
mod sittings;
mod standing;
mod status;
mod telemetry;
mod uploads;

use std::sync::Arc;

use axum::Router;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::server::Server;

pub use limits::{Plane, Pools, ShareKey};
pub use problem::Problem;
pub use routes::routes;

/// What handlers share.
#[derive(Clone)]
pub struct App {
    pub server: Arc<Server>,
    pub pools: Arc<Pools>,
    contacts: Arc<devices::Contacts>,
    sittings: Arc<sittings::Sittings>,
    /// What the console's pages keep in memory.
    pub shelves: Arc<crate::console::Shelves>,
    metrics: PrometheusHandle,
    /// Documents printed again.
    pub reprints: Arc<crate::reprint::Reprints>,
    /// What the console has prepared and not written yet.
    pub office: Arc<crate::console::act::office::Office>,
    /// Enrolment codes that are on a screen.
    pub codes: Arc<crate::console::once::Codes>,
}

/// The whole interface over a server.
pub fn router(server: Arc<Server>) -> Router {
    let metrics = PrometheusBuilder::new().build_recorder();
    let handle = metrics.handle();
    // One recorder for each process; a second server in one process (tests) counts into the first.
    let _ = metrics::set_global_recorder(metrics);
    let app = App {
        pools: Arc::new(Pools::new(&server.config.limits)),
        shelves: Arc::new(crate::console::Shelves::open(&server.layout.root)),
        reprints: Arc::new(crate::reprint::Reprints::new(server.config.fonts.clone())),
        server,
        contacts: Arc::default(),
        sittings: Arc::default(),
        metrics: handle,
        office: Arc::default(),
        codes: Arc::default(),
    };
    routes::table()
        .router
        .merge(crate::console::router(&app))
        .fallback(problem::no_such_page)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(axum::middleware::from_fn_with_state(app.clone(), silence::heard))
        .layer(axum::middleware::map_response(problem::spelled_out))
        .layer(axum::middleware::from_fn_with_state(app.clone(), telemetry::around))
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(problem::panicked))
        .with_state(app)
}
