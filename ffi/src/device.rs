//! The device as one object.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fieldseal_core::clock::SystemClock;
use fieldseal_core::device::{self as core, EnrolmentCard, FieldDevice, Ports};
use fieldseal_core::keyring::{EnrolmentState, Role};
use fieldseal_core::random::OsRandom;
use fieldseal_core::vault::FileSystem;
use fieldseal_proof::ids::to_hex;
use fieldseal_proof::key_log::Custody;
use fieldseal_proof::suite::Suite;

use crate::error::{FieldsealError, Problem};
use crate::guard::guarded;
use crate::host::{Cancel, ForeignClock, ForeignKeys, HostClock, HostKeys, ProgressListener};
use crate::stream::Looker;

/// How long a call waits for another process of the same device, unless the options say otherwise.
const WAIT_MS: u64 = 10_000;

/// What a device is given from outside.
#[derive(Clone, uniffi::Record)]
pub struct DeviceOptions {
    /// The host's clock; the operating system's without one.
    #[uniffi(default = None)]
    pub clock: Option<Arc<dyn HostClock>>,
    /// The platform's key store; files of the device's folder without one.
    #[uniffi(default = None)]
    pub keys: Option<Arc<dyn HostKeys>>,
    /// How long a call waits for another process or thread at work on the same device, in milliseconds; 10 s if left out.
    #[uniffi(default = None)]
    pub wait_ms: Option<u64>,
    /// Folders with fonts for documents; the system's if left out.
    #[uniffi(default = [])]
    pub font_folders: Vec<String>,
}

/// Suite of the operation key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum KeySuite {
    /// Ed25519.
    Ed25519,
    /// ECDSA on P-256: the only one that a platform's key store has.
    P256,
}

/// What an enrolment text says: shown before a device is made with it.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Card {
    /// The server's address.
    pub url: String,
    /// SHA-256 of the public key (SubjectPublicKeyInfo, DER) of the server's certificate, hex: the only one that is accepted.
    pub tls_sha256: String,
    /// Name of the agency's log.
    pub log: String,
    /// Fingerprint of the agency's root key.
    pub root_fingerprint: String,
    /// What the administrator calls the device.
    pub label: String,
    /// For a supervisor's laptop instead of a tablet.
    pub supervisor: bool,
}

/// Where an enrolment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum EnrolmentStage {
    /// Keys are made; the server does not know of them.
    New,
    /// The server has the request; an administrator has to approve it.
    Pending,
    /// The keys stand in the key log.
    Approved,
}

impl From<EnrolmentState> for EnrolmentStage {
    fn from(state: EnrolmentState) -> Self {
        match state {
            EnrolmentState::New => Self::New,
            EnrolmentState::Pending => Self::Pending,
            EnrolmentState::Approved => Self::Approved,
        }
    }
}

/// Who the device is, and how far its enrolment has come.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Identity {
    /// This device, for life.
    pub device: String,
    /// The present life of its store.
    pub incarnation: String,
    /// What people call it.
    pub label: String,
    /// A supervisor's laptop instead of a tablet.
    pub supervisor: bool,
    /// `hardware` or `software`: where the operation key is.
    pub custody: String,
    /// Fingerprint of the operation key; the administrator compares it.
    pub fingerprint: String,
    /// How far the enrolment has come.
    pub enrolment: EnrolmentStage,
    /// The server's id of the request.
    pub request: Option<String>,
    /// The server's address.
    pub server: String,
}

/// What a start had to do; everything empty after a clean stop.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Started {
    /// The database was damaged: set aside whole, and what came over into a new one.
    pub salvaged: bool,
    /// The store was put back from a copy: a new life began, and its key wants to be enrolled.
    pub new_life: bool,
    /// Evidence files that a cut left without a record; kept, unsealed.
    pub recovered_files: u64,
    /// Files that are gone.
    pub missing_files: u64,
    /// By how much the clock moved since the last start of the same boot, in milliseconds.
    pub clock_moved_ms: Option<i64>,
    /// What to show the user.
    pub remarks: Vec<Problem>,
}

