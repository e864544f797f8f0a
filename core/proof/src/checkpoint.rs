//! What a log says of itself: checkpoints and time notes (`formats/log.md`).

use crate::encoding::{base64, from_base64};
use crate::hash::{Digest32, h};
use crate::ids::Anchor;
use crate::note::{NoteError, SignedNote};

/// Size and root of a log, as the text of a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's permanent name.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// Root over them.
    pub root: Digest32,
}

impl Checkpoint {
    /// The text that is signed.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, base64(&self.root))
    }

    /// Reads the text of a note; further lines (extensions) are allowed and ignored.
    pub fn of(note: &SignedNote) -> Result<Self, NoteError> {
        let mut lines = note.text().split('\n');
        let mut next =
            || lines.next().filter(|l| !l.is_empty()).ok_or(NoteError::Form("a line of the checkpoint is missing"));
        let (origin, size, root) = (next()?, next()?, next()?);
        Ok(Self { origin: origin.to_owned(), size: decimal(size)?, root: hash(root)? })
    }
}

/// The server's own word about time: a claim of the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeNote {
    /// The log's permanent name.
    pub origin: String,
    /// Milliseconds since 1970.
    pub unix_ms: u64,
    /// Size of the log then.
    pub size: u64,
    /// Root over that size.
    pub root: Digest32,
}

impl TimeNote {
    const FIRST_LINE: &'static str = "fieldseal/time/v0";

    /// The text that is signed.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n{}\n{}\n", Self::FIRST_LINE, self.origin, self.unix_ms, self.size, base64(&self.root))
    }

    /// The name of the key that signs time notes of a log.
    pub fn key_name(origin: &str) -> String {
        format!("{origin}/time")
    }

    /// Reads the text of a note: exactly five lines.
    pub fn of(note: &SignedNote) -> Result<Self, NoteError> {
        let lines: Vec<&str> = note.text().split('\n').collect();
        match lines[..] {
            [Self::FIRST_LINE, origin, time, size, root, ""] if !origin.is_empty() => {
                Ok(Self { origin: origin.to_owned(), unix_ms: decimal(time)?, size: decimal(size)?, root: hash(root)? })
            }
            _ => Err(NoteError::Form("it is not a time note")),
        }
    }
}

/// What kind of time attestation an anchor names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttestationKind {
    /// The operator's own time note.
    TimeNote,
    /// A checkpoint with cosignature lines.
    CosignedNote,
    /// An RFC 3161 token.
    Rfc3161,
}

impl AttestationKind {
    /// The word in formats and file names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TimeNote => "time-note",
            Self::CosignedNote => "cosigned-note",
            Self::Rfc3161 => "rfc3161",
        }
    }

    /// From the word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::TimeNote, Self::CosignedNote, Self::Rfc3161].into_iter().find(|k| k.as_str() == word)
    }
}

/// `H("fieldseal/v0/anchor", kind, bytes)`.
pub fn anchor(kind: AttestationKind, bytes: &[u8]) -> Anchor {
    Anchor::from_bytes(h("fieldseal/v0/anchor", &[kind.as_str().as_bytes(), bytes]))
}

fn decimal(text: &str) -> Result<u64, NoteError> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<u64>() {
        Ok(number) if digits && number.to_string() == text => Ok(number),
        Ok(_) if digits => Err(NoteError::Form("a number has a second spelling")),
        _ => Err(NoteError::Form("a number is not decimal")),
    }
}

fn hash(text: &str) -> Result<Digest32, NoteError> {
    from_base64(text).and_then(|b| b.try_into().ok()).ok_or(NoteError::Form("a root is not 32 bytes of base64"))
}
