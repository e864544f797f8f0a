//! A whole visit to the server as a conversation without I/O: enrolment, sync, the pack in force, a stock of numbers.
//!
//! ```text
//! enrol ─▶ sync (again while something waits and patience lasts) ─▶ pack in force ─▶ lease numbers ─▶ fetch them
//!   ▲────────┘ where it ended this life, because another copy of the device writes under its key
//! ```
//!
//! Whoever owns the socket asks [`Visit::next_request`] and hands back what came. A visit that is cut anywhere is simply
//! made again: every step is durable before the next one is asked for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use super::enrolling::{Enrolling, EnrolmentRound, post};
use super::{FieldDevice, Network, SyncPort};
use crate::keyring::{EnrolmentState, Role};
use crate::sync::backoff::{Backoff, Random};
use crate::sync::fault::{Fault, StoreFault, checked};
use crate::sync::limits::POLL_SECONDS;
use crate::sync::message::{Expect, NoAnswer, Request, Response};
use crate::sync::{Ending, Progress, Step, SyncOptions, SyncReport, SyncSession, SyncStore};

/// Numbers of one form that a tablet keeps in stock, and how many it asks for at a time.
const NUMBERS_LEAST: u64 = 20;
const NUMBERS_LEASED: u64 = 100;
/// How long a visit waits for the log to take in what it has just sent.
const SEAL_PATIENCE: Duration = Duration::from_secs(5);
/// Pause after a session that brought something; after one that did not the backoff says how long.
const PAUSE: Duration = Duration::from_millis(250);

/// What a visit should do.
#[derive(Clone, Debug, Default)]
pub struct VisitOptions {
    /// Records only; evidence waits.
    pub only_records: bool,
    /// Goes on until nothing waits any more, at most this long, also while offline. Without it one session is made, and
    /// what was received is looked after for a moment.
    pub patience: Option<Duration>,
    /// What the host says about its network; files whose rule it does not meet wait, and are not waited for.
    pub network: Network,
}

/// What a visit did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VisitReport {
    /// The enrolment. Until it is approved nothing else can be exchanged, and everything is kept.
    pub enrolment: EnrolmentRound,
    /// All sessions together; the ending is that of the last.
    pub sync: SyncReport,
}

/// What the driver does next.
#[derive(Debug)]
pub enum VisitStep {
    /// Send this, with [`FieldDevice::token`] as bearer, and hand the answer to [`Visit::handle_response`].
    Send(Request),
    /// Wait this long, then ask again.
    Wait(Duration),
    /// It is over.
    Done(Box<VisitReport>),
}

/// The visit.
pub struct Visit {
    device: Arc<FieldDevice>,
    port: SyncPort,
    options: VisitOptions,
    random: Box<dyn Fn() -> Random + Send>,
    stage: Stage,
    round: Round,
    report: VisitReport,
    /// A session began a new life, whose key was not asked for yet.
    new_life: bool,
    next_id: u64,
    /// Most bytes of one request.
    most_bytes: Option<u64>,
    /// The request under way: its number here, and the one that the inner conversation knows.
    asked: Option<(u64, u64)>,
}

enum Stage {
    Enrol(Enrolling),
    Sync(Box<SyncSession>),
    Pause(Duration),
    Lease { forms: VecDeque<String>, leased: bool },
    Done,
}

/// Sessions that belong together, with one patience.
struct Round {
    begun: Instant,
    patience: Duration,
    only_records: bool,
    /// The one after the lease is the last.
    last: bool,
    backoff: Backoff,
    sessions: u64,
    online: bool,
    summed: Option<SyncReport>,
}

impl Visit {
    /// A visit that has not begun. `random` makes the sources that spread the waits of many devices.
    pub fn new(device: Arc<FieldDevice>, options: VisitOptions, random: Box<dyn Fn() -> Random + Send>) -> Self {
        let round = Round::new(
            options.patience.unwrap_or(SEAL_PATIENCE),
            options.only_records,
            false,
            random(),
        );
        Self {
            port: SyncPort::over(Arc::clone(&device), options.network),
            device,
            options,
            random,
            stage: Stage::Enrol(Enrolling::default()),
            round,
            report: VisitReport::default(),
            new_life: false,
            next_id: 0,
            most_bytes: None,
            asked: None,
        }
    }

    /// From now on a request carries at most so many bytes of records or evidence; see [`SyncSession::bound`].
    pub fn bound(&mut self, most_bytes: Option<u64>) {
        self.most_bytes = most_bytes;
    }

