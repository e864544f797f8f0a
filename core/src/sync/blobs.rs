//! The blob plane: what does the server lack, tus uploads in slices by class, receipts. It can never hold a record back.

use std::collections::{HashMap, HashSet, VecDeque};

use fieldseal_proof::encoding::base64;
use fieldseal_proof::ids::BlobHash;
use fieldseal_proof::key_log::Purpose;
use fieldseal_proof::receipt::BlobReceipt;

use super::fault::{Fault, Refusal};
use super::limits::{self, answer};
use super::message::{Expect, Method, Payload, Response, upload_path};
use super::pace::Pace;
use super::records::{json, server_key};
use super::report::Alarm;
use super::session::{Ask, Draft, Gain, Phase, SyncSession};
use super::store::{BlobClass, SyncStore, WaitingBlob};
use super::wire::Missing;

/// Times that one blob is begun anew in a session after the server found other bytes than named.
const RESTARTS: u32 = 2;

/// What the blob plane remembers within one session.
#[derive(Default)]
pub(super) struct BlobWork {
    offered: bool,
    more: bool,
    wanted: [VecDeque<WaitingBlob>; 4],
    held: VecDeque<WaitingBlob>,
    /// Where the server stands, as far as we may rely on it.
    offsets: HashMap<BlobHash, u64>,
    /// The most it ever confirmed in this session: what counts as gain.
    confirmed: HashMap<BlobHash, u64>,
    give_up: Option<String>,
    restarts: HashMap<BlobHash, u32>,
    skipped: HashSet<BlobHash>,
    slices: u64,
    /// How long the next slice may be.
    pub(super) pace: Pace,
    /// How long the exchange took whose answer is being taken, in milliseconds.
    pub(super) took_ms: Option<u64>,
    current: Option<(BlobClass, BlobHash)>,
}

#[derive(Clone, Debug)]
pub(super) enum BlobAsk {
    Have(Vec<WaitingBlob>),
    Create { blob: BlobHash },
    Offset { blob: BlobHash },
    Send { blob: BlobHash, offset: u64 },
    GiveUp,
    Receipt(WaitingBlob),
}

impl SyncSession {
    pub(super) fn draft_blobs(&mut self, store: &mut dyn SyncStore) -> Result<Option<Draft>, Fault> {
        if !self.records_blocked() && store.unsent(1, limits::PUSH_BYTES)?.is_some() {
            // Made while evidence was moving: records first, always.
            self.phase = Phase::Push;
            return Ok(None);
        }
        if let Some(path) = self.blobs.give_up.clone() {
            return Ok(Some(tus(BlobAsk::GiveUp, Method::Delete, path, Payload::Empty)));
        }
        if !self.blobs.offered {
            return self.draft_have(store);
        }
        if let Some(blob) = self.blobs.held.front() {
            let path = format!("/v1/blobs/{}/receipt", blob.sha256);
            let ask = Ask::Blobs(BlobAsk::Receipt(blob.clone()));
            return Ok(Some(Draft::get(ask, path, Expect::Cbor, answer::BLOB_RECEIPT)));
        }
        let Some(blob) = self.blobs.choose().cloned() else {
            self.blobs.offered = !self.blobs.more;
            return if self.blobs.more {
                self.draft_have(store)
            } else {
                Ok(None)
            };
        };
        let sha256 = blob.sha256;
        let Some(path) = blob.upload else {
            let metadata = format!(
                "sha256 {},media_type {}",
                base64(sha256.to_string().as_bytes()),
                base64(blob.media_type.as_bytes())
            );
            let mut draft = tus(
                BlobAsk::Create { blob: sha256 },
                Method::Post,
                "/v1/uploads".into(),
                Payload::Empty,
            );
            draft.headers.push(("Upload-Length", blob.size.to_string()));
            draft.headers.push(("Upload-Metadata", metadata));
            return Ok(Some(draft));
        };
        let Some(offset) = self.blobs.offsets.get(&sha256).copied() else {
            return Ok(Some(tus(
                BlobAsk::Offset { blob: sha256 },
                Method::Head,
                path,
                Payload::Empty,
            )));
        };
        let length = (blob.size - offset).min(self.part());
        let payload = Payload::Blob { sha256, offset, length };
        let mut draft = tus(BlobAsk::Send { blob: sha256, offset }, Method::Patch, path, payload);
        draft.headers.push(("Upload-Offset", offset.to_string()));
        draft
            .headers
            .push(("Content-Type", "application/offset+octet-stream".into()));
        Ok(Some(draft))
    }

