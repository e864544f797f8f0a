//! Errors on the wire: `application/problem+json` with a code of the message catalogue. Never another party's data.

use std::any::Any;
use std::error::Error;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fieldseal_core::catalogue::{Lang, Message, Param};
use fieldseal_core::domain::Refusal;
use serde_json::{Map, Value as Json, json};

use crate::incident;
use crate::ingest::{AdmitError, AuthorError, KeyLogRefusal};
use crate::ledger::LedgerError;
use crate::ledger::blob::BlobError;
use crate::office::enrolments::RefuseError;
use crate::tlog::LogError;
use crate::uploads::UploadError;

/// Most bytes of a sentence of the framework; it may repeat what was sent.
const SENTENCE_MOST: usize = 1000;

/// An answer that says what happened, what is safe, and what to do.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    message: Message,
    more: Vec<(String, Json)>,
    retry_after_s: Option<u64>,
}

impl Problem {
    pub fn new(
        status: StatusCode,
        code: &'static str,
        params: impl IntoIterator<Item = (&'static str, Param)>,
    ) -> Self {
        Self::of(status, Message::new(code, params))
    }

    fn of(status: StatusCode, message: Message) -> Self {
        Self {
            status,
            message,
            more: Vec::new(),
            retry_after_s: None,
        }
    }

    /// One caller asks for more than its share; nobody else notices.
    pub fn too_many(wait_s: u64) -> Self {
        let span = [("span", Param::Span(wait_s * 1000))];
        let mut problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", span);
        problem.retry_after_s = Some(wait_s);
        problem
    }

    /// Another member of the JSON object.
    #[must_use]
    pub fn with(mut self, name: &str, value: Json) -> Self {
        self.more.push((name.to_owned(), value));
        self
    }

    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "bad_request",
            [("detail", Param::text(detail))],
        )
    }

    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", [])
    }

    pub fn forbidden(role: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", [("role", Param::text(role))])
    }

    /// Not there, or not for this caller: the same answer for both.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "no_such_page", [])
    }

    /// Too many at once; the wait is jittered so that they do not all come back together.
    pub fn busy() -> Self {
        let mut byte = [0; 1];
        let spread = getrandom::fill(&mut byte).map_or(0, |()| u64::from(byte[0] % 5));
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", []);
        problem.retry_after_s = Some(1 + spread);
        problem
    }

    /// Something failed inside. The log line and the answer share the incident number; the line says what kind of error and where
    /// in this program, never its text.
    #[track_caller]
    pub fn internal(error: &(dyn Error + 'static)) -> Self {
        Self::incident(incident::noted(error))
    }

    /// A promise of this program does not hold.
    #[track_caller]
    pub fn broken(what: &'static str) -> Self {
        Self::incident(incident::broken(what))
    }

    fn incident(number: String) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            [("incident", Param::text(number))],
        )
    }

    fn full() -> Self {
        let mut problem = Self::new(StatusCode::INSUFFICIENT_STORAGE, "server_full", []);
        problem.retry_after_s = Some(300);
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = Map::new();
        body.insert("code".into(), json!(self.message.code()));
        body.insert("status".into(), json!(self.status.as_u16()));
        body.insert("title".into(), json!(self.message.text(Lang::En)));
        body.insert("detail".into(), json!(self.message.text(Lang::Zh)));
        let params: Map<String, Json> = self
            .message
            .params()
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect();
        body.insert("params".into(), Json::Object(params));
        if let Some(seconds) = self.retry_after_s {
            body.insert("retry_after_s".into(), json!(seconds));
        }
        body.extend(self.more);
        let mut response = (self.status, Json::Object(body).to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<LedgerError> for Problem {
    #[track_caller]
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Conflict(_) => Self::new(StatusCode::CONFLICT, "already_done", []),
            LedgerError::Full => Self::full(),
            other => Self::internal(&other),
        }
    }
}

impl From<LogError> for Problem {
    #[track_caller]
    fn from(error: LogError) -> Self {
        match error {
            LogError::Ledger(ledger) => ledger.into(),
            other => Self::internal(&other),
        }
    }
}

