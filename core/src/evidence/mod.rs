//! From a camera or a file to a signed statement about its bytes, in two steps that cannot be swapped.
//!
//! ```text
//! Intent (noted in the file before its first byte)
//! Capture (bytes durable in the vault, hashed once) ──seal──▶ SealedEvidence (row and evidence.seal in one transaction)
//! ```

mod capture;
mod intent;

pub use capture::{Capture, SealedEvidence};
pub use intent::Intent;
