//! Signature suites and their strict rules (`formats/README.md`, Suites).
//!
//! A [`PublicKey`] exists only if its bytes passed the rules, and [`PublicKey::verify`] is the only way to check a signature.

use ed25519_dalek::Signer as _;
use p256::ecdsa::signature::Verifier as _;

use crate::dsse::pae;
use crate::hash::h;
use crate::ids::{KeyId, to_hex};

/// Which signature and hash an enrolled key uses; fixed by its key record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suite {
    /// Ed25519 (RFC 8032) and SHA-256.
    Ed25519 = 1,
    /// ECDSA P-256 and SHA-256, for hardware keys.
    P256 = 2,
}

/// A key or signature that breaks the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The suite number is not one that can be checked.
    #[error("unknown signature suite {0}")]
    UnknownSuite(u64),
    /// The public key has the wrong length or is no point.
    #[error("malformed public key")]
    MalformedKey,
    /// The key makes one signature valid for every message.
    #[error("weak public key (small order)")]
    WeakKey,
    /// A second encoding of the same point.
    #[error("non-canonical encoding of a public key")]
    NonCanonicalKey,
    /// `R` is not canonical or of small order, or `S ≥ L`.
    #[error("non-canonical Ed25519 signature")]
    NonCanonicalSignature,
    /// `s` is in the upper half of the order.
    #[error("ECDSA signature with high S")]
    HighS,
    /// The signature has the wrong length or values out of range.
    #[error("malformed signature")]
    MalformedSignature,
    /// The equation does not hold.
    #[error("the signature does not match")]
    Mismatch,
}

impl Suite {
    /// From the number in a header or key record.
    pub fn from_number(n: u64) -> Result<Self, SignatureError> {
        match n {
            1 => Ok(Suite::Ed25519),
            2 => Ok(Suite::P256),
            other => Err(SignatureError::UnknownSuite(other)),
        }
    }

    /// The number in a header or key record.
    pub fn number(self) -> u64 {
        self as u64
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Point {
    Ed25519(ed25519_dalek::VerifyingKey),
    P256(p256::ecdsa::VerifyingKey),
}

/// A public key whose bytes passed the strict rules of its suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    bytes: Vec<u8>,
    point: Point,
}

impl PublicKey {
    /// Checks and takes public key bytes: 32 for Ed25519, 33 (compressed SEC1) for P-256.
    ///
    /// # Errors
    /// Malformed, non-canonical or weak keys.
    pub fn parse(suite: Suite, bytes: &[u8]) -> Result<Self, SignatureError> {
        let point = match suite {
            Suite::Ed25519 => {
                let array: &[u8; 32] = bytes.try_into().map_err(|_| SignatureError::MalformedKey)?;
                if !is_canonical_y(array) {
                    return Err(SignatureError::NonCanonicalKey);
                }
                let key = ed25519_dalek::VerifyingKey::from_bytes(array).map_err(|_| SignatureError::MalformedKey)?;
                if key.is_weak() {
                    return Err(SignatureError::WeakKey);
                }
                Point::Ed25519(key)
            }
            Suite::P256 => {
                if bytes.len() != 33 {
                    return Err(SignatureError::MalformedKey);
                }
                let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(bytes);
                Point::P256(key.map_err(|_| SignatureError::MalformedKey)?)
            }
        };
        Ok(Self { bytes: bytes.to_vec(), point })
    }

    /// The suite.
    pub fn suite(&self) -> Suite {
        match self.point {
            Point::Ed25519(_) => Suite::Ed25519,
            Point::P256(_) => Suite::P256,
        }
    }

    /// The public key bytes as enrolled.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// `H("fieldseal/v0/key", suite, bytes)`.
    pub fn key_id(&self) -> KeyId {
        KeyId::from_bytes(h("fieldseal/v0/key", &[&self.suite().number().to_be_bytes(), &self.bytes]))
    }

    /// What is printed on paper: `SHA256:` and 32 hex digits in groups of four.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.key_id())
    }

    /// Checks a signature over `PAE(payload_type, body)`.
    pub fn verify(&self, payload_type: &str, body: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        self.verify_raw(&pae(payload_type, body), signature)
    }

