//! The body of an operation: named values under one root, each of which can be withheld later (`formats/operation.md`, Body).

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::cbor::{self, CborError, MapWriter, Value};
use crate::hash::{Digest32, h};
use crate::ids::BodyRoot;
use crate::merkle;

/// Most fields of a body.
pub const MAX_FIELDS: usize = 1024;
/// Longest path in bytes.
pub const MAX_PATH: usize = 200;
/// Longest encoded value in bytes.
pub const MAX_VALUE: usize = 256 * 1024;
/// Longest encoded body in bytes.
pub const MAX_BODY: usize = 1024 * 1024;

/// The value at the empty path: an empty array.
const EMPTY_PATH_VALUE: &[u8] = &[0x80];

/// Bytes or fields that are not a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Not deterministic CBOR.
    #[error("body: {0}")]
    Cbor(#[from] CborError),
    /// More than the limits allow.
    #[error("body: {0} is over the limit")]
    TooLarge(&'static str),
    /// The map does not have the form of a full or partial body.
    #[error("body: {0}")]
    Form(&'static str),
    /// A path is empty in a segment, not printable, or too long.
    #[error("body: the path {0:?} is not allowed")]
    Path(String),
    /// Paths are not in strictly ascending byte order.
    #[error("body: the path {0:?} is out of order or twice there")]
    Order(String),
    /// A value is not a map-free item of the profile.
    #[error("body: the value at {0:?} is not allowed")]
    Value(String),
}

/// What a field shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldValue {
    /// The encoded value, with its salt.
    Shown {
        /// `HMAC-SHA-256(seed, path)`.
        salt: Digest32,
        /// Deterministic CBOR of one map-free item.
        value: Vec<u8>,
    },
    /// Only `v`: the field exists, its value is kept back.
    Withheld(Digest32),
}

/// One named value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Path, `/` between segments; empty only for the first field.
    pub path: String,
    /// What is shown of it.
    pub value: FieldValue,
}

/// A well-formed body, full or partial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    seed: Option<Digest32>,
    fields: Vec<Field>,
}

impl Body {
    /// Makes a full body of named values; the seed must be random and new.
    ///
    /// # Errors
    /// A path or value outside the limits, or a path twice.
    ///
    /// ```
    /// use fieldseal_proof::{body::Body, cbor::Value};
    /// let body = Body::build([1; 32], vec![("finding/a/text".into(), Value::text("通道堵塞"))]).unwrap();
    /// let partial = body.withhold(&["finding/a/text"]);
    /// assert_eq!(partial.root(), body.root());
    /// assert_eq!(partial.get("finding/a/text"), None);
    /// ```
    pub fn build(seed: Digest32, fields: Vec<(String, Value)>) -> Result<Self, BodyError> {
        let mut pairs: Vec<(String, Vec<u8>)> = vec![(String::new(), EMPTY_PATH_VALUE.to_vec())];
        for (path, value) in fields {
            if !value.is_mapless() {
                return Err(BodyError::Value(path));
            }
            pairs.push((path, cbor::encode(&value)));
        }
        pairs.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
        let body = Self::from_pairs(seed, pairs)?;
        if body.encode().len() > MAX_BODY {
            return Err(BodyError::TooLarge("the body"));
        }
        Ok(body)
    }

    fn from_pairs(seed: Digest32, pairs: Vec<(String, Vec<u8>)>) -> Result<Self, BodyError> {
        let fields = pairs
            .into_iter()
            .map(|(path, value)| Field { value: FieldValue::Shown { salt: salt(&seed, &path), value }, path });
        Self { seed: Some(seed), fields: fields.collect() }.checked()
    }

