//! The central log: leaves become tiles, a committed head, a signed checkpoint, and only then something others can see.
//!
//! ```text
//! leaves (ledger) ─▶ head committed (compare-and-swap) ─▶ signed ─▶ signature stored ─▶ tiles ─▶ /checkpoint
//! ```
//! Starting again walks the same path from wherever it was cut: what was committed is signed, what was signed is published.

mod brackets;
mod folder;
mod own_chain;
mod sequencer;
mod time;

pub use brackets::bracket;
pub use folder::{TileError, TileFolder};
pub use own_chain::OwnChain;
pub use sequencer::{HEAD_KEY, Published, Sequencer, TreeHead};
pub use time::TimeNotes;

use crate::ledger::LedgerError;

/// Why the log stands still.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Tiles(#[from] TileError),
    /// Going on would contradict something this log said before. Nothing is signed until a person has looked.
    #[error("the log was frozen, nothing was signed: {0}")]
    Frozen(String),
    /// Another process holds the log.
    #[error("another process has taken over this log; this one stops")]
    Fenced,
    #[error("the log key could not sign: {0}")]
    Sign(String),
}
