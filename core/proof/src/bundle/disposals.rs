//! What is not here: withheld by whoever made the bundle, or lawfully withheld because it was disposed of.

use super::findings::Findings;
use super::operations::{Included, Operations};
use crate::body::FieldValue;
use crate::disposal::{self, Disposal};
use crate::hash::Digest32;
use crate::ids::{OpId, from_hex};

/// The disposals of a bundle that count.
pub(super) struct Disposals(Vec<(OpId, u64, Disposal)>);

/// Operation and path of values that exist and are not shown: those kept back, and those disposed of.
pub(super) type NotShown = (Vec<(OpId, String)>, Vec<(OpId, String)>);

impl Disposals {
    /// Reads them, and looks for what one took away and the bundle shows all the same.
    pub fn check(operations: &Operations, findings: &mut Findings) -> Self {
        let mut out = Self(Vec::new());
        for (id, included) in operations.of_kind(disposal::KIND) {
            let fields = included.operation.body().into_iter().flat_map(|b| b.fields());
            match Disposal::read(fields.map(|f| (f.path.clone(), included.field(&f.path)))) {
                Some(disposal) => out.0.push((*id, included.index, disposal)),
                None => findings.add("disposal.malformed", id),
            }
        }
        for (id, included) in &operations.by_id {
            let fields = included.operation.body().into_iter().flat_map(|b| b.fields());
            for field in fields.filter(|f| matches!(f.value, FieldValue::Shown { .. })) {
                if out.of_value(id, included, &field.path).is_some() {
                    findings.add_with("disposal.still_there", id, &field.path);
                }
            }
        }
        out
    }

    /// The earliest disposal of the value at a path of an operation, and its leaf index.
    pub fn of_value(&self, id: &OpId, included: &Included, path: &str) -> Option<(OpId, u64)> {
        let kind = &included.operation.header().kind;
        self.first(|d| d.target == *id && d.covers(kind, path))
    }

    /// The earliest disposal of a file that an operation seals.
    pub fn of_file(&self, id: &OpId, sha256: &str) -> Option<(OpId, u64)> {
        let hash: Option<Digest32> = from_hex(sha256).and_then(|bytes| bytes.try_into().ok());
        self.first(|d| d.target == *id && hash.is_some_and(|hash| d.blobs.contains(&hash)))
    }

    fn first(&self, what: impl Fn(&Disposal) -> bool) -> Option<(OpId, u64)> {
        let found = self.0.iter().filter(|(_, _, disposal)| what(disposal));
        found.map(|(id, index, _)| (*id, *index)).min_by_key(|(_, index)| *index)
    }

    /// Every value that is not shown, in log order.
    pub fn not_shown(&self, operations: &Operations) -> NotShown {
        let (mut withheld, mut disposed) = (Vec::new(), Vec::new());
        for (id, included) in operations.in_log_order() {
            let body = included.operation.body();
            let fields = body.into_iter().flat_map(|b| b.fields());
            let fields = fields.filter(|f| matches!(f.value, FieldValue::Withheld(_))).map(|f| f.path.clone());
            // A body that is absent as a whole stands at the empty path.
            for path in fields.chain(body.is_none().then(String::new)) {
                let room = if self.of_value(id, included, &path).is_some() { &mut disposed } else { &mut withheld };
                room.push((*id, path));
            }
        }
        (withheld, disposed)
    }
}
