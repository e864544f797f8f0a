//! The conversation with the server as a state machine: it says what to send, and takes what came back.
//!
//! It owns no socket and no clock. A step that got no answer is simply asked for again: every request is made anew from
//! the store, so a lost answer, a repeated one or a killed process all continue at the same place.

use std::time::Duration;

use fieldseal_proof::key_log::KeyLog;

use super::backoff::{Backoff, Random};
use super::blobs::BlobWork;
use super::fault::{Fault, Refusal, sort};
use super::health::HealthWork;
use super::limits;
use super::log::LogWork;
use super::message::{Expect, Method, NoAnswer, Payload, Request, Response};
use super::records::RecordWork;
use super::report::{Alarm, Ending, Progress, SyncReport};
use super::store::SyncStore;
use super::tiles::TileName;

/// What a session should do.
#[derive(Clone, Debug, Default)]
pub struct SyncOptions {
    /// Records only; evidence waits.
    pub only_records: bool,
    /// Seconds that the feed may hold its answer back when there is nothing new.
    pub poll_s: u64,
}

/// What the driver does next.
#[derive(Debug)]
pub enum Step {
    /// Send this and hand the answer to [`SyncSession::handle_response`].
    Send(Request),
    /// Wait this long, then ask again.
    Wait(Duration),
    /// It is over.
    Done(Box<SyncReport>),
}

/// Where the conversation stands, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Server,
    KeyLog,
    Heads,
    Health,
    Push,
    Feed,
    Packs,
    Log,
    Blobs,
    /// Health once more: what is left.
    Farewell,
    Done,
}

impl Phase {
    fn word(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::KeyLog => "key_log",
            Self::Heads | Self::Health | Self::Push => "push",
            Self::Feed => "feed",
            Self::Packs => "packs",
            Self::Log => "log",
            Self::Blobs => "blobs",
            Self::Farewell | Self::Done => "done",
        }
    }
}

/// What one request asked, with what is needed to judge its answer.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    Records(super::records::RecordAsk),
    Log(super::log::LogAsk),
    Tile(TileName),
    Blobs(super::blobs::BlobAsk),
    Health,
}

/// Draft of a request, before it is numbered.
pub(super) struct Draft {
    pub ask: Ask,
    pub method: Method,
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub payload: Payload,
    pub expect: Expect,
    pub answer_limit: usize,
    pub silence: Duration,
}

impl Draft {
    pub fn get(ask: Ask, path: String, expect: Expect, answer_limit: usize) -> Self {
        Self {
            ask,
            method: Method::Get,
            path,
            headers: Vec::new(),
            payload: Payload::Empty,
            expect,
            answer_limit,
            silence: Duration::ZERO,
        }
    }
}

/// One conversation, from the server's name to the last blob receipt.
pub struct SyncSession {
    pub(super) options: SyncOptions,
    pub(super) phase: Phase,
    pub(super) report: SyncReport,
    /// The server said that this device's key is revoked: how the session ends, after everything was sent.
    pub(super) revoked: Option<Fault>,
    pub(super) key_log: Option<KeyLog>,
    pub(super) records: RecordWork,
    pub(super) log: LogWork,
    pub(super) blobs: BlobWork,
    pub(super) health: HealthWork,
    backoff: Backoff,
    wait: Option<Duration>,
    asked: Option<(u64, Ask, Expect)>,
    next_id: u64,
    progress: Progress,
    /// When the request under way was handed out, by the store's monotonic clock.
    begun_ms: Option<u64>,
    /// Most bytes that the host takes in one request.
    most_bytes: Option<u64>,
}

impl SyncSession {
    /// A session that has not begun. `random` spreads the waits of many devices; a test seeds it.
    pub fn new(options: SyncOptions, random: Random) -> Self {
        Self {
            options,
            phase: Phase::Server,
            report: SyncReport::default(),
            revoked: None,
            key_log: None,
            records: RecordWork::default(),
            log: LogWork::default(),
            blobs: BlobWork::default(),
            health: HealthWork::default(),
            backoff: Backoff::new(random),
            wait: None,
            asked: None,
            next_id: 0,
            progress: Progress {
                step: Phase::Server.word(),
                ..Progress::default()
            },
            begun_ms: None,
            most_bytes: None,
        }
    }

