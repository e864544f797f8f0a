//! What can go wrong, in words that say which file or field and what to do.

use std::path::PathBuf;

/// Why a font set could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum FontError {
    /// No pinned family can print Simplified Chinese, or a pinned family was not found at all.
    #[error(
        "font family {missing} not found in {searched}. On Debian install the package `fonts-noto-cjk` \
         (Noto Serif CJK SC, Noto Sans CJK SC, Noto Sans Mono CJK SC); elsewhere pass the folder or the \
         files that hold it"
    )]
    MissingFamily {
        /// The families that were not found, quoted, joined by commas.
        missing: String,
        /// Where was looked: the folders, or the number of files handed in.
        searched: String,
    },
    /// The list of pinned families is empty.
    #[error("no font family is pinned: name at least one, e.g. Noto Serif CJK SC")]
    NoFamilies,
    /// A font file could not be read.
    #[error("font file {path}: {source}. Check that it exists and that this user may read it")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
}

/// Why a document could not be rendered. No variant leaves a half-made document behind.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A field of the data is missing, unknown, of the wrong type or out of bounds.
    #[error("{template}: field `{path}` {problem}")]
    Field {
        /// The template's name.
        template: String,
        /// Where in the data, e.g. `officers[1].certificate`.
        path: String,
        /// What is wrong and what is expected.
        problem: String,
    },
    /// The template's field table (`<name>.fields.json`) is absent or malformed.
    #[error("{file}: {problem}. The file lists every field of the template with path and type")]
    FieldTable {
        /// The table's file name.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The pack has no template of this name.
    #[error("the rule pack has no template `{name}.typ`; it has: {known}")]
    NoTemplate {
        /// The name asked for.
        name: String,
        /// The `.typ` files of the pack.
        known: String,
    },
    /// A file name of the pack cannot be used.
    #[error("template file {name:?}: {problem}")]
    FileName {
        /// The name as handed in.
        name: String,
        /// Why it cannot be used.
        problem: String,
    },
    /// An input or the result is larger than this crate accepts.
    #[error("{what}: {size} is more than the limit of {limit}. {advice}")]
    TooLarge {
        /// What was measured, with its unit.
        what: &'static str,
        /// The measured size.
        size: usize,
        /// The limit.
        limit: usize,
        /// What to do about it.
        advice: &'static str,
    },
    /// The request's date is not a day of the calendar, or the title is empty or too long.
    #[error("{0}")]
    Request(String),
    /// The template is faulty: the first message of the typesetter, with its place.
    #[error("{file}:{line}: {message}{hints}. Correct the template in the rule pack; the data passed its checks")]
    Template {
        /// The template file, or `data.json`, or `(export)` when no place is known.
        file: String,
        /// The line, counted from 1; 0 when no place is known.
        line: usize,
        /// The typesetter's message.
        message: String,
        /// Its hints, each preceded by `; `.
        hints: String,
    },
    /// A picture could not be made from a field (too many points, text too long for a QR code).
    #[error("{0}")]
    Picture(String),
    /// The typesetter stopped on a fault of its own.
    #[error(
        "the typesetter stopped on an internal fault while rendering `{template}`: {message}. Report it with the data that caused it"
    )]
    Internal {
        /// The template's name.
        template: String,
        /// What the typesetter said.
        message: String,
    },
}
