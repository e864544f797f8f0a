//! What became of the things that were ordered: read from every visit to an enterprise, never from a clock alone.

use std::collections::BTreeMap;

use fieldseal_proof::ids::{CaseId, FindingId, ItemId, OpId};
use serde::Serialize;

use super::{as_text, as_text_opt};
use crate::domain::{CheckResult, Day, ReviewResult};
use crate::merge::{MergeKey, State};

/// What a judgement rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// An officer reviewed the item and said so.
    Review,
    /// The checklist item of the finding was answered again after the order.
    Check,
}

/// One ordered thing, with what is known of it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JudgedItem {
    #[serde(serialize_with = "as_text")]
    pub item: ItemId,
    pub text: Option<String>,
    pub due: Option<String>,
    #[serde(serialize_with = "as_text_opt")]
    pub finding: Option<FindingId>,
    /// `fulfilled`, `partly`, `not_fulfilled`; `open` while nobody looked again.
    pub state: &'static str,
    pub basis: Option<Basis>,
    /// The operation that the judgement rests on, and its case.
    #[serde(serialize_with = "as_text_opt")]
    pub judged_by: Option<OpId>,
    #[serde(serialize_with = "as_text_opt")]
    pub judged_in: Option<CaseId>,
    /// Days since the due day, while it is not fulfilled.
    pub overdue_days: Option<u64>,
}

impl JudgedItem {
    /// Whether nothing is left to do.
    pub fn is_fulfilled(&self) -> bool {
        self.state == ReviewResult::Fulfilled.as_str()
    }
}

/// An order of a visit, item by item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JudgedOrder {
    #[serde(serialize_with = "as_text")]
    pub case: CaseId,
    #[serde(serialize_with = "as_text")]
    pub order: ItemId,
    pub items: Vec<JudgedItem>,
}

/// Judges every ordered item of these cases, which are the visits to one enterprise. A review counts before an answer to a
/// checklist; of several the newest by merge key. `today` only says what is overdue.
pub fn judged_orders(visits: &BTreeMap<CaseId, State>, today: Day) -> Vec<JudgedOrder> {
    let mut orders = Vec::new();
    for (case, state) in visits {
        for order in state.members("order") {
            let Ok(id) = order.parse() else { continue };
            let items = state.members(&format!("order/{order}/item"));
            let items = items
                .iter()
                .filter_map(|item| judged(visits, state, &order, item, today));
            orders.push(JudgedOrder {
                case: *case,
                order: id,
                items: items.collect(),
            });
        }
    }
    orders
}

struct Judgement {
    key: MergeKey,
    state: &'static str,
    basis: Basis,
    by: OpId,
    case: CaseId,
}

fn judged(visits: &BTreeMap<CaseId, State>, state: &State, order: &str, item: &str, today: Day) -> Option<JudgedItem> {
    let at = |field: &str| format!("order/{order}/item/{item}/{field}");
    let newest = |basis, path: &str, word: &dyn Fn(&str) -> Option<&'static str>| {
        let said = visits.iter().filter_map(|(case, visit)| {
            let said = visit.text(path)?;
            let by = *visit.writers(path).last()?;
            Some(Judgement {
                key: visit.operation(&by)?.key,
                state: word(&said)?,
                basis,
                by,
                case: *case,
            })
        });
        said.max_by_key(|judgement| (judgement.key, judgement.by))
    };
    let review = |word: &str| ReviewResult::parse(word).ok().map(ReviewResult::as_str);
    let answer = |word: &str| match CheckResult::parse(word).ok()? {
        CheckResult::Ok => Some(ReviewResult::Fulfilled.as_str()),
        CheckResult::Violation => Some(ReviewResult::NotFulfilled.as_str()),
        CheckResult::NotApplicable => None,
    };
    let finding = state.bytes(&at("finding")).map(FindingId::from_bytes);
    let ordered = state
        .writers(&at("text"))
        .first()
        .and_then(|by| state.operation(by))
        .map(|op| op.key);
    let checked = || {
        let looked_at = state.text(&format!("finding/{}/item", finding?))?;
        // The answer that led to the order says nothing about what came of it.
        newest(Basis::Check, &format!("check/{looked_at}/result"), &answer).filter(|said| Some(said.key) > ordered)
    };
    let judgement = newest(Basis::Review, &format!("review/{order}/item/{item}/result"), &review).or_else(checked);
    let due = state.text(&at("due"));
    let fulfilled = judgement
        .as_ref()
        .is_some_and(|said| said.state == ReviewResult::Fulfilled.as_str());
    let overdue = due
        .as_deref()
        .and_then(|due| Day::parse("due", due).ok())
        .map(|due| today.days_after(due));
    Some(JudgedItem {
        item: item.parse().ok()?,
        text: state.text(&at("text")),
        due,
        finding,
        state: judgement.as_ref().map_or("open", |said| said.state),
        basis: judgement.as_ref().map(|said| said.basis),
        judged_by: judgement.as_ref().map(|said| said.by),
        judged_in: judgement.as_ref().map(|said| said.case),
        overdue_days: overdue.filter(|days| !fulfilled && *days > 0).map(i64::unsigned_abs),
    })
}
