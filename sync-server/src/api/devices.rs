//! Devices as the server knows them: what they told about themselves, when they were heard of, how their chains stand.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use fieldseal_proof::ids::DeviceId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::App;
use super::caller::Caller;
use super::limits::Plane;
use super::problem::Problem;
use crate::ledger::{Commit, RunState, Swap, space};

/// The row of a device says within so many milliseconds when it was last heard of.
const CONTACT_MS: u64 = 5_000;
/// The same while it only asks whether there is something new.
const POLL_MS: u64 = 60_000;
/// Longest name of a version.
const VERSION_MOST: usize = 100;
/// No disk, queue or clock has more; a greater number would not be read back exactly by every reader of JSON.
const NUMBER_MOST: u64 = 1 << 53;

/// What a device tells about itself (wire.md, "Health"). Claims: they are shown, and nothing rests on them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Health {
    pub wall_ms: u64,
    #[serde(default)]
    pub clock_by_hand: bool,
    pub waiting: Waiting,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_waiting_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub battery_percent: Option<u8>,
    pub app: String,
    pub core: String,
}

/// What waits on a device.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Waiting {
    pub operations: u64,
    pub unsealed: u64,
    pub blobs: u64,
    pub blob_bytes: u64,
}

/// The last health of a device with what the server adds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Told {
    #[serde(flatten)]
    pub health: Health,
    /// Server clock, milliseconds.
    pub reported_ms: u64,
    /// The device's clock minus the server's when it arrived, milliseconds.
    pub skew_ms: i64,
}

impl Health {
    fn is_possible(&self) -> bool {
        let waiting = &self.waiting;
        let numbers = [
            self.wall_ms,
            waiting.operations,
            waiting.unsealed,
            waiting.blobs,
            waiting.blob_bytes,
            self.oldest_waiting_ms.unwrap_or_default(),
            self.free_bytes.unwrap_or_default(),
        ];
        let named = |text: &String| text.len() <= VERSION_MOST && !text.chars().any(char::is_control);
        numbers.iter().all(|number| *number < NUMBER_MOST)
            && self.battery_percent.is_none_or(|percent| percent <= 100)
            && named(&self.app)
            && named(&self.core)
    }
}

/// `POST /v1/health`
pub async fn report(
    State(app): State<App>,
    caller: Caller,
    Json(health): Json<Health>,
) -> Result<Json<Value>, Problem> {
    // Also of a device whose key was revoked: what it still holds is what the administrator wants to know.
    let (caller, device) = caller.author()?;
    if !health.is_possible() {
        return Err(Problem::bad_request("a number or name that no device has"));
    }
    let _turn = app.pools.turn(Plane::Pull, caller.share).await?;
    let reported_ms = app.server.clock.now().wall_ms;
    let skew_ms = health.wall_ms.cast_signed() - reported_ms.cast_signed();
    let told = Told {
        health,
        reported_ms,
        skew_ms,
    };
    let row = serde_json::to_vec(&told).map_err(|e| Problem::internal(&e))?;
    let row = Swap::set(space::HEALTH, *device.as_bytes(), row);
    app.server.ledger.commit(Commit::of(vec![row])).await?;
    Ok(Json(json!({ "skew_ms": skew_ms })))
}

/// What a device last told.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn told(app: &App, device: DeviceId) -> Result<Option<Told>, crate::ledger::LedgerError> {
    let row = app
        .server
        .ledger
        .register(space::HEALTH, device.as_bytes().to_vec())
        .await?;
    Ok(row.and_then(|row| serde_json::from_slice(&row.value).ok()))
}

/// What a device called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// It pushed so many operations.
    Push(usize),
    /// It asked for what is new, and has everything of its feed that arrived before this.
    Feed(u64),
}

/// When each device's row was last written, and how far its feed was then: once in a while is enough, a commit for each call
/// would be one more wait for the disk.
#[derive(Default)]
pub struct Contacts(Mutex<HashMap<DeviceId, (u64, u64)>>);