/// Counts by state, never one tick.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Status {
    /// Edits that are not signed.
    pub drafts: u64,
    /// Signed operations that only this device has.
    pub waiting: u64,
    /// Operations whose receipt the server signed.
    pub received: u64,
    /// Operations whose place in the log was checked.
    pub in_log: u64,
    /// Evidence files that wait to be sent, and their bytes.
    pub files_waiting: u64,
    /// Bytes of those files.
    pub file_bytes_waiting: u64,
    /// Operations that the server set aside, waiting for a supervisor.
    pub quarantined: u64,
    /// Files found at a start that no operation names.
    pub unsealed_files: u64,
    /// Files that are changed or missing.
    pub broken_files: u64,
    /// Age of the oldest operation that only this device has, in milliseconds.
    pub oldest_waiting_ms: Option<u64>,
    /// Free bytes of the disk.
    pub free_bytes: u64,
    /// What to show the user: storage low, clock set by hand.
    pub remarks: Vec<Problem>,
}

/// What a check of the whole device found.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct DeviceCheck {
    /// Whether everything is as it was written.
    pub clean: bool,
    /// Operations read.
    pub operations: u64,
    /// Evidence files read.
    pub files: u64,
    /// What is not as it was written: code and subject.
    pub faults: Vec<String>,
}

/// The device. One object per folder is enough for an app; it may be used from any thread, and several processes may have
/// the same folder open.
#[derive(uniffi::Object)]
pub struct Device {
    pub(crate) device: Arc<FieldDevice>,
    started: Started,
    /// Where the host keeps its fonts.
    #[cfg(feature = "render")]
    pub(crate) font_folders: Vec<String>,
    #[cfg(feature = "render")]
    pub(crate) renderer: crate::documents::HeldRenderer,
}

/// Reads an enrolment text, from a QR code or typed, without making anything.
#[uniffi::export]
pub fn read_enrolment_text(text: String) -> Result<Card, FieldsealError> {
    guarded(|| Ok(card(&EnrolmentCard::parse(&text)?)))
}

#[uniffi::export]
impl Device {
    /// Makes a device in an empty folder from an enrolment text: keys, store, vault, its first operation. The first sync
    /// sends its request. Without a suite the key store's own is taken: P-256 of a platform's, Ed25519 of the device's folder.
    /// Another suite than a platform has is refused with `key_suite`.
    #[uniffi::constructor]
    pub fn enrol(
        folder: String,
        text: String,
        label: Option<String>,
        suite: Option<KeySuite>,
        options: DeviceOptions,
    ) -> Result<Arc<Self>, FieldsealError> {
        guarded(|| {
            let suite = match (suite, &options.keys) {
                (Some(KeySuite::Ed25519), _) | (None, None) => Suite::Ed25519,
                (Some(KeySuite::P256), _) | (None, Some(_)) => Suite::P256,
            };
            let folder = Path::new(&folder);
            let ports = ports(&options)?;
            drop(FieldDevice::create(folder, &text, suite, label.as_deref(), ports)?);
            Self::opened(folder, options)
        })
    }

    /// Opens the device of a folder; repairs and sweeps what a cut left behind.
    #[uniffi::constructor]
    pub fn open(folder: String, options: DeviceOptions) -> Result<Arc<Self>, FieldsealError> {
        guarded(|| Self::opened(Path::new(&folder), options))
    }

    /// What the start had to do.
    pub fn started(&self) -> Started {
        self.started.clone()
    }

