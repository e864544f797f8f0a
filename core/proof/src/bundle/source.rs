//! Where a bundle's bytes come from, and which names it may hold. Folders and zip files are read by the caller.

/// Most files of a bundle.
pub const MAX_FILES: usize = 200_000;
/// Longest manifest or index in bytes.
pub const MAX_MANIFEST: u64 = 64 * 1024 * 1024;

/// A file that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct SourceError {
    /// The file.
    pub path: String,
    /// What happened.
    pub reason: String,
}

/// The files of a bundle, by path relative to the bag, `/` between segments.
pub trait BundleSource: Sync {
    /// All files; links and other special entries must already have been refused.
    fn paths(&self) -> Vec<String>;

    /// Streams a file's bytes.
    fn stream(&self, path: &str, sink: &mut dyn FnMut(&[u8])) -> Result<(), SourceError>;

    /// A whole file of at most `limit` bytes.
    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, SourceError> {
        let mut out = Vec::new();
        let mut over = false;
        self.stream(path, &mut |chunk| {
            over |= (out.len() + chunk.len()) as u64 > limit;
            if !over {
                out.extend_from_slice(chunk);
            }
        })?;
        if over {
            return Err(SourceError { path: path.to_owned(), reason: format!("is over {limit} bytes") });
        }
        Ok(out)
    }
}

/// Whether a path may stand in a bundle: relative, no `..`, no empty segment, printable ASCII without blank, backslash and
/// colon, so that no file system takes two names for one.
pub fn path_is_safe(path: &str) -> bool {
    let segment = |s: &str| !s.is_empty() && s != "." && s != "..";
    path.len() <= 512
        && path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\' && b != b':')
        && path.split('/').all(segment)
        && path.split('/').count() <= 8
}
