//! Follows the log: judge, fold, commit with the place reached.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{CaseId, DeviceId, OpId, PackHash};
use fieldseal_proof::operation::Operation;
use fieldseal_proof::roll::{CLOSE, read_closing};

use super::ProjectionError;
use super::fold::{refold, scope_of, writes_of};
use super::lines;
use super::orders;
use super::register::CaseSummary;
use super::settle::{SetAside, set_aside_all};
use crate::ingest::assess::{Facts, Reason, Standing, judge};
use crate::ingest::{Ingest, KeyLogState, OwnOperation};
use crate::ledger::{
    Chain, ChainKey, Commit, FeedScope, LedgerError, LedgerStore, MemberRow, OperationRow, RunState, Swap, WriteRow,
    space,
};

/// Place up to which operations were judged. Never goes back.
pub const CURSOR_ASSESSED: &[u8] = b"assessed";
/// Place up to which views are folded. A rebuild puts it back to 0.
pub const CURSOR_PROJECTED: &[u8] = b"projected";
/// Frames that are taken in one step at most.
const STEP_BYTES: usize = 2 << 20;

/// The worker's state: what it needs to judge the next operation without asking the ledger each time.
pub struct Projection {
    ingest: Arc<Ingest>,
    assessed: u64,
    projected: u64,
    versions: (u64, u64),
    set_aside: HashMap<OpId, SetAside>,
    /// Dispositions made by this process that have not come by in the log yet.
    said: HashSet<OpId>,
}

/// What one step derives, before it is committed.
#[derive(Default)]
struct Step {
    writes: Vec<WriteRow>,
    touched: BTreeSet<([u8; 16], String)>,
    members: Vec<MemberRow>,
    named: HashMap<CaseId, HashSet<[u8; 16]>>,
    closed: HashMap<[u8; 16], Option<OpId>>,
    cases: BTreeSet<CaseId>,
    /// What was asked of the ledger in this step: the answers are the same for all operations of one device and case. Views
    /// change by this worker alone, and what others change meanwhile (a gap that fills, a pack that is published) comes by again.
    asked: Asked,
    /// Server clock of the last operation of a case in this step, and of the step.
    seen: HashMap<CaseId, u64>,
    seen_ms: u64,
    /// Devices that wrote in this step.
    chains: HashSet<String>,
    changed: BTreeSet<OpId>,
    /// Changes of standing that have to become dispositions.
    to_say: BTreeSet<OpId>,
}

/// Answers of the ledger that hold for one step.
#[derive(Default)]
struct Asked {
    chains: HashMap<ChainKey, Chain>,
    members: HashMap<CaseId, HashSet<[u8; 16]>>,
    subjects: HashMap<DeviceId, Vec<[u8; 16]>>,
    packs: HashMap<PackHash, bool>,
    closed: HashMap<[u8; 16], bool>,
}