    /// Who it is.
    pub fn identity(&self) -> Result<Identity, FieldsealError> {
        guarded(|| {
            let (identity, (key, custody)) = (self.device.identity(), self.device.operation_key()?);
            let custody = match custody {
                Custody::Hardware => "hardware",
                _ => "software",
            };
            Ok(Identity {
                device: identity.device.to_string(),
                incarnation: identity.incarnation.to_string(),
                label: identity.label,
                supervisor: identity.role == Role::Supervisor,
                custody: custody.to_owned(),
                fingerprint: key.fingerprint(),
                enrolment: self.device.enrolment_state()?.into(),
                request: self.device.enrolment_request(),
                server: self.device.card().url.clone(),
            })
        })
    }

    /// The server and root that it was enrolled with.
    pub fn card(&self) -> Card {
        card(self.device.card())
    }

    /// What stands where.
    pub fn status(&self) -> Result<Status, FieldsealError> {
        guarded(|| {
            let status = self.device.status()?;
            let pending = status.pending;
            let mut quarantined = 0;
            for row in self.device.inspections()? {
                quarantined += self.device.inspection(row.inspection)?.state.quarantine().len() as u64;
            }
            Ok(Status {
                drafts: status.drafts,
                waiting: pending.waiting,
                received: pending.received,
                in_log: pending.logged,
                files_waiting: pending.blobs,
                file_bytes_waiting: pending.blob_bytes,
                quarantined,
                unsealed_files: status.unsealed_files,
                broken_files: status.broken_files,
                oldest_waiting_ms: status.oldest_waiting_ms,
                free_bytes: status.free_bytes,
                remarks: status.remarks.iter().map(Problem::from).collect(),
            })
        })
    }

    /// Takes note of the battery's charge in percent, as the platform says it. The next sync tells the server, with clock and
    /// free storage, so that a supervisor sees a tablet that is about to go out.
    pub fn tell_battery(&self, percent: u8) {
        self.device.tell_battery(percent);
    }

    /// Reads everything again and compares it with what was signed. Takes as long as reading all evidence does; the listener
    /// is told its bytes under `check`. After a cancel it returns once the piece of 64 KiB under way is read.
    #[uniffi::method(default(listener = None, cancel = None))]
    pub fn check_everything(
        &self,
        listener: Option<Arc<dyn ProgressListener>>,
        cancel: Option<Arc<Cancel>>,
    ) -> Result<DeviceCheck, FieldsealError> {
        guarded(|| {
            let mut looker = Looker::new("check", listener, cancel);
            let found = self.device.fsck(&mut |moved| looker.moved(moved));
            let found = looker.settle("check_cancelled", found.map_err(FieldsealError::from))?;
            let faults = found.store.faults.iter().chain(&found.file_faults);
            Ok(DeviceCheck {
                clean: found.is_clean(),
                operations: found.store.operations,
                files: found.files,
                faults: faults
                    .map(|fault| format!("{} {}", fault.code, fault.subject))
                    .collect(),
            })
        })
    }

    /// Writes everything that only this device has into a new file, for a stick: requests, operations and drafts first, then
    /// the files, the small ones first. What does not read or does not fit is left out and named, and the rest goes on. Nothing
    /// on the device changes. The listener is told the files' bytes under `rescue`; a file that was cancelled is removed.
    #[uniffi::method(default(listener = None, cancel = None))]
    pub fn rescue(
        &self,
        path: String,
        listener: Option<Arc<dyn ProgressListener>>,
        cancel: Option<Arc<Cancel>>,
    ) -> Result<Rescued, FieldsealError> {
        guarded(|| {
            let path = PathBuf::from(path);
            let unwritable = |error: std::io::Error| core::DeviceError::of_file(&path, error);
            let file = std::fs::OpenOptions::new().write(true).create_new(true).open(&path);
            let mut file = file.map_err(unwritable)?;
            let mut looker = Looker::new("rescue", listener, cancel);
            let report = self.device.rescue(&mut file, &mut |moved| looker.moved(moved));
            let report = looker.settle("rescue_cancelled", report.map_err(FieldsealError::from));
            if matches!(report, Err(FieldsealError::Stopped { .. })) {
                // Whoever stops it wants no half of it; a file that broke off by itself stays, because its records read.
                let _ = std::fs::remove_file(&path);
            }
            let report = report?;
            file.sync_all().map_err(unwritable)?;
            let left_out = report.left_out.into_iter().map(|left| LeftOut {
                what: left.what,
                size: left.size,
                code: left.code.to_owned(),
            });
            Ok(Rescued {
                operations: report.operations,
                drafts: report.drafts,
                requests: report.requests,
                files: report.blobs,
                bytes: report.bytes,
                left_out: left_out.collect(),
            })
        })
    }
}

