//! Around every request: request id, epoch, one log line without personal data, counters.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::Response;

use super::App;

/// The path in logs and metrics is the route's pattern: ids of devices and cases do not enter them.
pub async fn around(State(app): State<App>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let mut bytes = [0; 8];
    let id = getrandom::fill(&mut bytes).map_or_else(|_| "0".to_owned(), |()| hex::encode(bytes));
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched", |path| path.as_str())
        .to_owned();
    let method = request.method().clone();
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let epoch = hex::encode(app.server.epoch.as_bytes());
    for (name, value) in [("fieldseal-epoch", epoch.as_str()), ("x-request-id", id.as_str())] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    let (status, elapsed) = (response.status().as_u16(), start.elapsed());
    metrics::counter!("http_requests_total", "route" => route.clone(), "status" => status.to_string()).increment(1);
    metrics::histogram!("http_request_seconds", "route" => route.clone()).record(elapsed.as_secs_f64());
    tracing::info!(
        request = id,
        method = method.as_str(),
        route,
        status,
        elapsed_ms = elapsed.as_millis() as u64,
        "request"
    );
    response
}
