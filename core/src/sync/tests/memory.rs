//! A device's store in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read};

use fieldseal_proof::ids::{BlobHash, Commitment, Epoch, IncarnationId, Link, OpId, PackHash};
use fieldseal_proof::key_log::{KeyLog, KeyLogFrame};
use fieldseal_proof::operation::Operation;

use super::agency::{Agency, heavy};
use crate::sync::health::Health;
use crate::sync::store::{Batch, HeldCheckpoint, HeldTimeNote, Identity, Kept, Page, SyncStore, Waiting, WaitingBlob};

/// Everything a device keeps for sync; what a killed process would find again.
pub struct Memory {
    pub identity: Identity,
    pub incarnation: IncarnationId,
    pub own: Vec<Operation>,
    pub received: Vec<bool>,
    pub index: BTreeMap<u64, u64>,
    pub key_log: Vec<Vec<u8>>,
    pub epoch: Option<Epoch>,
    pub cursor: Option<String>,
    pub imported: BTreeMap<OpId, u64>,
    pub packs: BTreeSet<PackHash>,
    pub checkpoint: Option<HeldCheckpoint>,
    pub time: Option<HeldTimeNote>,
    pub blobs: Vec<(WaitingBlob, Vec<u8>)>,
    pub blob_receipts: BTreeSet<BlobHash>,
    /// Lives that ended, each with what was received then.
    pub ended: Vec<(IncarnationId, Vec<bool>)>,
    /// What it tells about itself, if anything.
    pub health: Option<Health>,
}

impl Memory {
    /// A tablet right after enrolment: it knows its genesis entry and the log key.
    pub fn new(agency: &Agency) -> Self {
        Self {
            identity: Identity {
                tenant: agency.tenant,
                device: agency.tablet.device,
                log: agency.log_key(),
            },
            incarnation: agency.tablet.incarnation,
            own: Vec::new(),
            received: Vec::new(),
            index: BTreeMap::new(),
            key_log: vec![agency.key_log[0].clone()],
            epoch: None,
            cursor: None,
            imported: BTreeMap::new(),
            packs: BTreeSet::new(),
            checkpoint: None,
            time: None,
            blobs: Vec::new(),
            blob_receipts: BTreeSet::new(),
            ended: Vec::new(),
            health: None,
        }
    }

    pub fn write(&mut self, agency: &mut Agency, size: usize) {
        self.own.push(heavy(&mut agency.tablet, size));
        self.received.push(false);
    }

    pub fn seal_blob(&mut self, bytes: Vec<u8>, media_type: &str) {
        let sha256 = BlobHash::from_bytes(fieldseal_proof::hash::sha256(&bytes));
        let size = bytes.len() as u64;
        self.blobs.push((
            WaitingBlob {
                sha256,
                size,
                media_type: media_type.into(),
                upload: None,
            },
            bytes,
        ));
    }

    pub fn bytes_of(&self, blob: BlobHash) -> &[u8] {
        &self.blobs.iter().find(|(other, _)| other.sha256 == blob).unwrap().1
    }
}

impl SyncStore for Memory {
    fn identity(&self) -> Kept<Identity> {
        Ok(self.identity.clone())
    }

    fn key_log(&self) -> Kept<KeyLog> {
        let mut log = KeyLog::new(self.identity.tenant);
        for frame in &self.key_log {
            log.append(&KeyLogFrame::decode(frame).unwrap()).unwrap();
        }
        Ok(log)
    }

    fn keep_key_log(&mut self, frames: &[Vec<u8>]) -> Kept<()> {
        self.key_log.extend_from_slice(frames);
        Ok(())
    }

    fn epoch(&self) -> Kept<Option<Epoch>> {
        Ok(self.epoch)
    }

    fn enter_epoch(&mut self, epoch: Epoch) -> Kept<()> {
        self.epoch = Some(epoch);
        self.cursor = None;
        self.blob_receipts.clear();
        Ok(())
    }

    fn incarnations(&self) -> Kept<Vec<IncarnationId>> {
        Ok(if self.own.is_empty() {
            Vec::new()
        } else {
            vec![self.incarnation]
        })
    }

    fn offer_again(&mut self, _: IncarnationId, from: u64) -> Kept<()> {
        for seq in from as usize..self.own.len() {
            self.received[seq] = false;
            self.index.remove(&(seq as u64));
        }
        Ok(())
    }

