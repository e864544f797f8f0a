//! What can go wrong on a device, in the words of the catalogue.

use std::fmt::{self, Display};
use std::path::Path;

use fieldseal_proof::ids::IdError;
use fieldseal_proof::operation::SealError;

use crate::catalogue::{Lang, Message, Param};
use crate::domain::Refusal;
use crate::keyring::{KeyringError, MIN_PIN};
use crate::random::RandomError;
use crate::store::StoreError;
use crate::sync::StoreFault;
use crate::vault::VaultError;

/// A failure with a stable code and typed parameters; the sentence comes from the catalogue in the reader's language.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceError {
    message: Message,
}

impl DeviceError {
    /// A failure by its code in the catalogue.
    pub fn new(code: &'static str, params: impl IntoIterator<Item = (&'static str, Param)>) -> Self {
        Self {
            message: Message::new(code, params),
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.message.code()
    }

    /// The parameters as text, by name.
    pub fn params(&self) -> Vec<(&'static str, String)> {
        self.message.params().collect()
    }

    /// The catalogue message.
    pub fn message(&self) -> &Message {
        &self.message
    }

    pub(super) fn text(code: &'static str, name: &'static str, value: impl Display) -> Self {
        Self::new(code, [(name, Param::text(value.to_string()))])
    }

    pub(super) fn not_found(what: impl Display) -> Self {
        Self::text("not_found", "what", what)
    }

    /// A file of the user's, outside the device, could not be read or written.
    pub fn of_file(path: &Path, error: std::io::Error) -> Self {
        Self::io(path, error)
    }

    pub(super) fn io(path: &Path, error: std::io::Error) -> Self {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        if matches!(error.kind(), StorageFull | QuotaExceeded) {
            return Self::new("storage_full", []);
        }
        let params = [
            ("path", Param::text(path.display().to_string())),
            ("detail", Param::text(error.to_string())),
        ];
        Self::new("io_failed", params)
    }
}

impl Display for DeviceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message.text(Lang::En))
    }
}

impl std::error::Error for DeviceError {}

impl From<Message> for DeviceError {
    fn from(message: Message) -> Self {
        Self { message }
    }
}

impl From<Refusal> for DeviceError {
    fn from(refusal: Refusal) -> Self {
        Self {
            message: refusal.message,
        }
    }
}

impl From<StoreError> for DeviceError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy => Self::new("db_locked", []),
            StoreError::NoSpace => Self::new("storage_full", []),
            StoreError::Damaged(_) => Self::new("db_damaged", []),
            StoreError::Newer { found, .. } => Self::text("db_newer", "version", found),
            StoreError::Unknown(id) => Self::not_found(id),
            StoreError::Absent(what) => Self::not_found(what),
            StoreError::NoNumber { form } => Self::text("number_exhausted", "form", form),
            StoreError::Keys(error) => error.into(),
            StoreError::Seal(SealError::Sign(error)) => Self::text("key_refused", "detail", error),
            StoreError::Seal(SealError::Header(error)) => Self::text("record_limits", "detail", error),
            StoreError::Body(error) => Self::text("record_limits", "detail", error),
            StoreError::LifeOver => Self::new("life_over", []),
            StoreError::TooManyHeads => Self::new("too_many_values", []),
            StoreError::Frame(error) => Self::text("store_unreadable", "detail", error),
            StoreError::KeyLog(error) => Self::text("store_unreadable", "detail", error),
            StoreError::Sqlite(error) => Self::text("db_failed", "detail", error),
            StoreError::Random(error) => error.into(),
            StoreError::Cancelled => Self::new("check_cancelled", []),
            StoreError::File { path, source, .. } => Self::io(&path, source),
            stopped @ StoreError::Stopped(_) => Self::text("seal_failed", "detail", stopped),
        }
    }
}

impl From<VaultError> for DeviceError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::NoSpace { .. } => Self::new("storage_full", []),
            VaultError::Changed { .. } => Self::new("blob_changed", []),
            VaultError::Io { path, source, .. } => Self::io(&path, source),
            VaultError::Source(source) => Self::io(Path::new("-"), source),
            VaultError::WeakEscrowKey => Self::new("escrow_unusable", []),
            VaultError::Random(error) => error.into(),
            VaultError::Stopped => Self::new("check_cancelled", []),
        }
    }
}

impl From<KeyringError> for DeviceError {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Absent(_) => Self::new("not_enrolled", []),
            KeyringError::Exists(folder) => Self::text("already_enrolled", "label", folder.display()),
            KeyringError::PinTooShort => Self::new("pin_weak", [("least", Param::Count(MIN_PIN as u64))]),
            KeyringError::PinWrong { left, wait_s: 0 } => Self::new("pin_wrong", [("left", Param::Count(left.into()))]),
            KeyringError::PinWrong { wait_s, .. } | KeyringError::PinWait { wait_s } => {
                Self::new("pin_wait", [("span", Param::Span(wait_s * 1000))])
            }
            KeyringError::OtherCustody => Self::new("key_store_other", []),
            KeyringError::Sign(error) => Self::text("key_refused", "detail", error),
            KeyringError::UnknownOfficer => Self::text("officer_unknown", "certificate", "?"),
            KeyringError::OfficerExists => Self::text("officer_exists", "certificate", "?"),
            KeyringError::File(error) => error.into(),
            KeyringError::Random(error) => error.into(),
            KeyringError::Damaged(why) => Self::text("keys_damaged", "detail", why),
            KeyringError::Key(error) => Self::text("keys_damaged", "detail", error),
        }
    }
}

impl From<RandomError> for DeviceError {
    fn from(error: RandomError) -> Self {
        Self::text("no_randomness", "detail", error)
    }
}

impl From<IdError> for DeviceError {
    fn from(error: IdError) -> Self {
        Self::not_found(error)
    }
}

impl From<DeviceError> for StoreFault {
    fn from(error: DeviceError) -> Self {
        StoreFault {
            code: error.code(),
            detail: error.to_string(),
        }
    }
}
