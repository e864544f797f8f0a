//! The clock port: what a device believes the time is.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use fieldseal_proof::ids::BootId;

use crate::random::{Random, RandomError, uuid};

/// One reading of the device's clocks. All of it is a claim of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceTime {
    /// Wall clock, milliseconds since 1970 UTC; 0 when the clock stands before 1970.
    pub wall_ms: u64,
    /// Which start of the operating system `monotonic_ms` counts from.
    pub boot: BootId,
    /// Milliseconds since that start; never runs backwards.
    pub monotonic_ms: u64,
}

/// Where time comes from.
pub trait Clock: Send + Sync {
    /// Reads the clocks now.
    fn now(&self) -> DeviceTime;

    /// Whether a person set this clock by hand (a rehearsal); the device says so wherever it shows its time.
    fn set_by_hand(&self) -> bool {
        false
    }
}

/// The operating system's clocks.
///
/// On Linux the boot id and the time since boot come from `/proc`, so that two processes of one start agree; elsewhere
/// each process counts as a start of its own.
pub struct SystemClock {
    boot: BootId,
    monotonic_at_start_ms: u64,
    start: Instant,
}

impl SystemClock {
    /// Takes its bearings.
    ///
    /// # Errors
    /// When a random boot id is needed and cannot be had.
    pub fn new(random: &dyn Random) -> Result<Self, RandomError> {
        let kernel = kernel_boot_id().zip(kernel_uptime_ms());
        let (boot, monotonic_at_start_ms) = match kernel {
            Some(found) => found,
            None => (BootId::from_bytes(uuid(random)?), 0),
        };
        Ok(Self {
            boot,
            monotonic_at_start_ms,
            start: Instant::now(),
        })
    }
}

impl Clock for SystemClock {
    fn now(&self) -> DeviceTime {
        DeviceTime {
            wall_ms: system_wall_ms(),
            boot: self.boot,
            monotonic_ms: self.monotonic_at_start_ms + self.start.elapsed().as_millis() as u64,
        }
    }
}

/// A clock that was set by hand and runs on from there: days pass in a rehearsal without waiting for them.
pub struct SetClock {
    boot: BootId,
    base_ms: u64,
    start: Instant,
}

impl SetClock {
    /// Starts at a wall clock time in milliseconds since 1970.
    ///
    /// # Errors
    /// When no random boot id can be had: a clock set by hand counts as a start of its own.
    pub fn starting_at(wall_ms: u64, random: &dyn Random) -> Result<Self, RandomError> {
        Ok(Self {
            boot: BootId::from_bytes(uuid(random)?),
            base_ms: wall_ms,
            start: Instant::now(),
        })
    }
}

impl Clock for SetClock {
    fn now(&self) -> DeviceTime {
        let elapsed = self.start.elapsed().as_millis() as u64;
        DeviceTime {
            wall_ms: self.base_ms.saturating_add(elapsed),
            boot: self.boot,
            monotonic_ms: elapsed,
        }
    }

    fn set_by_hand(&self) -> bool {
        true
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the clock port's implementation")]
fn system_wall_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}

fn kernel_boot_id() -> Option<BootId> {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .ok()?
        .trim()
        .parse()
        .ok()
}

fn kernel_uptime_ms() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Some((seconds * 1000.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::OsRandom;

    #[test]
    fn a_clock_set_by_hand_starts_where_it_was_set_and_says_so() {
        let clock = SetClock::starting_at(1_000, &OsRandom).unwrap();
        assert!((1_000..6_000).contains(&clock.now().wall_ms));
        assert!(clock.set_by_hand());
        assert!(!SystemClock::new(&OsRandom).unwrap().set_by_hand());
    }

    #[test]
    fn monotonic_time_does_not_run_backwards() {
        let clock = SystemClock::new(&OsRandom).unwrap();
        let first = clock.now();
        let second = clock.now();
        assert_eq!(first.boot, second.boot);
        assert!(second.monotonic_ms >= first.monotonic_ms);
    }
}
