//! A tablet, or the supervisor's laptop: the real device with its conversation, on a disk that survives its kills.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fieldseal_core::device::{Enrolling, FieldDevice, NewEvidence, Ports, SyncPort};
use fieldseal_core::keyring::EnrolmentState;
use fieldseal_core::operation::NewOperation;
use fieldseal_core::sync::message::{NoAnswer, Payload, Request, Response};
use fieldseal_core::sync::{Ending, Step, SyncOptions, SyncReport, SyncSession, SyncStore};
use fieldseal_core::vault::Space;
use fieldseal_proof::ids::{BlobHash, DeviceId, InspectionId, OpId};
use fieldseal_proof::operation::Operation;

use crate::clock::MachineClock;
use crate::dice::{Dice, SeededRandom};
use crate::folder;
use crate::network::Call;

/// A disk that is never full.
pub struct Roomy;

impl Space for Roomy {
    fn available(&self, _folder: &Path) -> io::Result<u64> {
        Ok(1 << 40)
    }
}

pub struct Tablet {
    pub number: usize,
    folder: PathBuf,
    home: PathBuf,
    copies: u32,
    device: Option<Arc<FieldDevice>>,
    talk: Option<Talk>,
    /// Counts conversations: answers of an earlier one are nobody's.
    pub session: u64,
    /// The request whose answer is waited for.
    pub asked: Option<u64>,
    serial: u64,
    /// The conversation waits until then.
    pub wakes_ms: u64,
    pub clock: Arc<MachineClock>,
    random: Arc<SeededRandom>,
    dice: Dice,
    backup: Option<PathBuf>,
    /// What was acknowledged to the person who wrote it, and did not go down with a disk.
    pub owed: BTreeSet<OpId>,
    /// Of these, what only the server has since the database was put back; it comes back with the feed.
    away: BTreeSet<OpId>,
    /// Evidence by the operation that names it, with its size.
    pub blobs: BTreeMap<OpId, (BlobHash, u64)>,
    /// A session that began after this one handed in everything: whatever a restored server lacked.
    pub since: u64,
    pub healed: bool,
    pub revoked: bool,
    pub offline: bool,
}

enum Talk {
    Enrol(Enrolling),
    Sync(Box<SyncSession>),
    /// The visit ends here, as the device's own does when a question about its enrolment fails.
    Failed,
}

/// What the conversation wants.
pub enum Next {
    Send(u64, Call),
    Wait(u64),
    Over(Option<Box<SyncReport>>),
}

impl Tablet {
    /// A tablet whose disk begins as a copy of `home`.
    pub fn new(number: usize, folder: PathBuf, home: &Path, clock: MachineClock, dice: Dice) -> Self {
        let first = folder.join(format!("tablet-{number}-0"));
        folder::copy(home, &first);
        let mut tablet = Self::off(number, folder, first, Arc::new(clock), dice);
        tablet.open();
        tablet
    }

    /// Takes a device over that was just made.
    pub fn of_fresh(number: usize, home: PathBuf, device: FieldDevice, clock: Arc<MachineClock>) -> Self {
        let folder = home.parent().expect("it lies in a folder").to_owned();
        let mut tablet = Self::off(number, folder, home, clock, Dice::new(number as u64));
        tablet.device = Some(Arc::new(device));
        tablet
    }

    fn off(number: usize, folder: PathBuf, home: PathBuf, clock: Arc<MachineClock>, mut dice: Dice) -> Self {
        Self {
            number,
            folder,
            home,
            copies: 0,
            device: None,
            talk: None,
            session: 0,
            asked: None,
            serial: 0,
            wakes_ms: 0,
            clock,
            random: Arc::new(SeededRandom::new(dice.fork())),
            dice,
            backup: None,
            owed: BTreeSet::new(),
            away: BTreeSet::new(),
            blobs: BTreeMap::new(),
            since: 0,
            healed: true,
            revoked: false,
            offline: false,
        }
    }

    pub fn ports(&self) -> Ports {
        ports(self.clock.clone(), self.random.clone())
    }

    pub fn home(&self) -> &Path {
        &self.home
    }

    pub fn device(&self) -> Arc<FieldDevice> {
        self.device.clone().expect("the tablet runs")
    }

