//! Trust, shown honestly: each component of console.md section 2 is a type that renders itself.
//!
//! A component is a template of its own, so a page writes `{{ item.bracket }}` and cannot say it otherwise. Shapes and tones are
//! chosen here and only here; words come from the catalogue by the functions that the command line uses too.

mod basis;
mod bracket;
mod limits;
mod receipts;
mod shape;
mod signed;
mod tag;
#[cfg(test)]
mod tests;
mod verdict;

pub use basis::{Basis, BasisCell};
pub use bracket::{BracketFigure, short as short_bracket};
pub use limits::NotProven;
pub use receipts::{Receipt, ReceiptList};
pub use shape::Shape;
pub use signed::SignedBy;
pub use tag::AcquisitionTag;
pub use verdict::{Checked, Judgement, VerdictPanel, VerdictTag};
