//! `restore`: a backup becomes a server again, in a new epoch, without contradicting anything that was signed after it.
//!
//! Tiles are newer than the backup where they were kept apart. Then the leaves that the backup lacks come from the entry bundles,
//! and the server's own operations from the file beside the tiles; devices offer the rest again and each operation finds its leaf.
//!
//! Files may be newer too, where their disk survived, or older, where it did not: what the ledger holds and no file is there for is
//! forgotten as received, so that the devices that have it send it again.

use std::path::Path;
use std::sync::Arc;

use fieldseal_core::clock::{Clock, SystemClock};
use fieldseal_core::random::{OsRandom, Random, array};
use fieldseal_proof::cbor;
use fieldseal_proof::checkpoint::Checkpoint;
use fieldseal_proof::ids::Epoch;
use fieldseal_proof::merkle::{CompactRange, leaf_hash};
use fieldseal_proof::note::{SignedNote, VerifierKey};
use fieldseal_proof::suite::Signer;
use fieldseal_proof::tile::WIDTH;
use serde_json::json;

use super::backup::{Copied, read_manifest, sync_folders, verify};
use super::reread::Fallible;
use super::{Failure, Outcome, Report};
use crate::config::{Config, Layout};
use crate::ingest::{Ingest, KeyLogState};
use crate::keys::ServerKeys;
use crate::ledger::blob::{BlobStore, FolderBlobs};
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::{ChainKey, Commit, LedgerStore, Swap, space};
use crate::server::EPOCH_KEY;
use crate::tlog::{OwnChain, TileFolder};
use crate::uploads::Blob;

/// Own operations that are admitted at a time.
const STEP: usize = 400;

/// `without_files`: evidence files that the backup lists and does not hold (any more) are no reason to refuse it.
pub(super) async fn run(from: &Path, dir: &Path, without_files: bool) -> Outcome {
    restore(from, dir, without_files)
        .await
        .map_err(|error| Failure::detail("restore_refused", error))
}

async fn restore(from: &Path, dir: &Path, without_files: bool) -> Fallible<Report> {
    let manifest = read_manifest(from)?;
    let lost = |name: &String| name.starts_with("blobs/") && !from.join(name).exists();
    let (lost, wrong): (Vec<String>, Vec<String>) = verify(from, &manifest)?.into_iter().partition(lost);
    if !wrong.is_empty() {
        return Err(format!("the backup was changed: {}", wrong.join(", ")).into());
    }
    if !lost.is_empty() && !without_files {
        return Err(format!(
            "{} evidence files of the backup are not there (with --without-files the rest is restored, and the devices are asked for \
             them again): {}",
            lost.len(),
            lost.join(", ")
        )
        .into());
    }
    std::fs::create_dir_all(dir)?;
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name();
        if name != "tiles" && name != "blobs" {
            return Err(format!(
                "{} holds {}; only tiles/ and blobs/ may be there",
                dir.display(),
                name.to_string_lossy()
            )
            .into());
        }
    }
    let layout = Layout::new(dir);
    let kept = layout.tiles().join("checkpoint").exists();
    let mut copied = Copied::default();
    if !kept {
        copied.tree(&from.join("tiles"), &layout.tiles())?;
    }
    for name in ["server.toml", "request.json", "card.json", "ledger.sqlite"] {
        if from.join(name).exists() {
            copied.file(&from.join(name), &dir.join(name))?;
        }
    }
    copied.tree(&from.join("keys"), &layout.keys())?;
    copied.tree(&from.join("blobs"), &layout.blobs())?;
    sync_folders(dir)?;
    let asked = ask_again(&SqliteLedger::open(&layout.ledger())?, &layout).await?;
    let clock = Arc::new(SystemClock::new(&OsRandom)?);
    let TakenUp {
        before,
        awaited,
        own,
        epoch,
    } = take_up(&layout, clock, Arc::new(OsRandom)).await?;
    let epoch = epoch.as_bytes();
    let mut lines = vec![
        format!(
            "已恢复 restored: {before} leaves from the backup, {awaited} more from the tiles, {own} of them the server's own operations"
        ),
        format!("新纪元 new epoch: {}", hex::encode(epoch)),
        "各设备下次同步时会补交备份之后的内容。 Devices offer what the backup lacked at their next sync.".to_owned(),
    ];
    if asked > 0 {
        lines.push(format!(
            "{asked} 个证据文件不在，将由各设备重新上传。 {asked} evidence files are not there: devices send them again."
        ));
    }
    let report = json!({
        "leaves": before, "awaited": awaited, "own": own, "epoch": hex::encode(epoch), "tiles_kept": kept, "files_awaited": asked,
    });
    Ok(Report::done(report, lines))
}

/// What a ledger that was put back went through.
pub struct TakenUp {
    /// Leaves that it held.
    pub before: u64,
    /// Leaves that came from the tiles.
    pub awaited: u64,
    /// Of those, operations of the server itself that came back whole.
    pub own: usize,
    /// The epoch that begins.
    pub epoch: Epoch,
}

