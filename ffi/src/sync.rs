//! Sync, in two ways: over our own connection, or as requests that the host sends over its own.

use std::io::{Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fieldseal_core::device::{self as core, Visit, VisitOptions, VisitReport, VisitStep};
use fieldseal_core::random::{OsRandom, Random, array};
use fieldseal_core::sync::message::{Payload, Request, Response};
use fieldseal_core::sync::store::BlobClass;
use fieldseal_core::sync::{Alarm as CoreAlarm, Ending, Fault, NoAnswer};
use fieldseal_proof::ids::{BlobHash, OpId, to_hex};

use crate::device::Device;
use crate::error::{FieldsealError, Problem};
use crate::guard::guarded;
use crate::host::Progress;
use crate::views::Receipt;

/// Longest piece of evidence that one call lends to a host's socket.
const MOST_LENT: u32 = 8 * 1024 * 1024;

/// What a sync should do.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SyncOptions {
    /// Records only; evidence waits, for instance for an unmetered network.
    #[uniffi(default = false)]
    pub only_records: bool,
    /// Goes on until nothing waits any more, at most this long, also while offline; one session without it.
    #[uniffi(default = None)]
    pub patience_ms: Option<u64>,
    /// What the network is. Files whose rule it does not meet wait; a host that says nothing holds nothing back.
    #[uniffi(default = None)]
    pub network: Option<Network>,
    /// Whether the device is being charged; counts only where `network` is said.
    #[uniffi(default = false)]
    pub charging: bool,
}

/// What the host knows of its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Network {
    /// Its bytes are counted and paid for, or scarce.
    Metered,
    /// They are not.
    Unmetered,
}

/// A class of evidence. Records are none: nothing holds them back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum EvidenceClass {
    /// Documents and signatures.
    Documents,
    /// Photographs.
    Photographs,
    /// Sound, and files of no other class.
    Audio,
    /// Films.
    Video,
}

impl From<EvidenceClass> for BlobClass {
    fn from(class: EvidenceClass) -> Self {
        match class {
            EvidenceClass::Documents => Self::Paper,
            EvidenceClass::Photographs => Self::Photo,
            EvidenceClass::Audio => Self::Audio,
            EvidenceClass::Video => Self::Video,
        }
    }
}

/// What a class of evidence waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum SendRule {
    /// Nothing.
    Any,
    /// A network that is not metered.
    Unmetered,
    /// A network that is not metered, while the device is charged.
    Charging,
}

impl From<SendRule> for core::SendRule {
    fn from(rule: SendRule) -> Self {
        match rule {
            SendRule::Any => Self::Any,
            SendRule::Unmetered => Self::Unmetered,
            SendRule::Charging => Self::Charging,
        }
    }
}

impl From<core::SendRule> for SendRule {
    fn from(rule: core::SendRule) -> Self {
        match rule {
            core::SendRule::Any => Self::Any,
            core::SendRule::Unmetered => Self::Unmetered,
            core::SendRule::Charging => Self::Charging,
        }
    }
}

/// Files that wait for another network, or were let go over any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct HeldBack {
    /// How many.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl From<fieldseal_core::sync::store::HeldBack> for HeldBack {
    fn from(held: fieldseal_core::sync::store::HeldBack) -> Self {
        Self {
            files: held.blobs,
            bytes: held.bytes,
        }
    }
}

impl From<SyncOptions> for VisitOptions {
    fn from(options: SyncOptions) -> Self {
        Self {
            only_records: options.only_records,
            patience: options.patience_ms.map(Duration::from_millis),
            network: match options.network {
                None => core::Network::default(),
                Some(network) => core::Network {
                    metered: network == Network::Metered,
                    charging: options.charging,
                },
            },
        }
    }
}

