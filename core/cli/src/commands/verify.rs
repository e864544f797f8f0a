//! `fieldseal verify`: a bundle against trust that comes from elsewhere.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use fieldseal_core::bundle::{open_watched, read_trust};
use fieldseal_core::catalogue::{Param, trust};
use fieldseal_proof::bundle::{self, Extras, Report, TimeBracket, Verdict};
use fieldseal_proof::ids::OpId;
use serde_json::{Value, json};

use super::verdict;
use crate::failure::Failure;
use crate::shell::{Outcome, Shell};

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
    let meter = Mutex::new(shell.meter("正在检验", "checking"));
    let look = move |moved| meter.lock().unwrap_or_else(PoisonError::into_inner).moved(moved);
    let source = open_watched(&bundle_path, Arc::new(look))?;
    let required = Verdict::from_word(&args.require).ok_or_else(|| {
        Failure::usage(
            "usage.choice",
            [
                ("option", Param::text("--require")),
                ("value", Param::text(&args.require)),
            ],
        )
    })?;
    let report = bundle::verify(
        &*source,
        &trust,
        &Extras {
            paper: args.paper,
            ..Extras::default()
        },
    );
    drop(source);
    let lines = verdict::lines(shell, &report);
    Ok(Outcome {
        json: for_scripts(&report),
        lines,
        exit: report.verdict.exit_code(required),
    })
}

/// A bracket for scripts.
pub fn bracket(bracket: &TimeBracket) -> Value {
    let bound = |bound: Option<bundle::Bound>| {
        bound.map(|b| json!({ "unix_ms": b.unix_ms, "basis": b.basis.as_str(), "tree_size": b.tree }))
    };
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
                "operation": item.sealed_by.to_string(), "disposed_by": item.disposed_by.map(|id| id.to_string()), "acquisition": item.acquisition, "title": item.title,
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
    let value = |(id, path): &(OpId, String)| json!({ "operation": id.to_string(), "path": path });
    let withheld: Vec<Value> = report.withheld.iter().map(value).collect();
    let disposed: Vec<Value> = report.disposed.iter().map(value).collect();
    let held = trust::ServerHeld::of(report);
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
        "server_held": { "operations": held.operations, "people": held.people },
        "items": items, "operations": operations, "attests": attests,
        "withheld": withheld, "disposed": disposed, "late": late, "not_checked": report.not_checked,
    })
}