/// What a rescue file holds.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Rescued {
    /// Operations.
    pub operations: u64,
    /// Edits that nobody has signed.
    pub drafts: u64,
    /// Enrolment requests that the server does not have.
    pub requests: u64,
    /// Evidence files.
    pub files: u64,
    /// Bytes of the whole file.
    pub bytes: u64,
    /// What the device has and the file has not: say so, and keep the device.
    pub left_out: Vec<LeftOut>,
}

/// Something that did not come along in a rescue file.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct LeftOut {
    /// SHA-256 of an evidence file, or `drafts`, or `requests`.
    pub what: String,
    /// Bytes of the file.
    pub size: u64,
    /// Why, as a code of the catalogue.
    pub code: String,
}

impl Device {
    fn opened(folder: &Path, options: DeviceOptions) -> Result<Arc<Self>, FieldsealError> {
        let (device, report) = FieldDevice::open(folder, ports(&options)?)?;
        Ok(Arc::new(Self {
            device: Arc::new(device),
            started: started(&report),
            #[cfg(feature = "render")]
            font_folders: options.font_folders,
            #[cfg(feature = "render")]
            renderer: crate::documents::HeldRenderer::default(),
        }))
    }
}

fn ports(options: &DeviceOptions) -> Result<Ports, FieldsealError> {
    let random = Arc::new(OsRandom);
    Ok(Ports {
        clock: match &options.clock {
            Some(clock) => Arc::new(ForeignClock(Arc::clone(clock))),
            None => Arc::new(SystemClock::new(&*random).map_err(core::DeviceError::from)?),
        },
        random,
        space: Arc::new(FileSystem),
        wait_ms: options.wait_ms.unwrap_or(WAIT_MS),
        platform: options
            .keys
            .as_ref()
            .map(|keys| Arc::new(ForeignKeys(Arc::clone(keys))) as _),
    })
}

fn card(card: &EnrolmentCard) -> Card {
    Card {
        url: card.url.clone(),
        tls_sha256: to_hex(&card.tls_sha256),
        log: card.log.name().to_owned(),
        root_fingerprint: card.root.fingerprint(),
        label: card.label.clone(),
        supervisor: card.role == Role::Supervisor,
    }
}

fn started(report: &core::StartReport) -> Started {
    use fieldseal_core::catalogue::Param;
    let swept = report.swept.as_ref();
    let (recovered, missing) = (
        swept.map_or(0, |swept| swept.adopted.len() as u64),
        swept.map_or(0, |swept| swept.missing.len() as u64),
    );
    let mut remarks = Vec::new();
    if report.salvage.is_some() {
        remarks.push(Problem::new("db_damaged", &[]));
    }
    if report.new_incarnation {
        remarks.push(Problem::new("awaiting_approval", &[]));
    }
    if recovered > 0 {
        remarks.push(Problem::new("recovered_orphans", &[("count", Param::Count(recovered))]));
    }
    if let Some(jump) = report.clock_jump {
        remarks.push(Problem::new(
            "clock_jump",
            &[("span", Param::Span(jump.by_ms.unsigned_abs()))],
        ));
    }
    Started {
        salvaged: report.salvage.is_some(),
        new_life: report.new_incarnation,
        recovered_files: recovered,
        missing_files: missing,
        clock_moved_ms: report.clock_jump.map(|jump| jump.by_ms),
        remarks,
    }
}
