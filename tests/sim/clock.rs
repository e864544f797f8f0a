//! One time for the world, and clocks that are wrong about it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use fieldseal_core::clock::{Clock, DeviceTime};
use fieldseal_proof::ids::BootId;

/// True time, milliseconds since 1970.
#[derive(Clone)]
pub struct Time(Arc<AtomicU64>);

impl Time {
    pub fn starting_at(ms: u64) -> Self {
        Self(Arc::new(AtomicU64::new(ms)))
    }

    pub fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    pub fn pass(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

/// The clock of one machine.
pub struct MachineClock {
    time: Time,
    off_by_ms: AtomicI64,
    boot: BootId,
}

impl MachineClock {
    pub fn right(time: &Time, boot: u8) -> Self {
        Self {
            time: time.clone(),
            off_by_ms: AtomicI64::new(0),
            boot: BootId::from_bytes([boot; 16]),
        }
    }

    /// From now on it differs from the true time by so much.
    pub fn set_off_by(&self, ms: i64) {
        self.off_by_ms.store(ms, Ordering::SeqCst);
    }
}

impl Clock for MachineClock {
    fn now(&self) -> DeviceTime {
        let now = self.time.now();
        DeviceTime {
            wall_ms: now.saturating_add_signed(self.off_by_ms.load(Ordering::SeqCst)),
            boot: self.boot,
            monotonic_ms: now,
        }
    }
}
