//! An unpacked bundle. Links and special files are refused when the folder is listed, before anything is read.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use fieldseal_proof::bundle::{BundleSource, MAX_FILES, SourceError};

/// A bundle in a folder.
pub struct FolderSource {
    root: PathBuf,
    paths: Vec<String>,
}

impl FolderSource {
    /// Lists the folder.
    pub fn open(root: &Path) -> Result<Self, String> {
        let mut paths = Vec::new();
        list(root, "", &mut paths)?;
        paths.sort();
        Ok(Self {
            root: root.to_owned(),
            paths,
        })
    }
}

fn list(folder: &Path, prefix: &str, out: &mut Vec<String>) -> Result<(), String> {
    if prefix.split('/').count() > 8 {
        return Err(format!("{prefix} is nested too deep"));
    }
    for entry in fs::read_dir(folder).map_err(|e| format!("{prefix}: {e}"))? {
        let entry = entry.map_err(|e| format!("{prefix}: {e}"))?;
        let name = entry
            .file_name()
            .into_string()
            .map_err(|_| format!("{prefix} holds a name that is not UTF-8"))?;
        let path = if prefix.is_empty() {
            name
        } else {
            format!("{prefix}/{name}")
        };
        let kind = entry.file_type().map_err(|e| format!("{path}: {e}"))?;
        if kind.is_dir() {
            list(&entry.path(), &path, out)?;
        } else if kind.is_file() {
            out.push(path);
        } else {
            return Err(format!("{path} is a link or special file"));
        }
        if out.len() > MAX_FILES {
            return Err("it holds too many files".into());
        }
    }
    Ok(())
}

impl BundleSource for FolderSource {
    fn paths(&self) -> Vec<String> {
        self.paths.clone()
    }

    fn stream(&self, path: &str, sink: &mut dyn FnMut(&[u8])) -> Result<(), SourceError> {
        let fail = |reason: String| SourceError {
            path: path.to_owned(),
            reason,
        };
        if self.paths.binary_search_by(|p| p.as_str().cmp(path)).is_err() {
            return Err(fail("is missing".into()));
        }
        let mut file = File::open(self.root.join(path)).map_err(|e| fail(format!("cannot be read ({e})")))?;
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match file
                .read(&mut buffer)
                .map_err(|e| fail(format!("cannot be read ({e})")))?
            {
                0 => return Ok(()),
                n => sink(&buffer[..n]),
            }
        }
    }
}
