//! One exchange with the server.

use std::io::Read;
use std::time::Duration;

use fieldseal_core::sync::fault::{Fault, StoreFault, checked};
use fieldseal_core::sync::limits::{CONNECT_TIMEOUT, IDLE_TIMEOUT, POLL_GRACE};
use fieldseal_core::sync::message::{Expect, Method, NoAnswer, Payload, Request, Response};
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT};
use reqwest::{Client, Url};
use tokio::sync::mpsc;

use crate::TransportError;
use crate::cancel::Cancel;
use crate::pin::{self, Mismatch};
use crate::upload::{self, Activity};

/// Longest time that a server may take to make a bundle.
const MAKING: Duration = Duration::from_secs(600);
/// How often the idle watch looks, at most.
const WATCH: Duration = Duration::from_secs(1);

/// Where the server is and how it is known, from the enrolment.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// `https://…`, without a path.
    pub url: String,
    /// SHA-256 of its certificate.
    pub tls_sha256: [u8; 32],
    /// What the device shows; none before enrolment.
    pub token: Option<String>,
}

/// A client for one server.
#[derive(Clone, Debug)]
pub struct Connection {
    client: Client,
    base: Url,
    token: Option<String>,
    mismatch: Mismatch,
    silence: Duration,
}

impl Connection {
    /// Prepares a client; nothing is sent.
    ///
    /// # Errors
    /// An address that is not `https`, or a machine whose TLS does not start.
    pub fn open(endpoint: &Endpoint) -> Result<Self, TransportError> {
        Self::open_with(endpoint, IDLE_TIMEOUT)
    }

