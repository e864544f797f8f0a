//! What the list of inspections shows, kept in the database until an operation of the case is written.

use std::collections::BTreeMap;

use fieldseal_proof::ids::{CaseId, EnterpriseId, InspectionId};
use rusqlite::params;

use super::{Store, StoreError};

/// What the list shows of an inspection; folded from its operations and good until one of its case is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeptView {
    pub title: Option<String>,
    pub enterprise: Option<EnterpriseId>,
    pub party: Option<String>,
    pub planned: Option<String>,
    pub closed: bool,
    pub returned: bool,
    pub conflicts: u64,
}

type Place = (CaseId, InspectionId);

/// For each stream of each case how many of its operations are sealed, received, in the log.
pub(crate) type StreamProgress = BTreeMap<(CaseId, [u8; 16]), [u64; 3]>;

impl Store {
    /// The views that are kept now.
    pub(crate) fn inspection_views(&self) -> Result<BTreeMap<Place, KeptView>, StoreError> {
        let connection = self.connection();
        let mut query = connection.prepare_cached(
            "SELECT scope, stream, title, enterprise, party, planned, closed, returned, conflicts FROM inspection_view",
        )?;
        let rows = query.query_map([], |row| {
            let place = (CaseId::from_bytes(row.get(0)?), InspectionId::from_bytes(row.get(1)?));
            let view = KeptView {
                title: row.get(2)?,
                enterprise: row.get::<_, Option<[u8; 16]>>(3)?.map(EnterpriseId::from_bytes),
                party: row.get(4)?,
                planned: row.get(5)?,
                closed: row.get(6)?,
                returned: row.get(7)?,
                conflicts: row.get(8)?,
            };
            Ok((place, view))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Keeps views that were folded when `seen` was the last arrival. If another process has written since, they may be old
    /// already, and are not kept.
    pub(crate) fn keep_inspection_views(&self, views: &[(Place, KeptView)], seen: i64) -> Result<(), StoreError> {
        if views.is_empty() {
            return Ok(());
        }
        self.write(|tx| {
            if last_arrival(tx)? != seen {
                return Ok(());
            }
            let mut insert = tx.prepare_cached(
                "INSERT OR REPLACE INTO inspection_view
                 (scope, stream, title, enterprise, party, planned, closed, returned, conflicts)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?;
            for ((case, inspection), view) in views {
                insert.execute(params![
                    case.as_bytes(),
                    inspection.as_bytes(),
                    view.title,
                    view.enterprise.as_ref().map(|id| id.as_bytes()),
                    view.party,
                    view.planned,
                    view.closed,
                    view.returned,
                    view.conflicts,
                ])?;
            }
            Ok(())
        })
    }

    /// The number of the operation that came last.
    pub(crate) fn last_arrival(&self) -> Result<i64, StoreError> {
        last_arrival(&self.connection())
    }

    /// Operations of each stream of each case by how far they have come: sealed, received, in the log. Reads indexes only.
    pub(crate) fn progress_of_streams(&self) -> Result<StreamProgress, StoreError> {
        let connection = self.connection();
        let mut counts = StreamProgress::new();
        // What has no place in the log and was written elsewhere came from the server, which had received it.
        let mut query = connection.prepare_cached(
            "SELECT operations.scope, operations.stream, count(*), count(leaves.n) FROM operations
             LEFT JOIN leaves ON leaves.n = operations.n WHERE operations.scope <> x'' GROUP BY 1, 2",
        )?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let (all, logged): (u64, u64) = (row.get(2)?, row.get(3)?);
            let place = (CaseId::from_bytes(row.get(0)?), row.get(1)?);
            counts.insert(place, [0, all - logged, logged]);
        }
        let mut query = connection.prepare_cached(
            "SELECT operations.scope, operations.stream, count(*) FROM chains
             JOIN operations ON operations.device = ?1 AND operations.incarnation = chains.incarnation
                 AND operations.seq >= chains.received
             LEFT JOIN leaves ON leaves.n = operations.n
             WHERE leaves.n IS NULL AND operations.scope <> x'' GROUP BY 1, 2",
        )?;
        let mut rows = query.query([self.identity.device.as_bytes()])?;
        while let Some(row) = rows.next()? {
            let place = (CaseId::from_bytes(row.get(0)?), row.get(1)?);
            let sealed: u64 = row.get(2)?;
            if let Some(counts) = counts.get_mut(&place) {
                *counts = [sealed, counts[1].saturating_sub(sealed), counts[2]];
            }
        }
        Ok(counts)
    }

    /// How many drafts each inspection has.
    pub(crate) fn drafts_of_inspections(&self) -> Result<BTreeMap<InspectionId, u64>, StoreError> {
        let connection = self.connection();
        let mut query = connection.prepare_cached("SELECT inspection, count(*) FROM drafts GROUP BY inspection")?;
        let rows = query.query_map([], |row| Ok((InspectionId::from_bytes(row.get(0)?), row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn last_arrival(connection: &rusqlite::Connection) -> Result<i64, StoreError> {
    Ok(connection.query_row("SELECT coalesce(max(n), 0) FROM operations", [], |row| row.get(0))?)
}
