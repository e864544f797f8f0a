//! A bundle's files, from a folder or from a zip as it was handed over.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use fieldseal_proof::bundle::{BundleSource, MAX_FILES, SourceError};

use super::trust::unreadable_file;
use crate::catalogue::{Message, Param};
use crate::watch::{Moved, unwatched};

/// Bytes read at a time.
const CHUNK: usize = 256 * 1024;
/// Most bytes that one entry of a zip may unpack to; a film of a day fits.
const MOST_ENTRY: u64 = 64 << 30;
/// How much more than its packed size an entry may unpack to; deflate reaches 1,032.
const MOST_RATIO: u64 = 1_100;

/// Opens a bundle.
///
/// # Errors
/// A path that is neither, links, doubled or encrypted entries, too many files.
pub fn open(path: &Path) -> Result<Box<dyn BundleSource>, Message> {
    open_watched(path, Arc::new(unwatched))
}

/// Looks on while a bundle is read, from whichever thread reads. Once it breaks, nothing more is read: whoever checks the
/// bundle then sees unreadable files, and whoever wished to stop throws that verdict away.
pub type Look = Arc<dyn Fn(Moved) -> ControlFlow<()> + Send + Sync>;

/// As [`open`]; `look` is asked after every 256 KiB that were read.
///
/// # Errors
/// As [`open`].
pub fn open_watched(path: &Path, look: Look) -> Result<Box<dyn BundleSource>, Message> {
    let meta = std::fs::metadata(path).map_err(|error| unreadable_file(path, &error))?;
    if meta.is_dir() {
        Ok(Box::new(Folder::open(path, look)?))
    } else {
        Ok(Box::new(Zip::open(path, look)?))
    }
}

/// What was read of a bundle, and who looks on.
struct Reading {
    look: Look,
    bytes: AtomicU64,
    total: u64,
}

impl Reading {
    fn new(look: Look, total: u64) -> Self {
        Self {
            look,
            bytes: AtomicU64::new(0),
            total,
        }
    }

    fn done(&self, bytes: usize) -> ControlFlow<()> {
        let bytes = self.bytes.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        // Lists are read more than once; nobody is told of more than there is.
        (self.look)(Moved {
            bytes: bytes.min(self.total),
            total: self.total,
        })
    }
}

fn unreadable(detail: impl std::fmt::Display) -> Message {
    Message::new("bundle_unreadable", [("detail", Param::text(detail.to_string()))])
}

