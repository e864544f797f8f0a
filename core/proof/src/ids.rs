//! One type per identifier. Random ids are 16 bytes and read as UUID; hashes are 32 bytes and read as hex.

use std::fmt;
use std::str::FromStr;

/// A text that is not the identifier it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {what}: expected {expected}")]
pub struct IdError {
    /// Which identifier was expected.
    pub what: &'static str,
    /// Its form.
    pub expected: &'static str,
}

macro_rules! random_ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// From its 16 bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self { Self(bytes) }
            /// Its 16 bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] { &self.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write_uuid(&self.0, f) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, "{}({self})", stringify!($name)) }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(s: &str) -> Result<Self, IdError> {
                parse_uuid(s).map(Self).ok_or(IdError { what: stringify!($name), expected: "a UUID like 3f2a…-…" })
            }
        }
    )*};
}

macro_rules! hash_ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// From its 32 bytes.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self { Self(bytes) }
            /// Its 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] { &self.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&to_hex(&self.0)) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, "{}({self})", stringify!($name)) }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(s: &str) -> Result<Self, IdError> {
                from_hex(s).and_then(|b| b.try_into().ok()).map(Self).ok_or(IdError { what: stringify!($name), expected: "64 lower-case hex digits" })
            }
        }
    )*};
}

random_ids! {
    /// The agency whose record this is; one tenant has one root key and one log.
    TenantId,
    /// A tablet, a supervisor's laptop, or the server's ingest device.
    DeviceId,
    /// One life of a device's store; minted anew when the store is made or restored.
    IncarnationId,
    /// A start of the device's operating system.
    BootId,
    /// An officer's unlocked session on a device.
    SessionId,
    /// A case file (案卷).
    CaseId,
    /// An on-site inspection (现场检查).
    InspectionId,
    /// A person who signs: officer, second officer, supervisor.
    OfficerId,
    /// An enterprise (生产经营单位) of the registry.
    EnterpriseId,
    /// A finding (发现的问题).
    FindingId,
    /// A piece of evidence (证据).
    EvidenceId,
    /// A statutory document (执法文书).
    DocumentId,
    /// A random id inside a path: statement, order, signature, custody event, lease.
    ItemId,
    /// A server's life between restores.
    Epoch,
}

hash_ids! {
    /// An operation's identity: hash of its header.
    OpId,
    /// Hash of header and device signature: the leaf of the central log.
    Commitment,
    /// The device chain's hash up to an operation.
    Link,
    /// Hash of suite and public key.
    KeyId,
    /// Hash over a body's salted fields.
    BodyRoot,
    /// Hash of a time attestation.
    Anchor,
    /// A rule pack's content address.
    PackHash,
    /// The key log's hash up to an entry.
    KeyLogHead,
    /// SHA-256 of original bytes: a photograph, a video, a PDF.
    BlobHash,
}

/// Lower-case hex of some bytes.
pub fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [DIGITS[(b >> 4) as usize] as char, DIGITS[(b & 15) as usize] as char]).collect()
}

/// Bytes of lower-case hex; `None` for anything else, also upper case: a hash has one spelling.
pub fn from_hex(s: &str) -> Option<Vec<u8>> {
    if !s.len().is_multiple_of(2) {
        return None;
    }
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    s.as_bytes().chunks(2).map(|p| Some(digit(p[0])? << 4 | digit(p[1])?)).collect()
}

fn write_uuid(bytes: &[u8; 16], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let hex = to_hex(bytes);
    write!(f, "{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn parse_uuid(s: &str) -> Option<[u8; 16]> {
    let dashes = [8, 13, 18, 23];
    if s.len() != 36 || !s.is_ascii() || dashes.iter().any(|&i| s.as_bytes()[i] != b'-') {
        return None;
    }
    from_hex(&s.replace('-', "")).and_then(|b| b.try_into().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_has_one_spelling() {
        let id = DeviceId::from_bytes(*b"0123456789abcdef");
        assert_eq!(id.to_string(), "30313233-3435-3637-3839-616263646566");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("30313233-3435-3637-3839-61626364656F".parse::<DeviceId>().is_err());
        assert!("30313233343536373839616263646566".parse::<DeviceId>().is_err());
        assert!("ab".parse::<OpId>().is_err());
    }
}
