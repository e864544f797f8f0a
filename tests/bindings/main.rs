//! Plays one script over the bindings in several languages against the real server, and compares what each said.
//!
//!     bindings NAME PROGRAM [ARGUMENT…] [-- NAME PROGRAM [ARGUMENT…]]…
//!
//! Each program is the same script in another language: an app with nothing but the bindings. It prints a line
//! `ok N WORDS` for every step, and `ask JSON` where somebody else has to act (the administrator, the supervisor, another
//! tablet, the network, a crash); the answer is one line of JSON on its standard input. A script that asks to be killed
//! is killed in the middle of what it does, and started again with `FIELDSEAL_AGAIN=1`.
//!
//! Plays whose name begins with `ui` are their own: they are not compared, and may be shorter. Lines are those of a judge:
//! `ok …` and `FAIL …`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a driver of tests reports a broken set-up by panicking"
)]

mod town;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

use serde_json::Value;

use crate::town::{Answer, Town};

/// Fewest steps of a script that counts as whole.
const LEAST_STEPS: usize = 60;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let scripts: Vec<&[String]> = words
        .split(|word| word == "--")
        .filter(|script| script.len() >= 2)
        .collect();
    if scripts.is_empty() {
        eprintln!("usage: bindings NAME PROGRAM [ARGUMENT…] [-- NAME PROGRAM [ARGUMENT…]]…");
        return ExitCode::from(64);
    }
    let mut town = Town::new();
    let mut steps = BTreeMap::new();
    let mut good = true;
    for (n, script) in scripts.iter().enumerate() {
        match play(&mut town, n, script) {
            Ok(said) => {
                let own = script[0].starts_with("ui");
                let whole = said.len() >= if own { 1 } else { LEAST_STEPS };
                good &= verdict(whole, &format!("{}: {} steps", script[0], said.len()));
                if !own {
                    steps.insert(script[0].clone(), said);
                }
            }
            Err(why) => good &= verdict(false, &format!("{}: {why}", script[0])),
        }
    }
    if let Some((first, said)) = steps.iter().next() {
        for (other, theirs) in steps.iter().skip(1) {
            good &= verdict(said == theirs, &format!("{first} and {other} play the same script"));
        }
    }
    drop(town);
    ExitCode::from(u8::from(!good))
}

/// Plays one script to its end; the words of its steps.
fn play(town: &mut Town, n: usize, script: &[String]) -> Result<Vec<String>, String> {
    let folder = town.folder(&script[0]);
    let mut said = Vec::new();
    let mut again = false;
    loop {
        let mut child = start(script, &folder, again)?;
        let killed = listen(town, n, &script[0], &mut child, &mut said)?;
        if killed {
            // SIGKILL: nothing of the program runs after it.
            child.kill().map_err(|error| error.to_string())?;
        }
        let status = child.wait().map_err(|error| error.to_string())?;
        match (killed, status.success()) {
            (true, _) if again => return Err("asked to be killed twice".into()),
            (true, _) => again = true,
            (false, true) => return Ok(said),
            (false, false) => {
                let log = std::fs::read_to_string(folder.join("stderr")).unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(40).collect();
                let tail: Vec<&str> = tail.into_iter().rev().collect();
                return Err(format!(
                    "ended with {status} after step {}:\n{}",
                    said.len(),
                    tail.join("\n")
                ));
            }
        }
    }
}

fn start(script: &[String], folder: &Path, again: bool) -> Result<Child, String> {
    let log = File::options().create(true).append(true).open(folder.join("stderr"));
    let mut command = Command::new(&script[1]);
    command
        .args(&script[2..])
        .env("FIELDSEAL_FOLDER", folder)
        .env("FIELDSEAL_AGAIN", if again { "1" } else { "" })
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log.map_err(|error| error.to_string())?);
    command.spawn().map_err(|error| format!("{}: {error}", script[1]))
}

/// Passes steps on and answers what is asked; true when the script wants to be killed.
fn listen(town: &mut Town, n: usize, name: &str, child: &mut Child, said: &mut Vec<String>) -> Result<bool, String> {
    let stdout = child.stdout.take().expect("its output is a pipe");
    let mut stdin = child.stdin.take().expect("its input is a pipe");
    for line in BufReader::new(stdout).lines() {
        let line = line.map_err(|error| error.to_string())?;
        if let Some(step) = line.strip_prefix("ok ") {
            println!("ok {name} {step}");
            // The number and the words; what was measured stands behind a colon and differs.
            let words = step.split(':').next().unwrap_or(step);
            said.push(words.trim().to_owned());
        } else if let Some(asked) = line.strip_prefix("ask ") {
            let asked: Value = serde_json::from_str(asked).map_err(|error| format!("{asked}: {error}"))?;
            match town.act(n, name, &asked)? {
                Answer::Kill => return Ok(true),
                Answer::Says(answer) => {
                    writeln!(stdin, "{answer}").map_err(|error| format!("it does not listen: {error}"))?;
                }
            }
        } else {
            println!("{name}: {line}");
        }
    }
    Ok(false)
}

fn verdict(good: bool, words: &str) -> bool {
    println!("{} {words}", if good { "ok" } else { "FAIL" });
    good
}