    /// Checks a signature over bytes that carry their own context (C2SP notes, SSHSIG).
    pub fn verify_raw(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let bytes: &[u8; 64] = signature.try_into().map_err(|_| SignatureError::MalformedSignature)?;
        match &self.point {
            Point::Ed25519(key) => {
                let r: &[u8; 32] = bytes[..32].try_into().map_err(|_| SignatureError::MalformedSignature)?;
                let scalar: &[u8; 32] = bytes[32..].try_into().map_err(|_| SignatureError::MalformedSignature)?;
                if !is_canonical_y(r) || !is_below_order(scalar) {
                    return Err(SignatureError::NonCanonicalSignature);
                }
                let r_point =
                    ed25519_dalek::VerifyingKey::from_bytes(r).map_err(|_| SignatureError::MalformedSignature)?;
                if r_point.is_weak() {
                    return Err(SignatureError::NonCanonicalSignature);
                }
                let signature = ed25519_dalek::Signature::from_bytes(bytes);
                key.verify_strict(message, &signature).map_err(|_| SignatureError::Mismatch)
            }
            Point::P256(key) => {
                let signature =
                    p256::ecdsa::Signature::from_slice(bytes).map_err(|_| SignatureError::MalformedSignature)?;
                if signature.normalize_s() != signature {
                    return Err(SignatureError::HighS);
                }
                key.verify(message, &signature).map_err(|_| SignatureError::Mismatch)
            }
        }
    }

    /// SubjectPublicKeyInfo PEM, for openssl.
    pub fn to_pem(&self) -> String {
        // Fixed DER prefixes: AlgorithmIdentifier of Ed25519 (RFC 8410) and of id-ecPublicKey on P-256 (RFC 5480).
        let der = match &self.point {
            Point::Ed25519(_) => {
                [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00], &self.bytes[..]].concat()
            }
            Point::P256(_) => {
                let prefix = [
                    0x30, 0x39, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
                    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x22, 0x00,
                ];
                [&prefix[..], &self.bytes].concat()
            }
        };
        let text = crate::encoding::base64(&der);
        let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|c| std::str::from_utf8(c).ok()).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }

    /// The signature in the form openssl reads: raw for Ed25519, DER for P-256.
    pub fn signature_for_openssl(&self, signature: &[u8; 64]) -> Vec<u8> {
        match self.point {
            Point::Ed25519(_) => signature.to_vec(),
            Point::P256(_) => der_signature(signature),
        }
    }
}

/// The printed form of a key id.
pub fn fingerprint(id: &KeyId) -> String {
    let hex = to_hex(&id.as_bytes()[..16]);
    let groups: Vec<&str> = (0..8).map(|i| &hex[i * 4..i * 4 + 4]).collect();
    format!("SHA256:{}", groups.join(" "))
}

/// Two INTEGERs in a SEQUENCE (RFC 3279 §2.2.3).
pub fn der_signature(signature: &[u8; 64]) -> Vec<u8> {
    let integer = |bytes: &[u8]| {
        let first = bytes.iter().position(|b| *b != 0).unwrap_or(bytes.len() - 1);
        let pad = bytes[first] & 0x80 != 0;
        let mut out = vec![0x02, (bytes.len() - first + usize::from(pad)) as u8];
        out.extend(pad.then_some(0));
        out.extend_from_slice(&bytes[first..]);
        out
    };
    let body = [integer(&signature[..32]), integer(&signature[32..])].concat();
    [&[0x30, body.len() as u8][..], &body].concat()
}

/// Whether the y coordinate, without the sign bit, is below p = 2^255 − 19.
fn is_canonical_y(bytes: &[u8; 32]) -> bool {
    !(bytes[0] >= 0xed && bytes[1..31].iter().all(|b| *b == 0xff) && bytes[31] & 0x7f == 0x7f)
}

/// Whether a little-endian scalar is below L = 2^252 + 27742317777372353535851937790883648493.
fn is_below_order(scalar: &[u8; 32]) -> bool {
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    scalar.iter().rev().lt(L.iter().rev())
}

/// A key that could not sign: a hardware key store refused, or was cancelled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the key could not sign: {0}")]
pub struct SignError(pub String);

