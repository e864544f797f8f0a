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
    /// The place, from 1, among so many.
    pub fn new(words: Words, place: usize, of: usize, earlier: Option<Neighbour>, later: Option<Neighbour>) -> Self {
        Self {
            words,
            place,
            of,
            earlier,
            later,
        }
    }
}

#[cfg(test)]
mod tests {
    use fieldseal_core::catalogue::Lang;

    use super::*;

    #[test]
    fn an_item_knows_its_neighbours() {
        let words = Words { lang: Lang::Zh };
        let one = |name: &str| {
            Some(Neighbour {
                href: format!("/{name}"),
                name: format!("<{name}>"),
            })
        };
        let middle = Queue::new(words, 2, 3, one("a"), one("c")).render().unwrap_or_default();
        assert!(middle.contains("第 2 项，共 3 项"), "{middle}");
        assert!(
            middle.contains("rel=\"prev\" href=\"/a\"") && middle.contains("rel=\"next\" href=\"/c\""),
            "{middle}"
        );
        assert!(middle.contains("&#60;a&#62;"), "{middle}");
        let first = Queue::new(words, 1, 3, None, one("b")).render().unwrap_or_default();
        assert!(!first.contains("prev"), "{first}");
    }
}
