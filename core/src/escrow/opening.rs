//! Everything that a tablet's folder holds, read with the escrow's secret alone: no PIN, no key file, no first page of the database.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use fieldseal_proof::ids::{DeviceId, IncarnationId, TenantId};
use serde_json::json;
use zeroize::Zeroizing;

use super::{DatabaseEscrow, EscrowSecret};
use crate::device::rescue_writer::{Broken, RescueWriter};
use crate::device::{DeviceError, RescueReport, RescueTarget};
use crate::store::{Draft, recover};
use crate::vault::{FileKeys, VaultError, VaultFile, VaultReader, evidence_files};
use crate::watch::{Watch, Watcher};

/// A life of the store.
struct Life {
    tenant: TenantId,
    /// Its operations by sequence number; of a life that was forked both branches.
    frames: BTreeSet<(u64, Vec<u8>)>,
}

/// A tablet's folder that was read and not yet given out.
pub struct Opening {
    /// The tablet, as its own operations name it; `None` where not one of them could be read.
    pub device: Option<DeviceId>,
    lives: BTreeMap<(DeviceId, IncarnationId), Life>,
    drafts: Vec<Draft>,
    files: Vec<(PathBuf, VaultFile)>,
    /// Files that do not read to their end: name, bytes on the disk, why.
    broken: Vec<(String, u64, &'static str)>,
    secret: EscrowSecret,
    /// Pages of the database that could not be read.
    pub unreadable_pages: u64,
}

impl Opening {
    /// Reads a tablet's folder. Nothing in it is changed.
    ///
    /// # Errors
    /// `escrow_none` where the folder has no `store.escrow`, `escrow_other` where it is of another escrow; when the disk fails.
    pub fn read(folder: &Path, secret: EscrowSecret) -> Result<Self, DeviceError> {
        let path = folder.join(crate::device::STORE_ESCROW);
        let shown = || [("path", crate::catalogue::Param::text(folder.display().to_string()))];
        let held = std::fs::read(&path)
            .ok()
            .and_then(|bytes| DatabaseEscrow::decode(&bytes));
        let held = held.ok_or_else(|| DeviceError::new("escrow_none", shown()))?;
        let other = || DeviceError::new("escrow_other", shown());
        if held.key != secret.public()?.key_id() {
            return Err(other());
        }
        let key: Zeroizing<[u8; 32]> = secret.unwrap(&held.wrapped).ok_or_else(other)?;
        let found = recover(folder, &key, held.salt)?;
        let mut lives = BTreeMap::new();
        for (header, frame) in found.operations {
            let life = lives.entry((header.device, header.incarnation));
            let life = life.or_insert_with(|| Life {
                tenant: header.tenant,
                frames: BTreeSet::new(),
            });
            life.frames.insert((header.seq, frame));
        }
        let mut opening = Self {
            device: lives.keys().next().map(|(device, _)| *device),
            lives,
            drafts: found.drafts,
            files: Vec::new(),
            broken: Vec::new(),
            secret,
            unreadable_pages: found.unreadable,
        };
        opening.read_files(folder)?;
        Ok(opening)
    }

    /// Hashes every evidence file; those that do not open or not to their end are named.
    fn read_files(&mut self, folder: &Path) -> Result<(), DeviceError> {
        for (path, name) in evidence_files(&folder.join("vault"))? {
            let size = std::fs::metadata(&path).map_or(0, |file| file.len());
            let read = VaultReader::open(&path, &name, &FileKeys::Escrow(&|wrapped| self.secret.unwrap(wrapped)))
                .and_then(|reader| reader.into_verified(&mut |_| ControlFlow::Continue(())));
            match read {
                Ok(file) => self.files.push((path, file)),
                Err(VaultError::Io { .. }) => self.broken.push((name, size, "io_failed")),
                Err(_) => self.broken.push((name, size, "blob_changed")),
            }
        }
        self.files.sort_by_key(|(_, file)| file.size);
        Ok(())
    }

    /// Writes all of it as a rescue file, which `hand-in` takes to the server.
    ///
    /// # Errors
    /// When the target fails.
    pub fn write(&self, target: &mut dyn RescueTarget, watcher: &mut Watcher<'_>) -> Result<RescueReport, DeviceError> {
        let mut watch = Watch::new(watcher, self.files.iter().map(|(_, file)| file.size).sum());
        let mut out = RescueWriter::begin(target)?;
        let mut report = RescueReport::default();
        for ((device, incarnation), life) in &self.lives {
            let identity = json!({
                "tenant": life.tenant.to_string(), "device": device.to_string(), "incarnation": incarnation.to_string(),
            });
            out.identity(&identity)?;
            for (_, frame) in &life.frames {
                out.operation(frame)?;
                report.operations += 1;
            }
        }
        for draft in &self.drafts {
            out.draft(draft)?;
            report.drafts += 1;
        }
        out.flush()?;
        for (name, size, code) in &self.broken {
            report.lacks(name.clone(), *size, code);
        }
        for (path, file) in &self.files {
            let open = |wrapped: &[u8]| self.secret.unwrap(wrapped);
            let keys = FileKeys::Escrow(&open);
            let copied = out.blob(file.sha256, file.size, &mut watch, || {
                VaultReader::open(path, &file.name, &keys).map_err(|_| Broken::Source("blob_changed"))
            })?;
            if let Some(code) = copied {
                report.lacks(file.sha256.to_string(), file.size, code);
            }
        }
        out.finish(&mut report)?;
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_an_escrow_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let secret = EscrowSecret::generate(&crate::random::OsRandom).unwrap();
        let refused = Opening::read(folder.path(), secret).err().unwrap();
        assert_eq!(refused.code(), "escrow_none");
    }
}
