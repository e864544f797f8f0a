//! What a device wants to write, before the store gives it a place in the chain and signs it; and a signed operation for others.

mod export;
mod new;

pub use export::{dsse, from_dsse, readable};
pub use new::NewOperation;
