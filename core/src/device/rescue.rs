//! The rescue file (vault.md), written: everything that only this device has, on a stick.
//!
//! A tablet that needs one may be dying, so what is small and cannot be made again comes first: requests, operations, drafts;
//! then the files, the small ones first. A file that does not read, or does not fit, is left out and named, and the rest goes
//! on. Frames and hashes are the same bytes as a push.

use std::io;
use std::ops::ControlFlow;

use serde_json::json;

use super::rescue_writer::{Broken, RescueTarget, RescueWriter, cancelled};
use super::{DeviceError, FieldDevice};
use crate::keyring::EnrolmentState;
use crate::store::{BlobRow, BlobState};
use crate::vault::{VaultError, VaultReader};
use crate::watch::{Watch, Watcher};

/// Frames read from the store at a time.
const PAGE: usize = 200;

/// What a rescue file holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RescueReport {
    /// Operations.
    pub operations: u64,
    /// Edits that nobody has signed.
    pub drafts: u64,
    /// Enrolment requests of this device and its officers that the server does not have.
    pub requests: u64,
    /// Blobs.
    pub blobs: u64,
    /// Bytes of the whole file.
    pub bytes: u64,
    /// What the device has and the file has not.
    pub left_out: Vec<LeftOut>,
}

/// Something that did not come along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// SHA-256 of a blob, or `drafts`, or `requests`.
    pub what: String,
    /// Bytes of a blob.
    pub size: u64,
    /// Why: `blob_changed`, `blob_missing`, `io_failed`, `storage_full`, …
    pub code: &'static str,
}

impl RescueReport {
    pub(crate) fn lacks(&mut self, what: String, size: u64, code: &'static str) {
        self.left_out.push(LeftOut { what, size, code });
    }
}

impl FieldDevice {
    /// Writes everything that the server has not receipted. Nothing on the device changes.
    ///
    /// # Errors
    /// When the target or the database fails; `rescue_cancelled` when the watcher wishes to stop. What was written until then
    /// reads up to its break.
    pub fn rescue(
        &self,
        target: &mut dyn RescueTarget,
        watcher: &mut Watcher<'_>,
    ) -> Result<RescueReport, DeviceError> {
        let mut blobs = self.store.blobs()?;
        blobs.retain(|blob| blob.mine && blob.receipt.is_none());
        blobs.sort_by_key(|blob| blob.size);
        let mut watch = Watch::new(watcher, blobs.iter().map(|blob| blob.size).sum());
        let mut out = RescueWriter::begin(target)?;
        let mut report = RescueReport::default();
        self.rescue_operations(&mut out, &mut report, &mut watch)?;
        match self.store.drafts(None) {
            Ok(drafts) => {
                for draft in &drafts {
                    out.draft(draft)?;
                }
                report.drafts = drafts.len() as u64;
            }
            // Drafts that do not read do not hold back the evidence.
            Err(error) => report.lacks("drafts".to_owned(), 0, DeviceError::from(error).code()),
        }
        // The records are safe before the first film begins.
        out.flush()?;
        for blob in &blobs {
            if let Some(code) = out.blob(blob.sha256, blob.size, &mut watch, || self.open_blob(blob))? {
                report.lacks(blob.sha256.to_string(), blob.size, code);
            }
        }
        out.finish(&mut report)?;
        Ok(report)
    }

    /// Each life of the store: whose it is, its open requests, its operations without a receipt.
    fn rescue_operations(
        &self,
        out: &mut RescueWriter<'_>,
        report: &mut RescueReport,
        watch: &mut Watch<'_, '_>,
    ) -> Result<(), DeviceError> {
        let identity = self.identity();
        for incarnation in self.store.incarnations()? {
            let mut first = self.store.received_before(incarnation)?;
            let json = json!({
                "tenant": identity.tenant.to_string(),
                "device": identity.device.to_string(),
                "incarnation": incarnation.to_string(),
            });
            out.identity(&json)?;
            if incarnation == identity.incarnation {
                self.rescue_requests(out, report)?;
            }
            loop {
                let frames = self.store.own_frames(incarnation, first, PAGE, usize::MAX)?;
                if frames.is_empty() {
                    break;
                }
                for frame in &frames {
                    out.operation(frame)?;
                    stopped(watch.done(0))?;
                }
                first += frames.len() as u64;
                report.operations += frames.len() as u64;
            }
        }
        Ok(())
    }

    fn rescue_requests(&self, out: &mut RescueWriter<'_>, report: &mut RescueReport) -> Result<(), DeviceError> {
        // A key that does not sign, or a card that does not read, does not hold back what is signed already.
        let own = match self.enrolment_state() {
            Ok(EnrolmentState::New) if !self.enrolled_earlier() => self.enrolment().map(Some),
            Ok(_) => Ok(None),
            Err(error) => Err(error),
        };
        match own {
            Ok(own) => {
                for request in &own.iter().map(super::enrolling::device_json).collect::<Vec<_>>() {
                    out.request(request)?;
                    report.requests += 1;
                }
            }
            Err(error) => report.lacks("requests".to_owned(), 0, error.code()),
        }
        for officer in &self.officer_enrolments() {
            out.request(&super::enrolling::officer_json(officer))?;
            report.requests += 1;
        }
        Ok(())
    }

    fn open_blob(&self, blob: &BlobRow) -> Result<VaultReader, Broken> {
        match blob.state {
            BlobState::Changed => return Err(Broken::Source("blob_changed")),
            BlobState::Missing => return Err(Broken::Source("blob_missing")),
            BlobState::Sealed | BlobState::Unsealed => {}
        }
        self.vault.read(&blob.file).map_err(|error| match error {
            VaultError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => Broken::Source("blob_missing"),
            VaultError::Io { .. } => Broken::Source("io_failed"),
            _ => Broken::Source("blob_changed"),
        })
    }
}

fn stopped(wish: ControlFlow<()>) -> Result<(), DeviceError> {
    match wish {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(cancelled()),
    }
}
