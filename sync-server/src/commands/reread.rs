//! What is stored, read again from the disk: the log, the operations, the files. The same for a server's folder and for a backup.

use fieldseal_proof::hash::StreamHash;
use fieldseal_proof::ids::to_hex;
use fieldseal_proof::key_log::head_leaf;
use fieldseal_proof::merkle::{CompactRange, leaf_hash};
use fieldseal_proof::note::SignedNote;
use fieldseal_proof::operation::Operation;
use fieldseal_proof::tile::WIDTH;

use crate::ingest::{KeyLogState, bare};
use crate::ledger::blob::{Opened, SEGMENT, VaultKey};
use crate::ledger::{BlobStore, FeedScope, LedgerStore, Register, RunState, space};
use crate::tlog::{Published, TileError, TileFolder};
use crate::uploads::Blob;

pub(super) const STEP_BYTES: usize = 4 << 20;
/// Rows of files that are read at a time.
const PAGE: usize = 500;

pub(super) type Error = Box<dyn std::error::Error + Send + Sync>;
pub(super) type Fallible<T> = Result<T, Error>;

/// Where everything lies, and the checkpoint that it has to come to.
pub(super) struct Reread<'a> {
    pub ledger: &'a dyn LedgerStore,
    pub tiles: &'a TileFolder,
    pub blobs: &'a dyn BlobStore,
    pub vault: &'a VaultKey,
    pub key_log: &'a KeyLogState,
    pub published: &'a Published,
    /// A backup of a running server may lack a partial tile that became a whole one meanwhile; it is derived again.
    pub tiles_may_lack: bool,
}

