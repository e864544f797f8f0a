//! Follows the log: judge, fold, commit with the place reached.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use fieldseal_proof::ids::OpId;
use fieldseal_proof::operation::Operation;

use super::ProjectionError;
use super::effects::describe;
use super::fold::{refold, scope_of, writes_of};
use super::lines;
use super::orders;
use super::packs::PackShelf;
use super::register::CaseSummary;
use super::settle::{SetAside, set_aside_all};
use super::step::Step;
use crate::ingest::assess::Reason;
use crate::ingest::{Ingest, KeyLogState, OwnOperation, forked};
use crate::ledger::{Commit, FeedScope, LedgerError, LedgerStore, OperationRow, Swap, space};

/// Place up to which operations were judged. Never goes back.
pub const CURSOR_ASSESSED: &[u8] = b"assessed";
/// Place up to which views are folded. A rebuild puts it back to 0.
pub const CURSOR_PROJECTED: &[u8] = b"projected";
/// Frames that are taken in one step at most.
const STEP_BYTES: usize = 2 << 20;

/// The worker's state: what it needs to judge the next operation without asking the ledger each time.
pub struct Projection {
    pub(super) ingest: Arc<Ingest>,
    pub(super) assessed: u64,
    projected: u64,
    versions: (u64, u64),
    pub(super) set_aside: HashMap<OpId, SetAside>,
    /// Dispositions made by this process that have not come by in the log yet.
    pub(super) said: HashSet<OpId>,
    pub(super) packs: PackShelf,
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
            packs: PackShelf::default(),
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

    pub(super) fn is_rebuilding(&self) -> bool {
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
            if reason == Reason::Fork {
                step.custody.extend(forked(&self.ingest, &operation)?);
            }
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
                CaseSummary::of(&*ledger, case, &fields, &self.set_aside, &step.closed, &fulfilled, seen).await?;
            registers.push(summary.register()?);
            rows.extend(lines::of_case(&summary, case, &documents));
        }
        let mut say: Vec<OwnOperation> = if rebuilding {
            Vec::new()
        } else {
            step.to_say
                .iter()
                .filter_map(|id| self.set_aside.get(id).map(|aside| aside.disposition(id)))
                .collect()
        };
        let dispositions = say.len();
        say.append(&mut step.custody);
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
            let made = self.ingest.author(say, commit).await?;
            self.said.extend(made.into_iter().take(dispositions));
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

/// A device and the officers whose keys it ever carried: what it wrote for one of them counts, also when that key is revoked since.
///
/// # Errors
/// When the ledger cannot be read.
pub(super) async fn subjects_of(ledger: &dyn LedgerStore, device: &[u8; 16]) -> Result<Vec<[u8; 16]>, LedgerError> {
    let carried = ledger.registers_under(space::CARRIED, device.to_vec()).await?;
    let officers = carried
        .iter()
        .filter_map(|register| register.key.strip_prefix(device.as_slice()))
        .filter_map(|id| id.try_into().ok());
    Ok(std::iter::once(*device).chain(officers).collect())
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
