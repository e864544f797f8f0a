//! Typing and committing.

use std::collections::BTreeMap;

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{InspectionId, OpId};

use super::{DeviceError, FieldDevice};
use crate::domain::recheck;
use crate::operation::NewOperation;
use crate::store::{AppendWith, Draft};

impl FieldDevice {
    /// Keeps an edit; it is durable when this returns, and may be corrected freely until it is committed.
    ///
    /// # Errors
    /// `not_found` for an unknown inspection or a path that is never typed, `storage_full`.
    pub fn set_draft(&self, inspection: InspectionId, path: &str, value: &Value) -> Result<(), DeviceError> {
        kind_of(path).ok_or_else(|| DeviceError::not_found(path))?;
        let case = self.store.case_of(inspection)?;
        Ok(self.store.set_draft(case, inspection, path, value)?)
    }

    /// The edits that are not signed yet, of one inspection or all.
    ///
    /// # Errors
    /// When the database does.
    pub fn drafts(&self, inspection: Option<InspectionId>) -> Result<Vec<Draft>, DeviceError> {
        Ok(self.store.drafts(inspection)?)
    }

    /// Signs the drafts of an inspection, one operation for each kind, each in the transaction that removes its drafts.
    ///
    /// # Errors
    /// `draft_missing` when there is none; what the pack in force does not accept of a value, and then nothing was signed. After
    /// a failure the drafts that are not signed yet still stand.
    pub fn commit(&self, inspection: InspectionId) -> Result<Vec<OpId>, DeviceError> {
        let drafts = self.store.drafts(Some(inspection))?;
        if drafts.is_empty() {
            return Err(DeviceError::new("draft_missing", []));
        }
        let mut kinds: BTreeMap<&'static str, Vec<&Draft>> = BTreeMap::new();
        for draft in &drafts {
            kinds
                .entry(kind_of(&draft.path).unwrap_or("note.record"))
                .or_default()
                .push(draft);
        }
        self.recheck(inspection, &drafts)?;
        let mut ids = Vec::new();
        for (kind, drafts) in kinds {
            for group in drafts.chunks(MOST_FIELDS) {
                let mut new = NewOperation::new(kind).in_inspection(group[0].case, inspection);
                new.fields = group
                    .iter()
                    .map(|draft| (draft.path.clone(), draft.value.clone()))
                    .collect();
                let paths: Vec<String> = group.iter().map(|draft| draft.path.clone()).collect();
                let with = AppendWith {
                    session: self.session(),
                    drafts: &paths,
                    ..AppendWith::default()
                };
                ids.push(self.store.append_with(new, &with, &|_| Ok(()))?);
            }
        }
        Ok(ids)
    }
}

impl FieldDevice {
    /// Each value against the pack that is in force now, which may be another one than when it was typed.
    fn recheck(&self, inspection: InspectionId, drafts: &[Draft]) -> Result<(), DeviceError> {
        let pack = self.pack()?;
        let today = self.today(&pack);
        let state = self.inspection(inspection)?.state;
        let beside = |path: &str| match drafts.iter().find(|draft| draft.path == path) {
            Some(draft) => draft.value.as_text().map(str::to_owned),
            None => state.text(path),
        };
        for draft in drafts {
            recheck(&draft.path, &draft.value, &pack, today, &beside)?;
        }
        Ok(())
    }
}

/// Fields of one operation made of drafts; below the format's 1,024 and, with short values, its megabyte.
const MOST_FIELDS: usize = 200;

/// The kind that a typed path becomes; what is sealed is never typed.
fn kind_of(path: &str) -> Option<&'static str> {
    match path.split('/').next()? {
        "inspection" | "party" => Some("inspection.begin"),
        "check" => Some("check.answer"),
        "finding" => Some("finding.record"),
        "statement" => Some("statement.record"),
        "order" => Some("order.draft"),
        "note" => Some("note.record"),
        _ => None,
    }
}
