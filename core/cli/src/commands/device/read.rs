//! What a device shows: status, inspections, one inspection, drafts, enterprises, packs, its own check.

use fieldseal_core::catalogue::Param;
use fieldseal_core::device::DeviceError;
use fieldseal_core::domain::view::{InspectionView, JudgedItem};
use fieldseal_proof::cbor::Value as Cbor;
use fieldseal_proof::ids::{InspectionId, to_hex};
use serde_json::{Value, json};

use super::write::id;
use super::{receipts, send};
use crate::desk::Desk;
use crate::failure::{FAILED, Failure};
use crate::shell::{Outcome, Shell, Tone};

/// Counts by state, never one tick.
pub fn status(desk: &Desk<'_>) -> Result<Outcome, Failure> {
    let shell = desk.shell;
    let status = desk.device.status()?;
    let pending = status.pending;
    let quarantined = status.quarantined;
    let clock = if status.remarks.iter().any(|remark| remark.code() == "clock_by_hand") {
        "by_hand"
    } else {
        "system"
    };
    let remarks: Vec<&str> = status.remarks.iter().map(DeviceError::code).collect();
    let (waits_for, held) = send::waiting(desk)?;
    let json = json!({
        "device": status.identity.device.to_string(), "incarnation": status.identity.incarnation.to_string(),
        "label": status.identity.label, "role": status.identity.role.as_str(),
        "enrolment": format!("{:?}", status.enrolment).to_lowercase(),
        "counts": {
            "draft": status.drafts, "sealed": pending.waiting + pending.received + pending.logged,
            "waiting": pending.waiting, "received": pending.received, "in_log": pending.logged,
        },
        "blobs_waiting": pending.blobs, "waits_for": waits_for, "quarantined": quarantined,
        "unsynced_bytes": pending.waiting_bytes + pending.blob_bytes,
        "oldest_unsynced_ms": status.oldest_waiting_ms, "unsealed_files": status.unsealed_files,
        "broken_files": status.broken_files, "free_bytes": status.free_bytes, "key_log_size": status.key_log_size,
        "server": desk.device.card().url, "clock": clock, "healing": status.healing, "remarks": remarks,
    });
    let rows = [
        (("草稿", "draft"), status.drafts),
        (("待发送", "waiting"), pending.waiting),
        (("服务器已接收", "received"), pending.received),
        (("已列入日志", "in the log"), pending.logged),
        (("待上传文件", "files to send"), pending.blobs),
        (("暂不采用", "set aside"), quarantined),
    ];
    let mut outcome = Outcome::new(json).line(shell.tone(Tone::Strong, &status.identity.label));
    for ((zh, en), count) in rows {
        outcome = outcome.line(format!(
            "{:>8}  {}",
            Param::Count(count).shown(shell.lang),
            shell.say(zh, en)
        ));
    }
    if let Some(age) = status.oldest_waiting_ms {
        let words = shell.say("最早未上交的已在本机", "the oldest unsent item is this old");
        outcome = outcome.line(format!("{:>8}  {words}", Param::Span(age).shown(shell.lang)));
    }
    for line in held {
        outcome = outcome.line(line);
    }
    for remark in &status.remarks {
        outcome = outcome.line(remark.message().text(shell.lang));
    }
    Ok(outcome)
}

/// The inspections that the device knows of.
pub fn inspections(desk: &Desk<'_>) -> Result<Outcome, Failure> {
    let shell = desk.shell;
    let mut outcome = Outcome::default();
    let mut items = Vec::new();
    for row in desk.device.inspections()? {
        let state = match (row.returned, row.closed) {
            (true, _) => "returned",
            (_, true) => "closed",
            _ => "open",
        };
        let name = row.party.clone().or_else(|| row.title.clone()).unwrap_or_default();
        let planned = row.planned.clone().unwrap_or_default();
        outcome = outcome.line(format!("{}  {planned:10}  {state:8}  {name}", row.inspection));
        items.push(json!({
            "id": row.inspection.to_string(), "case": row.case.to_string(),
            "enterprise": row.enterprise.map(|id| id.to_string()), "name": row.party, "title": row.title,
            "planned": row.planned, "state": state, "conflicts": row.conflicts, "drafts": row.drafts,
            "progress": { "sealed": row.progress[0], "received": row.progress[1], "in_log": row.progress[2] },
        }));
    }
    if items.is_empty() {
        outcome = outcome.line(shell.text("empty.inspections", &[]));
    }
    outcome.json = json!({ "items": items });
    Ok(outcome)
}

