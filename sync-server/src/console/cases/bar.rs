//! The identity bar of a case: which case, where it stands, what blocks it.

use std::collections::BTreeMap;

use askama::Template;
use askama::filters::HtmlSafe;
use fieldseal_core::domain::view::Stage;

use super::Wording;
use crate::api::App;
use crate::console::figure::{day_of, due_text};
use crate::console::links;
use crate::console::trust::{Judgement, VerdictTag};
use crate::console::words::Words;
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
    blocked: Vec<(String, String)>,
    tabs: Vec<TabLink>,
}

impl HtmlSafe for CaseBar {}

impl CaseBar {
    /// `decides`: whether whoever reads may open the lists on which a supervisor decides.
    pub fn new(app: &App, wording: &Wording, file: &CaseFile, tab: Tab, decides: bool) -> Self {
        let (words, view) = (wording.words, &file.view.view);
        let case = file.case.to_string();
        let today = day_of(words, app.server.clock.now().wall_ms);
        let dues = view.orders.iter().flat_map(|order| &order.items);
        let due = dues.filter_map(|item| day_number(item.due.as_deref()?)).min();
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
            let list = if decides {
                links::QUARANTINE.into()
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
            verdicts: verdicts(app, words, file),
            blocked,
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

/// The word of a stage.
pub fn stage_code(stage: Stage) -> &'static str {
    match stage {
        Stage::Planned => "stage.planned",
        Stage::InProgress => "stage.in_progress",
        Stage::Closed => "stage.closed",
        Stage::Returned => "stage.returned",
    }
}

/// The worst first, each with how many sealed items it stands for. What nobody has checked since the server started is not checked.
fn verdicts(app: &App, words: Words, file: &CaseFile) -> Vec<VerdictTag> {
    let view = &file.view.view;
    let operations = view
        .evidence
        .iter()
        .map(|e| e.operation)
        .chain(view.documents.iter().map(|d| d.operation));
    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    let mut open = 0;
    for id in operations {
        match app.shelves.checked.of(&id) {
            Some((verdict, _)) => *counts.entry(verdict).or_default() += 1,
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