    pub(super) fn take_blobs(
        &mut self,
        store: &mut dyn SyncStore,
        ask: &BlobAsk,
        answer: Response,
    ) -> Result<Gain, Fault> {
        match ask {
            BlobAsk::Have(offered) => {
                let missing: Missing = json(&answer, "list of missing blobs")?;
                let missing: HashSet<BlobHash> = missing.missing.into_iter().map(|blob| blob.0).collect();
                self.blobs.sort(offered, &missing);
            }
            BlobAsk::Create { blob } => {
                let path = answer.header("location").and_then(upload_path);
                let path = path.ok_or_else(|| Fault::untrue("upload", "created without a place"))?;
                store.keep_upload(*blob, Some(&path))?;
                // The server may hold a half of it from before; without its word it is asked.
                let size = self.blobs.size(*blob).unwrap_or(0);
                let held = answer
                    .header("upload-offset")
                    .and_then(|value| value.parse::<u64>().ok());
                if let Some(offset) = held.filter(|offset| *offset <= size) {
                    self.blobs.offsets.insert(*blob, offset);
                    self.blobs.confirmed.insert(*blob, offset);
                    if offset == size {
                        self.blobs.finish(*blob);
                        return Ok(Gain::None);
                    }
                }
                self.blobs.set_upload(*blob, Some(path));
                return Ok(Gain::None);
            }
            BlobAsk::Offset { blob } | BlobAsk::Send { blob, .. } => return self.take_offset(ask, *blob, &answer),
            BlobAsk::GiveUp => self.blobs.give_up = None,
            BlobAsk::Receipt(blob) => self.take_blob_receipt(store, blob, &answer.body)?,
        }
        Ok(Gain::Some)
    }

    pub(super) fn refused_blobs(
        &mut self,
        store: &mut dyn SyncStore,
        ask: &BlobAsk,
        refusal: Refusal,
    ) -> Result<Gain, Fault> {
        let (status, code) = (refusal.status, refusal.problem.code.clone());
        let fault = Fault::from(refusal);
        // A server without room for files has some for records, so the session goes on.
        let full = matches!(fault, Fault::Full { .. });
        if (fault.is_transient() && !full) || fault == Fault::Paused {
            return Err(fault);
        }
        match ask {
            BlobAsk::Have(_) => return Err(fault),
            BlobAsk::GiveUp => self.blobs.give_up = None,
            BlobAsk::Send { blob, .. } if status == 409 => {
                self.blobs.offsets.remove(blob);
            }
            BlobAsk::Offset { blob } | BlobAsk::Send { blob, .. } if matches!(status, 404 | 410) => {
                store.keep_upload(*blob, None)?;
                self.blobs.set_upload(*blob, None);
                if self.blobs.restart(*blob) > RESTARTS {
                    self.give_back(*blob, code);
                }
            }
            BlobAsk::Send { blob, .. } if matches!(status, 422 | 460) => {
                store.keep_upload(*blob, None)?;
                self.blobs.give_up = self.blobs.set_upload(*blob, None);
                if self.blobs.restart(*blob) > RESTARTS {
                    self.give_back(*blob, code);
                }
            }
            BlobAsk::Create { blob } if status == 409 => self.blobs.finish(*blob),
            BlobAsk::Create { blob } | BlobAsk::Offset { blob } | BlobAsk::Send { blob, .. } => {
                self.give_back(*blob, code);
                if full {
                    // Nothing is wrong with what waits, so it all waits, as long as the server asks.
                    self.report.floor = fault.floor();
                    self.blobs.wanted = Default::default();
                    self.blobs.more = false;
                }
            }
            BlobAsk::Receipt(blob) => self.give_back(blob.sha256, code),
        }
        Ok(Gain::None)
    }

    fn draft_have(&mut self, store: &mut dyn SyncStore) -> Result<Option<Draft>, Fault> {
        let mut offered = store.waiting_blobs(limits::HAVE_HASHES + self.blobs.skipped.len())?;
        offered.retain(|blob| !self.blobs.skipped.contains(&blob.sha256));
        self.blobs.more = offered.len() >= limits::HAVE_HASHES;
        offered.truncate(limits::HAVE_HASHES);
        if offered.is_empty() {
            return Ok(None);
        }
        let hashes: Vec<String> = offered.iter().map(|blob| blob.sha256.to_string()).collect();
        let bytes = serde_json::json!({ "sha256": hashes }).to_string().into_bytes();
        let ask = Ask::Blobs(BlobAsk::Have(offered));
        Ok(Some(Draft {
            method: Method::Post,
            payload: Payload::Bytes {
                media_type: "application/json",
                bytes,
            },
            ..Draft::get(ask, "/v1/blobs/have".into(), Expect::Json, answer::PUSH)
        }))
    }

