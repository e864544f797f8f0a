//! What spreads the waits of many devices.

use fieldseal_core::sync::backoff::Random;

/// The system's randomness. Without it the waits are the longest: no secret hangs on this.
pub(crate) fn random() -> Random {
    Box::new(|| {
        let mut bytes = [0xff; 8];
        let _ = getrandom::fill(&mut bytes);
        u64::from_le_bytes(bytes)
    })
}
