//! The files of a case: which of them a bundle holds, and their bytes out of the server's sealed store.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::sync::Arc;

use fieldseal_core::bundle::{BlobClass, BlobEntry, BlobReader, LoggedOperation};
use fieldseal_proof::ids::{BlobHash, CaseId};
use tokio::runtime::Handle;

use super::ExportError;
use crate::ledger::blob::{Opened, SEGMENT};
use crate::server::Server;
use crate::uploads::Blob;

/// Files that the operations of the bundle name and that have arrived.
pub(super) async fn blobs(
    server: &Arc<Server>,
    case: CaseId,
    operations: &[LoggedOperation],
) -> Result<Vec<BlobEntry>, ExportError> {
    let mut documents: BTreeSet<[u8; 32]> = BTreeSet::new();
    for field in operations
        .iter()
        .filter_map(|o| o.operation.body())
        .flat_map(|body| body.fields())
    {
        if field.path.ends_with("pdf_sha256")
            && let fieldseal_proof::body::FieldValue::Shown { value, .. } = &field.value
        {
            documents.extend(
                value
                    .strip_prefix(&[0x58, 0x20])
                    .and_then(|b| <[u8; 32]>::try_from(b).ok()),
            );
        }
    }
    let shown: BTreeSet<u64> = operations.iter().map(|logged| logged.index).collect();
    let refs = server.ledger.blobs_of(case).await?;
    let named: BTreeSet<[u8; 32]> = refs
        .into_iter()
        .filter(|named| shown.contains(&named.leaf))
        .map(|named| named.sha256)
        .collect();
    let mut out = Vec::new();
    for sha256 in named {
        let Some(blob) = server.uploads.blob(&sha256).await? else {
            continue;
        };
        let class = if documents.contains(&sha256) {
            BlobClass::Document
        } else {
            BlobClass::Evidence
        };
        out.push(BlobEntry {
            sha256: BlobHash::from_bytes(sha256),
            class,
            extension: extension(&blob.media_type).to_owned(),
        });
    }
    Ok(out)
}

/// File name extension of a media type; what is not listed is `bin`.
fn extension(media_type: &str) -> &'static str {
    match media_type {
        "image/jpeg" => "jpg",
        "image/png" => "png",
        "image/webp" => "webp",
        "image/heic" | "image/heif" => "heic",
        "image/gif" => "gif",
        "image/tiff" => "tif",
        "video/mp4" => "mp4",
        "video/quicktime" => "mov",
        "video/webm" => "webm",
        "video/x-matroska" => "mkv",
        "audio/mpeg" => "mp3",
        "audio/mp4" | "audio/m4a" | "audio/x-m4a" => "m4a",
        "audio/x-wav" | "audio/wav" => "wav",
        "audio/ogg" => "ogg",
        "audio/amr" => "amr",
        "application/pdf" => "pdf",
        "application/json" => "json",
        "text/plain" => "txt",
        _ => "bin",
    }
}

/// Opens sealed objects for the bundle writer, one segment in memory at a time.
pub(super) struct StoredBlobs {
    pub(super) server: Arc<Server>,
    pub(super) handle: Handle,
}

impl BlobReader for StoredBlobs {
    fn open(&self, blob: &BlobHash) -> io::Result<Box<dyn Read + '_>> {
        let row = self
            .handle
            .block_on(self.server.uploads.blob(blob.as_bytes()))
            .map_err(io::Error::other)?;
        let row = row.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such blob"))?;
        let head = self
            .handle
            .block_on(self.server.blobs.read(&row.object, 0, 1024))
            .map_err(io::Error::other)?;
        let file = Opened::open(&head, &self.server.keys.vault).map_err(io::Error::other)?;
        Ok(Box::new(BlobBytes {
            of: self,
            row,
            file,
            next: 0,
            plain: Vec::new(),
            used: 0,
        }))
    }
}

struct BlobBytes<'a> {
    of: &'a StoredBlobs,
    row: Blob,
    file: Opened,
    next: u32,
    plain: Vec<u8>,
    used: usize,
}

impl Read for BlobBytes<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.row.size.div_ceil(SEGMENT as u64) as u32;
        if self.used == self.plain.len() && self.next < count {
            let (at, length) = self.file.place(self.next, self.row.size);
            let sealed = self
                .of
                .handle
                .block_on(self.of.server.blobs.read(&self.row.object, at, length))
                .map_err(io::Error::other)?;
            self.plain = self
                .file
                .open_segment(self.next, self.next + 1 == count, &sealed)
                .map_err(io::Error::other)?;
            self.used = 0;
            self.next += 1;
        }
        let n = out.len().min(self.plain.len() - self.used);
        out[..n].copy_from_slice(&self.plain[self.used..self.used + n]);
        self.used += n;
        Ok(n)
    }
}
