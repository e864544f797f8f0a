//! Numbered progress on the terminal.
//!
//! ```text
//! [ 3/12] two tablets inspect without a network
//!         14 inspections, 61 photographs, 2 videos
//!         done in 8.4 s
//! ```
//!
//! Nothing moves and nothing is erased, so the same text is good in a log file. Colour only on a terminal and never
//! alone; `NO_COLOR` is respected.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Writes the steps of a story.
pub struct Steps<W: Write> {
    out: W,
    colour: bool,
    total: usize,
    number: usize,
    began: Option<(String, Instant)>,
    acts: Vec<(String, Duration)>,
    start: Instant,
}

impl Steps<io::Stdout> {
    /// Steps on standard output.
    pub fn on_stdout(total: usize) -> Self {
        let colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self::new(io::stdout(), colour, total)
    }
}

impl<W: Write> Steps<W> {
    /// Steps on `out`; `total` is how many there will be.
    pub fn new(out: W, colour: bool, total: usize) -> Self {
        Self {
            out,
            colour,
            total,
            number: 0,
            began: None,
            acts: Vec::new(),
            start: Instant::now(),
        }
    }

    /// Begins the next step; ends the one before.
    pub fn begin(&mut self, title: &str) {
        self.end();
        self.number += 1;
        self.began = Some((title.to_owned(), Instant::now()));
        let width = self.total.to_string().len();
        let (bold, plain) = if self.colour { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        let head = format!("[{:>width$}/{}]", self.number, self.total);
        self.line(&format!("{bold}{head} {title}{plain}"));
    }

    /// One fact about the running step.
    pub fn say(&mut self, fact: &str) {
        let indent = " ".repeat(self.indent());
        for line in fact.lines() {
            self.line(&format!("{indent}{line}"));
        }
    }

    /// Ends the running step with its time. Called by [`Self::begin`] too.
    pub fn end(&mut self) {
        if let Some((title, began)) = self.began.take() {
            self.acts.push((title, began.elapsed()));
            let (faint, plain) = if self.colour { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
            let text = format!(
                "{}{faint}done in {}{plain}",
                " ".repeat(self.indent()),
                duration(began.elapsed())
            );
            self.line(&text);
        }
    }

    /// The steps that have ended, with the time of each.
    pub fn acts(&self) -> &[(String, Duration)] {
        &self.acts
    }

    /// How long the whole has taken so far.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn indent(&self) -> usize {
        2 * self.total.to_string().len() + 4
    }

    fn line(&mut self, text: &str) {
        // A reader that went away (`| head`) must not stop the story.
        let _ = writeln!(self.out, "{text}").and_then(|()| self.out.flush());
    }
}

/// A duration for people: `0.3 s`, `12.4 s`, `3 min 05 s`.
pub fn duration(time: Duration) -> String {
    let tenths = time.as_millis() / 100;
    if tenths < 1000 {
        format!("{}.{} s", tenths / 10, tenths % 10)
    } else {
        format!("{} min {:02} s", tenths / 600, tenths / 10 % 60)
    }
}

/// A size for people: `312 B`, `4.1 KiB`, `8.0 MiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut tenths = u128::from(count) * 10;
    let mut unit = "";
    for next in UNITS {
        if tenths < 10_240 {
            break;
        }
        tenths /= 1024;
        unit = next;
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_numbered_and_plain_without_colour() {
        let mut out = Vec::new();
        let mut steps = Steps::new(&mut out, false, 12);
        steps.begin("first");
        steps.say("2 photographs\n1 video");
        steps.begin("second");
        steps.end();
        assert_eq!(steps.acts().len(), 2);
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "[ 1/12] first");
        assert_eq!(lines[1], "        2 photographs");
        assert_eq!(lines[2], "        1 video");
        assert!(lines[3].starts_with("        done in 0."), "{}", lines[3]);
        assert_eq!(lines[4], "[ 2/12] second");
        assert!(!text.contains('\x1b'));
        assert_eq!(lines.len(), 6, "a step ends once");
    }

    #[test]
    fn colour_is_an_addition_only() {
        let mut out = Vec::new();
        Steps::new(&mut out, true, 3).begin("first");
        assert_eq!(String::from_utf8(out).unwrap(), "\x1b[1m[1/3] first\x1b[0m\n");
    }

    #[test]
    fn durations_and_sizes_for_people() {
        assert_eq!(duration(Duration::from_millis(340)), "0.3 s");
        assert_eq!(duration(Duration::from_millis(99_900)), "99.9 s");
        assert_eq!(duration(Duration::from_secs(185)), "3 min 05 s");
        assert_eq!(bytes(312), "312 B");
        assert_eq!(bytes(1024), "1.0 KiB");
        assert_eq!(bytes(8 * 1024 * 1024 + 52_429 * 2), "8.1 MiB");
    }
}
