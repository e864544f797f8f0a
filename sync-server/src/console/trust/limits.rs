//! What this does not prove: always open, never behind a click.

use askama::Template;
use askama::filters::HtmlSafe;
use fieldseal_core::catalogue::trust;

use crate::console::words::Words;

/// The fixed list, without what does not apply.
#[derive(Debug, Clone, Template)]
#[template(
    source = "<section class=\"not-proven\"><h2>{{ title }}</h2><ul>{% for line in lines %}<li>{{ line }}</li>{% endfor %}</ul></section>",
    ext = "html"
)]
pub struct NotProven {
    title: String,
    lines: Vec<String>,
}

impl HtmlSafe for NotProven {}

impl NotProven {
    /// `complete_by_roll`: a signed roll says that nothing was left out, and it was checked.
    pub fn new(words: Words, complete_by_roll: bool) -> Self {
        Self {
            title: words.t("not_proven.title"),
            lines: trust::not_proven(words.lang, complete_by_roll),
        }
    }
}
