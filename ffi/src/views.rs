//! What is shown of an inspection: the folded state, in the words of the field.

use fieldseal_core::device::{self as core, FieldDevice};
use fieldseal_core::domain::view::{self, Stage};
use fieldseal_core::store::{self, BlobState, OperationRow, Progress};
use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{BlobHash, InspectionId, to_hex};

use crate::error::FieldsealError;

/// Where an inspection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum InspectionStage {
    /// Assigned; nobody has recorded anything.
    Planned,
    /// At work.
    InProgress,
    /// Closed by the inspectors.
    Closed,
    /// Sent back by the supervisor.
    Returned,
}

/// How far an item has come. Three plain states; a later one includes the earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum ItemState {
    /// Signed and durable on this device.
    Sealed,
    /// The server signed a receipt for it.
    Received,
    /// Its place in the log was checked.
    InLog,
}

impl From<Progress> for ItemState {
    fn from(progress: Progress) -> Self {
        match progress {
            Progress::Sealed => Self::Sealed,
            Progress::Received => Self::Received,
            Progress::Logged => Self::InLog,
        }
    }
}

/// How many items stand in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct StateCounts {
    /// Only on this device.
    pub sealed: u64,
    /// Receipted.
    pub received: u64,
    /// In the log.
    pub in_log: u64,
}

impl StateCounts {
    fn of(progress: [u64; 3]) -> Self {
        Self {
            sealed: progress[0],
            received: progress[1],
            in_log: progress[2],
        }
    }
}

/// A line in the list of inspections.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct InspectionSummary {
    /// Inspection.
    pub inspection: String,
    /// Its case.
    pub case_id: String,
    /// Title.
    pub title: String,
    /// Name of the party.
    pub party: String,
    /// Planned day.
    pub planned: Option<String>,
    /// Closed by somebody.
    pub closed: bool,
    /// Sent back after that.
    pub returned: bool,
    /// Fields in conflict.
    pub conflicts: u64,
    /// Drafts that nobody signed yet.
    pub drafts: u64,
    /// Operations by state.
    pub progress: StateCounts,
}

impl InspectionSummary {
    pub(crate) fn of(row: &core::InspectionRow) -> Self {
        Self {
            inspection: row.inspection.to_string(),
            case_id: row.case.to_string(),
            title: row.title.clone().unwrap_or_default(),
            party: row.party.clone().unwrap_or_default(),
            planned: row.planned.clone(),
            closed: row.closed,
            returned: row.returned,
            conflicts: row.conflicts,
            drafts: row.drafts,
            progress: StateCounts::of(row.progress),
        }
    }
}

/// An edit that nobody signed yet.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Draft {
    /// Inspection.
    pub inspection: String,
    /// Field.
    pub path: String,
    /// What was typed.
    pub value: String,
    /// When, by the device's clock.
    pub edited_ms: u64,
}

impl Draft {
    pub(crate) fn of(draft: &store::Draft) -> Self {
        Self {
            inspection: draft.inspection.to_string(),
            path: draft.path.clone(),
            value: draft
                .value
                .as_text()
                .map_or_else(|| readable(&draft.value), str::to_owned),
            edited_ms: draft.edited_ms,
        }
    }
}

