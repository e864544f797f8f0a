//! The published vectors of what core owns: merged states, packs, evidence at rest, rescue files, enrolment texts.
//!
//! They lie beside those of `fieldseal-proof` in `core/proof/vectors`. With `FIELDSEAL_WRITE_VECTORS=1` the test writes them.
#![allow(clippy::unwrap_used)] // a vector that cannot be made or read is a failed test

mod dsse;
mod escrow;
mod files;
mod merge;
mod texts;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

/// One published vector: what a reader is given, and what he must say.
pub struct Vector {
    kind: &'static str,
    name: &'static str,
    page: &'static str,
    what: &'static str,
    input: Value,
    /// A stable word, where every reader must refuse.
    reason: Option<&'static str>,
}

impl Vector {
    fn path(&self) -> String {
        let side = if self.reason.is_some() { "negative" } else { "positive" };
        format!("{}/{side}/{}.json", self.kind, self.name)
    }

    /// The file's text; the output is what our own reader computes, the reason is checked against its refusal.
    fn text(&self) -> String {
        let mut object = json!({
            "name": self.name, "page": self.page, "what": self.what, "type": self.kind, "input": self.input,
            "expect": if self.reason.is_some() { "invalid" } else { "valid" },
        });
        match (self.reason, check(self.kind, &self.input)) {
            (None, Ok(output)) => object["output"] = output,
            (Some(reason), Err(refusal)) if refusal.contains(reason) => object["reason"] = json!(reason),
            (_, other) => panic!("{}: {other:?}", self.path()),
        }
        serde_json::to_string_pretty(&object).unwrap() + "\n"
    }
}

/// Our reader's answer: what it computes, or the code of its refusal.
fn check(kind: &str, input: &Value) -> Result<Value, String> {
    match kind {
        "merge-state" => merge::check(input),
        "pack" => files::check_pack(input),
        "vault" => files::check_vault(input),
        "rescue" => files::check_rescue(input),
        "store-escrow" => escrow::check_store(input),
        "dsse" => dsse::check(input),
        "enrolment-text" => texts::check(input),
        other => panic!("nothing reads the type {other}"),
    }
}

/// Hex bytes of an input field.
fn bytes(input: &Value, field: &str) -> Vec<u8> {
    hex(input[field].as_str().unwrap())
}

fn hex(text: &str) -> Vec<u8> {
    fieldseal_proof::ids::from_hex(text).unwrap()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("proof/vectors")
}

fn made() -> Vec<Vector> {
    [
        merge::vectors(),
        files::vectors(),
        escrow::vectors(),
        dsse::vectors(),
        texts::vectors(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn the_committed_vectors_are_what_this_makes_and_what_our_readers_say() {
    let write = std::env::var_os("FIELDSEAL_WRITE_VECTORS").is_some();
    let all = made();
    let names: BTreeSet<String> = all.iter().map(Vector::path).collect();
    assert_eq!(names.len(), all.len(), "two vectors have the same name");
    for vector in &all {
        let path = folder().join(vector.path());
        if write {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, vector.text()).unwrap();
        }
        let there = fs::read_to_string(&path).unwrap_or_default();
        assert!(there == vector.text(), "{} is not what this test makes", vector.path());
    }
    let kinds: BTreeSet<&str> = all.iter().map(|v| v.kind).collect();
    for kind in kinds {
        for side in ["positive", "negative"] {
            for entry in fs::read_dir(folder().join(kind).join(side)).into_iter().flatten() {
                let name = format!("{kind}/{side}/{}", entry.unwrap().file_name().to_str().unwrap());
                assert!(names.contains(&name), "nothing makes {name}");
            }
        }
    }
}

fn object(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    fields
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v))
        .collect::<Map<_, _>>()
        .into()
}
