//! Everything at once: who acts next is drawn, nothing happens by itself.

use std::collections::{BTreeMap, BTreeSet};

use fieldseal_core::sync::Ending;
use fieldseal_core::sync::message::NoAnswer;
use fieldseal_proof::hash::sha256;
use fieldseal_proof::ids::{BlobHash, DeviceId, OpId};
use fieldseal_sync_server::ledger::FeedScope;

use crate::birth::{BEGIN_MS, Birth, DEVICES, talk};
use crate::clock::{MachineClock, Time};
use crate::dice::{Dice, SeededRandom};
use crate::faults::{Counters, Fault};
use crate::folder;
use crate::network::{Call, Flight};
use crate::office::Office;
use crate::server::{Chore, Host};
use crate::tablet::{Next, Tablet};
use crate::work::{Place, decision, enterprise};

/// Operations that people write in a run, at least.
const OPERATIONS: usize = 200;
/// Rounds of undisturbed conversations after which everything has to be at rest.
const ROUNDS: usize = 12;
/// Steps after which a run should long have ended.
const ENDLESS: usize = 20_000;
const TEN_YEARS_MS: i64 = 10 * 365 * 86_400_000;

pub struct World {
    pub dice: Dice,
    pub time: Time,
    pub host: Host,
    pub office: Office,
    /// The first is the supervisor's laptop.
    pub tablets: Vec<Tablet>,
    flights: Vec<Flight>,
    sent: u64,
    pub places: Vec<Place>,
    /// Places that were closed by a device.
    closed: Vec<Place>,
    pub faults: Counters,
    pub operations: usize,
    /// Bytes of each file that were delivered to the server, and that may have been delivered in vain: by kills of the server in
    /// the middle of it, and by restores.
    pub delivered: BTreeMap<BlobHash, u64>,
    pub in_vain: BTreeMap<BlobHash, u64>,
    server_restores: usize,
    log: Vec<String>,
    /// Last: the disks outlive whoever writes on them.
    _folder: tempfile::TempDir,
}

impl World {
    pub fn new(birth: &Birth, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let folder = folder::scratch();
        let time = Time::starting_at(BEGIN_MS);
        let random = std::sync::Arc::new(SeededRandom::new(dice.fork()));
        let clock = std::sync::Arc::new(MachineClock::right(&time, 2));
        let host = Host::new(folder.path().to_owned(), &birth.server, clock, random);
        let tablets = (0..DEVICES).map(|number| {
            let clock = MachineClock::right(&time, 20 + number as u8);
            Tablet::new(
                number,
                folder.path().to_owned(),
                &birth.tablets[number],
                clock,
                dice.fork(),
            )
        });
        let tablets = tablets.collect();
        Self {
            time,
            host,
            office: birth.office.clone(),
            tablets,
            flights: Vec::new(),
            sent: 0,
            places: Vec::new(),
            closed: Vec::new(),
            faults: Counters::default(),
            operations: 0,
            delivered: BTreeMap::new(),
            in_vain: BTreeMap::new(),
            server_restores: 0,
            log: Vec::new(),
            dice,
            _folder: folder,
        }
    }

    /// Lives until everybody has written enough.
    pub fn live(&mut self) {
        for _ in 0..2 {
            self.assign();
        }
        if self.dice.percent(25) {
            let away = 1 + self.dice.below(DEVICES - 1);
            self.tablets[away].offline = true;
            self.faults.hit(Fault::LongOffline);
            self.note(&format!("tablet {away} is offline from the first hour on"));
        }
        let mut steps = 0;
        while self.operations < OPERATIONS {
            steps += 1;
            assert!(steps < ENDLESS, "people do not get to write");
            let passes = 1 + self.dice.below(60_000) as u64;
            self.time.pass(passes);
            match self.dice.below(100) {
                0..=29 => self.write(),
                30..=82 => self.communicate(),
                83..=95 => self.serve(),
                _ => self.disturb(),
            }
        }
    }

