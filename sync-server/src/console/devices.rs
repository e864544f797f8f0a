//! Device health: which tablet may lose data, or lies?

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use fieldseal_core::catalogue::Param;
use fieldseal_core::domain::view::People;
use fieldseal_proof::ids::DeviceId;
use fieldseal_proof::key_log::{Custody, EnrolledKey, Purpose};

use super::accounts::Role;
use super::act::state;
use super::error::PageError;
use super::figure::ContactStrip;
use super::page::{Area, Page, html};
use super::visitor::Desk;
use super::words::Words;
use crate::api::{App, devices};
use crate::ledger::{Chain, RunState, space};
use crate::office;
use crate::projection::{entry_of, set_aside_all};

/// A clock that is further off than this is shown: people read minutes.
pub const SKEW_SHOWN_MS: u64 = 60_000;
const HOUR_MS: u64 = 3_600_000;

struct Row {
    label: String,
    id: String,
    role: String,
    custody: String,
    contact: ContactStrip,
    held: u64,
    app: Option<String>,
    /// The rule pack of its newest record: title and version.
    pack: Option<String>,
    /// Whose keys it carries.
    holders: Vec<String>,
    /// Disk and battery, as it last told.
    health: Vec<String>,
    /// How far its clock stands from the server's.
    clock: Option<String>,
    /// Where it is marked as lost; nothing of what cannot be lost.
    lost: Option<String>,
    /// What the device last told of what waits on it.
    unsent: Option<String>,
    incidents: Vec<String>,
    revoked: bool,
    /// Sorts the worst first.
    rank: (bool, std::cmp::Reverse<u64>),
    /// The console itself, which runs with the server and cannot be out of reach.
    here: bool,
}

#[derive(Template)]
#[template(path = "devices.html")]
struct DevicesPage {
    page: Page,
    rows: Vec<Row>,
    silent: usize,
}

/// `GET /console/devices`
pub async fn page(State(app): State<App>, desk: Desk) -> Result<Response, PageError> {
    desk.staff.needs_one_of(&[Role::Supervisor, Role::Administrator])?;
    let words = desk.words();
    let page = Page::of(&app, &desk, Area::Devices, words.t("console.nav.devices")).await?;
    let now = app.server.clock.now().wall_ms;
    let own = app.server.ingest.own_chain().device;
    // Everything that was ever enrolled, also what has not written anything yet.
    let keys = app.server.ingest.key_log();
    let enrolled = keys.log.keys().filter(|(_, key)| key.action == "device");
    let mut by_device: BTreeMap<DeviceId, Vec<Chain>> = enrolled
        .filter_map(|(_, key)| Some((DeviceId::from_bytes(key.subject?), Vec::new())))
        .collect();
    for chain in app.server.ledger.all_chains().await? {
        if chain.key.device != own {
            by_device.entry(chain.key.device).or_default().push(chain);
        }
    }
    let mut set_aside: BTreeMap<String, usize> = BTreeMap::new();
    for aside in set_aside_all(&*app.server.ledger).await?.into_values() {
        if aside.stands() {
            *set_aside.entry(aside.device).or_default() += 1;
        }
    }
    let pack = state::pack(&app).await?;
    let limit_ms = pack.map(|pack| pack.thresholds().unsynced_hours.saturating_mul(HOUR_MS));
    let mut rows = Vec::new();
    for (number, (device, chains)) in by_device.into_iter().enumerate() {
        let aside = set_aside.get(&device.to_string()).copied().unwrap_or_default();
        rows.push(row(&app, words, number, device, &chains, aside, Term { now, limit_ms }).await?);
    }
    rows.sort_by_key(|row| row.rank);
    let silent = rows.iter().filter(|row| !row.here && row.contact.is_silent()).count();
    html(&DevicesPage { page, rows, silent })
}

