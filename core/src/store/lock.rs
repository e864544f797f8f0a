//! Which processes are at work on a store.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::StoreError;

/// A lock on `store.lock`: held alone while a store starts (migration, repair, sweep), shared afterwards.
pub(super) struct StoreLock {
    file: File,
    alone: bool,
}

impl StoreLock {
    /// Takes the lock alone if nobody holds it, shared if others are at work, and waits while somebody is starting.
    pub fn take(folder: &Path, wait_ms: u64) -> Result<Self, StoreError> {
        let path = folder.join("store.lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(StoreError::file("opening", &path))?;
        let until = Instant::now() + Duration::from_millis(wait_ms);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { file, alone: true }),
                Err(TryLockError::Error(e)) => return Err(StoreError::file("locking", &path)(e)),
                Err(TryLockError::WouldBlock) => {}
            }
            match file.try_lock_shared() {
                Ok(()) => return Ok(Self { file, alone: false }),
                Err(TryLockError::Error(e)) => return Err(StoreError::file("locking", &path)(e)),
                Err(TryLockError::WouldBlock) if Instant::now() >= until => return Err(StoreError::Busy),
                Err(TryLockError::WouldBlock) => pause(),
            }
        }
    }

    /// Whether no other process has the store open.
    pub fn alone(&self) -> bool {
        self.alone
    }

    /// Lets others in.
    pub fn share(&mut self) {
        // Changing the kind of a lock held by this process cannot fail on a file that is open; if it does, others wait.
        if self.alone {
            let _ = self.file.unlock();
            let _ = self.file.lock_shared();
        }
    }
}

/// The file lock cannot wake us, so it is asked again after a moment.
fn pause() {
    let (_keep, never) = mpsc::channel::<()>();
    let _ = never.recv_timeout(Duration::from_millis(20));
}
