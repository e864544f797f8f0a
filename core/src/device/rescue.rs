//! The rescue file (vault.md), written: everything that only this device has, on a stick.
//!
//! A tablet that needs one may be dying, so what is small and cannot be made again comes first: requests, operations, drafts;
//! then the files, the small ones first. A file that does not read, or does not fit, is left out and named, and the rest goes
//! on. Frames and hashes are the same bytes as a push.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::Path;

use fieldseal_proof::cbor::{self, Value};
use fieldseal_proof::hash::StreamHash;
use serde_json::json;

use super::rescue_reader::{BLOB, DRAFT, END, ENROLMENT, IDENTITY, LEFT_OUT, MAGIC, OPERATION};
use super::{DeviceError, FieldDevice};
use crate::keyring::EnrolmentState;
use crate::store::{BlobRow, BlobState, Draft};
use crate::vault::{SEGMENT, VaultError};
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

/// Where a rescue file is written. What was written of a blob that breaks off in the middle can be taken back.
pub trait RescueTarget: Write {
    /// Shortens the file to `to` bytes, and goes on from there.
    ///
    /// # Errors
    /// When the system refuses.
    fn take_back(&mut self, to: u64) -> io::Result<()>;
}

impl RescueTarget for File {
    fn take_back(&mut self, to: u64) -> io::Result<()> {
        self.set_len(to)?;
        self.seek(SeekFrom::Start(to)).map(drop)
    }
}

impl RescueTarget for Vec<u8> {
    fn take_back(&mut self, to: u64) -> io::Result<()> {
        self.truncate(usize::try_from(to).unwrap_or(usize::MAX));
        Ok(())
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
        let mut out = Hashed {
            target,
            hash: StreamHash::default(),
            bytes: 0,
        };
        let mut report = RescueReport::default();
        out.put(MAGIC)?;
        self.rescue_operations(&mut out, &mut report, &mut watch)?;
        match self.store.drafts(None) {
            Ok(drafts) => {
                for draft in &drafts {
                    out.record(DRAFT, &encode_draft(draft))?;
                }
                report.drafts = drafts.len() as u64;
            }
            // Drafts that do not read do not hold back the evidence.
            Err(error) => report.lacks("drafts".to_owned(), 0, DeviceError::from(error).code()),
        }
        // The records are safe before the first film begins.
        out.flush()?;
        let mut held = Vec::new();
        for blob in &blobs {
            let begin = out.here();
            match self.rescue_blob(blob, &mut out, &mut watch)? {
                None => held.push((blob, begin)),
                Some(code) => report.lacks(blob.sha256.to_string(), blob.size, code),
            }
        }
        loop {
            let begin = out.here();
            match out.end(&report.left_out) {
                Ok(()) => break,
                // A stick that is full to the last byte gives the last file back, so that the others can be read to the end.
                Err(error) if has_no_room(&error) && !held.is_empty() => {
                    out.take_back(begin)?;
                    if let Some((blob, begin)) = held.pop() {
                        out.take_back(begin)?;
                        report.lacks(blob.sha256.to_string(), blob.size, "storage_full");
                    }
                }
                Err(error) => return Err(target_failed(error)),
            }
        }
        report.blobs = held.len() as u64;
        report.bytes = out.bytes;
        Ok(report)
    }

