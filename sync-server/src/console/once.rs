//! What is shown once: enrolment codes and one-time words, by the token of their page. Kept in memory while they last, never stored
//! in plain, and only for the person who made them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// What a code is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    Enrolment,
    Account,
}

/// A code as its page shows it.
#[derive(Clone)]
pub struct Code {
    pub of: Use,
    pub text: String,
    /// The tablet or the account that it is for.
    pub label: String,
    /// Shown no longer than this.
    pub expires_ms: u64,
    /// Who made it.
    pub user: String,
}

/// Codes that were made here since the start.
#[derive(Default)]
pub struct Codes(Mutex<HashMap<String, Code>>);

impl Codes {
    pub fn keep(&self, token: String, code: Code, now: u64) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|_, code| now < code.expires_ms);
        held.insert(token, code);
    }

    pub fn find(&self, of: Use, token: &str, user: &str, now: u64) -> Option<Code> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(token)
            .filter(|code| code.of == of && code.user == user && now < code.expires_ms)
            .cloned()
    }
}
