//! What the key file holds, and its bytes.

use std::str::FromStr;

use fieldseal_proof::body::Body;
use fieldseal_proof::cbor::{self, Value};
use fieldseal_proof::ids::{DeviceId, IncarnationId, Link, OfficerId, TenantId};
use fieldseal_proof::key_log::Custody;
use fieldseal_proof::suite::{PublicKey, Suite};
use zeroize::Zeroizing;

use super::pin::{PinCost, PinDelay};
use super::{Identity, KeyringError};

/// What a device is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// An inspector's tablet.
    Tablet,
    /// A supervisor's laptop or console.
    Supervisor,
}

impl Role {
    /// The word of the key log.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Tablet => "tablet",
            Role::Supervisor => "supervisor",
        }
    }
}

impl FromStr for Role {
    type Err = KeyringError;

    fn from_str(word: &str) -> Result<Self, KeyringError> {
        match word {
            "tablet" => Ok(Role::Tablet),
            "supervisor" => Ok(Role::Supervisor),
            _ => Err(KeyringError::Damaged("the device has an unknown role")),
        }
    }
}

/// How far an enrolment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnrolmentState {
    /// Keys are made; the server does not know of them.
    New,
    /// The server has the request; an administrator has to approve it.
    Pending,
    /// The keys stand in the key log.
    Approved,
}

/// Where the device's enrolment stands, with what the server gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// How far.
    pub state: EnrolmentState,
    /// The enrolment text, word for word.
    pub card: String,
    /// The server's id of the request.
    pub request: Option<String>,
    /// Bearer token for the server.
    pub token: Option<String>,
    /// An earlier life of this device was approved, so the token is open whatever the state of the present one is.
    pub earlier: bool,
}

/// An officer of this device, without the private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfficerRecord {
    /// Id.
    pub officer: OfficerId,
    /// Name as on the certificate.
    pub name: String,
    /// Certificate number.
    pub certificate: String,
    /// Role.
    pub role: String,
    /// Public key.
    pub key: PublicKey,
    /// Attributes `name` and `certificate` as a salted body, for the key log.
    pub attrs: Body,
    /// The server's id of the enrolment request.
    pub request: Option<String>,
}

/// An officer with the wrapped private key.
#[derive(Clone)]
pub(super) struct OfficerEntry {
    pub record: OfficerRecord,
    pub salt: [u8; 16],
    pub cost: PinCost,
    /// 24-byte nonce and sealed seed.
    pub wrapped: Vec<u8>,
    pub delay: PinDelay,
}

/// Everything in the key file.
#[derive(Clone)]
pub(super) struct Ring {
    pub identity: Identity,
    pub standing: Standing,
    pub suite: Suite,
    /// Who holds the operation key; in hardware's custody `operation` is never used.
    pub custody: Custody,
    pub operation: Zeroizing<[u8; 32]>,
    pub cosigner: Zeroizing<[u8; 32]>,
    pub database: Zeroizing<[u8; 32]>,
    pub vault: Zeroizing<[u8; 32]>,
    pub officers: Vec<OfficerEntry>,
    /// Sequence number of the next operation and link before it, as of the last batch receipt or the beginning of the present
    /// life. None before the life's chain was begun in a database.
    pub chain_end: Option<(u64, Link)>,
    /// The database's salt, without which no page of it opens.
    pub salt: Option<[u8; 16]>,
}

impl Ring {
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let state = match self.standing.state {
            EnrolmentState::New => 0,
            EnrolmentState::Pending => 1,
            EnrolmentState::Approved => 2,
        };
        let mut map = vec![
            (0, Value::Uint(0)),
            (1, Value::bytes(self.identity.tenant.as_bytes())),
            (2, Value::bytes(self.identity.device.as_bytes())),
            (3, Value::bytes(self.identity.incarnation.as_bytes())),
            (4, Value::text(self.identity.role.as_str())),
            (5, Value::text(&self.identity.label)),
            (6, Value::Uint(state)),
            (7, Value::text(&self.standing.card)),
        ];
        map.extend(self.standing.request.as_ref().map(|r| (8, Value::text(r))));
        map.extend(self.standing.token.as_ref().map(|t| (9, Value::text(t))));
        map.extend([
            (10, Value::Uint(self.suite.number())),
            (11, Value::bytes(*self.operation)),
            (12, Value::bytes(*self.cosigner)),
            (13, Value::bytes(*self.database)),
            (14, Value::bytes(*self.vault)),
            (
                15,
                Value::Array(self.officers.iter().map(OfficerEntry::value).collect()),
            ),
        ]);
        // Left out for software, so that files of before are read as what they are.
        if self.custody == Custody::Hardware {
            map.push((16, Value::text(self.custody.as_str())));
        }
        if let Some((next_seq, link)) = &self.chain_end {
            map.push((
                17,
                Value::Array(vec![Value::Uint(*next_seq), Value::bytes(link.as_bytes())]),
            ));
        }
        map.extend(self.salt.map(|salt| (18, Value::bytes(salt))));
        if self.standing.earlier {
            map.push((19, Value::Bool(true)));
        }
        Zeroizing::new(cbor::encode(&Value::Map(map)))
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, KeyringError> {
        let decoded = cbor::decode(bytes).map_err(|_| KeyringError::Damaged("it does not decode"))?;
        let map = Map::of(&decoded)?;
        if map.uint(0)? != 0 {
            return Err(KeyringError::Damaged("it has another version"));
        }
        let state = match map.uint(6)? {
            0 => EnrolmentState::New,
            1 => EnrolmentState::Pending,
            2 => EnrolmentState::Approved,
            _ => return Err(KeyringError::Damaged("the state of the enrolment is unknown")),
        };
        let officers = map.field(15).and_then(Value::as_array).ok_or(MISSING)?;
        Ok(Self {
            identity: Identity {
                tenant: TenantId::from_bytes(map.fixed(1)?),
                device: DeviceId::from_bytes(map.fixed(2)?),
                incarnation: IncarnationId::from_bytes(map.fixed(3)?),
                role: map.text(4)?.parse()?,
                label: map.text(5)?.to_owned(),
            },
            standing: Standing {
                state,
                card: map.text(7)?.to_owned(),
                request: map.opt_text(8),
                token: map.opt_text(9),
                earlier: matches!(map.field(19), Some(Value::Bool(true))),
            },
            suite: Suite::from_number(map.uint(10)?)?,
            custody: match map.opt_text(16).as_deref() {
                None => Custody::Software,
                Some(word) => Custody::from_word(word).ok_or(MISSING)?,
            },
            operation: Zeroizing::new(map.fixed(11)?),
            cosigner: Zeroizing::new(map.fixed(12)?),
            database: Zeroizing::new(map.fixed(13)?),
            vault: Zeroizing::new(map.fixed(14)?),
            officers: officers
                .iter()
                .map(OfficerEntry::from_value)
                .collect::<Result<_, _>>()?,
            chain_end: map.field(17).map(chain_end).transpose()?,
            salt: map.field(18).map(|_| map.fixed(18)).transpose()?,
        })
    }
}

