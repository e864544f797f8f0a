//! Single questions to the server: enrolment, administration, cases.

use std::time::Duration;

use fieldseal_core::sync::fault::{Fault, checked};
use fieldseal_core::sync::message::{Expect, Method, Payload, Request, Response};
use serde_json::Value;

use crate::TransportError;
use crate::cancel::Cancel;
use crate::connection::{Connection, Endpoint, runtime};

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

    fn ask(&self, method: Method, path: &str, payload: Payload, expect: Expect) -> Answer {
        let request = Request {
            id: 0,
            method,
            path: path.to_owned(),
            headers: Vec::new(),
            payload,
            expect,
            answer_limit: ANSWER,
            silence: Duration::from_secs(60),
        };
        let answer = self
            .runtime
            .block_on(self.connection.exchange(&request, None, &self.cancel, &mut |_| {}));
        checked(expect, answer?)
    }
}

fn read(answer: Response) -> Result<Value, Fault> {
    serde_json::from_slice(&answer.body).map_err(|why| Fault::Untrue {
        what: "answer",
        why: why.to_string(),
    })
}
