//! What a device tells about itself: what waits, its clock, its space, its versions. Claims of the device; nothing rests on them,
//! and no session fails for them.

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::limits::answer;
use super::message::{Expect, Method, Payload, Response};
use super::session::{Ask, Draft, Gain, Phase, SyncSession};
use super::store::{SyncStore, Waiting};

/// The device's own account of itself (`docs/formats/wire.md`, "Health").
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Its wall clock, milliseconds since 1970.
    pub wall_ms: u64,
    /// Whether that clock was set by hand.
    pub clock_by_hand: bool,
    /// Age of the oldest operation or file that only this device has, in milliseconds by its clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_waiting_ms: Option<u64>,
    /// Free bytes of its disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<u64>,
    /// Charge of its battery, 0…100, where the host told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub battery_percent: Option<u8>,
    /// The application, as its operations name it.
    pub app: String,
    /// Version of this core.
    pub core: String,
}

/// What the conversation remembers of it.
#[derive(Default)]
pub(super) struct HealthWork {
    /// What waited when it was last told.
    told: Option<Waiting>,
}

#[derive(Deserialize)]
struct Told {
    /// The device's clock minus the server's, milliseconds.
    skew_ms: i64,
}

impl SyncSession {
    /// Told before anything is sent, if something waits (the line may be cut before the end), and at the end, if that changed.
    pub(super) fn draft_health(&mut self, store: &mut dyn SyncStore) -> Result<Option<Draft>, Fault> {
        let waiting = store.waiting()?;
        let first = self.phase == Phase::Health;
        let unsent = waiting.operations + waiting.blobs > 0;
        if (first && (self.health.told.is_some() || !unsent)) || self.health.told == Some(waiting) {
            return Ok(None);
        }
        let Some(health) = store.health()? else {
            return Ok(None);
        };
        self.health.told = Some(waiting);
        let mut body = serde_json::json!(health);
        body["waiting"] = serde_json::json!({
            "operations": waiting.operations, "unsealed": waiting.unsealed,
            "blobs": waiting.blobs, "blob_bytes": waiting.blob_bytes,
        });
        Ok(Some(Draft {
            method: Method::Post,
            payload: Payload::Bytes {
                media_type: "application/json",
                bytes: body.to_string().into_bytes(),
            },
            ..Draft::get(Ask::Health, "/v1/health".into(), Expect::Json, answer::JSON)
        }))
    }

    /// An answer that is not understood is none.
    pub(super) fn take_health(&mut self, answer: &Response) -> Gain {
        let told = serde_json::from_slice::<Told>(&answer.body).ok();
        self.report.clock_skew_ms = told.map(|told| told.skew_ms).or(self.report.clock_skew_ms);
        Gain::None
    }
}
