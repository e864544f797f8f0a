//! What goes wrong, as a page in the visitor's language: what happened, what is safe, what to do.

use std::error::Error;

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::accounts::Role;
use super::page::{Page, html};
use super::visitor::{OWN_PASSWORD, Visitor};
use crate::api::App;
use crate::incident;
use crate::ingest::{AdmitError, AuthorError, KeyLogRefusal};
use crate::ledger::LedgerError;
use crate::ledger::blob::BlobError;

/// How the subject of an action stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latest {
    /// The page on which it is decided, or seen.
    pub href: String,
    /// Label and value.
    pub lines: Vec<(String, String)>,
}

/// Why a page is not shown. It travels as a response and gets its words in [`dressed`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageError {
    /// Nobody is signed in: to the sign-in page, and back afterwards.
    SignIn,
    /// Signed in with a one-time word: to the page where a password is chosen.
    OwnPassword,
    /// No such page, or not for this person: one text for both.
    NotFound,
    Forbidden(Role),
    /// A form that some other page sent.
    ElsewhereOrigin,
    /// A form that this program's pages never send; the text is for whoever made it.
    BadRequest(String),
    /// Somebody was faster. What the person wrote is kept and shown (label, text).
    Conflict {
        kept: Vec<(String, String)>,
        latest: Option<Latest>,
    },
    /// Device or person cannot sign yet; the word is the code of the sentence that says what is missing.
    NotYet {
        word: &'static str,
        kept: Vec<(String, String)>,
    },
    /// The disk is full.
    Full {
        kept: Vec<(String, String)>,
    },
    /// Failed inside; the number is in the server's log.
    Internal {
        incident: String,
    },
}

impl PageError {
    /// Logs what kind of error it was and where, never its text, and gives it a number.
    #[track_caller]
    pub fn internal(error: &(dyn Error + 'static)) -> Self {
        Self::Internal {
            incident: incident::noted(error),
        }
    }

    /// A promise of this program does not hold.
    #[track_caller]
    pub fn broken(what: &'static str) -> Self {
        Self::Internal {
            incident: incident::broken(what),
        }
    }

    /// Something is missing before anything can be signed; the code of the sentence that says what.
    pub fn not_yet(word: &'static str) -> Self {
        Self::NotYet { word, kept: Vec::new() }
    }

    /// Somebody was faster.
    pub fn conflict() -> Self {
        Self::Conflict {
            kept: Vec::new(),
            latest: None,
        }
    }

    /// Puts how the subject stands now beside the words that somebody was faster.
    #[must_use]
    pub fn showing(self, now: Latest) -> Self {
        match self {
            Self::Conflict { kept, .. } => Self::Conflict {
                kept,
                latest: Some(now),
            },
            other => other,
        }
    }

    pub fn bad_request(why: impl Into<String>) -> Self {
        Self::BadRequest(why.into())
    }

    /// Puts what the person wrote beside an error that it can survive, so that it is not lost.
    #[must_use]
    pub fn keeping(self, words: Vec<(String, String)>) -> Self {
        match self {
            Self::Conflict { latest, .. } => Self::Conflict { kept: words, latest },
            Self::Full { .. } => Self::Full { kept: words },
            Self::NotYet { word, .. } => Self::NotYet { word, kept: words },
            other => other,
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::SignIn | Self::OwnPassword => StatusCode::SEE_OTHER,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Forbidden(_) | Self::ElsewhereOrigin => StatusCode::FORBIDDEN,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Conflict { .. } | Self::NotYet { .. } => StatusCode::CONFLICT,
            Self::Full { .. } => StatusCode::INSUFFICIENT_STORAGE,
            Self::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let mut answer = self.status().into_response();
        answer.extensions_mut().insert(self);
        answer
    }
}

impl From<LedgerError> for PageError {
    #[track_caller]
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Conflict(_) => Self::conflict(),
            LedgerError::Full => Self::Full { kept: Vec::new() },
            other => Self::internal(&other),
        }
    }
}

impl From<AuthorError> for PageError {
    #[track_caller]
    fn from(error: AuthorError) -> Self {
        match error {
            AuthorError::Ledger(ledger) => ledger.into(),
            other => Self::internal(&other),
        }
    }
}

impl From<AdmitError> for PageError {
    #[track_caller]
    fn from(error: AdmitError) -> Self {
        match error {
            AdmitError::Ledger(ledger) => ledger.into(),
            other => Self::internal(&other),
        }
    }
}

