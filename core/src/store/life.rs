//! The lives of this store. A life (incarnation) is one signing key and one chain from 0 on; a later one begins where the last
//! operations may be lost, or where somebody else writes under the same key.
//!
//! ```text
//! older than its tail or keys, salvaged with a loss ──settle_chain──┐
//! the server holds another history of this life ──────end_life──────┴▶ fresh incarnation and keys, chain from 0 behind the last link
//! ```
//!
//! The life whose chain was begun last is the only one that is written: an append looks, inside its own transaction, whether its
//! life is still that one. So a life ends for every process at the same moment, and no place is given out after it.

use std::sync::{PoisonError, RwLockReadGuard};

use fieldseal_proof::ids::{DeviceId, IncarnationId, Link};
use fieldseal_proof::operation::{Operation, VerifiedOperation, link_origin};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::tail::Tail;
use super::{Salvage, Store, StoreError};
use crate::keyring::{Identity, KeyStore, SharedSigner};

/// The present life: which it is, and its key.
pub(super) struct Life {
    pub incarnation: IncarnationId,
    pub signer: SharedSigner,
}

impl Life {
    /// The life that the keys are of.
    pub fn of(keys: &dyn KeyStore) -> Result<Self, StoreError> {
        Ok(Self {
            incarnation: keys.identity().incarnation,
            signer: keys.operation_key()?,
        })
    }
}

impl Store {
    pub(super) fn life(&self) -> RwLockReadGuard<'_, Life> {
        self.life.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_life(&self, life: Life) {
        *self.life.write().unwrap_or_else(PoisonError::into_inner) = life;
    }

    /// Gives a store that stays open the keys of its device, so that it goes on where another process began a new life.
    pub fn share_keys(&self, keys: std::sync::Arc<dyn KeyStore>) {
        // Given once, at the open; a second time changes nothing.
        let _ = self.keys.set(keys);
    }

    /// Ends the present life, because other operations than this store's are signed with its key, and begins the next one behind
    /// the last own link. Leased numbers are burnt: a copy of this store has the same. Returns the new life, or `None` when
    /// `incarnation` is not the present life (any more): then nothing is changed.
    ///
    /// Safe to be cut anywhere: until the new keys are written the old life goes on, and from then on the next start begins the
    /// chain that they lack.
    ///
    /// # Errors
    /// When database or key file cannot be written.
    pub fn end_life(&self, keys: &dyn KeyStore, incarnation: IncarnationId) -> Result<Option<Identity>, StoreError> {
        if self.incarnation() != incarnation {
            return Ok(None);
        }
        self.burn_leases()?;
        let mut connection = self.connection();
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Some((_, _, link)) = newest_life(&tx)?.filter(|(newest, _, _)| *newest == incarnation) else {
            // Another process has done it; the next append finds out and goes on in its life.
            return Ok(None);
        };
        let identity = keys.begin_incarnation()?;
        insert_chain(&tx, identity.incarnation, link)?;
        tx.commit()?;
        // Still under the connection's lock: no append of this process sees the one without the other.
        self.set_life(Life::of(keys)?);
        drop(connection);
        keys.keep_chain_end(identity.incarnation, 0, link)?;
        Ok(Some(identity))
    }

    /// Goes on in the life that another process has begun. `false` when there is none, or it is not ready yet.
    pub(super) fn adopt_life(&self) -> Result<bool, StoreError> {
        let Some(keys) = self.keys.get() else {
            return Ok(false);
        };
        keys.reload()?;
        let begun = self.tip(keys.identity().incarnation)?.is_some();
        if begun {
            self.set_life(Life::of(&**keys)?);
        }
        Ok(begun)
    }

