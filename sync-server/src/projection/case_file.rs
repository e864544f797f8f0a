//! One case read whole: its operations in order, the state they come to, and what core's read models say about it.

use std::collections::BTreeMap;
use std::sync::Arc;

use fieldseal_core::domain::view::{CaseView, People};
use fieldseal_core::merge::{Fold, Scope, State};
use fieldseal_core::pack::RulePack;
use fieldseal_proof::ids::{CaseId, OpId};
use fieldseal_proof::operation::Operation;

use super::packs::PackShelf;
use crate::ingest::{Ingest, bare};
use crate::ledger::{ChainKey, LedgerError, LedgerStore};

/// An operation of a case as it lies in the log.
#[derive(Debug, Clone)]
pub struct Entry {
    pub leaf: u64,
    pub chain: ChainKey,
    pub seq: u64,
    pub received_ms: u64,
    /// Header and signature hold, the body does not.
    pub spoiled: bool,
    pub operation: Operation,
}

impl Entry {
    pub fn id(&self) -> OpId {
        self.operation.id()
    }

    pub fn kind(&self) -> &str {
        &self.operation.header().kind
    }
}

/// A case file.
pub struct CaseFile {
    pub case: CaseId,
    /// In order of arrival.
    pub entries: Vec<Entry>,
    pub state: State,
    pub view: CaseView,
    pub people: People,
    /// The pack that the newest operation with one is pinned to.
    pub pack: Option<Arc<RulePack>>,
    places: BTreeMap<OpId, usize>,
}

impl CaseFile {
    /// Reads and folds; `None` when nothing of the case is held.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn load(ingest: &Ingest, packs: &PackShelf, case: CaseId) -> Result<Option<Self>, LedgerError> {
        let rows = ingest.ledger.operations_of(case).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let read = |row: crate::ledger::OperationRow| {
            let frame = if row.spoiled { bare(&row.frame)? } else { row.frame };
            Some(Entry {
                leaf: row.leaf,
                chain: row.chain,
                seq: row.seq,
                received_ms: row.received_ms,
                spoiled: row.spoiled,
                operation: Operation::parse(&frame).ok()?,
            })
        };
        let entries: Vec<Entry> = rows.into_iter().filter_map(read).collect();
        let keys = ingest.key_log();
        let mut fold = Fold::new(Scope::Case(case), ingest_devices(ingest));
        for entry in &entries {
            fold.add(&entry.operation);
        }
        let state = fold.state();
        let people = People::of(&keys.log);
        let pinned = entries.iter().rev().find_map(|entry| entry.operation.header().pack);
        let pack = match pinned {
            Some(hash) => packs.get(&*ingest.ledger, hash).await?,
            None => None,
        };
        let view = CaseView::of(&state, pack.as_deref(), &people)
            .ok_or_else(|| LedgerError::Corrupt("a case folded to another scope".into()))?;
        let places = entries.iter().enumerate().map(|(at, entry)| (entry.id(), at)).collect();
        Ok(Some(Self {
            case,
            entries,
            state,
            view,
            people,
            pack,
            places,
        }))
    }

    /// The operation of an id.
    pub fn entry(&self, id: &OpId) -> Option<&Entry> {
        self.places.get(id).and_then(|at| self.entries.get(*at))
    }
}

/// The devices whose dispositions count.
pub fn ingest_devices(ingest: &Ingest) -> Vec<fieldseal_proof::ids::DeviceId> {
    let own = ingest.own_chain().device;
    let keys = ingest.key_log();
    let of_server = keys.log.keys().filter(|(_, key)| key.is_servers());
    let mut devices: Vec<_> = of_server
        .filter_map(|(_, key)| key.subject.map(fieldseal_proof::ids::DeviceId::from_bytes))
        .collect();
    devices.push(own);
    devices.sort_unstable();
    devices.dedup();
    devices
}

/// Reads an operation of any scope, e.g. of the registry.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn entry_of(ledger: &dyn LedgerStore, id: OpId) -> Result<Option<Entry>, LedgerError> {
    let rows = ledger.operation(id).await?;
    Ok(rows.into_iter().next().and_then(|row| {
        let frame = if row.spoiled { bare(&row.frame)? } else { row.frame };
        Some(Entry {
            leaf: row.leaf,
            chain: row.chain,
            seq: row.seq,
            received_ms: row.received_ms,
            spoiled: row.spoiled,
            operation: Operation::parse(&frame).ok()?,
        })
    }))
}
