//! A hearing bundle, checked on the device against trust that comes from elsewhere.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use fieldseal_core::bundle::{open_watched, read_trust};
use fieldseal_core::catalogue::Param;
use fieldseal_proof::bundle::{self, Extras, TimeBasis};

use crate::error::{FieldsealError, Problem};
use crate::guard::guarded;
use crate::host::{Cancel, ProgressListener};
use crate::stream::Looker;

/// The one verdict, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Verdict {
    /// A supplied byte, signature or proof fails.
    Invalid,
    /// Two signed facts contradict.
    Diverged,
    /// Consistent, but it does not chain to the given trust.
    Unanchored,
    /// Both hold, time as the server claims it.
    Anchored,
    /// Cosigned by enough other organisations besides.
    Witnessed,
}

/// One thing that lowers the verdict.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Finding {
    /// Stable code, e.g. `evidence.changed`.
    pub code: String,
    /// File, operation or key it is about.
    pub subject: String,
    /// What was found, in English.
    pub detail: String,
}

/// An item of the bundle.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct CheckedItem {
    /// Id.
    pub id: String,
    /// `evidence`, `document`, …
    pub class_name: String,
    /// Title.
    pub title: Option<String>,
    /// How it was acquired.
    pub acquisition: Option<String>,
    /// SHA-256, hex.
    pub sha256: Option<String>,
    /// Its bytes are in the bundle.
    pub supplied: bool,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Verification {
    /// The verdict.
    pub verdict: Verdict,
    /// Its sentence, in both languages.
    pub sentence: Problem,
    /// What lowers it.
    pub findings: Vec<Finding>,
    /// `claimed`, `stamped` or `cosigned`; nothing without a time for the whole.
    pub time: Option<String>,
    /// A roll vouches that nothing is missing.
    pub complete_by_roll: bool,
    /// Independent organisations whose cosignature holds.
    pub witnesses: Vec<String>,
    /// Operations checked.
    pub operations: u64,
    /// Items.
    pub items: Vec<CheckedItem>,
    /// Files that were read and whose meaning was not checked.
    pub not_checked: Vec<String>,
}

/// Checks a bundle (a folder or a zip) against a trust folder from outside it, with the words of a chain head read off a paper
/// if there are any. A bad bundle is a verdict, not an error; an error means that there is nothing to judge. The listener is
/// told the bundle's bytes under `verify`; a check that was cancelled has no verdict.
#[uniffi::export(default(listener = None, cancel = None))]
pub fn verify_bundle(
    bundle_path: String,
    trust_folder: String,
    paper_words: Option<String>,
    listener: Option<Arc<dyn ProgressListener>>,
    cancel: Option<Arc<Cancel>>,
) -> Result<Verification, FieldsealError> {
    guarded(|| {
        let resolved = |path: &str| {
            let missing = || FieldsealError::new("file_missing", &[("path", Param::text(path))]);
            Path::new(path).canonicalize().map_err(|_| missing())
        };
        let (bundle_path, trust_folder) = (resolved(&bundle_path)?, resolved(&trust_folder)?);
        if trust_folder.starts_with(&bundle_path) {
            return Err(FieldsealError::new("trust_inside_bundle", &[]));
        }
        let trust = read_trust(&trust_folder)?;
        let looker = Arc::new(Mutex::new(Looker::new("verify", listener, cancel)));
        let looks = Arc::clone(&looker);
        let look = move |moved| looks.lock().unwrap_or_else(PoisonError::into_inner).moved(moved);
        let source = open_watched(&bundle_path, Arc::new(look))?;
        let extras = Extras {
            paper: paper_words,
            ..Extras::default()
        };
        let report = bundle::verify(&*source, &trust, &extras);
        let mut looker = looker.lock().unwrap_or_else(PoisonError::into_inner);
        looker.settle("check_cancelled", Ok(told_of(report)))
    })
}

fn told_of(report: bundle::Report) -> Verification {
    let words = format!("verdict.{}.sentence", report.verdict.as_str().to_lowercase());
    let names = [
        ("count", Param::Count(report.witnesses.len() as u64)),
        ("names", Param::text(report.witnesses.join(", "))),
    ];
    Verification {
        verdict: match report.verdict {
            bundle::Verdict::Invalid => Verdict::Invalid,
            bundle::Verdict::Diverged => Verdict::Diverged,
            bundle::Verdict::Unanchored => Verdict::Unanchored,
            bundle::Verdict::Anchored => Verdict::Anchored,
            bundle::Verdict::Witnessed => Verdict::Witnessed,
        },
        sentence: Problem::new(&words, &names),
        findings: report
            .findings
            .iter()
            .map(|finding| Finding {
                code: finding.code.to_owned(),
                subject: finding.subject.clone(),
                detail: finding.detail.clone(),
            })
            .collect(),
        time: report.time.map(|basis: TimeBasis| basis.as_str().to_owned()),
        complete_by_roll: report.complete_by_roll,
        operations: report.operations.len() as u64,
        items: report
            .items
            .iter()
            .map(|item| CheckedItem {
                id: item.id.clone(),
                class_name: item.class.to_owned(),
                title: item.title.clone(),
                acquisition: item.acquisition.clone(),
                sha256: item.sha256.clone(),
                supplied: item.path.is_some(),
            })
            .collect(),
        witnesses: report.witnesses,
        not_checked: report.not_checked,
    }
}
