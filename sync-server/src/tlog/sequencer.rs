//! The one that turns admitted leaves into signed checkpoints.

use std::sync::Arc;

use fieldseal_proof::cbor;
use fieldseal_proof::checkpoint::Checkpoint;
use fieldseal_proof::hash::Digest32;
use fieldseal_proof::merkle::{CompactRange, leaf_hash};
use fieldseal_proof::note::{SignedNote, VerifierKey};
use fieldseal_proof::suite::{Ed25519Signer, Signer};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{LogError, OwnChain, TileError, TileFolder};
use crate::ledger::{ChainKey, Commit, LedgerError, LedgerStore, Swap, space};

/// Key of the head in the `meta` space.
pub const HEAD_KEY: &[u8] = b"tree";
/// Leaves that are integrated in one step at most: 8 MiB of leaves, a quarter of a second of hashing.
const STEP: u64 = 1 << 18;

/// The committed head. The register's version is the fence: who swaps it at a version that is not its own has lost the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeHead {
    pub size: u64,
    /// Root over the first `size` leaves, hex.
    pub root: String,
    /// Counts the processes that took the log over.
    pub fence: u64,
    /// The signed checkpoint of this size, once it was signed.
    pub note: Option<String>,
}

/// What everybody may see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    pub size: u64,
    pub root: Digest32,
    /// The signed note; empty before the first checkpoint.
    pub note: Vec<u8>,
}

/// Owns the log: nobody else signs.
pub struct Sequencer {
    ledger: Arc<dyn LedgerStore>,
    tiles: TileFolder,
    origin: String,
    signer: Arc<Ed25519Signer>,
    own: Option<(ChainKey, OwnChain)>,
    /// Bytes and operations in the own chain's file.
    own_bytes: u64,
    own_next: u64,
    head: TreeHead,
    version: u64,
    /// Right edge of the tree whose tiles are written.
    range: CompactRange,
    published: watch::Sender<Published>,
}

impl Sequencer {
    /// Takes the log over and finishes whatever was begun.
    ///
    /// # Errors
    /// [`LogError::Frozen`] where the published checkpoint and the ledger contradict each other.
    pub async fn start(
        ledger: Arc<dyn LedgerStore>,
        tiles: TileFolder,
        origin: &str,
        signer: Arc<Ed25519Signer>,
        own: Option<ChainKey>,
    ) -> Result<Self, LogError> {
        let stored = ledger.register(space::META, HEAD_KEY.to_vec()).await?;
        let head: TreeHead = match &stored {
            Some(register) => {
                serde_json::from_slice(&register.value).map_err(|e| LedgerError::Corrupt(e.to_string()))?
            }
            None => TreeHead {
                size: 0,
                root: hex::encode(CompactRange::default().root()),
                fence: 0,
                note: None,
            },
        };
        let own = own.map(|key| {
            (
                key,
                OwnChain::of(tiles.root(), &key.device.to_string(), &key.incarnation.to_string()),
            )
        });
        let mut this = Self {
            ledger,
            tiles,
            origin: origin.to_owned(),
            signer,
            own,
            own_bytes: 0,
            own_next: 0,
            version: stored.map_or(0, |register| register.version),
            head,
            range: CompactRange::default(),
            published: watch::Sender::new(Published::default()),
        };
        this.check_published().await?;
        let taken = TreeHead {
            fence: this.head.fence + 1,
            ..this.head.clone()
        };
        this.swap(taken, None).await?;
        this.count_own()?;
        this.finish().await?;
        Ok(this)
    }

    /// Follows what is published.
    pub fn watch(&self) -> watch::Receiver<Published> {
        self.published.subscribe()
    }

