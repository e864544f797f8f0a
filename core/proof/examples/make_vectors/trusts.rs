//! Trust folders, alone and for the bundles: `bundle.md`, Trust folder.

use fieldseal_proof::note::VerifierKey;
use fieldseal_proof::sshsig::allowed_signers_line;
use fieldseal_proof::suite::Signer;
use serde_json::{Value, json};

use super::actors::{ORIGIN, ed25519, tenant};
use super::notes::log_vkey;
use super::{Result, Vector, forgery, hex};

const PAGE: &str = "bundle.md";

/// What the trust folder holds.
pub fn trust() -> Result<Value> {
    let root = ed25519("root")?;
    Ok(json!({
        "tenant": tenant().to_string(),
        "root": {"suite": 1, "public": hex(root.public().as_bytes())},
        "log_vkey": log_vkey()?,
        "allowed_signers": allowed_signers_line(ORIGIN, ed25519("bundle")?.public()),
    }))
}

/// The same folder with a policy of one witness.
pub fn trust_with_witness(label: &str, quorum: u64, same_operator: bool) -> Result<Value> {
    let witness = VerifierKey::cosigner("example.net/witness", ed25519(label)?.public().clone())?;
    let mut out = trust()?;
    out["policy"] = json!({
        "quorum": quorum,
        "witnesses": [{"vkey": witness.to_vkey(), "organisation": "example.net", "same_operator": same_operator}],
    });
    Ok(out)
}

/// A stranger's trust folder: the same names, other keys.
pub fn foreign_trust() -> Result<Value> {
    let mut out = trust()?;
    out["root"]["public"] = json!(hex(ed25519("another root")?.public().as_bytes()));
    out["log_vkey"] = json!(VerifierKey::ed25519(ORIGIN, ed25519("another log")?.public().clone())?.to_vkey());
    out["allowed_signers"] = json!(allowed_signers_line(ORIGIN, ed25519("another bundle")?.public()));
    Ok(out)
}

pub fn vectors() -> Result<Vec<Vector>> {
    let bad =
        |name, what, trust: Value, reason| Vector::invalid("trust", name, PAGE, what, reason).with("trust", trust);
    let good = trust()?;
    let mut weak = good.clone();
    weak["root"]["public"] = json!(hex(forgery::ORDER_EIGHT));
    let mut hash = good.clone();
    let vkey = log_vkey()?;
    hash["log_vkey"] = json!(vkey.replacen(&vkey[ORIGIN.len() + 1..ORIGIN.len() + 9], "00000000", 1));
    Ok(vec![
        Vector::valid("trust", "tenant-root-log-and-signer", PAGE, "A trust folder.")
            .with("trust", good)
            .gives("root_key_id", ed25519("root")?.public().key_id().to_string())
            .gives("log", ORIGIN),
        bad("weak-root", "A root key of small order: the folder is refused, whatever the bundle.", weak, "weak-key"),
        bad("wrong-log-key-hash", "A log key whose hash is wrong.", hash, "vkey-hash"),
    ])
}
