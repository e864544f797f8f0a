//! A platform's key store behind the key file: Android Keystore, Secure Enclave.
//!
//! It gives what the file would otherwise hold in the clear: the secret that opens the file, and the operation key, which
//! never leaves the hardware. Officers' keys stay in the file under their PINs.

use std::sync::Arc;

use fieldseal_proof::ids::IncarnationId;
use fieldseal_proof::suite::{PublicKey, SignError, SignatureError, Signer, Suite};
use p256::ecdsa::{Signature, VerifyingKey};
use zeroize::Zeroizing;

use super::KeyringError;

/// What a platform's key store does for one device. Every method may be called from any thread.
pub trait PlatformKeys: Send + Sync {
    /// The 32 bytes that open the key file: made at random by the first call, the same ever after, kept by the platform.
    ///
    /// # Errors
    /// When the platform refuses or has lost them.
    fn device_secret(&self) -> Result<Zeroizing<[u8; 32]>, SignError>;

    /// The public half of the P-256 key of this name, which the first call makes: SEC1 (33 or 65 bytes) or the DER of a
    /// SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// When the platform makes no such key.
    fn public_key(&self, name: &str) -> Result<Vec<u8>, SignError>;

    /// ECDSA with SHA-256 over the message by the key of this name: DER, or `r ‖ s` of 64 bytes.
    ///
    /// # Errors
    /// When the platform refuses, or the user did.
    fn sign(&self, name: &str, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// The operation key of one life of a device, in the platform's hardware.
pub(super) struct PlatformSigner {
    platform: Arc<dyn PlatformKeys>,
    name: String,
    public: PublicKey,
}

impl PlatformSigner {
    /// The key of an incarnation; made by the platform when it is asked for the first time.
    pub fn of(platform: Arc<dyn PlatformKeys>, incarnation: &IncarnationId) -> Result<Self, KeyringError> {
        let name = format!("fieldseal.operation.{incarnation}");
        let public = compressed(&platform.public_key(&name)?)?;
        Ok(Self { platform, name, public })
    }
}

impl Signer for PlatformSigner {
    fn public(&self) -> &PublicKey {
        &self.public
    }

    fn sign_raw(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        let given = self.platform.sign(&self.name, message)?;
        let parsed = match given.len() {
            64 => Signature::from_slice(&given),
            _ => Signature::from_der(&given),
        };
        let wrong = |why: &str| SignError(format!("the platform's key store gave {why}"));
        let signature: [u8; 64] = parsed
            .map_err(|_| wrong("no ECDSA signature"))?
            .normalize_s()
            .to_bytes()
            .into();
        // Once in the chain, a wrong signature could never be put right: it is met here.
        self.public
            .verify_raw(message, &signature)
            .map_err(|_| wrong("a signature of another key or message"))?;
        Ok(signature)
    }
}

/// The one form in which a key is enrolled.
fn compressed(given: &[u8]) -> Result<PublicKey, SignatureError> {
    let point = match given.len() {
        // The point stands at the end of a SubjectPublicKeyInfo; what comes before it is the same for every P-256 key.
        91 if given.starts_with(&SPKI) => &given[SPKI.len()..],
        _ => given,
    };
    let key = VerifyingKey::from_sec1_bytes(point).map_err(|_| SignatureError::MalformedKey)?;
    PublicKey::parse(Suite::P256, key.to_sec1_point(true).as_bytes())
}

/// RFC 5480: id-ecPublicKey on P-256, then the BIT STRING's head.
const SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

#[cfg(test)]
mod tests {
    use super::*;
    use p256::ecdsa::signature::Signer as _;

    /// A platform with one key; `lies` makes it sign something else.
    struct Chip {
        key: p256::ecdsa::SigningKey,
        lies: bool,
        der: bool,
    }

    impl Chip {
        fn new(lies: bool, der: bool) -> Arc<Self> {
            let key = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
            Arc::new(Self { key, lies, der })
        }
    }

    impl PlatformKeys for Chip {
        fn device_secret(&self) -> Result<Zeroizing<[u8; 32]>, SignError> {
            Ok(Zeroizing::new([3; 32]))
        }

        fn public_key(&self, _: &str) -> Result<Vec<u8>, SignError> {
            let point = self.key.verifying_key().to_sec1_point(false);
            Ok(if self.der {
                [&SPKI[..], point.as_bytes()].concat()
            } else {
                point.as_bytes().to_vec()
            })
        }

        fn sign(&self, _: &str, message: &[u8]) -> Result<Vec<u8>, SignError> {
            let signature: Signature = self.key.sign(if self.lies { b"another" } else { message });
            Ok(if self.der {
                signature.to_der().as_bytes().to_vec()
            } else {
                signature.to_bytes().to_vec()
            })
        }
    }

    #[test]
    fn both_forms_of_a_platform_become_the_one_that_is_enrolled() {
        let incarnation = IncarnationId::from_bytes([1; 16]);
        for der in [true, false] {
            let signer = PlatformSigner::of(Chip::new(false, der), &incarnation).unwrap();
            assert_eq!(signer.public().as_bytes().len(), 33);
            let signature = signer.sign("t", b"m").unwrap();
            assert_eq!(signer.public().verify("t", b"m", &signature), Ok(()));
        }
    }

    #[test]
    fn a_signature_over_something_else_never_reaches_the_chain() {
        let signer = PlatformSigner::of(Chip::new(true, true), &IncarnationId::from_bytes([1; 16])).unwrap();
        assert!(signer.sign_raw(b"m").is_err());
    }
}
