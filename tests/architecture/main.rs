//! The rules of the tree, each with what to do instead.
//!
//! They hold the layout of the workspace (who may depend on whom, what may stand where) and the promises that a reader
//! of `core/proof` relies on. A rule is changed here, in the open, together with the page that states it.

#![allow(clippy::unwrap_used, reason = "a broken set-up is a failed test")]

mod border;
mod catalogue;
mod edges;
mod links;
mod names;
mod source;
mod table;
mod words;

use std::fs;
use std::path::{Path, PathBuf};

use fieldseal_tests::workspace_root;

/// A file of the tree: its path from the root, and its text.
struct SourceFile {
    path: String,
    text: String,
}

/// The files below `folder` whose name ends in `ending`, in order. Build output and hidden folders are left out.
fn files(folder: &str, ending: &str) -> Vec<SourceFile> {
    let root = workspace_root();
    let mut paths = Vec::new();
    collect(&root.join(folder), ending, &mut paths);
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let path = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().into_owned();
        SourceFile {
            path,
            text: String::from_utf8_lossy(&text).into_owned(),
        }
    };
    paths.into_iter().map(read).collect()
}

fn collect(folder: &Path, ending: &str, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && !["target", "out", "node_modules", "__pycache__"].contains(&name.as_str()) {
                collect(&path, ending, paths);
            }
        } else if name.ends_with(ending) {
            paths.push(path);
        }
    }
}

/// Panics with the faults, one a line, and with what to do about them.
#[track_caller]
fn no_faults(faults: &[String], instead: &str) {
    assert!(faults.is_empty(), "\n  {}\n{instead}\n", faults.join("\n  "));
}