impl Contacts {
    /// Whether the row is written now. News of how far the feed came is never put off: an assignment is shown as not fetched
    /// until then.
    fn is_due(&self, device: DeviceId, now: u64, call: Call) -> bool {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, fed) = written.get(&device).copied().unwrap_or_default();
        let due = match call {
            Call::Push(_) => now.abs_diff(at) >= CONTACT_MS,
            Call::Feed(to) => to > fed || now.abs_diff(at) >= POLL_MS,
        };
        if due {
            let fed = match call {
                Call::Push(_) => fed,
                Call::Feed(to) => to,
            };
            written.insert(device, (now, fed));
        }
        due
    }
}

/// How a device stands with the server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Contact {
    /// Server clock, milliseconds.
    pub last_contact_ms: Option<u64>,
    pub last_push: usize,
    pub label: String,
    pub role: String,
    /// It has everything of its feed that arrived before this, in the epoch named beside it.
    pub fed: u64,
    pub epoch: String,
}

/// Remembers when a device was last heard of, and what it has of its feed.
pub async fn note_contact(app: &App, caller: &Caller, call: Call) -> Result<(), Problem> {
    let Some(device) = caller.device else { return Ok(()) };
    let now = app.server.clock.now().wall_ms;
    if !app.contacts.is_due(device, now, call) {
        return Ok(());
    }
    let epoch = hex::encode(app.server.epoch.as_bytes());
    let held = contact(app, device).await?;
    let fed = if held.epoch == epoch { held.fed } else { 0 };
    let row = Contact {
        last_contact_ms: Some(now),
        last_push: match call {
            Call::Push(operations) => operations,
            Call::Feed(_) => held.last_push,
        },
        label: caller.token.label.clone(),
        role: caller.token.role.clone(),
        fed: match call {
            Call::Push(_) => fed,
            Call::Feed(to) => to.max(fed),
        },
        epoch,
    };
    let row = serde_json::to_vec(&row).map_err(|e| Problem::internal(&e))?;
    let row = Swap::set(space::DEVICE, *device.as_bytes(), row);
    app.server.ledger.commit(Commit::of(vec![row])).await?;
    Ok(())
}

/// How a device stands; nothing of one that never called.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn contact(app: &App, device: DeviceId) -> Result<Contact, crate::ledger::LedgerError> {
    let row = app
        .server
        .ledger
        .register(space::DEVICE, device.as_bytes().to_vec())
        .await?;
    Ok(row
        .and_then(|row| serde_json::from_slice(&row.value).ok())
        .unwrap_or_default())
}

/// Up to which arrival a device has everything of its feed, as its own last question says; 0 before it asked in this epoch.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn fed(app: &App, device: DeviceId) -> Result<u64, crate::ledger::LedgerError> {
    let held = contact(app, device).await?;
    let ours = held.epoch == hex::encode(app.server.epoch.as_bytes());
    Ok(if ours { held.fed } else { 0 })
}

/// `GET /v1/admin/devices`
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Value>, Problem> {
    caller.admin()?;
    let mut items = Vec::new();
    for chain in app.server.ledger.all_chains().await? {
        let device: DeviceId = chain.key.device;
        let row = app
            .server
            .ledger
            .register(space::DEVICE, device.as_bytes().to_vec())
            .await?;
        let contact: Value = row
            .and_then(|row| serde_json::from_slice(&row.value).ok())
            .unwrap_or(Value::Null);
        let count = |state: RunState| chain.runs.iter().filter(|run| run.state == state).count();
        items.push(json!({
            "device": device.to_string(),
            "incarnation": chain.key.incarnation.to_string(),
            "head": chain.main().map(|main| json!({ "seq": main.last_seq, "link": main.link.to_string() })),
            "forks": count(RunState::Fork),
            "gaps": count(RunState::Gap),
            "contact": contact,
            "health": told(&app, device).await?,
        }));
    }
    Ok(Json(json!({ "items": items })))
}
