//! Between which times an operation was sealed, as far as this device holds the attestations (`formats/time.md`).

use fieldseal_proof::bundle::{Bound, TimeBasis, TimeBracket};
use fieldseal_proof::ids::OpId;
use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError};

impl Store {
    /// The bracket of an operation by the time notes of this device: from below the one its anchor names, if this device holds
    /// it; from above the earliest one whose tree holds it. A bundle carries every attestation and can say more.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] when the operation is not here, or when the database does.
    pub fn bracket(&self, id: OpId) -> Result<TimeBracket, StoreError> {
        let row = self.operation(id)?;
        let connection = self.connection();
        let claimed = |note: (u64, u64)| Bound {
            unix_ms: note.0,
            basis: TimeBasis::Claimed,
            tree: note.1,
            who: None,
        };
        let not_before = match row.operation.header().anchor {
            None => None,
            Some(anchor) => connection
                .prepare_cached("SELECT time_ms, size FROM attestations WHERE anchor = ?1 AND kind = 'time-note'")?
                .query_row(params![anchor.as_bytes()], |found| Ok((found.get(0)?, found.get(1)?)))
                .optional()?,
        };
        let not_after = match row.leaf {
            None => None,
            Some(leaf) => connection
                .prepare_cached("SELECT time_ms, size FROM attestations WHERE size > ?1 AND kind = 'time-note' ORDER BY time_ms LIMIT 1")?
                .query_row(params![leaf], |found| Ok((found.get(0)?, found.get(1)?)))
                .optional()?,
        };
        Ok(TimeBracket {
            not_before: not_before.map(claimed),
            not_after: not_after.map(claimed),
        })
    }
}
