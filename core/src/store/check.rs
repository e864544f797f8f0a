//! `fsck`: everything is read again from storage and checked again.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use fieldseal_proof::ids::{CaseId, IncarnationId, OpId};
use fieldseal_proof::operation::Operation;

use super::{Store, StoreError, connect};
use crate::keyring::KeyStore;
use crate::merge::Scope;

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreFault {
    /// Stable code: `chain_gap`, `chain_link`, `signature`, `frame`, `key_unknown`, `view`, `tip`.
    pub code: &'static str,
    /// What it is about.
    pub subject: String,
}

/// What a check of the store read and found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoreCheck {
    /// Operations read and checked.
    pub operations: u64,
    /// Operations whose author's key is not in the key log held here: stored, not verified.
    pub unverified: u64,
    /// Paths whose view was compared with a fold of all operations.
    pub paths: u64,
    /// Faults, in the order found.
    pub faults: Vec<StoreFault>,
}

impl Store {
    /// Reads every page and every operation, checks chains, signatures and bodies, and folds every scope anew.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when a page does not authenticate.
    pub fn check(&self, keys: &dyn KeyStore) -> Result<StoreCheck, StoreError> {
        self.check_watched(keys, &mut || ControlFlow::Continue(()))
    }

    /// As [`Store::check`]; after every operation and every scope `each` is asked whether to go on.
    ///
    /// # Errors
    /// As [`Store::check`], and [`StoreError::Cancelled`] when `each` breaks.
    pub fn check_watched(
        &self,
        keys: &dyn KeyStore,
        each: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<StoreCheck, StoreError> {
        connect::check_every_page(&self.connection())?;
        let mut check = StoreCheck::default();
        self.check_operations(keys, &mut check, each)?;
        for scope in self.scopes()? {
            going_on(each)?;
            self.check_view(scope, &mut check)?;
        }
        Ok(check)
    }

    fn check_operations(
        &self,
        keys: &dyn KeyStore,
        check: &mut StoreCheck,
        each: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let log = self.key_log()?;
        let own_key = keys.operation_key()?.public().clone();
        let (device, present) = (self.identity.device, self.incarnation());
        let mut ends: BTreeMap<IncarnationId, (u64, fieldseal_proof::ids::Link)> = BTreeMap::new();
        let connection = self.connection();
        let mut query = connection.prepare(
            "SELECT id, frame, EXISTS (SELECT 1 FROM strays WHERE strays.n = operations.n)
             FROM operations ORDER BY device, incarnation, seq, n",
        )?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            going_on(each)?;
            check.operations += 1;
            let id = OpId::from_bytes(row.get(0)?);
            let mut fault = |code| {
                check.faults.push(StoreFault {
                    code,
                    subject: id.to_string(),
                })
            };
            let operation = match Operation::parse(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?) {
                Ok(operation) if operation.id() == id => operation,
                _ => {
                    fault("frame");
                    continue;
                }
            };
            let header = operation.header().clone();
            // What another copy of this store signed is no part of its chain.
            if header.device == device && !row.get::<_, bool>(2)? {
                match ends.get(&header.incarnation) {
                    None if header.seq != 0 => fault("chain_gap"),
                    Some((next, _)) if header.seq != *next => fault("chain_gap"),
                    Some((_, link)) if header.prev != *link => fault("chain_link"),
                    _ => {}
                }
                ends.insert(header.incarnation, (header.seq + 1, operation.link()));
            }
            let enrolled = log
                .operation_key(&header.device, &header.incarnation)
                .map(|key| key.record.key());
            let key = if (header.device, header.incarnation) == (device, present) {
                Some(own_key.clone())
            } else {
                enrolled.and_then(Result::ok)
            };
            match key {
                Some(key) if operation.verify(&key).is_err() => fault("signature"),
                Some(_) => {}
                None => check.unverified += 1,
            }
        }
        drop(rows);
        drop(query);
        drop(connection);
        for (incarnation, end) in ends {
            if self.tip(incarnation)?.is_some_and(|tip| tip != end) {
                check.faults.push(StoreFault {
                    code: "tip",
                    subject: incarnation.to_string(),
                });
            }
        }
        Ok(())
    }

    fn scopes(&self) -> Result<Vec<Option<CaseId>>, StoreError> {
        let connection = self.connection();
        let mut query = connection.prepare("SELECT DISTINCT scope FROM operations")?;
        let rows = query.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
        let scopes: Vec<Vec<u8>> = rows.collect::<Result<_, _>>()?;
        Ok(scopes
            .into_iter()
            .map(|scope| scope.try_into().ok().map(CaseId::from_bytes))
            .collect())
    }

    fn check_view(&self, case: Option<CaseId>, check: &mut StoreCheck) -> Result<(), StoreError> {
        let state = self.state(case.map_or(Scope::Registry, Scope::Case))?;
        let mut stored: BTreeMap<String, BTreeSet<OpId>> = BTreeMap::new();
        for head in self.heads_under(case, "")? {
            stored.entry(head.path).or_default().insert(head.id);
        }
        let folded = state
            .paths()
            .map(|(path, resolved)| (path.to_owned(), resolved.heads.iter().copied().collect()));
        let folded: BTreeMap<String, BTreeSet<OpId>> = folded
            .filter(|(_, heads): &(_, BTreeSet<_>)| !heads.is_empty())
            .collect();
        // Paths that state facts about operations are not merged, so the fold does not list them.
        for path in stored.keys().chain(folded.keys()).collect::<BTreeSet<_>>() {
            let fact = state.get(path).is_none() && crate::merge::FieldClass::is_fact(path);
            check.paths += 1;
            if !fact && stored.get(path) != folded.get(path) {
                check.faults.push(StoreFault {
                    code: "view",
                    subject: path.clone(),
                });
            }
        }
        Ok(())
    }
}

fn going_on(each: &mut dyn FnMut() -> ControlFlow<()>) -> Result<(), StoreError> {
    match each() {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(StoreError::Cancelled),
    }
}
