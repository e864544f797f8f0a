//! How far long work is, in bytes, on a terminal's last line.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use fieldseal_core::catalogue::{Lang, Param};
use fieldseal_core::watch::Moved;

use crate::shell::passing;

/// A line is written at most this often.
const TOLD: Duration = Duration::from_millis(100);

/// Tells of one piece of work. Dropped, it leaves an empty line.
pub struct Meter {
    live: bool,
    lang: Lang,
    words: String,
    began: Instant,
    told: Option<Instant>,
}

impl Meter {
    /// Of what, in words of the reader. Only a live one writes.
    pub fn new(live: bool, lang: Lang, words: String) -> Self {
        Self {
            live,
            lang,
            words,
            began: Instant::now(),
            told: None,
        }
    }

    /// Tells how far it is, and lets it go on.
    pub fn moved(&mut self, moved: Moved) -> ControlFlow<()> {
        if self.live && self.told.is_none_or(|told| told.elapsed() >= TOLD) {
            self.told = Some(Instant::now());
            passing(&line(self.lang, &self.words, moved, self.began.elapsed()));
        }
        ControlFlow::Continue(())
    }

    /// A reader whose bytes are told; 0 in all while nobody knows how many come.
    pub fn reader<R: Read>(self, inner: R, total: u64) -> Metered<R> {
        Metered {
            inner,
            meter: self,
            moved: Moved { bytes: 0, total },
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if self.told.is_some() {
            passing("");
        }
    }
}

/// `words  12.0 MB / 1.0 GB  48.1 MB/s`.
fn line(lang: Lang, words: &str, moved: Moved, elapsed: Duration) -> String {
    let bytes = |bytes: u64| Param::Bytes(bytes).shown(lang);
    let all = match moved.total {
        0 => String::new(),
        total => format!(" / {}", bytes(total)),
    };
    let rate = match u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX) {
        0..1000 => String::new(),
        ms => format!("  {}/s", bytes(moved.bytes.saturating_mul(1000) / ms)),
    };
    format!("{words}  {}{all}{rate}", bytes(moved.bytes))
}

/// A source of evidence whose bytes are told as they are read.
pub struct Metered<R> {
    inner: R,
    meter: Meter,
    moved: Moved,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(out)?;
        self.moved.bytes += count as u64;
        let _ = self.meter.moved(self.moved);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_much_of_what_and_how_fast() {
        let moved = Moved {
            bytes: 12_000_000,
            total: 1_000_000_000,
        };
        let of = |moved, ms| line(Lang::En, "sealing", moved, Duration::from_millis(ms));
        assert_eq!(of(moved, 10), "sealing  12.0 MB / 1.0 GB");
        assert_eq!(of(moved, 2000), "sealing  12.0 MB / 1.0 GB  6.0 MB/s");
        assert_eq!(of(Moved { total: 0, ..moved }, 10), "sealing  12.0 MB");
    }
}
