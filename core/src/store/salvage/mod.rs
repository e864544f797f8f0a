//! A damaged database is kept whole, and every page of it that still authenticates is read for its rows.
//!
//! No tree is followed and no schema is needed: the first page, inner pages, half the file may be gone. What was lost and
//! has reached the server comes back with the next feed, which therefore begins anew.

mod cipher;
mod escrowed;
mod found;
mod pages;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use fieldseal_proof::cbor;
use fieldseal_proof::ids::{DeviceId, IncarnationId, Link};
use fieldseal_proof::key_log::{KeyLog, KeyLogFrame};
use fieldseal_proof::operation::Operation;
use rusqlite::{Connection, Transaction, TransactionBehavior, params, params_from_iter};

use self::found::{Found, PLAIN};
use self::pages::Pages;
use super::insert::{find, insert_operation, put_meta};
use super::tail::Tail;
use super::{DATABASE, StoreError, StorePorts, connect};
use crate::clock::Hlc;
use crate::keyring::{KeyStore, KeyringError};
use crate::vault::write_durably;

pub(super) use cipher::SALT;
pub use escrowed::{Recovered, recover};

/// Fact of a store that lost rows: until the server's whole feed was read once, nobody knows which files and numbers are
/// spoken for.
pub(super) const HEALING: &str = "healing";

/// A mark beside the database while a salvage is under way: the folder of the original, and whether it stands there wholly.
const MARK: &str = "store.salvaging";
const MOVED: &str = "moved";
const ASIDE: &str = "damaged-";

/// Facts that stay true. Where the feed was read to is not among them: it begins anew.
const FACTS: &[&str] = &["epoch", "escrow", "pack", "pack_chosen", "clock_reading"];

/// What came over from a damaged database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salvage {
    /// Where the damaged database stands now, untouched.
    pub aside: PathBuf,
    /// Operations that could be read and whose signature or form holds.
    pub operations: u64,
    /// Edits that nobody had signed.
    pub drafts: u64,
    /// Pages that could not be read, and operations that do not hold.
    pub unreadable: u64,
    /// Rows of other tables that came over.
    pub other_rows: u64,
    /// Whether this device's own chain came over without a hole up to the end it is known to have had.
    pub chain_complete: bool,
    /// The newest end of the present life's chain that anything shows: sequence number of the next operation, and link.
    pub(super) end: Option<(u64, Link)>,
}

/// Sets the damaged database aside and builds a new one from what can be read of it. `known` is the end of the present life's
/// chain by what stands beside the database.
pub(super) fn salvage(
    folder: &Path,
    keys: &dyn KeyStore,
    ports: &StorePorts,
    known: Option<Tail>,
) -> Result<(Connection, Salvage), StoreError> {
    let aside = set_aside(folder)?;
    let key = keys.database_key();
    let old = aside.join(DATABASE);
    let mut pages = Pages::open(&old, &key, keys.database_salt()).map_err(StoreError::file("reading", &old))?;
    let mut found = Found::default();
    pages.each_row(|row| found.take(row));
    let mut fresh = connect::open(&folder.join(DATABASE), &key, ports)?;
    let tx = fresh.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut salvage = Salvage {
        aside,
        operations: 0,
        drafts: 0,
        unreadable: pages.unreadable,
        other_rows: 0,
        chain_complete: false,
        end: None,
    };
    let log = take_key_log(&tx, &found, keys, &mut salvage)?;
    take_operations(&tx, &found, keys, &log, &mut salvage)?;
    take_rows(&tx, &found, keys, &mut salvage)?;
    let lives = settle_chains(&tx, &found, keys.identity().device)?;
    let present = lives.get(&keys.identity().incarnation);
    let named = found.chains.get(keys.identity().incarnation.as_bytes());
    salvage.chain_complete = pages.unreadable_in_log == 0
        && match (present, named) {
            (Some(life), Some(named)) => {
                life.whole
                    && life.next_seq == named.next_seq
                    && known.is_none_or(|known| known.next_seq <= life.next_seq)
            }
            // Nothing was ever written in this life.
            (None, named) => known.is_none() && named.is_none_or(|named| named.next_seq == 0),
            (Some(_), None) => false,
        };
    salvage.end = present.map(|life| (life.next_seq, life.link));
    put_meta(&tx, HEALING, &[])?;
    tx.commit()?;
    for mark in [connect::SUSPECT, MARK] {
        let mark = folder.join(mark);
        if mark.exists() {
            std::fs::remove_file(&mark).map_err(StoreError::file("removing", &mark))?;
        }
    }
    Ok((fresh, salvage))
}

