//! What an app gives: clock, key store, streams, listeners, and the wish to stop. Every trait is called from the thread
//! that made the call, or from a capture's own; an exception in one ends the call with the code `host_failed`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fieldseal_core::clock::{Clock, DeviceTime};
use fieldseal_core::keyring::PlatformKeys;
use fieldseal_core::sync;
use fieldseal_proof::ids::BootId;
use fieldseal_proof::suite::SignError;
use zeroize::Zeroizing;

use crate::guard::HostFailure;

/// What a host answers when it cannot do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum HostError {
    /// It did not work; the words end up in the sentence that the user sees.
    #[error("{detail}")]
    Failed {
        /// What happened.
        detail: String,
    },
}

impl From<uniffi::UnexpectedUniFFICallbackError> for HostError {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed { detail: error.reason }
    }
}

/// One reading of the host's clocks. All of it is a claim of the device.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ClockReading {
    /// Milliseconds since 1970 UTC.
    pub wall_ms: u64,
    /// Which start of the system the next number counts from: a UUID that changes with every boot.
    pub boot: String,
    /// Milliseconds since that start, sleep included; never runs backwards.
    pub monotonic_ms: u64,
    /// Whether the user set the clock by hand, where the platform says so.
    pub by_hand: bool,
}

/// The host's clock; without one the operating system's is read.
#[uniffi::export(with_foreign)]
pub trait HostClock: Send + Sync {
    /// Reads the clocks now. Asked often: keep it cheap.
    fn now(&self) -> Result<ClockReading, HostError>;
}

/// The platform's key store: Android Keystore or StrongBox, Secure Enclave. A device stays with the one it was made with.
#[uniffi::export(with_foreign)]
pub trait HostKeys: Send + Sync {
    /// 32 bytes that open the device's database and keys: made at random once, kept by the platform, never in a backup.
    fn device_secret(&self) -> Result<Vec<u8>, HostError>;
    /// The public half of the P-256 key of this name, which the first call makes and which never leaves the hardware: SEC1
    /// (33 or 65 bytes), or the DER of a SubjectPublicKeyInfo as `getEncoded()` gives it.
    fn public_key(&self, name: String) -> Result<Vec<u8>, HostError>;
    /// ECDSA with SHA-256 over the message by the key of this name: DER, or `r ‖ s` of 64 bytes.
    fn sign(&self, name: String, message: Vec<u8>) -> Result<Vec<u8>, HostError>;
}

/// Bytes from the host: a camera, a recorder, a file that only the host can open.
#[uniffi::export(with_foreign)]
pub trait ByteSource: Send + Sync {
    /// The next bytes, at most `most`; empty at the end.
    fn read(&self, most: u32) -> Result<Vec<u8>, HostError>;
}

/// How far something is. Called at most ten times a second while bytes move, and at each step of a sync.
#[uniffi::export(with_foreign)]
pub trait ProgressListener: Send + Sync {
    /// Where it stands.
    fn moved(&self, progress: Progress) -> Result<(), HostError>;
}

/// Where something stands.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Progress {
    /// `capture`, `rescue`, `check`, `verify`; `fonts`, `typesetting`, `sealing` of a document; or the step of a sync: `enrolment`, `server`, `key_log`, `push`, `feed`, `packs`, `log`, `blobs`,
    /// `waiting`, `numbers`, `done`.
    pub step: String,
    /// Bytes that are done.
    pub bytes: u64,
    /// Bytes in all; 0 while nobody knows.
    pub total_bytes: u64,
    /// Operations that still waited when the step began.
    pub operations_left: u64,
    /// Evidence bytes a second that the line carried of late; only of a sync, and not before it was measured.
    pub bytes_per_s: Option<u64>,
    /// Milliseconds that the evidence may still take at this rate; an estimate.
    pub left_ms: Option<u64>,
}

impl Progress {
    pub(crate) fn of_sync(progress: &sync::Progress) -> Self {
        Self {
            step: progress.step.to_owned(),
            bytes: progress.sent_bytes + progress.moving_bytes,
            total_bytes: progress.total_bytes,
            operations_left: progress.waiting.operations,
            bytes_per_s: progress.bytes_per_s,
            left_ms: progress.left_ms(),
        }
    }
}

/// Ends what is under way, from any thread; the call that was given it returns within a tenth of a second. Reading and writing
/// evidence looks at it after every 64 KiB, reading a bundle after every 256 KiB.
#[derive(Default, uniffi::Object)]
pub struct Cancel {
    set: AtomicBool,
    #[cfg(feature = "transport")]
    pub(crate) network: fieldseal_transport::Cancel,
}

#[uniffi::export]
impl Cancel {
    /// One that is not set.
    #[uniffi::constructor]
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Ends it. What arrived stays.
    pub fn cancel(&self) {
        self.set.store(true, Ordering::Release);
        #[cfg(feature = "transport")]
        self.network.cancel();
    }

    /// Whether it was ended.
    pub fn is_cancelled(&self) -> bool {
        self.set.load(Ordering::Acquire)
    }
}

/// The host's clock as the library's port.
pub(crate) struct ForeignClock(pub Arc<dyn HostClock>);

impl ForeignClock {
    fn read(&self) -> ClockReading {
        self.0.now().unwrap_or_else(|error| HostFailure::leave("clock", error))
    }
}

impl Clock for ForeignClock {
    fn now(&self) -> DeviceTime {
        let reading = self.read();
        let boot: BootId = reading
            .boot
            .parse()
            .unwrap_or_else(|error| HostFailure::leave("clock", format!("boot {:?}: {error}", reading.boot)));
        DeviceTime {
            wall_ms: reading.wall_ms,
            boot,
            monotonic_ms: reading.monotonic_ms,
        }
    }

    fn set_by_hand(&self) -> bool {
        self.read().by_hand
    }
}

/// The host's key store as the library's port.
pub(crate) struct ForeignKeys(pub Arc<dyn HostKeys>);

fn unsigned(error: HostError) -> SignError {
    SignError(error.to_string())
}

impl PlatformKeys for ForeignKeys {
    fn device_secret(&self) -> Result<Zeroizing<[u8; 32]>, SignError> {
        let bytes = Zeroizing::new(self.0.device_secret().map_err(unsigned)?);
        let secret = bytes.as_slice().try_into();
        secret
            .map(Zeroizing::new)
            .map_err(|_| SignError(format!("the device secret has {} bytes instead of 32", bytes.len())))
    }

    fn public_key(&self, name: &str) -> Result<Vec<u8>, SignError> {
        self.0.public_key(name.to_owned()).map_err(unsigned)
    }

    fn sign(&self, name: &str, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.0.sign(name.to_owned(), message.to_vec()).map_err(unsigned)
    }
}