/// One inspection, with the open orders of the last visits.
pub fn show(desk: &Desk<'_>, inspection: &str) -> Result<Outcome, Failure> {
    let shell = desk.shell;
    let inspection: InspectionId = id(inspection)?;
    let held = desk.device.inspection(inspection)?;
    let pack = desk.device.pack().ok();
    let view = InspectionView::of(&held.state, pack.as_deref(), &desk.device.people()?);
    let mut outcome = Outcome::default()
        .line(shell.tone(Tone::Strong, view.title.as_deref().unwrap_or_default()))
        .line(format!(
            "{}  {}",
            view.party.name.clone().unwrap_or_default(),
            view.place.clone().unwrap_or_default()
        ));
    for clash in &view.clashes {
        let values: Vec<&str> = clash.values.iter().filter_map(|(value, _)| value.as_deref()).collect();
        outcome = outcome.line(format!(
            "  {}  {}  {}",
            shell.say("并列的值", "in conflict"),
            clash.path,
            values.join(" ≠ ")
        ));
    }
    for one in &view.quarantined {
        let reason = shell.text(&format!("quarantine.{}", one.reason), &[]);
        outcome = outcome.line(format!(
            "  {}  {}  {reason}",
            shell.say("已隔离", "set aside"),
            one.kind
        ));
    }
    for finding in &view.findings {
        outcome = outcome.line(format!(
            "  {}  {}",
            finding.grade.clone().unwrap_or_default(),
            finding.text.clone().unwrap_or_default()
        ));
    }
    let mut states = Vec::new();
    for evidence in &view.evidence {
        let acquisition = evidence.acquisition.as_deref().unwrap_or_default();
        let word = shell.text(&format!("acquisition.{acquisition}"), &[]);
        let title = evidence.title.clone().unwrap_or_default();
        let (state, plain) = receipts::state(shell, &held, evidence.operation);
        let arrived = receipts::file_arrived(desk, evidence.sha256)?;
        let plain = match arrived {
            true => format!("{plain}  {}", shell.text("receipt.file", &[])),
            false => plain,
        };
        outcome = outcome.line(format!("  [{word}]  {title}  {plain}"));
        states.push((state, arrived));
    }
    for item in held.open_orders.iter().flat_map(|order| &order.items) {
        outcome = outcome.line(ordered_line(shell, item));
    }
    let mut json = json!(view);
    for (n, (state, arrived)) in states.into_iter().enumerate() {
        json["evidence"][n]["state"] = state.into();
        json["evidence"][n]["bytes_received"] = arrived.into();
    }
    json["id"] = inspection.to_string().into();
    json["case"] = held.row.case.to_string().into();
    json["conflicts"] = json["clashes"].clone();
    json["open_orders"] = json!(held.open_orders);
    json["drafts"] = drafts_json(&held.drafts).into();
    outcome.json = json;
    Ok(outcome)
}

/// An ordered thing of an earlier visit: what became of it, and how long it is overdue.
fn ordered_line(shell: &Shell, item: &JudgedItem) -> String {
    let state = match item.state {
        "fulfilled" => shell.say("已整改", "fulfilled"),
        "partly" => shell.say("部分整改", "partly fulfilled"),
        "not_fulfilled" => shell.say("未整改", "not fulfilled"),
        _ => shell.say("未复查", "not looked at again"),
    };
    let overdue = item.overdue_days.map(|days| {
        let words = shell.say("逾期天数", "days overdue");
        format!("  {words} {days}")
    });
    format!(
        "  {state}  {}  {}{}",
        item.due.clone().unwrap_or_default(),
        item.text.clone().unwrap_or_default(),
        overdue.unwrap_or_default()
    )
}

