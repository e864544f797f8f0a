//! Real input: hundreds of public inspections and a folder of real media, through the same programs. Every input is sealed or
//! listed with a reason, and the counts must add up.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::arrived;
use super::cast::{TABLETS, Tablet};
use super::ceremony::admin;
use super::hearing;
use super::network::{drain, fetch};
use super::office::{supervisor, sync_until, tablet_ids};
use super::plan::Pins;
use super::stage::{Batch, Stage, Told, list, text};
use crate::proxy::Mode;

/// How many inspections are taken; the job asks for at least 200.
const INSPECTIONS: u64 = 240;

/// What the mass of real input came to, a line each.
pub fn run(stage: &mut Stage, data: &Path, packs: &Path) -> Told<Vec<String>> {
    let mut said = Vec::new();
    let imported = import(stage, data, packs)?;
    said.push(counts(stage, &imported)?);
    let lines = assign(stage)?;
    said.push(format!("{lines} inspections assigned to two tablets"));
    let media = Media::below(&data.join("media"))?;
    stage.proxy.set(Mode::Down);
    let batches = write(stage, &media.files())?;
    stage.proxy.set(Mode::Pass);
    said.extend(media.sealed(&batches)?);
    let sent = TABLETS.map(|tablet| drain(stage, tablet));
    let [a, b] = sent;
    let (a, b) = (a?, b?);
    said.push(format!(
        "sent: {} operations, {} files",
        a.operations + b.operations,
        a.blobs + b.blobs
    ));
    let captured = batches.iter().map(Written::captured).sum();
    let (line, cases) = judge(stage, captured)?;
    said.push(line);
    said.push(held(stage, &cases, &media)?);
    for (noun, dir) in [
        ("supervisor", stage.arg("supervisor")),
        ("device", stage.arg("tablets/a3")),
        ("device", stage.arg("tablets/b7")),
    ] {
        stage.fieldseal("pack", "", &[noun, "pack", "--dir", &dir, "cn-work-safety"])?;
    }
    Ok(said)
}

/// Real media files with the SHA-256 of each, by coreutils.
struct Media(BTreeMap<PathBuf, String>);

