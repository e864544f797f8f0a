//! A device that writes operations in a row.

use std::collections::BTreeMap;
use std::sync::Arc;

use fieldseal_proof::body::Body;
use fieldseal_proof::cbor::Value;
use fieldseal_proof::hash::sha256;
use fieldseal_proof::ids::{
    Anchor, BodyRoot, BootId, CaseId, DeviceId, IncarnationId, InspectionId, Link, OpId, PackHash, TenantId,
};
use fieldseal_proof::key_log::{Custody, KeyRecord, Purpose};
use fieldseal_proof::operation::{ClockClaim, Header, Operation, RequiredSigner, link_origin};
use fieldseal_proof::suite::{Signer, Suite};

use crate::keys::{record, signer};

/// Keeps a device's chain: sequence, link and the counters of its streams.
#[derive(Clone)]
pub struct Author {
    /// Agency.
    pub tenant: TenantId,
    /// Device.
    pub device: DeviceId,
    /// Incarnation.
    pub incarnation: IncarnationId,
    /// Sequence of the next operation.
    pub seq: u64,
    /// Link before the next operation.
    pub prev: Link,
    counters: BTreeMap<[u8; 16], u64>,
    key: Arc<dyn Signer + Send + Sync>,
    /// Number of the cosigner key.
    pub cosigner: u8,
}

/// An operation that is about to be written. What is not said is empty; the clock stands at `at_ms`.
#[derive(Clone, Default)]
pub struct Draft {
    /// Kind.
    pub kind: String,
    /// Case.
    pub case: Option<CaseId>,
    /// Inspection.
    pub inspection: Option<InspectionId>,
    /// Body.
    pub fields: Vec<(String, Value)>,
    /// Ids in any order, repeated or not.
    pub supersedes: Vec<OpId>,
    /// Time attestation.
    pub anchor: Option<Anchor>,
    /// Hybrid clock and wall clock.
    pub at_ms: u64,
    /// Rule pack.
    pub pack: Option<PackHash>,
    /// Required signers, in the order of their encoded bytes.
    pub signers: Vec<RequiredSigner>,
}

/// A field of text.
pub fn text(path: &str, value: &str) -> (String, Value) {
    (path.to_owned(), Value::text(value))
}

impl Author {
    /// Device and incarnation 16 times `n`, operation key [`signer`]`(n)`, cosigner key [`signer`]`(n + 100)`.
    pub fn new(tenant: TenantId, n: u8) -> Self {
        Self::with_key(tenant, n, signer(n))
    }

    /// The same with an operation key of another kind.
    pub fn with_key(tenant: TenantId, n: u8, key: impl Signer + Send + Sync + 'static) -> Self {
        let device = DeviceId::from_bytes([n; 16]);
        Self {
            tenant,
            device,
            incarnation: IncarnationId::from_bytes([n; 16]),
            seq: 0,
            prev: link_origin(&tenant, &device),
            counters: BTreeMap::new(),
            key: Arc::new(key),
            cosigner: n.wrapping_add(100),
        }
    }

    /// The same key as the device and incarnation 16 times `n`, such as a server whose id is not its key's number.
    pub fn named(self, n: u8) -> Self {
        let device = DeviceId::from_bytes([n; 16]);
        Self {
            device,
            incarnation: IncarnationId::from_bytes([n; 16]),
            prev: link_origin(&self.tenant, &device),
            ..self
        }
    }

    /// The operation key.
    pub fn key(&self) -> &dyn Signer {
        &*self.key
    }

    /// The two records that enrol this device.
    pub fn records(&self) -> Vec<KeyRecord> {
        vec![
            KeyRecord::new(Purpose::Operation, self.key.public(), Custody::Software),
            record(Purpose::Cosigner, self.cosigner),
        ]
    }

    /// The next operation, of the device's own stream.
    pub fn write(&mut self, kind: &str, fields: Vec<(String, Value)>) -> Operation {
        self.seal(Draft {
            kind: kind.into(),
            fields,
            ..Draft::default()
        })
    }

    /// The next operation.
    pub fn seal(&mut self, draft: Draft) -> Operation {
        let mut supersedes = draft.supersedes;
        supersedes.sort_unstable();
        supersedes.dedup();
        let mut header = Header {
            suite: Suite::Ed25519,
            tenant: self.tenant,
            device: self.device,
            incarnation: self.incarnation,
            seq: self.seq,
            prev: self.prev,
            kind: draft.kind,
            schema: 0,
            case: draft.case,
            inspection: draft.inspection,
            counter: 0,
            session: None,
            hlc_ms: draft.at_ms,
            hlc_counter: 0,
            clock: ClockClaim {
                wall_ms: draft.at_ms,
                boot: BootId::from_bytes([9; 16]),
                monotonic_ms: self.seq,
            },
            supersedes,
            anchor: draft.anchor,
            pack: draft.pack,
            app: "test".into(),
            body_root: BodyRoot::from_bytes([0; 32]),
            signers: draft.signers,
            unknown: Vec::new(),
        };
        let counter = self.counters.entry(header.stream().id()).or_default();
        header.counter = *counter;
        *counter += 1;
        let salt = [
            &self.device.as_bytes()[..],
            &self.seq.to_be_bytes(),
            header.kind.as_bytes(),
        ];
        let body = Body::build(sha256(&salt.concat()), draft.fields).unwrap();
        let operation = Operation::seal(header, body, self.key()).unwrap();
        self.seq += 1;
        self.prev = operation.link();
        operation
    }
}
