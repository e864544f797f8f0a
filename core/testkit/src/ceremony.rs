//! A tenant's key log, entry by entry.

use fieldseal_proof::body::Body;
use fieldseal_proof::ids::{IncarnationId, KeyId, TenantId};
use fieldseal_proof::key_log::{Entry, KeyLog, KeyLogFrame, KeyRecord, Purpose};
use fieldseal_proof::suite::{Ed25519Signer, Signer};

use crate::author::Author;
use crate::keys::{record, signer};

/// The root key at work. Every entry is checked as it is appended.
pub struct Ceremony {
    log: KeyLog,
    frames: Vec<Vec<u8>>,
    root: Ed25519Signer,
}

impl Ceremony {
    /// A tenant whose root key is [`signer`]`(root)`.
    pub fn new(tenant: TenantId, root: u8) -> Self {
        let mut ceremony = Self {
            log: KeyLog::new(tenant),
            frames: Vec::new(),
            root: signer(root),
        };
        let entry = ceremony.entry("root", vec![record(Purpose::Root, root)]);
        ceremony.append(entry);
        ceremony
    }

    /// An entry that the root key signs next, without anything that its action does not need.
    pub fn entry(&self, action: &str, keys: Vec<KeyRecord>) -> Entry {
        Entry {
            tenant: self.log.tenant(),
            index: self.log.size(),
            prev: self.log.head(),
            action: action.into(),
            subject: None,
            keys,
            role: None,
            incarnation: None,
            attrs_root: None,
            signer: self.root.public().key_id(),
            wall_ms: 0,
            target: None,
            name: None,
        }
    }

    /// Appends an entry signed by the root key; returns its frame.
    pub fn append(&mut self, entry: Entry) -> Vec<u8> {
        let frame = KeyLogFrame::sign(&entry, None, &self.root).unwrap();
        self.keep(frame)
    }

    /// Appends an entry that another key signs, such as an administrator's.
    pub fn append_signed_by(&mut self, entry: Entry, attributes: Option<Body>, signer: &dyn Signer) -> Vec<u8> {
        let entry = Entry {
            signer: signer.public().key_id(),
            ..entry
        };
        let frame = KeyLogFrame::sign(&entry, attributes, signer).unwrap();
        self.keep(frame)
    }

    /// Delegates to an administrator with the key [`signer`]`(key)`.
    pub fn admin(&mut self, subject: u8, key: u8) -> Vec<u8> {
        let entry = Entry {
            subject: Some([subject; 16]),
            ..self.entry("admin", vec![record(Purpose::Admin, key)])
        };
        self.append(entry)
    }

    /// Enrols a server; its keys are for operations, log, time and bundles. Id and incarnation are 16 times `subject`.
    pub fn server(&mut self, subject: u8, origin: &str, keys: [u8; 4]) -> Vec<u8> {
        let purposes = [Purpose::Operation, Purpose::Log, Purpose::Time, Purpose::Bundle];
        let keys = purposes.into_iter().zip(keys).map(|(purpose, n)| record(purpose, n));
        let entry = Entry {
            subject: Some([subject; 16]),
            incarnation: Some(IncarnationId::from_bytes([subject; 16])),
            name: Some(origin.into()),
            ..self.entry("server", keys.collect())
        };
        self.append(entry)
    }

    /// Enrols the device of an author, with the operation key and a cosigner key of its own.
    pub fn device(&mut self, author: &Author, role: &str) -> Vec<u8> {
        let entry = Entry {
            subject: Some(*author.device.as_bytes()),
            incarnation: Some(author.incarnation),
            role: Some(role.into()),
            ..self.entry("device", author.records())
        };
        self.append(entry)
    }

    /// Enrols an officer with attributes, such as name and certificate number.
    pub fn officer(&mut self, subject: u8, key: u8, role: &str, attributes: Body) -> Vec<u8> {
        let entry = Entry {
            subject: Some([subject; 16]),
            role: Some(role.into()),
            attrs_root: Some(attributes.root()),
            ..self.entry("officer", vec![record(Purpose::Officer, key)])
        };
        let frame = KeyLogFrame::sign(&entry, Some(attributes), &self.root).unwrap();
        self.keep(frame)
    }

    /// An entry that revokes a key; the caller says who signs it.
    pub fn revocation(&self, target: KeyId) -> Entry {
        Entry {
            target: Some(target),
            ..self.entry("revoke", Vec::new())
        }
    }

    /// The checked log.
    pub fn log(&self) -> &KeyLog {
        &self.log
    }

    /// Every frame, in order.
    pub fn frames(&self) -> &[Vec<u8>] {
        &self.frames
    }

    fn keep(&mut self, frame: KeyLogFrame) -> Vec<u8> {
        self.log.append(&frame).unwrap();
        let bytes = frame.encode();
        self.frames.push(bytes.clone());
        bytes
    }
}
