//! What a command says: text in the reader's language, or one JSON object.

use std::io::{IsTerminal, Write};

use fieldseal_core::catalogue::Lang;
use serde_json::{Value, json};

use crate::failure::Failure;

/// Standard output of one command.
pub struct Output {
    json: bool,
    lang: Lang,
    colour: bool,
}

impl Output {
    /// Chooses form, language and colour; colour only on a terminal and never alone.
    pub fn new(json: bool, lang: Option<&str>) -> Self {
        let locale = || {
            ["LC_ALL", "LC_MESSAGES", "LANG"]
                .iter()
                .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()))
        };
        let lang = lang
            .map(str::to_owned)
            .or_else(locale)
            .map_or(Lang::En, |tag| Lang::from_tag(&tag));
        let colour = !json && std::env::var_os("NO_COLOR").is_none() && std::io::stdout().is_terminal();
        Self { json, lang, colour }
    }

    /// The language of texts.
    pub fn lang(&self) -> Lang {
        self.lang
    }

    /// Whether the reader is a program.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Ends a command: the object for programs, or the text for people.
    pub fn done(&self, object: &Value, text: impl FnOnce(Lang) -> String) {
        let out = if self.json { object.to_string() } else { text(self.lang) };
        let mut stdout = std::io::stdout().lock();
        // A closed pipe is the reader's wish to stop; the work is done either way.
        let _ = writeln!(stdout, "{}", out.trim_end());
    }

    /// Emphasis for a terminal; the words carry the meaning.
    pub fn bold(&self, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[1m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// Says why a command failed and gives its exit code.
    pub fn failure(&self, failure: &Failure) -> u8 {
        let text = failure.message.text(self.lang);
        if self.json {
            let params: serde_json::Map<String, Value> = failure
                .message
                .params()
                .map(|(k, v)| (k.to_owned(), Value::from(v)))
                .collect();
            println!(
                "{}",
                json!({"error": {"code": failure.message.code(), "text": text, "params": params}})
            );
        } else {
            eprintln!("{text}");
        }
        failure.exit
    }
}