    /// Faults end. Everybody talks until nothing is left to say.
    pub fn rest(&mut self) {
        let flights: Vec<Flight> = self.flights.drain(..).collect();
        for flight in flights {
            // What was given up may still arrive; nobody is there to hear the answer.
            if flight.answer.is_none() {
                self.note(&format!("arrives at last: {}", flight.call.words()));
                self.deliver_body(&flight.call, flight.call.body.len());
                self.lost_in_vain(&flight.call);
                self.host.ask(&flight.call, None, None);
            }
        }
        for number in 0..DEVICES {
            self.tablets[number].offline = false;
            self.tablets[number].kill();
        }
        self.host.settle();
        for round in 0..ROUNDS {
            let mut moved = false;
            for number in 0..DEVICES {
                self.time.pass(1000);
                if self.tablets[number].waits_for_approval() && !self.tablets[number].revoked {
                    self.office.approve(&self.tablets[number].device());
                    self.office.post(&mut self.host);
                    moved = true;
                }
                let report = self.talk(number);
                self.host.settle();
                let revoked = self.tablets[number].revoked;
                moved |= report.is_none_or(|report| {
                    let heard = report.ending == Ending::Done || revoked;
                    report.received + report.fetched + report.sealed + report.blobs > 0
                        || !report.waiting.is_nothing()
                        || !heard
                });
            }
            if !moved {
                self.note(&format!("at rest after {round} rounds"));
                return;
            }
        }
        let waits: Vec<String> = self
            .tablets
            .iter()
            .map(|tablet| format!("{:?}", tablet.device().store().pending()))
            .collect();
        panic!("not at rest after {ROUNDS} rounds without faults: {}", waits.join("; "));
    }

    fn talk(&mut self, number: usize) -> Option<Box<fieldseal_core::sync::SyncReport>> {
        let report = talk(&mut self.tablets[number], &mut self.host);
        if let Some(report) = &report {
            self.note(&format!(
                "tablet {number}: {} received, {} fetched, {} sealed, {} files, {:?}, {:?}",
                report.received, report.fetched, report.sealed, report.blobs, report.ending, report.alarms
            ));
        }
        report
    }

    /// What happened, in one number: the same seed gives the same.
    pub fn story(&self) -> String {
        hex::encode(sha256(self.log.join("\n").as_bytes()))
    }

    pub fn lines(&self) -> &[String] {
        &self.log
    }

    pub fn note(&mut self, words: &str) {
        let at = self.time.now() - BEGIN_MS;
        self.log.push(format!("{at:>10} {words}"));
    }

    /// Ids of what the server holds of each device.
    pub fn at_server(&self) -> BTreeMap<DeviceId, BTreeSet<OpId>> {
        let rows = self
            .host
            .read(async |store| store.operations(FeedScope::All, 0, u64::MAX >> 1, usize::MAX).await);
        let mut of: BTreeMap<DeviceId, BTreeSet<OpId>> = BTreeMap::new();
        for row in rows.expect("the ledger can be read") {
            of.entry(row.chain.device).or_default().insert(row.id);
        }
        of
    }

    // ------------------------------------------------------------------------------------------------------------- people

    fn assign(&mut self) {
        let place = Place::new(&mut self.dice);
        let devices: Vec<DeviceId> = self.tablets[1..].iter().map(Tablet::id).collect();
        self.places.push(place);
        let id = self.tablets[0].append(place.opening("inspection.assign", &devices));
        self.wrote(0, "assigns", id);
    }

    fn wrote(&mut self, number: usize, what: &str, id: OpId) {
        self.operations += 1;
        self.note(&format!("tablet {number} {what} {}", &id.to_string()[..8]));
    }

    fn write(&mut self) {
        if self.dice.percent(8) {
            return self.supervise();
        }
        let number = 1 + self.dice.below(DEVICES - 1);
        let place = *self.dice.pick(&self.places);
        match self.dice.below(100) {
            0..=74 => {
                let new = place.record(&mut self.dice);
                let id = self.tablets[number].append(new);
                self.wrote(number, "records", id);
            }
            75..=84 => {
                let new = enterprise(&mut self.dice);
                let id = self.tablets[number].append(new);
                self.wrote(number, "names an enterprise", id);
            }
            85..=91 => self.photograph(number, place),
            92..=93 => self.close(number, place),
            94..=96 => self.begin(number),
            _ => {
                // Two at once who cannot know of each other.
                let new = place.record(&mut self.dice);
                for number in 1..3 {
                    let id = self.tablets[number].append(new.clone());
                    self.wrote(number, "records at the same time", id);
                }
            }
        }
    }

