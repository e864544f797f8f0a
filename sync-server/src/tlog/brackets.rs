//! Between which times an operation was sealed, by the time notes that this server gave out (`formats/time.md`).
//!
//! Every note is the server's own word and is shown as that. A bundle carries the attestations themselves, and cosigned ones.

use fieldseal_proof::bundle::{Bound, TimeBasis, TimeBracket};
use fieldseal_proof::checkpoint::TimeNote;
use fieldseal_proof::ids::Anchor;
use fieldseal_proof::note::SignedNote;

use crate::ledger::{LedgerError, LedgerStore, space};

/// From below the note that the operation's anchor names; from above the first note whose tree holds its leaf.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn bracket(ledger: &dyn LedgerStore, anchor: Option<Anchor>, leaf: u64) -> Result<TimeBracket, LedgerError> {
    let claimed = |(tree, unix_ms): (u64, u64)| Bound {
        unix_ms,
        basis: TimeBasis::Claimed,
        tree,
        who: None,
    };
    let not_before = match anchor {
        None => None,
        Some(anchor) => {
            let held = ledger.register(space::ATTESTATION, anchor.as_bytes().to_vec()).await?;
            let note = held.and_then(|held| TimeNote::of(&SignedNote::parse(&held.value).ok()?).ok());
            note.map(|note| claimed((note.size, note.unix_ms)))
        }
    };
    // Keys are size and time: the first one beyond every note of exactly `leaf` leaves.
    let after = [leaf.to_be_bytes(), [0xff; 8]].concat();
    let first = ledger.registers(space::TIME, after, 1).await?;
    let number = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_be_bytes);
    let not_after = first
        .first()
        .and_then(|found| Some((number(found.key.get(..8)?)?, number(found.key.get(8..16)?)?)))
        .map(claimed);
    Ok(TimeBracket { not_before, not_after })
}
