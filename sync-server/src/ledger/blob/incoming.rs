//! An upload as it arrives, in any pieces: hashed and sealed once, never read again.
//!
//! Whole segments go to the staged object; what is left of the last one waits here. The state of the hash and the sealed rest
//! go into the upload's row, so an upload that is resumed after a restart of the server hashes on where it stood: nothing is
//! reread at completion.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fieldseal_core::random::{Random, RandomError};
use serde::{Deserialize, Serialize};
use sha2::digest::common::hazmat::SerializableState;
use sha2::{Digest, Sha256};

use super::sealed::{HEAD_MOST, Opened, SEGMENT, TAG, VaultKey, segments};

/// What is needed to go on with an upload; stored in its row after each durable step.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct IncomingState {
    /// Plaintext bytes that are durable: the upload's offset.
    pub offset: u64,
    /// Bytes of the staged object that belong to it.
    pub sealed: u64,
    /// SHA-256 after `offset` bytes (midstate), base64.
    hash: String,
    /// The bytes of `offset` that fill no segment yet, sealed under the file's key, base64.
    rest: String,
}

/// An upload under way.
pub struct Incoming {
    file: Opened,
    total: u64,
    offset: u64,
    sealed: u64,
    rest: Vec<u8>,
    hash: Sha256,
}

impl Incoming {
    /// A new upload of `total` bytes, and the first bytes of its object.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn create(total: u64, vault: &VaultKey, random: &dyn Random) -> Result<(Self, Vec<u8>), RandomError> {
        let file = Opened::create(vault, random)?;
        let head = file.head().to_vec();
        let sealed = head.len() as u64;
        Ok((
            Self {
                file,
                total,
                offset: 0,
                sealed,
                rest: Vec::new(),
                hash: Sha256::new(),
            },
            head,
        ))
    }

    /// Goes on where a state stood. `start` are the first bytes of the staged object. `None` if they do not fit together.
    pub fn resume(total: u64, state: &IncomingState, start: &[u8], vault: &VaultKey) -> Option<Self> {
        let file = Opened::open(&start[..start.len().min(HEAD_MOST)], vault).ok()?;
        let midstate = STANDARD.decode(&state.hash).ok()?;
        let hash = Sha256::deserialize(midstate.as_slice().try_into().ok()?).ok()?;
        let stored = STANDARD.decode(&state.rest).ok()?;
        let (nonce, sealed) = stored.split_first_chunk::<24>()?;
        let rest = vault_open(vault, nonce, sealed)?;
        Some(Self {
            file,
            total,
            offset: state.offset,
            sealed: state.sealed,
            rest,
            hash,
        })
    }

    /// Plaintext bytes taken in.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes of the staged object so far.
    pub fn sealed(&self) -> u64 {
        self.sealed
    }

    /// Whether everything is here.
    pub fn is_complete(&self) -> bool {
        self.offset == self.total
    }

    /// Takes bytes in and returns what is to be appended to the staged object. More than the declared size is refused and
    /// nothing is taken.
    pub fn push(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(bytes.len() + SEGMENT);
        self.push_into(bytes, &mut out).then_some(out)
    }

    /// The same behind what `out` holds already; `false` where it was more than the declared size.
    pub fn push_into(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> bool {
        if bytes.len() as u64 > self.total - self.offset {
            return false;
        }
        self.hash.update(bytes);
        self.offset += bytes.len() as u64;
        let before = out.len();
        let last = segments(self.total) - 1;
        let mut next = self.sealed_segments();
        let mut bytes = bytes;
        // What was left of a segment is filled up first; whole segments are then sealed from where they lie.
        if !self.rest.is_empty() {
            let (fill, more) = bytes.split_at(bytes.len().min(SEGMENT - self.rest.len()));
            self.rest.extend_from_slice(fill);
            bytes = more;
            if next < last && self.rest.len() == SEGMENT {
                self.file.seal_into(next, false, &self.rest, out);
                self.rest.clear();
                next += 1;
            }
        }
        while next < last && bytes.len() >= SEGMENT {
            let (segment, more) = bytes.split_at(SEGMENT);
            self.file.seal_into(next, false, segment, out);
            bytes = more;
            next += 1;
        }
        self.rest.extend_from_slice(bytes);
        if next == last && self.is_complete() {
            self.file.seal_into(last, true, &self.rest, out);
            self.rest.clear();
        }
        self.sealed += (out.len() - before) as u64;
        true
    }

    /// SHA-256 of everything taken in.
    pub fn sha256(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }

    /// What to store so that the upload can go on.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn state(&self, vault: &VaultKey, random: &dyn Random) -> Result<IncomingState, RandomError> {
        let nonce: [u8; 24] = fieldseal_core::random::array(random)?;
        let rest = [&nonce[..], &vault_seal(vault, &nonce, &self.rest)].concat();
        Ok(IncomingState {
            offset: self.offset,
            sealed: self.sealed,
            hash: STANDARD.encode(self.hash.serialize()),
            rest: STANDARD.encode(rest),
        })
    }

    fn sealed_segments(&self) -> u32 {
        (self.sealed - self.file.head().len() as u64).div_ceil((SEGMENT + TAG) as u64) as u32
    }
}

