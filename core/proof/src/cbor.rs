//! Deterministic CBOR (RFC 8949 §4.2.1), in the narrow profile of `formats/README.md`.
//!
//! The decoder refuses whatever has two encodings, so that two careful readers can never disagree about signed bytes.

/// Deepest nesting that is decoded.
pub const MAX_DEPTH: usize = 8;

/// One item of the profile: no floats, tags, null or text keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// Unsigned integer.
    Uint(u64),
    /// Negative integer `-1 - n`, holding `n`.
    Nint(u64),
    /// Byte string.
    Bytes(Vec<u8>),
    /// UTF-8 text.
    Text(String),
    /// `false` or `true`.
    Bool(bool),
    /// Array.
    Array(Vec<Value>),
    /// Map with unsigned integer keys in strictly ascending order.
    Map(Vec<(u64, Value)>),
}

/// Why bytes are not an item of the profile; the offset is in bytes from the start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("CBOR at byte {offset}: {reason}")]
pub struct CborError {
    /// Where decoding stopped.
    pub offset: usize,
    /// What was wrong there.
    pub reason: &'static str,
}

impl Value {
    /// A signed integer as the profile's unsigned or negative item.
    pub fn int(n: i64) -> Value {
        if n >= 0 { Value::Uint(n as u64) } else { Value::Nint(!(n as u64)) }
    }

    /// Text.
    pub fn text(s: impl Into<String>) -> Value {
        Value::Text(s.into())
    }

    /// Bytes.
    pub fn bytes(b: impl AsRef<[u8]>) -> Value {
        Value::Bytes(b.as_ref().to_vec())
    }

    /// The unsigned integer, if it is one.
    pub fn as_uint(&self) -> Option<u64> {
        if let Value::Uint(n) = self { Some(*n) } else { None }
    }

    /// The integer, positive or negative, if it fits 64 bits signed.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Uint(n) => i64::try_from(*n).ok(),
            Value::Nint(n) => i64::try_from(*n).ok().map(|n| -1 - n),
            _ => None,
        }
    }

    /// The byte string, if it is one.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        if let Value::Bytes(b) = self { Some(b) } else { None }
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        if let Value::Text(s) = self { Some(s) } else { None }
    }

    /// The elements, if it is an array.
    pub fn as_array(&self) -> Option<&[Value]> {
        if let Value::Array(a) = self { Some(a) } else { None }
    }

    /// The entries, if it is a map.
    pub fn as_map(&self) -> Option<&[(u64, Value)]> {
        if let Value::Map(m) = self { Some(m) } else { None }
    }

    /// Whether the item holds no map: what a body field may carry.
    pub fn is_mapless(&self) -> bool {
        match self {
            Value::Map(_) => false,
            Value::Array(items) => items.iter().all(Value::is_mapless),
            _ => true,
        }
    }
}

/// Encodes an item. Map keys are written in the order given, which must be ascending.
///
/// ```
/// use fieldseal_proof::cbor::{encode, Value};
/// assert_eq!(encode(&Value::Map(vec![(0, Value::int(-1)), (23, Value::text("ä"))])), b"\xa2\x00\x20\x17\x62\xc3\xa4");
/// ```
pub fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    encode_into(value, &mut out);
    out
}

/// Appends the encoding of an item.
pub fn encode_into(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Uint(n) => head(0, *n, out),
        Value::Nint(n) => head(1, *n, out),
        Value::Bytes(b) => {
            head(2, b.len() as u64, out);
            out.extend_from_slice(b);
        }
        Value::Text(s) => {
            head(3, s.len() as u64, out);
            out.extend_from_slice(s.as_bytes());
        }
        Value::Array(items) => {
            head(4, items.len() as u64, out);
            items.iter().for_each(|item| encode_into(item, out));
        }
        Value::Map(entries) => {
            debug_assert!(entries.windows(2).all(|w| w[0].0 < w[1].0), "map keys must ascend");
            head(5, entries.len() as u64, out);
            for (key, item) in entries {
                head(0, *key, out);
                encode_into(item, out);
            }
        }
        Value::Bool(b) => out.push(if *b { 0xf5 } else { 0xf4 }),
    }
}

