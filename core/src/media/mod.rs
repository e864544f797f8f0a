//! Room for `media`.