fn readable(value: &Value) -> String {
    match value {
        Value::Bytes(bytes) => to_hex(bytes),
        Value::Uint(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

/// An enterprise of the registry.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct EnterpriseInfo {
    /// Id.
    pub enterprise: String,
    /// Name.
    pub name: String,
    /// Credit code that passes its check.
    pub credit_code: Option<String>,
    /// Credit code as entered, where it does not.
    pub credit_code_raw: Option<String>,
    /// Address.
    pub address: Option<String>,
    /// Principal head.
    pub head: Option<String>,
    /// Phone.
    pub phone: Option<String>,
    /// The enterprise that stays, where a supervisor joined the two.
    pub same_as: Option<String>,
    /// A field has several concurrent values.
    pub conflict: bool,
}

impl EnterpriseInfo {
    pub(crate) fn of(row: &core::EnterpriseRow) -> Self {
        Self {
            enterprise: row.enterprise.map(|id| id.to_string()).unwrap_or_default(),
            name: row.name.clone().unwrap_or_default(),
            credit_code: row.credit_code.clone(),
            credit_code_raw: row.credit_code_raw.clone(),
            address: row.address.clone(),
            head: row.head.clone(),
            phone: row.phone.clone(),
            same_as: row.same_as.map(|id| id.to_string()),
            conflict: row.conflict,
        }
    }
}

/// An item of the checklist with its answer.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct CheckInfo {
    /// Item of the rule pack.
    pub item: String,
    /// `ok`, `violation` or `not_applicable`; nothing while nobody answered or two answers stand side by side.
    pub result: Option<String>,
    /// Remark.
    pub note: Option<String>,
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct FindingInfo {
    /// Id.
    pub finding: String,
    /// What was found.
    pub text: String,
    /// Grade of the rule pack.
    pub grade: Option<String>,
    /// Item of the rule pack.
    pub item: Option<String>,
    /// Clause of the rule pack.
    pub clause: Option<String>,
    /// Where on the site.
    pub place: Option<String>,
    /// Its evidence.
    pub evidence: Vec<String>,
}

/// Evidence, with how far its record and its bytes have come.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct EvidenceInfo {
    /// Id.
    pub evidence: String,
    /// The operation that names it.
    pub operation: String,
    /// `camera`, `recorder`, `imported`, `scanned` or `received`.
    pub acquisition: String,
    /// Kind of the rule pack.
    pub kind: Option<String>,
    /// What it shows.
    pub title: String,
    /// SHA-256 of the original bytes, hex.
    pub sha256: Option<String>,
    /// Number of original bytes.
    pub size: u64,
    /// Media type by content.
    pub media_type: Option<String>,
    /// When, by the device's clock: a claim.
    pub claimed_ms: Option<u64>,
    /// The finding it belongs to.
    pub finding: Option<String>,
    /// How far its record has come.
    pub state: ItemState,
    /// The server signed a receipt for the bytes.
    pub bytes_received: bool,
    /// The bytes lie on this device, unchanged as far as is known.
    pub bytes_here: bool,
}

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct StatementInfo {
    /// Id.
    pub statement: String,
    /// Who speaks.
    pub person: String,
    /// In which role.
    pub role: Option<String>,
    /// What was said.
    pub lines: Vec<String>,
}

/// One thing ordered to be put right.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct OrderItemInfo {
    /// Its order.
    pub order: String,
    /// What is to be done.
    pub text: String,
    /// By which day.
    pub due: Option<String>,
    /// Clause of the rule pack.
    pub clause: Option<String>,
    /// Grade of the rule pack.
    pub grade: Option<String>,
}

/// An order of an earlier visit to the same enterprise.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct OpenOrder {
    /// The earlier case.
    pub case_id: String,
    /// The order.
    pub order: String,
    /// What was to be done, with the day.
    pub items: Vec<OpenOrderItem>,
}

/// One thing of an open order.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct OpenOrderItem {
    /// What was to be done.
    pub text: String,
    /// By which day.
    pub due: Option<String>,
    /// `open`, `partly` or `not_fulfilled`; `fulfilled` beside others that are not.
    pub state: String,
    /// Days since the due day, while it is not fulfilled.
    pub overdue_days: Option<u64>,
}

/// A signature on a document, or its refusal.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SignatureInfo {
    /// The operation.
    pub operation: String,
    /// Role of the signer.
    pub role: String,
    /// Name.
    pub name: String,
    /// `signed` or `refused`.
    pub outcome: String,
    /// Why it was refused.
    pub reason: Option<String>,
    /// The PDF with the strokes drawn in.
    pub signed_pdf_sha256: Option<String>,
    /// The signer was shown the very PDF that was issued.
    pub same_pdf: bool,
}

/// A document.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct DocumentInfo {
    /// Id.
    pub document: String,
    /// The operation that issued it.
    pub operation: String,
    /// Kind of the rule pack.
    pub kind: String,
    /// Number in print.
    pub number: Option<String>,
    /// Hash of the PDF, to read it with `read_blob`.
    pub pdf_sha256: Option<String>,
    /// Pages.
    pub pages: u64,
    /// Roles and officers whose key signature is missing.
    pub awaiting: Vec<String>,
    /// Roles that have neither signed on the document nor refused.
    pub unsigned: Vec<String>,
    /// Signatures and refusals.
    pub signatures: Vec<SignatureInfo>,
}

/// A value of a field in conflict.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ConflictValue {
    /// In readable form; nothing when it is withheld.
    pub value: Option<String>,
    /// The operations that hold it.
    pub operations: Vec<String>,
}

/// Values that stand side by side.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Conflict {
    /// The field.
    pub path: String,
    /// A person can settle it, here or in the office.
    pub decidable: bool,
    /// The values.
    pub values: Vec<ConflictValue>,
}

