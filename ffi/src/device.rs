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
use crate::host::{ForeignClock, ForeignKeys, HostClock, HostKeys};

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

/// Suite of the operation key, where no platform key store makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum KeySuite {
    /// Ed25519.
    Ed25519,
    /// ECDSA on P-256.
    P256,
}

/// What an enrolment text says: shown before a device is made with it.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Card {
    /// The server's address.
    pub url: String,
    /// SHA-256 of the server's certificate, hex: the only one that is accepted.
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
    pub(crate) options: DeviceOptions,
    started: Started,
    #[cfg(feature = "render")]
    pub(crate) renderer: std::sync::Mutex<Option<Arc<fieldseal_render::Renderer>>>,
}

/// Reads an enrolment text, from a QR code or typed, without making anything.
#[uniffi::export]
pub fn read_enrolment_text(text: String) -> Result<Card, FieldsealError> {
    guarded(|| Ok(card(&EnrolmentCard::parse(&text)?)))
}

#[uniffi::export]
impl Device {
    /// Makes a device in an empty folder from an enrolment text: keys, store, vault, its first operation. The first sync
    /// sends its request. With a platform key store the suite is P-256 whatever is asked for.
    #[uniffi::constructor]
    pub fn enrol(
        folder: String,
        text: String,
        label: Option<String>,
        suite: KeySuite,
        options: DeviceOptions,
    ) -> Result<Arc<Self>, FieldsealError> {
        guarded(|| {
            let suite = match suite {
                KeySuite::Ed25519 => Suite::Ed25519,
                KeySuite::P256 => Suite::P256,
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

    /// Reads everything again and compares it with what was signed. Takes as long as reading all evidence does.
    pub fn check_everything(&self) -> Result<DeviceCheck, FieldsealError> {
        guarded(|| {
            let found = self.device.fsck()?;
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

    /// Writes everything that the server has not receipted into a new file, for a stick. Nothing on the device changes.
    pub fn rescue(&self, path: String) -> Result<Rescued, FieldsealError> {
        guarded(|| {
            let path = PathBuf::from(path);
            let unwritable = |error: std::io::Error| core::DeviceError::of_file(&path, error);
            let file = std::fs::OpenOptions::new().write(true).create_new(true).open(&path);
            let mut file = std::io::BufWriter::new(file.map_err(unwritable)?);
            let report = self.device.rescue(&mut file)?;
            let file = file.into_inner().map_err(|error| unwritable(error.into_error()))?;
            file.sync_all().map_err(unwritable)?;
            Ok(Rescued {
                operations: report.operations,
                files: report.blobs,
                bytes: report.bytes,
            })
        })
    }
}

/// What a rescue file holds.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Rescued {
    /// Operations.
    pub operations: u64,
    /// Evidence files.
    pub files: u64,
    /// Bytes of the whole file.
    pub bytes: u64,
}

impl Device {
    fn opened(folder: &Path, options: DeviceOptions) -> Result<Arc<Self>, FieldsealError> {
        let (device, report) = FieldDevice::open(folder, ports(&options)?)?;
        Ok(Arc::new(Self {
            device: Arc::new(device),
            options,
            started: started(&report),
            #[cfg(feature = "render")]
            renderer: std::sync::Mutex::default(),
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
