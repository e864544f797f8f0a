//! The device as the conversation with the server sees it.

use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use fieldseal_proof::checkpoint::{AttestationKind, anchor};
use fieldseal_proof::ids::{BlobHash, CaseId, Commitment, Epoch, IncarnationId, Link, PackHash};
use fieldseal_proof::key_log::KeyLog;
use fieldseal_proof::operation::VerifiedOperation;

use super::{DeviceError, FieldDevice, Network};
use crate::pack::PackFile;
use crate::store::StoreError;
use crate::sync::store::{
    Batch, HeldBack, HeldCheckpoint, HeldTimeNote, Identity, Kept, Page, SyncStore, Waiting, WaitingBlob,
};
use crate::sync::{Health, StoreFault};

/// A [`SyncStore`] over a device; several may be at work on one device.
#[derive(Clone)]
pub struct SyncPort {
    device: Arc<FieldDevice>,
    network: Network,
}

impl SyncPort {
    /// A port of a device whose host says nothing about its network.
    pub fn new(device: Arc<FieldDevice>) -> Self {
        Self::over(device, Network::default())
    }

    /// A port of a device over this network: what its rules hold back stays.
    pub fn over(device: Arc<FieldDevice>, network: Network) -> Self {
        Self { device, network }
    }
}

fn kept<T>(result: Result<T, StoreError>) -> Kept<T> {
    result.map_err(|error| DeviceError::from(error).into())
}

impl SyncStore for SyncPort {
    fn identity(&self) -> Kept<Identity> {
        let (identity, card) = (self.device.identity(), self.device.card());
        Ok(Identity {
            tenant: identity.tenant,
            device: identity.device,
            log: card.log.clone(),
        })
    }

    fn key_log(&self) -> Kept<KeyLog> {
        kept(self.device.store.key_log())
    }

    fn keep_key_log(&mut self, frames: &[Vec<u8>]) -> Kept<()> {
        let before = kept(self.device.store.key_log())?.size();
        // The root of the enrolment is the only one that is trusted; the session checked the rest against it.
        if before == 0 {
            let first = frames
                .first()
                .map(|frame| fieldseal_proof::key_log::KeyLogFrame::decode(frame));
            let mut log = KeyLog::new(self.device.identity().tenant);
            let root = first
                .and_then(Result::ok)
                .and_then(|frame| log.append(&frame).ok())
                .and_then(|_| log.root()?.record.key().ok());
            if root.is_none_or(|root| root.key_id() != self.device.card.root.key_id()) {
                return Err(StoreFault {
                    code: "wrong_server",
                    detail: "the key log begins with another root key".into(),
                });
            }
        }
        kept(self.device.store.append_key_log(before, frames))?;
        self.device.settle_escrow().map_err(StoreFault::from)
    }

    fn epoch(&self) -> Kept<Option<Epoch>> {
        let bytes = kept(self.device.store.fact("epoch"))?;
        Ok(bytes.and_then(|bytes| bytes.try_into().ok()).map(Epoch::from_bytes))
    }

    fn enter_epoch(&mut self, epoch: Epoch) -> Kept<()> {
        kept(self.device.store.enter_epoch(epoch.as_bytes()))
    }

    fn incarnations(&self) -> Kept<Vec<IncarnationId>> {
        kept(self.device.store.incarnations())
    }

    fn offer_again(&mut self, incarnation: IncarnationId, from: u64) -> Kept<()> {
        kept(self.device.store.offer_again(incarnation, from))
    }

    fn unsent(&self, operations: usize, bytes: usize) -> Kept<Option<Batch>> {
        // A life whose key is not approved yet keeps its operations; the earlier ones go.
        let log = kept(self.device.store.key_log())?;
        let device = self.device.identity().device;
        let approved = |incarnation| log.operation_key(&device, &incarnation).is_some();
        let run = kept(self.device.store.unsent(operations, bytes, approved))?;
        Ok(run.map(|run| Batch {
            incarnation: run.incarnation,
            first: run.first,
            frames: run.frames,
        }))
    }

    fn own(&self, incarnation: IncarnationId, seq: u64) -> Kept<Option<(Link, Commitment)>> {
        kept(self.device.store.own_link(incarnation, seq))
    }

    fn commitments(&self, incarnation: IncarnationId, first: u64, most: usize) -> Kept<Vec<Commitment>> {
        kept(self.device.store.own_commitments(incarnation, first, most))
    }

    fn contradiction(&self, page: &Page) -> Kept<Option<(IncarnationId, u64)>> {
        let operations = page.operations.iter().map(|(_, operation)| operation);
        kept(self.device.store.contradiction(operations))
    }

    fn end_life(&mut self, incarnation: IncarnationId) -> Kept<bool> {
        Ok(self.device.end_life(incarnation)?)
    }

