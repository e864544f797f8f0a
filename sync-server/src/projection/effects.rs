//! What operations do beyond their writes: they are set aside and released, name people, close, return and decide.

use std::collections::HashSet;

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{CaseId, OpId};
use fieldseal_proof::operation::Operation;
use fieldseal_proof::roll::{CLOSE, read_closing};

use super::ProjectionError;
use super::settle::SetAside;
use super::step::Step;
use super::worker::Projection;
use crate::ingest::KeyLogState;
use crate::ingest::assess::Reason;
use crate::ledger::{MemberRow, OperationRow};

impl Projection {
    /// A disposition of our own that has reached its place in the log.
    pub(super) fn take_own(&mut self, row: &OperationRow, operation: &Operation, step: &mut Step) {
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

    pub(super) fn put_aside(&mut self, row: &OperationRow, operation: &Operation, reason: Reason, step: &mut Step) {
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
    pub(super) async fn effects(
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
            if aside.stands() && state == "released" {
                step.taken_in.push(target);
            }
            aside.state = state;
            aside.decision = Some(row.id.to_string());
            step.changed.insert(target);
            step.to_say.insert(target);
        }
        Ok(())
    }

    /// Releases what only waited for something that is here now.
    pub(super) async fn heal(&mut self, key_log: &KeyLogState, step: &mut Step) -> Result<(), ProjectionError> {
        // An opening that a person took in names people, as it would have done by itself: what waited for it follows below.
        for id in std::mem::take(&mut step.taken_in) {
            let rows = self.ingest.ledger.operation(id).await?;
            if let Some(row) = rows.first()
                && let Ok(operation) = Operation::parse(&row.frame)
            {
                self.effects(row, &operation, step).await?;
            }
        }
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
}

/// Fills in what a disposition does not say about its target.
pub(super) fn describe(known: &mut SetAside, row: &OperationRow, operation: &Operation) {
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
