//! Who is at work: PINs, sessions, and officers' signatures.

use std::sync::Arc;

use fieldseal_proof::attest::Meaning;
use fieldseal_proof::ids::{OfficerId, OpId, SessionId};

use super::{DeviceError, FieldDevice, lock};
use crate::catalogue::Param;
use crate::keyring::{OfficerRecord, SharedSigner};
use crate::operation::NewOperation;
use crate::store::{AppendWith, Attesting};

/// An officer whose key is open.
#[derive(Clone)]
pub struct Unlocked {
    /// Who.
    pub record: OfficerRecord,
    /// Header key 12 of the operations made meanwhile.
    pub session: SessionId,
    /// Since when, by the device's clock.
    pub began_ms: u64,
    key: Arc<SharedSigner>,
}

impl FieldDevice {
    /// Opens an officer's key with the PIN, without a network. The officer unlocked last is the one at work.
    ///
    /// # Errors
    /// `officer_unknown`, `pin_wrong`, `pin_wait`.
    pub fn unlock(&self, certificate: &str, pin: &str) -> Result<Unlocked, DeviceError> {
        let record = self.officer(certificate)?;
        let key = self.keys.unlock(record.officer, pin, self.clock.now().wall_ms)?;
        let session = self.store.begin_session(record.officer, self.longest_session_ms())?;
        let unlocked = Unlocked {
            record,
            session: session.id,
            began_ms: session.began_ms,
            key: Arc::new(key),
        };
        let mut people = lock(&self.people);
        people.retain(|other| other.record.officer != unlocked.record.officer);
        people.push(unlocked.clone());
        Ok(unlocked)
    }

    /// Makes an officer whose key is open the one at work again, without asking for the PIN.
    ///
    /// # Errors
    /// `session_ended` when the key is not open, or its session is over.
    pub fn take_over(&self, officer: OfficerId) -> Result<Unlocked, DeviceError> {
        let (now, longest) = (self.clock.now().wall_ms, self.longest_session_ms());
        let mut people = lock(&self.people);
        let ended = || DeviceError::new("session_ended", []);
        let place = people.iter().position(|open| open.record.officer == officer);
        let open = people.remove(place.ok_or_else(ended)?);
        people.push(open.clone());
        if now.abs_diff(open.began_ms) < longest {
            Ok(open)
        } else {
            Err(ended())
        }
    }

    /// An officer's open key, for a signature that does not make the officer the one at work.
    ///
    /// # Errors
    /// `officer_unknown`, `session_ended` when the key is not open.
    pub fn open_key(&self, certificate: &str) -> Result<Unlocked, DeviceError> {
        let officer = self.officer(certificate)?.officer;
        let (now, longest) = (self.clock.now().wall_ms, self.longest_session_ms());
        let people = lock(&self.people);
        let open = people.iter().find(|open| open.record.officer == officer);
        open.filter(|open| now.abs_diff(open.began_ms) < longest)
            .cloned()
            .ok_or_else(|| DeviceError::new("session_ended", []))
    }

    /// Closes an officer's key and ends the session.
    ///
    /// # Errors
    /// When the database does.
    pub fn lock(&self, officer: OfficerId) -> Result<(), DeviceError> {
        lock(&self.people).retain(|other| other.record.officer != officer);
        Ok(self.store.end_session(officer)?)
    }

    /// The officer of this device with that certificate number.
    ///
    /// # Errors
    /// `officer_unknown`.
    pub fn officer(&self, certificate: &str) -> Result<OfficerRecord, DeviceError> {
        let found = self
            .keys
            .officers()
            .into_iter()
            .find(|record| record.certificate == certificate.trim());
        found.ok_or_else(|| DeviceError::new("officer_unknown", [("certificate", Param::text(certificate))]))
    }

    /// The officer at work: the one unlocked last whose session still lasts.
    pub fn at_work(&self) -> Option<Unlocked> {
        let (now, longest) = (self.clock.now().wall_ms, self.longest_session_ms());
        let people = lock(&self.people);
        people
            .iter()
            .rev()
            .find(|officer| now.abs_diff(officer.began_ms) < longest)
            .cloned()
    }

    /// The session of the officer at work.
    pub(super) fn session(&self) -> Option<SessionId> {
        // Without a person there is nothing to look up: many operations of a device are its own.
        if lock(&self.people).is_empty() {
            return None;
        }
        self.at_work().map(|officer| officer.session)
    }

    /// How long a PIN holds, by the rule pack; without a pack until the end of the process.
    fn longest_session_ms(&self) -> u64 {
        *self.session_ms.get_or_init(|| match self.pack() {
            Ok(pack) => pack.thresholds().session_hours.saturating_mul(60 * 60 * 1000),
            Err(_) => u64::MAX,
        })
    }

    /// The name of the officer at work, else the device's label.
    pub(super) fn collector(&self) -> String {
        self.at_work()
            .map_or_else(|| self.identity().label, |officer| officer.record.name)
    }

    /// The officer at work signs operations: the signature is an operation of its own in the stream of its targets.
    ///
    /// # Errors
    /// `session_ended` when nobody is unlocked, `not_found` for a target that is not held here.
    pub fn attest(&self, targets: &[OpId], role: &str, meaning: Meaning) -> Result<OpId, DeviceError> {
        let officer = self.at_work().ok_or_else(|| DeviceError::new("session_ended", []))?;
        self.attest_as(&officer, targets, role, meaning)
    }

    /// As [`FieldDevice::attest`], by a given officer.
    ///
    /// # Errors
    /// `not_found` for a target that is not held here, or that lies in another stream than the first.
    pub fn attest_as(
        &self,
        officer: &Unlocked,
        targets: &[OpId],
        role: &str,
        meaning: Meaning,
    ) -> Result<OpId, DeviceError> {
        let mut place = NewOperation::new("attest");
        let mut stream = None;
        for target in targets {
            let header = self.store.operation(*target)?.operation.header().clone();
            if *stream.get_or_insert(header.stream()) != header.stream() {
                return Err(DeviceError::not_found(target));
            }
            (place.case, place.inspection) = (header.case, header.inspection);
        }
        let mut targets = targets.to_vec();
        targets.sort_unstable();
        targets.dedup();
        if targets.is_empty() || targets.len() > fieldseal_proof::attest::MAX_TARGETS {
            return Err(DeviceError::not_found(format!("{} targets", targets.len())));
        }
        let who = Attesting {
            officer: officer.record.officer,
            role,
            meaning,
            targets,
            key: &**officer.key,
        };
        let with = AppendWith {
            session: Some(officer.session),
            ..AppendWith::default()
        };
        Ok(self.store.append_attest(place, who, &with)?)
    }
}
