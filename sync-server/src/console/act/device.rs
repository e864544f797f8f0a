//! The console's own device: an enrolled device like a tablet, whose keys the server holds. It writes what supervisors do; what
//! makes it theirs is the signature of their own key beside it.

use std::path::Path;

use fieldseal_core::random::{Random, array, uuid};
use fieldseal_proof::body::Body;
use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{Anchor, BodyRoot, CaseId, DeviceId, IncarnationId, InspectionId, Link, OpId, PackHash};
use fieldseal_proof::operation::{ClockClaim, Header, Operation, link_origin};
use fieldseal_proof::suite::{Ed25519Signer, PublicKey, Signer, Suite};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::config::Layout;
use crate::keys::write_secret;
use crate::ledger::{ChainKey, LedgerError};
use crate::server::Server;

/// Shown as the author of what the console writes.
pub const LABEL: &str = "console";
const FILE: &str = "console.json";

/// Which device the console is. Its keys lie beside it, one file each, like the server's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub device: String,
    pub incarnation: String,
    /// The server's epoch when it was made. After a restore the server may not know what it signed before: then the console
    /// needs a new incarnation, or it would sign a second operation with a number that it used.
    pub epoch: String,
}

/// The console's keys in memory.
pub struct ConsoleDevice {
    pub chain: ChainKey,
    operation: Ed25519Signer,
    cosigner: PublicKey,
}

/// Why the console cannot write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotReady {
    /// `fieldseal-server console-device` was never run.
    NotMade,
    /// Made, and not in the key log yet, or revoked there.
    NotEnrolled,
    /// The server was restored from a backup since.
    Restored,
}

impl NotReady {
    /// Code of the sentence.
    pub fn word(self) -> &'static str {
        match self {
            Self::NotMade => "console.device.not_made",
            Self::NotEnrolled => "console.device.not_enrolled",
            Self::Restored => "console.device.restored",
        }
    }
}