impl From<BlobError> for Problem {
    #[track_caller]
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Full => Self::full(),
            other => Self::internal(&other),
        }
    }
}

impl From<AdmitError> for Problem {
    #[track_caller]
    fn from(error: AdmitError) -> Self {
        match error {
            AdmitError::Unknown => Self::new(StatusCode::FORBIDDEN, "unknown_device", []),
            AdmitError::Ledger(ledger) => ledger.into(),
            other @ AdmitError::Sign(_) => Self::internal(&other),
        }
    }
}

impl From<AuthorError> for Problem {
    #[track_caller]
    fn from(error: AuthorError) -> Self {
        match error {
            AuthorError::Ledger(ledger) => ledger.into(),
            other => Self::internal(&other),
        }
    }
}

impl From<KeyLogRefusal> for Problem {
    #[track_caller]
    fn from(error: KeyLogRefusal) -> Self {
        match error {
            KeyLogRefusal::Refused { index, detail } => {
                let params = [("index", Param::Count(index)), ("detail", Param::text(detail))];
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "key_log_refused", params)
            }
            KeyLogRefusal::Ledger(ledger) => ledger.into(),
        }
    }
}

impl From<Refusal> for Problem {
    #[track_caller]
    fn from(refusal: Refusal) -> Self {
        Self::of(StatusCode::UNPROCESSABLE_ENTITY, refusal.message)
    }
}

impl From<RefuseError> for Problem {
    #[track_caller]
    fn from(error: RefuseError) -> Self {
        match error {
            RefuseError::Unknown => Self::new(StatusCode::NOT_FOUND, "request_unknown", []),
            RefuseError::Decided(_) => Self::new(StatusCode::CONFLICT, "already_done", []),
            RefuseError::Reason(refusal) => refusal.into(),
            RefuseError::Ledger(ledger) => ledger.into(),
        }
    }
}

impl From<UploadError> for Problem {
    #[track_caller]
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::Unknown => Self::new(StatusCode::NOT_FOUND, "upload_unknown", []),
            UploadError::Offset { have } => {
                Self::new(StatusCode::CONFLICT, "upload_offset", [("have", Param::Bytes(have))])
            }
            UploadError::TooLarge { size, most } => {
                let params = [("size", Param::Bytes(size)), ("most", Param::Bytes(most))];
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", params)
            }
            UploadError::Quota { open, most } => {
                let params = [("open", Param::Count(open)), ("most", Param::Count(most))];
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "upload_quota", params)
            }
            UploadError::QuotaBytes { open, most } => {
                let params = [("open", Param::Bytes(open)), ("most", Param::Bytes(most))];
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "upload_quota_bytes", params)
            }
            UploadError::TooMany => Self::bad_request("more bytes than declared"),
            // 460 is the status of the tus checksum extension; it is used for the whole file as well as for a part.
            UploadError::Mismatch => Self::new(checksum_mismatch(), "upload_checksum", []),
            UploadError::Ledger(ledger) => ledger.into(),
            UploadError::Blobs(blobs) => blobs.into(),
            UploadError::Random => Self::internal(&error),
        }
    }
}

pub fn checksum_mismatch() -> StatusCode {
    StatusCode::from_u16(460).unwrap_or(StatusCode::BAD_REQUEST)
}

/// What an extractor refused is a plain sentence of the framework: the same sentence as a problem.
pub async fn spelled_out(response: Response) -> Response {
    let status = response.status();
    let plain = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|media| media.as_bytes().starts_with(b"text/plain"));
    if !status.is_client_error() || !plain {
        return response;
    }
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::new(status, "body_too_large", []).into_response();
    }
    let said = axum::body::to_bytes(response.into_body(), SENTENCE_MOST).await;
    let said = said.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Problem::new(
        status,
        "bad_request",
        [("detail", Param::text(said.unwrap_or_default()))],
    )
    .into_response()
}

pub async fn no_such_page() -> Problem {
    Problem::not_found()
}

pub async fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", [])
}

/// A handler panicked: a bug. The process goes on, the caller gets an incident number.
pub fn panicked(_: Box<dyn Any + Send>) -> Response {
    Problem::broken("a request handler panicked").into_response()
}
