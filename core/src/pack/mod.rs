//! Rule packs: the law as content-addressed data (`core/docs/formats/pack.md`).
//!
//! ```text
//! folder ──PackSource──▶ pack bytes ──sign──▶ PackFile … verify(key log) ──▶ RulePack (typed tables)
//! ```
//!
//! The engine asks a pack; it never knows a clause number, grade, threshold or sentence of the law itself.

mod check;
mod file;
mod source;
mod tables;
#[cfg(test)]
pub(crate) mod tests;

mod number;
mod rule_pack;

pub use file::{PackFile, PackFileError};
pub use number::{DocumentNumber, format_number};
pub use rule_pack::{PackError, PackShelf, RulePack};
pub use source::{MAX_PACK_BYTES, MAX_PACK_FILES, PackSource, pack_hash};
pub use tables::{
    Agency, Checklist, Clause, DocumentDefinition, EvidenceKind, Grade, InspectionItem, NumberSeries, PackHead, Remedy,
    RemedyPart, Thresholds, Violation, Words,
};
