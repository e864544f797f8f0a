//! The rescue file (vault.md) as it is written: records, with the hash over everything, and room that runs out.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use fieldseal_proof::cbor::{self, Value};
use fieldseal_proof::hash::StreamHash;
use fieldseal_proof::ids::BlobHash;
use serde_json::json;

use super::DeviceError;
use super::rescue::{LeftOut, RescueReport};
use super::rescue_reader::{BLOB, DRAFT, END, ENROLMENT, IDENTITY, LEFT_OUT, MAGIC, OPERATION};
use crate::store::Draft;
use crate::vault::{SEGMENT, VaultReader};
use crate::watch::Watch;

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

/// Why a blob did not come along.
pub(crate) enum Broken {
    Source(&'static str),
    Target(io::Error),
    Stopped,
}

/// The target with the hash over everything that stands in it.
pub(crate) struct RescueWriter<'a> {
    target: &'a mut dyn RescueTarget,
    hash: StreamHash,
    bytes: u64,
    /// Blobs that stand in the target, each with where the target ended before it.
    held: Vec<(BlobHash, u64, (u64, StreamHash))>,
}

impl<'a> RescueWriter<'a> {
    pub fn begin(target: &'a mut dyn RescueTarget) -> Result<Self, DeviceError> {
        let mut writer = Self {
            target,
            hash: StreamHash::default(),
            bytes: 0,
            held: Vec::new(),
        };
        writer.put(MAGIC)?;
        Ok(writer)
    }

    /// Whose records follow.
    pub fn identity(&mut self, json: &serde_json::Value) -> Result<(), DeviceError> {
        self.record(IDENTITY, json.to_string().as_bytes())
    }

    pub fn operation(&mut self, frame: &[u8]) -> Result<(), DeviceError> {
        self.record(OPERATION, frame)
    }

    pub fn request(&mut self, json: &serde_json::Value) -> Result<(), DeviceError> {
        self.record(ENROLMENT, json.to_string().as_bytes())
    }

    pub fn draft(&mut self, draft: &Draft) -> Result<(), DeviceError> {
        self.record(DRAFT, &encode_draft(draft))
    }

    pub fn flush(&mut self) -> Result<(), DeviceError> {
        self.target.flush().map_err(target_failed)
    }

    /// Copies a blob; the reason when it did not come along, and then nothing of it stands in the target.
    pub fn blob(
        &mut self,
        sha256: BlobHash,
        size: u64,
        watch: &mut Watch<'_, '_>,
        open: impl FnOnce() -> Result<VaultReader, Broken>,
    ) -> Result<Option<&'static str>, DeviceError> {
        let begin = (self.bytes, self.hash.clone());
        let copied = open().and_then(|reader| self.copy(sha256, size, reader, watch));
        let failed = match copied {
            Ok(()) => {
                self.held.push((sha256, size, begin));
                return Ok(None);
            }
            Err(Broken::Stopped) => return Err(cancelled()),
            // A stick that is gone takes nothing more; one that is full, or whose files are small, may take the others.
            Err(Broken::Target(error)) if !has_no_room(&error) => return Err(target_failed(error)),
            Err(Broken::Target(_)) => "storage_full",
            Err(Broken::Source(code)) => code,
        };
        self.take_back(begin)?;
        Ok(Some(failed))
    }

    fn copy(
        &mut self,
        sha256: BlobHash,
        size: u64,
        mut reader: VaultReader,
        watch: &mut Watch<'_, '_>,
    ) -> Result<(), Broken> {
        if reader.size() != size {
            return Err(Broken::Source("blob_changed"));
        }
        let head = [&[BLOB][..], &(32 + size).to_be_bytes(), sha256.as_bytes()].concat();
        self.write(&head).map_err(Broken::Target)?;
        let mut chunk = vec![0; SEGMENT];
        loop {
            // The vault authenticates every segment before it gives a byte of it.
            let count = reader.read(&mut chunk).map_err(|_| Broken::Source("blob_changed"))?;
            if count == 0 {
                return Ok(());
            }
            self.write(&chunk[..count]).map_err(Broken::Target)?;
            if watch.done(count as u64).is_break() {
                return Err(Broken::Stopped);
            }
        }
    }

    /// What is lacking, and the end; the report gets how many blobs stand in the file, and its length.
    pub fn finish(mut self, report: &mut RescueReport) -> Result<(), DeviceError> {
        loop {
            let begin = (self.bytes, self.hash.clone());
            match self.end(&report.left_out) {
                Ok(()) => break,
                // A stick that is full to the last byte gives the last file back, so that the others can be read to the end.
                Err(error) if has_no_room(&error) && !self.held.is_empty() => {
                    self.take_back(begin)?;
                    if let Some((sha256, size, begin)) = self.held.pop() {
                        self.take_back(begin)?;
                        report.lacks(sha256.to_string(), size, "storage_full");
                    }
                }
                Err(error) => return Err(target_failed(error)),
            }
        }
        report.blobs = self.held.len() as u64;
        report.bytes = self.bytes;
        Ok(())
    }

    fn end(&mut self, lacking: &[LeftOut]) -> io::Result<()> {
        for left in lacking {
            let json = json!({ "what": left.what, "size": left.size, "code": left.code });
            self.write(&framed(LEFT_OUT, json.to_string().as_bytes()))?;
        }
        let digest = self.hash.clone().finish().0;
        self.write(&framed(END, &digest))?;
        self.target.flush()
    }

    fn record(&mut self, kind: u8, bytes: &[u8]) -> Result<(), DeviceError> {
        self.put(&framed(kind, bytes))
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), DeviceError> {
        self.write(bytes).map_err(target_failed)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.target.write_all(bytes)
    }

    fn take_back(&mut self, (bytes, hash): (u64, StreamHash)) -> Result<(), DeviceError> {
        self.target.take_back(bytes).map_err(target_failed)?;
        (self.bytes, self.hash) = (bytes, hash);
        Ok(())
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

pub(super) fn cancelled() -> DeviceError {
    DeviceError::new("rescue_cancelled", [])
}
