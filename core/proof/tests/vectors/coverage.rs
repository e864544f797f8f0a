//! Version 0 is whole: every kind, every field of the header, every action and field of the key log has a vector.

use std::collections::BTreeSet;
use std::fs;

use fieldseal_proof::cbor::{self, Value as Item};
use fieldseal_proof::ids::from_hex;
use serde_json::Value;

/// The rows of the first table below a heading of a page, cell by cell.
fn table(page: &str, heading: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(crate::pages().join(page)).unwrap();
    let below = text.split(&format!("\n## {heading}\n")).nth(1).unwrap_or_else(|| panic!("{page} has no {heading}"));
    let rows = below.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    let found: Vec<Vec<String>> = rows.skip(2).map(cells).collect();
    assert!(found.len() > 5, "{page}, {heading}: {found:?}");
    found
}

/// The words in backticks of a cell.
fn words(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn column(rows: &[Vec<String>], at: usize) -> BTreeSet<String> {
    rows.iter().flat_map(|row| words(&row[at])).collect()
}

fn first_numbers(rows: &[Vec<String>]) -> BTreeSet<u64> {
    rows.iter().map(|row| row[0].parse().unwrap()).collect()
}

fn bytes(value: &Value) -> Vec<u8> {
    from_hex(value.as_str().unwrap()).unwrap()
}

fn map(bytes: &[u8]) -> Vec<(u64, Item)> {
    cbor::decode(bytes).unwrap().as_map().unwrap().to_vec()
}

fn field(map: &[(u64, Item)], key: u64) -> Option<Item> {
    map.iter().find(|(k, _)| *k == key).map(|(_, v)| v.clone())
}

/// The headers in a positive vector, as maps.
fn headers(vector: &Value) -> Vec<Vec<(u64, Item)>> {
    let input = &vector["input"];
    let of_frame = |frame: Vec<u8>| map(field(&map(&frame), 0).unwrap().as_bytes().unwrap());
    match vector["type"].as_str().unwrap() {
        "header" => vec![map(&bytes(&input["bytes"]))],
        "operation" | "attest" => vec![of_frame(bytes(&input["frame"]))],
        "chain" => input["frames"].as_array().unwrap().iter().map(|f| of_frame(bytes(f))).collect(),
        "bundle" => {
            let files = ["files", "changes"].iter().filter_map(|f| input[*f].as_object()).flatten();
            let operations = files.filter(|(path, bytes)| path.starts_with("data/operations/") && bytes.is_string());
            operations.map(|(_, frame)| of_frame(bytes(frame))).collect()
        }
        _ => Vec::new(),
    }
}

fn positive() -> Vec<Value> {
    crate::committed().into_iter().map(|(_, v)| v).filter(|v| v["expect"] == "valid").collect()
}

#[test]
fn every_kind_and_every_header_field_has_a_vector() {
    let all: Vec<_> = positive().iter().flat_map(headers).collect();
    let kinds: BTreeSet<String> =
        all.iter().filter_map(|h| field(h, 7).and_then(|v| v.as_text().map(str::to_owned))).collect();
    let page = column(&table("merge.md", "Kinds"), 0);
    assert!(page.len() > 20);
    let without: Vec<_> = page.difference(&kinds).collect();
    assert!(without.is_empty(), "kinds without a vector: {without:?}");
    let keys: BTreeSet<u64> = all.iter().flatten().map(|(key, _)| *key).collect();
    let without: Vec<_> = first_numbers(&table("operation.md", "Header")).difference(&keys).copied().collect();
    assert!(without.is_empty(), "header fields without a vector: {without:?}");
}

#[test]
fn every_action_and_every_field_of_the_key_log_has_a_vector() {
    let (mut actions, mut keys) = (BTreeSet::new(), BTreeSet::new());
    for vector in positive().iter().filter(|v| v["type"] == "key-log") {
        let sequence = bytes(&vector["input"]["sequence"]);
        for frame in cbor::split_sequence(&sequence).unwrap() {
            let entry = map(field(&map(frame), 0).unwrap().as_bytes().unwrap());
            actions.extend(field(&entry, 4).and_then(|v| v.as_text().map(str::to_owned)));
            keys.extend(entry.iter().map(|(key, _)| *key));
        }
    }
    let page = column(&table("key-log.md", "Actions"), 0);
    let without: Vec<_> = page.difference(&actions).collect();
    assert!(page.len() > 5 && without.is_empty(), "actions without a vector: {without:?}");
    let without: Vec<_> = first_numbers(&table("key-log.md", "Entry")).difference(&keys).copied().collect();
    assert!(without.is_empty(), "fields of a key log entry without a vector: {without:?}");
}
