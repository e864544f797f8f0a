//! Small files: read with a limit, written durably, never over something else by accident.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::failure::Failure;

/// Most bytes of a small file.
const MOST: u64 = 64 * 1024 * 1024;

/// Reads a whole file of at most 64 MiB.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let file = File::open(path).map_err(|error| Failure::file(path, &error))?;
    let mut bytes = Vec::new();
    file.take(MOST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::file(path, &error))?;
    if bytes.len() as u64 > MOST {
        return Err(Failure::form(path, "longer than 64 MiB"));
    }
    Ok(bytes)
}

/// Reads a JSON file.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    serde_json::from_slice(&read(path)?).map_err(|error| Failure::form(path, error))
}

/// Makes an empty folder, or takes one that is empty.
pub fn empty_folder(path: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(path).map_err(|error| Failure::file(path, &error))?;
    let mut entries = std::fs::read_dir(path).map_err(|error| Failure::file(path, &error))?;
    if entries.next().is_some() {
        return Err(Failure::new(
            "folder_not_empty",
            [(
                "path",
                fieldseal_core::catalogue::Param::text(path.display().to_string()),
            )],
        ));
    }
    Ok(())
}

/// Writes a new file.
pub fn create(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    put(path, bytes, false).map_err(|error| Failure::file(path, &error))
}

/// Writes a new file that only its owner reads.
pub fn create_secret(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    put(path, bytes, true).map_err(|error| Failure::file(path, &error))
}

/// Replaces a file whole: a reader sees the old or the new one, also after a power cut.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let write = || {
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&new, path)?;
        sync_folder(path)
    };
    write().map_err(|error| Failure::file(path, &error))
}

fn put(path: &Path, bytes: &[u8], secret: bool) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if secret {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    #[cfg(not(unix))]
    let _ = secret;
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    sync_folder(path)
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}