    /// Each life of the store: whose it is, its open requests, its operations without a receipt.
    fn rescue_operations(
        &self,
        out: &mut Hashed<'_>,
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
            out.record(IDENTITY, json.to_string().as_bytes())?;
            if incarnation == identity.incarnation {
                self.rescue_requests(out, report)?;
            }
            loop {
                let frames = self.store.own_frames(incarnation, first, PAGE, usize::MAX)?;
                if frames.is_empty() {
                    break;
                }
                for frame in &frames {
                    out.record(OPERATION, frame)?;
                    stopped(watch.done(0))?;
                }
                first += frames.len() as u64;
                report.operations += frames.len() as u64;
            }
        }
        Ok(())
    }

    fn rescue_requests(&self, out: &mut Hashed<'_>, report: &mut RescueReport) -> Result<(), DeviceError> {
        // A key that does not sign, or a card that does not read, does not hold back what is signed already.
        let own = match self.enrolment_state() {
            Ok(EnrolmentState::New) if !self.enrolled_earlier() => self.enrolment().map(Some),
            Ok(_) => Ok(None),
            Err(error) => Err(error),
        };
        match own {
            Ok(own) => {
                for request in own.iter().map(super::enrolling::device_json) {
                    out.record(ENROLMENT, request.to_string().as_bytes())?;
                    report.requests += 1;
                }
            }
            Err(error) => report.lacks("requests".to_owned(), 0, error.code()),
        }
        for officer in &self.officer_enrolments() {
            out.record(
                ENROLMENT,
                super::enrolling::officer_json(officer).to_string().as_bytes(),
            )?;
            report.requests += 1;
        }
        Ok(())
    }

    /// Copies a blob; the reason when it did not come along, and then nothing of it stands in the target.
    fn rescue_blob(
        &self,
        blob: &BlobRow,
        out: &mut Hashed<'_>,
        watch: &mut Watch<'_, '_>,
    ) -> Result<Option<&'static str>, DeviceError> {
        let begin = out.here();
        let failed = match self.copy_blob(blob, out, watch) {
            Ok(()) => return Ok(None),
            Err(Broken::Stopped) => return Err(cancelled()),
            // A stick that is gone takes nothing more; one that is full, or whose files are small, may take the others.
            Err(Broken::Target(error)) if !has_no_room(&error) => return Err(target_failed(error)),
            Err(Broken::Target(_)) => "storage_full",
            Err(Broken::Source(code)) => code,
        };
        out.take_back(begin)?;
        Ok(Some(failed))
    }

    fn copy_blob(&self, blob: &BlobRow, out: &mut Hashed<'_>, watch: &mut Watch<'_, '_>) -> Result<(), Broken> {
        match blob.state {
            BlobState::Changed => return Err(Broken::Source("blob_changed")),
            BlobState::Missing => return Err(Broken::Source("blob_missing")),
            BlobState::Sealed | BlobState::Unsealed => {}
        }
        let mut reader = self.vault.read(&blob.file).map_err(|error| match error {
            VaultError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => Broken::Source("blob_missing"),
            VaultError::Io { .. } => Broken::Source("io_failed"),
            _ => Broken::Source("blob_changed"),
        })?;
        if reader.size() != blob.size {
            return Err(Broken::Source("blob_changed"));
        }
        let head = [&[BLOB][..], &(32 + blob.size).to_be_bytes(), blob.sha256.as_bytes()].concat();
        out.write(&head).map_err(Broken::Target)?;
        let mut chunk = vec![0; SEGMENT];
        loop {
            // The vault authenticates every segment before it gives a byte of it.
            let count = reader.read(&mut chunk).map_err(|_| Broken::Source("blob_changed"))?;
            if count == 0 {
                return Ok(());
            }
            out.write(&chunk[..count]).map_err(Broken::Target)?;
            if watch.done(count as u64).is_break() {
                return Err(Broken::Stopped);
            }
        }
    }
}

/// Why a blob did not come along.
enum Broken {
    Source(&'static str),
    Target(io::Error),
    Stopped,
}

/// The target with the hash over everything that stands in it.
struct Hashed<'a> {
    target: &'a mut dyn RescueTarget,
    hash: StreamHash,
    bytes: u64,
}

impl Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.target.write_all(bytes)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), DeviceError> {
        self.write(bytes).map_err(target_failed)
    }

    fn flush(&mut self) -> Result<(), DeviceError> {
        self.target.flush().map_err(target_failed)
    }

    fn record(&mut self, kind: u8, bytes: &[u8]) -> Result<(), DeviceError> {
        self.put(&framed(kind, bytes))
    }

    /// Where the target ends now.
    fn here(&self) -> (u64, StreamHash) {
        (self.bytes, self.hash.clone())
    }

    fn take_back(&mut self, (bytes, hash): (u64, StreamHash)) -> Result<(), DeviceError> {
        self.target.take_back(bytes).map_err(target_failed)?;
        (self.bytes, self.hash) = (bytes, hash);
        Ok(())
    }

    /// What is lacking, and the end.
    fn end(&mut self, lacking: &[LeftOut]) -> io::Result<()> {
        for left in lacking {
            let json = json!({ "what": left.what, "size": left.size, "code": left.code });
            self.write(&framed(LEFT_OUT, json.to_string().as_bytes()))?;
        }
        let digest = self.hash.clone().finish().0;
        self.write(&framed(END, &digest))?;
        self.target.flush()
    }
}

impl RescueReport {
    fn lacks(&mut self, what: String, size: u64, code: &'static str) {
        self.left_out.push(LeftOut { what, size, code });
    }
}

/// A record with its head.
fn framed(kind: u8, bytes: &[u8]) -> Vec<u8> {
    [&[kind][..], &(bytes.len() as u64).to_be_bytes(), bytes].concat()
}

fn encode_draft(draft: &Draft) -> Vec<u8> {
    cbor::encode(&Value::Map(vec![
        (0, Value::Uint(0)),
        (1, Value::bytes(draft.case.as_bytes())),
        (2, Value::bytes(draft.inspection.as_bytes())),
        (3, Value::text(&draft.path)),
        (4, draft.value.clone()),
        (5, Value::Uint(draft.edited_ms)),
    ]))
}

fn has_no_room(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

fn target_failed(error: io::Error) -> DeviceError {
    DeviceError::io(Path::new("rescue"), error)
}

fn cancelled() -> DeviceError {
    DeviceError::new("rescue_cancelled", [])
}

fn stopped(wish: ControlFlow<()>) -> Result<(), DeviceError> {
    match wish {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(cancelled()),
    }
}
