//! Formats and verification: the part of Fieldseal that a court expert reads.
//!
//! No clock, randomness, file, network, database or async: bytes in, facts out. The specification is `core/docs/formats/`.
//!
//! ```text
//! cbor, hash, ids, suite, dsse      the alphabet
//! body → operation → attest, fork   what is signed, by whom, and twice where only once is allowed
//! key_log                           who may sign
//! merkle → note → checkpoint, tlog_proof, receipt
//! bundle                            everything together: verdicts
//! ```
#![warn(missing_docs)]

pub mod attest;
pub mod body;
pub mod bundle;
pub mod cbor;
pub mod checkpoint;
pub mod disposal;
pub mod dsse;
pub mod encoding;
pub mod fork;
pub mod hash;
pub mod ids;
pub mod key_log;
pub mod merkle;
pub mod note;
pub mod operation;
pub mod receipt;
pub mod roll;
pub mod sshsig;
pub mod succession;
pub mod suite;
pub mod tile;
pub mod tlog_proof;
