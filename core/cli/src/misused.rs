//! A command line that does not parse, in the words of the catalogue.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use fieldseal_core::catalogue::Param;

use crate::args::Global;
use crate::failure::Failure;

/// What the words say about language and output, although the whole of them does not parse.
pub fn global(words: &[String]) -> Global {
    let after = |name: &str| {
        let set = format!("{name}=");
        let at = words.iter().position(|word| word == name);
        at.and_then(|at| words.get(at + 1).cloned())
            .or_else(|| words.iter().find_map(|word| word.strip_prefix(&set).map(str::to_owned)))
    };
    Global {
        json: words.iter().any(|word| word == "--json"),
        lang: after("--lang"),
        ..Global::default()
    }
}

/// What is wrong, as far as the parser says it in parts; else its own words.
pub fn failure(error: &clap::Error) -> Failure {
    let part = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(" ")),
        _ => None,
    };
    let argument = || Param::text(part(ContextKind::InvalidArg).unwrap_or_default());
    let value = || Param::text(part(ContextKind::InvalidValue).unwrap_or_default());
    match error.kind() {
        ErrorKind::UnknownArgument => Failure::usage("usage.unknown_option", [("option", argument())]),
        ErrorKind::InvalidSubcommand => {
            let command = Param::text(part(ContextKind::InvalidSubcommand).unwrap_or_default());
            Failure::usage("usage.unknown_command", [("command", command)])
        }
        ErrorKind::MissingRequiredArgument => Failure::usage("usage.lacks", [("what", argument())]),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation
            if part(ContextKind::InvalidValue).as_deref() == Some("") =>
        {
            Failure::usage("usage.value_missing", [("option", argument())])
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            Failure::usage("usage.value", [("option", argument()), ("value", value())])
        }
        ErrorKind::ArgumentConflict if part(ContextKind::PriorArg) == part(ContextKind::InvalidArg) => {
            Failure::usage("usage.twice", [("option", argument())])
        }
        ErrorKind::ArgumentConflict => {
            let other = Param::text(part(ContextKind::PriorArg).unwrap_or_default());
            Failure::usage("usage.together", [("option", argument()), ("other", other)])
        }
        _ => Failure::usage("usage.clap", [("detail", Param::text(error.to_string()))]),
    }
}
