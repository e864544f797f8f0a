//! A tablet, or a supervisor's laptop, as one object: what the command line, the bindings and the transport drive.
//!
//! ```text
//! words of the field ──domain──▶ act ──append──▶ operation ──sync──▶ server
//! camera, file       ──vault───▶ evidence file ──evidence.seal──▶
//! ```
//!
//! Nothing here waits for a network. Every method returns after its effect is durable, and fails with a [`DeviceError`] whose
//! message says what happened, what is safe and what to do.

mod capture;
mod card;
mod defaults;
mod documents;
mod drafts;
mod enrolling;
mod enrolment;
mod error;
mod field;
mod fsck;
mod inspections;
mod orphans;
mod packs;
mod papers;
mod people;
mod planning;
mod registry;
mod rescue;
mod rescue_reader;
pub(crate) mod rescue_writer;
mod reviews;
mod send_rules;
mod status;
mod supervise;
mod sync_port;
mod visit;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fieldseal_proof::ids::{CaseId, IncarnationId, InspectionId, OpId};
use fieldseal_proof::operation::RequiredSigner;
use fieldseal_proof::suite::Suite;

use crate::clock::{Clock, ClockJump, DeviceTime};
use crate::domain::{Act, Day, Line, device_open};
use crate::keyring::{FileKeyStore, Identity, KeyStore, NewDevice, PlatformKeys};
use crate::operation::NewOperation;
use crate::pack::{PackFile, RulePack};
use crate::random::{Random, uuid};
use crate::store::{BlobRow, BlobState, Salvage, Store, StorePorts};
use crate::vault::{EscrowKey, Space, SweptVault, Vault};

pub use capture::{Captured, NewEvidence, StorageLeft};
pub use card::EnrolmentCard;
pub use documents::{IssuedDocument, NewDocument, PaperPlace};
pub use enrolling::{Enrolling, EnrolmentRound, RefusedRequest};
pub use enrolment::{DeviceEnrolment, OfficerEnrolment};
pub use error::DeviceError;
pub use field::{NewCredentials, NewFinding, NewOrderItem, NewStatement};
pub use fsck::Fsck;
pub use inspections::{InspectionRow, InspectionView};
pub use orphans::Orphan;
pub use papers::{PreparedDocument, Printed, Typesetting};
pub use people::Unlocked;
pub use planning::NewInspection;
pub use registry::{EnterpriseRow, NewEnterprise};
pub use rescue::{LeftOut, RescueReport};
pub use rescue_reader::{RescueReader, RescueRecord};
pub use rescue_writer::RescueTarget;
pub use send_rules::{Network, SendRule, SendRules};
pub use status::DeviceStatus;
pub use sync_port::SyncPort;
pub use visit::{Visit, VisitOptions, VisitReport, VisitStep};

/// What a device is given from outside.
#[derive(Clone)]
pub struct Ports {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Free space.
    pub space: Arc<dyn Space>,
    /// How long to wait for another process, in milliseconds.
    pub wait_ms: u64,
    /// The platform's key store, where it has one; a device stays with what it was made with.
    pub platform: Option<Arc<dyn PlatformKeys>>,
}

/// What a start had to do; empty after a clean stop.
#[derive(Debug, Default)]
pub struct StartReport {
    /// The database was damaged: where it stands now, and what came over.
    pub salvage: Option<Salvage>,
    /// The store was restored or set back: a new life began, and its key wants to be enrolled.
    pub new_incarnation: bool,
    /// What the sweep of the vault found; `None` when another process is at work.
    pub swept: Option<SweptVault>,
    /// The clock moved since the last start of the device's system.
    pub clock_jump: Option<ClockJump>,
    /// The clock was set by hand.
    pub clock_by_hand: bool,
}

/// The database key, wrapped to the tenant's escrow, in a device's folder (vault.md).
pub(crate) const STORE_ESCROW: &str = "store.escrow";