    /// The next requests carry at most so many bytes each: what a host's socket takes within the time that its system gives it.
    /// Below [`limits::UPLOAD_LEAST`] counts as that; a single record that is longer goes whole.
    pub fn bound(&mut self, most_bytes: Option<u64>) {
        self.most_bytes = most_bytes.map(|most| most.max(limits::UPLOAD_LEAST));
    }

    /// Most bytes of the next slice of a file.
    pub(super) fn part(&self) -> u64 {
        self.blobs.pace.part().min(self.most_bytes.unwrap_or(u64::MAX))
    }

    /// Most bytes of the next push.
    pub(super) fn push_bytes(&self) -> usize {
        let most = self.most_bytes.and_then(|most| usize::try_from(most).ok());
        most.unwrap_or(usize::MAX).min(limits::PUSH_BYTES)
    }

    /// What to do next. Calling it again without an answer repeats the step under a new number.
    pub fn next_request(&mut self, store: &mut dyn SyncStore) -> Step {
        if let Some(wait) = self.wait.take() {
            return Step::Wait(wait);
        }
        loop {
            let phase = self.phase;
            if phase == Phase::Done {
                return self.finish(store);
            }
            match self.draft(store) {
                Ok(Some(draft)) => {
                    self.show(store);
                    self.begun_ms = store.monotonic_ms();
                    return Step::Send(self.number(draft));
                }
                // The phase has nothing to ask; it has moved on itself or goes to the next one.
                Ok(None) if self.phase == phase => self.phase = self.after(phase),
                Ok(None) => {}
                Err(fault) => self.stop(fault),
            }
        }
    }

    /// Takes the answer to the request numbered `id`; one under another number came late and changes nothing.
    pub fn handle_response(&mut self, store: &mut dyn SyncStore, id: u64, answer: Result<Response, NoAnswer>) {
        let (ask, expect) = match self.asked.take() {
            Some((asked, ask, expect)) if asked == id => (ask, expect),
            other => {
                self.asked = other;
                return;
            }
        };
        let took_ms = store.monotonic_ms().zip(self.begun_ms.take());
        self.blobs.took_ms = took_ms.map(|(now, begun)| now.saturating_sub(begun));
        let taken = match answer {
            Err(why) => Err(Fault::from(why)),
            Ok(answer) => match sort(expect, answer) {
                Err(Err(fault)) => Err(fault),
                Ok(answer) => self.take(store, &ask, answer),
                Err(Ok(refusal)) => self.refused(store, &ask, refusal),
            },
        };
        if let (Ok(_), Some(took_ms)) = (&taken, self.blobs.took_ms) {
            self.blobs.pace.answered(took_ms);
        }
        match taken {
            Ok(Gain::Some) => self.backoff.reset(),
            Ok(Gain::None) => {}
            Err(fault) => self.failed(&ask, fault),
        }
    }

    /// Where it stands.
    pub fn progress(&self) -> Progress {
        Progress {
            sent_bytes: self.report.blob_bytes,
            bytes_per_s: self.blobs.pace.bytes_per_s(),
            ..self.progress.clone()
        }
    }

    /// Ends it at the next step.
    pub fn cancel(&mut self) {
        self.stop(Fault::Cancelled);
    }

    fn draft(&mut self, store: &mut dyn SyncStore) -> Result<Option<Draft>, Fault> {
        match self.phase {
            Phase::Server | Phase::KeyLog | Phase::Heads | Phase::Push | Phase::Feed | Phase::Packs => {
                self.draft_records(store)
            }
            Phase::Health | Phase::Farewell => self.draft_health(store),
            Phase::Log => self.draft_log(store),
            Phase::Blobs => self.draft_blobs(store),
            Phase::Done => Ok(None),
        }
    }

    fn take(&mut self, store: &mut dyn SyncStore, ask: &Ask, answer: Response) -> Result<Gain, Fault> {
        match ask {
            Ask::Records(ask) => self.take_records(store, ask, answer),
            Ask::Log(ask) => self.take_log(store, ask, answer),
            Ask::Tile(name) => self.take_tile(*name, &answer.body),
            Ask::Blobs(ask) => self.take_blobs(store, ask, answer),
            Ask::Health => Ok(self.take_health(&answer)),
        }
    }

