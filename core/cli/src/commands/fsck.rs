//! `fieldseal fsck`: a device's folder, or a bundle, read again.

use std::path::Path;

use fieldseal_core::catalogue::Param;
use fieldseal_proof::bundle::{self, Extras, Trust, Verdict};
use fieldseal_proof::key_log::{KeyLog, Purpose};
use fieldseal_proof::note::VerifierKey;
use fieldseal_proof::sshsig::allowed_signers_line;

use super::device::read;
use super::verify::for_scripts;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::shell::{Outcome, Shell};
use fieldseal_core::bundle::open;

/// A folder with a bag in it is a bundle, everything else must be a device.
pub fn run(shell: &Shell, dir: &Path) -> Result<Outcome, Failure> {
    if dir.is_dir() && !dir.join("bagit.txt").is_file() {
        return read::fsck(&Desk::open(shell, dir)?);
    }
    bundle(shell, dir)
}

/// Whether a bundle is whole and agrees with itself. Who made it is not asked: that takes a trust folder and `verify`.
fn bundle(shell: &Shell, path: &Path) -> Result<Outcome, Failure> {
    let source = open(path)?;
    let unreadable = |detail: String| Failure::new("bundle_unreadable", [("detail", Param::text(detail))]);
    let bytes = source
        .read("data/key-log.cbor-seq", bundle::MAX_MANIFEST)
        .map_err(|error| unreadable(error.to_string()))?;
    let keys = KeyLog::read(&bytes).map_err(|error| unreadable(error.to_string()))?;
    let trust = own_claim(&keys).ok_or_else(|| unreadable("its key log names no root, log and bundle key".into()))?;
    let report = bundle::verify(&*source, &trust, &Extras::default());
    let mut json = for_scripts(&report);
    let whole = report.verdict > Verdict::Diverged;
    json["clean"] = whole.into();
    // Its own keys prove nothing about who it is from, so no verdict may be read off this.
    for key in ["verdict", "time", "witnesses"] {
        json[key] = serde_json::Value::Null;
    }
    let mut outcome = Outcome::new(json);
    for finding in report
        .findings
        .iter()
        .filter(|finding| finding.verdict <= Verdict::Diverged)
    {
        outcome = outcome.line(format!("  {}  {}  {}", finding.code, finding.subject, finding.detail));
    }
    let line = if whole {
        let params = [
            ("count", Param::Count(report.operations.len() as u64)),
            ("files", Param::Count(report.files as u64)),
        ];
        shell.text("fsck_clean", &params)
    } else {
        shell.text("fsck_found", &[("count", Param::Count(report.findings.len() as u64))])
    };
    let exit = if whole {
        0
    } else {
        report.verdict.exit_code(Verdict::Unanchored)
    };
    let hint = shell.text("fsck.whose", &[]);
    Ok(Outcome {
        exit,
        ..outcome.line(line).line(hint)
    })
}

/// The trust that the bundle claims for itself; good enough to see whether it agrees with itself, and for nothing else.
fn own_claim(keys: &KeyLog) -> Option<Trust> {
    let root = keys.root()?.record.key().ok()?;
    let log = keys.server_keys(Purpose::Log).last().copied()?;
    let vkey = VerifierKey::ed25519(log.name.as_deref()?, log.record.key().ok()?).ok()?;
    let signers = keys
        .server_keys(Purpose::Bundle)
        .into_iter()
        .filter_map(|key| key.record.key().ok());
    let signers: String = signers.map(|key| allowed_signers_line("bundle", &key)).collect();
    Trust::new(keys.tenant(), root, &vkey.to_vkey(), signers).ok()
}