    fn take_offset(&mut self, ask: &BlobAsk, blob: BlobHash, answer: &Response) -> Result<Gain, Fault> {
        let number = |name: &str| answer.header(name).and_then(|value| value.parse::<u64>().ok());
        let size = self
            .blobs
            .size(blob)
            .ok_or_else(|| Fault::untrue("upload", "of a blob that was not asked for"))?;
        let offset = number("upload-offset").filter(|offset| *offset <= size);
        let offset = offset.ok_or_else(|| Fault::untrue("upload", "its offset is not within the blob"))?;
        let before = match ask {
            BlobAsk::Send { offset, .. } => *offset,
            _ => offset,
        };
        if offset < before && matches!(ask, BlobAsk::Send { .. }) {
            return Err(Fault::untrue("upload", "its offset went back"));
        }
        if matches!(ask, BlobAsk::Send { .. }) {
            self.blobs.pace.sent(offset - before, self.blobs.took_ms);
        }
        let gained = offset.saturating_sub(self.blobs.confirmed.get(&blob).copied().unwrap_or(before));
        self.report.blob_bytes += gained;
        self.blobs.offsets.insert(blob, offset);
        self.blobs.confirmed.insert(blob, offset);
        // A slice arrived: another blob may have its turn.
        self.blobs.current = None;
        if offset == size {
            self.blobs.finish(blob);
        }
        Ok(if gained > 0 { Gain::Some } else { Gain::None })
    }

    fn take_blob_receipt(&mut self, store: &mut dyn SyncStore, blob: &WaitingBlob, body: &[u8]) -> Result<(), Fault> {
        let tenant = store.identity()?.tenant;
        let ingest = server_key(self.key_log(store)?, Purpose::Operation)?;
        let receipt = BlobReceipt::open(body, &ingest).map_err(|why| Fault::untrue("blob receipt", why))?;
        if (receipt.tenant, receipt.sha256, receipt.size) != (tenant, blob.sha256, blob.size) {
            return Err(Fault::untrue("blob receipt", "it is about another blob"));
        }
        store.keep_blob_receipt(blob.sha256, body)?;
        self.blobs.held.retain(|other| other.sha256 != blob.sha256);
        self.report.blobs += 1;
        Ok(())
    }

    /// Leaves a blob for another session and says why.
    fn give_back(&mut self, blob: BlobHash, code: String) {
        self.blobs.drop_blob(blob);
        self.report.alarms.push(Alarm::BlobRefused {
            sha256: blob.to_string(),
            code,
        });
    }
}

impl BlobWork {
    fn sort(&mut self, offered: &[WaitingBlob], missing: &HashSet<BlobHash>) {
        self.offered = true;
        for blob in offered {
            if missing.contains(&blob.sha256) {
                self.wanted[BlobClass::of(&blob.media_type) as usize].push_back(blob.clone());
            } else {
                self.held.push_back(blob.clone());
            }
        }
    }

    /// The next blob: by class, but every tenth slice is a video's.
    fn choose(&mut self) -> Option<&WaitingBlob> {
        if let Some((class, blob)) = self.current
            && self.wanted[class as usize]
                .front()
                .is_some_and(|front| front.sha256 == blob)
        {
            return self.wanted[class as usize].front();
        }
        self.slices += 1;
        let video = BlobClass::Video as usize;
        let turn = self.slices.is_multiple_of(limits::VIDEO_SHARE) && !self.wanted[video].is_empty();
        let class = if turn {
            video
        } else {
            self.wanted.iter().position(|queue| !queue.is_empty())?
        };
        let blob = self.wanted[class].front()?;
        self.current = Some((BlobClass::of(&blob.media_type), blob.sha256));
        Some(blob)
    }

    fn size(&self, blob: BlobHash) -> Option<u64> {
        self.wanted
            .iter()
            .flatten()
            .find(|other| other.sha256 == blob)
            .map(|blob| blob.size)
    }

    fn set_upload(&mut self, blob: BlobHash, path: Option<String>) -> Option<String> {
        if path.is_none() {
            self.offsets.remove(&blob);
            self.confirmed.remove(&blob);
        }
        let found = self.wanted.iter_mut().flatten().find(|other| other.sha256 == blob)?;
        std::mem::replace(&mut found.upload, path)
    }

    fn restart(&mut self, blob: BlobHash) -> u32 {
        let times = self.restarts.entry(blob).or_default();
        *times += 1;
        *times
    }

    /// The server has all bytes: its receipt comes next.
    fn finish(&mut self, blob: BlobHash) {
        for queue in &mut self.wanted {
            if let Some(at) = queue.iter().position(|other| other.sha256 == blob) {
                self.held.extend(queue.remove(at));
            }
        }
        self.current = None;
    }

    pub(super) fn drop_blob(&mut self, blob: BlobHash) {
        self.wanted
            .iter_mut()
            .for_each(|queue| queue.retain(|other| other.sha256 != blob));
        self.held.retain(|other| other.sha256 != blob);
        self.skipped.insert(blob);
        self.current = None;
    }

    /// After a cut only the server knows what arrived.
    pub(super) fn forget_offset(&mut self, ask: &BlobAsk) {
        if let BlobAsk::Send { blob, .. } = ask {
            self.offsets.remove(blob);
            self.pace.cut();
        }
    }
}

fn tus(ask: BlobAsk, method: Method, path: String, payload: Payload) -> Draft {
    let mut draft = Draft::get(Ask::Blobs(ask), path, Expect::Tus, answer::PROBLEM);
    draft.method = method;
    draft.payload = payload;
    draft.headers.push(("Tus-Resumable", "1.0.0".into()));
    draft
}
