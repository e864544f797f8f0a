//! What one step of the projection derives and has asked.

use std::collections::{BTreeSet, HashMap, HashSet};

use fieldseal_proof::ids::{CaseId, DeviceId, OpId, PackHash};

use crate::ingest::OwnOperation;
use crate::ledger::{Chain, ChainKey, MemberRow, WriteRow};

/// What one step derives, before it is committed.
#[derive(Default)]
pub(super) struct Step {
    pub(super) writes: Vec<WriteRow>,
    pub(super) touched: BTreeSet<([u8; 16], String)>,
    pub(super) members: Vec<MemberRow>,
    pub(super) named: HashMap<CaseId, HashSet<[u8; 16]>>,
    pub(super) closed: HashMap<[u8; 16], Option<OpId>>,
    pub(super) cases: BTreeSet<CaseId>,
    /// What was asked of the ledger in this step: the answers are the same for all operations of one device and case. Views
    /// change by this worker alone, and what others change meanwhile (a gap that fills, a pack that is published) comes by again.
    pub(super) asked: Asked,
    /// Server clock of the last operation of a case in this step, and of the step.
    pub(super) seen: HashMap<CaseId, u64>,
    pub(super) seen_ms: u64,
    /// Devices that wrote in this step.
    pub(super) chains: HashSet<String>,
    pub(super) changed: BTreeSet<OpId>,
    /// Changes of standing that have to become dispositions.
    pub(super) to_say: BTreeSet<OpId>,
    /// What a supervisor's decision took in, whose effects are still to come.
    pub(super) taken_in: Vec<OpId>,
    /// Custody events that go with them.
    pub(super) custody: Vec<OwnOperation>,
}

/// Answers of the ledger that hold for one step.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) chains: HashMap<ChainKey, Chain>,
    pub(super) members: HashMap<CaseId, HashSet<[u8; 16]>>,
    pub(super) subjects: HashMap<DeviceId, Vec<[u8; 16]>>,
    pub(super) packs: HashMap<PackHash, bool>,
    pub(super) closed: HashMap<[u8; 16], bool>,
}
