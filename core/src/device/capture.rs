//! Capturing and importing evidence, and reading it back.

use std::io::Read;

use fieldseal_proof::ids::{BlobHash, EvidenceId, FindingId, InspectionId, ItemId, OpId};

use super::{DeviceError, FieldDevice};
use crate::catalogue::Param;
use crate::domain::{Acquisition, CustodyEvent, CustodyKind, EvidenceSeal, Line, Paragraph, Position};
use crate::evidence::{Capture, Intent};
use crate::store::{BlobState, StoreError};
use crate::vault::{
    Arrival, Arrived, ROOM_FOR_RECORDS, VaultError, VaultReader, WARNED_BELOW, minutes_of_video, sealed_bytes,
};

/// What is said about a piece of evidence while it is captured.
#[derive(Debug, Clone, Default)]
pub struct NewEvidence<'a> {
    /// `camera`, `recorder`, `imported`, `scanned` or `received`; signed, and shown wherever the evidence is shown.
    pub acquisition: &'a str,
    /// Kind of evidence, an id of the rule pack.
    pub kind: &'a str,
    /// What it shows.
    pub title: &'a str,
    /// What it proves.
    pub proves: &'a str,
    /// Name of the imported file.
    pub original_name: &'a str,
    /// Where the device says it is.
    pub position: Option<Position>,
    /// The finding it belongs to.
    pub finding: Option<FindingId>,
    /// The evidence it was made from.
    pub derived_from: Option<EvidenceId>,
    /// The recording it writes down.
    pub transcript_of: Option<EvidenceId>,
    /// Length of a recording in milliseconds.
    pub duration_ms: Option<u64>,
}

/// Evidence that is sealed now.
#[derive(Debug, Clone)]
pub struct Captured {
    /// Its id.
    pub evidence: EvidenceId,
    /// The operation that names it.
    pub operation: OpId,
    /// SHA-256 of the original bytes.
    pub sha256: BlobHash,
    /// Number of original bytes.
    pub size: u64,
    /// Media type by content.
    pub media_type: String,
    /// Room ran out while it was recorded: these are the first bytes, and a custody event says so.
    pub cut: bool,
    /// Catalogue messages about what is lacking or odd; the evidence is sealed all the same.
    pub remarks: Vec<DeviceError>,
}

/// How much more can be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StorageLeft {
    /// Free bytes, without what is kept for records.
    pub bytes: u64,
    /// About how many minutes of video that is.
    pub minutes: u64,
    /// Whether it is below what the rule pack wants to be warned about.
    pub low: bool,
}

