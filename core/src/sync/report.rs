//! What a session did, and what it saw that somebody must know.

use std::time::Duration;

use super::fault::Fault;
use super::store::{HeldBack, Waiting};

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything that could be exchanged was.
    Done,
    /// It stopped on this fault; what arrived before is kept, the next session continues.
    Stopped(Fault),
}

/// A fact that a person should see; nothing stopped because of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// The server cannot take one of our operations: its structure fails there.
    OperationRefused {
        /// Sequence number.
        seq: u64,
        /// Problem code.
        code: String,
    },
    /// The server holds another operation at this place: this device was cloned or rewound.
    Forked {
        /// Sequence number.
        seq: u64,
    },
    /// A fed operation does not verify, also when asked again.
    Unverified {
        /// Index in the central log.
        index: u64,
        /// What fails.
        why: String,
    },
    /// A checkpoint contradicts the one held: both are signed by the log key.
    LogContradiction {
        /// Size of the held one.
        held: u64,
        /// Size of the offered one.
        offered: u64,
        /// The offered note, for the record.
        note: Vec<u8>,
    },
    /// The server's log is shorter than the one it showed before (a restore).
    LogBehind {
        /// Size of the held checkpoint.
        held: u64,
        /// Size of the offered one.
        offered: u64,
    },
    /// A pack that the feed names could not be taken in.
    PackRefused {
        /// Its hash.
        pack: String,
        /// What fails.
        why: String,
    },
    /// A time note does not verify; the older anchor stays.
    TimeNoteRefused {
        /// What fails.
        why: String,
    },
    /// An operation is not in the tree at the index that the server names.
    NotInLog {
        /// Sequence number.
        seq: u64,
        /// Index named.
        index: u64,
    },
    /// A blob was not taken; it stays here.
    BlobRefused {
        /// SHA-256.
        sha256: String,
        /// Problem code.
        code: String,
    },
}

impl Alarm {
    /// Stable code, key of the message catalogue.
    pub fn code(&self) -> &'static str {
        match self {
            Self::OperationRefused { .. } => "operation_refused",
            Self::Forked { .. } => "forked",
            Self::Unverified { .. } => "feed_unverified",
            Self::LogContradiction { .. } => "log_contradiction",
            Self::LogBehind { .. } => "log_behind",
            Self::PackRefused { .. } => "pack_refused",
            Self::TimeNoteRefused { .. } => "time_note_refused",
            Self::NotInLog { .. } => "not_in_log",
            Self::BlobRefused { .. } => "blob_refused",
        }
    }
}

/// Counts of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncReport {
    /// How it ended.
    pub ending: Ending,
    /// The server had a new epoch.
    pub new_epoch: bool,
    /// The server held operations of this life that this device did not write, so a new life began: its key wants to be enrolled.
    pub new_life: bool,
    /// Operations that a batch receipt now covers.
    pub received: u64,
    /// Of those, the ones the server already had.
    pub duplicates: u64,
    /// Operations taken from the feed.
    pub fetched: u64,
    /// Key log entries taken.
    pub key_log_entries: u64,
    /// Packs taken.
    pub packs: u64,
    /// Own operations whose place in the log was checked.
    pub sealed: u64,
    /// Size of the newest checked checkpoint.
    pub log_size: u64,
    /// Blobs receipted.
    pub blobs: u64,
    /// Evidence bytes that the server confirmed in this session.
    pub blob_bytes: u64,
    /// Exchanges that failed and were tried again.
    pub cuts: u64,
    /// The server asked not to be asked for the rest before so long.
    pub floor: Option<Duration>,
    /// What somebody must know.
    pub alarms: Vec<Alarm>,
    /// This device's clock minus the server's, milliseconds, as the server saw it when the request arrived.
    pub clock_skew_ms: Option<i64>,
    /// What still waits here.
    pub waiting: Waiting,
    /// Of that, the files which wait for another network.
    pub held: HeldBack,
}

impl SyncReport {
    /// Adds this session to the ones before it; what holds at the end is this one's.
    #[must_use]
    pub fn after(self, before: Option<SyncReport>) -> SyncReport {
        let Some(before) = before else { return self };
        let mut alarms = before.alarms;
        for alarm in self.alarms {
            if !alarms.contains(&alarm) {
                alarms.push(alarm);
            }
        }
        SyncReport {
            new_epoch: before.new_epoch || self.new_epoch,
            new_life: before.new_life || self.new_life,
            received: before.received + self.received,
            duplicates: before.duplicates + self.duplicates,
            fetched: before.fetched + self.fetched,
            key_log_entries: before.key_log_entries + self.key_log_entries,
            packs: before.packs + self.packs,
            sealed: before.sealed + self.sealed,
            blobs: before.blobs + self.blobs,
            blob_bytes: before.blob_bytes + self.blob_bytes,
            cuts: before.cuts + self.cuts,
            alarms,
            clock_skew_ms: self.clock_skew_ms.or(before.clock_skew_ms),
            ..self
        }
    }
}

impl Default for SyncReport {
    fn default() -> Self {
        Self {
            ending: Ending::Done,
            new_epoch: false,
            new_life: false,
            received: 0,
            duplicates: 0,
            fetched: 0,
            key_log_entries: 0,
            packs: 0,
            sealed: 0,
            log_size: 0,
            blobs: 0,
            blob_bytes: 0,
            cuts: 0,
            floor: None,
            alarms: Vec::new(),
            clock_skew_ms: None,
            waiting: Waiting::default(),
            held: HeldBack::default(),
        }
    }
}

/// Where a session stands; shown while it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Word for the step: `server`, `key_log`, `push`, `feed`, `packs`, `log`, `blobs`, `done`.
    pub step: &'static str,
    /// What still waited when the step began.
    pub waiting: Waiting,
    /// Evidence bytes confirmed so far.
    pub sent_bytes: u64,
    /// Evidence bytes on their way, not confirmed yet.
    pub moving_bytes: u64,
    /// Evidence bytes in all.
    pub total_bytes: u64,
    /// What the line carried of late, bytes a second; none before it was measured.
    pub bytes_per_s: Option<u64>,
}

impl Progress {
    /// Milliseconds until the evidence that was waiting has arrived, if the line stays as it is; none before its rate was
    /// measured. An estimate to show, nothing is decided by it.
    pub fn left_ms(&self) -> Option<u64> {
        let moved = self.sent_bytes.saturating_add(self.moving_bytes);
        let left = self.total_bytes.saturating_sub(moved);
        let rate = self.bytes_per_s.filter(|rate| *rate > 0)?;
        Some(left.saturating_mul(1_000) / rate)
    }
}
