//! `fieldseal admin`: an administrator with a key that the root delegated.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use fieldseal_core::catalogue::Param;
use fieldseal_core::pack::PackFile;
use fieldseal_core::sync::message::Expect;
use fieldseal_proof::body::Body;
use fieldseal_proof::ids::{BodyRoot, IncarnationId, KeyId, OfficerId, from_hex, to_hex};
use fieldseal_proof::key_log::{Custody, Entry, KeyLog, KeyRecord, Purpose};
use fieldseal_proof::suite::{Ed25519Signer, PublicKey, Signer, Suite};
use fieldseal_transport::{Caller, Cancel, Endpoint};
use serde::Deserialize;
use serde_json::{Value, json};

use super::wall_ms;
use crate::ceremony::{self, KeyJson, Request, ServerCard, blank, id};
use crate::failure::Failure;
use crate::files;
use crate::key_file;
use crate::shell::{Outcome, Shell, Tone};

const ADMIN_KEY: &str = "admin.key";
const CARD: &str = "card.json";
/// Lifetime of an enrolment text: one working week.
const INVITATION_S: u64 = 7 * 86_400;

#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    /// Makes an administrator's key and what it asks of the root
    Init {
        /// New folder
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Name of the administrator
        #[arg(long)]
        name: String,
    },
    /// Makes an enrolment text for one device
    Invite {
        #[command(flatten)]
        office: Office,
        /// What the device is called
        #[arg(long)]
        label: String,
        /// What it may do
        #[arg(long, default_value = "tablet", value_parser = ["tablet", "supervisor"])]
        role: String,
    },
    /// Lists who asks to be enrolled, with fingerprints
    Pending {
        #[command(flatten)]
        office: Office,
    },
    /// Signs and posts the enrolment of those whose fingerprints were compared
    Approve {
        #[command(flatten)]
        office: Office,
        /// Requests
        #[arg(required_unless_present = "all")]
        requests: Vec<String>,
        /// Everybody who asks
        #[arg(long)]
        all: bool,
    },
    /// Says no to a request for enrolment; whoever asked is told the reason
    Refuse {
        #[command(flatten)]
        office: Office,
        /// The request
        request: String,
        #[arg(long)]
        reason: String,
    },
    /// Revokes a key
    Revoke {
        #[command(flatten)]
        office: Office,
        /// Key id, 64 hex digits
        #[arg(long)]
        key: String,
    },
    /// Brings enterprises from a CSV into the registry
    ImportEnterprises {
        #[command(flatten)]
        office: Office,
        /// CSV with a header line
        csv: PathBuf,
    },
    /// Signs a rule pack's folder and publishes it
    PublishPack {
        #[command(flatten)]
        office: Office,
        /// Folder with pack.toml
        folder: PathBuf,
    },
    /// Shows every device: last contact, what it has not sent, its clock
    Devices {
        #[command(flatten)]
        office: Office,
    },
    /// Lists devices that signed two histories; with --out the proofs as files
    Forks {
        #[command(flatten)]
        office: Office,
        /// New or empty folder for the proofs
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Lists enterprises and cases that may be the same, with the reason; joins nothing
    Duplicates {
        #[command(flatten)]
        office: Office,
    },
}

/// An administrator's folder, and the server.
#[derive(Debug, Args)]
pub struct Office {
    /// Folder of the administrator
    #[arg(long, value_name = "DIR")]
    admin: PathBuf,
    /// The server's card; kept in the folder after its first use
    #[arg(long, value_name = "FILE")]
    card: Option<PathBuf>,
}

