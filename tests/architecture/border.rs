//! What crosses the border of the bindings, and what the command line says to people.

use crate::source::{is_test, without_tests};
use crate::{SourceFile, files, no_faults};

/// Exported functions that run no code of the library that could panic: they read a field, set a flag, or wrap a value. Each
/// with why.
const UNGUARDED: &[(&str, &str)] = &[
    ("started", "clones what the start found"),
    ("card", "copies fields of the card"),
    ("tell_battery", "keeps a number"),
    (
        "begin_sync",
        "makes a state; nothing is read or sent before the first part",
    ),
    ("progress", "copies numbers"),
    ("cancel", "sets a flag"),
    ("is_cancelled", "reads a flag"),
    ("new", "makes a flag"),
    ("catalogue_text", "a look into a table that its own tests read whole"),
];

/// The functions that UniFFI exports from a file: name, line, body. Methods stand in an `impl` under `#[uniffi::export]`,
/// functions directly under it.
fn exported(file: &SourceFile) -> Vec<(String, usize, String)> {
    let lines = without_tests(&file.text);
    let mut found = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at].1;
        at += 1;
        if !line.trim_start().starts_with("#[uniffi::export") || line.contains("with_foreign") {
            continue;
        }
        while lines[at].1.trim_start().starts_with(['#', '/']) {
            at += 1;
        }
        let outer = lines[at].1;
        let indent = if outer.starts_with("impl") { "    " } else { "" };
        let opening = format!("{indent}pub fn ");
        let end = lines[at..]
            .iter()
            .position(|(_, line)| *line == "}")
            .map_or(lines.len(), |n| at + n);
        while at <= end && at < lines.len() {
            let (number, line) = lines[at];
            if let Some(rest) = line.strip_prefix(&opening) {
                let name = rest.split(['(', '<']).next().unwrap_or_default().to_owned();
                let close = format!("{indent}}}");
                let length = lines[at..].iter().position(|(_, line)| *line == close).unwrap_or(0);
                let body: Vec<&str> = lines[at..at + length].iter().map(|(_, line)| *line).collect();
                found.push((name, number, body.join("\n")));
                at += length;
            }
            at += 1;
        }
    }
    found
}

#[test]
fn no_panic_crosses_the_border() {
    let mut faults = Vec::new();
    let (mut guarded, mut plain) = (0, Vec::new());
    for file in files("ffi/src", ".rs").iter().filter(|file| !is_test(&file.path)) {
        for (name, number, body) in exported(file) {
            if body.contains("guarded(") {
                guarded += 1;
            } else if UNGUARDED.iter().any(|(known, _)| *known == name) && !body.contains("Result<") {
                plain.push(name);
            } else if body.contains("self.end(") || body.contains("match self.end(") {
                // A capture's end joins a thread whose work is guarded; its own code only matches.
                guarded += 1;
            } else {
                faults.push(format!("{}:{number}: {name} is not guarded", file.path));
            }
        }
    }
    no_faults(
        &faults,
        "A call of the border runs inside guarded(), or stands in UNGUARDED with why it cannot panic.",
    );
    assert!(
        guarded > 45,
        "the reader of source found only {guarded} guarded functions"
    );
    for (name, _) in UNGUARDED {
        assert!(
            plain.iter().any(|found| found == name),
            "{name} is in UNGUARDED and not exported"
        );
    }
}

#[test]
fn the_reader_of_exports_finds_what_is_not_guarded() {
    let text = "#[uniffi::export]\nimpl Device {\n    /// A.\n    pub fn a(&self) -> Result<(), E> {\n        guarded(|| x)\n    }\n\n    \
                pub fn b(&self) -> u8 {\n        1\n    }\n}\n\nimpl Device {\n    pub fn inside(&self) {\n    }\n}\n\n\
                #[uniffi::export(default(c = None))]\npub fn c(\n    c: Option<u8>,\n) -> u8 {\n    2\n}\n";
    let file = SourceFile {
        path: String::new(),
        text: text.to_owned(),
    };
    let names: Vec<(String, bool)> = exported(&file)
        .into_iter()
        .map(|(name, _, body)| (name, body.contains("guarded(")))
        .collect();
    let expected = [("a", true), ("b", false), ("c", false)].map(|(name, guarded)| (name.to_owned(), guarded));
    assert_eq!(names, expected);
}

/// Words may stand in the command line's source in two languages; a sentence stands in the catalogue, where its form, its
/// banned words and its other language are tested.
#[test]
fn sentences_of_the_command_line_stand_in_the_catalogue() {
    let mut faults = Vec::new();
    for file in files("core/cli/src", ".rs") {
        for (number, line) in without_tests(&file.text) {
            let code = line.split("//").next().unwrap_or_default();
            if code.contains(['。', '；', '？']) {
                faults.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
            if code.contains("Failure::usage(\"") && !code.contains("Failure::usage(\"usage.") {
                faults.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    no_faults(
        &faults,
        "Give it a code in core/src/catalogue/messages and say it with shell.text or Failure.",
    );
}
