//! `fieldseal root`: the tenant's root key, on a machine without a network.

use std::path::PathBuf;

use clap::Subcommand;
use fieldseal_core::catalogue::Param;
use fieldseal_core::device::DeviceError;
use fieldseal_core::escrow::{EscrowSecret, Share};
use fieldseal_core::random::OsRandom;
use fieldseal_proof::ids::{TenantId, to_hex};
use fieldseal_proof::suite::Signer;
use serde_json::json;

use super::wall_ms;
use crate::ceremony::{self, KEY_LOG, KeyLogFile, Request};
use crate::failure::Failure;
use crate::files;
use crate::key_file;
use crate::shell::{Outcome, Shell, Tone};

const ROOT_KEY: &str = "root.key";

#[derive(Debug, Subcommand)]
pub enum RootCommand {
    /// Makes the root key and begins the key log
    Init {
        /// New folder
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Name of the agency, for people
        #[arg(long)]
        name: String,
    },
    /// Signs what administrators and servers asked for
    Delegate {
        /// Folder of the root key
        #[arg(long, value_name = "DIR")]
        root: PathBuf,
        /// Request files
        #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
        request: Vec<PathBuf>,
    },
    /// Makes the escrow key that opens lost tablets, in shares for several holders
    Escrow {
        /// How many holders open it together
        #[arg(long, value_name = "N")]
        need: u8,
        /// How many holders there are
        #[arg(long, value_name = "N")]
        of: u8,
        /// New folder, with a file for each holder
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Writes the folder that a stranger must get from outside a bundle
    Trust {
        /// Folder of the root key
        #[arg(long, value_name = "DIR")]
        root: PathBuf,
        /// New folder
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

pub fn run(shell: &Shell, command: RootCommand) -> Result<Outcome, Failure> {
    match command {
        RootCommand::Init { out, name } => init(shell, &out, &name),
        RootCommand::Delegate { root, request } => delegate(shell, &root, &request),
        RootCommand::Escrow { need, of, out } => escrow(shell, need, of, &out),
        RootCommand::Trust { root, out } => trust(shell, &root, &out),
    }
}

fn init(shell: &Shell, out: &std::path::Path, name: &str) -> Result<Outcome, Failure> {
    let pin = shell.pin()?;
    if out.join("server.toml").exists() || out.join("card.json").exists() {
        return Err(Failure::new("root_not_here", []));
    }
    files::empty_folder(out)?;
    let root = key_file::create(&out.join(ROOT_KEY), &pin)?;
    let tenant = TenantId::from_bytes(key_file::new_id()?);
    KeyLogFile::begin(out, tenant, &root, wall_ms(shell)?)?;
    let fingerprint = root.public().fingerprint();
    let label = json!({ "tenant": tenant.to_string(), "name": name, "fingerprint": fingerprint });
    files::create(&out.join("agency.json"), format!("{label:#}\n").as_bytes())?;
    Ok(
        Outcome::new(json!({ "tenant": tenant.to_string(), "fingerprint": fingerprint, "name": name }))
            .line(format!(
                "{}  {name}",
                shell.tone(Tone::Strong, &shell.text("root.made", &[]))
            ))
            .line(format!("{}  {tenant}", shell.say("机构编号", "tenant     ")))
            .line(format!("{}  {fingerprint}", shell.say("指纹    ", "fingerprint"))),
    )
}

fn delegate(shell: &Shell, root: &std::path::Path, requests: &[PathBuf]) -> Result<Outcome, Failure> {
    let key = key_file::open(&root.join(ROOT_KEY), &shell.pin()?)?;
    let mut log = KeyLogFile::open(&root.join(KEY_LOG))?;
    let mut lines = Vec::new();
    let wall_ms = wall_ms(shell)?;
    for path in requests {
        let request: Request = files::read_json(path)?;
        log.delegate(&request, &key, wall_ms)?;
        let (kind, name) = match &request {
            Request::Admin { name, .. } => (shell.say("管理员", "administrator"), name),
            Request::Server { origin, .. } => (shell.say("服务器", "server"), origin),
        };
        lines.push(format!("{kind}  {name}"));
    }
    // All or nothing: a request that the key log refuses leaves the file as it was.
    log.save()?;
    let path = root.join(KEY_LOG);
    let outcome = Outcome::new(json!({ "key_log": path, "key_log_size": log.log.size(), "delegated": requests.len() }));
    let outcome = lines.into_iter().fold(outcome, Outcome::line);
    Ok(outcome.line(format!("{}  {}", shell.say("密钥日志", "key log"), path.display())))
}

/// The secret lives in this process only; what is left of it are the shares.
fn escrow(shell: &Shell, need: u8, of: u8, out: &std::path::Path) -> Result<Outcome, Failure> {
    let secret = EscrowSecret::generate(&OsRandom).map_err(DeviceError::from)?;
    let shares = Share::split(&secret, need, of, &OsRandom)?;
    let public = to_hex(&secret.public()?.to_bytes());
    files::empty_folder(out)?;
    for share in &shares {
        let name = format!("share-{}-of-{of}.txt", share.index);
        files::create(&out.join(name), format!("{}\n", *share.text()).as_bytes())?;
    }
    files::create(&out.join("escrow.pub"), format!("{public}\n").as_bytes())?;
    let words = [("need", Param::Count(need.into())), ("of", Param::Count(of.into()))];
    Ok(
        Outcome::new(json!({ "public": public, "need": need, "of": of, "out": out }))
            .line(shell.text("escrow.made", &words))
            .line(format!("{}  {public}", shell.say("托管公钥", "public key"))),
    )
}

fn trust(shell: &Shell, root: &std::path::Path, out: &std::path::Path) -> Result<Outcome, Failure> {
    let log = KeyLogFile::open(&root.join(KEY_LOG))?.log;
    ceremony::write_trust(out, &log)?;
    let fingerprint = log
        .root()
        .and_then(|root| root.record.key().ok())
        .map(|key| key.fingerprint())
        .unwrap_or_default();
    Ok(
        Outcome::new(json!({ "trust": out, "tenant": log.tenant().to_string(), "fingerprint": fingerprint }))
            .line(format!(
                "{}  {}",
                shell.say("信任文件夹", "trust folder"),
                out.display()
            ))
            .line(shell.text("fingerprint_compare", &[("fingerprint", Param::text(fingerprint))])),
    )
}
