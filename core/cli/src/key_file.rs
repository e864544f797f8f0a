//! A private key in a file, under a PIN or password: Argon2id, then XChaCha20-Poly1305.
//!
//! `FSKF0\n`, salt (16), nonce (24), then the sealed 32-byte Ed25519 seed with the public key as additional data, after
//! the public key (32) in clear, so that a key can be recognised without its PIN.

use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use fieldseal_core::catalogue::Param;
use fieldseal_proof::suite::{Ed25519Signer, Signer};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::files;

const MAGIC: &[u8; 6] = b"FSKF0\n";
const SALT: usize = 16;
const NONCE: usize = 24;
const PUBLIC: usize = 32;
const LENGTH: usize = MAGIC.len() + PUBLIC + SALT + NONCE + 32 + 16;
/// Shortest PIN of a root or administrator key: it guards a file that may be copied, so tries cost nothing but time.
pub const SHORTEST: usize = 8;
/// 64 MiB and three passes: about a fifth of a second on an office machine, and costly on a graphics card.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;

/// Makes a new key and writes it.
///
/// # Errors
/// A PIN that is too short, a file that exists, or no randomness.
pub fn create(path: &Path, pin: &str) -> Result<Ed25519Signer, Failure> {
    if pin.chars().count() < SHORTEST {
        return Err(Failure::usage(
            "usage.pin_short",
            [("least", Param::Count(SHORTEST as u64))],
        ));
    }
    let seed = Zeroizing::new(random::<32>()?);
    let signer = Ed25519Signer::from_seed(&seed).map_err(|error| Failure::form(path, error))?;
    let (salt, nonce) = (random::<SALT>()?, random::<NONCE>()?);
    let public = signer.public().as_bytes();
    let sealed = cipher(pin, &salt)?.encrypt(
        &XNonce::from(nonce),
        Payload {
            msg: &*seed,
            aad: public,
        },
    );
    let sealed = sealed.map_err(|_| Failure::form(path, "could not be encrypted"))?;
    files::create_secret(path, &[MAGIC, public, &salt, &nonce, &sealed].concat())?;
    Ok(signer)
}

/// Opens a key with its PIN.
///
/// # Errors
/// A file that is no key file, or another PIN.
pub fn open(path: &Path, pin: &str) -> Result<Ed25519Signer, Failure> {
    let bytes = files::read(path)?;
    if bytes.len() != LENGTH || !bytes.starts_with(MAGIC) {
        return Err(Failure::form(path, "not a key file"));
    }
    let (public, rest) = bytes[MAGIC.len()..].split_at(PUBLIC);
    let (salt, rest) = rest.split_at(SALT);
    let (nonce, sealed) = rest.split_at(NONCE);
    let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| Failure::form(path, "not a key file"))?;
    let wrong = || Failure::new("key_pin_wrong", [("path", Param::text(path.display().to_string()))]);
    let seed = cipher(pin, salt)?.decrypt(
        &XNonce::from(nonce),
        Payload {
            msg: sealed,
            aad: public,
        },
    );
    let seed = Zeroizing::new(seed.map_err(|_| wrong())?);
    let seed: Zeroizing<[u8; 32]> = Zeroizing::new(seed.as_slice().try_into().map_err(|_| wrong())?);
    Ed25519Signer::from_seed(&seed).map_err(|error| Failure::form(path, error))
}

/// Random bytes of the operating system.
pub fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        Failure::new(
            "missing_tool",
            [("what", Param::text(error.to_string())), ("command", Param::text(""))],
        )
    })?;
    Ok(bytes)
}

/// A new UUID of version 4.
pub fn new_id() -> Result<[u8; 16], Failure> {
    Ok(*uuid::Builder::from_random_bytes(random()?).as_uuid().as_bytes())
}

fn cipher(pin: &str, salt: &[u8]) -> Result<XChaCha20Poly1305, Failure> {
    let failed = |error: argon2::Error| Failure::usage("usage.pin_hash", [("detail", Param::text(error.to_string()))]);
    let params = Params::new(MEMORY_KIB, PASSES, 1, Some(32)).map_err(failed)?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(pin.as_bytes(), salt, &mut *key)
        .map_err(failed)?;
    Ok(XChaCha20Poly1305::new(&Key::from(*key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_with_its_pin_alone_and_not_after_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.key");
        let made = create(&path, "correct horse").unwrap();
        assert_eq!(open(&path, "correct horse").unwrap().public(), made.public());
        assert_eq!(open(&path, "correct horsf").err().unwrap().code(), "key_pin_wrong");
        assert!(
            create(&path, "correct horse").is_err(),
            "a key must never be overwritten"
        );
        assert_eq!(create(&folder.path().join("b"), "short").err().unwrap().code(), "usage");
        let mut bytes = std::fs::read(&path).unwrap();
        for at in [6, 40, 60, 90, LENGTH - 1] {
            bytes[at] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            assert!(open(&path, "correct horse").is_err(), "byte {at}");
            bytes[at] ^= 1;
        }
    }
}
