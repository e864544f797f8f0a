//! `init`: one command makes a server.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use fieldseal_core::catalogue::Param;
use fieldseal_core::random::{OsRandom, array, uuid};
use fieldseal_proof::hash::sha256;
use fieldseal_proof::ids::{DeviceId, IncarnationId, from_hex};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::json;

use super::{Failure, Outcome, Report};
use crate::config::{Config, Layout, Limits};
use crate::keys::{ServerKeys, write_secret};
use crate::ledger::sqlite::SqliteLedger;
use crate::office::tokens::AdminToken;

#[derive(Args)]
pub(super) struct Init {
    /// A folder that does not exist yet or is empty.
    #[arg(long)]
    dir: PathBuf,
    /// Permanent name of the log: schema-less, ends in a generation, e.g. example.org/county/0.
    #[arg(long)]
    origin: String,
    #[arg(long, default_value = "127.0.0.1:8443")]
    listen: String,
    /// Shown on the status page.
    #[arg(long, default_value = "Fieldseal")]
    name: String,
    /// Address that tablets use, if it is not that of --listen.
    #[arg(long)]
    url: Option<String>,
    /// PEM certificate chain; made if not given.
    #[arg(long, requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// PEM private key.
    #[arg(long, requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// X25519 public key of the tenant's escrow holders, hex.
    #[arg(long)]
    escrow: Option<String>,
}

impl Init {
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn listen(&self) -> &str {
        &self.listen
    }

    pub(super) fn run(self) -> Outcome {
        let generation = self
            .origin
            .rsplit('/')
            .next()
            .is_some_and(|g| !g.is_empty() && g.bytes().all(|b| b.is_ascii_digit()));
        let schemaless = !self.origin.contains("://") && !self.origin.contains(['+', ' ']) && self.origin.is_ascii();
        if !generation || !schemaless {
            return Err(Failure::new("origin_form", [("origin", Param::text(&self.origin))]));
        }
        if std::fs::read_dir(&self.dir).is_ok_and(|mut entries| entries.next().is_some()) {
            let path = ("path", Param::text(self.dir.display().to_string()));
            return Err(Failure::new("folder_not_empty", [path]));
        }
        let escrow = match &self.escrow {
            Some(text) if from_hex(text).is_some_and(|bytes| bytes.len() == 32) => Some(text.clone()),
            Some(_) => return Err(Failure::new("escrow_form", [])),
            None => None,
        };
        self.make(escrow).map_err(Failure::of)
    }

    fn make(&self, escrow: Option<String>) -> Result<Report, Box<dyn std::error::Error>> {
        std::fs::create_dir_all(&self.dir)?;
        // Everything in it is the server's own: database and blobs name people.
        std::fs::set_permissions(&self.dir, std::fs::Permissions::from_mode(0o700))?;
        let layout = Layout::new(&self.dir.canonicalize()?);
        let (device, incarnation) = (
            DeviceId::from_bytes(uuid(&OsRandom)?),
            IncarnationId::from_bytes(uuid(&OsRandom)?),
        );
        ServerKeys::create(&layout.keys(), &OsRandom)?;
        let keys = ServerKeys::load(&layout.keys(), device, incarnation)?;
        let tls_sha256 = self.certificate(&layout)?;
        let config = Config {
            origin: self.origin.clone(),
            name: self.name.clone(),
            listen: self.listen.clone(),
            subject: device.to_string(),
            incarnation: incarnation.to_string(),
            fonts: Config::default_fonts(),
            limits: Limits::default(),
        };
        write_new(&layout.config(), toml::to_string(&config)?.as_bytes())?;
        let key = |purpose: &str, public: &[u8]| json!({ "purpose": purpose, "suite": 1, "public": hex::encode(public), "custody": "server" });
        let mut request_keys = vec![
            key("operation", &keys.operation.public()),
            key("log", &keys.log.public()),
            key("time", &keys.time.public()),
            key("bundle", &keys.bundle.public()),
        ];
        request_keys.extend(
            escrow.map(|public| json!({ "purpose": "escrow", "suite": 0, "public": public, "custody": "software" })),
        );
        let request = json!({ "kind": "server", "subject": device.to_string(), "incarnation": incarnation.to_string(), "origin": self.origin,
            "keys": request_keys });
        write_new(
            &self.dir.join("request.json"),
            serde_json::to_string_pretty(&request)?.as_bytes(),
        )?;
        let token = hex::encode(array::<32>(&OsRandom)?);
        let ledger = SqliteLedger::open(&layout.ledger())?;
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(AdminToken::store(&ledger, &token)))?;
        let log_vkey = keys.log_vkey(&self.origin)?;
        let url = self.url.clone().unwrap_or_else(|| format!("https://{}", self.listen));
        let card = json!({ "url": url, "tls_sha256": tls_sha256, "origin": self.origin, "log_vkey": log_vkey, "token": token });
        write_secret(
            &self.dir.join("card.json"),
            serde_json::to_string_pretty(&card)?.as_bytes(),
        )?;
        let fingerprint = keys.log.signer();
        let fingerprint = fieldseal_proof::suite::Signer::public(&*fingerprint).fingerprint();
        let lines = vec![
            format!("服务器已建立 server made: {}", self.dir.display()),
            format!("日志密钥指纹 log key: {fingerprint}"),
            format!("TLS 公钥 SHA-256 of the TLS key: {tls_sha256}"),
            "下一步 next: fieldseal root delegate --request request.json，然后 then: fieldseal-server adopt".to_owned(),
        ];
        Ok(Report::done(
            json!({ "dir": self.dir, "origin": self.origin, "subject": device.to_string(), "tls_sha256": tls_sha256, "log_vkey": log_vkey,
                "request": self.dir.join("request.json"), "card": self.dir.join("card.json") }),
            lines,
        ))
    }

    /// Takes the given certificate or makes a self-signed one; returns the SHA-256 of its public key, which devices are told:
    /// so a certificate that is renewed over the same key changes nothing for them.
    fn certificate(&self, layout: &Layout) -> Result<String, Box<dyn std::error::Error>> {
        let (certificate, key) = match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => (std::fs::read_to_string(certificate)?, std::fs::read_to_string(key)?),
            _ => {
                let host = self
                    .listen
                    .rsplit_once(':')
                    .map_or(self.listen.as_str(), |(host, _)| host)
                    .trim_matches(['[', ']']);
                let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
                if !host.is_empty() && !names.iter().any(|name| name == host) {
                    names.push(host.to_owned());
                }
                let made = rcgen::generate_simple_self_signed(names)?;
                (made.cert.pem(), made.signing_key.serialize_pem())
            }
        };
        write_new(&layout.certificate(), certificate.as_bytes())?;
        write_secret(&layout.certificate_key(), key.as_bytes())?;
        let first = CertificateDer::from_pem_slice(certificate.as_bytes())
            .map_err(|e| format!("the TLS certificate: {e:?}"))?;
        let parsed = rustls::server::ParsedCertificate::try_from(&first)?;
        Ok(hex::encode(sha256(&parsed.subject_public_key_info())))
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
