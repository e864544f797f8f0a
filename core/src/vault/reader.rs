//! Reading evidence back from any offset; nothing unauthenticated is ever given out.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::Path;

use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::AeadInOut;
use fieldseal_proof::hash::StreamHash;
use fieldseal_proof::ids::BlobHash;

use super::head::{FileKeys, Head};
use super::{SEGMENT, TAG, VaultError, VaultFile};

/// Original bytes of an evidence file: [`Read`] and [`Seek`]; one segment in memory.
pub struct VaultReader {
    file: File,
    name: String,
    head: Head,
    cipher: XChaCha20Poly1305,
    segments: u32,
    size: u64,
    at: u64,
    loaded: Option<u32>,
    buffer: Vec<u8>,
}

impl VaultReader {
    pub(crate) fn open(path: &Path, name: &str, keys: &FileKeys<'_>) -> Result<Self, VaultError> {
        let mut file = File::open(path).map_err(VaultError::io("opening", path))?;
        let total = file.metadata().map_err(VaultError::io("reading", path))?.len();
        let head = Head::read(&mut file, keys, name)?;
        let changed = |reason| VaultError::changed(name, reason);
        let sealed = total - head.length;
        let (full, rest) = (sealed / SEALED_SEGMENT, sealed % SEALED_SEGMENT);
        if sealed == 0 || (1..TAG as u64).contains(&rest) {
            return Err(changed("it ends inside a segment"));
        }
        let segments = full + u64::from(rest > 0);
        let size = sealed - segments * TAG as u64;
        let segments = u32::try_from(segments).map_err(|_| changed("it has more segments than can be"))?;
        let cipher = head.cipher();
        let buffer = Vec::with_capacity(SEGMENT + TAG);
        Ok(Self {
            file,
            name: name.to_owned(),
            head,
            cipher,
            segments,
            size,
            at: 0,
            loaded: None,
            buffer,
        })
    }

    /// Number of original bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What was noted about the evidence when its capture began.
    pub(super) fn note(&self) -> Option<&[u8]> {
        self.head.note.as_deref().map(Vec::as_slice)
    }

    /// Reads everything from the start, and asks `each` after every segment whether to go on.
    pub(crate) fn into_verified(
        mut self,
        each: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<VaultFile, VaultError> {
        let mut hash = StreamHash::default();
        for segment in 0..self.segments {
            self.load(segment)?;
            hash.update(&self.buffer);
            if each(self.buffer.len() as u64).is_break() {
                return Err(VaultError::Stopped);
            }
        }
        let (sha256, size) = hash.finish();
        Ok(VaultFile {
            name: self.name,
            sha256: BlobHash::from_bytes(sha256),
            size,
        })
    }

    fn load(&mut self, segment: u32) -> Result<(), VaultError> {
        if self.loaded == Some(segment) {
            return Ok(());
        }
        self.loaded = None;
        let last = segment + 1 == self.segments;
        let start = u64::from(segment) * SEALED_SEGMENT;
        let length = if last {
            self.size - u64::from(segment) * SEGMENT as u64 + TAG as u64
        } else {
            SEALED_SEGMENT
        };
        self.buffer.resize(length as usize, 0);
        let changed = |reason| VaultError::changed(&self.name, reason);
        self.file
            .seek(SeekFrom::Start(self.head.length + start))
            .and_then(|_| self.file.read_exact(&mut self.buffer))
            .map_err(|_| changed("a segment could not be read"))?;
        self.cipher
            .decrypt_in_place(&self.head.nonce(segment, last), &self.head.binding, &mut self.buffer)
            .map_err(|_| changed("a segment does not authenticate"))?;
        self.loaded = Some(segment);
        Ok(())
    }
}

impl Read for VaultReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.size || out.is_empty() {
            return Ok(0);
        }
        let segment = (self.at / SEGMENT as u64) as u32;
        self.load(segment).map_err(io::Error::other)?;
        let offset = (self.at % SEGMENT as u64) as usize;
        let count = out.len().min(self.buffer.len() - offset);
        out[..count].copy_from_slice(&self.buffer[offset..offset + count]);
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for VaultReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(n) => Some(n),
            SeekFrom::End(n) => self.size.checked_add_signed(n),
            SeekFrom::Current(n) => self.at.checked_add_signed(n),
        };
        self.at = target.ok_or(io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

const SEALED_SEGMENT: u64 = (SEGMENT + TAG) as u64;
