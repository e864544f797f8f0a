//! The conflict decision: values side by side, who said each and what they saw, then a choice and a reason. Nothing is preselected.

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::Response;
use fieldseal_core::catalogue::Message;
use fieldseal_core::catalogue::trust::{clock_sentence, time_basis};
use fieldseal_core::domain::view::People;
use fieldseal_core::merge::State as Folded;
use fieldseal_core::merge::{FieldClass, Held};
use fieldseal_proof::bundle::{Bound, TimeBracket};
use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{CaseId, EvidenceId, OpId};
use fieldseal_proof::operation::Operation;
use serde::Deserialize;

use super::super::accounts::Role;
use super::super::cases::Wording;
use super::super::error::{PageError, url_escaped};
use super::super::form::Fields;
use super::super::page::{Area, Page, html};
use super::super::queue::Queue;
use super::super::trust::SignedBy;
use super::super::visitor::Desk;
use super::super::words::Words;
use super::super::work;
use super::action::{Action, Choice, choice_id};
use super::readable::{item_of, label, value_of as shown_value};
use super::state;
use super::{incomplete, prepared};
use crate::api::App;
use crate::tlog::bracket;

/// Rows of the comparison, in the order of the cells.
const ROWS: [&str; 8] = [
    "who",
    "tablet",
    "claimed",
    "not_before",
    "not_after",
    "received",
    "saw",
    "records",
];
/// The row of the keys that signed.
const WHO: usize = 0;
/// The row that only the device says.
const CLAIMED: usize = 2;

/// One value that stands.
struct Side {
    letter: String,
    id: String,
    value: String,
    /// As [`ROWS`].
    cells: Vec<String>,
    /// One of the signatures is by a key of the server.
    server_held: bool,
}

/// A row of the comparison: what all sides say about one question.
struct Row {
    name: String,
    same: bool,
    /// A claim, not a proof.
    claim: bool,
    cells: Vec<Cell>,
}

struct Cell {
    letter: String,
    text: String,
    /// Says that a key of the server signed.
    server_held: bool,
}

#[derive(Template)]
#[template(path = "act/decide.html")]
struct DecidePage {
    page: Page,
    queue: Option<Queue>,
    case: String,
    path: String,
    field: String,
    /// Text of the inspection item, where the path is about one.
    item: Option<String>,
    party: String,
    sides: Vec<Side>,
    rows: Vec<Row>,
    chosen: String,
    other: String,
    reason: String,
    seen: String,
    /// A person can settle it; otherwise it is a contradiction of sealed facts.
    decidable: bool,
    /// Several values still stand.
    open: bool,
    inspection: Option<String>,
    /// Evidence about the thing in question: address and title.
    evidence: Vec<(String, String)>,
    problem: Option<String>,
}

#[derive(Deserialize)]
pub struct Subject {
    case: String,
    path: String,
}

/// `GET /console/act/decide?case=&path=`
pub async fn form(State(app): State<App>, desk: Desk, Query(about): Query<Subject>) -> Result<Response, PageError> {
    let case = about.case.parse().map_err(|_| PageError::NotFound)?;
    shown(&app, &desk, case, &about.path, &Fields(Vec::new()), None).await
}

/// `POST /console/act/decide`
pub async fn send(
    State(app): State<App>,
    desk: Desk,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let fields = Fields(form);
    let case: CaseId = fields.id("case")?;
    let path = fields.text("path").to_owned();
    let choice = match fields.text("choice") {
        "" => {
            let message = Message::new("console.act.choose", []);
            return shown(&app, &desk, case, &path, &fields, Some(message))
                .await
                .map(incomplete);
        }
        "both" => {
            let message = Message::new("console.act.decide.both_stay", []);
            return shown(&app, &desk, case, &path, &fields, Some(message)).await;
        }
        "back" => return sent_back(&app, &desk, case, &path, &fields).await,
        "other" => Choice::Other(fields.text("other").to_owned()),
        held => Choice::Held(held.to_owned()),
    };
    let action = Action::Decide {
        case,
        path: path.clone(),
        choice,
        reason: fields.text("reason").to_owned(),
    };
    prepared(&app, &desk, action, fields.text("seen"), async |message| {
        shown(&app, &desk, case, &path, &fields, Some(message)).await
    })
    .await
}

/// Instead of a decision the inspection goes back, with the field that is in question.
async fn sent_back(app: &App, desk: &Desk, case: CaseId, path: &str, fields: &Fields) -> Result<Response, PageError> {
    let words = desk.words();
    let pack = state::pack(app).await?;
    let item = item_of(words, pack.as_ref(), path).unwrap_or_else(|| label(words, path));
    let action = Action::SendBack {
        inspection: fields.id("inspection")?,
        case,
        reason: fields.text("reason").to_owned(),
        items: vec![item],
    };
    prepared(app, desk, action, "", async |message| {
        shown(app, desk, case, path, fields, Some(message)).await
    })
    .await
}

