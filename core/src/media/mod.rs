//! What a file is and what it says about itself, read from its content within bounds.
//!
//! Reading never fails: a broken file is evidence too. It gets the type its bytes show, or `application/octet-stream`, and a list
//! of what is odd about it. Everything here is a claim of whoever made the file.

mod duration;
mod exif_claims;
mod odd;
mod sniff;
#[cfg(test)]
mod tests;

use std::io::{Read, Seek, SeekFrom};

use crate::catalogue::Message;
use crate::domain::ExifClaims;

pub use sniff::{OCTETS, extension, sniff};

/// Bytes from which a type is told.
pub const PROBE_BYTES: u64 = 16 * 1024;
/// Most bytes that are read of one file for everything together.
pub const READ_BYTES: u64 = 16 * 1024 * 1024;

/// What a file says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaFacts {
    /// By content.
    pub media_type: String,
    /// What the camera wrote: time, place, maker and model.
    pub exif: ExifClaims,
    /// Where it can be told cheaply: WAV, MP4, QuickTime.
    pub duration_ms: Option<u64>,
    /// What is odd about it, to be shown beside it.
    pub oddities: Vec<Message>,
}

/// Reads a file of `size` bytes: at most [`READ_BYTES`] of it, in flat memory but for the camera's own block.
pub fn read<R: Read + Seek>(reader: R, size: u64) -> MediaFacts {
    let mut reader = Bounded {
        inner: reader,
        left: READ_BYTES,
    };
    let mut probe = Vec::new();
    let probed = reader
        .seek(SeekFrom::Start(0))
        .and_then(|_| (&mut reader).take(PROBE_BYTES).read_to_end(&mut probe));
    let mut oddities = Vec::new();
    if let Err(error) = probed {
        oddities.push(odd::unreadable(&error));
    }
    let media_type = sniff(&probe);
    if size == 0 {
        oddities.push(odd::empty());
    } else if media_type == OCTETS {
        oddities.push(odd::unknown());
    }
    let exif = exif_claims::read(&mut reader, &media_type, &mut oddities);
    let duration_ms = duration::read(&mut reader, &media_type, size, &mut oddities);
    odd::check_end(&mut reader, &media_type, size, &mut oddities);
    MediaFacts {
        media_type,
        exif,
        duration_ms,
        oddities,
    }
}

/// A reader that gives up after so many bytes, wherever they lie: a container may point anywhere, as often as it likes.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let most = into.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if most == 0 && !into.is_empty() {
            return Err(std::io::Error::other(
                "the file asks for more reading than is done for one file",
            ));
        }
        let read = self.inner.read(&mut into[..most])?;
        self.left -= read as u64;
        Ok(read)
    }
}

impl<R: Seek> Seek for Bounded<R> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.inner.seek(to)
    }
}