/// How a sync ended. In every case what arrived is kept, and the next one goes on from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum SyncEnding {
    /// Everything that could be exchanged was.
    Done,
    /// The administrator has not approved this device yet.
    AwaitingApproval,
    /// Nobody answered, or the server asks for time.
    Offline,
    /// The server does not accept the device's token: sending pauses.
    Paused,
    /// The user ended it.
    Cancelled,
    /// Something else, which the problem names.
    Failed,
}

/// What still waits here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct Waiting {
    /// Operations without a receipt.
    pub operations: u64,
    /// Operations with a receipt whose place in the log was not checked yet.
    pub unsealed: u64,
    /// Evidence files without a receipt.
    pub files: u64,
    /// Their bytes.
    pub file_bytes: u64,
}

/// A fact that a person must see; nothing stopped because of it.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Alarm {
    /// Stable code: `forked`, `log_contradiction`, `blob_refused`, …
    pub code: String,
    /// What it is about, for a report.
    pub subject: String,
}

/// What a sync did.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SyncReport {
    /// How it ended.
    pub ending: SyncEnding,
    /// The sentence to show, unless it is done.
    pub problem: Option<Problem>,
    /// Enrolment requests sent.
    pub enrolment_requests: u64,
    /// Operations that a receipt now covers.
    pub received: u64,
    /// Operations of others that arrived.
    pub fetched: u64,
    /// Own operations whose place in the log was checked.
    pub in_log: u64,
    /// Evidence files receipted.
    pub files: u64,
    /// Evidence bytes that the server confirmed.
    pub file_bytes: u64,
    /// Exchanges that failed and were tried again.
    pub cuts: u64,
    /// Size of the newest checked checkpoint.
    pub log_size: u64,
    /// The sentence to show when a new life began: another device writes with this one's key. The new key wants to be approved.
    pub new_life: Option<Problem>,
    /// What somebody must know.
    pub alarms: Vec<Alarm>,
    /// What still waits here.
    pub waiting: Waiting,
    /// Of that, the files which wait for another network.
    pub held_back: HeldBack,
}

/// A header.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Header {
    /// Name.
    pub name: String,
    /// Value.
    pub value: String,
}

/// What a request carries.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum RequestBody {
    /// Nothing; a POST then has `Content-Length: 0`.
    Empty,
    /// These bytes. Their type stands in the headers.
    Bytes {
        /// The body.
        bytes: Vec<u8>,
    },
    /// A part of an evidence file, lent by [`SyncSession::lend`] as the socket takes it.
    Evidence {
        /// How many bytes.
        length: u64,
    },
}

/// One thing to send. No redirect may be followed, and no certificate but the one named may be accepted.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct HttpRequest {
    /// Names this sending; the answer is handed back under it.
    pub id: u64,
    /// `GET`, `HEAD`, `POST`, `PATCH` or `DELETE`.
    pub method: String,
    /// The whole address.
    pub url: String,
    /// Every header, authorisation included.
    pub headers: Vec<Header>,
    /// Body.
    pub body: RequestBody,
    /// Most bytes of an answer that are worth reading.
    pub answer_limit: u64,
    /// How long the server may rightly stay silent (a long poll), beside an ordinary patience.
    pub silence_ms: u64,
    /// SHA-256 of the only TLS key to accept (the certificate's SubjectPublicKeyInfo, DER), hex.
    pub tls_sha256: String,
}

/// An answer as it came.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct HttpAnswer {
    /// Status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<Header>,
    /// Body, at most the request's limit.
    pub body: Vec<u8>,
}

/// Why a host has no answer.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum NoAnswerReason {
    /// No connection, a cut, or silence for too long.
    Offline,
    /// The certificate is another. Nothing was sent.
    WrongServer,
    /// The answer is longer than the limit.
    TooLong,
}

/// What a host does next.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum SyncPart {
    /// Send this and hand the answer to [`SyncSession::handle`], or say [`SyncSession::failed`].
    Send {
        /// The request.
        request: HttpRequest,
    },
    /// Wait this long, then ask again.
    Wait {
        /// Milliseconds.
        ms: u64,
    },
    /// It is over.
    Done {
        /// What it did.
        report: SyncReport,
    },
}

