//! Where actions are prepared, signed and written. One at a time: the console has one chain.
//!
//! ```text
//! form ─prepare─▶ operation, sealed by the console, not written ─▶ confirm page ─▶ the person's key signs the statement about it
//!      ─commit──▶ operation and signature, admitted together │ 409 when the subject or the chain moved meanwhile
//! ```

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fieldseal_core::random::array;
use fieldseal_proof::attest::{Attestation, Meaning, Place, statement};
use fieldseal_proof::dsse::{ATTESTATION, pae};
use fieldseal_proof::ids::{KeyId, OfficerId, OpId};
use fieldseal_proof::operation::Operation;

use super::super::access::{self, Deed};
use super::super::error::PageError;
use super::super::visitor::Staff;
use super::action::{Action, Refused};
use super::device::{ConsoleDevice, Draft, Next};
use super::keys;
use crate::api::App;
use crate::ingest::Outcome;
use crate::ledger::LedgerError;

/// A prepared action waits so long for its signature.
const WAITS_MS: u64 = 30 * 60_000;
/// Prepared actions that wait at most; the oldest go first.
const MOST: usize = 1_000;
/// After a commit the view is waited for, so that the next page shows what was done.
const VIEW: Duration = Duration::from_secs(10);
/// What a supervisor's own act is signed as.
pub const MEANING: Meaning = Meaning::Made;

/// An action whose operation is sealed and shown, and not written yet.
pub struct Prepared {
    pub action: Action,
    pub operation: Operation,
    /// Of the signature that follows it.
    pub place: Place,
    pub officer: OfficerId,
    /// In which the person signs.
    pub role: String,
    user: String,
    seen: String,
    after: Next,
    expires_ms: u64,
}

impl Prepared {
    /// The statement that is signed.
    pub fn statement(&self) -> Vec<u8> {
        statement(&self.place, self.officer, &self.role, MEANING, &[self.operation.id()])
    }

    /// Until when it can be signed.
    pub fn until_ms(&self) -> u64 {
        self.expires_ms
    }

    /// Exactly the bytes that go into the signature.
    pub fn signed_bytes(&self) -> Vec<u8> {
        pae(ATTESTATION, &self.statement())
    }
}

/// What became of a signature.
pub enum Committed {
    /// Both are in the ledger; the id of the action's operation.
    Done(OpId),
    /// Somebody else wrote through the console meanwhile, about something else: prepared again under this token.
    Moved(String),
}

/// The prepared actions, and the clock of the console's chain.
#[derive(Default)]
pub struct Office {
    prepared: Mutex<HashMap<String, Arc<Prepared>>>,
    writing: tokio::sync::Mutex<(u64, u16)>,
}

impl Office {
    /// Prepares an action; the answer is the token of its confirm page. `seen` is what the form rested on.
    ///
    /// # Errors
    /// The input does not do, the subject moved since the form was shown, or the console or the person cannot sign yet.
    pub async fn prepare(
        &self,
        app: &App,
        staff: &Staff,
        action: Action,
        seen: Option<&str>,
    ) -> Result<String, Refused> {
        let now_seen = action.seen(app).await?;
        if seen.is_some_and(|seen| seen != now_seen) {
            return Err(PageError::conflict().into());
        }
        let draft = action.draft(app).await?;
        let signer = keys::standing(app, &staff.account).first().cloned();
        let signer = signer.ok_or(PageError::not_yet("console.key.none"))?;
        let mut clock = self.writing.lock().await;
        let device = device(app)?;
        let mut next = self.opened(app, &device, &mut clock).await?;
        let operation = device.seal(&app.server, &mut next, tick(&mut clock, app), draft)?;
        let place = Place {
            tenant: app.server.ingest.tenant(),
            device: device.chain.device,
            incarnation: device.chain.incarnation,
            seq: next.seq,
            prev: next.prev,
        };
        drop(clock);
        let now = app.server.clock.now().wall_ms;
        let prepared = Prepared {
            action,
            operation,
            place,
            officer: signer.officer,
            role: signer.role,
            user: staff.account.user.clone(),
            seen: now_seen,
            after: next,
            expires_ms: now + WAITS_MS,
        };
        let secret: [u8; 16] = array(&*app.server.random).map_err(|e| PageError::internal(&e))?;
        let token = hex::encode(secret);
        self.keep(token.clone(), prepared, now);
        Ok(token)
    }

    /// A prepared action of this person.
    ///
    /// # Errors
    /// It never was, is over, or is somebody else's: all the same to the reader.
    pub fn find(&self, app: &App, staff: &Staff, token: &str) -> Result<Arc<Prepared>, PageError> {
        let now = app.server.clock.now().wall_ms;
        let held = self.held().get(token).cloned();
        held.filter(|one| one.user == staff.account.user && now < one.expires_ms)
            .ok_or(PageError::NotFound)
    }

