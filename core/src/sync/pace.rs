//! How much is sent at a time: what the line carries within a second, so that a record never waits long behind a film.
//!
//! A part is asked for, sent, and answered with the server's offset; only between two parts may something else go. So the length
//! of a part is how long a record can wait, and on a line whose cuts the server cannot see (a box between that collects whole
//! requests) what a cut costs. On a good line short parts would cost speed, so the length follows what was measured.

use super::limits::{UPLOAD_CHUNK, UPLOAD_FIRST, UPLOAD_GROWTH, UPLOAD_LEAST, UPLOAD_SECOND, UPLOAD_SLICE};

/// Whole parts in a row after which a line counts as calm.
const CALM: u32 = 8;
/// A part below both this and half of what was allowed says more about the way there and back than about the line.
const TELLING: u64 = 64 * 1024;

/// What a session has learnt of its line.
pub(super) struct Pace {
    /// Most bytes of the next part, by the time that the last ones took.
    part: u64,
    /// Most bytes of a part since the last cut: a cut quarters it, eight whole parts in a row double it.
    after_cut: u64,
    whole: u32,
    /// The quickest exchange so far in milliseconds: the way there and back, and the server's own time.
    quickest_ms: Option<u64>,
    bytes_per_s: Option<u64>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            part: UPLOAD_FIRST,
            after_cut: UPLOAD_SLICE,
            whole: 0,
            quickest_ms: None,
            bytes_per_s: None,
        }
    }
}

impl Pace {
    /// Most bytes of the next part.
    pub fn part(&self) -> u64 {
        self.part.min(self.after_cut)
    }

    /// What the line carried of late, smoothed over some parts; none before the first one that tells.
    pub fn bytes_per_s(&self) -> Option<u64> {
        self.bytes_per_s
    }

    /// Any exchange was answered after so many milliseconds.
    pub fn answered(&mut self, took_ms: u64) {
        self.quickest_ms = Some(self.quickest_ms.unwrap_or(u64::MAX).min(took_ms));
    }

    /// A part of so many bytes was answered after so many milliseconds; a store without a clock does not know.
    pub fn sent(&mut self, bytes: u64, took_ms: Option<u64>) {
        self.whole += 1;
        if self.whole.is_multiple_of(CALM) {
            self.after_cut = self.after_cut.saturating_mul(2).min(UPLOAD_SLICE);
        }
        if bytes < TELLING.min(self.part() / 2) {
            return;
        }
        let grown = self.part.saturating_mul(UPLOAD_GROWTH);
        let Some(took_ms) = took_ms else {
            self.part = grown.min(UPLOAD_SLICE);
            return;
        };
        let moving_ms = took_ms.saturating_sub(self.quickest_ms.unwrap_or(0)).max(1);
        let rate = bytes.saturating_mul(1_000) / moving_ms;
        self.bytes_per_s = Some(match self.bytes_per_s {
            Some(before) => before - before / 4 + rate / 4,
            None => rate,
        });
        let second = rate.saturating_mul(UPLOAD_SECOND.as_secs()).max(UPLOAD_LEAST);
        self.part = second.min(UPLOAD_SLICE).min(grown);
    }

    /// A part was cut.
    pub fn cut(&mut self) {
        self.after_cut = (self.part() / 4).max(UPLOAD_CHUNK as u64);
        self.whole = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends parts over a line of this rate and latency; the milliseconds of each.
    fn parts(pace: &mut Pace, bytes_per_s: u64, latency_ms: u64, count: usize) -> Vec<u64> {
        pace.answered(latency_ms);
        let mut took = Vec::new();
        for _ in 0..count {
            let ms = latency_ms + pace.part() * 1_000 / bytes_per_s;
            pace.sent(pace.part(), Some(ms));
            took.push(ms);
        }
        took
    }

    #[test]
    fn no_part_takes_much_longer_than_a_second_on_any_line() {
        for (rate, latency) in [
            (8_000, 300),
            (32_000, 2_000),
            (125_000, 50),
            (1_250_000, 50),
            (100_000_000, 1),
        ] {
            let mut pace = Pace::default();
            let took = parts(&mut pace, rate, latency, 20);
            // The first one knows nothing of the line yet.
            let longest = took[2..].iter().max().unwrap();
            let least = UPLOAD_LEAST * 1_000 / rate;
            assert!(
                *longest <= latency + 1_100.max(least),
                "{longest} ms at {rate} bytes a second: {took:?}"
            );
        }
    }

    #[test]
    fn a_fast_line_gets_whole_slices_after_a_few_parts() {
        let mut pace = Pace::default();
        parts(&mut pace, 100_000_000, 1, 4);
        assert_eq!(pace.part(), UPLOAD_SLICE);
        // Also one with a long way: what counts is what it carries.
        let mut pace = Pace::default();
        parts(&mut pace, 100_000_000, 2_000, 4);
        assert_eq!(pace.part(), UPLOAD_SLICE);
    }

    #[test]
    fn a_line_that_gets_slower_is_noticed_with_the_next_part() {
        let mut pace = Pace::default();
        parts(&mut pace, 2_000_000, 20, 8);
        let fast = pace.part();
        parts(&mut pace, 20_000, 20, 1);
        assert!(
            pace.part() <= 25_000 && fast > 1_500_000,
            "{fast}, then {}",
            pace.part()
        );
    }

    #[test]
    fn small_files_say_nothing_about_the_line() {
        let mut pace = Pace::default();
        parts(&mut pace, 10_000_000, 100, 6);
        let before = (pace.part(), pace.bytes_per_s());
        pace.sent(700, Some(400));
        assert_eq!((pace.part(), pace.bytes_per_s()), before);
    }

    #[test]
    fn cuts_make_parts_smaller_and_calm_makes_them_larger_again() {
        let mut pace = Pace::default();
        parts(&mut pace, 100_000_000, 1, 4);
        pace.cut();
        assert_eq!(pace.part(), UPLOAD_SLICE / 4);
        (0..9).for_each(|_| pace.cut());
        assert_eq!(pace.part(), UPLOAD_CHUNK as u64);
        parts(&mut pace, 100_000_000, 1, 8);
        assert_eq!(pace.part(), 2 * UPLOAD_CHUNK as u64);
    }
}