/// The device.
pub struct FieldDevice {
    folder: PathBuf,
    keys: Arc<dyn KeyStore>,
    store: Store,
    vault: Vault,
    card: EnrolmentCard,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    people: Mutex<Vec<Unlocked>>,
    last_reading: Mutex<DeviceTime>,
    /// The pack in force, once it was parsed.
    pack: Mutex<Option<Arc<RulePack>>>,
    /// How long a PIN holds; asked of the pack once.
    session_ms: std::sync::OnceLock<u64>,
    /// Charge of the battery, as the host last told.
    battery: Mutex<Option<u8>>,
}

impl FieldDevice {
    /// Makes a device in a folder: keys, store, vault, and its first operation. Its enrolment is then to be sent.
    ///
    /// # Errors
    /// `already_enrolled` when the folder holds a device, `enrolment_text` when the card does not read, `key_suite` when a
    /// platform's key store is given and `suite` is not P-256, the only one that it has.
    pub fn create(
        folder: &Path,
        text: &str,
        suite: Suite,
        label: Option<&str>,
        ports: Ports,
    ) -> Result<Self, DeviceError> {
        let card = EnrolmentCard::parse(text)?;
        if ports.platform.is_some() && suite != Suite::P256 {
            return Err(DeviceError::new("key_suite", []));
        }
        std::fs::create_dir_all(folder).map_err(|e| DeviceError::io(folder, e))?;
        let label = Line::parse("label", label.unwrap_or(&card.label))?;
        let new = NewDevice {
            tenant: card.tenant,
            role: card.role,
            label: label.as_str().to_owned(),
            suite,
            card: text.trim().to_owned(),
        };
        FileKeyStore::create(folder, new, ports.random.clone(), ports.platform.clone())?;
        Ok(Self::open(folder, ports)?.0)
    }

    /// Opens the device of a folder; repairs and sweeps what a cut left behind.
    ///
    /// # Errors
    /// `not_enrolled` when the folder holds no device, `db_locked`, `db_newer`, or files that cannot be read.
    pub fn open(folder: &Path, ports: Ports) -> Result<(Self, StartReport), DeviceError> {
        let keys: Arc<dyn KeyStore> = Arc::new(FileKeyStore::open(
            folder,
            ports.random.clone(),
            ports.platform.clone(),
        )?);
        let card = EnrolmentCard::parse(&keys.standing().card)?;
        let store_ports = StorePorts {
            clock: ports.clock.clone(),
            random: ports.random.clone(),
            wait_ms: ports.wait_ms,
            max_pages: None,
        };
        let (store, started) = Store::open(folder, &*keys, &store_ports)?;
        store.share_keys(Arc::clone(&keys));
        let vault = Vault::open(
            &folder.join("vault"),
            keys.vault_key(),
            ports.random.clone(),
            ports.space,
        )?;
        let now = ports.clock.now();
        let device = Self {
            folder: folder.to_owned(),
            keys,
            store,
            vault,
            card,
            clock: ports.clock,
            random: ports.random,
            people: Mutex::new(Vec::new()),
            last_reading: Mutex::new(now),
            pack: Mutex::new(None),
            session_ms: std::sync::OnceLock::new(),
            battery: Mutex::new(None),
        };
        device.settle_escrow()?;
        device.settle_opening()?;
        let mut report = StartReport {
            salvage: started.salvage,
            new_incarnation: started.new_incarnation,
            swept: None,
            clock_jump: device.settle_clock(now)?,
            clock_by_hand: device.clock.set_by_hand(),
        };
        if started.alone {
            report.swept = Some(device.sweep()?);
        }
        Ok((device, report))
    }

    /// Ends the life `incarnation`, if that is the present one: the server holds operations of it that this device did not write, so
    /// another copy of this folder signs with the same key. From here on everything is written in a new life, with a fresh key to
    /// be enrolled; what was written before stays and is handed in. Returns whether a new life began.
    ///
    /// # Errors
    /// When database or key file cannot be written.
    pub fn end_life(&self, incarnation: IncarnationId) -> Result<bool, DeviceError> {
        let begun = self.store.end_life(&*self.keys, incarnation)?.is_some();
        if begun {
            self.settle_opening()?;
        }
        Ok(begun)
    }

