//! Requests and answers as data: what the state machine wants sent, and what came back. Whoever drives it owns the socket.

use std::time::Duration;

use fieldseal_proof::ids::BlobHash;

/// HTTP method of a [`Request`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Reads the headers only.
    Head,
    /// Sends.
    Post,
    /// Continues an upload.
    Patch,
    /// Gives an upload up.
    Delete,
}

impl Method {
    /// Its word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// What a request carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Nothing.
    Empty,
    /// These bytes under this media type.
    Bytes {
        /// Value of `Content-Type`.
        media_type: &'static str,
        /// The body.
        bytes: Vec<u8>,
    },
    /// `length` bytes of a blob from `offset`, to be streamed from the vault and never held whole.
    Blob {
        /// Which blob.
        sha256: BlobHash,
        /// First byte, as the server's offset says.
        offset: u64,
        /// How many bytes.
        length: u64,
    },
}

/// What kind of answer was promised; anything else counts as offline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// `application/json`.
    Json,
    /// CBOR, one item or a sequence.
    Cbor,
    /// Text of a signed note.
    Note,
    /// Bytes of a tile or a pack.
    Bytes,
    /// Headers of the tus protocol, no body.
    Tus,
}

impl Expect {
    /// Whether a successful answer of this media type can be the promised one.
    pub fn accepts(self, media_type: &str) -> bool {
        let plain = media_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        match self {
            Self::Json => plain == "application/json",
            Self::Cbor => matches!(
                plain.as_str(),
                "application/cbor" | "application/cbor-seq" | "application/octet-stream"
            ),
            Self::Note => plain == "text/plain",
            Self::Bytes => matches!(plain.as_str(), "application/octet-stream" | "application/cbor"),
            Self::Tus => true,
        }
    }
}

/// One thing to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Names this sending; an answer under another number is a late one and is ignored.
    pub id: u64,
    /// Method.
    pub method: Method,
    /// Path and query, below the server's address.
    pub path: String,
    /// Headers beside the ones that the driver adds (authorisation, host).
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub payload: Payload,
    /// What is promised.
    pub expect: Expect,
    /// Most bytes of an answer that are read.
    pub answer_limit: usize,
    /// How long the server may rightly stay silent (a long poll).
    pub silence: Duration,
}

/// An answer as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Header names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// Body, at most the request's `answer_limit`.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a header, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// No connection, a cut, or silence for too long.
    Offline(String),
    /// The certificate is not the one of the enrolment. Nothing was sent.
    WrongServer,
    /// The answer is longer than anything that was promised.
    TooLong,
    /// The evidence file could not be read while it was sent.
    Evidence(String),
    /// The user ended it.
    Cancelled,
}

/// The path of an upload. A full address is cut to its path: nothing is ever sent to another host than the enrolled one.
pub fn upload_path(location: &str) -> Option<String> {
    let path = match location.split_once("://") {
        Some((_, rest)) => rest.find('/').map(|at| &rest[at..])?,
        None => location,
    };
    let id = path.strip_prefix("/v1/uploads/")?;
    let plain = !id.is_empty()
        && id.len() <= 128
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    plain.then(|| path.to_owned())
}
