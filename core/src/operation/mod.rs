//! What a device wants to write, before the store gives it a place in the chain and signs it.

mod new;

pub use new::NewOperation;
