//! `backup`: a consistent copy of everything, compared with its source and checked like a server's own folder before it counts.
//! The server may run meanwhile.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use fieldseal_core::catalogue::Param;
use fieldseal_proof::checkpoint::Checkpoint;
use fieldseal_proof::hash::StreamHash;
use fieldseal_proof::ids::to_hex;
use fieldseal_proof::merkle::CompactRange;
use fieldseal_proof::note::{SignedNote, VerifierKey};
use fieldseal_proof::suite::Signer;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::reread::{Error, Fallible, Reread};
use super::{Failure, Outcome, Report};
use crate::config::{Config, Layout};
use crate::ingest::KeyLogState;
use crate::keys::ServerKeys;
use crate::ledger::LedgerStore;
use crate::ledger::blob::FolderBlobs;
use crate::ledger::sqlite::SqliteLedger;
use crate::tlog::{Published, TileFolder};

/// Name of the manifest in a backup.
pub(super) const MANIFEST: &str = "backup.json";

/// What a backup holds.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub version: u32,
    /// Leaves in the ledger.
    pub leaves: u64,
    /// Path → (size, SHA-256 hex), as read at the source.
    pub files: BTreeMap<String, Fingerprint>,
    /// What did not hold in the server's own folder when it was made, where somebody wanted the rest all the same.
    #[serde(default)]
    pub findings: Vec<String>,
}

/// Size and SHA-256 in hex.
type Fingerprint = (u64, String);

pub(super) async fn run(dir: &Path, out: &Path, with_findings: bool) -> Outcome {
    if std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some()) {
        let path = ("path", Param::text(out.display().to_string()));
        return Err(Failure::new("folder_not_empty", [path]));
    }
    let mut manifest = copy(dir, out).await.map_err(failed)?;
    let unlike = verify(out, &manifest).map_err(|error| failed(error.into()))?;
    if !unlike.is_empty() {
        return Err(failed(
            format!("the copy is not what was read: {}", unlike.join(", ")).into(),
        ));
    }
    let findings = findings(out).await.map_err(failed)?;
    if !findings.is_empty() && !with_findings {
        let detail = format!(
            "what was copied does not hold (with --with-findings the rest counts all the same): {}",
            findings.join("; ")
        );
        return Err(failed(detail.into()));
    }
    manifest.findings = findings;
    // The manifest is what makes a folder a backup: it comes last, after everything else is durable.
    put(out, &manifest).map_err(|error| failed(error.into()))?;
    Ok(told(
        out,
        &manifest,
        "备份完成，已与来源比对并全部复核 backed up, compared and checked",
    ))
}

/// The same checks on a backup that was made before.
pub(super) async fn check(from: &Path) -> Outcome {
    let manifest = read_manifest(from).map_err(failed)?;
    let mut wrong = verify(from, &manifest).map_err(|error| failed(error.into()))?;
    for name in &mut wrong {
        name.push_str(": not the file that was backed up");
    }
    // A ledger that does not open is a finding, not the end of the look.
    match findings(from).await {
        Ok(found) => wrong.extend(found),
        Err(error) => wrong.push(error.to_string()),
    }
    wrong.retain(|finding| !manifest.findings.contains(finding));
    if wrong.is_empty() {
        return Ok(told(from, &manifest, "备份完好 the backup holds"));
    }
    Err(Failure::detail("backup_spoilt", wrong.join("; ")))
}

fn failed(error: Error) -> Failure {
    Failure::detail("backup_failed", error)
}

fn told(folder: &Path, manifest: &Manifest, words: &str) -> Report {
    let (files, leaves) = (manifest.files.len(), manifest.leaves);
    let bytes: u64 = manifest.files.values().map(|(size, _)| size).sum();
    let mut lines = vec![format!("{words}: {files} files, {bytes} bytes, {leaves} leaves")];
    lines.extend(manifest.findings.iter().cloned());
    let json = json!({
        "out": folder, "files": files, "bytes": bytes, "leaves": leaves, "findings": manifest.findings,
    });
    Report::done(json, lines)
}

