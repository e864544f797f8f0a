//! Around every page: who asks, in which language, whether the request may change anything; headers and error pages on the way out.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::accounts::{Account, Role};
use super::error::PageError;
use super::session::{self, Session};
use super::words::Words;
use super::{headers, language};
use crate::api::App;

/// Where whoever signed in with a one-time word chooses a password.
pub const OWN_PASSWORD: &str = "/console/password";

/// Whoever asks for a page.
#[derive(Debug, Clone)]
pub struct Visitor {
    pub words: Words,
    /// The person, if signed in.
    pub staff: Option<Staff>,
    /// Path and query as asked: the language link and the way back from sign-in keep it.
    pub here: String,
    /// htmx asks for a fragment.
    pub fragment: bool,
}

/// A person who is signed in.
#[derive(Debug, Clone)]
pub struct Staff {
    pub account: Account,
    pub session: Session,
}

impl Staff {
    /// # Errors
    /// The page that names the role it takes.
    pub fn needs(&self, role: Role) -> Result<(), PageError> {
        if self.account.role == role {
            Ok(())
        } else {
            Err(PageError::Forbidden(role))
        }
    }

    /// # Errors
    /// As [`Staff::needs`], where one of several will do; the first is named.
    pub fn needs_one_of(&self, roles: &[Role]) -> Result<(), PageError> {
        match roles {
            [] => Ok(()),
            some if some.contains(&self.account.role) => Ok(()),
            [first, ..] => Err(PageError::Forbidden(*first)),
        }
    }

    /// Who this is in the access log: role and number, no name.
    pub fn who(&self) -> String {
        format!("console {} {}", self.account.role.as_str(), self.account.user)
    }
}

/// The middleware.
pub async fn around(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let uri = request.uri().clone();
    let here = uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
    let words = language::of(request.headers());
    let fragment = request.headers().contains_key("hx-request");
    let mut visitor = Visitor {
        words,
        staff: None,
        here,
        fragment,
    };
    if let Some(switched) = language::switched(&uri, request.method()) {
        return headers::page(switched);
    }
    let answer = match session::find(&app, request.headers()).await {
        Ok(staff) => {
            visitor.staff = staff;
            request.extensions_mut().insert(visitor.clone());
            match allowed(request.method(), &uri, request.headers()) {
                Ok(()) => next.run(request).await,
                Err(error) => error.into_response(),
            }
        }
        Err(error) => PageError::from(error).into_response(),
    };
    headers::page(super::error::dressed(&app, &visitor, answer).await)
}

/// Only a page of this very server may send what changes something. Browsers say where a request comes from in
/// `Sec-Fetch-Site`; older ones in `Origin`; whoever says neither is no browser that holds a session.
fn allowed(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), PageError> {
    if matches!(*method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    let said = |name: header::HeaderName| headers.get(name).and_then(|v| v.to_str().ok());
    let site = headers.get("sec-fetch-site").and_then(|v| v.to_str().ok());
    let host = uri
        .authority()
        .map(|a| a.as_str().to_owned())
        .or_else(|| said(header::HOST).map(str::to_owned));
    // Our own Referrer-Policy makes browsers say `null` for the origin of our own forms, so that alone says nothing.
    let same = said(header::ORIGIN).filter(|origin| *origin != "null").map(|origin| {
        host.as_deref().is_some_and(|host| {
            origin
                .strip_prefix("https://")
                .is_some_and(|o| o.eq_ignore_ascii_case(host))
        })
    });
    match (site, same) {
        (Some("same-origin"), None | Some(true)) | (None, Some(true)) => Ok(()),
        _ => Err(PageError::ElsewhereOrigin),
    }
}

impl FromRequestParts<App> for Visitor {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, PageError> {
        let visitor = parts.extensions.get::<Visitor>().cloned();
        visitor.ok_or_else(|| PageError::broken("a page outside the console's layer"))
    }
}

/// A signed-in person with the request: the extractor of every page but sign-in. Others are sent to sign-in and come back;
/// whoever holds a one-time word is sent to choose a password.
#[derive(Debug, Clone)]
pub struct Desk {
    pub visitor: Visitor,
    pub staff: Staff,
}

impl Desk {
    pub fn words(&self) -> Words {
        self.visitor.words
    }
}

impl FromRequestParts<App> for Desk {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, PageError> {
        let visitor = Visitor::from_request_parts(parts, app).await?;
        match visitor.staff.clone() {
            None => Err(PageError::SignIn),
            Some(staff) if staff.account.one_time_until_ms.is_some() && parts.uri.path() != OWN_PASSWORD => {
                Err(PageError::OwnPassword)
            }
            Some(staff) => Ok(Self { visitor, staff }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_server_may_post() {
        let uri: Uri = "/console/sign-in".parse().expect("a path");
        let with = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            headers.insert("host", "fs.example:8443".parse().expect("a host"));
            for (name, value) in pairs {
                headers.insert(*name, value.parse().expect("a header"));
            }
            allowed(&Method::POST, &uri, &headers).is_ok()
        };
        let (own, other) = ("https://fs.example:8443", "https://evil.example");
        assert!(with(&[("sec-fetch-site", "same-origin")]));
        assert!(with(&[("sec-fetch-site", "same-origin"), ("origin", own)]));
        assert!(with(&[("sec-fetch-site", "same-origin"), ("origin", "null")]));
        assert!(with(&[("origin", own)]));
        assert!(!with(&[]));
        assert!(!with(&[("origin", other)]));
        assert!(!with(&[("origin", "null")]));
        assert!(!with(&[("origin", "http://fs.example:8443")]));
        assert!(!with(&[("sec-fetch-site", "same-site"), ("origin", own)]));
        assert!(!with(&[("sec-fetch-site", "none")]));
        assert!(!with(&[("sec-fetch-site", "cross-site"), ("origin", "null")]));
        assert!(!with(&[("sec-fetch-site", "same-origin"), ("origin", other)]));
        assert!(allowed(&Method::GET, &uri, &HeaderMap::new()).is_ok());
    }
}
