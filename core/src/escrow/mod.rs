//! The tenant's escrow: a key that neither server nor tablet holds, in shares of which some open it together (`formats/vault.md`).
//!
//! ```text
//! ceremony: EscrowSecret ─split─▶ shares, on paper        tablet: database key, file keys ─wrap─▶ EscrowKey (public)
//! opening:  shares ─join─▶ EscrowSecret ─▶ Opening::read(tablet's folder) ─write─▶ a rescue file
//! ```
//!
//! It is for a tablet whose officer has left, whose PINs nobody knows or whose key file is gone: what it signed and has not handed
//! in is evidence, and no disk may be wiped before it was tried.

mod opening;
mod share;

use fieldseal_proof::cbor::{self, Value};
use fieldseal_proof::ids::KeyId;
use zeroize::Zeroizing;

use crate::device::DeviceError;
use crate::random::{Random, RandomError, array};
use crate::vault::{EscrowKey, open_wrapped};

pub use opening::Opening;
pub use share::{MOST_HOLDERS, Share};

/// The escrow's secret, while it is whole: at the ceremony that makes it, and during an opening.
pub struct EscrowSecret(Zeroizing<[u8; 32]>);

impl EscrowSecret {
    /// A new secret.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn generate(random: &dyn Random) -> Result<Self, RandomError> {
        Ok(Self(Zeroizing::new(array(random)?)))
    }

    /// The public key, as the server's `init --escrow` takes it and the key log carries it.
    ///
    /// # Errors
    /// Never for a generated secret; shares of another scheme might join to one of small order.
    pub fn public(&self) -> Result<EscrowKey, DeviceError> {
        let secret = x25519_dalek::StaticSecret::from(*self.0);
        Ok(EscrowKey::parse(x25519_dalek::PublicKey::from(&secret).to_bytes())?)
    }

    /// Opens a key that was wrapped to the public key; `None` when it was not, or was changed.
    pub fn unwrap(&self, wrapped: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
        open_wrapped(&self.0, wrapped)
    }
}

/// What lies beside a tablet's database for the escrow: `store.escrow`.
struct DatabaseEscrow {
    wrapped: Vec<u8>,
    key: KeyId,
    salt: Option<[u8; 16]>,
}

impl DatabaseEscrow {
    fn decode(bytes: &[u8]) -> Option<Self> {
        let Ok(Value::Map(map)) = cbor::decode(bytes) else {
            return None;
        };
        let field = |key: u64| map.iter().find(|(held, _)| *held == key).map(|(_, value)| value);
        let bytes_of = |key: u64| field(key).and_then(Value::as_bytes);
        let known = map.iter().all(|(held, _)| matches!(held, 0 | 3 | 4 | 5));
        if field(0).and_then(Value::as_uint) != Some(0) || !known {
            return None;
        }
        Some(Self {
            wrapped: bytes_of(3)?.to_vec(),
            key: KeyId::from_bytes(bytes_of(4)?.try_into().ok()?),
            salt: match field(5) {
                Some(salt) => Some(salt.as_bytes()?.try_into().ok()?),
                None => None,
            },
        })
    }
}