fn head(major: u8, n: u64, out: &mut Vec<u8>) {
    let m = major << 5;
    match n {
        0..=23 => out.push(m | n as u8),
        24..=0xff => out.extend_from_slice(&[m | 24, n as u8]),
        0x100..=0xffff => {
            out.push(m | 25);
            out.extend_from_slice(&(n as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(m | 26);
            out.extend_from_slice(&(n as u32).to_be_bytes());
        }
        _ => {
            out.push(m | 27);
            out.extend_from_slice(&n.to_be_bytes());
        }
    }
}

/// Decodes exactly one item; bytes after it are an error.
pub fn decode(bytes: &[u8]) -> Result<Value, CborError> {
    let (value, used) = decode_prefix(bytes)?;
    if used != bytes.len() {
        return Err(CborError { offset: used, reason: "bytes after the item" });
    }
    Ok(value)
}

/// Decodes the item at the start and says how many bytes it took (for CBOR sequences, RFC 8742).
pub fn decode_prefix(bytes: &[u8]) -> Result<(Value, usize), CborError> {
    let mut reader = Reader { bytes, at: 0 };
    let value = reader.item(0)?;
    Ok((value, reader.at))
}

/// Longest item of a sequence in bytes: the longest frame, with room. An item is read whole, and one that is longer than any
/// frame may be must not be allocated.
const MAX_SEQUENCE_ITEM: usize = 2 * 1024 * 1024;

/// Splits a CBOR sequence into the byte ranges of its items without keeping their values.
pub fn split_sequence(bytes: &[u8]) -> Result<Vec<&[u8]>, CborError> {
    let mut items = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let (_, used) = decode_prefix(&bytes[at..bytes.len().min(at + MAX_SEQUENCE_ITEM)])
            .map_err(|e| CborError { offset: e.offset + at, ..e })?;
        items.push(&bytes[at..at + used]);
        at += used;
    }
    Ok(items)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn fail<T>(&self, reason: &'static str) -> Result<T, CborError> {
        Err(CborError { offset: self.at, reason })
    }

    fn take(&mut self, n: u64) -> Result<&'a [u8], CborError> {
        let left = (self.bytes.len() - self.at) as u64;
        if n > left {
            return self.fail("item is cut off");
        }
        let slice = &self.bytes[self.at..self.at + n as usize];
        self.at += n as usize;
        Ok(slice)
    }

    fn head(&mut self) -> Result<(u8, u8, u64), CborError> {
        let first = self.take(1)?[0];
        let (major, info) = (first >> 5, first & 31);
        let (n, least) = match info {
            0..=23 => (info as u64, 0),
            24 => (self.take(1)?[0] as u64, 24),
            25 => (u16::from_be_bytes(array(self.take(2)?)) as u64, 0x100),
            26 => (u32::from_be_bytes(array(self.take(4)?)) as u64, 0x1_0000),
            27 => (u64::from_be_bytes(array(self.take(8)?)), 0x1_0000_0000),
            _ => return self.fail("indefinite or reserved length"),
        };
        if n < least {
            return self.fail("length or integer not in its shortest form");
        }
        Ok((major, info, n))
    }

    fn item(&mut self, depth: usize) -> Result<Value, CborError> {
        if depth > MAX_DEPTH {
            return self.fail("nested too deep");
        }
        let (major, info, n) = self.head()?;
        // An item takes at least one byte, so a count above the bytes left is a lie; refuse it before allocating.
        let left = (self.bytes.len() - self.at) as u64;
        match major {
            0 => Ok(Value::Uint(n)),
            1 => Ok(Value::Nint(n)),
            2 => Ok(Value::Bytes(self.take(n)?.to_vec())),
            3 => match std::str::from_utf8(self.take(n)?) {
                Ok(s) => Ok(Value::Text(s.to_owned())),
                Err(_) => self.fail("text is not UTF-8"),
            },
            4 if n > left => self.fail("more items than bytes left"),
            4 => (0..n).map(|_| self.item(depth + 1)).collect::<Result<_, _>>().map(Value::Array),
            5 if n > left / 2 => self.fail("more items than bytes left"),
            5 => self.map(n, depth),
            7 if info == 20 || info == 21 => Ok(Value::Bool(info == 21)),
            6 => self.fail("tags are not part of the profile"),
            _ => self.fail("floats, null and other simple values are not part of the profile"),
        }
    }

    fn map(&mut self, n: u64, depth: usize) -> Result<Value, CborError> {
        let mut entries: Vec<(u64, Value)> = Vec::with_capacity(n.min(64) as usize);
        for _ in 0..n {
            let (major, _, key) = self.head()?;
            if major != 0 {
                return self.fail("map key is not an unsigned integer");
            }
            if entries.last().is_some_and(|(last, _)| *last >= key) {
                return self.fail("map keys do not ascend strictly");
            }
            entries.push((key, self.item(depth + 1)?));
        }
        Ok(Value::Map(entries))
    }
}

