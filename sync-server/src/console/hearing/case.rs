//! The page of one case's export: options, progress, the verifier's verdict, what is kept back, what it does not prove.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use fieldseal_core::catalogue::{Param, trust};
use fieldseal_core::domain::view::CustodyView;
use fieldseal_core::domain::{CustodyEvent, CustodyKind, Kind, Line, Paragraph, Refusal};
use fieldseal_core::random::uuid;
use fieldseal_proof::bundle::Report;
use fieldseal_proof::ids::{CaseId, EvidenceId, ItemId};
use fieldseal_proof::key_log::Purpose;
use serde::Deserialize;

use crate::api::App;
use crate::console::access::{Deed, log};
use crate::console::accounts::Role;
use crate::console::error::PageError;
use crate::console::page::{Area, Page, html};
use crate::console::trust::{NotProven, VerdictPanel};
use crate::console::visitor::{Desk, Staff};
use crate::console::words::Words;
use crate::custody::bundle_in;
use crate::hearing::{Done, Job, State as JobState};
use crate::ingest::OwnOperation;
use crate::ledger::Commit;
use crate::projection::CaseFile;

/// Most pieces of evidence in one event.
const PIECES: usize = 1_000;
/// Earlier bundles that are listed.
const EARLIER: usize = 10;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    job: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wish {
    /// Why the export does not wait for files that have not arrived.
    reason: String,
    /// Size of the checkpoint that it shall stand under; empty: now.
    at: String,
}

/// A bundle of this case that was made before.
struct Earlier {
    checkpoint: u64,
    /// Its name: the SHA-256 of its tag manifest.
    name: String,
    time: String,
    by: String,
}

/// A file that is still on a tablet.
struct Missing {
    evidence: EvidenceId,
    title: String,
    href: String,
    size: String,
}

/// What was proven of one sealed thing, in a row that can be checked elsewhere.
struct Row {
    what: String,
    conclusion: String,
    basis: String,
    check: String,
}

/// What is wrong with the wish, and what was written.
struct Problem {
    sentence: String,
    wish: Wish,
}

/// How an export stands, for the page and for the fragment that is asked for again and again.
struct Progress {
    /// Asked for again while it runs.
    running: bool,
    sentence: String,
    /// Of 100.
    share: Option<u64>,
    failed: bool,
}

struct Outcome {
    verdict: VerdictPanel,
    counts: String,
    complete: String,
    download: String,
    size: String,
    checkpoint: String,
    name: String,
    command: String,
    rows: Vec<Row>,
    withheld: Vec<String>,
    not_checked: Vec<String>,
    not_proven: NotProven,
}

#[derive(Template)]
#[template(path = "hearing/case.html", blocks = ["progress"])]
struct CasePage {
    page: Page,
    name: String,
    case_href: String,
    action: String,
    here: String,
    missing: Vec<Missing>,
    /// Why it does not wait for them, as it was written.
    reason: String,
    at: String,
    /// What can be had again, newest first.
    earlier: Vec<Earlier>,
    problem: Option<String>,
    conflicts: usize,
    quarantined: usize,
    frozen: bool,
    freeze: Option<String>,
    progress: Option<Progress>,
    /// An export was asked for on the page before: reading goes on at what came of it.
    asked: bool,
    result: Option<Outcome>,
    trust: Vec<(String, String)>,
    not_proven: NotProven,
}

/// `GET /console/hearing/{case}`
pub async fn page(
    State(app): State<App>,
    desk: Desk,
    Path(case): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    desk.staff.needs_one_of(&[Role::Supervisor, Role::Legal])?;
    let case: CaseId = case.parse().map_err(|_| PageError::NotFound)?;
    shown(&app, &desk, case, &asked, None).await
}

