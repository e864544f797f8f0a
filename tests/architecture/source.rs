//! What the source may hold: sizes, ports, leftovers.

use crate::{SourceFile, files, no_faults};

/// Lines of Rust in core/proof, without tests, blank lines and comments: what a court's expert has to read, by
/// core/docs/adr/0004-size-of-proof.md.
const PROOF_LINES: usize = 4480;
/// Lines of one Rust file, tests included.
const FILE_LINES: usize = 700;

/// What proof's source must not name. It verifies given bytes: no file, no network, no clock, no randomness.
const NOT_IN_PROOF: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "SystemTime",
    "Instant::",
    "getrandom",
    "OsRng",
    "tokio",
    "async fn",
];

/// A file without its `#[cfg(test)]` modules, as numbered lines. Such a module ends at a closing brace in the column
/// in which its attribute begins, which is where rustfmt puts it.
pub(crate) fn without_tests(text: &str) -> Vec<(usize, &str)> {
    let mut kept = Vec::new();
    let mut skipping: Option<(usize, bool)> = None;
    for (number, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        match skipping {
            None if line.trim() == "#[cfg(test)]" => skipping = Some((indent, false)),
            None => kept.push((number + 1, line)),
            // `mod tests;` names a file, which is_test() leaves out by its name.
            Some((at, false)) if indent == at && line.trim_end().ends_with(';') => skipping = None,
            Some((at, opened)) => {
                let opened = opened || line.trim_end().ends_with('{');
                skipping = if opened && indent == at && line.trim() == "}" {
                    None
                } else {
                    Some((at, opened))
                };
            }
        }
    }
    kept
}

/// A file that is all test.
pub(crate) fn is_test(path: &str) -> bool {
    path.split('/')
        .any(|part| matches!(part, "tests" | "benches" | "examples" | "tests.rs"))
        || path.ends_with("_tests.rs")
}

/// The code of a line: without its comment, and without the inside of its string literals.
fn code(line: &str) -> String {
    let (mut code, mut inside, mut escaped) = (String::new(), false, false);
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        if inside {
            (inside, escaped) = (escaped || character != '"', !escaped && character == '\\');
            if !inside {
                code.push(character);
            }
            continue;
        }
        match character {
            '/' if characters.peek() == Some(&'/') => break,
            // A character literal that holds a quotation mark.
            '\'' if characters.peek() == Some(&'"') => {
                characters.next();
            }
            '"' => {
                inside = true;
                code.push(character);
            }
            _ => code.push(character),
        }
    }
    code
}

fn proof_sources() -> Vec<SourceFile> {
    let sources: Vec<SourceFile> = files("core/proof/src", ".rs")
        .into_iter()
        .filter(|file| !is_test(&file.path))
        .collect();
    assert!(!sources.is_empty(), "core/proof/src holds no Rust");
    sources
}

#[test]
fn proof_touches_nothing_outside_itself() {
    let mut faults = Vec::new();
    for file in proof_sources() {
        for (number, line) in without_tests(&file.text) {
            let code = code(line);
            for word in NOT_IN_PROOF.iter().filter(|word| code.contains(**word)) {
                faults.push(format!("{}:{number} names {word}", file.path));
            }
        }
    }
    no_faults(
        &faults,
        "Proof verifies bytes that it is given. Read, ask the clock and draw randomness in core; hand in values.",
    );
}

#[test]
fn proof_stays_readable_in_one_piece() {
    let count = |file: &SourceFile| {
        let lines = without_tests(&file.text).into_iter().map(|(_, line)| line.trim());
        lines.filter(|line| !line.is_empty() && !line.starts_with("//")).count()
    };
    let sources = proof_sources();
    let total: usize = sources.iter().map(count).sum();
    let list: Vec<String> = sources
        .iter()
        .map(|file| format!("{:>5} {}", count(file), file.path))
        .collect();
    assert!(
        total < PROOF_LINES,
        "core/proof has {total} lines of Rust (tests, blank lines and comments not counted); the promise of core/docs/adr/0004-size-of-proof.md \
         is fewer than {PROOF_LINES}.\n{}\n\
         Move what is not a format or its verification up into core.",
        list.join("\n")
    );
}

