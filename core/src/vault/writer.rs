//! Writing evidence: hash and encrypt in one pass, 64 KiB at a time.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::PoisonError;

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
        let note = note.filter(|note| note.len() <= MAX_NOTE);
        let name = self.new_name()?;
        let incoming = self.folder.join(INCOMING).join(&name);
        match self.write_incoming(source, &incoming, &name, note) {
            Ok(file) => {
                durable::rename(&incoming, &self.path(&name))?;
                Ok(file)
            }
            Err(error) => Err(self.break_off(error, &incoming, &name, on_failure)),
        }
    }

    fn write_incoming(
        &self,
        source: &mut dyn Read,
        path: &Path,
        name: &str,
        note: Option<&[u8]>,
    ) -> Result<VaultFile, VaultError> {
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
        let mut current = Vec::with_capacity(SEGMENT + TAG);
        let mut next = Vec::with_capacity(SEGMENT + TAG);
        read_segment(source, &mut current)?;
        let mut segment = 0u32;
        loop {
            // One segment is read ahead, because the last one is marked in its nonce.
            read_segment(source, &mut next)?;
            let last = next.is_empty();
            hash.update(&current);
            cipher
                .encrypt_in_place(&head.nonce(segment, last), &head.binding, &mut current)
                .map_err(|_| VaultError::changed(name, "segment too long to encrypt"))?;
            self.put(&mut file, &current, path)?;
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
        Ok(VaultFile {
            name: name.to_owned(),
            sha256: BlobHash::from_bytes(sha256),
            size,
        })
    }

    fn put(&self, file: &mut File, bytes: &[u8], path: &Path) -> Result<(), VaultError> {
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
