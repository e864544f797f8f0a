//! What is signed, and by whom: alphabet, bodies, operations, chains, attests, key logs, rolls.

use fieldseal_proof::attest::{Attestation, Place, statement};
use fieldseal_proof::body::{Body, FieldValue};
use fieldseal_proof::cbor::{self, Value as Item};
use fieldseal_proof::dsse::pae;
use fieldseal_proof::encoding::from_proquints;
use fieldseal_proof::fork;
use fieldseal_proof::hash::h;
use fieldseal_proof::ids::{DeviceId, IncarnationId, OpId, TenantId, to_hex};
use fieldseal_proof::key_log::{Entry, KeyLog, KeyLogFrame, head_leaf};
use fieldseal_proof::operation::{
    Header, Operation, RequiredSigner, VerifiedOperation, link_next, link_origin, link_words,
};
use fieldseal_proof::roll::{Roll, read_closing};
use fieldseal_proof::succession::Succession;
use fieldseal_proof::suite::{PublicKey, Suite};
use serde_json::{Value, json};

use crate::check::{Checked, Input, refuse};

/// RFC 8949 §8 notation, as far as the profile needs it.
fn notation(item: &Item) -> String {
    let list = |items: Vec<String>| items.join(", ");
    match item {
        Item::Uint(n) => n.to_string(),
        Item::Nint(n) => (-1 - i128::from(*n)).to_string(),
        Item::Bytes(b) => format!("h'{}'", to_hex(b)),
        Item::Text(t) => format!("{t:?}"),
        Item::Bool(b) => b.to_string(),
        Item::Array(items) => format!("[{}]", list(items.iter().map(notation).collect())),
        Item::Map(pairs) => {
            format!("{{{}}}", list(pairs.iter().map(|(k, v)| format!("{k}: {}", notation(v))).collect()))
        }
    }
}

pub fn cbor(input: &Input<'_>) -> Checked {
    let bytes = input.bytes("bytes")?;
    let item = cbor::decode(&bytes).map_err(refuse)?;
    assert_eq!(cbor::encode(&item), bytes, "what is accepted has one encoding");
    Ok(json!({"notation": notation(&item)}))
}

pub fn hash(input: &Input<'_>) -> Checked {
    let items = input.list("items")?;
    let items: Vec<&[u8]> = items.iter().map(Vec::as_slice).collect();
    Ok(json!({"hash": to_hex(&h(input.text("tag")?, &items))}))
}

/// A key under `suite` and `public`, or the same with a prefix.
pub fn key(input: &Input<'_>, prefix: &str) -> Result<PublicKey, String> {
    let suite = Suite::from_number(input.number(&format!("{prefix}suite"))?).map_err(refuse)?;
    PublicKey::parse(suite, &input.bytes(&format!("{prefix}public"))?).map_err(refuse)
}

pub fn public_key(input: &Input<'_>) -> Checked {
    let key = key(input, "")?;
    Ok(json!({"key_id": key.key_id().to_string(), "fingerprint": key.fingerprint(), "pem": key.to_pem()}))
}

pub fn signature(input: &Input<'_>) -> Checked {
    let (kind, body) = (input.text("payload_type")?, input.bytes("body")?);
    key(input, "")?.verify(kind, &body, &input.bytes("signature")?).map_err(refuse)?;
    Ok(json!({"pae": to_hex(&pae(kind, &body))}))
}

pub fn proquint(input: &Input<'_>) -> Checked {
    let bytes = from_proquints(input.text("words")?).ok_or("not words")?;
    match input.hash("link") {
        Ok(link) if link[..16] != bytes => Err("not words of this link".into()),
        _ => Ok(json!({"bytes": to_hex(&bytes)})),
    }
}

