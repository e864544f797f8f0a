//! Headers: `operation.md`, Header.

use fieldseal_proof::cbor::{self, Value};
use fieldseal_proof::hash::h;
use fieldseal_proof::ids::{Anchor, BodyRoot, InspectionId, OfficerId, OpId, PackHash, SessionId};
use fieldseal_proof::operation::{Header, RequiredSigner};
use serde_json::json;

use super::actors::{header, id, sample_body, sample_header, seed};
use super::{Result, Vector, hex};

const PAGE: &str = "operation.md, Header";

/// The sample header with one key replaced, or left out.
fn with_key(key: u64, value: Option<Value>) -> Result<Vec<u8>> {
    let Value::Map(mut entries) = cbor::decode(&sample()?.encode())? else {
        return Err("a header is a map".into());
    };
    entries.retain(|(k, _)| *k != key);
    entries.extend(value.map(|v| (key, v)));
    entries.sort_by_key(|(k, _)| *k);
    Ok(cbor::encode(&Value::Map(entries)))
}

fn sample() -> Result<Header> {
    Ok(Header { body_root: sample_body()?.root(), ..sample_header() })
}

fn good(name: &str, what: &str, header: &Header) -> Vector {
    let bytes = header.encode();
    let scope = header.case.map_or("registry".to_owned(), |c| c.to_string());
    let signers = header.signers.iter().map(|s| match s {
        RequiredSigner::Role(role) => json!({"role": role}),
        RequiredSigner::Officer(officer) => json!({"officer": officer.to_string()}),
    });
    Vector::valid("header", name, PAGE, what)
        .with("bytes", hex(&bytes))
        .gives("id", hex(h("fieldseal/v0/op", &[&bytes])))
        .gives("kind", header.kind.clone())
        .gives("device", header.device.to_string())
        .gives("seq", header.seq)
        .gives("prev", header.prev.to_string())
        .gives("scope", scope)
        .gives("stream", fieldseal_proof::ids::DeviceId::from_bytes(header.stream().id()).to_string())
        .gives("counter", header.counter)
        .gives("supersedes", header.supersedes.iter().map(OpId::to_string).collect::<Vec<_>>())
        .gives("signers", signers.collect::<Vec<_>>())
        .gives("unknown_keys", header.unknown.iter().map(|(k, _)| *k).collect::<Vec<_>>())
}

