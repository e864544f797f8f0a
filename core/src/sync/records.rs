//! The record plane: server's name, key log, heads after a restore, push, feed, packs.

use std::time::Duration;

use fieldseal_proof::cbor;
use fieldseal_proof::ids::{Epoch, IncarnationId, PackHash, from_hex};
use fieldseal_proof::key_log::{KeyLog, KeyLogFrame, Purpose};
use fieldseal_proof::operation::{Operation, VerifiedOperation};
use fieldseal_proof::receipt::BatchReceipt;
use fieldseal_proof::suite::PublicKey;
use serde::de::DeserializeOwned;

use super::fault::{DEVICE_REVOKED, Fault, Refusal};
use super::limits::{self, answer};
use super::message::{Expect, Method, Payload, Response};
use super::report::Alarm;
use super::session::{Ask, Draft, Gain, Phase, SyncSession};
use super::store::{Page, SyncStore};
use super::wire::{FeedItem, FeedPage, Head, PushAnswer, ServerInfo};

/// What the record plane remembers within one session.
#[derive(Default)]
pub(super) struct RecordWork {
    epoch: Option<Epoch>,
    key_log_asked: bool,
    key_log_again: u32,
    heads: Option<Vec<IncarnationId>>,
    stop_before: Option<(IncarnationId, u64)>,
    push_over: bool,
    page_tries: u32,
    pages: u64,
    feed_over: bool,
    without_cursor: bool,
    packs: Vec<PackHash>,
}

#[derive(Clone, Debug)]
pub(super) enum RecordAsk {
    Server,
    KeyLog,
    Head(IncarnationId),
    Push { incarnation: IncarnationId, first: u64 },
    Feed,
    Pack(PackHash),
}

impl SyncSession {
    pub(super) fn draft_records(&mut self, store: &mut dyn SyncStore) -> Result<Option<Draft>, Fault> {
        Ok(match self.phase {
            Phase::Server if self.records.epoch.is_none() => {
                Some(get(RecordAsk::Server, "/v1/server".into(), Expect::Json, answer::JSON))
            }
            Phase::KeyLog if !self.records.key_log_asked => {
                let size = self.key_log(store)?.size();
                Some(get(
                    RecordAsk::KeyLog,
                    format!("/v1/key-log?from={size}"),
                    Expect::Cbor,
                    answer::KEY_LOG,
                ))
            }
            Phase::Heads => self.draft_head(store)?,
            Phase::Push if !self.records.push_over => self.draft_push(store)?,
            Phase::Feed if !self.records.feed_over => Some(self.draft_feed(store)?),
            Phase::Packs => self.draft_pack(store)?,
            _ => None,
        })
    }

    pub(super) fn take_records(
        &mut self,
        store: &mut dyn SyncStore,
        ask: &RecordAsk,
        answer: Response,
    ) -> Result<Gain, Fault> {
        match ask {
            RecordAsk::Server => self.take_server(store, json(&answer, "server information")?)?,
            RecordAsk::KeyLog => self.take_key_log(store, &answer.body)?,
            RecordAsk::Head(incarnation) => self.take_head(store, *incarnation, Some(json(&answer, "head")?))?,
            RecordAsk::Push { incarnation, first } => {
                self.take_push(store, *incarnation, *first, json(&answer, "push answer")?)?;
            }
            RecordAsk::Feed => return self.take_feed(store, json(&answer, "feed page")?),
            RecordAsk::Pack(pack) => self.take_pack(store, *pack, &answer.body),
        }
        Ok(Gain::Some)
    }

