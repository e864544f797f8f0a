//! Which row belongs to which table, told by the number and kinds of its columns.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::types::Value as Sql;

use super::pages::Row;

/// Rows of a damaged database; of several versions of a row the last one that was written.
#[derive(Default)]
pub(super) struct Found {
    /// Frames by order of arrival.
    pub frames: BTreeMap<i64, Vec<u8>>,
    /// Operations, by order of arrival, that another copy of this store signed.
    pub strays: BTreeSet<i64>,
    /// Leaf index by order of arrival.
    pub leaves: BTreeMap<i64, i64>,
    /// Key log frames by index.
    pub key_log: BTreeMap<i64, Vec<u8>>,
    /// Lives of this store.
    pub chains: BTreeMap<[u8; 16], ChainRow>,
    /// Rows of tables that are taken over as they are.
    pub plain: BTreeMap<(&'static str, Vec<u8>), Vec<Sql>>,
    /// Edits that were typed.
    pub drafts: BTreeMap<([u8; 16], String), DraftRow>,
    /// Numbers that were handed out: lease, number, when.
    pub numbers: BTreeSet<(String, i64, i64)>,
    /// Small facts by name.
    pub facts: BTreeMap<String, Vec<u8>>,
}

/// A row of `chains` without its key.
#[derive(Clone, Copy)]
pub(super) struct ChainRow {
    pub born: i64,
    pub next_seq: u64,
    pub received: u64,
    pub logged: u64,
}

/// A row of `drafts` without its key.
pub(super) struct DraftRow {
    pub case: [u8; 16],
    pub value: Vec<u8>,
    pub edited_ms: i64,
}

/// Tables whose rows are taken over as they are, each with how its rows are told from those of others.
pub(super) const PLAIN: &[&str] = &["blobs", "receipts", "packs", "attestations", "checkpoints"];

/// Columns of `blobs` in the newest version.
const BLOB_COLUMNS: usize = 10;

impl Found {
    /// Takes over what another database of the same device held. Row numbers are of their own in each, so frames are told by themselves.
    pub fn absorb(&mut self, other: Self) {
        let next = self.frames.last_key_value().map_or(0, |(n, _)| n + 1);
        self.frames.extend((next..).zip(other.frames.into_values()));
        self.chains.extend(other.chains);
        self.drafts.extend(other.drafts);
    }

    /// Keeps a row of a table that this knows; rows of indexes and of what can be folded anew are passed over.
    pub fn take(&mut self, row: Row) {
        let columns = row.columns;
        match (row.rowid, columns.as_slice()) {
            (Some(n), [Sql::Null, .., Sql::Blob(frame)]) if columns.len() == 12 => {
                self.frames.insert(n, frame.clone());
            }
            (Some(n), [Sql::Null]) => {
                self.strays.insert(n);
            }
            (Some(n), [Sql::Null, Sql::Integer(leaf)]) => {
                self.leaves.insert(n, *leaf);
            }
            (Some(n), [Sql::Null, Sql::Blob(frame)]) => {
                self.key_log.insert(n, frame.clone());
            }
            (Some(n), [Sql::Null, Sql::Blob(root), Sql::Blob(_)]) if root.len() == 32 => {
                self.keep("checkpoints", n, columns);
            }
            (Some(n), [Sql::Null, Sql::Text(kind), Sql::Blob(_), _, _, Sql::Blob(_)])
                if kind == "batch" || kind == "index" =>
            {
                self.keep("receipts", n, columns);
            }
            (
                Some(n),
                [
                    Sql::Null,
                    Sql::Blob(hash),
                    Sql::Integer(_),
                    Sql::Text(_),
                    Sql::Text(_),
                    ..,
                ],
            ) if hash.len() == 32 && columns.len() >= 9 => {
                // A row that is older than its newest column.
                let mut columns = columns;
                columns.resize(BLOB_COLUMNS, Sql::Null);
                self.keep("blobs", n, columns);
            }
            (None, [Sql::Text(key), Sql::Blob(value)]) => {
                self.facts.insert(key.clone(), value.clone());
            }
            (None, [Sql::Text(lease), Sql::Integer(number), Sql::Integer(used)]) => {
                self.numbers.insert((lease.clone(), *number, *used));
            }
            (None, [Sql::Blob(hash), Sql::Blob(_), Sql::Integer(_)]) if hash.len() == 32 => {
                let key = hash.clone();
                self.plain.insert(("packs", key), columns);
            }
            (
                None,
                [
                    Sql::Blob(anchor),
                    Sql::Text(_),
                    Sql::Blob(_),
                    Sql::Integer(_),
                    Sql::Integer(_),
                ],
            ) if anchor.len() == 32 => {
                let key = anchor.clone();
                self.plain.insert(("attestations", key), columns);
            }
            (
                None,
                [
                    Sql::Blob(id),
                    Sql::Text(path),
                    Sql::Blob(case),
                    Sql::Blob(value),
                    Sql::Integer(edited_ms),
                ],
            ) => {
                self.take_draft(id, path, case, value, *edited_ms);
            }
            (
                None,
                [
                    Sql::Blob(id),
                    Sql::Integer(born),
                    Sql::Integer(next),
                    Sql::Blob(_),
                    Sql::Integer(got),
                    Sql::Integer(logged),
                ],
            ) => {
                if let Ok(id) = id.as_slice().try_into() {
                    let whole = |number: &i64| u64::try_from(*number).unwrap_or(0);
                    let chain = ChainRow {
                        born: *born,
                        next_seq: whole(next),
                        received: whole(got),
                        logged: whole(logged),
                    };
                    self.chains.insert(id, chain);
                }
            }
            _ => {}
        }
    }

    fn keep(&mut self, table: &'static str, n: i64, mut columns: Vec<Sql>) {
        columns[0] = Sql::Integer(n);
        self.plain.insert((table, n.to_be_bytes().to_vec()), columns);
    }

    fn take_draft(&mut self, id: &[u8], path: &str, case: &[u8], value: &[u8], edited_ms: i64) {
        let (Ok(id), Ok(case)) = (id.try_into(), case.try_into()) else {
            return;
        };
        let key = (id, path.to_owned());
        if self.drafts.get(&key).is_none_or(|held| held.edited_ms <= edited_ms) {
            let value = value.to_vec();
            self.drafts.insert(key, DraftRow { case, value, edited_ms });
        }
    }
}
