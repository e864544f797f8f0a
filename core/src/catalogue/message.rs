//! A code with its parameters: what errors carry.

use std::fmt;

use super::{Lang, Param, parameters, text};

/// A message of the catalogue, not yet in any language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    code: &'static str,
    params: Vec<(&'static str, Param)>,
}

impl Message {
    /// A message with its parameters.
    pub fn new(code: &'static str, params: impl IntoIterator<Item = (&'static str, Param)>) -> Message {
        Message {
            code,
            params: params.into_iter().collect(),
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The parameters, for `--json` and the wire: name and how it reads in English.
    pub fn params(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        self.params.iter().map(|(name, param)| (*name, param.shown(Lang::En)))
    }

    /// The parameters as they are, for whoever writes the sentence elsewhere.
    pub fn parts(&self) -> &[(&'static str, Param)] {
        &self.params
    }

    /// Whether the catalogue has the code with exactly these parameters of these kinds. Tests of whoever makes messages ask it.
    pub fn is_complete(&self) -> bool {
        let mut given: Vec<(&str, &str)> = self.params.iter().map(|(name, param)| (*name, param.kind())).collect();
        given.sort_unstable();
        parameters(self.code).is_some_and(|declared| declared.eq(given))
    }

    /// The sentence in a language.
    pub fn text(&self, lang: Lang) -> String {
        text(lang, self.code, &self.params)
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Lang::En))
    }
}
