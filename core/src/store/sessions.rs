//! Officer sessions of this device.

use fieldseal_proof::ids::{OfficerId, SessionId};
use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError};
use crate::random::uuid;

/// A session that lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionRow {
    /// Header key 12 of the operations made in it.
    pub id: SessionId,
    /// Who.
    pub officer: OfficerId,
    /// Since when, by the device's clock.
    pub began_ms: u64,
}

impl Store {
    /// The officer's session that lasts and is not older than `longest_ms`, or a new one.
    ///
    /// # Errors
    /// When the database does, or there is no randomness.
    pub fn begin_session(&self, officer: OfficerId, longest_ms: u64) -> Result<SessionRow, StoreError> {
        let began_ms = self.clock.now().wall_ms;
        let fresh = SessionId::from_bytes(uuid(&*self.random)?);
        self.write(|tx| {
            let lasting = tx
                .query_row(
                    "SELECT id, began_ms FROM sessions WHERE officer = ?1 AND ended_ms IS NULL",
                    [officer.as_bytes()],
                    |row| {
                        Ok(SessionRow {
                            id: SessionId::from_bytes(row.get(0)?),
                            officer,
                            began_ms: row.get(1)?,
                        })
                    },
                )
                .optional()?;
            match lasting {
                Some(session) if began_ms.abs_diff(session.began_ms) < longest_ms => return Ok(session),
                Some(session) => {
                    tx.execute(
                        "UPDATE sessions SET ended_ms = ?2 WHERE id = ?1",
                        params![session.id.as_bytes(), began_ms],
                    )?;
                }
                None => {}
            }
            tx.execute(
                "INSERT INTO sessions (id, officer, began_ms) VALUES (?1, ?2, ?3)",
                params![fresh.as_bytes(), officer.as_bytes(), began_ms],
            )?;
            Ok(SessionRow {
                id: fresh,
                officer,
                began_ms,
            })
        })
    }

    /// Ends the officer's session.
    ///
    /// # Errors
    /// When the database does.
    pub fn end_session(&self, officer: OfficerId) -> Result<(), StoreError> {
        let ended_ms = self.clock.now().wall_ms;
        self.write(|tx| {
            tx.execute(
                "UPDATE sessions SET ended_ms = ?2 WHERE officer = ?1 AND ended_ms IS NULL",
                params![officer.as_bytes(), ended_ms],
            )?;
            Ok(())
        })
    }
}
