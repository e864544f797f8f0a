//! What travels between a tablet and the server.

use std::io;

use axum::body::Body;
use fieldseal_core::sync::message::Response;
use fieldseal_proof::ids::BlobHash;
use futures_util::stream;

/// A request as it travels.
#[derive(Clone)]
pub struct Call {
    pub method: &'static str,
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub token: Option<String>,
    pub body: Vec<u8>,
    /// The body is a part of this file.
    pub blob: Option<BlobHash>,
}

impl Call {
    pub fn get(path: &str, token: &str) -> Self {
        Self {
            method: "GET",
            path: path.to_owned(),
            headers: Vec::new(),
            token: Some(token.to_owned()),
            body: Vec::new(),
            blob: None,
        }
    }

    pub fn post(path: &str, token: &str, media_type: &str, body: Vec<u8>) -> Self {
        Self {
            method: "POST",
            headers: vec![("Content-Type", media_type.to_owned())],
            body,
            ..Self::get(path, token)
        }
    }

    /// As the server's HTTP layer hands it on. With `cut` the line dies after so many bytes of the body.
    pub fn http(&self, cut: Option<usize>) -> axum::http::Request<Body> {
        let mut request = axum::http::Request::builder().method(self.method).uri(&self.path);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = match cut {
            None => Body::from(self.body.clone()),
            Some(at) => {
                let gone = io::Error::new(io::ErrorKind::ConnectionReset, "the line died");
                Body::from_stream(stream::iter([Ok(self.body[..at].to_vec()), Err(gone)]))
            }
        };
        request.body(body).expect("a request that a device makes is one")
    }

    /// What a reader of the run's log wants to see of it; nothing that differs from one run of a seed to the next.
    pub fn words(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        format!("{} {path} {} bytes", self.method, self.body.len())
    }
}

/// A request that was sent and whose sender waits, or has given it up.
pub struct Flight {
    pub tablet: usize,
    /// Which conversation of the tablet sent it, and under which number.
    pub session: u64,
    pub id: u64,
    pub call: Call,
    /// The sender does not wait any more; what comes back is thrown away.
    pub given_up: bool,
    /// The answer, where only that is still on its way.
    pub answer: Option<Response>,
    /// When it was sent: requests of two tablets that arrive in another order have overtaken each other.
    pub sent: u64,
}