pub fn run(shell: &Shell, command: AdminCommand) -> Result<Outcome, Failure> {
    match command {
        AdminCommand::Init { out, name } => init(shell, &out, &name),
        AdminCommand::Invite { office, label, role } => invite(&office, &label, &role),
        AdminCommand::Pending { office } => pending(shell, &office),
        AdminCommand::Approve { office, requests, all } => approve(shell, &office, &requests, all),
        AdminCommand::Refuse {
            office,
            request,
            reason,
        } => refuse(shell, &office, &request, &reason),
        AdminCommand::Revoke { office, key } => revoke(shell, &office, &key),
        AdminCommand::ImportEnterprises { office, csv } => import_enterprises(shell, &office, &csv),
        AdminCommand::PublishPack { office, folder } => publish_pack(shell, &office, &folder),
        AdminCommand::Devices { office } => devices(shell, &office),
        AdminCommand::Forks { office, out } => forks(shell, &office, out.as_deref()),
        AdminCommand::Duplicates { office } => duplicates(shell, &office),
    }
}

fn init(shell: &Shell, out: &Path, name: &str) -> Result<Outcome, Failure> {
    let pin = shell.pin()?;
    files::empty_folder(out)?;
    let key = key_file::create(&out.join(ADMIN_KEY), &pin)?;
    let subject = OfficerId::from_bytes(key_file::new_id()?).to_string();
    let keys = vec![KeyJson::of(Purpose::Admin, key.public(), Custody::Software)];
    let request = Request::Admin {
        subject,
        name: name.to_owned(),
        keys,
    };
    let path = out.join("request.json");
    files::create(&path, format!("{:#}\n", json!(request)).as_bytes())?;
    let fingerprint = key.public().fingerprint();
    Ok(Outcome::new(json!({ "request": path, "fingerprint": fingerprint }))
        .line(shell.tone(Tone::Strong, &shell.text("admin.made", &[])))
        .line(format!("{}  {fingerprint}", shell.say("指纹", "fingerprint")))
        .line(format!(
            "{}  {}",
            shell.say("交给根密钥", "for the root key"),
            path.display()
        )))
}

impl Office {
    fn key(&self, shell: &Shell) -> Result<Ed25519Signer, Failure> {
        key_file::open(&self.admin.join(ADMIN_KEY), &shell.pin()?)
    }

    /// The server's card; remembered, so that later commands cannot be sent elsewhere by mistake.
    fn card(&self) -> Result<ServerCard, Failure> {
        let kept = self.admin.join(CARD);
        if let Some(path) = &self.card {
            let card: ServerCard = files::read_json(path)?;
            files::replace(&kept, &files::read(path)?)?;
            return Ok(card);
        }
        if !kept.is_file() {
            return Err(Failure::usage("usage.card_first", []));
        }
        files::read_json(&kept)
    }

    fn call(&self) -> Result<(ServerCard, Caller), Failure> {
        let card = self.card()?;
        let tls_sha256 = from_hex(&card.tls_sha256).and_then(|bytes| bytes.try_into().ok());
        let tls_sha256 = tls_sha256.ok_or_else(|| Failure::usage("usage.card_tls", []))?;
        let endpoint = Endpoint {
            url: card.url.clone(),
            tls_sha256,
            token: Some(card.token.clone()),
        };
        Ok((card, Caller::open(&endpoint, Cancel::default())?))
    }

    /// The server's key log, checked, under the root that this administrator saw first.
    fn key_log(&self, caller: &Caller) -> Result<KeyLog, Failure> {
        let bytes = caller.fetch("/v1/key-log?from=0", Expect::Cbor)?.body;
        let broken = |detail: String| Failure::new("key_log_broken", [("detail", Param::text(detail))]);
        let log = KeyLog::read(&bytes).map_err(|error| broken(error.to_string()))?;
        let root = log
            .root()
            .and_then(|root| root.record.key().ok())
            .map(|key| key.fingerprint())
            .unwrap_or_default();
        let kept = self.admin.join("root.fingerprint");
        match std::fs::read_to_string(&kept) {
            Ok(known) if known.trim() != root => {
                return Err(broken(format!("root {root} instead of {}", known.trim())));
            }
            Ok(_) => {}
            Err(_) => files::replace(&kept, format!("{root}\n").as_bytes())?,
        }
        Ok(log)
    }