    fn keep_batch_receipt(&mut self, incarnation: IncarnationId, first: u64, last: u64, receipt: &[u8]) -> Kept<()> {
        kept(
            self.device
                .store
                .record_batch_receipt(incarnation, first, last, receipt),
        )?;
        if let Some((link, _)) = kept(self.device.store.own_link(incarnation, last))? {
            let kept = self.device.keys.keep_chain_end(incarnation, last + 1, link);
            kept.map_err(DeviceError::from).map_err(StoreFault::from)?;
        }
        Ok(())
    }

    fn cursor(&self) -> Kept<Option<String>> {
        let bytes = kept(self.device.store.fact("cursor"))?;
        Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()))
    }

    fn wanted_cases(&self) -> Kept<Vec<CaseId>> {
        Ok(self.device.wanted_cases()?)
    }

    fn import(&mut self, page: Page) -> Kept<()> {
        let operations: Vec<(Option<u64>, VerifiedOperation)> = page
            .operations
            .into_iter()
            .map(|(leaf, operation)| (Some(leaf), operation))
            .collect();
        kept(
            self.device
                .store
                .import(&operations, &[("cursor", page.cursor.as_bytes())]),
        )?;
        Ok(())
    }

    fn feed_read(&mut self) -> Kept<()> {
        self.device.feed_read().map_err(StoreFault::from)
    }

    fn has_pack(&self, pack: PackHash) -> Kept<bool> {
        Ok(kept(self.device.store.packs())?.contains(&pack))
    }

    fn keep_pack(&mut self, pack: PackHash, file: &[u8]) -> Kept<()> {
        let untrue = |detail: String| StoreFault {
            code: "server_untrue",
            detail,
        };
        let parsed = PackFile::decode(file).map_err(|e| untrue(e.to_string()))?;
        let rules = parsed
            .verify(&kept(self.device.store.key_log())?)
            .map_err(|e| untrue(e.to_string()))?;
        if rules.hash() != pack {
            return Err(untrue(format!("pack {} was sent for {pack}", rules.hash())));
        }
        kept(self.device.store.save_pack(pack, file))
    }

    fn checkpoint(&self) -> Kept<Option<HeldCheckpoint>> {
        let held = kept(self.device.store.newest_checkpoint())?;
        Ok(held.map(|kept| HeldCheckpoint {
            size: kept.size,
            root: kept.root,
            note: kept.note,
        }))
    }

    fn keep_checkpoint(&mut self, checkpoint: &HeldCheckpoint) -> Kept<()> {
        kept(
            self.device
                .store
                .save_checkpoint(checkpoint.size, &checkpoint.root, &checkpoint.note),
        )
    }

    fn keep_time_note(&mut self, note: &HeldTimeNote) -> Kept<()> {
        let kind = AttestationKind::TimeNote;
        let anchor = anchor(kind, &note.note);
        kept(
            self.device
                .store
                .save_attestation(kind.as_str(), &note.note, anchor, note.unix_ms, note.size),
        )
    }

    fn unsealed(&self) -> Kept<Option<(IncarnationId, u64)>> {
        kept(self.device.store.unsealed())
    }

    fn keep_indexes(&mut self, incarnation: IncarnationId, pairs: &[(u64, u64)], receipt: &[u8]) -> Kept<()> {
        kept(self.device.store.record_indexes(incarnation, pairs, receipt))
    }

    fn waiting_blobs(&self, most: usize) -> Kept<Vec<WaitingBlob>> {
        let rows = self.device.may_go(self.network, most)?;
        let blobs = rows.into_iter().map(|row| WaitingBlob {
            sha256: row.sha256,
            size: row.size,
            media_type: row.media_type,
            upload: row.upload,
        });
        Ok(blobs.collect())
    }

    fn held_back(&self) -> Kept<HeldBack> {
        Ok(self.device.held_back(self.network)?)
    }

    fn read_blob(&self, blob: BlobHash, offset: u64) -> Kept<Box<dyn Read + Send>> {
        let mut reader = self.device.read_blob(blob)?;
        let sought = reader.seek(SeekFrom::Start(offset));
        sought.map_err(|e| StoreFault {
            code: "blob_changed",
            detail: e.to_string(),
        })?;
        Ok(Box::new(reader))
    }

    fn keep_upload(&mut self, blob: BlobHash, path: Option<&str>) -> Kept<()> {
        kept(self.device.store.save_upload(blob, path))
    }

    fn keep_blob_receipt(&mut self, blob: BlobHash, receipt: &[u8]) -> Kept<()> {
        kept(self.device.store.record_blob_receipt(blob, receipt))
    }

    fn monotonic_ms(&self) -> Option<u64> {
        Some(self.device.clock.now().monotonic_ms)
    }

    fn health(&self) -> Kept<Option<Health>> {
        Ok(Some(self.device.health()?))
    }

    fn waiting(&self) -> Kept<Waiting> {
        let counts = kept(self.device.store.pending())?;
        Ok(Waiting {
            operations: counts.waiting,
            unsealed: counts.received,
            blobs: counts.blobs,
            blob_bytes: counts.blob_bytes,
        })
    }
}