impl Media {
    fn below(folder: &Path) -> Told<Self> {
        let files = media_files(folder)?;
        let output = Command::new("sha256sum")
            .arg("--zero")
            .args(&files)
            .output()
            .map_err(|e| e.to_string())?;
        if !output.status.success() {
            return Err(format!("sha256sum: {}", String::from_utf8_lossy(&output.stderr)));
        }
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        // A hash, a space, a space or an asterisk, the name.
        let hashed = said
            .split_terminator('\0')
            .filter_map(|line| Some((line.get(66..)?.into(), line.get(..64)?.to_owned())));
        let hashed: BTreeMap<PathBuf, String> = hashed.collect();
        match hashed.len() == files.len() && files.iter().all(|file| hashed.contains_key(file)) {
            true => Ok(Self(hashed)),
            false => Err(format!("{} files, {} hashes", files.len(), hashed.len())),
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        self.0.keys().cloned().collect()
    }

    /// Every file was sealed under the hash that it has, or refused with a reason; the two add up to what there is.
    fn sealed(&self, batches: &[Written]) -> Told<Vec<String>> {
        let (mut sealed, mut refused, mut lines) = (BTreeSet::new(), Vec::new(), 0);
        for batch in batches {
            lines += batch.answers.done;
            for answer in &batch.answers.answers {
                let Some(sha256) = answer["sha256"].as_str() else {
                    continue;
                };
                let file = batch
                    .file_of(answer)
                    .ok_or_else(|| format!("a capture that nobody asked for: {answer}"))?;
                if self.0.get(&file).map(String::as_str) != Some(sha256) {
                    return Err(format!(
                        "{} was sealed under {sha256}, which is not its hash",
                        file.display()
                    ));
                }
                sealed.insert(file);
            }
            for answer in &batch.answers.failed {
                // Only a capture may be refused: a record of a visit that fails is a fault.
                let file = batch
                    .file_of(answer)
                    .ok_or_else(|| format!("a line of the batch failed: {answer}"))?;
                refused.push((file, text(&answer["error"], "text")?));
            }
        }
        let strange = refused
            .iter()
            .any(|(file, _)| sealed.contains(file) || !self.0.contains_key(file));
        if strange || sealed.len() + refused.len() != self.0.len() {
            return Err(format!(
                "{} media files, {} sealed, {} refused: the counts do not add up",
                self.0.len(),
                sealed.len(),
                refused.len()
            ));
        }
        let mut said = vec![format!(
            "{lines} lines written without a network; media: {} files = {} sealed under their own SHA-256 (broken ones as they are) + {} refused",
            self.0.len(),
            sealed.len(),
            refused.len()
        )];
        said.extend(
            refused
                .iter()
                .map(|(file, why)| format!("refused: {}: {why}", file.display())),
        );
        Ok(said)
    }
}

/// What the server holds of the media: each hash among the evidence of the cases, and its bytes in the store.
fn held(stage: &mut Stage, cases: &BTreeSet<String>, media: &Media) -> Told<String> {
    let mut named = BTreeSet::new();
    for case in cases {
        let shown = supervisor(stage, "show", &[case])?;
        named.extend(
            list(&shown, "evidence")?
                .iter()
                .filter_map(|one| one["sha256"].as_str().map(str::to_owned)),
        );
    }
    let tally: BTreeSet<String> = stage.tally().hashes().keys().cloned().collect();
    let wanted: BTreeSet<&String> = media.0.values().filter(|hash| tally.contains(*hash)).collect();
    if let Some(lost) = wanted.iter().find(|hash| !named.contains(**hash)) {
        return Err(format!("{lost} was sealed and no case names it"));
    }
    stage.stop_server()?;
    let checked = arrived::fsck(stage);
    stage.serve("server")?;
    let checked = checked?;
    // Every stored file is reread and hashed; two of one hash would be one.
    if checked["blobs"].as_u64() != Some(tally.len() as u64) {
        return Err(format!(
            "{} different files were sealed, the server holds {}",
            tally.len(),
            checked["blobs"]
        ));
    }
    Ok(format!(
        "the server names all {} different media of {} files in {} cases, and holds {} files in all, as many as were ever sealed; fsck: nothing found",
        wanted.len(),
        media.0.len(),
        cases.len(),
        checked["blobs"]
    ))
}

fn import(stage: &Stage, data: &Path, packs: &Path) -> Told<Value> {
    let file = |name: &str| data.join("inspections").join(name).display().to_string();
    let (inspections, violations) = (file("osha_inspections.csv"), file("osha_violations.csv"));
    let (pack, out, limit) = (
        packs.join("us-osha").display().to_string(),
        stage.arg("osha"),
        INSPECTIONS.to_string(),
    );
    let mut words = vec![
        "import",
        "osha",
        "--inspections",
        &inspections,
        "--violations",
        &violations,
        "--pack",
        &pack,
        "--limit",
        &limit,
        "--out",
        &out,
    ];
    let ids = tablet_ids(stage)?;
    let tablets: Vec<String> = ids
        .iter()
        .zip(TABLETS)
        .map(|(id, t)| format!("{id}={},{}", t.officers[0].certificate, t.officers[1].certificate))
        .collect();
    tablets.iter().for_each(|tablet| words.extend(["--tablet", tablet]));
    stage.fieldseal("import-osha", "", &words)
}

/// Rows in = rows taken + rows listed, for inspections and for citations.
fn counts(stage: &Stage, imported: &Value) -> Told<String> {
    let number = |what: &str, key: &str| {
        imported[what][key]
            .as_u64()
            .ok_or_else(|| format!("the import does not say {what}.{key}: {imported}"))
    };
    let listed = fs::read_to_string(stage.path("osha/not_imported.jsonl")).map_err(|e| e.to_string())?;
    let (mut over_limit, mut citations) = (0, 0);
    for line in listed.lines() {
        let row: Value = serde_json::from_str(line).map_err(|e| e.to_string())?;
        if row["code"] == "limit" {
            over_limit += 1;
            citations += row["citations"].as_u64().unwrap_or(0);
        }
    }
    for (what, listed) in [("inspections", over_limit), ("violations", citations)] {
        let (rows, taken, refused) = (number(what, "rows")?, number(what, "taken")?, number(what, "refused")?);
        if rows != taken + refused + listed {
            return Err(format!(
                "{what}: {rows} rows, {taken} taken, {refused} refused, {listed} beyond the limit: the counts do not add up"
            ));
        }
    }
    Ok(format!(
        "inspections: {} rows = {} taken + {} refused + {over_limit} listed as beyond the limit; citations: {} rows = {} + {} + {citations}",
        number("inspections", "rows")?,
        number("inspections", "taken")?,
        number("inspections", "refused")?,
        number("violations", "rows")?,
        number("violations", "taken")?,
        number("violations", "refused")?
    ))
}

fn assign(stage: &Stage) -> Told<u64> {
    admin(
        stage,
        "admin-import-osha",
        "card.json",
        &["import-enterprises", &stage.arg("osha/enterprises.csv")],
    )?;
    // The feed shows what the server has folded: the import is there when its last row is.
    let rows = fs::read_to_string(stage.path("osha/enterprises.csv")).map_err(|e| e.to_string())?;
    let last = rows.lines().last().unwrap_or_default();
    let last = match last.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => last.split(',').next(),
    };
    sync_until(stage, "the imported enterprises", || {
        let known = supervisor(stage, "enterprises", &[])?;
        Ok(list(&known, "items")?.iter().any(|one| one["name"].as_str() == last))
    })?;
    supervisor(stage, "pack", &["us-osha"])?;
    let (file, names) = (stage.arg("osha/assignments.jsonl"), stage.arg("osha/names.json"));
    let dir = stage.arg("supervisor");
    let officer = super::cast::SUPERVISOR;
    let words = [
        "supervisor",
        "batch",
        "--dir",
        &dir,
        "--officer",
        officer.certificate,
        &file,
        "--names",
        &names,
    ];
    let done = stage
        .batch("supervisor-batch", officer.pin, &words)?
        .whole("supervisor-batch")?
        .done;
    let assignments = fs::read_to_string(stage.path("osha/assignments.jsonl")).map_err(|e| e.to_string())?;
    supervisor(stage, "sync", &[])?;
    for (tablet, id) in TABLETS.into_iter().zip(tablet_ids(stage)?) {
        let known = stage.fieldseal(
            "device-inspections",
            "",
            &[
                "device",
                "inspections",
                "--dir",
                &stage.arg(&format!("tablets/{}", tablet.name)),
            ],
        )?;
        let new = assignments.lines().filter(|line| line.contains(&id)).count();
        fetch(stage, tablet, list(&known, "items")?.len() + new)?;
        let dir = stage.arg(&format!("tablets/{}", tablet.name));
        stage.fieldseal("device-pack", "", &["device", "pack", "--dir", &dir, "us-osha"])?;
    }
    Ok(done)
}

