//! Hearing and export: what does the bundle prove, and what not?

mod case;
mod download;
mod list;

pub use case::{begin, page as case};
pub use download::bundle;
pub use list::page as list;