async fn shown(
    app: &App,
    desk: &Desk,
    case: CaseId,
    asked: &Asked,
    problem: Option<Problem>,
) -> Result<Response, PageError> {
    let words = desk.words();
    let file = CaseFile::load(&app.server.ingest, &app.shelves.packs, case)
        .await?
        .ok_or(PageError::NotFound)?;
    let who = desk.staff.who();
    let job = match asked.job.as_str() {
        "" => app.shelves.exports.newest(case, &who),
        name => app
            .shelves
            .exports
            .find(name, &who)
            .filter(|job| job.case == case)
            .map(|job| (name.to_owned(), job)),
    };
    let view = &file.view.view;
    let missing = missing(app, words, &file).await?;
    let name = view
        .party
        .name
        .clone()
        .unwrap_or_else(|| words.t("console.case.no_party"));
    let title = format!("{} · {name}", words.t("console.nav.hearing"));
    let mut page = Page::of(app, desk, Area::Hearing, title)
        .await?
        .crumb("/console/hearing", words.t("console.nav.hearing"));
    page.error = problem.is_some();
    let here = match &job {
        Some((name, _)) => format!("/console/hearing/{case}?job={name}"),
        None => format!("/console/hearing/{case}"),
    };
    let done = job.as_ref().and_then(|(name, job)| match &job.state {
        JobState::Done(done) => Some((name.clone(), done.clone())),
        _ => None,
    });
    let decides = desk.staff.account.role == Role::Supervisor;
    let undecided = view.clashes.len();
    let (problem, wish) = match problem {
        Some(problem) => (Some(problem.sentence), problem.wish),
        None => (None, Wish::default()),
    };
    let shown = CasePage {
        asked: !asked.job.is_empty(),
        progress: job.as_ref().map(|(_, job)| progress(words, job)),
        result: done.map(|(name, done)| result(app, words, case, &name, &done)),
        trust: trust_elsewhere(app, words),
        not_proven: NotProven::new(words, false),
        case_href: format!("/console/cases/{case}"),
        action: format!("/console/hearing/{case}"),
        conflicts: undecided,
        quarantined: view.quarantined.len(),
        frozen: !view.freezes.is_empty(),
        freeze: (decides && view.freezes.is_empty()).then(|| crate::console::links::freeze(&case)),
        reason: wish.reason,
        at: wish.at,
        earlier: earlier(app, words, &file),
        problem,
        missing,
        page,
        name,
        here,
    };
    // While it runs only the progress is asked for; the end loads the whole page.
    if desk.visitor.fragment {
        if shown.result.is_some() {
            let mut answer = axum::http::StatusCode::OK.into_response();
            if let Ok(value) = axum::http::HeaderValue::from_str(&shown.here) {
                answer.headers_mut().insert("hx-redirect", value);
            }
            return Ok(answer);
        }
        return html(&shown.as_progress());
    }
    html(&shown)
}

