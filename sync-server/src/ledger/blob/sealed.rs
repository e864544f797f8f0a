//! The evidence file format of vault.md, segment by segment, so that an upload can be sealed as it arrives and a range read alone.

use chacha20poly1305::aead::{Aead, AeadInOut, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use fieldseal_core::random::{Random, RandomError, array};
use fieldseal_proof::cbor::{self, MapReader, MapWriter, Value};
use fieldseal_proof::hash::sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Plaintext bytes of a segment.
pub const SEGMENT: usize = 64 * 1024;
/// Bytes that sealing adds to a segment.
pub(super) const TAG: usize = 16;
const MAGIC: &[u8; 6] = b"FSEV0\n";
const WRAP: &[u8] = b"fieldseal/v0/wrap-vault";
/// A head is about 120 bytes, with escrow about 230; a reader reads this much at first.
pub const HEAD_MOST: usize = 1024;

/// The key that wraps file keys. It never leaves the server.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct VaultKey(pub(crate) [u8; 32]);

/// A segment that does not open: changed, or not a segment of this file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("segment {0} of the stored file does not open: it was changed")]
pub struct SealError(pub u32);

/// A head that is not one, or not of this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored file's head does not open: {0}")]
pub struct HeadError(pub &'static str);

/// A file key with what binds its segments to their file and place.
pub struct Opened {
    cipher: XChaCha20Poly1305,
    prefix: [u8; 19],
    bound: [u8; 32],
    head: Vec<u8>,
}

impl Opened {
    /// A new file with a random key.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn create(vault: &VaultKey, random: &dyn Random) -> Result<Self, RandomError> {
        let mut file_key: [u8; 32] = array(random)?;
        let prefix: [u8; 19] = array(random)?;
        let nonce: [u8; 24] = array(random)?;
        let wrapping = XChaCha20Poly1305::new((&vault.0).into());
        // Encryption of 32 bytes in memory fails only where a message is longer than 256 GiB.
        let sealed = wrapping
            .encrypt(
                &XNonce::from(nonce),
                Payload {
                    msg: &file_key,
                    aad: WRAP,
                },
            )
            .unwrap_or_default();
        let inner = MapWriter::default()
            .put(0, Value::Uint(0))
            .put(1, Value::bytes(prefix))
            .put(2, Value::bytes([&nonce[..], &sealed].concat()))
            .put(5, Value::Uint(SEGMENT as u64))
            .encode();
        let mut head = MAGIC.to_vec();
        head.extend_from_slice(&(inner.len() as u32).to_be_bytes());
        head.extend_from_slice(&inner);
        let cipher = XChaCha20Poly1305::new((&file_key).into());
        file_key.zeroize();
        Ok(Self {
            cipher,
            prefix,
            bound: sha256(&head),
            head,
        })
    }

    /// Opens a file by its first bytes (up to [`HEAD_MOST`]; more is ignored).
    ///
    /// # Errors
    /// Another magic, a head that is cut or malformed, a key wrapped to somebody else.
    pub fn open(start: &[u8], vault: &VaultKey) -> Result<Self, HeadError> {
        let rest = start.strip_prefix(MAGIC).ok_or(HeadError("not an evidence file"))?;
        let (length, rest) = rest.split_first_chunk::<4>().ok_or(HeadError("cut short"))?;
        let inner = rest
            .get(..u32::from_be_bytes(*length) as usize)
            .ok_or(HeadError("cut short"))?;
        let value = cbor::decode(inner).map_err(|_| HeadError("malformed"))?;
        let map = MapReader::new(&value, "evidence file head").map_err(|_| HeadError("malformed"))?;
        if map.uint(0) != Ok(0) || map.uint(5) != Ok(SEGMENT as u64) {
            return Err(HeadError("of another version"));
        }
        let prefix: [u8; 19] = map.fixed(1).map_err(|_| HeadError("malformed"))?;
        let wrapped: [u8; 24 + 32 + TAG] = map.fixed(2).map_err(|_| HeadError("malformed"))?;
        let (nonce, sealed) = wrapped.split_first_chunk::<24>().ok_or(HeadError("malformed"))?;
        let wrapping = XChaCha20Poly1305::new((&vault.0).into());
        let mut file_key = wrapping
            .decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: WRAP })
            .map_err(|_| HeadError("its key is not wrapped to this server"))?;
        let key: [u8; 32] = file_key.as_slice().try_into().map_err(|_| HeadError("malformed"))?;
        let cipher = XChaCha20Poly1305::new((&key).into());
        file_key.zeroize();
        let head = start[..MAGIC.len() + 4 + inner.len()].to_vec();
        Ok(Self {
            cipher,
            prefix,
            bound: sha256(&head),
            head,
        })
    }

    /// Magic, length and head: the first bytes of the file.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Seals a segment behind what `out` holds. Every segment but the last holds [`SEGMENT`] bytes.
    pub(super) fn seal_into(&self, number: u32, last: bool, plaintext: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(plaintext);
        // As above: the message is at most 64 KiB, so encryption cannot fail.
        let tag = self
            .cipher
            .encrypt_inout_detached(&self.nonce(number, last), &self.bound, out[start..].as_mut().into())
            .unwrap_or_default();
        out.extend_from_slice(&tag);
    }

    /// Opens a segment as stored.
    ///
    /// # Errors
    /// When the bytes, their place or the last flag are not what was sealed.
    pub fn open_segment(&self, number: u32, last: bool, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        self.cipher
            .decrypt(
                &self.nonce(number, last),
                Payload {
                    msg: sealed,
                    aad: &self.bound,
                },
            )
            .map_err(|_| SealError(number))
    }

    /// Where a segment lies in the file: its offset and its length, for a plaintext of `size` bytes.
    pub fn place(&self, number: u32, size: u64) -> (u64, usize) {
        let offset = self.head.len() as u64 + u64::from(number) * (SEGMENT + TAG) as u64;
        let plain = size
            .saturating_sub(u64::from(number) * SEGMENT as u64)
            .min(SEGMENT as u64) as usize;
        (offset, plain + TAG)
    }

    fn nonce(&self, number: u32, last: bool) -> XNonce {
        let mut nonce = [0; 24];
        nonce[..19].copy_from_slice(&self.prefix);
        nonce[19..23].copy_from_slice(&number.to_be_bytes());
        nonce[23] = u8::from(last);
        XNonce::from(nonce)
    }
}

/// Number of segments of a plaintext: at least one, also for an empty file.
pub fn segments(size: u64) -> u32 {
    size.div_ceil(SEGMENT as u64).max(1).min(u64::from(u32::MAX)) as u32
}