async fn row(
    app: &App,
    words: Words,
    number: usize,
    device: DeviceId,
    chains: &[Chain],
    set_aside: usize,
    term: Term,
) -> Result<Row, PageError> {
    let now = term.now;
    let ledger = &app.server.ledger;
    let held = ledger.register(space::DEVICE, device.as_bytes().to_vec()).await?;
    let contact: serde_json::Value = held
        .and_then(|held| serde_json::from_slice(&held.value).ok())
        .unwrap_or_default();
    let last = contact["last_contact_ms"].as_u64();
    let keys = app.server.ingest.key_log();
    let newest = chains.iter().max_by_key(|chain| {
        let enrolled = keys.log.operation_key(&chain.key.device, &chain.key.incarnation);
        enrolled.map(|key| key.enrolled_at)
    });
    let of_chain = newest.and_then(|chain| keys.log.operation_key(&chain.key.device, &chain.key.incarnation));
    let of_device =
        |key: &&EnrolledKey| key.subject == Some(*device.as_bytes()) && key.record.purpose == Purpose::Operation;
    let key = of_chain.or_else(|| keys.log.keys().map(|(_, key)| key).find(of_device));
    let count = |state: RunState| {
        chains
            .iter()
            .flat_map(|chain| &chain.runs)
            .filter(|run| run.state == state)
            .count()
    };
    let told = devices::told(app, device).await?;
    let mut incidents = Vec::new();
    let mut incident = |code: &'static str, count: usize| {
        if count > 0 {
            incidents.push(words.t1(code, "count", count));
        }
    };
    incident("device.forks", count(RunState::Fork));
    incident("device.gaps", count(RunState::Gap));
    incident("device.incarnations", chains.len().saturating_sub(1));
    incident("device.set_aside", set_aside);
    if let Some(told) = told.as_ref().filter(|told| told.skew_ms.unsigned_abs() > SKEW_SHOWN_MS) {
        incidents.push(words.t1("device.skew", "span", Param::Span(told.skew_ms.unsigned_abs())));
    }
    let (version, pack) = newest_record(app, words, chains).await?;
    let key_id = keys.log.keys().find(|(_, one)| {
        let standing = one.revoked_at.is_none() && one.record.purpose == Purpose::Operation;
        standing && one.subject == Some(*device.as_bytes())
    });
    let lost = key_id.map(|(id, _)| format!("/console/enrolment/revoke?key={id}&lost=1"));
    let label = contact["label"].as_str().filter(|label| !label.is_empty());
    let id = device.to_string();
    let revoked = key.is_some_and(|key| key.revoked_at.is_some());
    let here = key.is_some_and(|key| key.record.custody == Custody::Server);
    if !here {
        incidents.extend(term.passed(words, told.as_ref(), last));
    }
    let unnamed = || match here {
        true => words.t("device.console"),
        false => id.chars().take(8).collect(),
    };
    Ok(Row {
        label: label.map_or_else(unnamed, str::to_owned),
        role: key
            .and_then(|key| key.role.clone())
            .map_or_else(String::new, |role| words.t(&format!("device.role.{role}"))),
        custody: words.t(&format!(
            "trust.custody.{}",
            key.map_or("unknown", |key| key.record.custody.as_str())
        )),
        contact: ContactStrip::new(words, number, last, now),
        held: chains.iter().filter_map(Chain::main).map(|run| run.last_seq + 1).sum(),
        app: version,
        pack,
        holders: holders(app, device).await?,
        health: told.as_ref().map(|told| health(words, told)).unwrap_or_default(),
        clock: told.as_ref().map(|told| clock(words, told.skew_ms)),
        unsent: told.as_ref().map(|told| unsent(words, told, term.limit_ms)),
        lost: lost.filter(|_| !here),
        rank: (
            incidents.is_empty() && !revoked,
            std::cmp::Reverse(match here {
                true => 0,
                false => last.map_or(u64::MAX, |last| now.saturating_sub(last)),
            }),
        ),
        here,
        incidents,
        revoked,
        id,
    })
}

