//! Room for `pack`.
