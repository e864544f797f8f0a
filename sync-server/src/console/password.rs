//! Passwords: argon2id, a few at a time, and the same work whether the user exists or not.

use argon2::{Algorithm, Argon2, Params, Version};
use fieldseal_core::random::{Random, array};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

/// Fewest characters. Longer is asked for instead of rules about kinds of characters (NIST SP 800-63B).
pub const LEAST: usize = 10;
/// Most bytes that are looked at.
pub const MOST: usize = 1024;
/// 19 MiB and 2 passes, the OWASP minimum for argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
/// So many are computed at once: sign-ins never take more than 76 MiB.
static TURNS: Semaphore = Semaphore::const_new(4);

/// A password as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hashed {
    memory_kib: u32,
    passes: u32,
    /// 16 bytes, hex.
    salt: String,
    /// 32 bytes, hex.
    hash: String,
}

/// A password that could not be hashed.
#[derive(Debug, thiserror::Error)]
#[error("the password could not be hashed: {0}")]
pub struct PasswordError(String);

impl Hashed {
    /// Hashes a new password.
    ///
    /// # Errors
    /// When there is no randomness.
    pub async fn new(password: &str, random: &dyn Random) -> Result<Self, PasswordError> {
        let salt: [u8; 16] = array(random).map_err(|e| PasswordError(e.to_string()))?;
        let mut made = Self {
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            salt: hex::encode(salt),
            hash: String::new(),
        };
        made.hash = hex::encode(made.stretch(password).await?);
        Ok(made)
    }

    /// Whether it is this password. `None` does the same work and says no.
    ///
    /// # Errors
    /// When the stored form is damaged.
    pub async fn fits(held: Option<&Self>, password: &str) -> Result<bool, PasswordError> {
        let nobody = Self {
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            salt: hex::encode([0; 16]),
            hash: hex::encode([0; 32]),
        };
        let hashed = held.unwrap_or(&nobody);
        let computed = hex::encode(hashed.stretch(password).await?);
        Ok(bool::from(computed.as_bytes().ct_eq(hashed.hash.as_bytes())) && held.is_some())
    }

    async fn stretch(&self, password: &str) -> Result<[u8; 32], PasswordError> {
        let failed = |e: &dyn std::fmt::Display| PasswordError(e.to_string());
        // The stored cost is our own, but a changed database must not take the server's memory.
        let params = Params::new(self.memory_kib.min(4 * MEMORY_KIB), self.passes.min(10), 1, Some(32))
            .map_err(|e| failed(&e))?;
        let salt = hex::decode(&self.salt).map_err(|e| failed(&e))?;
        let password = password.as_bytes()[..password.len().min(MOST)].to_vec();
        let _turn = TURNS.acquire().await.map_err(|e| failed(&e))?;
        let work = tokio::task::spawn_blocking(move || {
            let mut key = [0; 32];
            Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                .hash_password_into(&password, &salt, &mut key)
                .map(|()| key)
                .map_err(|e| PasswordError(e.to_string()))
        });
        work.await.map_err(|e| failed(&e))?
    }
}
