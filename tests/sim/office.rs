//! The administrator: whom the key log names.

use fieldseal_core::device::FieldDevice;
use fieldseal_proof::ids::{IncarnationId, KeyId};
use fieldseal_proof::key_log::{Entry, KeyLog, KeyLogFrame, KeyRecord, Purpose};
use fieldseal_proof::suite::Signer;
use fieldseal_testkit::{Ceremony, signer};

use crate::network::Call;
use crate::server::Host;

/// Number of the administrator's key.
pub const ADMIN: u8 = 16;
/// The bearer token of the administrator's card.
pub const TOKEN: &str = "00000000000000000000000000000000000000000000000000000000000000ad";

/// The key log as the administrator has it; the server may have lost some of it.
#[derive(Clone)]
pub struct Office {
    log: KeyLog,
    frames: Vec<Vec<u8>>,
}

impl Office {
    pub fn of(ceremony: &Ceremony) -> Self {
        Self {
            log: ceremony.log().clone(),
            frames: ceremony.frames().to_vec(),
        }
    }

    /// Names the present key of a device.
    pub fn approve(&mut self, device: &FieldDevice) {
        let asked = device.enrolment().expect("a device can ask");
        // Named already; the device has not read it yet.
        if self
            .log
            .operation_key(&asked.identity.device, &asked.identity.incarnation)
            .is_some()
        {
            return;
        }
        let keys = vec![
            KeyRecord::new(Purpose::Operation, &asked.operation, asked.custody),
            KeyRecord::new(Purpose::Cosigner, &asked.cosigner, asked.custody),
        ];
        let entry = Entry {
            subject: Some(*asked.identity.device.as_bytes()),
            incarnation: Some(asked.identity.incarnation),
            role: Some(asked.identity.role.as_str().to_owned()),
            ..self.entry("device", keys)
        };
        self.append(entry);
    }

    /// Revokes the operation keys of every life of a device that is named.
    pub fn revoke(&mut self, device: &FieldDevice, lives: &[IncarnationId]) {
        let id = device.identity().device;
        let keys = lives.iter().filter_map(|life| self.log.operation_key(&id, life));
        let targets: Vec<KeyId> = keys.map(|key| key.record.id()).collect();
        for target in targets {
            let entry = Entry {
                target: Some(target),
                ..self.entry("revoke", Vec::new())
            };
            self.append(entry);
        }
    }

    /// Posts the whole key log; what the server holds already it passes over.
    pub fn post(&self, host: &mut Host) {
        let call = Call::post("/v1/admin/key-log", TOKEN, "application/cbor-seq", self.frames.concat());
        let answer = host.ask(&call, None, None).expect("nobody kills the server here");
        assert!(
            answer.status == 200,
            "the key log is refused: {}",
            String::from_utf8_lossy(&answer.body)
        );
    }

    fn entry(&self, action: &str, keys: Vec<KeyRecord>) -> Entry {
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
            signer: signer(ADMIN).public().key_id(),
            wall_ms: 0,
            target: None,
            name: None,
        }
    }

    fn append(&mut self, entry: Entry) {
        let frame = KeyLogFrame::sign(&entry, None, &signer(ADMIN)).expect("the administrator signs");
        self.log.append(&frame).expect("the administrator keeps the rules");
        self.frames.push(frame.encode());
    }
}
