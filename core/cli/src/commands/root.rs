//! `fieldseal root`: the ceremony of the tenant's root key.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use fieldseal_core::clock::{Clock, SystemClock};
use fieldseal_core::random::OsRandom;
use fieldseal_proof::ids::{IncarnationId, TenantId, from_hex};
use fieldseal_proof::key_log::{Custody, Entry, KeyLog, KeyLogFrame, KeyRecord, Purpose};
use fieldseal_proof::suite::Signer;
use serde_json::{Value, json};

use crate::failure::{CommandResult, Failure};
use crate::files::{self, PinSource};
use crate::output::Output;
use crate::{key_file, trust_folder};

const KEY: &str = "root.key";
const KEY_LOG: &str = "key-log.cbor-seq";

/// The tenant's root key.
#[derive(Subcommand)]
pub enum Root {
    /// Makes the root key and the first entry of the key log.
    Init {
        /// New folder, on a stick or a machine without a network.
        #[arg(long)]
        out: PathBuf,
        /// Name of the agency, kept beside the key for people.
        #[arg(long)]
        name: String,
        #[command(flatten)]
        pin: PinSource,
    },
    /// Signs what an administrator and a server asked for.
    Delegate {
        /// The root key's folder.
        #[arg(long)]
        root: PathBuf,
        /// Requests: request.json of `admin init` and of `fieldseal-server init`.
        #[arg(long, required = true, num_args = 1..)]
        request: Vec<PathBuf>,
        #[command(flatten)]
        pin: PinSource,
    },
    /// Writes the trust folder that a stranger must get from outside the bundle.
    Trust {
        /// The root key's folder.
        #[arg(long)]
        root: PathBuf,
        /// New folder.
        #[arg(long)]
        out: PathBuf,
    },
}

impl Root {
    /// Runs the command.
    pub fn run(self, output: &mut Output) -> CommandResult {
        match self {
            Root::Init { out, name, pin } => init(&out, &name, &pin, output),
            Root::Delegate { root, request, pin } => delegate(&root, &request, &pin, output),
            Root::Trust { root, out } => trust(&root, &out, output),
        }
    }
}

fn init(out: &Path, name: &str, pin: &PinSource, output: &mut Output) -> CommandResult {
    refuse_server_folder(out)?;
    let pin = pin.get()?;
    files::new_folder(out)?;
    let signer = key_file::create(&out.join(KEY), "root", &pin)?;
    let tenant = TenantId::from_bytes(random_id()?);
    let keys = KeyLog::new(tenant);
    let record = KeyRecord::new(Purpose::Root, signer.public(), Custody::Software);
    let entry = Entry {
        keys: vec![record],
        ..blank(&keys, "root", &signer)
    };
    let frame = sign(&entry, &signer)?;
    files::write(&out.join(KEY_LOG), &frame.encode())?;
    let about = json!({"tenant": tenant.to_string(), "name": name, "fingerprint": signer.public().fingerprint()});
    files::write(&out.join("about.json"), format!("{about:#}\n").as_bytes())?;
    output.done(&about, |_| {
        format!("{name}\ntenant {tenant}\n{}", signer.public().fingerprint())
    });
    Ok(0)
}

fn delegate(root: &Path, requests: &[PathBuf], pin: &PinSource, output: &mut Output) -> CommandResult {
    refuse_server_folder(root)?;
    let signer = key_file::open(&root.join(KEY), "root", &pin.get()?)?;
    let mut bytes = files::read(&root.join(KEY_LOG), 64 * 1024 * 1024)?;
    let mut keys = read_key_log(&bytes, root)?;
    let mut signed = Vec::new();
    for path in requests {
        let request = files::read_json(path)?;
        let entry = entry_of(&request, &keys, &signer)
            .ok_or_else(|| Failure::new("request_form", &[("path", &path.display().to_string())]))?;
        let frame = sign(&entry, &signer)?;
        keys.append(&frame)
            .map_err(|e| Failure::new("key_log_refused", &[("detail", &e.to_string())]))?;
        bytes.extend(frame.encode());
        let prints: Vec<String> = entry.keys.iter().map(fingerprint).collect();
        signed.push(json!({"action": entry.action, "request": path.display().to_string(), "keys": prints}));
    }
    files::write(&root.join(KEY_LOG), &bytes)?;
    let result = json!({"signed": signed, "key_log": root.join(KEY_LOG), "key_log_size": keys.size()});
    output.done(&result, |_| {
        let lines = signed
            .iter()
            .map(|s| format!("{}  {}\n", s["action"].as_str().unwrap_or_default(), s["keys"]));
        lines.collect::<String>() + &format!("{}", root.join(KEY_LOG).display())
    });
    Ok(0)
}

