//! Bearer tokens: who shows one, stored under its SHA-256 only.

use fieldseal_proof::hash::sha256;
use serde::{Deserialize, Serialize};

use crate::ledger::{Commit, LedgerError, LedgerStore, Swap, space};

/// The row of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// `tablet`, `supervisor` or `admin`.
    pub role: String,
    pub device: Option<String>,
    pub incarnation: Option<String>,
    pub label: String,
    /// Enrolment request that it came with.
    pub request: Option<String>,
    /// The key log holds the device. Before that the token only asks for the state of its request.
    pub active: bool,
}

/// The token that `init` puts on the administrators' card.
pub struct AdminToken;

impl AdminToken {
    /// Stores its hash.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub async fn store(ledger: &dyn LedgerStore, token: &str) -> Result<(), LedgerError> {
        let row = Token {
            role: "admin".into(),
            device: None,
            incarnation: None,
            label: "init".into(),
            request: None,
            active: true,
        };
        let value = serde_json::to_vec(&row).map_err(|e| LedgerError::Corrupt(e.to_string()))?;
        let register = Swap::create(space::TOKEN, sha256(token.as_bytes()), value);
        ledger.commit(Commit::of(vec![register])).await.map(|_| ())
    }
}
