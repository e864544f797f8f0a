//! How long to wait before asking again.
//!
//! Exponential with full jitter: the wait is drawn evenly from zero to a ceiling that doubles. A `Retry-After` is a
//! floor below which no wait falls, with the jitter on top of it: a constant one would bring everybody back at once.

use std::time::Duration;

use super::limits::{BACKOFF_FIRST, BACKOFF_MOST, RETRY_AFTER_MOST, SESSION_FLOOR_MOST, TRIES};

/// A source of random 64-bit numbers; the caller owns it, tests seed it.
pub type Random = Box<dyn FnMut() -> u64 + Send>;

/// Counts failures in a row and says how long to wait after each.
pub struct Backoff {
    random: Random,
    failures: u32,
}

impl Backoff {
    /// Starts with no failure.
    pub fn new(random: Random) -> Self {
        Self { random, failures: 0 }
    }

    /// Forgets the failures: something arrived.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Notes a failure within a session. `None` when it should end: after too many in a row, or where the server asks for longer
    /// than a session waits; else the wait, never shorter than `floor`.
    pub fn failed(&mut self, floor: Option<Duration>) -> Option<Duration> {
        if self.failures + 1 >= TRIES || floor.is_some_and(|floor| floor > SESSION_FLOOR_MOST) {
            self.failures += 1;
            return None;
        }
        Some(self.pause(floor))
    }

    /// The wait before the next session, after one that brought nothing; it never gives up, whoever waits has a patience.
    pub fn pause(&mut self, floor: Option<Duration>) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let doublings = (self.failures - 1).min(16);
        let ceiling = BACKOFF_FIRST.saturating_mul(1 << doublings).min(BACKOFF_MOST);
        let millis = u64::try_from(ceiling.as_millis()).unwrap_or(u64::MAX - 1);
        let jitter = Duration::from_millis((self.random)() % (millis + 1));
        floor.unwrap_or_default().min(RETRY_AFTER_MOST) + jitter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(values: &'static [u64]) -> Backoff {
        let mut at = 0;
        Backoff::new(Box::new(move || {
            at += 1;
            values[(at - 1) % values.len()]
        }))
    }

    #[test]
    fn the_ceiling_doubles_and_the_whole_range_is_used() {
        let mut most = with(&[500, 1_000, 2_000, 4_000, 8_000]);
        let waits: Vec<u128> = (0..5)
            .filter_map(|_| most.failed(None))
            .map(|d| d.as_millis())
            .collect();
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000]);
        assert_eq!(with(&[0]).failed(None), Some(Duration::ZERO));
    }

    #[test]
    fn retry_after_is_a_floor_with_jitter_on_top() {
        let floor = Duration::from_secs(7);
        assert_eq!(with(&[0]).failed(Some(floor)), Some(floor));
        assert_eq!(
            with(&[300]).failed(Some(floor)),
            Some(floor + Duration::from_millis(300))
        );
    }

    #[test]
    fn a_retry_after_of_a_day_is_not_believed() {
        assert_eq!(with(&[0]).pause(Some(Duration::from_secs(86_400))), RETRY_AFTER_MOST);
    }

    #[test]
    fn a_session_ends_where_the_server_asks_for_longer_than_it_waits() {
        assert_eq!(with(&[0]).failed(Some(SESSION_FLOOR_MOST)), Some(SESSION_FLOOR_MOST));
        assert_eq!(with(&[0]).failed(Some(Duration::from_secs(300))), None);
    }

    #[test]
    fn between_sessions_it_never_gives_up_and_the_ceiling_stays() {
        let mut most = with(&[u64::MAX - 1]);
        let waits: Vec<Duration> = (0..40).map(|_| most.pause(None)).collect();
        assert!(waits.iter().all(|wait| *wait <= BACKOFF_MOST));
        let spread: std::collections::BTreeSet<u128> = (1..100)
            .map(|n: u64| {
                let mut backoff = Backoff::new(Box::new(move || n.wrapping_mul(7919)));
                (0..8).for_each(|_| {
                    backoff.pause(None);
                });
                backoff.pause(None).as_millis()
            })
            .collect();
        assert!(spread.len() > 90, "a hundred devices come back at as many times");
    }

    #[test]
    fn it_gives_up_and_starts_anew_after_a_success() {
        let mut backoff = with(&[1]);
        assert_eq!(
            (0..TRIES).filter_map(|_| backoff.failed(None)).count() as u32,
            TRIES - 1
        );
        backoff.reset();
        assert!(backoff.failed(None).is_some());
    }
}