impl FieldDevice {
    /// Captures or imports evidence for an inspection: streams the bytes into the vault, then seals them.
    ///
    /// # Errors
    /// `choice_unknown` for an unknown acquisition, `not_found` for an unknown inspection, `storage_full`, or a source that
    /// breaks off. Nothing is captured in these cases, except that the part of a recording that was written is kept aside.
    /// When room runs out while a camera or recorder gives bytes, what came until then is sealed, and said to be cut.
    /// `recorded_unsealed` when the bytes are whole in the vault and the record of them found no room: the next start seals them.
    pub fn capture(
        &self,
        inspection: InspectionId,
        source: &mut dyn Read,
        new: &NewEvidence<'_>,
    ) -> Result<Captured, DeviceError> {
        let case = self.store.case_of(inspection)?;
        let acquisition = Acquisition::parse(new.acquisition)?;
        let title = Line::parse("title", new.title)?;
        let proves = Paragraph::parse_opt("proves", new.proves)?;
        let original_name = Line::parse_opt("original_name", new.original_name)?;
        let collector = Line::parse("collector", &self.collector())?;
        let evidence = EvidenceId::from_bytes(self.fresh_id()?);
        let claimed_ms = self.clock.now().wall_ms;

        let intent = Intent {
            case,
            inspection,
            evidence,
            acquisition,
            kind: new.kind.to_owned(),
            title: title.clone(),
            // A head has little room; what a file is to prove can be said again.
            proves: proves.clone().filter(|proves| proves.as_str().len() <= 1024),
            collector: collector.clone(),
            original_name: original_name.clone(),
            claimed_ms,
            finding: new.finding,
        };
        let capture = match acquisition.is_captured() {
            true => Capture::record_for(&self.vault, source, self.storage_floors().0, &intent)?,
            false => Capture::import_for(&self.vault, source, &intent)?,
        };
        let cut = capture.is_cut();
        let (sha256, size, media_type) = (capture.sha256(), capture.size(), capture.media_type().to_owned());
        let seal = EvidenceSeal {
            evidence,
            sha256,
            size,
            media_type: media_type.clone(),
            kind: new.kind.to_owned(),
            acquisition,
            title,
            proves,
            collector,
            original_name,
            claimed_ms,
            position: new.position,
            exif: capture.facts().exif.clone(),
            duration_ms: new.duration_ms.or(capture.facts().duration_ms),
            finding: new.finding,
            derived_from: new.derived_from,
            transcript_of: new.transcript_of,
        };
        let mut remarks: Vec<DeviceError> = match self.pack() {
            Ok(pack) => seal.lacks(&pack).into_iter().map(DeviceError::from).collect(),
            Err(_) => Vec::new(),
        };
        remarks.extend(capture.facts().oddities.iter().cloned().map(DeviceError::from));
        if size == 0 && remarks.iter().all(|remark| remark.code() != "evidence_empty") {
            remarks.push(DeviceError::text("evidence_empty", "path", new.original_name));
        }
        let sealed = match capture.seal(&self.store, case, inspection, seal, self.session()) {
            // The file lies in the vault with its note, where the next start finds it.
            Err(StoreError::NoSpace) if acquisition.is_captured() => {
                return Err(DeviceError::new("recorded_unsealed", [("size", Param::Bytes(size))]));
            }
            other => other?,
        };
        if cut {
            remarks.push(DeviceError::new("recording_cut", [("size", Param::Bytes(size))]));
            let note =
                "storage ran out while it was recorded: these are its first bytes, and what followed was not taken";
            self.custody(inspection, &[evidence], CustodyKind::Collected.as_str(), note)?;
        }
        Ok(Captured {
            evidence,
            operation: sealed.operation(),
            sha256,
            size,
            media_type,
            cut,
            remarks,
        })
    }

    /// Bytes that stay free while evidence is taken, and below how many there is a warning: the rule pack's, and never less
    /// than what the program itself needs.
    fn storage_floors(&self) -> (u64, u64) {
        match self.pack() {
            Ok(pack) => {
                let thresholds = pack.thresholds();
                let reserve = thresholds.storage_reserve_bytes.max(ROOM_FOR_RECORDS);
                (reserve, thresholds.storage_warning_bytes)
            }
            Err(_) => (ROOM_FOR_RECORDS, WARNED_BELOW),
        }
    }

    /// How much can still be recorded; asked before a recording begins.
    ///
    /// # Errors
    /// `storage_short` when `expected_bytes` will not fit beside what is kept for records.
    pub fn storage_check(&self, expected_bytes: u64) -> Result<StorageLeft, DeviceError> {
        let (reserve, warning) = self.storage_floors();
        let bytes = self.vault.available()?.saturating_sub(reserve);
        if expected_bytes > 0 && sealed_bytes(expected_bytes) > bytes {
            return Err(DeviceError::new(
                "storage_short",
                [("need", Param::Bytes(expected_bytes)), ("free", Param::Bytes(bytes))],
            ));
        }
        let left = bytes - expected_bytes;
        Ok(StorageLeft {
            bytes,
            minutes: minutes_of_video(bytes),
            low: left < warning,
        })
    }

