//! What people type and what stands in a record, brought to one form, and cut into pairs of neighbouring letters.
//!
//! Full and half width, upper and lower case, brackets, hyphens and spaces make no difference: `云应急检记［２０２６］１２号` is found
//! by `云应急检记〔2026〕12号`. A pair is a token of the index, so two Chinese characters hit, and a longer word is a phrase of pairs,
//! which is the same as: it stands there letter by letter.

use unicode_normalization::UnicodeNormalization;

/// Characters of a query that count; what is longer is cut. A credit code has 18, an address some 40.
const QUERY_MOST: usize = 200;
/// Words of a query that count.
const WORDS_MOST: usize = 12;
/// Letters of a text that are indexed.
const TEXT_MOST: usize = 2_000;

/// Letters and digits only, half width, lower case.
fn letters(text: &str) -> impl Iterator<Item = char> + '_ {
    text.nfkc().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase)
}

/// The tokens of texts: for each its pairs of letters, then its last letter alone, which ends every phrase.
pub fn grams<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = String::new();
    for text in texts {
        let all: Vec<char> = letters(text).take(TEXT_MOST).collect();
        for pair in all.windows(2) {
            out.extend([pair[0], pair[1], ' ']);
        }
        if let Some(last) = all.last() {
            out.extend([*last, ' ']);
        }
    }
    out
}

/// What a person typed, as words that all have to be found. No words: everything is found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchWords(Vec<String>);

impl SearchWords {
    /// Splits at white space; brackets inside a word do not split it.
    pub fn parse(query: &str) -> Self {
        let shown: String = query.chars().take(QUERY_MOST).collect();
        let words = shown.split_whitespace().map(|word| letters(word).collect::<String>());
        Self(words.filter(|word| !word.is_empty()).take(WORDS_MOST).collect())
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The full-text expression: a phrase of pairs for each word; a single letter is the beginning of a pair. Words hold letters
    /// and digits only, so nothing in them can be read as syntax.
    pub(super) fn expression(&self) -> String {
        let phrase = |word: &String| {
            let all: Vec<char> = word.chars().collect();
            match all.as_slice() {
                [one] => format!("\"{one}\" *"),
                _ => {
                    let pairs: Vec<String> = all.windows(2).map(|pair| pair.iter().collect()).collect();
                    format!("\"{}\"", pairs.join(" "))
                }
            }
        };
        self.0.iter().map(phrase).collect::<Vec<_>>().join(" AND ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_for_every_way_of_writing() {
        let ways = [
            "云应急检记〔2026〕12号",
            "云应急检记［２０２６］１２号",
            "云应急检记[2026]12号",
            "云应急检记【2026】12 号",
            "云应急检记 (2026) 12号",
        ];
        for way in ways {
            assert_eq!(grams([way]), grams([ways[0]]), "{way}");
        }
        assert_eq!(grams(["ＡＢｃ"]), "ab bc c ");
        assert_eq!(grams(["a", "—", "b"]), "a b ");
    }

    #[test]
    fn what_is_typed_becomes_phrases() {
        let expression = |query: &str| SearchWords::parse(query).expression();
        assert_eq!(expression("化工"), "\"化工\"");
        assert_eq!(expression("恒泰化工"), "\"恒泰 泰化 化工\"");
        assert_eq!(expression("恒泰 工"), "\"恒泰\" AND \"工\" *");
        assert_eq!(expression("\" OR grams:*"), "\"or\" AND \"gr ra am ms\"");
        assert!(SearchWords::parse("〔〕 — ").is_empty());
        assert!(expression(&"化工".repeat(10_000)).len() < 2_000);
    }
}