    fn post(&self, caller: &Caller, frames: Vec<u8>) -> Result<Value, Failure> {
        let answer = caller.send("/v1/admin/key-log", "application/cbor-seq", frames, Expect::Json)?;
        serde_json::from_slice(&answer.body)
            .map_err(|error| Failure::new("server_answer", [("detail", Param::text(error.to_string()))]))
    }
}

fn invite(office: &Office, label: &str, role: &str) -> Result<Outcome, Failure> {
    let (card, caller) = office.call()?;
    let log = office.key_log(&caller)?;
    let root = log.root().ok_or_else(|| Failure::usage("usage.no_key_log", []))?;
    let asked = json!({ "kind": role, "label": label, "ttl_s": INVITATION_S });
    let answer = caller.post("/v1/admin/invitations", &asked)?;
    let code = answer["code"].as_str().unwrap_or_default().to_owned();
    let inside = json!({
        "url": card.url, "tls_sha256": card.tls_sha256, "tenant": log.tenant().to_string(),
        "root": to_hex(&root.record.public), "log_vkey": card.log_vkey, "code": code, "label": label, "role": role,
    });
    let text = format!("fieldseal:enrol:1:{}", base64_url(inside.to_string().as_bytes()));
    Ok(Outcome::new(json!({ "text": text, "code": code })).line(text))
}

/// Who asks, as the server lists it.
#[derive(Debug, Deserialize)]
struct Asking {
    request: String,
    kind: String,
    #[serde(default)]
    label: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    device: Option<String>,
    #[serde(default)]
    incarnation: Option<String>,
    #[serde(default)]
    operation: Option<PublicJson>,
    #[serde(default)]
    cosigner: Option<PublicJson>,
    #[serde(default)]
    officer: Option<String>,
    #[serde(default)]
    name: String,
    #[serde(default)]
    certificate: String,
    #[serde(default)]
    key: Option<PublicJson>,
    #[serde(default)]
    attrs: Option<String>,
    /// Who keeps the private half, where it is not a file of the device: `hardware` or `server`.
    #[serde(default)]
    custody: Option<String>,
}

#[derive(Debug, Deserialize)]
struct PublicJson {
    #[serde(default = "ed25519")]
    suite: u64,
    public: String,
}

fn ed25519() -> u64 {
    1
}

impl PublicJson {
    /// Public keys travel as base64 (wire.md) or hex.
    fn key(&self) -> Result<PublicKey, Failure> {
        let bytes = from_hex(&self.public).or_else(|| fieldseal_proof::encoding::from_base64(&self.public));
        let suite = Suite::from_number(self.suite);
        let key = suite.and_then(|suite| PublicKey::parse(suite, &bytes.unwrap_or_default()));
        key.map_err(|error| Failure::new("server_answer", [("detail", Param::text(error.to_string()))]))
    }
}

impl Asking {
    fn lacks(&self, what: &str) -> Failure {
        let params = [("request", Param::text(&self.request)), ("what", Param::text(what))];
        Failure::usage("usage.request_lacks", params)
    }

    fn main_key(&self) -> Result<PublicKey, Failure> {
        let key = self.operation.as_ref().or(self.key.as_ref());
        key.ok_or_else(|| self.lacks("key"))?.key()
    }

