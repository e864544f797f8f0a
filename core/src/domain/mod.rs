//! The words of the field: what an inspector, a supervisor or the server can say, checked before it is signed, and what a
//! folded state says back.
//!
//! ```text
//! typed input ──Act──▶ (kind, paths, values) ──sealed──▶ operation … fold ──▶ State ──view──▶ document data
//! ```
//!
//! No clause, grade or threshold stands here: those come from the rule pack.

mod act;
mod certificate;
mod credit_code;
mod date;
mod document;
mod evidence;
mod field_work;

pub mod import;
mod kind;
mod office;
mod place;
mod recheck;
mod refusal;
mod registry;
mod server_acts;
mod signing;
#[cfg(test)]
mod tests;
mod text;
mod typesetting;
pub mod view;

pub use act::{Act, people_array};
pub use certificate::Certificate;
pub use credit_code::{CreditCode, CreditCodeCheck};
pub use date::{Day, Minute};
pub use document::{ChainStrip, DocumentContext, document_data, obstacles, rests_on};
pub use evidence::{Acquisition, CustodyEvent, CustodyKind, EvidenceSeal, ExifClaims};
pub use field_work::{
    CheckAnswer, CheckResult, CredentialsShown, FindingRecord, InspectionPlan, Note, OrderDraft, OrderItem,
    OrderReview, Party, ReviewResult, StatementRecord, device_open,
};
pub use kind::{Author, Kind};
pub use office::{EnterpriseJoin, EscrowOpen, EvidenceFreeze, FieldDecide, InspectionReturn, QuarantineDecide};
pub use place::Position;
pub use recheck::recheck;
pub use refusal::Refusal;
pub use registry::{EnterpriseRecord, NumberLease};
pub use server_acts::{Disposition, Held, disposition, inspection_close, roll};
pub use signing::{DocumentIssue, DocumentSign, SignOutcome, Strokes};
pub use text::{Line, Paragraph};
pub use typesetting::{Typesetting, template_hash};
