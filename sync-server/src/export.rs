//! A hearing bundle from the ledger: a roll is signed and logged, then everything under its checkpoint is gathered and written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fieldseal_core::bundle::{
    self, BlobClass, BlobEntry, BlobReader, BundleError, BundleSink, Chain, Contents, LoggedOperation, Summary,
};
use fieldseal_core::domain::{Held, roll};
use fieldseal_core::random::array;
use fieldseal_proof::checkpoint::{AttestationKind, TimeNote};
use fieldseal_proof::ids::{BlobHash, CaseId, KeyId};
use fieldseal_proof::key_log::{EnrolledKey, KeyLog};
use fieldseal_proof::merkle::{prove_consistency, prove_inclusion};
use fieldseal_proof::note::SignedNote;
use fieldseal_proof::operation::{Header, Operation};
use fieldseal_proof::receipt::BatchReceipt;
use tokio::runtime::Handle;

use crate::custody;
use crate::ingest::{AuthorError, OwnOperation, bare};
use crate::ledger::blob::{Opened, SEGMENT};
use crate::ledger::{ChainKey, Commit, LedgerError, OperationRow, RunState, space};
use crate::projection::case_view;
use crate::server::Server;
use crate::tlog::{LogError, Published, TileError};
use crate::uploads::Blob;

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("no operation of this case is held")]
    NoSuchCase,
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Author(#[from] AuthorError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Tiles(#[from] TileError),
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("what is stored does not verify: {0}; run fsck")]
    Corrupt(String),
}

/// A bundle that was written.
pub struct Exported {
    pub zip: PathBuf,
    pub summary: Summary,
}

/// Writes the bundle as one zip into a folder, under a random name. `by` stands in the custody of the evidence.
///
/// # Errors
/// Nothing is left behind that could be taken for a bundle: a file without its signature is none.
pub async fn export_case(server: &Arc<Server>, case: CaseId, by: &str, folder: &Path) -> Result<Exported, ExportError> {
    let contents = gather(server, case, by).await?;
    std::fs::create_dir_all(folder)?;
    let name: [u8; 8] = array(&*server.random).map_err(io::Error::other)?;
    let zip = folder.join(format!("{}.zip", hex::encode(name)));
    let path = zip.clone();
    let summary = write(server, contents, move || Ok(Box::new(ZipSink::create(&path)?))).await?;
    Ok(Exported { zip, summary })
}

/// Writes the bundle as an unpacked folder, which must not exist.
///
/// # Errors
/// As [`export_case`].
pub async fn export_folder(
    server: &Arc<Server>,
    case: CaseId,
    by: &str,
    folder: &Path,
) -> Result<Summary, ExportError> {
    let contents = gather(server, case, by).await?;
    std::fs::create_dir(folder)?;
    let root = folder.to_path_buf();
    write(server, contents, move || Ok(Box::new(FolderSink { root }))).await
}

async fn write(
    server: &Arc<Server>,
    contents: Contents,
    sink: impl FnOnce() -> io::Result<Box<dyn ClosingSink>> + Send + 'static,
) -> Result<Summary, ExportError> {
    let server = server.clone();
    let handle = Handle::current();
    let done = tokio::task::spawn_blocking(move || {
        let mut sink = sink()?;
        let reader = StoredBlobs {
            server: server.clone(),
            handle,
        };
        let summary = bundle::write(&contents, &reader, &*server.keys.bundle.signer(), sink.as_bundle())?;
        sink.close()?;
        Ok(summary)
    });
    done.await.map_err(io::Error::other)?
}

