//! How long ago a tablet was last heard of, on a strip of seven days.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::console::words::Words;

/// What the strip shows at most.
const SPAN_MS: u64 = 7 * 86_400_000;
/// Silence after which the whole length is hatched as well as long.
const SILENT_MS: u64 = 86_400_000;

/// One tablet's strip; the sentence stands beside it.
#[derive(Template)]
#[template(path = "figure/contact.html")]
pub struct ContactStrip {
    /// Length of the silence, of 100.
    silence: u64,
    silent: bool,
    /// Makes the pattern's id its own on the page.
    number: usize,
    sentence: String,
    /// What the strip is.
    title: String,
}

impl HtmlSafe for ContactStrip {}

impl ContactStrip {
    /// `last_ms`: when it was last heard of.
    pub fn new(words: Words, number: usize, last_ms: Option<u64>, now_ms: u64) -> Self {
        let silence = last_ms.map(|last| now_ms.saturating_sub(last));
        let sentence = match (last_ms, silence) {
            (Some(last), Some(silence)) => words.all(
                "device.contact",
                &[
                    ("time", fieldseal_core::catalogue::Param::text(words.minute(last))),
                    ("ago", fieldseal_core::catalogue::Param::Span(silence)),
                ],
            ),
            _ => words.t("device.never"),
        };
        let silence = silence.unwrap_or(SPAN_MS);
        Self {
            silence: (silence.min(SPAN_MS) * 100 / SPAN_MS).max(1),
            silent: silence > SILENT_MS,
            number,
            sentence,
            title: words.t("device.strip"),
        }
    }

    /// Not heard of for a day.
    pub fn is_silent(&self) -> bool {
        self.silent
    }
}