async fn shown(
    app: &App,
    desk: &Desk,
    case: CaseId,
    path: &str,
    fields: &Fields,
    message: Option<Message>,
) -> Result<Response, PageError> {
    desk.staff.needs_one_of(&[Role::Supervisor, Role::Legal])?;
    let words = desk.words();
    let fold = state::of(app, case).await?.ok_or(PageError::NotFound)?;
    let resolved = fold.get(path).ok_or(PageError::NotFound)?;
    let people = People::of(&app.server.ingest.key_log().log);
    let wording = Wording::load(app, words).await?;
    let mut sides: Vec<Side> = Vec::new();
    for (at, held) in resolved.held().iter().enumerate() {
        sides.push(side(app, &wording, &people, &fold, path, at, held).await?);
    }
    let names = ROWS.map(|row| words.t(&format!("console.act.row.{row}")));
    let mut order: Vec<usize> = (0..names.len()).collect();
    let same = |row: usize| sides.windows(2).all(|pair| pair[0].cells[row] == pair[1].cells[row]);
    order.sort_by_key(|row| same(*row));
    let rows = order
        .iter()
        .map(|row| Row {
            name: names[*row].clone(),
            same: same(*row),
            claim: *row == CLAIMED,
            cells: sides
                .iter()
                .map(|side| Cell {
                    letter: side.letter.clone(),
                    text: side.cells[*row].clone(),
                    server_held: *row == WHO && side.server_held,
                })
                .collect(),
        })
        .collect();
    let party = fold.text("party/name").unwrap_or_else(|| case.to_string());
    let field = label(words, path);
    let mut page = Page::of(
        app,
        desk,
        Area::Work,
        words.t1("console.act.decide.title", "field", &field),
    )
    .await?;
    if desk.staff.account.role == Role::Supervisor {
        page = page.crumb("/console/worklist/conflicts", words.t("console.work.conflicts"));
    }
    page = page.crumb(format!("/console/cases/{case}"), party.clone());
    page.error = message.is_some();
    let here = format!("/console/act/decide?case={case}&path={}", url_escaped(path));
    page.switch = super::super::language::link(&here, words.other());
    let probe = Action::Decide {
        case,
        path: path.to_owned(),
        choice: Choice::Other(String::new()),
        reason: String::new(),
    };
    let first = resolved.held().iter().flat_map(|held| &held.by).next();
    let inspection = match first {
        Some(id) => state::header(app, *id).await?.and_then(|header| header.inspection),
        None => None,
    };
    let pack = state::pack(app).await?;
    let item = item_of(words, pack.as_ref(), path);
    html(&DecidePage {
        queue: match desk.staff.account.role {
            Role::Supervisor => work::queue(app, words, work::List::Conflicts, &here).await?,
            _ => None,
        },
        item,
        case: case.to_string(),
        path: path.to_owned(),
        field,
        party,
        rows,
        chosen: fields.text("choice").to_owned(),
        other: fields.text("other").to_owned(),
        reason: fields.text("reason").to_owned(),
        seen: match fields.text("seen") {
            "" => probe.seen(app).await?,
            seen => seen.to_owned(),
        },
        decidable: FieldClass::of(path) == FieldClass::Legal,
        open: sides.len() > 1,
        inspection: inspection.map(|id| id.to_string()),
        evidence: evidence(words, &fold, case, path),
        problem: message.map(|message| message.text(words.lang)),
        sides,
        page,
    })
}

