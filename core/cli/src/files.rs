//! Reading and writing files with errors that name them; secrets for the owner only; PINs never from an argument.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::failure::Failure;

/// Reads a file of at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    let meta = fs::metadata(path).map_err(|e| Failure::file(path, &e))?;
    if meta.len() > limit {
        let detail = format!("over {limit} bytes");
        return Err(Failure::new(
            "file_unreadable",
            &[("path", &path.display().to_string()), ("detail", &detail)],
        ));
    }
    fs::read(path).map_err(|e| Failure::file(path, &e))
}

/// Reads a JSON file.
pub fn read_json(path: &Path) -> Result<serde_json::Value, Failure> {
    let bytes = read(path, 16 * 1024 * 1024)?;
    let broken = |e: serde_json::Error| {
        Failure::new(
            "file_unreadable",
            &[("path", &path.display().to_string()), ("detail", &e.to_string())],
        )
    };
    serde_json::from_slice(&bytes).map_err(broken)
}

/// Makes a new, empty folder; one with something in it is refused.
pub fn new_folder(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path).map_err(|e| Failure::file(path, &e))?;
    let mut entries = fs::read_dir(path).map_err(|e| Failure::file(path, &e))?;
    if entries.next().is_some() {
        return Err(Failure::new(
            "folder_not_empty",
            &[("path", &path.display().to_string())],
        ));
    }
    Ok(())
}

/// Writes a file durably: temporary file, fsync, rename.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_with(path, bytes, 0o644).map_err(|e| Failure::file(path, &e))
}

/// Writes a file that only its owner may read.
pub fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_with(path, bytes, 0o600).map_err(|e| Failure::file(path, &e))
}

fn write_with(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

/// Where a PIN or password comes from: a file, or the environment variable `FIELDSEAL_PIN`.
#[derive(Args, Debug, Clone, Default)]
pub struct PinSource {
    /// File with the PIN or password; without it FIELDSEAL_PIN is used.
    #[arg(long, global = true)]
    pub pin_file: Option<PathBuf>,
}

impl PinSource {
    /// The PIN.
    pub fn get(&self) -> Result<String, Failure> {
        let pin = match &self.pin_file {
            Some(path) => String::from_utf8_lossy(&read(path, 1024)?)
                .trim_end_matches(['\r', '\n'])
                .to_owned(),
            None => std::env::var("FIELDSEAL_PIN").unwrap_or_default(),
        };
        if pin.is_empty() {
            Err(Failure::new("pin_missing", &[]))
        } else {
            Ok(pin)
        }
    }
}
