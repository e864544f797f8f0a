//! Operations as DSSE JSON: `operation.md`, DSSE JSON.

use fieldseal_core::operation::{dsse, from_dsse};
use fieldseal_proof::dsse::{ATTESTATION, OPERATION, pae};
use fieldseal_proof::ids::to_hex;
use fieldseal_proof::operation::Operation;
use fieldseal_proof::suite::{PublicKey, Suite};
use serde_json::{Value, json};

use crate::{Vector, bytes, hex, object};

/// The operation of a published vector, with its key.
fn published(name: &str) -> (Operation, Value) {
    let path = crate::folder().join("operation/positive").join(name);
    let vector: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let frame = hex(vector["input"]["frame"].as_str().unwrap());
    (Operation::parse(&frame).unwrap(), vector["input"].clone())
}

pub fn vectors() -> Vec<Vector> {
    let (ed25519, key) = published("ed25519.json");
    let (p256, p256_key) = published("p256.json");
    let vector = |name, what, json: String, key: &Value, reason| Vector {
        kind: "dsse",
        name,
        page: "operation.md, DSSE JSON",
        what,
        input: object([
            ("json", json!(json)),
            ("suite", key["suite"].clone()),
            ("public", key["public"].clone()),
        ]),
        reason,
    };
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap() + "\n";
    let good = dsse(&ed25519);
    let with = |pointer: &str, value: Value| {
        let mut out = good.clone();
        *out.pointer_mut(pointer).unwrap() = value;
        pretty(&out)
    };
    let two = json!([good["signatures"][0], good["signatures"][0]]);
    let text = |pointer: &str| good.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    let unpadded = text("/signatures/0/sig").trim_end_matches('=').to_owned();
    let form = Some("dsse_form");
    vec![
        vector("ed25519", "An operation by an Ed25519 key.", pretty(&good), &key, None),
        vector(
            "p256",
            "An operation by a P-256 key.",
            pretty(&dsse(&p256)),
            &p256_key,
            None,
        ),
        vector(
            "other-type",
            "The type of an attestation.",
            with("/payloadType", json!(ATTESTATION)),
            &key,
            form,
        ),
        vector(
            "payload-of-another",
            "The payload of another operation under the same signature.",
            with("/payload", dsse(&p256)["payload"].clone()),
            &key,
            form,
        ),
        vector(
            "keyid-of-another",
            "A keyid that is not the header's device.",
            with("/signatures/0/keyid", json!("somebody")),
            &key,
            form,
        ),
        vector(
            "two-signatures",
            "Two signatures.",
            with("/signatures", two),
            &key,
            form,
        ),
        vector(
            "no-signature",
            "No signature.",
            with("/signatures", json!([])),
            &key,
            form,
        ),
        vector(
            "signature-not-padded",
            "Base64 without padding.",
            with("/signatures/0/sig", json!(unpadded)),
            &key,
            form,
        ),
        vector("not-json", "A text that is not JSON.", "operation".into(), &key, form),
    ]
}

pub fn check(input: &Value) -> Result<Value, String> {
    let wrong = |detail: String| format!("dsse_form: {detail}");
    let operation = from_dsse(input["json"].as_str().unwrap()).map_err(wrong)?;
    let suite = Suite::from_number(input["suite"].as_u64().unwrap()).unwrap();
    let key = PublicKey::parse(suite, &bytes(input, "public")).unwrap();
    let operation = operation.verify(&key).map_err(|e| wrong(e.to_string()))?;
    let header = operation.header_bytes();
    Ok(json!({
        "id": operation.id().to_string(),
        "commitment": operation.commitment().to_string(),
        "header": to_hex(header),
        "pae": to_hex(&pae(OPERATION, header)),
    }))
}
