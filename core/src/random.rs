//! The one place where randomness enters the library.

/// The operating system had no randomness to give.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no randomness: {0}")]
pub struct RandomError(pub String);

/// A source of random bytes: the operating system's, or a seeded one in a rehearsal.
pub trait Random: Send + Sync {
    /// Fills the whole slice.
    ///
    /// # Errors
    /// When the source is not available; the bytes must then not be used.
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError>;
}

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        getrandom::fill(out).map_err(|e| RandomError(e.to_string()))
    }
}

/// `N` random bytes: a seed, a key, a nonce.
///
/// # Errors
/// As [`Random::fill`].
pub fn array<const N: usize>(random: &dyn Random) -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    random.fill(&mut bytes)?;
    Ok(bytes)
}

/// The 16 bytes of a random identifier, a UUID of version 4 (RFC 9562 §5.4).
///
/// # Errors
/// As [`Random::fill`].
pub fn uuid(random: &dyn Random) -> Result<[u8; 16], RandomError> {
    let mut bytes: [u8; 16] = array(random)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_uuids_of_version_4_and_differ() {
        let (a, b) = (uuid(&OsRandom).unwrap(), uuid(&OsRandom).unwrap());
        assert_eq!((a[6] >> 4, a[8] >> 6), (4, 2));
        assert_ne!(a, b);
    }
}
