//! Wrong passwords and what they cost: pure.

use serde::{Deserialize, Serialize};

/// Tries without a wait.
const FREE: u32 = 5;
const FIRST_MS: u64 = 30_000;
const LONGEST_MS: u64 = 15 * 60_000;

/// Wrong tries for one name. Kept in the ledger, so that a restart does not help; counted for names that nobody has as well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lockout {
    pub failures: u32,
    pub until_ms: u64,
}

impl Lockout {
    /// Milliseconds to wait; never longer than the longest, also when the server's clock was put back.
    pub fn wait_ms(&self, now_ms: u64) -> u64 {
        self.until_ms.saturating_sub(now_ms).min(LONGEST_MS)
    }

    /// After one more wrong try: five are free, then 30 s, doubling up to a quarter of an hour.
    #[must_use]
    pub fn after_failure(self, now_ms: u64) -> Self {
        let failures = self.failures.saturating_add(1);
        let wait = match failures.checked_sub(FREE) {
            None | Some(0) => 0,
            Some(n) => FIRST_MS
                .checked_shl((n - 1).min(16))
                .unwrap_or(LONGEST_MS)
                .min(LONGEST_MS),
        };
        Self {
            failures,
            until_ms: now_ms + wait,
        }
    }
}

/// Key of a name's register: the first two bytes of its hash. Whoever tries a million names fills 65,536 rows at most.
pub fn slot(user_hash: &[u8; 32]) -> Vec<u8> {
    user_hash[..2].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_are_free_then_it_doubles() {
        let mut lock = Lockout::default();
        let mut waits = Vec::new();
        for _ in 0..13 {
            lock = lock.after_failure(1_000);
            waits.push(lock.wait_ms(1_000) / 1_000);
        }
        assert_eq!(waits, [0, 0, 0, 0, 0, 30, 60, 120, 240, 480, 900, 900, 900]);
        assert_eq!(lock.wait_ms(0), LONGEST_MS);
        assert_eq!(lock.wait_ms(u64::MAX), 0);
    }
}
