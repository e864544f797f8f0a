//! The key log: who may sign what, from the tenant's root key down (`formats/key-log.md`).

use std::collections::BTreeMap;

use crate::body::Body;
use crate::cbor::{self, CborError, FieldError, MapReader, MapWriter, Value};
use crate::dsse;
use crate::hash::h;
use crate::ids::{BodyRoot, Commitment, DeviceId, IncarnationId, KeyId, KeyLogHead, OfficerId, TenantId};
use crate::suite::{PublicKey, SignError, SignatureError, Signer, Suite};

/// Longest entry in bytes.
pub const MAX_ENTRY: usize = 16 * 1024;
/// Most entries.
pub const MAX_ENTRIES: u64 = 100_000;

/// What a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // the words of the page
pub enum Purpose {
    Root,
    Admin,
    Operation,
    Cosigner,
    Officer,
    Log,
    Time,
    Bundle,
    Escrow,
}

impl Purpose {
    const ALL: [(Purpose, &str); 9] = [
        (Purpose::Root, "root"),
        (Purpose::Admin, "admin"),
        (Purpose::Operation, "operation"),
        (Purpose::Cosigner, "cosigner"),
        (Purpose::Officer, "officer"),
        (Purpose::Log, "log"),
        (Purpose::Time, "time"),
        (Purpose::Bundle, "bundle"),
        (Purpose::Escrow, "escrow"),
    ];

    /// The word in a key record.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(p, _)| *p == self).map_or("", |(_, word)| word)
    }

    /// From the word in a key record.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, w)| *w == word).map(|(p, _)| *p)
    }
}

/// Who keeps the private half; shown in verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Custody {
    /// A key store that does not give it out.
    Hardware,
    /// A file of the device.
    Software,
    /// The server, on somebody's behalf.
    Server,
}

impl Custody {
    /// The word in a key record.
    pub fn as_str(self) -> &'static str {
        match self {
            Custody::Hardware => "hardware",
            Custody::Software => "software",
            Custody::Server => "server",
        }
    }

    /// From the word in a key record.
    pub fn from_word(word: &str) -> Option<Self> {
        [Custody::Hardware, Custody::Software, Custody::Server].into_iter().find(|c| c.as_str() == word)
    }
}

/// A key as an entry carries it; suite 0 with purpose escrow is X25519.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// What for.
    pub purpose: Purpose,
    /// Suite number.
    pub suite: u64,
    /// Public key bytes.
    pub public: Vec<u8>,
    /// Who keeps the private half.
    pub custody: Custody,
}

impl KeyRecord {
    /// A record of a checked key.
    pub fn new(purpose: Purpose, key: &PublicKey, custody: Custody) -> Self {
        Self { purpose, suite: key.suite().number(), public: key.as_bytes().to_vec(), custody }
    }

    /// The checked signature key.
    ///
    /// # Errors
    /// Weak or malformed keys, and escrow keys, which sign nothing.
    pub fn key(&self) -> Result<PublicKey, SignatureError> {
        PublicKey::parse(Suite::from_number(self.suite)?, &self.public)
    }

    /// The key's id.
    pub fn id(&self) -> KeyId {
        KeyId::from_bytes(h("fieldseal/v0/key", &[&self.suite.to_be_bytes(), &self.public]))
    }

    fn value(&self) -> Value {
        Value::Array(vec![
            Value::text(self.purpose.as_str()),
            Value::Uint(self.suite),
            Value::bytes(&self.public),
            Value::text(self.custody.as_str()),
        ])
    }

    fn read(value: &Value) -> Option<Self> {
        match value.as_array()? {
            [Value::Text(purpose), Value::Uint(suite), Value::Bytes(public), Value::Text(custody)] => Some(Self {
                purpose: Purpose::from_word(purpose)?,
                suite: *suite,
                public: public.clone(),
                custody: Custody::from_word(custody)?,
            }),
            _ => None,
        }
    }
}

/// One statement of the key log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Agency.
    pub tenant: TenantId,
    /// From 0.
    pub index: u64,
    /// Head before it.
    pub prev: KeyLogHead,
    /// `root`, `admin`, `server`, `device`, `officer`, `revoke`, `succession`, or a later word.
    pub action: String,
    /// Device, officer, administrator or server id.
    pub subject: Option<[u8; 16]>,
    /// Keys; those of an unknown action are not read.
    pub keys: Vec<KeyRecord>,
    /// Role.
    pub role: Option<String>,
    /// Incarnation of a device or server.
    pub incarnation: Option<IncarnationId>,
    /// Root of the attributes.
    pub attrs_root: Option<BodyRoot>,
    /// Key id of the signer.
    pub signer: KeyId,
    /// The signer's clock.
    pub wall_ms: u64,
    /// Key id that is revoked.
    pub target: Option<KeyId>,
    /// Origin of a log.
    pub name: Option<String>,
}