    pub(super) fn refused_records(
        &mut self,
        store: &mut dyn SyncStore,
        ask: &RecordAsk,
        refusal: Refusal,
    ) -> Result<Gain, Fault> {
        let (status, code) = (refusal.status, refusal.problem.code.clone());
        let fault = Fault::from(refusal.clone());
        if fault.is_transient() || fault == Fault::Paused {
            return Err(fault);
        }
        match ask {
            // A revoked device hears nothing new, but what it has signed is still taken: the session goes on to say it.
            RecordAsk::KeyLog if code == DEVICE_REVOKED => {
                self.records.key_log_asked = true;
                self.revoked = Some(fault);
            }
            RecordAsk::Feed if code == DEVICE_REVOKED => {
                self.records.feed_over = true;
                self.revoked = Some(fault);
            }
            RecordAsk::Head(incarnation) if status == 404 => self.take_head(store, *incarnation, None)?,
            RecordAsk::Push { incarnation, first } => {
                let seq = refusal.problem.seq.unwrap_or(*first);
                self.report.alarms.push(Alarm::OperationRefused { seq, code });
                // What lies before the refused operation is pushed once more, alone, for its receipt.
                self.records.push_over = self.records.stop_before.is_some() || seq <= *first;
                self.records.stop_before = Some((*incarnation, seq));
            }
            RecordAsk::Feed if matches!(status, 400 | 410) && !self.records.without_cursor => {
                self.records.without_cursor = true;
            }
            RecordAsk::Pack(pack) => self.report.alarms.push(Alarm::PackRefused {
                pack: pack.to_string(),
                why: code,
            }),
            _ => return Err(fault),
        }
        Ok(Gain::Some)
    }

    /// The key log as known so far, read from the store once.
    pub(super) fn key_log(&mut self, store: &dyn SyncStore) -> Result<&KeyLog, Fault> {
        if self.key_log.is_none() {
            self.key_log = Some(store.key_log()?);
        }
        self.key_log
            .as_ref()
            .ok_or_else(|| Fault::untrue("key log", "not read"))
    }

    fn take_server(&mut self, store: &mut dyn SyncStore, info: ServerInfo) -> Result<(), Fault> {
        let identity = store.identity()?;
        if info.tenant.0 != identity.tenant || info.origin != identity.log.name() {
            return Err(Fault::WrongServer);
        }
        self.records.epoch = Some(epoch(&info.epoch)?);
        self.log.time_note = info.time_note;
        Ok(())
    }

    fn take_key_log(&mut self, store: &mut dyn SyncStore, body: &[u8]) -> Result<(), Fault> {
        let mut key_log = self.key_log(store)?.clone();
        let mut frames = Vec::new();
        for frame in cbor::split_sequence(body).map_err(|why| Fault::untrue("key log", why))? {
            let parsed = KeyLogFrame::decode(frame).map_err(|why| Fault::untrue("key log", why))?;
            key_log.append(&parsed).map_err(|why| Fault::untrue("key log", why))?;
            frames.push(frame.to_vec());
        }
        if !frames.is_empty() {
            store.keep_key_log(&frames)?;
        }
        self.report.key_log_entries += frames.len() as u64;
        self.key_log = Some(key_log);
        self.records.key_log_asked = true;
        Ok(())
    }

    /// A restored server is asked what it still has, before anything else is said; the epoch is kept only afterwards, so
    /// that a session killed in between begins with this again.
    fn draft_head(&mut self, store: &mut dyn SyncStore) -> Result<Option<Draft>, Fault> {
        let (known, now) = (store.epoch()?, self.records.epoch);
        let Some(now) = now.filter(|now| known != Some(*now)) else {
            return Ok(None);
        };
        if self.records.heads.is_none() {
            self.report.new_epoch = known.is_some();
            self.records.heads = Some(if known.is_some() {
                store.incarnations()?
            } else {
                Vec::new()
            });
        }
        let Some(incarnation) = self.records.heads.as_ref().and_then(|heads| heads.last()) else {
            store.enter_epoch(now)?;
            return Ok(None);
        };
        let path = format!("/v1/log/{}/{incarnation}/head", store.identity()?.device);
        Ok(Some(get(
            RecordAsk::Head(*incarnation),
            path,
            Expect::Json,
            answer::JSON,
        )))
    }

