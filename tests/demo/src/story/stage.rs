//! The stage: folders, programs and how a command is given. Every act goes through the shipped binaries.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::tally::Tally;

use crate::process::{Finished, Running, run};
use crate::proxy::Proxy;
use crate::shipped::Binaries;

/// Longest time one command may take; a sync of hundreds of files is the longest.
const DEADLINE: Duration = Duration::from_secs(600);

/// How long a server may take to say that it is there.
const START: Duration = Duration::from_secs(60);

/// What went wrong in the story; the text names the command and its log.
pub type Told<T> = Result<T, String>;

/// The folders and programs of one telling.
pub struct Stage {
    /// Where everything goes.
    pub out: PathBuf,
    /// The shipped programs.
    pub binaries: Binaries,
    /// Between the tablets and the server.
    pub proxy: Proxy,
    /// Between the supervisor's laptop and the server.
    pub laptop: Proxy,
    tally: Mutex<Tally>,
    server: Option<Running>,
    server_at: SocketAddr,
}

impl Stage {
    /// An empty stage; the proxies stand before a server that is not there yet.
    pub fn new(out: &Path, binaries: Binaries) -> Told<Self> {
        fs::create_dir_all(out.join("logs")).map_err(|e| format!("{}: {e}", out.display()))?;
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
        let proxy = || Proxy::start(nowhere).map_err(|e| format!("the proxy did not start: {e}"));
        Ok(Self {
            out: out.to_owned(),
            binaries,
            proxy: proxy()?,
            laptop: proxy()?,
            tally: Mutex::default(),
            server: None,
            server_at: nowhere,
        })
    }

    /// A folder or file of the telling.
    pub fn path(&self, name: &str) -> PathBuf {
        self.out.join(name)
    }

