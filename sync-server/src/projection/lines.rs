//! The lines by which people find things, from the folded fields.

use std::collections::BTreeSet;

use fieldseal_core::domain::Day;
use fieldseal_core::domain::view::EnterpriseView;
use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{CaseId, DeviceId, DocumentId, EnterpriseId, OfficerId};
use serde::{Deserialize, Serialize};

use super::CaseSummary;
use super::fold::values_of;
use crate::ledger::{FieldRow, LedgerError, LedgerStore, LineKind, LineRow, tag};

/// What a list shows of an enterprise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnterpriseLine {
    pub enterprise: String,
    /// All names that stand side by side.
    pub names: Vec<String>,
    pub credit_codes: Vec<String>,
    pub address: Option<String>,
    pub head: Option<String>,
    /// It was joined into this one.
    pub same_as: Option<String>,
}

impl EnterpriseLine {
    /// As a record that is compared with others.
    pub fn view(&self) -> Option<EnterpriseView> {
        Some(EnterpriseView {
            enterprise: self.enterprise.parse().ok()?,
            joined: Vec::new(),
            names: self.names.clone(),
            credit_codes: self.credit_codes.clone(),
            credit_code_raw: None,
            address: self.address.clone(),
            head: self.head.clone(),
            phone: None,
            industry: None,
        })
    }
}

/// What a list shows of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentLine {
    pub document: String,
    pub case: String,
    /// The pack's id of its kind.
    pub kind: Option<String>,
    pub number: String,
    pub party: Option<String>,
}

/// Days since 1970-01-01 of a date as it is written.
pub fn day_number(text: &str) -> Option<i32> {
    let epoch = Day::parse("date", "1970-01-01").ok()?;
    i32::try_from(Day::parse("date", text).ok()?.days_after(epoch)).ok()
}

/// The line of a case, and of each of its documents that has a number.
pub(super) fn of_case(summary: &CaseSummary, case: CaseId, documents: &[DocumentLine]) -> Vec<LineRow> {
    let scope = *case.as_bytes();
    let ids = |kind: char, ids: &[String], bytes: fn(&str) -> Option<[u8; 16]>| -> Vec<String> {
        ids.iter()
            .filter_map(|id| bytes(id))
            .map(|id| tag(kind, &id))
            .collect::<Vec<_>>()
    };
    let mut tags = ids('o', &summary.officers, |id| {
        id.parse::<OfficerId>().ok().map(|id| *id.as_bytes())
    });
    tags.extend(ids('d', &summary.devices, |id| {
        id.parse::<DeviceId>().ok().map(|id| *id.as_bytes())
    }));
    tags.extend(
        summary
            .enterprise
            .iter()
            .filter_map(|id| id.parse::<EnterpriseId>().ok())
            .map(|id| tag('e', id.as_bytes())),
    );
    tags.extend(summary.violations.iter().map(|id| tag('v', id.as_bytes())));
    let texts = [
        &summary.party,
        &summary.credit_code,
        &summary.address,
        &summary.title,
        &summary.place,
    ];
    let mut texts: Vec<String> = texts.into_iter().flatten().cloned().collect();
    texts.extend(summary.numbers.iter().cloned());
    texts.push(summary.case.clone());
    let due = summary.dues.iter().filter_map(|due| day_number(due)).min();
    let mut rows = vec![LineRow {
        kind: LineKind::Case,
        id: scope,
        scope,
        stage: summary.stage_rank(),
        due,
        day: summary.planned.as_deref().and_then(day_number),
        seen_ms: summary.seen_ms,
        problems: summary.problems(),
        texts,
        tags,
        shown: Vec::new(),
    }];
    rows.extend(documents.iter().filter_map(|document| {
        let id: DocumentId = document.document.parse().ok()?;
        Some(LineRow {
            kind: LineKind::Document,
            id: *id.as_bytes(),
            scope,
            stage: 0,
            due: None,
            day: None,
            seen_ms: summary.seen_ms,
            problems: 0,
            texts: vec![document.number.clone()],
            tags: Vec::new(),
            shown: serde_json::to_vec(document).ok()?,
        })
    }));
    rows
}

/// The enterprises whose fields changed.
pub(super) async fn of_registry(
    ledger: &dyn LedgerStore,
    tenant: [u8; 16],
    touched: &BTreeSet<([u8; 16], String)>,
    fresh: &[FieldRow],
    seen_ms: u64,
) -> Result<Vec<LineRow>, LedgerError> {
    let ids: BTreeSet<EnterpriseId> = touched
        .iter()
        .filter(|(scope, _)| *scope == tenant)
        .filter_map(|(_, path)| path.strip_prefix("enterprise/")?.split('/').next()?.parse().ok())
        .collect();
    let mut rows = Vec::with_capacity(ids.len());
    for id in ids {
        let prefix = format!("enterprise/{id}/");
        let mut fields = ledger.fields(tenant, prefix.clone()).await?;
        let changed = fresh
            .iter()
            .filter(|row| row.scope == tenant && row.path.starts_with(&prefix));
        for row in changed {
            fields.retain(|held| held.path != row.path);
            fields.push(row.clone());
        }
        rows.extend(enterprise(id, &fields, &prefix, seen_ms));
    }
    Ok(rows)
}

fn enterprise(id: EnterpriseId, fields: &[FieldRow], prefix: &str, seen_ms: u64) -> Option<LineRow> {
    let all = |field: &str| -> Vec<Value> {
        let row = fields
            .iter()
            .find(|row| row.outcome != "absent" && row.path.strip_prefix(prefix) == Some(field));
        let values = row.map(values_of).unwrap_or_default();
        values.into_iter().filter_map(|(value, _)| value).collect()
    };
    let texts_of = |field: &str| -> Vec<String> {
        all(field)
            .iter()
            .filter_map(|value| value.as_text().map(str::to_owned))
            .collect()
    };
    let shown = EnterpriseLine {
        enterprise: id.to_string(),
        names: texts_of("name"),
        credit_codes: texts_of("credit_code"),
        address: texts_of("address").pop(),
        head: texts_of("head").pop(),
        same_as: all("same_as")
            .first()
            .and_then(|value| value.as_bytes()?.try_into().ok())
            .map(|keeps| EnterpriseId::from_bytes(keeps).to_string()),
    };
    let raw = texts_of("credit_code_raw");
    let conflicts = fields
        .iter()
        .filter(|row| matches!(row.outcome.as_str(), "conflict" | "contradiction"));
    let mut texts: Vec<String> = [&shown.names, &shown.credit_codes, &raw]
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    texts.extend([&shown.address, &shown.head].into_iter().flatten().cloned());
    Some(LineRow {
        kind: LineKind::Enterprise,
        id: *id.as_bytes(),
        scope: *id.as_bytes(),
        stage: 0,
        due: None,
        day: None,
        seen_ms,
        problems: conflicts.count() as u64,
        tags: shown.same_as.iter().map(|_| "joined".to_owned()).collect(),
        shown: serde_json::to_vec(&shown).ok()?,
        texts,
    })
}
