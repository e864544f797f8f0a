//! Who is calling: a bearer token, stored as its SHA-256 only.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use fieldseal_proof::hash::sha256;
use fieldseal_proof::ids::{CaseId, DeviceId};
use fieldseal_proof::key_log::{EnrolledKey, Purpose};
use subtle::ConstantTimeEq;

use super::App;
use super::limits::ShareKey;
use super::problem::Problem;
use crate::ledger::{Access, Commit, LedgerError, space};
use crate::office::holders::holders;
use crate::office::tokens::Token;

/// A caller whose token is known.
#[derive(Debug, Clone)]
pub struct Caller {
    pub token: Token,
    pub device: Option<DeviceId>,
    /// An administrator revoked the device's key. It reads nothing any more; what it signed is taken all the same.
    pub revoked: bool,
    /// What its share of the server is counted under.
    pub share: ShareKey,
}

impl Caller {
    /// Any enrolled device or administrator.
    pub fn enrolled(self) -> Result<Self, Problem> {
        if self.revoked {
            return Err(Problem::new(StatusCode::UNAUTHORIZED, "device_revoked", []));
        }
        self.known()
    }

    /// Whoever hands over what it signed, also after its key was revoked: signed data is never refused. It learns nothing by it
    /// but what became of its own.
    pub fn author(self) -> Result<(Self, DeviceId), Problem> {
        let caller = self.known()?;
        let device = caller.device.ok_or(Problem::forbidden("tablet"))?;
        Ok((caller, device))
    }

    fn known(self) -> Result<Self, Problem> {
        if self.token.active {
            Ok(self)
        } else {
            Err(Problem::unauthorized())
        }
    }

    /// Whether its device's key has been revoked by now: a long poll asks again before it answers.
    pub fn is_revoked(&self, app: &App) -> bool {
        is_revoked(app, &self.token)
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

    /// Whether it may read everything of a case: a supervisor, and a tablet that an operation in force names there, or an
    /// officer who holds it. An administrator enrols and reads no evidence.
    pub async fn may_read(&self, app: &App, case: CaseId) -> Result<bool, LedgerError> {
        let Some(device) = self.device.filter(|_| self.token.active) else {
            return Ok(false);
        };
        match self.token.role.as_str() {
            "supervisor" => return Ok(true),
            "tablet" => {}
            _ => return Ok(false),
        }
        let held = holders(&*app.server.ledger, &app.server.ingest.key_log(), device).await?;
        let mut subjects = vec![*device.as_bytes()];
        subjects.extend(held.iter().map(|holder| *holder.officer.as_bytes()));
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

    /// A line of the access log.
    pub fn access(&self, app: &App, action: &str, target: String) -> Access {
        Access {
            at_ms: app.server.clock.now().wall_ms,
            who: self.who(),
            action: action.to_owned(),
            target,
        }
    }

    /// Writes a line of the access log.
    pub async fn log(&self, app: &App, action: &str, target: String) -> Result<(), LedgerError> {
        let access = self.access(app, action, target);
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
        let key = sha256(token.unwrap_or_default().as_bytes());
        let held = match token {
            Some(_) => app.server.ledger.register(space::TOKEN, key.to_vec()).await?,
            None => None,
        };
        let Some(register) = held.filter(|held| bool::from(held.key.ct_eq(&key))) else {
            // Guessing tokens costs the address that it comes from, nobody else.
            app.pools.count(ShareKey::Address(address(parts)))?;
            return Err(Problem::unauthorized());
        };
        let token: Token = serde_json::from_slice(&register.value).map_err(|e| Problem::internal(&e))?;
        let device: Option<DeviceId> = token.device.as_deref().and_then(|id| id.parse().ok());
        let share = device.map_or(ShareKey::Token(key), ShareKey::Device);
        app.pools.count(share)?;
        let revoked = is_revoked(app, &token);
        Ok(Self {
            token,
            device,
            revoked,
            share,
        })
    }
}

fn is_revoked(app: &App, token: &Token) -> bool {
    let parsed = |text: &Option<String>| text.clone().unwrap_or_default();
    let (Ok(device), Ok(incarnation)) = (
        parsed(&token.device).parse::<DeviceId>(),
        parsed(&token.incarnation).parse(),
    ) else {
        return false;
    };
    let key_log = app.server.ingest.key_log();
    let key = key_log.log.operation_key(&device, &incarnation);
    // The token is of the device's first life. Where that key alone was revoked (a copy had it), the device goes on in a later one.
    let in_force = |key: &EnrolledKey| {
        let own = key.subject == Some(*device.as_bytes()) && key.record.purpose == Purpose::Operation;
        own && key.revoked_at.is_none()
    };
    key.is_some_and(|key| key.revoked_at.is_some()) && !key_log.log.keys().any(|(_, key)| in_force(key))
}

/// Where a request comes from; unspecified where the transport does not say (tests without a socket).
pub(super) fn address(parts: &Parts) -> IpAddr {
    parts
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip().to_canonical())
}
