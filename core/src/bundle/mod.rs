//! Writes the hearing bundle (`formats/bundle.md`): a BagIt bag that `sha256sum`, `bagit.py`, `ssh-keygen` and `openssl` can check.
//!
//! The writer is given everything; it reads no clock and no folder, so the same contents make the same bytes.

mod contents;
mod readme;
mod writer;

pub use contents::{BlobClass, BlobEntry, Chain, Contents, LoggedOperation};
pub use writer::{BlobReader, BundleError, BundleSink, Summary, write};
