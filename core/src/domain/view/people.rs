//! Who the officers are, by the key log.

use std::collections::BTreeMap;

use fieldseal_proof::ids::OfficerId;
use fieldseal_proof::key_log::{KeyLog, Purpose};
use fieldseal_proof::suite;
use serde::Serialize;

/// An officer as an administrator bound the key to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Officer {
    #[serde(serialize_with = "super::as_text")]
    pub officer: OfficerId,
    pub name: String,
    pub certificate: String,
    /// `officer`, `supervisor`, …
    pub role: String,
    /// Printed fingerprint of the signing key.
    pub key_fingerprint: String,
    pub revoked: bool,
}

/// The officers of a tenant by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct People {
    by_id: BTreeMap<OfficerId, Officer>,
}

impl People {
    /// Everybody in the key log. Of several keys of one officer the newest that is not revoked counts. Withheld names are empty.
    pub fn of(keys: &KeyLog) -> People {
        let mut rows: Vec<_> = keys
            .keys()
            .filter(|(_, key)| key.record.purpose == Purpose::Officer)
            .collect();
        rows.sort_by_key(|(_, key)| (key.revoked_at.is_none(), key.enrolled_at));
        let mut people = People::default();
        for (id, key) in rows {
            let Some(subject) = key.subject else { continue };
            let attribute = |path: &str| {
                let value = key.attrs.as_ref().and_then(|attrs| attrs.get(path));
                value.and_then(|v| v.as_text().map(str::to_owned)).unwrap_or_default()
            };
            people.add(Officer {
                officer: OfficerId::from_bytes(subject),
                name: attribute("name"),
                certificate: attribute("certificate"),
                role: key.role.clone().unwrap_or_default(),
                key_fingerprint: suite::fingerprint(id),
                revoked: key.revoked_at.is_some(),
            });
        }
        people
    }

    /// Adds or replaces an officer: one of this device whose approval is still on its way.
    pub fn add(&mut self, officer: Officer) {
        self.by_id.insert(officer.officer, officer);
    }

    pub fn get(&self, id: &OfficerId) -> Option<&Officer> {
        self.by_id.get(id)
    }

    /// By certificate number, exactly as it is enrolled.
    pub fn by_certificate(&self, certificate: &str) -> Option<&Officer> {
        self.by_id.values().find(|officer| officer.certificate == certificate)
    }

    pub fn all(&self) -> impl Iterator<Item = &Officer> {
        self.by_id.values()
    }
}
