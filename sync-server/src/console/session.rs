//! Sessions: a random token in a `__Host-` cookie, its SHA-256 in the ledger.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use fieldseal_core::random::array;
use fieldseal_proof::hash::sha256;
use serde::{Deserialize, Serialize};

use super::accounts::{self, Account};
use super::visitor::Staff;
use crate::api::App;
use crate::ledger::{Commit, LedgerError, Swap, space};

const COOKIE: &str = "__Host-fieldseal-session";
/// A working day, whatever happens.
const LONGEST_MS: u64 = 12 * 3_600_000;
/// A desk that nobody touched.
const IDLE_MS: u64 = 2 * 3_600_000;
/// The last touch is written at most so often.
const TOUCH_MS: u64 = 5 * 60_000;

/// A session as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Session {
    pub user: String,
    pub begun_ms: u64,
    pub seen_ms: u64,
    /// SHA-256 of the token, hex: its register's key.
    #[serde(skip)]
    pub key: Vec<u8>,
}

impl Session {
    fn stands(&self, account: &Account, now_ms: u64) -> bool {
        !account.closed
            && self.begun_ms >= account.changed_ms
            && now_ms < self.begun_ms + LONGEST_MS
            && now_ms < self.seen_ms + IDLE_MS
    }
}

/// Whose session the request carries, if it stands.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn find(app: &App, headers: &HeaderMap) -> Result<Option<Staff>, LedgerError> {
    let Some(token) = cookie(headers, COOKIE).filter(|token| token.len() == 64) else {
        return Ok(None);
    };
    let key = sha256(token.as_bytes()).to_vec();
    let ledger = &app.server.ledger;
    let Some(held) = ledger.register(space::SESSION, key.clone()).await? else {
        return Ok(None);
    };
    let mut session: Session =
        serde_json::from_slice(&held.value).map_err(|e| LedgerError::Corrupt(format!("a session: {e}")))?;
    session.key = key;
    let Some((account, _)) = accounts::find(&**ledger, &session.user).await? else {
        return Ok(None);
    };
    let now = app.server.clock.now().wall_ms;
    if !session.stands(&account, now) {
        return Ok(None);
    }
    // A page that polls is not a person who touches the desk.
    if now > session.seen_ms + TOUCH_MS && !headers.contains_key("hx-request") {
        session.seen_ms = now;
        let swap = Swap::update(space::SESSION, session.key.clone(), held.version, json(&session)?);
        match ledger.commit(one(swap)).await {
            Ok(_) | Err(LedgerError::Conflict(_)) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(Some(Staff { account, session }))
}

/// Begins a session: what to commit, and the cookie's value.
///
/// # Errors
/// When there is no randomness.
pub fn begin(app: &App, account: &Account) -> Result<(Swap, String), LedgerError> {
    let secret: [u8; 32] = array(&*app.server.random).map_err(|e| LedgerError::Broken(e.to_string()))?;
    let token = hex::encode(secret);
    let now = app.server.clock.now().wall_ms;
    let session = Session {
        user: account.user.clone(),
        begun_ms: now,
        seen_ms: now,
        key: Vec::new(),
    };
    let swap = Swap::create(space::SESSION, sha256(token.as_bytes()), json(&session)?);
    Ok((swap, token))
}

/// Sessions that are over, to remove at somebody's sign-in.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn expired(app: &App) -> Result<Vec<Swap>, LedgerError> {
    let now = app.server.clock.now().wall_ms;
    let rows = app.server.ledger.registers(space::SESSION, Vec::new(), 10_000).await?;
    let over = |value: &[u8]| {
        serde_json::from_slice::<Session>(value)
            .map_or(true, |s| now >= s.begun_ms + LONGEST_MS || now >= s.seen_ms + IDLE_MS)
    };
    Ok(rows
        .into_iter()
        .filter(|row| over(&row.value))
        .map(|row| Swap::remove(space::SESSION, row.key))
        .collect())
}

/// Gives the browser its token.
pub fn give(answer: &mut Response, token: &str) {
    set(
        answer,
        &format!("{COOKIE}={token}; Path=/; Secure; HttpOnly; SameSite=Strict"),
    );
}

/// Takes it back, with what the browser kept of the pages. Never "storage": the supervisor's key lives there.
pub fn take_back(answer: &mut Response) {
    set(
        answer,
        &format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0"),
    );
    answer
        .headers_mut()
        .insert("clear-site-data", HeaderValue::from_static("\"cache\", \"cookies\""));
}

fn set(answer: &mut Response, line: &str) {
    if let Ok(value) = HeaderValue::from_str(line) {
        answer.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// A cookie of the request.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(held, _)| *held == name)
        .map(|(_, value)| value)
}

pub(super) fn one(swap: Swap) -> Commit {
    Commit {
        registers: vec![swap],
        ..Commit::default()
    }
}

fn json(session: &Session) -> Result<Vec<u8>, LedgerError> {
    serde_json::to_vec(session).map_err(|e| LedgerError::Corrupt(e.to_string()))
}
