//! Evidence that comes from elsewhere under a hash that is known before: what has arrived stays when line or process breaks, and
//! is gone on with.
//!
//! The part lies in `arriving/` under the hash of the original, encrypted as any evidence file is, and takes its place in the vault
//! when the last byte has come and the hash fits. A segment that a cut left half written is not trusted and not overwritten by
//! anything else either: a nonce never sees two contents.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::AeadInOut;
use fieldseal_proof::hash::StreamHash;
use fieldseal_proof::ids::BlobHash;

use super::head::{FileKeys, Head};
use super::{EXTENSION, SEGMENT, TAG, Vault, VaultError, VaultFile, durable};

/// Parts of files that are on their way here.
pub(super) const ARRIVING: &str = "arriving";

/// A file on its way: what of it is here already, and its key.
pub struct Arrival {
    sha256: BlobHash,
    size: u64,
    path: PathBuf,
    file: File,
    head: Head,
    cipher: XChaCha20Poly1305,
    hash: StreamHash,
    /// Whole segments that are here.
    segments: u32,
    /// What a cut left of the next one.
    torn: Vec<u8>,
    thrown_away: u64,
}

/// What became of a file that was to arrive.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrived {
    /// Complete, durable, and the original by its hash.
    Whole(VaultFile),
    /// What was here before does not belong to what came now. It was thrown away: the next arrival begins at the beginning.
    ThrownAway,
    /// All of it came now, and it is not the original. It is kept under this path.
    Other(PathBuf),
}

impl Arrival {
    /// Original bytes that are here: the next one to bring.
    pub fn at(&self) -> u64 {
        (u64::from(self.segments) * SEGMENT as u64).min(self.size)
    }

    /// Bytes of an earlier part that did not read and was thrown away.
    pub fn thrown_away(&self) -> u64 {
        self.thrown_away
    }

    /// Original bytes in a segment, and whether it is the last; `None` behind the end. An empty file has one empty segment.
    fn segment(&self, number: u32) -> Option<(usize, bool)> {
        let last = self.size.saturating_sub(1) / SEGMENT as u64;
        let start = u64::from(number) * SEGMENT as u64;
        let length = (self.size.saturating_sub(start)).min(SEGMENT as u64) as usize;
        (u64::from(number) <= last).then_some((length, u64::from(number) == last))
    }

    /// Reads what is here; `false` when any of it is not what was written.
    fn reread(&mut self) -> io::Result<bool> {
        let mut sealed = Vec::with_capacity(SEGMENT + TAG);
        while let Some((length, last)) = self.segment(self.segments) {
            sealed.clear();
            let whole = length + TAG;
            (&mut self.file).take(whole as u64).read_to_end(&mut sealed)?;
            if sealed.len() < whole {
                self.torn = sealed;
                return Ok(true);
            }
            let nonce = self.head.nonce(self.segments, last);
            if self
                .cipher
                .decrypt_in_place(&nonce, &self.head.binding, &mut sealed)
                .is_err()
            {
                return Ok(false);
            }
            self.hash.update(&sealed);
            self.segments += 1;
        }
        Ok(self.file.read(&mut [0])? == 0)
    }
}

