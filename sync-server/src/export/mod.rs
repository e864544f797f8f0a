//! A hearing bundle from the ledger: everything of a case under one checkpoint, standing on one roll.
//!
//! ```text
//! now ──▶ roll signed ─▶ checkpoint that holds it ─┐
//!                                                  ├─▶ gather ─▶ write ─▶ the export itself is signed into the case
//! at an earlier checkpoint ─▶ the roll below it ───┘
//! ```
//! A bundle is a function of case, checkpoint and roll, so asking again at the checkpoint of an earlier bundle gives its very
//! bytes; only files that arrived in the meantime are added. That it was exported is logged afterwards and stands in the next.

mod attested;
mod gather;
mod roll;
mod sink;
mod stored;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fieldseal_core::bundle::{self, BundleError, Contents, Summary};
use fieldseal_core::random::array;
use fieldseal_proof::checkpoint::Checkpoint;
use fieldseal_proof::ids::{CaseId, to_hex};
use fieldseal_proof::note::SignedNote;
use tokio::runtime::Handle;

use crate::custody;
use crate::ingest::AuthorError;
use crate::ledger::{LedgerError, space};
use crate::server::Server;
use crate::tlog::{LogError, Published, TileError};
use sink::{ClosingSink, FolderSink, ZipSink};
use stored::StoredBlobs;

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("no operation of this case is held")]
    NoSuchCase,
    #[error("no checkpoint was signed for {0} leaves")]
    NoSuchCheckpoint(u64),
    #[error("no roll of this case lies below the checkpoint of {0} leaves")]
    NoRoll(u64),
    /// After a restore: a roll signed now would leave out what its devices still hold, and contradict it for good.
    #[error("{0} operations stand in the log and are not held")]
    Awaiting(u64),
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

/// What is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    pub case: CaseId,
    /// Size of a checkpoint that was signed, under which a roll of the case lies; without one a new roll is signed.
    pub at: Option<u64>,
    /// Sign a roll although operations of the log are awaited: for when a device that holds them is lost for good.
    pub despite_awaited: bool,
    /// Who asks, as it will stand in the custody of the evidence.
    pub by: &'a str,
}

/// A bundle that was written.
pub struct Exported {
    pub zip: PathBuf,
    pub summary: Summary,
    /// Size of the checkpoint that it stands under.
    pub checkpoint: u64,
}

/// Writes the bundle as one zip into a folder, under a random name.
///
/// # Errors
/// Nothing is left behind that could be taken for a bundle: a file without its signature is none.
pub async fn export_case(server: &Arc<Server>, wish: Wish<'_>, folder: &Path) -> Result<Exported, ExportError> {
    std::fs::create_dir_all(folder)?;
    let name: [u8; 8] = array(&*server.random).map_err(io::Error::other)?;
    let zip = folder.join(format!("{}.zip", hex::encode(name)));
    let path = zip.clone();
    let made = export(server, wish, move || Ok(Box::new(ZipSink::create(&path)?))).await;
    let (summary, checkpoint) = made.inspect_err(|_| {
        let _ = std::fs::remove_file(&zip);
    })?;
    Ok(Exported {
        zip,
        summary,
        checkpoint,
    })
}

/// Writes the bundle as an unpacked folder, which must not exist; returns the size of its checkpoint beside.
///
/// # Errors
/// As [`export_case`].
pub async fn export_folder(server: &Arc<Server>, wish: Wish<'_>, folder: &Path) -> Result<(Summary, u64), ExportError> {
    let root = folder.to_path_buf();
    let sink = move || {
        std::fs::create_dir(&root)?;
        Ok(Box::new(FolderSink { root }) as Box<dyn ClosingSink>)
    };
    export(server, wish, sink).await
}

/// The size of the checkpoint in a file such as a bundle's `data/checkpoint`.
///
/// # Errors
/// When it is none of this server's log.
pub fn checkpoint_size(server: &Server, note: &[u8]) -> Result<u64, ExportError> {
    let unreadable = |why: String| ExportError::Corrupt(format!("the checkpoint handed in: {why}"));
    let note = SignedNote::parse(note).map_err(|e| unreadable(e.to_string()))?;
    let checkpoint = Checkpoint::of(&note).map_err(|e| unreadable(e.to_string()))?;
    match checkpoint.origin == server.config.origin {
        true => Ok(checkpoint.size),
        false => Err(unreadable(format!("it is of {}", checkpoint.origin))),
    }
}

async fn export(
    server: &Arc<Server>,
    wish: Wish<'_>,
    sink: impl FnOnce() -> io::Result<Box<dyn ClosingSink>> + Send + 'static,
) -> Result<(Summary, u64), ExportError> {
    let checkpoint = match wish.at {
        None => {
            let awaited = server.ledger.orphans().await?;
            if awaited > 0 && !wish.despite_awaited {
                return Err(ExportError::Awaiting(awaited));
            }
            let roll = roll::write_roll(server, wish.case).await?;
            checkpoint_above(server, roll).await?
        }
        Some(size) => {
            let checkpoint = checkpoint_of(server, size).await?;
            roll::roll_below(server, wish.case, size).await?;
            checkpoint
        }
    };
    bound(server, &checkpoint).await?;
    let contents = gather::gather(server, wish.case, &checkpoint).await?;
    let summary = write(server, contents, sink).await?;
    let about = custody::bundle_note(&to_hex(&summary.tag_manifest_sha256), checkpoint.size);
    custody::exported(&server.ingest, wish.case, wish.by, &about).await?;
    Ok((summary, checkpoint.size))
}

/// A published checkpoint that holds a leaf.
async fn checkpoint_above(server: &Arc<Server>, leaf: u64) -> Result<Published, ExportError> {
    let mut published = server.published.clone();
    let snapshot = published
        .wait_for(|now| now.size > leaf)
        .await
        .map_err(|_| LogError::Frozen("the sequencer has stopped".into()))?;
    Ok(snapshot.clone())
}

/// The checkpoint that was signed for a size.
async fn checkpoint_of(server: &Arc<Server>, size: u64) -> Result<Published, ExportError> {
    let held = server.ledger.register(space::CHECKPOINT, size.to_be_bytes().to_vec());
    let note = held.await?.ok_or(ExportError::NoSuchCheckpoint(size))?.value;
    let corrupt = |why: String| ExportError::Corrupt(format!("checkpoint {size}: {why}"));
    let signed = SignedNote::parse(&note).map_err(|e| corrupt(e.to_string()))?;
    let root = Checkpoint::of(&signed).map_err(|e| corrupt(e.to_string()))?.root;
    Ok(Published { size, root, note })
}

/// Without a time note of the very size the newest operations would have no upper bound. The first one stays the one that
/// bundles show.
async fn bound(server: &Arc<Server>, checkpoint: &Published) -> Result<(), ExportError> {
    let size = checkpoint.size.to_be_bytes().to_vec();
    if server.ledger.registers_under(space::TIME, size).await?.is_empty() {
        server.time.of(checkpoint).await?;
    }
    Ok(())
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
