//! The overview of a case: what is next, what is known of it, what arrived last.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use fieldseal_core::domain::view::Stage;
use fieldseal_core::pack::DocumentDefinition;
use serde::Deserialize;

use super::{CaseBar, OpenCase, Tab, open};
use crate::api::App;
use crate::console::accounts::Role;
use crate::console::error::PageError;
use crate::console::links;
use crate::console::page::{Page, html};
use crate::console::queue::Queue;
use crate::console::visitor::Desk;
use crate::console::work::{self, List};
use crate::projection::Entry;

/// How a step stands; only what needs somebody has a tone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Done,
    Open,
    Waiting,
    Blocked,
    Problem,
}

impl Standing {
    fn code(self) -> &'static str {
        match self {
            Standing::Done => "step.done",
            Standing::Open => "step.open",
            Standing::Waiting => "step.waiting",
            Standing::Blocked => "step.blocked",
            Standing::Problem => "step.problem",
        }
    }

    fn tone(self) -> &'static str {
        match self {
            Standing::Waiting => "info",
            Standing::Problem => "bad",
            Standing::Open => "none",
            Standing::Done | Standing::Blocked => "",
        }
    }
}

struct Step {
    name: String,
    standing: Standing,
    /// What is missing and by which rule, or who is waited for.
    why: String,
    href: Option<String>,
}

struct Finding {
    text: String,
    grade: Option<String>,
    clause: Option<String>,
    place: Option<String>,
    evidence: usize,
}

struct Latest {
    when: String,
    what: String,
    about: String,
    device: String,
}

#[derive(Template)]
#[template(path = "cases/overview.html")]
struct OverviewPage {
    queue: Option<Queue>,
    page: Page,
    bar: CaseBar,
    steps: Vec<Step>,
    facts: Vec<(String, Option<String>)>,
    findings: Vec<Finding>,
    latest: Vec<Latest>,
    timeline: String,
    returns: Vec<(String, String)>,
    hearing: String,
    /// Acts of a supervisor: address and name.
    acts: Vec<(String, String)>,
    case: String,
    provisional: bool,
}

/// Where the page was opened from.
#[derive(Deserialize)]
pub struct After {
    /// The work list that it was opened from.
    #[serde(default)]
    queue: String,
}

/// `GET /console/cases/{case}`
pub async fn page(
    State(app): State<App>,
    desk: Desk,
    Path(case): Path<String>,
    Query(after): Query<After>,
) -> Result<Response, PageError> {
    let opened = open(&app, &desk, &case, Tab::Overview).await?;
    let steps = steps(&opened);
    let queue = match after.queue.as_str() {
        "returns" if opened.decides => {
            let here = work::returned_address(&opened.file.case.to_string());
            work::queue(&app, opened.wording.words, List::Returns, &here).await?
        }
        _ => None,
    };
    let OpenCase {
        file,
        wording,
        page,
        bar,
        ..
    } = opened;
    let (words, view) = (wording.words, &file.view.view);
    let party = &view.party;
    let facts = [
        ("label.title", &view.title),
        ("label.place", &view.place),
        ("label.planned", &view.planned),
        ("label.address", &party.address),
        ("label.head", &party.head),
        ("label.phone", &party.phone),
        ("label.remark", &view.remark),
    ];
    let pack = file.pack.as_deref();
    let findings = view.findings.iter().map(|finding| Finding {
        text: finding.text.clone().unwrap_or_else(|| words.t("value.empty")),
        grade: finding.grade.as_ref().map(|id| {
            let grade = pack.and_then(|pack| pack.grade(id));
            grade.map_or_else(|| id.clone(), |grade| grade.name.text(words.lang).to_owned())
        }),
        clause: finding.clause.as_ref().map(|id| {
            let clause = pack.and_then(|pack| pack.clause(id));
            clause.map_or_else(|| id.clone(), |clause| clause.cite.text(words.lang).to_owned())
        }),
        place: finding.place.clone(),
        evidence: finding.evidence.len(),
    });
    let findings = findings.collect();
    let shown = |entry: &&Entry| !matches!(entry.kind(), "disposition" | "roll" | "device.open");
    let latest = file.entries.iter().rev().filter(shown).take(6).map(|entry| Latest {
        when: words.minute(entry.received_ms),
        what: wording.kind(entry.kind()),
        about: wording.summary(&file, entry),
        device: wording.device(&entry.chain.device),
    });
    let latest = latest.collect();
    let returns = view
        .returns
        .iter()
        .map(|back| (words.minute(back.wall_ms), back.reason.clone().unwrap_or_default()))
        .collect();
    let mut acts = Vec::new();
    if desk.staff.account.role == Role::Supervisor {
        let begun = view.stage == Stage::Closed || view.stage == Stage::InProgress;
        for inspection in file.view.inspections.iter().filter(|_| begun) {
            acts.push((
                links::send_back(&file.case, inspection),
                words.t("console.case.send_back"),
            ));
        }
        if view.freezes.is_empty() && !view.evidence.is_empty() {
            acts.push((links::freeze(&file.case), words.t("glossary.freeze")));
        }
    }
    let case = file.case.to_string();
    html(&OverviewPage {
        queue,
        page,
        bar,
        steps,
        facts: facts.map(|(code, value)| (words.t(code), value.clone())).into(),
        findings,
        latest,
        returns,
        timeline: format!("/console/cases/{case}/timeline"),
        hearing: format!("/console/hearing/{case}"),
        acts,
        provisional: view.provisional,
        case,
    })
}

