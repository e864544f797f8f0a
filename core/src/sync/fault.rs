//! What can go wrong in the conversation, sorted by what a client has to do about it.

use std::time::Duration;

use super::message::{Expect, NoAnswer, Response};
use super::wire::Problem;
use crate::catalogue::{self, Param};

/// Problem code: an administrator revoked this device's key. It may still send what it has signed.
pub const DEVICE_REVOKED: &str = "device_revoked";

/// Problem code: the server does not know the enrolment request that it was asked about.
pub const REQUEST_UNKNOWN: &str = "request_unknown";

/// One failed exchange.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nobody answered, or somebody who is not our server did. Try again later; nothing changed.
    #[error("offline: {0}")]
    Offline(String),
    /// The server asks for time.
    #[error("the server is busy ({code})")]
    Busy {
        /// Problem code.
        code: String,
        /// Floor of the wait.
        floor: Option<Duration>,
    },
    /// The server has no room for now. Nothing is wrong with what waits.
    #[error("the server has no room")]
    Full {
        /// Floor of the wait.
        floor: Option<Duration>,
    },
    /// The token is not accepted. Sending pauses, everything is kept.
    #[error("the server does not accept this device's token")]
    Paused,
    /// The certificate is not the one of the enrolment.
    #[error("this is not the server of enrolment")]
    WrongServer,
    /// The server says no for good.
    #[error("the server refused: {code} ({status}) {detail}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Problem code.
        code: String,
        /// Its sentence.
        detail: String,
    },
    /// The answer arrived and is not what was promised: a signature, hash or rule fails.
    #[error("the server's {what} does not hold: {why}")]
    Untrue {
        /// Which part.
        what: &'static str,
        /// What fails.
        why: String,
    },
    /// This device's own store failed.
    #[error("{0}")]
    Store(#[from] StoreFault),
    /// The user ended it.
    #[error("ended by the user")]
    Cancelled,
}

/// A failure of this device's own store, with the stable code of the device error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct StoreFault {
    /// Stable code.
    pub code: &'static str,
    /// What failed.
    pub detail: String,
}

impl Fault {
    /// Whether the same request may succeed a moment later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Offline(_) | Self::Busy { .. } | Self::Full { .. })
    }

    /// The floor of the wait that the server asked for.
    pub fn floor(&self) -> Option<Duration> {
        match self {
            Self::Busy { floor, .. } | Self::Full { floor } => *floor,
            _ => None,
        }
    }

    /// Stable code, key of the message catalogue.
    pub fn code(&self) -> &str {
        match self {
            Self::Offline(_) => "offline",
            Self::Busy { .. } => "server_busy",
            Self::Full { .. } => "server_full",
            Self::Paused => "paused",
            Self::WrongServer => "wrong_server",
            Self::Refused { code, .. } => code,
            Self::Untrue { .. } => "server_untrue",
            Self::Store(fault) => fault.code,
            Self::Cancelled => "cancelled",
        }
    }

    /// The sentence for people: a code of the catalogue, or one that came over the wire, with its parameters.
    pub fn words(&self) -> (String, Vec<(&'static str, Param)>) {
        let detail = |text: &str| ("detail", Param::text(text));
        let (code, params) = match self {
            Self::Offline(why) => ("server_unreachable", vec![("url", Param::text("")), detail(why)]),
            Self::Busy { floor, .. } => {
                let span = floor.unwrap_or_default().as_millis().try_into().unwrap_or(u64::MAX);
                ("server_busy", vec![("span", Param::Span(span))])
            }
            Self::Full { .. } => ("server_full", vec![]),
            Self::Paused => ("token_refused", vec![]),
            Self::WrongServer => ("wrong_server", vec![]),
            Self::Refused { code, detail: text, .. } if catalogue::exists(code) => {
                return (code.clone(), vec![detail(text)]);
            }
            Self::Refused {
                status,
                code,
                detail: text,
            } => ("server_answer", vec![detail(&format!("{status} {code} {text}"))]),
            Self::Untrue { what, why } => ("server_answer", vec![detail(&format!("{what}: {why}"))]),
            Self::Store(fault) => (fault.code, vec![("path", Param::text("")), detail(&fault.detail)]),
            Self::Cancelled => ("cancelled", vec![]),
        };
        (code.to_owned(), params)
    }

    pub(super) fn untrue(what: &'static str, why: impl std::fmt::Display) -> Self {
        Self::Untrue {
            what,
            why: why.to_string(),
        }
    }
}

impl From<NoAnswer> for Fault {
    fn from(why: NoAnswer) -> Self {
        match why {
            NoAnswer::Offline(detail) => Self::Offline(detail),
            NoAnswer::WrongServer => Self::WrongServer,
            NoAnswer::TooLong => Self::untrue("answer", "longer than anything that was promised"),
            NoAnswer::Evidence(detail) => Self::Store(StoreFault {
                code: "evidence_unreadable",
                detail,
            }),
            NoAnswer::Cancelled => Self::Cancelled,
        }
    }
}

