//! Who is calling: a bearer token, stored as its SHA-256 only.

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use fieldseal_proof::hash::sha256;
use fieldseal_proof::ids::{CaseId, DeviceId};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::App;
use super::problem::Problem;
use crate::ledger::{Access, Commit, LedgerError, LedgerStore, Swap, space};
use crate::projection::subjects_of;

/// The row of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// `tablet`, `supervisor` or `admin`.
    pub role: String,
    pub device: Option<String>,
    pub incarnation: Option<String>,
    pub label: String,
    /// Enrolment request that it came with.
    pub request: Option<String>,
    /// The key log holds the device. Before that the token only asks for the state of its request.
    pub active: bool,
}

/// A caller whose token is known.
#[derive(Debug, Clone)]
pub struct Caller {
    pub token: Token,
    pub device: Option<DeviceId>,
}

impl Caller {
    /// Any enrolled device or administrator.
    pub fn enrolled(self) -> Result<Self, Problem> {
        if self.token.active {
            Ok(self)
        } else {
            Err(Problem::unauthorized())
        }
    }

    /// An enrolled device, with its id.
    pub fn device(self) -> Result<(Self, DeviceId), Problem> {
        let caller = self.enrolled()?;
        let device = caller.device.ok_or(Problem::forbidden("tablet"))?;
        Ok((caller, device))
    }

    pub fn supervisor(self) -> Result<Self, Problem> {
        let caller = self.enrolled()?;
        if caller.token.role == "supervisor" {
            Ok(caller)
        } else {
            Err(Problem::forbidden("supervisor"))
        }
    }

    pub fn admin(self) -> Result<Self, Problem> {
        let caller = self.enrolled()?;
        if caller.token.role == "admin" {
            Ok(caller)
        } else {
            Err(Problem::forbidden("admin"))
        }
    }

    /// Whether it may read everything of a case.
    pub async fn may_read(&self, app: &App, case: Option<CaseId>) -> Result<bool, LedgerError> {
        let (Some(device), Some(case)) = (self.device, case) else {
            return Ok(self.token.active);
        };
        if self.token.role != "tablet" {
            return Ok(true);
        }
        let subjects = subjects_of(&*app.server.ledger, device.as_bytes()).await?;
        Ok(app
            .server
            .ledger
            .members(case)
            .await?
            .iter()
            .any(|member| subjects.contains(&member.subject)))
    }

    /// Who this is in the access log: role and device, no names.
    pub fn who(&self) -> String {
        match &self.token.device {
            Some(device) => format!("{} {device}", self.token.role),
            None => self.token.role.clone(),
        }
    }

    /// Writes a line of the access log.
    pub async fn log(&self, app: &App, action: &str, target: String) -> Result<(), LedgerError> {
        let access = Access {
            at_ms: app.server.clock.now().wall_ms,
            who: self.who(),
            action: action.to_owned(),
            target,
        };
        app.server
            .ledger
            .commit(Commit {
                accesses: vec![access],
                ..Commit::default()
            })
            .await
            .map(|_| ())
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header
            .and_then(|value| value.strip_prefix("Bearer "))
            .filter(|token| token.len() <= 128);
        let key = sha256(token.ok_or_else(Problem::unauthorized)?.as_bytes());
        let register = app
            .server
            .ledger
            .register(space::TOKEN, key.to_vec())
            .await?
            .ok_or_else(Problem::unauthorized)?;
        if !bool::from(register.key.ct_eq(&key)) {
            return Err(Problem::unauthorized());
        }
        let token: Token = serde_json::from_slice(&register.value).map_err(|e| Problem::internal(&e))?;
        let device = token.device.as_deref().and_then(|id| id.parse().ok());
        Ok(Self { token, device })
    }
}

/// The token that `init` puts on the administrators' card.
pub struct AdminToken;

impl AdminToken {
    /// Stores its hash.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub async fn store(ledger: &dyn LedgerStore, token: &str) -> Result<(), LedgerError> {
        let row = Token {
            role: "admin".into(),
            device: None,
            incarnation: None,
            label: "init".into(),
            request: None,
            active: true,
        };
        let value = serde_json::to_vec(&row).map_err(|e| LedgerError::Corrupt(e.to_string()))?;
        let register = Swap::create(space::TOKEN, sha256(token.as_bytes()), value);
        ledger
            .commit(Commit {
                registers: vec![register],
                ..Commit::default()
            })
            .await
            .map(|_| ())
    }
}
