//! One item of evidence: the original, who made it and how, its custody, when it was sealed, what this server could check.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use fieldseal_core::catalogue::Param;
use fieldseal_core::catalogue::trust::ServerHeld;
use fieldseal_core::domain::view::EvidenceView;
use fieldseal_proof::suite::Suite;
use serde::Deserialize;

use super::gallery::points;
use super::{CaseBar, Known, OpenCase, Tab, open};
use crate::api::App;
use crate::checks::{CheckError, HASHED_AT_ONCE, ItemCheck, Outcome, Subject, check_sealed};
use crate::console::error::{PageError, url_escaped};
use crate::console::evidence::{Player, short_id};
use crate::console::figure::PlaceMap;
use crate::console::page::{Page, html};
use crate::console::trust::{
    AcquisitionTag, Basis, BasisCell, BracketFigure, Checked, Judgement, NotProven, ReceiptList, SignedBy, VerdictPanel,
};
use crate::console::visitor::Desk;
use crate::console::words::Words;
use crate::console::{access, accounts};
use crate::projection::Entry;
use crate::tlog::bracket;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// Hash the file whatever its size.
    bytes: String,
}

struct CustodyRow {
    when: String,
    /// People as they were entered; empty when only a key says it.
    who: String,
    signed: Option<SignedBy>,
    event: String,
    note: String,
    /// Where, as the device claims; nothing was recorded for the rest.
    place: Option<String>,
    /// Whether the bytes here are those that were signed; asked of the sealing and of what was opened here.
    same: Option<String>,
    /// The event is of this server's record of an opening, not a signed operation.
    by_server: bool,
}

struct Fact {
    label: String,
    value: Option<String>,
    basis: BasisCell,
}

#[derive(Template)]
#[template(path = "cases/item.html")]
struct ItemPage {
    page: Page,
    bar: CaseBar,
    number: usize,
    title: String,
    player: Option<Player>,
    sha256: Option<String>,
    original: String,
    download: String,
    missing: Option<String>,
    check_bytes: Option<String>,
    acquisition: AcquisitionTag,
    facts: Vec<Fact>,
    custody: Vec<CustodyRow>,
    figure: BracketFigure,
    receipts: ReceiptList,
    /// Whoever reads may open the access log too.
    decides: bool,
    verdict: VerdictPanel,
    map: Option<PlaceMap>,
    operation: String,
    file: String,
    commands: Vec<(String, String)>,
    not_proven: NotProven,
    earlier: Option<String>,
    later: Option<String>,
}

