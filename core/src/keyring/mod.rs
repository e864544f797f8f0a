//! Every private key of a device, outside the database.
//!
//! ```text
//! device.secret (random, 0600) ──opens──▶ keyring (operation, cosigner, database, vault keys)
//!                                            └─ officers' keys ◀──opened by── argon2id(PIN, salt)
//! ```
//!
//! A tablet without a platform key store keeps this in two files. Whoever copies both files has the device's keys (not the
//! officers'); [`PlatformKeys`] takes the place of the secret and of the operation key.

mod file;
mod pin;
mod platform;
mod ring;

use fieldseal_proof::ids::{DeviceId, IncarnationId, Link, OfficerId, TenantId};
use fieldseal_proof::key_log::Custody;
use fieldseal_proof::suite::{SignError, SignatureError, Signer, Suite};
use zeroize::Zeroizing;

use crate::random::RandomError;
use crate::vault::VaultError;

pub use file::FileKeyStore;
pub use pin::{MIN_PIN, PinDelay};
pub use platform::PlatformKeys;
pub use ring::{EnrolmentState, OfficerRecord, Role, Standing};

/// A signer that may be used from any thread.
pub type SharedSigner = Box<dyn Signer + Send + Sync>;

/// A key store that could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// There is no key file: this folder is no device, or its keys were lost.
    #[error("no key file in {0}")]
    Absent(std::path::PathBuf),
    /// There is a key file already; it is not replaced.
    #[error("{0} holds keys already")]
    Exists(std::path::PathBuf),
    /// The key file was made under a platform's key store, and none was given, or the other way round.
    #[error("these keys stand under another kind of key store")]
    OtherCustody,
    /// The key file does not open under the device secret, or is not one.
    #[error("the key file was changed or does not belong to this device secret: {0}")]
    Damaged(&'static str),
    /// The PIN is shorter than [`MIN_PIN`] characters.
    #[error("the PIN is too short")]
    PinTooShort,
    /// The PIN is wrong.
    #[error("wrong PIN, {left} tries left, {wait_s} s until the next")]
    PinWrong {
        /// Tries that are left without a delay.
        left: u32,
        /// Seconds until the next try is accepted; 0 for at once.
        wait_s: u64,
    },
    /// Too many wrong PINs: no try is accepted yet.
    #[error("no PIN is tried for another {wait_s} s")]
    PinWait {
        /// Seconds to wait.
        wait_s: u64,
    },
    /// No officer of this id or certificate number on this device.
    #[error("no such officer on this device")]
    UnknownOfficer,
    /// An officer with this certificate number is on this device already.
    #[error("the certificate number is taken on this device")]
    OfficerExists,
    /// The files could not be read or written.
    #[error(transparent)]
    File(#[from] VaultError),
    /// No randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// A stored key is no key.
    #[error(transparent)]
    Key(#[from] SignatureError),
    /// A key refused to sign.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// Who a device is; the same in its keys, its store and the key log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Agency.
    pub tenant: TenantId,
    /// This device, for life.
    pub device: DeviceId,
    /// The present life of its store.
    pub incarnation: IncarnationId,
    /// Tablet or supervisor's laptop.
    pub role: Role,
    /// What people call it.
    pub label: String,
}

/// What a new device is given.
#[derive(Debug, Clone)]
pub struct NewDevice {
    /// Agency, from the enrolment text.
    pub tenant: TenantId,
    /// Tablet or supervisor's laptop.
    pub role: Role,
    /// What people call it.
    pub label: String,
    /// Suite of the operation key.
    pub suite: Suite,
    /// The enrolment text, kept word for word.
    pub card: String,
}

/// An officer to be added to a device.
#[derive(Debug, Clone)]
pub struct NewOfficer {
    /// Name as on the certificate.
    pub name: String,
    /// Number of the enforcement certificate.
    pub certificate: String,
    /// Role, e.g. `officer` or `supervisor`.
    pub role: String,
}

/// Where private keys are kept. The software implementation is [`FileKeyStore`]; a platform key store signs inside.
pub trait KeyStore: Send + Sync {
    /// Who the device is.
    fn identity(&self) -> Identity;
    /// Where its enrolment stands.
    fn standing(&self) -> Standing;
    /// Remembers where its enrolment stands.
    ///
    /// # Errors
    /// When it cannot be written.
    fn set_standing(&self, standing: Standing) -> Result<(), KeyringError>;
    /// Where the operation key is: in hardware, or in software.
    fn custody(&self) -> Custody;
    /// The operation key of the present incarnation.
    ///
    /// # Errors
    /// When the stored key is no key.
    fn operation_key(&self) -> Result<SharedSigner, KeyringError>;
    /// The cosigner key.
    ///
    /// # Errors
    /// When the stored key is no key.
    fn cosigner_key(&self) -> Result<SharedSigner, KeyringError>;
    /// The raw SQLCipher key.
    fn database_key(&self) -> Zeroizing<[u8; 32]>;
    /// The key that wraps the keys of evidence files.
    fn vault_key(&self) -> Zeroizing<[u8; 32]>;
    /// The end of the present life's chain as it was kept last: sequence number of the next operation, and link before it. It
    /// may be behind the database, never ahead of it; none before the chain was begun.
    fn chain_end(&self) -> Option<(u64, Link)>;
    /// Keeps the end of an incarnation's chain, unless that is not the present one or a later end is kept already.
    ///
    /// # Errors
    /// When it cannot be written.
    fn keep_chain_end(&self, incarnation: IncarnationId, next_seq: u64, link: Link) -> Result<(), KeyringError>;
    /// The salt of the database, which stands in its first page and nowhere else in it.
    fn database_salt(&self) -> Option<[u8; 16]>;
    /// Keeps the salt of a new database.
    ///
    /// # Errors
    /// When it cannot be written.
    fn keep_database_salt(&self, salt: [u8; 16]) -> Result<(), KeyringError>;
    /// Starts a new life of the store: a fresh incarnation with fresh operation and cosigner keys, to be enrolled again. Server,
    /// token and officers stay.
    ///
    /// # Errors
    /// When it cannot be written.
    fn begin_incarnation(&self) -> Result<Identity, KeyringError>;
    /// Reads anew what another process of this device has written since.
    ///
    /// # Errors
    /// When the key file cannot be read.
    fn reload(&self) -> Result<(), KeyringError>;
    /// Adds an officer with a fresh key under a PIN.
    ///
    /// # Errors
    /// A short PIN, a certificate number that is taken, or a file that cannot be written.
    fn add_officer(&self, officer: NewOfficer, pin: &str) -> Result<OfficerRecord, KeyringError>;
    /// The officers of this device.
    fn officers(&self) -> Vec<OfficerRecord>;
    /// Remembers the server's request id of an officer's enrolment.
    ///
    /// # Errors
    /// An unknown officer, or a file that cannot be written.
    fn set_officer_request(&self, officer: OfficerId, request: &str) -> Result<(), KeyringError>;
    /// Opens an officer's key with the PIN, at a wall clock time.
    ///
    /// # Errors
    /// [`KeyringError::PinWrong`], [`KeyringError::PinWait`], an unknown officer.
    fn unlock(&self, officer: OfficerId, pin: &str, wall_ms: u64) -> Result<SharedSigner, KeyringError>;
}