/// Whoever holds a private key: software here, a platform key store elsewhere.
pub trait Signer {
    /// The public half.
    fn public(&self) -> &PublicKey;

    /// Signs exactly these bytes; 64 bytes, for P-256 `r ‖ s` with low `s`.
    fn sign_raw(&self, message: &[u8]) -> Result<[u8; 64], SignError>;

    /// Signs `PAE(payload_type, body)`.
    fn sign(&self, payload_type: &str, body: &[u8]) -> Result<[u8; 64], SignError> {
        self.sign_raw(&pae(payload_type, body))
    }
}

/// An Ed25519 private key in memory; erased when dropped.
pub struct Ed25519Signer {
    key: ed25519_dalek::SigningKey,
    public: PublicKey,
}

impl Ed25519Signer {
    /// From the 32-byte seed of RFC 8032.
    ///
    /// # Errors
    /// Never for a seed made at random; the derived key is checked like any other.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, SignatureError> {
        let key = ed25519_dalek::SigningKey::from_bytes(seed);
        let public = PublicKey::parse(Suite::Ed25519, key.verifying_key().as_bytes())?;
        Ok(Self { key, public })
    }
}

impl Signer for Ed25519Signer {
    fn public(&self) -> &PublicKey {
        &self.public
    }

    fn sign_raw(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(self.key.sign(message).to_bytes())
    }
}

/// A P-256 private key in memory; erased when dropped. Signs deterministically (RFC 6979).
pub struct P256Signer {
    key: p256::ecdsa::SigningKey,
    public: PublicKey,
}

impl P256Signer {
    /// From a 32-byte big-endian scalar.
    ///
    /// # Errors
    /// A scalar of zero or not below the order.
    pub fn from_scalar(scalar: &[u8; 32]) -> Result<Self, SignatureError> {
        let key = p256::ecdsa::SigningKey::from_slice(scalar).map_err(|_| SignatureError::MalformedKey)?;
        let public = PublicKey::parse(Suite::P256, key.verifying_key().to_sec1_point(true).as_bytes())?;
        Ok(Self { key, public })
    }
}

impl Signer for P256Signer {
    fn public(&self) -> &PublicKey {
        &self.public
    }

    fn sign_raw(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        let signature: p256::ecdsa::Signature = self.key.sign(message);
        Ok(signature.normalize_s().to_bytes().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_suites_sign_and_refuse_a_changed_message() {
        let signers: [Box<dyn Signer>; 2] = [
            Box::new(Ed25519Signer::from_seed(&[7; 32]).unwrap()),
            Box::new(P256Signer::from_scalar(&[7; 32]).unwrap()),
        ];
        for signer in signers {
            let signature = signer.sign("t", b"fine 5000").unwrap();
            assert_eq!(signer.public().verify("t", b"fine 5000", &signature), Ok(()));
            assert_eq!(signer.public().verify("t", b"fine 50000", &signature), Err(SignatureError::Mismatch));
            assert_eq!(signer.public().verify("u", b"fine 5000", &signature), Err(SignatureError::Mismatch));
        }
    }

    #[test]
    fn a_key_that_signs_everything_is_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(PublicKey::parse(Suite::Ed25519, &identity), Err(SignatureError::WeakKey));
        let mut p_plus_one = [0xff; 32];
        (p_plus_one[0], p_plus_one[31]) = (0xee, 0x7f);
        assert_eq!(PublicKey::parse(Suite::Ed25519, &p_plus_one), Err(SignatureError::NonCanonicalKey));
    }

    #[test]
    fn a_second_form_of_a_good_signature_is_refused() {
        let signer = Ed25519Signer::from_seed(&[9; 32]).unwrap();
        let mut signature = signer.sign_raw(b"m").unwrap();
        // S + L: the classic malleability.
        let l = [0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14];
        let mut carry = 0u16;
        for i in 0..32 {
            let add = if i < 16 {
                l[i]
            } else if i == 31 {
                0x10
            } else {
                0
            };
            let sum = signature[32 + i] as u16 + add as u16 + carry;
            (signature[32 + i], carry) = (sum as u8, sum >> 8);
        }
        assert_eq!(signer.public().verify_raw(b"m", &signature), Err(SignatureError::NonCanonicalSignature));
    }
}
