//! Room for `sync`.
