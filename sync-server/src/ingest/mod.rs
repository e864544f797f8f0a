//! The only writer of the record: what arrives is checked, placed, committed, receipted; what it means is judged afterwards.
//!
//! ```text
//! bytes ─frames─▶ checked operations ─plan─▶ placed in runs ─commit─▶ receipt
//!                                                              └─assess─▶ dispositions (operations of the ingest device)
//! ```
//! Structure decides acceptance. Nothing that is signed is refused for what it says.

mod admit;
pub mod assess;
mod author;
mod custody;
mod frames;
mod key_log;
pub mod kinds;
mod lease;
mod plan;

pub(crate) use admit::receipt_key;
pub use admit::{Admission, AdmitError, OperationResult};
pub use author::{AuthorError, OwnOperation};
pub(crate) use custody::{custody_event, forked};
pub use frames::FrameFault;
pub(crate) use frames::without_body as bare;
pub(crate) use key_log::{CheckedFrames, check_frames};
pub use key_log::{KeyLogRefusal, KeyLogState};
pub use lease::{Lease, LeaseRequest};
pub use plan::Outcome;

use std::sync::{Arc, PoisonError, RwLock};

use fieldseal_core::clock::Clock;
use fieldseal_core::random::Random;
use fieldseal_proof::ids::{Epoch, TenantId};
use tokio::sync::{Mutex, watch};

use crate::keys::ServerKeys;
use crate::ledger::LedgerStore;

/// Everything that admission needs; shared by all requests.
pub struct Ingest {
    pub(crate) ledger: Arc<dyn LedgerStore>,
    pub(crate) keys: Arc<ServerKeys>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) origin: String,
    pub(crate) tenant: TenantId,
    pub(crate) epoch: Epoch,
    key_log: RwLock<Arc<KeyLogState>>,
    /// Held while the ingest device writes: its chain has one author.
    own: Mutex<author::OwnChainState>,
    /// Tells sequencer and projection that something was admitted.
    admitted: watch::Sender<u64>,
}

impl Ingest {
    /// Puts the parts together; `key_log` was read from the ledger and checked.
    pub fn new(
        ledger: Arc<dyn LedgerStore>,
        keys: Arc<ServerKeys>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        origin: &str,
        epoch: Epoch,
        key_log: KeyLogState,
    ) -> Self {
        let tenant = key_log.log.tenant();
        let own = Mutex::new(author::OwnChainState::default());
        let key_log = RwLock::new(Arc::new(key_log));
        Self {
            ledger,
            keys,
            clock,
            random,
            origin: origin.to_owned(),
            tenant,
            epoch,
            key_log,
            own,
            admitted: watch::Sender::new(0),
        }
    }

    /// The key log as it stands.
    pub fn key_log(&self) -> Arc<KeyLogState> {
        self.key_log.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The tenant.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Changes whenever something was admitted.
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.admitted.subscribe()
    }

    pub(crate) fn announce(&self) {
        self.admitted.send_modify(|count| *count += 1);
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.clock.now().wall_ms
    }
}
