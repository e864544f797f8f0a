//! Gathers what the rules of `ingest::assess` ask about an operation.

use std::collections::HashSet;
use std::collections::hash_map::Entry;

use fieldseal_core::domain::view::unnamed_signers;
use fieldseal_proof::ids::CaseId;
use fieldseal_proof::operation::Operation;

use super::ProjectionError;
use super::step::Step;
use super::worker::{Projection, subjects_of};
use crate::ingest::assess::{Facts, Reason, Standing, judge};
use crate::ingest::{KeyLogState, kinds};
use crate::ledger::{LedgerError, OperationRow, RunState, space};

impl Projection {
    /// What an operation is worth by everything known now; `None` when nothing speaks against it.
    pub(super) async fn judge(
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
        let lacks_signers = match header.pack.filter(|_| pack_known) {
            Some(hash) if kinds::pack_may_ask_signers(&header.kind) => {
                let pack = self.packs.get(&*self.ingest.ledger, hash).await?;
                pack.is_some_and(|pack| !unnamed_signers(&pack, operation).is_empty())
            }
            _ => false,
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
            lacks_signers,
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
}