    fn refused(&mut self, store: &mut dyn SyncStore, ask: &Ask, refusal: Refusal) -> Result<Gain, Fault> {
        match ask {
            Ask::Records(ask) => self.refused_records(store, ask, refusal),
            Ask::Log(ask) => self.refused_log(ask, refusal),
            Ask::Tile(name) => self.refused_tile(*name, refusal),
            Ask::Blobs(ask) => self.refused_blobs(store, ask, refusal),
            // A server of an earlier version, or one that is busy: it hears it another time.
            Ask::Health => Ok(Gain::None),
        }
    }

    fn failed(&mut self, ask: &Ask, fault: Fault) {
        if matches!(ask, Ask::Health) && fault != Fault::Cancelled {
            // Whether the line is gone shows with the next thing that matters; at the end nothing does.
            return;
        }
        if let Ask::Blobs(ask) = ask {
            self.blobs.forget_offset(ask);
            if let (Fault::Store(fault), super::blobs::BlobAsk::Send { blob, .. }) = (&fault, ask) {
                // One unreadable file must not hold the others back; the store has set it aside.
                self.blobs.drop_blob(*blob);
                self.report.alarms.push(Alarm::BlobRefused {
                    sha256: blob.to_string(),
                    code: fault.code.into(),
                });
                return;
            }
        }
        if !fault.is_transient() {
            return self.stop(fault);
        }
        self.report.cuts += 1;
        match self.backoff.failed(fault.floor()) {
            Some(wait) => self.wait = Some(wait),
            None => self.stop(fault),
        }
    }

    fn stop(&mut self, fault: Fault) {
        self.asked = None;
        self.wait = None;
        self.phase = Phase::Done;
        self.report.ending = Ending::Stopped(fault);
    }

    fn after(&self, phase: Phase) -> Phase {
        match phase {
            Phase::Server => Phase::KeyLog,
            Phase::KeyLog => Phase::Heads,
            Phase::Heads => Phase::Health,
            Phase::Health => Phase::Push,
            Phase::Push => Phase::Feed,
            Phase::Feed => Phase::Packs,
            Phase::Packs => Phase::Log,
            Phase::Log if self.options.only_records => Phase::Farewell,
            Phase::Log => Phase::Blobs,
            Phase::Blobs => Phase::Farewell,
            Phase::Farewell | Phase::Done => Phase::Done,
        }
    }

    fn number(&mut self, draft: Draft) -> Request {
        self.next_id += 1;
        self.asked = Some((self.next_id, draft.ask, draft.expect));
        Request {
            id: self.next_id,
            method: draft.method,
            path: draft.path,
            headers: draft.headers,
            payload: draft.payload,
            expect: draft.expect,
            answer_limit: draft.answer_limit.max(limits::answer::PROBLEM),
            silence: draft.silence,
        }
    }

    fn show(&mut self, store: &dyn SyncStore) {
        let word = self.phase.word();
        if self.progress.step == word && self.phase != Phase::Blobs {
            return;
        }
        if self.progress.step != word {
            self.progress.waiting = store.waiting().unwrap_or_default();
            self.progress.step = word;
            let going = self.progress.waiting.without(store.held_back().unwrap_or_default());
            self.progress.total_bytes = self.report.blob_bytes + going.blob_bytes;
        }
    }

    fn finish(&mut self, store: &dyn SyncStore) -> Step {
        self.progress.step = Phase::Done.word();
        if let (Ending::Done, Some(fault)) = (&self.report.ending, self.revoked.take()) {
            self.report.ending = Ending::Stopped(fault);
        }
        match store.waiting().and_then(|waiting| Ok((waiting, store.held_back()?))) {
            Ok((waiting, held)) => (self.report.waiting, self.report.held) = (waiting, held),
            Err(fault) if self.report.ending == Ending::Done => self.report.ending = Ending::Stopped(fault.into()),
            Err(_) => {}
        }
        Step::Done(Box::new(self.report.clone()))
    }
}

/// Whether an exchange brought the conversation forward; only that ends a row of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gain {
    Some,
    None,
}
