//! What the specification says of a kind, as far as admission needs it.

/// Whether a path names a file by its SHA-256.
pub fn names_blob(path: &str) -> bool {
    path.contains('/')
        && matches!(
            path.rsplit('/').next(),
            Some("sha256" | "pdf_sha256" | "signed_pdf_sha256" | "strokes")
        )
}

/// Kinds under which a rule pack may ask for signatures beyond the specification's own (operation.md, Required signers).
pub fn pack_may_ask_signers(kind: &str) -> bool {
    matches!(kind, "credentials.show" | "document.issue")
}

/// Kinds that add to a closed case without changing what was closed.
pub fn allowed_after_closing(kind: &str) -> bool {
    matches!(kind, "custody.event" | "attest" | "note.record" | "inspection.close")
}