/// Whether a salvage was begun and not finished: then whatever stands in the database's place is a part of it.
pub(super) fn is_unfinished(folder: &Path) -> bool {
    folder.join(MARK).exists()
}

/// Renames the database with its side files; the new name is free. The mark says how far it came, so that a salvage that was
/// cut begins again from the same original.
fn set_aside(folder: &Path) -> Result<PathBuf, StoreError> {
    let mark = folder.join(MARK);
    let begun = std::fs::read_to_string(&mark).unwrap_or_default();
    let (name, moved) = begun.split_once(' ').unwrap_or_default();
    let free = || {
        (1..)
            .map(|n| format!("{ASIDE}{n}"))
            .find(|name| !folder.join(name).exists())
    };
    let name = match name.starts_with(ASIDE) && !name.contains(['/', '\\']) {
        true => name.to_owned(),
        false => free().unwrap_or_else(|| format!("{ASIDE}0")),
    };
    let target = folder.join(&name);
    let note = |state: &str| {
        Ok::<_, StoreError>(write_durably(&mark, format!("{name} {state}").as_bytes()).map_err(KeyringError::from)?)
    };
    if moved != MOVED {
        note("moving")?;
        std::fs::create_dir_all(&target).map_err(StoreError::file("making", &target))?;
    }
    for suffix in ["", "-wal", "-shm"] {
        let name = format!("{DATABASE}{suffix}");
        let from = folder.join(&name);
        if !from.exists() {
            continue;
        }
        match moved == MOVED {
            true => std::fs::remove_file(&from).map_err(StoreError::file("removing", &from))?,
            false => std::fs::rename(&from, target.join(&name)).map_err(StoreError::file("renaming", &from))?,
        }
    }
    note(MOVED)?;
    Ok(target)
}

/// The unbroken beginning of the key log; the rest is fetched again.
fn take_key_log(
    tx: &Transaction<'_>,
    found: &Found,
    keys: &dyn KeyStore,
    salvage: &mut Salvage,
) -> Result<KeyLog, StoreError> {
    let mut log = KeyLog::new(keys.identity().tenant);
    for (index, bytes) in (0..).zip(found.key_log.values()) {
        let Ok(frame) = KeyLogFrame::decode(bytes) else { break };
        if !found.key_log.contains_key(&index) || log.append(&frame).is_err() {
            break;
        }
        tx.execute(
            "INSERT INTO key_log (idx, frame) VALUES (?1, ?2)",
            params![index, bytes],
        )?;
        salvage.other_rows += 1;
    }
    Ok(log)
}

fn take_operations(
    tx: &Transaction<'_>,
    found: &Found,
    keys: &dyn KeyStore,
    log: &KeyLog,
    salvage: &mut Salvage,
) -> Result<(), StoreError> {
    let ingest: BTreeSet<DeviceId> = log
        .keys()
        .filter(|(_, key)| key.action == "server")
        .filter_map(|(_, key)| key.subject.map(DeviceId::from_bytes))
        .collect();
    let identity = keys.identity();
    let own_key = keys.operation_key()?.public().clone();
    let mut clock = Hlc::default();
    for (old_n, frame) in &found.frames {
        let Ok(operation) = Operation::parse(frame) else {
            salvage.unreadable += 1;
            continue;
        };
        let header = operation.header();
        let present = (header.device, header.incarnation) == (identity.device, identity.incarnation);
        let key = if present {
            Some(own_key.clone())
        } else {
            log.operation_key(&header.device, &header.incarnation)
                .and_then(|key| key.record.key().ok())
        };
        // Without a key the form still holds; a check later says that it is unverified.
        if key.is_some_and(|key| operation.clone().verify(&key).is_err()) {
            salvage.unreadable += 1;
            continue;
        }
        if find(tx, &operation.id())?.is_some() {
            continue;
        }
        let n = insert_operation(tx, &operation, frame, &ingest)?;
        if found.strays.contains(old_n) {
            tx.execute("INSERT INTO strays (n) VALUES (?1)", [n])?;
        }
        if let Some(leaf) = found.leaves.get(old_n) {
            tx.execute(
                "INSERT OR IGNORE INTO leaves (n, leaf) VALUES (?1, ?2)",
                params![n, leaf],
            )?;
        }
        if header.device == identity.device {
            clock = clock.max(Hlc {
                ms: header.hlc_ms,
                counter: header.hlc_counter,
            });
        }
        salvage.operations += 1;
    }
    super::insert::write_clock(tx, clock)
}