/// A sync over the host's own socket: for background uploads that the system runs, for a proxy, for a mobile radio that only
/// the host may wake. It may be dropped at any time; what was handled is durable.
#[derive(uniffi::Object)]
pub struct SyncSession {
    device: Arc<Device>,
    state: Mutex<State>,
}

struct State {
    visit: Visit,
    lent: Option<(u64, Lent)>,
}

struct Lent {
    sha256: BlobHash,
    offset: u64,
    length: u64,
}

#[uniffi::export]
impl Device {
    /// Begins a sync over the host's own socket.
    pub fn begin_sync(self: Arc<Self>, options: SyncOptions) -> Arc<SyncSession> {
        let visit = Visit::new(Arc::clone(&self.device), options.into(), Box::new(spread));
        Arc::new(SyncSession {
            device: self,
            state: Mutex::new(State { visit, lent: None }),
        })
    }

    /// What a class of evidence waits for on this device.
    pub fn send_rule(&self, class: EvidenceClass) -> Result<SendRule, FieldsealError> {
        guarded(|| Ok(self.device.send_rules()?.of(class.into()).into()))
    }

    /// Chooses what a class of evidence waits for, from the next sync on.
    pub fn set_send_rule(&self, class: EvidenceClass, rule: SendRule) -> Result<(), FieldsealError> {
        guarded(|| {
            self.device.set_send_rule(class.into(), rule.into())?;
            Ok(())
        })
    }

    /// Lets the file of this SHA-256, or all that wait now, go over any network from the next sync on; what was let go.
    #[uniffi::method(default(sha256 = None))]
    pub fn send_now(&self, sha256: Option<String>) -> Result<HeldBack, FieldsealError> {
        guarded(|| {
            let file = sha256.map(|sha256| sha256.parse()).transpose()?;
            Ok(self.device.send_now(file)?.into())
        })
    }

    /// The receipt of the server for the bytes of a file, as it came; none as long as it has not arrived.
    pub fn file_receipt(&self, sha256: String) -> Result<Option<Vec<u8>>, FieldsealError> {
        guarded(|| {
            let row = self.device.store().blob(sha256.parse()?)?;
            Ok(row.and_then(|row| row.receipt))
        })
    }

    /// The receipts of the server that cover an operation of this device, as they came.
    pub fn receipts(&self, operation: String) -> Result<Vec<Receipt>, FieldsealError> {
        guarded(|| {
            let operation: OpId = operation.parse()?;
            let store = self.device.store();
            let header = store.operation(operation)?.operation.header().clone();
            if header.device != self.device.identity().device {
                return Ok(Vec::new());
            }
            let receipts = store.receipts(header.incarnation, header.seq)?.into_iter();
            Ok(receipts.map(|(kind, bytes)| Receipt { kind, bytes }).collect())
        })
    }
}

#[cfg(feature = "transport")]
#[uniffi::export]
impl Device {
    /// Enrols as far as it goes, sends and fetches everything, and sees to the stock of numbers. Faults are in the report.
    /// After a cancel it returns within a tenth of a second.
    pub fn sync(
        &self,
        options: SyncOptions,
        listener: Option<Arc<dyn crate::host::ProgressListener>>,
        cancel: Option<Arc<crate::host::Cancel>>,
    ) -> Result<SyncReport, FieldsealError> {
        guarded(|| {
            let mut told = |progress: &fieldseal_core::sync::Progress| {
                if let Some(listener) = &listener
                    && let Err(error) = listener.moved(Progress::of_sync(progress))
                {
                    crate::guard::HostFailure::leave("progress listener", error);
                }
            };
            let network = cancel.as_ref().map(|cancel| cancel.network.clone()).unwrap_or_default();
            let report = fieldseal_transport::visit(&self.device, options.into(), &mut told, &network);
            let report = report.map_err(|error| FieldsealError::host("network", &error.to_string()))?;
            Ok(told_of(&report))
        })
    }
}

