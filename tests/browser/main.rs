//! Makes a town with everything that the console shows, and has Chromium walk through it (`run.mjs`).
//!
//! `browser [--pictures DIR] [--stay] [CHECK…]`; the stage `browser` of `tests/run` starts it. Node, Chromium and the modules of
//! package-lock.json are there by then (`setup.sh`).

#![expect(
    clippy::expect_used,
    reason = "a harness reports a broken set-up by panicking, as the shared one does"
)]

mod judgements;
mod town;

use std::env;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use fieldseal_tests::workspace_root;
use serde_json::json;

use crate::town::Town;

const USAGE: &str =
    "browser [--pictures DIR] [--stay] [CHECK…]\n  --stay  keeps the town up until standard input ends\n";

fn main() -> ExitCode {
    let (mut pictures, mut stay, mut checks) = (None, false, Vec::new());
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--pictures" => pictures = words.next().map(PathBuf::from),
            "--stay" => stay = true,
            _ if word.starts_with('-') => {
                eprint!("{USAGE}");
                return ExitCode::from(64);
            }
            _ => checks.push(word),
        }
    }
    let folder = workspace_root().join("tests/browser");
    let drawn = tempfile::tempdir().expect("a folder can be made");
    let film = drawn.path().join("film.webm");
    let (modules, chromium) = (modules(), chromium());
    let draws = Command::new("node")
        .arg(folder.join("film.mjs"))
        .arg(&modules)
        .arg(&chromium)
        .arg(&film)
        .status();
    assert!(draws.expect("node can be started").success(), "no film was made");
    let town = Town::found(&film);
    let mut about = town.about();
    about["modules"] = json!(modules);
    about["chromium"] = json!(chromium);
    about["judgements"] = judgements::pages();
    if let Some(pictures) = &pictures {
        fs::create_dir_all(pictures).expect("the folder for pictures can be made");
        about["pictures"] = json!(fs::canonicalize(pictures).expect("the folder is there"));
    }
    let file = town.world.at("town.json");
    fs::write(&file, format!("{about:#}\n")).expect("the town can be described");
    println!("{}", file.display());
    if stay {
        println!("{about:#}");
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        return ExitCode::SUCCESS;
    }
    let ended = Command::new("node")
        .arg(folder.join("run.mjs"))
        .arg(&file)
        .args(&checks)
        .status();
    match ended.expect("node can be started").success() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Where `setup.sh` put the modules.
fn modules() -> PathBuf {
    let tools = env::var_os("FIELDSEAL_TOOLS").map(PathBuf::from).unwrap_or_else(|| {
        let home = PathBuf::from(env::var_os("HOME").unwrap_or_default());
        let cache = env::var_os("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from);
        cache.join("fieldseal-tests")
    });
    tools.join("browser")
}

/// Debian's Chromium.
fn chromium() -> String {
    let path = env::var_os("PATH").unwrap_or_default();
    let named = |folder: PathBuf| ["chromium", "chromium-browser"].map(|name| folder.join(name));
    let found = env::split_paths(&path).flat_map(named).find(|file| Path::is_file(file));
    found.expect("Chromium is installed").display().to_string()
}
