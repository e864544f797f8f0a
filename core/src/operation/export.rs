//! An operation for other people's tools: DSSE JSON, which any library of that format verifies, and a readable rendering.
//! Both are made from the stored bytes and prove nothing that those do not (operation.md, DSSE JSON).

use fieldseal_proof::body::FieldValue;
use fieldseal_proof::cbor::{MapWriter, Value};
use fieldseal_proof::dsse::OPERATION;
use fieldseal_proof::encoding::{base64, from_base64};
use fieldseal_proof::ids::to_hex;
use fieldseal_proof::operation::{Operation, RequiredSigner};
use serde_json::{Value as Json, json};

/// The DSSE envelope: the payload is the header, byte for byte as it was signed. It has no body; `body_root` commits to it.
pub fn dsse(operation: &Operation) -> Json {
    let header = operation.header();
    json!({
        "payloadType": OPERATION,
        "payload": base64(operation.header_bytes()),
        "signatures": [{
            "keyid": format!("{}.{}", header.device, header.incarnation),
            "sig": base64(operation.signature()),
        }],
    })
}

/// The operation of a DSSE envelope, without its body. The signature is not checked.
///
/// # Errors
/// What is wrong with the envelope, for people.
pub fn from_dsse(text: &str) -> Result<Operation, String> {
    let envelope: Json = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if envelope["payloadType"] != OPERATION {
        return Err(format!("payloadType is not {OPERATION}"));
    }
    let bytes = |value: &Json, name: &str| {
        let decoded = value.as_str().and_then(from_base64);
        decoded.ok_or_else(|| format!("{name} is not base64"))
    };
    let payload = bytes(&envelope["payload"], "payload")?;
    let one = match envelope["signatures"].as_array().map(Vec::as_slice) {
        Some([one]) => one,
        _ => return Err("there is not exactly one signature".into()),
    };
    let frame = MapWriter::default()
        .put(0, Value::Bytes(payload))
        .put(1, Value::Bytes(bytes(&one["sig"], "sig")?));
    let operation = Operation::parse(&frame.encode()).map_err(|error| error.to_string())?;
    let header = operation.header();
    match one["keyid"] == format!("{}.{}", header.device, header.incarnation) {
        true => Ok(operation),
        false => Err("keyid is not the device and incarnation of the header".into()),
    }
}

/// Everything an operation says, for people: byte strings in hex, withheld values as null.
pub fn readable(operation: &Operation) -> Json {
    let header = operation.header();
    let signers = header.signers.iter().map(|signer| match signer {
        RequiredSigner::Role(role) => role.clone(),
        RequiredSigner::Officer(officer) => officer.to_string(),
    });
    let fields = operation.body().map(|body| {
        let fields = body.fields().iter().map(|field| match &field.value {
            FieldValue::Shown { .. } => (
                field.path.clone(),
                body.get(&field.path).as_ref().map_or(Json::Null, value),
            ),
            FieldValue::Withheld(_) => (field.path.clone(), Json::Null),
        });
        Json::Object(fields.collect())
    });
    json!({
        "id": operation.id().to_string(),
        "commitment": operation.commitment().to_string(),
        "link": operation.link().to_string(),
        "kind": header.kind,
        "schema": header.schema,
        "suite": header.suite.number(),
        "tenant": header.tenant.to_string(),
        "device": header.device.to_string(),
        "incarnation": header.incarnation.to_string(),
        "seq": header.seq,
        "prev": header.prev.to_string(),
        "case": header.case.map(|id| id.to_string()),
        "inspection": header.inspection.map(|id| id.to_string()),
        "counter": header.counter,
        "session": header.session.map(|id| id.to_string()),
        "hlc": [header.hlc_ms, u64::from(header.hlc_counter)],
        "wall_ms": header.clock.wall_ms,
        "boot": header.clock.boot.to_string(),
        "monotonic_ms": header.clock.monotonic_ms,
        "supersedes": header.supersedes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "anchor": header.anchor.map(|anchor| anchor.to_string()),
        "pack": header.pack.map(|pack| pack.to_string()),
        "app": header.app,
        "body_root": header.body_root.to_string(),
        "signers": signers.collect::<Vec<_>>(),
        "fields": fields,
    })
}

fn value(value: &Value) -> Json {
    match value {
        Value::Uint(number) => json!(number),
        Value::Text(text) => json!(text),
        Value::Bool(flag) => json!(flag),
        Value::Bytes(bytes) => json!({ "hex": to_hex(bytes) }),
        Value::Array(items) => items.iter().map(self::value).collect(),
        other => other.as_int().map_or(Json::Null, |number| json!(number)),
    }
}