/// Why a key log or an entry is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyLogError {
    /// Not deterministic CBOR.
    #[error("key log: {0}")]
    Cbor(#[from] CborError),
    /// A field is missing or of another type.
    #[error("key log: {0}")]
    Field(#[from] FieldError),
    /// An entry breaks a rule.
    #[error("key log entry {index}: {reason}")]
    Rule {
        /// Which entry.
        index: u64,
        /// Which rule.
        reason: &'static str,
    },
    /// The signature does not hold.
    #[error("key log entry {index}: {error}")]
    Signature {
        /// Which entry.
        index: u64,
        /// Why.
        error: SignatureError,
    },
}

impl Entry {
    /// The signed bytes.
    pub fn encode(&self) -> Vec<u8> {
        let keys = (!self.keys.is_empty()).then(|| Value::Array(self.keys.iter().map(KeyRecord::value).collect()));
        MapWriter::default()
            .put(0, Value::Uint(0))
            .put(1, Value::bytes(self.tenant.as_bytes()))
            .put(2, Value::Uint(self.index))
            .put(3, Value::bytes(self.prev.as_bytes()))
            .put(4, Value::text(&self.action))
            .put_opt(5, self.subject.map(Value::bytes))
            .put_opt(6, keys)
            .put_opt(7, self.role.as_deref().map(Value::text))
            .put_opt(8, self.incarnation.map(|i| Value::bytes(i.as_bytes())))
            .put_opt(9, self.attrs_root.map(|r| Value::bytes(r.as_bytes())))
            .put(10, Value::bytes(self.signer.as_bytes()))
            .put(11, Value::Uint(self.wall_ms))
            .put_opt(12, self.target.map(|t| Value::bytes(t.as_bytes())))
            .put_opt(13, self.name.as_deref().map(Value::text))
            .encode()
    }

    /// Reads the signed bytes of an entry; [`KeyLog::append`] checks what only the entries before it can tell.
    pub fn decode(bytes: &[u8]) -> Result<Self, KeyLogError> {
        let decoded = cbor::decode(bytes)?;
        let map = MapReader::new(&decoded, "key log entry")?;
        let index = map.uint(2)?;
        let rule = |reason| KeyLogError::Rule { index, reason };
        if map.uint(0)? != 0 {
            return Err(rule("the format version is not 0"));
        }
        let action = map.text(4)?.to_owned();
        let records = map.opt_array(6)?.filter(|_| ACTIONS.contains(&action.as_str()));
        let keys: Option<Vec<KeyRecord>> = records.unwrap_or_default().iter().map(KeyRecord::read).collect();
        Ok(Self {
            tenant: TenantId::from_bytes(map.fixed(1)?),
            index,
            prev: KeyLogHead::from_bytes(map.fixed(3)?),
            action,
            subject: map.opt_fixed(5)?,
            keys: keys.ok_or(rule("a key record is malformed or has an unknown purpose"))?,
            role: map.opt_text(7)?.map(str::to_owned),
            incarnation: map.opt_fixed(8)?.map(IncarnationId::from_bytes),
            attrs_root: map.opt_fixed(9)?.map(BodyRoot::from_bytes),
            signer: KeyId::from_bytes(map.fixed(10)?),
            wall_ms: map.uint(11)?,
            target: map.opt_fixed(12)?.map(KeyId::from_bytes),
            name: map.opt_text(13)?.map(str::to_owned),
        })
    }
}

/// An entry with its signature and, where shown, its attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyLogFrame {
    /// The signed bytes.
    pub entry: Vec<u8>,
    /// The signature.
    pub signature: [u8; 64],
    /// Names and certificate numbers, full or partial.
    pub attrs: Option<Body>,
}

impl KeyLogFrame {
    /// Signs an entry.
    pub fn sign(entry: &Entry, attrs: Option<Body>, signer: &dyn Signer) -> Result<Self, SignError> {
        let entry = entry.encode();
        let signature = signer.sign(dsse::KEY_LOG_ENTRY, &entry)?;
        Ok(Self { entry, signature, attrs })
    }

