//! From operations to writes, from the writes of a path to its field.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use fieldseal_core::merge::{FieldClass, MergeKey, Outcome, Resolved, Write, resolve_path};
use fieldseal_proof::body::FieldValue;
use fieldseal_proof::cbor::{self, Value};
use fieldseal_proof::ids::{DeviceId, IncarnationId, OpId, TenantId};
use fieldseal_proof::operation::Operation;

use crate::ledger::{FieldRow, LedgerError, LedgerStore, WriteRow};

/// The scope's 16 bytes: the case, or the tenant for the registry.
pub fn scope_of(operation: &Operation, tenant: &TenantId) -> [u8; 16] {
    operation
        .header()
        .case
        .map_or(*tenant.as_bytes(), |case| *case.as_bytes())
}

/// Facts about other operations are read per operation and never merged (merge.md).
fn is_fact(path: &str) -> bool {
    matches!(
        path.split('/').next(),
        Some("" | "attest" | "disposition" | "closing" | "roll")
    )
}

/// The writes of an operation.
pub(super) fn writes_of(operation: &Operation, id: OpId, leaf: u64, tenant: &TenantId) -> Vec<WriteRow> {
    let Some(body) = operation.body() else {
        return Vec::new();
    };
    let header = operation.header();
    let scope = scope_of(operation, tenant);
    let key = [
        &header.hlc_ms.to_be_bytes()[..],
        &header.hlc_counter.to_be_bytes(),
        header.device.as_bytes(),
        header.incarnation.as_bytes(),
        &header.seq.to_be_bytes(),
    ]
    .concat();
    let row = |path: &str, value: &FieldValue| WriteRow {
        scope,
        path: path.to_owned(),
        op: id,
        leaf,
        value: match value {
            FieldValue::Shown { value, .. } => Some(value.clone()),
            FieldValue::Withheld(_) => None,
        },
        key: key.clone(),
        supersedes: header.supersedes.clone(),
    };
    body.fields()
        .iter()
        .filter(|field| !is_fact(&field.path))
        .map(|field| row(&field.path, &field.value))
        .collect()
}

/// Folds these paths again from all their writes: those stored and those `fresh` ones that are about to be.
pub async fn refold(
    ledger: &dyn LedgerStore,
    touched: &BTreeSet<([u8; 16], String)>,
    fresh: &[WriteRow],
    set_aside: &(dyn Fn(&OpId) -> bool + Sync),
) -> Result<Vec<FieldRow>, LedgerError> {
    let mut by_scope: HashMap<[u8; 16], Vec<String>> = HashMap::new();
    for (scope, path) in touched {
        by_scope.entry(*scope).or_default().push(path.clone());
    }
    let mut grouped: HashMap<([u8; 16], String), Vec<WriteRow>> = HashMap::new();
    for (scope, paths) in by_scope {
        for row in ledger.writes(scope, paths).await? {
            grouped.entry((scope, row.path.clone())).or_default().push(row);
        }
    }
    for row in fresh {
        let key = (row.scope, row.path.clone());
        if touched.contains(&key) {
            grouped.entry(key).or_default().push(row.clone());
        }
    }
    let named: HashSet<OpId> = grouped
        .values()
        .flatten()
        .flat_map(|row| row.supersedes.iter().copied())
        .collect();
    let known: HashSet<OpId> = ledger.held(named.into_iter().collect()).await?.into_iter().collect();
    let rows = touched.iter().map(|(scope, path)| {
        let writes: Vec<Write> = grouped
            .get(&(*scope, path.clone()))
            .into_iter()
            .flatten()
            .filter_map(|row| to_write(row, set_aside(&row.op)))
            .collect();
        let resolved = resolve_path(FieldClass::of(path), &writes, |id| known.contains(id));
        field_row(*scope, path, &resolved)
    });
    Ok(rows.collect())
}

fn to_write(row: &WriteRow, quarantined: bool) -> Option<Write> {
    let key = &row.key;
    let eight = |at: usize| {
        key.get(at..at + 8)
            .and_then(|b| b.try_into().ok())
            .map(u64::from_be_bytes)
    };
    let sixteen = |at: usize| key.get(at..at + 16).and_then(|b| <[u8; 16]>::try_from(b).ok());
    Some(Write {
        id: row.op,
        key: MergeKey {
            hlc_ms: eight(0)?,
            hlc_counter: u16::from_be_bytes(key.get(8..10)?.try_into().ok()?),
            device: DeviceId::from_bytes(sixteen(10)?),
            incarnation: IncarnationId::from_bytes(sixteen(26)?),
            seq: eight(42)?,
        },
        value: row.value.clone(),
        supersedes: Arc::from(row.supersedes.as_slice()),
        quarantined,
    })
}

pub(crate) fn field_row(scope: [u8; 16], path: &str, resolved: &Resolved) -> FieldRow {
    let outcome = match &resolved.outcome {
        Outcome::Absent => "absent",
        Outcome::Single(_) => "single",
        Outcome::Set(_) => "set",
        Outcome::List(_) => "list",
        Outcome::Conflict(_) => "conflict",
        Outcome::Contradiction(_) => "contradiction",
    };
    let held = resolved.held().iter().map(|held| {
        let ids = held.by.iter().map(|id| Value::bytes(id.as_bytes())).collect();
        Value::Array(vec![
            Value::bytes(held.value.as_deref().unwrap_or_default()),
            Value::Array(ids),
        ])
    });
    FieldRow {
        scope,
        path: path.to_owned(),
        class: resolved.class.name().to_owned(),
        outcome: outcome.to_owned(),
        provisional: resolved.provisional,
        held: cbor::encode(&Value::Array(held.collect())),
    }
}

/// The values of a stored field with the operations that hold them; `None` for a withheld value.
pub(crate) fn values_of(row: &FieldRow) -> Vec<(Option<Value>, Vec<OpId>)> {
    let Ok(Value::Array(held)) = cbor::decode(&row.held) else {
        return Vec::new();
    };
    let one = |value: &Value| {
        let [Value::Bytes(bytes), Value::Array(ids)] = value.as_array()? else {
            return None;
        };
        let ids = ids
            .iter()
            .filter_map(|id| id.as_bytes().and_then(|b| b.try_into().ok()).map(OpId::from_bytes))
            .collect();
        Some((
            if bytes.is_empty() {
                None
            } else {
                cbor::decode(bytes).ok()
            },
            ids,
        ))
    };
    held.iter().filter_map(one).collect()
}

/// The writes of an operation for a fold from scratch, by path.
pub(crate) fn merge_writes(operation: &Operation, id: OpId, quarantined: bool) -> Vec<(String, Write)> {
    let rows = writes_of(operation, id, 0, &operation.header().tenant);
    rows.iter()
        .filter_map(|row| Some((row.path.clone(), to_write(row, quarantined)?)))
        .collect()
}