async fn side(
    app: &App,
    wording: &Wording,
    people: &People,
    fold: &Folded,
    path: &str,
    at: usize,
    held: &Held,
) -> Result<Side, PageError> {
    let words = wording.words;
    let value = held.decoded();
    let (mut who, mut tablets, mut received, mut claimed, mut saw) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut not_before, mut not_after) = (Vec::new(), Vec::new());
    let published = app.server.published.borrow().size;
    for id in &held.by {
        let rows = app.server.ledger.operation(*id).await?;
        let Some(row) = rows.first() else { continue };
        let Ok(operation) = Operation::parse(&row.frame) else {
            continue;
        };
        let header = operation.header();
        who.extend(signers(app, wording, people, fold, *id).await?);
        tablets.push(wording.device(&header.device));
        received.push(words.moment(row.received_ms));
        let sealed = bracket(&*app.server.ledger, header.anchor, row.leaf).await?;
        claimed.push(claim(words, header.clock.wall_ms, &sealed));
        not_before.push(bound(words, sealed.not_before, "bracket.no_lower_bound"));
        not_after.push(match row.leaf < published {
            true => bound(words, sealed.not_after, "bracket.order_only"),
            false => words.t("bracket.unlogged"),
        });
        for earlier in &header.supersedes {
            saw.extend(value_of(app, words, people, *earlier, path).await?);
        }
    }
    let server_held = who.iter().any(SignedBy::is_server_held);
    let mut who: Vec<String> = who.iter().map(|signed| signed.sentence().to_owned()).collect();
    if who.is_empty() {
        who.push(words.t("console.act.unsigned"));
    }
    if saw.is_empty() {
        saw.push(words.t("console.act.saw_nothing"));
    }
    let joint = if words.zh() { "、" } else { ", " };
    let joined = |mut all: Vec<String>| {
        all.dedup();
        all.join(joint)
    };
    let ids = held.by.iter().map(|id| id.to_string()[..16].to_owned()).collect();
    Ok(Side {
        server_held,
        letter: letter(words, at),
        id: value.as_ref().map(choice_id).unwrap_or_default(),
        value: value.map_or_else(
            || words.t("value.withheld"),
            |value| shown_value(words, people, path, &value),
        ),
        cells: vec![
            joined(who),
            joined(tablets),
            joined(claimed),
            joined(not_before),
            joined(not_after),
            joined(received),
            joined(saw),
            joined(ids),
        ],
    })
}

/// The evidence of the finding that a path is about, or of the findings of its inspection item.
fn evidence(words: Words, fold: &Folded, case: CaseId, path: &str) -> Vec<(String, String)> {
    let findings: Vec<String> = match path.split('/').collect::<Vec<_>>()[..] {
        ["finding", id, _] => vec![id.to_owned()],
        ["check", item, _] => {
            let of_item = |id: &String| fold.text(&format!("finding/{id}/item")).as_deref() == Some(item);
            fold.members("finding").into_iter().filter(of_item).collect()
        }
        _ => Vec::new(),
    };
    let named = findings
        .iter()
        .filter_map(|id| fold.get(&format!("finding/{id}/evidence")));
    let values = named
        .flat_map(|resolved| resolved.held())
        .filter_map(|held| held.decoded());
    let ids = values.flat_map(|value| match value {
        Value::Array(all) => all,
        one => vec![one],
    });
    let mut ids: Vec<EvidenceId> = ids
        .filter_map(|id| id.as_bytes()?.try_into().ok().map(EvidenceId::from_bytes))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids.into_iter()
        .map(|id| {
            let title = fold.text(&format!("evidence/{id}/title"));
            let title = title.unwrap_or_else(|| words.t("console.case.evidence"));
            (format!("/console/cases/{case}/evidence/{id}"), title)
        })
        .collect()
}

/// An end of the bracket with its basis, or the words for its lack.
fn bound(words: Words, bound: Option<Bound>, lack: &str) -> String {
    match bound {
        Some(bound) => words.t2(
            "console.act.bound",
            "time",
            words.moment(bound.unix_ms),
            "by",
            time_basis(words.lang, &bound, &[]),
        ),
        None => words.t(lack),
    }
}

/// The device's clock, and how far it stands outside the bracket; the row's name says that it is a claim.
fn claim(words: Words, clock_ms: u64, sealed: &TimeBracket) -> String {
    let whole = clock_sentence(words.lang, clock_ms, sealed, |ms| words.moment(ms));
    let name = words.t("console.act.row.claimed");
    whole.strip_prefix(&name).unwrap_or(&whole).trim_start().to_owned()
}

/// Whose keys signed an operation.
async fn signers(
    app: &App,
    wording: &Wording,
    people: &People,
    fold: &Folded,
    id: OpId,
) -> Result<Vec<SignedBy>, PageError> {
    let mut all = Vec::new();
    for attest in fold.attests(&id) {
        let rows = app.server.ledger.operation(attest.id).await?;
        let operation = rows.first().and_then(|row| Operation::parse(&row.frame).ok());
        all.extend(operation.and_then(|operation| wording.attested_by(app, people, &operation)));
    }
    Ok(all)
}

/// What an earlier operation said about the path: the version that the author saw.
async fn value_of(app: &App, words: Words, people: &People, id: OpId, path: &str) -> Result<Option<String>, PageError> {
    let rows = app.server.ledger.operation(id).await?;
    let operation = rows.first().and_then(|row| Operation::parse(&row.frame).ok());
    let value = operation.and_then(|operation| operation.body().and_then(|body| body.get(path)));
    Ok(value.map(|value| shown_value(words, people, path, &value)))
}

/// 甲 乙 丙 …, A B C ….
fn letter(words: Words, at: usize) -> String {
    let letters: Vec<char> = words.t("console.act.letters").chars().collect();
    letters.get(at).map_or_else(|| (at + 1).to_string(), char::to_string)
}