    /// The stored and sent bytes.
    pub fn encode(&self) -> Vec<u8> {
        let attrs = self.attrs.as_ref().map(|b| Value::bytes(b.encode()));
        MapWriter::default()
            .put(0, Value::bytes(&self.entry))
            .put(1, Value::bytes(self.signature))
            .put_opt(2, attrs)
            .encode()
    }

    /// Reads a frame; nothing of it is checked yet.
    pub fn decode(bytes: &[u8]) -> Result<Self, KeyLogError> {
        let rule = |reason| KeyLogError::Rule { index: u64::MAX, reason };
        if bytes.len() > MAX_ENTRY + crate::body::MAX_VALUE {
            return Err(rule("the frame is over the limit"));
        }
        let decoded = cbor::decode(bytes)?;
        let map = MapReader::only(&decoded, "key log frame", 2)?;
        let entry = map.bytes(0)?.to_vec();
        if entry.len() > MAX_ENTRY {
            return Err(rule("the entry is over the limit"));
        }
        let attrs =
            map.opt_bytes(2)?.map(Body::decode).transpose().map_err(|_| rule("the attributes are malformed"))?;
        Ok(Self { entry, signature: map.fixed(1)?, attrs })
    }
}

/// An enrolled key with the place where it was enrolled and revoked, counted in key log entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolledKey {
    /// The record.
    pub record: KeyRecord,
    /// Device, officer, administrator or server id.
    pub subject: Option<[u8; 16]>,
    /// Incarnation of a device or server.
    pub incarnation: Option<IncarnationId>,
    /// Role of a device or officer.
    pub role: Option<String>,
    /// Entry that enrolled it.
    pub enrolled_at: u64,
    /// Entry that revoked it.
    pub revoked_at: Option<u64>,
    /// The action of the enrolling entry.
    pub action: String,
    /// Name on a log entry: the origin.
    pub name: Option<String>,
    /// Attributes shown with it.
    pub attrs: Option<Body>,
}

impl EnrolledKey {
    /// Whether it signs for the server's ingest device.
    pub fn is_servers(&self) -> bool {
        self.action == "server"
    }
}

/// A key log of which every entry was checked; only [`KeyLog::append`] makes it longer.
#[derive(Debug, Clone)]
pub struct KeyLog {
    tenant: TenantId,
    heads: Vec<KeyLogHead>,
    keys: BTreeMap<KeyId, EnrolledKey>,
    /// The operation key of each device and incarnation.
    lives: BTreeMap<([u8; 16], IncarnationId), KeyId>,
}

impl KeyLog {
    /// An empty key log of a tenant.
    pub fn new(tenant: TenantId) -> Self {
        Self { tenant, heads: Vec::new(), keys: BTreeMap::new(), lives: BTreeMap::new() }
    }

    /// Reads and checks a concatenation of frames.
    ///
    /// # Errors
    /// The first entry that breaks a rule; the tenant is the one of the first entry.
    pub fn read(sequence: &[u8]) -> Result<Self, KeyLogError> {
        let frames = cbor::split_sequence(sequence)?;
        let first = frames.first().ok_or(KeyLogError::Rule { index: 0, reason: "the key log is empty" })?;
        let mut log = Self::new(Entry::decode(&KeyLogFrame::decode(first)?.entry)?.tenant);
        for frame in frames {
            log.append(&KeyLogFrame::decode(frame)?)?;
        }
        Ok(log)
    }

    /// Checks an entry against everything before it and takes it; returns the entry.
    pub fn append(&mut self, frame: &KeyLogFrame) -> Result<Entry, KeyLogError> {
        let entry = Entry::decode(&frame.entry)?;
        let index = entry.index;
        let rule = |reason| KeyLogError::Rule { index, reason };
        if index != self.size() || index >= MAX_ENTRIES {
            return Err(rule("the index is not the next one"));
        }
        if entry.prev != self.head() {
            return Err(rule("it does not continue the head before it"));
        }
        if entry.tenant != self.tenant {
            return Err(rule("it is of another tenant"));
        }
        if let Some(attrs) = &frame.attrs
            && entry.attrs_root != Some(attrs.root())
        {
            return Err(rule("the attributes do not match attrs_root"));
        }
        let signer = self.signer(&entry).map_err(rule)?;
        signer
            .verify(dsse::KEY_LOG_ENTRY, &frame.entry, &frame.signature)
            .map_err(|error| KeyLogError::Signature { index, error })?;
        check_shape(&entry).map_err(rule)?;
        if entry.action == "revoke" {
            self.check_revocation(&entry).map_err(rule)?;
        }
        self.check_life(&entry).map_err(rule)?;
        for (i, record) in entry.keys.iter().enumerate() {
            if self.keys.contains_key(&record.id()) || entry.keys[..i].iter().any(|r| r.public == record.public) {
                return Err(rule("a key is enrolled twice"));
            }
            match record.purpose {
                Purpose::Escrow if record.suite == 0 && record.public.len() == 32 => {}
                Purpose::Escrow => return Err(rule("the escrow key is not X25519")),
                _ => drop(record.key().map_err(|error| KeyLogError::Signature { index, error })?),
            }
        }
        self.take(&entry, frame);
        Ok(entry)
    }