impl Projection {
    /// Takes up where the ledger says.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn start(ingest: Arc<Ingest>) -> Result<Self, ProjectionError> {
        let (assessed, first) = cursor(&*ingest.ledger, CURSOR_ASSESSED).await?;
        let (projected, second) = cursor(&*ingest.ledger, CURSOR_PROJECTED).await?;
        let set_aside = set_aside_all(&*ingest.ledger).await?;
        Ok(Self {
            ingest,
            assessed,
            projected,
            versions: (first, second),
            set_aside,
            said: HashSet::new(),
        })
    }

    /// Place up to which everything was judged and folded.
    pub fn place(&self) -> u64 {
        self.assessed.min(self.projected)
    }

    /// Takes the next operations; `false` when there are none.
    ///
    /// # Errors
    /// After an error start again: nothing half-done was committed.
    pub async fn step(&mut self) -> Result<bool, ProjectionError> {
        let ledger = self.ingest.ledger.clone();
        let size = ledger.arrived(u64::MAX).await?;
        // While views are rebuilt nothing is judged again: what was decided stands in the log.
        let end = if self.is_rebuilding() { self.assessed } else { size };
        if self.projected >= end {
            return Ok(false);
        }
        let rows = ledger
            .operations(FeedScope::All, self.projected, end, STEP_BYTES)
            .await?;
        let reached = rows.last().map_or(end, |last| last.arrival + 1);
        let mut step = Step::default();
        let key_log = self.ingest.key_log();
        for row in &rows {
            self.take(row, &key_log, &mut step).await?;
        }
        if !self.is_rebuilding() {
            self.heal(&key_log, &mut step).await?;
        }
        self.commit(step, reached).await?;
        Ok(true)
    }

    /// Judges again what waits for a rule pack; to be called after one was published.
    ///
    /// # Errors
    /// As [`Projection::step`].
    pub async fn reconsider(&mut self) -> Result<(), ProjectionError> {
        let mut step = Step::default();
        self.heal(&self.ingest.key_log(), &mut step).await?;
        if step.to_say.is_empty() {
            Ok(())
        } else {
            self.commit(step, self.projected).await
        }
    }

    fn is_rebuilding(&self) -> bool {
        self.projected < self.assessed
    }

    async fn take(
        &mut self,
        row: &OperationRow,
        key_log: &KeyLogState,
        step: &mut Step,
    ) -> Result<(), ProjectionError> {
        let frame = if row.spoiled {
            crate::ingest::bare(&row.frame)
        } else {
            Some(row.frame.clone())
        };
        let Some(operation) = frame.and_then(|frame| Operation::parse(&frame).ok()) else {
            return Err(LedgerError::Corrupt(format!("the operation at leaf {} does not parse", row.leaf)).into());
        };
        if let Some(case) = row.case {
            step.cases.insert(case);
            step.seen.insert(case, row.received_ms);
        }
        step.seen_ms = row.received_ms;
        step.chains.insert(row.chain.device.to_string());
        if let Some(known) = self.set_aside.get_mut(&row.id)
            && known.device.is_empty()
        {
            // The disposition came first: the server was restored and the device offered this again.
            describe(known, row, &operation);
            step.changed.insert(row.id);
        }
        let own = row.chain == self.ingest.own_chain();
        if own {
            self.take_own(row, &operation, step);
        } else if row.arrival >= self.assessed
            && !self.set_aside.contains_key(&row.id)
            && let Some(reason) = self.judge(row, &operation, key_log, step).await?
        {
            self.put_aside(row, &operation, reason, step);
        }
        let writes = writes_of(&operation, row.id, row.leaf, &self.ingest.tenant);
        step.touched
            .extend(writes.iter().map(|write| (write.scope, write.path.clone())));
        step.writes.extend(writes);
        if !self.set_aside.get(&row.id).is_some_and(SetAside::stands) {
            self.effects(row, &operation, step).await?;
        }
        Ok(())
    }

    /// A disposition of our own that has reached its place in the log.
    fn take_own(&mut self, row: &OperationRow, operation: &Operation, step: &mut Step) {
        let Some(body) = operation.body().filter(|_| operation.header().kind == "disposition") else {
            return;
        };
        let hash = |path: &str| {
            body.get(path)
                .and_then(|v| v.as_bytes().and_then(|b| b.try_into().ok()))
                .map(OpId::from_bytes)
        };
        let text = |path: &str| body.get(path).and_then(|v| v.as_text().map(str::to_owned));
        let (Some(target), Some(state), Some(reason)) = (
            hash("disposition/target"),
            text("disposition/state"),
            text("disposition/reason"),
        ) else {
            return;
        };
        let header = operation.header();
        let entry = self.set_aside.entry(target).or_insert_with(|| SetAside {
            state: state.clone(),
            reason: reason.clone(),
            by: Vec::new(),
            decision: None,
            kind: String::new(),
            device: String::new(),
            incarnation: String::new(),
            seq: 0,
            counter: 0,
            case: header.case.map(|case| case.to_string()),
            inspection: header.inspection.map(|inspection| inspection.to_string()),
            pack: None,
            leaf: 0,
        });
        let superseded: HashSet<String> = header.supersedes.iter().map(OpId::to_string).collect();
        entry.by.retain(|id| !superseded.contains(id));
        entry.by.push(row.id.to_string());
        if !self.said.remove(&row.id) && !step.to_say.contains(&target) {
            // Not made by this process: views are being rebuilt, or the server was restored. The log says how it stands.
            (entry.state, entry.reason) = (state, reason);
        }
        step.changed.insert(target);
    }

    async fn judge(
        &self,
        row: &OperationRow,
        operation: &Operation,
        key_log: &KeyLogState,
        step: &mut Step,
    ) -> Result<Option<Reason>, ProjectionError> {
        let header = operation.header();
        let chain = match step.asked.chains.entry(row.chain) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(self.ingest.chain(row.chain).await?),
        };
        let run = chain
            .runs
            .iter()
            .find(|run| run.number == row.run)
            .map_or(RunState::Main, |run| run.state);
        let standing = match header.case {
            None => Standing::Registry,
            Some(case) => self.standing(row, case, step).await?,
        };
        let pack_known = match header.pack {
            None => true,
            Some(pack) => match step.asked.packs.entry(pack) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(unknown) => {
                    let held = self
                        .ingest
                        .ledger
                        .register(space::PACK, pack.as_bytes().to_vec())
                        .await?;
                    *unknown.insert(held.is_some())
                }
            },
        };
        let closed = match header.inspection {
            None => false,
            Some(inspection) => self.closed(*inspection.as_bytes(), step).await?,
        };
        Ok(judge(&Facts {
            kind: &header.kind,
            role: key_log.role(&row.chain.device, &row.chain.incarnation),
            run,
            spoiled: row.spoiled,
            revoked: key_log.is_revoked(operation, row.leaf),
            standing,
            pack_known,
            closed,
        }))
    }

    async fn standing(&self, row: &OperationRow, case: CaseId, step: &mut Step) -> Result<Standing, LedgerError> {
        let ledger = &self.ingest.ledger;
        let members = match step.asked.members.entry(case) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let members = ledger.members(case).await?;
                unknown.insert(members.iter().map(|member| member.subject).collect())
            }
        };
        let fresh = step.named.get(&case);
        if members.is_empty() && fresh.is_none_or(HashSet::is_empty) {
            return Ok(Standing::NobodyYet);
        }
        let device = row.chain.device;
        let subjects = match step.asked.subjects.entry(device) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(subjects_of(&**ledger, device.as_bytes()).await?),
        };
        let named =
            |subject: &[u8; 16]| members.contains(subject) || fresh.is_some_and(|fresh| fresh.contains(subject));
        Ok(if subjects.iter().any(named) {
            Standing::Named
        } else {
            Standing::Stranger
        })
    }

    async fn closed(&self, inspection: [u8; 16], step: &mut Step) -> Result<bool, LedgerError> {
        if let Some(now) = step.closed.get(&inspection) {
            return Ok(now.is_some());
        }
        Ok(match step.asked.closed.entry(inspection) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(unknown) => {
                let held = self.ingest.ledger.register(space::CLOSING, inspection.to_vec()).await?;
                *unknown.insert(held.is_some())
            }
        })
    }

    fn put_aside(&mut self, row: &OperationRow, operation: &Operation, reason: Reason, step: &mut Step) {
        let header = operation.header();
        let by = self
            .set_aside
            .get(&row.id)
            .map(|earlier| earlier.by.clone())
            .unwrap_or_default();
        let entry = SetAside {
            state: "quarantined".into(),
            reason: reason.as_str().into(),
            by,
            decision: None,
            kind: header.kind.clone(),
            device: row.chain.device.to_string(),
            incarnation: row.chain.incarnation.to_string(),
            seq: row.seq,
            counter: header.counter,
            case: header.case.map(|case| case.to_string()),
            inspection: header.inspection.map(|inspection| inspection.to_string()),
            pack: header.pack.map(|pack| pack.to_string()),
            leaf: row.leaf,
        };
        self.set_aside.insert(row.id, entry);
        step.changed.insert(row.id);
        step.to_say.insert(row.id);
    }

    /// What an effective operation does beyond its writes: names people, closes, returns, decides.
    async fn effects(
        &mut self,
        row: &OperationRow,
        operation: &Operation,
        step: &mut Step,
    ) -> Result<(), ProjectionError> {
        let (header, Some(body)) = (operation.header(), operation.body()) else {
            return Ok(());
        };
        if let Some(case) = header.case {
            let mut subjects = ids_at(body.get("inspection/device"));
            subjects.extend(ids_at(body.get("inspection/officer")));
            if header.kind == "inspection.begin" {
                subjects.push(*row.chain.device.as_bytes());
            }
            step.named.entry(case).or_default().extend(subjects.iter().copied());
            step.members.extend(subjects.into_iter().map(|subject| MemberRow {
                subject,
                case,
                since: row.arrival,
            }));
        }
        match (header.kind.as_str(), header.inspection) {
            (CLOSE, Some(inspection)) => {
                step.closed.insert(*inspection.as_bytes(), Some(row.id));
                let held = read_closing(body).unwrap_or_default();
                let covered = |aside: &SetAside| {
                    held.iter().any(|(device, incarnation, counter, _)| {
                        aside.device == device.to_string()
                            && aside.incarnation == incarnation.to_string()
                            && aside.counter <= *counter
                    })
                };
                self.release(step, |aside| {
                    aside.inspection == Some(inspection.to_string()) && covered(aside)
                });
            }
            ("inspection.return", _) => {
                for field in body
                    .fields()
                    .iter()
                    .filter(|f| f.path.starts_with("return/") && f.path.ends_with("/inspection"))
                {
                    if let Some(inspection) = ids_at(body.get(&field.path)).first().copied() {
                        step.closed.insert(inspection, None);
                        let id = fieldseal_proof::ids::InspectionId::from_bytes(inspection).to_string();
                        self.release(step, |aside| aside.inspection.as_ref() == Some(&id));
                    }
                }
            }
            ("quarantine.decide", _) if row.arrival >= self.assessed => self.decide(row, body, step).await?,
            _ => {}
        }
        Ok(())
    }

    /// Releases what was set aside because its inspection was closed.
    fn release(&mut self, step: &mut Step, which: impl Fn(&SetAside) -> bool) {
        if self.is_rebuilding() {
            return;
        }
        for (id, aside) in &mut self.set_aside {
            if aside.stands() && aside.reason == Reason::Closed.as_str() && which(aside) {
                aside.state = "released".into();
                step.changed.insert(*id);
                step.to_say.insert(*id);
            }
        }
    }

    /// A supervisor's decision becomes a disposition.
    async fn decide(
        &mut self,
        row: &OperationRow,
        body: &fieldseal_proof::body::Body,
        step: &mut Step,
    ) -> Result<(), ProjectionError> {
        let target = body
            .get("decide/target")
            .and_then(|v| v.as_bytes().and_then(|b| b.try_into().ok()))
            .map(OpId::from_bytes);
        let state = body.get("decide/state").and_then(|v| v.as_text().map(str::to_owned));
        let (Some(target), Some(state)) = (target, state) else {
            return Ok(());
        };
        if state != "released" && state != "quarantined" {
            return Ok(());
        }
        if !self.set_aside.contains_key(&target) {
            // A supervisor may set aside what no rule did.
            let rows = self.ingest.ledger.operation(target).await?;
            let Some(held) = rows.first() else { return Ok(()) };
            let Ok(operation) = Operation::parse(&held.frame) else {
                return Ok(());
            };
            self.put_aside(held, &operation, Reason::NotPermitted, step);
        }
        if let Some(aside) = self.set_aside.get_mut(&target) {
            aside.state = state;
            aside.decision = Some(row.id.to_string());
            step.changed.insert(target);
            step.to_say.insert(target);
        }
        Ok(())
    }

    /// Releases what only waited for something that is here now.
    async fn heal(&mut self, key_log: &KeyLogState, step: &mut Step) -> Result<(), ProjectionError> {
        let named: HashSet<String> = step.named.keys().map(CaseId::to_string).collect();
        let may_heal = |aside: &SetAside| match aside.reason() {
            Some(Reason::Gap) => step.chains.contains(&aside.device),
            Some(Reason::MissingDependency) => aside.case.as_ref().is_some_and(|case| named.contains(case)),
            Some(Reason::UnknownPack) => true,
            _ => false,
        };
        let waiting: Vec<OpId> = self
            .set_aside
            .iter()
            .filter(|(_, aside)| aside.stands() && aside.decision.is_none() && may_heal(aside))
            .map(|(id, _)| *id)
            .collect();
        for id in waiting {
            let rows = self.ingest.ledger.operation(id).await?;
            let Some(row) = rows.first() else { continue };
            let Ok(operation) = Operation::parse(&row.frame) else {
                continue;
            };
            let now = self.judge(row, &operation, key_log, step).await?;
            let Some(aside) = self.set_aside.get_mut(&id) else {
                continue;
            };
            match now {
                Some(reason) if reason.as_str() == aside.reason => continue,
                Some(reason) => aside.reason = reason.as_str().into(),
                None => aside.state = "released".into(),
            }
            step.changed.insert(id);
            step.to_say.insert(id);
            if now.is_none() {
                let row = row.clone();
                self.effects(&row, &operation, step).await?;
            }
        }
        Ok(())
    }

    async fn commit(&mut self, mut step: Step, reached: u64) -> Result<(), ProjectionError> {
        let rebuilding = self.is_rebuilding();
        self.touch_changed(&mut step).await?;
        let set_aside = &self.set_aside;
        let stands = |id: &OpId| set_aside.get(id).is_some_and(SetAside::stands);
        let ledger = self.ingest.ledger.clone();
        let fields = refold(&*ledger, &step.touched, &step.writes, &stands).await?;
        let assessed = self.assessed.max(reached);
        let mut registers = vec![Swap::update(
            space::META,
            CURSOR_PROJECTED,
            self.versions.1,
            reached.to_string(),
        )];
        if !rebuilding {
            registers.push(Swap::update(
                space::META,
                CURSOR_ASSESSED,
                self.versions.0,
                assessed.to_string(),
            ));
        }
        for id in &step.changed {
            registers.extend(self.set_aside.get(id).map(|aside| aside.register(id)).transpose()?);
        }
        for (inspection, by) in &step.closed {
            registers.push(match by {
                Some(id) => Swap::set(space::CLOSING, *inspection, *id.as_bytes()),
                None => Swap::remove(space::CLOSING, *inspection),
            });
        }
        let mut rows = lines::of_registry(
            &*ledger,
            *self.ingest.tenant.as_bytes(),
            &step.touched,
            &fields,
            step.seen_ms,
        )
        .await?;
        for (case, fulfilled) in orders::settled(&self.ingest, &step.cases, &step.touched, &fields).await? {
            let seen = step.seen.get(&case).copied();
            let (summary, documents) =
                CaseSummary::of(&*ledger, case, &fields, &self.set_aside, &fulfilled, seen).await?;
            registers.push(summary.register()?);
            rows.extend(lines::of_case(&summary, case, &documents));
        }
        let say: Vec<OwnOperation> = if rebuilding {
            Vec::new()
        } else {
            step.to_say
                .iter()
                .filter_map(|id| self.set_aside.get(id).map(|aside| aside.disposition(id)))
                .collect()
        };
        let commit = Commit {
            registers,
            writes: step.writes,
            fields,
            members: step.members,
            lines: rows,
            ..Commit::default()
        };
        if say.is_empty() {
            ledger.commit(commit).await?;
        } else {
            self.said.extend(self.ingest.author(say, commit).await?);
        }
        self.projected = reached;
        self.versions.1 += 1;
        if !rebuilding {
            self.assessed = assessed;
            self.versions.0 += 1;
        }
        Ok(())
    }

    /// Paths of operations whose standing changed are folded again, and their cases summed up again.
    async fn touch_changed(&self, step: &mut Step) -> Result<(), ProjectionError> {
        let changed: Vec<OpId> = step.changed.iter().copied().collect();
        for id in changed {
            for row in self.ingest.ledger.operation(id).await? {
                let Ok(operation) = Operation::parse(&row.frame) else {
                    continue;
                };
                let scope = scope_of(&operation, &self.ingest.tenant);
                let paths = writes_of(&operation, id, row.leaf, &self.ingest.tenant);
                step.touched.extend(paths.into_iter().map(|write| (scope, write.path)));
                step.cases.extend(row.case);
            }
        }
        Ok(())
    }
}

