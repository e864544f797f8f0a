//! Document numbers: handed out from leases, burnt when handed out, never used again.

use std::collections::BTreeMap;

use fieldseal_proof::cbor::Value;
use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError};

/// A number that belongs to this device for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeasedNumber {
    /// Lease it comes from.
    pub lease: String,
    /// The form.
    pub form: String,
    /// The year.
    pub year: u64,
    /// The number.
    pub number: u64,
    /// What stands before it in print.
    pub prefix: String,
}

impl Store {
    /// Burns and gives the next number of a form and year. It stays burnt even if no document is made of it: a gap can be
    /// explained, a double cannot.
    ///
    /// # Errors
    /// [`StoreError::NoNumber`] when the leases of this device are used up.
    pub fn take_number(&self, form: &str, year: u64) -> Result<LeasedNumber, StoreError> {
        let used_ms = self.clock.now().wall_ms;
        for lease in self.leases(form, year)? {
            let taken = self.write(|tx| {
                let last: Option<u64> = tx
                    .query_row("SELECT max(number) FROM numbers WHERE lease = ?1", [&lease.id], |row| {
                        row.get(0)
                    })
                    .optional()?
                    .flatten();
                let next = last.map_or(lease.first, |last| last + 1);
                if next > lease.last {
                    return Ok(None);
                }
                tx.execute(
                    "INSERT INTO numbers (lease, number, used_ms) VALUES (?1, ?2, ?3)",
                    params![lease.id, next, used_ms],
                )?;
                Ok(Some(next))
            })?;
            if let Some(number) = taken {
                let prefix = lease.prefix;
                return Ok(LeasedNumber {
                    lease: lease.id,
                    form: form.to_owned(),
                    year,
                    number,
                    prefix,
                });
            }
        }
        Err(StoreError::NoNumber { form: form.to_owned() })
    }

    /// How many numbers of a form and year are left on this device.
    ///
    /// # Errors
    /// When the database does.
    pub fn numbers_left(&self, form: &str, year: u64) -> Result<u64, StoreError> {
        let mut left = 0;
        for lease in self.leases(form, year)? {
            let last: Option<u64> = self.connection().query_row(
                "SELECT max(number) FROM numbers WHERE lease = ?1",
                [&lease.id],
                |row| row.get(0),
            )?;
            left += lease.last.saturating_sub(last.unwrap_or(lease.first - 1));
        }
        Ok(left)
    }

    /// Burns what is left of every lease of this device.
    pub(super) fn burn_leases(&self) -> Result<(), StoreError> {
        let used_ms = self.clock.now().wall_ms;
        for lease in self.all_leases(|_, _| true)? {
            self.write(|tx| {
                tx.execute(
                    "INSERT OR IGNORE INTO numbers (lease, number, used_ms) VALUES (?1, ?2, ?3)",
                    params![lease.id, lease.last, used_ms],
                )?;
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Leases of a form and year that may be used. None while it is unknown which numbers stand on paper already.
    fn leases(&self, form: &str, year: u64) -> Result<Vec<Lease>, StoreError> {
        if self.is_healing()? {
            return Ok(Vec::new());
        }
        self.all_leases(|of_form, of_year| of_form == Some(form) && of_year == Some(year))
    }

    /// Leases that the ingest device gave to this device in its present life, by lease id. Another copy of this device goes on in a
    /// life of its own, and numbers from leases of its own.
    fn all_leases(&self, wanted: impl Fn(Option<&str>, Option<u64>) -> bool) -> Result<Vec<Lease>, StoreError> {
        let (ingest, present) = (self.ingest_devices()?, self.incarnation());
        let mut fields: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
        for write in self.heads_under(None, "lease/")? {
            let (Some((id, name)), Some(value)) = (lease_path(&write.path), write.value) else {
                continue;
            };
            if ingest.contains(&self.operation(write.id)?.operation.header().device) {
                fields.entry(id.to_owned()).or_default().insert(name.to_owned(), value);
            }
        }
        let mine = |lease: &BTreeMap<String, Value>| {
            let is = |field: &str, id: &[u8]| lease.get(field).and_then(Value::as_bytes) == Some(id);
            is("device", self.identity.device.as_bytes())
                && (!lease.contains_key("incarnation") || is("incarnation", present.as_bytes()))
                && wanted(
                    lease.get("form").and_then(Value::as_text),
                    lease.get("year").and_then(Value::as_uint),
                )
        };
        let leases = fields
            .into_iter()
            .filter(|(_, lease)| mine(lease))
            .filter_map(|(id, lease)| {
                let (first, last) = (lease.get("first")?.as_uint()?, lease.get("last")?.as_uint()?);
                let prefix = lease
                    .get("prefix")
                    .and_then(Value::as_text)
                    .unwrap_or_default()
                    .to_owned();
                (0 < first && first <= last).then_some(Lease {
                    id,
                    first,
                    last,
                    prefix,
                })
            });
        Ok(leases.collect())
    }
}

struct Lease {
    id: String,
    first: u64,
    last: u64,
    prefix: String,
}

fn lease_path(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix("lease/")?.split_once('/')
}
