//! Enrolment texts: `wire.md`, Enrolment text.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fieldseal_core::device::EnrolmentCard;
use fieldseal_proof::ids::{TenantId, to_hex};
use fieldseal_proof::note::VerifierKey;
use fieldseal_proof::suite::{Ed25519Signer, Signer};
use serde_json::{Value, json};

use crate::{Vector, object};

const PREFIX: &str = "fieldseal:enrol:1:";

fn card() -> Value {
    let key = |byte: u8| Ed25519Signer::from_seed(&[byte; 32]).unwrap().public().clone();
    json!({
        "url": "https://fieldseal.example.org",
        "tls_sha256": "ab".repeat(32),
        "tenant": TenantId::from_bytes([1; 16]).to_string(),
        "root": to_hex(key(1).as_bytes()),
        "log_vkey": VerifierKey::ed25519("example.org/county/0", key(2)).unwrap().to_vkey(),
        "code": "0123456789abcdef0123456789abcdef",
        "label": "一号",
    })
}

pub fn vectors() -> Vec<Vector> {
    let text = |card: &Value| format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(card.to_string()));
    let with = |field: &str, value: Value| {
        let mut out = card();
        out[field] = value;
        text(&out)
    };
    let vector = |name, what, text: String, reason| {
        let input = object([("text", json!(text))]);
        Vector {
            kind: "enrolment-text",
            name,
            page: "wire.md, Enrolment text",
            what,
            input,
            reason,
        }
    };
    let wrong = Some("enrolment_text");
    let weak = format!("01{}", "00".repeat(31));
    vec![
        vector("tablet", "What an administrator hands over.", text(&card()), None),
        vector(
            "without-tls",
            "An address that is not HTTPS.",
            with("url", json!("http://fieldseal.example.org")),
            wrong,
        ),
        vector(
            "weak-root",
            "A root key of small order.",
            with("root", json!(weak)),
            wrong,
        ),
        vector(
            "short-certificate",
            "A certificate's hash of 31 bytes.",
            with("tls_sha256", json!("ab".repeat(31))),
            wrong,
        ),
        vector(
            "log-key-changed",
            "A log key whose hash is wrong.",
            with("log_vkey", json!("example.org/county/0+00000000+AQ==")),
            wrong,
        ),
        vector(
            "other-version",
            "Version 2.",
            text(&card()).replacen(":1:", ":2:", 1),
            wrong,
        ),
        vector("padded", "Base64 with padding.", text(&card()) + "=", wrong),
    ]
}

pub fn check(input: &Value) -> Result<Value, String> {
    let card = EnrolmentCard::parse(input["text"].as_str().unwrap()).map_err(|e| e.code().to_owned())?;
    Ok(json!({
        "url": card.url,
        "tls_sha256": to_hex(&card.tls_sha256),
        "tenant": card.tenant.to_string(),
        "root": to_hex(card.root.as_bytes()),
        "log": card.log.name(),
        "code": card.code,
        "label": card.label,
    }))
}
