//! Formats and verification: the part of Fieldseal that a court expert reads.
//!
//! No clock, randomness, file, network, database or async: bytes in, facts out. The specification is `core/docs/formats/`.
//!
//! ```text
//! cbor, hash, ids, suite, dsse      the alphabet
//! body → operation → attest         what is signed, and by whom
//! key_log                           who may sign
//! merkle → note → checkpoint, tlog_proof, receipt
//! bundle                            everything together: verdicts
//! ```
#![warn(missing_docs)]

pub mod body;
pub mod cbor;
pub mod dsse;
pub mod encoding;
pub mod hash;
pub mod ids;
pub mod merkle;
pub mod operation;
pub mod suite;
