//! Single questions to the server: enrolment, administration, cases.

use std::fs::File;
use std::io::Read;
use std::time::Duration;

use fieldseal_core::sync::backoff::Backoff;
use fieldseal_core::sync::fault::{Fault, checked};
use fieldseal_core::sync::message::{Expect, Method, Payload, Request, Response};
use serde_json::Value;

use crate::TransportError;
use crate::cancel::Cancel;
use crate::connection::{Connection, Endpoint, local, runtime};
use crate::jitter::random;

/// Most bytes of an answer that is read into memory.
const ANSWER: usize = 64 * 1024 * 1024;

/// A blocking client for single questions.
pub struct Caller {
    connection: Connection,
    runtime: tokio::runtime::Runtime,
    cancel: Cancel,
}

/// What came back.
pub type Answer = Result<Response, Fault>;

impl Caller {
    /// Prepares it; nothing is sent.
    ///
    /// # Errors
    /// As [`Connection::open`].
    pub fn open(endpoint: &Endpoint, cancel: Cancel) -> Result<Self, TransportError> {
        Ok(Self {
            connection: Connection::open(endpoint)?,
            runtime: runtime()?,
            cancel,
        })
    }

    /// `GET`, for JSON.
    ///
    /// # Errors
    /// [`Fault`], sorted by what to do about it.
    pub fn get(&self, path: &str) -> Result<Value, Fault> {
        read(self.ask(Method::Get, path, Payload::Empty, Expect::Json)?)
    }

    /// `POST` of JSON, for JSON.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Fault> {
        read(self.send(path, "application/json", body.to_string().into_bytes(), Expect::Json)?)
    }

    /// `POST` of bytes.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn send(&self, path: &str, media_type: &'static str, bytes: Vec<u8>, expect: Expect) -> Answer {
        self.ask(Method::Post, path, Payload::Bytes { media_type, bytes }, expect)
    }

    /// `GET` of bytes.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn fetch(&self, path: &str, expect: Expect) -> Answer {
        self.ask(Method::Get, path, Payload::Empty, expect)
    }

    /// `POST` without a body, the answer's bytes into a file; how many. For answers too long for memory.
    ///
    /// # Errors
    /// [`Fault`]; the file may then hold a part.
    pub fn save(
        &self,
        path: &str,
        media_type: &str,
        mut file: File,
        progress: &mut dyn FnMut(u64),
    ) -> Result<u64, Fault> {
        let saved = self.runtime.block_on(
            self.connection
                .save(path, media_type, &mut file, &self.cancel, progress),
        );
        let bytes = saved?;
        file.sync_all().map_err(|why| local(&why))?;
        Ok(bytes)
    }

    /// Runs something that may be asked twice, again after a cut or where the server asks for a moment: exponential, with full
    /// jitter, and never before the server's `Retry-After`.
    ///
    /// # Errors
    /// The last [`Fault`]; at once where trying again cannot help, or where the server asks for more than a minute.
    pub fn again<T>(&self, mut ask: impl FnMut() -> Result<T, Fault>) -> Result<T, Fault> {
        self.while_that(Fault::is_transient, &mut ask)
    }

    fn while_that<T>(
        &self,
        may_repeat: impl Fn(&Fault) -> bool,
        ask: &mut dyn FnMut() -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut backoff = Backoff::new(random());
        loop {
            let fault = match ask() {
                Err(fault) if may_repeat(&fault) => fault,
                done => return done,
            };
            match backoff.failed(fault.floor()) {
                Some(wait) => self.pause(wait)?,
                None => return Err(fault),
            }
        }
    }

    /// Waits, unless the user ends it.
    pub(crate) fn pause(&self, wait: Duration) -> Result<(), Fault> {
        self.runtime.block_on(async {
            tokio::select! {
                () = self.cancel.ended() => Err(Fault::Cancelled),
                () = tokio::time::sleep(wait) => Ok(()),
            }
        })
    }

    /// One exchange of the upload protocol, not repeated.
    pub(crate) fn tus(
        &self,
        method: Method,
        path: &str,
        mut headers: Vec<(&'static str, String)>,
        payload: Payload,
        blob: Option<Box<dyn Read + Send>>,
    ) -> Answer {
        headers.push(("Tus-Resumable", "1.0.0".to_owned()));
        let request = Request {
            headers,
            ..blank(method, path, payload, Expect::Tus)
        };
        let answer = self
            .runtime
            .block_on(self.connection.exchange(&request, blob, &self.cancel, &mut |_| {}));
        checked(Expect::Tus, answer?)
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn runtime(&self) -> &tokio::runtime::Runtime {
        &self.runtime
    }

    pub(crate) fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// A question; asked again where the server says when to come back: then it has done nothing yet.
    fn ask(&self, method: Method, path: &str, payload: Payload, expect: Expect) -> Answer {
        let request = blank(method, path, payload, expect);
        let mut once = || {
            let answer = self
                .runtime
                .block_on(self.connection.exchange(&request, None, &self.cancel, &mut |_| {}));
            checked(expect, answer?)
        };
        self.while_that(|fault| fault.floor().is_some(), &mut once)
    }
}

fn blank(method: Method, path: &str, payload: Payload, expect: Expect) -> Request {
    let (path, silence) = (path.to_owned(), Duration::from_secs(60));
    Request {
        id: 0,
        method,
        path,
        headers: Vec::new(),
        payload,
        expect,
        answer_limit: ANSWER,
        silence,
    }
}

fn read(answer: Response) -> Result<Value, Fault> {
    serde_json::from_slice(&answer.body).map_err(|why| Fault::Untrue {
        what: "answer",
        why: why.to_string(),
    })
}
