//! A ceremony, a server process, and devices that write operations.

use std::io::{BufRead, BufReader};
use std::ops::Deref;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use fieldseal_proof::body::Body;
use fieldseal_proof::cbor::{MapWriter, Value};
use fieldseal_proof::dsse::ENROLMENT;
use fieldseal_proof::encoding::base64;
use fieldseal_proof::ids::*;
use fieldseal_proof::key_log::{Custody, Entry, KeyLog, KeyRecord, Purpose};
use fieldseal_proof::operation::Operation;
use fieldseal_proof::suite::Signer;
pub use fieldseal_testkit::signer as ed;
use fieldseal_testkit::{Author, Ceremony, Draft};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value as Json, json};

pub const TENANT: TenantId = TenantId::from_bytes([1; 16]);
/// Number of the root key.
const ROOT: u8 = 1;
/// Number of the administrator's id and key.
const ADMIN: u8 = 2;

/// A tenant with its root and administrator, and one server folder.
pub struct World {
    pub folder: tempfile::TempDir,
    pub ceremony: Ceremony,
    pub card: Json,
    running: Option<Child>,
    pub client: Client,
    pub url: String,
}

impl Drop for World {
    fn drop(&mut self) {
        self.kill();
    }
}

impl World {
    /// Root, administrator, server; the server runs.
    pub fn new() -> Self {
        Self::with_tls(None)
    }

    /// The same with certificate and key files.
    pub fn with_tls(files: Option<(&str, &str)>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let client = Client::builder().danger_accept_invalid_certs(true).build().unwrap();
        let mut world = Self {
            folder,
            ceremony: Ceremony::new(TENANT, ROOT),
            card: Json::Null,
            running: None,
            client,
            url: String::new(),
        };
        let dir = world.dir();
        let mut words = vec![
            "init",
            "--dir",
            dir.to_str().unwrap(),
            "--origin",
            "fieldseal.test/county/0",
            "--listen",
            "127.0.0.1:0",
        ];
        if let Some((certificate, key)) = files {
            words.extend(["--tls-cert", certificate, "--tls-key", key]);
        }
        world.command(&words);
        let request: Json = serde_json::from_slice(&std::fs::read(dir.join("request.json")).unwrap()).unwrap();
        world.card = serde_json::from_slice(&std::fs::read(dir.join("card.json")).unwrap()).unwrap();
        world.ceremony.admin(ADMIN, ADMIN);
        let keys = request["keys"].as_array().unwrap().iter().map(|key| KeyRecord {
            purpose: Purpose::from_word(key["purpose"].as_str().unwrap()).unwrap(),
            suite: key["suite"].as_u64().unwrap(),
            public: hex::decode(key["public"].as_str().unwrap()).unwrap(),
            custody: Custody::Server,
        });
        let subject: DeviceId = request["subject"].as_str().unwrap().parse().unwrap();
        let server = Entry {
            subject: Some(*subject.as_bytes()),
            incarnation: Some(request["incarnation"].as_str().unwrap().parse().unwrap()),
            name: Some("fieldseal.test/county/0".into()),
            ..world.ceremony.entry("server", keys.collect())
        };
        world.ceremony.append(server);
        world.adopt();
        world.start();
        world
    }

    pub fn dir(&self) -> PathBuf {
        self.folder.path().join("server")
    }

    pub fn keys(&self) -> &KeyLog {
        self.ceremony.log()
    }