pub fn body(input: &Input<'_>) -> Checked {
    let bytes = input.bytes("bytes")?;
    let body = Body::decode(&bytes).map_err(refuse)?;
    assert_eq!(body.encode(), bytes, "what is accepted has one encoding");
    if let Ok(root) = input.hash("root")
        && root != *body.root().as_bytes()
    {
        return Err("the body does not match body_root".into());
    }
    let fields = body.fields().iter().map(|f| match &f.value {
        FieldValue::Shown { value, .. } => json!({"path": f.path, "value": to_hex(value)}),
        FieldValue::Withheld(_) => json!({"path": f.path, "value": null}),
    });
    let mut out = json!({"root": body.root().to_string(), "fields": fields.collect::<Vec<_>>()});
    if input.0["hashes"] == json!(true) {
        out["hashes"] = hashes_of(&body);
    }
    Ok(out)
}

/// Salt and `v` of every field, that of the empty path included.
fn hashes_of(body: &Body) -> Value {
    let partial = cbor::decode(&body.withhold(&[]).encode()).unwrap();
    let entries = partial.as_map().unwrap()[0].1.as_array().unwrap();
    let one = |entry: &Item| match entry.as_array() {
        Some([Item::Text(path), Item::Bytes(salt), Item::Bytes(value)]) => {
            json!({"path": path, "salt": to_hex(salt), "v": to_hex(&h("fieldseal/v0/field", &[salt, value]))})
        }
        _ => Value::Null,
    };
    entries.iter().map(one).collect()
}

pub fn header(input: &Input<'_>) -> Checked {
    let bytes = input.bytes("bytes")?;
    let header = Header::decode(&bytes).map_err(refuse)?;
    assert_eq!(header.encode(), bytes, "what is accepted has one encoding");
    let signers = header.signers.iter().map(|s| match s {
        RequiredSigner::Role(role) => json!({"role": role}),
        RequiredSigner::Officer(officer) => json!({"officer": officer.to_string()}),
    });
    Ok(json!({
        "id": to_hex(&h("fieldseal/v0/op", &[&bytes])),
        "kind": header.kind,
        "device": header.device.to_string(),
        "seq": header.seq,
        "prev": header.prev.to_string(),
        "scope": header.case.map_or("registry".to_owned(), |c| c.to_string()),
        "stream": DeviceId::from_bytes(header.stream().id()).to_string(),
        "counter": header.counter,
        "supersedes": header.supersedes.iter().map(OpId::to_string).collect::<Vec<_>>(),
        "signers": signers.collect::<Vec<_>>(),
        "unknown_keys": header.unknown.iter().map(|(k, _)| *k).collect::<Vec<_>>(),
    }))
}

fn verified(input: &Input<'_>) -> Result<VerifiedOperation, String> {
    let frame = input.bytes("frame")?;
    let operation = Operation::parse(&frame).map_err(refuse)?;
    assert_eq!(operation.frame(), frame, "what is accepted has one encoding");
    operation.verify(&key(input, "")?).map_err(refuse)
}

pub fn operation(input: &Input<'_>) -> Checked {
    let operation = verified(input)?;
    Ok(json!({
        "id": operation.id().to_string(),
        "commitment": operation.commitment().to_string(),
        "link": operation.link().to_string(),
        "words": link_words(&operation.link()),
    }))
}

pub fn chain(input: &Input<'_>) -> Checked {
    let tenant: TenantId = input.text("tenant")?.parse().map_err(refuse)?;
    let device: DeviceId = input.text("device")?.parse().map_err(refuse)?;
    let mut operations: Vec<VerifiedOperation> = Vec::new();
    for frame in input.list("frames")? {
        let operation = Operation::parse(&frame).map_err(refuse)?;
        let incarnation = operation.header().incarnation;
        let operation = operation.verify(&chain_key(input, &incarnation)?).map_err(refuse)?;
        if let Some(fork) = operations.iter().find_map(|other| fork::between(other, &operation)) {
            return Err(format!("fork by {}", fork.as_str()));
        }
        if operations.iter().all(|other| other.commitment() != operation.commitment()) {
            operations.push(operation);
        }
    }
    let origin = link_origin(&tenant, &device);
    let (mut link, mut links, mut before) = (origin, Vec::new(), None);
    for operation in &operations {
        let header = operation.header();
        let expected = match before {
            Some((incarnation, seq)) if incarnation == header.incarnation => seq + 1,
            _ => 0,
        };
        if (header.tenant, header.device) != (tenant, device)
            || header.seq != expected
            || !(header.prev == link || header.seq == 0 && header.prev == origin)
        {
            return Err("the chain has a gap".into());
        }
        link = link_next(&header.prev, &operation.commitment());
        links.push(link.to_string());
        before = Some((header.incarnation, header.seq));
    }
    Ok(json!({"origin": origin.to_string(), "links": links, "words": link_words(&link)}))
}