/// Copies everything; the manifest holds what was read from the server's folder, not what stands in the copy.
async fn copy(dir: &Path, out: &Path) -> Fallible<Manifest> {
    let layout = Layout::new(dir);
    std::fs::create_dir_all(out)?;
    let mut copied = Copied::default();
    // Keys first, then tiles (the checkpoint before the tiles), then the ledger, then blobs: each is at least as new as what it
    // must be able to explain. A whole tile that replaced a partial one meanwhile is derived again from the leaves.
    for name in ["server.toml", "request.json", "card.json"] {
        if dir.join(name).exists() {
            copied.file(&dir.join(name), &out.join(name))?;
        }
    }
    copied.tree(&layout.keys(), &out.join("keys"))?;
    if layout.tiles().join("checkpoint").exists() {
        std::fs::create_dir_all(out.join("tiles"))?;
        copied.file(&layout.tiles().join("checkpoint"), &out.join("tiles/checkpoint"))?;
    }
    copied.tree(&layout.tiles(), &out.join("tiles"))?;
    let ledger = SqliteLedger::open(&layout.ledger())?;
    let target = out.join("ledger.sqlite");
    ledger.copy_to(target.clone()).await?;
    // The ledger is copied page by page at one moment; what stands in the copy is checked by its content instead.
    copied.files.insert(target.clone(), fingerprint(&target)?);
    let leaves = SqliteLedger::open_copy(&target)?.size().await?;
    copied.tree(&layout.blobs(), &out.join("blobs"))?;
    let mut files = BTreeMap::new();
    for (path, fingerprint) in copied.files {
        files.insert(path.strip_prefix(out)?.to_string_lossy().into_owned(), fingerprint);
    }
    Ok(Manifest {
        version: 0,
        leaves,
        files,
        findings: Vec::new(),
    })
}

