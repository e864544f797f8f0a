//! The zip that this server has just written, as the verifier wants to read it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use fieldseal_proof::bundle::{BundleSource, SourceError};

/// Bytes read at a time.
const CHUNK: usize = 256 * 1024;

pub(super) struct OwnZip {
    archive: Mutex<zip::ZipArchive<File>>,
    entries: BTreeMap<String, usize>,
    taken: AtomicU64,
    read: Arc<dyn Fn(u64) + Send + Sync>,
}

impl OwnZip {
    /// Opens it; names are as they were written, without a folder around them.
    pub(super) fn open(path: &Path, read: Arc<dyn Fn(u64) + Send + Sync>) -> Result<Self, zip::result::ZipError> {
        let mut archive = zip::ZipArchive::new(File::open(path)?)?;
        let mut entries = BTreeMap::new();
        for index in 0..archive.len() {
            let name = archive.by_index_raw(index)?.name()?.into_owned();
            entries.insert(name, index);
        }
        Ok(Self {
            archive: Mutex::new(archive),
            entries,
            taken: AtomicU64::new(0),
            read,
        })
    }
}

impl BundleSource for OwnZip {
    fn paths(&self) -> Vec<String> {
        self.entries.keys().cloned().collect()
    }

    fn stream(&self, path: &str, sink: &mut dyn FnMut(&[u8])) -> Result<(), SourceError> {
        let failed = |reason: &dyn std::fmt::Display| SourceError {
            path: path.to_owned(),
            reason: reason.to_string(),
        };
        let index = *self.entries.get(path).ok_or_else(|| failed(&"is not in the bundle"))?;
        let mut archive = self.archive.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entry = archive.by_index(index).map_err(|e| failed(&e))?;
        let mut buffer = vec![0; CHUNK];
        loop {
            match entry.read(&mut buffer).map_err(|e| failed(&e))? {
                0 => return Ok(()),
                got => {
                    sink(&buffer[..got]);
                    let before = self.taken.fetch_add(got as u64, Ordering::Relaxed);
                    (self.read)(before + got as u64);
                }
            }
        }
    }
}
