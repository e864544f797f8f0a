//! The case register (案卷台账): one line for each case, kept with every step.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{CaseId, DeviceId, EnterpriseId, OfficerId, OpId};
use serde::{Deserialize, Serialize};

use super::fold::values_of;
use super::lines::DocumentLine;
use super::settle::SetAside;
use crate::ledger::{FieldRow, LedgerError, LedgerStore, Swap, space};

/// A line of the register.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseSummary {
    pub case: String,
    pub party: Option<String>,
    pub credit_code: Option<String>,
    pub title: Option<String>,
    pub place: Option<String>,
    pub planned: Option<String>,
    pub devices: Vec<String>,
    pub officers: Vec<String>,
    pub findings: usize,
    pub documents: usize,
    pub evidence: usize,
    /// Named by an operation, not arrived yet.
    pub evidence_missing: usize,
    pub conflicts: usize,
    pub quarantined: usize,
    pub inspections: usize,
    pub closed: usize,
    #[serde(default)]
    pub enterprise: Option<String>,
    #[serde(default)]
    pub address: Option<String>,
    /// `planned`, `in_progress`, `closed` or `returned`.
    #[serde(default)]
    pub stage: String,
    /// Numbers of its documents.
    #[serde(default)]
    pub numbers: Vec<String>,
    /// The pack's ids of the violations in its findings.
    #[serde(default)]
    pub violations: Vec<String>,
    /// Due dates of its orders' items, ascending; without those of which nothing is left to do.
    #[serde(default)]
    pub dues: Vec<String>,
    /// Items of its orders.
    #[serde(default)]
    pub ordered: usize,
    /// Those of which nothing is left to do, as the beginnings of their paths.
    #[serde(default)]
    pub fulfilled: BTreeSet<String>,
    /// Server clock, milliseconds since 1970: when something of it last arrived.
    #[serde(default)]
    pub seen_ms: u64,
}

/// The stages in the order of their rank.
pub const STAGES: [&str; 4] = ["planned", "in_progress", "closed", "returned"];