async fn gather(server: &Arc<Server>, case: CaseId, by: &str) -> Result<Contents, ExportError> {
    custody::exported(&server.ingest, case, by).await?;
    let roll_leaf = write_roll(server, case).await?;
    let snapshot = timed_checkpoint(server, roll_leaf).await?;
    let (size, ledger) = (snapshot.size, &server.ledger);
    let tiles = &server.tiles;
    let rows: Vec<OperationRow> = ledger
        .operations_of(case)
        .await?
        .into_iter()
        .filter(|row| row.leaf < size)
        .collect();
    let key_rows: Vec<_> = ledger
        .key_log(0)
        .await?
        .into_iter()
        .filter(|row| row.leaf < size)
        .collect();
    let key_log: Vec<u8> = key_rows.iter().flat_map(|row| row.frame.clone()).collect();
    let keys = KeyLog::read(&key_log).map_err(|e| ExportError::Corrupt(e.to_string()))?;
    let contiguous = contiguous(&rows)?;
    let mut chains: BTreeMap<ChainKey, Chain> = BTreeMap::new();
    let mut operations = Vec::new();
    for row in &rows {
        let stored = server.ingest.chain(row.chain).await?;
        let run = stored.runs.iter().find(|run| run.number == row.run);
        // Beyond a gap nothing can be shown to follow anything; it is quarantined and no roll names it.
        if run.is_none_or(|run| run.state == RunState::Gap) || !contiguous.contains(&row.leaf) {
            continue;
        }
        operations.push(LoggedOperation {
            operation: verified(row, &keys)?,
            index: row.leaf,
            inclusion: prove_inclusion(row.leaf, size, tiles)?,
        });
        if let (Some(main), false) = (stored.main(), chains.contains_key(&row.chain)) {
            let last = rows
                .iter()
                .filter(|other| {
                    other.chain == row.chain && other.run == main.number && contiguous.contains(&other.leaf)
                })
                .map(|other| other.seq)
                .max();
            let commitments = ledger.stored(row.chain, 0, last.unwrap_or(0)).await?;
            let commitments = commitments
                .iter()
                .filter(|one| one.run == main.number)
                .map(|one| one.commitment)
                .collect();
            let chain = Chain {
                device: row.chain.device,
                incarnation: row.chain.incarnation,
                start: main.before,
                commitments,
            };
            chains.insert(row.chain, chain);
        }
    }
    let mut key_log_proofs = Vec::new();
    let needed = heads_needed(&keys, &operations);
    for row in key_rows.iter().filter(|row| needed.contains(&(row.index + 1))) {
        key_log_proofs.push((row.index + 1, row.leaf, prove_inclusion(row.leaf, size, tiles)?));
    }
    let (attestations, consistency) = attestations(server, &operations, size).await?;
    Ok(Contents {
        case,
        checkpoint: SignedNote::parse(&snapshot.note).map_err(|e| ExportError::Corrupt(e.to_string()))?,
        key_log,
        keys,
        key_log_proofs,
        chains: chains.into_values().collect(),
        receipts: receipts(server, &operations).await?,
        blobs: blobs(server, case, &operations).await?,
        view: case_view(&**ledger, case, size).await?.unwrap_or_default(),
        attestations,
        consistency,
        operations,
    })
}

/// Leaves of the operations that no gap in the counter of their stream precedes. What a push fills between the checkpoint and
/// this reading lies behind a gap that the checkpoint does not fill yet; the next bundle has it.
fn contiguous(rows: &[OperationRow]) -> Result<BTreeSet<u64>, ExportError> {
    let mut streams: BTreeMap<(ChainKey, [u8; 16]), BTreeMap<u64, Vec<u64>>> = BTreeMap::new();
    for row in rows {
        let header = header_of(row)?;
        let stream = streams.entry((row.chain, header.stream().id())).or_default();
        stream.entry(header.counter).or_default().push(row.leaf);
    }
    let unbroken = |held: BTreeMap<u64, Vec<u64>>| {
        (0..)
            .zip(held)
            .take_while(|(n, (counter, _))| n == counter)
            .flat_map(|(_, (_, leaves))| leaves)
    };
    Ok(streams.into_values().flat_map(unbroken).collect())
}

fn header_of(row: &OperationRow) -> Result<Header, ExportError> {
    let operation = Operation::parse(&row.frame).or_else(|_| Operation::parse(&bare(&row.frame).unwrap_or_default()));
    let operation = operation.map_err(|e| ExportError::Corrupt(format!("leaf {}: {e}", row.leaf)))?;
    Ok(operation.header().clone())
}

/// Sizes of the key log whose heads a reader must be shown: after the enrolment and the revocation of every key that the
/// operations rest on and of the server's own keys, and the newest.
fn heads_needed(keys: &KeyLog, operations: &[LoggedOperation]) -> BTreeSet<u64> {
    let mut used: Vec<&EnrolledKey> = keys.keys().map(|(_, key)| key).filter(|key| key.is_servers()).collect();
    for logged in operations {
        let header = logged.operation.header();
        used.extend(keys.operation_key(&header.device, &header.incarnation));
        let carried = logged.operation.body().and_then(|body| body.get("attest/key"));
        used.extend(carried.and_then(|v| keys.key(&KeyId::from_bytes(v.as_bytes()?.try_into().ok()?))));
    }
    let entries = used.into_iter().flat_map(|key| [Some(key.enrolled_at), key.revoked_at]);
    entries.flatten().map(|entry| entry + 1).chain([keys.size()]).collect()
}

