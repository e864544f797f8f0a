//! The system calls that make a file survive a power cut, in one place.
//!
//! A rename is atomic but not durable: the folder itself must be synced afterwards, or the name may be gone after the
//! cut although the bytes are there (<https://danluu.com/file-consistency/>; USENIX ATC 2020, Rebello et al.).

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use super::VaultError;

/// Renames and makes the new name durable: rename, fsync of the folder it came to, fsync of the folder it left.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), VaultError> {
    std::fs::rename(from, to).map_err(VaultError::io("renaming", from))?;
    sync_folder_of(to)?;
    if from.parent() != to.parent() {
        sync_folder_of(from)?;
    }
    Ok(())
}

/// Replaces a small file so that after a cut either the old or the new bytes stand there, readable by its owner only.
///
/// Sequence: create `<name>.new` (mode 0600), write, fsync, rename over, fsync folder.
///
/// # Errors
/// When the system refuses any step; the old file then still stands.
pub fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), VaultError> {
    let fresh = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&fresh).map_err(VaultError::io("creating", &fresh))?;
    file.write_all(bytes).map_err(VaultError::io("writing", &fresh))?;
    file.sync_all().map_err(VaultError::io("syncing", &fresh))?;
    rename(&fresh, path)
}

fn sync_folder_of(path: &Path) -> Result<(), VaultError> {
    let Some(folder) = path.parent() else { return Ok(()) };
    File::open(folder)
        .and_then(|f| f.sync_all())
        .map_err(VaultError::io("syncing", folder))
}