    fn photograph(&mut self, number: usize, place: Place) {
        let tablet = &mut self.tablets[number];
        if tablet.device().store().case_of(place.inspection).is_err() {
            return;
        }
        let size = 1 + self.dice.below(200_000);
        let mut bytes = vec![0xd8; size];
        let mark = self.dice.roll().to_be_bytes();
        let marked = size.min(8);
        bytes[..marked].copy_from_slice(&mark[..marked]);
        let sha256 = tablet.capture(place.inspection, &bytes);
        self.operations += 1;
        self.note(&format!(
            "tablet {number} photographs {} of {size} bytes",
            &sha256.to_string()[..8]
        ));
    }

    fn close(&mut self, number: usize, place: Place) {
        let tablet = &mut self.tablets[number];
        if tablet.device().store().case_of(place.inspection).is_ok() {
            let id = tablet.close(place.inspection);
            self.closed.push(place);
            self.wrote(number, "closes", id);
        }
    }

    /// One begins an inspection, and tells another by telephone, who writes in it before either has a network.
    fn begin(&mut self, number: usize) {
        if self.places.len() >= 6 {
            return;
        }
        let place = Place::new(&mut self.dice);
        let devices: Vec<DeviceId> = self.tablets[1..].iter().map(Tablet::id).collect();
        let id = self.tablets[number].append(place.opening("inspection.begin", &devices));
        self.wrote(number, "begins", id);
        let other = 1 + number % (DEVICES - 1);
        let new = place.record(&mut self.dice);
        let id = self.tablets[other].append(new);
        self.wrote(other, "records what it was told of", id);
        self.places.push(place);
    }

    fn supervise(&mut self) {
        if self.dice.percent(50)
            && let Some(place) = self.closed.pop()
        {
            let id = self.tablets[0].append(place.sending_back(&mut self.dice));
            return self.wrote(0, "sends back", id);
        }
        let place = *self.dice.pick(&self.places);
        if let Some(new) = decision(&self.tablets[0], place) {
            let id = self.tablets[0].append(new);
            self.wrote(0, "releases", id);
        }
    }

    // ------------------------------------------------------------------------------------------------------------ network

    fn communicate(&mut self) {
        if !self.flights.is_empty() && self.dice.percent(60) {
            let which = self.dice.below(self.flights.len());
            let flight = self.flights.swap_remove(which);
            return self.arrive(flight);
        }
        let number = self.dice.below(DEVICES);
        let now = self.time.now();
        let tablet = &mut self.tablets[number];
        if tablet.offline || tablet.asked.is_some() || tablet.wakes_ms > now {
            return;
        }
        if !tablet.talks() && tablet.waits_for_approval() && !tablet.revoked && self.dice.percent(60) {
            self.office.approve(&self.tablets[number].device());
            self.office.post(&mut self.host);
            self.note(&format!("tablet {number} is approved"));
        }
        match self.tablets[number].next() {
            Next::Send(id, call) => {
                self.sent += 1;
                self.flights.push(Flight {
                    tablet: number,
                    session: self.tablets[number].session,
                    id,
                    call,
                    given_up: false,
                    answer: None,
                    sent: self.sent,
                });
            }
            Next::Wait(ms) => self.tablets[number].wakes_ms = now + ms,
            Next::Over(report) => {
                let words = report
                    .map(|r| format!("{:?} {:?}", r.ending, r.alarms))
                    .unwrap_or_default();
                self.note(&format!("tablet {number} hangs up {words}"));
            }
        }
    }