/// A problem with its status: what the phases look at before it becomes a [`Fault`].
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub status: u16,
    pub problem: Problem,
    pub floor: Option<Duration>,
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        match refusal.status {
            // Said to a device whose key was revoked, by a server that still takes what it has signed.
            401 if refusal.problem.code != DEVICE_REVOKED => Self::Paused,
            408 | 423 | 425 | 429 | 500 | 502 | 503 | 504 => Self::Busy {
                code: refusal.problem.code,
                floor: refusal.floor,
            },
            507 => Self::Full { floor: refusal.floor },
            status => Self::Refused {
                status,
                code: refusal.problem.code,
                detail: refusal.problem.detail,
            },
        }
    }
}

/// An answer of the promised kind, or the fault.
///
/// # Errors
/// [`Fault`]: a problem of the server, or somebody else's page (offline).
pub fn checked(expect: Expect, answer: Response) -> Result<Response, Fault> {
    sort(expect, answer).map_err(|why| why.map_or_else(|fault| fault, Fault::from))
}

/// Sorts an answer: the promised kind, a problem of our server, or somebody else's page (offline).
pub(super) fn sort(expect: Expect, answer: Response) -> Result<Response, Result<Refusal, Fault>> {
    let media_type = answer.header("content-type").unwrap_or_default().to_owned();
    let tus = answer.header("tus-resumable").is_some();
    let ours = answer.header("fieldseal-epoch").is_some();
    match answer.status {
        200..=299 if expect == Expect::Tus && !tus => Err(Err(Fault::Offline(format!(
            "an answer without the upload protocol ({media_type})"
        )))),
        200..=299 if expect.accepts(&media_type) => Ok(answer),
        200..=299 => Err(Err(Fault::Offline(format!(
            "an answer of type {media_type:?} instead of the server's"
        )))),
        // The answer to HEAD has no body to put a problem into.
        status if expect == Expect::Tus && (tus || ours) && answer.body.is_empty() => {
            let problem = Problem {
                code: format!("http_{status}"),
                ..Problem::default()
            };
            Err(Ok(Refusal {
                status,
                floor: retry_after(&answer),
                problem,
            }))
        }
        status if media_type.starts_with("application/problem+json") => {
            let Ok(problem) = serde_json::from_slice::<Problem>(&answer.body) else {
                return Err(Err(Fault::Offline("a problem that is not JSON".into())));
            };
            let floor = retry_after(&answer).max(problem.retry_after_s.map(Duration::from_secs));
            Err(Ok(Refusal { status, problem, floor }))
        }
        status => Err(Err(Fault::Offline(format!(
            "status {status} of type {media_type:?}, not the server's"
        )))),
    }
}

/// `Retry-After` in seconds. A date is not read: it would need the tablet's clock, which is only a claim.
fn retry_after(answer: &Response) -> Option<Duration> {
    answer
        .header("retry-after")?
        .trim()
        .parse()
        .ok()
        .map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, media_type: &str, body: &str, extra: &[(&str, &str)]) -> Response {
        let mut headers = vec![("content-type".to_owned(), media_type.to_owned())];
        headers.extend(extra.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        Response {
            status,
            headers,
            body: body.into(),
        }
    }

    fn fault(expect: Expect, answer: Response) -> Fault {
        match sort(expect, answer) {
            Ok(answer) => panic!("taken for an answer: {answer:?}"),
            Err(Ok(refusal)) => refusal.into(),
            Err(Err(fault)) => fault,
        }
    }

    #[test]
    fn a_login_page_is_offline_whatever_its_status() {
        for status in [200, 302, 403, 500, 511] {
            let page = answer(status, "text/html", "<html>Welcome", &[]);
            assert!(matches!(fault(Expect::Json, page), Fault::Offline(_)), "{status}");
        }
        assert!(matches!(
            fault(Expect::Tus, answer(204, "", "", &[])),
            Fault::Offline(_)
        ));
    }

    #[test]
    fn statuses_are_sorted_by_what_to_do() {
        let problem = |status| answer(status, "application/problem+json", r#"{"code":"x","detail":"d"}"#, &[]);
        assert_eq!(fault(Expect::Json, problem(401)), Fault::Paused);
        for status in [429, 500, 503, 507] {
            assert!(fault(Expect::Json, problem(status)).is_transient(), "{status}");
        }
        for status in [400, 403, 404, 409, 413, 422] {
            assert!(
                matches!(fault(Expect::Json, problem(status)), Fault::Refused { .. }),
                "{status}"
            );
        }
    }

    #[test]
    fn the_longer_of_header_and_body_is_the_floor() {
        let body = r#"{"code":"busy","retry_after_s":9}"#;
        let busy = answer(503, "application/problem+json", body, &[("retry-after", "4")]);
        assert_eq!(fault(Expect::Json, busy).floor(), Some(Duration::from_secs(9)));
    }

    #[test]
    fn a_problem_that_is_not_json_is_offline() {
        assert!(matches!(
            fault(Expect::Json, answer(503, "application/problem+json", "<", &[])),
            Fault::Offline(_)
        ));
    }
}
