//! What a rescue file holds beside operations and files: drafts for whoever goes on, requests for the administrator, and what
//! the device could not write.

use std::path::{Path, PathBuf};

use fieldseal_core::store::Draft;
use fieldseal_proof::cbor::Value as Cbor;
use fieldseal_transport::Caller;
use serde_json::{Value, json};

use crate::commands::device::read::shown;
use crate::desk::Desk;
use crate::failure::{Failure, LATER};
use crate::files;

/// Gathers it while a rescue file is read.
#[derive(Debug, Default)]
pub struct Rescued {
    device: String,
    lines: Vec<String>,
    /// Requests that the server has now.
    pub requests: u64,
    /// Requests that it does not take from a laptop; the tablet sends those itself.
    pub requests_refused: Vec<Value>,
    /// What the device had and the file has not.
    pub left_out: Vec<Value>,
}

impl Rescued {
    /// Whose records follow.
    pub fn identity(&mut self, json: &[u8]) {
        let device = serde_json::from_slice::<Value>(json).ok();
        let device = device.and_then(|json| json["device"].as_str().map(str::to_owned));
        self.device = device.filter(|id| id.len() == 36).unwrap_or_default();
    }

    /// Keeps a draft as a line that `device batch` takes.
    pub fn draft(&mut self, draft: &Draft) {
        // Words are typed; whatever else a draft may hold is shown as words.
        let value = match &draft.value {
            Cbor::Text(text) => text.clone(),
            other => shown(other),
        };
        let line = json!({
            "command": "set", "inspection": draft.inspection.to_string(), "path": draft.path, "value": plain(&value),
        });
        self.lines.push(line.to_string());
    }

    /// Sends a request as the tablet would have. One that the server says no to does not hold up the rest.
    ///
    /// # Errors
    /// Only where a later try may succeed.
    pub fn request(&mut self, caller: &Caller, body: &[u8]) -> Result<(), Failure> {
        let Ok(asked) = serde_json::from_slice::<Value>(body) else {
            self.requests_refused.push(json!({ "code": "rescue_broken" }));
            return Ok(());
        };
        match caller.post("/v1/enrol", &asked).map_err(Failure::from) {
            Ok(_) => self.requests += 1,
            Err(failure) if failure.exit() == LATER => return Err(failure),
            Err(failure) => {
                let name = asked["name"].as_str().or(asked["label"].as_str());
                self.requests_refused
                    .push(json!({ "code": failure.code(), "name": name }));
            }
        }
        Ok(())
    }

    /// Notes what the device could not write.
    pub fn left_out(&mut self, json: &[u8]) {
        self.left_out
            .push(serde_json::from_slice(json).unwrap_or_else(|_| json!({ "code": "rescue_broken" })));
    }

    /// How many drafts there were.
    pub fn drafts(&self) -> u64 {
        self.lines.len() as u64
    }

    /// Writes the drafts into the laptop's folder, named after the stick's file and the device.
    pub fn keep(&self, desk: &Desk<'_>, from: &Path) -> Result<Option<PathBuf>, Failure> {
        if self.lines.is_empty() {
            return Ok(None);
        }
        let folder = desk.device.folder().join("rescued");
        std::fs::create_dir_all(&folder).map_err(|error| Failure::file(&folder, &error))?;
        let stem = from.file_stem().unwrap_or_default().to_string_lossy();
        let path = folder.join(format!("{stem}-{}.drafts.jsonl", self.device));
        files::replace(&path, (self.lines.join("\n") + "\n").as_bytes())?;
        Ok(Some(path))
    }
}

/// A value that a batch does not take for a name.
fn plain(value: &str) -> String {
    match value.strip_prefix('@') {
        Some(rest) => format!("@@{rest}"),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use fieldseal_proof::ids::{CaseId, InspectionId};

    use super::*;

    #[test]
    fn a_draft_becomes_a_line_of_a_batch() {
        let mut rescued = Rescued::default();
        rescued.draft(&Draft {
            case: CaseId::from_bytes([1; 16]),
            inspection: InspectionId::from_bytes([2; 16]),
            path: "inspection/remark".into(),
            value: Cbor::text("@三号门"),
            edited_ms: 5,
        });
        let line: Value = serde_json::from_str(&rescued.lines[0]).unwrap();
        assert_eq!(
            (line["command"].as_str(), line["value"].as_str()),
            (Some("set"), Some("@@三号门"))
        );
    }
}
