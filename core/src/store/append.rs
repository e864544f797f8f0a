//! Writing: the only way an operation of this device comes to be.

use std::collections::BTreeSet;

use fieldseal_proof::attest::{Attestation, Meaning, Place};
use fieldseal_proof::body::Body;
use fieldseal_proof::ids::{Anchor, BodyRoot, IncarnationId, Link, OfficerId, OpId, PackHash, SessionId};
use fieldseal_proof::operation::{ClockClaim, Header, MAX_SUPERSEDES, Operation, RequiredSigner, Stream};
use fieldseal_proof::suite::Signer;
use rusqlite::{OptionalExtension, Transaction, params};

use super::insert::{insert_operation, put_meta, read_clock, scope_of, write_clock};
use super::life::{Life, newest_life};
use super::tail::Tail;
use super::{Store, StoreError};
use crate::merge::FieldClass;
use crate::operation::NewOperation;
use crate::random::array;

/// The steps of an append, in order, for the test that any of them may be the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendStep {
    /// Header filled and signed, nothing written.
    Signed,
    /// Operation and its writes are in the transaction.
    Inserted,
    /// Chain, clock and drafts are in the transaction.
    Chained,
}

/// Writes rows inside an append's own transaction.
pub(crate) type WriteRows<'a> = dyn Fn(&Transaction<'_>) -> Result<(), StoreError> + 'a;

/// Everything an append may bring along.
#[derive(Default)]
pub(crate) struct AppendWith<'a> {
    /// The unlocked session.
    pub session: Option<SessionId>,
    /// Drafts that become this operation, by path in its inspection.
    pub drafts: &'a [String],
    /// Rows written in the same transaction.
    pub along: Option<&'a WriteRows<'a>>,
}

/// A person's signature to be wrapped in an attest operation.
pub(crate) struct Attesting<'a> {
    pub officer: OfficerId,
    pub role: &'a str,
    pub meaning: Meaning,
    pub targets: Vec<OpId>,
    pub key: &'a dyn Signer,
}

impl Store {
    /// Signs an operation and writes it together with everything that follows from it, in one durable transaction.
    ///
    /// Fills the header: sequence and link of the chain, counter of the stream, the heads of the paths written, the newest
    /// verified attestation, the pack in force and the clocks.
    ///
    /// # Errors
    /// Fields outside the limits, a full disk, a busy or damaged database. In every case nothing was written or sent.
    pub fn append(&self, new: NewOperation, session: Option<SessionId>) -> Result<OpId, StoreError> {
        self.append_with(
            new,
            &AppendWith {
                session,
                ..AppendWith::default()
            },
            &|_| Ok(()),
        )
    }

    pub(crate) fn append_with(
        &self,
        new: NewOperation,
        with: &AppendWith<'_>,
        step: &dyn Fn(AppendStep) -> Result<(), StoreError>,
    ) -> Result<OpId, StoreError> {
        let body = Body::build(array(&*self.random)?, new.fields.clone())?;
        self.append_body(&new, with, step, |_| Ok(body.clone()))
    }

    /// Wraps an officer's signature in an attest operation; the officer signs the place that the operation will have.
    pub(crate) fn append_attest(
        &self,
        place: NewOperation,
        who: Attesting<'_>,
        with: &AppendWith<'_>,
    ) -> Result<OpId, StoreError> {
        let seed: [u8; 32] = array(&*self.random)?;
        self.append_body(&place, with, &|_| Ok(()), |header| {
            let place = Place {
                tenant: header.tenant,
                device: header.device,
                incarnation: header.incarnation,
                seq: header.seq,
                prev: header.prev,
            };
            let attest = Attestation::sign(&place, who.officer, who.role, who.meaning, who.targets.clone(), who.key)
                .map_err(|e| StoreError::Seal(e.into()))?;
            Ok(attest.body(seed)?)
        })
    }

