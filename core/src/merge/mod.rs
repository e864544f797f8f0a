//! Room for `merge`.
