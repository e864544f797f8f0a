//! A line over a list that says what came since the page was made. It keeps its place whether it is empty or not, so nothing that
//! somebody reads moves; the list itself changes only when it is asked for again.

use askama::Template;
use askama::filters::HtmlSafe;

use super::words::Words;

/// The line, which asks for itself once a minute while somebody looks.
#[derive(Template)]
#[template(path = "news.html")]
pub struct News {
    words: Words,
    /// Where it is asked for again.
    ask: String,
    /// Where the list is.
    list: String,
    count: u64,
}

impl HtmlSafe for News {}

impl News {
    /// `ask`: the address that answers with this line again; `list`: the page with everything.
    pub fn new(words: Words, ask: String, list: String, count: u64) -> Self {
        Self {
            words,
            ask,
            list,
            count,
        }
    }
}
