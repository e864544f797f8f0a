//! One agency with its keys, and a device that writes operations.

use fieldseal_proof::body::Body;
use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{BodyRoot, BootId, DeviceId, IncarnationId, KeyLogHead, Link, TenantId};
use fieldseal_proof::key_log::{Custody, Entry, KeyLog, KeyLogFrame, KeyRecord, Purpose};
use fieldseal_proof::note::VerifierKey;
use fieldseal_proof::operation::{ClockClaim, Header, Operation, link_origin};
use fieldseal_proof::suite::{Ed25519Signer, Signer, Suite};

pub const ORIGIN: &str = "example.org/county/0";

/// All keys of the agency, from fixed seeds.
pub struct Agency {
    pub tenant: TenantId,
    pub ingest: Ed25519Signer,
    pub log: Ed25519Signer,
    pub time: Ed25519Signer,
    pub tablet: Author,
    pub other: Author,
    /// Key log frames.
    pub key_log: Vec<Vec<u8>>,
}

/// A device that writes operations.
pub struct Author {
    pub device: DeviceId,
    pub incarnation: IncarnationId,
    key: Ed25519Signer,
    tenant: TenantId,
    pub seq: u64,
    pub link: Link,
}

pub fn signer(seed: u8) -> Ed25519Signer {
    Ed25519Signer::from_seed(&[seed; 32]).unwrap()
}

impl Agency {
    pub fn new() -> Self {
        let tenant = TenantId::from_bytes([1; 16]);
        let mut agency = Self {
            tenant,
            ingest: signer(11),
            log: signer(12),
            time: signer(13),
            tablet: Author::new(tenant, 21),
            other: Author::new(tenant, 31),
            key_log: Vec::new(),
        };
        let root = signer(10);
        let record = |purpose, key: &Ed25519Signer| KeyRecord::new(purpose, key.public(), Custody::Software);
        let mut log = KeyLog::new(tenant);
        let mut add = |entry: Entry, frames: &mut Vec<Vec<u8>>| {
            let entry = Entry {
                index: log.size(),
                prev: log.head(),
                ..entry
            };
            let frame = KeyLogFrame::sign(&entry, None, &root).unwrap();
            log.append(&frame).unwrap();
            frames.push(frame.encode());
        };
        let blank = |action: &str, keys| Entry {
            tenant,
            index: 0,
            prev: KeyLogHead::from_bytes([0; 32]),
            action: action.into(),
            subject: None,
            keys,
            role: None,
            incarnation: None,
            attrs_root: None,
            signer: root.public().key_id(),
            wall_ms: 0,
            target: None,
            name: None,
        };
        let mut frames = Vec::new();
        add(blank("root", vec![record(Purpose::Root, &root)]), &mut frames);
        let keys = vec![
            record(Purpose::Operation, &agency.ingest),
            record(Purpose::Log, &agency.log),
            record(Purpose::Time, &agency.time),
            record(Purpose::Bundle, &signer(14)),
        ];
        let server = Entry {
            subject: Some([2; 16]),
            incarnation: Some(IncarnationId::from_bytes([2; 16])),
            name: Some(ORIGIN.into()),
            ..blank("server", keys)
        };
        add(server, &mut frames);
        for author in [&agency.tablet, &agency.other] {
            let seed = author.device.as_bytes()[0];
            let keys = vec![
                record(Purpose::Operation, &author.key),
                record(Purpose::Cosigner, &signer(seed + 1)),
            ];
            let entry = Entry {
                subject: Some(*author.device.as_bytes()),
                incarnation: Some(author.incarnation),
                role: Some("tablet".into()),
                ..blank("device", keys)
            };
            add(entry, &mut frames);
        }
        agency.key_log = frames;
        agency
    }

    pub fn log_key(&self) -> VerifierKey {
        VerifierKey::ed25519(ORIGIN, self.log.public().clone()).unwrap()
    }
}

impl Author {
    fn new(tenant: TenantId, seed: u8) -> Self {
        let device = DeviceId::from_bytes([seed; 16]);
        Self {
            device,
            incarnation: IncarnationId::from_bytes([seed + 2; 16]),
            key: signer(seed),
            tenant,
            seq: 0,
            link: link_origin(&tenant, &device),
        }
    }

    /// The next operation; `size` bytes of text make it heavy.
    pub fn write(&mut self, size: usize) -> Operation {
        let text = Value::text("x".repeat(size));
        let body = Body::build([self.seq as u8; 32], vec![("note/a/text".into(), text)]).unwrap();
        let header = Header {
            suite: Suite::Ed25519,
            tenant: self.tenant,
            device: self.device,
            incarnation: self.incarnation,
            seq: self.seq,
            prev: self.link,
            kind: "note.record".into(),
            schema: 0,
            case: None,
            inspection: None,
            counter: self.seq,
            session: None,
            hlc_ms: self.seq,
            hlc_counter: 0,
            clock: ClockClaim {
                wall_ms: 0,
                boot: BootId::from_bytes([9; 16]),
                monotonic_ms: 0,
            },
            supersedes: Vec::new(),
            anchor: None,
            pack: None,
            app: "test".into(),
            body_root: BodyRoot::from_bytes([0; 32]),
            signers: Vec::new(),
            unknown: Vec::new(),
        };
        let operation = Operation::seal(header, body, &self.key).unwrap();
        self.seq += 1;
        self.link = operation.link();
        operation
    }
}