    /// Who this device is.
    pub fn identity(&self) -> Identity {
        self.store.identity()
    }

    /// The server and trust root of the enrolment.
    pub fn card(&self) -> &EnrolmentCard {
        &self.card
    }

    /// The store, for what this façade does not wrap.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The vault, for what this façade does not wrap.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The device's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads the clock, and tells when it moved against the time that ran since the last call.
    pub fn clock_reading(&self) -> (DeviceTime, Option<ClockJump>) {
        let now = self.clock.now();
        let mut last = lock(&self.last_reading);
        let jump = ClockJump::between(*last, now);
        *last = now;
        (now, jump)
    }

    /// The rule pack in force on this device.
    ///
    /// # Errors
    /// `no_pack` before the first one was fetched.
    pub fn pack(&self) -> Result<Arc<RulePack>, DeviceError> {
        let Some(hash) = self.store.pack_in_force()? else {
            let day = Day::of_ms(self.clock.now().wall_ms, 0).map(|day| day.to_string());
            return Err(DeviceError::text("no_pack", "date", day.unwrap_or_default()));
        };
        let mut held = lock(&self.pack);
        if let Some(pack) = held.as_ref().filter(|pack| pack.hash() == hash) {
            return Ok(pack.clone());
        }
        let unreadable = |error: String| DeviceError::text("pack_unreadable", "detail", error);
        let file = PackFile::decode(&self.store.pack(hash)?).map_err(|e| unreadable(e.to_string()))?;
        let pack = Arc::new(RulePack::parse(file.pack()).map_err(|e| unreadable(e.to_string()))?);
        *held = Some(pack.clone());
        Ok(pack)
    }

    /// The day where the agency is, by the device's clock.
    pub fn today(&self, pack: &RulePack) -> Day {
        let offset = pack.head().utc_offset_minutes;
        // A clock outside the calendar's range is shown as its first day; the operation carries the true reading.
        Day::of_ms(self.clock.now().wall_ms, offset)
            .or_else(|| Day::of_ms(0, 0))
            .unwrap_or_else(|| unreachable!("1970 is in the calendar"))
    }

