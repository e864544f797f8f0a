//! The state of a case as a pure function of the **set** of its operations (`core/docs/formats/merge.md`).
//!
//! ```text
//! operations ──fold──▶ writes per path ──resolve_path──▶ State ──▶ state hash
//!                └──▶ dispositions ──quarantined_ops──┘
//! ```
//!
//! Order, repetition and partition of delivery make no difference. Nothing here reads a log index, a receipt, a time bracket
//! or a clock, and nothing is ever dropped for being late: what loses stays in the set and can be shown.

mod class;
mod disposition;
mod fold;
#[cfg(test)]
pub(crate) mod laws;
mod resolve;
mod state;
mod write;

pub use class::FieldClass;
pub use disposition::{DispositionFact, Quarantine, Standing, quarantined_ops};
pub use fold::{Fold, Scope, fold};
pub use resolve::{Held, Outcome, Resolved, resolve_path, state_hash};
pub use state::{AttestFact, OperationFact, State};
pub use write::{MergeKey, Write};
