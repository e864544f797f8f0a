//! What a request may cost, each with its reason.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fieldseal_proof::ids::DeviceId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::Problem;
use crate::config::Limits;

/// A JSON body: a `have` question of 4,000 hashes is 264 KiB.
pub const JSON_BODY: usize = 512 * 1024;
/// A push: 1 MiB of frames, or one frame of the greatest size.
pub const PUSH_BODY: usize = 1024 * 1024 + 64 * 1024;
/// A ceremony's whole key log: 100,000 entries of ordinary length.
pub const KEY_LOG_BODY: usize = 64 * 1024 * 1024;
/// A county's enterprises: 100,000 rows of 160 bytes.
pub const CSV_BODY: usize = 16 * 1024 * 1024;
/// A pack of 32 MiB and what is around it.
pub const PACK_BODY: usize = 33 * 1024 * 1024;
/// Bodies of pushes that may be on their way at once: with 1 MiB each, 256 MiB at the very worst.
const BODIES: usize = 256;
/// Longest long poll.
pub const POLL_MOST: Duration = Duration::from_secs(55);
/// Largest feed page.
pub const PAGE_MOST: usize = 4 * 1024 * 1024;
/// How long a device's further request waits for its earlier ones.
const TURN_PATIENCE: Duration = Duration::from_secs(10);
/// A device may ask so many times its rate in one go.
const BURST: f64 = 4.0;
/// Devices and addresses that are remembered; above it those that have been quiet are forgotten.
const REMEMBERED: usize = 20_000;

/// Whose share of the server a request counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ShareKey {
    Device(DeviceId),
    /// An administrator's card.
    Token([u8; 32]),
    /// Nobody that the server knows.
    Address(IpAddr),
}

/// The three planes; one never waits for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plane {
    Push,
    Pull,
    Blobs,
}

/// How many requests are worked on at once, in all and of one device. Beyond its own share a device waits a moment and is then
/// told to come back (429); beyond the server's share everybody is (503). So a morning's crowd is served in turn, a video never
/// holds up a record, and a broken tablet that asks without end holds up itself.
pub struct Pools {
    planes: [Arc<Semaphore>; 3],
    bodies: Arc<Semaphore>,
    shares: Mutex<HashMap<ShareKey, Share>>,
    rate: f64,
    at_once: usize,
}

/// Permission to work on a request, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    _own: OwnedSemaphorePermit,
    /// `None` while its sender is silent: then it holds up nobody but its own device.
    all: Option<OwnedSemaphorePermit>,
    plane: Arc<Semaphore>,
}

impl Turn {
    /// Lets others work while its sender is silent.
    pub fn rest(&mut self) {
        self.all = None;
    }

    /// Goes on once there is room.
    pub async fn resume(&mut self) {
        if self.all.is_none() {
            self.all = self.plane.clone().acquire_owned().await.ok();
        }
    }
}

/// Permission to send a body. The server's own share is taken only when the body is here, so that a dead line holds up nobody but
/// its own device.
#[derive(Debug)]
pub struct Sending {
    own: OwnedSemaphorePermit,
    _body: OwnedSemaphorePermit,
    plane: Plane,
}

/// What one device has taken up.
struct Share {
    /// Requests it may make at once, as of `at`.
    left: f64,
    at: Instant,
    turns: [Arc<Semaphore>; 3],
}

impl Pools {
    /// A push holds up to 1 MiB twice: 64 of them are 128 MiB at the worst. Files hold up to 2.5 MiB each.
    const AT_ONCE: [usize; 3] = [64, 64, 48];

    pub fn new(limits: &Limits) -> Self {
        Self {
            planes: Self::AT_ONCE.map(|n| Arc::new(Semaphore::new(n))),
            bodies: Arc::new(Semaphore::new(BODIES)),
            shares: Mutex::default(),
            rate: f64::from(limits.requests_per_s.max(1)),
            at_once: limits.at_once.max(1),
        }
    }

