//! The head of an evidence file: its key, wrapped once for the device and once for the tenant's escrow.

use std::io::Read;

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use fieldseal_proof::cbor::{self, Value};
use fieldseal_proof::hash::{h, sha256};
use fieldseal_proof::ids::KeyId;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{SEGMENT, VaultError};
use crate::random::{Random, array};

const MAGIC: &[u8; 6] = b"FSEV0\n";
/// A head is under 300 bytes without a note; a longer one than this is refused before it is read.
pub(super) const MAX_HEAD: usize = 8 * 1024;

/// Longest note about the evidence in a head.
pub(super) const MAX_NOTE: usize = 6 * 1024;
const VAULT_WRAP: &[u8] = b"fieldseal/v0/wrap-vault";
const NOTE: &[u8] = b"fieldseal/v0/vault-note";
const ESCROW_WRAP: &[u8] = b"fieldseal/v0/wrap-escrow";

/// The tenant's escrow public key (X25519), opened by m of n holders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EscrowKey([u8; 32]);

impl EscrowKey {
    /// From the public key bytes of an `escrow` key record.
    ///
    /// # Errors
    /// A key of small order, under which the shared secret would be known to everybody.
    pub fn parse(bytes: [u8; 32]) -> Result<Self, VaultError> {
        let probe = x25519_dalek::StaticSecret::from([0x42; 32]);
        let shared = probe.diffie_hellman(&x25519_dalek::PublicKey::from(bytes));
        if shared.was_contributory() {
            Ok(Self(bytes))
        } else {
            Err(VaultError::WeakEscrowKey)
        }
    }

    /// Its 32 bytes, as the key log carries them.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0
    }

    /// Its key id, with suite number 0 (key-log.md).
    pub fn key_id(&self) -> KeyId {
        KeyId::from_bytes(h("fieldseal/v0/key", &[&0u64.to_be_bytes(), &self.0]))
    }

    /// Wraps a 32-byte key so that only the escrow's holders can open it (vault.md).
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn wrap(&self, key: &[u8; 32], random: &dyn Random) -> Result<Vec<u8>, VaultError> {
        let secret = x25519_dalek::StaticSecret::from(array::<32>(random)?);
        let ephemeral = x25519_dalek::PublicKey::from(&secret).to_bytes();
        let shared = secret.diffie_hellman(&x25519_dalek::PublicKey::from(self.0));
        let wrapping = escrow_wrapping_key(shared.as_bytes(), &ephemeral, &self.0);
        let sealed = seal(&wrapping, &[0; 24], &[], key);
        Ok([&ephemeral[..], &sealed].concat())
    }
}

impl EscrowKey {
    /// The content of `store.escrow`, which lies beside a database: its key, wrapped, and the salt that the database's first page
    /// begins with, without which no page authenticates (vault.md).
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn wrap_database_key(
        &self,
        key: &[u8; 32],
        salt: Option<[u8; 16]>,
        random: &dyn Random,
    ) -> Result<Vec<u8>, VaultError> {
        let mut map = vec![
            (0, Value::Uint(0)),
            (3, Value::Bytes(self.wrap(key, random)?)),
            (4, Value::bytes(self.key_id().as_bytes())),
        ];
        map.extend(salt.map(|salt| (5, Value::bytes(salt))));
        Ok(cbor::encode(&Value::Map(map)))
    }
}

/// Who opens an evidence file: the device whose vault it lies in, or the escrow's holders.
pub(crate) enum FileKeys<'a> {
    Vault(&'a [u8; 32]),
    Escrow(&'a Unwrap<'a>),
}

/// Opens what is wrapped to the escrow key.
pub(crate) type Unwrap<'a> = dyn Fn(&[u8]) -> Option<Zeroizing<[u8; 32]>> + 'a;

/// Opens a key that was wrapped to an escrow key, with its secret; `None` when it was not, or was changed.
pub(crate) fn open_wrapped(secret: &[u8; 32], wrapped: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let (ephemeral, sealed) = wrapped.split_at_checked(32)?;
    let ephemeral: [u8; 32] = ephemeral.try_into().ok()?;
    let secret = x25519_dalek::StaticSecret::from(*secret);
    let shared = secret.diffie_hellman(&x25519_dalek::PublicKey::from(ephemeral));
    if !shared.was_contributory() {
        return None;
    }
    let public = x25519_dalek::PublicKey::from(&secret).to_bytes();
    let key = escrow_wrapping_key(shared.as_bytes(), &ephemeral, &public);
    open_key(&key, [0; 24], &[], sealed)
}