/// A published checkpoint that holds the roll, with a time note of its very size: without one the newest operations would
/// have no upper bound.
async fn timed_checkpoint(server: &Arc<Server>, roll_leaf: u64) -> Result<Published, ExportError> {
    let mut published = server.published.clone();
    let snapshot = published
        .wait_for(|now| now.size > roll_leaf)
        .await
        .map_err(|_| LogError::Frozen("the sequencer has stopped".into()))?
        .clone();
    server.time.of(&snapshot).await?;
    Ok(snapshot)
}

/// Signs the roll of a case; returns its leaf.
async fn write_roll(server: &Arc<Server>, case: CaseId) -> Result<u64, ExportError> {
    // Only what everybody can see already: the roll names a size, and every named operation lies below it.
    let size = server.ledger.size().await?;
    let mut published = server.published.clone();
    published
        .wait_for(|now| now.size >= size)
        .await
        .map_err(|_| LogError::Frozen("the sequencer has stopped".into()))?;
    let rows: Vec<OperationRow> = server.ledger.operations_of(case).await?;
    if rows.is_empty() {
        return Err(ExportError::NoSuchCase);
    }
    // Everything below the size and nothing above it: what arrives meanwhile must not make the roll forget a stream.
    let rows: Vec<OperationRow> = rows.into_iter().filter(|row| row.leaf < size).collect();
    let unbroken = contiguous(&rows)?;
    let mut ends: BTreeMap<(ChainKey, [u8; 16]), Held> = BTreeMap::new();
    for row in rows.iter().filter(|row| unbroken.contains(&row.leaf)) {
        let stored = server.ingest.chain(row.chain).await?;
        if stored.main().is_none_or(|main| main.number != row.run) {
            continue;
        }
        let header = header_of(row)?;
        let stream = header.stream().id();
        let next = Held {
            device: header.device,
            incarnation: header.incarnation,
            stream,
            last_counter: header.counter,
            last_id: row.id,
        };
        let end = ends.entry((row.chain, stream)).or_insert(next);
        if end.last_counter < next.last_counter {
            *end = next;
        }
    }
    let held: Vec<Held> = ends.into_values().collect();
    let key_rows = server.ledger.key_log(0).await?;
    let covered = key_rows.iter().filter(|row| row.leaf < size).count() as u64;
    let key_log = server.ingest.key_log();
    let head = key_log
        .log
        .head_at(covered)
        .ok_or_else(|| ExportError::Corrupt("the key log has no logged head".into()))?;
    let (_, fields) = roll(size, (covered, head), &held).into_parts();
    let own = OwnOperation {
        kind: "roll",
        case: Some(case),
        inspection: None,
        supersedes: Vec::new(),
        fields,
        audience: None,
    };
    let ids = server.ingest.author(vec![own], Commit::default()).await?;
    let rows = server.ledger.operation(ids[0]).await?;
    rows.first()
        .map(|row| row.leaf)
        .ok_or_else(|| ExportError::Corrupt("the roll is gone".into()))
}

fn verified(row: &OperationRow, keys: &KeyLog) -> Result<fieldseal_proof::operation::VerifiedOperation, ExportError> {
    let corrupt = |why: String| ExportError::Corrupt(format!("leaf {}: {why}", row.leaf));
    let frame = if row.spoiled {
        bare(&row.frame)
    } else {
        Some(row.frame.clone())
    };
    let operation = Operation::parse(&frame.unwrap_or_default()).map_err(|e| corrupt(e.to_string()))?;
    let key = keys
        .operation_key(&row.chain.device, &row.chain.incarnation)
        .ok_or_else(|| corrupt("no key".into()))?;
    let key = key.record.key().map_err(|e| corrupt(e.to_string()))?;
    operation.verify(&key).map_err(|e| corrupt(e.to_string()))
}

type Attested = (
    Vec<(AttestationKind, Vec<u8>)>,
    Vec<(u64, Vec<fieldseal_proof::hash::Digest32>)>,
);

