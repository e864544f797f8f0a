//! Backup, wipe, restore: the tablets heal what the backup had not.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::arrived;
use super::cast::TABLETS;
use super::field::Hand;
use super::network::{Sent, drain};
use super::stage::{Stage, Told, copy_folder, text};

/// Takes a backup, lets the tablets go on, wipes the server, restores, and lets the tablets offer again what is missing.
/// `photo` must be one that nobody sealed before the backup.
pub fn restore(stage: &mut Stage, inspection: &str, photo: &Path, day: &str) -> Told<String> {
    let (server, backup) = (stage.arg("server"), stage.arg("backup"));
    stage.server_command("server-backup", &["backup", "--dir", &server, "--out", &backup])?;
    let in_backup = arrived::leaves(stage)?.len();
    let (made, sha256) = go_on(stage, inspection, photo, day)?;
    drain(stage, TABLETS[0])?;
    let case = text(&shown(stage, inspection)?, "case")?;
    stage.stop_server()?;
    let full = arrived::leaves(stage)?;
    if full.len() <= in_backup {
        return Err("the server was to receive something that the backup has not".into());
    }
    // The log's tiles are static files and mirrored apart from the database; everything else is gone.
    copy_folder(&stage.path("server/tiles"), &stage.path("tiles-mirror")).map_err(|e| e.to_string())?;
    fs::remove_dir_all(stage.path("server")).map_err(|e| e.to_string())?;
    copy_folder(&stage.path("tiles-mirror"), &stage.path("server/tiles")).map_err(|e| e.to_string())?;
    let restored = stage.server_command("server-restore", &["restore", "--from", &backup, "--dir", &server])?;
    let awaited = restored["awaited"].as_u64().unwrap_or(0);
    if awaited < made as u64 {
        return Err(format!(
            "the restored server should await {made} operations: {restored}"
        ));
    }
    stage.serve("server")?;
    let healed = TABLETS.map(|tablet| drain(stage, tablet));
    let [a, b] = healed;
    let (a, b) = (a?, b?);
    let size = fs::metadata(photo).map_err(|e| e.to_string())?.len();
    offered_again(a, b, made, size)?;
    // The check and the export want the folder for themselves.
    stage.stop_server()?;
    let told = healed_at(stage, &case, &sha256, &full);
    stage.serve("server")?;
    let checked = told?;
    Ok(format!(
        "backup at {in_backup} leaves, wiped at {}; restored in a new epoch, {awaited} operations awaited\nboth tablets saw the new epoch; A3 offered {} operations and {} bytes of files again; fsck: {} leaves, nothing awaited, nothing found\nthe photograph that the backup had not is back: its bytes hash to {sha256}",
        full.len(),
        a.operations,
        a.bytes,
        checked
    ))
}

/// What the tablet does after the backup; how many operations were acknowledged, and the hash of the photograph.
fn go_on(stage: &Stage, inspection: &str, photo: &Path, day: &str) -> Told<(usize, String)> {
    let before = stage.tally().count();
    let hand = Hand::new(stage, TABLETS[0], day, (9, 0));
    let words = [inspection, "--person", "钱守业", "--line", "备份之后补充的陈述。"];
    hand.as_officer(0, "statement", &words)?;
    let photo = photo.display().to_string();
    let words = [
        inspection,
        "--file",
        &photo,
        "--acquisition",
        "received",
        "--kind",
        "electronic_data",
        "--title",
        "企业发来的整改后照片",
        "--proves",
        "整改情况",
    ];
    let sha256 = text(&hand.as_officer(1, "capture", &words)?, "sha256")?;
    if stage.tally().hashes().get(&sha256) != Some(&1) {
        return Err(format!(
            "{photo} was sealed before the backup: nothing would have to be healed"
        ));
    }
    let made = stage.tally().count() - before;
    Ok((made, sha256))
}

fn shown(stage: &Stage, inspection: &str) -> Told<serde_json::Value> {
    let dir = stage.arg(&format!("tablets/{}", TABLETS[0].name));
    stage.fieldseal("device-show", "", &["device", "show", "--dir", &dir, inspection])
}

/// Both tablets saw the new epoch, and the one that had gone on sent it all once more.
fn offered_again(a: Sent, b: Sent, made: usize, size: u64) -> Told<()> {
    match a.new_epoch && b.new_epoch && a.operations >= made as u64 && a.bytes >= size {
        true => Ok(()),
        false => Err(format!(
            "the tablets should see a new epoch, A3 offer {made} operations and {size} bytes again: {a:?} {b:?}"
        )),
    }
}

/// The log is as it was and longer, nothing is awaited, the photograph is there; gives the number of leaves.
fn healed_at(stage: &Stage, case: &str, sha256: &str, full: &[[u8; 32]]) -> Told<u64> {
    let checked = arrived::fsck(stage)?;
    if !arrived::leaves(stage)?.starts_with(full) {
        return Err("the log contradicts what was published before the wipe".into());
    }
    let bundle = arrived::export(stage, case)?;
    has(&bundle, sha256)?;
    fs::remove_dir_all(bundle).map_err(|e| e.to_string())?;
    checked["leaves"]
        .as_u64()
        .ok_or_else(|| format!("fsck counts no leaves: {checked}"))
}

/// The file of this hash lies in a bundle, and its bytes hash to it.
fn has(bundle: &Path, sha256: &str) -> Told<()> {
    let folder = bundle.join("data/evidence");
    let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let file = entries.filter_map(|e| Some(e.ok()?.path())).find(|path| {
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        name.as_deref() == Some(sha256)
    });
    let file = file.ok_or_else(|| format!("{sha256} is not among the evidence of {}", bundle.display()))?;
    let output = Command::new("sha256sum")
        .arg(&file)
        .output()
        .map_err(|e| e.to_string())?;
    match String::from_utf8_lossy(&output.stdout).starts_with(sha256) {
        true => Ok(()),
        false => Err(format!("{} does not hash to its name", file.display())),
    }
}
