//! What a verification found, and the one verdict that follows.

use crate::ids::{DeviceId, IncarnationId, OpId};

/// Verdicts, worst first; `Ord` ranks them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// A supplied byte, signature or proof fails.
    Invalid,
    /// Each verifies, but two signed facts contradict.
    Diverged,
    /// Consistent, but not tied to the given trust.
    Unanchored,
    /// Keys chain to the root and items are in the log; time as the operator claims it.
    Anchored,
    /// And a quorum of other organisations cosigned the log.
    Witnessed,
}

impl Verdict {
    /// The code word, the same in every language.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Invalid => "INVALID",
            Verdict::Diverged => "DIVERGED",
            Verdict::Unanchored => "UNANCHORED",
            Verdict::Anchored => "ANCHORED",
            Verdict::Witnessed => "WITNESSED",
        }
    }

    /// From the code word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Invalid, Self::Diverged, Self::Unanchored, Self::Anchored, Self::Witnessed]
            .into_iter()
            .find(|v| v.as_str() == word)
    }

    /// Exit code when at least `required` was asked for.
    pub fn exit_code(self, required: Verdict) -> u8 {
        match self {
            Verdict::Invalid => 2,
            Verdict::Diverged => 3,
            reached if reached < required => 4,
            _ => 0,
        }
    }
}

/// One thing that lowers the verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How far down.
    pub verdict: Verdict,
    /// Stable code, e.g. `evidence.changed`.
    pub code: &'static str,
    /// File, operation or key it is about.
    pub subject: String,
    /// What was found, in plain English.
    pub detail: String,
}

/// Whose word a time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimeBasis {
    /// The operator's own time note.
    Claimed,
    /// A time-stamping authority.
    Stamped,
    /// A witness's cosignature.
    Cosigned,
}

impl TimeBasis {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            TimeBasis::Claimed => "claimed",
            TimeBasis::Stamped => "stamped",
            TimeBasis::Cosigned => "cosigned",
        }
    }
}

/// One end of a bracket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// Milliseconds since 1970.
    pub unix_ms: u64,
    /// Whose word it is.
    pub basis: TimeBasis,
    /// Size of the tree that was known at that time.
    pub tree: u64,
    /// Who cosigned or stamped: place in [`Report::organisations`]. The operator has no name here.
    pub who: Option<usize>,
}

/// The interval in which an operation was sealed; an end that nothing proves is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeBracket {
    /// Not before.
    pub not_before: Option<Bound>,
    /// Not after.
    pub not_after: Option<Bound>,
}

/// What was checked of one operation.
#[derive(Debug, Clone)]
pub struct OperationReport {
    /// Its id.
    pub id: OpId,
    /// Its kind.
    pub kind: String,
    /// Author device.
    pub device: DeviceId,
    /// Its incarnation.
    pub incarnation: IncarnationId,
    /// Place in the device's chain.
    pub seq: u64,
    /// Leaf index.
    pub index: u64,
    /// When it was sealed, as far as provable.
    pub bracket: TimeBracket,
    /// The device's clock, a claim.
    pub clock_ms: u64,
    /// Custody of the device key: hardware, software or server.
    pub custody: &'static str,
    /// Required signers that have not attested yet.
    pub awaiting: Vec<String>,
    /// Logged after the roll the bundle stands on.
    pub after_roll: bool,
}

/// What was checked of one sealed item: evidence, document, signed copy.
#[derive(Debug, Clone)]
pub struct ItemReport {
    /// Evidence, document or signature id as in its path.
    pub id: String,
    /// `evidence`, `document` or `signed_document`.
    pub class: &'static str,
    /// SHA-256 of the original bytes, hex; absent when withheld.
    pub sha256: Option<String>,
    /// The file in the bundle; absent when the bytes were not supplied.
    pub path: Option<String>,
    /// The disposal that took its bytes or its hash away: what is not here is lawfully withheld.
    pub disposed_by: Option<OpId>,
    /// Operation that sealed it.
    pub sealed_by: OpId,
    /// How it was acquired (evidence) or its type (documents).
    pub acquisition: Option<String>,
    /// Title or type for people.
    pub title: Option<String>,
    /// When it was sealed.
    pub bracket: TimeBracket,
    /// The device's clock, a claim.
    pub clock_ms: u64,
}

/// An attestation that was checked.
#[derive(Debug, Clone)]
pub struct AttestReport {
    /// The attest operation.
    pub id: OpId,
    /// Officer id.
    pub officer: String,
    /// Name, if the key log shows it.
    pub name: Option<String>,
    /// Role and meaning.
    pub role: String,
    /// `made`, `approved`, `refused`, `dissents`.
    pub meaning: &'static str,
    /// Operations it signs.
    pub targets: Vec<OpId>,
    /// Custody of the officer's key.
    pub custody: &'static str,
    /// Whether the officer's enrolment was in force at its leaf; else it is shown and meets no required signer.
    pub in_force: bool,
}

/// Everything a verification has to say.
#[derive(Debug, Clone)]
pub struct Report {
    /// The worst of everything below.
    pub verdict: Verdict,
    /// What lowers it, worst first.
    pub findings: Vec<Finding>,
    /// The weakest basis among the operations' upper bounds; `None` where one has none.
    pub time: Option<TimeBasis>,
    /// Independent organisations whose cosignature holds.
    pub witnesses: Vec<String>,
    /// Who a [`Bound`] names: the organisations of the trust's witnesses in its order, then the authorities of the checked stamps.
    pub organisations: Vec<String>,
    /// Cosignatures by the operator itself: labelled, raise nothing.
    pub same_operator_witnesses: Vec<String>,
    /// The log.
    pub origin: String,
    /// Size of the checkpoint.
    pub tree_size: u64,
    /// Whether the bundle stands on a roll; if not, completeness is not claimed.
    pub complete_by_roll: bool,
    /// Operations.
    pub operations: Vec<OperationReport>,
    /// Evidence and documents.
    pub items: Vec<ItemReport>,
    /// Officers' signatures.
    pub attests: Vec<AttestReport>,
    /// Values that exist and are kept back, in log order: operation and path, empty for a whole body.
    pub withheld: Vec<(OpId, String)>,
    /// Values that were lawfully disposed of, in the same form.
    pub disposed: Vec<(OpId, String)>,
    /// Operations that came after a closing: shown, set aside.
    pub late: Vec<OpId>,
    /// Files that no check rests on.
    pub not_checked: Vec<String>,
    /// Files whose hash was checked.
    pub files: usize,
    /// Bytes whose hash was checked.
    pub bytes: u64,
}
