//! The operation: header, envelope, identity and device chain (`formats/operation.md`).

use crate::body::{Body, BodyError};
use crate::cbor::{self, CborError, FieldError, MapReader, MapWriter, Value};
use crate::dsse;
use crate::hash::h;
use crate::ids::{
    Anchor, BodyRoot, BootId, CaseId, Commitment, DeviceId, IncarnationId, InspectionId, Link, OfficerId, OpId,
    PackHash, SessionId, TenantId,
};
use crate::suite::{PublicKey, SignError, SignatureError, Signer, Suite};

/// Longest header in bytes.
pub const MAX_HEADER: usize = 16 * 1024;
/// Longest frame in bytes.
pub const MAX_FRAME: usize = crate::body::MAX_BODY + 32 * 1024;
/// Most ids in `supersedes`.
pub const MAX_SUPERSEDES: usize = 256;
/// Most required signers in a header.
pub const MAX_SIGNERS: usize = 16;

/// Somebody who must attest before the operation counts as signed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RequiredSigner {
    /// Any officer enrolled with this role.
    Role(String),
    /// This officer.
    Officer(OfficerId),
}

/// What a device claims about time; never more than a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockClaim {
    /// Milliseconds since 1970 by the device's clock.
    pub wall_ms: u64,
    /// Which start of the device.
    pub boot: BootId,
    /// Milliseconds since that start.
    pub monotonic_ms: u64,
}

/// The signed part of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Suite of the device's operation key.
    pub suite: Suite,
    /// Agency.
    pub tenant: TenantId,
    /// Author device.
    pub device: DeviceId,
    /// Life of the device's store.
    pub incarnation: IncarnationId,
    /// From 0 in each incarnation, without gap.
    pub seq: u64,
    /// Device link before this operation.
    pub prev: Link,
    /// What it is, e.g. `finding.record`.
    pub kind: String,
    /// Version of the kind's fields.
    pub schema: u64,
    /// Case file, if any.
    pub case: Option<CaseId>,
    /// Inspection, if any; only with a case.
    pub inspection: Option<InspectionId>,
    /// From 0 per (device, incarnation, stream).
    pub counter: u64,
    /// Officer session that was unlocked.
    pub session: Option<SessionId>,
    /// Hybrid logical clock, milliseconds.
    pub hlc_ms: u64,
    /// Hybrid logical clock, counter.
    pub hlc_counter: u16,
    /// The device's clocks.
    pub clock: ClockClaim,
    /// Heads of the written paths that the author saw, ascending.
    pub supersedes: Vec<OpId>,
    /// Newest verified time attestation.
    pub anchor: Option<Anchor>,
    /// Rule pack in force for it.
    pub pack: Option<PackHash>,
    /// Application version.
    pub app: String,
    /// Root of the body.
    pub body_root: BodyRoot,
    /// Signers required beyond the least set of the kind, ascending by encoding.
    pub signers: Vec<RequiredSigner>,
    /// Keys above 23 of a later version: covered by the signature, kept.
    pub unknown: Vec<(u64, Value)>,
}

/// What an operation belongs to: its inspection, else its case, else its device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Of an inspection.
    Inspection(InspectionId),
    /// Of a case.
    Case(CaseId),
    /// Of the device.
    Device(DeviceId),
}

impl Stream {
    /// The stream id of the formats.
    pub fn id(&self) -> [u8; 16] {
        match self {
            Stream::Inspection(id) => *id.as_bytes(),
            Stream::Case(id) => *id.as_bytes(),
            Stream::Device(id) => *id.as_bytes(),
        }
    }
}