    /// The entry that enrols it. Names stand in the attributes, which the entry only commits to.
    fn entry(&self, log: &KeyLog, signer: KeyId, wall_ms: u64) -> Result<(Entry, Option<Body>), Failure> {
        let lacks = |what: &str| self.lacks(what);
        let custody = self
            .custody
            .as_deref()
            .and_then(Custody::from_word)
            .unwrap_or(Custody::Software);
        if self.kind == "device" {
            let cosigner = self.cosigner.as_ref().ok_or_else(|| lacks("cosigner key"))?.key()?;
            let subject = id(self.device.as_deref().ok_or_else(|| lacks("device"))?)?;
            let incarnation = id(self.incarnation.as_deref().ok_or_else(|| lacks("incarnation"))?)?;
            let keys = vec![
                KeyRecord::new(Purpose::Operation, &self.main_key()?, custody),
                // A platform's hardware holds the operation key alone.
                KeyRecord::new(
                    Purpose::Cosigner,
                    &cosigner,
                    match custody {
                        Custody::Hardware => Custody::Software,
                        other => other,
                    },
                ),
            ];
            let entry = Entry {
                subject: Some(subject),
                incarnation: Some(IncarnationId::from_bytes(incarnation)),
                role: Some(self.role.clone()),
                keys,
                ..blank(log, "device", signer, wall_ms)
            };
            return Ok((entry, None));
        }
        let attrs = self
            .attrs
            .as_deref()
            .and_then(fieldseal_proof::encoding::from_base64)
            .ok_or_else(|| lacks("attributes"))?;
        let attrs = Body::decode(&attrs).map_err(|error| {
            let params = [
                ("request", Param::text(&self.request)),
                ("detail", Param::text(error.to_string())),
            ];
            Failure::usage("usage.request_attributes", params)
        })?;
        let says = |path: &str| {
            attrs
                .get(path)
                .and_then(|value| value.as_text().map(str::to_owned))
                .unwrap_or_default()
        };
        if says("name") != self.name || says("certificate") != self.certificate {
            return Err(Failure::usage(
                "usage.request_differs",
                [("request", Param::text(&self.request))],
            ));
        }
        let root: BodyRoot = attrs.root();
        let entry = Entry {
            subject: Some(id(self.officer.as_deref().ok_or_else(|| lacks("officer"))?)?),
            role: Some(self.role.clone()),
            keys: vec![KeyRecord::new(Purpose::Officer, &self.main_key()?, custody)],
            attrs_root: Some(root),
            ..blank(log, "officer", signer, wall_ms)
        };
        Ok((entry, Some(attrs)))
    }
}

fn asking(caller: &Caller, refused: bool) -> Result<Vec<Asking>, Failure> {
    let mut answer = caller.get(&format!("/v1/admin/enrolments?refused={refused}"))?;
    serde_json::from_value(answer["items"].take())
        .map_err(|error| Failure::new("server_answer", [("detail", Param::text(error.to_string()))]))
}

fn pending(shell: &Shell, office: &Office) -> Result<Outcome, Failure> {
    let (_, caller) = office.call()?;
    let mut outcome = Outcome::default();
    let mut items = Vec::new();
    for one in asking(&caller, false)? {
        let fingerprint = one.main_key()?.fingerprint();
        let who = if one.kind == "device" {
            one.label.clone()
        } else {
            format!("{} {}", one.name, one.certificate)
        };
        outcome = outcome.line(format!("{}  {:8} {who}  {fingerprint}", one.request, one.kind));
        items.push(json!({
            "request": one.request, "kind": one.kind, "role": one.role, "label": one.label, "name": one.name,
            "certificate": one.certificate, "fingerprint": fingerprint,
        }));
    }
    if items.is_empty() {
        outcome = outcome.line(shell.text("empty.enrolments", &[]));
    }
    outcome.json = json!({ "items": items });
    Ok(outcome)
}

fn approve(shell: &Shell, office: &Office, requests: &[String], all: bool) -> Result<Outcome, Failure> {
    let key = office.key(shell)?;
    let (_, caller) = office.call()?;
    let mut log = office.key_log(&caller)?;
    // A refusal can be taken back by approving that request by its id; `--all` leaves the refused ones alone.
    let waiting = asking(&caller, !all)?;
    if let Some(unknown) = requests.iter().find(|id| waiting.iter().all(|one| one.request != **id)) {
        return Err(Failure::usage(
            "usage.request_unknown",
            [("request", Param::text(unknown))],
        ));
    }
    let (mut frames, mut approved) = (Vec::new(), Vec::new());
    let wall_ms = wall_ms(shell)?;
    for one in waiting.iter().filter(|one| all || requests.contains(&one.request)) {
        let (entry, attrs) = one.entry(&log, key.public().key_id(), wall_ms)?;
        frames.extend(ceremony::sign(&mut log, entry, attrs, &key)?);
        approved.push(one.request.clone());
    }
    if !frames.is_empty() {
        office.post(&caller, frames)?;
    }
    let words = shell.say("已批准", "approved");
    Ok(
        Outcome::new(json!({ "approved": approved, "key_log_size": log.size() })).line(format!(
            "{words} {}  {} {}",
            approved.len(),
            shell.say("密钥日志", "key log"),
            log.size()
        )),
    )
}