/// Makes a server's folder, whose ledger is a backup's and whose tiles may be newer, a server in a new epoch.
///
/// # Errors
/// When backup and tiles contradict each other, or a store refuses; nothing is then signed on top of it.
pub async fn take_up(
    layout: &Layout,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> Result<TakenUp, Box<dyn std::error::Error + Send + Sync>> {
    let ledger: Arc<dyn LedgerStore> = Arc::new(SqliteLedger::open(&layout.ledger())?);
    let before = ledger.size().await?;
    let config = Config::load(layout)?;
    let (device, incarnation) = config.ids()?;
    let keys = Arc::new(ServerKeys::load(&layout.keys(), device, incarnation)?);
    let awaited = fill_up(&*ledger, layout, &config, &keys).await?;
    let epoch = Epoch::from_bytes(array(&*random)?);
    ledger
        .commit(Commit::of(vec![Swap::set(space::META, EPOCH_KEY, *epoch.as_bytes())]))
        .await?;
    let own = own_operations(&ledger, layout, &config, keys, (epoch, clock, random)).await?;
    Ok(TakenUp {
        before,
        awaited,
        own,
        epoch,
    })
}

/// Appends the leaves that were published after the backup. Refuses tiles that contradict the backup or their own checkpoint.
async fn fill_up(ledger: &dyn LedgerStore, layout: &Layout, config: &Config, keys: &ServerKeys) -> Fallible<u64> {
    let tiles = TileFolder::open(&layout.tiles())?;
    let Some(bytes) = tiles.checkpoint()? else { return Ok(0) };
    let note = SignedNote::parse(&bytes)?;
    note.verify(&VerifierKey::ed25519(
        &config.origin,
        keys.log.signer().public().clone(),
    )?)?;
    let checkpoint = Checkpoint::of(&note)?;
    let held = ledger.size().await?;
    let mut range = CompactRange::default();
    let mut more = Vec::new();
    for bundle in 0..checkpoint.size.div_ceil(WIDTH) {
        let first = bundle * WIDTH;
        let width = (checkpoint.size - first).min(WIDTH);
        let of_ledger = ledger.leaves(first, first + width).await?;
        let leaves = if of_ledger.len() as u64 == width {
            of_ledger.clone()
        } else {
            tiles.bundle(bundle, width)?
        };
        if !leaves.starts_with(&of_ledger) {
            return Err("the tiles contradict the backup: nothing will be signed on top of them".into());
        }
        for (index, leaf) in (first..).zip(&leaves) {
            range.push(leaf_hash(leaf), |_, _, _| {});
            if index >= held {
                more.push(*leaf);
            }
        }
    }
    if range.root() != checkpoint.root {
        return Err(
            "backup and tiles do not give the root of tiles/checkpoint: nothing will be signed on top of it".into(),
        );
    }
    let count = more.len() as u64;
    ledger
        .commit(Commit {
            awaited: more,
            ..Commit::default()
        })
        .await?;
    Ok(count)
}

/// Forgets as received what no file is there for; how many files those are. In the new epoch each device asks what is held of its own.
async fn ask_again(ledger: &dyn LedgerStore, layout: &Layout) -> Fallible<usize> {
    let there = FolderBlobs::open(&layout.blobs())?.names().await?;
    let (mut after, mut asked) = (Vec::new(), 0);
    loop {
        let page = ledger.registers(space::BLOB, after, STEP).await?;
        let Some(last) = page.last() else { return Ok(asked) };
        after = last.key.clone();
        let mut gone = Vec::new();
        for row in page {
            let blob: Blob = serde_json::from_slice(&row.value)?;
            if there.binary_search(&blob.object).is_ok() {
                continue;
            }
            asked += 1;
            let holders = ledger.registers_under(space::HOLDER, row.key.clone()).await?;
            gone.extend(
                holders
                    .into_iter()
                    .map(|holder| Swap::remove(space::HOLDER, holder.key)),
            );
            gone.push(Swap::remove(space::BLOB, row.key));
        }
        ledger.commit(Commit::of(gone)).await?;
    }
}

/// Brings back what the ingest device signed after the backup, so that it never signs a sequence number twice.
async fn own_operations(
    ledger: &Arc<dyn LedgerStore>,
    layout: &Layout,
    config: &Config,
    keys: Arc<ServerKeys>,
    (epoch, clock, random): (Epoch, Arc<dyn Clock>, Arc<dyn Random>),
) -> Fallible<usize> {
    let Some(key_log) = KeyLogState::load(&**ledger).await? else {
        return Ok(0);
    };
    let key = ChainKey {
        device: keys.device,
        incarnation: keys.incarnation,
    };
    let frames = OwnChain::of(&layout.tiles(), &key.device.to_string(), &key.incarnation.to_string()).read()?;
    let ingest = Ingest::new(ledger.clone(), keys, clock, random, &config.origin, epoch, key_log);
    let next = ingest
        .chain(key)
        .await?
        .main()
        .map_or(0, |main| main.last_seq as usize + 1);
    let mut rest = frames.as_slice();
    let mut whole = Vec::new();
    while !rest.is_empty()
        && let Ok((_, used)) = cbor::decode_prefix(rest)
    {
        whole.push(&rest[..used]);
        rest = &rest[used..];
    }
    let missing = whole.get(next..).unwrap_or_default();
    for batch in missing.chunks(STEP) {
        let admission = ingest.admit(key, batch.concat()).await?;
        if let Some(fault) = admission.fault {
            return Err(format!(
                "the server's own chain beside the tiles does not hold: {}",
                fault.detail
            )
            .into());
        }
    }
    Ok(missing.len())
}