#[uniffi::export]
impl SyncSession {
    /// What to do next. Asking again without an answer repeats the step under a new number. `max_bytes` bounds what this request
    /// carries of records or evidence, for a host whose system gives its socket little time; less than 16 KiB counts as that, and a
    /// single longer record goes whole. Without it the length follows what the line carried: about a second's worth.
    #[uniffi::method(default(max_bytes = None))]
    pub fn next_part(&self, max_bytes: Option<u64>) -> Result<SyncPart, FieldsealError> {
        guarded(|| {
            let mut state = self.state();
            state.visit.bound(max_bytes);
            Ok(match state.visit.next_request() {
                VisitStep::Send(request) => {
                    state.lent = match &request.payload {
                        Payload::Blob { sha256, offset, length } => Some((
                            request.id,
                            Lent {
                                sha256: *sha256,
                                offset: *offset,
                                length: *length,
                            },
                        )),
                        _ => None,
                    };
                    SyncPart::Send {
                        request: self.http(request),
                    }
                }
                VisitStep::Wait(wait) => SyncPart::Wait {
                    ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                },
                VisitStep::Done(report) => SyncPart::Done {
                    report: told_of(&report),
                },
            })
        })
    }

    /// Takes the answer to the request of that number; one under another number came late and changes nothing.
    pub fn handle(&self, id: u64, answer: HttpAnswer) -> Result<(), FieldsealError> {
        guarded(|| {
            let headers = answer.headers.into_iter();
            let response = Response {
                status: answer.status,
                headers: headers.map(|h| (h.name.to_ascii_lowercase(), h.value)).collect(),
                body: answer.body,
            };
            self.state().visit.handle_response(id, Ok(response));
            Ok(())
        })
    }

    /// Says that the request of that number got no answer.
    pub fn failed(&self, id: u64, reason: NoAnswerReason, detail: String) -> Result<(), FieldsealError> {
        guarded(|| {
            let why = match reason {
                NoAnswerReason::Offline => NoAnswer::Offline(detail),
                NoAnswerReason::WrongServer => NoAnswer::WrongServer,
                NoAnswerReason::TooLong => NoAnswer::TooLong,
            };
            self.state().visit.handle_response(id, Err(why));
            Ok(())
        })
    }

    /// Bytes of the evidence that the request of that number carries, from an offset within its body; at most 8 MiB, none at
    /// the end.
    pub fn lend(&self, id: u64, offset: u64, most: u32) -> Result<Vec<u8>, FieldsealError> {
        guarded(|| {
            let (sha256, from, left) = {
                let state = self.state();
                let lent = state.lent.as_ref().filter(|(lent, _)| *lent == id);
                let (_, lent) = lent.ok_or_else(|| FieldsealError::new("answer_late", &[]))?;
                (lent.sha256, lent.offset + offset, lent.length.saturating_sub(offset))
            };
            let changed = |_: std::io::Error| FieldsealError::new("blob_changed", &[]);
            let mut reader = self.device.device.read_blob(sha256)?;
            reader.seek(SeekFrom::Start(from)).map_err(changed)?;
            let mut bytes = Vec::new();
            let most = left.min(u64::from(most.min(MOST_LENT)));
            reader.take(most).read_to_end(&mut bytes).map_err(changed)?;
            Ok(bytes)
        })
    }

    /// Where it stands.
    pub fn progress(&self) -> Progress {
        Progress::of_sync(&self.state().visit.progress())
    }

    /// Ends it at the next part. What arrived stays.
    pub fn cancel(&self) {
        self.state().visit.cancel();
    }
}

