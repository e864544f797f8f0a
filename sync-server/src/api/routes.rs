//! The one table of routes: what is served, and what `openapi.json` has to describe.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};

use super::{
    App, admin, blobs, cases, devices, duplicates, enrol, feed, forks, key_log, limits, log, standing, status, uploads,
};

/// A router that remembers what it was given.
pub(super) struct Table {
    pub(super) router: Router<App>,
    routes: Vec<(&'static str, String)>,
}

/// Method and path of every route of the interface, the console's pages left out. Paths as OpenAPI writes them.
pub fn routes() -> Vec<(&'static str, String)> {
    table().routes
}

impl Table {
    fn empty() -> Self {
        Self {
            router: Router::new(),
            routes: Vec::new(),
        }
    }

    /// A route whose body is at most `most` bytes.
    fn bounded<H, T>(mut self, method: &'static str, path: &'static str, most: usize, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let filter = match method {
            "get" => MethodFilter::GET,
            "head" => MethodFilter::HEAD,
            "post" => MethodFilter::POST,
            "patch" => MethodFilter::PATCH,
            "delete" => MethodFilter::DELETE,
            _ => MethodFilter::OPTIONS,
        };
        self.router = self
            .router
            .route(path, on(filter, handler).layer(DefaultBodyLimit::max(most)));
        self.routes.push((method, path.replace("{*", "{")));
        self
    }

    /// One that the console serves, around which its own layers lie.
    fn elsewhere(mut self, method: &'static str, path: &'static str) -> Self {
        self.routes.push((method, path.to_owned()));
        self
    }

    /// A route that takes no body, or streams it under its own limits.
    fn route<H, T>(self, method: &'static str, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.bounded(method, path, limits::JSON_BODY, handler)
    }
}

/// Everything but the console's pages.
pub(super) fn table() -> Table {
    Table::empty()
        .elsewhere("get", "/")
        .route("get", "/checkpoint", status::checkpoint)
        .route("get", "/tile/{*path}", status::tile)
        .route("get", "/v1/server", status::server)
        .route("post", "/v1/enrol", enrol::request)
        .route("get", "/v1/enrol/{request}", enrol::state)
        .route("get", "/v1/key-log", key_log::read)
        .bounded("post", "/v1/log/{device}/{incarnation}", limits::PUSH_BODY, log::push)
        .route("get", "/v1/log/{device}/{incarnation}/head", log::head)
        .route("get", "/v1/log/{device}/{incarnation}/receipts", log::receipts)
        .route("get", "/v1/feed", feed::feed)
        .route("post", "/v1/blobs/have", blobs::have)
        .route("post", "/v1/uploads", uploads::create)
        .route("options", "/v1/uploads", uploads::options)
        .route("head", "/v1/uploads/{id}", uploads::offset)
        .route("patch", "/v1/uploads/{id}", uploads::patch)
        .route("delete", "/v1/uploads/{id}", uploads::terminate)
        .route("options", "/v1/uploads/{id}", uploads::options)
        .route("get", "/v1/blobs/{sha256}", blobs::read)
        .route("get", "/v1/blobs/{sha256}/receipt", blobs::receipt)
        .route("get", "/v1/packs", blobs::packs)
        .route("get", "/v1/packs/{hash}", blobs::pack)
        .route("post", "/v1/health", devices::report)
        .route("get", "/v1/duplicates", duplicates::list)
        .route("get", "/v1/forks", forks::list)
        .route("get", "/v1/forks/{device}/{incarnation}/{seq}", forks::proof)
        .route("get", "/v1/cases", cases::register)
        .route("get", "/v1/cases/{case}", cases::view)
        .route("get", "/v1/cases/{case}/documents", cases::documents)
        .route("post", "/v1/cases/{case}/export", cases::export)
        .route("post", "/v1/numbers/lease", cases::lease)
        .route("post", "/v1/admin/invitations", admin::invite)
        .route("get", "/v1/admin/enrolments", admin::pending)
        .route("post", "/v1/admin/enrolments/{request}/refuse", admin::refuse)
        .bounded("post", "/v1/admin/key-log", limits::KEY_LOG_BODY, key_log::append)
        .bounded("post", "/v1/admin/enterprises", limits::CSV_BODY, admin::enterprises)
        .bounded("post", "/v1/admin/packs", limits::PACK_BODY, admin::publish_pack)
        .route("get", "/v1/admin/devices", devices::list)
        .route("get", "/healthz", standing::health)
        .route("get", "/metrics", standing::metrics)
        .route("get", "/openapi.json", status::openapi)
}
