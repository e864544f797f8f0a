//! Keys wrapped to the tenant's escrow: `vault.md`.

use std::sync::atomic::AtomicU8;

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use fieldseal_core::vault::{EscrowKey, OnFailure};
use fieldseal_proof::cbor::{self, Value as Item};
use fieldseal_proof::ids::to_hex;
use hkdf::Hkdf;
use serde_json::{Value, json};
use sha2::Sha256;
use x25519_dalek::{PublicKey, StaticSecret};

use crate::files::{Counted, VAULT_KEY, vault};
use crate::{Vector, bytes, object};

const SECRET: [u8; 32] = [9; 32];
const DATABASE_KEY: [u8; 32] = [6; 32];

fn escrow(secret: [u8; 32]) -> EscrowKey {
    EscrowKey::parse(PublicKey::from(&StaticSecret::from(secret)).to_bytes()).unwrap()
}

fn counted() -> Counted {
    Counted(AtomicU8::new(1))
}

pub fn vectors() -> Vec<Vector> {
    let vector = |kind, name, what, input, reason| Vector {
        kind,
        name,
        page: "vault.md",
        what,
        input,
        reason,
    };
    let of_file = |name, what, file: Vec<u8>, secret: [u8; 32], reason| {
        let input = object([
            ("escrow_secret", json!(to_hex(&secret))),
            ("file", json!(to_hex(&file))),
            ("vault_key", json!(to_hex(&VAULT_KEY))),
        ]);
        vector("vault", name, what, input, reason)
    };
    let of_store = |name, what, file: Vec<u8>, secret: [u8; 32], reason| {
        let input = object([
            ("escrow_secret", json!(to_hex(&secret))),
            ("file", json!(to_hex(&file))),
        ]);
        vector("store-escrow", name, what, input, reason)
    };
    let (sealed, plain) = (evidence(Some(escrow(SECRET))), evidence(None));
    let store = escrow(SECRET)
        .wrap_database_key(&DATABASE_KEY, None, &counted())
        .unwrap();
    let with = |key: u64, value: Item| {
        let mut map = cbor::decode(&store).unwrap().as_map().unwrap().to_vec();
        map.iter_mut()
            .filter(|(k, _)| *k == key)
            .for_each(|(_, v)| *v = value.clone());
        cbor::encode(&Item::Map(map))
    };
    let mut changed = store.clone();
    // Inside the wrapped key, behind the ephemeral key.
    changed[50] ^= 1;
    let id_of_another = Item::bytes(escrow([8; 32]).key_id().as_bytes());
    let refused = Some("refused");
    vec![
        of_file(
            "with-escrow",
            "A file key that is wrapped to the vault key and to the escrow key.",
            sealed.clone(),
            SECRET,
            None,
        ),
        of_file(
            "escrow-of-another",
            "The file key is wrapped to another escrow key.",
            sealed,
            [8; 32],
            refused,
        ),
        of_file(
            "without-escrow",
            "A file whose key is wrapped to no escrow key.",
            plain,
            SECRET,
            refused,
        ),
        of_store(
            "database-key",
            "The key of a database, wrapped to the escrow key.",
            store.clone(),
            SECRET,
            None,
        ),
        of_store(
            "database-key-and-salt",
            "The key of a database with the salt that its file begins with.",
            escrow(SECRET)
                .wrap_database_key(&DATABASE_KEY, Some([5; 16]), &counted())
                .unwrap(),
            SECRET,
            None,
        ),
        of_store(
            "changed",
            "A bit of the wrapped key was changed.",
            changed,
            SECRET,
            refused,
        ),
        of_store(
            "of-another",
            "The secret of another escrow key.",
            store.clone(),
            [8; 32],
            refused,
        ),
        of_store(
            "key-id-of-another",
            "It names another escrow key than the one that opens it.",
            with(4, id_of_another),
            SECRET,
            refused,
        ),
        of_store(
            "shared-secret-of-zeros",
            "The ephemeral key is of small order: everybody knows the shared secret.",
            with(3, Item::Bytes(zero_wrapped())),
            SECRET,
            refused,
        ),
        of_store(
            "cut-off",
            "The wrapped key is too short.",
            with(3, Item::bytes([7; 79])),
            SECRET,
            refused,
        ),
    ]
}

fn evidence(escrow: Option<EscrowKey>) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let vault = vault(folder.path());
    vault.set_escrow(escrow);
    let file = vault.write(&mut &b"a photograph"[..], OnFailure::Discard).unwrap();
    std::fs::read(folder.path().join(&file.name)).unwrap()
}

