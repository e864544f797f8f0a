//! The trust folder: what a stranger must get from outside the bundle (`formats/bundle.md`).

use std::path::Path;

use fieldseal_proof::bundle::{Trust, Witness};
use fieldseal_proof::ids::{TenantId, from_hex, to_hex};
use fieldseal_proof::key_log::{KeyLog, Purpose};
use fieldseal_proof::note::VerifierKey;
use fieldseal_proof::sshsig;
use fieldseal_proof::suite::{PublicKey, Suite};
use serde_json::json;

use crate::failure::Failure;
use crate::files;

/// Reads a trust folder; one inside the bundle is refused by the caller.
pub fn read(folder: &Path) -> Result<Trust, Failure> {
    let text = |name: &str| {
        let bytes = files::read(&folder.join(name), 1024 * 1024)
            .map_err(|_| Failure::new("trust_missing", &[("path", name)]))?;
        String::from_utf8(bytes).map_err(|_| Failure::new("trust_missing", &[("path", name)]))
    };
    let tenant: serde_json::Value = serde_json::from_str(&text("tenant.json")?)
        .map_err(|_| Failure::new("trust_missing", &[("path", "tenant.json")]))?;
    let incomplete = || Failure::new("trust_missing", &[("path", "tenant.json")]);
    let suite = tenant["root"]["suite"]
        .as_u64()
        .and_then(|n| Suite::from_number(n).ok())
        .ok_or_else(incomplete)?;
    let public = tenant["root"]["public"]
        .as_str()
        .and_then(from_hex)
        .ok_or_else(incomplete)?;
    let root = PublicKey::parse(suite, &public).map_err(|_| incomplete())?;
    let id: TenantId = tenant["tenant"]
        .as_str()
        .and_then(|t| t.parse().ok())
        .ok_or_else(incomplete)?;
    let mut trust = Trust::new(id, root, &text("log.vkey")?, text("allowed_signers")?)
        .map_err(|_| Failure::new("trust_missing", &[("path", "log.vkey")]))?;
    if folder.join("policy.json").exists() {
        read_policy(&files::read_json(&folder.join("policy.json"))?, &mut trust)?;
    }
    Ok(trust)
}

fn read_policy(policy: &serde_json::Value, trust: &mut Trust) -> Result<(), Failure> {
    let broken = || Failure::new("trust_missing", &[("path", "policy.json")]);
    trust.quorum = policy["quorum"]
        .as_u64()
        .and_then(|n| usize::try_from(n).ok())
        .ok_or_else(broken)?;
    for witness in policy["witnesses"].as_array().ok_or_else(broken)? {
        let key = witness["vkey"]
            .as_str()
            .and_then(|v| VerifierKey::parse(v).ok())
            .filter(VerifierKey::is_cosigner);
        trust.witnesses.push(Witness {
            key: key.ok_or_else(broken)?,
            organisation: witness["organisation"].as_str().ok_or_else(broken)?.to_owned(),
            same_operator: witness["same_operator"].as_bool().ok_or_else(broken)?,
        });
    }
    Ok(())
}

/// Writes the trust folder of a tenant from its checked key log.
pub fn write(folder: &Path, keys: &KeyLog) -> Result<(), Failure> {
    files::new_folder(folder)?;
    let incomplete = || Failure::new("server_not_delegated", &[]);
    let root = keys.root().ok_or_else(incomplete)?;
    let tenant = json!({"tenant": keys.tenant().to_string(), "root": {"suite": root.record.suite, "public": to_hex(&root.record.public)}});
    let server = |purpose| {
        keys.server_keys(purpose)
            .pop()
            .and_then(|k| Some((k.name.clone()?, k.record.key().ok()?)))
    };
    let (origin, log) = server(Purpose::Log).ok_or_else(incomplete)?;
    let (_, bundle) = server(Purpose::Bundle).ok_or_else(incomplete)?;
    let vkey = VerifierKey::ed25519(&origin, log).map_err(|_| incomplete())?.to_vkey();
    files::write(&folder.join("tenant.json"), format!("{tenant:#}\n").as_bytes())?;
    files::write(&folder.join("log.vkey"), format!("{vkey}\n").as_bytes())?;
    files::write(
        &folder.join("allowed_signers"),
        sshsig::allowed_signers_line(&origin, &bundle).as_bytes(),
    )?;
    files::write(&folder.join("policy.json"), b"{\"quorum\": 0, \"witnesses\": []}\n")
}
