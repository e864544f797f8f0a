//! Read models: what a folded state says, in the words of the field. Nothing here is stored or signed.

mod case;
mod enterprise;
mod inspection;
mod orders;
mod parts;
mod people;
mod signatures;
mod similar;

pub use case::{CaseRow, CaseView};
pub use enterprise::{EnterpriseView, enterprises};
pub use inspection::{InspectionView, Stage, readable};
pub use orders::{Basis, JudgedItem, JudgedOrder, judged_orders};
pub use parts::{
    CheckView, ClashView, CredentialsView, CustodyView, DocumentView, EvidenceView, FindingView, FreezeView,
    OrderItemView, OrderView, PartyView, QuarantineView, ReturnView, SignatureView, StatementView,
};
pub use people::{Officer, People};
pub use signatures::{awaiting, unnamed_signers};
pub use similar::{CaseTrace, Similar, SimilarCases, similar_cases, similar_pairs, similar_to};

use std::fmt::Display;

use serde::Serializer;

/// Identifiers are written as their one text form.
fn as_text<T: Display, S: Serializer>(id: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(id)
}

fn as_text_opt<T: Display, S: Serializer>(id: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => to.collect_str(id),
        None => to.serialize_none(),
    }
}

fn as_texts<T: Display, S: Serializer>(ids: &[T], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(ids.iter().map(ToString::to_string))
}
