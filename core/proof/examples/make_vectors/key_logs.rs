//! Key logs: `key-log.md`.

use fieldseal_proof::body::Body;
use fieldseal_proof::cbor::{self, Value};
use fieldseal_proof::ids::{IncarnationId, KeyId, TenantId};
use fieldseal_proof::key_log::{Custody, Entry, KeyLog, KeyLogFrame, KeyRecord, Purpose, head_leaf};
use fieldseal_proof::suite::{PublicKey, Signer};
use serde_json::json;

use super::actors::{MORNING, ORIGIN, ed25519, id, p256, seed, tenant};
use super::{Result, Vector, forgery, hex};

const PAGE: &str = "key-log.md";

/// A key log that is written entry by entry; it checks nothing, so that it can also be wrong.
#[derive(Clone)]
pub struct Ledger {
    frames: Vec<Vec<u8>>,
    head: fieldseal_proof::ids::KeyLogHead,
}

impl Ledger {
    pub fn new() -> Self {
        Self { frames: Vec::new(), head: KeyLog::new(tenant()).head() }
    }

    /// The next entry without keys or subject.
    pub fn entry(&self, action: &str, signer: &PublicKey) -> Entry {
        Entry {
            tenant: tenant(),
            index: self.frames.len() as u64,
            prev: self.head,
            action: action.to_owned(),
            subject: None,
            keys: Vec::new(),
            role: None,
            incarnation: None,
            attrs_root: None,
            signer: signer.key_id(),
            wall_ms: MORNING - 3_600_000,
            target: None,
            name: None,
        }
    }

    pub fn add(&mut self, entry: &Entry, signer: &dyn Signer) -> Result<()> {
        self.add_with(entry, None, signer)
    }

    pub fn add_with(&mut self, entry: &Entry, attrs: Option<Body>, signer: &dyn Signer) -> Result<()> {
        let frame = KeyLogFrame::sign(entry, attrs, signer)?;
        let items: [&[u8]; 3] = [self.head.as_bytes(), &frame.entry, &frame.signature];
        self.head =
            fieldseal_proof::ids::KeyLogHead::from_bytes(fieldseal_proof::hash::h("fieldseal/v0/key-log", &items));
        self.frames.push(frame.encode());
        Ok(())
    }

    /// Adds entry bytes that no [`Entry`] encodes to.
    fn add_raw(&mut self, entry: &[u8], signer: &dyn Signer) -> Result<()> {
        let signature = signer.sign(fieldseal_proof::dsse::KEY_LOG_ENTRY, entry)?;
        let frame = [(0, Value::bytes(entry)), (1, Value::bytes(signature))];
        self.frames.push(cbor::encode(&Value::Map(frame.to_vec())));
        let items: [&[u8]; 3] = [self.head.as_bytes(), entry, &signature];
        self.head =
            fieldseal_proof::ids::KeyLogHead::from_bytes(fieldseal_proof::hash::h("fieldseal/v0/key-log", &items));
        Ok(())
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.frames.concat()
    }

    pub fn size(&self) -> u64 {
        self.frames.len() as u64
    }

    /// The log without its last entries.
    pub fn first(&self, size: usize) -> Vec<u8> {
        self.frames[..size].concat()
    }
}

pub fn record(purpose: Purpose, key: &PublicKey) -> KeyRecord {
    KeyRecord::new(purpose, key, Custody::Software)
}

/// Root, administrator, server, a tablet with software keys, one with hardware keys, two officers.
pub fn ceremony() -> Result<Ledger> {
    let (root, admin) = (ed25519("root")?, ed25519("admin")?);
    let mut log = Ledger::new();
    log.add(&Entry { keys: vec![record(Purpose::Root, root.public())], ..log.entry("root", root.public()) }, &root)?;
    log.add(
        &Entry {
            subject: Some(id("admin")),
            keys: vec![record(Purpose::Admin, admin.public())],
            ..log.entry("admin", root.public())
        },
        &root,
    )?;
    let server = |purpose, label: &str| -> Result<KeyRecord> {
        Ok(KeyRecord::new(purpose, ed25519(label)?.public(), Custody::Server))
    };
    log.add(
        &Entry {
            subject: Some(id("server")),
            incarnation: Some(IncarnationId::from_bytes(id("server, first life"))),
            keys: vec![
                server(Purpose::Operation, "server")?,
                server(Purpose::Log, "log")?,
                server(Purpose::Time, "time")?,
                server(Purpose::Bundle, "bundle")?,
            ],
            name: Some(ORIGIN.to_owned()),
            ..log.entry("server", root.public())
        },
        &root,
    )?;
    for (label, key) in
        [("tablet one", ed25519("tablet one")?.public().clone()), ("tablet two", p256("tablet two")?.public().clone())]
    {
        log.add(&device(&log, label, &key, admin.public())?, &admin)?;
    }
    for (label, name, key) in [
        ("officer one", "王安", ed25519("officer one")?.public().clone()),
        ("officer two", "李检", p256("officer two")?.public().clone()),
    ] {
        let attrs = attributes(label, name)?;
        let entry = officer(&log, label, &key, &attrs, admin.public());
        log.add_with(&entry, Some(attrs), &admin)?;
    }
    Ok(log)
}

