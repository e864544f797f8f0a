//! Evidence: from a host's stream, in pieces, from a file; read back by ranges.
//!
//! The bytes go straight into the encrypted vault and are hashed on the way: no second copy is ever written, and memory
//! does not grow with the size of the evidence.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use fieldseal_core::catalogue::Param;
use fieldseal_core::device::{self as core, FieldDevice};
use fieldseal_core::domain::Position;
use fieldseal_core::vault::recording_bytes;
use fieldseal_proof::ids::{BlobHash, EvidenceId, FindingId, InspectionId};

use crate::device::Device;
use crate::error::{FieldsealError, Problem};
use crate::guard::guarded;
use crate::host::{ByteSource, Cancel, ProgressListener};
use crate::stream::{Cut, HostReader, Looker, Watched};
use crate::work::id_opt;

/// Pieces that may wait for the vault before a push blocks.
const WAITING_PIECES: usize = 2;
/// Longest range that one call reads back.
const MOST_READ: u32 = 8 * 1024 * 1024;

/// How bytes came to this device; signed, and shown wherever the evidence is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Acquisition {
    /// By this device's camera.
    Camera,
    /// By this device's recorder.
    Recorder,
    /// From a file that was there before.
    Imported,
    /// From paper.
    Scanned,
    /// From somebody else.
    Received,
}

impl Acquisition {
    fn word(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Recorder => "recorder",
            Self::Imported => "imported",
            Self::Scanned => "scanned",
            Self::Received => "received",
        }
    }
}

/// Where the device says it is.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Place {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// Metres.
    pub accuracy_m: Option<f64>,
}

/// What is said about evidence while it is captured.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct EvidenceAbout {
    /// How the bytes came here.
    pub acquisition: Acquisition,
    /// Kind of evidence of the rule pack.
    pub kind: String,
    /// What it shows.
    pub title: String,
    /// What it is to prove.
    #[uniffi(default = "")]
    pub proves: String,
    /// Name of the file it comes from.
    #[uniffi(default = "")]
    pub original_name: String,
    /// Where the device says it is; left out, and said, when it is out of range.
    #[uniffi(default = None)]
    pub place: Option<Place>,
    /// The finding it belongs to.
    #[uniffi(default = None)]
    pub finding: Option<String>,
    /// The evidence it was made from.
    #[uniffi(default = None)]
    pub derived_from: Option<String>,
    /// The recording that it writes down.
    #[uniffi(default = None)]
    pub transcript_of: Option<String>,
    /// Length of a recording, in milliseconds.
    #[uniffi(default = None)]
    pub duration_ms: Option<u64>,
    /// How many bytes are expected, if somebody knows: asked of the storage first, and told to the listener.
    #[uniffi(default = None)]
    pub expected_bytes: Option<u64>,
    /// What the camera writes in a second, if somebody knows: with the length, how many bytes to expect.
    #[uniffi(default = None)]
    pub bytes_per_second: Option<u64>,
}

impl EvidenceAbout {
    /// How many bytes are expected; 0 while nobody knows.
    fn expected(&self) -> u64 {
        let rated = self.duration_ms.zip(self.bytes_per_second);
        let rated = rated.map(|(duration_ms, rate)| recording_bytes(duration_ms, Some(rate)));
        self.expected_bytes.or(rated).unwrap_or(0)
    }
}

/// Evidence that is sealed now.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Captured {
    /// Its id.
    pub evidence: String,
    /// The operation that names it.
    pub operation: String,
    /// SHA-256 of the original bytes, hex.
    pub sha256: String,
    /// Number of original bytes.
    pub size: u64,
    /// Media type by content.
    pub media_type: String,
    /// Storage ran out while it was recorded: what came until then is sealed and labelled so.
    pub cut: bool,
    /// What is lacking or odd; it is sealed all the same.
    pub remarks: Vec<Problem>,
}

/// How much more can be recorded.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct StorageLeft {
    /// Free bytes, without what is kept for records.
    pub bytes: u64,
    /// About how many minutes of video that is.
    pub minutes: u64,
    /// Below what the rule pack wants to be warned about.
    pub low: bool,
    /// The sentence to show then.
    pub warning: Option<Problem>,
}

#[uniffi::export]
impl Device {
    /// How much can still be recorded; asked before a recording begins.
    pub fn storage(&self, expected_bytes: u64) -> Result<StorageLeft, FieldsealError> {
        guarded(|| {
            let left = self.device.storage_check(expected_bytes)?;
            let minutes = [("minutes", Param::Count(left.minutes))];
            Ok(StorageLeft {
                bytes: left.bytes,
                minutes: left.minutes,
                low: left.low,
                warning: left.low.then(|| Problem::new("storage_low", &minutes)),
            })
        })
    }