    fn append_body(
        &self,
        new: &NewOperation,
        with: &AppendWith<'_>,
        step: &dyn Fn(AppendStep) -> Result<(), StoreError>,
        body: impl Fn(&Header) -> Result<Body, StoreError>,
    ) -> Result<OpId, StoreError> {
        match self.append_once(new, with, step, &body) {
            // Another process of this device has begun a new life: this one goes on in it.
            Err(StoreError::LifeOver) if self.adopt_life()? => self.append_once(new, with, step, &body),
            other => other,
        }
    }

    fn append_once(
        &self,
        new: &NewOperation,
        with: &AppendWith<'_>,
        step: &dyn Fn(AppendStep) -> Result<(), StoreError>,
        body: &dyn Fn(&Header) -> Result<Body, StoreError>,
    ) -> Result<OpId, StoreError> {
        let (operation, tail) = self.write(|tx| {
            let life = self.life();
            let header = self.header(tx, &life, new, with)?;
            let body = body(&header)?;
            let operation = Operation::seal(header, body, &*life.signer)?;
            step(AppendStep::Signed)?;
            insert_operation(tx, &operation, &operation.frame(), &BTreeSet::new())?;
            step(AppendStep::Inserted)?;
            let header = operation.header();
            let tail = Tail {
                incarnation: header.incarnation,
                next_seq: header.seq + 1,
                link: operation.link(),
            };
            tx.prepare_cached("UPDATE chains SET next_seq = ?2, link = ?3 WHERE incarnation = ?1")?
                .execute(params![
                    tail.incarnation.as_bytes(),
                    tail.next_seq,
                    tail.link.as_bytes()
                ])?;
            if let Some(inspection) = header.inspection {
                for path in with.drafts {
                    tx.prepare_cached("DELETE FROM drafts WHERE inspection = ?1 AND path = ?2")?
                        .execute(params![inspection.as_bytes(), path])?;
                }
            }
            if let Some(along) = with.along {
                along(tx)?;
            }
            step(AppendStep::Chained)?;
            Ok((operation, tail))
        })?;
        self.tail.write(tail);
        Ok(operation.id())
    }

