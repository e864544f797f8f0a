//! Runs one vector through the public API: what its type means, and what a reader must compute.

use fieldseal_proof::ids::from_hex;
use serde_json::Value;

use crate::{bundles, objects, proofs};

/// What a check gives: the computed output, or the text of the refusal.
pub type Checked = Result<Value, String>;

/// The named fields of a vector's input.
pub struct Input<'a>(pub &'a Value);

impl<'a> Input<'a> {
    pub fn text(&self, field: &str) -> Result<&'a str, String> {
        self.0[field].as_str().ok_or(format!("input {field} is missing"))
    }

    pub fn number(&self, field: &str) -> Result<u64, String> {
        self.0[field].as_u64().ok_or(format!("input {field} is missing"))
    }

    pub fn bytes(&self, field: &str) -> Result<Vec<u8>, String> {
        from_hex(self.text(field)?).ok_or(format!("input {field} is not hex"))
    }

    pub fn hash(&self, field: &str) -> Result<[u8; 32], String> {
        self.bytes(field)?.try_into().map_err(|_| format!("input {field} is not 32 bytes"))
    }

    pub fn list(&self, field: &str) -> Result<Vec<Vec<u8>>, String> {
        let items = self.0[field].as_array().ok_or(format!("input {field} is missing"))?;
        let one = |item: &Value| item.as_str().and_then(from_hex);
        items.iter().map(one).collect::<Option<_>>().ok_or(format!("input {field} is not hex"))
    }

    pub fn hashes(&self, field: &str) -> Result<Vec<[u8; 32]>, String> {
        let one = |bytes: Vec<u8>| bytes.try_into().map_err(|_| format!("input {field} is not 32 bytes each"));
        self.list(field)?.into_iter().map(one).collect()
    }
}

/// An error of the library, as its text.
pub fn refuse(error: impl std::fmt::Display) -> String {
    error.to_string()
}

pub fn check(kind: &str, input: &Value) -> Checked {
    let input = &Input(input);
    match kind {
        "cbor" => objects::cbor(input),
        "hash" => objects::hash(input),
        "public-key" => objects::public_key(input),
        "signature" => objects::signature(input),
        "proquint" => objects::proquint(input),
        "body" => objects::body(input),
        "header" => objects::header(input),
        "operation" => objects::operation(input),
        "chain" => objects::chain(input),
        "attest" => objects::attest(input),
        "key-log" => objects::key_log(input),
        "succession" => objects::succession(input),
        "roll" => objects::roll(input),
        "closing" => objects::closing(input),
        "note" => proofs::note(input),
        "verifier-key" => proofs::verifier_key(input),
        "checkpoint" => proofs::checkpoint(input),
        "time-note" => proofs::time_note(input),
        "cosignature" => proofs::cosignature(input),
        "tree" => proofs::tree(input),
        "inclusion" => proofs::inclusion(input),
        "consistency" => proofs::consistency(input),
        "tlog-proof" => proofs::tlog_proof(input),
        "tiles" => proofs::tiles(input),
        "tile-path" => proofs::tile_path(input),
        "anchor" => proofs::anchor(input),
        "batch-receipt" => proofs::batch_receipt(input),
        "blob-receipt" => proofs::blob_receipt(input),
        "index-receipt" => proofs::index_receipt(input),
        "trust" => bundles::trust(input),
        "bundle" => bundles::bundle(input),
        other => Err(format!("nothing consumes the type {other}")),
    }
}