    /// Reads a stored body, full or partial.
    pub fn decode(bytes: &[u8]) -> Result<Self, BodyError> {
        if bytes.len() > MAX_BODY {
            return Err(BodyError::TooLarge("the body"));
        }
        let decoded = cbor::decode(bytes)?;
        match decoded.as_map() {
            Some([(0, Value::Bytes(seed)), (1, Value::Array(items))]) => {
                let seed = seed.as_slice().try_into().map_err(|_| BodyError::Form("the seed is not 32 bytes"))?;
                let pairs = items.iter().map(|item| match item.as_array() {
                    Some([Value::Text(path), Value::Bytes(value)]) => Ok((path.clone(), value.clone())),
                    _ => Err(BodyError::Form("a field is not [path, value]")),
                });
                Self::from_pairs(seed, pairs.collect::<Result<_, _>>()?)
            }
            Some([(2, Value::Array(items))]) => {
                let fields = items.iter().map(partial_field).collect::<Result<_, _>>()?;
                Self { seed: None, fields }.checked()
            }
            _ => Err(BodyError::Form("it is neither a full nor a partial body")),
        }
    }

    /// The stored bytes.
    pub fn encode(&self) -> Vec<u8> {
        let shown = |f: &Field| match &f.value {
            FieldValue::Shown { salt, value } if self.seed.is_none() => {
                Value::Array(vec![Value::text(&f.path), Value::bytes(salt), Value::bytes(value)])
            }
            FieldValue::Shown { value, .. } => Value::Array(vec![Value::text(&f.path), Value::bytes(value)]),
            FieldValue::Withheld(v) => Value::Array(vec![Value::text(&f.path), Value::bytes(v)]),
        };
        let list = Value::Array(self.fields.iter().map(shown).collect());
        match self.seed {
            Some(seed) => MapWriter::default().put(0, Value::bytes(seed)).put(1, list).encode(),
            None => MapWriter::default().put(2, list).encode(),
        }
    }

    /// The root that the header carries.
    pub fn root(&self) -> BodyRoot {
        let leaves = self.fields.iter().map(|f| {
            let v = match &f.value {
                FieldValue::Shown { salt, value } => h("fieldseal/v0/field", &[salt, value]),
                FieldValue::Withheld(v) => *v,
            };
            merkle::leaf_hash(&[&(f.path.len() as u16).to_be_bytes()[..], f.path.as_bytes(), &v].concat())
        });
        let tree = merkle::tree_hash(leaves);
        BodyRoot::from_bytes(h("fieldseal/v0/body", &[&(self.fields.len() as u64).to_be_bytes(), &tree]))
    }

    /// All fields but the one at the empty path, in order.
    pub fn fields(&self) -> &[Field] {
        &self.fields[1..]
    }

    /// The value at a path, if the path exists and is shown.
    pub fn get(&self, path: &str) -> Option<Value> {
        let i = self.fields.binary_search_by(|f| f.path.as_bytes().cmp(path.as_bytes())).ok()?;
        match &self.fields[i].value {
            FieldValue::Shown { value, .. } => cbor::decode(value).ok(),
            FieldValue::Withheld(_) => None,
        }
    }

    /// Whether every field is shown.
    pub fn is_complete(&self) -> bool {
        self.fields.iter().all(|f| matches!(f.value, FieldValue::Shown { .. }))
    }

    /// A partial body without the values at these paths; the seed is dropped with them.
    pub fn withhold(&self, paths: &[&str]) -> Body {
        let fields = self.fields.iter().map(|f| match &f.value {
            FieldValue::Shown { salt, value } if paths.contains(&f.path.as_str()) => {
                Field { path: f.path.clone(), value: FieldValue::Withheld(h("fieldseal/v0/field", &[salt, value])) }
            }
            _ => f.clone(),
        });
        Body { seed: None, fields: fields.collect() }
    }