    /// What to do next. Calling it again without an answer repeats the step under a new number.
    pub fn next_request(&mut self) -> VisitStep {
        loop {
            match &mut self.stage {
                Stage::Done => return VisitStep::Done(Box::new(self.report.clone())),
                Stage::Enrol(enrolling) => match enrolling.next_request(&self.device) {
                    Ok(Some(request)) => return self.number(request),
                    Ok(None) => {
                        let sent = self.report.enrolment.sent;
                        self.report.enrolment = enrolling.round().clone();
                        self.report.enrolment.sent += sent;
                        // What the server has of earlier lives is fetched while a further one waits for approval.
                        if self.report.enrolment.approved || self.device.enrolled_earlier() {
                            self.begin_session();
                        } else {
                            self.settle_waiting();
                            self.stage = Stage::Done;
                        }
                    }
                    Err(fault) => self.stop(fault),
                },
                Stage::Sync(session) => {
                    session.bound(self.most_bytes);
                    match session.next_request(&mut self.port) {
                        Step::Send(request) => return self.number(request),
                        Step::Wait(wait) => return VisitStep::Wait(wait),
                        Step::Done(report) => self.session_done(*report),
                    }
                }
                Stage::Pause(wait) => {
                    let wait = *wait;
                    self.begin_session();
                    return VisitStep::Wait(wait);
                }
                Stage::Lease { forms, leased } => match forms.front() {
                    Some(form) => {
                        let incarnation = self.device.identity().incarnation.to_string();
                        let body = json!({
                            "form": form, "year": self.year(), "count": NUMBERS_LEASED, "incarnation": incarnation,
                        });
                        return self.number(post("/v1/numbers/lease", &body));
                    }
                    // They come with the feed.
                    None if *leased => {
                        self.round = Round::new(SEAL_PATIENCE, true, true, (self.random)());
                        self.begin_session();
                    }
                    None => self.stage = Stage::Done,
                },
            }
        }
    }

    /// Takes the answer to the request numbered `id`; one under another number came late and changes nothing.
    pub fn handle_response(&mut self, id: u64, answer: Result<Response, NoAnswer>) {
        let Some((_, inner)) = self.asked.take_if(|(asked, _)| *asked == id) else {
            return;
        };
        match &mut self.stage {
            Stage::Enrol(enrolling) => {
                let taken = answer
                    .map_err(Fault::from)
                    .and_then(|answer| enrolling.handle_response(&self.device, answer));
                if let Err(fault) = taken {
                    self.report.enrolment = enrolling.round().clone();
                    self.stop(fault);
                }
            }
            Stage::Sync(session) => session.handle_response(&mut self.port, inner, answer),
            Stage::Lease { forms, leased } => {
                forms.pop_front();
                let given = answer
                    .map_err(Fault::from)
                    .and_then(|answer| checked(Expect::Json, answer));
                match given {
                    Ok(_) => *leased = true,
                    // Without numbers the forms print their blank; nothing else waits for them.
                    Err(Fault::Offline(_) | Fault::Busy { .. } | Fault::Full { .. } | Fault::Refused { .. }) => {}
                    Err(other) => self.stop(other),
                }
            }
            Stage::Pause(_) | Stage::Done => {}
        }
    }

    /// Where it stands.
    pub fn progress(&self) -> Progress {
        match &self.stage {
            Stage::Sync(session) => session.progress(),
            Stage::Enrol(_) => Progress {
                step: "enrolment",
                ..Progress::default()
            },
            Stage::Lease { .. } => Progress {
                step: "numbers",
                ..Progress::default()
            },
            Stage::Pause(_) => Progress {
                step: "waiting",
                ..Progress::default()
            },
            Stage::Done => Progress {
                step: "done",
                ..Progress::default()
            },
        }
    }

    /// Ends it at the next step. What arrived stays.
    pub fn cancel(&mut self) {
        match &mut self.stage {
            Stage::Sync(session) => session.cancel(),
            Stage::Done => {}
            _ => self.stop(Fault::Cancelled),
        }
    }

    /// The store, to lend the bytes of a blob from.
    pub fn port(&self) -> &SyncPort {
        &self.port
    }

    fn number(&mut self, mut request: Request) -> VisitStep {
        self.next_id += 1;
        self.asked = Some((self.next_id, request.id));
        request.id = self.next_id;
        VisitStep::Send(request)
    }

    fn begin_session(&mut self) {
        let left = self.round.patience.saturating_sub(self.round.begun.elapsed());
        let options = SyncOptions {
            only_records: self.round.only_records,
            // Once the server has answered, it may hold the feed back until there is something new.
            poll_s: if self.round.online && self.round.sessions > 0 {
                left.as_secs().min(POLL_SECONDS)
            } else {
                0
            },
        };
        self.round.sessions += 1;
        self.stage = Stage::Sync(Box::new(SyncSession::new(options, (self.random)())));
    }