/// The parsed head of an evidence file with its opened key.
pub(super) struct Head {
    pub prefix: [u8; 19],
    pub file_key: Zeroizing<[u8; 32]>,
    /// SHA-256 of magic, length and head: the additional data of every segment.
    pub binding: [u8; 32],
    /// Bytes before the first segment.
    pub length: u64,
    /// What was noted about the evidence when its capture began.
    pub note: Option<Zeroizing<Vec<u8>>>,
}

impl Head {
    /// Makes a head with a fresh key and gives the bytes to write.
    pub fn fresh(
        vault_key: &[u8; 32],
        escrow: Option<&EscrowKey>,
        note: Option<&[u8]>,
        random: &dyn Random,
    ) -> Result<(Self, Vec<u8>), VaultError> {
        let prefix: [u8; 19] = array(random)?;
        let file_key = Zeroizing::new(array::<32>(random)?);
        let nonce: [u8; 24] = array(random)?;
        let wrapped = [&nonce[..], &seal(vault_key, &nonce, VAULT_WRAP, &*file_key)].concat();
        let mut map = vec![
            (0, Value::Uint(0)),
            (1, Value::bytes(prefix)),
            (2, Value::Bytes(wrapped)),
        ];
        if let Some(escrow) = escrow {
            map.push((3, Value::Bytes(escrow.wrap(&file_key, random)?)));
            map.push((4, Value::bytes(escrow.key_id().as_bytes())));
        }
        map.push((5, Value::Uint(SEGMENT as u64)));
        if let Some(note) = note {
            let nonce: [u8; 24] = array(random)?;
            map.push((
                6,
                Value::Bytes([&nonce[..], &seal(vault_key, &nonce, NOTE, note)].concat()),
            ));
        }
        let head = cbor::encode(&Value::Map(map));
        let bytes = [&MAGIC[..], &(head.len() as u32).to_be_bytes(), &head].concat();
        Ok((
            Self {
                prefix,
                file_key,
                binding: sha256(&bytes),
                length: bytes.len() as u64,
                note: None,
            },
            bytes,
        ))
    }

    /// Reads and opens the head at the beginning of a file, which then stands at its first segment.
    pub fn read(file: &mut std::fs::File, keys: &FileKeys<'_>, name: &str) -> Result<Self, VaultError> {
        let mut start = [0; MAGIC.len() + 4];
        let changed = |reason| VaultError::changed(name, reason);
        file.read_exact(&mut start)
            .map_err(|_| changed("the head is cut off"))?;
        let length = u32::from_be_bytes([start[6], start[7], start[8], start[9]]) as usize;
        if !start.starts_with(MAGIC) || length > MAX_HEAD {
            return Err(changed("this is no evidence file"));
        }
        let mut bytes = start.to_vec();
        bytes.resize(start.len() + length, 0);
        file.read_exact(&mut bytes[start.len()..])
            .map_err(|_| changed("the head is cut off"))?;
        Self::open(&bytes, keys, name)
    }

    /// Opens a head from all bytes before the first segment.
    pub fn open(bytes: &[u8], keys: &FileKeys<'_>, name: &str) -> Result<Self, VaultError> {
        let changed = |reason| VaultError::changed(name, reason);
        let head = bytes.get(MAGIC.len() + 4..).ok_or(changed("the head is cut off"))?;
        let Ok(Value::Map(map)) = cbor::decode(head) else {
            return Err(changed("the head is malformed"));
        };
        let field = |key: u64| map.iter().find(|(k, _)| *k == key).map(|(_, v)| v);
        if field(0).and_then(Value::as_uint) != Some(0) || field(5).and_then(Value::as_uint) != Some(SEGMENT as u64) {
            return Err(changed("the head names another version or segment size"));
        }
        if field(3).is_some() != field(4).is_some() {
            return Err(changed("of the escrow's wrapped key and key id one is missing"));
        }
        let prefix = field(1).and_then(Value::as_bytes).and_then(|b| b.try_into().ok());
        let wrapped = |key: u64| field(key).and_then(Value::as_bytes).unwrap_or_default();
        let file_key = match keys {
            FileKeys::Vault(key) => wrapped(2)
                .split_at_checked(24)
                .and_then(|(nonce, sealed)| open_key(key, nonce.try_into().ok()?, VAULT_WRAP, sealed))
                .ok_or(changed("the file key does not open under the vault key"))?,
            FileKeys::Escrow(open) => {
                open(wrapped(3)).ok_or(changed("the file key does not open under the escrow key"))?
            }
        };
        let prefix = prefix.ok_or(changed("the nonce prefix is malformed"))?;
        let note = field(6)
            .and_then(Value::as_bytes)
            .and_then(|bytes| bytes.split_at_checked(24))
            .and_then(|(nonce, sealed)| match keys {
                FileKeys::Vault(key) => open(key, nonce.try_into().ok()?, NOTE, sealed),
                FileKeys::Escrow(_) => None,
            });
        Ok(Self {
            prefix,
            file_key,
            binding: sha256(bytes),
            length: bytes.len() as u64,
            note,
        })
    }

