//! An input that is not accepted, as a message of the catalogue.

use std::fmt;

use crate::catalogue::{Lang, Message, Param};

/// Why an input was refused: a catalogue message, so that every surface says the same sentence in its language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub message: Message,
}

impl Refusal {
    /// A refusal with the catalogue's code and parameters.
    pub fn new(code: &'static str, params: impl IntoIterator<Item = (&'static str, Param)>) -> Refusal {
        Refusal {
            message: Message::new(code, params),
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.message.code()
    }

    /// The sentence in a language.
    pub fn text(&self, lang: Lang) -> String {
        self.message.text(lang)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Lang::En))
    }
}

impl std::error::Error for Refusal {}
