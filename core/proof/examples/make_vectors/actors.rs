//! Who takes part in the vectors: fixed keys and ids, and devices that write one operation after the other.

use std::collections::BTreeMap;

use fieldseal_proof::body::Body;
use fieldseal_proof::cbor::Value;
use fieldseal_proof::hash::sha256;
use fieldseal_proof::ids::{
    Anchor, BodyRoot, BootId, CaseId, DeviceId, IncarnationId, InspectionId, Link, OpId, TenantId,
};
use fieldseal_proof::operation::{ClockClaim, Header, Operation, RequiredSigner, link_origin};
use fieldseal_proof::suite::{Ed25519Signer, P256Signer, Signer};

use super::Result;

/// 2026-06-01 08:00:00 UTC in milliseconds: when the story of the vectors begins.
pub const MORNING: u64 = 1_780_300_800_000;
/// The log's name.
pub const ORIGIN: &str = "example.org/county/0";

/// 32 fixed bytes that stand for random ones.
pub fn seed(label: &str) -> [u8; 32] {
    sha256(format!("fieldseal vectors: {label}").as_bytes())
}

/// A fixed UUID of version 4.
pub fn id(label: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&seed(label)[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bytes
}

/// A fixed Ed25519 key.
pub fn ed25519(label: &str) -> Result<Ed25519Signer> {
    Ok(Ed25519Signer::from_seed(&seed(label))?)
}

/// A fixed P-256 key.
pub fn p256(label: &str) -> Result<P256Signer> {
    Ok(P256Signer::from_scalar(&seed(label))?)
}

pub fn tenant() -> TenantId {
    TenantId::from_bytes(id("tenant"))
}

pub fn case() -> CaseId {
    CaseId::from_bytes(id("case"))
}

pub fn inspection() -> InspectionId {
    InspectionId::from_bytes(id("inspection"))
}

/// A header with every required field; `seal` sets suite and root.
pub fn header(device: DeviceId, incarnation: IncarnationId, kind: &str) -> Header {
    Header {
        suite: fieldseal_proof::suite::Suite::Ed25519,
        tenant: tenant(),
        device,
        incarnation,
        seq: 0,
        prev: link_origin(&tenant(), &device),
        kind: kind.to_owned(),
        schema: 0,
        case: None,
        inspection: None,
        counter: 0,
        session: None,
        hlc_ms: MORNING,
        hlc_counter: 0,
        clock: ClockClaim { wall_ms: MORNING, boot: BootId::from_bytes(id("boot")), monotonic_ms: 1000 },
        supersedes: Vec::new(),
        anchor: None,
        pack: None,
        app: "0.1.0".to_owned(),
        body_root: BodyRoot::from_bytes([0; 32]),
        signers: Vec::new(),
        unknown: Vec::new(),
    }
}

/// The header of the vectors about headers: an inspection's finding by the first tablet.
pub fn sample_header() -> Header {
    let device = DeviceId::from_bytes(id("tablet one"));
    let incarnation = IncarnationId::from_bytes(id("tablet one, first life"));
    Header { case: Some(case()), inspection: Some(inspection()), ..header(device, incarnation, "finding.record") }
}

/// The body that goes with it.
pub fn sample_body() -> Result<Body> {
    let fields = [
        ("finding/8b1c/grade", Value::text("major")),
        ("finding/8b1c/text", Value::text("疏散通道堵塞")),
        ("finding/8b1c/clause", Value::Array(vec![Value::Uint(28), Value::Bool(true), Value::int(-1)])),
    ];
    Ok(Body::build(seed("body"), fields.map(|(p, v)| (p.to_owned(), v)).into())?)
}

/// Which stream a new operation goes to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Device,
    Case,
    Inspection,
}

/// A device that writes its chain.
pub struct Author {
    pub device: DeviceId,
    pub incarnation: IncarnationId,
    pub signer: Box<dyn Signer>,
    pub seq: u64,
    pub link: Link,
    pub anchor: Option<Anchor>,
    pub supersedes: Vec<OpId>,
    /// Required signers of the next operation.
    pub signers: Vec<RequiredSigner>,
    counters: BTreeMap<Place, u64>,
    clock: u64,
}

impl Author {
    /// A device before its first operation; its ids follow from the label.
    pub fn new(label: &str, signer: Box<dyn Signer>) -> Self {
        let device = DeviceId::from_bytes(id(label));
        Self {
            device,
            incarnation: IncarnationId::from_bytes(id(&format!("{label}, first life"))),
            signer,
            seq: 0,
            link: link_origin(&tenant(), &device),
            anchor: None,
            supersedes: Vec::new(),
            signers: Vec::new(),
            counters: BTreeMap::new(),
            clock: MORNING,
        }
    }

    /// The same device after its store was restored: another incarnation and key, the chain goes on.
    pub fn reborn(self, label: &str, signer: Box<dyn Signer>) -> Self {
        Self { incarnation: IncarnationId::from_bytes(id(label)), signer, seq: 0, counters: BTreeMap::new(), ..self }
    }

    /// The counter that the next operation in this place will have.
    pub fn next_counter(&self, place: Place) -> u64 {
        self.counters.get(&place).copied().unwrap_or(0)
    }

    /// The header of the next operation; nothing is written yet.
    pub fn next(&self, place: Place, kind: &str) -> Header {
        Header {
            seq: self.seq,
            prev: self.link,
            case: (place != Place::Device).then(case),
            inspection: (place == Place::Inspection).then(inspection),
            counter: self.next_counter(place),
            hlc_ms: self.clock,
            clock: ClockClaim {
                wall_ms: self.clock,
                boot: BootId::from_bytes(id("boot")),
                monotonic_ms: self.clock - MORNING + 1000,
            },
            anchor: self.anchor,
            supersedes: self.supersedes.clone(),
            signers: self.signers.clone(),
            ..header(self.device, self.incarnation, kind)
        }
    }

    /// Signs the next operation without going on, e.g. to sign another one in its place.
    pub fn sign(&self, header: Header, fields: Vec<(String, Value)>) -> Result<Operation> {
        let body = Body::build(seed(&format!("body of {} {}", header.device, header.seq)), fields)?;
        Ok(Operation::seal(header, body, &*self.signer)?)
    }

    /// Writes the next operation.
    pub fn write(&mut self, place: Place, kind: &str, fields: Vec<(String, Value)>) -> Result<Operation> {
        let operation = self.sign(self.next(place, kind), fields)?;
        self.took(place, &operation);
        Ok(operation)
    }

    /// Goes on after an operation.
    pub fn took(&mut self, place: Place, operation: &Operation) {
        self.seq += 1;
        self.link = operation.link();
        self.supersedes.clear();
        self.signers.clear();
        self.clock += 60_000;
        *self.counters.entry(place).or_default() += 1;
    }
}

/// Named fields of a body.
pub fn fields<const N: usize>(list: [(&str, Value); N]) -> Vec<(String, Value)> {
    list.map(|(path, value)| (path.to_owned(), value)).into()
}
