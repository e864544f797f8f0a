//! What the conversation with the server reads and keeps. Every `keep` is durable when it returns and safe to repeat.

use fieldseal_proof::ids::{Anchor, CaseId, Commitment, IncarnationId, Link, PackHash};
use fieldseal_proof::operation::Operation;
use rusqlite::{OptionalExtension, params};

use super::insert::put_meta;
use super::{Store, StoreError};

/// A query over the operations that this store wrote: of device `?1`, without those that another copy of it signed.
macro_rules! own {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " device = ?1 AND NOT EXISTS (SELECT 1 FROM strays WHERE strays.n = operations.n) ",
            $after
        )
    };
}

/// Fact: the ids of the cases that the feed is asked for, 16 bytes each.
const WANTED_CASES: &str = "wanted_cases";

/// A contiguous run of this device's own operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnRun {
    /// Which life of the store made them.
    pub incarnation: IncarnationId,
    /// Sequence number of the first.
    pub first: u64,
    /// Frames, in order.
    pub frames: Vec<Vec<u8>>,
}

/// A checkpoint of the log as it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCheckpoint {
    /// Entries of the log.
    pub size: u64,
    /// Root of its tree.
    pub root: [u8; 32],
    /// The signed note, byte by byte.
    pub note: Vec<u8>,
}

/// What is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PendingCounts {
    /// Own operations without a batch receipt.
    pub waiting: u64,
    /// Their bytes.
    pub waiting_bytes: u64,
    /// Own operations with a batch receipt and without a checked index.
    pub received: u64,
    /// Own operations with a checked index.
    pub logged: u64,
    /// Wall clock of the oldest own operation without a batch receipt, or of the oldest own blob without one.
    pub oldest_waiting_ms: Option<u64>,
    /// Own blobs without a receipt.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
}

