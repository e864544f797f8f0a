//! Long-poll feed: what a device may see, in log order, in whole batches.
//!
//! A window `[low, high)` of the arrivals (the log's order, but for what a restored server is offered again) is sent at a time. When a device was named in a case inside the window, what happened in
//! that case before the window is sent first. The cursor holds where in the window the reader is; it is opaque to clients.

use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use fieldseal_proof::encoding::base64;
use fieldseal_proof::ids::{CaseId, DeviceId};
use fieldseal_proof::operation::Operation;
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::caller::Caller;
use super::devices::{Call, note_contact};
use super::limits::{PAGE_MOST, POLL_MOST, Plane};
use super::log::text_or_null;
use super::problem::Problem;
use crate::ledger::{FeedScope, MemberRow, OperationRow, space};
use crate::office::holders::{Holder, holders};

#[derive(Deserialize)]
pub struct Ask {
    cursor: Option<String>,
    #[serde(default)]
    wait: u64,
    max_bytes: Option<usize>,
    /// Of a supervisor: only these cases, ids with commas between them.
    cases: Option<String>,
}

/// Cases that a supervisor may name; her address of the question stays below 8 KiB.
const CASES_MOST: usize = 200;

/// What a reader gets.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Scope {
    /// A supervisor's: everything.
    All,
    /// A supervisor's who said so: these cases, beside what everybody gets. What happened in a case before it was named comes only to
    /// a reader that begins anew.
    Listed(Vec<CaseId>),
    /// A tablet's: the cases in which it or its officers are named.
    Named,
}

impl Scope {
    fn of(caller: &Caller, asked: Option<&str>) -> Result<Self, Problem> {
        let Some(asked) = asked.filter(|_| caller.token.role == "supervisor") else {
            let all = caller.token.role == "supervisor";
            return Ok(if all { Self::All } else { Self::Named });
        };
        let ids = asked.split(',').filter(|id| !id.is_empty()).map(str::parse::<CaseId>);
        let cases: Vec<CaseId> = ids
            .take(CASES_MOST + 1)
            .collect::<Result<_, _>>()
            .map_err(|_| Problem::bad_request("cases: not ids with commas between them"))?;
        if cases.len() > CASES_MOST {
            return Err(Problem::bad_request("cases: more than 200"));
        }
        Ok(Self::Listed(cases))
    }
}

/// Where a reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cursor {
    /// Begin of the window.
    low: u64,
    /// End of the window; equal to `low` when a new one begins.
    high: u64,
    /// Next arrival of the filling-up below `low`; `low` when it is done.
    fill: u64,
    /// Next arrival inside the window.
    next: u64,
    /// Entries of the key log whose officers had everything below the window before it began.
    known: u64,
    /// Entries of the key log when the window began: who holds the device since a later one waits for the next window.
    keys: u64,
}

impl Cursor {
    fn at(arrival: u64) -> Self {
        Self {
            low: arrival,
            high: arrival,
            fill: arrival,
            next: arrival,
            known: 0,
            keys: 0,
        }
    }

    /// Everything of the window, and of the filling-up before it, was sent.
    fn is_done(self) -> bool {
        self.fill >= self.low && self.next >= self.high
    }

    /// Everything of its feed that arrived before this is with the reader: what lies below the window, once the filling-up is
    /// done, and what of the window was sent.
    fn has(self) -> u64 {
        if self.fill < self.low { 0 } else { self.next }
    }

    fn text(self, epoch: &str) -> String {
        let Self {
            low,
            high,
            fill,
            next,
            known,
            keys,
        } = self;
        format!("{epoch}.{low:x}.{high:x}.{fill:x}.{next:x}.{known:x}.{keys:x}")
    }

    fn parse(text: &str, epoch: &str) -> Option<Self> {
        let rest = text.strip_prefix(epoch)?.strip_prefix('.')?;
        let numbers: Option<Vec<u64>> = rest.split('.').map(|part| u64::from_str_radix(part, 16).ok()).collect();
        // A cursor of an earlier program says nothing of the key log: what its reader's officers may lack is sent once more.
        let [low, high, fill, next, known, keys] = match numbers?[..] {
            [low, high, fill, next] => [low, high, fill, next, 0, 0],
            [low, high, fill, next, known, keys] => [low, high, fill, next, known, keys],
            _ => return None,
        };
        let order = fill <= low && low <= next && next <= high && high < 1 << 62 && known <= keys;
        order.then_some(Self {
            low,
            high,
            fill,
            next,
            known,
            keys,
        })
    }
}

