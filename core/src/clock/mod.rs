//! Room for `clock`.
