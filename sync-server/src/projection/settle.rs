//! Quarantine as the server keeps it: which operations are set aside, why, and by which dispositions.

use std::collections::HashMap;

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{CaseId, DeviceId, InspectionId, OpId};
use serde::{Deserialize, Serialize};

use crate::ingest::OwnOperation;
use crate::ingest::assess::Reason;
use crate::ledger::{LedgerError, LedgerStore, Swap, space};

/// An operation that is, or once was, set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// `quarantined` or `released`.
    pub state: String,
    pub reason: String,
    /// Dispositions that stand, hex; a new one supersedes them all.
    pub by: Vec<String>,
    /// The supervisor's decision behind it, hex.
    pub decision: Option<String>,
    pub kind: String,
    pub device: String,
    pub incarnation: String,
    pub seq: u64,
    pub counter: u64,
    pub case: Option<String>,
    pub inspection: Option<String>,
    pub pack: Option<String>,
    pub leaf: u64,
}

impl SetAside {
    pub fn stands(&self) -> bool {
        self.state == "quarantined"
    }

    pub fn reason(&self) -> Option<Reason> {
        Reason::from_word(&self.reason)
    }

    pub(super) fn register(&self, id: &OpId) -> Result<Swap, LedgerError> {
        let value = serde_json::to_vec(self).map_err(|e| LedgerError::Corrupt(e.to_string()))?;
        Ok(Swap::set(space::QUARANTINE, *id.as_bytes(), value))
    }

    /// The disposition that says so.
    pub(super) fn disposition(&self, target: &OpId) -> OwnOperation {
        let id = |text: &String| text.parse::<OpId>().ok();
        let mut fields = vec![
            ("disposition/reason".to_owned(), Value::text(&self.reason)),
            ("disposition/state".to_owned(), Value::text(&self.state)),
            ("disposition/target".to_owned(), Value::bytes(target.as_bytes())),
        ];
        if let Some(decision) = self.decision.as_ref().and_then(id) {
            fields.push(("disposition/decision".to_owned(), Value::bytes(decision.as_bytes())));
        }
        OwnOperation {
            kind: "disposition",
            case: self.case.as_deref().and_then(|case| case.parse::<CaseId>().ok()),
            inspection: self
                .inspection
                .as_deref()
                .and_then(|inspection| inspection.parse::<InspectionId>().ok()),
            supersedes: self.by.iter().filter_map(id).collect(),
            fields,
            audience: self.device.parse::<DeviceId>().ok(),
        }
    }
}

/// Everything that was ever set aside.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn set_aside_all(ledger: &dyn LedgerStore) -> Result<HashMap<OpId, SetAside>, LedgerError> {
    let mut all = HashMap::new();
    let mut after = Vec::new();
    loop {
        let page = ledger.registers(space::QUARANTINE, after, 1_000).await?;
        let Some(last) = page.last() else { return Ok(all) };
        after = last.key.clone();
        for register in &page {
            let id = register.key.as_slice().try_into().map(OpId::from_bytes);
            let value = serde_json::from_slice(&register.value);
            let (Ok(id), Ok(value)) = (id, value) else {
                return Err(LedgerError::Corrupt("a quarantine register".into()));
            };
            all.insert(id, value);
        }
    }
}
