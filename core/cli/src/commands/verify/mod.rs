//! `fieldseal verify`: the verdict on a hearing bundle. Uses only `fieldseal-proof` for the judgement.

mod folder;
mod text;
mod zip;

use std::path::{Path, PathBuf};

use clap::Args;
use fieldseal_proof::bundle::{Bound, BundleSource, Extras, Report, TimeBracket, Verdict, verify};
use serde_json::{Value, json};

use crate::failure::{CommandResult, Failure};
use crate::output::Output;
use crate::trust_folder;

pub use folder::FolderSource;

/// Checks a hearing bundle against a trust folder from elsewhere.
#[derive(Args)]
pub struct Verify {
    /// The bundle: a folder or a zip file.
    bundle: PathBuf,
    /// The trust folder; it must not come from the bundle.
    #[arg(long)]
    trust: PathBuf,
    /// The least verdict for exit code 0.
    #[arg(long, default_value = "ANCHORED", value_parser = ["UNANCHORED", "ANCHORED", "WITNESSED"])]
    require: String,
    /// The words of the chain head printed on a paper document.
    #[arg(long)]
    paper: Option<String>,
}

impl Verify {
    /// Checks and prints; the exit code is that of the verdict.
    pub fn run(self, output: &mut Output) -> CommandResult {
        refuse_inner_trust(&self.bundle, &self.trust)?;
        let trust = trust_folder::read(&self.trust)?;
        let source = open(&self.bundle)?;
        let extras = Extras {
            paper: self.paper.clone(),
            ..Extras::default()
        };
        let report = verify(source.as_ref(), &trust, &extras);
        let required = Verdict::from_word(&self.require).unwrap_or(Verdict::Anchored);
        output.done(&as_json(&report), |lang| text::of(&report, lang, output));
        Ok(report.verdict.exit_code(required))
    }
}

/// Opens a bundle folder or zip; hostile names and links are refused before anything is read.
pub fn open(path: &Path) -> Result<Box<dyn BundleSource>, Failure> {
    let unreadable = |detail: String| Failure::new("bundle_unreadable", &[("detail", &detail)]);
    match std::fs::metadata(path) {
        Err(error) => Err(Failure::file(path, &error)),
        Ok(meta) if meta.is_dir() => Ok(Box::new(FolderSource::open(path).map_err(unreadable)?)),
        Ok(_) => Ok(Box::new(zip::ZipSource::open(path).map_err(unreadable)?)),
    }
}

fn refuse_inner_trust(bundle: &Path, trust: &Path) -> Result<(), Failure> {
    let inside = |(b, t): (PathBuf, PathBuf)| t.starts_with(b);
    match bundle.canonicalize().ok().zip(trust.canonicalize().ok()) {
        Some(pair) if inside(pair.clone()) => Err(Failure::new("trust_inside_bundle", &[])),
        _ => Ok(()),
    }
}

fn as_json(report: &Report) -> Value {
    let findings: Vec<Value> = report
        .findings
        .iter()
        .map(|f| json!({"verdict": f.verdict.as_str(), "code": f.code, "subject": f.subject, "detail": f.detail}))
        .collect();
    let operations: Vec<Value> = report
        .operations
        .iter()
        .map(|o| {
            json!({"id": o.id.to_string(), "kind": o.kind, "device": o.device.to_string(), "seq": o.seq, "index": o.index,
                "bracket": bracket(&o.bracket), "clock_ms": o.clock_ms, "custody": o.custody, "awaiting": o.awaiting, "after_roll": o.after_roll})
        })
        .collect();
    let items: Vec<Value> = report
        .items
        .iter()
        .map(|i| {
            json!({"id": i.id, "class": i.class, "sha256": i.sha256, "path": i.path, "sealed_by": i.sealed_by.to_string(),
                "acquisition": i.acquisition, "title": i.title, "bracket": bracket(&i.bracket), "clock_ms": i.clock_ms})
        })
        .collect();
    let attests: Vec<Value> = report
        .attests
        .iter()
        .map(|a| {
            let targets: Vec<String> = a.targets.iter().map(ToString::to_string).collect();
            json!({"id": a.id.to_string(), "officer": a.officer, "name": a.name, "role": a.role, "meaning": a.meaning, "targets": targets, "custody": a.custody})
        })
        .collect();
    let withheld: Vec<Value> = report
        .withheld
        .iter()
        .map(|(id, path)| json!({"operation": id.to_string(), "path": path}))
        .collect();
    json!({
        "verdict": report.verdict.as_str(),
        "time": report.time.map_or("none", |t| t.as_str()),
        "findings": findings,
        "counts": {"files": report.files, "bytes": report.bytes, "operations": report.operations.len(), "items": report.items.len(), "attests": report.attests.len()},
        "origin": report.origin, "tree_size": report.tree_size, "complete_by_roll": report.complete_by_roll,
        "witnesses": report.witnesses, "same_operator_witnesses": report.same_operator_witnesses,
        "operations": operations, "items": items, "attests": attests, "withheld": withheld,
        "late": report.late.iter().map(ToString::to_string).collect::<Vec<_>>(), "not_checked": report.not_checked,
    })
}

fn bracket(bracket: &TimeBracket) -> Value {
    let bound = |b: Option<Bound>| b.map(|b| json!({"unix_ms": b.unix_ms, "basis": b.basis.as_str()}));
    json!({"not_before": bound(bracket.not_before), "not_after": bound(bracket.not_after)})
}
