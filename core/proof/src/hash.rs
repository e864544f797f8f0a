//! The one hash function of the formats: tagged, every item prefixed with its length (`formats/README.md`, Hashing).

use sha2::{Digest, Sha256};

/// A SHA-256 value.
pub type Digest32 = [u8; 32];

/// `H(tag, item…)`.
///
/// ```
/// use fieldseal_proof::hash::h;
/// assert_ne!(h("fieldseal/v0/test", &[b"ab", b"c"]), h("fieldseal/v0/test", &[b"a", b"bc"]));
/// ```
pub fn h(tag: &str, items: &[&[u8]]) -> Digest32 {
    let mut hasher = Sha256::new();
    for item in std::iter::once(&tag.as_bytes()).chain(items) {
        hasher.update((item.len() as u64).to_be_bytes());
        hasher.update(item);
    }
    hasher.finalize().into()
}

/// Plain SHA-256 of some bytes: evidence, documents, files of a bundle.
pub fn sha256(bytes: &[u8]) -> Digest32 {
    Sha256::digest(bytes).into()
}

/// SHA-256 over a stream of chunks.
#[derive(Clone, Default)]
pub struct StreamHash {
    hasher: Sha256,
    length: u64,
}

impl StreamHash {
    /// Adds a chunk.
    pub fn update(&mut self, chunk: &[u8]) {
        self.hasher.update(chunk);
        self.length += chunk.len() as u64;
    }

    /// The digest and how many bytes it covers.
    pub fn finish(self) -> (Digest32, u64) {
        (self.hasher.finalize().into(), self.length)
    }
}
