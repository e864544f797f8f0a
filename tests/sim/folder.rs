//! Disks: folders in memory where the machine has some (`/dev/shm`), else in the temporary folder.

use std::path::{Path, PathBuf};

/// A folder of this process; gone at its end.
pub fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = tempfile::Builder::new().prefix("fieldseal-sim-").tempdir_in(memory);
    made.or_else(|_| tempfile::Builder::new().prefix("fieldseal-sim-").tempdir())
        .expect("there is room for a temporary folder")
}

/// What a disk holds at this moment, as a process that is killed leaves it. Files that only running processes share are left out.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).expect("a folder can be read") {
        let entry = entry.expect("a folder can be read");
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target);
        } else if !entry.file_name().to_string_lossy().ends_with("-shm") {
            std::fs::copy(&source, &target).unwrap_or_else(|e| panic!("{}: {e}", source.display()));
        }
    }
}

/// Drops what nobody needs any more. Threads of a killed process may still be closing files in it.
pub fn drop_all(folder: &Path) {
    let _ = std::fs::remove_dir_all(folder);
}

/// The files of a device's database in a folder.
pub fn database(folder: &Path) -> [PathBuf; 2] {
    let path = folder.join(fieldseal_core::store::DATABASE);
    let mut wal = path.clone().into_os_string();
    wal.push("-wal");
    [path, wal.into()]
}