/// The attestations that anchors name, and for each operation the earliest one whose tree holds it.
async fn attestations(
    server: &Arc<Server>,
    operations: &[LoggedOperation],
    size: u64,
) -> Result<Attested, ExportError> {
    let named: BTreeSet<Vec<u8>> = operations
        .iter()
        .filter_map(|o| o.operation.header().anchor)
        .map(|a| a.as_bytes().to_vec())
        .collect();
    let mut notes: Vec<(u64, u64, Vec<u8>, bool)> = Vec::new();
    for register in server
        .ledger
        .registers(space::ATTESTATION, Vec::new(), usize::MAX >> 1)
        .await?
    {
        let note = SignedNote::parse(&register.value).and_then(|note| TimeNote::of(&note));
        let note = note.map_err(|e| ExportError::Corrupt(e.to_string()))?;
        if note.size <= size {
            notes.push((note.unix_ms, note.size, register.value, named.contains(&register.key)));
        }
    }
    notes.sort();
    let mut used: BTreeSet<usize> = (0..notes.len()).filter(|at| notes[*at].3).collect();
    for logged in operations {
        used.extend(notes.iter().position(|(_, of, _, _)| *of > logged.index));
    }
    let mut consistency: BTreeMap<u64, Vec<fieldseal_proof::hash::Digest32>> = BTreeMap::new();
    for at in &used {
        let of = notes[*at].1;
        if of != size && of > 0 {
            consistency.insert(of, prove_consistency(of, size, &server.tiles)?);
        }
    }
    let attestations = used
        .iter()
        .map(|at| (AttestationKind::TimeNote, notes[*at].2.clone()))
        .collect();
    Ok((attestations, consistency.into_iter().collect()))
}

async fn receipts(
    server: &Arc<Server>,
    operations: &[LoggedOperation],
) -> Result<
    Vec<(
        fieldseal_proof::ids::DeviceId,
        fieldseal_proof::ids::IncarnationId,
        u64,
        Vec<u8>,
    )>,
    ExportError,
> {
    let mut seqs: BTreeMap<ChainKey, BTreeSet<u64>> = BTreeMap::new();
    for logged in operations {
        let header = logged.operation.header();
        seqs.entry(ChainKey {
            device: header.device,
            incarnation: header.incarnation,
        })
        .or_default()
        .insert(header.seq);
    }
    let mut out = Vec::new();
    for (chain, seqs) in seqs {
        let prefix = [chain.device.as_bytes().as_slice(), chain.incarnation.as_bytes()].concat();
        for register in server.ledger.registers_under(space::RECEIPT, prefix).await? {
            let receipt = BatchReceipt::peek(&register.value).map_err(|e| ExportError::Corrupt(e.to_string()))?;
            if seqs.range(receipt.first_seq..=receipt.last_seq).next().is_some() {
                out.push((chain.device, chain.incarnation, receipt.last_seq, register.value));
            }
        }
    }
    Ok(out)
}

async fn blobs(
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
    let named: BTreeSet<[u8; 32]> = server
        .ledger
        .blobs_of(case)
        .await?
        .into_iter()
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
struct StoredBlobs {
    server: Arc<Server>,
    handle: Handle,
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

/// A sink that has an end.
trait ClosingSink {
    fn as_bundle(&mut self) -> &mut dyn BundleSink;
    fn close(self: Box<Self>) -> io::Result<()>;
}

struct FolderSink {
    root: PathBuf,
}

impl BundleSink for FolderSink {
    fn file(&mut self, path: &str, bytes: &mut dyn Read) -> io::Result<()> {
        let target = self.root.join(path);
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = File::create_new(target)?;
        io::copy(bytes, &mut file)?;
        file.sync_data()
    }
}

impl ClosingSink for FolderSink {
    fn as_bundle(&mut self) -> &mut dyn BundleSink {
        self
    }
    fn close(self: Box<Self>) -> io::Result<()> {
        File::open(&self.root)?.sync_all()
    }
}

struct ZipSink {
    zip: zip::ZipWriter<File>,
}

impl ZipSink {
    fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            zip: zip::ZipWriter::new(File::create_new(path)?),
        })
    }
}

impl BundleSink for ZipSink {
    fn file(&mut self, path: &str, bytes: &mut dyn Read) -> io::Result<()> {
        // Stored, with the fixed date that zip gives by default: the same contents make the same zip, and media does not shrink.
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .large_file(true);
        self.zip.start_file(path, options).map_err(io::Error::other)?;
        io::copy(bytes, &mut self.zip)?;
        self.zip.flush()
    }
}

impl ClosingSink for ZipSink {
    fn as_bundle(&mut self) -> &mut dyn BundleSink {
        self
    }
    fn close(self: Box<Self>) -> io::Result<()> {
        self.zip.finish().map_err(io::Error::other)?.sync_all()
    }
}
