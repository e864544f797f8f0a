//! What stands where: shown to the inspector in plain states, never as one tick.

use super::{DeviceError, FieldDevice, lock};
use crate::catalogue::Param;
use crate::keyring::{EnrolmentState, Identity};
use crate::store::{BlobState, PendingCounts};
use crate::sync::Health;

/// Counts by state, and what an inspector should know.
#[derive(Debug, Clone)]
pub struct DeviceStatus {
    /// Who this device is.
    pub identity: Identity,
    /// How far its enrolment has come.
    pub enrolment: EnrolmentState,
    /// Edits that are not signed.
    pub drafts: u64,
    /// Signed operations on their way, and blobs.
    pub pending: PendingCounts,
    /// Files found at a start that no operation names.
    pub unsealed_files: u64,
    /// Files that are changed or missing.
    pub broken_files: u64,
    /// Operations held here that a disposition sets aside.
    pub quarantined: u64,
    /// The database was damaged and the server's feed was not read wholly since.
    pub healing: bool,
    /// Age of the oldest operation or file that only this device has, in milliseconds by its clock.
    pub oldest_waiting_ms: Option<u64>,
    /// Free bytes of the disk.
    pub free_bytes: u64,
    /// Size of the key log held.
    pub key_log_size: u64,
    /// Catalogue messages: clock by hand, storage low, waiting too long.
    pub remarks: Vec<DeviceError>,
}

impl FieldDevice {
    /// The device's status.
    ///
    /// # Errors
    /// When the database does.
    pub fn status(&self) -> Result<DeviceStatus, DeviceError> {
        let now = self.clock.now();
        let pending = self.store.pending()?;
        let blobs = self.store.blobs()?;
        let count = |states: &[BlobState]| blobs.iter().filter(|blob| states.contains(&blob.state)).count() as u64;
        let oldest_waiting_ms = pending
            .oldest_waiting_ms
            .map(|oldest| now.wall_ms.saturating_sub(oldest));
        let free_bytes = self.vault.available()?;
        let mut remarks = Vec::new();
        if self.clock.set_by_hand() {
            let day = crate::domain::Minute::of_ms(now.wall_ms, 0).map(|minute| minute.to_string());
            remarks.push(DeviceError::text("clock_by_hand", "time", day.unwrap_or_default()));
        }
        if let Ok(left) = self.storage_check(0)
            && left.low
        {
            remarks.push(DeviceError::new(
                "storage_low",
                [("minutes", Param::Count(left.minutes))],
            ));
        }
        let limit_ms = self
            .pack()
            .map(|pack| pack.thresholds().unsynced_hours.saturating_mul(HOUR_MS));
        if let (Some(age), Ok(limit)) = (oldest_waiting_ms, limit_ms)
            && age > limit
        {
            remarks.push(DeviceError::new(
                "unsynced_too_long",
                [("span", Param::Span(age)), ("limit", Param::Span(limit))],
            ));
        }
        let unsealed_files = count(&[BlobState::Unsealed]);
        let healing = self.store.is_healing()?;
        if healing {
            remarks.push(DeviceError::new("db_healing", []));
        } else if unsealed_files > 0 {
            remarks.push(DeviceError::new(
                "orphans_wait",
                [("count", Param::Count(unsealed_files))],
            ));
        }
        Ok(DeviceStatus {
            identity: self.identity(),
            enrolment: self.enrolment_state()?,
            drafts: self.store.drafts(None)?.len() as u64,
            pending,
            unsealed_files,
            quarantined: self.store.quarantined()?,
            healing,
            broken_files: count(&[BlobState::Changed, BlobState::Missing]),
            oldest_waiting_ms,
            free_bytes,
            key_log_size: self.store.key_log()?.size(),
            remarks,
        })
    }
}

impl FieldDevice {
    /// Takes note of the battery's charge in percent; more than 100 counts as 100. It is told at the next sync.
    pub fn tell_battery(&self, percent: u8) {
        *lock(&self.battery) = Some(percent.min(100));
    }

    /// What this device tells the server about itself.
    ///
    /// # Errors
    /// When the database does.
    pub fn health(&self) -> Result<Health, DeviceError> {
        let now = self.clock.now();
        let oldest = self.store.pending()?.oldest_waiting_ms;
        Ok(Health {
            wall_ms: now.wall_ms,
            clock_by_hand: self.clock.set_by_hand(),
            oldest_waiting_ms: oldest.map(|oldest| now.wall_ms.saturating_sub(oldest)),
            free_bytes: self.vault.available().ok(),
            battery_percent: *lock(&self.battery),
            app: crate::store::APP.to_owned(),
            core: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }
}

const HOUR_MS: u64 = 60 * 60 * 1000;
