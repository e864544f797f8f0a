//! Enterprises: the list, and the page of one with what is open there.

mod list;
mod page;
mod registry;

pub use list::{csv, page as list};
pub use page::page;