    fn take_head(
        &mut self,
        store: &mut dyn SyncStore,
        incarnation: IncarnationId,
        head: Option<Head>,
    ) -> Result<(), Fault> {
        let from = match head {
            None => 0,
            Some(head) => match store.own(incarnation, head.seq)? {
                Some((link, _)) if link == head.link.0 => head.seq + 1,
                Some(_) => {
                    self.forked(store, incarnation, head.seq)?;
                    0
                }
                // The server knows more of this life than we do: we were put back from a copy. The feed brings it, and a push
                // shows whether we wrote something else in its place.
                None => {
                    self.report.alarms.push(Alarm::Forked { seq: head.seq });
                    0
                }
            },
        };
        store.offer_again(incarnation, from)?;
        if let Some(heads) = &mut self.records.heads {
            heads.retain(|other| *other != incarnation);
        }
        Ok(())
    }

    fn draft_push(&mut self, store: &mut dyn SyncStore) -> Result<Option<Draft>, Fault> {
        let Some(mut batch) = store.unsent(limits::PUSH_OPERATIONS, self.push_bytes())? else {
            return Ok(None);
        };
        if let Some((incarnation, seq)) = self.records.stop_before
            && incarnation == batch.incarnation
        {
            batch
                .frames
                .truncate(usize::try_from(seq.saturating_sub(batch.first)).unwrap_or(usize::MAX));
        }
        if batch.frames.is_empty() {
            return Ok(None);
        }
        let ask = RecordAsk::Push {
            incarnation: batch.incarnation,
            first: batch.first,
        };
        let path = format!("/v1/log/{}/{}", store.identity()?.device, batch.incarnation);
        Ok(Some(Draft {
            method: Method::Post,
            payload: Payload::Bytes {
                media_type: "application/cbor-seq",
                bytes: batch.frames.concat(),
            },
            ..get(ask, path, Expect::Json, answer::PUSH)
        }))
    }

    fn take_push(
        &mut self,
        store: &mut dyn SyncStore,
        incarnation: IncarnationId,
        first: u64,
        answer: PushAnswer,
    ) -> Result<(), Fault> {
        let identity = store.identity()?;
        let untrue = |why: &dyn std::fmt::Display| Fault::untrue("batch receipt", why);
        let ingest = server_key(self.key_log(store)?, Purpose::Operation)?;
        let receipt = BatchReceipt::open(&answer.receipt.0, &ingest).map_err(|why| untrue(&why))?;
        let expected = (identity.tenant, identity.log.name(), identity.device, incarnation);
        if (
            receipt.tenant,
            receipt.origin.as_str(),
            receipt.device,
            receipt.incarnation,
        ) != expected
        {
            return Err(untrue(&"it is about another chain"));
        }
        if Some(receipt.epoch) != self.records.epoch {
            return Err(untrue(&"it is of another epoch"));
        }
        if receipt.last_seq < first {
            return Err(untrue(&"it does not cover what was sent"));
        }
        match store.own(incarnation, receipt.last_seq)? {
            Some((link, _)) if link == receipt.link => {}
            _ => return Err(untrue(&"its chain head is not this device's")),
        }
        let outcome = answer.results.iter().find(|result| result.outcome == "forked");
        let forked = outcome.map(|result| result.seq).or(receipt.fork.map(|(seq, _)| seq));
        if let Some(seq) = forked {
            // Before the receipt is kept: a session that dies in between pushes again and gets the same receipt.
            self.forked(store, incarnation, seq)?;
        }
        store.keep_batch_receipt(incarnation, first, receipt.last_seq, &answer.receipt.0)?;
        self.report.received += receipt.last_seq + 1 - first;
        self.report.duplicates += answer
            .results
            .iter()
            .filter(|result| result.outcome == "duplicate")
            .count() as u64;
        self.log.offer(answer.checkpoint, answer.time_note);
        Ok(())
    }