fn take_rows(
    tx: &Transaction<'_>,
    found: &Found,
    keys: &dyn KeyStore,
    salvage: &mut Salvage,
) -> Result<(), StoreError> {
    for table in PLAIN {
        for ((_, _), row) in found.plain.iter().filter(|((of, _), _)| of == table) {
            let marks = vec!["?"; row.len()].join(", ");
            salvage.other_rows += tx.execute(
                &format!("INSERT OR IGNORE INTO {table} VALUES ({marks})"),
                params_from_iter(row),
            )? as u64;
        }
    }
    for (lease, number, used_ms) in &found.numbers {
        salvage.other_rows += tx.execute(
            "INSERT OR IGNORE INTO numbers (lease, number, used_ms) VALUES (?1, ?2, ?3)",
            params![lease, number, used_ms],
        )? as u64;
    }
    for fact in FACTS {
        if let Some(value) = found.facts.get(*fact) {
            put_meta(tx, fact, value)?;
        }
    }
    for ((inspection, path), draft) in &found.drafts {
        // A page that was freed may still hold an edit that has been signed since.
        let signed = tx
            .prepare_cached(
                "SELECT 1 FROM writes JOIN operations ON operations.n = writes.n
                 WHERE writes.scope = ?1 AND writes.path = ?2 AND operations.device = ?3 AND operations.wall_ms >= ?4",
            )?
            .exists(params![
                draft.case,
                path,
                keys.identity().device.as_bytes(),
                draft.edited_ms
            ])?;
        if !signed && cbor::decode(&draft.value).is_ok() {
            salvage.drafts += tx.execute(
                "INSERT INTO drafts (inspection, path, case_id, value, edited_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![inspection, path, draft.case, draft.value, draft.edited_ms],
            )? as u64;
        }
    }
    Ok(())
}

/// What came over of a life of this store.
struct Life {
    next_seq: u64,
    link: Link,
    /// Without a hole from its first operation on.
    whole: bool,
}

/// Gives each own life that holds operations its row, so that what the server lacks of it is offered.
fn settle_chains(
    tx: &Transaction<'_>,
    found: &Found,
    device: DeviceId,
) -> Result<BTreeMap<IncarnationId, Life>, StoreError> {
    let mut lives: BTreeMap<IncarnationId, Life> = BTreeMap::new();
    let mut born: Vec<(i64, IncarnationId)> = Vec::new();
    {
        let mut query = tx.prepare(
            "SELECT incarnation, seq, link, n FROM operations WHERE device = ?1
             AND NOT EXISTS (SELECT 1 FROM strays WHERE strays.n = operations.n) ORDER BY incarnation, seq",
        )?;
        let mut rows = query.query([device.as_bytes()])?;
        while let Some(row) = rows.next()? {
            let incarnation = IncarnationId::from_bytes(row.get(0)?);
            let (seq, link): (u64, Link) = (row.get(1)?, Link::from_bytes(row.get(2)?));
            let life = lives.entry(incarnation).or_insert_with(|| Life {
                next_seq: 0,
                link,
                whole: true,
            });
            if life.next_seq == 0 {
                let row_born = found.chains.get(incarnation.as_bytes()).map(|chain| chain.born);
                born.push((row_born.unwrap_or(row.get(3)?), incarnation));
            }
            life.whole &= seq == life.next_seq;
            (life.next_seq, life.link) = (seq + 1, link);
        }
    }
    born.sort_unstable();
    for (order, (_, incarnation)) in born.iter().enumerate() {
        let life = &lives[incarnation];
        let (received, logged) = found.chains.get(incarnation.as_bytes()).map_or((0, 0), |chain| {
            (chain.received.min(life.next_seq), chain.logged.min(life.next_seq))
        });
        tx.execute(
            "INSERT INTO chains (incarnation, born, next_seq, link, received, logged) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                incarnation.as_bytes(),
                order as u64,
                life.next_seq,
                life.link.as_bytes(),
                received,
                logged
            ],
        )?;
    }
    Ok(lives)
}
