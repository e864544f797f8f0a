//! Keys that anybody can make again from one number.

use fieldseal_proof::key_log::{Custody, KeyRecord, Purpose};
use fieldseal_proof::suite::{Ed25519Signer, Signer};

/// The Ed25519 key whose seed is 32 times `n`.
pub fn signer(n: u8) -> Ed25519Signer {
    Ed25519Signer::from_seed(&[n; 32]).unwrap()
}

/// The record of that key for a purpose, held in software.
pub fn record(purpose: Purpose, n: u8) -> KeyRecord {
    KeyRecord::new(purpose, signer(n).public(), Custody::Software)
}
