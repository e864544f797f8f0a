//! The supervisor at her laptop: she assigns, sees both values, decides, joins, sends back, freezes, exports.

use std::fs;

use serde_json::Value;

use super::cast::{SUPERVISOR, TABLETS};
use super::stage::{Stage, Told, list, text};

/// A command of the supervisor.
pub fn supervisor(stage: &Stage, verb: &str, words: &[&str]) -> Told<Value> {
    let dir = stage.arg("supervisor");
    let mut all = vec!["supervisor", verb, "--dir", &dir, "--officer", SUPERVISOR.certificate];
    all.extend(words);
    stage.fieldseal(&format!("supervisor-{verb}"), SUPERVISOR.pin, &all)
}

/// The device ids of the two tablets.
pub fn tablet_ids(stage: &Stage) -> Told<Vec<String>> {
    let one = |name: &str| {
        let dir = stage.arg(&format!("tablets/{name}"));
        text(
            &stage.fieldseal("device-status", "", &["device", "status", "--dir", &dir])?,
            "device",
        )
    };
    TABLETS.iter().map(|t| one(t.name)).collect()
}

/// Assigns one inspection per enterprise of the registry (at most `most`), the first to both tablets; gives their ids.
pub fn assign(stage: &Stage, most: usize) -> Told<Vec<String>> {
    let known = supervisor(stage, "enterprises", &[])?;
    let tablets = tablet_ids(stage)?;
    let officers: Vec<&str> = TABLETS.iter().flat_map(|t| t.officers.map(|o| o.certificate)).collect();
    let mut assigned = Vec::new();
    for (n, enterprise) in list(&known, "items")?.iter().take(most).enumerate() {
        let id = text(enterprise, "id")?;
        let mut words = vec![
            "--enterprise",
            &id,
            "--planned",
            "2026-11-24",
            "--place",
            "生产车间、仓库和罐区",
            "--device",
        ];
        let own = n % 2;
        if n == 0 {
            words.extend(tablets.iter().map(String::as_str));
        } else {
            words.push(&tablets[own]);
        }
        words.push("--officers");
        words.extend(if n == 0 {
            &officers[..]
        } else {
            &officers[own * 2..own * 2 + 2]
        });
        assigned.push(text(&supervisor(stage, "assign", &words)?, "id")?);
    }
    supervisor(stage, "sync", &[])?;
    Ok(assigned)
}

/// Syncs until the supervisor's view of something holds: what tablets sent shows once the server has judged it.
pub fn sync_until(stage: &Stage, what: &str, holds: impl Fn() -> Told<bool>) -> Told<()> {
    for _ in 0..60 {
        supervisor(stage, "sync", &["--wait", "1"])?;
        if holds()? {
            return Ok(());
        }
    }
    Err(format!("the supervisor was to see {what}, and does not"))
}

/// The case of an inspection.
pub fn case_of(stage: &Stage, inspection: &str) -> Told<String> {
    let cases = supervisor(stage, "cases", &[])?;
    let holds = |case: &&Value| {
        case["inspections"]
            .as_array()
            .is_some_and(|i| i.iter().any(|i| i == inspection))
    };
    let case = list(&cases, "items")?
        .iter()
        .find(holds)
        .ok_or_else(|| format!("no case holds inspection {inspection}: {cases}"))?;
    text(case, "case")
}

/// Sees both values of the disagreement and decides.
pub fn decide(stage: &Stage, case: &str) -> Told<String> {
    let shown = supervisor(stage, "show", &[case])?;
    let conflicts = list(&shown, "conflicts")?;
    let conflict = conflicts
        .first()
        .ok_or_else(|| format!("the disagreement does not show: {shown}"))?;
    let values: Vec<String> = list(conflict, "values")?
        .iter()
        .map(|v| v["value"].to_string())
        .collect();
    if values.len() < 2 {
        return Err(format!("both values should be kept: {conflict}"));
    }
    let path = text(conflict, "path")?;
    supervisor(
        stage,
        "decide",
        &[case, &path, "violation", "--reason", "两队意见不一，依照片认定为不符合"],
    )?;
    let after = supervisor(stage, "show", &[case])?;
    let left = list(&after, "conflicts")?.len();
    if left + 1 != conflicts.len() {
        return Err(format!("the decision did not settle the conflict: {after}"));
    }
    Ok(format!("{path}: {} — decided, with a reason", values.join(" against ")))
}

/// Joins the enterprise that both tablets had created.
pub fn join(stage: &Stage) -> Told<String> {
    let known = supervisor(stage, "enterprises", &[])?;
    let pairs = list(&known, "duplicates")?;
    let pair = pairs
        .first()
        .ok_or_else(|| format!("the double enterprise does not show: {known}"))?;
    let (keep, other) = (text(pair, "keep")?, text(pair, "other")?);
    supervisor(
        stage,
        "join",
        &["--keep", &keep, "--other", &other, "--reason", "同一统一社会信用代码"],
    )?;
    Ok(format!(
        "two records of one enterprise joined ({}); both ids stay",
        pair["code"].as_str().unwrap_or("similar")
    ))
}

/// Exports the bundle of a case.
pub fn export(stage: &Stage, case: &str) -> Told<Value> {
    let out = stage.path("bundle");
    if out.exists() {
        fs::remove_dir_all(&out).map_err(|e| e.to_string())?;
    }
    supervisor(stage, "export", &[case, "--out", &out.display().to_string()])
}
