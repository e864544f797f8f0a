//! Carries out the verbs that write an operation.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use fieldseal_core::catalogue::Param;
use fieldseal_core::device::{
    NewCredentials, NewEnterprise, NewEvidence, NewFinding, NewInspection, NewOrderItem, NewStatement,
};
use fieldseal_core::domain::Position;
use fieldseal_core::vault::recording_bytes;
use fieldseal_proof::attest::Meaning;
use fieldseal_proof::cbor::Value as Cbor;
use fieldseal_proof::ids::{IdError, InspectionId, OpId};
use serde_json::json;

use super::paper;
use super::verbs::{
    Attest, Begin, Capture, Check, Credentials, Decide, EnterpriseAdd, Finding, OfInspection, Order, Review, Set,
    Statement, Verb,
};
use crate::desk::Desk;
use crate::failure::{Failure, NO_SPACE};
use crate::shell::Outcome;

/// Carries a verb out. `officer` is the certificate number of whoever is at work.
pub fn run(desk: &Desk<'_>, officer: Option<&str>, verb: Verb) -> Result<Outcome, Failure> {
    // The second officer's attestation must not make that officer the one at work for what follows in a batch.
    if let (Some(certificate), false) = (officer, matches!(verb, Verb::Attest(_))) {
        desk.at_work(certificate)?;
    }
    match verb {
        Verb::Begin(args) => begin(desk, &args),
        Verb::Credentials(args) => credentials(desk, &args),
        Verb::Check(args) => check(desk, &args),
        Verb::Finding(args) => finding(desk, &args),
        Verb::Capture(args) => capture(desk, &args),
        Verb::Statement(args) => statement(desk, &args),
        Verb::Order(args) => order(desk, &args),
        Verb::Review(args) => review(desk, &args),
        Verb::Decide(args) => decide(desk, &args),
        Verb::Document(args) => paper::document(desk, &args),
        Verb::Sign(args) => paper::sign(desk, &args),
        Verb::Refuse(args) => paper::refuse(desk, &args),
        Verb::Attest(args) => attest(desk, officer, &args),
        Verb::Set(args) => set(desk, &args),
        Verb::Commit(args) => commit(desk, &args),
        Verb::Close(args) => close(desk, &args),
        Verb::EnterpriseAdd(args) => enterprise_add(desk, &args),
    }
}

/// Reads an id that a person typed.
pub fn id<T: FromStr<Err = IdError>>(text: &str) -> Result<T, Failure> {
    text.trim().parse().map_err(|error: IdError| {
        let params = [("text", Param::text(text)), ("detail", Param::text(error.to_string()))];
        Failure::usage("usage.id", params)
    })
}

pub fn id_opt<T: FromStr<Err = IdError>>(text: Option<&str>) -> Result<Option<T>, Failure> {
    text.map(id).transpose()
}

/// What was made, for scripts and people.
pub fn made(desk: &Desk<'_>, id: impl ToString, operation: OpId) -> Outcome {
    let id = id.to_string();
    let line = format!("{}  {id}", desk.shell.say("已固化", "sealed"));
    Outcome::new(json!({ "id": id, "operation": operation.to_string() })).line(line)
}

fn everybody(desk: &Desk<'_>, named: &[String]) -> Vec<String> {
    if !named.is_empty() {
        return named.to_vec();
    }
    desk.device.everybody()
}

fn refs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

fn begin(desk: &Desk<'_>, args: &Begin) -> Result<Outcome, Failure> {
    let enterprise = match &args.new_enterprise {
        None => id(args.enterprise.as_deref().unwrap_or_default())?,
        Some(name) => {
            let new = NewEnterprise {
                name,
                credit_code: args.credit_code.as_deref().unwrap_or_default(),
                address: args.address.as_deref().unwrap_or_default(),
                ..NewEnterprise::default()
            };
            desk.device.enterprise_add(&new)?.0
        }
    };
    let items: Vec<String> = match args.items.as_slice() {
        [] => desk.device.every_item()?,
        chosen => chosen.to_vec(),
    };
    let known = desk.device.enterprise(enterprise)?.name.unwrap_or_default();
    let officers = everybody(desk, &args.officers);
    let (case, inspection, operation) = desk.device.begin(&NewInspection {
        enterprise: Some(enterprise),
        title: args.title.as_deref().unwrap_or(&known),
        place: args.place.as_deref().unwrap_or_default(),
        planned: args.planned.as_deref(),
        remark: args.remark.as_deref().unwrap_or_default(),
        certificates: &refs(&officers),
        items: &refs(&items),
        ..NewInspection::default()
    })?;
    let mut outcome = made(desk, inspection, operation);
    outcome.json["case"] = case.to_string().into();
    outcome.json["enterprise"] = enterprise.to_string().into();
    Ok(outcome)
}