/// An operation and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct OperationInfo {
    /// Id.
    pub operation: String,
    /// Kind.
    pub kind: String,
    /// Made on this device.
    pub mine: bool,
    /// When, by the device's clock: a claim.
    pub wall_ms: u64,
    /// How far it has come.
    pub state: ItemState,
    /// Place in the log, once it was checked.
    pub log_index: Option<u64>,
    /// The server set it aside; why.
    pub quarantined: Option<String>,
}

/// A receipt of the server, as it came.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Receipt {
    /// `batch` (received) or `index` (in the log).
    pub kind: String,
    /// The signed bytes.
    pub bytes: Vec<u8>,
}

/// Everything held of an inspection.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct InspectionDetail {
    /// The line in the list.
    pub summary: InspectionSummary,
    /// Where it stands.
    pub stage: InspectionStage,
    /// Where on the site.
    pub place: Option<String>,
    /// Remark.
    pub remark: Option<String>,
    /// Id of the enterprise.
    pub enterprise: Option<String>,
    /// Address of the party.
    pub address: Option<String>,
    /// Principal head of the party.
    pub head: Option<String>,
    /// Whether credentials were shown.
    pub credentials_shown: bool,
    /// The checklist, in the order of the assignment.
    pub checks: Vec<CheckInfo>,
    /// Findings.
    pub findings: Vec<FindingInfo>,
    /// Evidence.
    pub evidence: Vec<EvidenceInfo>,
    /// Statements.
    pub statements: Vec<StatementInfo>,
    /// Things ordered.
    pub orders: Vec<OrderItemInfo>,
    /// Documents.
    pub documents: Vec<DocumentInfo>,
    /// Fields in conflict.
    pub conflicts: Vec<Conflict>,
    /// Reasons of the supervisor who sent it back, oldest first.
    pub returns: Vec<String>,
    /// Orders of earlier visits to the same enterprise.
    pub open_orders: Vec<OpenOrder>,
    /// Drafts.
    pub drafts: Vec<Draft>,
    /// Every operation, in order of arrival.
    pub operations: Vec<OperationInfo>,
    /// Something that it refers to has not arrived.
    pub provisional: bool,
}

impl InspectionDetail {
    pub(crate) fn read(device: &FieldDevice, inspection: InspectionId) -> Result<Self, FieldsealError> {
        let held = device.inspection(inspection)?;
        let pack = device.pack().ok();
        let view = view::InspectionView::of(&held.state, pack.as_deref(), &device.people()?);
        let state_of = |operation: &fieldseal_proof::ids::OpId| {
            let row = held.operations.iter().find(|row| row.operation.id() == *operation);
            row.map_or(ItemState::Sealed, |row| row.progress.into())
        };
        let mut evidence = Vec::new();
        for item in &view.evidence {
            let blob = item
                .sha256
                .map(|sha256| device.store().blob(sha256))
                .transpose()?
                .flatten();
            evidence.push(evidence_of(item, state_of(&item.operation), blob.as_ref()));
        }
        // An item that nobody answered is shown as well, and one that was answered without being assigned.
        let mut checks: Vec<CheckInfo> = view.items.iter().map(|item| check_of(item, &view.checks)).collect();
        let extra = view.checks.iter().filter(|check| !view.items.contains(&check.item));
        checks.extend(extra.map(|check| check_of(&check.item, &view.checks)));
        Ok(Self {
            summary: InspectionSummary::of(&held.row),
            stage: match view.stage {
                Stage::Planned => InspectionStage::Planned,
                Stage::InProgress => InspectionStage::InProgress,
                Stage::Closed => InspectionStage::Closed,
                Stage::Returned => InspectionStage::Returned,
            },
            place: view.place.clone(),
            remark: view.remark.clone(),
            enterprise: view.party.enterprise.map(|id| id.to_string()),
            address: view.party.address.clone(),
            head: view.party.head.clone(),
            credentials_shown: !view.credentials.is_empty(),
            checks,
            findings: view.findings.iter().map(finding_of).collect(),
            evidence,
            statements: view.statements.iter().map(statement_of).collect(),
            orders: view.orders.iter().flat_map(order_items).collect(),
            documents: view.documents.iter().map(document_of).collect(),
            conflicts: view.clashes.iter().map(conflict_of).collect(),
            returns: view.returns.iter().filter_map(|one| one.reason.clone()).collect(),
            open_orders: held.open_orders.iter().map(open_order_of).collect(),
            drafts: held.drafts.iter().map(Draft::of).collect(),
            operations: held
                .operations
                .iter()
                .map(|row| operation_of(row, device, &view))
                .collect(),
            provisional: view.provisional,
        })
    }
}

