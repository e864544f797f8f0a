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
        let claimed = |unix_ms: Option<u64>| {
            unix_ms.map(|unix_ms| Bound {
                unix_ms,
                basis: TimeBasis::Claimed,
            })
        };
        let not_before = match row.operation.header().anchor {
            None => None,
            Some(anchor) => connection
                .prepare_cached("SELECT time_ms FROM attestations WHERE anchor = ?1 AND kind = 'time-note'")?
                .query_row(params![anchor.as_bytes()], |found| found.get(0))
                .optional()?,
        };
        let not_after = match row.leaf {
            None => None,
            Some(leaf) => connection
                .prepare_cached("SELECT min(time_ms) FROM attestations WHERE size > ?1 AND kind = 'time-note'")?
                .query_row(params![leaf], |found| found.get(0))?,
        };
        Ok(TimeBracket {
            not_before: claimed(not_before),
            not_after: claimed(not_after),
        })
    }
}