/// A batch that was run, with the lines that were asked for.
struct Written {
    asked: Vec<Value>,
    answers: Batch,
}

impl Written {
    /// How many files were sealed.
    fn captured(&self) -> u64 {
        self.answers
            .answers
            .iter()
            .filter(|answer| answer["sha256"].is_string())
            .count() as u64
    }

    /// The file of the capture that an answer answers.
    fn file_of(&self, answer: &Value) -> Option<PathBuf> {
        let line = usize::try_from(answer["line"].as_u64()?).ok()?;
        let asked = self.asked.get(line.checked_sub(1)?)?;
        (asked["command"] == "capture").then(|| asked["file"].as_str().map(PathBuf::from))?
    }
}

/// Both tablets write their inspections, with the media handed round.
fn write(stage: &Stage, media: &[PathBuf]) -> Told<Vec<Written>> {
    let pins = Pins::lay_down(stage)?;
    let mut written = Vec::new();
    for (n, tablet) in TABLETS.into_iter().enumerate() {
        let file = stage.path(&format!("osha/tablet-{}.jsonl", n + 1));
        let lines = fs::read_to_string(&file).map_err(|e| e.to_string())?;
        let own: Vec<&PathBuf> = media.iter().skip(n).step_by(TABLETS.len()).collect();
        let lines = with_captures(&lines, tablet, &own)?;
        fs::write(&file, &lines).map_err(|e| e.to_string())?;
        let asked = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>();
        let dir = stage.arg(&format!("tablets/{}", tablet.name));
        let (file, names) = (file.display().to_string(), stage.arg("osha/names.json"));
        let pins = pins.0.display().to_string();
        let words = [
            "device", "batch", "--dir", &dir, &file, "--names", &names, "--pins", &pins,
        ];
        written.push(Written {
            asked: asked.map_err(|e| e.to_string())?,
            answers: stage.batch(&format!("{}-batch", tablet.name), tablet.officers[0].pin, &words)?,
        });
    }
    Ok(written)
}