    /// How many requests each plane works on.
    pub fn at_work(&self) -> [(&'static str, usize); 3] {
        let names = [(Plane::Push, "push"), (Plane::Pull, "pull"), (Plane::Blobs, "blobs")];
        names.map(|(plane, name)| {
            let at = plane as usize;
            (
                name,
                Self::AT_ONCE[at].saturating_sub(self.planes[at].available_permits()),
            )
        })
    }

    /// Counts a request.
    ///
    /// # Errors
    /// 429 with the wait when this caller has asked too often.
    pub fn count(&self, key: ShareKey) -> Result<(), Problem> {
        self.with(key, |share, rate| {
            if share.left < 1.0 {
                let wait = ((1.0 - share.left) / rate).ceil().max(1.0);
                return Err(Problem::too_many(wait as u64));
            }
            share.left -= 1.0;
            Ok(())
        })
    }

    /// Lets a request of a device in.
    ///
    /// # Errors
    /// 429 when its own earlier requests do not end, 503 when the server is full.
    pub async fn turn(&self, plane: Plane, key: ShareKey) -> Result<Turn, Problem> {
        self.turn_within(plane, key, TURN_PATIENCE).await
    }

    /// Lets a device send a body.
    ///
    /// # Errors
    /// 429 when its own earlier requests do not end, 503 when too many bodies are on their way.
    pub async fn sending(&self, plane: Plane, key: ShareKey) -> Result<Sending, Problem> {
        let own = self.own(plane, key, TURN_PATIENCE).await?;
        let body = self.bodies.clone().try_acquire_owned();
        Ok(Sending {
            own,
            _body: body.map_err(|_| Problem::busy())?,
            plane,
        })
    }

    /// Lets a request in whose body is here.
    ///
    /// # Errors
    /// 503 when the server stays full.
    pub async fn arrived(&self, sending: Sending) -> Result<Turn, Problem> {
        let plane = self.planes[sending.plane as usize].clone();
        match tokio::time::timeout(TURN_PATIENCE, plane.clone().acquire_owned()).await {
            Ok(Ok(all)) => Ok(Turn {
                _own: sending.own,
                all: Some(all),
                plane,
            }),
            _ => Err(Problem::busy()),
        }
    }

    async fn turn_within(&self, plane: Plane, key: ShareKey, patience: Duration) -> Result<Turn, Problem> {
        let own = self.own(plane, key, patience).await?;
        let plane = self.planes[plane as usize].clone();
        let all = plane.clone().try_acquire_owned();
        Ok(Turn {
            _own: own,
            all: Some(all.map_err(|_| Problem::busy())?),
            plane,
        })
    }

    async fn own(&self, plane: Plane, key: ShareKey, patience: Duration) -> Result<OwnedSemaphorePermit, Problem> {
        let own = self.with(key, |share, _| share.turns[plane as usize].clone());
        match tokio::time::timeout(patience, own.acquire_owned()).await {
            Ok(Ok(own)) => Ok(own),
            _ => Err(Problem::too_many(TURN_PATIENCE.as_secs())),
        }
    }

    fn with<T>(&self, key: ShareKey, f: impl FnOnce(&mut Share, f64) -> T) -> T {
        let now = Instant::now();
        let full = self.rate * BURST;
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if shares.len() >= REMEMBERED {
            shares.retain(|_, share| {
                let busy = share.turns.iter().any(|turns| Arc::strong_count(turns) > 1);
                busy || share.left + now.duration_since(share.at).as_secs_f64() * self.rate < full
            });
        }
        let share = shares.entry(key).or_insert_with(|| Share {
            left: full,
            at: now,
            turns: std::array::from_fn(|_| Arc::new(Semaphore::new(self.at_once))),
        });
        share.left = (share.left + now.duration_since(share.at).as_secs_f64() * self.rate).min(full);
        share.at = now;
        f(share, self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(n: u8) -> ShareKey {
        ShareKey::Device(DeviceId::from_bytes([n; 16]))
    }

    #[tokio::test]
    async fn one_device_cannot_take_what_is_anothers() {
        let pools = Pools::new(&Limits {
            requests_per_s: 1,
            at_once: 2,
            ..Limits::default()
        });
        for _ in 0..4 {
            assert!(pools.count(device(1)).is_ok());
        }
        assert!(pools.count(device(1)).is_err());
        assert!(pools.count(device(2)).is_ok());
        let turn = |plane, n| pools.turn_within(plane, device(n), Duration::ZERO);
        let held = [turn(Plane::Blobs, 1).await, turn(Plane::Blobs, 1).await];
        assert!(held.iter().all(Result::is_ok));
        assert!(turn(Plane::Blobs, 1).await.is_err());
        assert!(turn(Plane::Push, 1).await.is_ok(), "its records go on");
        assert!(turn(Plane::Blobs, 2).await.is_ok());
        drop(held);
        assert!(turn(Plane::Blobs, 1).await.is_ok());
    }
}