fn trust(root: &Path, out: &Path, output: &mut Output) -> CommandResult {
    let keys = read_key_log(&files::read(&root.join(KEY_LOG), 64 * 1024 * 1024)?, root)?;
    trust_folder::write(out, &keys)?;
    output.done(&json!({"trust": out}), |_| out.display().to_string());
    Ok(0)
}

/// The entry that a request asks for: `{"kind": "admin" | "server", "subject", "incarnation"?, "origin"?, "keys": [{purpose, suite, public, custody}]}`.
fn entry_of(request: &Value, keys: &KeyLog, signer: &dyn Signer) -> Option<Entry> {
    let kind = request["kind"].as_str().filter(|k| matches!(*k, "admin" | "server"))?;
    let record = |key: &Value| {
        Some(KeyRecord {
            purpose: Purpose::from_word(key["purpose"].as_str()?)?,
            suite: key["suite"].as_u64()?,
            public: from_hex(key["public"].as_str()?)?,
            custody: Custody::from_word(key["custody"].as_str()?)?,
        })
    };
    let subject: IncarnationId = request["subject"].as_str()?.parse().ok()?;
    Some(Entry {
        subject: Some(*subject.as_bytes()),
        incarnation: request["incarnation"].as_str().and_then(|i| i.parse().ok()),
        keys: request["keys"].as_array()?.iter().map(record).collect::<Option<_>>()?,
        name: request["origin"].as_str().map(str::to_owned),
        ..blank(keys, kind, signer)
    })
}

fn blank(keys: &KeyLog, action: &str, signer: &dyn Signer) -> Entry {
    let wall_ms = SystemClock::new(&OsRandom).map_or(0, |clock| clock.now().wall_ms);
    Entry {
        tenant: keys.tenant(),
        index: keys.size(),
        prev: keys.head(),
        action: action.to_owned(),
        subject: None,
        keys: Vec::new(),
        role: None,
        incarnation: None,
        attrs_root: None,
        signer: signer.public().key_id(),
        wall_ms,
        target: None,
        name: None,
    }
}

fn random_id() -> Result<[u8; 16], Failure> {
    fieldseal_core::random::uuid(&OsRandom).map_err(|e| Failure::new("seal_failed", &[("detail", &e.to_string())]))
}

fn sign(entry: &Entry, signer: &dyn Signer) -> Result<KeyLogFrame, Failure> {
    KeyLogFrame::sign(entry, None, signer).map_err(|e| Failure::new("seal_failed", &[("detail", &e.to_string())]))
}

fn fingerprint(record: &KeyRecord) -> String {
    record
        .key()
        .map_or_else(|_| "X25519".to_owned(), |key| key.fingerprint())
}

fn read_key_log(bytes: &[u8], root: &Path) -> Result<KeyLog, Failure> {
    KeyLog::read(bytes).map_err(|e| {
        Failure::new(
            "file_unreadable",
            &[
                ("path", &root.join(KEY_LOG).display().to_string()),
                ("detail", &e.to_string()),
            ],
        )
    })
}

/// The root key and the server must never share a folder.
fn refuse_server_folder(folder: &Path) -> Result<(), Failure> {
    let here = [Some(folder), folder.parent()]
        .into_iter()
        .flatten()
        .any(|f| f.join("card.json").exists());
    if here {
        Err(Failure::new("root_not_here", &[]))
    } else {
        Ok(())
    }
}
