//! Requests for enrolment: how each stands, refusing one, and what a signed entry of the key log changes.
//!
//! A request is `pending` until an administrator signs its key (`approved`) or says no with a reason (`refused`). A refusal can be
//! taken back by approving after all: the signed entry outranks it. Trust is never given here.

use fieldseal_core::domain::{Line, Refusal};
use fieldseal_proof::encoding::from_base64;
use fieldseal_proof::ids::{DeviceId, ItemId, OfficerId, from_hex};
use fieldseal_proof::key_log::Entry;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::tokens::Token;
use crate::ledger::{Commit, LedgerError, LedgerStore, Register, Swap, space};

/// Key in the `meta` space: the index of open requests was made.
const INDEXED: &[u8] = b"open_requests";

/// The row of an invitation.
#[derive(Debug, Serialize, Deserialize)]
pub struct Invitation {
    pub role: String,
    pub label: String,
    pub expires_ms: u64,
    /// The request that used it.
    pub used: Option<String>,
}

/// The row of a request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Enrolment {
    pub kind: String,
    /// `pending`, `approved` or `refused`.
    pub state: String,
    /// Device or officer id.
    pub subject: String,
    pub incarnation: Option<String>,
    /// The device that asks, for an officer.
    pub device: Option<String>,
    /// What the administrator needs to sign: as it was sent.
    pub asked: Value,
    /// SHA-256 of the token given with it, hex.
    pub token: Option<String>,
    /// Why it was refused, for whoever asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was refused, server clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_ms: Option<u64>,
}

/// A request with its id and what a guarded change of it needs.
#[derive(Debug, Clone)]
pub struct OpenRequest {
    pub id: String,
    pub version: u64,
    pub enrolment: Enrolment,
}

/// Why a request was not refused. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RefuseError {
    #[error("there is no such request")]
    Unknown,
    /// Somebody decided before.
    #[error("the request is {0} already")]
    Decided(String),
    #[error(transparent)]
    Reason(#[from] Refusal),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// The rows of a new request, or of one that is asked again.
///
/// # Errors
/// Only for values that are no JSON.
pub fn rows(id: &str, enrolment: &Enrolment, is_new: bool) -> Result<Vec<Swap>, LedgerError> {
    let value = encode(enrolment)?;
    let row = if is_new {
        Swap::create(space::ENROLMENT, id.as_bytes(), value)
    } else {
        Swap::set(space::ENROLMENT, id.as_bytes(), value)
    };
    Ok(vec![row, index(id, &enrolment.state)])
}

/// One request.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn find(ledger: &dyn LedgerStore, id: &str) -> Result<Option<OpenRequest>, LedgerError> {
    let held = ledger.register(space::ENROLMENT, id.as_bytes().to_vec()).await?;
    held.map(|held| decode(&held)).transpose()
}

/// The requests that an administrator may still approve: those that wait, and those that were refused.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn open(ledger: &dyn LedgerStore) -> Result<Vec<OpenRequest>, LedgerError> {
    let mut found = Vec::new();
    for row in ledger
        .registers(space::OPEN_REQUEST, Vec::new(), usize::MAX >> 1)
        .await?
    {
        let held = ledger.register(space::ENROLMENT, row.key).await?;
        found.extend(held.map(|held| decode(&held)).transpose()?);
    }
    Ok(found)
}

/// Says no to a request. The device asks how it stands and gets the reason.
///
/// # Errors
/// [`RefuseError`]; a reason has 1…200 characters.
pub async fn refuse(ledger: &dyn LedgerStore, id: &str, reason: &str, now_ms: u64) -> Result<OpenRequest, RefuseError> {
    let reason = Line::parse("reason", reason)?;
    let mut request = find(ledger, id).await?.ok_or(RefuseError::Unknown)?;
    if request.enrolment.state != "pending" {
        return Err(RefuseError::Decided(request.enrolment.state));
    }
    request.enrolment.state = "refused".into();
    request.enrolment.reason = Some(reason.as_str().to_owned());
    request.enrolment.refused_ms = Some(now_ms);
    let row = Swap::update(
        space::ENROLMENT,
        id.as_bytes(),
        request.version,
        encode(&request.enrolment)?,
    );
    let registers = vec![row, index(id, "refused")];
    match ledger.commit(Commit::of(registers)).await {
        Ok(_) => Ok(request),
        Err(LedgerError::Conflict(_)) => Err(RefuseError::Decided("decided".into())),
        Err(other) => Err(other.into()),
    }
}

