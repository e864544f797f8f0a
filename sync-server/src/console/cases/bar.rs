//! The identity bar of a case: which case, where it stands, what blocks it.

use std::collections::BTreeMap;

use askama::Template;
use askama::filters::HtmlSafe;
use fieldseal_core::domain::view::Stage;

use super::{Known, Wording};
use crate::api::App;
use crate::checks::sealed_items;
use crate::console::figure::{day_of, due_text};
use crate::console::links;
use crate::console::trust::{Judgement, VerdictTag};
use crate::console::words::Words;
use crate::console::work::List;
use crate::ingest::assess::Reason;
use crate::projection::{CaseFile, day_number};

/// A page of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    Overview,
    Timeline,
    Records,
    Evidence,
    Documents,
    Deadlines,
}

impl Tab {
    const ALL: [Tab; 6] = [
        Tab::Overview,
        Tab::Timeline,
        Tab::Records,
        Tab::Evidence,
        Tab::Documents,
        Tab::Deadlines,
    ];

    /// Code of its word.
    pub fn word(self) -> &'static str {
        match self {
            Tab::Overview => "console.case.overview",
            Tab::Timeline => "console.case.timeline",
            Tab::Records => "console.case.records",
            Tab::Evidence => "console.case.evidence",
            Tab::Documents => "console.case.documents",
            Tab::Deadlines => "console.case.deadlines",
        }
    }

    /// What follows the case's own address.
    pub fn path(self) -> &'static str {
        match self {
            Tab::Overview => "",
            Tab::Timeline => "/timeline",
            Tab::Records => "/records",
            Tab::Evidence => "/evidence",
            Tab::Documents => "/documents",
            Tab::Deadlines => "/deadlines",
        }
    }
}

struct TabLink {
    href: String,
    word: &'static str,
    count: Option<usize>,
    current: bool,
}

/// The bar with the tabs under it.
#[derive(Template)]
#[template(path = "cases/bar.html")]
pub struct CaseBar {
    words: Words,
    /// The party, which is what people call a case.
    pub name: String,
    numbers: Vec<String>,
    stage: &'static str,
    credit_code: Option<String>,
    enterprise: Option<String>,
    officers: Vec<String>,
    pack: Option<String>,
    due: Option<String>,
    overdue: bool,
    verdicts: Vec<VerdictTag>,
    /// At which checkpoint the oldest of the verdicts was made.
    checked: Option<String>,
    blocked: Vec<(String, String)>,
    /// The one thing to do next: name and address.
    action: Option<(String, String)>,
    tabs: Vec<TabLink>,
}

impl HtmlSafe for CaseBar {}

