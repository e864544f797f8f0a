//! Everything arrives once: what tablets and laptop acknowledged, against what the server gives to a stranger.
//!
//! Nothing here reads the server's database. The published entry bundles say which leaves stand in the log; the exports of all
//! cases say which operations they are, and `fieldseal verify` proves each export's operations and files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::cast::TABLETS;
use super::hearing;
use super::stage::{Stage, Told, list, text};

/// Longest list of what is wrong that is told.
const TOLD: usize = 3;

/// What stands at the server.
#[derive(Debug, Default)]
pub struct Arrived {
    /// Operations of all cases by id, with their proven place in the log.
    pub operations: BTreeMap<String, u64>,
    /// SHA-256 of every file of the exports, each read and hashed by the verifier.
    pub files: BTreeSet<String>,
    /// Cases that were exported.
    pub cases: usize,
    /// Leaves of the log.
    pub leaves: usize,
    /// Files in the server's store, by its own rereading of them.
    pub stored: u64,
}

/// Stops the server, exports every case, compares, and starts it again.
pub fn once(stage: &mut Stage) -> Told<String> {
    let cases = cases(stage)?;
    stage.stop_server()?;
    let arrived = read(stage, &cases);
    stage.serve("server")?;
    let arrived = arrived?;
    compare(stage, &arrived)?;
    let (tally, files) = (stage.tally(), &arrived.files);
    Ok(format!(
        "{} operations were acknowledged on three devices; each is at the server once: the exports of {} cases hold {}, proven in a log of {} leaves, none of them twice\n{} files were sealed under {} hashes; each is there once and hashes to its name ({} stored)",
        tally.count(),
        arrived.cases,
        arrived.operations.len(),
        arrived.leaves,
        tally.hashes().values().sum::<u64>(),
        files.len(),
        arrived.stored,
    ))
}

/// Every case that one of the tablets knows.
fn cases(stage: &Stage) -> Told<BTreeSet<String>> {
    let mut cases = BTreeSet::new();
    for tablet in TABLETS {
        let dir = stage.arg(&format!("tablets/{}", tablet.name));
        let known = stage.fieldseal("device-inspections", "", &["device", "inspections", "--dir", &dir])?;
        for one in list(&known, "items")? {
            cases.insert(text(one, "case")?);
        }
    }
    Ok(cases)
}

/// Reads everything that the stopped server gives.
fn read(stage: &Stage, cases: &BTreeSet<String>) -> Told<Arrived> {
    let checked = fsck(stage)?;
    let leaves = leaves(stage)?;
    let distinct: BTreeSet<&[u8; 32]> = leaves.iter().collect();
    if distinct.len() != leaves.len() || checked["leaves"].as_u64() != Some(leaves.len() as u64) {
        return Err(format!(
            "the log has {} leaves, {} of them different; its server speaks of {}",
            leaves.len(),
            distinct.len(),
            checked["leaves"]
        ));
    }
    let mut arrived = Arrived {
        cases: cases.len(),
        leaves: leaves.len(),
        stored: checked["blobs"].as_u64().unwrap_or(0),
        ..Arrived::default()
    };
    let mut places = BTreeSet::new();
    for case in cases {
        let bundle = export(stage, case)?;
        let (code, report) = hearing::verify(stage, &bundle)?;
        if code != 0 {
            return Err(format!(
                "the export of {case} is {}: {}",
                report["verdict"], report["findings"]
            ));
        }
        for operation in list(&report, "operations")? {
            let (id, place) = (text(operation, "id")?, operation["index"].as_u64().unwrap_or(u64::MAX));
            if !places.insert(place) || arrived.operations.insert(id.clone(), place).is_some() {
                return Err(format!("{id} is at the server more than once"));
            }
        }
        for item in list(&report, "items")? {
            if item["path"].is_null() {
                return Err(format!("the bytes of {} did not arrive", item["title"]));
            }
            arrived.files.insert(text(item, "sha256")?);
        }
        fs::remove_dir_all(bundle).map_err(|e| e.to_string())?;
    }
    Ok(arrived)
}

