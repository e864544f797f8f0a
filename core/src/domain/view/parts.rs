//! The parts of an inspection as a view shows them.

use fieldseal_proof::ids::{
    BlobHash, DocumentId, EnterpriseId, EvidenceId, FindingId, InspectionId, ItemId, OfficerId, OpId,
};
use serde::Serialize;

use super::{as_text, as_text_opt, as_texts};
use crate::domain::Strokes;

/// The inspected party, as recorded in the inspection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PartyView {
    #[serde(serialize_with = "as_text_opt")]
    pub enterprise: Option<EnterpriseId>,
    pub name: Option<String>,
    pub credit_code: Option<String>,
    pub address: Option<String>,
    pub head: Option<String>,
    pub position: Option<String>,
    pub phone: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CredentialsView {
    #[serde(serialize_with = "as_text")]
    pub operation: OpId,
    #[serde(serialize_with = "as_texts")]
    pub officers: Vec<OfficerId>,
    pub certificates: Vec<String>,
    pub shown_to: Option<String>,
    pub told: Option<String>,
    /// The device's clock: a claim.
    pub wall_ms: u64,
    pub awaiting: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckView {
    pub item: String,
    /// `None` while nobody answered or two answers stand side by side.
    pub result: Option<String>,
    pub note: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FindingView {
    #[serde(serialize_with = "as_text")]
    pub finding: FindingId,
    pub text: Option<String>,
    pub grade: Option<String>,
    pub item: Option<String>,
    pub violation: Option<String>,
    pub clause: Option<String>,
    pub place: Option<String>,
    /// Named in the finding, or sealed for it.
    #[serde(serialize_with = "as_texts")]
    pub evidence: Vec<EvidenceId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EvidenceView {
    #[serde(serialize_with = "as_text")]
    pub evidence: EvidenceId,
    #[serde(serialize_with = "as_text")]
    pub operation: OpId,
    #[serde(serialize_with = "as_text_opt")]
    pub sha256: Option<BlobHash>,
    pub size: Option<u64>,
    pub media_type: Option<String>,
    pub kind: Option<String>,
    pub acquisition: Option<String>,
    pub title: Option<String>,
    pub proves: Option<String>,
    pub collector: Option<String>,
    pub original_name: Option<String>,
    /// The device's clock: a claim.
    pub claimed_ms: Option<u64>,
    pub latitude_e7: Option<i64>,
    pub longitude_e7: Option<i64>,
    pub accuracy_m: Option<u64>,
    /// What the file says about itself.
    pub exif_time: Option<String>,
    pub exif_latitude_e7: Option<i64>,
    pub exif_longitude_e7: Option<i64>,
    pub exif_device: Option<String>,
    pub duration_ms: Option<u64>,
    #[serde(serialize_with = "as_text_opt")]
    pub finding: Option<FindingId>,
    #[serde(serialize_with = "as_text_opt")]
    pub derived_from: Option<EvidenceId>,
    #[serde(serialize_with = "as_text_opt")]
    pub transcript_of: Option<EvidenceId>,
    /// Oldest first.
    pub custody: Vec<CustodyView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CustodyView {
    #[serde(serialize_with = "as_text")]
    pub operation: OpId,
    pub event: String,
    pub by: Option<String>,
    pub note: Option<String>,
    pub wall_ms: u64,
    #[serde(serialize_with = "as_texts")]
    pub evidence: Vec<EvidenceId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatementView {
    #[serde(serialize_with = "as_text")]
    pub statement: ItemId,
    pub person: Option<String>,
    pub role: Option<String>,
    pub lines: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderView {
    #[serde(serialize_with = "as_text")]
    pub order: ItemId,
    pub items: Vec<OrderItemView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderItemView {
    #[serde(serialize_with = "as_text")]
    pub item: ItemId,
    pub text: Option<String>,
    pub due: Option<String>,
    pub clause: Option<String>,
    pub grade: Option<String>,
    #[serde(serialize_with = "as_text_opt")]
    pub finding: Option<FindingId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DocumentView {
    #[serde(serialize_with = "as_text")]
    pub document: DocumentId,
    #[serde(serialize_with = "as_text")]
    pub operation: OpId,
    pub kind: Option<String>,
    pub number: Option<String>,
    #[serde(serialize_with = "as_text_opt")]
    pub pdf_sha256: Option<BlobHash>,
    pub pages: Option<u64>,
    /// Roles and officers whose key signature is missing.
    pub awaiting: Vec<String>,
    /// Roles that have neither signed the document itself nor refused to.
    pub unsigned: Vec<String>,
    pub signatures: Vec<SignatureView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignatureView {
    #[serde(serialize_with = "as_text")]
    pub operation: OpId,
    pub role: Option<String>,
    pub name: Option<String>,
    /// `signed` or `refused`.
    pub outcome: Option<String>,
    #[serde(serialize_with = "as_text_opt")]
    pub pdf_sha256: Option<BlobHash>,
    #[serde(serialize_with = "as_text_opt")]
    pub signed_pdf_sha256: Option<BlobHash>,
    pub reason: Option<String>,
    pub witness: Option<String>,
    #[serde(serialize_with = "as_text_opt")]
    pub evidence: Option<EvidenceId>,
    #[serde(skip)]
    pub strokes: Option<Strokes>,
    /// Whether the signer was shown the very PDF that was issued.
    pub same_pdf: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReturnView {
    #[serde(serialize_with = "as_text")]
    pub operation: OpId,
    #[serde(serialize_with = "as_text_opt")]
    pub inspection: Option<InspectionId>,
    pub reason: Option<String>,
    pub items: Vec<String>,
    pub wall_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FreezeView {
    #[serde(serialize_with = "as_text")]
    pub operation: OpId,
    #[serde(serialize_with = "as_texts")]
    pub evidence: Vec<EvidenceId>,
    pub reason: Option<String>,
    pub wall_ms: u64,
}

/// Values that stand side by side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClashView {
    pub path: String,
    /// A person can settle it; otherwise it is a contradiction.
    pub decidable: bool,
    /// Each value in readable form with the operations that hold it. A withheld value is `null`.
    pub values: Vec<(Option<String>, Vec<String>)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuarantineView {
    #[serde(serialize_with = "as_text")]
    pub operation: OpId,
    pub kind: String,
    pub reason: String,
}
