//! Writing evidence: hash and encrypt in one pass, 64 KiB at a time.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::PoisonError;

use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::AeadInOut;
use fieldseal_proof::hash::StreamHash;
use fieldseal_proof::ids::BlobHash;

use super::head::{Head, MAX_NOTE};
use super::{INCOMING, SEGMENT, TAG, Vault, VaultError, VaultFile, durable};

/// What to do with the part that was written when a capture breaks off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// The source can be read again (a file): remove the part, so that it does not fill the disk.
    Discard,
    /// The source is gone (camera, recorder): move the part to `aside/`.
    Keep,
}

/// What was taken from a source that cannot be asked again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The file: complete and durable, whatever its source still had.
    pub file: VaultFile,
    /// Room ran out before the source ended: these are its first bytes.
    pub cut: bool,
}

impl Vault {
    /// Takes everything `source` gives. When this returns, the file is complete and durable.
    ///
    /// # Errors
    /// [`VaultError::NoSpace`] when the disk is full, [`VaultError::Source`] when the source breaks off; the part that was
    /// written is treated as `on_failure` says.
    pub fn write(&self, source: &mut dyn Read, on_failure: OnFailure) -> Result<VaultFile, VaultError> {
        self.write_for(source, on_failure, None)
    }

    /// As [`Vault::write`], with a note of at most [`MAX_NOTE`] bytes sealed into the head; a longer one is left out.
    ///
    /// # Errors
    /// As [`Vault::write`].
    pub fn write_for(
        &self,
        source: &mut dyn Read,
        on_failure: OnFailure,
        note: Option<&[u8]>,
    ) -> Result<VaultFile, VaultError> {
        Ok(self.take(source, on_failure, None, note)?.file)
    }

    /// Takes what a camera or recorder gives. When fewer than `floor` bytes would stay free, or the disk takes no more, what was
    /// written until then is closed as a whole file: nothing that was recorded is lost with the rest.
    ///
    /// # Errors
    /// [`VaultError::NoSpace`] when not even the first segment finds room; [`VaultError::Source`] when the source breaks off,
    /// and then the part that was written is moved to `aside/`.
    pub fn record(&self, source: &mut dyn Read, floor: u64, note: Option<&[u8]>) -> Result<Recorded, VaultError> {
        self.take(source, OnFailure::Keep, Some(floor), note)
    }

    fn take(
        &self,
        source: &mut dyn Read,
        on_failure: OnFailure,
        floor: Option<u64>,
        note: Option<&[u8]>,
    ) -> Result<Recorded, VaultError> {
        let note = note.filter(|note| note.len() <= MAX_NOTE);
        let name = self.new_name()?;
        let incoming = self.folder.join(INCOMING).join(&name);
        match self.write_incoming(source, &incoming, &name, floor, note) {
            Ok(recorded) => {
                durable::rename(&incoming, &self.path(&name))?;
                Ok(recorded)
            }
            Err(error) => Err(self.break_off(error, &incoming, &name, on_failure)),
        }
    }