    /// The server holds operations of this life that this store did not write. Our own are still handed in, as the branch that they
    /// are; the life ends, so that what is written from now on is contradicted by nobody.
    fn forked(&mut self, store: &mut dyn SyncStore, incarnation: IncarnationId, seq: u64) -> Result<(), Fault> {
        self.report.new_life |= store.end_life(incarnation)?;
        let alarm = Alarm::Forked { seq };
        if !self.report.alarms.contains(&alarm) {
            self.report.alarms.push(alarm);
        }
        Ok(())
    }

    fn draft_feed(&mut self, store: &mut dyn SyncStore) -> Result<Draft, Fault> {
        let wait = if self.records.pages == 0 {
            self.options.poll_s.min(limits::POLL_SECONDS)
        } else {
            0
        };
        let mut path = format!("/v1/feed?wait={wait}&max_bytes={}", limits::FEED_BYTES);
        if let Some(cursor) = store.cursor()?.filter(|_| !self.records.without_cursor) {
            path.push_str("&cursor=");
            path.push_str(&percent(&cursor));
        }
        let cases: Vec<String> = store.wanted_cases()?.iter().map(ToString::to_string).collect();
        if !cases.is_empty() {
            path.push_str("&cases=");
            path.push_str(&cases.join(","));
        }
        Ok(Draft {
            silence: Duration::from_secs(wait),
            ..get(RecordAsk::Feed, path, Expect::Json, answer::FEED)
        })
    }

    fn take_feed(&mut self, store: &mut dyn SyncStore, page: FeedPage) -> Result<Gain, Fault> {
        if self.records.epoch != Some(epoch(&page.epoch)?) {
            // Restored while we spoke: begin anew.
            self.records = RecordWork::default();
            self.phase = Phase::Server;
            return Ok(Gain::None);
        }
        if page.key_log_size > self.key_log(store)?.size() && self.records.key_log_again < limits::PAGE_TRIES {
            self.records.key_log_again += 1;
            self.records.key_log_asked = false;
            self.phase = Phase::KeyLog;
            return Ok(Gain::None);
        }
        let mut operations = Vec::with_capacity(page.items.len());
        let mut unverified = Vec::new();
        let key_log = self.key_log(store)?;
        for (item, checked) in page.items.iter().zip(verified_all(key_log, &page.items)) {
            match checked {
                Ok(operation) => operations.push((item.index, operation)),
                Err(why) => unverified.push(Alarm::Unverified { index: item.index, why }),
            }
        }
        self.records.page_tries += 1;
        if !unverified.is_empty() && self.records.page_tries < limits::PAGE_TRIES {
            return Ok(Gain::None);
        }
        self.report.alarms.append(&mut unverified);
        self.report.fetched += operations.len() as u64;
        let before = store.cursor()?.filter(|_| !self.records.without_cursor);
        let still =
            before.as_deref() == Some(page.cursor.as_str()) || page.until.as_deref() == Some(page.cursor.as_str());
        self.records.feed_over = page.items.is_empty() || still;
        let taken = Page {
            operations,
            cursor: page.cursor,
        };
        if let Some((incarnation, seq)) = store.contradiction(&taken)? {
            self.forked(store, incarnation, seq)?;
        }
        store.import(taken)?;
        if self.records.feed_over {
            store.feed_read()?;
        }
        self.records.without_cursor = false;
        self.records.page_tries = 0;
        self.records.key_log_again = 0;
        self.records.pages += 1;
        self.records.packs = page.packs.into_iter().map(|pack| pack.0).collect();
        for named in page.attestations.into_iter().filter(|named| named.kind == "time-note") {
            self.keep_attestation(store, named.bytes.0)?;
        }
        self.log.offer(page.checkpoint, page.time_note);
        Ok(Gain::Some)
    }