fn steps(opened: &OpenCase) -> Vec<Step> {
    let (file, words) = (&opened.file, opened.wording.words);
    let view = &file.view.view;
    let case = format!("/console/cases/{}", file.case);
    let mut steps = Vec::new();
    let mut step = |code: &str, standing: Standing, why: String, href: Option<String>| {
        steps.push(Step {
            name: words.t(code),
            standing,
            why,
            href,
        });
    };
    let waiting: Vec<&str> = view
        .credentials
        .iter()
        .flat_map(|c| &c.awaiting)
        .map(String::as_str)
        .collect();
    let (standing, why) = match (view.credentials.is_empty(), waiting.is_empty()) {
        (true, _) => (Standing::Open, String::new()),
        (false, true) => (Standing::Done, String::new()),
        (false, false) => (Standing::Waiting, names(opened, &waiting)),
    };
    step("step.credentials", standing, why, Some(format!("{case}/records")));
    let begun = !view.checks.is_empty() || !view.findings.is_empty();
    let standing = if !view.clashes.is_empty() {
        Standing::Problem
    } else if begun {
        Standing::Done
    } else {
        Standing::Open
    };
    let why = match view.clashes.len() {
        0 => words.t2(
            "step.checked",
            "checks",
            view.checks.len(),
            "findings",
            view.findings.len(),
        ),
        count => words.t1("console.case.blocked_conflicts", "count", count),
    };
    step("step.inspect", standing, why, Some(format!("{case}/records")));
    let standing = if view.evidence.is_empty() {
        Standing::Open
    } else {
        Standing::Done
    };
    let why = words.t1("step.evidence_count", "count", view.evidence.len());
    step("step.evidence", standing, why, Some(format!("{case}/evidence")));
    let documents = file.pack.as_ref().map(|pack| pack.documents()).unwrap_or_default();
    steps.extend(documents.iter().map(|definition| document(opened, definition)));
    let (standing, why) = match view.stage {
        Stage::Closed => (Standing::Done, String::new()),
        Stage::Returned => {
            let reason = view.returns.last().and_then(|back| back.reason.clone());
            (
                Standing::Problem,
                words.t1("step.returned", "reason", reason.unwrap_or_default()),
            )
        }
        _ => (Standing::Open, String::new()),
    };
    let mut step = |code: &str, standing: Standing, why: String, href: Option<String>| {
        steps.push(Step {
            name: words.t(code),
            standing,
            why,
            href,
        });
    };
    step("step.close", standing, why, None);
    let standing = match (view.freezes.is_empty(), view.stage) {
        (false, _) => Standing::Done,
        (true, Stage::Closed) => Standing::Open,
        _ => Standing::Blocked,
    };
    let why = match standing {
        Standing::Blocked => words.t1("step.needs", "what", words.t("step.close")),
        _ => String::new(),
    };
    step("step.freeze", standing, why, None);
    steps
}

/// A document of the pack: issued and signed, waiting for a signature, or not possible yet and why.
fn document(opened: &OpenCase, definition: &DocumentDefinition) -> Step {
    let (file, words) = (&opened.file, opened.wording.words);
    let view = &file.view.view;
    let href = format!("/console/cases/{}/documents", file.case);
    let name = definition.name.text(words.lang).to_owned();
    let issued: Vec<_> = view
        .documents
        .iter()
        .filter(|d| d.kind.as_deref() == Some(&definition.id))
        .collect();
    if let Some(newest) = issued.last() {
        let missing: Vec<&str> = newest
            .awaiting
            .iter()
            .chain(&newest.unsigned)
            .map(String::as_str)
            .collect();
        let (standing, why) = match missing.is_empty() {
            true => (Standing::Done, newest.number.clone().unwrap_or_default()),
            false => (Standing::Waiting, names(opened, &missing)),
        };
        return Step {
            name,
            standing,
            why,
            href: Some(href),
        };
    }
    let pack = file.pack.as_deref();
    let lacks = |id: &&String| !view.documents.iter().any(|d| d.kind.as_deref() == Some(id.as_str()));
    let required = definition.requires.iter().filter(lacks).map(|id| {
        let known = pack.and_then(|pack| pack.document(id));
        known.map_or_else(|| id.clone(), |known| known.name.text(words.lang).to_owned())
    });
    let mut missing: Vec<String> = required.collect();
    if view.credentials.is_empty() {
        missing.push(words.t("step.credentials"));
    }
    if view.party.name.is_none() {
        missing.push(words.t("console.cases.party"));
    }
    if missing.is_empty() {
        return Step {
            name,
            standing: Standing::Open,
            why: String::new(),
            href: None,
        };
    }
    let basis = definition.basis.as_deref().and_then(|id| pack?.clause(id));
    let missing = missing.join(if words.zh() { "、" } else { ", " });
    let why = match basis {
        Some(clause) => words.t2("step.needs_by", "what", missing, "basis", clause.cite.text(words.lang)),
        None => words.t1("step.needs", "what", missing),
    };
    Step {
        name,
        standing: Standing::Blocked,
        why,
        href: None,
    }
}

/// `缺：第二名执法人员、当事人`.
fn names(opened: &OpenCase, roles: &[&str]) -> String {
    let words = opened.wording.words;
    let mut shown: Vec<String> = roles
        .iter()
        .map(|role| match role.parse() {
            Ok(id) => opened.wording.officer(&opened.file, &id),
            Err(_) => words.t(&format!("role.{role}")),
        })
        .collect();
    shown.dedup();
    words.t1(
        "document.awaiting",
        "who",
        shown.join(if words.zh() { "、" } else { ", " }),
    )
}
