//! Anchors, rolls and closings: `time.md`, `roll.md`.

use fieldseal_proof::body::Body;
use fieldseal_proof::cbor::Value;
use fieldseal_proof::checkpoint::{AttestationKind, anchor};
use fieldseal_proof::ids::{DeviceId, IncarnationId, KeyLogHead, OpId};
use fieldseal_proof::roll::{Roll, StreamEnd};
use serde_json::json;

use super::actors::{case, id, inspection, seed};
use super::story::closing_fields;
use super::{Result, Vector, hex};

/// Named values of a body.
type Fields = Vec<(String, Value)>;

pub fn vectors() -> Result<Vec<Vector>> {
    let mut out = anchors();
    out.extend(rolls()?);
    out.extend(closings()?);
    Ok(out)
}

fn anchors() -> Vec<Vector> {
    const PAGE: &str = "time.md";
    let bytes = b"the bytes of an attestation";
    let good = |kind: AttestationKind| {
        Vector::valid("anchor", kind.as_str(), PAGE, "The anchor of an attestation of this kind.")
            .with("kind", kind.as_str())
            .with("bytes", hex(bytes))
            .gives("anchor", anchor(kind, bytes).to_string())
    };
    let bad = |name, what, kind: &str, named: AttestationKind, reason| {
        Vector::invalid("anchor", name, PAGE, what, reason)
            .with("kind", kind)
            .with("bytes", hex(bytes))
            .with("anchor", anchor(named, bytes).to_string())
    };
    vec![
        good(AttestationKind::TimeNote),
        good(AttestationKind::CosignedNote),
        good(AttestationKind::Rfc3161),
        bad(
            "other-kind",
            "The operator's time note given as a time stamp: another anchor.",
            "rfc3161",
            AttestationKind::TimeNote,
            "anchor",
        ),
        bad(
            "unknown-kind",
            "A kind of attestation that is not known.",
            "sundial",
            AttestationKind::TimeNote,
            "anchor-kind",
        ),
    ]
}

fn life(label: &str) -> (DeviceId, IncarnationId) {
    (DeviceId::from_bytes(id(label)), IncarnationId::from_bytes(id(&format!("{label}, first life"))))
}

fn rolls() -> Result<Vec<Vector>> {
    const PAGE: &str = "roll.md, Roll";
    let end = |label: &str, stream: [u8; 16], counter: u64| {
        let (device, incarnation) = life(label);
        StreamEnd { device, incarnation, stream, counter, id: OpId::from_bytes(seed(&format!("last of {label}"))) }
    };
    let mut roll = Roll {
        size: 4711,
        key_log_size: 7,
        key_log_head: KeyLogHead::from_bytes(seed("head")),
        streams: vec![
            end("tablet one", *inspection().as_bytes(), 12),
            end("tablet two", *inspection().as_bytes(), 3),
            end("server", *case().as_bytes(), 0),
        ],
    };
    roll.streams.sort();
    let body = Body::build(seed("roll"), roll.fields())?;
    let with = |change: &dyn Fn(&mut Fields)| -> Result<String> {
        let mut fields = roll.fields();
        change(&mut fields);
        Ok(hex(Body::build(seed("roll"), fields)?.encode()))
    };
    let bad = |name, what, body: String| Vector::invalid("roll", name, PAGE, what, "roll").with("body", body);
    let streams = roll.streams.iter().map(|s| {
        json!({
            "device": s.device.to_string(),
            "incarnation": s.incarnation.to_string(),
            "stream": DeviceId::from_bytes(s.stream).to_string(),
            "counter": s.counter,
            "id": s.id.to_string(),
        })
    });
    let stream_path = body.fields().iter().find(|f| f.path.starts_with("roll/stream/"));
    let withheld = body.withhold(&[&stream_path.ok_or("a roll names streams")?.path]);
    Ok(vec![
        Vector::valid("roll", "three-streams", PAGE, "A roll of two tablets' and the server's streams.")
            .with("body", hex(body.encode()))
            .gives("size", roll.size)
            .gives("key_log_size", roll.key_log_size)
            .gives("key_log_head", roll.key_log_head.to_string())
            .gives("streams", streams.collect::<Vec<_>>()),
        bad("size-missing", "No tree size.", with(&|f| f.retain(|(p, _)| p != "roll/size"))?),
        bad("key-log-missing", "No key log head.", with(&|f| f.retain(|(p, _)| p != "roll/key_log"))?),
        bad("stream-withheld", "A stream whose end is withheld: the roll claims nothing then.", hex(withheld.encode())),
        bad(
            "device-not-uuid",
            "A path whose device is no UUID.",
            with(&|f| f.push(("roll/stream/one/two/three".to_owned(), Value::Array(vec![]))))?,
        ),
        bad(
            "stream-missing-in-path",
            "A path without the stream.",
            with(&|f| {
                f.iter_mut().for_each(|(p, _)| {
                    if p.starts_with("roll/stream/") {
                        p.truncate(p.len() - 37);
                    }
                })
            })?,
        ),
        bad(
            "end-without-id",
            "A stream's end without the id.",
            with(&|f| {
                f.iter_mut().for_each(|(p, v)| {
                    if p.starts_with("roll/stream/") {
                        *v = Value::Array(vec![Value::Uint(3)]);
                    }
                })
            })?,
        ),
    ])
}

fn closings() -> Result<Vec<Vector>> {
    const PAGE: &str = "roll.md, Closing";
    let mut held: Vec<_> = [("tablet one", 12), ("tablet two", 3)]
        .map(|(label, counter)| {
            let (device, incarnation) = life(label);
            (device, incarnation, counter, OpId::from_bytes(seed(&format!("last of {label}"))))
        })
        .into();
    held.sort();
    let body = Body::build(seed("closing"), closing_fields(&held))?;
    let list = held.iter().map(|(d, i, counter, op)| {
        json!({"device": d.to_string(), "incarnation": i.to_string(), "counter": counter, "id": op.to_string()})
    });
    let bad = |name, what, body: &Body| {
        Vector::invalid("closing", name, PAGE, what, "closing").with("body", hex(body.encode()))
    };
    let path = body.fields()[0].path.clone();
    let mut no_uuid = closing_fields(&held);
    no_uuid[0].0 = "closing/held/one/two".to_owned();
    let mut no_id = closing_fields(&held);
    no_id[0].1 = Value::Uint(12);
    Ok(vec![
        Vector::valid("closing", "two-devices", PAGE, "What the author of a closing held of two devices.")
            .with("body", hex(body.encode()))
            .gives("held", list.collect::<Vec<_>>()),
        bad("end-withheld", "What it held of a device is withheld.", &body.withhold(&[&path])),
        bad("device-not-uuid", "A path whose device is no UUID.", &Body::build(seed("closing"), no_uuid)?),
        bad("end-without-id", "A counter without the id.", &Body::build(seed("closing"), no_id)?),
    ])
}
