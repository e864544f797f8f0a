//! Sittings at the feed: who reads everybody's records is written into the access log once for each, not once a poll.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use fieldseal_proof::ids::DeviceId;

/// Polls no further apart than this are one sitting.
const ONE_SITTING_MS: u64 = 10 * 60 * 1000;

/// When each device last polled. They live as long as the process: a restart begins new sittings.
#[derive(Default)]
pub struct Sittings {
    last: Mutex<HashMap<DeviceId, u64>>,
}

impl Sittings {
    /// Takes note of a poll; whether it begins a sitting. Reading from the start of the log always does.
    pub fn begins(&self, device: DeviceId, now_ms: u64, from_start: bool) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let before = last.insert(device, now_ms);
        from_start || before.is_none_or(|before| now_ms >= before.saturating_add(ONE_SITTING_MS))
    }

    /// The line could not be written: the next poll begins the sitting again.
    pub fn forget(&self, device: &DeviceId) {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).remove(device);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_in_a_row_are_one_sitting() {
        let (sittings, device) = (Sittings::default(), DeviceId::from_bytes([1; 16]));
        assert!(sittings.begins(device, 1_000, false));
        assert!(!sittings.begins(device, 2_000, false));
        assert!(sittings.begins(device, 3_000, true));
        assert!(!sittings.begins(device, 3_000 + ONE_SITTING_MS - 1, false));
        assert!(sittings.begins(device, 3_000 + 2 * ONE_SITTING_MS, false));
        sittings.forget(&device);
        assert!(sittings.begins(device, 3_001 + 2 * ONE_SITTING_MS, false));
    }
}
