//! `fieldseal verify`: a bundle against trust that comes from elsewhere.

use std::path::PathBuf;

use clap::Args;
use fieldseal_core::catalogue::Param;
use fieldseal_proof::bundle::{self, Extras, Report, TimeBracket, Verdict};
use serde_json::{Value, json};

use crate::bag;
use crate::ceremony::read_trust;
use crate::failure::Failure;
use crate::shell::{Outcome, Shell, Tone};

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Folder or zip of the bundle
    bundle: PathBuf,
    /// Trust folder, from outside the bundle
    #[arg(long, value_name = "DIR")]
    trust: PathBuf,
    /// Least verdict for exit code 0
    #[arg(long, value_name = "LEVEL", default_value = "ANCHORED", value_parser = ["UNANCHORED", "ANCHORED", "WITNESSED"])]
    require: String,
    /// The words of the chain head that are printed on a paper of the case
    #[arg(long, value_name = "WORDS")]
    paper: Option<String>,
}

pub fn run(shell: &Shell, args: VerifyArgs) -> Result<Outcome, Failure> {
    let inside = |path: &PathBuf| path.canonicalize().map_err(|error| Failure::file(path, &error));
    let (bundle_path, trust_path) = (inside(&args.bundle)?, inside(&args.trust)?);
    if trust_path.starts_with(&bundle_path) {
        return Err(Failure::new("trust_inside_bundle", []));
    }
    let trust = read_trust(&trust_path)?;
    let source = bag::open(&bundle_path)?;
    let required =
        Verdict::from_word(&args.require).ok_or_else(|| Failure::usage(format!("--require {}", args.require)))?;
    shell.progress(&shell.say("正在检验…", "checking …"));
    let report = bundle::verify(
        &*source,
        &trust,
        &Extras {
            paper: args.paper,
            ..Extras::default()
        },
    );
    shell.progress_over();
    let lines = for_people(shell, &report, &args.bundle.display().to_string());
    Ok(Outcome {
        json: for_scripts(&report),
        lines,
        exit: report.verdict.exit_code(required),
    })
}

/// Order of console.md: verdict, counts, time, what lowers it, withheld, not checked, what it does not prove, how to repeat.
fn for_people(shell: &Shell, report: &Report, bundle: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let word = report.verdict.as_str();
    let key = format!("verdict.{}", word.to_lowercase());
    let names = [
        ("count", Param::Count(report.witnesses.len() as u64)),
        ("names", Param::text(report.witnesses.join(", "))),
    ];
    let tone = if report.verdict >= Verdict::Anchored {
        Tone::Good
    } else {
        Tone::Bad
    };
    let shown = shell.text(&key, &[]);
    // The code word stands beside a translation, so that two readers of two languages can compare.
    let shown = if shown == word {
        shown
    } else {
        format!("{shown}  {word}")
    };
    lines.push(shell.tone(tone, &shown));
    lines.push(shell.text(&format!("{key}.sentence"), &names));
    for finding in &report.findings {
        lines.push(format!(
            "  {}  {}  {}  {}",
            finding.verdict.as_str(),
            finding.code,
            finding.subject,
            finding.detail
        ));
    }
    lines.push(String::new());
    let awaiting = report
        .operations
        .iter()
        .filter(|operation| !operation.awaiting.is_empty())
        .count();
    let counts = [
        (shell.say("文件", "files"), report.files as u64),
        (shell.say("字节", "bytes"), report.bytes),
        (shell.say("记录", "operations"), report.operations.len() as u64),
        (
            shell.say("证据与文书", "evidence and documents"),
            report.items.len() as u64,
        ),
        (shell.say("人员签署", "attestations"), report.attests.len() as u64),
        (shell.say("等待签署", "awaiting signature"), awaiting as u64),
    ];
    for (label, count) in counts {
        lines.push(format!("{:>14}  {label}", Param::Count(count).shown(shell.lang)));
    }
    lines.push(String::new());
    lines.push(time_line(shell, report));
    let completeness = if report.complete_by_roll {
        let count = ("count", Param::Count(report.operations.len() as u64));
        shell.text(
            "completeness.claimed",
            &[("roll", Param::text(report.tree_size.to_string())), count],
        )
    } else {
        shell.text("completeness.not_claimed", &[])
    };
    lines.push(completeness);
    for witness in &report.same_operator_witnesses {
        lines.push(format!("{witness}  {}", shell.text("trust.same_operator", &[])));
    }
    if !report.withheld.is_empty() {
        lines.push(format!(
            "{}  {}",
            shell.text("verdict.withheld", &[]),
            report.withheld.len()
        ));
    }
    let absent = report.items.iter().filter(|item| item.path.is_none()).count();
    if absent > 0 {
        lines.push(format!("{}  {absent}", shell.say("字节未提供", "bytes not supplied")));
    }
    lines.push(format!(
        "{}: {}",
        shell.text("verdict.not_checked", &[]),
        report.not_checked.join(", ")
    ));
    lines.push(String::new());
    lines.push(shell.tone(Tone::Strong, &shell.text("not_proven.title", &[])));
    for what in [
        "scene",
        "before_sealing",
        "moment",
        "position",
        "holder",
        "omission",
        "lawful",
        "violation",
    ] {
        lines.push(format!("  - {}", shell.text(&format!("not_proven.{what}"), &[])));
    }
    lines.push(String::new());
    lines.push(shell.say("换一种工具核对：", "To check with other tools:"));
    lines.push(format!(
        "  cd {bundle} && sha256sum -c manifest-sha256.txt tagmanifest-sha256.txt"
    ));
    lines.push(shell.say(
        "  其余命令见包内 README.md",
        "  further commands are in the bundle's README.md",
    ));
    lines
}