/// Bytes that are not an operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperationError {
    /// Over a limit.
    #[error("operation: {0} is over the limit")]
    TooLarge(&'static str),
    /// Not deterministic CBOR.
    #[error("operation: {0}")]
    Cbor(#[from] CborError),
    /// A field is missing or of another type.
    #[error("operation: {0}")]
    Field(#[from] FieldError),
    /// A rule of the page is broken.
    #[error("operation: {0}")]
    Rule(&'static str),
    /// A suite that cannot be checked.
    #[error("operation: {0}")]
    Suite(SignatureError),
    /// The body is malformed.
    #[error("operation: {0}")]
    Body(#[from] BodyError),
    /// The body is not the one the header commits to.
    #[error("operation: the body does not match body_root")]
    BodyRoot,
}

impl Header {
    /// The bytes that are signed.
    pub fn encode(&self) -> Vec<u8> {
        let opt_bytes = |b: Option<&[u8]>| b.map(Value::bytes);
        let signer = |s: &RequiredSigner| match s {
            RequiredSigner::Role(role) => Value::text(role),
            RequiredSigner::Officer(id) => Value::bytes(id.as_bytes()),
        };
        let list = |items: Vec<Value>| (!items.is_empty()).then_some(Value::Array(items));
        let mut writer = MapWriter::default()
            .put(0, Value::Uint(0))
            .put(1, Value::Uint(self.suite.number()))
            .put(2, Value::bytes(self.tenant.as_bytes()))
            .put(3, Value::bytes(self.device.as_bytes()))
            .put(4, Value::bytes(self.incarnation.as_bytes()))
            .put(5, Value::Uint(self.seq))
            .put(6, Value::bytes(self.prev.as_bytes()))
            .put(7, Value::text(&self.kind))
            .put(8, Value::Uint(self.schema))
            .put_opt(9, opt_bytes(self.case.as_ref().map(|c| &c.as_bytes()[..])))
            .put_opt(10, opt_bytes(self.inspection.as_ref().map(|c| &c.as_bytes()[..])))
            .put(11, Value::Uint(self.counter))
            .put_opt(12, opt_bytes(self.session.as_ref().map(|c| &c.as_bytes()[..])))
            .put(13, Value::Uint(self.hlc_ms))
            .put(14, Value::Uint(self.hlc_counter as u64))
            .put(15, Value::Uint(self.clock.wall_ms))
            .put(16, Value::bytes(self.clock.boot.as_bytes()))
            .put(17, Value::Uint(self.clock.monotonic_ms))
            .put_opt(18, list(self.supersedes.iter().map(|id| Value::bytes(id.as_bytes())).collect()))
            .put_opt(19, opt_bytes(self.anchor.as_ref().map(|c| &c.as_bytes()[..])))
            .put_opt(20, opt_bytes(self.pack.as_ref().map(|c| &c.as_bytes()[..])))
            .put(21, Value::text(&self.app))
            .put(22, Value::bytes(self.body_root.as_bytes()))
            .put_opt(23, list(self.signers.iter().map(signer).collect()));
        for (key, value) in &self.unknown {
            writer = writer.put(*key, value.clone());
        }
        writer.encode()
    }

    /// Reads header bytes; every rule that needs no other operation is checked.
    pub fn decode(bytes: &[u8]) -> Result<Self, OperationError> {
        if bytes.len() > MAX_HEADER {
            return Err(OperationError::TooLarge("the header"));
        }
        let decoded = cbor::decode(bytes)?;
        let map = MapReader::new(&decoded, "header")?;
        if map.uint(0)? != 0 {
            return Err(OperationError::Rule("the format version is not 0"));
        }
        let header = Self {
            suite: Suite::from_number(map.uint(1)?).map_err(OperationError::Suite)?,
            tenant: TenantId::from_bytes(map.fixed(2)?),
            device: DeviceId::from_bytes(map.fixed(3)?),
            incarnation: IncarnationId::from_bytes(map.fixed(4)?),
            seq: map.uint(5)?,
            prev: Link::from_bytes(map.fixed(6)?),
            kind: map.text(7)?.to_owned(),
            schema: map.uint(8)?,
            case: map.opt_fixed(9)?.map(CaseId::from_bytes),
            inspection: map.opt_fixed(10)?.map(InspectionId::from_bytes),
            counter: map.uint(11)?,
            session: map.opt_fixed(12)?.map(SessionId::from_bytes),
            hlc_ms: map.uint(13)?,
            hlc_counter: u16::try_from(map.uint(14)?)
                .map_err(|_| OperationError::Rule("hlc_counter is above 65535"))?,
            clock: ClockClaim {
                wall_ms: map.uint(15)?,
                boot: BootId::from_bytes(map.fixed(16)?),
                monotonic_ms: map.uint(17)?,
            },
            supersedes: supersedes(map.opt_array(18)?)?,
            anchor: map.opt_fixed(19)?.map(Anchor::from_bytes),
            pack: map.opt_fixed(20)?.map(PackHash::from_bytes),
            app: map.text(21)?.to_owned(),
            body_root: BodyRoot::from_bytes(map.fixed(22)?),
            signers: signers(map.opt_array(23)?)?,
            unknown: map.beyond(23),
        };
        header.check()?;
        Ok(header)
    }

    fn check(&self) -> Result<(), OperationError> {
        let kind_char = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '_';
        if self.kind.is_empty() || self.kind.len() > 64 || !self.kind.chars().all(kind_char) {
            return Err(OperationError::Rule("the kind is not 1 to 64 of a-z 0-9 . _"));
        }
        if self.inspection.is_some() && self.case.is_none() {
            return Err(OperationError::Rule("an inspection without a case"));
        }
        if self.app.len() > 64 {
            return Err(OperationError::TooLarge("the application version"));
        }
        Ok(())
    }

    /// The stream the counter runs in.
    pub fn stream(&self) -> Stream {
        match (self.inspection, self.case) {
            (Some(inspection), _) => Stream::Inspection(inspection),
            (None, Some(case)) => Stream::Case(case),
            (None, None) => Stream::Device(self.device),
        }
    }
}

fn supersedes(array: Option<&[Value]>) -> Result<Vec<OpId>, OperationError> {
    let Some(items) = array else { return Ok(Vec::new()) };
    if items.is_empty() || items.len() > MAX_SUPERSEDES {
        return Err(OperationError::Rule("supersedes is empty or has more than 256 ids"));
    }
    let id = |v: &Value| v.as_bytes().and_then(|b| b.try_into().ok()).map(OpId::from_bytes);
    let ids: Vec<OpId> = items
        .iter()
        .map(id)
        .collect::<Option<_>>()
        .ok_or(OperationError::Rule("supersedes holds something else than ids"))?;
    if ids.windows(2).any(|w| w[0] >= w[1]) {
        return Err(OperationError::Rule("supersedes does not ascend strictly"));
    }
    Ok(ids)
}

fn signers(array: Option<&[Value]>) -> Result<Vec<RequiredSigner>, OperationError> {
    let Some(items) = array else { return Ok(Vec::new()) };
    if items.is_empty() || items.len() > MAX_SIGNERS {
        return Err(OperationError::Rule("required signers are none or more than 16"));
    }
    if items.windows(2).any(|w| cbor::encode(&w[0]) >= cbor::encode(&w[1])) {
        return Err(OperationError::Rule("required signers do not ascend strictly"));
    }
    let one = |v: &Value| match v {
        Value::Text(role) if !role.is_empty() && role.len() <= 64 => Some(RequiredSigner::Role(role.clone())),
        Value::Bytes(b) => b.as_slice().try_into().ok().map(|b| RequiredSigner::Officer(OfficerId::from_bytes(b))),
        _ => None,
    };
    items
        .iter()
        .map(one)
        .collect::<Option<_>>()
        .ok_or(OperationError::Rule("a required signer is neither role nor officer"))
}

/// A structurally sound operation whose signature has **not** been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    header: Header,
    header_bytes: Vec<u8>,
    signature: [u8; 64],
    body: Option<Body>,
}

impl Operation {
    /// Signs a header over its body; `header.body_root` and `header.suite` are set from body and signer.
    ///
    /// # Errors
    /// The signer refused, or the header breaks a rule of the page (then nothing was signed).
    pub fn seal(mut header: Header, body: Body, signer: &dyn Signer) -> Result<Self, SealError> {
        header.body_root = body.root();
        header.suite = signer.public().suite();
        let header_bytes = header.encode();
        if Header::decode(&header_bytes)? != header {
            return Err(SealError::Header(OperationError::Rule("the header does not read back as written")));
        }
        let signature = signer.sign(dsse::OPERATION, &header_bytes)?;
        Ok(Self { header, header_bytes, signature, body: Some(body) })
    }

    /// Reads a frame: structure, limits, and that the body, if there, is the one the header commits to.
    pub fn parse(frame: &[u8]) -> Result<Self, OperationError> {
        if frame.len() > MAX_FRAME {
            return Err(OperationError::TooLarge("the frame"));
        }
        let decoded = cbor::decode(frame)?;
        let map = MapReader::only(&decoded, "frame", 2)?;
        let header_bytes = map.bytes(0)?.to_vec();
        let header = Header::decode(&header_bytes)?;
        let body = map.opt_bytes(2)?.map(Body::decode).transpose()?;
        if body.as_ref().is_some_and(|b| b.root() != header.body_root) {
            return Err(OperationError::BodyRoot);
        }
        Ok(Self { header, header_bytes, signature: map.fixed(1)?, body })
    }

    /// The stored and sent bytes.
    pub fn frame(&self) -> Vec<u8> {
        let body = self.body.as_ref().map(|b| Value::bytes(b.encode()));
        MapWriter::default()
            .put(0, Value::bytes(&self.header_bytes))
            .put(1, Value::bytes(self.signature))
            .put_opt(2, body)
            .encode()
    }

    /// Checks the device signature under a key that the key log gives for this device and incarnation.
    pub fn verify(self, key: &PublicKey) -> Result<VerifiedOperation, SignatureError> {
        if key.suite() != self.header.suite {
            return Err(SignatureError::Mismatch);
        }
        key.verify(dsse::OPERATION, &self.header_bytes, &self.signature)?;
        Ok(VerifiedOperation(self))
    }

    /// The decoded header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Exactly the signed bytes.
    pub fn header_bytes(&self) -> &[u8] {
        &self.header_bytes
    }

    /// The device signature.
    pub fn signature(&self) -> &[u8; 64] {
        &self.signature
    }

    /// The body, unless all of it is withheld.
    pub fn body(&self) -> Option<&Body> {
        self.body.as_ref()
    }

    /// The same operation with another form of the same body, or none.
    ///
    /// # Errors
    /// A body with another root.
    pub fn with_body(&self, body: Option<Body>) -> Result<Self, OperationError> {
        if body.as_ref().is_some_and(|b| b.root() != self.header.body_root) {
            return Err(OperationError::BodyRoot);
        }
        Ok(Self { body, ..self.clone() })
    }

    /// `H("fieldseal/v0/op", header)`.
    pub fn id(&self) -> OpId {
        OpId::from_bytes(h("fieldseal/v0/op", &[&self.header_bytes]))
    }

    /// `H("fieldseal/v0/commitment", header, signature)`: the leaf of the central log.
    pub fn commitment(&self) -> Commitment {
        Commitment::from_bytes(h("fieldseal/v0/commitment", &[&self.header_bytes, &self.signature]))
    }

    /// The device link after this operation.
    pub fn link(&self) -> Link {
        link_next(&self.header.prev, &self.commitment())
    }
}

/// An operation whose device signature was checked; only [`Operation::verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedOperation(Operation);

impl VerifiedOperation {
    /// The operation itself.
    pub fn into_inner(self) -> Operation {
        self.0
    }
}

impl std::ops::Deref for VerifiedOperation {
    type Target = Operation;
    fn deref(&self) -> &Operation {
        &self.0
    }
}

/// Why an operation was not made; nothing was signed or stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The header breaks a rule.
    #[error(transparent)]
    Header(#[from] OperationError),
    /// The key refused.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// Link before a device's first operation.
pub fn link_origin(tenant: &TenantId, device: &DeviceId) -> Link {
    Link::from_bytes(h("fieldseal/v0/link-origin", &[tenant.as_bytes(), device.as_bytes()]))
}

/// Link after an operation with this commitment.
pub fn link_next(before: &Link, commitment: &Commitment) -> Link {
    Link::from_bytes(h("fieldseal/v0/link", &[before.as_bytes(), commitment.as_bytes()]))
}

/// The eight words of a link as printed on paper: its first 16 bytes.
pub fn link_words(link: &Link) -> String {
    crate::encoding::proquints(&link.as_bytes()[..16])
}