    fn unsent(&self, operations: usize, bytes: usize) -> Kept<Option<Batch>> {
        let Some(first) = self.received.iter().position(|received| !received) else {
            return Ok(None);
        };
        let mut frames: Vec<Vec<u8>> = Vec::new();
        let mut total = 0;
        for operation in self.own[first..].iter().take(operations) {
            let frame = operation.frame();
            total += frame.len();
            if total > bytes && !frames.is_empty() {
                break;
            }
            frames.push(frame);
        }
        Ok(Some(Batch {
            incarnation: self.incarnation,
            first: first as u64,
            frames,
        }))
    }

    fn own(&self, incarnation: IncarnationId, seq: u64) -> Kept<Option<(Link, Commitment)>> {
        assert_eq!(incarnation, self.incarnation);
        Ok(self
            .own
            .get(seq as usize)
            .map(|operation| (operation.link(), operation.commitment())))
    }

    fn commitments(&self, incarnation: IncarnationId, first: u64, most: usize) -> Kept<Vec<Commitment>> {
        assert_eq!(incarnation, self.incarnation);
        let own = self.own.iter().skip(first as usize).take(most);
        Ok(own.map(Operation::commitment).collect())
    }

    fn keep_batch_receipt(&mut self, _: IncarnationId, _: u64, last: u64, _: &[u8]) -> Kept<()> {
        self.received[..=last as usize].fill(true);
        Ok(())
    }

    fn end_life(&mut self, incarnation: IncarnationId) -> Kept<bool> {
        self.ended.push((incarnation, self.received.clone()));
        Ok(true)
    }

    fn cursor(&self) -> Kept<Option<String>> {
        Ok(self.cursor.clone())
    }

    fn import(&mut self, page: Page) -> Kept<()> {
        for (index, operation) in page.operations {
            self.imported.insert(operation.id(), index);
        }
        self.cursor = Some(page.cursor);
        Ok(())
    }

    fn feed_read(&mut self) -> Kept<()> {
        Ok(())
    }

    fn has_pack(&self, pack: PackHash) -> Kept<bool> {
        Ok(self.packs.contains(&pack))
    }

    fn keep_pack(&mut self, pack: PackHash, _: &[u8]) -> Kept<()> {
        self.packs.insert(pack);
        Ok(())
    }

    fn checkpoint(&self) -> Kept<Option<HeldCheckpoint>> {
        Ok(self.checkpoint.clone())
    }

    fn keep_checkpoint(&mut self, checkpoint: &HeldCheckpoint) -> Kept<()> {
        self.checkpoint = Some(checkpoint.clone());
        Ok(())
    }

    fn keep_time_note(&mut self, note: &HeldTimeNote) -> Kept<()> {
        self.time = Some(note.clone());
        Ok(())
    }

    fn unsealed(&self) -> Kept<Option<(IncarnationId, u64)>> {
        let first = (0..self.own.len()).find(|seq| self.received[*seq] && !self.index.contains_key(&(*seq as u64)));
        Ok(first.map(|seq| (self.incarnation, seq as u64)))
    }

    fn keep_indexes(&mut self, _: IncarnationId, pairs: &[(u64, u64)], _: &[u8]) -> Kept<()> {
        self.index.extend(pairs.iter().copied());
        Ok(())
    }

    fn waiting_blobs(&self, most: usize) -> Kept<Vec<WaitingBlob>> {
        let waiting = self
            .blobs
            .iter()
            .map(|(blob, _)| blob)
            .filter(|blob| !self.blob_receipts.contains(&blob.sha256));
        Ok(waiting.take(most).cloned().collect())
    }

    fn read_blob(&self, blob: BlobHash, offset: u64) -> Kept<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(self.bytes_of(blob)[offset as usize..].to_vec())))
    }

    fn keep_upload(&mut self, blob: BlobHash, path: Option<&str>) -> Kept<()> {
        for (waiting, _) in self.blobs.iter_mut().filter(|(waiting, _)| waiting.sha256 == blob) {
            waiting.upload = path.map(str::to_owned);
        }
        Ok(())
    }

    fn keep_blob_receipt(&mut self, blob: BlobHash, _: &[u8]) -> Kept<()> {
        self.blob_receipts.insert(blob);
        Ok(())
    }

    fn health(&self) -> Kept<Option<Health>> {
        Ok(self.health.clone())
    }

    fn waiting(&self) -> Kept<Waiting> {
        let blobs = self.waiting_blobs(usize::MAX)?;
        Ok(Waiting {
            operations: self.received.iter().filter(|received| !**received).count() as u64,
            unsealed: (0..self.own.len())
                .filter(|s| self.received[*s] && !self.index.contains_key(&(*s as u64)))
                .count() as u64,
            blobs: blobs.len() as u64,
            blob_bytes: blobs.iter().map(|blob| blob.size).sum(),
        })
    }
}
