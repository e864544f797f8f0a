//! The sync server with the central case ledger.
//!
//! ```text
//! console → api → projection → ingest → tlog → ledger        each uses only what stands to its right
//! ```
//! `ledger` is what is durable, `tlog` what is signed and public, `ingest` the only writer, `projection` what it all comes to,
//! `api` speaks HTTP with devices, `console` with people. `uploads` is the blob plane beside `ingest`; `custody` signs who read and exported; `forks` hands out what proves that a device signed
//! two histories; `reprint` prints
//! documents again and compares; `office` is what the desks of
//! administrators and supervisors ask, for whatever face.

pub mod api;
pub mod checks;
pub mod commands;
pub mod config;
pub mod console;
pub mod custody;
pub mod export;
pub mod forks;
pub mod hearing;
pub mod incident;
pub mod ingest;
pub mod keys;
pub mod ledger;
pub mod office;
pub mod projection;
pub mod reprint;
pub mod server;
pub mod tlog;
pub mod uploads;
