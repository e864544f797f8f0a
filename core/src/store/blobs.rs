//! Rows of the vault's files.

use std::collections::BTreeSet;

use fieldseal_proof::ids::BlobHash;
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::{Store, StoreError};
use crate::vault::VaultFile;

/// What is known of a file of the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobState {
    /// An operation names it.
    Sealed,
    /// It was found at a start without a row: complete, but no operation names it yet.
    Unsealed,
    /// It is not what was sealed any more and was set aside.
    Changed,
    /// Its file is gone.
    Missing,
}

impl BlobState {
    /// The word in the database and in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            BlobState::Sealed => "sealed",
            BlobState::Unsealed => "unsealed",
            BlobState::Changed => "changed",
            BlobState::Missing => "missing",
        }
    }

    /// Whether its bytes are here as they were sealed, as far as is known.
    pub fn is_here(self) -> bool {
        matches!(self, BlobState::Sealed | BlobState::Unsealed)
    }

    fn from_word(word: &str) -> Self {
        match word {
            "unsealed" => BlobState::Unsealed,
            "changed" => BlobState::Changed,
            "missing" => BlobState::Missing,
            _ => BlobState::Sealed,
        }
    }
}

/// A file of the vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobRow {
    /// SHA-256 of the original bytes.
    pub sha256: BlobHash,
    /// Number of original bytes.
    pub size: u64,
    /// Media type by content.
    pub media_type: String,
    /// Name in the vault.
    pub file: String,
    /// What is known of it.
    pub state: BlobState,
    /// Whether this device has to send it.
    pub mine: bool,
    /// Path of an upload that was begun.
    pub upload: Option<String>,
    /// The server's blob receipt.
    pub receipt: Option<Vec<u8>>,
    /// Since when it is known here, by the device's clock; none for one that is older than this was noted.
    pub added_ms: Option<u64>,
}

impl Store {
    /// The file that holds some original bytes.
    ///
    /// # Errors
    /// When the database does.
    pub fn blob(&self, sha256: BlobHash) -> Result<Option<BlobRow>, StoreError> {
        let connection = self.connection();
        let mut query = connection.prepare_cached(columns!("WHERE sha256 = ?1"))?;
        Ok(query.query_row([sha256.as_bytes()], blob_row).optional()?)
    }

    /// All files, in order of arrival.
    ///
    /// # Errors
    /// When the database does.
    pub fn blobs(&self) -> Result<Vec<BlobRow>, StoreError> {
        let connection = self.connection();
        let mut query = connection.prepare_cached(columns!("ORDER BY n"))?;
        let rows = query.query_map([], blob_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Files that this device has to send and that have no receipt, in order of arrival.
    ///
    /// # Errors
    /// When the database does.
    pub fn blobs_to_send(&self, most: usize) -> Result<Vec<BlobRow>, StoreError> {
        let connection = self.connection();
        let mut query = connection.prepare_cached(columns!(
            "WHERE mine = 1 AND receipt IS NULL AND state = 'sealed' ORDER BY n LIMIT ?1"
        ))?;
        let rows = query.query_map([i64::try_from(most).unwrap_or(i64::MAX)], blob_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Names of the vault's files that have a row.
    pub(crate) fn blob_files(&self) -> Result<BTreeSet<String>, StoreError> {
        Ok(self
            .blobs()?
            .into_iter()
            .filter(|b| b.state != BlobState::Changed)
            .map(|b| b.file)
            .collect())
    }

    /// Notes a file outside an append: found at a start, or fetched from the server.
    pub(crate) fn add_blob(
        &self,
        file: &VaultFile,
        media_type: &str,
        state: BlobState,
        mine: bool,
    ) -> Result<(), StoreError> {
        let now_ms = self.clock.now().wall_ms;
        self.write(|tx| insert_blob(tx, file, media_type, state, mine, now_ms))
    }

    /// Notes that a file is not what was sealed, or is gone.
    pub(crate) fn mark_blob(&self, file: &str, state: BlobState) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute("UPDATE blobs SET state = ?2 WHERE file = ?1", (file, state.as_str()))?;
            Ok(())
        })
    }

    /// Remembers or forgets the path of an upload.
    ///
    /// # Errors
    /// When the database does.
    pub fn save_upload(&self, sha256: BlobHash, path: Option<&str>) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.prepare_cached("UPDATE blobs SET upload = ?2 WHERE sha256 = ?1")?
                .execute(params![sha256.as_bytes(), path])?;
            Ok(())
        })
    }

    /// Keeps a checked blob receipt.
    ///
    /// # Errors
    /// When the database does.
    pub fn record_blob_receipt(&self, sha256: BlobHash, receipt: &[u8]) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.prepare_cached("UPDATE blobs SET receipt = ?2, upload = NULL WHERE sha256 = ?1")?
                .execute(params![sha256.as_bytes(), receipt])?;
            Ok(())
        })
    }
}

/// Inserts a row within a transaction. The same bytes captured twice have one row; the later file stays as an unnamed copy
/// until the next start adopts or reports it, so the row keeps the file it has unless that one is gone.
pub(crate) fn insert_blob(
    tx: &Transaction<'_>,
    file: &VaultFile,
    media_type: &str,
    state: BlobState,
    mine: bool,
    now_ms: u64,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO blobs (sha256, size, media_type, file, state, mine, added_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (sha256) DO UPDATE SET
             file = CASE WHEN state IN ('changed', 'missing') THEN ?4 ELSE file END,
             state = CASE WHEN ?5 = 'sealed' OR state IN ('changed', 'missing') THEN ?5 ELSE state END,
             mine = max(mine, ?6)",
    )?
    .execute(params![
        file.sha256.as_bytes(),
        file.size,
        media_type,
        file.name,
        state.as_str(),
        mine,
        now_ms
    ])?;
    Ok(())
}

macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "SELECT sha256, size, media_type, file, state, mine, upload, receipt, added_ms FROM blobs ",
            $rest
        )
    };
}
use columns;

fn blob_row(row: &Row<'_>) -> rusqlite::Result<BlobRow> {
    Ok(BlobRow {
        sha256: BlobHash::from_bytes(row.get(0)?),
        size: row.get(1)?,
        media_type: row.get(2)?,
        file: row.get(3)?,
        state: BlobState::from_word(row.get_ref(4)?.as_str().map_err(rusqlite::Error::from)?),
        mine: row.get(5)?,
        upload: row.get(6)?,
        receipt: row.get(7)?,
        added_ms: row.get(8)?,
    })
}
