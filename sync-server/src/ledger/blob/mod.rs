//! Blobs: immutable objects under random names, written once, sealed at rest.
//!
//! ```text
//! plaintext ──Incoming (hash, seal)──▶ staged object ──publish──▶ immutable object ──Opened (open, check)──▶ plaintext
//! ```

mod folder;
mod incoming;
mod memory;
mod range;
mod sealed;

pub use folder::FolderBlobs;
pub use incoming::{Incoming, IncomingState};
pub use memory::MemoryBlobs;
pub use range::{Stored, open_range};
pub use sealed::{HeadError, Opened, SEGMENT, SealError, VaultKey};

use futures_util::future::BoxFuture;

/// Why a blob store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    #[error("no space left for evidence")]
    Full,
    #[error("no object of this name")]
    Missing,
    /// A write at another place than the end.
    #[error("the staged object ends at {end}, not at {at}")]
    WrongOffset { at: u64, end: u64 },
    /// The name is taken by another object.
    #[error("an object of this name exists already")]
    Exists,
    #[error("the blob store failed: {0}")]
    Io(String),
}

/// Answer of a blob store call.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, BlobError>>;

/// Immutable objects.
///
/// - `append` MUST be durable when it returns: a crash afterwards leaves at least that many bytes in the staged object.
/// - `publish` MUST be atomic and durable: after it the object exists whole under its name, or not at all, and the staged one is
///   gone. It MUST NOT replace an object.
/// - A published object MUST NOT change. Nothing here deletes one.
/// - Names are 1…64 characters of `a-z0-9`.
pub trait BlobStore: Send + Sync + 'static {
    /// Cuts the staged object to `end` bytes and appends. `end` must not lie beyond its end. Creates it at `end` = 0.
    fn append(&self, name: &str, end: u64, bytes: Vec<u8>) -> Answer<'_, ()>;
    /// Bytes in a staged object; 0 when there is none.
    fn staged(&self, name: &str) -> Answer<'_, u64>;
    /// Reads from a staged object.
    fn read_staged(&self, name: &str, from: u64, length: usize) -> Answer<'_, Vec<u8>>;
    /// Drops a staged object.
    fn discard(&self, name: &str) -> Answer<'_, ()>;
    /// Makes the staged object immutable.
    fn publish(&self, name: &str) -> Answer<'_, ()>;
    /// Size of an object.
    fn size(&self, name: &str) -> Answer<'_, u64>;
    /// Reads from an object; shorter only at its end.
    fn read(&self, name: &str, from: u64, length: usize) -> Answer<'_, Vec<u8>>;
    /// Names of all objects, ascending.
    fn names(&self) -> Answer<'_, Vec<String>>;
    /// Names of everything staged, ascending.
    fn staged_names(&self) -> Answer<'_, Vec<String>>;
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}