#[test]
fn no_file_hides_a_second_noun() {
    let faults: Vec<String> = all()
        .iter()
        .map(|file| (file.text.lines().count(), &file.path))
        .filter(|(lines, _)| *lines > FILE_LINES)
        .map(|(lines, path)| format!("{path} has {lines} lines"))
        .collect();
    no_faults(
        &faults,
        &format!("More than {FILE_LINES} lines: split it by the second thing it is about."),
    );
}

/// Every Rust file of the tree.
fn all() -> Vec<SourceFile> {
    let mut all = Vec::new();
    for folder in ["core", "sync-server", "ffi", "tests"] {
        all.extend(files(folder, ".rs"));
    }
    all
}

#[test]
fn nothing_is_left_undone_switched_off_or_waited_for() {
    // In two halves each, so that this file does not find itself.
    let forbidden = [
        (
            concat!("to", "do!"),
            "do it, or leave it out and say so in the documentation",
        ),
        (
            concat!("unimple", "mented!"),
            "do it, or return an error that says what is not there",
        ),
        (
            concat!("#[ig", "nore"),
            "make it fast or move it behind `tests/run --long`; a test that never runs is none",
        ),
        (
            concat!("thread::", "sleep"),
            "wait for the event itself (channel, Condvar, a line on stdout), with a deadline",
        ),
        (concat!("dbg", "!("), "remove it"),
    ];
    let mut faults = Vec::new();
    for file in all() {
        for (number, line) in file.text.lines().enumerate() {
            let code = code(line);
            for (word, instead) in &forbidden {
                if code.contains(word) {
                    faults.push(format!("{}:{}: {word} -> {instead}", file.path, number + 1));
                }
            }
        }
    }
    no_faults(&faults, "");
}

#[test]
fn comments_promise_nothing() {
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("HA", "CK:"),
    ];
    let mut faults = Vec::new();
    for file in all() {
        for (number, line) in file.text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark)) {
                faults.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
            }
        }
    }
    no_faults(
        &faults,
        "Do it now, or write an issue; the source says what is, not what should be.",
    );
}

#[test]
fn the_tree_names_no_machine() {
    // A home, a workshop's folder, a neighbour of the checkout: none of it exists elsewhere.
    let words = [
        concat!("/wo", "rk/"),
        concat!("/ho", "me/"),
        concat!("/ro", "ot/"),
        concat!("../sha", "red"),
    ];
    let mut faults = Vec::new();
    for ending in [".rs", ".toml", ".md", ".sh", ".py", ".go", ".json", ".typ"] {
        for folder in ["core", "sync-server", "ffi", "tests"] {
            for file in files(folder, ending) {
                for (number, line) in file.text.lines().enumerate() {
                    if words.iter().any(|word| line.contains(word)) {
                        faults.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
                    }
                }
            }
        }
    }
    no_faults(
        &faults,
        "A fresh clone on another machine has no such folder: take the path as an argument.",
    );
}

#[test]
fn the_readers_of_source_read_rightly() {
    assert_eq!(code(r#"let a = "std::fs \" x"; // std::net"#), r#"let a = ""; "#);
    assert_eq!(
        code(r#"if c == '"' { std::fs }"#),
        "if c ==  { std::fs }".replace("==  ", "== ' ")
    );
    let text = "a\n#[cfg(test)]\nmod tests {\n    fn x() {\n    }\n}\nb\n#[cfg(test)]\nmod more;\nc\n";
    let kept: Vec<&str> = without_tests(text).into_iter().map(|(_, line)| line).collect();
    assert_eq!(kept, ["a", "b", "c"]);
    assert!(is_test("core/proof/src/tests.rs") && is_test("core/tests/x.rs") && !is_test("core/src/contests.rs"));
}
