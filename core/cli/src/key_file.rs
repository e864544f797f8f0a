//! A private key in a file, encrypted under a password: the root key and an administrator's key.
//!
//! JSON `{"fieldseal": "key/0", "purpose", "suite": 1, "public", "argon2": {m, t, p, salt}, "nonce", "sealed"}`, binary as hex;
//! `sealed` is XChaCha20-Poly1305 over the 32-byte seed under argon2id(password), with purpose and public key as additional data.

use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use fieldseal_core::random::{self, OsRandom};
use fieldseal_proof::ids::{from_hex, to_hex};
use fieldseal_proof::suite::{Ed25519Signer, Signer};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::files;

/// 64 MiB, 3 passes: about a fifth of a second; RFC 9106's second choice for machines with little memory.
const ARGON2: (u32, u32, u32) = (64 * 1024, 3, 1);

/// Makes a new Ed25519 key and stores it under a password.
pub fn create(path: &Path, purpose: &str, password: &str) -> Result<Ed25519Signer, Failure> {
    let seed = Zeroizing::new(random_bytes::<32>()?);
    let signer =
        Ed25519Signer::from_seed(&seed).map_err(|e| Failure::new("seal_failed", &[("detail", &e.to_string())]))?;
    let (salt, nonce) = (random_bytes::<16>()?, random_bytes::<24>()?);
    let public = signer.public().as_bytes().to_vec();
    let key = stretch(password, &salt, ARGON2)?;
    let payload = Payload {
        msg: &*seed,
        aad: &aad(purpose, &public),
    };
    let sealed = XChaCha20Poly1305::new(&(*key).into())
        .encrypt(&XNonce::from(nonce), payload)
        .map_err(|_| broken(path, "encryption failed"))?;
    let file = json!({
        "fieldseal": "key/0", "purpose": purpose, "suite": 1, "public": to_hex(&public),
        "argon2": {"m": ARGON2.0, "t": ARGON2.1, "p": ARGON2.2, "salt": to_hex(&salt)},
        "nonce": to_hex(&nonce), "sealed": to_hex(&sealed),
    });
    files::write_secret(path, format!("{file:#}\n").as_bytes())?;
    Ok(signer)
}

/// Opens a key with its password.
pub fn open(path: &Path, purpose: &str, password: &str) -> Result<Ed25519Signer, Failure> {
    let file = files::read_json(path)?;
    let bytes = |v: &Value| {
        v.as_str()
            .and_then(from_hex)
            .ok_or_else(|| broken(path, "it is no key file"))
    };
    if file["fieldseal"] != "key/0" || file["purpose"] != purpose {
        return Err(broken(path, &format!("it is not a key file for {purpose}")));
    }
    let number = |v: &Value, most: u64| {
        v.as_u64()
            .filter(|n| *n <= most)
            .ok_or_else(|| broken(path, "its parameters are out of range"))
    };
    let cost = (
        number(&file["argon2"]["m"], 1 << 20)? as u32,
        number(&file["argon2"]["t"], 16)? as u32,
        number(&file["argon2"]["p"], 4)? as u32,
    );
    let key = stretch(password, &bytes(&file["argon2"]["salt"])?, cost)?;
    let public = bytes(&file["public"])?;
    let nonce: [u8; 24] = bytes(&file["nonce"])?
        .try_into()
        .map_err(|_| broken(path, "its nonce has the wrong length"))?;
    let sealed = bytes(&file["sealed"])?;
    let payload = Payload {
        msg: &sealed,
        aad: &aad(purpose, &public),
    };
    let opened = XChaCha20Poly1305::new(&(*key).into()).decrypt(&XNonce::from(nonce), payload);
    let seed =
        Zeroizing::new(opened.map_err(|_| Failure::new("password_wrong", &[("path", &path.display().to_string())]))?);
    let seed: &[u8; 32] = seed
        .as_slice()
        .try_into()
        .map_err(|_| broken(path, "its seed has the wrong length"))?;
    Ed25519Signer::from_seed(seed).map_err(|_| broken(path, "its seed makes no key"))
}

fn stretch(password: &str, salt: &[u8], (m, t, p): (u32, u32, u32)) -> Result<Zeroizing<[u8; 32]>, Failure> {
    let weak = || Failure::usage("the key file's parameters are not usable");
    let params = Params::new(m, t, p, Some(32)).map_err(|_| weak())?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.as_bytes(), salt, &mut *key)
        .map_err(|_| weak())?;
    Ok(key)
}

/// Random bytes of the operating system.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], Failure> {
    random::array(&OsRandom).map_err(|e| Failure::new("seal_failed", &[("detail", &e.to_string())]))
}

fn aad(purpose: &str, public: &[u8]) -> Vec<u8> {
    [purpose.as_bytes(), &[0], public].concat()
}

fn broken(path: &Path, detail: &str) -> Failure {
    Failure::new(
        "file_unreadable",
        &[("path", &path.display().to_string()), ("detail", detail)],
    )
}
