//! Room for `vault`.