    /// Captures everything that a source of the host gives, until it is empty, and seals it. What is expected not to fit is
    /// refused before the first byte; when room runs out all the same, a camera's or recorder's bytes are sealed as far as they
    /// came, and `cut` says so.
    pub fn capture(
        &self,
        inspection: String,
        about: EvidenceAbout,
        source: Arc<dyn ByteSource>,
        listener: Option<Arc<dyn ProgressListener>>,
        cancel: Option<Arc<Cancel>>,
    ) -> Result<Captured, FieldsealError> {
        guarded(|| {
            let total = about.expected();
            let watched = Watched::new(HostReader::new(source), listener, cancel, total);
            take(&self.device, inspection.parse()?, &about, watched)
        })
    }

    /// Imports a file. The library opens it itself.
    pub fn import_file(
        &self,
        inspection: String,
        about: EvidenceAbout,
        path: String,
        listener: Option<Arc<dyn ProgressListener>>,
        cancel: Option<Arc<Cancel>>,
    ) -> Result<Captured, FieldsealError> {
        guarded(|| {
            let path = Path::new(&path);
            let unreadable = |error| core::DeviceError::of_file(path, error);
            let file = File::open(path).map_err(unreadable)?;
            let size = file.metadata().map_err(unreadable)?.len();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let about = EvidenceAbout {
                original_name: if about.original_name.is_empty() {
                    name
                } else {
                    about.original_name
                },
                expected_bytes: Some(size),
                ..about
            };
            take(
                &self.device,
                inspection.parse()?,
                &about,
                Watched::new(file, listener, cancel, size),
            )
        })
    }

    /// Begins a capture whose pieces the host pushes as they come. What is expected not to fit is refused here.
    pub fn begin_capture(&self, inspection: String, about: EvidenceAbout) -> Result<Arc<Capture>, FieldsealError> {
        guarded(|| {
            let inspection: InspectionId = inspection.parse()?;
            self.device.storage_check(about.expected())?;
            let (pieces, receiver) = sync_channel(WAITING_PIECES);
            let cancel = Cancel::new();
            let watched = Watched::new(
                PushedReader {
                    pieces: receiver,
                    piece: Vec::new(),
                    at: 0,
                    ended: false,
                },
                None,
                Some(Arc::clone(&cancel)),
                0,
            );
            let device = Arc::clone(&self.device);
            let work = move || guarded(|| take(&device, inspection, &about, watched));
            let thread = std::thread::Builder::new().name("fieldseal-capture".into()).spawn(work);
            let thread = thread.map_err(|error| FieldsealError::host("thread", &error.to_string()))?;
            Ok(Arc::new(Capture {
                running: Mutex::new(Some((pieces, thread))),
                cancel,
            }))
        })
    }

    /// Original bytes of evidence or of a document, from an offset; at most 8 MiB, fewer at the end. Every byte given out was
    /// authenticated.
    pub fn read_blob(&self, sha256: String, offset: u64, most: u32) -> Result<Vec<u8>, FieldsealError> {
        guarded(|| {
            let sha256: BlobHash = sha256.parse()?;
            let changed = |_: io::Error| FieldsealError::new("blob_changed", &[]);
            let mut reader = self.device.read_blob(sha256)?;
            reader.seek(SeekFrom::Start(offset)).map_err(changed)?;
            let mut bytes = Vec::new();
            let most = u64::from(most.min(MOST_READ));
            reader.take(most).read_to_end(&mut bytes).map_err(changed)?;
            Ok(bytes)
        })
    }

    /// Records an event in the life of evidence: `collected`, `accessed`, `transferred` or `exported`. The operation.
    pub fn custody_event(
        &self,
        inspection: String,
        evidence: Vec<String>,
        event: String,
        note: String,
    ) -> Result<String, FieldsealError> {
        guarded(|| {
            let evidence = evidence.iter().map(|id| id.parse());
            let evidence: Vec<EvidenceId> = evidence.collect::<Result<_, fieldseal_proof::ids::IdError>>()?;
            let operation = self.device.custody(inspection.parse()?, &evidence, &event, &note)?;
            Ok(operation.to_string())
        })
    }

    /// Reads a blob anew: whether every byte is as it was sealed. The listener is told its bytes under `check`.
    #[uniffi::method(default(listener = None, cancel = None))]
    pub fn check_blob(
        &self,
        sha256: String,
        listener: Option<Arc<dyn ProgressListener>>,
        cancel: Option<Arc<Cancel>>,
    ) -> Result<bool, FieldsealError> {
        guarded(|| {
            let sha256: BlobHash = sha256.parse()?;
            let mut looker = Looker::new("check", listener, cancel);
            let whole = self.device.check_blob(sha256, &mut |moved| looker.moved(moved));
            looker.settle("check_cancelled", whole.map_err(FieldsealError::from))
        })
    }
}

