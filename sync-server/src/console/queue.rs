//! An item's place in the list that it waits in: `[` and `]` go on to its neighbours without the way back through the list.

use askama::Template;
use askama::filters::HtmlSafe;

use super::words::Words;

/// Place and neighbours, over the page of an item.
#[derive(Template)]
#[template(path = "queue.html")]
pub struct Queue {
    words: Words,
    place: usize,
    of: usize,
    earlier: Option<Neighbour>,
    later: Option<Neighbour>,
}

impl HtmlSafe for Queue {}

/// Where a neighbour is, and what it is about.
#[derive(Clone)]
pub struct Neighbour {
    pub href: String,
    pub name: String,
}

impl Queue {
    /// The place of `here` in a list; `None` when it does not wait there (any more).
    pub fn of(words: Words, list: &[Neighbour], here: &str) -> Option<Self> {
        let at = list.iter().position(|one| one.href == here)?;
        Some(Self {
            words,
            place: at + 1,
            of: list.len(),
            earlier: at.checked_sub(1).and_then(|at| list.get(at)).cloned(),
            later: list.get(at + 1).cloned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use fieldseal_core::catalogue::Lang;

    use super::*;

    #[test]
    fn an_item_knows_its_neighbours() {
        let words = Words { lang: Lang::Zh };
        let list = ["a", "b", "c"].map(|name| Neighbour {
            href: format!("/{name}"),
            name: format!("<{name}>"),
        });
        let middle = Queue::of(words, &list, "/b").and_then(|queue| queue.render().ok());
        let middle = middle.unwrap_or_default();
        assert!(middle.contains("2 / 3"), "{middle}");
        assert!(
            middle.contains("rel=\"prev\" href=\"/a\"") && middle.contains("rel=\"next\" href=\"/c\""),
            "{middle}"
        );
        assert!(middle.contains("&#60;a&#62;"), "{middle}");
        let first = Queue::of(words, &list, "/a").and_then(|queue| queue.render().ok());
        assert!(first.is_some_and(|first| !first.contains("prev")));
        assert!(Queue::of(words, &list, "/d").is_none());
    }
}