impl Reread<'_> {
    /// One line for each thing that does not hold.
    ///
    /// # Errors
    /// When something cannot be read at all.
    pub async fn findings(&self) -> Fallible<Vec<String>> {
        let mut findings = Vec::new();
        self.log(&mut findings).await?;
        self.operations(&mut findings).await?;
        self.chains(&mut findings).await?;
        self.files(&mut findings).await?;
        Ok(findings)
    }

    /// Leaves against tiles, bundles and checkpoint; key log heads against their leaves.
    async fn log(&self, findings: &mut Vec<String>) -> Fallible<()> {
        let published = self.published;
        let mut range = CompactRange::default();
        for bundle in 0..published.size.div_ceil(WIDTH) {
            let first = bundle * WIDTH;
            let width = (published.size - first).min(WIDTH);
            let leaves = self.ledger.leaves(first, first + width).await?;
            leaves.iter().for_each(|leaf| range.push(leaf_hash(leaf), |_, _, _| {}));
            match self.tiles.bundle(bundle, width) {
                Ok(entries) if entries == leaves => {}
                Ok(_) => findings.push(format!("tile/entries/{bundle}: other leaves than the ledger's")),
                Err(TileError::Missing(_)) if self.tiles_may_lack => {}
                Err(e) => findings.push(format!("entry bundle: {e}")),
            }
        }
        if range.root() != published.root {
            findings.push(format!(
                "the ledger's leaves do not give the root published for size {}",
                published.size
            ));
        }
        match CompactRange::load(published.size, self.tiles) {
            Ok(of_tiles) if of_tiles == range => {}
            Ok(_) => findings.push("the tiles do not give the published root".into()),
            Err(_) if self.tiles_may_lack => {}
            Err(e) => findings.push(format!("tiles: {e}")),
        }
        if published.size > 0 && SignedNote::parse(&published.note).is_err() {
            findings.push("the published checkpoint is not a signed note".into());
        }
        for row in self.ledger.key_log(0).await? {
            let head = self.key_log.log.head_at(row.index + 1);
            let leaf = self.ledger.leaves(row.leaf, row.leaf + 1).await?;
            if head.is_some_and(|head| leaf.first() != Some(head_leaf(row.index + 1, &head).as_bytes())) {
                findings.push(format!(
                    "key log entry {}: its head is not at leaf {}",
                    row.index, row.leaf
                ));
            }
        }
        Ok(())
    }

    /// Every frame: parses, is signed by its key, is what its leaf and its place say.
    async fn operations(&self, findings: &mut Vec<String>) -> Fallible<()> {
        let size = self.ledger.arrived(u64::MAX).await?;
        let mut at = 0;
        while at < size {
            let rows = self.ledger.operations(FeedScope::All, at, size, STEP_BYTES).await?;
            let Some(last) = rows.last() else { break };
            at = last.arrival + 1;
            for row in rows {
                let frame = if row.spoiled {
                    bare(&row.frame)
                } else {
                    Some(row.frame.clone())
                };
                let operation = frame.and_then(|frame| Operation::parse(&frame).ok());
                let Some(operation) = operation else {
                    findings.push(format!("leaf {}: the frame does not parse", row.leaf));
                    continue;
                };
                let header = operation.header();
                let placed = (header.device, header.incarnation, header.seq)
                    == (row.chain.device, row.chain.incarnation, row.seq);
                let leaf = self.ledger.leaves(row.leaf, row.leaf + 1).await?;
                if !placed
                    || operation.id() != row.id
                    || operation.link() != row.link
                    || leaf.first() != Some(operation.commitment().as_bytes())
                {
                    findings.push(format!(
                        "leaf {}: the operation is not the one that was logged there",
                        row.leaf
                    ));
                }
                let key = self
                    .key_log
                    .log
                    .operation_key(&row.chain.device, &row.chain.incarnation)
                    .and_then(|key| key.record.key().ok());
                if key.is_none_or(|key| operation.verify(&key).is_err()) {
                    findings.push(format!("leaf {}: the signature does not hold", row.leaf));
                }
            }
        }
        Ok(())
    }

    /// Every run of every chain: whole, and its end as noted.
    async fn chains(&self, findings: &mut Vec<String>) -> Fallible<()> {
        for chain in self.ledger.all_chains().await? {
            let stored = self.ledger.stored(chain.key, 0, u64::MAX).await?;
            for run in &chain.runs {
                let of_run: Vec<_> = stored.iter().filter(|one| one.run == run.number).collect();
                let whole = of_run.len() as u64 == run.last_seq - run.first_seq + 1;
                if !whole || of_run.last().map(|one| one.link) != Some(run.link) {
                    let state = if run.state == RunState::Main { "main" } else { "side" };
                    findings.push(format!(
                        "chain {}/{}: the {state} run is not whole",
                        chain.key.device, chain.key.incarnation
                    ));
                }
            }
        }
        Ok(())
    }

    /// Every file that a row names: is there, opens, has its size, hashes to its name.
    async fn files(&self, findings: &mut Vec<String>) -> Fallible<()> {
        let mut after = Vec::new();
        loop {
            let page = self.ledger.registers(space::BLOB, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.key.clone();
            for register in &page {
                if let Err(why) = self.file(register).await {
                    findings.push(format!("blob {}: {why}", to_hex(&register.key)));
                }
            }
        }
    }

    async fn file(&self, register: &Register) -> Fallible<()> {
        let blob: Blob = serde_json::from_slice(&register.value)?;
        let file = Opened::open(&self.blobs.read(&blob.object, 0, 1024).await?, self.vault)?;
        let count = (blob.size.div_ceil(SEGMENT as u64) as u32).max(1);
        let mut hash = StreamHash::default();
        for number in 0..count {
            let (at, length) = file.place(number, blob.size);
            let sealed = self.blobs.read(&blob.object, at, length).await?;
            hash.update(&file.open_segment(number, number + 1 == count, &sealed)?);
        }
        let (digest, size) = hash.finish();
        if digest.as_slice() != register.key || size != blob.size {
            Err("other bytes than were sealed".into())
        } else {
            Ok(())
        }
    }
}
