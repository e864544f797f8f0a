//! The ingest device's own operations, kept beside the tiles.
//!
//! A server that is restored from an older backup must not sign a second operation with a sequence number it has used: that
//! would be equivocation by the server. Everything it signs is therefore in this file before the checkpoint that covers it is
//! published, and nothing is given out before that. Restoring with the tiles folder brings the whole chain back.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::TileError;

/// The file of one incarnation of the ingest device: `own/<device>.<incarnation>.cbor-seq`.
#[derive(Debug, Clone)]
pub struct OwnChain {
    path: PathBuf,
}

impl OwnChain {
    /// The file below the tiles folder.
    pub fn of(tiles: &Path, device: &str, incarnation: &str) -> Self {
        Self {
            path: tiles.join("own").join(format!("{device}.{incarnation}.cbor-seq")),
        }
    }

    /// Everything in it.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(&self) -> Result<Vec<u8>, TileError> {
        match std::fs::read(&self.path) {
            Ok(bytes) => Ok(bytes),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(self.failed(&e)),
        }
    }

    /// Writes frames from byte `at` on (a torn end of an earlier try is written over) and makes them durable.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write_from(&self, at: u64, frames: &[u8]) -> Result<(), TileError> {
        if frames.is_empty() {
            return Ok(());
        }
        let write = || -> std::io::Result<()> {
            if let Some(folder) = self.path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let mut file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&self.path)?;
            file.set_len(at)?;
            file.seek(SeekFrom::Start(at))?;
            file.write_all(frames)?;
            file.sync_all()
        };
        write().map_err(|e| self.failed(&e))
    }

    fn failed(&self, error: &std::io::Error) -> TileError {
        TileError::Io {
            path: self.path.display().to_string(),
            why: error.to_string(),
        }
    }
}