fn time_line(shell: &Shell, report: &Report) -> String {
    let basis = match report.time {
        Some(basis) => basis.as_str(),
        None => "none",
    };
    let ends = |pick: fn(&TimeBracket) -> Option<u64>| report.operations.iter().filter_map(move |op| pick(&op.bracket));
    let first = ends(|bracket| bracket.not_before.map(|bound| bound.unix_ms)).min();
    let last = ends(|bracket| bracket.not_after.map(|bound| bound.unix_ms)).max();
    let open = || shell.say("无证明", "nothing proven");
    let shown = |time: Option<u64>| time.map_or_else(open, instant);
    format!(
        "{} ({basis}): {} … {}",
        shell.say("固化时间", "sealed between"),
        shown(first),
        shown(last)
    )
}

/// A time as text, in UTC.
fn instant(unix_ms: u64) -> String {
    let time = i64::try_from(unix_ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    time.map_or_else(|| unix_ms.to_string(), |time| time.to_string())
}

fn bracket(bracket: &TimeBracket) -> Value {
    let bound =
        |bound: Option<bundle::Bound>| bound.map(|b| json!({ "unix_ms": b.unix_ms, "basis": b.basis.as_str() }));
    json!({ "not_before": bound(bracket.not_before), "not_after": bound(bracket.not_after) })
}

/// The report for scripts; keys are never translated.
pub fn for_scripts(report: &Report) -> Value {
    let findings: Vec<Value> = report
        .findings
        .iter()
        .map(|f| json!({ "verdict": f.verdict.as_str(), "code": f.code, "subject": f.subject, "detail": f.detail }))
        .collect();
    let operations: Vec<Value> = report
        .operations
        .iter()
        .map(|op| {
            json!({
                "id": op.id.to_string(), "kind": op.kind, "device": op.device.to_string(),
                "incarnation": op.incarnation.to_string(), "seq": op.seq, "index": op.index,
                "bracket": bracket(&op.bracket), "clock_ms": op.clock_ms, "custody": op.custody,
                "awaiting": op.awaiting, "after_roll": op.after_roll,
            })
        })
        .collect();
    let items: Vec<Value> = report
        .items
        .iter()
        .map(|item| {
            json!({
                "id": item.id, "class": item.class, "sha256": item.sha256, "path": item.path,
                "operation": item.sealed_by.to_string(), "acquisition": item.acquisition, "title": item.title,
                "bracket": bracket(&item.bracket), "clock_ms": item.clock_ms,
            })
        })
        .collect();
    let attests: Vec<Value> = report
        .attests
        .iter()
        .map(|attest| {
            let targets: Vec<String> = attest.targets.iter().map(ToString::to_string).collect();
            json!({
                "operation": attest.id.to_string(), "officer": attest.officer, "name": attest.name,
                "role": attest.role, "meaning": attest.meaning, "targets": targets, "custody": attest.custody,
            })
        })
        .collect();
    let withheld: Vec<Value> = report
        .withheld
        .iter()
        .map(|(id, path)| json!({ "operation": id.to_string(), "path": path }))
        .collect();
    let late: Vec<String> = report.late.iter().map(ToString::to_string).collect();
    json!({
        "verdict": report.verdict.as_str(),
        "time": report.time.map_or("none", |basis| basis.as_str()),
        "findings": findings,
        "counts": {
            "files": report.files, "bytes": report.bytes, "operations": report.operations.len(),
            "items": report.items.len(), "attests": report.attests.len(), "withheld": report.withheld.len(),
        },
        "origin": report.origin, "tree_size": report.tree_size, "complete_by_roll": report.complete_by_roll,
        "witnesses": report.witnesses, "same_operator_witnesses": report.same_operator_witnesses,
        "items": items, "operations": operations, "attests": attests,
        "withheld": withheld, "late": late, "not_checked": report.not_checked,
    })
}
