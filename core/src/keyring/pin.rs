//! PINs: slow to try, and refused for a growing time after wrong tries.

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use super::KeyringError;

/// Fewest characters of a PIN.
pub const MIN_PIN: usize = 6;

/// Cost of a PIN for new officers: 19 MiB and 2 passes, the OWASP minimum for argon2id; about 30 ms on a tablet.
pub(super) const COST: PinCost = PinCost {
    memory_kib: 19 * 1024,
    passes: 2,
};
/// A stored cost above these bounds is refused: a changed file must not be able to take the device's memory.
const MAX_MEMORY_KIB: u32 = 256 * 1024;
const MAX_PASSES: u32 = 10;

/// Tries that are free of delay.
const FREE_TRIES: u32 = 3;
const FIRST_DELAY_MS: u64 = 30 * 1000;
const LONGEST_DELAY_MS: u64 = 60 * 60 * 1000;

/// Parameters of argon2id that an officer's key was wrapped with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PinCost {
    pub memory_kib: u32,
    pub passes: u32,
}

/// The key that opens an officer's key.
pub(super) fn stretch(pin: &str, salt: &[u8; 16], cost: PinCost) -> Result<Zeroizing<[u8; 32]>, KeyringError> {
    let damaged = KeyringError::Damaged("the cost of a PIN is out of bounds");
    if cost.memory_kib > MAX_MEMORY_KIB || cost.passes > MAX_PASSES {
        return Err(damaged);
    }
    let Ok(params) = Params::new(cost.memory_kib, cost.passes, 1, Some(32)) else {
        return Err(damaged);
    };
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(pin.as_bytes(), salt, &mut *key)
        .map_err(|_| KeyringError::Damaged("argon2id refused the PIN's parameters"))?;
    Ok(key)
}

/// Wrong tries and what they cost. Kept on disk, so that switching the device off does not help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PinDelay {
    /// Wrong tries since the last right one.
    pub failures: u32,
    /// Wall clock time before which no try is accepted, in milliseconds.
    pub until_ms: u64,
}

impl PinDelay {
    /// Milliseconds to wait at a wall clock time; never longer than an hour, also when the clock was put back.
    pub fn wait_ms(&self, now_ms: u64) -> u64 {
        self.until_ms.saturating_sub(now_ms).min(LONGEST_DELAY_MS)
    }

    /// Tries that are left before the first delay.
    pub fn free_tries_left(&self) -> u32 {
        FREE_TRIES.saturating_sub(self.failures)
    }

    /// The delay after one more wrong try: none for the first three, then 30 s, doubling up to an hour.
    #[must_use]
    pub fn after_failure(self, now_ms: u64) -> Self {
        let failures = self.failures.saturating_add(1);
        let delay = match failures.checked_sub(FREE_TRIES) {
            None | Some(0) => 0,
            Some(n) => FIRST_DELAY_MS
                .checked_shl(n - 1)
                .unwrap_or(LONGEST_DELAY_MS)
                .min(LONGEST_DELAY_MS),
        };
        Self {
            failures,
            until_ms: if delay == 0 { 0 } else { now_ms.saturating_add(delay) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_an_hour_and_stay_there() {
        let mut delay = PinDelay::default();
        let waits: Vec<u64> = (0..45)
            .map(|_| {
                delay = delay.after_failure(1_000);
                delay.wait_ms(1_000) / 1000
            })
            .collect();
        assert_eq!(&waits[..6], [0, 0, 0, 30, 60, 120]);
        assert_eq!(waits.last(), Some(&3600));
    }

    #[test]
    fn a_clock_put_back_by_years_does_not_lock_for_years() {
        let delay = PinDelay {
            failures: 9,
            until_ms: 4_000_000_000_000,
        };
        assert_eq!(delay.wait_ms(0), LONGEST_DELAY_MS);
    }

    #[test]
    fn a_changed_cost_cannot_take_the_memory() {
        let cost = PinCost {
            memory_kib: u32::MAX,
            passes: 1,
        };
        assert!(matches!(
            stretch("123456", &[0; 16], cost),
            Err(KeyringError::Damaged(_))
        ));
    }
}
