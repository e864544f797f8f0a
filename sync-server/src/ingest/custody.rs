//! Custody events as the server signs them (merge.md, `custody.event`).

use fieldseal_core::domain::{CustodyEvent, CustodyKind, Line, Paragraph};
use fieldseal_core::random::uuid;
use fieldseal_proof::ids::{CaseId, EvidenceId, ItemId};
use fieldseal_proof::operation::Operation;

use super::{AuthorError, Ingest, OwnOperation};

/// Most pieces of evidence in one event.
const PIECES: usize = 1_000;

/// The custody event beside the disposition of an operation that lies on a branch (reason `fork`) and seals evidence: the pieces are
/// set aside, and why. `None` for an operation that seals none; its disposition says all there is.
///
/// # Errors
/// When the event cannot be made.
pub fn forked(ingest: &Ingest, operation: &Operation) -> Result<Option<OwnOperation>, AuthorError> {
    let header = operation.header();
    let fields = operation.body().map_or(&[][..], |body| body.fields());
    let piece = |path: &str| path.strip_prefix("evidence/")?.strip_suffix("/sha256")?.parse().ok();
    let pieces: Vec<EvidenceId> = fields
        .iter()
        .filter_map(|field| piece(&field.path))
        .take(PIECES)
        .collect();
    let Some(case) = header.case.filter(|_| !pieces.is_empty()) else {
        return Ok(None);
    };
    let note = format!("fork of device {} at seq {}", header.device, header.seq);
    let by = ("ingest", Some(note.as_str()));
    custody_event(ingest, case, CustodyKind::Quarantined, by, pieces).map(Some)
}

/// What happened to pieces of evidence of a case, and by whom, with a note.
///
/// # Errors
/// When the event cannot be made.
pub fn custody_event(
    ingest: &Ingest,
    case: CaseId,
    event: CustodyKind,
    (by, note): (&str, Option<&str>),
    evidence: Vec<EvidenceId>,
) -> Result<OwnOperation, AuthorError> {
    let refused = |why: String| AuthorError::Seal(why);
    let id = uuid(&*ingest.random).map_err(|why| refused(why.to_string()))?;
    let custody = CustodyEvent {
        id: ItemId::from_bytes(id),
        evidence,
        event,
        by: Line::parse("by", by).map_err(|why| refused(why.to_string()))?,
        note: note
            .map(|note| Paragraph::parse("note", note))
            .transpose()
            .map_err(|why| refused(why.to_string()))?,
    };
    let act = custody.act().map_err(|why| refused(why.to_string()))?;
    Ok(OwnOperation {
        kind: "custody.event",
        case: Some(case),
        inspection: None,
        supersedes: Vec::new(),
        fields: act.into_parts().1,
        audience: None,
    })
}
