//! Objects as files: `objects/ab/<name>.fse`, staged ones in `staged/`.
//!
//! Durable writes go: write → fsync file; publishing: rename → fsync the folder that gained the name. What survives a power
//! cut is what these calls covered; see docs/operating.md.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use futures_util::FutureExt;

use super::{Answer, BlobError, BlobStore, is_name};

/// Objects in a folder of this machine.
pub struct FolderBlobs {
    root: PathBuf,
    /// Bytes of the disk that files leave free.
    keep_free: u64,
}

impl FolderBlobs {
    /// Uses a folder, creating what is missing.
    ///
    /// # Errors
    /// When the folders cannot be created.
    pub fn open(root: &Path) -> Result<Self, BlobError> {
        for folder in ["objects", "staged"] {
            std::fs::create_dir_all(root.join(folder)).map_err(failed)?;
        }
        Ok(Self {
            root: root.to_path_buf(),
            keep_free: 0,
        })
    }

    /// The same, leaving so many bytes of the disk to others: with what files would take of it, records could not be written.
    #[must_use]
    pub fn keeping_free(self, bytes: u64) -> Self {
        Self {
            keep_free: bytes,
            ..self
        }
    }

    fn object(&self, name: &str) -> Result<PathBuf, BlobError> {
        let shelf = is_name(name)
            .then(|| name.get(..2))
            .flatten()
            .ok_or(BlobError::Missing)?;
        Ok(self.root.join("objects").join(shelf).join(format!("{name}.fse")))
    }

    fn staged_path(&self, name: &str) -> Result<PathBuf, BlobError> {
        if is_name(name) {
            Ok(self.root.join("staged").join(name))
        } else {
            Err(BlobError::Missing)
        }
    }
}

fn blocking<T: Send + 'static>(f: impl FnOnce() -> Result<T, BlobError> + Send + 'static) -> Answer<'static, T> {
    async move {
        tokio::task::spawn_blocking(f)
            .await
            .map_err(|e| BlobError::Io(e.to_string()))?
    }
    .boxed()
}

fn failed(error: std::io::Error) -> BlobError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => BlobError::Full,
        ErrorKind::NotFound => BlobError::Missing,
        _ => BlobError::Io(error.to_string()),
    }
}

impl BlobStore for FolderBlobs {
    fn append(&self, name: &str, end: u64, bytes: Vec<u8>) -> Answer<'_, ()> {
        let path = self.staged_path(name);
        let (root, keep_free) = (self.root.clone(), self.keep_free);
        blocking(move || {
            let left = fs4::available_space(&root).map_err(failed)?;
            if left < keep_free.saturating_add(bytes.len() as u64) {
                return Err(BlobError::Full);
            }
            let mut file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(path?)
                .map_err(failed)?;
            let length = file.metadata().map_err(failed)?.len();
            if length < end {
                return Err(BlobError::WrongOffset { at: end, end: length });
            }
            if length > end {
                file.set_len(end).map_err(failed)?;
            }
            file.seek(SeekFrom::Start(end)).map_err(failed)?;
            file.write_all(&bytes).map_err(failed)?;
            file.sync_data().map_err(failed)
        })
    }

    fn staged(&self, name: &str) -> Answer<'_, u64> {
        let path = self.staged_path(name);
        blocking(move || match std::fs::metadata(path?) {
            Ok(metadata) => Ok(metadata.len()),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(0),
            Err(e) => Err(failed(e)),
        })
    }

    fn read_staged(&self, name: &str, from: u64, length: usize) -> Answer<'_, Vec<u8>> {
        let path = self.staged_path(name);
        blocking(move || read_range(&path?, from, length))
    }

    fn discard(&self, name: &str) -> Answer<'_, ()> {
        let path = self.staged_path(name);
        blocking(move || match std::fs::remove_file(path?) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(failed(e)),
            _ => Ok(()),
        })
    }

    fn publish(&self, name: &str) -> Answer<'_, ()> {
        let paths = self.staged_path(name).and_then(|from| Ok((from, self.object(name)?)));
        blocking(move || {
            let (from, to) = paths?;
            if to.exists() {
                return Err(BlobError::Exists);
            }
            let shelf = to.parent().ok_or(BlobError::Missing)?;
            if !shelf.exists() {
                std::fs::create_dir_all(shelf).map_err(failed)?;
                sync_folder(shelf.parent().unwrap_or(shelf))?;
            }
            // Its bytes are durable since `append`; what is left is the name.
            std::fs::rename(&from, &to).map_err(failed)?;
            sync_folder(shelf)
        })
    }

    fn size(&self, name: &str) -> Answer<'_, u64> {
        let path = self.object(name);
        blocking(move || std::fs::metadata(path?).map(|m| m.len()).map_err(failed))
    }

    fn read(&self, name: &str, from: u64, length: usize) -> Answer<'_, Vec<u8>> {
        let path = self.object(name);
        blocking(move || read_range(&path?, from, length))
    }

    fn names(&self) -> Answer<'_, Vec<String>> {
        let root = self.root.join("objects");
        blocking(move || {
            let mut names = Vec::new();
            for shelf in std::fs::read_dir(root).map_err(failed)? {
                for file in std::fs::read_dir(shelf.map_err(failed)?.path()).map_err(failed)? {
                    let name = file.map_err(failed)?.file_name().to_string_lossy().into_owned();
                    names.extend(name.strip_suffix(".fse").map(str::to_owned));
                }
            }
            names.sort_unstable();
            Ok(names)
        })
    }

    fn staged_names(&self) -> Answer<'_, Vec<String>> {
        let root = self.root.join("staged");
        blocking(move || {
            let files = std::fs::read_dir(root).map_err(failed)?;
            let mut names: Vec<String> = files
                .map(|file| Ok(file.map_err(failed)?.file_name().to_string_lossy().into_owned()))
                .collect::<Result<_, _>>()?;
            names.sort_unstable();
            Ok(names)
        })
    }
}

fn read_range(path: &Path, from: u64, length: usize) -> Result<Vec<u8>, BlobError> {
    let mut file = File::open(path).map_err(failed)?;
    file.seek(SeekFrom::Start(from)).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(length as u64).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Makes a rename or a new folder durable.
fn sync_folder(folder: &Path) -> Result<(), BlobError> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(failed)
}