fn credentials(desk: &Desk<'_>, args: &Credentials) -> Result<Outcome, Failure> {
    let sentence = desk.device.usual_words()?;
    let officers = everybody(desk, &args.officers);
    let new = NewCredentials {
        certificates: &refs(&officers),
        shown_to: &args.shown_to,
        told: args.told.as_deref().unwrap_or(&sentence),
    };
    let operation = desk.device.show_credentials(id(&args.inspection)?, &new)?;
    Ok(made(desk, operation, operation))
}

fn check(desk: &Desk<'_>, args: &Check) -> Result<Outcome, Failure> {
    let note = args.note.as_deref().unwrap_or_default();
    let operation = desk
        .device
        .check(id(&args.inspection)?, &args.item, &args.result, note)?;
    Ok(made(desk, &args.item, operation))
}

fn finding(desk: &Desk<'_>, args: &Finding) -> Result<Outcome, Failure> {
    let new = NewFinding {
        finding: id_opt(args.finding.as_deref())?,
        text: &args.text,
        grade: &args.grade,
        item: args.item.as_deref(),
        violation: args.violation.as_deref(),
        clause: args.clause.as_deref(),
        place: args.place.as_deref().unwrap_or_default(),
        evidence: &[],
    };
    let (finding, operation) = desk.device.finding(id(&args.inspection)?, &new)?;
    Ok(made(desk, finding, operation))
}

fn capture(desk: &Desk<'_>, args: &Capture) -> Result<Outcome, Failure> {
    let inspection: InspectionId = id(&args.inspection)?;
    let (source, size) = open(&args.file)?;
    announce_room(desk, args, size)?;
    let position = match (args.lat, args.lon) {
        // A position out of range is left out and said; the evidence is sealed all the same.
        (Some(lat), Some(lon)) => match Position::from_degrees(lat, lon, args.accuracy) {
            Ok(position) => Some(position),
            Err(refusal) => {
                desk.shell.remark(&refusal.text(desk.shell.lang));
                None
            }
        },
        (None, None) => None,
        _ => return Err(Failure::usage("usage.lat_lon", [])),
    };
    let name = args
        .file
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| name != "-");
    let new = NewEvidence {
        acquisition: &args.acquisition,
        kind: &args.kind,
        title: &args.title,
        proves: args.proves.as_deref().unwrap_or_default(),
        original_name: name.as_deref().unwrap_or_default(),
        position,
        finding: id_opt(args.finding.as_deref())?,
        derived_from: id_opt(args.derived_from.as_deref())?,
        transcript_of: id_opt(args.transcript_of.as_deref())?,
        duration_ms: args.duration_ms,
    };
    // A kind that no list has is a slip of the pen: said before a byte is read, while the file still lies where it lay.
    if let Ok(pack) = desk.device.pack()
        && pack.evidence_kind(&args.kind).is_none()
    {
        let params = [("what", Param::label("kind")), ("id", Param::text(&args.kind))];
        return Err(Failure::new("not_in_pack", params));
    }
    let total = size.or(args.expect_bytes).unwrap_or(0);
    let mut source = desk.shell.meter("正在固化", "sealing").reader(source, total);
    let captured = desk.device.capture(inspection, &mut source, &new)?;
    drop(source);
    let mut outcome = made(desk, captured.evidence, captured.operation)
        .line(format!("SHA-256  {}", captured.sha256))
        .line(format!("{}  {}", captured.size, captured.media_type));
    let mut remarks = Vec::new();
    for remark in &captured.remarks {
        outcome = outcome.line(remark.message().text(desk.shell.lang));
        remarks.push(remark.code());
    }
    if captured.cut {
        // It is sealed, and it is not all that the camera had to give.
        outcome.exit = NO_SPACE;
    }
    outcome.json["cut"] = captured.cut.into();
    outcome.json["sha256"] = captured.sha256.to_string().into();
    outcome.json["size"] = captured.size.into();
    outcome.json["media_type"] = captured.media_type.into();
    outcome.json["remarks"] = remarks.into();
    Ok(outcome)
}

/// Says before the first byte is read how much room there is. What is known not to fit is refused; what a length lets guess
/// is only warned of, because the guess may be wrong and a camera does not come back.
fn announce_room(desk: &Desk<'_>, args: &Capture, size: Option<u64>) -> Result<(), Failure> {
    let rated = match (args.duration_ms, args.bytes_per_second) {
        (Some(duration_ms), Some(rate)) => Some(recording_bytes(duration_ms, Some(rate))),
        _ => None,
    };
    let known = size.or(args.expect_bytes).or(rated);
    let left = desk.device.storage_check(known.unwrap_or(0))?;
    let guessed = match known {
        None => args
            .duration_ms
            .map_or(0, |duration_ms| recording_bytes(duration_ms, None)),
        Some(_) => 0,
    };
    let short = desk.device.storage_check(guessed).map_or(true, |left| left.low);
    if left.low || short {
        let minutes = [("minutes", Param::Count(left.minutes))];
        desk.shell.remark(&desk.shell.text("storage_low", &minutes));
    }
    Ok(())
}

