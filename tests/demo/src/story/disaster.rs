//! Backup, wipe, restore: the tablets heal what the backup had not.

use std::fs;

use super::cast::TABLETS;
use super::field::{Hand, Media};
use super::network::drain;
use super::stage::{Stage, Told, copy_folder};

/// Takes a backup, lets the tablets go on, wipes the server, restores, and lets the tablets offer again what is missing.
pub fn restore(stage: &mut Stage, inspection: &str, media: &Media) -> Told<String> {
    let (server, backup) = (stage.arg("server"), stage.arg("backup"));
    stage.server_command("server-backup", &["backup", "--dir", &server, "--out", &backup])?;
    let before = acknowledged(stage)?;
    let hand = Hand::new(stage, TABLETS[0], "2026-12-01", (9, 0));
    hand.as_officer(
        0,
        "statement",
        &[inspection, "--person", "钱守业", "--line", "备份之后补充的陈述。"],
    )?;
    let photo = media.photos[0].display().to_string();
    let words = [
        inspection,
        "--file",
        &photo,
        "--acquisition",
        "camera",
        "--kind",
        "audio_visual",
        "--title",
        "整改后照片",
        "--proves",
        "整改情况",
    ];
    hand.as_officer(1, "capture", &words)?;
    drain(stage, TABLETS[0])?;
    let full = acknowledged(stage)?;
    stage.stop_server()?;
    // The log's tiles are static files and mirrored apart from the database; everything else is gone.
    copy_folder(&stage.path("server/tiles"), &stage.path("tiles-mirror")).map_err(|e| e.to_string())?;
    fs::remove_dir_all(stage.path("server")).map_err(|e| e.to_string())?;
    copy_folder(&stage.path("tiles-mirror"), &stage.path("server/tiles")).map_err(|e| e.to_string())?;
    let restored = stage.server_command("server-restore", &["restore", "--from", &backup, "--dir", &server])?;
    stage.serve("server")?;
    for tablet in TABLETS {
        drain(stage, tablet)?;
    }
    let healed = acknowledged(stage)?;
    if full != healed {
        return Err(format!(
            "{full} operations before the wipe, {healed} after the tablets offered again ({restored})"
        ));
    }
    // The check wants the folder for itself.
    stage.stop_server()?;
    let checked = stage.server_command("server-fsck", &["fsck", "--dir", &server])?;
    stage.serve("server")?;
    Ok(format!(
        "backup at {before} operations of the tablets, wiped at {full}, healed to {healed}; fsck: {checked}"
    ))
}

/// Operations of both tablets that the server has acknowledged, by their own count.
fn acknowledged(stage: &Stage) -> Told<u64> {
    let mut sum = 0;
    for tablet in TABLETS {
        let dir = stage.arg(&format!("tablets/{}", tablet.name));
        let status = stage.fieldseal("device-status", "", &["device", "status", "--dir", &dir])?;
        let counts = &status["counts"];
        sum += counts["received"].as_u64().unwrap_or(0) + counts["in_log"].as_u64().unwrap_or(0);
    }
    Ok(sum)
}