fn check_of(item: &str, answered: &[view::CheckView]) -> CheckInfo {
    let answer = answered.iter().find(|check| check.item == item);
    CheckInfo {
        item: item.to_owned(),
        result: answer.and_then(|check| check.result.clone()),
        note: answer.and_then(|check| check.note.clone()),
    }
}

fn finding_of(view: &view::FindingView) -> FindingInfo {
    FindingInfo {
        finding: view.finding.to_string(),
        text: view.text.clone().unwrap_or_default(),
        grade: view.grade.clone(),
        item: view.item.clone(),
        clause: view.clause.clone(),
        place: view.place.clone(),
        evidence: view.evidence.iter().map(ToString::to_string).collect(),
    }
}

fn evidence_of(view: &view::EvidenceView, state: ItemState, blob: Option<&store::BlobRow>) -> EvidenceInfo {
    EvidenceInfo {
        evidence: view.evidence.to_string(),
        operation: view.operation.to_string(),
        acquisition: view.acquisition.clone().unwrap_or_default(),
        kind: view.kind.clone(),
        title: view.title.clone().unwrap_or_default(),
        sha256: hash_text(view.sha256),
        size: view.size.unwrap_or_default(),
        media_type: view.media_type.clone(),
        claimed_ms: view.claimed_ms,
        finding: view.finding.map(|id| id.to_string()),
        state,
        bytes_received: blob.is_some_and(|blob| blob.receipt.is_some()),
        bytes_here: blob.is_some_and(|blob| matches!(blob.state, BlobState::Sealed | BlobState::Unsealed)),
    }
}

fn statement_of(view: &view::StatementView) -> StatementInfo {
    StatementInfo {
        statement: view.statement.to_string(),
        person: view.person.clone().unwrap_or_default(),
        role: view.role.clone(),
        lines: view.lines.clone(),
    }
}

fn order_items(view: &view::OrderView) -> Vec<OrderItemInfo> {
    let items = view.items.iter().map(|item| OrderItemInfo {
        order: view.order.to_string(),
        text: item.text.clone().unwrap_or_default(),
        due: item.due.clone(),
        clause: item.clause.clone(),
        grade: item.grade.clone(),
    });
    items.collect()
}

fn open_order_of(order: &view::JudgedOrder) -> OpenOrder {
    let items = order.items.iter().map(|item| OpenOrderItem {
        text: item.text.clone().unwrap_or_default(),
        due: item.due.clone(),
        state: item.state.to_owned(),
        overdue_days: item.overdue_days,
    });
    OpenOrder {
        case_id: order.case.to_string(),
        order: order.order.to_string(),
        items: items.collect(),
    }
}

fn document_of(view: &view::DocumentView) -> DocumentInfo {
    let signatures = view.signatures.iter().map(|one| SignatureInfo {
        operation: one.operation.to_string(),
        role: one.role.clone().unwrap_or_default(),
        name: one.name.clone().unwrap_or_default(),
        outcome: one.outcome.clone().unwrap_or_default(),
        reason: one.reason.clone(),
        signed_pdf_sha256: hash_text(one.signed_pdf_sha256),
        same_pdf: one.same_pdf,
    });
    DocumentInfo {
        document: view.document.to_string(),
        operation: view.operation.to_string(),
        kind: view.kind.clone().unwrap_or_default(),
        number: view.number.clone(),
        pdf_sha256: hash_text(view.pdf_sha256),
        pages: view.pages.unwrap_or_default(),
        awaiting: view.awaiting.clone(),
        unsigned: view.unsigned.clone(),
        signatures: signatures.collect(),
    }
}

fn conflict_of(clash: &view::ClashView) -> Conflict {
    let values = clash.values.iter().map(|(value, operations)| ConflictValue {
        value: value.clone(),
        operations: operations.clone(),
    });
    Conflict {
        path: clash.path.clone(),
        decidable: clash.decidable,
        values: values.collect(),
    }
}

fn operation_of(row: &OperationRow, device: &FieldDevice, view: &view::InspectionView) -> OperationInfo {
    let (id, header) = (row.operation.id(), row.operation.header());
    let set_aside = view.quarantined.iter().find(|one| one.operation == id);
    OperationInfo {
        operation: id.to_string(),
        kind: header.kind.clone(),
        mine: header.device == device.identity().device,
        wall_ms: header.clock.wall_ms,
        state: row.progress.into(),
        log_index: row.leaf,
        quarantined: set_aside.map(|one| one.reason.clone()),
    }
}

fn hash_text(hash: Option<BlobHash>) -> Option<String> {
    hash.map(|hash| hash.to_string())
}
