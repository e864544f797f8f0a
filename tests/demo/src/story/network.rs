//! The network comes back: it is cut in the middle of a film, a tablet is killed in the middle of writing, and everything arrives once.

use std::time::Duration;

use serde_json::{Value, json};

use super::cast::{TABLETS, Tablet};
use super::stage::{Stage, Told, list};
use crate::proxy::Mode;
use crate::steps::bytes;

/// Syncs until a tablet knows of so many inspections: the feed shows an assignment only once the server has judged it.
pub fn fetch(stage: &Stage, tablet: Tablet, expected: usize) -> Told<()> {
    let dir = stage.arg(&format!("tablets/{}", tablet.name));
    let mut known = 0;
    for _ in 0..60 {
        stage.fieldseal("device-sync", "", &["device", "sync", "--dir", &dir, "--wait", "1"])?;
        let said = stage.fieldseal("device-inspections", "", &["device", "inspections", "--dir", &dir])?;
        known = list(&said, "items")?.len();
        if known >= expected {
            return Ok(());
        }
    }
    Err(format!(
        "{} was to know {expected} inspections and knows {known}",
        tablet.label
    ))
}

/// Lines that the killed tablet was writing.
const LINES: usize = 400;

/// Exchanges everything with the server; the network decides how far it gets.
pub fn sync(stage: &Stage, tablet: Tablet) -> Told<Value> {
    let dir = stage.arg(&format!("tablets/{}", tablet.name));
    let words = ["device", "sync", "--dir", &dir];
    let finished = stage.try_fieldseal(&format!("{}-sync", tablet.name), "", &words)?;
    match finished.code() {
        Some(0 | 75) => serde_json::from_str(finished.text().trim())
            .map_err(|e| format!("sync said no JSON ({e}): {}", finished.text())),
        _ => Err(format!(
            "sync ended with {}:\n{}{}",
            finished.status,
            finished.text(),
            String::from_utf8_lossy(&finished.stderr)
        )),
    }
}

/// What a tablet sent until nothing waited any more.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    /// Operations.
    pub operations: u64,
    /// Files.
    pub blobs: u64,
}

/// Syncs until nothing waits; a story in which that takes more than a few rounds has failed.
pub fn drain(stage: &Stage, tablet: Tablet) -> Told<Sent> {
    let (mut last, mut operations, mut blobs) = (Value::Null, 0, 0);
    for _ in 0..8 {
        last = sync(stage, tablet)?;
        operations += last["sent"].as_u64().unwrap_or(0);
        blobs += last["blobs_sent"].as_u64().unwrap_or(0);
        let waiting = &last["waiting"];
        if last["state"] == "done" && waiting["operations"] == 0 && waiting["blobs"] == 0 {
            return Ok(Sent { operations, blobs });
        }
    }
    Err(format!("{} still has something to send: {last}", tablet.label))
}

/// Kills a tablet with SIGKILL while it writes, and counts: every line that it had acknowledged must be there.
pub fn kill_while_writing(stage: &Stage, inspection: &str) -> Told<String> {
    let tablet = TABLETS[0];
    let dir = stage.arg(&format!("tablets/{}", tablet.name));
    let officer = tablet.officers[0];
    let line = |n: usize| {
        let text = format!("巡查第 {n} 点：正常");
        json!({"command": "statement", "inspection": inspection, "person": officer.name, "line": [text]}).to_string()
    };
    let lines: Vec<String> = (0..LINES).map(line).collect();
    let file = stage.path("killed-batch.jsonl");
    std::fs::write(&file, lines.join("\n")).map_err(|e| e.to_string())?;
    let file = file.display().to_string();
    let words = [
        "device",
        "batch",
        "--dir",
        &dir,
        "--officer",
        officer.certificate,
        &file,
    ];
    let mut running = stage.start_fieldseal("a3-killed", officer.pin, &words)?;
    let half = (LINES / 3).to_string();
    running
        .wait_for_line("a third of its lines", Duration::from_secs(120), |line| {
            line.contains(&format!("\"line\":{half},")) || line.contains(&format!("\"line\":{half}}}"))
        })
        .map_err(|e| e.to_string())?;
    let acknowledged = complete_lines(&running.kill().stdout);
    let checked = stage.fieldseal("a3-fsck", "", &["device", "fsck", "--dir", &dir])?;
    let shown = stage.fieldseal("a3-show", "", &["device", "show", "--dir", &dir, inspection])?;
    let kept = list(&shown, "statements")?
        .iter()
        .map(|s| s["lines"].as_array().map_or(1, Vec::len))
        .sum::<usize>();
    if kept < acknowledged {
        return Err(format!(
            "{acknowledged} lines were acknowledged, {kept} are there after the kill"
        ));
    }
    Ok(format!(
        "SIGKILL after {acknowledged} acknowledged lines; {kept} are there; fsck: {}",
        checked["operations"]
    ))
}

/// Lines that the killed process had said whole.
fn complete_lines(stdout: &[u8]) -> usize {
    let said = String::from_utf8_lossy(stdout);
    let whole = said.split_inclusive('\n').filter(|l| l.ends_with('\n'));
    whole
        .filter(|l| serde_json::from_str::<Value>(l).is_ok_and(|v| v["operation"].is_string()))
        .count()
}

/// Breaks the connection inside a film and lets the tablet go on; says how much was sent twice.
pub fn cut_in_the_film(stage: &Stage, film_bytes: u64) -> Told<String> {
    let tablet = TABLETS[0];
    let before = stage.proxy.counts();
    stage.proxy.set(Mode::CutAfter {
        client_bytes: film_bytes / 2,
    });
    let broken = sync(stage, tablet)?;
    let cut = stage.proxy.counts();
    if cut.cut == before.cut {
        return Err(format!(
            "the network was to be cut inside the film, and was not: {broken}"
        ));
    }
    stage.proxy.set(Mode::Pass);
    let rest = drain(stage, tablet)?;
    let passed = stage.proxy.counts().to_server - before.to_server;
    let sent = broken["blobs_sent"].as_u64().unwrap_or(0) + rest.blobs;
    Ok(format!(
        "the connection broke {} times; {sent} files arrived once each, {} through the network in all; nothing waits",
        cut.cut - before.cut,
        bytes(passed)
    ))
}