    /// The same with another silence after which the line counts as dead; a connection is waited for no longer than that either.
    ///
    /// # Errors
    /// As [`Connection::open`].
    pub fn open_with(endpoint: &Endpoint, silence: Duration) -> Result<Self, TransportError> {
        let address = || TransportError::Address(endpoint.url.clone());
        let base = Url::parse(&endpoint.url).map_err(|_| address())?;
        if base.scheme() != "https" || base.host_str().is_none() {
            return Err(address());
        }
        let (tls, mismatch) = pin::config(endpoint.tls_sha256)?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT.min(silence))
            .pool_max_idle_per_host(1)
            .referer(false)
            .build()
            .map_err(|why| TransportError::SetUp(chain(&why)))?;
        Ok(Self {
            client,
            base,
            token: endpoint.token.clone(),
            mismatch,
            silence,
        })
    }

    /// Sends a request and reads the answer. `blob` lends the bytes of [`Payload::Blob`].
    ///
    /// # Errors
    /// [`NoAnswer`]: no connection, a cut, silence for too long, another certificate, an answer over its limit, or
    /// evidence that cannot be read.
    pub async fn exchange(
        &self,
        request: &Request,
        blob: Option<Box<dyn Read + Send>>,
        cancel: &Cancel,
        moved: &mut dyn FnMut(u64),
    ) -> Result<Response, NoAnswer> {
        let activity = Activity::default();
        let (http, mut failures) = self.build(request, blob, &activity)?;
        let talk = self.talk(http, request, &activity);
        tokio::pin!(talk);
        let watch = WATCH.min(self.silence / 4);
        let patience = self.silence
            + if request.silence.is_zero() {
                Duration::ZERO
            } else {
                request.silence + POLL_GRACE
            };
        let mut seen = (activity.bytes(), tokio::time::Instant::now());
        let answer = loop {
            tokio::select! {
                answer = &mut talk => break answer,
                () = cancel.ended() => return Err(NoAnswer::Cancelled),
                () = tokio::time::sleep(watch) => {
                    let bytes = activity.bytes();
                    if bytes != seen.0 {
                        seen = (bytes, tokio::time::Instant::now());
                        moved(bytes);
                    } else if seen.1.elapsed() >= patience {
                        return Err(NoAnswer::Offline(format!("silence for {} s", patience.as_secs())));
                    }
                }
            }
        };
        if let Some(why) = failures.as_mut().and_then(|failures| failures.try_recv().ok()) {
            return Err(NoAnswer::Evidence(why));
        }
        answer
    }

    /// `POST` without a body; the answer, if it is of the promised type, goes into a file as it comes.
    ///
    /// # Errors
    /// [`Fault`]; the file may then hold a part.
    pub(crate) async fn save(
        &self,
        path: &str,
        media_type: &str,
        file: &mut std::fs::File,
        cancel: &Cancel,
        progress: &mut dyn FnMut(u64),
    ) -> Result<u64, Fault> {
        let url = self.base.join(path).map_err(|why| NoAnswer::Offline(why.to_string()))?;
        let mut http = self.client.post(url).header(CONTENT_LENGTH, 0);
        if let Some(token) = &self.token {
            http = http.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        // A bundle is made before its first byte is sent; that may take minutes.
        let making = tokio::time::timeout(MAKING, http.send());
        let mut answer = tokio::select! {
            () = cancel.ended() => return Err(Fault::Cancelled),
            made = making => made.map_err(|_| NoAnswer::Offline("silence".into()))?.map_err(|why| self.no_answer(&why))?,
        };
        let said = answer
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        if !answer.status().is_success() || said != media_type {
            let (status, headers) = (answer.status().as_u16(), vec![("content-type".to_owned(), said)]);
            let body = answer
                .chunk()
                .await
                .map_err(|why| self.no_answer(&why))?
                .unwrap_or_default()
                .to_vec();
            let offline = || Fault::Offline("an answer that is not the server's".into());
            return Err(checked(Expect::Json, Response { status, headers, body })
                .err()
                .unwrap_or_else(offline));
        }
        let mut bytes = 0;
        loop {
            let chunk = tokio::select! {
                () = cancel.ended() => return Err(Fault::Cancelled),
                chunk = tokio::time::timeout(self.silence, answer.chunk()) => chunk,
            };
            let chunk = chunk
                .map_err(|_| NoAnswer::Offline("silence".into()))?
                .map_err(|why| self.no_answer(&why))?;
            let Some(chunk) = chunk else { return Ok(bytes) };
            std::io::Write::write_all(file, &chunk).map_err(|why| local(&why))?;
            bytes += chunk.len() as u64;
            progress(bytes);
        }
    }

    fn build(
        &self,
        request: &Request,
        blob: Option<Box<dyn Read + Send>>,
        activity: &Activity,
    ) -> Result<(reqwest::RequestBuilder, Option<mpsc::Receiver<String>>), NoAnswer> {
        let url = self
            .base
            .join(&request.path)
            .map_err(|why| NoAnswer::Offline(why.to_string()))?;
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Head => reqwest::Method::HEAD,
            Method::Post => reqwest::Method::POST,
            Method::Patch => reqwest::Method::PATCH,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut http = self.client.request(method, url);
        http = http.header(USER_AGENT, concat!("fieldseal/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = &self.token {
            http = http.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in &request.headers {
            http = http.header(*name, value);
        }
        Ok(match &request.payload {
            Payload::Empty if request.method == Method::Post => (http.header(CONTENT_LENGTH, 0), None),
            Payload::Empty => (http, None),
            Payload::Bytes { media_type, bytes } => (http.header(CONTENT_TYPE, *media_type).body(bytes.clone()), None),
            Payload::Blob { length, .. } => {
                let reader = blob.ok_or_else(|| NoAnswer::Evidence("nobody lends the bytes".into()))?;
                let (body, failures) = upload::body(reader, *length, activity.clone());
                (http.header(CONTENT_LENGTH, *length).body(body), Some(failures))
            }
        })
    }

    async fn talk(
        &self,
        http: reqwest::RequestBuilder,
        request: &Request,
        activity: &Activity,
    ) -> Result<Response, NoAnswer> {
        let mut answer = http.send().await.map_err(|why| self.no_answer(&why))?;
        let status = answer.status().as_u16();
        let mut headers = Vec::with_capacity(answer.headers().len());
        for (name, value) in answer.headers() {
            headers.push((
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            ));
        }
        let declared = answer
            .content_length()
            .and_then(|length| usize::try_from(length).ok())
            .unwrap_or(0);
        if declared > request.answer_limit && request.method != Method::Head {
            return Err(NoAnswer::TooLong);
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|why| self.no_answer(&why))? {
            if body.len() + chunk.len() > request.answer_limit {
                return Err(NoAnswer::TooLong);
            }
            activity.moved(chunk.len());
            body.extend_from_slice(&chunk);
        }
        Ok(Response { status, headers, body })
    }

    pub(crate) fn no_answer(&self, why: &reqwest::Error) -> NoAnswer {
        if why.is_connect() && self.mismatch.was_seen() {
            NoAnswer::WrongServer
        } else {
            NoAnswer::Offline(chain(why))
        }
    }

    /// From now on shows this token: the one before may have been replaced by an enrolment.
    pub(crate) fn set_token(&mut self, token: Option<String>) {
        self.token = token;
    }

    pub(crate) fn silence(&self) -> Duration {
        self.silence
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn url(&self, path: &str) -> Option<Url> {
        self.base.join(path).ok()
    }

    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }
}

/// An error with its causes; the outermost alone says nothing ("error sending request").
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        words = format!("{words}: {inner}");
        cause = inner.source();
    }
    words
}

/// A runtime for one blocking call.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, TransportError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|why| TransportError::SetUp(why.to_string()))
}
/// A file of this machine could not be read or written.
pub(crate) fn local(why: &std::io::Error) -> Fault {
    let code = match why.kind() {
        std::io::ErrorKind::StorageFull => "storage_full",
        _ => "io_failed",
    };
    Fault::Store(StoreFault {
        code,
        detail: why.to_string(),
    })
}
