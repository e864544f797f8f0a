//! `backup`: a consistent copy of everything, read back at the end. The server may run meanwhile.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fieldseal_core::catalogue::Param;
use fieldseal_proof::hash::StreamHash;
use fieldseal_proof::ids::to_hex;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Failure, Outcome, Report};
use crate::config::Layout;
use crate::ledger::LedgerStore;
use crate::ledger::sqlite::SqliteLedger;

/// Name of the manifest in a backup.
pub(super) const MANIFEST: &str = "backup.json";

/// What a backup holds.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub version: u32,
    /// Leaves in the ledger.
    pub leaves: u64,
    /// Path → (size, SHA-256 hex).
    pub files: BTreeMap<String, (u64, String)>,
}

pub(super) async fn run(dir: &Path, out: &Path) -> Outcome {
    let failed = |error: Box<dyn std::error::Error>| Failure::detail("backup_failed", error);
    if std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some()) {
        let path = ("path", Param::text(out.display().to_string()));
        return Err(Failure::new("folder_not_empty", [path]));
    }
    let manifest = copy(dir, out).await.map_err(failed)?;
    let wrong = verify(out, &manifest).map_err(|error| failed(error.into()))?;
    if !wrong.is_empty() {
        let detail = format!("the copy does not read back: {}", wrong.join(", "));
        return Err(Failure::detail("backup_failed", detail));
    }
    let bytes: u64 = manifest.files.values().map(|(size, _)| size).sum();
    let lines = vec![format!(
        "备份完成并已重新读过 backed up and read back: {} files, {bytes} bytes, {} leaves",
        manifest.files.len(),
        manifest.leaves
    )];
    Ok(Report::done(
        json!({ "out": out, "files": manifest.files.len(), "bytes": bytes, "leaves": manifest.leaves }),
        lines,
    ))
}

async fn copy(dir: &Path, out: &Path) -> Result<Manifest, Box<dyn std::error::Error>> {
    let layout = Layout::new(dir);
    std::fs::create_dir_all(out)?;
    // Keys first, then tiles (the checkpoint before the tiles), then the ledger, then blobs: each is at least as new as what it
    // must be able to explain. A whole tile that replaced a partial one meanwhile is derived again from the leaves.
    for name in ["server.toml", "request.json", "card.json"] {
        if dir.join(name).exists() {
            copy_file(&dir.join(name), &out.join(name))?;
        }
    }
    copy_tree(&layout.keys(), &out.join("keys"))?;
    if layout.tiles().join("checkpoint").exists() {
        std::fs::create_dir_all(out.join("tiles"))?;
        copy_file(&layout.tiles().join("checkpoint"), &out.join("tiles/checkpoint"))?;
    }
    copy_tree(&layout.tiles(), &out.join("tiles"))?;
    let ledger = SqliteLedger::open(&layout.ledger())?;
    ledger.copy_to(out.join("ledger.sqlite")).await?;
    let leaves = SqliteLedger::open(&out.join("ledger.sqlite"))?.size().await?;
    copy_tree(&layout.blobs(), &out.join("blobs"))?;
    let mut files = BTreeMap::new();
    for path in walk(out)? {
        let name = path.strip_prefix(out)?.to_string_lossy().into_owned();
        // The copy is not open any more; what SQLite keeps beside it is empty and goes with the last connection.
        if !name.ends_with("-wal") && !name.ends_with("-shm") {
            files.insert(name, fingerprint(&path)?);
        }
    }
    let manifest = Manifest {
        version: 0,
        leaves,
        files,
    };
    std::fs::write(out.join(MANIFEST), serde_json::to_vec_pretty(&manifest)?)?;
    Ok(manifest)
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

fn fingerprint(path: &Path) -> std::io::Result<(u64, String)> {
    let mut file = std::fs::File::open(path)?;
    let mut hash = StreamHash::default();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let n = std::io::Read::read(&mut file, &mut buffer)?;
        if n == 0 {
            let (digest, size) = hash.finish();
            return Ok((size, to_hex(&digest)));
        }
        hash.update(&buffer[..n]);
    }
}

/// Copies a folder; what is there already stays, what vanishes meanwhile (a partial tile) is passed over.
pub(super) fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
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
        match copy_file(&path, &target) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    Ok(())
}

/// Copies one file with its mode and makes it durable.
pub(super) fn copy_file(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::copy(from, to)?;
    std::fs::File::open(to)?.sync_all()
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
