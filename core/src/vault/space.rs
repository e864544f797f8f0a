//! How much room there is: a port, so that a full disk can be rehearsed.

use std::io;
use std::path::Path;

/// Bytes of one minute of video as field cameras write it (about 8 Mbit/s, 1080p H.264): only for warnings, nothing is refused
/// by it.
const VIDEO_BYTES_PER_MINUTE: u64 = 60 * 1024 * 1024;

/// Kept free while a camera records, whatever the rule pack says or whether there is one: the database needs it to write that
/// the recording exists, its journal included. A matter of the program, not of the agency.
pub const ROOM_FOR_RECORDS: u64 = 32 * 1024 * 1024;

/// Below this a device without a rule pack warns: ten minutes of video.
pub const WARNED_BELOW: u64 = 10 * VIDEO_BYTES_PER_MINUTE;

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

/// About how many bytes a recording of some length takes, at `bytes_per_second` or else at what field cameras write.
pub fn recording_bytes(duration_ms: u64, bytes_per_second: Option<u64>) -> u64 {
    let rate = bytes_per_second.unwrap_or(VIDEO_BYTES_PER_MINUTE / 60);
    duration_ms.div_ceil(1000).saturating_mul(rate)
}