/// A capture whose pieces the host pushes. Dropping it without [`Capture::finish`] stops it, as [`Capture::cancel`] does.
#[derive(uniffi::Object)]
pub struct Capture {
    running: Mutex<Option<(SyncSender<Piece>, Work)>>,
    cancel: Arc<Cancel>,
}

type Work = JoinHandle<Result<Captured, FieldsealError>>;

enum Piece {
    Bytes(Vec<u8>),
    End,
}

#[uniffi::export]
impl Capture {
    /// The next bytes, in order. Returns once the vault has room for them; blocks while it is behind.
    pub fn push(&self, bytes: Vec<u8>) -> Result<(), FieldsealError> {
        let sender = {
            let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.as_ref().map(|(sender, _)| sender.clone())
        };
        let sender = sender.ok_or_else(|| FieldsealError::new("capture_over", &[]))?;
        // A closed channel means that the vault has given up; its reason is the one to tell.
        match sender.send(Piece::Bytes(bytes)) {
            Ok(()) => Ok(()),
            Err(_) => self.end(false).map(drop),
        }
    }

    /// That was all: seals what was pushed.
    pub fn finish(&self) -> Result<Captured, FieldsealError> {
        self.end(true)
    }

    /// Stops it. Nothing is sealed; what a camera or recorder had written is set aside on the device.
    pub fn cancel(&self) -> Result<(), FieldsealError> {
        self.cancel.cancel();
        match self.end(false) {
            Err(FieldsealError::Stopped { .. }) => Ok(()),
            other => other.map(drop),
        }
    }
}

impl Capture {
    fn end(&self, whole: bool) -> Result<Captured, FieldsealError> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (sender, thread) = running.ok_or_else(|| FieldsealError::new("capture_over", &[]))?;
        if whole {
            // A closed channel means that the vault has given up; its reason comes with the join.
            let _ = sender.send(Piece::End);
        }
        drop(sender);
        let joined = thread.join();
        joined.unwrap_or_else(|_| Err(FieldsealError::host("capture", "its thread ended")))
    }
}

/// Pieces as they are pushed. Without an end that was said, the end is a cut.
struct PushedReader {
    pieces: Receiver<Piece>,
    piece: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Read for PushedReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() && !self.ended {
            match self.pieces.recv() {
                Ok(Piece::Bytes(bytes)) => (self.piece, self.at) = (bytes, 0),
                Ok(Piece::End) => self.ended = true,
                Err(_) => return Err(io::Error::other(Cut::Cancelled)),
            }
        }
        let count = out.len().min(self.piece.len() - self.at);
        out[..count].copy_from_slice(&self.piece[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

/// Streams a watched source into the vault and seals it.
fn take<R: Read>(
    device: &FieldDevice,
    inspection: InspectionId,
    about: &EvidenceAbout,
    mut source: Watched<R>,
) -> Result<Captured, FieldsealError> {
    device.storage_check(about.expected())?;
    let mut remarks = Vec::new();
    // A position out of range is left out and said; the evidence is sealed all the same.
    let position = about.place.as_ref().and_then(|place| {
        Position::from_degrees(place.latitude, place.longitude, place.accuracy_m)
            .map_err(|refusal| remarks.push(Problem::from(&refusal.message)))
            .ok()
    });
    let new = core::NewEvidence {
        acquisition: about.acquisition.word(),
        kind: &about.kind,
        title: &about.title,
        proves: &about.proves,
        original_name: &about.original_name,
        position,
        finding: id_opt::<FindingId>(about.finding.as_deref())?,
        derived_from: id_opt::<EvidenceId>(about.derived_from.as_deref())?,
        transcript_of: id_opt::<EvidenceId>(about.transcript_of.as_deref())?,
        duration_ms: about.duration_ms,
    };
    let captured = device
        .capture(inspection, &mut source, &new)
        .map_err(|error| match source.cut.take() {
            Some(Cut::Cancelled) => FieldsealError::new("capture_cancelled", &[]),
            Some(Cut::Host(detail)) => FieldsealError::host("source", &detail),
            None => error.into(),
        })?;
    // The last word on bytes; a listener that fails now cannot undo what is sealed.
    let _ = source.tell();
    remarks.extend(captured.remarks.iter().map(Problem::from));
    Ok(Captured {
        evidence: captured.evidence.to_string(),
        operation: captured.operation.to_string(),
        sha256: captured.sha256.to_string(),
        size: captured.size,
        media_type: captured.media_type,
        cut: captured.cut,
        remarks,
    })
}