/// `GET /console/cases/{case}/evidence/{evidence}`
pub async fn page(
    State(app): State<App>,
    desk: Desk,
    Path((case, evidence)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let opened = open(&app, &desk, &case, Tab::Evidence).await?;
    let words = opened.wording.words;
    let base = format!("/console/cases/{}/evidence", opened.file.case);
    let all = &opened.file.view.view.evidence;
    let at = all
        .iter()
        .position(|item| item.evidence.to_string() == evidence)
        .ok_or(PageError::NotFound)?;
    let item = &all[at];
    let entry = opened.file.entry(&item.operation).ok_or(PageError::NotFound)?;
    let blob = match &item.sha256 {
        Some(sha256) => app.server.uploads.blob(sha256.as_bytes()).await?,
        None => None,
    };
    let outcome = check(&app, &opened, item, !asked.bytes.is_empty()).await?;
    let judgement = match outcome.verdict() {
        Some(verdict) => Judgement::Verdict(verdict, Vec::new()),
        None => Judgement::NotChecked,
    };
    let header = entry.operation.header();
    let attested = opened.wording.attesters(&app, &opened.file, &item.operation);
    let made = opened.wording.signed_by(&app, &header.device, &header.incarnation);
    let held = ServerHeld {
        operations: u64::from(made.is_server_held()),
        people: attested.iter().filter(|one| one.is_server_held()).count() as u64,
    };
    let logged = entry.leaf < app.server.published.borrow().size;
    let sealed = bracket(&*app.server.ledger, header.anchor, entry.leaf).await?;
    let hex = item.sha256.map(|hash| hash.to_string());
    let title = item
        .title
        .clone()
        .unwrap_or_else(|| words.t1("evidence.number", "number", at + 1));
    let media = item.media_type.clone().unwrap_or_default();
    let player = blob.as_ref().map(|_| Player::of(&media));
    let original = hex
        .as_ref()
        .map(|hex| format!("/console/originals/{hex}?name={}", url_escaped(&title)))
        .unwrap_or_default();
    let large = blob.as_ref().is_some_and(|blob| blob.size > HASHED_AT_ONCE);
    let file = hex
        .as_ref()
        .map(|hex| format!("{}.{}", &hex[..16], fieldseal_core::media::extension(&media)));
    let neighbour = |at: usize| all.get(at).map(|item| format!("{base}/{}", item.evidence));
    let size = Param::Bytes(item.size.unwrap_or(0));
    let mut page = opened.page.clone();
    page.title = format!("{title} · {}", page.title);
    let page = page.crumb(base.clone(), words.t("console.case.evidence"));
    html(&ItemPage {
        missing: blob.is_none().then(|| {
            let device = Param::text(opened.wording.device(&header.device));
            words.all("evidence.missing", &[("device", device), ("bytes", size)])
        }),
        check_bytes: (large && asked.bytes.is_empty()).then(|| format!("{base}/{}?bytes=1#verdict", item.evidence)),
        acquisition: AcquisitionTag::new(words, item.acquisition.as_deref()),
        facts: facts(&app, &opened, entry, item),
        custody: custody(&app, &outcome, &opened, entry, item).await?,
        figure: BracketFigure::new(words, "sealed", &sealed, logged, Some(header.clock.wall_ms)),
        decides: opened.decides,
        receipts: ReceiptList::of(words, logged, blob.is_some()),
        verdict: VerdictPanel::by_server(words, &judgement, steps(words, &outcome)).held_by_server(held),
        map: PlaceMap::new(words, &points(at + 1, item)),
        commands: commands(&app, entry, hex.as_deref(), file.as_deref()),
        not_proven: NotProven::new(words, false),
        earlier: at.checked_sub(1).and_then(neighbour),
        later: neighbour(at + 1),
        download: format!("{original}&download=true"),
        operation: item.operation.to_string(),
        file: file.unwrap_or_default(),
        number: at + 1,
        sha256: hex,
        // Made again, so that it counts what was checked just now.
        bar: CaseBar::new(
            &app,
            &opened.wording,
            &opened.file,
            &Known::of(&app, &opened.file).await?,
            Tab::Evidence,
            opened.decides,
        ),
        page,
        title,
        player,
        original,
    })
}

/// Checks one item; the outcome is kept for the lists.
pub(super) async fn check(
    app: &App,
    opened: &OpenCase,
    item: &EvidenceView,
    hash_all: bool,
) -> Result<ItemCheck, PageError> {
    let checked = check_sealed(
        &app.server,
        &opened.file,
        item.operation,
        item.sha256.as_ref(),
        hash_all,
    )
    .await;
    let checked = checked.map_err(|error| match error {
        CheckError::Ledger(ledger) => ledger.into(),
        CheckError::Task(_) => PageError::internal(&error),
    })?;
    checked.ok_or(PageError::NotFound)
}

/// The steps of a check in words.
pub(super) fn steps(words: Words, check: &ItemCheck) -> Vec<Checked> {
    let row = |(subject, outcome): &(Subject, Outcome)| Checked {
        what: match subject {
            Subject::DeviceSignature => words.t("check_step.device"),
            Subject::KeyInForce => words.t("check_step.in_force"),
            Subject::OfficerSignatures(count) => words.t1("check_step.officers", "count", *count),
            Subject::Inclusion(size) => words.t1("check_step.inclusion", "size", *size),
            Subject::Bytes => words.t("check_step.bytes"),
        },
        holds: !matches!(outcome, Outcome::Fails(_)),
        result: match outcome {
            Outcome::Holds => words.t("check_step.holds"),
            Outcome::NotChecked => words.t("verdict.not_checked"),
            Outcome::Fails(why) => words.t1("check_step.fails", "why", why),
        },
    };
    check.steps.iter().map(row).collect()
}

fn facts(app: &App, opened: &OpenCase, entry: &Entry, item: &EvidenceView) -> Vec<Fact> {
    let (words, file) = (opened.wording.words, &opened.file);
    let pack = file.pack.as_deref();
    let header = entry.operation.header();
    let signed = opened.wording.signed_by(app, &header.device, &header.incarnation);
    let logged = entry.leaf < app.server.published.borrow().size;
    let proven = if logged { Basis::Logged } else { Basis::Signed };
    let kind = item.kind.as_deref().map(|id| {
        let known = pack.and_then(|pack| pack.evidence_kind(id));
        known.map_or_else(|| id.to_owned(), |kind| kind.name.text(words.lang).to_owned())
    });
    let size = item
        .size
        .map(|bytes| words.all("evidence.size", &[("bytes", Param::Bytes(bytes))]));
    let officers = opened.wording.attesters(app, file, &item.operation);
    let fact = |code: &str, value: Option<String>, basis| Fact {
        label: words.t(code),
        value,
        basis: BasisCell::new(words, basis),
    };
    let mut facts = vec![
        fact("label.proves", item.proves.clone(), proven),
        fact("label.kind", kind, proven),
        fact("label.collector", item.collector.clone(), proven),
        Fact {
            basis: BasisCell::signed_by(words, proven, signed),
            ..fact("evidence.maker", Some(opened.wording.device(&header.device)), proven)
        },
        fact("label.media_type", item.media_type.clone(), proven),
        fact("evidence.bytes", size, proven),
        fact("label.original_name", item.original_name.clone(), Basis::Claim),
        fact(
            "evidence.claimed_time",
            item.claimed_ms.map(|ms| words.moment(ms)),
            Basis::Claim,
        ),
        fact("evidence.exif_time", item.exif_time.clone(), Basis::Claim),
        fact("evidence.exif_device", item.exif_device.clone(), Basis::Claim),
        fact("evidence.position", position(item), Basis::Claim),
    ];
    facts.extend(officers.into_iter().map(|signed| Fact {
        basis: BasisCell::signed_by(words, proven, signed),
        ..fact("console.timeline.attested", Some(String::new()), proven)
    }));
    facts
}

/// Signed custody events, the sealing itself, and what the access log holds about the original.
async fn custody(
    app: &App,
    outcome: &ItemCheck,
    opened: &OpenCase,
    entry: &Entry,
    item: &EvidenceView,
) -> Result<Vec<CustodyRow>, PageError> {
    let hex = item.sha256.map(|hash| hash.to_string());
    let same = same_bytes(opened.wording.words, outcome);
    let (words, wording) = (opened.wording.words, &opened.wording);
    let header = entry.operation.header();
    let sealing = CustodyRow {
        when: words.moment(header.clock.wall_ms),
        who: String::new(),
        signed: Some(wording.signed_by(app, &header.device, &header.incarnation)),
        event: words.t("status.sealed"),
        note: String::new(),
        place: position(item),
        same: same.clone(),
        by_server: false,
    };
    let mut rows = vec![(header.clock.wall_ms, sealing)];
    for event in &item.custody {
        let device = opened.file.entry(&event.operation).map(|entry| {
            let header = entry.operation.header();
            wording.signed_by(app, &header.device, &header.incarnation)
        });
        rows.push((
            event.wall_ms,
            CustodyRow {
                when: words.moment(event.wall_ms),
                who: event.by.clone().unwrap_or_default(),
                signed: device,
                event: words.t(&format!("custody.{}", event.event)),
                note: event.note.clone().unwrap_or_default(),
                place: None,
                same: None,
                by_server: false,
            },
        ));
    }
    let people = accounts::all(&*app.server.ledger).await?;
    let names = people
        .iter()
        .map(|one| (one.user.as_str(), one.name.as_str()))
        .collect();
    for access in openings(app, hex.as_deref()).await? {
        rows.push((
            access.at_ms,
            CustodyRow {
                when: words.moment(access.at_ms),
                who: access::who(wording, &names, &access.who),
                signed: None,
                event: words.t("evidence.opened"),
                note: String::new(),
                place: Some(words.t("evidence.at_server")),
                same: same.clone(),
                by_server: true,
            },
        ));
    }
    rows.sort_by_key(|(at, _)| *at);
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

/// Where the device says it was.
fn position(item: &EvidenceView) -> Option<String> {
    let (lat, lon) = item.latitude_e7.zip(item.longitude_e7)?;
    Some(format!("{:.6}, {:.6}", lat as f64 / 1e7, lon as f64 / 1e7))
}

/// Whether the bytes that lie here hash to what was signed, by the check that the page just made.
fn same_bytes(words: Words, outcome: &ItemCheck) -> Option<String> {
    let (_, bytes) = outcome.steps.iter().find(|(subject, _)| *subject == Subject::Bytes)?;
    Some(match bytes {
        Outcome::Holds => words.t("value.yes"),
        Outcome::NotChecked => words.t("verdict.not_checked"),
        Outcome::Fails(_) => words.t("value.no"),
    })
}

/// The newest openings of an original.
async fn openings(app: &App, hex: Option<&str>) -> Result<Vec<crate::ledger::Access>, PageError> {
    match hex {
        None => Ok(Vec::new()),
        Some(hex) => Ok(app.server.ledger.accesses_of(hex.to_owned(), 20).await?),
    }
}

/// What anybody can repeat with tools that he already trusts.
fn commands(app: &App, entry: &Entry, hex: Option<&str>, file: Option<&str>) -> Vec<(String, String)> {
    let mut commands = Vec::new();
    if let (Some(hex), Some(file)) = (hex, file) {
        commands.push((
            "verify_yourself.hash".to_owned(),
            format!("echo '{hex}  {file}' | sha256sum -c -"),
        ));
    }
    let header = entry.operation.header();
    let keys = app.server.ingest.key_log();
    let suite = keys
        .log
        .operation_key(&header.device, &header.incarnation)
        .and_then(|key| key.record.key().ok())
        .map(|key| key.suite());
    let id = entry.id().to_string();
    let name = short_id(&id);
    let command = match suite {
        Some(Suite::Ed25519) => {
            format!("openssl pkeyutl -verify -pubin -inkey {name}.pub.pem -rawin -in {name}.pae -sigfile {name}.sig")
        }
        Some(Suite::P256) => format!("openssl dgst -sha256 -verify {name}.pub.pem -signature {name}.sig {name}.pae"),
        None => return commands,
    };
    commands.push(("verify_yourself.signature".to_owned(), command));
    commands
}
