//! Enterprises: the list, the page of one with what is open there, and what may be recorded twice.

mod duplicates;
mod list;
mod page;
mod registry;

pub use duplicates::page as duplicates;
pub use list::{csv, page as list};
pub use page::page;
pub use registry::records_of;