impl Store {
    /// Lives of this store that hold operations, oldest first.
    ///
    /// # Errors
    /// When the database does.
    pub fn incarnations(&self) -> Result<Vec<IncarnationId>, StoreError> {
        let connection = self.connection();
        let mut query = connection.prepare_cached("SELECT incarnation FROM chains WHERE next_seq > 0 ORDER BY born")?;
        let rows = query.query_map([], |row| Ok(IncarnationId::from_bytes(row.get(0)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The first run of own operations without a batch receipt, within both limits; at least one when any waits in a life
    /// that `may_go`. What was lost before it leaves a hole that is passed over: the server says what it makes of it.
    ///
    /// # Errors
    /// When the database does.
    pub fn unsent(
        &self,
        most: usize,
        most_bytes: usize,
        may_go: impl Fn(IncarnationId) -> bool,
    ) -> Result<Option<OwnRun>, StoreError> {
        let waiting: Vec<(IncarnationId, u64)> = {
            let connection = self.connection();
            let mut query = connection
                .prepare_cached("SELECT incarnation, received FROM chains WHERE received < next_seq ORDER BY born")?;
            let rows = query.query_map([], |row| Ok((IncarnationId::from_bytes(row.get(0)?), row.get(1)?)))?;
            rows.collect::<Result<_, _>>()?
        };
        for (incarnation, received) in waiting.into_iter().filter(|(incarnation, _)| may_go(*incarnation)) {
            let first: Option<u64> = self
                .connection()
                .prepare_cached(own!(
                    "SELECT min(seq) FROM operations WHERE",
                    "AND incarnation = ?2 AND seq >= ?3"
                ))?
                .query_row(
                    params![self.identity.device.as_bytes(), incarnation.as_bytes(), received],
                    |row| row.get(0),
                )?;
            if let Some(first) = first {
                let frames = self.own_frames(incarnation, first, most, most_bytes)?;
                return Ok(Some(OwnRun {
                    incarnation,
                    first,
                    frames,
                }));
            }
        }
        Ok(None)
    }

    /// Own frames from a sequence number on, within both limits; at least one when there is one.
    ///
    /// # Errors
    /// When the database does.
    pub fn own_frames(
        &self,
        incarnation: IncarnationId,
        first: u64,
        most: usize,
        most_bytes: usize,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let connection = self.connection();
        let mut query = connection.prepare_cached(own!(
            "SELECT frame, seq FROM operations WHERE",
            "AND incarnation = ?2 AND seq >= ?3 ORDER BY seq LIMIT ?4"
        ))?;
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        let mut rows = query.query(params![
            self.identity.device.as_bytes(),
            incarnation.as_bytes(),
            first,
            limit
        ])?;
        let (mut frames, mut bytes) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let frame: Vec<u8> = row.get(0)?;
            bytes += frame.len();
            // A hole is the end of a run: what lies behind it cannot be checked without what is missing.
            let in_order = row.get::<_, u64>(1)? == first + frames.len() as u64;
            if !in_order || (!frames.is_empty() && bytes > most_bytes) {
                break;
            }
            frames.push(frame);
        }
        Ok(frames)
    }

    /// The first sequence number of a life that no batch receipt covers.
    ///
    /// # Errors
    /// When the database does.
    pub fn received_before(&self, incarnation: IncarnationId) -> Result<u64, StoreError> {
        let connection = self.connection();
        let mut query = connection.prepare_cached("SELECT received FROM chains WHERE incarnation = ?1")?;
        Ok(query
            .query_row([incarnation.as_bytes()], |row| row.get(0))
            .optional()?
            .unwrap_or(0))
    }

    /// Own link after a sequence number, and that operation's commitment.
    ///
    /// # Errors
    /// When the database does, or the stored frame does not parse.
    pub fn own_link(&self, incarnation: IncarnationId, seq: u64) -> Result<Option<(Link, Commitment)>, StoreError> {
        let connection = self.connection();
        let frame: Option<Vec<u8>> = connection
            .prepare_cached(own!(
                "SELECT frame FROM operations WHERE",
                "AND incarnation = ?2 AND seq = ?3"
            ))?
            .query_row(
                params![self.identity.device.as_bytes(), incarnation.as_bytes(), seq],
                |row| row.get(0),
            )
            .optional()?;
        let Some(frame) = frame else { return Ok(None) };
        let operation = Operation::parse(&frame)?;
        Ok(Some((operation.link(), operation.commitment())))
    }

    /// Commitments of own operations from `first` on up to the first hole, at most `most`.
    ///
    /// # Errors
    /// When the database does, or a stored frame does not parse.
    pub fn own_commitments(
        &self,
        incarnation: IncarnationId,
        first: u64,
        most: usize,
    ) -> Result<Vec<Commitment>, StoreError> {
        let connection = self.connection();
        let mut query = connection.prepare_cached(own!(
            "SELECT frame, seq FROM operations WHERE",
            "AND incarnation = ?2 AND seq >= ?3 ORDER BY seq LIMIT ?4"
        ))?;
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        let mut rows = query.query(params![
            self.identity.device.as_bytes(),
            incarnation.as_bytes(),
            first,
            limit
        ])?;
        let mut commitments = Vec::new();
        while let Some(row) = rows.next()? {
            if row.get::<_, u64>(1)? != first + commitments.len() as u64 {
                break;
            }
            let frame = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            commitments.push(Operation::parse(frame)?.commitment());
        }
        Ok(commitments)
    }

    /// Keeps a checked batch receipt: everything up to `last` counts as received.
    ///
    /// # Errors
    /// When the database does.
    pub fn record_batch_receipt(
        &self,
        incarnation: IncarnationId,
        first: u64,
        last: u64,
        receipt: &[u8],
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.prepare_cached("UPDATE chains SET received = max(received, min(?2, next_seq)) WHERE incarnation = ?1")?
                .execute(params![incarnation.as_bytes(), last + 1])?;
            insert_receipt(tx, "batch", incarnation, first, last, receipt)
        })
    }

    /// Own operations of a life from `from` on count as not received: the server does not have them any more.
    ///
    /// # Errors
    /// When the database does.
    pub fn offer_again(&self, incarnation: IncarnationId, from: u64) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute(
                "UPDATE chains SET received = min(received, ?2), logged = min(logged, ?2) WHERE incarnation = ?1",
                params![incarnation.as_bytes(), from],
            )?;
            tx.execute(
                "DELETE FROM leaves WHERE n IN
                 (SELECT n FROM operations WHERE device = ?1 AND incarnation = ?2 AND seq >= ?3)",
                params![self.identity.device.as_bytes(), incarnation.as_bytes(), from],
            )?;
            Ok(())
        })
    }

    /// The server was restored: blobs are offered again and the feed starts anew. Receipts are kept as evidence of what was
    /// promised.
    ///
    /// # Errors
    /// When the database does.
    pub fn enter_epoch(&self, epoch: &[u8; 16]) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute("UPDATE blobs SET receipt = NULL, upload = NULL WHERE mine = 1", [])?;
            tx.execute("DELETE FROM meta WHERE key = 'cursor'", [])?;
            put_meta(tx, "epoch", epoch)
        })
    }

    /// Chooses the cases that the feed is asked for (none: every case), and has it read again from its beginning: what happened in a
    /// case that is new here lies behind the cursor. What is held stays.
    ///
    /// # Errors
    /// When the database does.
    pub fn want_cases(&self, cases: &[CaseId]) -> Result<(), StoreError> {
        let ids: Vec<u8> = cases.iter().flat_map(|case| *case.as_bytes()).collect();
        self.write(|tx| {
            tx.execute("DELETE FROM meta WHERE key = 'cursor'", [])?;
            put_meta(tx, WANTED_CASES, &ids)
        })
    }

    /// The cases that were chosen; none: every case.
    ///
    /// # Errors
    /// When the database does.
    pub fn wanted_cases(&self) -> Result<Vec<CaseId>, StoreError> {
        let ids = self.fact(WANTED_CASES)?.unwrap_or_default();
        let (ids, _) = ids.as_chunks::<16>();
        Ok(ids.iter().map(|id| CaseId::from_bytes(*id)).collect())
    }

    /// First own operation with a batch receipt and without a checked index.
    ///
    /// # Errors
    /// When the database does.
    pub fn unsealed(&self) -> Result<Option<(IncarnationId, u64)>, StoreError> {
        let connection = self.connection();
        let row = connection
            .prepare_cached("SELECT incarnation, logged FROM chains WHERE logged < received ORDER BY born LIMIT 1")?
            .query_row([], |row| Ok((IncarnationId::from_bytes(row.get(0)?), row.get(1)?)))
            .optional()?;
        Ok(row)
    }

    /// Keeps checked `(seq, leaf index)` pairs with the index receipt that named them.
    ///
    /// # Errors
    /// When the database does.
    pub fn record_indexes(
        &self,
        incarnation: IncarnationId,
        pairs: &[(u64, u64)],
        receipt: &[u8],
    ) -> Result<(), StoreError> {
        let (Some((first, _)), Some((last, _))) = (pairs.iter().min(), pairs.iter().max()) else {
            return Ok(());
        };
        self.write(|tx| {
            let device = self.identity.device;
            let mut insert = tx.prepare_cached(own!(
                "INSERT INTO leaves (n, leaf) SELECT n, ?4 FROM operations WHERE",
                "AND incarnation = ?2 AND seq = ?3 ON CONFLICT (n) DO UPDATE SET leaf = ?4"
            ))?;
            for (seq, leaf) in pairs {
                insert.execute(params![device.as_bytes(), incarnation.as_bytes(), seq, leaf])?;
            }
            // The mark moves over the unbroken run only: a pair out of turn is kept and waits for those before it.
            let mut next: u64 = tx.query_row(
                "SELECT logged FROM chains WHERE incarnation = ?1",
                [incarnation.as_bytes()],
                |row| row.get(0),
            )?;
            let mut has_leaf = tx.prepare_cached(own!(
                "SELECT 1 FROM operations JOIN leaves ON leaves.n = operations.n WHERE",
                "AND incarnation = ?2 AND seq = ?3"
            ))?;
            while has_leaf.exists(params![device.as_bytes(), incarnation.as_bytes(), next])? {
                next += 1;
            }
            tx.execute(
                "UPDATE chains SET logged = ?2 WHERE incarnation = ?1",
                params![incarnation.as_bytes(), next],
            )?;
            insert_receipt(tx, "index", incarnation, *first, *last, receipt)
        })
    }

    /// Keeps key log frames that were appended to a checked copy of [`Store::key_log`], beginning at entry `from`.
    ///
    /// # Errors
    /// When the database does.
    pub fn append_key_log(&self, from: u64, frames: &[Vec<u8>]) -> Result<(), StoreError> {
        self.write(|tx| {
            for (index, frame) in (from..).zip(frames) {
                tx.execute(
                    "INSERT OR IGNORE INTO key_log (idx, frame) VALUES (?1, ?2)",
                    params![index, frame],
                )?;
            }
            Ok(())
        })
    }

    /// Keeps a checked pack file. The first pack held comes into force.
    ///
    /// # Errors
    /// When the database does.
    pub fn save_pack(&self, pack: PackHash, file: &[u8]) -> Result<(), StoreError> {
        let added_ms = self.clock.now().wall_ms;
        self.write(|tx| {
            tx.execute(
                "INSERT OR IGNORE INTO packs (hash, file, added_ms) VALUES (?1, ?2, ?3)",
                params![pack.as_bytes(), file, added_ms],
            )?;
            if super::append::pack_in_force(tx)?.is_none() {
                put_meta(tx, "pack", pack.as_bytes())?;
            }
            Ok(())
        })
    }

    /// Keeps a verified time attestation; the newest is the anchor of the next operations.
    ///
    /// # Errors
    /// When the database does.
    pub fn save_attestation(
        &self,
        kind: &str,
        bytes: &[u8],
        anchor: Anchor,
        time_ms: u64,
        size: u64,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute(
                "INSERT OR IGNORE INTO attestations (anchor, kind, bytes, time_ms, size) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![anchor.as_bytes(), kind, bytes, time_ms, size],
            )?;
            Ok(())
        })
    }

    /// Keeps a checked checkpoint.
    ///
    /// # Errors
    /// When the database does.
    pub fn save_checkpoint(&self, size: u64, root: &[u8; 32], note: &[u8]) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute(
                "INSERT OR IGNORE INTO checkpoints (size, root, note) VALUES (?1, ?2, ?3)",
                params![size, root, note],
            )?;
            Ok(())
        })
    }

    /// The newest checkpoint.
    ///
    /// # Errors
    /// When the database does.
    pub fn newest_checkpoint(&self) -> Result<Option<KeptCheckpoint>, StoreError> {
        let connection = self.connection();
        let row = connection
            .prepare_cached("SELECT size, root, note FROM checkpoints ORDER BY size DESC LIMIT 1")?
            .query_row([], |row| {
                Ok(KeptCheckpoint {
                    size: row.get(0)?,
                    root: row.get(1)?,
                    note: row.get(2)?,
                })
            })
            .optional()?;
        Ok(row)
    }

    /// Counts by state.
    ///
    /// # Errors
    /// When the database does.
    pub fn pending(&self) -> Result<PendingCounts, StoreError> {
        let connection = self.connection();
        let (waiting, received, logged): (u64, u64, u64) = connection.query_row(
            "SELECT coalesce(sum(next_seq - received), 0), coalesce(sum(received - min(logged, received)), 0),
                    coalesce(sum(min(logged, received)), 0) FROM chains",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        let (waiting_bytes, oldest_operation_ms): (u64, Option<u64>) = connection.query_row(
            own!(
                "SELECT coalesce(sum(length(frame)), 0), min(wall_ms) FROM operations
                 JOIN chains ON chains.incarnation = operations.incarnation WHERE",
                "AND seq >= chains.received"
            ),
            [self.identity.device.as_bytes()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let (blobs, blob_bytes, oldest_blob_ms): (u64, u64, Option<u64>) = connection.query_row(
            "SELECT count(*), coalesce(sum(size), 0), min(added_ms) FROM blobs
             WHERE mine = 1 AND receipt IS NULL AND state = 'sealed'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        let oldest_waiting_ms = oldest_operation_ms.into_iter().chain(oldest_blob_ms).min();
        Ok(PendingCounts {
            waiting,
            waiting_bytes,
            received,
            logged,
            oldest_waiting_ms,
            blobs,
            blob_bytes,
        })
    }
}

fn insert_receipt(
    tx: &rusqlite::Transaction<'_>,
    kind: &str,
    incarnation: IncarnationId,
    first: u64,
    last: u64,
    bytes: &[u8],
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO receipts (kind, incarnation, first, last, bytes) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![kind, incarnation.as_bytes(), first, last, bytes])?;
    Ok(())
}
