//! Succession of a log: what the root key says when a generation cannot go on (`formats/log.md`, Generations).

use crate::body::Body;
use crate::hash::{Digest32, h};
use crate::ids::Commitment;
use crate::key_log::Entry;

/// The end of one generation of a log and the beginning of the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Succession {
    /// Origin of the generation that is frozen.
    pub old: String,
    /// Origin of the next one.
    pub new: String,
    /// Size at which the old one is frozen.
    pub size: u64,
    /// Its root at that size.
    pub root: Digest32,
}

impl Succession {
    /// Reads a `succession` entry of a checked key log with its attributes; `old` is the log it ends. `None` when the new
    /// origin is not the old one's next generation, or an attribute is missing, withheld or of another type.
    pub fn read(old: &str, entry: &Entry, attrs: &Body) -> Option<Self> {
        let (name, generation) = old.rsplit_once('/')?;
        let next = format!("{name}/{}", generation.parse::<u64>().ok()?.checked_add(1)?);
        let new = entry.name.clone().filter(|new| entry.action == "succession" && *new == next)?;
        let root = attrs.get("log/root")?.as_bytes()?.try_into().ok()?;
        (Some(attrs.root()) == entry.attrs_root).then_some(())?;
        Some(Self { old: old.to_owned(), new, size: attrs.get("log/size")?.as_uint()?, root })
    }

    /// Leaf 0 of the new generation: it commits to the old one's last head.
    pub fn leaf(&self) -> Commitment {
        let items: [&[u8]; 4] = [self.old.as_bytes(), self.new.as_bytes(), &self.size.to_be_bytes(), &self.root];
        Commitment::from_bytes(h("fieldseal/v0/succession", &items))
    }
}
