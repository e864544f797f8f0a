//! Folded state as actions need it: one case, an enterprise, the heads of paths.

use std::collections::BTreeMap;

use fieldseal_core::merge::{Fold, Scope, State};
use fieldseal_core::pack::{PackFile, RulePack};
use fieldseal_proof::cbor::{self, Value};
use fieldseal_proof::checkpoint::{AttestationKind, anchor as anchor_of};
use fieldseal_proof::ids::{Anchor, CaseId, EnterpriseId, OpId};
use fieldseal_proof::operation::{Header, Operation};

use super::super::error::PageError;
use crate::api::App;
use crate::ledger::space;
use crate::projection::CaseSummary;

/// A case folded from its operations; `None` when nothing of it is held.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn of(app: &App, case: CaseId) -> Result<Option<State>, PageError> {
    let server = &app.server;
    let mut fold = Fold::new(Scope::Case(case), [server.keys.device]);
    let mut found = false;
    for row in server.ledger.operations_of(case).await? {
        if let Ok(operation) = Operation::parse(&row.frame) {
            found |= fold.add(&operation);
        }
    }
    Ok(found.then(|| fold.state()))
}

/// What the registry knows of an enterprise: the texts that stand for each of its fields. `None` for one that nobody recorded.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn enterprise(app: &App, id: EnterpriseId) -> Result<Option<BTreeMap<String, Vec<String>>>, PageError> {
    let prefix = format!("enterprise/{id}/");
    let rows = app
        .server
        .ledger
        .fields(*app.server.ingest.tenant().as_bytes(), prefix.clone())
        .await?;
    let known = rows.into_iter().map(|row| {
        let name = row.path.trim_start_matches(&prefix).to_owned();
        (
            name,
            values(&row.held)
                .iter()
                .filter_map(|value| value.as_text().map(str::to_owned))
                .collect(),
        )
    });
    let known: BTreeMap<String, Vec<String>> = known.collect();
    Ok((!known.is_empty()).then_some(known))
}

/// The party of a case by the register; the case's id where no party is recorded.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn party_name(app: &App, case: &str) -> Result<String, PageError> {
    let Ok(id) = case.parse::<CaseId>() else {
        return Ok(case.to_owned());
    };
    let row = app.server.ledger.register(space::CASE, id.as_bytes().to_vec()).await?;
    let summary = row.and_then(|row| serde_json::from_slice::<CaseSummary>(&row.value).ok());
    Ok(summary
        .and_then(|summary| summary.party)
        .unwrap_or_else(|| case.to_owned()))
}

/// The values of a stored field that are not withheld.
pub fn values(held: &[u8]) -> Vec<Value> {
    let decoded = cbor::decode(held).ok();
    let pairs = decoded.as_ref().and_then(Value::as_array).unwrap_or_default();
    let bytes = pairs.iter().filter_map(|pair| pair.as_array()?.first()?.as_bytes());
    bytes.filter_map(|bytes| cbor::decode(bytes).ok()).collect()
}

/// The header of an operation.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn header(app: &App, id: OpId) -> Result<Option<Header>, PageError> {
    let rows = app.server.ledger.operation(id).await?;
    let operation = rows.first().and_then(|row| Operation::parse(&row.frame).ok());
    Ok(operation.map(|operation| operation.header().clone()))
}

/// The operations that hold the written paths now: what the author saw.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn heads(app: &App, case: Option<CaseId>, fields: &[(String, Value)]) -> Result<Vec<OpId>, PageError> {
    let scope = case.map_or(*app.server.ingest.tenant().as_bytes(), |case| *case.as_bytes());
    let mut heads = Vec::new();
    for (path, _) in fields {
        for row in app.server.ledger.fields(scope, path.clone()).await? {
            if row.path == *path {
                heads.extend(holders(&row.held));
            }
        }
    }
    heads.sort_unstable();
    heads.dedup();
    Ok(heads)
}

/// The ids in a stored field: `[[value, [id…]]…]`.
pub fn holders(held: &[u8]) -> Vec<OpId> {
    let decoded = cbor::decode(held).ok();
    let values = decoded.as_ref().and_then(Value::as_array).unwrap_or_default();
    let ids = values.iter().filter_map(|value| value.as_array()?.get(1)?.as_array());
    ids.flatten()
        .filter_map(|id| id.as_bytes()?.try_into().ok().map(OpId::from_bytes))
        .collect()
}

/// The time attestation that the console holds: the server's own note, which proves no more than the server's word.
///
/// # Errors
/// When a new note cannot be stored.
pub async fn anchor(app: &App) -> Result<Option<Anchor>, PageError> {
    let note = app.server.time.current().await.map_err(|e| PageError::internal(&e))?;
    Ok((!note.is_empty()).then(|| anchor_of(AttestationKind::TimeNote, &note)))
}

/// The rule pack that new inspections get: the newest of those published that is in force today.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn pack(app: &App) -> Result<Option<RulePack>, PageError> {
    let today = super::super::words::at(app.server.clock.now().wall_ms, "%Y-%m-%d");
    let today = fieldseal_core::domain::Day::parse("planned", &today).map_err(|e| PageError::broken(e.code()))?;
    let rows = app
        .server
        .ledger
        .registers(space::PACK, Vec::new(), usize::MAX >> 1)
        .await?;
    let packs = rows
        .iter()
        .filter_map(|row| PackFile::decode(&row.value).ok())
        .filter_map(|file| RulePack::parse(file.pack()).ok())
        .filter(|pack| pack.in_force(today));
    Ok(packs.max_by(|a, b| a.head().version.cmp(&b.head().version).then(a.hash().cmp(&b.hash()))))
}