    /// The same as text for a command.
    pub fn arg(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Runs `fieldseal` and gives what it said, whatever its exit code.
    pub fn try_fieldseal(&self, name: &str, pin: &str, words: &[&str]) -> Told<Finished> {
        let mut command = Command::new(&self.binaries.fieldseal);
        command.arg("--json").args(words).env("FIELDSEAL_PIN", pin);
        let finished = run(&mut command, name, &self.path("logs"), DEADLINE).map_err(|e| e.to_string())?;
        self.tally().hear(words, &finished.text());
        Ok(finished)
    }

    /// Runs `fieldseal` for a person to read: no JSON, in this language.
    pub fn read_fieldseal(&self, name: &str, lang: &str, words: &[&str]) -> Told<Finished> {
        let mut command = Command::new(&self.binaries.fieldseal);
        command.args(["--lang", lang]).args(words).env("NO_COLOR", "1");
        run(&mut command, name, &self.path("logs"), DEADLINE).map_err(|e| e.to_string())
    }

    /// What the programs have acknowledged so far.
    pub fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `fieldseal`, which must succeed, and gives its JSON.
    pub fn fieldseal(&self, name: &str, pin: &str, words: &[&str]) -> Told<Value> {
        answer(words, &self.try_fieldseal(name, pin, words)?)
    }

    /// Runs a batch of `fieldseal` to its end; lines that failed are told with what they were.
    pub fn batch(&self, name: &str, pin: &str, words: &[&str]) -> Told<Batch> {
        let finished = self.try_fieldseal(name, pin, words)?;
        let said: Result<Vec<Value>, _> = finished.text().lines().map(serde_json::from_str).collect();
        let mut said = said.map_err(|e| format!("{name} answered with something that is no JSON: {e}"))?;
        let summary = said.pop().unwrap_or(Value::Null);
        match (finished.code(), summary["done"].as_u64()) {
            (Some(0 | 1), Some(done)) => {
                let (failed, answers) = said.into_iter().partition(|line| !line["error"].is_null());
                Ok(Batch { answers, failed, done })
            }
            _ => Err(format!(
                "{name} ended with {}: {summary}\n{}",
                finished.status,
                String::from_utf8_lossy(&finished.stderr)
            )),
        }
    }

    /// Starts `fieldseal` without waiting for its end.
    pub fn start_fieldseal(&self, name: &str, pin: &str, words: &[&str]) -> Told<Running> {
        let mut command = Command::new(&self.binaries.fieldseal);
        command.arg("--json").args(words).env("FIELDSEAL_PIN", pin);
        Running::start(&mut command, name, &self.path("logs")).map_err(|e| e.to_string())
    }

    /// Runs `fieldseal-server`, which must succeed.
    pub fn server_command(&self, name: &str, words: &[&str]) -> Told<Value> {
        let mut command = Command::new(&self.binaries.server);
        command.arg("--json").args(words);
        let finished = run(&mut command, name, &self.path("logs"), DEADLINE).map_err(|e| e.to_string())?;
        answer(words, &finished)
    }

    /// Starts the server on its folder and points the proxies at it.
    pub fn serve(&mut self, folder: &str) -> Told<()> {
        let mut command = Command::new(&self.binaries.server);
        let dir = self.arg(folder);
        let listen = if self.server_at.port() == 9 {
            "127.0.0.1:0".to_owned()
        } else {
            self.server_at.to_string()
        };
        command.args(["serve", "--until-stdin-closes", "--dir", &dir, "--listen", &listen]);
        let mut running = Running::start_held(&mut command, "server", &self.path("logs")).map_err(|e| e.to_string())?;
        self.listening(&mut running)?;
        self.keep(running);
        Ok(())
    }

    /// Starts the one command that makes a server in a new folder; it then waits for the ceremony's key log.
    pub fn server_up(&self, folder: &str, words: &[&str]) -> Told<Running> {
        let mut command = Command::new(&self.binaries.server);
        let dir = self.arg(folder);
        command
            .args(["up", "--until-stdin-closes", "--dir", &dir, "--listen", "127.0.0.1:0"])
            .args(words);
        let mut running =
            Running::start_held(&mut command, "server-up", &self.path("logs")).map_err(|e| e.to_string())?;
        let waits = running.wait_for_line("a line on what it waits for", START, |line| {
            line.contains("waiting for the key log")
        });
        waits.map_err(|e| e.to_string())?;
        Ok(running)
    }

    /// Waits until a server that was started says where it listens, and points the proxies there.
    pub fn listening(&mut self, running: &mut Running) -> Told<()> {
        let heard = running.wait_for_line("a line with its address", START, |line| {
            line.contains("listening on https://")
        });
        let line = heard.map_err(|e| e.to_string())?;
        let address = line
            .rsplit("https://")
            .next()
            .unwrap_or_default()
            .trim()
            .trim_end_matches('/');
        self.server_at = address
            .parse()
            .map_err(|_| format!("the server said {line:?}, which names no address"))?;
        self.proxy.set_upstream(self.server_at);
        self.laptop.set_upstream(self.server_at);
        Ok(())
    }

    /// Takes a running server for the one of the story.
    pub fn keep(&mut self, running: Running) {
        self.server = Some(running);
    }

    /// Where the server listens.
    pub fn server_at(&self) -> SocketAddr {
        self.server_at
    }

    /// The id of the server's process, while it runs.
    pub fn server_process(&self) -> Option<u32> {
        self.server.as_ref().map(Running::id)
    }

    /// Asks the server to drain and stop.
    pub fn stop_server(&mut self) -> Told<()> {
        let Some(server) = self.server.take() else {
            return Ok(());
        };
        let finished = server.stop(Duration::from_secs(60)).map_err(|e| e.to_string())?;
        match finished.code() {
            Some(0) => Ok(()),
            _ => Err(format!(
                "the server ended with {}: {}",
                finished.status,
                String::from_utf8_lossy(&finished.stderr)
            )),
        }
    }

    /// Hands the running server over to whoever keeps it up.
    pub fn take_server(&mut self) -> Option<Running> {
        self.server.take()
    }
}

/// What the lines of a batch were answered.
pub struct Batch {
    /// Answers of the lines that were done.
    pub answers: Vec<Value>,
    /// Answers of those that were not.
    pub failed: Vec<Value>,
    /// How many were done.
    pub done: u64,
}

impl Batch {
    /// The same, if no line failed.
    pub fn whole(self, name: &str) -> Told<Self> {
        match self.failed.first() {
            None => Ok(self),
            Some(first) => Err(format!(
                "{} lines of {name} failed, the first: {first}",
                self.failed.len()
            )),
        }
    }
}

/// The JSON of a command that must have succeeded.
fn answer(words: &[&str], finished: &Finished) -> Told<Value> {
    let said = finished.text();
    if finished.code() != Some(0) {
        let stderr = String::from_utf8_lossy(&finished.stderr).into_owned();
        return Err(format!(
            "`{}` ended with {}:\n{}{}",
            words.join(" "),
            finished.status,
            said,
            stderr
        ));
    }
    let last = said.trim();
    serde_json::from_str(last).map_err(|e| {
        format!(
            "`{}` did not answer with one JSON object ({e}):\n{said}",
            words.join(" ")
        )
    })
}

/// A text field of an answer.
pub fn text(value: &Value, key: &str) -> Told<String> {
    value[key]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| format!("the answer has no {key}: {value}"))
}

/// A list of an answer.
pub fn list<'a>(value: &'a Value, key: &str) -> Told<&'a Vec<Value>> {
    value[key]
        .as_array()
        .ok_or_else(|| format!("the answer has no list {key}: {value}"))
}

/// Copies a folder.
pub fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
