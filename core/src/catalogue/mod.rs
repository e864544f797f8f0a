//! Every sentence that a user reads, in Chinese and English, under one stable code.
//!
//! The sentences lie in `messages/*.toml`, one file per group; a code is a key of one of them, the wire's `code` and what tests
//! compare. Form of an error: what happened · what is safe · what to do. To add one, add it to its group's file with both
//! languages and its parameters; the tests below hold the rest.

mod message;
mod param;
mod table;
#[cfg(test)]
mod tests;
pub mod trust;

pub use message::Message;
pub use param::{Lang, Param};
pub(crate) use table::fill;
pub use table::{codes, exists, parameters, text};