impl CaseSummary {
    /// Sums up the stored fields, with `fresh` ones in place of theirs. `closings`: inspections that this step closes or opens again.
    /// `fulfilled`: ordered items that are settled, as the beginnings of their paths.
    pub(super) async fn of(
        ledger: &dyn LedgerStore,
        case: CaseId,
        fresh: &[FieldRow],
        set_aside: &HashMap<OpId, SetAside>,
        closings: &HashMap<[u8; 16], Option<OpId>>,
        fulfilled: &BTreeSet<String>,
        seen_ms: Option<u64>,
    ) -> Result<(Self, Vec<DocumentLine>), LedgerError> {
        let scope = *case.as_bytes();
        let stored = ledger.fields(scope, String::new()).await?;
        let mut fields: BTreeMap<&str, &FieldRow> = stored.iter().map(|row| (row.path.as_str(), row)).collect();
        for row in fresh.iter().filter(|row| row.scope == scope) {
            fields.insert(&row.path, row);
        }
        fields.retain(|_, row| row.outcome != "absent");
        let text = |path: &str| {
            let (value, _) = fields
                .get(path)
                .map(|row| values_of(row))
                .into_iter()
                .flatten()
                .next()?;
            value.and_then(|value| value.as_text().map(str::to_owned))
        };
        let ids = |path: &str| -> Vec<[u8; 16]> {
            let values = fields.get(path).map(|row| values_of(row)).unwrap_or_default();
            let flat = values
                .into_iter()
                .filter_map(|(value, _)| value)
                .flat_map(|value| match value {
                    Value::Array(all) => all,
                    one => vec![one],
                });
            flat.filter_map(|value| value.as_bytes().and_then(|bytes| bytes.try_into().ok()))
                .collect()
        };
        let count = |prefix: &str, suffix: &str| {
            fields
                .keys()
                .filter(|path| path.starts_with(prefix) && path.ends_with(suffix))
                .count()
        };
        let (mut missing, mut evidence) = (0, 0);
        for (path, row) in fields
            .range("evidence/".."evidence0")
            .filter(|(path, _)| path.ends_with("/sha256"))
        {
            evidence += 1;
            let hash = values_of(row)
                .into_iter()
                .find_map(|(value, _)| value?.as_bytes().map(<[u8]>::to_vec));
            let arrived = match hash {
                Some(hash) => ledger.register(space::BLOB, hash).await?.is_some(),
                None => path.is_empty(),
            };
            missing += usize::from(!arrived);
        }
        let name = case.to_string();
        let seen_ms = match seen_ms {
            Some(seen_ms) => seen_ms,
            None => seen_before(ledger, case).await?,
        };
        let below = |prefix: &str, suffix: &str| -> Vec<String> {
            let paths = fields
                .keys()
                .filter(|path| path.starts_with(prefix) && path.ends_with(suffix));
            let mut all: Vec<String> = paths.filter_map(|path| text(path)).collect();
            all.sort_unstable();
            all
        };
        let mut violations = below("finding/", "/violation");
        violations.dedup();
        let documents: Vec<DocumentLine> = fields
            .keys()
            .filter_map(|path| {
                let id = path.strip_prefix("document/")?.strip_suffix("/number")?;
                Some(DocumentLine {
                    document: id.to_owned(),
                    case: name.clone(),
                    kind: text(&format!("document/{id}/type")),
                    number: text(path)?,
                    party: text("party/name"),
                })
            })
            .collect();
        let begun = ["check/", "credentials/", "evidence/", "finding/", "statement/"]
            .iter()
            .any(|prefix| fields.keys().any(|path| path.starts_with(prefix)));
        let returned = fields.keys().any(|path| path.starts_with("return/"));
        let streams = ledger.streams_of(case).await?;
        let mut inspections: Vec<[u8; 16]> = streams
            .iter()
            .map(|head| head.stream)
            .filter(|stream| *stream != scope)
            .collect();
        inspections.sort_unstable();
        inspections.dedup();
        let mut closed = 0;
        for inspection in &inspections {
            closed += usize::from(match closings.get(inspection) {
                Some(now) => now.is_some(),
                None => ledger.register(space::CLOSING, inspection.to_vec()).await?.is_some(),
            });
        }
        let stage = match closed {
            all if all > 0 && all == inspections.len() => STAGES[2],
            _ if returned => STAGES[3],
            _ if begun => STAGES[1],
            _ => STAGES[0],
        };
        let open = fields.keys().filter(|path| {
            let due = path.starts_with("order/").then(|| path.strip_suffix("due")).flatten();
            due.is_some_and(|item| !fulfilled.contains(item))
        });
        let mut dues: Vec<String> = open.filter_map(|path| text(path)).collect();
        dues.sort_unstable();
        let summary = Self {
            party: text("party/name"),
            credit_code: text("party/credit_code"),
            title: text("inspection/title"),
            place: text("inspection/place"),
            planned: text("inspection/planned"),
            devices: ids("inspection/device")
                .into_iter()
                .map(|id| DeviceId::from_bytes(id).to_string())
                .collect(),
            officers: ids("inspection/officer")
                .into_iter()
                .map(|id| OfficerId::from_bytes(id).to_string())
                .collect(),
            findings: count("finding/", "/text"),
            documents: count("document/", "/type"),
            evidence,
            evidence_missing: missing,
            conflicts: fields
                .values()
                .filter(|row| row.outcome == "conflict" || row.outcome == "contradiction")
                .count(),
            quarantined: set_aside
                .values()
                .filter(|aside| aside.stands() && aside.case.as_ref() == Some(&name))
                .count(),
            inspections: inspections.len(),
            closed,
            enterprise: ids("inspection/enterprise")
                .first()
                .map(|id| EnterpriseId::from_bytes(*id).to_string()),
            address: text("party/address"),
            stage: stage.to_owned(),
            numbers: documents.iter().map(|document| document.number.clone()).collect(),
            violations,
            dues,
            ordered: count("order/", "/text"),
            fulfilled: fulfilled.clone(),
            seen_ms,
            case: name,
        };
        Ok((summary, documents))
    }

    /// The place of its stage in [`STAGES`].
    pub fn stage_rank(&self) -> u8 {
        STAGES.iter().position(|stage| *stage == self.stage).unwrap_or_default() as u8
    }

    /// Conflicts, operations set aside, files that did not arrive.
    pub fn problems(&self) -> u64 {
        (self.conflicts + self.quarantined + self.evidence_missing) as u64
    }

    pub(super) fn register(&self) -> Result<Swap, LedgerError> {
        let value = serde_json::to_vec(self).map_err(|e| LedgerError::Corrupt(e.to_string()))?;
        let key = self
            .case
            .parse::<CaseId>()
            .map_err(|e| LedgerError::Corrupt(e.to_string()))?;
        Ok(Swap::set(space::CASE, *key.as_bytes(), value))
    }
}

/// When something of the case last arrived, as its line says so far.
async fn seen_before(ledger: &dyn LedgerStore, case: CaseId) -> Result<u64, LedgerError> {
    Ok(held(ledger, case).await?.map_or(0, |summary| summary.seen_ms))
}

/// The line of a case as it was last written.
pub(super) async fn held(ledger: &dyn LedgerStore, case: CaseId) -> Result<Option<CaseSummary>, LedgerError> {
    let row = ledger.register(space::CASE, case.as_bytes().to_vec()).await?;
    Ok(row.and_then(|row| serde_json::from_slice(&row.value).ok()))
}
