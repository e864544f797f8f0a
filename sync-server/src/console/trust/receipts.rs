//! What the server has promised about an item, each promise in its exact words.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::console::words::Words;

/// The four promises, in the order in which they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Receipt {
    /// The server's signed promise (1).
    Received,
    /// Sealed in the log (2).
    Logged,
    FileArrived,
    /// The tablet may let go of it.
    SafeToEvict,
}

impl Receipt {
    pub const ALL: [Receipt; 4] = [
        Receipt::Received,
        Receipt::Logged,
        Receipt::FileArrived,
        Receipt::SafeToEvict,
    ];

    /// Its words.
    pub fn word(self, words: Words) -> String {
        words.t(match self {
            Receipt::Received => "receipt.received",
            Receipt::Logged => "receipt.logged",
            Receipt::FileArrived => "receipt.file",
            Receipt::SafeToEvict => "receipt.evictable",
        })
    }
}

/// Which of them hold; the others are named as not there yet.
#[derive(Debug, Clone, Template)]
#[template(
    source = "<ul class=\"receipts\">{% for (word, holds) in rows %}<li{% if !holds %} class=\"pending\"{% endif %}>{{ word }}{% if !holds %} <span class=\"meta\">{{ not_yet }}</span>{% endif %}</li>{% endfor %}</ul>",
    ext = "html"
)]
pub struct ReceiptList {
    rows: Vec<(String, bool)>,
    not_yet: String,
}

impl HtmlSafe for ReceiptList {}

impl ReceiptList {
    /// `logged`: below the size of a published checkpoint. `arrived`: the bytes are here and their receipt is signed. A tablet may
    /// let go only with both.
    pub fn of(words: Words, logged: bool, arrived: bool) -> Self {
        let holds = |receipt: Receipt| match receipt {
            Receipt::Received => true,
            Receipt::Logged => logged,
            Receipt::FileArrived => arrived,
            Receipt::SafeToEvict => logged && arrived,
        };
        Self {
            rows: Receipt::ALL
                .iter()
                .map(|receipt| (receipt.word(words), holds(*receipt)))
                .collect(),
            not_yet: words.t("receipt.not_yet"),
        }
    }
}
