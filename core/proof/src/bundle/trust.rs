//! What a stranger must get from outside the bundle.

use crate::ids::TenantId;
use crate::note::{NoteError, VerifierKey};
use crate::suite::PublicKey;

/// An organisation that cosigns the log.
#[derive(Debug, Clone)]
pub struct Witness {
    /// Its key.
    pub key: VerifierKey,
    /// Who runs it; several keys of one organisation count once.
    pub organisation: String,
    /// Run by the operator of the log: labelled, raises nothing.
    pub same_operator: bool,
}

/// Roots of trust: never taken from the bundle.
#[derive(Debug, Clone)]
pub struct Trust {
    /// The agency.
    pub tenant: TenantId,
    /// Its root key.
    pub root: PublicKey,
    /// The log's key.
    pub log: VerifierKey,
    /// OpenSSH `allowed_signers` for the bundle's signature.
    pub allowed_signers: String,
    /// How many independent organisations make WITNESSED; 0 asks for none and gives none.
    pub quorum: usize,
    /// Known witnesses.
    pub witnesses: Vec<Witness>,
}

impl Trust {
    /// Trust without witnesses.
    pub fn new(tenant: TenantId, root: PublicKey, log_vkey: &str, allowed_signers: String) -> Result<Self, NoteError> {
        let log = VerifierKey::parse(log_vkey)?;
        Ok(Self { tenant, root, log, allowed_signers, quorum: 0, witnesses: Vec::new() })
    }
}
