//! How far an item has come, in three plain states, and the server's receipts behind them.

use std::path::Path;

use fieldseal_core::device::InspectionView;
use fieldseal_core::store::Progress;
use fieldseal_proof::ids::{BlobHash, OpId};
use serde_json::{Value, json};

use super::write::id;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::shell::{Outcome, Shell};

/// The state of one operation of an inspection: its word for `--json`, and for a person. A later state includes the earlier.
pub fn state(shell: &Shell, held: &InspectionView, operation: OpId) -> (&'static str, String) {
    let row = held.operations.iter().find(|row| row.operation.id() == operation);
    match row.map_or(Progress::Sealed, |row| row.progress) {
        Progress::Sealed => ("sealed", shell.say("仅在本机", "on this device only")),
        Progress::Received => ("received", shell.text("receipt.received", &[])),
        Progress::Logged => ("in_log", shell.text("receipt.logged", &[])),
    }
}

/// Whether the server signed a receipt for the bytes of a file.
pub fn file_arrived(desk: &Desk<'_>, file: Option<BlobHash>) -> Result<bool, Failure> {
    let row = match file {
        Some(file) => desk.device.store().blob(file)?,
        None => None,
    };
    Ok(row.is_some_and(|row| row.receipt.is_some()))
}

/// The receipts behind an operation of this device, or behind a file of it by its SHA-256, as they came; into a folder, if one is named.
pub fn receipts(desk: &Desk<'_>, item: &str, out: Option<&Path>) -> Result<Outcome, Failure> {
    let store = desk.device.store();
    let file = item.trim().parse::<BlobHash>().ok();
    let file = file.map(|file| store.blob(file)).transpose()?.flatten();
    let receipts: Vec<(String, Vec<u8>)> = match file {
        Some(file) => file
            .receipt
            .map(|bytes| ("file".to_owned(), bytes))
            .into_iter()
            .collect(),
        None => {
            let header = store.operation(id(item)?)?.operation.header().clone();
            match header.device == desk.device.identity().device {
                true => store.receipts(header.incarnation, header.seq)?,
                false => Vec::new(),
            }
        }
    };
    let mut outcome = Outcome::default();
    let mut items: Vec<Value> = Vec::new();
    for (n, (kind, bytes)) in receipts.iter().enumerate() {
        let name = format!("{n:02}-{kind}.cbor");
        if let Some(folder) = out {
            let path = folder.join(&name);
            std::fs::create_dir_all(folder)
                .and_then(|()| std::fs::write(&path, bytes))
                .map_err(|error| Failure::file(&path, &error))?;
        }
        outcome = outcome.line(format!("{kind}  {}", bytes.len()));
        items.push(json!({ "kind": kind, "bytes": bytes.len(), "file": out.map(|_| name) }));
    }
    if items.is_empty() {
        outcome = outcome.line(desk.shell.say("仅在本机", "on this device only"));
    }
    outcome.json = json!({ "receipts": items });
    Ok(outcome)
}