/// Everything that was acknowledged is there, and every file that is there was sealed.
fn compare(stage: &Stage, arrived: &Arrived) -> Told<()> {
    let tally = stage.tally();
    if !tally.twice().is_empty() {
        return Err(format!("acknowledged twice: {:?}", first(tally.twice().iter())));
    }
    // Enterprises and what joins them belong to no case; only the register has them.
    let of_a_case = |id: &&str| !matches!(tally.verb(id), Some("enterprise-add" | "join"));
    let missing: Vec<&str> = tally
        .operations()
        .filter(of_a_case)
        .filter(|id| !arrived.operations.contains_key(*id))
        .collect();
    if !missing.is_empty() {
        return Err(format!(
            "{} operations did not arrive: {:?}",
            missing.len(),
            first(missing.iter())
        ));
    }
    let sealed: BTreeSet<String> = tally.hashes().keys().cloned().collect();
    if sealed != arrived.files {
        let lost: Vec<_> = sealed.difference(&arrived.files).collect();
        let strange: Vec<_> = arrived.files.difference(&sealed).collect();
        return Err(format!(
            "{} sealed files did not arrive ({:?}), {} are there that nobody sealed ({:?})",
            lost.len(),
            first(lost.iter()),
            strange.len(),
            first(strange.iter())
        ));
    }
    if arrived.stored != sealed.len() as u64 {
        return Err(format!(
            "{} files were sealed under different hashes, the server stores {}",
            sealed.len(),
            arrived.stored
        ));
    }
    Ok(())
}

fn first<T: ToString>(all: impl Iterator<Item = T>) -> Vec<String> {
    all.take(TOLD).map(|one| one.to_string()).collect()
}

/// The stopped server rereads everything; it must find nothing, and await nothing from any device.
pub fn fsck(stage: &Stage) -> Told<Value> {
    let checked = stage.server_command("server-fsck", &["fsck", "--dir", &stage.arg("server")])?;
    let nothing = checked["findings"].as_array().is_some_and(Vec::is_empty);
    match nothing && checked["awaited"] == 0 {
        true => Ok(checked),
        false => Err(format!(
            "the server's own check should find and await nothing: {checked}"
        )),
    }
}

/// Exports a case from the stopped server into a folder of its own.
pub fn export(stage: &Stage, case: &str) -> Told<PathBuf> {
    let bundle = stage.path("arrived").join(case);
    if bundle.exists() {
        fs::remove_dir_all(&bundle).map_err(|e| e.to_string())?;
    }
    fs::create_dir_all(stage.path("arrived")).map_err(|e| e.to_string())?;
    let (dir, out) = (stage.arg("server"), bundle.display().to_string());
    let words = ["export", "--dir", &dir, "--case", case, "--out", &out];
    stage.server_command("server-export", &words)?;
    Ok(bundle)
}

/// The leaves of the published log in its order, from its entry bundles.
pub fn leaves(stage: &Stage) -> Told<Vec<[u8; 32]>> {
    let mut leaves = Vec::new();
    let mut files = widest(&stage.path("server/tiles/tile/entries"));
    // By name: that is the order of the log, digits in groups of three, all but the last group after an `x`.
    files.sort();
    for file in files {
        let bytes = fs::read(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        for entry in bytes.chunks(34) {
            let leaf = entry.strip_prefix(&[0, 32]).and_then(|leaf| leaf.try_into().ok());
            leaves.push(leaf.ok_or_else(|| format!("{}: an entry is 32 bytes long", file.display()))?);
        }
    }
    Ok(leaves)
}

/// The bundles of entries; of a partial one the widest.
fn widest(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let partial = path.extension().is_some_and(|extension| extension == "p");
        if path.is_file() {
            files.push(path);
        } else if !partial {
            files.extend(widest(&path));
        } else if !path.with_extension("").is_file() {
            let width = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u64>().ok();
            let widths = fs::read_dir(&path).into_iter().flatten().flatten();
            files.extend(widths.map(|entry| entry.path()).max_by_key(width));
        }
    }
    files
}