    /// The nonce of a segment.
    pub fn nonce(&self, segment: u32, last: bool) -> XNonce {
        let mut nonce = [0; 24];
        nonce[..19].copy_from_slice(&self.prefix);
        nonce[19..23].copy_from_slice(&segment.to_be_bytes());
        nonce[23] = u8::from(last);
        nonce.into()
    }

    /// The cipher of this file.
    pub fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(*self.file_key))
    }
}

/// Seals a short secret; the output is ciphertext and tag.
pub(crate) fn seal(key: &[u8; 32], nonce: &[u8; 24], binding: &[u8], secret: &[u8]) -> Vec<u8> {
    let mut buffer = Vec::with_capacity(secret.len() + 16);
    buffer.extend_from_slice(secret);
    let tag = XChaCha20Poly1305::new(&Key::from(*key)).encrypt_inout_detached(
        &XNonce::from(*nonce),
        binding,
        buffer.as_mut_slice().into(),
    );
    // The cipher refuses only messages above 256 GiB.
    if let Ok(tag) = tag {
        buffer.extend_from_slice(&tag);
    }
    buffer
}

/// Opens what [`seal`] made; `None` when key, nonce, binding or bytes differ.
pub(crate) fn open(key: &[u8; 32], nonce: [u8; 24], binding: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (ciphertext, tag) = sealed.split_at_checked(sealed.len().checked_sub(16)?)?;
    let mut buffer = Zeroizing::new(ciphertext.to_vec());
    let tag: [u8; 16] = tag.try_into().ok()?;
    XChaCha20Poly1305::new(&Key::from(*key))
        .decrypt_inout_detached(&XNonce::from(nonce), binding, buffer.as_mut_slice().into(), &tag.into())
        .ok()?;
    Some(buffer)
}

fn open_key(key: &[u8; 32], nonce: [u8; 24], binding: &[u8], sealed: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let opened = open(key, nonce, binding, sealed)?;
    Some(Zeroizing::new(opened.as_slice().try_into().ok()?))
}

fn escrow_wrapping_key(shared: &[u8; 32], ephemeral: &[u8; 32], escrow: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    let salt = [&ephemeral[..], escrow].concat();
    let mut key = Zeroizing::new([0; 32]);
    // 32 bytes of output are within HKDF's limit of 255 × 32, the only thing that can fail.
    if Hkdf::<Sha256>::new(Some(&salt), shared)
        .expand(ESCROW_WRAP, &mut *key)
        .is_err()
    {
        unreachable!("HKDF-SHA-256 gives up to 8,160 bytes");
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::OsRandom;

    #[test]
    fn escrow_opens_what_was_wrapped_to_it_and_nothing_else() {
        let holder = x25519_dalek::StaticSecret::from([9; 32]);
        let public = x25519_dalek::PublicKey::from(&holder).to_bytes();
        let escrow = EscrowKey::parse(public).unwrap();
        let wrapped = escrow.wrap(&[7; 32], &OsRandom).unwrap();
        assert_eq!(*open_wrapped(&[9; 32], &wrapped).unwrap(), [7; 32]);
        assert!(open_wrapped(&[8; 32], &wrapped).is_none());
        let mut changed = wrapped.clone();
        changed[40] ^= 1;
        assert!(open_wrapped(&[9; 32], &changed).is_none());
        // A shared secret of zeros is known to everybody.
        let weak = [&[0; 32][..], &wrapped[32..]].concat();
        assert!(open_wrapped(&[9; 32], &weak).is_none() && open_wrapped(&[9; 32], &[0; 31]).is_none());
    }

    #[test]
    fn an_escrow_key_of_small_order_is_refused() {
        assert!(matches!(EscrowKey::parse([0; 32]), Err(VaultError::WeakEscrowKey)));
        let mut one = [0; 32];
        one[0] = 1;
        assert!(matches!(EscrowKey::parse(one), Err(VaultError::WeakEscrowKey)));
    }
}