    pub fn id(&self) -> DeviceId {
        self.device().identity().device
    }

    pub fn talks(&self) -> bool {
        self.talk.is_some()
    }

    /// The next step of its conversation; begins one where there is none.
    pub fn next(&mut self) -> Next {
        let device = self.device();
        loop {
            match &mut self.talk {
                None => {
                    self.session += 1;
                    self.talk = Some(Talk::Enrol(Enrolling::default()));
                }
                Some(Talk::Failed) => return self.over(None),
                Some(Talk::Enrol(enrolling)) => match enrolling.next_request(&device) {
                    Ok(Some(request)) => {
                        self.serial += 1;
                        return self.send(&device, self.serial, request);
                    }
                    Ok(None) if enrolling.round().approved || device.enrolled_earlier() => {
                        let mut dice = self.dice.fork();
                        let random = Box::new(move || dice.roll());
                        self.talk = Some(Talk::Sync(Box::new(SyncSession::new(SyncOptions::default(), random))));
                    }
                    Ok(None) | Err(_) => return self.over(None),
                },
                Some(Talk::Sync(session)) => match session.next_request(&mut SyncPort::new(device.clone())) {
                    Step::Send(request) => return self.send(&device, request.id, request),
                    Step::Wait(wait) => return Next::Wait(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
                    Step::Done(report) => return self.over(Some(report)),
                },
            }
        }
    }

    /// Hands an answer in, also a late one: it is the device's business to know it.
    pub fn answer(&mut self, session: u64, id: u64, answer: Result<Response, NoAnswer>) {
        if session != self.session {
            return;
        }
        let device = self.device();
        let expected = self.asked == Some(id);
        if expected {
            self.asked = None;
        }
        match &mut self.talk {
            Some(Talk::Sync(session)) => session.handle_response(&mut SyncPort::new(device), id, answer),
            Some(Talk::Enrol(enrolling)) if expected => {
                let taken = match answer {
                    Ok(answer) => enrolling.handle_response(&device, answer).is_ok(),
                    Err(_) => false,
                };
                if !taken {
                    self.talk = Some(Talk::Failed);
                }
            }
            _ => {}
        }
    }

    fn send(&mut self, device: &Arc<FieldDevice>, id: u64, request: Request) -> Next {
        let mut headers = request.headers;
        let (body, blob) = match request.payload {
            Payload::Empty => (Vec::new(), None),
            Payload::Bytes { media_type, bytes } => {
                headers.push(("Content-Type", media_type.to_owned()));
                (bytes, None)
            }
            Payload::Blob { sha256, offset, length } => {
                let mut bytes = Vec::new();
                let port = SyncPort::new(device.clone());
                match port.read_blob(sha256, offset) {
                    Ok(reader) => reader
                        .take(length)
                        .read_to_end(&mut bytes)
                        .expect("evidence can be read"),
                    Err(why) => panic!("tablet {} lost evidence {sha256}: {why:?}", self.number),
                };
                (bytes, Some(sha256))
            }
        };
        self.asked = Some(id);
        let call = Call {
            method: request.method.as_str(),
            path: request.path,
            headers,
            token: device.token(),
            body,
            blob,
        };
        Next::Send(id, call)
    }

    fn over(&mut self, report: Option<Box<SyncReport>>) -> Next {
        self.talk = None;
        self.asked = None;
        if let Some(report) = &report {
            let whole = report.ending == Ending::Done && report.waiting.operations == 0;
            self.healed |= whole && self.session > self.since;
        }
        Next::Over(report)
    }

    /// Signs an operation; from now on it is owed.
    pub fn append(&mut self, new: NewOperation) -> OpId {
        let id = self
            .device()
            .append(new)
            .unwrap_or_else(|e| panic!("tablet {}: {e}", self.number));
        self.owed.insert(id);
        id
    }

    pub fn close(&mut self, inspection: InspectionId) -> OpId {
        let id = self
            .device()
            .close(inspection)
            .unwrap_or_else(|e| panic!("tablet {}: {e}", self.number));
        self.owed.insert(id);
        id
    }

    /// Captures evidence; from now on its bytes are owed too.
    pub fn capture(&mut self, inspection: InspectionId, bytes: &[u8]) -> BlobHash {
        let new = NewEvidence {
            acquisition: "imported",
            kind: "photo",
            title: "现场照片",
            ..NewEvidence::default()
        };
        let mut source = bytes;
        let captured = self.device().capture(inspection, &mut source, &new);
        let captured = captured.unwrap_or_else(|e| panic!("tablet {}: {e}", self.number));
        self.owed.insert(captured.operation);
        self.blobs.insert(captured.operation, (captured.sha256, captured.size));
        captured.sha256
    }

    /// Whether a key of its present life waits for the administrator.
    pub fn waits_for_approval(&self) -> bool {
        let state = self.device().enrolment_state().expect("the keys can be read");
        state == EnrolmentState::Pending
    }

    /// The process is killed, and started again on what lies on the disk.
    pub fn kill(&mut self) {
        let next = self.next_home();
        folder::copy(&self.home, &next);
        self.leave(next);
        self.open();
    }

    pub fn back_up(&mut self) {
        let path = self.folder.join(format!("tablet-{}-backup", self.number));
        folder::drop_all(&path);
        folder::copy(&self.home, &path);
        self.backup = Some(path);
    }

    pub fn has_backup(&self) -> bool {
        self.backup.is_some()
    }

    /// The database is put back from the older copy; what stands beside it is of today. What the server does not have of the time
    /// between is gone with the disk. Returns whether a new life had to begin.
    pub fn restore(&mut self, at_server: &BTreeSet<OpId>) -> bool {
        let backup = self.backup.take().expect("there is a copy");
        let next = self.next_home();
        folder::copy(&self.home, &next);
        for file in folder::database(&next) {
            let _ = std::fs::remove_file(file);
        }
        for (from, to) in folder::database(&backup).iter().zip(folder::database(&next)) {
            if from.exists() {
                std::fs::copy(from, to).expect("a copy can be put back");
            }
        }
        let before = self.device().identity().incarnation;
        self.leave(next);
        let owed = std::mem::take(&mut self.owed);
        self.open();
        let here = self.own();
        let left = owed
            .into_iter()
            .filter(|id| here.contains(id) || at_server.contains(id));
        self.owed.extend(left);
        self.away.extend(self.owed.difference(&here).copied());
        self.device().identity().incarnation != before
    }

    fn next_home(&mut self) -> PathBuf {
        self.copies += 1;
        self.folder.join(format!("tablet-{}-{}", self.number, self.copies))
    }

    fn leave(&mut self, next: PathBuf) {
        self.talk = None;
        self.asked = None;
        self.wakes_ms = 0;
        self.session += 1;
        self.device = None;
        folder::drop_all(&self.home);
        self.home = next;
    }

    fn open(&mut self) {
        let (device, _) =
            FieldDevice::open(&self.home, self.ports()).unwrap_or_else(|e| panic!("tablet {}: {e}", self.number));
        self.device = Some(Arc::new(device));
        let own = self.own();
        let lost = self
            .owed
            .iter()
            .filter(|id| !own.contains(id) && !self.away.contains(id))
            .count();
        assert!(
            lost == 0,
            "tablet {} lost {lost} acknowledged operations with its process",
            self.number
        );
        // What a start writes by itself (it seals what a cut left unsealed) is owed like everything else.
        self.owed.extend(own);
    }

    /// Every operation of its own that it holds.
    pub fn own(&self) -> BTreeSet<OpId> {
        let device = self.device();
        let store = device.store();
        let lives = store.incarnations().expect("the store can be read");
        let frames = lives.into_iter().flat_map(|life| {
            let (mut all, mut at) = (Vec::new(), 0);
            loop {
                let run = store
                    .own_frames(life, at, usize::MAX, usize::MAX)
                    .expect("the store can be read");
                let Some(last) = run.last() else { return all };
                at = Operation::parse(last).expect("a stored frame parses").header().seq + 1;
                all.extend(run);
            }
        });
        frames
            .map(|frame| Operation::parse(&frame).expect("a stored frame parses").id())
            .collect()
    }
}

pub fn ports(clock: Arc<MachineClock>, random: Arc<SeededRandom>) -> Ports {
    Ports {
        clock,
        random,
        space: Arc::new(Roomy),
        wait_ms: 1000,
        platform: None,
    }
}