    /// The administrator approves everybody who asks, as `fieldseal admin approve --all` does.
    pub async fn approve_all(&mut self) {
        let admin = self.admin_token();
        let (_, asking) = self.json(self.ask(Method::GET, "/v1/admin/enrolments", &admin)).await;
        for one in asking["items"].as_array().unwrap().clone() {
            let key = |name: &str, purpose| KeyRecord {
                purpose,
                suite: one[name]["suite"].as_u64().unwrap_or(1),
                public: hex::decode(one[name]["public"].as_str().unwrap()).unwrap(),
                custody: Custody::from_word(one["custody"].as_str().unwrap_or("software")).unwrap(),
            };
            let id = |name: &str| one[name].as_str().unwrap().parse::<ItemId>().unwrap();
            let officer = one["kind"] == "officer";
            let attrs = officer.then(|| {
                Body::decode(&fieldseal_proof::encoding::from_base64(one["attrs"].as_str().unwrap()).unwrap()).unwrap()
            });
            let keys = match officer {
                true => vec![key("key", Purpose::Officer)],
                false => vec![key("operation", Purpose::Operation), key("cosigner", Purpose::Cosigner)],
            };
            let entry = Entry {
                subject: Some(*id(if officer { "officer" } else { "device" }).as_bytes()),
                role: Some(one["role"].as_str().unwrap().into()),
                incarnation: (!officer).then(|| IncarnationId::from_bytes(*id("incarnation").as_bytes())),
                attrs_root: attrs.as_ref().map(Body::root),
                ..self.ceremony.entry(one["kind"].as_str().unwrap(), keys)
            };
            let frame = self.ceremony.append_signed_by(entry, attrs, &ed(ADMIN));
            let post = self.ask(Method::POST, "/v1/admin/key-log", &admin).body(frame);
            let (status, answer) = self.json(post).await;
            assert_eq!(status, 200, "{answer}");
        }
    }

    /// The administrator's entry for a device that asked.
    pub fn enrolled(&mut self, n: u8, role: &str) -> Vec<u8> {
        let device = Device::new(n, role);
        let entry = Entry {
            subject: Some(*device.id.as_bytes()),
            incarnation: Some(device.incarnation),
            role: Some(role.into()),
            ..self.ceremony.entry("device", device.records())
        };
        self.ceremony.append_signed_by(entry, None, &ed(ADMIN))
    }

    /// Writes limits into `server.toml` and starts the server again with them.
    pub fn limit(&mut self, limits: &[(&str, u64)]) {
        self.stop();
        let path = self.dir().join("server.toml");
        let mut text = std::fs::read_to_string(&path).unwrap();
        for (name, value) in limits {
            let line = text
                .lines()
                .find(|line| line.starts_with(&format!("{name} = ")))
                .unwrap()
                .to_owned();
            text = text.replace(&line, &format!("{name} = {value}"));
        }
        std::fs::write(&path, text).unwrap();
        self.start();
    }

    /// Revokes a key; the administrator signs.
    pub fn revoke(&mut self, key: KeyId) -> Vec<u8> {
        let entry = self.ceremony.revocation(key);
        self.ceremony.append_signed_by(entry, None, &ed(ADMIN))
    }

    pub fn adopt(&self) {
        let file = self.folder.path().join("key-log.cbor-seq");
        std::fs::write(&file, self.ceremony.frames().concat()).unwrap();
        self.command(&[
            "adopt",
            "--dir",
            self.dir().to_str().unwrap(),
            "--key-log",
            file.to_str().unwrap(),
        ]);
    }