    fn session_done(&mut self, report: SyncReport) {
        self.new_life |= report.new_life;
        if self.new_life && report.ending == Ending::Done {
            // The key of the new life is asked for at once, and the session after it fetches what was said meanwhile.
            self.new_life = false;
            self.round.summed = Some(report.after(self.round.summed.take()));
            self.stage = Stage::Enrol(Enrolling::default());
            return;
        }
        let patient = self.options.patience.is_some() || self.round.last;
        let done = report.ending == Ending::Done;
        let approved = self
            .device
            .enrolment_state()
            .is_ok_and(|state| state == EnrolmentState::Approved);
        self.report.enrolment.approved |= approved;
        let waits = match &report.ending {
            // Only an administrator can end this wait.
            _ if !self.report.enrolment.approved => false,
            Ending::Done if self.round.only_records => report.waiting.operations + report.waiting.unsealed > 0,
            Ending::Done if patient => !report.waiting.without(report.held).is_nothing(),
            // What was received a moment ago is about to be sequenced; a short look saves the next visit.
            Ending::Done => report.waiting.unsealed > 0,
            Ending::Stopped(fault) => patient && fault.is_transient(),
        };
        let gained = report.received + report.sealed + report.blobs + report.fetched > 0;
        let floor = match &report.ending {
            Ending::Stopped(fault) => fault.floor(),
            Ending::Done => report.floor,
        };
        let round = &mut self.round;
        round.online = done;
        round.summed = Some(report.after(round.summed.take()));
        let left = round.patience.saturating_sub(round.begun.elapsed());
        // Where the server asks for more than is left of the patience it is not asked once more before.
        if waits && !left.is_zero() && floor.is_none_or(|floor| floor <= left) {
            let pause = if gained && floor.is_none() {
                round.backoff.reset();
                PAUSE
            } else {
                round.backoff.pause(floor)
            };
            self.stage = Stage::Pause(pause.min(left));
            return;
        }
        let summed = round.summed.take().unwrap_or_default();
        let before = std::mem::take(&mut self.report.sync);
        self.report.sync = summed.after(Some(before));
        self.stage = Stage::Done;
        if let Err(error) = self.device.settle_pack() {
            return self.stop(Fault::Store(error.into()));
        }
        if done && !self.round.last && self.report.enrolment.approved {
            match self.wanted_forms() {
                Ok(forms) => self.stage = Stage::Lease { forms, leased: false },
                Err(error) => self.stop(Fault::Store(error)),
            }
        }
    }

    /// The series of numbers that run low on this tablet.
    fn wanted_forms(&self) -> Result<VecDeque<String>, StoreFault> {
        let device = &self.device;
        let Some(pack) = device.pack().ok().filter(|_| device.identity().role == Role::Tablet) else {
            return Ok(VecDeque::new());
        };
        let mut forms: Vec<String> = pack.documents().iter().filter_map(|d| d.number.clone()).collect();
        forms.sort_unstable();
        forms.dedup();
        let mut wanted = VecDeque::new();
        for form in forms {
            let left = device.store().numbers_left(&form, self.year());
            let left = left.map_err(|error| StoreFault::from(super::DeviceError::from(error)))?;
            if pack.series(&form).is_some_and(|series| series.leased) && left < NUMBERS_LEAST {
                wanted.push_back(form);
            }
        }
        Ok(wanted)
    }

    fn year(&self) -> u64 {
        let pack = self.device.pack().ok();
        let year = pack.map(|pack| self.device.today(&pack).date().year());
        year.and_then(|year| u64::try_from(year).ok()).unwrap_or_default()
    }

    fn stop(&mut self, fault: Fault) {
        self.asked = None;
        if let Some(summed) = self.round.summed.take() {
            self.report.sync = summed.after(Some(std::mem::take(&mut self.report.sync)));
        }
        self.report.sync.ending = Ending::Stopped(fault);
        self.settle_waiting();
        self.stage = Stage::Done;
    }

    /// What still waits here, where no session counted it.
    fn settle_waiting(&mut self) {
        self.report.sync.waiting = self.port.waiting().unwrap_or_default();
        self.report.sync.held = self.port.held_back().unwrap_or_default();
    }
}

impl Round {
    fn new(patience: Duration, only_records: bool, last: bool, random: Random) -> Self {
        Self {
            begun: Instant::now(),
            patience,
            only_records,
            last,
            backoff: Backoff::new(random),
            sessions: 0,
            online: false,
            summed: None,
        }
    }
}