    fn arrive(&mut self, mut flight: Flight) {
        if let Some(answer) = flight.answer.take() {
            self.note(&format!(
                "tablet {} hears late of {}",
                flight.tablet,
                flight.call.words()
            ));
            self.faults.hit(Fault::AnswerLate);
            return self.tablets[flight.tablet].answer(flight.session, flight.id, Ok(answer));
        }
        if self
            .flights
            .iter()
            .any(|other| other.sent < flight.sent && other.tablet != flight.tablet && other.answer.is_none())
        {
            self.faults.hit(Fault::Reordered);
        }
        if flight.given_up {
            self.note(&format!("arrives late: {}", flight.call.words()));
            self.faults.hit(Fault::RequestLate);
            self.deliver_body(&flight.call, flight.call.body.len());
            self.lost_in_vain(&flight.call);
            self.host.ask(&flight.call, None, None);
            return;
        }
        if flight.call.blob.is_some() && self.dice.percent(40) {
            return self.cut(&flight);
        }
        match self.dice.below(100) {
            0..=3 => {
                self.faults.hit(Fault::RequestLost);
                self.give_up(&flight, "is lost");
            }
            4..=6 => {
                self.faults.hit(Fault::AnswerLost);
                self.hand_over(&flight);
                self.give_up(&flight, "is answered in vain");
            }
            7..=9 => {
                let answer = self.hand_over(&flight);
                self.give_up(&flight, "is answered too late");
                self.flights.push(Flight {
                    answer: Some(answer),
                    given_up: true,
                    ..flight
                });
            }
            10..=12 => {
                self.give_up(&flight, "is on its way for long");
                self.flights.push(Flight {
                    given_up: true,
                    ..flight
                });
            }
            13..=14 => {
                self.faults.hit(Fault::RequestTwice);
                self.hand_over(&flight);
                self.lost_in_vain(&flight.call);
                self.answered(flight);
            }
            15..=20 if flight.call.body.len() > 1 => self.cut(&flight),
            21 => {
                self.faults.hit(Fault::TabletKilledBeforeSend);
                self.note(&format!(
                    "tablet {} is killed before it sends {}",
                    flight.tablet,
                    flight.call.words()
                ));
                self.tablets[flight.tablet].kill();
            }
            22 => {
                self.faults.hit(Fault::TabletKilledAfterSend);
                self.hand_over(&flight);
                self.note(&format!(
                    "tablet {} is killed after it sent {}",
                    flight.tablet,
                    flight.call.words()
                ));
                self.tablets[flight.tablet].kill();
            }
            23 => self.kill_server_at(&flight),
            _ => self.answered(flight),
        }
    }

    fn hand_over(&mut self, flight: &Flight) -> fieldseal_core::sync::message::Response {
        self.deliver_body(&flight.call, flight.call.body.len());
        self.host
            .ask(&flight.call, None, None)
            .expect("nobody kills the server here")
    }

    fn answered(&mut self, flight: Flight) {
        let answer = self.hand_over(&flight);
        self.note(&format!(
            "tablet {} {}: {} {}",
            flight.tablet,
            flight.call.words(),
            answer.status,
            hex::encode(&sha256(&answer.body)[..4])
        ));
        self.tablets[flight.tablet].answer(flight.session, flight.id, Ok(answer));
    }

    fn give_up(&mut self, flight: &Flight, what: &str) {
        self.note(&format!("tablet {} {} {what}", flight.tablet, flight.call.words()));
        let gone = NoAnswer::Offline("the line died".into());
        self.tablets[flight.tablet].answer(flight.session, flight.id, Err(gone));
    }

    fn cut(&mut self, flight: &Flight) {
        let at = self.dice.below(flight.call.body.len());
        self.faults.hit(if flight.call.blob.is_some() {
            Fault::UploadCut
        } else {
            Fault::PushCut
        });
        self.deliver_body(&flight.call, at);
        self.host.ask(&flight.call, Some(at), None);
        self.give_up(flight, &format!("is cut after {at} bytes"));
    }

    fn kill_server_at(&mut self, flight: &Flight) {
        let effects = self.dice.below(3) as u32;
        self.deliver_body(&flight.call, flight.call.body.len());
        match self.host.ask(&flight.call, None, Some(effects)) {
            None => {
                let fault = if effects == 0 {
                    Fault::ServerKilledBeforeCommit
                } else {
                    Fault::ServerKilledAfterCommit
                };
                self.faults.hit(fault);
                self.lost_in_vain(&flight.call);
                self.give_up(
                    flight,
                    &format!("meets a server that is killed after {effects} effects"),
                );
            }
            // It needed fewer effects than that: an ordinary answer.
            Some(answer) => self.tablets[flight.tablet].answer(flight.session, flight.id, Ok(answer)),
        }
    }

    fn deliver_body(&mut self, call: &Call, bytes: usize) {
        if let Some(sha256) = call.blob {
            *self.delivered.entry(sha256).or_default() += bytes as u64;
        }
    }

    fn lost_in_vain(&mut self, call: &Call) {
        if let Some(sha256) = call.blob {
            *self.in_vain.entry(sha256).or_default() += call.body.len() as u64;
        }
    }

    // ------------------------------------------------------------------------------------------------------------- server