fn refuse(shell: &Shell, office: &Office, request: &str, reason: &str) -> Result<Outcome, Failure> {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if request.is_empty() || !request.bytes().all(sound) {
        return Err(Failure::usage("usage.request_id", [("request", Param::text(request))]));
    }
    let (_, caller) = office.call()?;
    let path = format!("/v1/admin/enrolments/{request}/refuse");
    let answer = caller.post(&path, &json!({ "reason": reason }))?;
    Ok(Outcome::new(answer).line(format!("{}  {request}", shell.say("已拒绝", "refused"))))
}

fn revoke(shell: &Shell, office: &Office, target: &str) -> Result<Outcome, Failure> {
    let target: KeyId = target.parse().map_err(|_| Failure::usage("usage.key_hex", []))?;
    let key = office.key(shell)?;
    let (_, caller) = office.call()?;
    let mut log = office.key_log(&caller)?;
    if log.key(&target).is_none() {
        return Err(Failure::usage(
            "usage.key_unknown",
            [("key", Param::text(target.to_string()))],
        ));
    }
    let entry = Entry {
        target: Some(target),
        ..blank(&log, "revoke", key.public().key_id(), wall_ms(shell)?)
    };
    let frame = ceremony::sign(&mut log, entry, None, &key)?;
    office.post(&caller, frame)?;
    Ok(
        Outcome::new(json!({ "revoked": target.to_string(), "key_log_size": log.size() }))
            .line(format!("{}  {target}", shell.say("已撤销", "revoked"))),
    )
}

fn import_enterprises(shell: &Shell, office: &Office, csv: &Path) -> Result<Outcome, Failure> {
    let (_, caller) = office.call()?;
    let answer = caller.send("/v1/admin/enterprises", "text/csv", files::read(csv)?, Expect::Json)?;
    let answer: Value = serde_json::from_slice(&answer.body)
        .map_err(|error| Failure::new("server_answer", [("detail", Param::text(error.to_string()))]))?;
    let mut outcome = Outcome::default();
    for refused in answer["refused"].as_array().into_iter().flatten() {
        outcome = outcome.line(format!("  {refused}"));
    }
    let words = shell.say("已导入企业", "enterprises imported");
    outcome = outcome.line(format!("{words}  {}", answer["taken"]));
    outcome.json = answer;
    Ok(outcome)
}

fn publish_pack(shell: &Shell, office: &Office, folder: &Path) -> Result<Outcome, Failure> {
    let key = office.key(shell)?;
    let file = PackFile::sign(super::pack::build(folder)?, &key)
        .map_err(|error| Failure::new("pack_content", [("detail", Param::text(error.to_string()))]))?;
    let (_, caller) = office.call()?;
    caller.send("/v1/admin/packs", "application/cbor", file.encode(), Expect::Json)?;
    let hash = file.hash().to_string();
    Ok(Outcome::new(json!({ "hash": hash })).line(format!("{}  {hash}", shell.say("已发布规则包", "pack published"))))
}

fn devices(shell: &Shell, office: &Office) -> Result<Outcome, Failure> {
    let (_, caller) = office.call()?;
    let answer = caller.get("/v1/admin/devices")?;
    let mut outcome = Outcome::default();
    for one in answer["items"].as_array().into_iter().flatten() {
        let label = text(&one["contact"]["label"]);
        outcome = outcome.line(format!(
            "{}  {label}  {}",
            text(&one["device"]),
            health_words(shell, one)
        ));
    }
    if outcome.lines.is_empty() {
        outcome = outcome.line(shell.text("empty.devices", &[]));
    }
    outcome.json = answer;
    Ok(outcome)
}