    /// Writes a prepared action with the person's signature, both in one commit.
    ///
    /// # Errors
    /// `Conflict` with the person's own words when somebody decided first; a signature that does not hold.
    pub async fn commit(
        &self,
        app: &App,
        staff: &Staff,
        token: &str,
        key: KeyId,
        signature: Vec<u8>,
    ) -> Result<Committed, Refused> {
        let prepared = self.find(app, staff, token)?;
        let mut clock = self.writing.lock().await;
        let device = device(app)?;
        if prepared.action.seen(app).await? != prepared.seen {
            return Err(PageError::conflict().into());
        }
        let next = device.next(&app.server).await?;
        let header = prepared.operation.header();
        if (next.seq, next.prev) != (header.seq, header.prev) {
            drop(clock);
            let again = self
                .prepare(app, staff, prepared.action.clone(), Some(&prepared.seen))
                .await?;
            self.held().remove(token);
            return Ok(Committed::Moved(again));
        }
        let own = keys::standing(app, &staff.account)
            .into_iter()
            .find(|own| own.id == key);
        let own = own.ok_or(PageError::not_yet("console.key.none"))?;
        let attestation = Attestation {
            officer: prepared.officer,
            role: prepared.role.clone(),
            meaning: MEANING,
            targets: vec![prepared.operation.id()],
            key,
            signature,
        };
        attestation
            .verify(&prepared.place, &own.public)
            .map_err(|error| PageError::bad_request(error.to_string()))?;
        let mut after = prepared.after.clone();
        let draft = Draft {
            kind: fieldseal_proof::attest::KIND,
            case: header.case,
            inspection: header.inspection,
            fields: attestation.fields(),
            anchor: header.anchor,
            ..Draft::default()
        };
        let signed = device.seal(&app.server, &mut after, tick(&mut clock, app), draft)?;
        let id = prepared.operation.id();
        self.admit(app, &device, &[&prepared.operation, &signed]).await?;
        self.held().remove(token);
        access::log(app, staff, Deed::Signed, id.to_string()).await?;
        // Still under the lock: whoever comes next sees what was written here.
        shown(app).await?;
        Ok(Committed::Done(id))
    }

    /// The next place, after the first operation of the chain where it is still empty.
    async fn opened(&self, app: &App, device: &ConsoleDevice, clock: &mut (u64, u16)) -> Result<Next, PageError> {
        let mut next = device.next(&app.server).await?;
        if next.seq == 0 {
            let opening = device.seal(&app.server, &mut next, tick(clock, app), Draft::opening())?;
            self.admit(app, device, &[&opening]).await?;
        }
        Ok(next)
    }

    async fn admit(&self, app: &App, device: &ConsoleDevice, operations: &[&Operation]) -> Result<(), PageError> {
        let frames: Vec<u8> = operations.iter().flat_map(|operation| operation.frame()).collect();
        let admission = app.server.ingest.admit(device.chain, frames).await?;
        let whole = admission.fault.is_none()
            && admission.results.len() == operations.len()
            && admission
                .results
                .iter()
                .all(|result| result.outcome == Outcome::Accepted);
        if whole {
            Ok(())
        } else {
            Err(PageError::broken("the console's own operations were not accepted"))
        }
    }

    fn keep(&self, token: String, prepared: Prepared, now: u64) {
        let mut held = self.held();
        held.retain(|_, one| now < one.expires_ms);
        while held.len() >= MOST {
            let oldest = held
                .iter()
                .min_by_key(|(_, one)| one.expires_ms)
                .map(|(token, _)| token.clone());
            match oldest {
                Some(token) => held.remove(&token),
                None => break,
            };
        }
        held.insert(token, Arc::new(prepared));
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Prepared>>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn device(app: &App) -> Result<ConsoleDevice, PageError> {
    ConsoleDevice::ready(&app.server)?.map_err(|why| PageError::not_yet(why.word()))
}

/// The hybrid clock's next reading.
fn tick(clock: &mut (u64, u16), app: &App) -> (u64, u16) {
    let now = app.server.clock.now().wall_ms;
    *clock = if now > clock.0 {
        (now, 0)
    } else {
        (clock.0, clock.1.saturating_add(1))
    };
    *clock
}

/// Waits until the views contain everything that is admitted.
async fn shown(app: &App) -> Result<(), LedgerError> {
    let arrived = app.server.ledger.arrived(u64::MAX).await?;
    let mut place = app.server.place.clone();
    // A view that stands still is the stale line's business, not a reason to say that nothing was written.
    let _ = tokio::time::timeout(VIEW, place.wait_for(|place| *place >= arrived)).await;
    Ok(())
}
