//! HTTP: the only part that names axum. Each file is one resource of `core/docs/formats/wire.md`.

mod admin;
mod blobs;
mod caller;
mod cases;
pub(crate) mod devices;
mod duplicates;
mod enrol;
mod feed;
mod key_log;
mod limits;
mod log;
mod problem;
mod silence;
mod status;
mod telemetry;
mod uploads;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, head, post};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::server::Server;

pub use limits::{Plane, Pools, ShareKey};
pub use problem::Problem;

/// What handlers share.
#[derive(Clone)]
pub struct App {
    pub server: Arc<Server>,
    pub pools: Arc<Pools>,
    contacts: Arc<devices::Contacts>,
    /// What the console's pages keep in memory.
    pub shelves: Arc<crate::console::Shelves>,
    metrics: PrometheusHandle,
    /// What the console has prepared and not written yet.
    pub office: Arc<crate::console::act::office::Office>,
    /// Enrolment codes that are on a screen.
    pub codes: Arc<crate::console::once::Codes>,
}

/// Every route, for the test that compares them with `openapi.json`.
pub const ROUTES: &[(&str, &str)] = &[
    ("get", "/"),
    ("get", "/checkpoint"),
    ("get", "/tile/{path}"),
    ("get", "/v1/server"),
    ("post", "/v1/enrol"),
    ("get", "/v1/enrol/{request}"),
    ("get", "/v1/key-log"),
    ("post", "/v1/log/{device}/{incarnation}"),
    ("get", "/v1/log/{device}/{incarnation}/head"),
    ("get", "/v1/log/{device}/{incarnation}/receipts"),
    ("get", "/v1/feed"),
    ("post", "/v1/blobs/have"),
    ("post", "/v1/uploads"),
    ("head", "/v1/uploads/{id}"),
    ("patch", "/v1/uploads/{id}"),
    ("delete", "/v1/uploads/{id}"),
    ("get", "/v1/blobs/{sha256}"),
    ("get", "/v1/blobs/{sha256}/receipt"),
    ("get", "/v1/packs"),
    ("get", "/v1/packs/{hash}"),
    ("post", "/v1/health"),
    ("get", "/v1/duplicates"),
    ("get", "/v1/cases"),
    ("get", "/v1/cases/{case}"),
    ("post", "/v1/cases/{case}/export"),
    ("post", "/v1/numbers/lease"),
    ("post", "/v1/admin/invitations"),
    ("get", "/v1/admin/enrolments"),
    ("post", "/v1/admin/enrolments/{request}/refuse"),
    ("post", "/v1/admin/key-log"),
    ("post", "/v1/admin/enterprises"),
    ("post", "/v1/admin/packs"),
    ("get", "/v1/admin/devices"),
    ("get", "/healthz"),
    ("get", "/metrics"),
    ("get", "/openapi.json"),
];

/// The whole interface over a server.
pub fn router(server: Arc<Server>) -> Router {
    let metrics = PrometheusBuilder::new().build_recorder();
    let handle = metrics.handle();
    // One recorder for each process; a second server in one process (tests) counts into the first.
    let _ = metrics::set_global_recorder(metrics);
    let app = App {
        pools: Arc::new(Pools::new(&server.config.limits)),
        shelves: Arc::new(crate::console::Shelves::open(&server.layout.root)),
        server,
        contacts: Arc::default(),
        metrics: handle,
        office: Arc::default(),
        codes: Arc::default(),
    };
    let json = DefaultBodyLimit::max(limits::JSON_BODY);
    Router::new()
        .route("/v1/enrol", post(enrol::request))
        .route("/v1/enrol/{request}", get(enrol::state))
        .route("/v1/blobs/have", post(blobs::have))
        .route("/v1/health", post(devices::report))
        .route("/v1/numbers/lease", post(cases::lease))
        .route("/v1/admin/invitations", post(admin::invite))
        .route("/v1/admin/enrolments/{request}/refuse", post(admin::refuse))
        .layer(json)
        .route(
            "/v1/log/{device}/{incarnation}",
            post(log::push).layer(DefaultBodyLimit::max(limits::PUSH_BODY)),
        )
        .route(
            "/v1/admin/key-log",
            post(key_log::append).layer(DefaultBodyLimit::max(limits::KEY_LOG_BODY)),
        )
        .route(
            "/v1/admin/enterprises",
            post(admin::enterprises).layer(DefaultBodyLimit::max(limits::CSV_BODY)),
        )
        .route(
            "/v1/admin/packs",
            post(admin::publish_pack).layer(DefaultBodyLimit::max(limits::PACK_BODY)),
        )
        .route("/v1/uploads", post(uploads::create).options(uploads::options))
        .route(
            "/v1/uploads/{id}",
            head(uploads::offset)
                .patch(uploads::patch)
                .delete(uploads::terminate)
                .options(uploads::options),
        )
        .route("/checkpoint", get(status::checkpoint))
        .route("/tile/{*path}", get(status::tile))
        .route("/v1/server", get(status::server))
        .route("/v1/key-log", get(key_log::read))
        .route("/v1/log/{device}/{incarnation}/head", get(log::head))
        .route("/v1/log/{device}/{incarnation}/receipts", get(log::receipts))
        .route("/v1/feed", get(feed::feed))
        .route("/v1/blobs/{sha256}", get(blobs::read))
        .route("/v1/blobs/{sha256}/receipt", get(blobs::receipt))
        .route("/v1/packs", get(blobs::packs))
        .route("/v1/packs/{hash}", get(blobs::pack))
        .route("/v1/duplicates", get(duplicates::list))
        .route("/v1/cases", get(cases::register))
        .route("/v1/cases/{case}", get(cases::view))
        .route("/v1/cases/{case}/export", post(cases::export))
        .route("/v1/admin/enrolments", get(admin::pending))
        .route("/v1/admin/devices", get(devices::list))
        .route("/healthz", get(status::health))
        .route("/metrics", get(status::metrics))
        .route("/openapi.json", get(status::openapi))
        .merge(crate::console::router(&app))
        .fallback(problem::no_such_page)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(axum::middleware::from_fn_with_state(app.clone(), silence::heard))
        .layer(axum::middleware::map_response(problem::spelled_out))
        .layer(axum::middleware::from_fn_with_state(app.clone(), telemetry::around))
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(problem::panicked))
        .with_state(app)
}