pub fn device(log: &Ledger, label: &str, key: &PublicKey, signer: &PublicKey) -> Result<Entry> {
    let cosigner = ed25519(&format!("{label}, cosigner"))?;
    Ok(Entry {
        subject: Some(id(label)),
        incarnation: Some(IncarnationId::from_bytes(id(&format!("{label}, first life")))),
        role: Some("tablet".to_owned()),
        keys: vec![record(Purpose::Operation, key), record(Purpose::Cosigner, cosigner.public())],
        ..log.entry("device", signer)
    })
}

/// The bytes of an entry with other keys than records.
fn with_keys(entry: &Entry, keys: Value) -> Result<Vec<u8>> {
    let mut map = cbor::decode(&entry.encode())?.as_map().ok_or("an entry is a map")?.to_vec();
    map.retain(|(key, _)| *key != 6);
    map.push((6, keys));
    map.sort_by_key(|(key, _)| *key);
    Ok(cbor::encode(&Value::Map(map)))
}

fn attributes(label: &str, name: &str) -> Result<Body> {
    let fields = [("name", name), ("certificate", "AQ-0001")].map(|(p, v)| (p.to_owned(), Value::text(v)));
    Ok(Body::build(seed(&format!("attributes of {label}")), fields.into())?)
}

fn officer(log: &Ledger, label: &str, key: &PublicKey, attrs: &Body, signer: &PublicKey) -> Entry {
    Entry {
        subject: Some(id(label)),
        role: Some("officer".to_owned()),
        keys: vec![record(Purpose::Officer, key)],
        attrs_root: Some(attrs.root()),
        ..log.entry("officer", signer)
    }
}

/// A key log that holds.
pub fn good(name: &str, what: &str, bytes: &[u8]) -> Result<Vector> {
    let log = KeyLog::read(bytes)?;
    let keys = log.keys().map(|(key, k)| {
        json!({
            "key_id": key.to_string(),
            "purpose": k.record.purpose.as_str(),
            "subject": k.subject.map(|s| TenantId::from_bytes(s).to_string()),
            "enrolled_at": k.enrolled_at,
            "revoked_at": k.revoked_at,
        })
    });
    Ok(Vector::valid("key-log", name, PAGE, what)
        .with("sequence", hex(bytes))
        .gives("tenant", log.tenant().to_string())
        .gives("size", log.size())
        .gives("head", log.head().to_string())
        .gives("leaf", head_leaf(log.size(), &log.head()).to_string())
        .gives("keys", keys.collect::<Vec<_>>()))
}

/// The ceremony and one more entry.
pub fn plus(entry: impl FnOnce(&Ledger) -> Result<Entry>, attrs: Option<Body>, signer: &dyn Signer) -> Result<Vec<u8>> {
    let mut log = ceremony()?;
    let entry = entry(&log)?;
    log.add_with(&entry, attrs, signer)?;
    Ok(log.bytes())
}

