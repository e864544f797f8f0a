//! What may stand at the top of the tree.

use std::process::Command;

use fieldseal_tests::workspace_root;

use crate::no_faults;

const FOLDERS: &[&str] = &["core", "sync-server", "ffi", "tests"];
const FILES: &[&str] = &["Cargo.toml", "Cargo.lock", "README.md", "LICENSE-APACHE", "LICENSE-MIT"];

/// The files that git knows or would take, as paths from the root.
fn tracked() -> Option<Vec<String>> {
    let output = Command::new("git")
        .current_dir(workspace_root())
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    output
        .status
        .success()
        .then(|| text.split_terminator('\0').map(str::to_owned).collect())
}

/// The names at the top; without git those on the disk, build output left out.
fn top() -> Vec<String> {
    let mut names: Vec<String> = match tracked() {
        Some(paths) => paths
            .iter()
            .filter_map(|path| path.split('/').next().map(str::to_owned))
            .collect(),
        None => std::fs::read_dir(workspace_root())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| name != "target" && name != "out")
            .collect(),
    };
    names.sort();
    names.dedup();
    names
}

#[test]
fn the_top_holds_only_what_was_agreed() {
    let top = top();
    let allowed =
        |name: &String| FOLDERS.contains(&name.as_str()) || FILES.contains(&name.as_str()) || name.starts_with('.');
    let faults: Vec<String> = top
        .iter()
        .filter(|name| !allowed(name))
        .map(|name| format!("{name} is at the top"))
        .collect();
    no_faults(
        &faults,
        "The top is fixed: Cargo.toml, Cargo.lock, core, sync-server, ffi, tests, README.md, the two licences, dotfiles. \
         Put it into one of the rooms.",
    );
    for name in FOLDERS
        .iter()
        .chain(&["Cargo.toml", "Cargo.lock", "LICENSE-APACHE", "LICENSE-MIT"])
    {
        assert!(top.iter().any(|found| found == name), "{name} is missing at the top");
    }
}

#[test]
fn no_file_differs_from_another_by_case_alone() {
    let mut paths = tracked().unwrap_or_default();
    paths.sort_by_key(|path| path.to_lowercase());
    let clashes = paths
        .windows(2)
        .filter(|pair| pair[0] != pair[1] && pair[0].to_lowercase() == pair[1].to_lowercase());
    let faults: Vec<String> = clashes.map(|pair| format!("{} and {}", pair[0], pair[1])).collect();
    no_faults(&faults, "They would be one file on Windows and macOS.");
}
