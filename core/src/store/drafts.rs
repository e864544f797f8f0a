//! Drafts: every edit is durable at once, freely corrected, and signed only when the inspector commits it.

use fieldseal_proof::cbor::{self, Value};
use fieldseal_proof::ids::{CaseId, InspectionId};
use rusqlite::{Row, params};

use super::{Store, StoreError};

/// An edit that is not signed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The inspection's case.
    pub case: CaseId,
    /// Inspection.
    pub inspection: InspectionId,
    /// Body path.
    pub path: String,
    /// What was typed.
    pub value: Value,
    /// When, by the device's clock.
    pub edited_ms: u64,
}

impl Store {
    /// Keeps an edit; it is durable when this returns.
    ///
    /// # Errors
    /// When the database refuses, for example because the disk is full; the edit before it still stands.
    pub fn set_draft(
        &self,
        case: CaseId,
        inspection: InspectionId,
        path: &str,
        value: &Value,
    ) -> Result<(), StoreError> {
        let edited_ms = self.clock.now().wall_ms;
        self.write(|tx| {
            tx.prepare_cached(
                "INSERT INTO drafts (inspection, path, case_id, value, edited_ms) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (inspection, path) DO UPDATE SET value = ?4, edited_ms = ?5",
            )?
            .execute(params![
                inspection.as_bytes(),
                path,
                case.as_bytes(),
                cbor::encode(value),
                edited_ms
            ])?;
            Ok(())
        })
    }

    /// The drafts of an inspection, or all of them, by inspection and path.
    ///
    /// # Errors
    /// When the database does.
    pub fn drafts(&self, inspection: Option<InspectionId>) -> Result<Vec<Draft>, StoreError> {
        let connection = self.connection();
        let mut query = connection.prepare_cached(
            "SELECT case_id, inspection, path, value, edited_ms FROM drafts
             WHERE ?1 IS NULL OR inspection = ?1 ORDER BY inspection, path",
        )?;
        let rows = query.query_map([inspection.as_ref().map(|id| id.as_bytes())], draft)?;
        rows.map(|row| row?.ok_or(StoreError::Damaged("a draft does not decode".into())))
            .collect()
    }
}

fn draft(row: &Row<'_>) -> rusqlite::Result<Option<Draft>> {
    let value: Vec<u8> = row.get(3)?;
    let Ok(value) = cbor::decode(&value) else {
        return Ok(None);
    };
    Ok(Some(Draft {
        case: CaseId::from_bytes(row.get(0)?),
        inspection: InspectionId::from_bytes(row.get(1)?),
        path: row.get(2)?,
        value,
        edited_ms: row.get(4)?,
    }))
}
