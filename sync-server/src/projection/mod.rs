//! Folded views: what the record comes to, per case and for the registry. Everything here can be dropped and made again.
//!
//! One worker follows the log in leaf order: it judges each new operation (`ingest::assess`), folds its writes path by path with
//! `core::merge`, and keeps the case register. Its place in the log is committed together with what it derived, so it goes on
//! exactly where it stood.

mod case_file;
mod duplicates;
mod effects;
mod fold;
mod judging;
mod lines;
mod orders;
mod packs;
mod register;
mod settle;
mod step;
mod view;
mod worker;

pub use case_file::{CaseFile, Entry, entry_of, ingest_devices};
pub use duplicates::Duplicates;
pub(crate) use fold::{field_row, merge_writes, values_of};
pub use fold::{refold, scope_of};
pub use lines::{DocumentLine, EnterpriseLine, day_number};
pub use orders::{judged, visits};
pub use packs::PackShelf;
pub use register::{CaseSummary, STAGES};
pub use settle::{SetAside, set_aside_all};
pub use view::{case_view, view_under};
pub use worker::{CURSOR_ASSESSED, CURSOR_PROJECTED, Projection};

/// Why the views stand still.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProjectionError {
    #[error(transparent)]
    Ledger(#[from] crate::ledger::LedgerError),
    #[error(transparent)]
    Author(#[from] crate::ingest::AuthorError),
}
