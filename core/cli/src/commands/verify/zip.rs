//! A bundle in a zip file: limits before allocation, and no entry that means two things.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use fieldseal_proof::bundle::{BundleSource, MAX_FILES, SourceError, path_is_safe};
use zip::{CompressionMethod, ZipArchive};

/// Most bytes of all entries unpacked: a bundle of 64 GiB.
const MAX_UNPACKED: u64 = 64 << 30;
/// Most times an entry may grow when unpacked; text compresses well, a bomb better.
const MAX_RATIO: u64 = 200;

/// A bundle in a zip file.
pub struct ZipSource {
    path: PathBuf,
    /// Path in the bundle → index of the entry.
    entries: BTreeMap<String, usize>,
}

impl ZipSource {
    /// Reads the directory of the zip and refuses what is hostile.
    pub fn open(path: &Path) -> Result<Self, String> {
        let mut archive = open(path)?;
        if archive.len() > MAX_FILES {
            return Err("it holds too many files".into());
        }
        let mut entries = BTreeMap::new();
        let mut unpacked = 0u64;
        for index in 0..archive.len() {
            let entry = archive.by_index_raw(index).map_err(|e| e.to_string())?;
            let name = entry.name().map_err(|e| e.to_string())?.into_owned();
            let shown = name.escape_debug().to_string();
            if entry.is_dir() {
                continue;
            }
            if entry.encrypted() || entry.is_symlink() {
                return Err(format!("{shown} is encrypted or a link"));
            }
            if !matches!(
                entry.compression(),
                CompressionMethod::Stored | CompressionMethod::Deflated
            ) {
                return Err(format!("{shown} is packed in a way that is not read"));
            }
            if !path_is_safe(&name) {
                return Err(format!("{shown} is an unsafe path"));
            }
            unpacked = unpacked.saturating_add(entry.size());
            let grows = entry.size() > 1 << 20 && entry.size() / MAX_RATIO > entry.compressed_size();
            if unpacked > MAX_UNPACKED || grows {
                return Err(format!("{shown} would unpack to far more than it should"));
            }
            if entries.insert(name, index).is_some() {
                return Err(format!("{shown} stands in it twice"));
            }
        }
        Ok(Self {
            path: path.to_owned(),
            entries: strip_top(entries),
        })
    }
}

fn open(path: &Path) -> Result<ZipArchive<BufReader<File>>, String> {
    let file = File::open(path).map_err(|e| e.to_string())?;
    ZipArchive::new(BufReader::new(file)).map_err(|e| e.to_string())
}

/// A zip whose files all lie in one folder is the bundle in that folder.
fn strip_top(entries: BTreeMap<String, usize>) -> BTreeMap<String, usize> {
    let top = entries
        .keys()
        .next()
        .and_then(|first| first.split_once('/'))
        .map(|(top, _)| format!("{top}/"));
    match top {
        Some(top) if !entries.contains_key("bagit.txt") && entries.keys().all(|path| path.starts_with(&top)) => entries
            .into_iter()
            .map(|(path, index)| (path[top.len()..].to_owned(), index))
            .collect(),
        _ => entries,
    }
}

impl BundleSource for ZipSource {
    fn paths(&self) -> Vec<String> {
        self.entries.keys().cloned().collect()
    }

    fn stream(&self, path: &str, sink: &mut dyn FnMut(&[u8])) -> Result<(), SourceError> {
        let fail = |reason: String| SourceError {
            path: path.to_owned(),
            reason,
        };
        let index = self.entries.get(path).ok_or_else(|| fail("is missing".into()))?;
        let mut archive = open(&self.path).map_err(fail)?;
        let entry = archive.by_index(*index).map_err(|e| fail(e.to_string()))?;
        let claimed = entry.size();
        // One byte more than claimed, so that an entry that lies about its size is noticed and not followed.
        let mut limited = entry.take(claimed + 1);
        let (mut buffer, mut read) = (vec![0; 256 * 1024], 0u64);
        loop {
            match limited
                .read(&mut buffer)
                .map_err(|e| fail(format!("cannot be unpacked ({e})")))?
            {
                0 => break,
                n => {
                    read += n as u64;
                    sink(&buffer[..n]);
                }
            }
        }
        if read == claimed {
            Ok(())
        } else {
            Err(fail("has another size than the zip says".into()))
        }
    }
}