/// How long what exists on a tablet only may wait, by the rule pack in force.
#[derive(Clone, Copy)]
struct Term {
    now: u64,
    /// `None` without a pack.
    limit_ms: Option<u64>,
}

impl Term {
    /// That it has passed: for what a tablet said, or for what it may have written since it was last heard of.
    fn passed(self, words: Words, told: Option<&devices::Told>, last_ms: Option<u64>) -> Option<String> {
        let limit = self.limit_ms?;
        let waits = told.and_then(|told| told.health.oldest_waiting_ms);
        if let Some(age) = waits.filter(|age| *age > limit) {
            return Some(words.t1("device.waits_too_long", "span", Param::Span(age - limit)));
        }
        let silence = self.now.saturating_sub(last_ms?);
        (silence > limit).then(|| words.t1("device.silent_too_long", "limit", Param::Span(limit)))
    }
}

/// What waits on a device, for how long of how much, and when it said so.
fn unsent(words: Words, told: &devices::Told, limit_ms: Option<u64>) -> String {
    let waiting = &told.health.waiting;
    let files = ("files", Param::Count(waiting.blobs));
    let bytes = ("bytes", Param::Bytes(waiting.blob_bytes));
    let count = ("count", Param::Count(waiting.operations));
    let mut said = vec![words.all("device.waiting", &[count, files, bytes])];
    said.extend(told.health.oldest_waiting_ms.map(|age| {
        let oldest = ("span", Param::Span(age));
        match limit_ms {
            Some(limit) => words.all("device.oldest_of", &[oldest, ("limit", Param::Span(limit))]),
            None => words.all("device.oldest", &[oldest]),
        }
    }));
    said.push(words.minute(told.reported_ms));
    said.join(" · ")
}

/// What a device told of its disk and battery.
fn health(words: Words, told: &devices::Told) -> Vec<String> {
    let free = told
        .health
        .free_bytes
        .map(|size| words.t1("device.free", "size", Param::Bytes(size)));
    let battery = told.health.battery_percent;
    let battery = battery.map(|percent| words.t1("device.battery", "percent", u64::from(percent)));
    free.into_iter().chain(battery).collect()
}

/// How far a device's clock stands from the server's, to the second.
fn clock(words: Words, skew_ms: i64) -> String {
    match skew_ms.unsigned_abs() {
        small if small < 1_000 => words.t("device.clock_same"),
        off if skew_ms > 0 => words.t1("device.clock_ahead", "span", Param::Span(off)),
        off => words.t1("device.clock_behind", "span", Param::Span(off)),
    }
}

/// The names of those who hold a device.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn holders(app: &App, device: DeviceId) -> Result<Vec<String>, PageError> {
    let keys = app.server.ingest.key_log();
    let people = People::of(&keys.log);
    let held = office::holders::holders(&*app.server.ledger, &keys, device).await?;
    let names = held.iter().map(|holder| match people.get(&holder.officer) {
        Some(officer) => officer.name.clone(),
        None => holder.officer.to_string(),
    });
    Ok(names.collect())
}

/// Application version and rule pack of the newest operation: the tablet's word.
async fn newest_record(
    app: &App,
    words: Words,
    chains: &[Chain],
) -> Result<(Option<String>, Option<String>), PageError> {
    for chain in chains.iter().rev() {
        let Some(main) = chain.main() else { continue };
        let stored = app
            .server
            .ledger
            .stored(chain.key, main.last_seq, main.last_seq)
            .await?;
        if let Some(last) = stored.last()
            && let Some(entry) = entry_of(&*app.server.ledger, last.id).await?
        {
            let header = entry.operation.header();
            let pack = match header.pack {
                Some(hash) => app.shelves.packs.get(&*app.server.ledger, hash).await?,
                None => None,
            };
            let pack = pack.map(|pack| format!("{} {}", pack.head().title.text(words.lang), pack.head().version));
            return Ok((Some(header.app.clone()).filter(|app| !app.is_empty()), pack));
        }
    }
    Ok((None, None))
}