pub fn vectors() -> Result<Vec<Vector>> {
    let (root, admin) = (ed25519("root")?, ed25519("admin")?);
    let third = ed25519("tablet three")?;
    let ceremony_bytes = ceremony()?.bytes();
    let bad = |name, what, bytes: Vec<u8>, reason| {
        Vector::invalid("key-log", name, PAGE, what, reason).with("sequence", hex(bytes))
    };
    let revoke =
        |log: &Ledger, target: KeyId, signer: &PublicKey| Entry { target: Some(target), ..log.entry("revoke", signer) };
    let tablet = ed25519("tablet one")?.public().key_id();
    let device_with = |change: fn(&mut Entry)| -> Result<Vec<u8>> {
        let key = third.public().clone();
        plus(
            |log| {
                let mut entry = device(log, "tablet three", &key, admin.public())?;
                change(&mut entry);
                Ok(entry)
            },
            None,
            &admin,
        )
    };
    let officer_three = attributes("officer three", "赵法")?;
    let with_attrs = |attrs: Option<Body>| {
        let key = ed25519("officer three")?.public().clone();
        plus(|log| Ok(officer(log, "officer three", &key, &officer_three, admin.public())), attrs, &admin)
    };
    let mut out = vec![
        good("root-alone", "The first entry: the root key, signed by itself.", &ceremony()?.first(1))?,
        good("ceremony", "Root, administrator, server, two tablets and two officers.", &ceremony_bytes)?,
        good(
            "revocation",
            "The administrator revokes a tablet's key; the log goes on.",
            &plus(|log| Ok(revoke(log, tablet, admin.public())), None, &admin)?,
        )?,
        good(
            "unknown-action",
            "An action of a later version by an allowed signer is kept and has no effect.",
            &plus(
                |log| Ok(Entry { subject: Some(id("somebody")), ..log.entry("later.action", admin.public()) }),
                None,
                &admin,
            )?,
        )?,
        good(
            "attributes-shown",
            "An officer with name and certificate number.",
            &with_attrs(Some(officer_three.clone()))?,
        )?,
        good(
            "attributes-partly-withheld",
            "The same entry with the certificate number withheld: the same head.",
            &with_attrs(Some(officer_three.withhold(&["certificate"])))?,
        )?,
        good("attributes-withheld", "The same entry without its attributes: the same head.", &with_attrs(None)?)?,
        good("unknown-action-with-unknown-purpose", "The keys of an unknown action are not looked at.", &{
            let mut log = ceremony()?;
            let mut entry = log.entry("later.action", admin.public());
            let keys = Value::Array(vec![Value::Array(vec![Value::text("later"), Value::Uint(9)])]);
            entry.subject = Some(id("somebody"));
            log.add_raw(&with_keys(&entry, keys)?, &admin)?;
            log.bytes()
        })?,
        bad(
            "incarnation-enrolled-twice",
            "A second operation key for the same incarnation of a device.",
            device_with(|e| {
                e.subject = Some(id("tablet one"));
                e.incarnation = Some(IncarnationId::from_bytes(id("tablet one, first life")));
            })?,
            "life-twice",
        ),
        bad(
            "device-takes-the-servers-id",
            "An administrator enrols a tablet under the id of the server's ingest device: it could write rolls.",
            device_with(|e| e.subject = Some(id("server")))?,
            "subject-taken",
        ),
        bad(
            "cosigner-in-suite-2",
            "A cosigner key that is not Ed25519.",
            {
                let key = p256("tablet three, cosigner")?.public().clone();
                plus(
                    |log| {
                        let mut entry = device(log, "tablet three", third.public(), admin.public())?;
                        entry.keys[1] = record(Purpose::Cosigner, &key);
                        Ok(entry)
                    },
                    None,
                    &admin,
                )?
            },
            "key-log-fields",
        ),
        bad(
            "unknown-frame-key",
            "A field beside entry, signature and attributes, which nothing signs.",
            {
                let mut log = ceremony()?;
                let last = log.frames.pop().ok_or("the ceremony has entries")?;
                let mut map = cbor::decode(&last)?.as_map().ok_or("a frame is a map")?.to_vec();
                map.push((3, Value::Uint(0)));
                log.frames.push(cbor::encode(&Value::Map(map)));
                log.bytes()
            },
            "frame-key",
        ),
        bad("empty", "No entry.", Vec::new(), "key-log-empty"),
        bad(
            "attributes-changed",
            "Other attributes than the entry commits to.",
            with_attrs(Some(attributes("officer three", "王安")?))?,
            "attributes",
        ),
        bad(
            "index-skipped",
            "An entry with the index after the next.",
            device_with(|e| e.index += 1)?,
            "key-log-index",
        ),
        bad("index-again", "An entry with an index that was used.", device_with(|e| e.index -= 1)?, "key-log-index"),
        bad(
            "wrong-prev",
            "An entry that continues another head.",
            device_with(|e| e.prev = fieldseal_proof::ids::KeyLogHead::from_bytes([7; 32]))?,
            "key-log-prev",
        ),
        bad(
            "other-tenant",
            "An entry of another tenant.",
            device_with(|e| e.tenant = TenantId::from_bytes([7; 16]))?,
            "key-log-tenant",
        ),
        bad(
            "key-enrolled-twice",
            "A key that another device has already.",
            {
                let key = ed25519("tablet one")?.public().clone();
                plus(|log| device(log, "tablet three", &key, admin.public()), None, &admin)?
            },
            "key-twice",
        ),
        bad(
            "key-enrolled-for-two-purposes",
            "An officer's key as a device's operation key.",
            {
                let key = ed25519("officer one")?.public().clone();
                plus(|log| device(log, "tablet three", &key, admin.public()), None, &admin)?
            },
            "key-twice",
        ),
        bad(
            "cosigner-is-operation-key",
            "A device whose two keys are one.",
            device_with(|e| e.keys[1].public = e.keys[0].public.clone())?,
            "key-twice",
        ),
        bad(
            "weak-key",
            "An operation key of order one.",
            device_with(|e| e.keys[0].public = forgery::NEUTRAL.to_vec())?,
            "weak-key",
        ),
        bad(
            "malformed-key",
            "An operation key that is too short.",
            device_with(|e| e.keys[0].public.truncate(31))?,
            "malformed-key",
        ),
        bad(
            "cosigner-missing",
            "A device without a cosigner key.",
            device_with(|e| e.keys.truncate(1))?,
            "key-log-fields",
        ),
        bad(
            "incarnation-missing",
            "A device without an incarnation.",
            device_with(|e| e.incarnation = None)?,
            "key-log-fields",
        ),
        bad(
            "role-unknown",
            "A device that is neither tablet nor supervisor.",
            device_with(|e| e.role = Some("printer".to_owned()))?,
            "key-log-fields",
        ),
        bad(
            "signature-of-another",
            "The root's entry under the administrator's signature.",
            plus(|log| device(log, "tablet three", third.public(), root.public()), None, &admin)?,
            "mismatch",
        ),
        bad(
            "signer-unknown",
            "An entry by a key that is not enrolled.",
            plus(|log| device(log, "tablet three", third.public(), third.public()), None, &third)?,
            "signer-unknown",
        ),
        bad(
            "signer-is-a-device",
            "An entry by a tablet's key.",
            {
                let key = ed25519("tablet one")?;
                plus(|log| device(log, "tablet three", third.public(), key.public()), None, &key)?
            },
            "signer-not-allowed",
        ),
        bad(
            "signer-is-the-log-key",
            "An entry by the log key.",
            {
                let key = ed25519("log")?;
                plus(|log| device(log, "tablet three", third.public(), key.public()), None, &key)?
            },
            "signer-not-allowed",
        ),
        bad(
            "admin-enrols-admin",
            "An administrator makes another one.",
            {
                plus(
                    |log| {
                        Ok(Entry {
                            subject: Some(id("admin two")),
                            keys: vec![record(Purpose::Admin, third.public())],
                            ..log.entry("admin", admin.public())
                        })
                    },
                    None,
                    &admin,
                )?
            },
            "admin-not-allowed",
        ),
        bad(
            "admin-enrols-server",
            "An administrator enrols a server.",
            {
                plus(
                    |log| Ok(Entry { subject: Some(id("server two")), ..log.entry("server", admin.public()) }),
                    None,
                    &admin,
                )?
            },
            "admin-not-allowed",
        ),
        bad(
            "second-root",
            "A second root entry, signed by the root.",
            {
                plus(
                    |log| {
                        Ok(Entry {
                            keys: vec![record(Purpose::Root, third.public())],
                            ..log.entry("root", root.public())
                        })
                    },
                    None,
                    &root,
                )?
            },
            "second-root",
        ),
        bad(
            "revoked-signer",
            "An entry by an administrator after its key was revoked.",
            {
                let mut log = ceremony()?;
                log.add(&revoke(&log, admin.public().key_id(), root.public()), &root)?;
                log.add(&device(&log, "tablet three", third.public(), admin.public())?, &admin)?;
                log.bytes()
            },
            "signer-revoked",
        ),
        bad(
            "root-not-by-itself",
            "A first entry signed by another key than the one it holds.",
            {
                let mut log = Ledger::new();
                log.add(
                    &Entry { keys: vec![record(Purpose::Root, root.public())], ..log.entry("root", admin.public()) },
                    &admin,
                )?;
                log.bytes()
            },
            "root-entry",
        ),
        bad(
            "first-entry-no-root",
            "A first entry that is no root entry.",
            {
                let mut log = Ledger::new();
                log.add(
                    &Entry {
                        subject: Some(id("admin")),
                        keys: vec![record(Purpose::Admin, admin.public())],
                        ..log.entry("admin", admin.public())
                    },
                    &admin,
                )?;
                log.bytes()
            },
            "root-entry",
        ),
        bad(
            "revoke-without-target",
            "A revocation of nothing.",
            plus(|log| Ok(log.entry("revoke", admin.public())), None, &admin)?,
            "key-log-fields",
        ),
        bad(
            "revoke-of-nobody",
            "A revocation of a key that was never enrolled.",
            plus(|log| Ok(revoke(log, third.public().key_id(), admin.public())), None, &admin)?,
            "revoke-target",
        ),
        bad(
            "revoke-twice",
            "A revocation of a key that was revoked before.",
            {
                let mut log = ceremony()?;
                log.add(&revoke(&log, tablet, admin.public()), &admin)?;
                log.add(&revoke(&log, tablet, admin.public()), &admin)?;
                log.bytes()
            },
            "revoke-target",
        ),
        bad(
            "admin-revokes-root",
            "An administrator revokes the root key.",
            plus(|log| Ok(revoke(log, root.public().key_id(), admin.public())), None, &admin)?,
            "admin-not-allowed",
        ),
        bad(
            "revoke-with-keys",
            "A revocation that carries a key of purpose admin.",
            plus(
                |log| {
                    Ok(Entry {
                        keys: vec![record(Purpose::Admin, third.public())],
                        ..revoke(log, tablet, admin.public())
                    })
                },
                None,
                &admin,
            )?,
            "key-log-fields",
        ),
        bad("unknown-purpose", "A device with a key of unknown purpose.", unknown_purpose()?, "key-record"),
        bad("cut-off", "The last frame ends early.", ceremony_bytes[..ceremony_bytes.len() - 1].to_vec(), "cut-off"),
        bad(
            "cross-protocol",
            "An entry signed as an operation.",
            {
                let log = ceremony()?;
                let entry = device(&log, "tablet three", third.public(), admin.public())?.encode();
                let signature = admin.sign(fieldseal_proof::dsse::OPERATION, &entry)?;
                let frame = Value::Map(vec![(0, Value::bytes(entry)), (1, Value::bytes(signature))]);
                [log.bytes(), cbor::encode(&frame)].concat()
            },
            "mismatch",
        ),
    ];
    out.push(good("escrow", "A server with an escrow key (X25519, suite 0).", &{
        let mut log = Ledger::new();
        log.add(
            &Entry { keys: vec![record(Purpose::Root, root.public())], ..log.entry("root", root.public()) },
            &root,
        )?;
        let full = ceremony()?;
        let server = KeyLogFrame::decode(&full.frames[2])?;
        let escrow = KeyRecord {
            purpose: Purpose::Escrow,
            suite: 0,
            public: seed("escrow").to_vec(),
            custody: Custody::Hardware,
        };
        let mut keys = Vec::new();
        for purpose in [
            (Purpose::Operation, "server"),
            (Purpose::Log, "log"),
            (Purpose::Time, "time"),
            (Purpose::Bundle, "bundle"),
        ] {
            keys.push(KeyRecord::new(purpose.0, ed25519(purpose.1)?.public(), Custody::Server));
        }
        keys.push(escrow);
        debug_assert!(server.attrs.is_none());
        let entry = Entry {
            subject: Some(id("server")),
            incarnation: Some(IncarnationId::from_bytes(id("server, first life"))),
            keys,
            name: Some(ORIGIN.to_owned()),
            ..log.entry("server", root.public())
        };
        log.add(&entry, &root)?;
        log.bytes()
    })?);
    Ok(out)
}

/// A device entry in which a purpose is replaced before it is signed.
fn unknown_purpose() -> Result<Vec<u8>> {
    let (log, admin) = (ceremony()?, ed25519("admin")?);
    let entry = device(&log, "tablet three", ed25519("tablet three")?.public(), admin.public())?;
    let Value::Map(mut fields) = cbor::decode(&entry.encode())? else {
        return Err("an entry is a map".into());
    };
    for (_, value) in fields.iter_mut().filter(|(key, _)| *key == 6) {
        if let Value::Array(records) = value
            && let Some(Value::Array(parts)) = records.first_mut()
        {
            parts[0] = Value::text("oracle");
        }
    }
    let bytes = cbor::encode(&Value::Map(fields));
    let signature = admin.sign(fieldseal_proof::dsse::KEY_LOG_ENTRY, &bytes)?;
    let frame = Value::Map(vec![(0, Value::bytes(bytes)), (1, Value::bytes(signature))]);
    Ok([log.bytes(), cbor::encode(&frame)].concat())
}