impl SyncSession {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn http(&self, request: Request) -> HttpRequest {
        let (device, card) = (&self.device.device, self.device.device.card());
        let header = |name: &str, value: String| Header {
            name: name.to_owned(),
            value,
        };
        let own = request.headers.into_iter();
        let mut headers: Vec<Header> = own.map(|(name, value)| header(name, value)).collect();
        headers.push(header(
            "User-Agent",
            concat!("fieldseal/", env!("CARGO_PKG_VERSION")).to_owned(),
        ));
        if let Some(token) = device.token() {
            headers.push(header("Authorization", format!("Bearer {token}")));
        }
        let body = match request.payload {
            Payload::Empty => RequestBody::Empty,
            Payload::Bytes { media_type, bytes } => {
                headers.push(header("Content-Type", media_type.to_owned()));
                RequestBody::Bytes { bytes }
            }
            Payload::Blob { length, .. } => RequestBody::Evidence { length },
        };
        HttpRequest {
            id: request.id,
            method: request.method.as_str().to_owned(),
            url: format!("{}{}", card.url.trim_end_matches('/'), request.path),
            headers,
            body,
            answer_limit: request.answer_limit as u64,
            silence_ms: u64::try_from(request.silence.as_millis()).unwrap_or(u64::MAX),
            tls_sha256: to_hex(&card.tls_sha256),
        }
    }
}

/// Spreads the waits of many devices. Without randomness the waits are the longest: no secret hangs on this.
fn spread() -> fieldseal_core::sync::backoff::Random {
    Box::new(|| array::<8>(&OsRandom as &dyn Random).map_or(u64::MAX, u64::from_le_bytes))
}

fn told_of(report: &VisitReport) -> SyncReport {
    let (sync, waiting) = (&report.sync, report.sync.waiting);
    let (ending, problem) = match &sync.ending {
        _ if report.enrolment.refused.is_some() => {
            let refused = report.enrolment.refused.clone().unwrap_or_default();
            let problem = Problem::new("enrolment_refused", &refused.params());
            (SyncEnding::Failed, Some(problem))
        }
        Ending::Done if !report.enrolment.approved => (
            SyncEnding::AwaitingApproval,
            Some(Problem::new("awaiting_approval", &[])),
        ),
        Ending::Done => (SyncEnding::Done, None),
        Ending::Stopped(fault) => {
            let ending = match fault {
                Fault::Offline(_) | Fault::Busy { .. } => SyncEnding::Offline,
                Fault::Paused => SyncEnding::Paused,
                Fault::Cancelled => SyncEnding::Cancelled,
                _ => SyncEnding::Failed,
            };
            (ending, Some(Problem::from(fault)))
        }
    };
    SyncReport {
        ending,
        problem,
        enrolment_requests: report.enrolment.sent,
        received: sync.received,
        fetched: sync.fetched,
        in_log: sync.sealed,
        files: sync.blobs,
        file_bytes: sync.blob_bytes,
        cuts: sync.cuts,
        log_size: sync.log_size,
        new_life: sync.new_life.then(|| Problem::new("life_ended", &[])),
        alarms: sync.alarms.iter().map(alarm).collect(),
        waiting: Waiting {
            operations: waiting.operations,
            unsealed: waiting.unsealed,
            files: waiting.blobs,
            file_bytes: waiting.blob_bytes,
        },
        held_back: sync.held.into(),
    }
}

fn alarm(alarm: &CoreAlarm) -> Alarm {
    let subject = match alarm {
        CoreAlarm::OperationRefused { seq, code } => format!("{seq}: {code}"),
        CoreAlarm::Forked { seq } => seq.to_string(),
        CoreAlarm::Unverified { index, why } => format!("{index}: {why}"),
        CoreAlarm::LogContradiction { held, offered, .. } | CoreAlarm::LogBehind { held, offered } => {
            format!("{held} / {offered}")
        }
        CoreAlarm::PackRefused { pack, why } => format!("{pack}: {why}"),
        CoreAlarm::TimeNoteRefused { why } => why.clone(),
        CoreAlarm::NotInLog { seq, index } => format!("{seq} / {index}"),
        CoreAlarm::BlobRefused { sha256, code } => format!("{sha256}: {code}"),
    };
    Alarm {
        code: alarm.code().to_owned(),
        subject,
    }
}