    /// Runs a command of the binary to its end; it must succeed.
    pub fn command(&self, arguments: &[&str]) -> Json {
        let (code, json) = self.attempt(arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {json}");
        json
    }

    pub fn attempt(&self, arguments: &[&str]) -> (Option<i32>, Json) {
        let done = Command::new(env!("CARGO_BIN_EXE_fieldseal-server"))
            .args(arguments)
            .arg("--json")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        (
            done.status.code(),
            serde_json::from_str(&text).unwrap_or(Json::String(text + &String::from_utf8_lossy(&done.stderr))),
        )
    }

    /// What every start of the server has logged.
    pub fn logged(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    pub fn start(&mut self) {
        self.start_with(Stdio::null(), &[]);
    }

    /// Starts it so that it ends with its standard input, the other end of which comes back.
    pub fn start_held(&mut self) -> ChildStdin {
        self.start_with(Stdio::piped(), &["--until-stdin-closes"]);
        self.running.as_mut().unwrap().stdin.take().unwrap()
    }

    fn start_with(&mut self, input: Stdio, more: &[&str]) {
        let mut log = std::fs::OpenOptions::new();
        let log = log.create(true).append(true).open(self.log_file()).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_fieldseal-server"))
            .args(["serve", "--listen", "127.0.0.1:0", "--dir"])
            .arg(self.dir())
            .args(more)
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        self.url = line
            .trim()
            .strip_prefix("listening on ")
            .expect("the server says where it listens")
            .to_owned();
        self.running = Some(child);
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.running.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM; the exit must be clean.
    pub fn stop(&mut self) {
        self.terminate();
        self.ended();
    }

    /// Waits for the end, which must be clean.
    pub fn ended(&mut self) {
        assert!(self.running.take().unwrap().wait().unwrap().success());
    }

    /// SIGTERM, and nothing more.
    pub fn terminate(&self) {
        let child = self.running.as_ref().unwrap();
        // The shell's own kill: a bare Debian has no program of that name.
        let sent = Command::new("sh")
            .args(["-c", "kill -TERM \"$1\"", "sh", &child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// The administrator's key, which also signs rule packs.
    pub fn admin_key(&self) -> impl Signer + use<> {
        ed(ADMIN)
    }

    pub fn admin_token(&self) -> String {
        self.card["token"].as_str().unwrap().to_owned()
    }

    pub fn ask(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(token)
    }

    pub async fn json(&self, request: RequestBuilder) -> (StatusCode, Json) {
        read(request.send().await.unwrap()).await
    }

    /// Enrols a device by an invitation, over the wire, and has the administrator approve it.
    pub async fn device(&mut self, n: u8, role: &str) -> Device {
        let admin = self.admin_token();
        let invite = self
            .ask(Method::POST, "/v1/admin/invitations", &admin)
            .json(&json!({ "kind": role, "label": format!("d{n}") }));
        let code = self.json(invite).await.1["code"].as_str().unwrap().to_owned();
        let mut device = Device::new(n, role);
        let body = device.enrolment(&code);
        let (status, answer) = self
            .json(self.client.post(format!("{}/v1/enrol", self.url)).json(&body))
            .await;
        assert_eq!(status, 200, "{answer}");
        let request = answer["request"].as_str().unwrap().to_owned();
        device.token = answer["token"].as_str().unwrap().to_owned();
        let (status, _) = self.json(self.ask(Method::GET, "/v1/feed", &device.token)).await;
        assert_eq!(status, 401, "a token opens nothing before the key log holds the device");
        let frame = self.enrolled(n, role);
        let (status, answer) = self
            .json(self.ask(Method::POST, "/v1/admin/key-log", &admin).body(frame))
            .await;
        assert_eq!(status, 200, "{answer}");
        let (_, state) = self
            .json(self.client.get(format!("{}/v1/enrol/{request}?code={code}", self.url)))
            .await;
        assert_eq!(state["state"], "approved");
        device
    }

    pub async fn push(&self, device: &Device, frames: &[Vec<u8>]) -> (StatusCode, Json) {
        let path = format!("/v1/log/{}/{}", device.id, device.incarnation);
        self.json(self.ask(Method::POST, &path, &device.token).body(frames.concat()))
            .await
    }

    /// Reads the feed until everything that was admitted has been judged and sent; returns the operations.
    pub async fn feed(&self, device: &Device, cursor: &mut String) -> Vec<(u64, Operation)> {
        let mut all = Vec::new();
        loop {
            let path = format!("/v1/feed?cursor={cursor}&wait=1&max_bytes=20000");
            let (status, page) = self.json(self.ask(Method::GET, &path, &device.token)).await;
            assert_eq!(status, 200, "{page}");
            *cursor = page["cursor"].as_str().unwrap().to_owned();
            let items = page["items"].as_array().unwrap();
            for item in items {
                let frame = fieldseal_proof::encoding::from_base64(item["frame"].as_str().unwrap()).unwrap();
                all.push((item["index"].as_u64().unwrap(), parse(&frame)));
            }
            if items.is_empty() && !page["more"].as_bool().unwrap() {
                return all;
            }
        }
    }

    /// Dispositions that a device sees, as (target, state, reason), in log order.
    pub async fn dispositions(&self, device: &Device) -> Vec<(OpId, String, String)> {
        let operations = self.feed(device, &mut String::new()).await;
        let of = |operation: &Operation| {
            let body = operation.body()?;
            let target = OpId::from_bytes(body.get("disposition/target")?.as_bytes()?.try_into().ok()?);
            Some((
                target,
                body.get("disposition/state")?.as_text()?.to_owned(),
                body.get("disposition/reason")?.as_text()?.to_owned(),
            ))
        };
        operations
            .iter()
            .filter(|(_, o)| o.header().kind == "disposition")
            .filter_map(|(_, o)| of(o))
            .collect()
    }

    /// Stops the server and has everything reread.
    pub fn fsck(&mut self) {
        self.stop();
        let report = self.command(&["fsck", "--dir", self.dir().to_str().unwrap()]);
        assert_eq!(report["findings"], json!([]));
    }
}

fn parse(frame: &[u8]) -> Operation {
    Operation::parse(frame).unwrap_or_else(|_| {
        let value = fieldseal_proof::cbor::decode(frame).unwrap();
        let map = fieldseal_proof::cbor::MapReader::new(&value, "frame").unwrap();
        let bare = MapWriter::default()
            .put(0, map.get(0).unwrap().clone())
            .put(1, map.get(1).unwrap().clone())
            .encode();
        Operation::parse(&bare).unwrap()
    })
}

pub async fn read(response: Response) -> (StatusCode, Json) {
    assert!(response.headers().contains_key("fieldseal-epoch"));
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        let media = response.headers()["content-type"].to_str().unwrap().to_owned();
        assert_eq!(media, "application/problem+json");
    }
    (status, response.json().await.unwrap_or(Json::Null))
}

/// A device with its token.
#[derive(Clone)]
pub struct Device {
    pub id: DeviceId,
    pub role: String,
    pub token: String,
    pub author: Author,
}

impl Deref for Device {
    type Target = Author;

    fn deref(&self) -> &Author {
        &self.author
    }
}

impl Device {
    pub fn new(n: u8, role: &str) -> Self {
        let author = Author::new(TENANT, n);
        Self {
            id: author.device,
            role: role.into(),
            token: String::new(),
            author,
        }
    }

    pub fn enrolment(&self, code: &str) -> Json {
        let statement = MapWriter::default()
            .put(0, Value::Uint(0))
            .put(1, Value::bytes(TENANT.as_bytes()))
            .put(2, Value::bytes(self.id.as_bytes()))
            .put(3, Value::bytes(self.incarnation.as_bytes()))
            .put(4, Value::bytes(self.key().public().as_bytes()))
            .put(5, Value::bytes(ed(self.cosigner).public().as_bytes()))
            .put(6, Value::text(code))
            .encode();
        let proof = base64(&self.key().sign(ENROLMENT, &statement).unwrap());
        json!({ "kind": "device", "code": code, "device": self.id.to_string(), "incarnation": self.incarnation.to_string(), "role": self.role,
            "label": "x", "operation": { "suite": 1, "public": hex::encode(self.key().public().as_bytes()) },
            "cosigner": { "public": hex::encode(ed(self.cosigner).public().as_bytes()) }, "proof": proof })
    }

    /// Seals the next operation.
    pub fn write(&mut self, kind: &str, case: Option<CaseId>, fields: Vec<(String, Value)>) -> Operation {
        self.write_in(kind, case, None, fields)
    }

    pub fn write_in(
        &mut self,
        kind: &str,
        case: Option<CaseId>,
        inspection: Option<InspectionId>,
        fields: Vec<(String, Value)>,
    ) -> Operation {
        self.author.seal(Draft {
            kind: kind.into(),
            case,
            inspection,
            fields,
            at_ms: 1_700_000_000_000 + self.seq,
            ..Draft::default()
        })
    }

    pub fn open(&mut self) -> Vec<u8> {
        self.write(
            "device.open",
            None,
            vec![("device/label".into(), Value::text("tablet"))],
        )
        .frame()
    }

    pub fn note(&mut self, text: &str) -> Vec<u8> {
        self.write("note.record", None, vec![("note/a/text".into(), Value::text(text))])
            .frame()
    }
}

pub fn case(n: u8) -> CaseId {
    CaseId::from_bytes([n; 16])
}