    /// The key that must have signed an entry, if it is allowed to.
    fn signer(&self, entry: &Entry) -> Result<PublicKey, &'static str> {
        if entry.index == 0 {
            let [record] = entry.keys.as_slice() else {
                return Err("the first entry must hold exactly the root key");
            };
            if entry.action != "root" || record.purpose != Purpose::Root || record.id() != entry.signer {
                return Err("the first entry must be the root key, signed by itself");
            }
            return record.key().map_err(|_| "the root key is weak or malformed");
        }
        let signer = self.keys.get(&entry.signer).ok_or("its signer is not enrolled")?;
        if signer.revoked_at.is_some() {
            return Err("its signer was revoked before");
        }
        match (signer.record.purpose, entry.action.as_str()) {
            (_, "root") => Err("a second root entry"),
            (Purpose::Root, _) => Ok(()),
            (Purpose::Admin, "admin" | "server" | "succession") => {
                Err("an administrator may not do this; the root key must")
            }
            (Purpose::Admin, _) => Ok(()),
            _ => Err("its signer is neither root nor administrator"),
        }?;
        signer.record.key().map_err(|_| "its signer's key is malformed")
    }

    /// A key is revoked once, and those that the root enrolled only by the root: an administrator must not be able to lock
    /// out the root, the server or another administrator.
    fn check_revocation(&self, entry: &Entry) -> Result<(), &'static str> {
        let target = entry.target.and_then(|id| self.keys.get(&id)).filter(|key| key.revoked_at.is_none());
        let target = target.ok_or("its target is not an enrolled key, or was revoked before")?;
        let by_root = self.root().is_some_and(|root| root.record.id() == entry.signer);
        match matches!(target.action.as_str(), "root" | "admin" | "server") && !by_root {
            true => Err("an administrator may not do this; the root key must"),
            false => Ok(()),
        }
    }

    /// A device has one operation key in each incarnation, and nobody takes the id of the server's ingest device or gives
    /// the server the id of a tablet: whose word a roll is depends on it.
    fn check_life(&self, entry: &Entry) -> Result<(), &'static str> {
        let (Some(subject), Some(incarnation)) = (entry.subject, entry.incarnation) else {
            return Ok(());
        };
        if entry.keys.iter().all(|k| k.purpose != Purpose::Operation) {
            return Ok(());
        }
        if self.lives.contains_key(&(subject, incarnation)) {
            return Err("its incarnation has an operation key already");
        }
        let mut lives = self.lives.range((subject, IncarnationId::from_bytes([0; 16]))..);
        let other = lives.next().filter(|((other, _), _)| *other == subject).and_then(|(_, id)| self.keys.get(id));
        match other.is_some_and(|key| key.action != entry.action) {
            true => Err("its subject is enrolled for another action"),
            false => Ok(()),
        }
    }

    fn take(&mut self, entry: &Entry, frame: &KeyLogFrame) {
        self.heads.push(KeyLogHead::from_bytes(h(
            "fieldseal/v0/key-log",
            &[self.head().as_bytes(), &frame.entry, &frame.signature],
        )));
        if let (true, Some(target)) = (entry.action == "revoke", entry.target)
            && let Some(key) = self.keys.get_mut(&target)
        {
            key.revoked_at.get_or_insert(entry.index);
        }
        for record in &entry.keys {
            let key = EnrolledKey {
                record: record.clone(),
                subject: entry.subject,
                incarnation: entry.incarnation,
                role: entry.role.clone(),
                enrolled_at: entry.index,
                revoked_at: None,
                action: entry.action.clone(),
                name: entry.name.clone(),
                attrs: frame.attrs.clone(),
            };
            if let (Purpose::Operation, Some(subject), Some(incarnation)) =
                (record.purpose, entry.subject, entry.incarnation)
            {
                self.lives.insert((subject, incarnation), record.id());
            }
            self.keys.insert(record.id(), key);
        }
    }

    /// Agency.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Number of entries.
    pub fn size(&self) -> u64 {
        self.heads.len() as u64
    }

    /// Head after the last entry.
    pub fn head(&self) -> KeyLogHead {
        let origin = || KeyLogHead::from_bytes(h("fieldseal/v0/key-log-origin", &[self.tenant.as_bytes()]));
        self.heads.last().copied().unwrap_or_else(origin)
    }

    /// Head after `size` entries, for 1 ≤ size ≤ [`KeyLog::size`].
    pub fn head_at(&self, size: u64) -> Option<KeyLogHead> {
        usize::try_from(size).ok()?.checked_sub(1).and_then(|i| self.heads.get(i)).copied()
    }

    /// An enrolled key.
    pub fn key(&self, id: &KeyId) -> Option<&EnrolledKey> {
        self.keys.get(id)
    }

    /// All enrolled keys.
    pub fn keys(&self) -> impl Iterator<Item = (&KeyId, &EnrolledKey)> {
        self.keys.iter()
    }

    /// The root key.
    pub fn root(&self) -> Option<&EnrolledKey> {
        self.keys.values().find(|k| k.record.purpose == Purpose::Root)
    }

    /// The operation key of a device's incarnation.
    pub fn operation_key(&self, device: &DeviceId, incarnation: &IncarnationId) -> Option<&EnrolledKey> {
        self.keys.get(self.lives.get(&(*device.as_bytes(), *incarnation))?)
    }

    /// The keys of a purpose enrolled by a `server` entry, newest last.
    pub fn server_keys(&self, purpose: Purpose) -> Vec<&EnrolledKey> {
        let mut keys: Vec<_> =
            self.keys.values().filter(|k| k.action == "server" && k.record.purpose == purpose).collect();
        keys.sort_by_key(|k| k.enrolled_at);
        keys
    }

    /// An officer's newest key.
    pub fn officer(&self, officer: &OfficerId) -> Option<&EnrolledKey> {
        let of = |k: &&EnrolledKey| k.record.purpose == Purpose::Officer && k.subject == Some(*officer.as_bytes());
        self.keys.values().filter(of).max_by_key(|k| k.enrolled_at)
    }

    /// The newest escrow public key (X25519), if the tenant has one.
    pub fn escrow(&self) -> Option<[u8; 32]> {
        let newest =
            self.keys.values().filter(|k| k.record.purpose == Purpose::Escrow).max_by_key(|k| k.enrolled_at)?;
        newest.record.public.as_slice().try_into().ok()
    }
}

