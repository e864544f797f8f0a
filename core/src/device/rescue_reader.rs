//! The rescue file (vault.md), read: record by record, hostile input expected.

use std::io::{self, Read};

use fieldseal_proof::cbor::{self, Value as Cbor};
use fieldseal_proof::hash::StreamHash;
use fieldseal_proof::ids::{BlobHash, CaseId, InspectionId};

use super::DeviceError;
use crate::catalogue::Param;
use crate::store::Draft;

pub(super) const MAGIC: &[u8; 6] = b"FSRV0\n";
pub(super) const OPERATION: u8 = 1;
pub(super) const BLOB: u8 = 2;
pub(super) const IDENTITY: u8 = 3;
pub(super) const DRAFT: u8 = 4;
pub(super) const ENROLMENT: u8 = 5;
pub(super) const LEFT_OUT: u8 = 6;
pub(super) const END: u8 = 255;

/// One record of a rescue file.
#[derive(Debug)]
pub enum RescueRecord {
    /// Whose operations follow: JSON.
    Identity(Vec<u8>),
    /// An operation frame.
    Operation(Vec<u8>),
    /// An edit that nobody has signed: it proves nothing and is for whoever goes on with the inspection.
    Draft(Draft),
    /// An enrolment request that the server does not have: the JSON of its body (wire.md).
    Enrolment(Vec<u8>),
    /// Something that the device has and the file has not: JSON with `what`, `size` and `code`.
    LeftOut(Vec<u8>),
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
            kind @ (OPERATION | IDENTITY | DRAFT | ENROLMENT | LEFT_OUT)
                if length <= fieldseal_proof::operation::MAX_FRAME as u64 =>
            {
                let mut bytes = vec![0; length as usize];
                self.fill(&mut bytes)?;
                let record = match kind {
                    OPERATION => RescueRecord::Operation(bytes),
                    IDENTITY => RescueRecord::Identity(bytes),
                    ENROLMENT => RescueRecord::Enrolment(bytes),
                    LEFT_OUT => RescueRecord::LeftOut(bytes),
                    _ => RescueRecord::Draft(decode_draft(&bytes).ok_or_else(|| self.broken())?),
                };
                self.records += 1;
                Ok(Some(record))
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

/// A draft's map, with no key that its page does not name.
fn decode_draft(bytes: &[u8]) -> Option<Draft> {
    let Ok(Cbor::Map(map)) = cbor::decode(bytes) else {
        return None;
    };
    let [
        (0, Cbor::Uint(0)),
        (1, case),
        (2, inspection),
        (3, path),
        (4, value),
        (5, edited_ms),
    ] = map.as_slice()
    else {
        return None;
    };
    Some(Draft {
        case: CaseId::from_bytes(case.as_bytes()?.try_into().ok()?),
        inspection: InspectionId::from_bytes(inspection.as_bytes()?.try_into().ok()?),
        path: path.as_text()?.to_owned(),
        value: value.clone(),
        edited_ms: edited_ms.as_uint()?,
    })
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
