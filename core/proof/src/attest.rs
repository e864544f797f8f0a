//! A person's signature: an `attest` operation that names the operations it signs (`formats/operation.md`).

use crate::body::{Body, BodyError};
use crate::cbor::{MapWriter, Value};
use crate::dsse;
use crate::ids::{DeviceId, IncarnationId, KeyId, Link, OfficerId, OpId, TenantId};
use crate::operation::Operation;
use crate::suite::{PublicKey, SignError, SignatureError, Signer};

/// The kind of an attest operation.
pub const KIND: &str = "attest";
/// Most targets of one attest.
pub const MAX_TARGETS: usize = 64;

/// What the person says about the targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Meaning {
    /// I made this.
    Made,
    /// I approve this.
    Approved,
    /// I refuse to sign this.
    Refused,
    /// I sign, and disagree.
    Dissents,
}

impl Meaning {
    /// The word in the body.
    pub fn as_str(self) -> &'static str {
        match self {
            Meaning::Made => "made",
            Meaning::Approved => "approved",
            Meaning::Refused => "refused",
            Meaning::Dissents => "dissents",
        }
    }

    /// From the word in the body.
    pub fn from_word(word: &str) -> Option<Self> {
        [Meaning::Made, Meaning::Approved, Meaning::Refused, Meaning::Dissents].into_iter().find(|m| m.as_str() == word)
    }

    /// Whether it counts towards a target's required signers.
    pub fn signs(self) -> bool {
        matches!(self, Meaning::Made | Meaning::Approved)
    }
}

/// The place of the attest operation itself; part of what the officer signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Agency.
    pub tenant: TenantId,
    /// Device that wraps the signature.
    pub device: DeviceId,
    /// Its incarnation.
    pub incarnation: IncarnationId,
    /// Sequence of the attest operation.
    pub seq: u64,
    /// Device link before it.
    pub prev: Link,
}

impl Place {
    /// The place of an operation.
    pub fn of(operation: &Operation) -> Self {
        let h = operation.header();
        Self { tenant: h.tenant, device: h.device, incarnation: h.incarnation, seq: h.seq, prev: h.prev }
    }
}

/// What an officer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attestation {
    /// Who.
    pub officer: OfficerId,
    /// In which role.
    pub role: String,
    /// What about.
    pub meaning: Meaning,
    /// Which operations, ascending.
    pub targets: Vec<OpId>,
    /// With which key.
    pub key: KeyId,
    /// The officer's signature.
    pub signature: Vec<u8>,
}

/// An attest that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttestError {
    /// The body lacks a field or has it in another form.
    #[error("attest: {0} is missing, withheld or malformed")]
    Field(&'static str),
    /// Another key than the one named.
    #[error("attest: the key is not the one the body names")]
    Key,
    /// The signature does not hold for this place, role, meaning and targets.
    #[error("attest: {0}")]
    Signature(#[from] SignatureError),
}

/// The bytes an officer signs.
pub fn statement(place: &Place, officer: OfficerId, role: &str, meaning: Meaning, targets: &[OpId]) -> Vec<u8> {
    MapWriter::default()
        .put(0, Value::Uint(0))
        .put(1, Value::bytes(place.tenant.as_bytes()))
        .put(2, Value::bytes(place.device.as_bytes()))
        .put(3, Value::bytes(place.incarnation.as_bytes()))
        .put(4, Value::Uint(place.seq))
        .put(5, Value::bytes(place.prev.as_bytes()))
        .put(6, Value::text(role))
        .put(7, Value::text(meaning.as_str()))
        .put(8, Value::Array(targets.iter().map(|t| Value::bytes(t.as_bytes())).collect()))
        .put(9, Value::bytes(officer.as_bytes()))
        .encode()
}

impl Attestation {
    /// Signs at a place; the targets are put in order.
    pub fn sign(
        place: &Place,
        officer: OfficerId,
        role: &str,
        meaning: Meaning,
        mut targets: Vec<OpId>,
        key: &dyn Signer,
    ) -> Result<Self, SignError> {
        targets.sort();
        targets.dedup();
        let signature = key.sign(dsse::ATTESTATION, &statement(place, officer, role, meaning, &targets))?;
        let key = key.public().key_id();
        Ok(Self { officer, role: role.to_owned(), meaning, targets, key, signature: signature.to_vec() })
    }

    /// The body fields of the attest operation.
    pub fn fields(&self) -> Vec<(String, Value)> {
        let targets = self.targets.iter().map(|t| Value::bytes(t.as_bytes())).collect();
        [
            ("attest/key", Value::bytes(self.key.as_bytes())),
            ("attest/meaning", Value::text(self.meaning.as_str())),
            ("attest/officer", Value::bytes(self.officer.as_bytes())),
            ("attest/role", Value::text(&self.role)),
            ("attest/signature", Value::bytes(&self.signature)),
            ("attest/targets", Value::Array(targets)),
        ]
        .map(|(path, value)| (path.to_owned(), value))
        .into()
    }

    /// The body of the attest operation.
    pub fn body(&self, seed: [u8; 32]) -> Result<Body, BodyError> {
        Body::build(seed, self.fields())
    }

    /// Reads an attest body; the signature is not checked.
    pub fn read(body: &Body) -> Result<Self, AttestError> {
        let value = |path| body.get(path).ok_or(AttestError::Field(path));
        let text = |path| value(path)?.as_text().map(str::to_owned).ok_or(AttestError::Field(path));
        let bytes = |path| value(path)?.as_bytes().map(<[u8]>::to_vec).ok_or(AttestError::Field(path));
        let targets = value("attest/targets")?;
        let ids = targets.as_array().unwrap_or_default().iter();
        let ids: Option<Vec<OpId>> = ids.map(|v| v.as_bytes()?.try_into().ok().map(OpId::from_bytes)).collect();
        let targets =
            ids.filter(|ids| !ids.is_empty() && ids.len() <= MAX_TARGETS && ids.windows(2).all(|w| w[0] < w[1]));
        Ok(Self {
            officer: array(bytes("attest/officer")?)
                .map(OfficerId::from_bytes)
                .ok_or(AttestError::Field("attest/officer"))?,
            role: text("attest/role")?,
            meaning: Meaning::from_word(&text("attest/meaning")?).ok_or(AttestError::Field("attest/meaning"))?,
            targets: targets.ok_or(AttestError::Field("attest/targets"))?,
            key: array(bytes("attest/key")?).map(KeyId::from_bytes).ok_or(AttestError::Field("attest/key"))?,
            signature: bytes("attest/signature")?,
        })
    }

    /// Checks the officer's signature against the place of the operation that carries it.
    pub fn verify(&self, place: &Place, key: &PublicKey) -> Result<(), AttestError> {
        if key.key_id() != self.key {
            return Err(AttestError::Key);
        }
        let statement = statement(place, self.officer, &self.role, self.meaning, &self.targets);
        Ok(key.verify(dsse::ATTESTATION, &statement, &self.signature)?)
    }
}

fn array<const N: usize>(bytes: Vec<u8>) -> Option<[u8; N]> {
    bytes.try_into().ok()
}
