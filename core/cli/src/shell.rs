//! Language, output, progress and PIN: everything a command needs to know about the shell it runs in.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use fieldseal_core::catalogue::{self, Lang, Param};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::args::Global;
use crate::failure::Failure;
use crate::meter::Meter;

/// What a command has to say: for scripts and for people.
#[derive(Debug, Default)]
pub struct Outcome {
    /// One JSON object.
    pub json: Value,
    /// Lines for people.
    pub lines: Vec<String>,
    /// Exit code of a command that did its work and has bad news (`verify`).
    pub exit: u8,
}

impl Outcome {
    /// An outcome with its JSON, no lines yet.
    pub fn new(json: Value) -> Self {
        Self {
            json,
            ..Self::default()
        }
    }

    /// Adds a line for people.
    pub fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }
}

/// How a line stands out on a terminal; words carry the meaning, colour only repeats it.
#[derive(Clone, Copy, Debug)]
pub enum Tone {
    Good,
    /// It holds, on the operator's word.
    Known,
    Caution,
    Bad,
    Strong,
}

/// The shell that the command runs in.
pub struct Shell {
    /// Language for people.
    pub lang: Lang,
    /// Whether a script reads.
    pub json: bool,
    /// The clock that was set by hand.
    pub clock: Option<String>,
    colour: bool,
    terminal: bool,
    pin_file: Option<PathBuf>,
}

impl Shell {
    /// From the options and the environment, which is read here and nowhere else.
    pub fn new(global: &Global) -> Self {
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .iter()
            .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
        let lang = global.lang.clone().or(locale).unwrap_or_default();
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            lang: Lang::from_tag(&lang),
            json: global.json,
            clock: global.clock.clone(),
            colour: !plain && std::io::stdout().is_terminal(),
            terminal: std::io::stderr().is_terminal(),
            pin_file: global.pin_file.clone(),
        }
    }

    /// The PIN or password: from its file, else from `FIELDSEAL_PIN`; never from an argument.
    ///
    /// # Errors
    /// When there is none.
    pub fn pin(&self) -> Result<Zeroizing<String>, Failure> {
        if let Some(path) = &self.pin_file {
            let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path, &error))?;
            return Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()));
        }
        let pin = std::env::var("FIELDSEAL_PIN").ok().filter(|pin| !pin.is_empty());
        pin.map(Zeroizing::new)
            .ok_or_else(|| Failure::usage("usage.pin_needed", []))
    }

    /// One of two texts, by language. For short words; sentences live in the catalogue.
    pub fn say(&self, zh: &str, en: &str) -> String {
        match self.lang {
            Lang::Zh => zh.to_owned(),
            Lang::En => en.to_owned(),
        }
    }

    /// A sentence of the catalogue.
    pub fn text(&self, code: &str, params: &[(&'static str, Param)]) -> String {
        catalogue::text(self.lang, code, params)
    }

    /// Marks words on a terminal.
    pub fn tone(&self, tone: Tone, words: &str) -> String {
        if !self.colour {
            return words.to_owned();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Known => "34",
            Tone::Caution => "33",
            Tone::Bad => "31",
            Tone::Strong => "1",
        };
        format!("\u{1b}[{code}m{words}\u{1b}[0m")
    }

    /// A meter of long work, in words of the reader.
    pub fn meter(&self, zh: &str, en: &str) -> Meter {
        Meter::new(self.is_live(), self.lang, self.say(zh, en))
    }

    /// A passing line on standard error, for people at a terminal.
    pub fn progress(&self, line: &str) {
        if self.is_live() {
            passing(line);
        }
    }

    /// Ends passing lines.
    pub fn progress_over(&self) {
        if self.is_live() {
            passing("");
        }
    }

    fn is_live(&self) -> bool {
        self.terminal && !self.json
    }

    /// A lasting remark on standard error.
    pub fn remark(&self, line: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }

    /// Prints what a command has to say; its exit code.
    pub fn print(&self, outcome: Outcome) -> ExitCode {
        let mut out = std::io::stdout().lock();
        let written = if self.json {
            writeln!(out, "{}", outcome.json)
        } else {
            outcome.lines.iter().try_for_each(|line| writeln!(out, "{line}"))
        };
        // A closed pipe (`| head`) is the reader's wish, not a failure.
        let _ = written.and_then(|()| out.flush());
        ExitCode::from(outcome.exit)
    }

    /// Prints a failure; its exit code.
    pub fn fail(&self, failure: &Failure) -> ExitCode {
        self.progress_over();
        let text = failure.text(self.lang);
        if self.json {
            let _ = writeln!(std::io::stdout().lock(), "{}", error_json(failure, &text));
        } else {
            self.remark(&text);
        }
        ExitCode::from(failure.exit())
    }
}

/// Writes over the terminal's last line.
pub fn passing(line: &str) {
    let mut err = std::io::stderr().lock();
    let _ = write!(err, "\r\u{1b}[2K{line}");
    let _ = err.flush();
}

/// A failure for scripts.
pub fn error_json(failure: &Failure, text: &str) -> Value {
    json!({ "error": { "code": failure.code(), "text": text, "params": failure.params() } })
}