    fn header(
        &self,
        tx: &Transaction<'_>,
        life: &Life,
        new: &NewOperation,
        with: &AppendWith<'_>,
    ) -> Result<Header, StoreError> {
        let incarnation = life.incarnation;
        if newest_life(tx)?.is_some_and(|(newest, _, _)| newest != incarnation) {
            return Err(StoreError::LifeOver);
        }
        let (seq, prev): (u64, [u8; 32]) = tx
            .prepare_cached("SELECT next_seq, link FROM chains WHERE incarnation = ?1")?
            .query_row([incarnation.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let now = self.clock.now();
        let hlc = read_clock(tx)?.tick(now.wall_ms);
        write_clock(tx, hlc)?;
        let mut header = Header {
            suite: life.signer.public().suite(),
            tenant: self.identity.tenant,
            device: self.identity.device,
            incarnation,
            seq,
            prev: Link::from_bytes(prev),
            kind: new.kind.clone(),
            schema: 0,
            case: new.case,
            inspection: new.inspection,
            counter: 0,
            session: with.session,
            hlc_ms: hlc.ms,
            hlc_counter: hlc.counter,
            clock: ClockClaim {
                wall_ms: now.wall_ms,
                boot: now.boot,
                monotonic_ms: now.monotonic_ms,
            },
            supersedes: Vec::new(),
            anchor: newest_anchor(tx)?,
            pack: pack_in_force(tx)?,
            app: APP.to_owned(),
            body_root: BodyRoot::from_bytes([0; 32]),
            signers: ascending(new.signers.clone()),
            unknown: Vec::new(),
        };
        header.counter = next_counter(tx, &header)?;
        header.supersedes = self.supersedes(tx, new, &header)?;
        Ok(header)
    }

    fn supersedes(&self, tx: &Transaction<'_>, new: &NewOperation, header: &Header) -> Result<Vec<OpId>, StoreError> {
        let mut heads: BTreeSet<OpId> = new.supersedes.iter().copied().collect();
        let mut query = tx.prepare_cached(
            "SELECT operations.id FROM writes JOIN operations ON operations.n = writes.n
             WHERE writes.scope = ?1 AND writes.path = ?2 AND writes.head = 1",
        )?;
        for (path, _) in &new.fields {
            // A set only grows and what is sealed is never rewritten: naming their heads would say nothing.
            if matches!(FieldClass::of(path), FieldClass::Set | FieldClass::Sealed) {
                continue;
            }
            let mut rows = query.query(params![scope_of(header), path])?;
            while let Some(row) = rows.next()? {
                heads.insert(OpId::from_bytes(row.get(0)?));
            }
        }
        if heads.len() > MAX_SUPERSEDES {
            return Err(StoreError::TooManyHeads);
        }
        Ok(heads.into_iter().collect())
    }

    /// Sequence number and link that the next operation of an incarnation gets; `None` for one unknown here.
    pub fn tip(&self, incarnation: IncarnationId) -> Result<Option<(u64, Link)>, StoreError> {
        let connection = self.connection();
        let row = connection
            .prepare_cached("SELECT next_seq, link FROM chains WHERE incarnation = ?1")?
            .query_row([incarnation.as_bytes()], |row| {
                Ok((row.get(0)?, Link::from_bytes(row.get(1)?)))
            })
            .optional()?;
        Ok(row)
    }

    /// Chooses the rule pack whose hash the next operations carry.
    ///
    /// # Errors
    /// When it is not held.
    pub fn use_pack(&self, pack: PackHash) -> Result<(), StoreError> {
        self.write(|tx| {
            if !tx
                .prepare("SELECT 1 FROM packs WHERE hash = ?1")?
                .exists([pack.as_bytes()])?
            {
                return Err(StoreError::Absent(pack.to_string()));
            }
            put_meta(tx, "pack", pack.as_bytes())
        })
    }
}

/// Application version, header key 21.
pub(crate) const APP: &str = concat!("fieldseal ", env!("CARGO_PKG_VERSION"));

fn newest_anchor(tx: &Transaction<'_>) -> Result<Option<Anchor>, StoreError> {
    let anchor: Option<[u8; 32]> = tx
        .prepare_cached("SELECT anchor FROM attestations ORDER BY time_ms DESC LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(anchor.map(Anchor::from_bytes))
}

pub(super) fn pack_in_force(tx: &Transaction<'_>) -> Result<Option<PackHash>, StoreError> {
    let hash: Option<[u8; 32]> = tx
        .prepare_cached("SELECT value FROM meta WHERE key = 'pack'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(hash.map(PackHash::from_bytes))
}

fn next_counter(tx: &Transaction<'_>, header: &Header) -> Result<u64, StoreError> {
    let stream: Stream = header.stream();
    let last: Option<u64> = tx
        .prepare_cached(
            "SELECT counter FROM operations WHERE scope = ?1 AND stream = ?2 AND device = ?3 AND incarnation = ?4
             AND NOT EXISTS (SELECT 1 FROM strays WHERE strays.n = operations.n) ORDER BY counter DESC LIMIT 1",
        )?
        .query_row(
            params![
                scope_of(header),
                stream.id(),
                header.device.as_bytes(),
                header.incarnation.as_bytes()
            ],
            |row| row.get(0),
        )
        .optional()?;
    Ok(last.map_or(0, |last| last + 1))
}

/// Required signers in the order of their encoded bytes, each once: officers (byte strings) come before roles (texts),
/// and a shorter role before a longer one.
fn ascending(mut signers: Vec<RequiredSigner>) -> Vec<RequiredSigner> {
    signers.sort_by_key(|signer| match signer {
        RequiredSigner::Officer(id) => (0, 0, id.as_bytes().to_vec()),
        RequiredSigner::Role(role) => (1, role.len(), role.as_bytes().to_vec()),
    });
    signers.dedup();
    signers
}
