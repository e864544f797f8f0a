//! A case as JSON for a supervisor's screen: derived, unsigned, with conflicts and quarantine in plain sight.

use std::collections::BTreeMap;

use fieldseal_core::merge::{Fold, Scope};
use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{CaseId, DeviceId, OpId, to_hex};
use fieldseal_proof::key_log::KeyLog;
use fieldseal_proof::operation::Operation;
use serde_json::{Value as Json, json};

use super::fold::{field_row, values_of};
use super::settle::set_aside_all;
use crate::ledger::{FieldRow, LedgerError, LedgerStore, space};

/// The folded view of a case; `None` when nothing of it is held.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn case_view(ledger: &dyn LedgerStore, case: CaseId, as_of: u64) -> Result<Option<Json>, LedgerError> {
    let Some(summary) = ledger.register(space::CASE, case.as_bytes().to_vec()).await? else {
        return Ok(None);
    };
    let summary: Json = serde_json::from_slice(&summary.value).map_err(|e| LedgerError::Corrupt(e.to_string()))?;
    let fields = ledger.fields(*case.as_bytes(), String::new()).await?;
    let name = case.to_string();
    let mut quarantine = Vec::new();
    for (id, aside) in set_aside_all(ledger)
        .await?
        .into_iter()
        .filter(|(_, aside)| aside.case.as_ref() == Some(&name))
    {
        quarantine.push(json!({ "id": id.to_string(), "state": aside.state, "reason": aside.reason, "kind": aside.kind, "device": aside.device,
            "seq": aside.seq, "leaf": aside.leaf, "decision": aside.decision }));
    }
    quarantine.sort_by_key(|entry| entry["leaf"].as_u64());
    let mut blobs = Vec::new();
    let mut refs = ledger.blobs_of(case).await?;
    refs.sort_by_key(|r| r.sha256);
    refs.dedup_by_key(|r| r.sha256);
    for named in refs {
        let arrived = ledger.register(space::BLOB, named.sha256.to_vec()).await?.is_some();
        blobs.push(json!({ "sha256": to_hex(&named.sha256), "device": named.device.to_string(), "arrived": arrived }));
    }
    Ok(Some(json!({
        "case": name,
        "as_of": as_of,
        "summary": summary,
        "fields": fields.iter().map(field_json).collect::<Vec<_>>(),
        "conflicts": fields.iter().filter(|row| blocks(row)).map(|row| row.path.clone()).collect::<Vec<_>>(),
        "quarantine": quarantine,
        "blobs": blobs,
    })))
}

/// The same of a case's operations alone, each with its leaf: what they come to under a checkpoint of `size` leaves, whatever came
/// later.
pub fn view_under<'a>(
    case: CaseId,
    size: u64,
    operations: impl IntoIterator<Item = (u64, &'a Operation)>,
    keys: &KeyLog,
) -> Json {
    let servers = keys.keys().filter(|(_, key)| key.is_servers());
    let mut fold = Fold::new(
        Scope::Case(case),
        servers.filter_map(|(_, key)| key.subject.map(DeviceId::from_bytes)),
    );
    let mut leaves: BTreeMap<OpId, u64> = BTreeMap::new();
    for (leaf, operation) in operations {
        fold.add(operation);
        leaves.insert(operation.id(), leaf);
    }
    let state = fold.state();
    let fields: Vec<FieldRow> = state
        .paths()
        .map(|(path, resolved)| field_row(*case.as_bytes(), path, resolved))
        .filter(|row| row.outcome != "absent")
        .collect();
    let quarantine = state.quarantine().iter().map(|(id, aside)| {
        let kind = state.operation(id).map(|fact| fact.kind.clone());
        json!({ "id": id.to_string(), "reason": aside.reason, "kind": kind, "leaf": leaves.get(id),
            "by": aside.by.iter().map(OpId::to_string).collect::<Vec<_>>() })
    });
    let summary: serde_json::Map<String, Json> = [
        ("party", "party/name"),
        ("credit_code", "party/credit_code"),
        ("title", "inspection/title"),
        ("place", "inspection/place"),
        ("planned", "inspection/planned"),
    ]
    .map(|(name, path)| (name.to_owned(), json!(state.text(path))))
    .into_iter()
    .collect();
    json!({
        "case": case.to_string(),
        "as_of": size,
        "summary": summary,
        "fields": fields.iter().map(field_json).collect::<Vec<_>>(),
        "conflicts": fields.iter().filter(|row| blocks(row)).map(|row| row.path.clone()).collect::<Vec<_>>(),
        "quarantine": quarantine.collect::<Vec<_>>(),
    })
}

fn blocks(row: &FieldRow) -> bool {
    row.outcome == "conflict" || row.outcome == "contradiction"
}

fn field_json(row: &FieldRow) -> Json {
    let values = values_of(row).into_iter().map(|(value, by)| {
        let withheld = value.is_none();
        json!({ "value": value.as_ref().map(value_json), "withheld": withheld, "by": by.iter().map(OpId::to_string).collect::<Vec<_>>() })
    });
    json!({ "path": row.path, "class": row.class, "outcome": row.outcome, "provisional": row.provisional, "values": values.collect::<Vec<_>>() })
}

/// A value for people: byte strings in hex.
pub(crate) fn value_json(value: &Value) -> Json {
    match value {
        Value::Uint(n) => json!(n),
        Value::Text(text) => json!(text),
        Value::Bool(flag) => json!(flag),
        Value::Bytes(bytes) => json!({ "bytes": to_hex(bytes) }),
        Value::Array(all) => Json::Array(all.iter().map(value_json).collect()),
        other => other.as_int().map_or(Json::Null, |n| json!(n)),
    }
}