    /// Signs and keeps an act of the domain in the registry.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub fn record_in_registry(&self, act: Act) -> Result<OpId, DeviceError> {
        self.append(operation_of(act))
    }

    /// Signs and keeps an act of the domain in a case.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub fn record_in_case(&self, case: CaseId, act: Act) -> Result<OpId, DeviceError> {
        self.append(operation_of(act).in_case(case))
    }

    /// Signs and keeps an act of the domain in an inspection.
    ///
    /// # Errors
    /// `not_found` for an inspection that no operation held here speaks of; else as [`Store::append`].
    pub fn record(&self, inspection: InspectionId, act: Act) -> Result<OpId, DeviceError> {
        let case = self.store.case_of(inspection)?;
        self.append(operation_of(act).in_inspection(case, inspection))
    }

    /// Signs and keeps any operation.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub fn append(&self, new: NewOperation) -> Result<OpId, DeviceError> {
        Ok(self.store.append(new, self.session())?)
    }

    fn fresh_id(&self) -> Result<[u8; 16], DeviceError> {
        Ok(uuid(&*self.random)?)
    }

    /// The first operation of each life says whose it is; a cut may have come between its keys and it.
    fn settle_opening(&self) -> Result<(), DeviceError> {
        let tip = self.store.tip(self.identity().incarnation)?;
        if tip.is_some_and(|(next_seq, _)| next_seq == 0) {
            let label = Line::parse("label", &self.identity().label)?;
            let app = Line::parse("app", concat!("fieldseal ", env!("CARGO_PKG_VERSION")))?;
            self.append(operation_of(device_open(label, app)))?;
        }
        Ok(())
    }

    /// New evidence is wrapped to the escrow key that the key log names, and the database key lies beside the database so.
    fn settle_escrow(&self) -> Result<(), DeviceError> {
        let Some(public) = self.store.key_log()?.escrow() else {
            return Ok(());
        };
        let escrow = EscrowKey::parse(public)?;
        let path = self.folder.join(STORE_ESCROW);
        // What stands there opens this database for this escrow: a salvage makes a new database, with a salt of its own.
        let salt = self.keys.database_salt();
        let of = [
            &escrow.key_id().as_bytes()[..],
            salt.as_ref().map_or(&[], |salt| &salt[..]),
        ]
        .concat();
        if self.store.fact("escrow")?.as_deref() != Some(&of[..]) || !path.exists() {
            let wrapped = escrow.wrap_database_key(&self.keys.database_key(), salt, &*self.random)?;
            crate::vault::write_durably(&path, &wrapped)?;
            self.store.set_fact("escrow", &of)?;
        }
        self.vault.set_escrow(Some(escrow));
        Ok(())
    }

    /// Compares the clock with the last reading of an earlier start, and keeps this one.
    fn settle_clock(&self, now: DeviceTime) -> Result<Option<ClockJump>, DeviceError> {
        let last = self.store.fact("clock_reading")?;
        let earlier = last.and_then(|bytes| {
            let (wall, rest) = bytes.split_at_checked(8)?;
            let (boot, monotonic) = rest.split_at_checked(16)?;
            Some(DeviceTime {
                wall_ms: u64::from_be_bytes(wall.try_into().ok()?),
                boot: fieldseal_proof::ids::BootId::from_bytes(boot.try_into().ok()?),
                monotonic_ms: u64::from_be_bytes(monotonic.try_into().ok()?),
            })
        });
        let bytes = [
            &now.wall_ms.to_be_bytes()[..],
            now.boot.as_bytes(),
            &now.monotonic_ms.to_be_bytes(),
        ]
        .concat();
        self.store.set_fact("clock_reading", &bytes)?;
        Ok(earlier.and_then(|earlier| ClockJump::between(earlier, now)))
    }

    /// The server's whole feed was read. After a damage this is when it is known which files are nobody's.
    pub(super) fn feed_read(&self) -> Result<(), DeviceError> {
        if self.store.is_healing()? {
            self.store.healed()?;
            self.settle_orphans(self.store.blobs()?)?;
        }
        Ok(())
    }

    /// Adopts or sets aside what a cut left in the vault; what is adopted is sealed where its capture noted to, else it waits for
    /// a person.
    fn sweep(&self) -> Result<SweptVault, DeviceError> {
        let swept = self.vault.sweep(&self.store.blob_files()?)?;
        for file in &swept.adopted {
            let media_type = crate::media::read(self.vault.read(&file.name)?, file.size).media_type;
            if self
                .store
                .blob(file.sha256)?
                .is_some_and(|row| row.file != file.name && self.vault.holds(&row.file))
            {
                // The same bytes captured twice: the row's file is whole, so the copy is put aside.
                self.vault.set_aside(&file.name)?;
                continue;
            }
            self.store.add_blob(file, &media_type, BlobState::Unsealed, true)?;
        }
        let rows = self.store.blobs()?;
        // After a damage the operations that name these files may be on their way back.
        if !self.store.is_healing()? {
            let adopted = |row: &BlobRow| swept.adopted.iter().any(|file| file.name == row.file);
            self.settle_orphans(rows.iter().filter(|row| adopted(row)).cloned().collect())?;
        }
        for name in &swept.missing {
            let row = rows
                .iter()
                .find(|row| row.file == *name && row.state == BlobState::Sealed);
            if let Some(row) = row {
                self.store.mark_blob(name, BlobState::Missing)?;
                self.note_custody(crate::domain::CustodyKind::Missing, row.sha256, "file missing at start")?;
            }
        }
        Ok(swept)
    }
}

/// An act with an empty place around it.
pub(crate) fn operation_of(act: Act) -> NewOperation {
    let signers = act.signers().iter().cloned().map(RequiredSigner::Role).collect();
    let (kind, fields) = act.into_parts();
    NewOperation {
        fields,
        signers,
        ..NewOperation::new(kind.as_str())
    }
}

/// A lock whose holder cannot leave it broken: the values behind it are replaced whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