/// What key log entries change beside the key log: requests are approved, tokens opened, officers carried.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn consequences(ledger: &dyn LedgerStore, entries: &[Entry]) -> Result<Vec<Swap>, LedgerError> {
    let mut swaps = Vec::new();
    for OpenRequest {
        id,
        version,
        mut enrolment,
    } in open(ledger).await?
    {
        let public = enrolment.asked[if enrolment.kind == "device" { "operation" } else { "key" }]["public"]
            .as_str()
            .and_then(binary);
        let approves = |entry: &&Entry| {
            let subject = entry.subject.map(|id| ItemId::from_bytes(id).to_string());
            entry.action == enrolment.kind
                && subject.as_ref() == Some(&enrolment.subject)
                && entry.keys.iter().any(|record| Some(&record.public) == public.as_ref())
        };
        if !entries.iter().any(|entry| approves(&entry)) {
            continue;
        }
        enrolment.state = "approved".into();
        (enrolment.reason, enrolment.refused_ms) = (None, None);
        if let Some(key) = enrolment.token.as_deref().and_then(from_hex)
            && let Some(held) = ledger.register(space::TOKEN, key.clone()).await?
        {
            let mut token: Token = serde_json::from_slice(&held.value).map_err(corrupt)?;
            token.active = true;
            swaps.push(Swap::update(space::TOKEN, key, held.version, encode(&token)?));
        }
        if enrolment.kind == "officer"
            && let (Some(device), Ok(officer)) = (
                enrolment.device.as_deref().and_then(|d| d.parse::<DeviceId>().ok()),
                enrolment.subject.parse::<OfficerId>(),
            )
        {
            let key = [device.as_bytes().as_slice(), officer.as_bytes()].concat();
            swaps.push(Swap::set(space::CARRIED, key, public.clone().unwrap_or_default()));
        }
        swaps.push(Swap::update(
            space::ENROLMENT,
            id.as_bytes(),
            version,
            encode(&enrolment)?,
        ));
        swaps.push(index(&id, "approved"));
    }
    Ok(swaps)
}

/// Makes the index of open requests where a ledger has none yet.
///
/// # Errors
/// When the ledger refuses.
pub async fn make_index(ledger: &dyn LedgerStore) -> Result<(), LedgerError> {
    if ledger.register(space::META, INDEXED.to_vec()).await?.is_some() {
        return Ok(());
    }
    let mut registers = vec![Swap::set(space::META, INDEXED, b"1".to_vec())];
    for row in ledger.registers(space::ENROLMENT, Vec::new(), usize::MAX >> 1).await? {
        let request = decode(&row)?;
        registers.push(index(&request.id, &request.enrolment.state));
    }
    ledger.commit(Commit::of(registers)).await.map(|_| ())
}

fn index(id: &str, state: &str) -> Swap {
    match state {
        "pending" | "refused" => Swap::set(space::OPEN_REQUEST, id.as_bytes(), state.as_bytes()),
        _ => Swap::remove(space::OPEN_REQUEST, id.as_bytes()),
    }
}

fn decode(row: &Register) -> Result<OpenRequest, LedgerError> {
    Ok(OpenRequest {
        id: String::from_utf8_lossy(&row.key).into_owned(),
        version: row.version,
        enrolment: serde_json::from_slice(&row.value).map_err(corrupt)?,
    })
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, LedgerError> {
    serde_json::to_vec(value).map_err(corrupt)
}

fn corrupt(error: serde_json::Error) -> LedgerError {
    LedgerError::Corrupt(error.to_string())
}

/// Hex where it is hex (keys, hashes), else standard base64.
pub(crate) fn binary(text: &str) -> Option<Vec<u8>> {
    from_hex(text).or_else(|| from_base64(text))
}
