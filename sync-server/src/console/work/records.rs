//! Lists of records: values that disagree, operations that were set aside.

use fieldseal_core::domain::rests_on;
use fieldseal_proof::ids::{CaseId, OpId};

use super::cases::age;
use super::list::{Bench, List, Row};
use crate::api::App;
use crate::console::act::readable::{item_of, kind, label, word_of};
use crate::console::act::state;
use crate::console::error::PageError;
use crate::console::links;
use crate::ingest::assess::Reason;
use crate::ledger::FieldRow;
use crate::projection::{SetAside, set_aside_all};

/// Fields that are read together where all of them are gone through.
const STEP: u64 = 500;

pub(super) async fn conflict_count(app: &App) -> Result<u64, PageError> {
    Ok(app.server.ledger.undecided(0, 0).await?.0)
}

pub(super) async fn conflict_addresses(app: &App) -> Result<Vec<String>, PageError> {
    let mut all = Vec::new();
    loop {
        let (_, step) = app.server.ledger.undecided(all.len() as u64, STEP).await?;
        if step.is_empty() {
            return Ok(all);
        }
        all.extend(step.iter().map(decide_address));
    }
}

fn decide_address(field: &FieldRow) -> String {
    links::decide(&CaseId::from_bytes(field.scope), &field.path)
}

/// Where it is decided whether a record counts.
pub(super) fn settle_address(id: &OpId) -> String {
    links::settle(id)
}

/// Values that disagree: sealed facts that contradict first, then by the term of their case.
pub(super) async fn conflicts(bench: &Bench<'_>, skip: u64, limit: u64) -> Result<Vec<Row>, PageError> {
    let (app, words) = (bench.app, bench.words);
    let (_, found) = app.server.ledger.undecided(skip, limit).await?;
    let mut rows = Vec::new();
    for field in found {
        let shown: Vec<String> = state::values(&field.held)
            .iter()
            .map(|value| word_of(words, &bench.people, &field.path, value))
            .collect();
        let (mut since, mut who) = (0, Vec::new());
        for id in state::holders(&field.held) {
            let (received, device) = bench.arrival(id).await?;
            since = since.max(received);
            who.push(device);
        }
        who.dedup();
        let case = CaseId::from_bytes(field.scope).to_string();
        let code = format!("console.work.{}.why", field.outcome);
        let values = shown.join(" ≠ ");
        rows.push(Row {
            proof: None,
            href: decide_address(&field),
            what: item_of(words, bench.pack.as_ref(), &field.path).unwrap_or_else(|| label(words, &field.path)),
            party: state::party_name(app, &case).await?,
            why: match field.outcome.as_str() {
                "conflict" => words.t2(&code, "values", values, "blocked", blocked(bench, &field.path)),
                _ => words.t1(&code, "values", values),
            },
            since: age(words, since, app.server.clock.now().wall_ms),
            who: who.join(" · "),
            next: words.t("console.work.compare"),
        });
    }
    Ok(rows)
}

/// What cannot be made while the values of a path disagree, by name.
fn blocked(bench: &Bench<'_>, path: &str) -> String {
    let words = bench.words;
    let documents = bench.pack.iter().flat_map(|pack| pack.documents());
    let names: Vec<&str> = documents
        .filter(|document| rests_on(document, path))
        .map(|document| document.name.text(words.lang))
        .collect();
    if names.is_empty() {
        return words.t("console.work.blocks_nothing");
    }
    let names = names.join(if words.zh() { "、" } else { ", " });
    words.t1("console.work.blocks", "documents", names)
}

/// What is set aside now: what a person has to decide first, what may heal by itself last; each in the order of the log.
pub(super) async fn set_aside(app: &App) -> Result<Vec<(OpId, SetAside)>, PageError> {
    let all = set_aside_all(&*app.server.ledger).await?;
    let mut standing: Vec<(OpId, SetAside)> = all.into_iter().filter(|(_, aside)| aside.stands()).collect();
    standing.sort_by_key(|(id, aside)| (heals(aside), aside.leaf, *id));
    Ok(standing)
}

/// Whether records that have not arrived decide it. What a closed visit set aside is let in again when a case is returned, but that is a
/// supervisor's decision like any other: nothing that is still on its way will make it.
fn heals(aside: &SetAside) -> bool {
    aside
        .reason()
        .is_some_and(|reason| reason.heals() && reason != Reason::Closed)
}

/// What waits in one of the two lists of what is set aside: late arrivals, or everything else.
pub(super) async fn set_aside_in(app: &App, list: List) -> Result<Vec<(OpId, SetAside)>, PageError> {
    let mut all = set_aside(app).await?;
    all.retain(|(_, aside)| List::of_reason(aside.reason()) == list);
    Ok(all)
}

/// The rows of one of these two lists.
pub(super) async fn quarantine(bench: &Bench<'_>, list: List, skip: u64, limit: u64) -> Result<Vec<Row>, PageError> {
    let (app, words) = (bench.app, bench.words);
    let all = set_aside_in(app, list).await?;
    let page = all.into_iter().skip(skip as usize).take(limit as usize);
    let mut rows = Vec::new();
    for (id, aside) in page {
        let (since, who) = bench.arrival(id).await?;
        rows.push(Row {
            proof: None,
            href: settle_address(&id),
            what: kind(words, &aside.kind),
            party: match &aside.case {
                Some(case) => state::party_name(app, case).await?,
                None => words.t("console.work.registry"),
            },
            why: words.t(&format!("quarantine.{}", aside.reason)),
            since: age(words, since, app.server.clock.now().wall_ms),
            who,
            next: words.t(match heals(&aside) {
                true => "console.work.heals",
                false => "console.work.decide",
            }),
        });
    }
    Ok(rows)
}