/// A database key under the wrapping key that a shared secret of zeros gives.
fn zero_wrapped() -> Vec<u8> {
    let escrow = PublicKey::from(&StaticSecret::from(SECRET)).to_bytes();
    let mut out = vec![0; 32];
    let mut buffer = DATABASE_KEY.to_vec();
    let tag = cipher(&[0; 32], &[0; 32], &escrow)
        .encrypt_inout_detached(&XNonce::from([0; 24]), &[], buffer.as_mut_slice().into())
        .unwrap();
    out.extend(buffer);
    out.extend_from_slice(&tag);
    out
}

fn cipher(shared: &[u8; 32], ephemeral: &[u8; 32], escrow: &[u8; 32]) -> XChaCha20Poly1305 {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(Some(&[&ephemeral[..], escrow].concat()), shared)
        .expand(b"fieldseal/v0/wrap-escrow", &mut key)
        .unwrap();
    XChaCha20Poly1305::new(&Key::from(key))
}

/// What a holder of the escrow's secret does: the wrapped key under the named escrow key.
fn open(map: &Item, secret: &[u8]) -> Result<[u8; 32], String> {
    let field = |key: u64| {
        let found = map.as_map().and_then(|m| m.iter().find(|(k, _)| *k == key));
        found.and_then(|(_, v)| v.as_bytes()).ok_or("refused: no escrow")
    };
    let secret = StaticSecret::from(<[u8; 32]>::try_from(secret).unwrap());
    let public = PublicKey::from(&secret).to_bytes();
    let (wrapped, named) = (field(3)?, field(4)?);
    if named != EscrowKey::parse(public).unwrap().key_id().as_bytes() {
        return Err("refused: another escrow key".into());
    }
    let (ephemeral, sealed) = wrapped.split_at_checked(32).ok_or("refused: cut off")?;
    let ephemeral: [u8; 32] = ephemeral.try_into().unwrap();
    let shared = secret.diffie_hellman(&PublicKey::from(ephemeral));
    if !shared.was_contributory() || sealed.len() != 48 {
        return Err("refused: of small order, or another length".into());
    }
    let (hidden, tag) = sealed.split_at(32);
    let mut key = hidden.to_vec();
    cipher(shared.as_bytes(), &ephemeral, &public)
        .decrypt_inout_detached(
            &XNonce::from([0; 24]),
            &[],
            key.as_mut_slice().into(),
            &<[u8; 16]>::try_from(tag).unwrap().into(),
        )
        .map_err(|_| "refused: it does not open")?;
    Ok(key.try_into().unwrap())
}

/// The escrow's copy of the file key opens the first segment, as the vault key's does.
pub fn check_head(file: &[u8], secret: &[u8]) -> Result<(), String> {
    let length = u32::from_be_bytes(file[6..10].try_into().unwrap()) as usize;
    let (head, segments) = file.split_at(10 + length);
    let map = cbor::decode(&head[10..]).unwrap();
    let key = open(&map, secret)?;
    let prefix = map.as_map().unwrap()[1].1.as_bytes().unwrap().to_vec();
    let nonce = [&prefix[..], &[0, 0, 0, 0, 1]].concat();
    let (hidden, tag) = segments.split_at(segments.len() - 16);
    let mut plain = hidden.to_vec();
    XChaCha20Poly1305::new(&Key::from(key))
        .decrypt_inout_detached(
            &XNonce::from(<[u8; 24]>::try_from(nonce).unwrap()),
            &fieldseal_proof::hash::sha256(head),
            plain.as_mut_slice().into(),
            &<[u8; 16]>::try_from(tag).unwrap().into(),
        )
        .map_err(|_| "refused: the escrow's file key is another".into())
}

pub fn check_store(input: &Value) -> Result<Value, String> {
    let map = cbor::decode(&bytes(input, "file")).map_err(|e| format!("refused: {e}"))?;
    let key = open(&map, &bytes(input, "escrow_secret"))?;
    let salt = map
        .as_map()
        .into_iter()
        .flatten()
        .find(|(held, _)| *held == 5)
        .and_then(|(_, salt)| salt.as_bytes());
    Ok(match salt {
        Some(salt) => json!({ "key": to_hex(&key), "salt": to_hex(salt) }),
        None => json!({ "key": to_hex(&key) }),
    })
}
