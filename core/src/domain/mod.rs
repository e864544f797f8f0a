//! Room for `domain`.