const REST_BOUND: &[u8] = b"fieldseal/v0/upload-rest";

fn vault_seal(vault: &VaultKey, nonce: &[u8; 24], plaintext: &[u8]) -> Vec<u8> {
    use chacha20poly1305::aead::{Aead, Payload};
    use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
    XChaCha20Poly1305::new((&vault.0).into())
        .encrypt(
            &XNonce::from(*nonce),
            Payload {
                msg: plaintext,
                aad: REST_BOUND,
            },
        )
        .unwrap_or_default()
}

fn vault_open(vault: &VaultKey, nonce: &[u8; 24], sealed: &[u8]) -> Option<Vec<u8>> {
    use chacha20poly1305::aead::{Aead, Payload};
    use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
    XChaCha20Poly1305::new((&vault.0).into())
        .decrypt(
            &XNonce::from(*nonce),
            Payload {
                msg: sealed,
                aad: REST_BOUND,
            },
        )
        .ok()
}

#[cfg(test)]
mod tests {
    use super::super::SealError;
    use super::*;
    use fieldseal_core::random::OsRandom;

    fn read_back(object: &[u8], size: u64, vault: &VaultKey) -> Vec<u8> {
        let file = Opened::open(object, vault).unwrap();
        let count = segments(size);
        let mut plain = Vec::new();
        for number in 0..count {
            let (at, length) = file.place(number, size);
            let sealed = &object[at as usize..at as usize + length];
            plain.extend(file.open_segment(number, number + 1 == count, sealed).unwrap());
        }
        plain
    }

    #[test]
    fn pieces_of_any_size_with_a_restart_between_give_the_same_file() {
        let vault = VaultKey([7; 32]);
        for size in [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 3 * SEGMENT, 3 * SEGMENT + 17] {
            for piece in [1.max(size / 5), 1000, SEGMENT, SEGMENT + 1, 10 * SEGMENT] {
                let bytes: Vec<u8> = (0..size).map(|i| (i * 31 % 251) as u8).collect();
                let (mut incoming, mut object) = Incoming::create(size as u64, &vault, &OsRandom).unwrap();
                if size == 0 {
                    object.extend(incoming.push(&[]).unwrap());
                }
                for chunk in bytes.chunks(piece) {
                    object.extend(incoming.push(chunk).unwrap());
                    let state = incoming.state(&vault, &OsRandom).unwrap();
                    assert_eq!(state.sealed, object.len() as u64);
                    incoming = Incoming::resume(size as u64, &state, &object, &vault).unwrap();
                }
                assert!(incoming.is_complete());
                assert_eq!(
                    incoming.sha256(),
                    fieldseal_proof::hash::sha256(&bytes),
                    "size {size} piece {piece}"
                );
                assert_eq!(
                    read_back(&object, size as u64, &vault),
                    bytes,
                    "size {size} piece {piece}"
                );
            }
        }
    }

    #[test]
    fn more_than_declared_is_refused_and_a_changed_byte_shows() {
        let vault = VaultKey([1; 32]);
        let (mut incoming, mut object) = Incoming::create(10, &vault, &OsRandom).unwrap();
        assert!(incoming.push(&[0; 11]).is_none());
        assert_eq!(incoming.offset(), 0);
        object.extend(incoming.push(&[5; 10]).unwrap());
        let file = Opened::open(&object, &vault).unwrap();
        let (at, length) = file.place(0, 10);
        object[at as usize] ^= 1;
        assert_eq!(
            file.open_segment(0, true, &object[at as usize..at as usize + length]),
            Err(SealError(0))
        );
        assert!(Opened::open(&object, &VaultKey([2; 32])).is_err());
    }
}
