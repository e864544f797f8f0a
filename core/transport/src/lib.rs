//! Drives the sync state machine over HTTPS.
//!
//! | module | what for |
//! |---|---|
//! | [`pin`] | TLS that accepts the one server of the enrolment and no other |
//! | [`connection`] | one exchange: streamed both ways, with limits and an idle watch |
//! | [`visit`](mod@visit) | a whole visit: enrolment, sync, numbers |
//! | [`enrol`] | the device's own request and its officers' |
//! | [`call`] | single questions outside of a session: enrolment, administration, cases, a file that is handed in |
//! | [`Original`] | the bytes of a blob by ranges, gone on with after a cut |
//!
//! No redirect is followed and no proxy is read from the environment: what the enrolment does not name gets nothing.

#![warn(missing_docs)]

pub mod call;
pub mod cancel;
pub mod connection;
pub mod enrol;
mod file_upload;
mod jitter;
mod original;
pub mod pin;
mod upload;
pub mod visit;

pub use call::{Answer, Caller};
pub use cancel::Cancel;
pub use connection::{Connection, Endpoint};
pub use original::Original;
pub use visit::{visit, visit_with};

/// Why a connection cannot even be tried.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The address of the enrolment is none.
    #[error("{0:?} is not an https address")]
    Address(String),
    /// The machine's network or TLS library would not start.
    #[error("the network could not be set up: {0}")]
    SetUp(String),
}
