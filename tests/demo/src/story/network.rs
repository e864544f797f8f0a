//! The network comes back: it is cut in the middle of a film, a tablet is killed in the middle of writing, and everything arrives once.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::cast::{TABLETS, Tablet};
use super::field::Hand;
use super::stage::{Stage, Told, list, text};
use super::tally::Tally;
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
/// What a session says beside a file: handshakes, records, receipts.
const TALK: u64 = 256 * 1024;

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
#[derive(Debug, Clone, Copy, Default)]
pub struct Sent {
    /// Operations.
    pub operations: u64,
    /// Files that it now knows to be there.
    pub blobs: u64,
    /// Bytes of files that went to the server.
    pub bytes: u64,
    /// The server began a new epoch: it was restored.
    pub new_epoch: bool,
}

/// Syncs until nothing waits; a story in which that takes more than a few rounds has failed.
pub fn drain(stage: &Stage, tablet: Tablet) -> Told<Sent> {
    let (mut last, mut sent) = (Value::Null, Sent::default());
    for _ in 0..8 {
        last = sync(stage, tablet)?;
        sent.operations += last["sent"].as_u64().unwrap_or(0);
        sent.blobs += last["blobs_sent"].as_u64().unwrap_or(0);
        sent.bytes += last["bytes_sent"].as_u64().unwrap_or(0);
        sent.new_epoch |= last["new_epoch"] == true;
        let waiting = &last["waiting"];
        if last["state"] == "done" && waiting["operations"] == 0 && waiting["unsealed"] == 0 && waiting["blobs"] == 0 {
            return Ok(sent);
        }
    }
    Err(format!("{} still has something to send: {last}", tablet.label))
}

/// Kills a tablet with SIGKILL while it writes: every operation that it had acknowledged must be there.
pub fn kill_while_writing(stage: &Stage, inspection: &str, day: &str) -> Told<String> {
    let tablet = TABLETS[0];
    let dir = stage.arg(&format!("tablets/{}", tablet.name));
    let officer = tablet.officers[0];
    let line = |n: usize| {
        let (text, clock) = (
            format!("巡查第 {n} 点：正常"),
            format!("{day}T15:{:02}:{:02}+08:00", n / 60 % 60, n % 60),
        );
        json!({
            "command": "statement", "inspection": inspection, "person": officer.name, "line": [text], "clock": clock,
        })
        .to_string()
    };
    let lines: Vec<String> = (0..LINES).map(line).collect();
    let file = stage.path("killed-batch.jsonl");
    fs::write(&file, lines.join("\n")).map_err(|e| e.to_string())?;
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
    let third = (LINES / 3).to_string();
    running
        .wait_for_line("a third of its lines", Duration::from_secs(120), |line| {
            line.contains(&format!("\"line\":{third},")) || line.contains(&format!("\"line\":{third}}}"))
        })
        .map_err(|e| e.to_string())?;
    let said = running.kill().text();
    stage.tally().hear(&words, &said);
    let mut acknowledged = Tally::default();
    acknowledged.hear(&words, &said);
    let checked = stage.fieldseal("a3-fsck", "", &["device", "fsck", "--dir", &dir])?;
    let shown = stage.fieldseal("a3-show", "", &["device", "show", "--dir", &dir, inspection])?;
    let statements = list(&shown, "statements")?;
    let kept: BTreeSet<&str> = statements.iter().filter_map(|one| one["statement"].as_str()).collect();
    // Each line made a statement of its own, so its id tells whether it is there.
    let made: Vec<String> = whole_lines(&said).filter_map(|line| text(&line, "id").ok()).collect();
    if let Some(lost) = made.iter().find(|id| !kept.contains(id.as_str())) {
        return Err(format!("{lost} was acknowledged and is not there after the kill"));
    }
    match (made.len() == acknowledged.count(), checked["clean"] == true) {
        (true, true) => Ok(format!(
            "SIGKILL after {} acknowledged operations of {LINES}: each of them is there by its id, {} in all; its own check of {} operations finds nothing",
            made.len(),
            kept.len(),
            checked["operations"]
        )),
        _ => Err(format!(
            "{} operations for {} statements; fsck: {checked}",
            acknowledged.count(),
            made.len()
        )),
    }
}

/// What the killed process had said whole.
fn whole_lines(said: &str) -> impl Iterator<Item = Value> {
    let whole = said.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.filter_map(|line| serde_json::from_str(line).ok())
}

/// Films something, breaks the connection inside that very film, and lets the tablet go on from where the server is.
pub fn cut_in_the_film(stage: &Stage, hand: &Hand<'_>, inspection: &str, film: &Path) -> Told<String> {
    let tablet = hand.tablet;
    let size = fs::metadata(film).map_err(|e| e.to_string())?.len();
    let path = film.display().to_string();
    let words = [
        inspection,
        "--file",
        &path,
        "--acquisition",
        "recorder",
        "--kind",
        "audio_visual",
        "--title",
        "现场整改录像",
        "--proves",
        "通道已当场清理",
    ];
    hand.as_officer(1, "capture", &words)?;
    // Nothing but the film is left to send: its records go first and are a few kilobytes.
    let dir = &hand.dir;
    stage.fieldseal("a3-records", "", &["device", "sync", "--dir", dir, "--only", "records"])?;
    let before = stage.proxy.counts();
    // The server makes a long file durable in pieces of 2 MiB: of six, some are then on its disk.
    stage.proxy.set(Mode::DownAfter {
        client_bytes: size / 6 * 5,
    });
    let broken = sync(stage, tablet)?;
    let (cut, waiting) = (stage.proxy.counts(), &broken["waiting"]);
    if cut.cut == before.cut || broken["state"] != "offline" || waiting["operations"] != 0 || waiting["blobs"] != 1 {
        return Err(format!("only the film was to be cut, in its middle: {broken}"));
    }
    let arrived = staged(stage)?;
    if arrived == 0 || arrived >= size {
        return Err(format!(
            "{arrived} of {size} bytes of the film are at the server: that is no middle"
        ));
    }
    stage.proxy.set(Mode::Pass);
    let rest = drain(stage, tablet)?;
    let (first, second) = (
        cut.to_server - before.to_server,
        stage.proxy.counts().to_server - cut.to_server,
    );
    if rest.blobs != 1 || second > size - arrived + TALK || second >= size {
        return Err(format!(
            "{arrived} of {size} bytes were at the server, and {second} bytes were sent after the cut ({} files)",
            rest.blobs
        ));
    }
    Ok(format!(
        "cut after {} of the film's {}; the server kept {}, and {} went through the network after that, not the whole again",
        bytes(first),
        bytes(size),
        bytes(arrived),
        bytes(second)
    ))
}

/// Bytes of the one file that the server has begun to receive, as they lie on its disk.
fn staged(stage: &Stage) -> Told<u64> {
    let folder = stage.path("server/blobs/staged");
    let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let sizes: Vec<u64> = entries.filter_map(|e| Some(e.ok()?.metadata().ok()?.len())).collect();
    match sizes[..] {
        [one] => Ok(one),
        _ => Err(format!(
            "one file should be on its way at the server, there are {}",
            sizes.len()
        )),
    }
}