/// Devices whose key signed two histories: copied, put back from a backup, or a key that got out.
fn forks(shell: &Shell, office: &Office, out: Option<&Path>) -> Result<Outcome, Failure> {
    let (_, caller) = office.call()?;
    let mut answer = caller.get("/v1/forks")?;
    if let Some(out) = out {
        files::empty_folder(out)?;
    }
    let mut outcome = Outcome::default();
    for (number, one) in answer["items"].as_array_mut().into_iter().flatten().enumerate() {
        let mut line = format!("{}  {}  {}", text(&one["device"]), text(&one["fork"]), one["seq"]);
        if let Some(out) = out {
            let proof = caller.fetch(text(&one["proof"]), Expect::Cbor)?.body;
            // Named here and not by the server: an answer chooses no path on this machine.
            let path = out.join(format!("fork-{}.cbor", number + 1));
            files::create(&path, &proof)?;
            line = format!("{line}  {}", path.display());
            one["file"] = path.display().to_string().into();
        }
        outcome = outcome.line(line);
    }
    if outcome.lines.is_empty() {
        outcome = outcome.line(shell.text("empty.forks", &[]));
    }
    outcome.json = answer;
    Ok(outcome)
}

/// What a device last told about itself, in words; its contact where it told nothing.
fn health_words(shell: &Shell, one: &Value) -> String {
    let health = &one["health"];
    let number = |value: &Value| value.as_u64();
    let mut words = Vec::new();
    if let (Some(count), Some(files)) = (
        number(&health["waiting"]["operations"]),
        number(&health["waiting"]["blobs"]),
    ) {
        let params = [("count", Param::Count(count)), ("files", Param::Count(files))];
        words.push(shell.text("device.waiting", &params));
    } else {
        words.push(shell.text("device.not_told", &[]));
    }
    if let Some(age) = number(&health["oldest_waiting_ms"]) {
        words.push(shell.text("device.oldest", &[("span", Param::Span(age))]));
    }
    if let Some(skew) = health["skew_ms"].as_i64() {
        words.push(shell.text("device.skew", &[("span", Param::Span(skew.unsigned_abs()))]));
    }
    if let Some(bytes) = number(&health["free_bytes"]) {
        words.push(shell.text("device.free", &[("size", Param::Bytes(bytes))]));
    }
    if let Some(percent) = number(&health["battery_percent"]) {
        words.push(shell.text("device.battery", &[("percent", Param::Count(percent))]));
    }
    words.extend(health["app"].as_str().map(str::to_owned));
    words.join(" · ")
}

/// Pairs that may be one enterprise, or one case, as the server finds them. It joins nothing: a supervisor decides.
fn duplicates(shell: &Shell, office: &Office) -> Result<Outcome, Failure> {
    let (_, caller) = office.call()?;
    let answer = caller.get("/v1/duplicates")?;
    let mut outcome = Outcome::default();
    let reason = |pair: &Value| text(&pair["reason"][shell.say("zh", "en")]).to_owned();
    for pair in answer["enterprises"].as_array().into_iter().flatten() {
        let (first, second) = (&pair["first"], &pair["second"]);
        outcome = outcome.line(format!(
            "{} {}  ≈  {} {}  {}",
            text(&first["enterprise"]),
            text(&first["name"]),
            text(&second["enterprise"]),
            text(&second["name"]),
            reason(pair)
        ));
    }
    for pair in answer["cases"].as_array().into_iter().flatten() {
        let (first, second) = (text(&pair["first"]), text(&pair["second"]));
        outcome = outcome.line(format!("{first}  ≈  {second}  {}", reason(pair)));
    }
    if outcome.lines.is_empty() {
        outcome = outcome.line(shell.text("similar.none", &[]));
    }
    outcome.json = answer;
    Ok(outcome)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

fn base64_url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
