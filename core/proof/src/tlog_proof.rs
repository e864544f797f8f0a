//! C2SP tlog-proof: index, inclusion proof and checkpoint in one text file.

use crate::checkpoint::Checkpoint;
use crate::encoding::{base64, from_base64};
use crate::hash::Digest32;
use crate::merkle::{self, MAX_INCLUSION, ProofError, leaf_hash};
use crate::note::{NoteError, SignedNote};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// A proof as read; nothing of it is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// Index of the leaf.
    pub index: u64,
    /// Hashes from the leaf upwards.
    pub hashes: Vec<Digest32>,
    /// The checkpoint it leads to.
    pub note: SignedNote,
}

impl TlogProof {
    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = format!("{FIRST_LINE}\nindex {}\n", self.index);
        for hash in &self.hashes {
            out.push_str(&base64(hash));
            out.push('\n');
        }
        out.push('\n');
        [out.into_bytes(), self.note.to_bytes()].concat()
    }

    /// Reads a proof file; an `extra` line is refused, because nothing would authenticate it.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        let form = |reason| NoteError::Form(reason);
        if bytes.len() > crate::note::MAX_NOTE + 8 * 1024 {
            return Err(form("the proof is over the limit"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| form("the proof is not UTF-8"))?;
        let (head, note) = text.split_once("\n\n").ok_or(form("the proof has no checkpoint"))?;
        let mut lines = head.split('\n');
        if lines.next() != Some(FIRST_LINE) {
            return Err(form("it is not a tlog-proof v1"));
        }
        let index = lines.next().and_then(|l| l.strip_prefix("index ")).ok_or(form("the proof has no index line"))?;
        let number = index.parse::<u64>().ok().filter(|n| n.to_string() == index);
        let hash = |l: &str| from_base64(l).and_then(|b| b.try_into().ok());
        let hashes: Option<Vec<Digest32>> = lines.map(hash).collect();
        let hashes = hashes.filter(|h| h.len() <= MAX_INCLUSION).ok_or(form("the proof's hashes are malformed"))?;
        Ok(Self {
            index: number.ok_or(form("the index is not decimal"))?,
            hashes,
            note: SignedNote::parse(note.as_bytes())?,
        })
    }

    /// Checks that the leaf data are in the tree of this checkpoint; whose checkpoint it is is checked elsewhere.
    pub fn verify(&self, leaf_data: &[u8], checkpoint: &Checkpoint) -> Result<(), ProofError> {
        merkle::verify_inclusion(&leaf_hash(leaf_data), self.index, checkpoint.size, &self.hashes, &checkpoint.root)
    }
}
