//! The case register (案卷台账): one line for each case, kept with every step.

use std::collections::{BTreeMap, HashMap};

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{CaseId, DeviceId, OfficerId, OpId};
use serde::{Deserialize, Serialize};

use super::fold::values_of;
use super::settle::SetAside;
use crate::ledger::{FieldRow, LedgerError, LedgerStore, Swap, space};

/// A line of the register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
}

impl CaseSummary {
    /// Sums up the stored fields, with `fresh` ones in place of theirs.
    pub(super) async fn of(
        ledger: &dyn LedgerStore,
        case: CaseId,
        fresh: &[FieldRow],
        set_aside: &HashMap<OpId, SetAside>,
    ) -> Result<Self, LedgerError> {
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
            closed += usize::from(ledger.register(space::CLOSING, inspection.to_vec()).await?.is_some());
        }
        Ok(Self {
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
            case: name,
        })
    }

    pub(super) fn register(&self) -> Result<Swap, LedgerError> {
        let value = serde_json::to_vec(self).map_err(|e| LedgerError::Corrupt(e.to_string()))?;
        let key = self
            .case
            .parse::<CaseId>()
            .map_err(|e| LedgerError::Corrupt(e.to_string()))?;
        Ok(Swap::set(space::CASE, *key.as_bytes(), value))
    }

    /// Whether what a person typed stands in a line: every word of it, in any field, in either case.
    pub fn matches(&self, query: &str) -> bool {
        let texts = [&self.party, &self.credit_code, &self.title, &self.place, &self.planned];
        let hay: String = texts
            .into_iter()
            .flatten()
            .chain([&self.case])
            .map(|text| text.to_lowercase() + "\n")
            .collect();
        query.to_lowercase().split_whitespace().all(|word| hay.contains(word))
    }
}