fn source_error(path: &str, reason: impl std::fmt::Display) -> SourceError {
    SourceError {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

/// An unpacked bundle.
struct Folder {
    files: BTreeMap<String, PathBuf>,
    reading: Reading,
}

impl Folder {
    fn open(root: &Path, look: Look) -> Result<Self, Message> {
        let mut files = BTreeMap::new();
        let mut total = 0;
        let mut folders = vec![(root.to_owned(), String::new(), 0)];
        while let Some((folder, prefix, depth)) = folders.pop() {
            for entry in std::fs::read_dir(&folder).map_err(|error| unreadable_file(&folder, &error))? {
                let entry = entry.map_err(|error| unreadable_file(&folder, &error))?;
                let name = entry.file_name();
                let name = name
                    .to_str()
                    .ok_or_else(|| unreadable(format!("a name in {prefix:?} is not UTF-8")))?;
                let inside = format!("{prefix}{name}");
                let kind = entry
                    .file_type()
                    .map_err(|error| unreadable_file(&entry.path(), &error))?;
                if kind.is_dir() && depth < 16 {
                    folders.push((entry.path(), format!("{inside}/"), depth + 1));
                } else if kind.is_file() {
                    total += entry.metadata().map_or(0, |meta| meta.len());
                    files.insert(inside, entry.path());
                } else {
                    return Err(unreadable(format!("{inside} is a link or a special file")));
                }
                if files.len() > MAX_FILES {
                    return Err(unreadable(format!("more than {MAX_FILES} files")));
                }
            }
        }
        Ok(Self {
            files,
            reading: Reading::new(look, total),
        })
    }
}

impl BundleSource for Folder {
    fn paths(&self) -> Vec<String> {
        self.files.keys().cloned().collect()
    }

    fn stream(&self, path: &str, sink: &mut dyn FnMut(&[u8])) -> Result<(), SourceError> {
        let file = self
            .files
            .get(path)
            .ok_or_else(|| source_error(path, "is not in the bundle"))?;
        let file = File::open(file).map_err(|error| source_error(path, error))?;
        pour(path, file, &self.reading, sink)
    }
}

/// A zipped bundle.
struct Zip {
    reading: Reading,
    archive: Mutex<zip::ZipArchive<File>>,
    entries: BTreeMap<String, usize>,
}

impl Zip {
    fn open(path: &Path, look: Look) -> Result<Self, Message> {
        let file = File::open(path).map_err(|error| unreadable_file(path, &error))?;
        let mut archive = zip::ZipArchive::new(file).map_err(unreadable)?;
        if archive.len() > MAX_FILES * 2 {
            return Err(unreadable(format!("more than {MAX_FILES} files")));
        }
        let mut entries = BTreeMap::new();
        let mut lower = BTreeSet::new();
        let mut total = 0_u64;
        for index in 0..archive.len() {
            let entry = archive.by_index_raw(index).map_err(unreadable)?;
            let name = entry.name().map_err(unreadable)?.into_owned();
            if entry.encrypted() {
                return Err(unreadable(format!("{name} is encrypted")));
            }
            if entry.is_dir() {
                continue;
            }
            if !entry.is_file() || entry.is_symlink() {
                return Err(unreadable(format!("{name} is a link or a special file")));
            }
            if entry.size() > MOST_ENTRY || entry.size() / MOST_RATIO > entry.compressed_size() {
                return Err(unreadable(format!("{name} claims {} bytes", entry.size())));
            }
            total = total.saturating_add(entry.size());
            if !lower.insert(name.to_lowercase()) || entries.insert(name.clone(), index).is_some() {
                return Err(unreadable(format!("{name} stands twice")));
            }
        }
        // The archive keys entries by their whole name, so two of one name are one here and two to other tools; the same
        // with a local header that says something else than the directory.
        archive.validate_header_consistency().map_err(unreadable)?;
        Ok(Self {
            reading: Reading::new(look, total),
            entries: without_top(entries),
            archive: Mutex::new(archive),
        })
    }
}

/// A zip usually holds one folder with the bag in it; its name is not part of the bag.
fn without_top(entries: BTreeMap<String, usize>) -> BTreeMap<String, usize> {
    let top = entries
        .keys()
        .next()
        .and_then(|name| name.split_once('/'))
        .map(|(top, _)| format!("{top}/"));
    match top.filter(|top| !entries.contains_key("bagit.txt") && entries.contains_key(&format!("{top}bagit.txt"))) {
        Some(top) if entries.keys().all(|name| name.starts_with(&top)) => entries
            .into_iter()
            .map(|(name, index)| (name[top.len()..].to_owned(), index))
            .collect(),
        _ => entries,
    }
}

impl BundleSource for Zip {
    fn paths(&self) -> Vec<String> {
        self.entries.keys().cloned().collect()
    }

    fn stream(&self, path: &str, sink: &mut dyn FnMut(&[u8])) -> Result<(), SourceError> {
        let index = *self
            .entries
            .get(path)
            .ok_or_else(|| source_error(path, "is not in the bundle"))?;
        let mut archive = self
            .archive
            .lock()
            .map_err(|_| source_error(path, "the archive is in use"))?;
        let entry = archive.by_index(index).map_err(|error| source_error(path, error))?;
        let size = entry.size();
        let mut got = 0;
        // One byte more than it claims is enough to see that its size lies.
        pour(path, entry.take(size + 1), &self.reading, &mut |chunk| {
            got += chunk.len() as u64;
            sink(chunk);
        })?;
        if got == size {
            Ok(())
        } else {
            Err(source_error(path, "does not have the size that it claims"))
        }
    }
}

fn pour(path: &str, mut from: impl Read, reading: &Reading, sink: &mut dyn FnMut(&[u8])) -> Result<(), SourceError> {
    let mut buffer = vec![0; CHUNK];
    let mut read = 0;
    loop {
        if reading.done(read).is_break() {
            return Err(source_error(
                path,
                "was not read to its end: stopped by whoever watched",
            ));
        }
        match from.read(&mut buffer).map_err(|error| source_error(path, error))? {
            0 => return Ok(()),
            count => {
                read = count;
                sink(&buffer[..count]);
            }
        }
    }
}
