//! Documentation that leads somewhere.

use std::path::Path;

use fieldseal_tests::workspace_root;

use crate::{files, no_faults};

/// The targets of the links `[text](target)` and `![text](target)` of a line.
fn targets(line: &str) -> Vec<&str> {
    let mut targets = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find("](") {
        rest = &rest[at + 2..];
        let Some(end) = rest.find(')') else { break };
        targets.push(rest[..end].split_whitespace().next().unwrap_or_default());
        rest = &rest[end..];
    }
    targets
}

/// A line without what stands in backticks: an example of a link is no link.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

#[test]
fn links_between_pages_resolve() {
    let root = workspace_root();
    let mut pages = files("core", ".md");
    for folder in ["sync-server", "ffi", "tests"] {
        pages.extend(files(folder, ".md"));
    }
    if let Ok(text) = std::fs::read_to_string(root.join("README.md")) {
        pages.push(crate::SourceFile {
            path: "README.md".to_owned(),
            text,
        });
    }
    let mut faults = Vec::new();
    for page in pages {
        let folder = root.join(Path::new(&page.path).parent().unwrap_or(Path::new("")));
        let mut fenced = false;
        for (number, line) in page.text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
            }
            let line = if fenced { String::new() } else { without_code(line) };
            for target in targets(&line) {
                let path = target.split('#').next().unwrap_or_default();
                if !path.is_empty() && !target.contains(':') && !folder.join(path).exists() {
                    faults.push(format!("{}:{}: {target}", page.path, number + 1));
                }
            }
        }
    }
    no_faults(&faults, "The page is not there: mend the link, or write the page.");
}

#[test]
fn links_are_found() {
    assert_eq!(
        targets("see [a](b.md#c) and ![d](e.png \"title\")"),
        ["b.md#c", "e.png"]
    );
    assert_eq!(without_code("a `[b](c)` d"), "a  d");
}
