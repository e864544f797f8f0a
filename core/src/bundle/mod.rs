//! Writes the hearing bundle (`formats/bundle.md`): a BagIt bag that `sha256sum`, `bagit.py`, `ssh-keygen` and `openssl` can check.
//!
//! The writer is given everything; it reads no clock and no folder, so the same contents make the same bytes. For whoever
//! checks a bundle, [`open`] lends its files and [`read_trust`] reads what he got from elsewhere.

mod contents;
mod readme;
mod source;
mod trust;
mod writer;

pub use contents::{BlobClass, BlobEntry, Chain, Contents, LoggedOperation};
pub use source::{Look, open, open_watched};
pub use trust::read_trust;
pub use writer::{BlobReader, BundleError, BundleSink, Summary, write};