/// Edits that nobody signed yet.
pub fn drafts(desk: &Desk<'_>) -> Result<Outcome, Failure> {
    let drafts = desk.device.drafts(None)?;
    let lines = drafts
        .iter()
        .map(|draft| format!("{}  {}  {}", draft.inspection, draft.path, shown(&draft.value)));
    let lines: Vec<String> = lines.collect();
    Ok(Outcome {
        lines,
        ..Outcome::new(json!({ "items": drafts_json(&drafts) }))
    })
}

fn drafts_json(drafts: &[fieldseal_core::store::Draft]) -> Vec<Value> {
    let one = |draft: &fieldseal_core::store::Draft| {
        json!({
            "inspection": draft.inspection.to_string(), "path": draft.path, "value": shown(&draft.value),
            "edited_ms": draft.edited_ms,
        })
    };
    drafts.iter().map(one).collect()
}

/// A value for people: text as it is, bytes in hex.
pub fn shown(value: &Cbor) -> String {
    match value {
        Cbor::Text(text) => text.clone(),
        Cbor::Uint(number) => number.to_string(),
        Cbor::Bool(truth) => truth.to_string(),
        Cbor::Bytes(bytes) => to_hex(bytes),
        Cbor::Array(values) => values.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => format!("{other:?}"),
    }
}

/// The registry.
pub fn enterprises(desk: &Desk<'_>, query: Option<&str>) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::default();
    let mut items = Vec::new();
    for row in desk.device.enterprises(query)? {
        let id = row.enterprise.map(|id| id.to_string()).unwrap_or_default();
        outcome = outcome.line(format!("{id}  {}", row.name.clone().unwrap_or_default()));
        items.push(json!({
            "id": id, "name": row.name, "credit_code": row.credit_code, "credit_code_raw": row.credit_code_raw,
            "address": row.address, "head": row.head, "phone": row.phone, "industry": row.industry,
            "same_as": row.same_as.map(|id| id.to_string()), "conflict": row.conflict,
        }));
    }
    outcome.json = json!({ "items": items });
    Ok(outcome)
}

/// Shows the packs held, or chooses the one in force.
pub fn pack(desk: &Desk<'_>, chosen: Option<&str>) -> Result<Outcome, Failure> {
    let held = desk.device.packs()?;
    if let Some(chosen) = chosen {
        desk.device.choose_pack(chosen)?;
    }
    let in_force = desk.device.store().pack_in_force()?;
    let mut outcome = Outcome::default();
    let mut items = Vec::new();
    for (id, hash) in held {
        let mark = if in_force == Some(hash) { "*" } else { " " };
        outcome = outcome.line(format!("{mark} {id}  {hash}"));
        items.push(json!({ "id": id, "hash": hash.to_string(), "in_force": in_force == Some(hash) }));
    }
    outcome.json = json!({ "items": items });
    Ok(outcome)
}

/// Reads everything again and compares it with what was signed.
pub fn fsck(desk: &Desk<'_>) -> Result<Outcome, Failure> {
    let shell = desk.shell;
    let mut meter = shell.meter("正在检查", "checking");
    let found = desk.device.fsck(&mut |moved| meter.moved(moved))?;
    drop(meter);
    let faults: Vec<Value> = found
        .store
        .faults
        .iter()
        .chain(&found.file_faults)
        .map(|fault| json!({ "code": fault.code, "subject": fault.subject }))
        .collect();
    let clean = found.is_clean();
    let mut outcome = Outcome::new(json!({
        "clean": clean, "operations": found.store.operations, "files": found.files, "bytes": found.bytes, "faults": faults,
    }));
    for fault in &faults {
        outcome = outcome.line(format!("  {fault}"));
    }
    let line = if clean {
        let params = [
            ("count", Param::Count(found.store.operations)),
            ("files", Param::Count(found.files)),
        ];
        shell.text("fsck_clean", &params)
    } else {
        shell.text("fsck_found", &[("count", Param::Count(faults.len() as u64))])
    };
    Ok(Outcome {
        exit: if clean { 0 } else { FAILED },
        ..outcome.line(line)
    })
}