impl From<KeyLogRefusal> for PageError {
    #[track_caller]
    fn from(error: KeyLogRefusal) -> Self {
        match error {
            KeyLogRefusal::Ledger(ledger) => ledger.into(),
            other => Self::internal(&other),
        }
    }
}

impl From<BlobError> for PageError {
    #[track_caller]
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Full => Self::Full { kept: Vec::new() },
            other => Self::internal(&other),
        }
    }
}

impl From<super::password::PasswordError> for PageError {
    #[track_caller]
    fn from(error: super::password::PasswordError) -> Self {
        Self::internal(&error)
    }
}

impl From<askama::Error> for PageError {
    #[track_caller]
    fn from(error: askama::Error) -> Self {
        Self::internal(&error)
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    page: Page,
    sentence: String,
    incident: Option<String>,
    latest: Option<Latest>,
    kept: Vec<(String, String)>,
    detail: Option<String>,
}

/// Gives an error its page; any other answer stays as it is. Errors that other layers made (a body that is too long, a wrong
/// method) get a page as well.
pub async fn dressed(app: &App, visitor: &Visitor, answer: Response) -> Response {
    let status = answer.status();
    let error = match answer.extensions().get::<PageError>() {
        Some(error) => error.clone(),
        None => match status {
            StatusCode::METHOD_NOT_ALLOWED => PageError::NotFound,
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE
                if answer.headers().get(header::CONTENT_TYPE).is_none_or(|t| t != HTML) =>
            {
                PageError::bad_request(status.to_string())
            }
            _ => return answer,
        },
    };
    match error {
        PageError::SignIn => to_sign_in(visitor),
        PageError::OwnPassword => Redirect::to(OWN_PASSWORD).into_response(),
        other => page_of(app, visitor, other).await,
    }
}

const HTML: &str = "text/html; charset=utf-8";

/// A fragment cannot follow a redirect into the middle of a page: htmx is told to load the whole page.
fn to_sign_in(visitor: &Visitor) -> Response {
    let next: String = url_escaped(&visitor.here);
    let target = format!("/console/sign-in?next={next}");
    if visitor.fragment {
        let mut answer = StatusCode::UNAUTHORIZED.into_response();
        if let Ok(value) = HeaderValue::from_str(&target) {
            answer.headers_mut().insert("hx-redirect", value);
        }
        return answer;
    }
    Redirect::to(&target).into_response()
}

/// Percent-encodes everything but letters, digits and `-._~/`.
pub fn url_escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    text.bytes()
        .map(|b| {
            if plain(b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

async fn page_of(app: &App, visitor: &Visitor, error: PageError) -> Response {
    let words = visitor.words;
    let (title, sentence) = match &error {
        PageError::SignIn | PageError::OwnPassword | PageError::NotFound => {
            ("console.error.not_found", words.t("console.error.not_found_text"))
        }
        PageError::Forbidden(role) => (
            "console.error.forbidden",
            words.t1("console.error.forbidden_text", "role", words.t(role.word())),
        ),
        PageError::ElsewhereOrigin => ("console.error.elsewhere", words.t("console.error.elsewhere_text")),
        PageError::BadRequest(_) => ("console.error.bad_request", words.t("console.error.bad_request_text")),
        PageError::NotYet { word, .. } => ("console.not_yet", words.t(word)),
        PageError::Conflict { .. } => ("console.error.conflict", words.t("console.error.conflict_text")),
        PageError::Full { .. } => ("console.error.full", words.t("console.error.full_text")),
        PageError::Internal { .. } => ("console.error.internal", words.t("console.error.internal_text")),
    };
    let mut page = Page::plain(app, visitor, words.t(title));
    page.error = true;
    let shown = ErrorPage {
        page,
        sentence,
        incident: match &error {
            PageError::Internal { incident } => Some(incident.clone()),
            _ => None,
        },
        detail: match &error {
            PageError::BadRequest(why) => Some(why.clone()),
            _ => None,
        },
        latest: match &error {
            PageError::Conflict { latest, .. } => latest.clone(),
            _ => None,
        },
        kept: match &error {
            PageError::Conflict { kept, .. } | PageError::Full { kept } | PageError::NotYet { kept, .. } => {
                kept.clone()
            }
            _ => Vec::new(),
        },
    };
    match html(&shown) {
        Ok(body) => (error.status(), body).into_response(),
        Err(_) => error.status().into_response(),
    }
}

/// What nobody serves.
pub async fn no_such_page() -> PageError {
    PageError::NotFound
}
