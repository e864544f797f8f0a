//! The one suite that every implementation of the two contracts passes. `tests/server/stores.rs` runs it.