    /// The first of these operations, in the order in which they are taken in, that is of this device's present life and not of
    /// this store's chain: another copy of this folder writes under the same key.
    ///
    /// # Errors
    /// When the database does.
    pub fn contradiction<'a>(
        &self,
        operations: impl Iterator<Item = &'a VerifiedOperation>,
    ) -> Result<Option<(IncarnationId, u64)>, StoreError> {
        let present = self.incarnation();
        let Some((mut next_seq, mut link)) = self.tip(present)? else {
            return Ok(None);
        };
        let connection = self.connection();
        let mut held = connection.prepare_cached("SELECT 1 FROM operations WHERE id = ?1")?;
        for operation in operations {
            let header = operation.header();
            if (header.device, header.incarnation) != (self.identity.device, present) {
                continue;
            }
            if header.seq == next_seq && header.prev == link {
                (next_seq, link) = (next_seq + 1, operation.link());
            } else if header.seq <= next_seq && !held.exists([operation.id().as_bytes()])? {
                return Ok(Some((present, header.seq)));
            }
        }
        Ok(None)
    }

    /// Makes sure that the present incarnation has its chain, and that the database is not older than what stands beside it.
    /// `known` is the end of the present life's chain by tail and keys. Returns whether a new incarnation had to begin: where the
    /// last operations may be lost, for the same place in a chain is never given out twice.
    pub(super) fn settle_chain(
        &self,
        keys: &dyn KeyStore,
        known: Option<Tail>,
        salvage: Option<&Salvage>,
    ) -> Result<bool, StoreError> {
        let present = self.incarnation();
        let held = self.tip(present)?;
        let behind = match (known, held) {
            (Some(known), Some((next_seq, _))) => known.next_seq > next_seq,
            // The keys say that this life's chain was begun, and the database does not know of it.
            (Some(known), None) => known.next_seq > 0 || keys.chain_end().is_some(),
            // Nothing stands beside the database: nothing to compare with.
            (None, _) => false,
        };
        let lost = salvage.is_some_and(|salvage| !salvage.chain_complete);
        // A torn copy: the database has begun a later life than the one whose keys were put back.
        let passed = held.is_some() && newest_life(&self.connection())?.is_some_and(|(newest, _, _)| newest != present);
        let anew = behind || lost || passed;
        if anew {
            keys.begin_incarnation()?;
            self.set_life(Life::of(keys)?);
        }
        let incarnation = self.incarnation();
        if self.tip(incarnation)?.is_none() {
            let ends = [
                known.map(|known| (known.next_seq, known.link)),
                salvage.and_then(|salvage| salvage.end),
                held,
            ];
            let newest = ends.into_iter().flatten().max_by_key(|(next_seq, _)| *next_seq);
            let link = match newest.filter(|_| !passed) {
                Some((_, link)) => link,
                None => self.last_link()?,
            };
            self.begin_chain(incarnation, link)?;
        }
        if let Some((next_seq, link)) = self.tip(incarnation)?
            && keys.chain_end().is_none()
        {
            keys.keep_chain_end(incarnation, next_seq, link)?;
        }
        Ok(anew)
    }

    /// The end of the newest life, by the database and the tail beside it: whichever knows more of it. A tail of a life that the
    /// database does not know is of a later one: the database was put back from before it.
    fn last_link(&self) -> Result<Link, StoreError> {
        let newest = newest_life(&self.connection())?;
        let link = match (newest, self.tail.read()) {
            (Some((life, next_seq, link)), Some(tail)) => {
                let ahead = tail.incarnation == life && tail.next_seq > next_seq;
                match ahead || self.tip(tail.incarnation)?.is_none() {
                    true => tail.link,
                    false => link,
                }
            }
            (Some((_, _, link)), None) => link,
            (None, Some(tail)) => tail.link,
            (None, None) => link_origin(&self.identity.tenant, &self.identity.device),
        };
        Ok(link)
    }

    fn begin_chain(&self, incarnation: IncarnationId, link: Link) -> Result<(), StoreError> {
        self.write(|tx| insert_chain(tx, incarnation, link))
    }
}

fn insert_chain(tx: &Transaction<'_>, incarnation: IncarnationId, link: Link) -> Result<(), StoreError> {
    // Rows are never deleted, and lives that come from elsewhere count downwards: the number of rows is above them all.
    tx.execute(
        "INSERT INTO chains (incarnation, born, next_seq, link)
         VALUES (?1, (SELECT count(*) FROM chains), 0, ?2)",
        params![incarnation.as_bytes(), link.as_bytes()],
    )?;
    Ok(())
}

/// The life that was begun last, with its next sequence number and the link before it.
pub(super) fn newest_life(connection: &Connection) -> Result<Option<(IncarnationId, u64, Link)>, StoreError> {
    let row = connection
        .prepare_cached("SELECT incarnation, next_seq, link FROM chains ORDER BY born DESC LIMIT 1")?
        .query_row([], |row| {
            Ok((
                IncarnationId::from_bytes(row.get(0)?),
                row.get(1)?,
                Link::from_bytes(row.get(2)?),
            ))
        })
        .optional()?;
    Ok(row)
}

/// Whether an operation of this device that is not held yet is none of this store's chain: another copy of the folder wrote it.
/// Its place is taken by another one, or it does not follow the link that stands there, or it follows such an operation.
pub(super) fn is_stray(tx: &Transaction<'_>, device: DeviceId, operation: &Operation) -> Result<bool, StoreError> {
    let header = operation.header();
    let (incarnation, seq) = (
        header.incarnation.as_bytes(),
        i64::try_from(header.seq).unwrap_or(i64::MAX),
    );
    let follows = tx
        .prepare_cached(
            "SELECT 1 FROM operations JOIN strays ON strays.n = operations.n
             WHERE device = ?1 AND incarnation = ?2 AND seq = ?3 - 1 AND link = ?4",
        )?
        .exists(params![device.as_bytes(), incarnation, seq, header.prev.as_bytes()])?;
    if follows {
        return Ok(true);
    }
    let tip: Option<(i64, [u8; 32])> = tx
        .prepare_cached("SELECT next_seq, link FROM chains WHERE incarnation = ?1")?
        .query_row([incarnation], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((next_seq, link)) = tip else { return Ok(false) };
    if seq == next_seq {
        return Ok(link != *header.prev.as_bytes());
    }
    let taken = tx
        .prepare_cached(
            "SELECT 1 FROM operations WHERE device = ?1 AND incarnation = ?2 AND seq = ?3
             AND NOT EXISTS (SELECT 1 FROM strays WHERE strays.n = operations.n)",
        )?
        .exists(params![device.as_bytes(), incarnation, seq])?;
    Ok(taken)
}
