//! A wall clock that moved while the device was running.

use super::DeviceTime;

/// A difference between wall clock and monotonic clock above this is reported, in milliseconds (1 minute).
pub const REPORTED_JUMP_MS: u64 = 60 * 1000;

/// The wall clock moved by itself, by hand or by the network, since the last reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockJump {
    /// By how much it was put forward (positive) or back (negative), in milliseconds.
    pub by_ms: i64,
}

impl ClockJump {
    /// Compares two readings of the same start of the device; `None` when they agree or cannot be compared.
    pub fn between(earlier: DeviceTime, later: DeviceTime) -> Option<Self> {
        if earlier.boot != later.boot || later.monotonic_ms < earlier.monotonic_ms {
            return None;
        }
        let wall = later.wall_ms as i128 - earlier.wall_ms as i128;
        let ran = (later.monotonic_ms - earlier.monotonic_ms) as i128;
        let by = wall - ran;
        let reported = by.unsigned_abs() > u128::from(REPORTED_JUMP_MS);
        reported.then_some(Self {
            by_ms: by.clamp(i64::MIN.into(), i64::MAX.into()) as i64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fieldseal_proof::ids::BootId;

    fn at(wall_ms: u64, boot: u8, monotonic_ms: u64) -> DeviceTime {
        DeviceTime {
            wall_ms,
            boot: BootId::from_bytes([boot; 16]),
            monotonic_ms,
        }
    }

    #[test]
    fn a_clock_put_back_is_seen_within_one_boot_only() {
        let start = at(10_000_000, 1, 0);
        assert_eq!(
            ClockJump::between(start, at(6_400_000, 1, 0)),
            Some(ClockJump { by_ms: -3_600_000 })
        );
        assert_eq!(ClockJump::between(start, at(10_500_000, 1, 500_000)), None);
        assert_eq!(ClockJump::between(start, at(0, 2, 0)), None);
    }
}
