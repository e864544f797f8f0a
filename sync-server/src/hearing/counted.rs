//! The bundle that this server has just written, as the verifier reads it, with how far it has come.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fieldseal_core::bundle;
use fieldseal_core::catalogue::Message;
use fieldseal_proof::bundle::{BundleSource, SourceError};

pub(super) struct Counted {
    inner: Box<dyn BundleSource>,
    taken: AtomicU64,
    read: Arc<dyn Fn(u64) + Send + Sync>,
}

impl Counted {
    /// Opens it like any bundle that came from outside.
    pub(super) fn open(path: &Path, read: Arc<dyn Fn(u64) + Send + Sync>) -> Result<Self, Message> {
        Ok(Self {
            inner: bundle::open(path)?,
            taken: AtomicU64::new(0),
            read,
        })
    }
}

impl BundleSource for Counted {
    fn paths(&self) -> Vec<String> {
        self.inner.paths()
    }

    fn stream(&self, path: &str, sink: &mut dyn FnMut(&[u8])) -> Result<(), SourceError> {
        self.inner.stream(path, &mut |chunk| {
            sink(chunk);
            let before = self.taken.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            (self.read)(before + chunk.len() as u64);
        })
    }
}