    /// Integrates and publishes what was admitted since; `false` when there was nothing.
    ///
    /// # Errors
    /// Any error leaves the log where the last durable part put it; a new start goes on from there.
    pub async fn step(&mut self) -> Result<bool, LogError> {
        if self.range.size() != self.head.size || self.published.borrow().size != self.head.size {
            // The last step was cut after its head was committed.
            self.finish().await?;
        }
        let leaves = self.ledger.leaves(self.head.size, self.head.size + STEP).await?;
        if leaves.is_empty() {
            return Ok(false);
        }
        let mut range = self.range.clone();
        leaves.iter().for_each(|leaf| range.push(leaf_hash(leaf), |_, _, _| {}));
        let next = TreeHead {
            size: range.size(),
            root: hex::encode(range.root()),
            fence: self.head.fence,
            note: None,
        };
        self.swap(next, None).await?;
        self.finish().await?;
        Ok(true)
    }

    /// From a committed head to a published one. Each part may be repeated.
    async fn finish(&mut self) -> Result<(), LogError> {
        if self.head.size == 0 {
            return Ok(());
        }
        let root: Digest32 = hex::decode(&self.head.root)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| LedgerError::Corrupt("the root of the log's head".into()))?;
        let note = match self.head.note.clone() {
            Some(note) => note.into_bytes(),
            None => self.sign(root).await?,
        };
        self.write_tiles(root).await?;
        self.write_own().await?;
        let (tiles, bytes) = (self.tiles.clone(), note.clone());
        blocking(move || tiles.publish_checkpoint(&bytes)).await?;
        self.published.send_replace(Published {
            size: self.head.size,
            root,
            note,
        });
        Ok(())
    }

    /// Signs the committed head and stores the signature.
    async fn sign(&mut self, root: Digest32) -> Result<Vec<u8>, LogError> {
        let text = Checkpoint {
            origin: self.origin.clone(),
            size: self.head.size,
            root,
        }
        .text();
        let note = SignedNote::sign(&text, &self.origin, &*self.signer)
            .map_err(|e| LogError::Sign(e.to_string()))?
            .to_bytes();
        let signed = TreeHead {
            note: Some(String::from_utf8_lossy(&note).into_owned()),
            ..self.head.clone()
        };
        self.swap(signed, Some(note.clone())).await?;
        Ok(note)
    }

    /// Brings the tiles up to the head: from the edge they have if that is sound, else from the first leaf.
    async fn write_tiles(&mut self, root: Digest32) -> Result<(), LogError> {
        let edge = self.range.clone();
        let mut last = None;
        for start in [edge, CompactRange::default()] {
            match self.extend_tiles(start).await {
                Ok(range) if range.root() == root => {
                    self.range = range;
                    return Ok(());
                }
                Ok(_) => {}
                Err(LogError::Tiles(e)) => last = Some(e),
                Err(other) => return Err(other),
            }
        }
        match last {
            Some(e) => Err(e.into()),
            None => Err(LogError::Frozen(format!(
                "the leaves do not give the root committed for size {}",
                self.head.size
            ))),
        }
    }

    async fn extend_tiles(&self, mut range: CompactRange) -> Result<CompactRange, LogError> {
        while range.size() < self.head.size {
            let leaves = self
                .ledger
                .leaves(range.size(), self.head.size.min(range.size() + STEP))
                .await?;
            if leaves.is_empty() {
                return Err(LogError::Frozen(format!(
                    "the ledger holds fewer leaves than its head of size {}",
                    self.head.size
                )));
            }
            let tiles = self.tiles.clone();
            range = blocking(move || tiles.extend(range, &leaves)).await?;
        }
        Ok(range)
    }

    /// What the ingest device signed below the head goes beside the tiles before the checkpoint does.
    async fn write_own(&mut self) -> Result<(), LogError> {
        let Some((key, file)) = &self.own else { return Ok(()) };
        let stored = self.ledger.stored(*key, self.own_next, u64::MAX).await?;
        let (mut frames, mut next) = (Vec::new(), self.own_next);
        for one in stored.iter().take_while(|one| one.leaf < self.head.size) {
            for row in self
                .ledger
                .operation(one.id)
                .await?
                .into_iter()
                .filter(|row| row.leaf == one.leaf)
            {
                frames.extend_from_slice(&row.frame);
                next = one.seq + 1;
            }
        }
        let (file, at, length) = (file.clone(), self.own_bytes, frames.len() as u64);
        blocking(move || file.write_from(at, &frames)).await?;
        self.own_bytes += length;
        self.own_next = next;
        Ok(())
    }

    /// Counts what the own chain's file holds already; a torn end is not counted and will be written over.
    fn count_own(&mut self) -> Result<(), LogError> {
        let Some((_, file)) = &self.own else { return Ok(()) };
        let bytes = file.read()?;
        let mut rest = bytes.as_slice();
        while !rest.is_empty()
            && let Ok((_, used)) = cbor::decode_prefix(rest)
        {
            self.own_bytes += used as u64;
            self.own_next += 1;
            rest = &rest[used..];
        }
        Ok(())
    }

    /// The published checkpoint must be ours and must be a prefix of what the ledger holds; otherwise nothing is signed.
    async fn check_published(&mut self) -> Result<(), LogError> {
        let Some(bytes) = self.tiles.checkpoint()? else {
            return Ok(());
        };
        let frozen = LogError::Frozen;
        let note = SignedNote::parse(&bytes).map_err(|e| frozen(format!("tiles/checkpoint: {e}")))?;
        let vkey =
            VerifierKey::ed25519(&self.origin, self.signer.public().clone()).map_err(|e| frozen(e.to_string()))?;
        note.verify(&vkey)
            .map_err(|e| frozen(format!("tiles/checkpoint is not by this log: {e}")))?;
        let published = Checkpoint::of(&note).map_err(|e| frozen(e.to_string()))?;
        let held = self.ledger.size().await?;
        if published.size > held {
            return Err(frozen(format!(
                "tiles/checkpoint was signed for {} leaves, the ledger holds {held}: restore with this tiles folder, \
                 or let the root key sign a succession",
                published.size
            )));
        }
        // The leaves decide, not the tiles: a tile that was lost or changed is written again.
        let mut range = CompactRange::default();
        while range.size() < published.size {
            let leaves = self
                .ledger
                .leaves(range.size(), published.size.min(range.size() + STEP))
                .await?;
            leaves.iter().for_each(|leaf| range.push(leaf_hash(leaf), |_, _, _| {}));
        }
        if range.root() != published.root {
            return Err(frozen(format!(
                "the ledger's first {} leaves contradict the checkpoint that was signed for them",
                published.size
            )));
        }
        if self.head.size < published.size {
            // A restored ledger whose leaves were filled up from the bundles: its head follows what was published.
            let note = Some(String::from_utf8_lossy(&bytes).into_owned());
            self.head = TreeHead {
                size: published.size,
                root: hex::encode(published.root),
                fence: self.head.fence,
                note,
            };
        }
        let stored = CompactRange::load(published.size, &self.tiles).is_ok_and(|tiles| tiles == range);
        self.range = if stored { range } else { CompactRange::default() };
        Ok(())
    }

    async fn swap(&mut self, next: TreeHead, signed: Option<Vec<u8>>) -> Result<(), LogError> {
        if next.size < self.head.size || (next.size == self.head.size && next.root != self.head.root) {
            return Err(LogError::Frozen(
                "a head that is smaller than, or contradicts, the committed one".into(),
            ));
        }
        let value = serde_json::to_vec(&next).map_err(|e| LedgerError::Corrupt(e.to_string()))?;
        let mut registers = vec![Swap::update(space::META, HEAD_KEY, self.version, value)];
        if let Some(note) = signed {
            registers.push(Swap::set(space::CHECKPOINT, next.size.to_be_bytes(), note));
        }
        match self.ledger.commit(Commit::of(registers)).await {
            Ok(_) => {
                self.version += 1;
                self.head = next;
                Ok(())
            }
            Err(LedgerError::Conflict(_)) => Err(LogError::Fenced),
            Err(other) => Err(other.into()),
        }
    }
}

async fn blocking<T: Send + 'static>(
    f: impl FnOnce() -> Result<T, TileError> + Send + 'static,
) -> Result<T, TileError> {
    tokio::task::spawn_blocking(f).await.map_err(|e| TileError::Io {
        path: "tiles".into(),
        why: e.to_string(),
    })?
}
