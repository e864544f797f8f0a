//! What a database holds, read by somebody who has its key and nothing else of the device.

use std::path::{Path, PathBuf};

use fieldseal_proof::cbor;
use fieldseal_proof::ids::{CaseId, InspectionId};
use fieldseal_proof::operation::{Header, Operation};

use super::found::Found;
use super::pages::Pages;
use super::{ASIDE, DATABASE, SALT};
use crate::store::{Draft, StoreError};

/// What was read.
pub struct Recovered {
    /// The operations of the store's own lives. Whether their signatures hold is for whoever takes them: the key log decides.
    pub operations: Vec<(Header, Vec<u8>)>,
    /// Edits that nobody had signed.
    pub drafts: Vec<Draft>,
    /// Pages that could not be read.
    pub unreadable: u64,
}

/// Reads the database of a device's folder, and what an earlier salvage set aside, page by page. Nothing is changed.
///
/// # Errors
/// When a file cannot be read.
pub fn recover(folder: &Path, key: &[u8; 32], salt: Option<[u8; SALT]>) -> Result<Recovered, StoreError> {
    let mut found = Found::default();
    let mut unreadable = 0;
    for database in databases(folder)? {
        // Whether the file still begins with the salt, the first log frame does, or only the copy is left: the one that opens most.
        let mut pages = Pages::open(&database, key, salt).map_err(StoreError::file("reading", &database))?;
        let mut here = Found::default();
        pages.each_row(|row| here.take(row));
        unreadable += pages.unreadable;
        found.absorb(here);
    }
    let parsed = found.frames.into_values().filter_map(|frame| {
        let header = Operation::parse(&frame).ok()?.header().clone();
        Some((header, frame))
    });
    let mut operations: Vec<(Header, Vec<u8>)> = parsed.collect();
    // Whose lives these are stands in a small table; where its page is lost all operations are given out: handing in another
    // device's once more changes nothing.
    let own = |header: &Header| found.chains.contains_key(header.incarnation.as_bytes());
    if operations.iter().any(|(header, _)| own(header)) {
        operations.retain(|(header, _)| own(header));
    }
    let drafts = found.drafts.into_iter().filter_map(|((inspection, path), row)| {
        Some(Draft {
            case: CaseId::from_bytes(row.case),
            inspection: InspectionId::from_bytes(inspection),
            path,
            value: cbor::decode(&row.value).ok()?,
            edited_ms: u64::try_from(row.edited_ms).unwrap_or_default(),
        })
    });
    Ok(Recovered {
        operations,
        drafts: drafts.collect(),
        unreadable,
    })
}

/// The database that is in use, last, behind those that were set aside before it.
fn databases(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(StoreError::file("listing", folder))? {
        let path = entry.map_err(StoreError::file("listing", folder))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        if name.is_some_and(|name| name.starts_with(ASIDE)) && path.join(DATABASE).exists() {
            found.push(path.join(DATABASE));
        }
    }
    found.sort();
    found.push(folder.join(DATABASE));
    Ok(found)
}
