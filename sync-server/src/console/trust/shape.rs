//! The shapes that tell verdicts apart without colour and without words.

use askama::Template;
use askama::filters::HtmlSafe;

/// One shape for each thing a page can say about trust. Drawn in the text's colour, so that they survive forced colours and a
/// grey print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Octagon with a cross.
    Octagon,
    NotEqual,
    /// Dashed, empty.
    EmptyCircle,
    HalfCircle,
    FullCircle,
    Dash,
    HatchedBox,
}

impl Shape {
    /// The name in markup, for style sheets and tests.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Octagon => "octagon",
            Shape::NotEqual => "not-equal",
            Shape::EmptyCircle => "empty-circle",
            Shape::HalfCircle => "half-circle",
            Shape::FullCircle => "full-circle",
            Shape::Dash => "dash",
            Shape::HatchedBox => "hatched-box",
        }
    }

    /// Path data in a box of 24 by 24, and whether it is filled; strokes are two units wide.
    fn strokes(self) -> &'static str {
        match self {
            Shape::Octagon => "M8 2h8l6 6v8l-6 6H8l-6-6V8z M8 8l8 8 M16 8l-8 8",
            Shape::NotEqual => "M4 9h16 M4 15h16 M16 4L8 20",
            Shape::EmptyCircle | Shape::HalfCircle | Shape::FullCircle => "M12 3a9 9 0 1 1 0 18a9 9 0 1 1 0-18z",
            Shape::Dash => "M5 12h14",
            Shape::HatchedBox => "M3 3h18v18H3z M3 9l6-6 M3 15L15 3 M3 21L21 3 M9 21L21 9 M15 21l6-6",
        }
    }

    fn filled(self) -> Option<&'static str> {
        match self {
            Shape::HalfCircle => Some("M12 3a9 9 0 0 1 0 18z"),
            Shape::FullCircle => Some("M12 3a9 9 0 1 1 0 18a9 9 0 1 1 0-18z"),
            _ => None,
        }
    }

    /// The drawing.
    pub fn drawing(self) -> Drawing {
        Drawing {
            name: self.name(),
            strokes: self.strokes(),
            filled: self.filled().unwrap_or_default(),
            dashed: self == Shape::EmptyCircle,
        }
    }
}

/// A shape as markup.
#[derive(Debug, Clone, Copy, Template)]
#[template(path = "trust/shape.html")]
pub struct Drawing {
    name: &'static str,
    strokes: &'static str,
    filled: &'static str,
    dashed: bool,
}

impl HtmlSafe for Drawing {}