/// What does not hold in a copy: the database by SQLite's own check, its leaves against the signed checkpoint and the tiles, every
/// operation against its signature and leaf, every file that a row names against its hash.
async fn findings(copy: &Path) -> Fallible<Vec<String>> {
    let layout = Layout::new(copy);
    let damage = SqliteLedger::damage(&layout.ledger())?;
    if !damage.is_empty() {
        return Ok(damage.iter().map(|line| format!("ledger.sqlite: {line}")).collect());
    }
    let config = Config::load(&layout)?;
    let (device, incarnation) = config.ids()?;
    let keys = ServerKeys::load(&layout.keys(), device, incarnation)?;
    let ledger = SqliteLedger::open_copy(&layout.ledger())?;
    let tiles = TileFolder::open(&layout.tiles())?;
    let blobs = FolderBlobs::open(&layout.blobs())?;
    let Some(key_log) = KeyLogState::load(&ledger).await? else {
        // Before the ceremony there is nothing but keys.
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    let published = match tiles.checkpoint()? {
        None => None,
        Some(note) => match signed(&note, &config, &keys) {
            Ok(checkpoint) => Some(Published {
                size: checkpoint.size,
                root: checkpoint.root,
                note,
            }),
            Err(why) => {
                found.push(format!("tiles/checkpoint: {why}"));
                None
            }
        },
    };
    let published = published.unwrap_or_else(|| Published {
        size: 0,
        root: CompactRange::default().root(),
        note: Vec::new(),
    });
    let stored = Reread {
        ledger: &ledger,
        tiles: &tiles,
        blobs: &blobs,
        vault: &keys.vault,
        key_log: &key_log,
        published: &published,
        tiles_may_lack: true,
    };
    found.extend(stored.findings().await?);
    Ok(found)
}

/// A checkpoint that this server's log key signed.
fn signed(note: &[u8], config: &Config, keys: &ServerKeys) -> Fallible<Checkpoint> {
    let note = SignedNote::parse(note)?;
    note.verify(&VerifierKey::ed25519(
        &config.origin,
        keys.log.signer().public().clone(),
    )?)?;
    Ok(Checkpoint::of(&note)?)
}

pub(super) fn read_manifest(from: &Path) -> Fallible<Manifest> {
    let listed = from.join(MANIFEST);
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", listed.display());
    let manifest = std::fs::read(&listed).map_err(|error| named(&error))?;
    Ok(serde_json::from_slice(&manifest).map_err(|error| named(&error))?)
}

/// Writes the manifest and makes every name of the backup durable.
fn put(out: &Path, manifest: &Manifest) -> std::io::Result<()> {
    sync_folders(out)?;
    let mut file = File::create_new(out.join(MANIFEST))?;
    file.write_all(&serde_json::to_vec_pretty(manifest)?)?;
    file.sync_all()?;
    File::open(out)?.sync_all()?;
    match out.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

/// Rereads every file of a backup; names those that differ.
pub(super) fn verify(backup: &Path, manifest: &Manifest) -> std::io::Result<Vec<String>> {
    let mut wrong = Vec::new();
    for (name, held) in &manifest.files {
        let escapes = name.starts_with('/') || name.split('/').any(|part| part.is_empty() || part == "..");
        if escapes || fingerprint(&backup.join(name)).ok().as_ref() != Some(held) {
            wrong.push(name.clone());
        }
    }
    Ok(wrong)
}

fn fingerprint(path: &Path) -> std::io::Result<Fingerprint> {
    passed_on(&mut File::open(path)?, &mut std::io::sink())
}

/// Copies bytes and says what they were.
fn passed_on(from: &mut impl Read, to: &mut impl Write) -> std::io::Result<Fingerprint> {
    let mut hash = StreamHash::default();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let n = from.read(&mut buffer)?;
        if n == 0 {
            let (digest, size) = hash.finish();
            return Ok((size, to_hex(&digest)));
        }
        hash.update(&buffer[..n]);
        to.write_all(&buffer[..n])?;
    }
}

/// Files that were copied, by where they are now, each with what was read at its source.
#[derive(Debug, Default)]
pub(super) struct Copied {
    files: BTreeMap<PathBuf, Fingerprint>,
}

impl Copied {
    /// Copies a folder; what is there already stays, what vanishes meanwhile (a partial tile) is passed over.
    pub fn tree(&mut self, from: &Path, to: &Path) -> std::io::Result<()> {
        if !from.exists() {
            return Ok(());
        }
        std::fs::create_dir_all(to)?;
        for path in walk(from)? {
            let Ok(name) = path.strip_prefix(from) else { continue };
            let temporary = name
                .file_name()
                .is_some_and(|name| name.to_string_lossy().ends_with(".new"));
            let target = to.join(name);
            if temporary || target.exists() {
                continue;
            }
            if let Some(folder) = target.parent() {
                std::fs::create_dir_all(folder)?;
            }
            match self.file(&path, &target) {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// Copies one file with its mode and makes its bytes durable. It is nobody else's to read before it has its mode.
    pub fn file(&mut self, from: &Path, to: &Path) -> std::io::Result<()> {
        let mut source = File::open(from)?;
        let mut target = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(to)?;
        let fingerprint = passed_on(&mut source, &mut target)?;
        target.set_permissions(source.metadata()?.permissions())?;
        target.sync_all()?;
        self.files.insert(to.to_owned(), fingerprint);
        Ok(())
    }
}

/// Makes the names in a folder and below it durable.
pub(super) fn sync_folders(root: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    File::open(root)?.sync_all()
}

fn walk(root: &Path) -> std::io::Result<Vec<PathBuf>> {
    let (mut files, mut open) = (Vec::new(), vec![root.to_path_buf()]);
    while let Some(folder) = open.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && folder != root => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path())
            } else {
                files.push(entry.path())
            }
        }
    }
    files.sort();
    Ok(files)
}
