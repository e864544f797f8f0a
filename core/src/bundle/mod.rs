//! Room for `bundle`.
