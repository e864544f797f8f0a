//! The tables of `tests/README.md` name test functions that exist.

use std::collections::BTreeSet;

use crate::{files, no_faults};

const PAGE: &str = "tests/README.md";
/// Faults of `sync.md` (c).
const FAULTS: usize = 32;

/// The rows whose first cell is a number: the number, and the second cell.
fn rows(text: &str) -> Vec<(usize, &str)> {
    text.lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix('|')?.split('|');
            let number = cells.next()?.trim().parse().ok()?;
            Some((number, cells.next()?.trim()))
        })
        .collect()
}

/// Every function of the tree by name.
fn functions() -> BTreeSet<String> {
    let named = |line: &str| -> Option<String> {
        let (_, rest) = line.split_once("fn ")?;
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
        Some(rest[..end].to_owned())
    };
    let sources = files("", ".rs");
    sources
        .iter()
        .flat_map(|file| file.text.lines().filter_map(named))
        .collect()
}

#[test]
fn every_test_that_the_tables_name_exists() {
    let page = files("tests", "README.md")
        .into_iter()
        .find(|file| file.path == PAGE)
        .unwrap();
    let functions = functions();
    let rows = rows(&page.text);
    let mut faults = Vec::new();
    for (number, cell) in &rows {
        let names: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        if names.is_empty() && *cell != "none yet" {
            faults.push(format!("row {number} names no test: {cell}"));
        }
        let missing = names.iter().filter(|name| !functions.contains(**name));
        faults.extend(missing.map(|name| format!("row {number}: there is no function {name}")));
    }
    let numbers: Vec<usize> = rows.iter().take(FAULTS).map(|(number, _)| *number).collect();
    if numbers != (1..=FAULTS).collect::<Vec<_>>() {
        faults.push(format!("the first table numbers its rows {numbers:?}"));
    }
    no_faults(
        &faults,
        &format!("Mend {PAGE}: name the test as it is called now in backticks, or say `none yet` without them."),
    );
}