/// The bytes and how many there are; standard input does not say.
fn open(path: &Path) -> Result<(Box<dyn Read>, Option<u64>), Failure> {
    if path == Path::new("-") {
        return Ok((Box::new(std::io::stdin()), None));
    }
    let file = File::open(path).map_err(|error| Failure::file(path, &error))?;
    let meta = file.metadata().map_err(|error| Failure::file(path, &error))?;
    if meta.is_dir() {
        return Err(Failure::form(path, "a folder"));
    }
    Ok((Box::new(file), Some(meta.len())))
}

fn statement(desk: &Desk<'_>, args: &Statement) -> Result<Outcome, Failure> {
    let new = NewStatement {
        statement: id_opt(args.statement.as_deref())?,
        person: &args.person,
        role: args.role.as_deref().unwrap_or_default(),
        lines: &refs(&args.line),
    };
    let (statement, operations) = desk.device.statement(id(&args.inspection)?, &new)?;
    let last = operations
        .last()
        .copied()
        .ok_or_else(|| Failure::usage("usage.needed", [("option", Param::text("--line"))]))?;
    let mut outcome = made(desk, statement, last);
    outcome.json["operations"] = operations.iter().map(ToString::to_string).collect::<Vec<_>>().into();
    Ok(outcome)
}

fn order(desk: &Desk<'_>, args: &Order) -> Result<Outcome, Failure> {
    let inspection: InspectionId = id(&args.inspection)?;
    let item = NewOrderItem {
        text: &args.text,
        due: args.due.as_deref(),
        clause: args.clause.as_deref(),
        grade: args.grade.as_deref(),
        finding: id_opt(args.finding.as_deref())?,
    };
    let order = id_opt(args.order.as_deref())?;
    let (order, operation) = desk.device.order_item(inspection, order, &item)?;
    Ok(made(desk, order, operation))
}

fn review(desk: &Desk<'_>, args: &Review) -> Result<Outcome, Failure> {
    let (order, item) = (id(&args.order)?, id(&args.item)?);
    let note = args.note.as_deref().unwrap_or_default();
    let operation = desk
        .device
        .review(id(&args.inspection)?, order, item, &args.result, note)?;
    Ok(made(desk, &args.item, operation))
}

fn decide(desk: &Desk<'_>, args: &Decide) -> Result<Outcome, Failure> {
    let held = desk.device.inspection(id(&args.inspection)?)?;
    let operation = desk
        .device
        .decide_conflict(held.row.case, &args.path, &args.value, &args.reason)?;
    Ok(made(desk, &args.path, operation))
}

fn attest(desk: &Desk<'_>, officer: Option<&str>, args: &Attest) -> Result<Outcome, Failure> {
    let certificate =
        officer.ok_or_else(|| Failure::usage("usage.needed", [("option", Param::text("--officer CERT"))]))?;
    let officer = desk.key_of(certificate)?;
    let targets = args
        .targets
        .iter()
        .map(|target| id(target))
        .collect::<Result<Vec<OpId>, _>>()?;
    let meaning = Meaning::from_word(&args.meaning).ok_or_else(|| {
        Failure::usage(
            "usage.choice",
            [
                ("option", Param::text("--meaning")),
                ("value", Param::text(&args.meaning)),
            ],
        )
    })?;
    let role = args.role.as_deref().unwrap_or(&officer.record.role);
    let operation = desk.device.attest_as(&officer, &targets, role, meaning)?;
    Ok(made(desk, operation, operation))
}

fn set(desk: &Desk<'_>, args: &Set) -> Result<Outcome, Failure> {
    desk.device
        .set_draft(id(&args.inspection)?, &args.path, &Cbor::text(&args.value))?;
    let words = desk.shell.say("草稿已保存", "draft kept");
    Ok(Outcome::new(json!({ "path": args.path })).line(format!("{words}  {}", args.path)))
}

fn commit(desk: &Desk<'_>, args: &OfInspection) -> Result<Outcome, Failure> {
    let operations = desk.device.commit(id(&args.inspection)?)?;
    let operations: Vec<String> = operations.iter().map(ToString::to_string).collect();
    let words = desk.shell.say("已固化", "sealed");
    Ok(Outcome::new(json!({ "id": args.inspection, "operations": operations }))
        .line(format!("{words}  {}", operations.len())))
}

fn close(desk: &Desk<'_>, args: &OfInspection) -> Result<Outcome, Failure> {
    let operation = desk.device.close(id(&args.inspection)?)?;
    Ok(made(desk, &args.inspection, operation))
}

fn enterprise_add(desk: &Desk<'_>, args: &EnterpriseAdd) -> Result<Outcome, Failure> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let (credit_code, address, head) = (text(&args.credit_code), text(&args.address), text(&args.head));
    let (phone, industry) = (text(&args.phone), text(&args.industry));
    let (enterprise, operation) = desk.device.enterprise_add(&NewEnterprise {
        name: &args.name,
        credit_code: &credit_code,
        address: &address,
        head: &head,
        phone: &phone,
        industry: &industry,
    })?;
    Ok(made(desk, enterprise, operation))
}