fn array<const N: usize>(slice: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(slice);
    out
}

/// Reads fields out of a decoded map by key, naming what is missing or of another type.
pub struct MapReader<'a> {
    entries: &'a [(u64, Value)],
    what: &'static str,
}

/// A field of a map that is missing or has another type or length than the page says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: field {key} {reason}")]
pub struct FieldError {
    /// The object.
    pub what: &'static str,
    /// The key.
    pub key: u64,
    /// What is wrong.
    pub reason: &'static str,
}

impl<'a> MapReader<'a> {
    /// Wraps a decoded item that must be a map.
    pub fn new(value: &'a Value, what: &'static str) -> Result<Self, FieldError> {
        let entries = value.as_map().ok_or(FieldError { what, key: 0, reason: "is not a map" })?;
        Ok(Self { entries, what })
    }

    /// Wraps a decoded item that must be a map without keys above `last`: nothing signs it, so nothing may hide in it.
    pub fn only(value: &'a Value, what: &'static str, last: u64) -> Result<Self, FieldError> {
        let map = Self::new(value, what)?;
        match map.entries.last() {
            Some((key, _)) if *key > last => Err(map.error(*key, "is not known")),
            _ => Ok(map),
        }
    }

    /// The item under a key, if present.
    pub fn get(&self, key: u64) -> Option<&'a Value> {
        self.entries.binary_search_by_key(&key, |(k, _)| *k).ok().map(|i| &self.entries[i].1)
    }

    fn error(&self, key: u64, reason: &'static str) -> FieldError {
        FieldError { what: self.what, key, reason }
    }

    fn typed<T>(
        &self,
        key: u64,
        reason: &'static str,
        f: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, FieldError> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => f(value).map(Some).ok_or(self.error(key, reason)),
        }
    }

    /// A required field read through `f`.
    pub fn need<T>(&self, key: u64, reason: &'static str, f: impl Fn(&'a Value) -> Option<T>) -> Result<T, FieldError> {
        self.typed(key, reason, f)?.ok_or(self.error(key, "is missing"))
    }

    /// A required unsigned integer.
    pub fn uint(&self, key: u64) -> Result<u64, FieldError> {
        self.need(key, "is not an unsigned integer", Value::as_uint)
    }

    /// A required text.
    pub fn text(&self, key: u64) -> Result<&'a str, FieldError> {
        self.need(key, "is not text", Value::as_text)
    }

    /// An optional text.
    pub fn opt_text(&self, key: u64) -> Result<Option<&'a str>, FieldError> {
        self.typed(key, "is not text", Value::as_text)
    }

    /// A required byte string of any length.
    pub fn bytes(&self, key: u64) -> Result<&'a [u8], FieldError> {
        self.need(key, "is not a byte string", Value::as_bytes)
    }

    /// An optional byte string of any length.
    pub fn opt_bytes(&self, key: u64) -> Result<Option<&'a [u8]>, FieldError> {
        self.typed(key, "is not a byte string", Value::as_bytes)
    }

    /// A required byte string of exactly `N` bytes.
    pub fn fixed<const N: usize>(&self, key: u64) -> Result<[u8; N], FieldError> {
        self.opt_fixed(key)?.ok_or(self.error(key, "is missing"))
    }

    /// An optional byte string of exactly `N` bytes.
    pub fn opt_fixed<const N: usize>(&self, key: u64) -> Result<Option<[u8; N]>, FieldError> {
        self.typed(key, "is not a byte string of the right length", |v| v.as_bytes().and_then(|b| b.try_into().ok()))
    }

    /// A required array.
    pub fn array(&self, key: u64) -> Result<&'a [Value], FieldError> {
        self.need(key, "is not an array", Value::as_array)
    }

    /// An optional array.
    pub fn opt_array(&self, key: u64) -> Result<Option<&'a [Value]>, FieldError> {
        self.typed(key, "is not an array", Value::as_array)
    }

    /// The entries whose key is greater than `last`: what a later version added.
    pub fn beyond(&self, last: u64) -> Vec<(u64, Value)> {
        self.entries.iter().filter(|(k, _)| *k > last).cloned().collect()
    }
}