    fn draft_pack(&mut self, store: &mut dyn SyncStore) -> Result<Option<Draft>, Fault> {
        while let Some(pack) = self.records.packs.first().copied() {
            if store.has_pack(pack)? {
                self.records.packs.remove(0);
            } else {
                let path = format!("/v1/packs/{pack}");
                return Ok(Some(get(RecordAsk::Pack(pack), path, Expect::Bytes, answer::PACK)));
            }
        }
        Ok(None)
    }

    fn take_pack(&mut self, store: &mut dyn SyncStore, pack: PackHash, file: &[u8]) {
        match store.keep_pack(pack, file) {
            Ok(()) => self.report.packs += 1,
            Err(why) => self.report.alarms.push(Alarm::PackRefused {
                pack: pack.to_string(),
                why: why.to_string(),
            }),
        }
        self.records.packs.retain(|other| *other != pack);
    }

    /// The server does not take the next operation: pushing has ended for this session.
    pub(super) fn records_blocked(&self) -> bool {
        self.records.push_over || self.records.stop_before.is_some()
    }
}

fn get(ask: RecordAsk, path: String, expect: Expect, limit: usize) -> Draft {
    Draft::get(Ask::Records(ask), path, expect, limit)
}

/// The server's newest key of a purpose, from the key log.
pub(super) fn server_key(key_log: &KeyLog, purpose: Purpose) -> Result<PublicKey, Fault> {
    let keys = key_log.server_keys(purpose);
    let newest = keys
        .last()
        .ok_or_else(|| Fault::untrue("key log", "no server is enrolled"))?;
    newest.record.key().map_err(|why| Fault::untrue("key log", why))
}

/// Checks the frames of a page, on as many threads as it is worth.
fn verified_all(key_log: &KeyLog, items: &[FeedItem]) -> Vec<Result<VerifiedOperation, String>> {
    let run = |part: &[FeedItem]| -> Vec<_> { part.iter().map(|item| verified(key_log, &item.frame.0)).collect() };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = items.len().div_ceil(threads.min(limits::CHECKING_THREADS));
    if share < limits::WORTH_A_THREAD {
        return run(items);
    }
    std::thread::scope(|scope| {
        let (first, rest) = items.split_at(share);
        let others: Vec<_> = rest
            .chunks(share)
            .map(|part| (part.len(), scope.spawn(move || run(part))))
            .collect();
        let mut checked = run(first);
        for (count, other) in others {
            let failed = |_| (0..count).map(|_| Err("the check did not finish".to_owned())).collect();
            checked.extend(other.join().unwrap_or_else(failed));
        }
        checked
    })
}

/// Checks a frame against the key log: structure, suite, signature.
fn verified(key_log: &KeyLog, frame: &[u8]) -> Result<VerifiedOperation, String> {
    let operation = Operation::parse(frame).map_err(|why| why.to_string())?;
    let header = operation.header();
    if header.tenant != key_log.tenant() {
        return Err("it is of another tenant".into());
    }
    let key = key_log
        .operation_key(&header.device, &header.incarnation)
        .ok_or("its device is not in the key log")?
        .record
        .key()
        .map_err(|why| why.to_string())?;
    operation.verify(&key).map_err(|why| why.to_string())
}

/// Reads the promised JSON. Something else under the right media type is our server's fault, not a portal's.
pub(super) fn json<T: DeserializeOwned>(answer: &Response, what: &'static str) -> Result<T, Fault> {
    serde_json::from_slice(&answer.body).map_err(|why| Fault::untrue(what, why))
}

fn epoch(text: &str) -> Result<Epoch, Fault> {
    let bytes = from_hex(&text.replace('-', "")).and_then(|bytes| bytes.try_into().ok());
    bytes
        .map(Epoch::from_bytes)
        .ok_or_else(|| Fault::untrue("epoch", "not 32 hex digits"))
}

/// Percent-encoding of a query value (RFC 3986 unreserved characters stay).
fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte.into()),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}
