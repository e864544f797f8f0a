//! Builds and finds the two shipped binaries, `fieldseal` and `fieldseal-server`.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// Where a caller says that the binaries were built already; nothing is built then.
pub const BIN_DIR: &str = "FIELDSEAL_BIN_DIR";

/// The paths of the shipped binaries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    /// The tablet's, supervisor's and verifier's command.
    pub fieldseal: PathBuf,
    /// The sync server.
    pub server: PathBuf,
}

/// Why there are no binaries.
#[derive(Debug)]
pub enum BuildError {
    /// cargo could not be started.
    Cargo(io::Error),
    /// cargo ended with an error, which it has printed.
    Failed(Option<i32>),
    /// The build succeeded but did not make this binary.
    NotMade(&'static str),
    /// [`BIN_DIR`] names a folder without this file.
    NotThere(PathBuf),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cargo(error) => write!(
                f,
                "cargo could not be started: {error}. Is Rust installed (https://rustup.rs)?"
            ),
            Self::Failed(code) => {
                let code = code.map_or("a signal".to_owned(), |code| format!("code {code}"));
                write!(
                    f,
                    "the build of the shipped binaries ended with {code}; the compiler's message is above"
                )
            }
            Self::NotMade(name) => write!(f, "the build succeeded but made no binary called {name}"),
            Self::NotThere(path) => {
                write!(
                    f,
                    "{BIN_DIR} is set, but {} is not there; unset it to have it built",
                    path.display()
                )
            }
        }
    }
}

impl std::error::Error for BuildError {}

/// The folder of the workspace this program was built from.
pub fn workspace_root() -> PathBuf {
    // Under cargo the variable is set at run time too, which keeps a moved checkout working.
    let manifest =
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let root = manifest.ancestors().find(|folder| folder.join("Cargo.lock").is_file());
    root.map_or(manifest.clone(), Path::to_path_buf)
}

/// The binaries of [`BIN_DIR`] if it is set, otherwise builds them: optimised, with cargo's progress on stderr.
pub fn build() -> Result<Binaries, BuildError> {
    if let Some(folder) = env::var_os(BIN_DIR) {
        return in_folder(Path::new(&folder));
    }
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let output = Command::new(cargo)
        .current_dir(workspace_root())
        .args(["build", "--release", "--message-format=json-render-diagnostics"])
        // The whole workspace, so that features unify as they do for the tests and nothing is compiled twice.
        .args(["--workspace", "--bins"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .output()
        .map_err(BuildError::Cargo)?;
    if !output.status.success() {
        return Err(BuildError::Failed(output.status.code()));
    }
    // cargo names what it made, so CARGO_TARGET_DIR and build.target need no guess.
    let messages = String::from_utf8_lossy(&output.stdout);
    Ok(Binaries {
        fieldseal: executable(&messages, "fieldseal").ok_or(BuildError::NotMade("fieldseal"))?,
        server: executable(&messages, "fieldseal-server").ok_or(BuildError::NotMade("fieldseal-server"))?,
    })
}

fn in_folder(folder: &Path) -> Result<Binaries, BuildError> {
    let binary = |name: &str| {
        let path = folder.join(name);
        if path.is_file() {
            Ok(path)
        } else {
            Err(BuildError::NotThere(path))
        }
    };
    Ok(Binaries {
        fieldseal: binary("fieldseal")?,
        server: binary("fieldseal-server")?,
    })
}

/// The executable of the binary target `name` in cargo's JSON messages.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact" && message["target"]["name"] == name)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_the_one_cargo_names() {
        let messages = r#"
{"reason":"compiler-artifact","target":{"name":"fieldseal","kind":["lib"]},"executable":null}
{"reason":"compiler-artifact","target":{"name":"fieldseal","kind":["bin"]},"executable":"/t/release/fieldseal"}
not json
{"reason":"build-finished","success":true}"#;
        assert_eq!(
            executable(messages, "fieldseal"),
            Some(PathBuf::from("/t/release/fieldseal"))
        );
        assert_eq!(executable(messages, "fieldseal-server"), None);
    }

    #[test]
    fn a_folder_without_the_binaries_is_named() {
        let error = in_folder(Path::new("/nowhere")).unwrap_err().to_string();
        assert!(error.contains("/nowhere/fieldseal is not there"), "{error}");
    }

    #[test]
    fn the_workspace_root_has_the_lock_file() {
        assert!(workspace_root().join("Cargo.lock").is_file());
    }
}
