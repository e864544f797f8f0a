//! Which characters can be printed as themselves, and what is printed for the others.
//!
//! PDF/A forbids the "missing glyph" box, and a character that is invisible or turns the writing direction can
//! make a signed page say something other than its record. Both kinds are printed as their code point,
//! `[U+202E]`, so nothing in the data is ever silently dropped.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The most combining marks in a row that are drawn; further ones would cover the lines above and below.
const MAX_MARKS: usize = 3;

/// A set of code points, one bit each.
#[derive(Debug, Clone)]
pub(crate) struct CodePoints(Vec<u64>);

impl CodePoints {
    pub fn contains(&self, code: u32) -> bool {
        self.0
            .get(code as usize / 64)
            .is_some_and(|word| word >> (code % 64) & 1 == 1)
    }

    /// Keeps only what is in `other` too.
    pub fn retain(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a &= b);
    }

    fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }
}

impl FromIterator<u32> for CodePoints {
    fn from_iter<I: IntoIterator<Item = u32>>(codes: I) -> Self {
        let mut set = vec![0; 0x11_0000 / 64];
        for code in codes.into_iter().filter(|&code| code < 0x11_0000) {
            set[code as usize / 64] |= 1 << (code % 64);
        }
        Self(set)
    }
}

/// The set of characters a font set can draw.
///
/// ```
/// use fieldseal_render::Coverage;
/// let latin = Coverage::from_ranges(&[(' ', '~')]);
/// assert_eq!(latin.printable("a\tb"), "a b");
/// assert_eq!(latin.printable("a\u{202e}b\0"), "a[U+202E]b[U+0000]");
/// assert_eq!(latin.printable("\u{1f600}"), "[U+1F600]");
/// ```
#[derive(Debug, Clone)]
pub struct Coverage {
    /// What some family draws.
    drawn: CodePoints,
    /// What every family draws. A mark must be in the font of its base, so for marks this counts.
    drawn_by_all: CodePoints,
}

impl Coverage {
    /// The coverage of one family that draws these inclusive ranges.
    pub fn from_ranges(ranges: &[(char, char)]) -> Self {
        let all = ranges.iter().flat_map(|&(a, b)| a as u32..=b as u32);
        Self::from_families(&[all.collect()])
    }

    /// The coverage of several families, each given as the code points it draws.
    pub(crate) fn from_families(families: &[CodePoints]) -> Self {
        let empty = || CodePoints::from_iter([]);
        let mut drawn = empty();
        families.iter().for_each(|family| drawn.add(family));
        let mut drawn_by_all = families.first().cloned().unwrap_or_else(empty);
        families.iter().for_each(|family| drawn_by_all.retain(family));
        Self { drawn, drawn_by_all }
    }

    /// Returns `text` with every character that has no visible form in these fonts replaced by `[U+XXXX]`.
    ///
    /// Line ends of every kind become `\n` and a tab becomes a space; nothing else is changed, and nothing is dropped.
    pub fn printable<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut marks = 0;
        // Most text is plain; copy only when something must change.
        let plain = text.chars().all(|c| {
            marks = if is_mark(c) { marks + 1 } else { 0 };
            c == '\n' || (marks <= MAX_MARKS && self.shows(c))
        });
        if plain {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len() + 16);
        let mut marks = 0;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            marks = if is_mark(c) { marks + 1 } else { 0 };
            match c {
                '\r' => {
                    chars.next_if_eq(&'\n');
                    out.push('\n');
                }
                '\n' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.push('\n'),
                '\t' => out.push(' '),
                _ if marks <= MAX_MARKS && self.shows(c) => out.push(c),
                _ => {
                    let _ = write!(out, "[U+{:04X}]", c as u32);
                }
            }
        }
        Cow::Owned(out)
    }

    fn shows(&self, c: char) -> bool {
        let bits = if is_mark(c) { &self.drawn_by_all } else { &self.drawn };
        !is_invisible(c) && bits.contains(c as u32)
    }
}

/// Characters that have no form of their own: controls, formats, direction marks, fillers, selectors, private use.
/// Source: Unicode general categories Cc, Cf, Co, Cn (noncharacters) and the property Default_Ignorable_Code_Point.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}'
        | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}'..='\u{ffff}'
        | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' | '\u{f0000}'..='\u{10ffff}')
}

/// Combining marks that scripts of the usual fonts share. Marks of other scripts have no glyph there anyway.
fn is_mark(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}' | '\u{610}'..='\u{61a}'
        | '\u{64b}'..='\u{65f}' | '\u{e31}' | '\u{e34}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}'
        | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{302a}'..='\u{302f}'
        | '\u{3099}'..='\u{309a}' | '\u{fe20}'..='\u{fe2f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_not_copied() {
        let coverage = Coverage::from_ranges(&[(' ', '~'), ('一', '龥')]);
        assert!(matches!(coverage.printable("检查情况 1\n"), Cow::Borrowed(_)));
    }

    #[test]
    fn line_ends_become_one_kind() {
        let coverage = Coverage::from_ranges(&[(' ', '~')]);
        assert_eq!(coverage.printable("a\r\nb\rc\u{2028}d\ne"), "a\nb\nc\nd\ne");
    }

    #[test]
    fn a_mark_needs_the_font_of_its_base() {
        let coverage = Coverage::from_families(&[(0..0x80).collect(), (0..0x400).collect()]);
        assert_eq!(coverage.printable("e\u{301}é"), "e[U+0301]é");
    }

    #[test]
    fn piled_up_marks_are_spelled_out() {
        let coverage = Coverage::from_ranges(&[(' ', '\u{36f}')]);
        assert_eq!(
            coverage.printable("e\u{301}\u{301}\u{301}\u{301}"),
            "e\u{301}\u{301}\u{301}[U+0301]"
        );
    }
}