/// The batch with a capture line for each file, handed round among its inspections; before the closing, because what comes
/// after it is set aside.
fn with_captures(lines: &str, tablet: Tablet, media: &[&PathBuf]) -> Told<String> {
    let parsed: Vec<Value> = lines
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .map_err(|e| e.to_string())?;
    let shown: Vec<&Value> = parsed.iter().filter(|l| l["command"] == "credentials").collect();
    if shown.is_empty() {
        return Err("the batch speaks of no inspection".into());
    }
    let mut waiting: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (n, file) in media.iter().enumerate() {
        let begun = shown[n % shown.len()];
        waiting
            .entry(text(begun, "inspection")?)
            .or_default()
            .push(capture(begun, tablet, file));
    }
    let mut out = String::new();
    for line in parsed {
        if line["command"] == "close" {
            let captures = waiting
                .remove(line["inspection"].as_str().unwrap_or_default())
                .unwrap_or_default();
            captures.iter().for_each(|c| out.push_str(&format!("{c}\n")));
        }
        out.push_str(&format!("{line}\n"));
    }
    waiting.values().flatten().for_each(|c| out.push_str(&format!("{c}\n")));
    Ok(out)
}

fn capture(begun: &Value, tablet: Tablet, file: &Path) -> Value {
    const RECORDED: [&str; 12] = [
        "mp4", "m4a", "wav", "avi", "mov", "mts", "mkv", "mp3", "aac", "flac", "ogg", "opus",
    ];
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let recorded = RECORDED.iter().any(|e| name.to_lowercase().ends_with(e));
    let (acquisition, kind) = if recorded {
        ("recorder", "audio_visual")
    } else {
        ("imported", "electronic_data")
    };
    json!({
        "command": "capture", "inspection": begun["inspection"], "file": file, "acquisition": acquisition, "kind": kind, "title": name,
        "proves": "condition of the site", "officer": tablet.officers[1].certificate, "clock": begun["clock"],
    })
}

/// The supervisor sees them all; a case with media is exported and verified.
fn judge(stage: &Stage, captured: u64) -> Told<(String, BTreeSet<String>)> {
    sync_until(stage, "evidence of the imported inspections", || {
        let cases = supervisor(stage, "cases", &[])?;
        let osha = |c: &&Value| c["title"].as_str().is_some_and(|t| t.starts_with("OSHA"));
        let seen = list(&cases, "items")?
            .iter()
            .filter(osha)
            .filter_map(|c| c["evidence"].as_u64());
        Ok(seen.sum::<u64>() >= captured)
    })?;
    let cases = supervisor(stage, "cases", &[])?;
    let all = list(&cases, "items")?;
    let osha: Vec<&Value> = all
        .iter()
        .filter(|c| c["title"].as_str().is_some_and(|t| t.starts_with("OSHA")))
        .collect();
    if (osha.len() as u64) < INSPECTIONS {
        return Err(format!(
            "{INSPECTIONS} inspections were imported, the supervisor sees {}",
            osha.len()
        ));
    }
    let most = osha
        .iter()
        .max_by_key(|c| c["evidence"].as_u64())
        .ok_or("no case holds evidence")?;
    let case = text(most, "case")?;
    let out = stage.path("bundle-osha");
    supervisor(stage, "export", &[&case, "--out", &out.display().to_string()])?;
    let (code, report) = hearing::verify(stage, &out)?;
    match code {
        0 if report["counts"]["items"].as_u64() > Some(0) => {
            let line = format!(
                "the supervisor sees {} of them; one with media exported: {} with {} items",
                osha.len(),
                report["verdict"],
                report["counts"]["items"]
            );
            let with_media = osha.iter().filter(|case| case["evidence"].as_u64() > Some(0));
            Ok((line, with_media.map(|case| text(case, "case")).collect::<Told<_>>()?))
        }
        _ => Err(format!(
            "the bundle of {case} should be ANCHORED: {}",
            report["findings"]
        )),
    }
}

/// Every file below a folder, in order of name; the manifest that describes them is none of them.
fn media_files(folder: &Path) -> Told<Vec<PathBuf>> {
    let mut out = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))? {
            let path = entry.map_err(|e| e.to_string())?.path();
            match path.is_dir() {
                true => open.push(path),
                false if path.file_name().is_some_and(|n| n == "manifest.json") => {}
                false => out.push(path),
            }
        }
    }
    out.sort();
    Ok(out)
}
