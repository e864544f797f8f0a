//! The hybrid logical clock: wall time where it is sane, causality where it is not.

/// How far ahead of the wall clock a stamp may be and still move this device's clock, in milliseconds (5 minutes).
///
/// A tablet whose clock stands in 2090 would otherwise drag every other tablet there, and win every last-writer
/// field for ever.
pub const MAX_LEAD_MS: u64 = 5 * 60 * 1000;

/// A stamp of the hybrid logical clock (header keys 13 and 14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Hlc {
    /// Milliseconds since 1970.
    pub ms: u64,
    /// Orders stamps of the same millisecond.
    pub counter: u16,
}

impl Hlc {
    /// The stamp of a new operation: after `self`, and at the wall clock if that is later.
    ///
    /// When `self` leads the wall clock by more than [`MAX_LEAD_MS`] the device's own clock was wrong before and has
    /// been corrected: the stamp returns to the wall clock. The device's own order does not suffer, for its
    /// operations name what they supersede.
    pub fn tick(self, wall_ms: u64) -> Hlc {
        let last = if self.leads(wall_ms) { Hlc::default() } else { self };
        if wall_ms > last.ms {
            return Hlc {
                ms: wall_ms,
                counter: 0,
            };
        }
        match last.counter.checked_add(1) {
            Some(counter) => Hlc { ms: last.ms, counter },
            None => Hlc {
                ms: last.ms + 1,
                counter: 0,
            },
        }
    }

    /// Takes note of a stamp seen on another device's operation, unless it leads the wall clock by too much.
    pub fn adopt(self, seen: Hlc, wall_ms: u64) -> Hlc {
        if seen.leads(wall_ms) { self } else { self.max(seen) }
    }

    fn leads(self, wall_ms: u64) -> bool {
        self.ms > wall_ms.saturating_add(MAX_LEAD_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn stamps_rise_while_the_clock_is_sane(start in 0u64..1 << 40, steps in proptest::collection::vec(0u64..1_000, 1..50)) {
            let mut wall = start;
            let mut last = Hlc::default();
            for step in steps {
                wall += step;
                let next = last.tick(wall);
                prop_assert!(next > last);
                prop_assert!(next.ms >= wall);
                last = next;
            }
        }

        #[test]
        fn a_stamp_from_the_far_future_moves_nothing(wall in 0u64..1 << 40, lead in MAX_LEAD_MS + 1..1 << 50) {
            let own = Hlc { ms: wall, counter: 3 };
            prop_assert_eq!(own.adopt(Hlc { ms: wall + lead, counter: 0 }, wall), own);
            prop_assert_eq!(own.adopt(Hlc { ms: wall + MAX_LEAD_MS, counter: 0 }, wall).ms, wall + MAX_LEAD_MS);
        }
    }

    #[test]
    fn a_full_counter_carries_into_the_milliseconds() {
        assert_eq!(
            Hlc {
                ms: 10,
                counter: u16::MAX
            }
            .tick(10),
            Hlc { ms: 11, counter: 0 }
        );
    }

    #[test]
    fn a_corrected_clock_is_followed_back() {
        let in_2090 = Hlc {
            ms: 3_786_912_000_000,
            counter: 0,
        };
        assert_eq!(
            in_2090.tick(1_795_000_000_000),
            Hlc {
                ms: 1_795_000_000_000,
                counter: 0
            }
        );
    }
}