/// `GET /v1/feed?cursor=C&wait=S&max_bytes=N`
pub async fn feed(State(app): State<App>, caller: Caller, Query(ask): Query<Ask>) -> Result<Json<Value>, Problem> {
    let (caller, device) = caller.device()?;
    let epoch = hex::encode(app.server.epoch.as_bytes());
    let unknown = || Problem::new(StatusCode::GONE, "cursor_unknown", []);
    let mut cursor = match ask.cursor.as_deref() {
        None | Some("") => Cursor::at(0),
        Some(text) => Cursor::parse(text, &epoch).ok_or_else(unknown)?,
    };
    note_contact(&app, &caller, Call::Feed(cursor.has())).await?;
    let max_bytes = ask.max_bytes.unwrap_or(1 << 20).clamp(1, PAGE_MOST);
    let scope = Scope::of(&caller, ask.cases.as_deref())?;
    if caller.token.role == "supervisor" {
        log_sitting(&app, &caller, device, &ask).await?;
    }
    let deadline = tokio::time::Instant::now() + Duration::from_secs(ask.wait).min(POLL_MOST);
    let mut place = app.server.place.clone();
    let mut draining = app.server.draining.subscribe();
    loop {
        let size = *place.borrow_and_update();
        let key_log = app.server.ingest.key_log();
        let held = match scope {
            Scope::Named => holders(&*app.server.ledger, &key_log, device).await?,
            Scope::All | Scope::Listed(_) => Vec::new(),
        };
        let grown = held.iter().any(|holder| holder.entry >= cursor.keys);
        if cursor.is_done() && (size > cursor.high || grown) {
            cursor = Cursor {
                low: cursor.high,
                high: size.max(cursor.high),
                fill: 0,
                next: cursor.high,
                known: cursor.keys,
                keys: key_log.log.size(),
            };
        }
        let items = {
            if caller.is_revoked(&app) {
                return Err(Problem::new(StatusCode::UNAUTHORIZED, "device_revoked", []));
            }
            let _turn = app.pools.turn(Plane::Pull, caller.share).await?;
            page(&app, (device, &held), &scope, &mut cursor, max_bytes).await?
        };
        let rest = !cursor.is_done() || cursor.high < size;
        if items.is_empty() && rest {
            continue;
        }
        if items.is_empty() && !*draining.borrow() {
            tokio::select! {
                changed = place.changed() => if changed.is_ok() { continue },
                _ = draining.changed() => {}
                () = tokio::time::sleep_until(deadline) => {}
            }
        }
        // A tablet holds the attestations that its own operations name; who reads everybody's needs everybody's.
        let attested = scope != Scope::Named;
        return answer(&app, &epoch, cursor, size, &items, attested).await.map(Json);
    }
}

/// Whoever reads everybody's records stands in the access log before the first of them goes out.
async fn log_sitting(app: &App, caller: &Caller, device: DeviceId, ask: &Ask) -> Result<(), Problem> {
    let from_start = ask.cursor.as_deref().is_none_or(str::is_empty);
    if !app.sittings.begins(device, app.server.clock.now().wall_ms, from_start) {
        return Ok(());
    }
    let from = if from_start { "from the start" } else { "" };
    let logged = caller.log(app, "feed.read", from.to_owned()).await;
    Ok(logged.inspect_err(|_| app.sittings.forget(&device))?)
}

/// The next page of the window; moves the cursor.
async fn page(
    app: &App,
    (device, held): (DeviceId, &[Holder]),
    scope: &Scope,
    cursor: &mut Cursor,
    max_bytes: usize,
) -> Result<Vec<OperationRow>, Problem> {
    let ledger = &app.server.ledger;
    if cursor.is_done() {
        return Ok(Vec::new());
    }
    let whole = match scope {
        Scope::All => Some(FeedScope::All),
        Scope::Listed(cases) => Some(FeedScope::Device {
            device,
            cases: cases.clone(),
        }),
        Scope::Named => None,
    };
    if let Some(whole) = whole {
        let rows = ledger.operations(whole, cursor.next, cursor.high, max_bytes).await?;
        cursor.next = after(&rows, cursor.high);
        cursor.fill = cursor.low;
        return Ok(rows);
    }
    let held = || held.iter().filter(|holder| holder.entry < cursor.keys);
    let mut subjects = vec![*device.as_bytes()];
    subjects.extend(held().map(|holder| *holder.officer.as_bytes()));
    let new: Vec<[u8; 16]> = held()
        .filter(|holder| holder.entry >= cursor.known)
        .map(|holder| *holder.officer.as_bytes())
        .collect();
    let named: Vec<MemberRow> = ledger
        .memberships(subjects)
        .await?
        .into_iter()
        .filter(|m| m.since < cursor.high)
        .collect();
    if cursor.fill < cursor.low {
        let fresh: Vec<CaseId> = newly_named(&named, &new, cursor.low);
        let rows = match fresh.is_empty() {
            true => Vec::new(),
            false => {
                ledger
                    .operations(FeedScope::Cases(fresh), cursor.fill, cursor.low, max_bytes)
                    .await?
            }
        };
        cursor.fill = after(&rows, cursor.low);
        if !rows.is_empty() {
            return Ok(rows);
        }
    }
    let cases = named.iter().map(|member| member.case).collect();
    let rows = ledger
        .operations(FeedScope::Device { device, cases }, cursor.next, cursor.high, max_bytes)
        .await?;
    cursor.next = after(&rows, cursor.high);
    Ok(rows)
}