pub fn vectors() -> Result<Vec<Vector>> {
    let sample = sample()?;
    let ids = |n: u16| (0..n).map(|i| [&i.to_be_bytes()[..], &[7; 30]].concat());
    let bad = |name, what, bytes: Vec<u8>, reason| {
        Vector::invalid("header", name, PAGE, what, reason).with("bytes", hex(bytes))
    };
    let list = |items: Vec<Vec<u8>>| Some(Value::Array(items.iter().map(Value::bytes).collect()));
    let roles = |n: u8| (0..n).map(|i| Value::text(format!("r{i:02}"))).collect::<Vec<_>>();
    let officer = OfficerId::from_bytes(id("officer one"));
    let everything = Header {
        session: Some(SessionId::from_bytes(id("session"))),
        supersedes: ids(2).filter_map(|b| Some(OpId::from_bytes(b.try_into().ok()?))).collect(),
        anchor: Some(Anchor::from_bytes(seed("anchor"))),
        pack: Some(PackHash::from_bytes(seed("pack"))),
        signers: vec![RequiredSigner::Officer(officer), RequiredSigner::Role("supervisor".to_owned())],
        ..sample.clone()
    };
    let registry = Header {
        body_root: BodyRoot::from_bytes(seed("root")),
        ..header(sample.device, sample.incarnation, "device.open")
    };
    let without_case =
        Header { case: None, inspection: Some(InspectionId::from_bytes(id("inspection"))), ..sample.clone() };
    let kind = |text: &str| with_key(7, Some(Value::text(text)));
    Ok(vec![
        good("finding", "A finding in an inspection: the stream is the inspection, the scope the case.", &sample),
        good("registry", "Without case and inspection: the stream is the device, the scope the registry.", &registry),
        good(
            "case-stream",
            "With a case and no inspection: the stream is the case.",
            &Header { inspection: None, ..sample.clone() },
        ),
        good("every-field", "With every optional field.", &everything),
        good(
            "unknown-keys",
            "Keys above 23 of a later version are covered by the id and kept.",
            &Header {
                unknown: vec![(24, Value::text("later")), (1000, Value::Map(vec![(0, Value::Bool(true))]))],
                ..sample.clone()
            },
        ),
        good(
            "256-supersedes",
            "As many superseded ids as are allowed.",
            &Header {
                supersedes: ids(256).filter_map(|b| Some(OpId::from_bytes(b.try_into().ok()?))).collect(),
                ..sample.clone()
            },
        ),
        good(
            "hlc-counter-greatest",
            "The greatest counter of the logical clock.",
            &Header { hlc_counter: u16::MAX, ..sample.clone() },
        ),
        bad("version-1", "Format version 1.", with_key(0, Some(Value::Uint(1)))?, "version"),
        bad("suite-3", "A suite that cannot be checked.", with_key(1, Some(Value::Uint(3)))?, "unknown-suite"),
        bad("tenant-of-15-bytes", "A tenant id that is too short.", with_key(2, Some(Value::bytes([1; 15])))?, "field"),
        bad("device-missing", "No device.", with_key(3, None)?, "field"),
        bad("seq-as-text", "The sequence as text.", with_key(5, Some(Value::text("0")))?, "field"),
        bad("kind-empty", "An empty kind.", kind("")?, "kind"),
        bad("kind-capital", "A kind with a capital letter.", kind("Finding.record")?, "kind"),
        bad("kind-of-65", "A kind of 65 characters.", kind(&"k".repeat(65))?, "kind"),
        bad(
            "inspection-without-case",
            "An inspection outside of a case.",
            without_case.encode(),
            "inspection-without-case",
        ),
        bad(
            "hlc-counter-over",
            "A logical clock's counter of 65536.",
            with_key(14, Some(Value::Uint(65536)))?,
            "hlc-counter",
        ),
        bad("supersedes-empty", "An empty list in place of none.", with_key(18, list(vec![]))?, "supersedes"),
        bad("supersedes-257", "One superseded id too many.", with_key(18, list(ids(257).collect()))?, "supersedes"),
        bad(
            "supersedes-unordered",
            "Superseded ids that do not ascend.",
            with_key(18, list(ids(2).collect::<Vec<_>>().into_iter().rev().collect()))?,
            "supersedes-order",
        ),
        bad(
            "supersedes-twice",
            "A superseded id twice.",
            with_key(18, list(ids(1).chain(ids(1)).collect()))?,
            "supersedes-order",
        ),
        bad(
            "supersedes-short-id",
            "A superseded id of 31 bytes.",
            with_key(18, list(vec![vec![1; 31]]))?,
            "supersedes-ids",
        ),
        bad(
            "app-of-65-bytes",
            "An application version that is too long.",
            with_key(21, Some(Value::text("a".repeat(65))))?,
            "too-large",
        ),
        bad("body-root-missing", "No body root.", with_key(22, None)?, "field"),
        bad("signers-17", "One required signer too many.", with_key(23, Some(Value::Array(roles(17))))?, "signers"),
        bad(
            "signers-unordered",
            "A role before an officer: their encodings do not ascend.",
            with_key(23, Some(Value::Array(vec![Value::text("supervisor"), Value::bytes(officer.as_bytes())])))?,
            "signers-order",
        ),
        bad(
            "signer-as-number",
            "A required signer that is neither role nor officer.",
            with_key(23, Some(Value::Array(vec![Value::Uint(1)])))?,
            "signer",
        ),
        bad(
            "over-16-kib",
            "A header of more than 16 KiB.",
            with_key(24, Some(Value::bytes(vec![0; 16 * 1024])))?,
            "too-large",
        ),
        bad("array-instead-of-map", "Not a map.", vec![0x80], "field"),
    ])
}
