//! A flag that ends whatever is under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Ends a session or call from another thread; clones share the flag.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    set: AtomicBool,
    wake: Notify,
}

impl Cancel {
    /// Ends it. What arrived stays.
    pub fn cancel(&self) {
        self.shared.set.store(true, Ordering::Release);
        self.shared.wake.notify_waiters();
    }

    /// Whether it was ended.
    pub fn is_cancelled(&self) -> bool {
        self.shared.set.load(Ordering::Acquire)
    }

    /// Returns once it is ended.
    pub(crate) async fn ended(&self) {
        let woken = self.shared.wake.notified();
        tokio::pin!(woken);
        // Registered before the flag is read, so that no call between the two is missed.
        woken.as_mut().enable();
        if !self.is_cancelled() {
            woken.await;
        }
    }
}
