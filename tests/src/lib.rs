//! The shared harness of `tests/`: a folder of its own for each test, the shipped binaries, and their command line.
//!
//! Tests drive the programs that are shipped, as a person or a stranger would, and read what they print with `--json`.
//! They run the binaries of `FIELDSEAL_BIN_DIR` if that is set (`tests/run` sets it), otherwise they have them built.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a harness reports a broken set-up by panicking"
)]

pub mod world;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

pub use fieldseal_demo::process::{self, Finished, Running};
pub use fieldseal_demo::proxy;
pub use fieldseal_demo::samples;
pub use fieldseal_demo::shipped::{Binaries, workspace_root};
use serde_json::Value;

/// How long a command may take before it counts as hanging. Generous: the machine may be busy.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// The shipped binaries, built once per process.
pub fn binaries() -> &'static Binaries {
    static BINARIES: OnceLock<Binaries> = OnceLock::new();
    BINARIES.get_or_init(|| fieldseal_demo::shipped::build().unwrap_or_else(|error| panic!("{error}")))
}

/// A folder of a test's own. Removed at the end, kept (and named) when the test fails or `FIELDSEAL_KEEP` is set.
#[derive(Debug)]
pub struct Folder(Option<tempfile::TempDir>);

impl Folder {
    /// A new folder whose name begins with `name`.
    pub fn new(name: &str) -> Self {
        let folder = tempfile::Builder::new().prefix(&format!("fieldseal-{name}-")).tempdir();
        Self(Some(folder.expect("the temporary folder can be written")))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.as_ref().expect("it lives until it is dropped").path()
    }

    /// A path in it; nothing is made.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(folder) = self.0.take()
            && (std::thread::panicking() || std::env::var_os("FIELDSEAL_KEEP").is_some())
        {
            eprintln!("kept: {}", folder.keep().display());
        }
    }
}

/// The `fieldseal` command, run to its end, with logs of every call in one folder.
#[derive(Debug)]
pub struct Cli {
    program: PathBuf,
    logs: PathBuf,
    environment: Vec<(String, String)>,
    calls: std::cell::Cell<u32>,
    /// How long one call may take.
    pub deadline: Duration,
}

/// What one call said.
#[derive(Debug)]
pub struct Said {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output, read as JSON; `Null` if it is none.
    pub json: Value,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// How long it took.
    pub took: Duration,
    call: String,
}

impl Cli {
    /// The shipped `fieldseal`; `logs` gets `001-device.out`, `001-device.err`, and so on.
    pub fn new(logs: impl Into<PathBuf>) -> Self {
        Self::of(&binaries().fieldseal, logs)
    }

    /// The shipped `fieldseal-server`, for its commands that end.
    pub fn server(logs: impl Into<PathBuf>) -> Self {
        Self::of(&binaries().server, logs)
    }

    /// Any program.
    pub fn of(program: &Path, logs: impl Into<PathBuf>) -> Self {
        Self {
            program: program.to_owned(),
            logs: logs.into(),
            environment: Vec::new(),
            calls: std::cell::Cell::new(0),
            deadline: DEADLINE,
        }
    }

    /// Sets an environment variable for every call.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A call with these words, not started yet. It sees nothing of this process's environment but PATH and HOME.
    pub fn command<I, S>(&self, words: I) -> Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut command = Command::new(&self.program);
        command.args(words).env_clear();
        for name in ["PATH", "HOME", "TMPDIR", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("NO_COLOR", "1")
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a call with these words and `--json` to its end.
    pub fn run<I, S>(&self, words: I) -> Said
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut command = self.command(words);
        command.arg("--json");
        let call = described(&command);
        let name = self.next_name(&command);
        let done = process::run(&mut command, &name, &self.logs, self.deadline);
        let done = done.unwrap_or_else(|error| panic!("{call}\n{error}"));
        let stdout = done.text();
        Said {
            code: done.code(),
            json: serde_json::from_str(&stdout).unwrap_or(Value::Null),
            stdout,
            stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
            took: done.took,
            call,
        }
    }

    /// Starts a call that does not end by itself (a server, or one that is to be killed).
    pub fn start<I, S>(&self, words: I) -> Running
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut command = self.command(words);
        let name = self.next_name(&command);
        Running::start(&mut command, &name, &self.logs).unwrap_or_else(|error| panic!("{error}"))
    }

    fn next_name(&self, command: &Command) -> String {
        self.calls.set(self.calls.get() + 1);
        let words: Vec<String> = command
            .get_args()
            .take(2)
            .map(|word| word.to_string_lossy().replace(['/', '.'], "_"))
            .collect();
        format!("{:03}-{}", self.calls.get(), words.join("-"))
    }
}

impl Said {
    /// Panics with everything that was said unless the exit code is `code`.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert!(
            self.code == Some(code),
            "{}\nended with {:?}, not {code}\n--- stdout\n{}\n--- stderr\n{}",
            self.call,
            self.code,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Panics unless it failed with exit code `exit` and the stable `code`, and says a sentence; gives the sentence.
    #[track_caller]
    pub fn refused(self, exit: i32, code: &str) -> String {
        let said = self.expect_code(exit);
        let error = &said.json["error"];
        let text = error["text"].as_str().unwrap_or_default();
        assert!(
            error["code"] == code && !text.is_empty() && !text.contains('{'),
            "{}\nshould say {code} with a sentence:\n{}\n{}",
            said.call,
            said.stdout,
            said.stderr
        );
        text.to_owned()
    }

    /// Panics unless it ended with 0; gives the JSON.
    #[track_caller]
    pub fn ok(self) -> Value {
        let said = self.expect_code(0);
        assert!(!said.json.is_null(), "{}\nsaid no JSON:\n{}", said.call, said.stdout);
        said.json
    }
}

/// A call as one would type it.
fn described(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo(folder: &Folder) -> Cli {
        Cli::of(Path::new("/bin/sh"), folder.join("logs"))
    }

    #[test]
    fn json_and_codes_are_captured_and_the_environment_is_clean() {
        let folder = Folder::new("harness");
        let sh = echo(&folder).env("GREETING", "hello");
        let said = sh.run([
            "-c",
            r#"echo "{\"greeting\": \"$GREETING\", \"cargo\": \"$CARGO_MANIFEST_DIR\"}""#,
        ]);
        assert_eq!(said.ok(), serde_json::json!({ "greeting": "hello", "cargo": "" }));
        let failed = sh.run(["-c", "echo sorry >&2; exit 4"]).expect_code(4);
        assert_eq!((failed.stderr.as_str(), &failed.json), ("sorry\n", &Value::Null));
        assert!(folder.join("logs/002--c-echo sorry >&2; exit 4.err").is_file());
    }

    #[test]
    #[should_panic(expected = "ended with Some(1), not 0")]
    fn a_wrong_code_is_told_with_what_was_said() {
        let folder = Folder::new("harness");
        echo(&folder).run(["-c", "exit 1"]).ok();
    }

    #[test]
    fn a_folder_goes_when_the_test_passes() {
        let path = Folder::new("harness").path().to_owned();
        assert!(!path.exists() || std::env::var_os("FIELDSEAL_KEEP").is_some());
    }
}
