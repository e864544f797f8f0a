//! Folded views: what the record comes to, per case and for the registry. Everything here can be dropped and made again.
//!
//! One worker follows the log in leaf order: it judges each new operation (`ingest::assess`), folds its writes path by path with
//! `core::merge`, and keeps the case register. Its place in the log is committed together with what it derived, so it goes on
//! exactly where it stood.

mod fold;
mod register;
mod settle;
mod view;
mod worker;

pub(crate) use fold::{field_row, merge_writes};
pub use fold::{refold, scope_of};
pub use register::CaseSummary;
pub use settle::{SetAside, set_aside_all};
pub use view::case_view;
pub use worker::{CURSOR_ASSESSED, CURSOR_PROJECTED, Projection, subjects_of};

/// Why the views stand still.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProjectionError {
    #[error(transparent)]
    Ledger(#[from] crate::ledger::LedgerError),
    #[error(transparent)]
    Author(#[from] crate::ingest::AuthorError),
}
