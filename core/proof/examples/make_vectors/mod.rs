//! Every published vector, made from fixed seeds with the public API of `fieldseal-proof`.

mod actors;
mod alphabet;
mod attests;
mod bag;
mod bodies;
mod bundle_acts;
mod bundle_forms;
mod bundles;
mod chains;
mod facts;
mod forgery;
mod headers;
mod key_logs;
mod kinds;
mod notes;
mod operations;
mod receipts;
mod story;
mod successions;
pub mod tiles;
pub mod trees;
mod trusts;

use serde_json::{Map, Value, json};

/// Making a vector fails only when the generator itself is wrong.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// One published vector: what a verifier is given, and what it must say.
pub struct Vector {
    kind: &'static str,
    name: String,
    page: &'static str,
    what: String,
    reason: Option<&'static str>,
    input: Map<String, Value>,
    output: Map<String, Value>,
}

impl Vector {
    /// A vector that every verifier must accept.
    pub fn valid(kind: &'static str, name: &str, page: &'static str, what: &str) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            page,
            what: what.to_owned(),
            reason: None,
            input: Map::new(),
            output: Map::new(),
        }
    }

    /// A vector that every verifier must refuse, for a reason with a stable word.
    pub fn invalid(kind: &'static str, name: &str, page: &'static str, what: &str, reason: &'static str) -> Self {
        Self { reason: Some(reason), ..Self::valid(kind, name, page, what) }
    }

    /// Adds an input field.
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.input.insert(field.to_owned(), value.into());
        self
    }

    /// Adds something a reader must compute.
    pub fn gives(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.output.insert(field.to_owned(), value.into());
        self
    }

    /// Its type: the folder it lies in.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Where it lies below the folder of vectors.
    pub fn path(&self) -> String {
        let side = if self.reason.is_some() { "negative" } else { "positive" };
        format!("{}/{side}/{}.json", self.kind, self.name)
    }

    /// The file's text.
    pub fn text(&self) -> Result<String> {
        let mut object = json!({
            "name": self.name,
            "page": self.page,
            "what": self.what,
            "type": self.kind,
            "input": self.input,
            "expect": if self.reason.is_some() { "invalid" } else { "valid" },
        });
        if let Some(reason) = self.reason {
            object["reason"] = json!(reason);
        }
        if !self.output.is_empty() {
            object["output"] = json!(self.output);
        }
        Ok(serde_json::to_string_pretty(&object)? + "\n")
    }
}

/// All vectors, in the order of the pages.
pub fn all() -> Result<Vec<Vector>> {
    let makers: [fn() -> Result<Vec<Vector>>; 13] = [
        alphabet::vectors,
        bodies::vectors,
        headers::vectors,
        operations::vectors,
        kinds::vectors,
        chains::vectors,
        attests::vectors,
        key_logs::vectors,
        successions::vectors,
        notes::vectors,
        trees::vectors,
        tiles::vectors,
        receipts::vectors,
    ];
    let mut out = Vec::new();
    for make in makers {
        out.extend(make()?);
    }
    out.extend(facts::vectors()?);
    out.extend(bundles::vectors()?);
    Ok(out)
}

/// Lower-case hex, as every binary field is written.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    fieldseal_proof::ids::to_hex(bytes.as_ref())
}
