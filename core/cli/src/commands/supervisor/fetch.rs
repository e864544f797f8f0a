//! Originals for the laptop: on demand, into her own vault, each checked by the hash in its record. The server logs and signs the read.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::path::Path;

use fieldseal_core::catalogue::Param;
use fieldseal_core::domain::view::{CaseView, EvidenceView};
use fieldseal_core::merge::Scope;
use fieldseal_core::sync::Fault;
use fieldseal_proof::ids::{BlobHash, CaseId, EvidenceId};
use fieldseal_transport::{Caller, Cancel, enrol};
use serde_json::json;

use crate::desk::Desk;
use crate::failure::{Failure, LATER};
use crate::files;
use crate::shell::Outcome;

/// Fetches the originals of a case, or one. With `out` a readable copy of each is laid there as well.
pub fn fetch(desk: &Desk<'_>, what: &str, out: Option<&Path>) -> Result<Outcome, Failure> {
    let wanted = wanted(desk, what)?;
    if let Some(out) = out {
        files::empty_folder(out)?;
    }
    let caller = Caller::open(&enrol::endpoint(&desk.device), Cancel::default())?;
    let mut items = Vec::new();
    let (mut fetched, mut held, mut absent, mut bytes) = (0_u64, 0_u64, 0_u64, 0_u64);
    let (mut kept, mut thrown_away) = (0_u64, 0_u64);
    for piece in &wanted {
        let (Some(sha256), Some(size)) = (piece.sha256, piece.size) else {
            continue;
        };
        let mut went_on_at = 0;
        let state = if desk.device.read_blob(sha256).is_ok() {
            held += 1;
            "held"
        } else {
            let came = arrived(desk, &caller, sha256, size)?;
            thrown_away += came.thrown_away;
            match came.whole {
                true => {
                    (fetched, bytes, kept) = (fetched + 1, bytes + size, kept + came.went_on_at);
                    went_on_at = came.went_on_at;
                    "fetched"
                }
                false => {
                    absent += 1;
                    "absent"
                }
            }
        };
        if let (Some(out), true) = (out, state != "absent") {
            copy(desk, sha256, &out.join(piece.evidence.to_string()))?;
        }
        items.push(json!({
            "evidence": piece.evidence.to_string(), "sha256": sha256.to_string(), "size": size,
            "media_type": piece.media_type, "state": state, "went_on_at": went_on_at,
        }));
    }
    desk.shell.progress_over();
    let words = desk.shell.say(
        "已取回 / 本机已有 / 服务器尚未收到",
        "fetched / here already / not at the server yet",
    );
    let json = json!({ "items": items, "fetched": fetched, "held": held, "absent": absent, "bytes": bytes,
        "kept": kept, "thrown_away": thrown_away });
    let mut done = Outcome::new(json).line(format!("{words}  {fetched} / {held} / {absent}"));
    let shown = |bytes: u64| Param::Bytes(bytes).shown(desk.shell.lang);
    if kept > 0 {
        let words = desk.shell.say(
            "其中此前已收到、本次未再传",
            "of which here from before, not sent again",
        );
        done = done.line(format!("{words}  {}", shown(kept)));
    }
    if thrown_away > 0 {
        let words = desk.shell.say(
            "此前收到的部分与原件不符，已丢弃并从头重取",
            "a part received earlier was not of the original: it was thrown away, and the file fetched from its beginning",
        );
        done = done.line(format!("{words}  {}", shown(thrown_away)));
    }
    Ok(Outcome {
        exit: if absent > 0 { LATER } else { 0 },
        ..done
    })
}

/// How an original came.
#[derive(Default)]
struct Came {
    /// `false` where the server does not have it yet.
    whole: bool,
    /// Bytes that were here from an earlier call.
    went_on_at: u64,
    /// Bytes from earlier calls that were not of the original.
    thrown_away: u64,
}

/// One original into the vault. What came before the line or the process broke stays, and the next call goes on behind it.
fn arrived(desk: &Desk<'_>, caller: &Caller, sha256: BlobHash, size: u64) -> Result<Came, Failure> {
    let mut shown = |at: u64| {
        let [at, all] = [at, size].map(|bytes| Param::Bytes(bytes).shown(desk.shell.lang));
        desk.shell.progress(&format!("{at} / {all}"));
    };
    let mut came = Came::default();
    loop {
        let arrival = desk.device.arriving_blob(sha256, size)?;
        came.went_on_at = arrival.at();
        came.thrown_away += arrival.thrown_away();
        let mut original = caller.original(sha256, size, came.went_on_at, &mut shown);
        let kept = desk.device.receive_blob(arrival, &mut original);
        match (original.fault(), kept) {
            (Some(Fault::Refused { code, .. }), _) if code == "blob_absent" => return Ok(came),
            (Some(fault), _) => return Err(fault.into()),
            (None, Err(error)) => return Err(error.into()),
            (None, Ok(true)) => return Ok(Came { whole: true, ..came }),
            // Only what was here before is thrown away: the next turn has nothing of the kind.
            (None, Ok(false)) => came.thrown_away += came.went_on_at,
        }
    }
}

/// A copy for the eyes, only its owner's to read.
fn copy(desk: &Desk<'_>, sha256: BlobHash, target: &Path) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(target).map_err(|error| Failure::file(target, &error))?;
    let mut reader = desk.device.read_blob(sha256)?;
    std::io::copy(&mut reader, &mut file).map_err(|error| Failure::file(target, &error))?;
    Ok(())
}

/// The evidence of a case, or the piece of that id, from what the laptop's sync has brought.
fn wanted(desk: &Desk<'_>, what: &str) -> Result<Vec<EvidenceView>, Failure> {
    let not_here = || Failure::new("not_found", [("what", Param::text(what))]);
    let cases: BTreeSet<CaseId> = desk.device.inspections()?.into_iter().map(|row| row.case).collect();
    if let Ok(case) = what.parse::<CaseId>()
        && cases.contains(&case)
    {
        return evidence_of(desk, case);
    }
    let evidence: EvidenceId = what.parse().map_err(|_| not_here())?;
    for case in cases {
        let found = evidence_of(desk, case)?;
        if let Some(piece) = found.into_iter().find(|piece| piece.evidence == evidence) {
            return Ok(vec![piece]);
        }
    }
    Err(not_here())
}

fn evidence_of(desk: &Desk<'_>, case: CaseId) -> Result<Vec<EvidenceView>, Failure> {
    let state = desk.device.store().state(Scope::Case(case))?;
    let pack = desk.device.pack().ok();
    let view = CaseView::of(&state, pack.as_deref(), &desk.device.people()?);
    Ok(view.map(|view| view.view.evidence).unwrap_or_default())
}
