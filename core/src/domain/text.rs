//! Text that people typed: normalised once, bounded, without characters that hide or reorder other text.

use unicode_normalization::UnicodeNormalization;

use super::Refusal;
use crate::catalogue::Param;

/// One line: a name, an address, a title. NFC, trimmed, 1…200 characters, no control or bidirectional-override characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line(String);

/// Several lines: a finding, a reason, an answer. NFC, trimmed, 1…20,000 characters, line feeds allowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Paragraph(String);

impl Line {
    /// Most characters.
    pub const MOST: usize = 200;

    /// Checks one line of the named field.
    pub fn parse(field: &'static str, raw: &str) -> Result<Line, Refusal> {
        checked(field, raw, Self::MOST, false).map(Line)
    }

    /// The same for a field that may be left empty.
    pub fn parse_opt(field: &'static str, raw: &str) -> Result<Option<Line>, Refusal> {
        if raw.trim().is_empty() {
            Ok(None)
        } else {
            Line::parse(field, raw).map(Some)
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Paragraph {
    /// Most characters.
    pub const MOST: usize = 20_000;

    /// Checks the text of the named field.
    pub fn parse(field: &'static str, raw: &str) -> Result<Paragraph, Refusal> {
        checked(field, raw, Self::MOST, true).map(Paragraph)
    }

    /// The same for a field that may be left empty.
    pub fn parse_opt(field: &'static str, raw: &str) -> Result<Option<Paragraph>, Refusal> {
        if raw.trim().is_empty() {
            Ok(None)
        } else {
            Paragraph::parse(field, raw).map(Some)
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Line> for String {
    fn from(line: Line) -> String {
        line.0
    }
}

impl From<Paragraph> for String {
    fn from(paragraph: Paragraph) -> String {
        paragraph.0
    }
}

fn checked(field: &'static str, raw: &str, most: usize, lines: bool) -> Result<String, Refusal> {
    // Four bytes a character at most: nothing larger is normalised at all.
    if raw.len() > most * 4 {
        return Err(too_long(field, most));
    }
    let text: String = raw.trim().replace("\r\n", "\n").nfc().collect();
    if text.is_empty() {
        return Err(Refusal::new("field_empty", [("field", Param::label(field))]));
    }
    if text.chars().count() > most {
        return Err(too_long(field, most));
    }
    match text
        .chars()
        .find(|&c| is_hidden(c) && !(lines && matches!(c, '\n' | '\t')))
    {
        Some(c) => Err(Refusal::new(
            "field_control",
            [
                ("field", Param::label(field)),
                ("character", Param::text(format!("U+{:04X}", c as u32))),
            ],
        )),
        None => Ok(text),
    }
}

fn too_long(field: &'static str, most: usize) -> Refusal {
    Refusal::new(
        "field_too_long",
        [("field", Param::label(field)), ("most", Param::Count(most as u64))],
    )
}

/// Control characters, and the marks that turn the direction of what follows: both make a reader see another text than was
/// signed.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_and_nothing_hidden() {
        assert_eq!(
            Line::parse("name", "  Cafe\u{301} ").map(String::from),
            Ok("Café".to_owned())
        );
        assert_eq!(
            Line::parse("name", "\u{202e}gpj.exe").unwrap_err().code(),
            "field_control"
        );
        assert_eq!(Line::parse("name", "a\nb").unwrap_err().code(), "field_control");
        assert_eq!(Line::parse("name", " \t ").unwrap_err().code(), "field_empty");
        assert_eq!(
            Line::parse("name", &"厂".repeat(200)).map(|l| l.as_str().len()),
            Ok(600)
        );
        assert_eq!(
            Line::parse("name", &"厂".repeat(201)).unwrap_err().code(),
            "field_too_long"
        );
        assert_eq!(
            Line::parse("name", &"a".repeat(10_000_000)).unwrap_err().code(),
            "field_too_long"
        );
        assert_eq!(
            Paragraph::parse("text", "a\r\nb\n").map(String::from),
            Ok("a\nb".to_owned())
        );
        assert_eq!(Paragraph::parse("text", "a\0b").unwrap_err().code(), "field_control");
        assert_eq!(Line::parse_opt("phone", "  "), Ok(None));
    }
}
