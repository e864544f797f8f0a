//! How an item came into being: on thumbnail, item, print and list, always the same tag.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::console::words::Words;

/// The tag of an acquisition. Neutral tone: green means witnessed and nothing else.
#[derive(Debug, Clone, Template)]
#[template(path = "trust/acquisition.html")]
pub struct AcquisitionTag {
    word: String,
    /// Made on the spot: solid edge. Everything else came in from elsewhere: dashed edge and an arrow.
    on_the_spot: bool,
}

impl HtmlSafe for AcquisitionTag {}

impl AcquisitionTag {
    /// From the signed field. A word that is not known is never shown as captured.
    pub fn new(words: Words, acquisition: Option<&str>) -> Self {
        let known = ["camera", "recorder", "imported", "scanned", "received"];
        let code = acquisition.filter(|word| known.contains(word));
        Self {
            word: match code {
                Some(code) => words.t(&format!("acquisition.{code}")),
                None => words.t("acquisition.unknown"),
            },
            on_the_spot: matches!(code, Some("camera" | "recorder")),
        }
    }
}