const ACTIONS: [&str; 7] = ["root", "admin", "server", "device", "officer", "revoke", "succession"];

/// What each known action must hold.
fn check_shape(entry: &Entry) -> Result<(), &'static str> {
    use Purpose::{Admin, Bundle, Cosigner, Escrow, Log, Officer, Operation, Root, Time};
    let mut purposes: Vec<Purpose> = entry.keys.iter().map(|k| k.purpose).collect();
    purposes.sort_unstable();
    // Notes, cosignatures and SSHSIG know Ed25519 alone.
    let suites = entry.keys.iter().all(|k| k.suite == 1 || !matches!(k.purpose, Cosigner | Log | Time | Bundle));
    let (subject, life) = (entry.subject.is_some(), entry.incarnation.is_some());
    let good = match entry.action.as_str() {
        "root" => purposes == [Root],
        "admin" => subject && purposes == [Admin],
        "server" => {
            let keys = [Operation, Log, Time, Bundle, Escrow];
            subject && life && entry.name.is_some() && (purposes == keys[..4] || purposes == keys)
        }
        "device" => {
            let role = matches!(entry.role.as_deref(), Some("tablet" | "supervisor"));
            subject && life && role && purposes == [Operation, Cosigner]
        }
        "officer" => subject && entry.role.is_some() && entry.attrs_root.is_some() && purposes == [Officer],
        "revoke" => entry.target.is_some() && purposes.is_empty(),
        "succession" => entry.name.is_some() && entry.attrs_root.is_some() && purposes.is_empty(),
        _ => true,
    };
    (good && suites).then_some(()).ok_or("its fields are not those its action must hold")
}

/// Leaf data of a key log head in the central log.
pub fn head_leaf(size: u64, head: &KeyLogHead) -> Commitment {
    Commitment::from_bytes(h("fieldseal/v0/key-log-leaf", &[&size.to_be_bytes(), head.as_bytes()]))
}
