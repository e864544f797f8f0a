//! Single questions to the server: enrolment, administration, cases.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use fieldseal_core::sync::fault::{Fault, checked};
use fieldseal_core::sync::limits::UPLOAD_SLICE;
use fieldseal_core::sync::message::{Expect, Method, Payload, Request, Response, upload_path};
use fieldseal_proof::encoding::base64;
use fieldseal_proof::ids::BlobHash;
use serde_json::Value;

use crate::TransportError;
use crate::cancel::Cancel;
use crate::connection::{Connection, Endpoint, local, runtime};

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

    /// Sends a file as a blob, from where an earlier attempt of this call stopped.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn upload(&self, blob: BlobHash, size: u64, file: &Path) -> Result<(), Fault> {
        let metadata = format!("sha256 {}", base64(blob.to_string().as_bytes()));
        let headers = vec![("Upload-Length", size.to_string()), ("Upload-Metadata", metadata)];
        let created = self.tus(Method::Post, "/v1/uploads", headers, Payload::Empty, None)?;
        let place = created
            .header("location")
            .and_then(upload_path)
            .ok_or_else(|| untrue("created without a place"))?;
        let mut offset = 0;
        while offset < size {
            let length = (size - offset).min(UPLOAD_SLICE);
            let payload = Payload::Blob {
                sha256: blob,
                offset,
                length,
            };
            let headers = vec![
                ("Upload-Offset", offset.to_string()),
                ("Content-Type", "application/offset+octet-stream".to_owned()),
            ];
            let unreadable = |why: std::io::Error| local(&why);
            let mut reader = File::open(file).map_err(unreadable)?;
            reader.seek(SeekFrom::Start(offset)).map_err(unreadable)?;
            let answer = self.tus(Method::Patch, &place, headers, payload, Some(Box::new(reader)))?;
            let at = answer
                .header("upload-offset")
                .and_then(|value| value.parse().ok())
                .filter(|at| *at > offset && *at <= size);
            offset = at.ok_or_else(|| untrue("its offset does not move"))?;
        }
        Ok(())
    }

    fn tus(
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

    fn ask(&self, method: Method, path: &str, payload: Payload, expect: Expect) -> Answer {
        let request = blank(method, path, payload, expect);
        let answer = self
            .runtime
            .block_on(self.connection.exchange(&request, None, &self.cancel, &mut |_| {}));
        checked(expect, answer?)
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

fn untrue(why: &str) -> Fault {
    Fault::Untrue {
        what: "upload",
        why: why.to_owned(),
    }
}

fn read(answer: Response) -> Result<Value, Fault> {
    serde_json::from_slice(&answer.body).map_err(|why| Fault::Untrue {
        what: "answer",
        why: why.to_string(),
    })
}
