//! The supervisor at her laptop: she assigns, sees both values, decides, joins, sends back, freezes, exports.

use std::fs;

use serde_json::Value;

use super::arrived;
use super::cast::{SUPERVISOR, TABLETS};
use super::stage::{Stage, Told, list, text};
use crate::proxy::Mode;
use crate::samples::enterprises::Enterprise;

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

/// Assigns one inspection for each enterprise, the first to both tablets, the others in turn; gives their ids.
pub fn assign(stage: &Stage, enterprises: &[Enterprise], planned: impl Fn(usize) -> String) -> Told<Vec<String>> {
    sync_until(stage, "the imported enterprises", || {
        let known = supervisor(stage, "enterprises", &[])?;
        let items = list(&known, "items")?;
        let is_there = |one: &Enterprise| items.iter().any(|item| item["name"] == one.name.as_str());
        Ok(enterprises.iter().all(is_there))
    })?;
    let tablets = tablet_ids(stage)?;
    let officers: Vec<&str> = TABLETS.iter().flat_map(|t| t.officers.map(|o| o.certificate)).collect();
    let mut assigned = Vec::new();
    for (n, enterprise) in enterprises.iter().enumerate() {
        let planned = planned(n);
        let mut words = vec![
            "--enterprise",
            &enterprise.name,
            "--planned",
            &planned,
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

/// What she does on the road, while her laptop reaches no server: decides, joins and sends back, all signed at once on the
/// laptop; the server hears of it when there is a network again.
pub fn on_the_road(stage: &Stage, case: &str, returned: &str) -> Told<Vec<String>> {
    let before = arrived::leaves(stage)?.len();
    stage.laptop.set(Mode::Down);
    let mut said = vec![decide(stage, case)?, join(stage)?];
    let reason = "缺少现场负责人身份信息，请补充";
    supervisor(stage, "return", &[returned, "--reason", reason])?;
    let dir = stage.arg("supervisor");
    let offline = stage.try_fieldseal("supervisor-sync", "", &["supervisor", "sync", "--dir", &dir])?;
    let report: Value = serde_json::from_str(offline.text().trim()).unwrap_or(Value::Null);
    let waiting = report["waiting"]["operations"].as_u64().unwrap_or(0);
    if offline.code() != Some(75) || report["state"] != "offline" || waiting < 3 {
        return Err(format!(
            "the laptop should be offline and keep three decisions: {report}"
        ));
    }
    let between = arrived::leaves(stage)?.len();
    stage.laptop.set(Mode::Pass);
    let sent = supervisor(stage, "sync", &["--wait", "60"])?;
    let after = arrived::leaves(stage)?.len();
    if between != before || after < before + 3 || sent["waiting"]["operations"] != 0 {
        return Err(format!(
            "three decisions should reach the log only with the network: {before}, {between}, {after} leaves; {sent}"
        ));
    }
    said.push(format!(
        "one inspection sent back for correction; all three without a network: {waiting} operations waited on the laptop and then reached the log ({before} → {after} leaves)"
    ));
    Ok(said)
}

/// She sees each piece of evidence with its way since it was sealed and with both ends of its bracket.
pub fn see_evidence(stage: &Stage, case: &str) -> Told<String> {
    // The operator states the time of a size of the log after it was published, so the laptop may have to ask again.
    sync_until(stage, "an upper bound for each piece of evidence", || {
        let shown = supervisor(stage, "show", &[case])?;
        let evidence = list(&shown, "evidence")?;
        Ok(!evidence.is_empty() && evidence.iter().all(|one| bound(one, "not_after").is_some()))
    })?;
    let shown = supervisor(stage, "show", &[case])?;
    let evidence = list(&shown, "evidence")?;
    let mut events = 0;
    for one in evidence {
        let custody = list(one, "custody")?;
        // Both tablets held a time note of the server before they went out, so there is a lower bound too.
        let (Some(low), Some(high)) = (bound(one, "not_before"), bound(one, "not_after")) else {
            return Err(format!("she should see both ends of the bracket: {one}"));
        };
        if custody.is_empty() || low > high {
            return Err(format!(
                "she should see its custody, and a bracket that is not turned round: {one}"
            ));
        }
        events += custody.len();
    }
    let first = &evidence[0];
    Ok(format!(
        "she sees {} pieces of evidence with {events} custody events, each with both ends of its bracket ({}: {} … {}, by {})",
        evidence.len(),
        first["title"].as_str().unwrap_or_default(),
        first["bracket"]["not_before"]["unix_ms"],
        first["bracket"]["not_after"]["unix_ms"],
        first["bracket"]["not_after"]["basis"].as_str().unwrap_or_default(),
    ))
}

fn bound(evidence: &Value, end: &str) -> Option<u64> {
    let bound = &evidence["bracket"][end];
    bound["unix_ms"].as_u64().filter(|_| bound["basis"].is_string())
}

/// Exports the bundle of a case.
pub fn export(stage: &Stage, case: &str) -> Told<Value> {
    let out = stage.path("bundle");
    if out.exists() {
        fs::remove_dir_all(&out).map_err(|e| e.to_string())?;
    }
    supervisor(stage, "export", &[case, "--out", &out.display().to_string()])
}