fn chain_key(input: &Input<'_>, incarnation: &IncarnationId) -> Result<PublicKey, String> {
    let keys = input.0["keys"].as_array().ok_or("input keys is missing")?;
    let of = keys.iter().find(|k| k["incarnation"] == incarnation.to_string());
    key(&Input(of.ok_or("no key for the incarnation")?), "")
}

pub fn attest(input: &Input<'_>) -> Checked {
    let operation = verified(input)?;
    let said = Attestation::read(operation.body().ok_or("no body")?).map_err(refuse)?;
    let place = Place::of(&operation);
    said.verify(&place, &key(input, "officer_")?).map_err(refuse)?;
    Ok(json!({
        "statement": to_hex(&statement(&place, said.officer, &said.role, said.meaning, &said.targets)),
        "officer": said.officer.to_string(),
        "key_id": said.key.to_string(),
        "role": said.role,
        "meaning": said.meaning.as_str(),
        "targets": said.targets.iter().map(OpId::to_string).collect::<Vec<_>>(),
    }))
}

pub fn key_log(input: &Input<'_>) -> Checked {
    let log = KeyLog::read(&input.bytes("sequence")?).map_err(refuse)?;
    let keys = log.keys().map(|(id, k)| {
        json!({
            "key_id": id.to_string(),
            "purpose": k.record.purpose.as_str(),
            "subject": k.subject.map(|s| DeviceId::from_bytes(s).to_string()),
            "enrolled_at": k.enrolled_at,
            "revoked_at": k.revoked_at,
        })
    });
    Ok(json!({
        "tenant": log.tenant().to_string(),
        "size": log.size(),
        "head": log.head().to_string(),
        "leaf": head_leaf(log.size(), &log.head()).to_string(),
        "keys": keys.collect::<Vec<_>>(),
    }))
}

pub fn succession(input: &Input<'_>) -> Checked {
    let frame = KeyLogFrame::decode(&input.bytes("frame")?).map_err(refuse)?;
    let entry = Entry::decode(&frame.entry).map_err(refuse)?;
    let attrs = frame.attrs.ok_or("no succession without its attributes")?;
    let found = Succession::read(input.text("old")?, &entry, &attrs).ok_or("no succession of this log")?;
    Ok(json!({"new": found.new, "size": found.size, "root": to_hex(&found.root), "leaf": found.leaf().to_string()}))
}

pub fn roll(input: &Input<'_>) -> Checked {
    let body = Body::decode(&input.bytes("body")?).map_err(refuse)?;
    let roll = Roll::read(&body).ok_or("the roll cannot be read")?;
    let streams = roll.streams.iter().map(|s| {
        json!({
            "device": s.device.to_string(),
            "incarnation": s.incarnation.to_string(),
            "stream": DeviceId::from_bytes(s.stream).to_string(),
            "counter": s.counter,
            "id": s.id.to_string(),
        })
    });
    Ok(json!({
        "size": roll.size,
        "key_log_size": roll.key_log_size,
        "key_log_head": roll.key_log_head.to_string(),
        "streams": streams.collect::<Vec<_>>(),
    }))
}

pub fn closing(input: &Input<'_>) -> Checked {
    let body = Body::decode(&input.bytes("body")?).map_err(refuse)?;
    let held = read_closing(&body).ok_or("the closing cannot be read")?;
    let one = held.iter().map(|(d, i, counter, op)| {
        json!({"device": d.to_string(), "incarnation": i.to_string(), "counter": counter, "id": op.to_string()})
    });
    Ok(json!({"held": one.collect::<Vec<_>>()}))
}
