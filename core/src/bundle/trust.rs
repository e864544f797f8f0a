//! The trust folder: what a stranger must get from outside the bundle, read from its files.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use fieldseal_proof::bundle::{Trust, Witness};
use fieldseal_proof::ids::from_hex;
use fieldseal_proof::note::VerifierKey;
use fieldseal_proof::suite::{PublicKey, Suite};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::catalogue::{Message, Param};

/// Longest file of a trust folder; `allowed_signers` of a whole province fits.
const MOST: u64 = 16 * 1024 * 1024;

#[derive(Deserialize)]
struct TenantJson {
    tenant: String,
    root: RootJson,
}

#[derive(Deserialize)]
struct RootJson {
    suite: u64,
    public: String,
}

#[derive(Deserialize)]
struct PolicyJson {
    quorum: usize,
    #[serde(default)]
    witnesses: Vec<WitnessJson>,
}

#[derive(Deserialize)]
struct WitnessJson {
    vkey: String,
    organisation: String,
    #[serde(default)]
    same_operator: bool,
}

/// Reads a trust folder.
///
/// # Errors
/// `trust_missing` with a file's name, `file_unreadable` for one that is not in its form.
pub fn read_trust(folder: &Path) -> Result<Trust, Message> {
    let path = folder.join("tenant.json");
    let tenant: TenantJson = json(&path, text(folder, "tenant.json")?)?;
    let root = from_hex(&tenant.root.public).ok_or_else(|| form(&path, "the root key is not hex"))?;
    let suite = Suite::from_number(tenant.root.suite).map_err(|error| form(&path, error))?;
    let root = PublicKey::parse(suite, &root).map_err(|error| form(&path, error))?;
    let tenant = tenant.tenant.parse().map_err(|error| form(&path, error))?;
    let vkey = text(folder, "log.vkey")?;
    let trust = Trust::new(tenant, root, vkey.trim(), text(folder, "allowed_signers")?);
    let mut trust = trust.map_err(|error| form(&folder.join("log.vkey"), error))?;
    let policy = folder.join("policy.json");
    if policy.is_file() {
        let read: PolicyJson = json(&policy, text(folder, "policy.json")?)?;
        trust.quorum = read.quorum;
        for witness in read.witnesses {
            trust.witnesses.push(Witness {
                key: VerifierKey::parse(&witness.vkey).map_err(|error| form(&policy, error))?,
                organisation: witness.organisation,
                same_operator: witness.same_operator,
            });
        }
    }
    Ok(trust)
}

fn text(folder: &Path, name: &str) -> Result<String, Message> {
    let path = folder.join(name);
    if !path.is_file() {
        return Err(Message::new("trust_missing", [("path", Param::text(name))]));
    }
    let mut bytes = Vec::new();
    let read = File::open(&path).and_then(|file| file.take(MOST + 1).read_to_end(&mut bytes));
    read.map_err(|error| unreadable_file(&path, &error))?;
    if bytes.len() as u64 > MOST {
        return Err(form(&path, "longer than 16 MiB"));
    }
    String::from_utf8(bytes).map_err(|error| form(&path, error))
}

fn json<T: DeserializeOwned>(path: &Path, text: String) -> Result<T, Message> {
    serde_json::from_str(&text).map_err(|error| form(path, error))
}

/// What a person handed over is not in its form.
fn form(path: &Path, detail: impl std::fmt::Display) -> Message {
    let path = ("path", Param::text(path.display().to_string()));
    Message::new("file_unreadable", [path, ("detail", Param::text(detail.to_string()))])
}

/// A file that is not there, or that the system does not give.
pub(super) fn unreadable_file(path: &Path, error: &std::io::Error) -> Message {
    if error.kind() == std::io::ErrorKind::NotFound {
        return Message::new("file_missing", [("path", Param::text(path.display().to_string()))]);
    }
    form(path, error)
}