    /// Original bytes of a blob, from any offset. A file that is not what was sealed is set aside, and said so.
    ///
    /// # Errors
    /// `blob_missing`, `blob_changed`.
    pub fn read_blob(&self, sha256: BlobHash) -> Result<VaultReader, DeviceError> {
        let missing = || DeviceError::text("blob_missing", "id", sha256);
        let row = self.store.blob(sha256)?.ok_or_else(missing)?;
        match row.state {
            BlobState::Changed => return Err(DeviceError::new("blob_changed", [])),
            BlobState::Missing => return Err(missing()),
            BlobState::Sealed | BlobState::Unsealed => {}
        }
        match self.vault.read(&row.file) {
            Err(VaultError::Changed { .. }) => {
                self.set_blob_aside(&row.file, sha256)?;
                Err(DeviceError::new("blob_changed", []))
            }
            Err(VaultError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Err(missing()),
            other => Ok(other?),
        }
    }

    /// Begins to take bytes that the server has, or goes on where an earlier call broke off: [`Arrival::at`] is the next one to
    /// ask for.
    ///
    /// # Errors
    /// When the part cannot be read or written.
    pub fn arriving_blob(&self, sha256: BlobHash, size: u64) -> Result<Arrival, DeviceError> {
        Ok(self.vault.arrival(sha256, size)?)
    }

    /// Takes the rest of such bytes into the vault; all together must be the ones asked for. Where the source breaks off, what
    /// came until then stays. `false`: what an earlier call had brought was not of the original and was thrown away; begin again.
    ///
    /// # Errors
    /// `blob_changed` when bytes that came in one go are others; they are kept aside.
    pub fn receive_blob(&self, arrival: Arrival, source: &mut dyn Read) -> Result<bool, DeviceError> {
        let file = match self.vault.receive(arrival, source)? {
            Arrived::Whole(file) => file,
            Arrived::ThrownAway => return Ok(false),
            Arrived::Other(_) => return Err(DeviceError::new("blob_changed", [])),
        };
        let capture = Capture::of_file(&self.vault, file)?;
        self.store
            .add_blob(capture.file(), capture.media_type(), BlobState::Sealed, false)?;
        Ok(true)
    }

    /// Records an event in the life of a piece of evidence.
    ///
    /// # Errors
    /// As [`FieldDevice::record`].
    pub fn custody(
        &self,
        inspection: InspectionId,
        evidence: &[EvidenceId],
        event: &str,
        note: &str,
    ) -> Result<OpId, DeviceError> {
        let event = CustodyEvent {
            id: ItemId::from_bytes(self.fresh_id()?),
            evidence: evidence.to_vec(),
            event: CustodyKind::parse(event)?,
            by: Line::parse("by", &self.collector())?,
            note: Paragraph::parse_opt("note", note)?,
        };
        self.record(inspection, event.act()?)
    }

    pub(super) fn set_blob_aside(&self, file: &str, sha256: BlobHash) -> Result<(), DeviceError> {
        self.vault.set_aside(file)?;
        self.store.mark_blob(file, BlobState::Changed)?;
        self.note_custody(CustodyKind::Quarantined, sha256, "file differs from when it was sealed")
    }

    /// A custody event about bytes: in the inspections that name them, else in the registry under a fresh evidence id.
    pub(super) fn note_custody(&self, event: CustodyKind, sha256: BlobHash, note: &str) -> Result<(), DeviceError> {
        let named = self.evidence_with(sha256)?;
        let by = Line::parse("by", &self.collector())?;
        let note = Paragraph::parse("note", &format!("{note}: sha256 {sha256}"))?;
        let make = |evidence, id| CustodyEvent {
            id,
            evidence,
            event,
            by: by.clone(),
            note: Some(note.clone()),
        };
        if named.is_empty() {
            let evidence = vec![EvidenceId::from_bytes(self.fresh_id()?)];
            self.record_in_registry(make(evidence, ItemId::from_bytes(self.fresh_id()?)).act()?)?;
        }
        for (case, evidence) in named {
            self.record_in_case(case, make(vec![evidence], ItemId::from_bytes(self.fresh_id()?)).act()?)?;
        }
        Ok(())
    }
}