impl ConsoleDevice {
    /// Makes keys for a new device, or a new incarnation of the one that is there.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn create(layout: &Layout, epoch: &str, random: &dyn Random) -> std::io::Result<Self> {
        let fresh = || uuid(random).map_err(std::io::Error::other);
        let earlier = read_identity(layout)?;
        let device = match earlier {
            Some(identity) => identity.device,
            None => DeviceId::from_bytes(fresh()?).to_string(),
        };
        for name in ["console", "console-cosigner"] {
            let seed: Zeroizing<[u8; 32]> = Zeroizing::new(array(random).map_err(std::io::Error::other)?);
            replace(
                &layout.keys().join(format!("{name}.key")),
                hex::encode(*seed).as_bytes(),
            )?;
        }
        let identity = Identity {
            device,
            incarnation: IncarnationId::from_bytes(fresh()?).to_string(),
            epoch: epoch.to_owned(),
        };
        let text = serde_json::to_vec_pretty(&identity).map_err(std::io::Error::other)?;
        replace(&layout.keys().join(FILE), &text)?;
        Self::load(layout)?
            .map(|(device, _)| device)
            .ok_or_else(|| std::io::Error::other("the keys were not written"))
    }

    /// Reads it; `None` when it was never made.
    ///
    /// # Errors
    /// A file that is damaged, by name.
    pub fn load(layout: &Layout) -> std::io::Result<Option<(Self, Identity)>> {
        let Some(identity) = read_identity(layout)? else {
            return Ok(None);
        };
        let bad = |what: &str| std::io::Error::other(format!("keys/{FILE}: {what}"));
        let key = |name: &str| -> std::io::Result<Ed25519Signer> {
            let path = layout.keys().join(format!("{name}.key"));
            let text = Zeroizing::new(std::fs::read_to_string(&path)?);
            let mut seed = Zeroizing::new([0; 32]);
            hex::decode_to_slice(text.trim(), &mut *seed).map_err(|_| bad("a key is not 64 hex digits"))?;
            Ed25519Signer::from_seed(&seed).map_err(std::io::Error::other)
        };
        let chain = ChainKey {
            device: identity.device.parse().map_err(|_| bad("device"))?,
            incarnation: identity.incarnation.parse().map_err(|_| bad("incarnation"))?,
        };
        let device = Self {
            chain,
            operation: key("console")?,
            cosigner: key("console-cosigner")?.public().clone(),
        };
        Ok(Some((device, identity)))
    }

    /// The device, if it may write now.
    ///
    /// # Errors
    /// A damaged file. The inner error says what is missing.
    pub fn ready(server: &Server) -> Result<Result<Self, NotReady>, LedgerError> {
        let loaded = Self::load(&server.layout).map_err(|e| LedgerError::Corrupt(e.to_string()))?;
        let Some((device, identity)) = loaded else {
            return Ok(Err(NotReady::NotMade));
        };
        if identity.epoch != hex::encode(server.epoch.as_bytes()) {
            return Ok(Err(NotReady::Restored));
        }
        let key_log = server.ingest.key_log();
        let enrolled = key_log
            .log
            .operation_key(&device.chain.device, &device.chain.incarnation);
        let stands = enrolled
            .is_some_and(|key| key.revoked_at.is_none() && key.record.public == device.operation_key().as_bytes());
        Ok(if stands { Ok(device) } else { Err(NotReady::NotEnrolled) })
    }

    pub fn operation_key(&self) -> &PublicKey {
        self.operation.public()
    }

    pub fn cosigner_key(&self) -> &PublicKey {
        &self.cosigner
    }

    /// Where the next operation goes.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn next(&self, server: &Server) -> Result<Next, LedgerError> {
        let chain = server.ingest.chain(self.chain).await?;
        let streams = server.ledger.streams(self.chain).await?;
        let origin = link_origin(&server.ingest.tenant(), &self.chain.device);
        let (seq, prev) = chain.main().map_or((0, origin), |main| (main.last_seq + 1, main.link));
        Ok(Next {
            seq,
            prev,
            counters: streams
                .into_iter()
                .map(|head| (head.stream, head.counter + 1))
                .collect(),
        })
    }

    /// Seals an operation at a place and moves the place on.
    ///
    /// # Errors
    /// A field that no operation can carry.
    pub fn seal(
        &self,
        server: &Server,
        next: &mut Next,
        hlc: (u64, u16),
        draft: Draft,
    ) -> Result<Operation, LedgerError> {
        let failed = |e: String| LedgerError::Broken(format!("the operation could not be made: {e}"));
        let now = server.clock.now();
        let seed = array(&*server.random).map_err(|e| failed(e.to_string()))?;
        let body = Body::build(seed, draft.fields).map_err(|e| failed(e.to_string()))?;
        let mut header = Header {
            suite: Suite::Ed25519,
            tenant: server.ingest.tenant(),
            device: self.chain.device,
            incarnation: self.chain.incarnation,
            seq: next.seq,
            prev: next.prev,
            kind: draft.kind.to_owned(),
            schema: 0,
            case: draft.case,
            inspection: draft.inspection,
            counter: 0,
            session: None,
            hlc_ms: hlc.0,
            hlc_counter: hlc.1,
            clock: ClockClaim {
                wall_ms: now.wall_ms,
                boot: now.boot,
                monotonic_ms: now.monotonic_ms,
            },
            supersedes: draft.supersedes,
            anchor: draft.anchor,
            pack: draft.pack,
            app: concat!("fieldseal-console/", env!("CARGO_PKG_VERSION")).to_owned(),
            body_root: BodyRoot::from_bytes([0; 32]),
            signers: Vec::new(),
            unknown: Vec::new(),
        };
        header.supersedes.sort_unstable();
        header.supersedes.dedup();
        let counter = next.counters.entry(header.stream().id()).or_insert(0);
        header.counter = *counter;
        *counter += 1;
        let operation = Operation::seal(header, body, &self.operation).map_err(|e| failed(e.to_string()))?;
        next.seq += 1;
        next.prev = operation.link();
        Ok(operation)
    }
}

/// The next place of the console's chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    pub seq: u64,
    pub prev: Link,
    counters: std::collections::HashMap<[u8; 16], u64>,
}

/// What an operation will say; place, clock and signature are added.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    pub kind: &'static str,
    pub case: Option<CaseId>,
    pub inspection: Option<InspectionId>,
    pub supersedes: Vec<OpId>,
    pub fields: Vec<(String, Value)>,
    pub anchor: Option<Anchor>,
    pub pack: Option<PackHash>,
}

impl Draft {
    /// The first operation of an incarnation (merge.md, `device.open`).
    pub fn opening() -> Self {
        Self {
            kind: "device.open",
            fields: vec![
                ("device/label".into(), Value::text(LABEL)),
                (
                    "device/app".into(),
                    Value::text(concat!("fieldseal-console/", env!("CARGO_PKG_VERSION"))),
                ),
            ],
            ..Self::default()
        }
    }
}

fn read_identity(layout: &Layout) -> std::io::Result<Option<Identity>> {
    match std::fs::read(layout.keys().join(FILE)) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|e| std::io::Error::other(format!("keys/{FILE}: {e}"))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// A secret file that replaces the one before it, whole or not at all.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let temporary = path.with_extension("new");
    match std::fs::remove_file(&temporary) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    write_secret(&temporary, bytes)?;
    std::fs::rename(&temporary, path)?;
    match path.parent() {
        Some(folder) => std::fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
