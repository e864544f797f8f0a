//! `fieldseal import`: foreign tables become files that `admin`, `supervisor batch` and `device batch` read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use fieldseal_core::catalogue::Param;
use fieldseal_core::domain::import::{OshaInspection, RefusedRow, osha};
use fieldseal_core::pack::{PackFile, RulePack};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::files;
use crate::shell::{Outcome, Shell};

/// When an inspection day begins in the tables, which know days only.
const MORNING: &str = "T15:00:00Z";

#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// Public OSHA inspections with their citations
    Osha {
        #[arg(long, value_name = "CSV")]
        inspections: PathBuf,
        #[arg(long, value_name = "CSV")]
        violations: PathBuf,
        /// Rule pack whose import table maps citation types to grades: folder or file
        #[arg(long, value_name = "PACK")]
        pack: PathBuf,
        /// A tablet and the certificate numbers of its officers; again for each tablet
        #[arg(long, value_name = "DEVICE=CERT,CERT", required = true)]
        tablet: Vec<String>,
        /// Most inspections
        #[arg(long, default_value_t = usize::MAX, hide_default_value = true)]
        limit: usize,
        /// New folder
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

/// A tablet that gets its share of the inspections.
struct Tablet {
    device: String,
    officers: Vec<String>,
    /// Day, order of making, line: sorted, so that the tablet's clock never goes back.
    lines: Vec<(String, usize, Value)>,
}

pub fn run(shell: &Shell, command: ImportCommand) -> Result<Outcome, Failure> {
    let ImportCommand::Osha {
        inspections,
        violations,
        pack,
        tablet,
        limit,
        out,
    } = command;
    let pack = read_pack(&pack)?;
    let import = osha(&files::read(&inspections)?, &files::read(&violations)?, &pack)?;
    let mut tablets = tablet
        .iter()
        .map(|text| parse_tablet(text))
        .collect::<Result<Vec<_>, _>>()?;
    let items: Vec<&str> = pack.items().iter().map(|item| item.id.as_str()).take(1).collect();
    files::empty_folder(&out)?;

    let mut enterprises = csv::Writer::from_writer(Vec::new());
    let row = |error: csv::Error| Failure::form(&out, error);
    enterprises.write_record(["name", "address", "industry"]).map_err(row)?;
    let mut named = BTreeSet::new();
    let mut assignments = Vec::new();
    let mut left_out = Vec::new();
    let (mut taken, mut citations) = (0_usize, 0_usize);
    let share = tablets.len();
    for (number, one) in import.inspections.taken.iter().enumerate() {
        if number >= limit {
            left_out.push(json!({ "file": "inspections", "inspection": one.number, "code": "limit", "citations": one.violations.len() }));
            continue;
        }
        let text = |line: &Option<fieldseal_core::domain::Line>| {
            line.as_ref().map(|line| line.as_str().to_owned()).unwrap_or_default()
        };
        if named.insert(one.establishment.as_str().to_owned()) {
            enterprises
                .write_record([one.establishment.as_str(), &text(&one.address), &text(&one.industry)])
                .map_err(row)?;
        }
        let tablet = &mut tablets[number % share];
        assignments.push(json!({
            "command": "assign", "as": name(one), "enterprise": one.establishment.as_str(), "device": [tablet.device],
            "officers": tablet.officers, "planned": one.opened.to_string(), "items": items,
            "title": format!("OSHA {}", one.number), "place": text(&one.address),
        }));
        write_inspection(tablet, one);
        taken += 1;
        citations += one.violations.len();
    }
    left_out.extend(
        import
            .inspections
            .refused
            .iter()
            .map(|row| refused(shell, "inspections", row)),
    );
    left_out.extend(
        import
            .violations_refused
            .iter()
            .map(|row| refused(shell, "violations", row)),
    );

    let bytes = enterprises
        .into_inner()
        .map_err(|error| Failure::form(&out, error.error()))?;
    files::create(&out.join("enterprises.csv"), &bytes)?;
    files::create(&out.join("assignments.jsonl"), &lines(&assignments))?;
    files::create(&out.join("not_imported.jsonl"), &lines(&left_out))?;
    let mut written = Vec::new();
    for (number, tablet) in tablets.iter_mut().enumerate() {
        tablet.lines.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        let path = out.join(format!("tablet-{}.jsonl", number + 1));
        let values: Vec<Value> = tablet.lines.drain(..).map(|(_, _, line)| line).collect();
        files::create(&path, &lines(&values))?;
        written.push(json!({ "device": tablet.device, "file": path, "lines": values.len() }));
    }
    let remarks = import.inspections.remarks.len() + import.violation_remarks.len();
    let words = shell.say("检查 / 违法 / 未导入", "inspections / citations / not imported");
    Ok(Outcome::new(json!({
        "inspections": { "rows": import.inspections.rows, "taken": taken, "refused": import.inspections.refused.len() },
        "violations": {
            "rows": import.violation_rows, "taken": citations, "refused": import.violations_refused.len(),
        },
        "not_imported": left_out.len(), "remarks": remarks, "enterprises": named.len(), "out": out, "tablets": written,
    }))
    .line(format!("{words}  {taken} / {citations} / {}", left_out.len())))
}

/// What an inspection is called in the files, and what the names file will hold its id under.
fn name(one: &OshaInspection) -> String {
    format!("osha-{}", one.number)
}

/// The lines of one inspection: credentials with both signatures, a finding for each citation, the order on the day of
/// issue, the closing.
fn write_inspection(tablet: &mut Tablet, one: &OshaInspection) {
    let inspection = format!("@{}", name(one));
    let first = tablet.officers.first().cloned().unwrap_or_default();
    let opened = one.opened.to_string();
    let shown = format!("{}-credentials", name(one));
    tablet.say(
        &opened,
        &first,
        json!({
            "command": "credentials", "inspection": inspection, "shown_to": one.establishment.as_str(), "as": shown,
        }),
    );
    for officer in tablet.officers.clone() {
        tablet.say(
            &opened,
            &officer,
            json!({ "command": "attest", "targets": [format!("@{shown}.operation")] }),
        );
    }
    let mut last = opened.clone();
    for (n, citation) in one.violations.iter().enumerate() {
        let finding = format!("{}-{}", name(one), n + 1);
        let text = format!(
            "Citation {} ({}): {}",
            citation.citation,
            citation.kind,
            citation.standard.as_str()
        );
        tablet.say(
            &opened,
            &first,
            json!({
                "command": "finding", "inspection": inspection, "text": text, "grade": citation.grade,
                "clause": citation.standard.as_str(), "as": finding,
            }),
        );
        let issued = citation.issued.to_string().max(opened.clone());
        if let Some(due) = citation.due {
            tablet.say(
                &issued,
                &first,
                json!({
                    "command": "order", "inspection": inspection, "finding": format!("@{finding}"),
                    "text": format!("Abate {}", citation.standard.as_str()), "due": due.to_string(),
                }),
            );
        }
        last = last.max(issued);
    }
    tablet.say(&last, &first, json!({ "command": "close", "inspection": inspection }));
}

impl Tablet {
    fn say(&mut self, day: &str, officer: &str, mut line: Value) {
        line["officer"] = officer.into();
        line["clock"] = format!("{day}{MORNING}").into();
        self.lines.push((day.to_owned(), self.lines.len(), line));
    }
}

fn parse_tablet(text: &str) -> Result<Tablet, Failure> {
    let wrong = || Failure::usage("usage.tablet", [("text", Param::text(text))]);
    let (device, officers) = text.split_once('=').ok_or_else(wrong)?;
    let officers: Vec<String> = officers
        .split(',')
        .map(|one| one.trim().to_owned())
        .filter(|one| !one.is_empty())
        .collect();
    if officers.is_empty() {
        return Err(wrong());
    }
    Ok(Tablet {
        device: device.to_owned(),
        officers,
        lines: Vec::new(),
    })
}

fn read_pack(path: &Path) -> Result<RulePack, Failure> {
    let bytes = if path.is_dir() {
        super::pack::build(path)?
    } else {
        files::read(path)?
    };
    let bytes = PackFile::decode(&bytes)
        .map(|file| file.pack().to_vec())
        .unwrap_or(bytes);
    RulePack::parse(&bytes).map_err(|error| Failure::new("pack_content", [("detail", Param::text(error.to_string()))]))
}

fn refused(shell: &Shell, file: &str, row: &RefusedRow) -> Value {
    json!({ "file": file, "line": row.line, "code": row.reason.code(), "reason": row.reason.text(shell.lang) })
}

fn lines(values: &[Value]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| format!("{value}\n").into_bytes())
        .collect()
}