    fn write_incoming(
        &self,
        source: &mut dyn Read,
        path: &Path,
        name: &str,
        floor: Option<u64>,
        note: Option<&[u8]>,
    ) -> Result<Recorded, VaultError> {
        let escrow = *self.escrow.lock().unwrap_or_else(PoisonError::into_inner);
        let (head, head_bytes) = Head::fresh(&self.key, escrow.as_ref(), note, &*self.random)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(VaultError::io("creating", path))?;
        self.put(&mut file, &head_bytes, path)?;

        let cipher = head.cipher();
        let mut hash = StreamHash::default();
        let mut before = hash.clone();
        let mut cut = false;
        let mut current = Vec::with_capacity(SEGMENT + TAG);
        let mut next = Vec::with_capacity(SEGMENT + TAG);
        read_segment(source, &mut current)?;
        let mut segment = 0u32;
        loop {
            // One segment is read ahead, because the last one is marked in its nonce.
            read_segment(source, &mut next)?;
            let last = next.is_empty();
            let earlier = std::mem::replace(&mut before, hash.clone());
            hash.update(&current);
            cipher
                .encrypt_in_place(&head.nonce(segment, last), &head.binding, &mut current)
                .map_err(|_| VaultError::changed(name, "segment too long to encrypt"))?;
            match self.put_above(floor, &mut file, &current, path) {
                Err(VaultError::NoSpace { .. }) if floor.is_some() && segment > 0 => {
                    let mut close = |at| self.close_at(&mut file, path, &head, &cipher, at);
                    // What this segment had of room is enough to close the file; if not, the segment before it is given. A
                    // last segment has used the nonce of the closing one already.
                    let closed = match last {
                        false => close(segment).map(|()| before),
                        true => Err(self.no_space()),
                    };
                    hash = match closed {
                        Err(VaultError::NoSpace { .. }) if segment > 1 => close(segment - 1).map(|()| earlier)?,
                        other => other?,
                    };
                    cut = true;
                    break;
                }
                other => other?,
            }
            if last {
                break;
            }
            segment = segment
                .checked_add(1)
                .ok_or(VaultError::changed(name, "more than 2^32 segments"))?;
            std::mem::swap(&mut current, &mut next);
        }
        file.sync_all().map_err(VaultError::io("syncing", path))?;
        let (sha256, size) = hash.finish();
        let file = VaultFile {
            name: name.to_owned(),
            sha256: BlobHash::from_bytes(sha256),
            size,
        };
        Ok(Recorded { file, cut })
    }

    /// Ends the file before `segment`, by an empty last segment (vault.md).
    fn close_at(
        &self,
        file: &mut File,
        path: &Path,
        head: &Head,
        cipher: &XChaCha20Poly1305,
        segment: u32,
    ) -> Result<(), VaultError> {
        let start = head.length + u64::from(segment) * (SEGMENT + TAG) as u64;
        file.set_len(start)
            .and_then(|()| file.seek(SeekFrom::Start(start)))
            .map_err(VaultError::io("shortening", path))?;
        let mut last = Vec::with_capacity(TAG);
        cipher
            .encrypt_in_place(&head.nonce(segment, true), &head.binding, &mut last)
            .map_err(|_| VaultError::changed("", "an empty segment does not encrypt"))?;
        self.put(file, &last, path)
    }

    /// As [`Vault::put`], with `floor` bytes left free for others.
    fn put_above(&self, floor: Option<u64>, file: &mut File, bytes: &[u8], path: &Path) -> Result<(), VaultError> {
        if let Some(floor) = floor
            && self.available()? < floor.saturating_add(bytes.len() as u64)
        {
            return Err(self.no_space());
        }
        self.put(file, bytes, path)
    }

    fn no_space(&self) -> VaultError {
        VaultError::NoSpace {
            folder: self.folder.clone(),
            partial: None,
        }
    }

    pub(super) fn put(&self, file: &mut File, bytes: &[u8], path: &Path) -> Result<(), VaultError> {
        self.space
            .claim(bytes.len() as u64)
            .and_then(|()| file.write_all(bytes))
            .map_err(VaultError::io("writing", path))
    }

    fn break_off(&self, error: VaultError, incoming: &Path, name: &str, on_failure: OnFailure) -> VaultError {
        // Whatever goes wrong here, the first error is the one to tell; a part left in `incoming/` is found at the next start.
        let partial = match on_failure {
            OnFailure::Discard => std::fs::remove_file(incoming).err().map(|_| incoming.to_owned()),
            OnFailure::Keep => self.move_aside(incoming, &format!("{name}.part")).ok(),
        };
        match error {
            VaultError::NoSpace { .. } => VaultError::NoSpace {
                folder: self.folder.clone(),
                partial,
            },
            other => other,
        }
    }
}

/// Fills `segment` with up to [`SEGMENT`] bytes; empty at the end of the source.
fn read_segment(source: &mut dyn Read, segment: &mut Vec<u8>) -> Result<(), VaultError> {
    segment.clear();
    source
        .take(SEGMENT as u64)
        .read_to_end(segment)
        .map_err(|e: io::Error| VaultError::Source(e))?;
    Ok(())
}
