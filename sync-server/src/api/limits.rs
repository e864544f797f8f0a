//! What a request may cost, each with its reason.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::Problem;

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
/// Silence after which a sender counts as gone; a 2G link with a cell hand-over is silent for half of it.
pub const BODY_SILENCE: Duration = Duration::from_secs(60);
/// Longest long poll.
pub const POLL_MOST: Duration = Duration::from_secs(55);
/// Largest feed page.
pub const PAGE_MOST: usize = 4 * 1024 * 1024;

/// How many requests of a plane are worked on at once. Beyond them the answer is 503 with a jittered wait, so that a morning's
/// crowd is served in turn and a video never holds up a record.
pub struct Pools {
    push: Arc<Semaphore>,
    pull: Arc<Semaphore>,
    blobs: Arc<Semaphore>,
}

impl Default for Pools {
    fn default() -> Self {
        // A push holds up to 1 MiB twice: 64 of them are 128 MiB at the worst. Blobs hold half a MiB each.
        let pool = |n| Arc::new(Semaphore::new(n));
        Self {
            push: pool(64),
            pull: pool(64),
            blobs: pool(64),
        }
    }
}

impl Pools {
    pub fn push(&self) -> Result<OwnedSemaphorePermit, Problem> {
        enter(&self.push)
    }
    pub fn pull(&self) -> Result<OwnedSemaphorePermit, Problem> {
        enter(&self.pull)
    }
    pub fn blobs(&self) -> Result<OwnedSemaphorePermit, Problem> {
        enter(&self.blobs)
    }
}

fn enter(pool: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Problem> {
    pool.clone().try_acquire_owned().map_err(|_| Problem::busy())
}