impl CaseBar {
    /// `decides`: whether whoever reads may open the lists on which a supervisor decides.
    pub fn new(app: &App, wording: &Wording, file: &CaseFile, known: &Known, tab: Tab, decides: bool) -> Self {
        let (words, view) = (wording.words, &file.view.view);
        let case = file.case.to_string();
        let today = day_of(words, app.server.clock.now().wall_ms);
        let dues = view.orders.iter().flat_map(|order| &order.items);
        let open = dues.filter(|item| known.judged.get(&item.item).is_none_or(|item| !item.is_fulfilled()));
        let due = open.filter_map(|item| day_number(item.due.as_deref()?)).min();
        let href = |tab: Tab| format!("/console/cases/{case}{}", tab.path());
        let mut blocked = Vec::new();
        let undecided = view.clashes.iter().filter(|clash| clash.decidable).count();
        if undecided > 0 {
            let text = words.t1("console.case.blocked_conflicts", "count", undecided);
            blocked.push((text, format!("{}#conflicts", href(Tab::Records))));
        }
        let broken = view.clashes.len() - undecided;
        if broken > 0 {
            let text = words.t1("console.case.blocked_contradictions", "count", broken);
            blocked.push((text, format!("{}#conflicts", href(Tab::Records))));
        }
        if !view.quarantined.is_empty() {
            let text = words.t1("console.case.blocked_quarantine", "count", view.quarantined.len());
            // Others find the same records, with the reason, in the timeline.
            let mut lists = view
                .quarantined
                .iter()
                .map(|one| List::of_reason(Reason::from_word(&one.reason)));
            let list = if decides {
                // Where all of them are late arrivals, their list.
                let late = lists.all(|list| list == List::Late);
                if late { List::Late } else { List::Quarantine }.address()
            } else {
                href(Tab::Timeline)
            };
            blocked.push((text, list));
        }
        let counts = |tab: Tab| match tab {
            Tab::Evidence => Some(view.evidence.len()),
            Tab::Documents => Some(view.documents.len()),
            Tab::Deadlines => Some(view.orders.iter().map(|order| order.items.len()).sum()),
            _ => None,
        };
        Self {
            words,
            name: view
                .party
                .name
                .clone()
                .unwrap_or_else(|| words.t("console.case.no_party")),
            numbers: view
                .documents
                .iter()
                .filter_map(|document| document.number.clone())
                .collect(),
            stage: stage_code(view.stage),
            credit_code: view.party.credit_code.clone(),
            enterprise: view.party.enterprise.map(|id| id.to_string()),
            officers: view.present().iter().map(|id| wording.officer(file, id)).collect(),
            pack: file
                .pack
                .as_ref()
                .map(|pack| format!("{} {}", pack.head().title.text(words.lang), pack.head().version)),
            due: due.map(|due| due_text(words, due, today)),
            overdue: due.is_some_and(|due| due < today),
            verdicts: verdicts(words, file, known),
            checked: checked_line(words, known),
            blocked,
            action: decides.then(|| action(words, file)),
            tabs: Tab::ALL
                .into_iter()
                .map(|one| TabLink {
                    href: href(one),
                    word: one.word(),
                    count: counts(one),
                    current: one == tab,
                })
                .collect(),
        }
    }
}

/// What a supervisor does next: settle what blocks, freeze what is complete, take it to a hearing.
fn action(words: Words, file: &CaseFile) -> (String, String) {
    let view = &file.view.view;
    if let Some(clash) = view.clashes.iter().find(|clash| clash.decidable) {
        return (words.t("console.work.compare"), links::decide(&file.case, &clash.path));
    }
    if let Some(aside) = view.quarantined.first() {
        return (words.t("console.case.settle"), links::settle(&aside.operation));
    }
    if view.stage == Stage::Closed && view.freezes.is_empty() && !view.evidence.is_empty() {
        return (words.t("glossary.freeze"), links::freeze(&file.case));
    }
    let hearing = format!("/console/hearing/{}", file.case);
    (words.t("console.case.to_hearing"), hearing)
}

/// The word of a stage.
pub fn stage_code(stage: Stage) -> &'static str {
    match stage {
        Stage::Planned => "stage.planned",
        Stage::InProgress => "stage.in_progress",
        Stage::Closed => "stage.closed",
        Stage::Returned => "stage.returned",
    }
}

/// The worst first, each with how many sealed items it stands for. What was never checked whole is not checked.
fn verdicts(words: Words, file: &CaseFile, known: &Known) -> Vec<VerdictTag> {
    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    let mut open = 0;
    for (id, _) in sealed_items(file) {
        match known.checked.get(&id) {
            Some(held) => *counts.entry(held.verdict).or_default() += 1,
            None => open += 1,
        }
    }
    let mut tags: Vec<VerdictTag> = counts
        .into_iter()
        .map(|(verdict, count)| VerdictTag::counted(words, &Judgement::Verdict(verdict, Vec::new()), count))
        .collect();
    if open > 0 {
        tags.push(VerdictTag::counted(words, &Judgement::NotChecked, open));
    }
    tags
}

/// The checkpoint of the oldest verdict: the others are at least as new.
fn checked_line(words: Words, known: &Known) -> Option<String> {
    let oldest = known.checked.values().min_by_key(|held| held.size)?;
    let time = words.minute(oldest.at_ms);
    Some(words.t2("console.case.checked_at", "size", oldest.size, "time", time))
}