    fn checked(self) -> Result<Self, BodyError> {
        if self.fields.len() > MAX_FIELDS {
            return Err(BodyError::TooLarge("the number of fields"));
        }
        match self.fields.first() {
            Some(Field { path, value: FieldValue::Shown { value, .. } })
                if path.is_empty() && value == EMPTY_PATH_VALUE => {}
            Some(Field { path, value: FieldValue::Withheld(_) }) if path.is_empty() => {}
            _ => return Err(BodyError::Form("the field at the empty path is missing")),
        }
        for pair in self.fields.windows(2) {
            if pair[0].path.as_bytes() >= pair[1].path.as_bytes() {
                return Err(BodyError::Order(pair[1].path.clone()));
            }
        }
        for field in &self.fields[1..] {
            if !path_is_allowed(&field.path) {
                return Err(BodyError::Path(field.path.chars().take(80).collect()));
            }
            if let FieldValue::Shown { value, .. } = &field.value {
                let allowed = value.len() <= MAX_VALUE && cbor::decode(value).is_ok_and(|v| v.is_mapless());
                if !allowed {
                    return Err(BodyError::Value(field.path.clone()));
                }
            }
        }
        Ok(self)
    }
}

fn partial_field(item: &Value) -> Result<Field, BodyError> {
    let digest = |b: &[u8]| b.try_into().map_err(|_| BodyError::Form("a salt or hash is not 32 bytes"));
    match item.as_array() {
        Some([Value::Text(path), Value::Bytes(salt), Value::Bytes(value)]) => {
            Ok(Field { path: path.clone(), value: FieldValue::Shown { salt: digest(salt)?, value: value.clone() } })
        }
        Some([Value::Text(path), Value::Bytes(v)]) => {
            Ok(Field { path: path.clone(), value: FieldValue::Withheld(digest(v)?) })
        }
        _ => Err(BodyError::Form("a field is not [path, salt, value] or [path, v]")),
    }
}

fn path_is_allowed(path: &str) -> bool {
    path.len() <= MAX_PATH && path.split('/').all(|s| !s.is_empty()) && !path.chars().any(char::is_control)
}

fn salt(seed: &Digest32, path: &str) -> Digest32 {
    // HMAC pads a short key with zeros to the hash's block of 64 bytes; doing it here leaves nothing that can fail.
    let mut key = [0u8; 64];
    key[..32].copy_from_slice(seed);
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&key.into());
    mac.update(path.as_bytes());
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Body {
        Body::build(
            [3; 32],
            vec![("b".into(), Value::int(-5)), ("a/x".into(), Value::text("通")), ("a".into(), Value::Bool(true))],
        )
        .unwrap()
    }

    #[test]
    fn withholding_keeps_the_root_and_the_name() {
        let body = sample();
        for paths in [&["a/x"][..], &["a", "b"], &["", "a", "a/x", "b"]] {
            let partial = body.withhold(paths);
            let read = Body::decode(&partial.encode()).unwrap();
            assert_eq!(read, partial);
            assert_eq!(read.root(), body.root());
        }
        assert_eq!(Body::decode(&body.encode()).unwrap(), body);
    }

    #[test]
    fn another_value_or_name_is_another_root() {
        let body = sample();
        let other = Body::build(
            [3; 32],
            vec![("b".into(), Value::int(-6)), ("a/x".into(), Value::text("通")), ("a".into(), Value::Bool(true))],
        );
        assert_ne!(other.unwrap().root(), body.root());
    }

    #[test]
    fn bad_paths_and_values_are_refused() {
        let one = |path: &str, value| Body::build([0; 32], vec![(path.to_owned(), value)]);
        assert!(matches!(one("a//b", Value::Bool(true)), Err(BodyError::Path(_))));
        assert!(matches!(one("a\n", Value::Bool(true)), Err(BodyError::Path(_))));
        assert!(matches!(one(&"a".repeat(201), Value::Bool(true)), Err(BodyError::Path(_))));
        assert!(matches!(one("", Value::Bool(true)), Err(BodyError::Order(_))));
        assert!(matches!(one("a", Value::Map(vec![])), Err(BodyError::Value(_))));
        assert!(matches!(one("a", Value::text("x".repeat(MAX_VALUE))), Err(BodyError::Value(_))));
    }
}