/// `POST /console/hearing/{case}`: begins an export; it is in the access log before anything is written.
pub async fn begin(
    State(app): State<App>,
    desk: Desk,
    Path(case): Path<String>,
    Form(wish): Form<Wish>,
) -> Result<Response, PageError> {
    desk.staff.needs_one_of(&[Role::Supervisor, Role::Legal])?;
    let case: CaseId = case.parse().map_err(|_| PageError::NotFound)?;
    let file = CaseFile::load(&app.server.ingest, &app.shelves.packs, case)
        .await?
        .ok_or(PageError::NotFound)?;
    let again = async |sentence: String, wish: Wish| -> Result<Response, PageError> {
        let page = shown(&app, &desk, case, &Asked::default(), Some(Problem { sentence, wish })).await?;
        Ok((axum::http::StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
    };
    // As the pages write it: 12,345.
    let size: String = wish
        .at
        .chars()
        .filter(|c| !c.is_whitespace() && !",，".contains(*c))
        .collect();
    let at = match size.as_str() {
        "" => None,
        size => match size.parse::<u64>() {
            Ok(size) => Some(size),
            Err(_) => return again(desk.words().t("hearing.at_form"), wish).await,
        },
    };
    let missing = missing(&app, desk.words(), &file).await?;
    if !missing.is_empty() {
        let pieces = missing.iter().map(|one| one.evidence).collect();
        if let Err(refusal) = without(&app, &desk.staff, case, pieces, &wish.reason).await? {
            return again(refusal.message.text(desk.words().lang), wish).await;
        }
    }
    log(&app, &desk.staff, Deed::Exported, case.to_string()).await?;
    let begun = app.shelves.exports.begin(&app.server, case, at, desk.staff.who());
    let name = begun.map_err(|e| PageError::internal(&e))?;
    Ok(Redirect::to(&format!("/console/hearing/{case}?job={name}")).into_response())
}

/// The bundles that were made of this case, as this server signed it into the custody of the evidence.
fn earlier(app: &App, words: Words, file: &CaseFile) -> Vec<Earlier> {
    let events = file.view.view.custody.iter();
    let own = |event: &&CustodyView| {
        let entry = file.entry(&event.operation);
        entry.is_some_and(|entry| entry.chain.device == app.server.keys.device)
    };
    let exported = events
        .filter(|event| event.event == CustodyKind::Exported.as_str())
        .filter(own);
    let mut all: Vec<Earlier> = exported
        .filter_map(|event| {
            let (name, checkpoint) = bundle_in(event.note.as_deref()?)?;
            Some(Earlier {
                checkpoint,
                name: name.to_owned(),
                time: words.minute(event.wall_ms),
                by: event.by.clone().unwrap_or_default(),
            })
        })
        .collect();
    // Each bundle once, as it was first made; asked for again it is the same one.
    all.sort_by(|a, b| (b.checkpoint, &a.name, &a.time).cmp(&(a.checkpoint, &b.name, &b.time)));
    all.dedup_by(|a, b| a.name == b.name);
    all.truncate(EARLIER);
    all
}

/// The evidence whose bytes have not arrived.
async fn missing(app: &App, words: Words, file: &CaseFile) -> Result<Vec<Missing>, PageError> {
    let mut missing = Vec::new();
    for item in &file.view.view.evidence {
        let arrived = match &item.sha256 {
            Some(sha256) => app.server.uploads.blob(sha256.as_bytes()).await?.is_some(),
            None => false,
        };
        if !arrived {
            missing.push(Missing {
                evidence: item.evidence,
                title: item.title.clone().unwrap_or_else(|| item.evidence.to_string()),
                href: format!("/console/cases/{}/evidence/{}", file.case, item.evidence),
                size: words.all("evidence.size", &[("bytes", Param::Bytes(item.size.unwrap_or(0)))]),
            });
        }
    }
    Ok(missing)
}

/// Signs into the case that an export does not wait for these files, who decided that and why. It comes before the export, so
/// that the bundle holds it.
async fn without(
    app: &App,
    staff: &Staff,
    case: CaseId,
    evidence: Vec<EvidenceId>,
    reason: &str,
) -> Result<Result<(), Refusal>, PageError> {
    let note = match Paragraph::parse("reason", reason) {
        Ok(note) => note,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let by = match Line::parse("by", &staff.who()) {
        Ok(by) => by,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut events = Vec::new();
    for pieces in evidence.chunks(PIECES) {
        let id = uuid(&*app.server.random).map_err(|e| PageError::internal(&e))?;
        let event = CustodyEvent {
            id: ItemId::from_bytes(id),
            evidence: pieces.to_vec(),
            event: CustodyKind::Missing,
            by: by.clone(),
            note: Some(note.clone()),
        };
        let act = match event.act() {
            Ok(act) => act,
            Err(refusal) => return Ok(Err(refusal)),
        };
        events.push(OwnOperation {
            kind: Kind::CustodyEvent.as_str(),
            case: Some(case),
            inspection: None,
            supersedes: Vec::new(),
            fields: act.into_parts().1,
            audience: None,
        });
    }
    app.server.ingest.author(events, Commit::default()).await?;
    Ok(Ok(()))
}

fn progress(words: Words, job: &Job) -> Progress {
    let running = |sentence: String, share: Option<u64>| Progress {
        running: true,
        sentence,
        share,
        failed: false,
    };
    let failed = |sentence: String| Progress {
        running: false,
        sentence,
        share: None,
        failed: true,
    };
    match &job.state {
        JobState::Writing => running(words.t("hearing.writing"), None),
        JobState::Verifying { read, of } => {
            let params = [("read", Param::Bytes(*read)), ("of", Param::Bytes(*of))];
            running(words.all("hearing.verifying", &params), Some(read * 100 / (*of).max(1)))
        }
        JobState::Done(done) => Progress {
            running: false,
            sentence: words.all(
                "hearing.done",
                &[
                    ("time", Param::text(words.minute(job.begun_ms))),
                    ("files", Param::Count(done.files as u64)),
                    ("bytes", Param::Bytes(done.bytes)),
                ],
            ),
            share: None,
            failed: false,
        },
        JobState::Failed(why) => failed(words.t1("hearing.failed", "why", why)),
        JobState::Refused(message) => failed(message.text(words.lang)),
    }
}

fn result(app: &App, words: Words, case: CaseId, job: &str, done: &Arc<Done>) -> Outcome {
    let report = &done.report;
    let counts = [
        ("operations", Param::Count(report.operations.len() as u64)),
        ("items", Param::Count(report.items.len() as u64)),
        ("files", Param::Count(report.files as u64)),
        ("bytes", Param::Bytes(report.bytes)),
    ];
    let complete = match report.complete_by_roll {
        true => words.t("verify.complete"),
        false => words.t("completeness.not_claimed"),
    };
    Outcome {
        verdict: VerdictPanel::of_report(words, report),
        counts: words.all("verify.counts", &counts),
        complete,
        download: format!("/console/hearing/bundles/{job}"),
        size: words.all("evidence.size", &[("bytes", Param::Bytes(done.bytes))]),
        checkpoint: words.t1("hearing.at_checkpoint", "size", done.checkpoint),
        name: done.tag_manifest_sha256.clone(),
        command: format!("fieldseal verify {case}.zip --trust trust"),
        rows: rows(app, words, report),
        withheld: {
            let kept_back = report.withheld.iter().map(|(id, path)| format!("{path} ({id})"));
            let lawfully = words.t("verdict.withheld");
            let disposed = report.disposed.iter();
            kept_back
                .chain(disposed.map(|(id, path)| format!("{path} ({id}) · {lawfully}")))
                .collect()
        },
        not_checked: report.not_checked.clone(),
        not_proven: NotProven::new(words, report.complete_by_roll),
    }
}

/// 事项 · 结论 · 依据 · 自行核对.
fn rows(app: &App, words: Words, report: &Report) -> Vec<Row> {
    let awaiting = report.operations.iter().filter(|op| !op.awaiting.is_empty()).count();
    let absent = report
        .items
        .iter()
        .filter(|item| item.path.is_none() && item.disposed_by.is_none())
        .count();
    let failed = |codes: &[&str]| {
        report
            .findings
            .iter()
            .any(|f| codes.iter().any(|code| f.code.starts_with(code)))
    };
    let conclusion = |codes: &[&str]| match failed(codes) {
        true => words.t("hearing.fails"),
        false => words.t("check_step.holds"),
    };
    let row = |what: &str, conclusion: String, basis: String, check: &str| Row {
        what: words.t(what),
        conclusion,
        basis,
        check: check.to_owned(),
    };
    vec![
        row(
            "hearing.row_files",
            conclusion(&[
                "bag.ambiguous",
                "bag.changed",
                "bag.declaration",
                "bag.fetch",
                "bag.manifest",
                "bag.missing",
                "bag.too_many",
                "bag.un",
                "evidence.",
            ]),
            words.t("hearing.basis_hash"),
            "sha256sum --quiet -c manifest-sha256.txt",
        ),
        row(
            "hearing.row_maker",
            conclusion(&["bag.sign"]),
            words.t("hearing.basis_bundle_key"),
            "ssh-keygen -Y verify -f \"$TRUST/allowed_signers\" …",
        ),
        row(
            "hearing.row_devices",
            conclusion(&[
                "operation.key",
                "operation.malformed",
                "operation.name",
                "operation.signature",
                "operation.tenant",
                "chain.",
                "key_log.",
                "heads.",
                "fork",
            ]),
            words.t("hearing.basis_device_keys"),
            "openssl pkeyutl -verify …",
        ),
        row(
            "hearing.row_log",
            conclusion(&["checkpoint.", "operation.inclusion", "attestation."]),
            words.all(
                "verify.log",
                &[
                    ("origin", Param::text(&app.server.config.origin)),
                    ("size", Param::Count(report.tree_size)),
                ],
            ),
            "README.md 5, 6",
        ),
        row(
            "hearing.row_time",
            {
                let by = trust::attesters(words.lang, report).into_iter();
                let shown: Vec<String> = by.map(|(who, count)| format!("{who} · {count}")).collect();
                shown.join(if words.zh() { "；" } else { "; " })
            },
            words.t("hearing.basis_time"),
            "fieldseal verify",
        ),
        row(
            "hearing.row_people",
            words.all(
                "hearing.people",
                &[
                    ("signed", Param::Count(report.attests.len() as u64)),
                    ("awaiting", Param::Count(awaiting as u64)),
                ],
            ),
            words.t("hearing.basis_officer_keys"),
            "fieldseal verify",
        ),
        row(
            "hearing.row_complete",
            match report.complete_by_roll {
                true => words.t("hearing.complete"),
                false => words.t("completeness.not_claimed"),
            },
            match absent {
                0 => words.t("glossary.roll"),
                count => words.t1("hearing.absent", "count", count),
            },
            "fieldseal verify",
        ),
    ]
}

/// What has to be got from elsewhere, with the fingerprints to compare it by.
fn trust_elsewhere(app: &App, words: Words) -> Vec<(String, String)> {
    let keys = app.server.ingest.key_log();
    let mut rows = vec![(words.t("hearing.trust_tenant"), app.server.ingest.tenant().to_string())];
    if let Some(root) = keys.log.root().and_then(|key| key.record.key().ok()) {
        rows.push((words.t("hearing.trust_root"), root.fingerprint()));
    }
    let origin = &app.server.config.origin;
    if let Ok(vkey) = app.server.keys.log_vkey(origin) {
        rows.push((words.t("hearing.trust_log"), vkey));
    }
    for key in keys.log.server_keys(Purpose::Bundle) {
        if let Ok(key) = key.record.key() {
            rows.push((words.t("hearing.trust_bundle"), key.fingerprint()));
        }
    }
    rows
}
