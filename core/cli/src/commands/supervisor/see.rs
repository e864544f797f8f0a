//! What a supervisor sees: the register, a case with its conflicts, records that may be the same.

use std::collections::BTreeMap;

use fieldseal_core::device::InspectionRow;
use fieldseal_core::domain::view::{CaseView, enterprises as enterprise_views, readable, similar_pairs};
use fieldseal_core::merge::{Scope, State};
use fieldseal_proof::ids::CaseId;
use serde_json::{Value, json};

use crate::commands::device::read;
use crate::commands::device::write::id;
use crate::commands::verdict;
use crate::commands::verify::bracket;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::shell::{Outcome, Tone};

/// The case register, from what this laptop holds.
pub fn cases(desk: &Desk<'_>, query: Option<&str>) -> Result<Outcome, Failure> {
    let mut cases: BTreeMap<CaseId, Vec<InspectionRow>> = BTreeMap::new();
    for row in desk.device.inspections()? {
        cases.entry(row.case).or_default().push(row);
    }
    let pack = desk.device.pack().ok();
    let people = desk.device.people()?;
    let mut outcome = Outcome::default();
    let mut items = Vec::new();
    for (case, rows) in cases {
        let state = desk.device.store().state(Scope::Case(case))?;
        let Some(view) = CaseView::of(&state, pack.as_deref(), &people) else {
            continue;
        };
        let party = view.view.party.name.clone().unwrap_or_default();
        let title = view.view.title.clone().unwrap_or_else(|| party.clone());
        let text = format!("{title} {party}").to_lowercase();
        if query.is_some_and(|query| !query.split_whitespace().all(|word| text.contains(&word.to_lowercase()))) {
            continue;
        }
        let (conflicts, quarantined) = (state.conflicts().count(), state.quarantine().len());
        let stage = json!(view.view.stage);
        let inspections: Vec<String> = rows.iter().map(|row| row.inspection.to_string()).collect();
        outcome = outcome.line(format!(
            "{case}  {:9}  {conflicts}  {quarantined}  {title}",
            stage.as_str().unwrap_or_default()
        ));
        items.push(json!({
            "case": case.to_string(), "title": title, "party": party, "state": stage, "conflicts": conflicts,
            "quarantined": quarantined, "evidence": view.view.evidence.len(), "inspections": inspections,
        }));
    }
    if items.is_empty() {
        outcome = outcome.line(desk.shell.text("empty.cases", &[]));
    }
    outcome.json = json!({ "items": items });
    Ok(outcome)
}

/// One case with everything that waits for a decision.
pub fn show(desk: &Desk<'_>, case: &str) -> Result<Outcome, Failure> {
    let shell = desk.shell;
    let case: CaseId = id(case)?;
    let state = desk.device.store().state(Scope::Case(case))?;
    let pack = desk.device.pack().ok();
    let not_here = || {
        Failure::new(
            "not_found",
            [("what", fieldseal_core::catalogue::Param::text(case.to_string()))],
        )
    };
    let view = CaseView::of(&state, pack.as_deref(), &desk.device.people()?).ok_or_else(not_here)?;
    if state.operations().next().is_none() {
        return Err(not_here());
    }
    let conflicts = conflicts(desk, case, &state)?;
    let quarantined: Vec<Value> = state
        .quarantine()
        .iter()
        .map(|(operation, quarantine)| json!({ "operation": operation.to_string(), "reason": quarantine.reason }))
        .collect();
    let mut outcome = Outcome::default().line(shell.tone(Tone::Strong, view.view.title.as_deref().unwrap_or_default()));
    for conflict in &conflicts {
        outcome = outcome.line(format!(
            "  {}  {}",
            shell.say("并列的值", "in conflict"),
            conflict["path"]
        ));
        for value in conflict["values"].as_array().into_iter().flatten() {
            outcome = outcome.line(format!("    {}  {}", value["value"], value["device"]));
        }
    }
    for one in &quarantined {
        outcome = outcome.line(format!("  {}  {one}", shell.say("暂不采用", "set aside")));
    }
    let mut brackets = Vec::new();
    for evidence in &view.view.evidence {
        let sealed = desk.device.store().bracket(evidence.operation)?;
        let word = shell.text(
            &format!("acquisition.{}", evidence.acquisition.as_deref().unwrap_or_default()),
            &[],
        );
        let custody = shell.say("保管记录", "custody events");
        outcome = outcome
            .line(format!("  [{word}]  {}", evidence.title.clone().unwrap_or_default()))
            .line(format!("    {}", verdict::bracket_text(shell, &sealed, &[])))
            .line(format!("    {custody}  {}", evidence.custody.len()));
        if let Some(clock) = evidence.claimed_ms {
            outcome = outcome.line(format!("    {}", verdict::clock_text(shell, clock, &sealed)));
        }
        brackets.push(bracket(&sealed));
    }
    let mut json = json!(view.view);
    for (evidence, sealed) in json["evidence"].as_array_mut().into_iter().flatten().zip(brackets) {
        evidence["bracket"] = sealed;
    }
    json["case"] = case.to_string().into();
    json["inspections"] = view
        .inspections
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .into();
    json["state_hash"] = view.state.clone().into();
    json["conflicts"] = conflicts.into();
    json["quarantined"] = quarantined.into();
    json["duplicates"] = duplicates(desk)?.into();
    outcome.json = json;
    Ok(outcome)
}

/// Fields whose concurrent values wait for a decision, each value with who wrote it.
fn conflicts(desk: &Desk<'_>, case: CaseId, state: &State) -> Result<Vec<Value>, Failure> {
    let store = desk.device.store();
    let mut found = Vec::new();
    for (path, _) in state.conflicts() {
        let mut values = Vec::new();
        for write in store.heads_under(Some(case), path)? {
            if write.path != path {
                continue;
            }
            let device = store.operation(write.id)?.operation.header().device;
            let value = write.value.as_ref().map(readable);
            values.push(json!({ "value": value, "operation": write.id.to_string(), "device": device.to_string() }));
        }
        found.push(json!({ "path": path, "values": values }));
    }
    Ok(found)
}

/// The registry, with the pairs that may be one.
pub fn enterprises(desk: &Desk<'_>, query: Option<&str>) -> Result<Outcome, Failure> {
    let mut outcome = read::enterprises(desk, query)?;
    let duplicates = duplicates(desk)?;
    for pair in &duplicates {
        let words = desk.shell.say("可能是同一企业", "may be the same");
        outcome = outcome.line(format!(
            "{words}  {}  {}  {}",
            pair["keep"], pair["other"], pair["reason"]
        ));
    }
    outcome.json["duplicates"] = duplicates.into();
    Ok(outcome)
}

fn duplicates(desk: &Desk<'_>) -> Result<Vec<Value>, Failure> {
    let registry = desk.device.store().state(Scope::Registry)?;
    let pairs = similar_pairs(&enterprise_views(&registry));
    let pair = |pair: fieldseal_core::domain::view::Similar| {
        json!({
            "keep": pair.first.to_string(), "other": pair.second.to_string(), "code": pair.reason.code(),
            "reason": pair.reason.text(desk.shell.lang),
        })
    };
    Ok(pairs.into_iter().map(pair).collect())
}