/// Collects present fields of a map in ascending key order.
#[derive(Default)]
pub struct MapWriter(Vec<(u64, Value)>);

impl MapWriter {
    /// Adds a field; keys must be added in ascending order.
    pub fn put(mut self, key: u64, value: Value) -> Self {
        self.0.push((key, value));
        self
    }

    /// Adds a field that may be absent.
    pub fn put_opt(self, key: u64, value: Option<Value>) -> Self {
        match value {
            Some(value) => self.put(key, value),
            None => self,
        }
    }

    /// The map.
    pub fn done(self) -> Value {
        Value::Map(self.0)
    }

    /// The encoded map.
    pub fn encode(self) -> Vec<u8> {
        encode(&self.done())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_everything_with_a_second_encoding() {
        for (bytes, reason) in [
            (&b"\x18\x17"[..], "shortest"),
            (b"\x19\x00\xff", "shortest"),
            (b"\x9f\xff", "indefinite"),
            (b"\xa2\x01\x00\x00\x00", "ascend"),
            (b"\xa2\x00\x00\x00\x00", "ascend"),
            (b"\xa1\x61a\x00", "unsigned"),
            (b"\xf6", "null"),
            (b"\xf9\x3c\x00", "floats"),
            (b"\xc0\x60", "tags"),
            (b"\x62\xff\xff", "UTF-8"),
            (b"\x00\x00", "after"),
            (b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", "more items"),
            (b"\x5a\xff\xff\xff\xff", "cut off"),
            (b"\x81\x81\x81\x81\x81\x81\x81\x81\x81\x80", "deep"),
            (b"", "cut off"),
        ] {
            let error = decode(bytes).unwrap_err();
            assert!(error.reason.contains(reason), "{bytes:02x?}: {error}");
        }
    }

    #[test]
    fn integers_round_trip_at_every_width() {
        for n in [0, 23, 24, 255, 256, 65535, 65536, u32::MAX as u64, u32::MAX as u64 + 1, u64::MAX] {
            for v in [Value::Uint(n), Value::Nint(n)] {
                assert_eq!(decode(&encode(&v)), Ok(v));
            }
        }
        assert_eq!(Value::int(-1).as_int(), Some(-1));
        assert_eq!(Value::int(i64::MIN).as_int(), Some(i64::MIN));
    }
}
