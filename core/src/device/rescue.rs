//! The rescue file (vault.md): everything the server has not receipted, on a stick, as the same bytes as a push.

use std::io::{self, Read, Write};

use fieldseal_proof::hash::StreamHash;
use fieldseal_proof::ids::BlobHash;

use super::{DeviceError, FieldDevice};
use crate::catalogue::Param;
use crate::store::BlobState;

const MAGIC: &[u8; 6] = b"FSRV0\n";
const OPERATION: u8 = 1;
const BLOB: u8 = 2;
const IDENTITY: u8 = 3;
const END: u8 = 255;
/// Frames read from the store at a time.
const PAGE: usize = 200;

/// What a rescue file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RescueReport {
    /// Operations.
    pub operations: u64,
    /// Blobs.
    pub blobs: u64,
    /// Bytes of the whole file.
    pub bytes: u64,
}

impl FieldDevice {
    /// Writes everything that the server has not receipted. Nothing on the device changes.
    ///
    /// # Errors
    /// When the target cannot be written, or a blob is changed (it is left out by the next attempt, set aside).
    pub fn rescue(&self, target: &mut dyn Write) -> Result<RescueReport, DeviceError> {
        let mut out = Hashed {
            target,
            hash: StreamHash::default(),
            bytes: 0,
        };
        let mut report = RescueReport::default();
        let identity = self.identity();
        out.put(MAGIC)?;
        for incarnation in self.store.incarnations()? {
            let mut first = self.store.received_before(incarnation)?;
            let json = serde_json::json!({
                "tenant": identity.tenant.to_string(),
                "device": identity.device.to_string(),
                "incarnation": incarnation.to_string(),
            });
            out.record(IDENTITY, json.to_string().as_bytes())?;
            loop {
                let frames = self.store.own_frames(incarnation, first, PAGE, usize::MAX)?;
                if frames.is_empty() {
                    break;
                }
                for frame in &frames {
                    out.record(OPERATION, frame)?;
                }
                first += frames.len() as u64;
                report.operations += frames.len() as u64;
            }
        }
        let blobs = self.store.blobs()?;
        for blob in blobs.iter().filter(|b| b.mine && b.receipt.is_none()) {
            if matches!(blob.state, BlobState::Changed | BlobState::Missing) {
                continue;
            }
            let mut reader = self.read_blob(blob.sha256)?;
            out.head(BLOB, 32 + blob.size)?;
            out.put(blob.sha256.as_bytes())?;
            let mut chunk = vec![0; 64 * 1024];
            loop {
                let count = reader
                    .read(&mut chunk)
                    .map_err(|_| DeviceError::new("blob_changed", []))?;
                if count == 0 {
                    break;
                }
                out.put(&chunk[..count])?;
            }
            report.blobs += 1;
        }
        let digest = out.hash.clone().finish().0;
        out.record(END, &digest)?;
        out.target
            .flush()
            .map_err(|e| DeviceError::io(std::path::Path::new("rescue"), e))?;
        report.bytes = out.bytes;
        Ok(report)
    }
}

struct Hashed<'a> {
    target: &'a mut dyn Write,
    hash: StreamHash,
    bytes: u64,
}

impl Hashed<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), DeviceError> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.target
            .write_all(bytes)
            .map_err(|e| DeviceError::io(std::path::Path::new("rescue"), e))
    }

    fn head(&mut self, kind: u8, length: u64) -> Result<(), DeviceError> {
        self.put(&[kind])?;
        self.put(&length.to_be_bytes())
    }

    fn record(&mut self, kind: u8, bytes: &[u8]) -> Result<(), DeviceError> {
        self.head(kind, bytes.len() as u64)?;
        self.put(bytes)
    }
}

/// One record of a rescue file.
#[derive(Debug)]
pub enum RescueRecord {
    /// Whose operations follow: JSON.
    Identity(Vec<u8>),
    /// An operation frame.
    Operation(Vec<u8>),
    /// A blob: its name, then its bytes are read with [`RescueReader::blob`] before the next record.
    Blob {
        /// SHA-256 it claims.
        sha256: BlobHash,
        /// Number of bytes.
        size: u64,
    },
}

