//! What a cut left behind: found at the next start, adopted or set aside, never deleted.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::head::FileKeys;
use super::{EXTENSION, INCOMING, Vault, VaultError, VaultFile, VaultReader, durable};

/// What a sweep of the vault found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SweptVault {
    /// Complete files that no row knew; they now lie in the vault under their name and want a row.
    pub adopted: Vec<VaultFile>,
    /// Files that do not verify completely, where they lie now.
    pub set_aside: Vec<PathBuf>,
    /// Names that have a row but no file.
    pub missing: Vec<String>,
}

impl Vault {
    /// Compares the folder with the names that the store knows. Only for a start: no capture may be under way.
    ///
    /// # Errors
    /// When the folder cannot be read or a file cannot be moved.
    pub fn sweep(&self, known: &BTreeSet<String>) -> Result<SweptVault, VaultError> {
        let mut swept = SweptVault::default();
        for (path, name) in self.evidence_files(INCOMING)? {
            match self.verify_path(&path, &name) {
                Ok(file) => {
                    durable::rename(&path, &self.path(&name))?;
                    swept.adopted.push(file);
                }
                Err(VaultError::Changed { .. }) => {
                    swept.set_aside.push(self.move_aside(&path, &format!("{name}.part"))?)
                }
                Err(other) => return Err(other),
            }
        }
        let adopted: BTreeSet<String> = swept.adopted.iter().map(|f| f.name.clone()).collect();
        for (path, name) in self.evidence_files("")? {
            if known.contains(&name) || adopted.contains(&name) {
                continue;
            }
            match self.verify_path(&path, &name) {
                Ok(file) => swept.adopted.push(file),
                Err(VaultError::Changed { .. }) => swept.set_aside.push(self.set_aside(&name)?),
                Err(other) => return Err(other),
            }
        }
        swept.missing = known.iter().filter(|name| !self.holds(name)).cloned().collect();
        Ok(swept)
    }

    fn verify_path(&self, path: &Path, name: &str) -> Result<VaultFile, VaultError> {
        VaultReader::open(path, name, &FileKeys::Vault(&self.key))?.into_verified(&mut |_| ControlFlow::Continue(()))
    }

    fn evidence_files(&self, below: &str) -> Result<Vec<(PathBuf, String)>, VaultError> {
        files_in(&self.folder.join(below))
    }
}

/// The evidence files of a vault's folder, whole and begun, by path and name.
pub(crate) fn evidence_files(vault: &Path) -> Result<Vec<(PathBuf, String)>, VaultError> {
    let mut found = files_in(vault)?;
    if vault.join(INCOMING).is_dir() {
        found.extend(files_in(&vault.join(INCOMING))?);
    }
    Ok(found)
}

fn files_in(folder: &Path) -> Result<Vec<(PathBuf, String)>, VaultError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(VaultError::io("listing", folder))? {
        let path = entry.map_err(VaultError::io("listing", folder))?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
        if path.extension().is_some_and(|e| e == EXTENSION) && path.is_file() {
            found.push((path, name));
        }
    }
    found.sort();
    Ok(found)
}
