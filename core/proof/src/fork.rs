//! Equivocation: two operations of a device that cannot both be its history (`formats/operation.md`, Same, duplicate, fork).

use crate::operation::{VerifiedOperation, link_origin};

/// In what two operations of one device clash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fork {
    /// The same id under two signatures.
    SignedTwice,
    /// The same place in the incarnation.
    Seq,
    /// The same link before it, in whatever incarnation; but every incarnation may open at the device's origin link.
    Prev,
    /// The same counter in a stream.
    Counter,
}

impl Fork {
    /// A stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Fork::SignedTwice => "signed-twice",
            Fork::Seq => "seq",
            Fork::Prev => "prev",
            Fork::Counter => "counter",
        }
    }
}

/// Whether two verified operations prove that their device equivocated; a duplicate is none.
pub fn between(one: &VerifiedOperation, other: &VerifiedOperation) -> Option<Fork> {
    let (a, b) = (one.header(), other.header());
    if (a.tenant, a.device) != (b.tenant, b.device) || one.commitment() == other.commitment() {
        return None;
    }
    let same_life = a.incarnation == b.incarnation;
    if one.header_bytes() == other.header_bytes() {
        Some(Fork::SignedTwice)
    } else if same_life && a.seq == b.seq {
        Some(Fork::Seq)
    } else if a.prev == b.prev && (same_life || a.prev != link_origin(&a.tenant, &a.device) || (a.seq, b.seq) != (0, 0))
    {
        Some(Fork::Prev)
    } else if same_life && a.stream() == b.stream() && a.counter == b.counter {
        Some(Fork::Counter)
    } else {
        None
    }
}
