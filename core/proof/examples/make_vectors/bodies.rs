//! Bodies: `operation.md`, Body.

use fieldseal_proof::body::Body;
use fieldseal_proof::cbor::{self, Value};
use fieldseal_proof::hash::h;
use serde_json::json;

use super::actors::{sample_body, seed};
use super::{Result, Vector, hex};

const PAGE: &str = "operation.md, Body";

/// A full body with these pairs as they are.
fn full(pairs: &[(&str, &[u8])]) -> Vec<u8> {
    let list = pairs.iter().map(|(path, value)| Value::Array(vec![Value::text(*path), Value::bytes(value)]));
    cbor::encode(&Value::Map(vec![(0, Value::bytes(seed("body"))), (1, Value::Array(list.collect()))]))
}

/// The entries of a partial body.
fn partial_entries(body: &Body) -> Result<Vec<Value>> {
    let decoded = cbor::decode(&body.encode())?;
    let list = decoded.as_map().and_then(|m| m.last()).and_then(|(_, v)| v.as_array());
    Ok(list.ok_or("a body is a map with a list")?.to_vec())
}

fn partial(entries: Vec<Value>) -> Vec<u8> {
    cbor::encode(&Value::Map(vec![(2, Value::Array(entries))]))
}

/// What a reader must show of a body.
fn shown(body: &Body) -> Vec<serde_json::Value> {
    let one = |f: &fieldseal_proof::body::Field| match body.get(&f.path) {
        Some(value) => json!({"path": f.path, "value": hex(cbor::encode(&value))}),
        None => json!({"path": f.path, "value": null}),
    };
    body.fields().iter().map(one).collect()
}