    fn serve(&mut self) {
        let chore = *self.dice.pick(&[Chore::Sequence, Chore::Project, Chore::Show]);
        let lives_on = self.dice.percent(4).then(|| self.dice.below(3) as u32);
        match self.host.work(chore, lives_on) {
            Some(any) => {
                let leaves = self.host.read(async |store| store.leaves(0, u64::MAX >> 1).await);
                let leaves = leaves.expect("the ledger can be read");
                let mark = hex::encode(&sha256(&leaves.concat())[..4]);
                self.note(&format!(
                    "the server does {chore:?}: {any}, {} leaves {mark}",
                    leaves.len()
                ));
            }
            None => {
                self.faults.hit(Fault::ServerKilledAtItsLog);
                self.note(&format!("the server is killed at {chore:?}"));
            }
        }
    }

    // ---------------------------------------------------------------------------------------------------------- disasters

    fn disturb(&mut self) {
        let number = 1 + self.dice.below(DEVICES - 1);
        match self.dice.below(20) {
            0..=3 => {
                self.faults.hit(Fault::TabletKilledAtWork);
                self.note(&format!("tablet {number} is killed"));
                self.tablets[number].kill();
            }
            4..=7 => {
                self.faults.hit(Fault::ClockJump);
                let off = *self.dice.pick(&[-TEN_YEARS_MS, TEN_YEARS_MS, 0]);
                self.note(&format!("the clock of tablet {number} is off by {off} ms"));
                self.tablets[number].clock.set_off_by(off);
            }
            8..=11 => {
                self.note(&format!("a copy of tablet {number} is taken"));
                self.tablets[number].back_up();
            }
            12..=13 => self.restore_tablet(number),
            14..=16 => {
                self.note("the server is backed up");
                self.host.back_up();
            }
            17..=18 => self.restore_server(),
            _ => self.revoke(number),
        }
    }

    /// A database goes back in time. Not while a restored server still misses something: two disks lost at once lose what only
    /// they held, which no protocol brings back.
    fn restore_tablet(&mut self, number: usize) {
        let all_healed = self.tablets.iter().all(|tablet| tablet.healed);
        let tablet = &mut self.tablets[number];
        if !tablet.has_backup() || !all_healed || tablet.revoked || tablet.waits_for_approval() {
            return;
        }
        let at_server = self.at_server().remove(&self.tablets[number].id()).unwrap_or_default();
        let reborn = self.tablets[number].restore(&at_server);
        // It does not know any more what it had sent.
        for (sha256, _) in self.tablets[number].blobs.values() {
            let delivered = self.delivered.get(sha256).copied().unwrap_or(0);
            self.in_vain.insert(*sha256, delivered);
        }
        self.note(&format!("tablet {number} is put back from its copy, reborn: {reborn}"));
        if reborn {
            self.faults.hit(Fault::TabletRestored);
        }
    }

    fn restore_server(&mut self) {
        let at_server = self.at_server();
        let whole = self.tablets.iter().all(|tablet| {
            let own = tablet.own();
            let there = at_server.get(&tablet.id());
            // A request that the restored server has forgotten is never made again: a known defect, `tests/README.md`.
            let asks = tablet.waits_for_approval();
            tablet.healed && !asks && there.is_none_or(|there| there.is_subset(&own))
        });
        if !self.host.has_backup() || !whole || self.server_restores > 0 {
            return;
        }
        let files_too = self.dice.percent(50);
        self.note(&format!(
            "the server is restored, files as old as the ledger: {files_too}"
        ));
        self.faults.hit(Fault::ServerRestored);
        self.server_restores += 1;
        self.host.restore(files_too);
        self.office.post(&mut self.host);
        for tablet in &mut self.tablets {
            (tablet.healed, tablet.since) = (false, tablet.session);
        }
        // Whatever had arrived may have to come once more.
        self.in_vain = self.delivered.clone();
    }

    fn revoke(&mut self, number: usize) {
        let already = self.tablets.iter().any(|tablet| tablet.revoked);
        let tablet = &mut self.tablets[number];
        let waiting = tablet
            .device()
            .store()
            .pending()
            .expect("the store can be read")
            .waiting;
        if already || waiting == 0 || tablet.waits_for_approval() || !self.dice.percent(30) {
            return;
        }
        let device = tablet.device();
        tablet.revoked = true;
        let lives = device.store().incarnations().expect("the store can be read");
        self.office.revoke(&device, &lives);
        self.office.post(&mut self.host);
        self.faults.hit(Fault::Revoked);
        self.note(&format!(
            "tablet {number} is revoked with {waiting} operations unsynced"
        ));
    }
}