/// A device and the officers whose keys it carries.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn subjects_of(ledger: &dyn LedgerStore, device: &[u8; 16]) -> Result<Vec<[u8; 16]>, LedgerError> {
    let carried = ledger.registers_under(space::CARRIED, device.to_vec()).await?;
    let officers = carried
        .iter()
        .filter_map(|register| register.key.strip_prefix(device.as_slice()))
        .filter_map(|id| id.try_into().ok());
    Ok(std::iter::once(*device).chain(officers).collect())
}

/// Fills in what a disposition does not say about its target.
fn describe(known: &mut SetAside, row: &OperationRow, operation: &Operation) {
    let header = operation.header();
    known.kind = header.kind.clone();
    known.device = row.chain.device.to_string();
    known.incarnation = row.chain.incarnation.to_string();
    known.seq = row.seq;
    known.counter = header.counter;
    known.pack = header.pack.map(|pack| pack.to_string());
    known.leaf = row.leaf;
}

fn ids_at(value: Option<Value>) -> Vec<[u8; 16]> {
    let one = |value: &Value| value.as_bytes().and_then(|bytes| bytes.try_into().ok());
    match &value {
        Some(Value::Array(all)) => all.iter().filter_map(one).collect(),
        Some(value) => one(value).into_iter().collect(),
        None => Vec::new(),
    }
}

async fn cursor(ledger: &dyn LedgerStore, key: &[u8]) -> Result<(u64, u64), LedgerError> {
    let Some(register) = ledger.register(space::META, key.to_vec()).await? else {
        return Ok((0, 0));
    };
    let text = std::str::from_utf8(&register.value)
        .ok()
        .and_then(|text| text.parse().ok());
    Ok((
        text.ok_or_else(|| LedgerError::Corrupt("a cursor".into()))?,
        register.version,
    ))
}
