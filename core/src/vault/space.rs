//! How much room there is: a port, so that a full disk can be rehearsed.

use std::io;
use std::path::Path;

/// Bytes of one minute of video as field cameras write it (about 8 Mbit/s, 1080p H.264): only for the warning text.
const VIDEO_BYTES_PER_MINUTE: u64 = 60 * 1024 * 1024;

/// Where free space is asked for and claimed.
pub trait Space: Send + Sync {
    /// Bytes that may still be written below `folder`.
    ///
    /// # Errors
    /// When the system does not say.
    fn available(&self, folder: &Path) -> io::Result<u64>;

    /// Called before `bytes` are written; the file system itself has no say here, a quota has.
    ///
    /// # Errors
    /// [`io::ErrorKind::StorageFull`] when they may not be written.
    fn claim(&self, _bytes: u64) -> io::Result<()> {
        Ok(())
    }
}

/// The real file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileSystem;

impl Space for FileSystem {
    fn available(&self, folder: &Path) -> io::Result<u64> {
        fs4::available_space(folder)
    }
}

/// How many minutes of video about fit into some bytes.
pub fn minutes_of_video(bytes: u64) -> u64 {
    bytes / VIDEO_BYTES_PER_MINUTE
}
