//! The end of the chain, kept beside the database: how a restored store notices that it is old.
//!
//! The file is written after each commit and never synced: after a cut it may be behind the database, never ahead of it. A
//! database that is behind the file was put back from a copy.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use fieldseal_proof::ids::{IncarnationId, Link};

/// Incarnation, next sequence number and link of the last commit known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tail {
    pub incarnation: IncarnationId,
    pub next_seq: u64,
    pub link: Link,
}

/// The file `store.tail`.
pub(super) struct TailFile(PathBuf);

impl TailFile {
    /// The file that belongs to a database.
    pub fn beside(database: &Path) -> Self {
        Self(database.with_extension("tail"))
    }

    /// What it says; `None` when there is none or a cut left it torn.
    pub fn read(&self) -> Option<Tail> {
        let text = std::fs::read_to_string(&self.0).ok()?;
        let mut words = text.split_whitespace();
        let tail = Tail {
            incarnation: words.next()?.parse().ok()?,
            next_seq: words.next()?.parse().ok()?,
            link: words.next()?.parse().ok()?,
        };
        (words.next() == Some("end")).then_some(tail)
    }

    /// Writes it. A failure is of no consequence: the file is then behind, as after a cut.
    pub fn write(&self, tail: Tail) {
        // Always the same length, written over the old text: truncating first would cost a second wait for the disk's journal.
        let text = format!("{} {:>20} {} end\n", tail.incarnation, tail.next_seq, tail.link);
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).open(&self.0);
        let _ = file.and_then(|mut file| file.write_all(text.as_bytes()));
    }
}
