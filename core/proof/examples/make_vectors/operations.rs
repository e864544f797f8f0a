//! Operations: `operation.md`, Envelope and Identity.

use fieldseal_proof::body::Body;
use fieldseal_proof::cbor::{self, Value};
use fieldseal_proof::dsse;
use fieldseal_proof::operation::{Header, Operation, link_words};
use fieldseal_proof::suite::{PublicKey, Signer, Suite};

use super::actors::{ed25519, p256, sample_body, sample_header, seed};
use super::{Result, Vector, forgery, hex};

const PAGE: &str = "operation.md, Envelope";

/// A frame with these parts as they are.
fn frame(parts: &[(u64, &[u8])]) -> Vec<u8> {
    cbor::encode(&Value::Map(parts.iter().map(|(k, b)| (*k, Value::bytes(b))).collect()))
}

fn given(vector: Vector, frame: &[u8], key: &PublicKey) -> Vector {
    vector.with("frame", hex(frame)).with("suite", key.suite().number()).with("public", hex(key.as_bytes()))
}

fn good(name: &str, what: &str, operation: &Operation, key: &PublicKey) -> Vector {
    good_on(PAGE, name, what, operation, key)
}

/// A good operation, for a rule of this page.
pub fn good_on(page: &'static str, name: &str, what: &str, operation: &Operation, key: &PublicKey) -> Vector {
    given(Vector::valid("operation", name, page, what), &operation.frame(), key)
        .gives("id", operation.id().to_string())
        .gives("commitment", operation.commitment().to_string())
        .gives("link", operation.link().to_string())
        .gives("words", link_words(&operation.link()))
}

pub fn vectors() -> Result<Vec<Vector>> {
    let (ed, p) = (ed25519("tablet one")?, p256("tablet two")?);
    let body = sample_body()?;
    let operation = Operation::seal(sample_header(), body.clone(), &ed)?;
    let by_p256 = Operation::seal(sample_header(), body.clone(), &p)?;
    let (header, signature, body_bytes) = (operation.header_bytes(), operation.signature(), body.encode());
    let bad = |name, what, frame: Vec<u8>, reason| {
        given(Vector::invalid("operation", name, PAGE, what, reason), &frame, ed.public())
    };
    let other_body = Body::build(seed("body"), vec![("finding/8b1c/text".to_owned(), Value::text("没有问题"))])?;
    let mut changed = header.to_vec();
    // The last byte of the body root: the header still reads.
    if let Some(last) = changed.last_mut() {
        *last ^= 1;
    }
    let suite_2 = Header { suite: Suite::P256, body_root: body.root(), ..sample_header() }.encode();
    let as_attestation = ed.sign(dsse::ATTESTATION, header)?;
    let p_header = by_p256.header_bytes();
    Ok(vec![
        good("ed25519", "Signed with an Ed25519 key.", &operation, ed.public()),
        good("p256", "Signed with a P-256 key.", &by_p256, p.public()),
        good(
            "partial-body",
            "The same operation with a value withheld: id and commitment stay.",
            &operation.with_body(Some(body.withhold(&["finding/8b1c/text"])))?,
            ed.public(),
        ),
        good(
            "absent-body",
            "The same operation without its body: it still proves its place.",
            &operation.with_body(None)?,
            ed.public(),
        ),
        good(
            "unknown-header-key",
            "A header with a key of a later version: verified over the bytes, not re-encoded.",
            &Operation::seal(
                Header { unknown: vec![(31, Value::text("later"))], ..sample_header() },
                body.clone(),
                &ed,
            )?,
            ed.public(),
        ),
        bad(
            "body-of-another-operation",
            "A good body with another root.",
            frame(&[(0, header), (1, signature), (2, &other_body.encode())]),
            "body-root",
        ),
        bad("header-changed", "A bit of the header was changed.", frame(&[(0, &changed), (1, signature)]), "mismatch"),
        bad("signature-missing", "No signature.", frame(&[(0, header), (2, &body_bytes)]), "field"),
        bad(
            "signature-of-63-bytes",
            "A signature that is too short.",
            frame(&[(0, header), (1, &signature[..63])]),
            "field",
        ),
        bad(
            "unknown-frame-key",
            "A frame is not signed, so an unknown key in it is refused.",
            frame(&[(0, header), (1, signature), (2, &body_bytes), (3, b"x")]),
            "frame-key",
        ),
        bad(
            "cross-protocol",
            "The header signed as an attestation.",
            frame(&[(0, header), (1, &as_attestation)]),
            "mismatch",
        ),
        bad(
            "s-plus-l",
            "A good signature with S + L: the same id, another commitment.",
            frame(&[(0, header), (1, &forgery::plus_order(signature))]),
            "non-canonical-signature",
        ),
        bad(
            "suite-is-not-the-keys",
            "The header names suite 2, the enrolled key is of suite 1 and signed.",
            frame(&[(0, &suite_2), (1, &ed.sign(dsse::OPERATION, &suite_2)?)]),
            "mismatch",
        ),
        bad(
            "bytes-after-the-frame",
            "A zero after the frame.",
            [operation.frame(), vec![0]].concat(),
            "trailing-bytes",
        ),
        given(
            Vector::invalid(
                "operation",
                "high-s",
                PAGE,
                "A P-256 signature with n - s: the same id, another commitment.",
                "high-s",
            ),
            &frame(&[(0, p_header), (1, &forgery::negated_s(by_p256.signature())?)]),
            p.public(),
        ),
        given(
            Vector::invalid(
                "operation",
                "another-devices-key",
                PAGE,
                "A good operation under the key of another device.",
                "mismatch",
            ),
            &operation.frame(),
            ed25519("tablet three")?.public(),
        ),
    ])
}
