//! A bundle made at a person's wish, and what the verifier says about the very file that is handed over.
//!
//! ```text
//! wish ─▶ export (roll, checkpoint, zip) ─▶ proof::bundle::verify on the zip ─▶ page with verdict and download
//! ```
//! The trust that the verifier is given here is this server's own: it shows that the bundle is what it should be, and a hearing
//! does it again with trust from elsewhere. The page says so.

mod counted;
mod jobs;

use std::path::Path;
use std::sync::Arc;

use fieldseal_proof::bundle::{self, Extras, Report, Trust};
use fieldseal_proof::key_log::Purpose;
use fieldseal_proof::sshsig::allowed_signers_line;

pub use jobs::{Done, Job, Jobs, State, sweep};

use crate::server::Server;

/// Why a bundle was not checked.
#[derive(Debug, thiserror::Error)]
pub enum HearingError {
    #[error(transparent)]
    Export(#[from] crate::export::ExportError),
    #[error("the file that was written cannot be read: {0}")]
    Unreadable(String),
    #[error("{0}")]
    Trust(String),
}

/// What a verifier has to get from outside the bundle, as this server holds it.
///
/// # Errors
/// When the key log lacks what the ceremony put there.
pub fn own_trust(server: &Server) -> Result<Trust, HearingError> {
    let keys = server.ingest.key_log();
    let none = || HearingError::Trust("the key log has no root key".into());
    let root = keys.log.root().ok_or_else(none)?.record.key();
    let root = root.map_err(|e| HearingError::Trust(e.to_string()))?;
    let origin = &server.config.origin;
    let vkey = server
        .keys
        .log_vkey(origin)
        .map_err(|e| HearingError::Trust(e.to_string()))?;
    let signers = keys
        .log
        .server_keys(Purpose::Bundle)
        .into_iter()
        .filter_map(|key| key.record.key().ok());
    let signers: String = signers.map(|key| allowed_signers_line(origin, &key)).collect();
    Trust::new(server.ingest.tenant(), root, &vkey, signers).map_err(|e| HearingError::Trust(e.to_string()))
}

/// Runs the verifier over a written bundle; `read` is told how many bytes it has taken in so far.
///
/// # Errors
/// When the file is no zip. Whatever is wrong inside is in the report.
pub fn verify_file(zip: &Path, trust: &Trust, read: Arc<dyn Fn(u64) + Send + Sync>) -> Result<Report, HearingError> {
    let source = counted::Counted::open(zip, read).map_err(|e| HearingError::Unreadable(e.to_string()))?;
    Ok(bundle::verify(&source, trust, &Extras::default()))
}