pub fn vectors() -> Result<Vec<Vector>> {
    let body = sample_body()?;
    let root = body.root();
    let good = |name, what, body: &Body| {
        Vector::valid("body", name, PAGE, what)
            .with("bytes", hex(body.encode()))
            .with("root", root.to_string())
            .gives("root", root.to_string())
            .gives("fields", shown(body))
    };
    let bad = |name, what, bytes: Vec<u8>, reason| {
        Vector::invalid("body", name, PAGE, what, reason).with("bytes", hex(bytes))
    };
    let withheld = body.withhold(&["finding/8b1c/text"]);
    let empty = Body::build(seed("body"), Vec::new())?;
    let (nil, one) = (&[0x80][..], &[0x01][..]);
    let mut changed = partial_entries(&body.withhold(&[]))?;
    let text = Value::bytes(cbor::encode(&Value::text("没有问题")));
    for entry in &mut changed {
        if let Value::Array(parts) = entry
            && parts[0] == Value::text("finding/8b1c/text")
        {
            parts[2] = text.clone();
        }
    }
    let mut renamed = partial_entries(&withheld)?;
    if let Some(Value::Array(parts)) = renamed.last_mut() {
        parts[0] = Value::text("finding/8b1c/texu");
    }
    let mut doubled = partial_entries(&withheld)?;
    doubled.extend(doubled.last().cloned());
    let with_seed = Value::Map(vec![(0, Value::bytes(seed("body"))), (2, Value::Array(partial_entries(&withheld)?))]);
    let short_seed = Value::Map(vec![
        (0, Value::bytes(&seed("body")[..31])),
        (1, Value::Array(vec![Value::Array(vec![Value::text(""), Value::bytes(nil)])])),
    ]);
    let long = "p".repeat(201);
    let names: Vec<String> = (0..1024).map(|i| format!("{i:04}")).collect();
    let many: Vec<(&str, &[u8])> = [("", nil)].into_iter().chain(names.iter().map(|n| (n.as_str(), one))).collect();
    let single = |path: &'static str, value: &'static [u8]| full(&[("", &[0x80]), (path, value)]);
    Ok(vec![
        good("full", "A full body: every value with its path, and the seed.", &body),
        good("partial", "The same body with one value withheld: the root stays.", &withheld),
        good(
            "partial-all-withheld",
            "The same body with every value withheld, also that of the empty path.",
            &body.withhold(&["", "finding/8b1c/clause", "finding/8b1c/grade", "finding/8b1c/text"]),
        ),
        Vector::valid("body", "empty", PAGE, "A body without fields: the empty path alone.")
            .with("bytes", hex(empty.encode()))
            .gives("root", empty.root().to_string())
            .gives("fields", json!([])),
        bad("duplicate-path", "A path twice.", full(&[("", nil), ("a", one), ("a", one)]), "path-order"),
        bad("unordered-paths", "b before a.", full(&[("", nil), ("b", one), ("a", one)]), "path-order"),
        bad("withheld-path-twice", "A withheld field twice in a partial body.", partial(doubled), "path-order"),
        bad("empty-path-missing", "The first path is not the empty one.", full(&[("a", one)]), "empty-path"),
        bad(
            "empty-path-other-value",
            "The empty path with another value than an empty array.",
            full(&[("", one), ("a", one)]),
            "empty-path",
        ),
        bad("map-as-value", "A value that is a map.", single("a", &[0xa0]), "value"),
        bad("map-inside-an-array", "A value that is an array with a map in it.", single("a", &[0x81, 0xa0]), "value"),
        bad("value-not-cbor", "A value that is no encoded item.", single("a", &[0xff]), "value"),
        bad(
            "value-not-shortest",
            "A value whose integer is not in its shortest form.",
            single("a", &[0x18, 0x01]),
            "value",
        ),
        bad("two-items-as-value", "A value that is two items.", single("a", &[0x01, 0x01]), "value"),
        bad("empty-segment", "A path with an empty segment.", single("a//b", &[0x01]), "path"),
        bad("leading-slash", "A path that begins with a slash.", single("/a", &[0x01]), "path"),
        bad("control-character-in-path", "A path with a line end.", single("a\nb", &[0x01]), "path"),
        bad("path-of-201-bytes", "A path that is too long.", full(&[("", nil), (&long, one)]), "path"),
        bad("1025-fields", "One field too many.", full(&many), "too-large"),
        bad(
            "seed-in-partial-body",
            "A partial body with the seed: nothing would be withheld.",
            cbor::encode(&with_seed),
            "body-form",
        ),
        bad("seed-of-31-bytes", "A seed that is too short.", cbor::encode(&short_seed), "body-form"),
        bad("array-instead-of-map", "Neither a full nor a partial body.", vec![0x80], "body-form"),
        Vector::invalid(
            "body",
            "value-changed",
            PAGE,
            "A shown value of a partial body was changed: the root is another.",
            "body-root",
        )
        .with("bytes", hex(partial(changed)))
        .with("root", root.to_string()),
        Vector::invalid(
            "body",
            "withheld-field-renamed",
            PAGE,
            "The name of a withheld field was changed: the root is another.",
            "body-root",
        )
        .with("bytes", hex(partial(renamed)))
        .with("root", root.to_string()),
        {
            let mut entries = partial_entries(&withheld)?;
            entries.pop();
            Vector::invalid(
                "body",
                "withheld-field-left-out",
                PAGE,
                "A withheld field was left out: the root is another.",
                "body-root",
            )
            .with("bytes", hex(partial(entries)))
            .with("root", root.to_string())
        },
        Vector::valid("body", "salt-and-value-hash", PAGE, "A body of one field, with its salt and v for a first try.")
            .with("bytes", hex(full(&[("", nil), ("a", one)])))
            .with("hashes", true)
            .gives("root", Body::decode(&full(&[("", nil), ("a", one)]))?.root().to_string())
            .gives("fields", json!([{"path": "a", "value": "01"}]))
            .gives("hashes", {
                let one_field = Body::decode(&full(&[("", nil), ("a", one)]))?;
                let list = one_field.withhold(&[]);
                let entries = partial_entries(&list)?;
                let hashes = entries.iter().filter_map(|e| match e.as_array()? {
                    [Value::Text(path), Value::Bytes(salt), Value::Bytes(value)] => Some(
                        json!({"path": path, "salt": hex(salt), "v": hex(h("fieldseal/v0/field", &[salt, value]))}),
                    ),
                    _ => None,
                });
                hashes.collect::<Vec<_>>()
            }),
    ])
}
