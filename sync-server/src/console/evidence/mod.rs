//! Evidence for people: original bytes behind their own strict headers, previews that say what they are, what a signature covers.

mod inline;
mod operation;
mod original;
mod preview;
mod range;

pub use inline::Player;
pub use operation::{message, public_key, short as short_id, signature};
pub use original::original;
pub use preview::{PreviewShelf, preview};

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use fieldseal_proof::ids::from_hex;

use super::accounts::Role;
use super::error::PageError;
use super::visitor::Desk;
use crate::api::App;
use crate::uploads::Blob;

/// A film is opened once and then asked for in many ranges: within this time they belong to the one opening.
const ONE_OPENING_MS: u64 = 15 * 60_000;
/// Openings that are remembered.
const REMEMBERED: usize = 10_000;

type Opening = (Vec<u8>, [u8; 32]);

/// Who opened what lately, so that the ranges of one viewing make one line in the access log.
#[derive(Default)]
pub struct Openings {
    /// By session and file, when it was opened (Unix ms).
    lately: Mutex<HashMap<Opening, u64>>,
}

impl Openings {
    /// Whether this request is a new opening. One from the first byte on always is.
    fn is_new(&self, session: &[u8], sha256: [u8; 32], from: u64, now_ms: u64) -> bool {
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        if lately.len() >= REMEMBERED {
            lately.retain(|_, at| now_ms < at.saturating_add(ONE_OPENING_MS));
        }
        let before = lately.insert((session.to_vec(), sha256), now_ms);
        from == 0 || before.is_none_or(|at| now_ms >= at.saturating_add(ONE_OPENING_MS))
    }
}

/// The blob of a hash in the address, for those who may read evidence. Unknown, not here and not allowed look the same.
async fn blob_of(app: &App, desk: &Desk, hex: &str) -> Result<([u8; 32], Blob), PageError> {
    desk.staff.needs_one_of(&[Role::Supervisor, Role::Legal])?;
    let sha256: [u8; 32] = from_hex(hex)
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(PageError::NotFound)?;
    // Only what an operation names: an upload without one is nobody's evidence.
    if app.server.ledger.blob_refs(sha256).await?.is_empty() {
        return Err(PageError::NotFound);
    }
    let blob = app.server.uploads.blob(&sha256).await?.ok_or(PageError::NotFound)?;
    Ok((sha256, blob))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ranges_of_one_viewing_are_one_opening() {
        let (openings, file, other) = (Openings::default(), [1; 32], [2; 32]);
        assert!(openings.is_new(b"a", file, 0, 1_000));
        assert!(!openings.is_new(b"a", file, 70_000, 2_000));
        assert!(openings.is_new(b"a", other, 70_000, 2_000));
        assert!(openings.is_new(b"b", file, 70_000, 2_000));
        assert!(openings.is_new(b"a", file, 0, 3_000), "opened again from the start");
        assert!(openings.is_new(b"a", file, 9, 3_000 + ONE_OPENING_MS));
    }
}
