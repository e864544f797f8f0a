//! Kinds of operation (merge.md, Kinds).

use std::fmt;
use std::str::FromStr;

/// What an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    DeviceOpen,
    InspectionAssign,
    InspectionBegin,
    CredentialsShow,
    CheckAnswer,
    FindingRecord,
    EvidenceSeal,
    CustodyEvent,
    StatementRecord,
    OrderDraft,
    DocumentIssue,
    DocumentSign,
    Attest,
    InspectionClose,
    InspectionReturn,
    FieldDecide,
    EvidenceFreeze,
    QuarantineDecide,
    EnterpriseRecord,
    EnterpriseJoin,
    NumberLease,
    Roll,
    Disposition,
    NoteRecord,
    OrderReview,
    Disposal,
    EscrowOpen,
}

/// Who may author a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    Any,
    Tablet,
    Supervisor,
    TabletOrSupervisor,
    Ingest,
}

const TABLE: [(Kind, &str, Author); 27] = [
    (Kind::DeviceOpen, "device.open", Author::Any),
    (Kind::InspectionAssign, "inspection.assign", Author::Supervisor),
    (Kind::InspectionBegin, "inspection.begin", Author::Tablet),
    (Kind::CredentialsShow, "credentials.show", Author::Tablet),
    (Kind::CheckAnswer, "check.answer", Author::Tablet),
    (Kind::FindingRecord, "finding.record", Author::Tablet),
    (Kind::EvidenceSeal, "evidence.seal", Author::Tablet),
    (Kind::CustodyEvent, "custody.event", Author::Any),
    (Kind::StatementRecord, "statement.record", Author::Tablet),
    (Kind::OrderDraft, "order.draft", Author::Tablet),
    (Kind::DocumentIssue, "document.issue", Author::Tablet),
    (Kind::DocumentSign, "document.sign", Author::Tablet),
    (Kind::Attest, "attest", Author::Any),
    (Kind::InspectionClose, "inspection.close", Author::Tablet),
    (Kind::InspectionReturn, "inspection.return", Author::Supervisor),
    (Kind::FieldDecide, "field.decide", Author::TabletOrSupervisor),
    (Kind::EvidenceFreeze, "evidence.freeze", Author::Supervisor),
    (Kind::QuarantineDecide, "quarantine.decide", Author::Supervisor),
    (Kind::EnterpriseRecord, "enterprise.record", Author::Any),
    (Kind::EnterpriseJoin, "enterprise.join", Author::Supervisor),
    (Kind::NumberLease, "number.lease", Author::Ingest),
    (Kind::Roll, "roll", Author::Ingest),
    (Kind::Disposition, "disposition", Author::Ingest),
    (Kind::NoteRecord, "note.record", Author::Any),
    (Kind::OrderReview, "order.review", Author::Tablet),
    (Kind::Disposal, "disposal", Author::Supervisor),
    (Kind::EscrowOpen, "escrow.open", Author::Supervisor),
];

impl Kind {
    /// Every kind of version 0.
    pub fn all() -> impl Iterator<Item = Kind> {
        TABLE.iter().map(|(kind, _, _)| *kind)
    }

    /// The text in the operation's header.
    pub fn as_str(self) -> &'static str {
        self.row().1
    }

    /// Who may author it.
    pub fn author(self) -> Author {
        self.row().2
    }

    /// The least set of signing roles that the specification asks for; a pack may add.
    pub fn least_signers(self) -> &'static [&'static str] {
        fieldseal_proof::bundle::least_signers(self.as_str())
    }

    fn row(self) -> &'static (Kind, &'static str, Author) {
        // The table holds every kind: `every_kind_has_its_row` below.
        &TABLE[self as usize]
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A kind that this version does not know: stored, forwarded and quarantined, never refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind of operation: {0}")]
pub struct UnknownKind(pub String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Kind, UnknownKind> {
        TABLE
            .iter()
            .find(|row| row.1 == text)
            .map(|row| row.0)
            .ok_or_else(|| UnknownKind(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_row() {
        for (place, (kind, text, _)) in TABLE.iter().enumerate() {
            assert_eq!(*kind as usize, place, "{text}");
            assert_eq!(text.parse(), Ok(*kind));
        }
        assert_eq!("case.burn".parse::<Kind>(), Err(UnknownKind("case.burn".into())));
    }
}