/// Reads a rescue file record by record; nothing is kept in memory but one frame.
pub struct RescueReader<R> {
    source: R,
    hash: StreamHash,
    offset: u64,
    records: u64,
    blob_left: u64,
}

impl<R: Read> RescueReader<R> {
    /// Begins reading.
    ///
    /// # Errors
    /// `rescue_broken` for anything that is no rescue file.
    pub fn new(source: R) -> Result<Self, DeviceError> {
        let mut reader = Self {
            source,
            hash: StreamHash::default(),
            offset: 0,
            records: 0,
            blob_left: 0,
        };
        let mut magic = [0; MAGIC.len()];
        reader.fill(&mut magic)?;
        if &magic == MAGIC {
            Ok(reader)
        } else {
            Err(reader.broken())
        }
    }

    /// The next record; `None` after a good end.
    ///
    /// # Errors
    /// `rescue_broken` with the offset; the records before it are usable.
    pub fn next_record(&mut self) -> Result<Option<RescueRecord>, DeviceError> {
        while self.blob_left > 0 {
            let mut skipped = [0; 4096];
            let count = usize::try_from(self.blob_left).unwrap_or(usize::MAX).min(skipped.len());
            self.fill(&mut skipped[..count])?;
            self.blob_left -= count as u64;
        }
        let expected = self.hash.clone().finish().0;
        let (mut kind, mut length) = ([0; 1], [0; 8]);
        self.fill(&mut kind)?;
        self.fill(&mut length)?;
        let length = u64::from_be_bytes(length);
        match kind[0] {
            OPERATION | IDENTITY if length <= fieldseal_proof::operation::MAX_FRAME as u64 => {
                let mut bytes = vec![0; length as usize];
                self.fill(&mut bytes)?;
                self.records += 1;
                let operation = kind[0] == OPERATION;
                Ok(Some(if operation {
                    RescueRecord::Operation(bytes)
                } else {
                    RescueRecord::Identity(bytes)
                }))
            }
            BLOB if length >= 32 => {
                let mut sha256 = [0; 32];
                self.fill(&mut sha256)?;
                self.blob_left = length - 32;
                self.records += 1;
                Ok(Some(RescueRecord::Blob {
                    sha256: BlobHash::from_bytes(sha256),
                    size: self.blob_left,
                }))
            }
            END if length == 32 => {
                let mut digest = [0; 32];
                self.fill(&mut digest)?;
                if digest == expected {
                    Ok(None)
                } else {
                    Err(self.broken())
                }
            }
            _ => Err(self.broken()),
        }
    }

    /// The bytes of the blob whose record came last.
    pub fn blob(&mut self) -> impl Read + '_ {
        RescueBlob(self)
    }

    fn fill(&mut self, out: &mut [u8]) -> Result<(), DeviceError> {
        self.source.read_exact(out).map_err(|_| self.broken())?;
        self.hash.update(out);
        self.offset += out.len() as u64;
        Ok(())
    }

    /// `rescue_broken` at the place that was reached: what to say when the bytes of a blob end too early.
    pub fn broken(&self) -> DeviceError {
        DeviceError::new(
            "rescue_broken",
            [
                ("offset", Param::Count(self.offset)),
                ("count", Param::Count(self.records)),
            ],
        )
    }
}

struct RescueBlob<'a, R>(&'a mut RescueReader<R>);

impl<R: Read> Read for RescueBlob<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.0.blob_left).unwrap_or(usize::MAX).min(out.len());
        if most == 0 {
            return Ok(0);
        }
        let count = self.0.source.read(&mut out[..most])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.0.hash.update(&out[..count]);
        self.0.offset += count as u64;
        self.0.blob_left -= count as u64;
        Ok(count)
    }
}
