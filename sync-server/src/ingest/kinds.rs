//! Who may write what: the author column of merge.md. Not law, only who stands where in the story.

/// Who may author a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    Any,
    Tablet,
    Supervisor,
    /// Tablets and supervisors.
    People,
    Ingest,
}

/// The author of a kind; `None` for a kind that this version does not know.
pub fn author(kind: &str) -> Option<Author> {
    Some(match kind {
        "device.open" | "custody.event" | "attest" | "enterprise.record" | "note.record" => Author::Any,
        "inspection.assign" | "inspection.return" | "evidence.freeze" | "quarantine.decide" | "enterprise.join" => Author::Supervisor,
        "inspection.begin" | "credentials.show" | "check.answer" | "finding.record" | "evidence.seal" | "statement.record" | "order.draft"
        | "document.issue" | "document.sign" | "inspection.close" => Author::Tablet,
        "field.decide" => Author::People,
        "number.lease" | "roll" | "disposition" => Author::Ingest,
        _ => return None,
    })
}

/// Whether a path names a file by its SHA-256.
pub fn names_blob(path: &str) -> bool {
    matches!(path.rsplit('/').next(), Some("sha256" | "pdf_sha256" | "signed_pdf_sha256" | "strokes" | "strokes_sha256"))
        && path.contains('/')
}

/// Kinds that only add to a case that is closed already without changing what was closed.
pub fn allowed_after_closing(kind: &str) -> bool {
    matches!(kind, "custody.event" | "attest" | "note.record" | "inspection.close")
}