fn chain_end(value: &Value) -> Result<(u64, Link), KeyringError> {
    match value.as_array() {
        Some([next_seq, link]) => {
            let link = link.as_bytes().and_then(|bytes| bytes.try_into().ok()).ok_or(MISSING)?;
            Ok((next_seq.as_uint().ok_or(MISSING)?, Link::from_bytes(link)))
        }
        _ => Err(MISSING),
    }
}

impl OfficerEntry {
    fn value(&self) -> Value {
        let record = &self.record;
        let mut map = vec![
            (0, Value::bytes(record.officer.as_bytes())),
            (1, Value::text(&record.name)),
            (2, Value::text(&record.certificate)),
            (3, Value::text(&record.role)),
            (4, Value::Uint(record.key.suite().number())),
            (5, Value::bytes(record.key.as_bytes())),
            (6, Value::Bytes(record.attrs.encode())),
        ];
        map.extend(record.request.as_ref().map(|r| (7, Value::text(r))));
        map.extend([
            (8, Value::bytes(self.salt)),
            (9, Value::Uint(self.cost.memory_kib.into())),
            (10, Value::Uint(self.cost.passes.into())),
            (11, Value::bytes(&self.wrapped)),
            (12, Value::Uint(self.delay.failures.into())),
            (13, Value::Uint(self.delay.until_ms)),
        ]);
        Value::Map(map)
    }

    fn from_value(value: &Value) -> Result<Self, KeyringError> {
        let map = Map::of(value)?;
        let suite = Suite::from_number(map.uint(4)?)?;
        let small = |key| map.uint(key).and_then(|n| u32::try_from(n).map_err(|_| MISSING));
        Ok(Self {
            record: OfficerRecord {
                officer: OfficerId::from_bytes(map.fixed(0)?),
                name: map.text(1)?.to_owned(),
                certificate: map.text(2)?.to_owned(),
                role: map.text(3)?.to_owned(),
                key: PublicKey::parse(suite, map.bytes(5)?)?,
                attrs: Body::decode(map.bytes(6)?).map_err(|_| MISSING)?,
                request: map.opt_text(7),
            },
            salt: map.fixed(8)?,
            cost: PinCost {
                memory_kib: small(9)?,
                passes: small(10)?,
            },
            wrapped: map.bytes(11)?.to_vec(),
            delay: PinDelay {
                failures: small(12)?,
                until_ms: map.uint(13)?,
            },
        })
    }
}

const MISSING: KeyringError = KeyringError::Damaged("a field is missing or of another form");

struct Map<'a>(&'a [(u64, Value)]);

impl<'a> Map<'a> {
    fn of(value: &'a Value) -> Result<Self, KeyringError> {
        value.as_map().map(Self).ok_or(MISSING)
    }

    fn field(&self, key: u64) -> Option<&'a Value> {
        self.0.iter().find(|(k, _)| *k == key).map(|(_, v)| v)
    }

    fn uint(&self, key: u64) -> Result<u64, KeyringError> {
        self.field(key).and_then(Value::as_uint).ok_or(MISSING)
    }

    fn text(&self, key: u64) -> Result<&'a str, KeyringError> {
        self.field(key).and_then(Value::as_text).ok_or(MISSING)
    }

    fn opt_text(&self, key: u64) -> Option<String> {
        self.field(key).and_then(Value::as_text).map(str::to_owned)
    }

    fn bytes(&self, key: u64) -> Result<&'a [u8], KeyringError> {
        self.field(key).and_then(Value::as_bytes).ok_or(MISSING)
    }

    fn fixed<const N: usize>(&self, key: u64) -> Result<[u8; N], KeyringError> {
        self.bytes(key)?.try_into().map_err(|_| MISSING)
    }
}
