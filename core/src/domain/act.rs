//! What an operation will say, before it has a header and a signature.

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::OfficerId;

use super::Kind;

/// A kind with its fields: checked, in ascending order of path, each path once. The device puts a header around it.
#[derive(Debug, Clone, PartialEq)]
pub struct Act {
    kind: Kind,
    fields: Vec<(String, Value)>,
    signers: Vec<String>,
}

impl Act {
    pub(super) fn new(kind: Kind) -> Act {
        Act {
            kind,
            fields: Vec::new(),
            signers: Vec::new(),
        }
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Paths and values, ascending by path; the empty path is not among them.
    pub fn fields(&self) -> &[(String, Value)] {
        &self.fields
    }

    /// Roles whose signature the rule pack asks for. They go into the header, where a stranger without the pack reads them.
    pub fn signers(&self) -> &[String] {
        &self.signers
    }

    /// Takes it apart for sealing.
    pub fn into_parts(self) -> (Kind, Vec<(String, Value)>) {
        (self.kind, self.fields)
    }

    /// Asks for these roles' signatures.
    pub(super) fn signed_by(mut self, roles: &[String]) -> Act {
        self.signers.extend_from_slice(roles);
        self
    }

    pub(super) fn put(mut self, path: impl Into<String>, value: Value) -> Act {
        let path = path.into();
        match self
            .fields
            .binary_search_by(|(held, _)| held.as_bytes().cmp(path.as_bytes()))
        {
            Ok(at) => self.fields[at].1 = value,
            Err(at) => self.fields.insert(at, (path, value)),
        }
        self
    }

    pub(super) fn text(self, path: impl Into<String>, value: impl Into<String>) -> Act {
        self.put(path, Value::text(value))
    }

    pub(super) fn text_opt(self, path: impl Into<String>, value: Option<impl Into<String>>) -> Act {
        match value {
            Some(value) => self.text(path, value),
            None => self,
        }
    }

    pub(super) fn put_opt(self, path: impl Into<String>, value: Option<Value>) -> Act {
        match value {
            Some(value) => self.put(path, value),
            None => self,
        }
    }
}

/// An array of byte strings, ascending and without repetitions: how a set of ids is written.
pub(super) fn id_array<'a>(ids: impl IntoIterator<Item = &'a [u8]>) -> Value {
    let mut ids: Vec<&[u8]> = ids.into_iter().collect();
    ids.sort_unstable();
    ids.dedup();
    Value::Array(ids.into_iter().map(Value::bytes).collect())
}

/// The value of `inspection/officer`: the ids of officers as elements of the set.
pub fn people_array(officers: &[OfficerId]) -> Value {
    id_array(officers.iter().map(|id| id.as_bytes().as_slice()))
}
