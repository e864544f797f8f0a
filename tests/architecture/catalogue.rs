//! Every sentence of the catalogue has a caller: a text that no program says is a promise that nobody keeps.

use std::collections::BTreeSet;

use fieldseal_core::catalogue::codes;

use crate::source::{is_test, without_tests};
use crate::{files, no_faults};

/// Sentences of the tablet whose callers are still to come. Nothing is added here: a new sentence comes with its caller.
const AWAITED: [&str; 24] = [
    "case_open_items",
    "ceremony_refused",
    "clock_unlikely",
    "epoch_changed",
    "key_log_conflict",
    "log_forked",
    "officer_pending",
    "parallel",
    "password_wrong",
    "pin_missing",
    "receipt_broken",
    "receipt_overdue",
    "records_first",
    "refusal_needs_reason",
    "renderer_missing",
    "request_form",
    "rotation_pair",
    "server_not_delegated",
    "status.draft",
    "status.logged",
    "status.received",
    "status.waiting",
    "upload_mismatch",
    "upload_resumed",
];
/// Groups whose codes are words of the formats: a value that is read is looked up here, whatever it is.
const OF_FORMATS: [&str; 8] = [
    "acquisition",
    "check",
    "custody",
    "disposition",
    "meaning",
    "quarantine",
    "role",
    "sign",
];

/// What stands between quotes in the programs and templates and could be a code, or a code with places to fill in.
fn quoted() -> BTreeSet<String> {
    let of_code = |c: char| c.is_ascii_alphanumeric() || "_.{}".contains(c);
    let mut found = BTreeSet::new();
    for ending in [".rs", ".html"] {
        for folder in ["core", "sync-server", "ffi", "tests/demo"] {
            for file in files(folder, ending).iter().filter(|file| !is_test(&file.path)) {
                for (_, line) in without_tests(&file.text) {
                    let parts = line
                        .split('"')
                        .filter(|part| !part.is_empty() && part.chars().all(of_code));
                    found.extend(parts.map(str::to_owned));
                }
            }
        }
    }
    found
}

/// Whether a literal with places in braces can become the code. A literal that begins with a place can become anything, and says
/// nothing.
fn makes(pattern: &str, code: &str) -> bool {
    let mut rest = code;
    for (at, part) in pattern.split('{').enumerate() {
        let fixed = if at == 0 {
            part
        } else {
            part.split_once('}').map_or("", |(_, tail)| tail)
        };
        if at == 0 {
            let Some(tail) = rest.strip_prefix(fixed).filter(|_| !fixed.is_empty()) else {
                return false;
            };
            rest = tail;
        } else if fixed.is_empty() {
            return !rest.is_empty();
        } else {
            // At least one letter fills the place.
            let filled = rest.get(1..).and_then(|tail| tail.find(fixed));
            let Some(found) = filled else { return false };
            rest = &rest[1 + found + fixed.len()..];
        }
    }
    rest.is_empty()
}

#[test]
fn every_sentence_has_a_caller() {
    let quoted = quoted();
    let patterns: Vec<&String> = quoted.iter().filter(|literal| literal.contains('{')).collect();
    let called = |code: &str| {
        let group = code.split('.').next().unwrap_or_default();
        quoted.contains(code)
            || match code.strip_prefix("label.") {
                // `Param::label("name")` names the last part alone.
                Some(name) => quoted.contains(name),
                None => OF_FORMATS.contains(&group) || patterns.iter().any(|pattern| makes(pattern, code)),
            }
            || AWAITED.contains(&code)
    };
    let dead: Vec<String> = codes().filter(|code| !called(code)).map(str::to_owned).collect();
    no_faults(
        &dead,
        "nobody says this: delete it from the catalogue, or write its caller",
    );
}

#[test]
fn patterns_are_recognised() {
    for (pattern, code, expected) in [
        ("console.work.{}.why", "console.work.fork.why", true),
        ("console.work.{}.why", "console.work.fork", false),
        ("stage.{}", "stage.closed", true),
        ("stage.{}", "stage.", false),
        ("{group}.{text}", "stage.closed", false),
        ("verdict.{}", "basis.claim", false),
    ] {
        assert_eq!(makes(pattern, code), expected, "{pattern} {code}");
    }
}
