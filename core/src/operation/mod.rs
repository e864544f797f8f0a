//! Room for `operation`.
