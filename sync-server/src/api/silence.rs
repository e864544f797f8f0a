//! Nobody may hold the server by saying nothing: bodies that stop coming, and readers that stop taking.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::mpsc;

use super::App;
use super::limits::Turn;

/// Ends a body whose sender is silent for too long.
pub async fn heard(State(app): State<App>, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let silence = app.server.config.limits.silence();
    next.run(request.map(|body| while_heard(body, silence))).await
}

fn while_heard(body: Body, silence: Duration) -> Body {
    let parts = stream::unfold(Some(body.into_data_stream()), move |parts| async move {
        let mut parts = parts?;
        match tokio::time::timeout(silence, parts.next()).await {
            Ok(part) => part.map(|part| (part, Some(parts))),
            Err(_) => {
                let gone = std::io::Error::new(std::io::ErrorKind::TimedOut, "the sender is silent");
                Some((Err(axum::Error::new(gone)), None))
            }
        }
    });
    Body::from_stream(parts)
}

/// An answer in parts that holds a turn until its last part is taken, or until its reader takes none for too long; then it ends
/// short, which the reader sees by its length.
pub fn while_taken<T, E>(
    parts: impl Stream<Item = Result<T, E>> + Send + 'static,
    turn: Turn,
    silence: Duration,
) -> Body
where
    T: Into<Bytes> + Send + 'static,
    E: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
{
    let (give, take) = mpsc::channel(1);
    tokio::spawn(async move {
        let _held = turn;
        let mut parts = std::pin::pin!(parts);
        while let Some(part) = parts.next().await {
            if !matches!(tokio::time::timeout(silence, give.send(part)).await, Ok(Ok(()))) {
                return;
            }
        }
    });
    Body::from_stream(stream::unfold(take, |mut take| async {
        take.recv().await.map(|part| (part, take))
    }))
}
