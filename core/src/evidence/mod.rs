//! Room for `evidence`.