impl Vault {
    /// Goes on with the file of `size` original bytes under this hash, or begins it.
    ///
    /// # Errors
    /// When the part cannot be read or written.
    pub fn arrival(&self, sha256: BlobHash, size: u64) -> Result<Arrival, VaultError> {
        let folder = self.folder.join(ARRIVING);
        std::fs::create_dir_all(&folder).map_err(VaultError::io("making the folder", &folder))?;
        let path = folder.join(format!("{sha256}.{EXTENSION}"));
        let mut thrown_away = 0;
        if path.is_file() {
            match self.part(&path, sha256, size) {
                Err(VaultError::Changed { .. }) => {
                    thrown_away = std::fs::metadata(&path).map(|about| about.len()).unwrap_or_default();
                    std::fs::remove_file(&path).map_err(VaultError::io("removing", &path))?;
                }
                other => return other,
            }
        }
        let escrow = *self.escrow.lock().unwrap_or_else(PoisonError::into_inner);
        let (head, bytes) = Head::fresh(&self.key, escrow.as_ref(), None, &*self.random)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path).map_err(VaultError::io("creating", &path))?;
        self.put(&mut file, &bytes, &path)?;
        Ok(Arrival {
            thrown_away,
            ..arrival(sha256, size, path, file, head)
        })
    }

    /// A part that is here, as far as it is whole.
    fn part(&self, path: &Path, sha256: BlobHash, size: u64) -> Result<Arrival, VaultError> {
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .open(path)
            .map_err(VaultError::io("opening", path))?;
        let head = Head::read(&mut file, &FileKeys::Vault(&self.key), &sha256.to_string())?;
        let mut part = arrival(sha256, size, path.to_owned(), file, head);
        match part.reread().map_err(VaultError::io("reading", path))? {
            true => Ok(part),
            false => Err(VaultError::changed(
                &sha256.to_string(),
                "a part that came earlier does not authenticate",
            )),
        }
    }

    /// Takes the rest of a file. When this returns [`Arrived::Whole`], the file is complete and durable.
    ///
    /// # Errors
    /// [`VaultError::Source`] when the source breaks off: whole segments that came until then stay for the next [`Vault::arrival`].
    /// [`VaultError::NoSpace`] when the disk is full: the part is removed, for records need the room.
    pub fn receive(&self, mut arrival: Arrival, source: &mut dyn Read) -> Result<Arrived, VaultError> {
        let path = arrival.path.clone();
        let begun = arrival.segments > 0 || !arrival.torn.is_empty();
        match self.take_rest(&mut arrival, source) {
            Ok(true) => {}
            Ok(false) => {
                std::fs::remove_file(&path).map_err(VaultError::io("removing", &path))?;
                return Ok(Arrived::ThrownAway);
            }
            Err(VaultError::NoSpace { folder, .. }) => {
                let partial = std::fs::remove_file(&path).err().map(|_| path);
                return Err(VaultError::NoSpace { folder, partial });
            }
            Err(other) => {
                if arrival.at() == 0 {
                    // There is nothing in it; that it stays would be no harm either.
                    let _ = std::fs::remove_file(&path);
                }
                return Err(other);
            }
        }
        arrival.file.sync_all().map_err(VaultError::io("syncing", &path))?;
        let (sha256, size) = arrival.hash.finish();
        let (sha256, name) = (BlobHash::from_bytes(sha256), self.new_name()?);
        if sha256 == arrival.sha256 {
            durable::rename(&path, &self.path(&name))?;
            return Ok(Arrived::Whole(VaultFile { name, sha256, size }));
        }
        match begun {
            true => {
                std::fs::remove_file(&path).map_err(VaultError::io("removing", &path))?;
                Ok(Arrived::ThrownAway)
            }
            false => Ok(Arrived::Other(self.move_aside(&path, &name)?)),
        }
    }

    /// `false` when the next bytes are others than a cut left half written.
    fn take_rest(&self, arrival: &mut Arrival, source: &mut dyn Read) -> Result<bool, VaultError> {
        let start = arrival.head.length + u64::from(arrival.segments) * (SEGMENT + TAG) as u64;
        arrival
            .file
            .seek(SeekFrom::Start(start))
            .map_err(VaultError::io("reading", &arrival.path))?;
        let mut segment = Vec::with_capacity(SEGMENT + TAG);
        while let Some((length, last)) = arrival.segment(arrival.segments) {
            segment.resize(length, 0);
            source.read_exact(&mut segment).map_err(VaultError::Source)?;
            arrival.hash.update(&segment);
            let nonce = arrival.head.nonce(arrival.segments, last);
            arrival
                .cipher
                .encrypt_in_place(&nonce, &arrival.head.binding, &mut segment)
                .map_err(|_| VaultError::changed("", "segment too long to encrypt"))?;
            if !segment.starts_with(&std::mem::take(&mut arrival.torn)) {
                return Ok(false);
            }
            self.put(&mut arrival.file, &segment, &arrival.path)?;
            arrival.segments += 1;
        }
        Ok(true)
    }
}

fn arrival(sha256: BlobHash, size: u64, path: PathBuf, file: File, head: Head) -> Arrival {
    let cipher = head.cipher();
    Arrival {
        sha256,
        size,
        path,
        file,
        head,
        cipher,
        hash: StreamHash::default(),
        segments: 0,
        torn: Vec::new(),
        thrown_away: 0,
    }
}
