//! Room for `keyring`.
