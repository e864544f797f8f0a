//! Room for `device`.