/// Cases in which the reader was first named inside the window, or that it reads by the name of an officer who holds it only now:
/// everything before is missing.
fn newly_named(named: &[MemberRow], new: &[[u8; 16]], low: u64) -> Vec<CaseId> {
    let mut first: std::collections::BTreeMap<CaseId, u64> = std::collections::BTreeMap::new();
    for member in named {
        let read_since = match new.contains(&member.subject) {
            true => u64::MAX,
            false => member.since,
        };
        let since = first.entry(member.case).or_insert(read_since);
        *since = (*since).min(read_since);
    }
    first
        .into_iter()
        .filter(|(_, since)| *since >= low)
        .map(|(case, _)| case)
        .collect()
}

/// Where the next page begins: after the last row of a page that was cut by its size, else at the end.
fn after(rows: &[OperationRow], end: u64) -> u64 {
    match rows.last() {
        // A page may have been cut before a batch that did not fit: ask again from there, it is cheap.
        Some(last) => last.arrival + 1,
        None => end,
    }
}

async fn answer(
    app: &App,
    epoch: &str,
    cursor: Cursor,
    size: u64,
    items: &[OperationRow],
    attested: bool,
) -> Result<Value, Problem> {
    let attestations = if attested {
        named_attestations(app, items).await?
    } else {
        Vec::new()
    };
    let packs = app.server.ledger.registers(space::PACK, Vec::new(), 1_000).await?;
    let checkpoint = app.server.published.borrow().note.clone();
    let time_note = app.server.time.current().await?;
    Ok(json!({
        "epoch": epoch,
        "cursor": cursor.text(epoch),
        "until": Cursor { known: cursor.keys, keys: cursor.keys, ..Cursor::at(size) }.text(epoch),
        "more": !cursor.is_done() || cursor.high < size,
        "items": items.iter().map(|row| json!({ "index": row.leaf, "frame": base64(&row.frame) })).collect::<Vec<_>>(),
        "key_log_size": app.server.ingest.key_log().log.size(),
        "packs": packs.iter().map(|pack| hex::encode(&pack.key)).collect::<Vec<_>>(),
        "attestations": attestations,
        "checkpoint": text_or_null(&checkpoint),
        "time_note": text_or_null(&time_note),
    }))
}

/// The time notes that the operations of a page name as their anchors, each once: the lower ends of their brackets.
async fn named_attestations(app: &App, items: &[OperationRow]) -> Result<Vec<Value>, Problem> {
    let anchors: std::collections::BTreeSet<_> = items
        .iter()
        .filter_map(|row| Operation::parse(&row.frame).ok()?.header().anchor)
        .collect();
    let mut attestations = Vec::new();
    for anchor in anchors {
        let held = app
            .server
            .ledger
            .register(space::ATTESTATION, anchor.as_bytes().to_vec())
            .await?;
        // An anchor may name what another server attested; it is then looked for in the bundle.
        attestations.extend(held.map(|held| json!({ "kind": "time-note", "bytes": base64(&held.value) })));
    }
    Ok(attestations)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_hostile_ones_do_not() {
        let cursor = Cursor {
            low: 5,
            high: 900,
            fill: 5,
            next: 17,
            known: 2,
            keys: 3,
        };
        assert_eq!(Cursor::parse(&cursor.text("ab"), "ab"), Some(cursor));
        let earlier = Cursor {
            known: 0,
            keys: 0,
            ..cursor
        };
        assert_eq!(Cursor::parse("ab.5.384.5.11", "ab"), Some(earlier));
        for text in [
            "",
            "ab",
            "ab.1.2.3",
            "cd.0.0.0.0",
            "ab.5.4.0.5",
            "ab.0.ffffffffffffffff.0.0",
            "ab.-1.0.0.0",
            "ab.9.9.9.8",
            "ab.9.9.9.9.1",
            "ab.9.9.9.9.2.1",
        ] {
            assert_eq!(Cursor::parse(text, "ab"), None, "{text}");
        }
    }
}
