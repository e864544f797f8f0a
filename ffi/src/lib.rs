//! Reserved for the bindings (UniFFI over `FieldDevice`); the next issue builds them. Nothing depends on this crate.
