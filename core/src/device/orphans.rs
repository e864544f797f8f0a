//! Evidence files that no operation names: each gets its case, by what its capture noted in it or by a person, and none is
//! ever left between.

use fieldseal_proof::ids::{BlobHash, CaseId, EvidenceId, InspectionId, ItemId};

use super::{Captured, DeviceError, FieldDevice, NewEvidence};
use crate::domain::{Acquisition, CustodyEvent, CustodyKind, EvidenceSeal, Line, Paragraph};
use crate::evidence::{Capture, Intent};
use crate::store::{BlobRow, BlobState};
use crate::vault::VaultFile;

/// A file of the vault that no operation names.
#[derive(Debug, Clone)]
pub struct Orphan {
    /// SHA-256 of its original bytes.
    pub sha256: BlobHash,
    /// Their number.
    pub size: u64,
    /// Media type by content.
    pub media_type: String,
    /// Since when it is known here, by the device's clock.
    pub since_ms: Option<u64>,
    /// What its capture noted in it before the first byte, if it did.
    pub intent: Option<Intent>,
}

impl FieldDevice {
    /// Evidence files that wait for a case. While a damaged database heals, some of them may only wait for their operation to
    /// come back with the next sync.
    ///
    /// # Errors
    /// When the database does.
    pub fn orphans(&self) -> Result<Vec<Orphan>, DeviceError> {
        let rows = self.store.blobs()?;
        let orphans = rows.into_iter().filter(|row| row.state == BlobState::Unsealed);
        Ok(orphans
            .map(|row| Orphan {
                intent: self.intent_of(&row),
                sha256: row.sha256,
                size: row.size,
                media_type: row.media_type,
                since_ms: row.added_ms,
            })
            .collect())
    }

    /// Gives an orphan its inspection and seals it. What `new` leaves empty comes from the note of its capture.
    ///
    /// # Errors
    /// `not_found` for a file that is no orphan or an unknown inspection, `field_empty` and the like for what neither says,
    /// `blob_changed`.
    pub fn adopt(
        &self,
        sha256: BlobHash,
        inspection: Option<InspectionId>,
        new: &NewEvidence<'_>,
    ) -> Result<Captured, DeviceError> {
        let row = self.store.blob(sha256)?.filter(|row| row.state == BlobState::Unsealed);
        let row = row.ok_or_else(|| DeviceError::not_found(sha256))?;
        let noted = self.intent_of(&row);
        let inspection = inspection
            .or(noted.as_ref().map(|noted| noted.inspection))
            .ok_or_else(|| DeviceError::not_found("inspection"))?;
        let case = self.store.case_of(inspection)?;
        let said = |given: &str, noted: Option<&str>| match given.trim().is_empty() {
            true => noted.unwrap_or_default().to_owned(),
            false => given.to_owned(),
        };
        let of = |pick: fn(&Intent) -> Option<&str>| noted.as_ref().and_then(pick);
        let intent = Intent {
            case,
            inspection,
            evidence: match &noted {
                Some(noted) => noted.evidence,
                None => EvidenceId::from_bytes(self.fresh_id()?),
            },
            acquisition: Acquisition::parse(&said(new.acquisition, of(|n| Some(n.acquisition.as_str()))))?,
            kind: said(new.kind, of(|n| Some(n.kind.as_str()))),
            title: Line::parse("title", &said(new.title, of(|n| Some(n.title.as_str()))))?,
            proves: Paragraph::parse_opt(
                "proves",
                &said(new.proves, of(|n| n.proves.as_ref().map(Paragraph::as_str))),
            )?,
            collector: match &noted {
                Some(noted) => noted.collector.clone(),
                None => Line::parse("collector", &self.collector())?,
            },
            original_name: Line::parse_opt(
                "original_name",
                &said(new.original_name, of(|n| n.original_name.as_ref().map(Line::as_str))),
            )?,
            claimed_ms: noted
                .as_ref()
                .map(|noted| noted.claimed_ms)
                .or(row.added_ms)
                .unwrap_or_else(|| self.clock.now().wall_ms),
            finding: new.finding.or(noted.as_ref().and_then(|noted| noted.finding)),
        };
        self.seal_orphan(&row, intent, "assigned by a person after it was found without a record")
    }

    /// Seals those of the files whose capture noted where they belong; of the others a custody event says that they were found.
    pub(super) fn settle_orphans(&self, rows: Vec<BlobRow>) -> Result<(), DeviceError> {
        for row in rows.into_iter().filter(|row| row.state == BlobState::Unsealed) {
            let known = self.intent_of(&row).filter(|intent| self.belongs(intent));
            match known {
                Some(intent) => {
                    self.seal_orphan(
                        &row,
                        intent,
                        "durable before the device stopped; sealed at its next start",
                    )?;
                }
                None => self.note_custody(CustodyKind::Quarantined, row.sha256, "found at start without a record")?,
            }
        }
        Ok(())
    }

    /// Whether the noted inspection is held here, in the noted case.
    fn belongs(&self, intent: &Intent) -> bool {
        self.store
            .case_of(intent.inspection)
            .is_ok_and(|case: CaseId| case == intent.case)
    }

    fn intent_of(&self, row: &BlobRow) -> Option<Intent> {
        let note = self.vault.note(&row.file).ok()??;
        Intent::decode(&note)
    }

    fn seal_orphan(&self, row: &BlobRow, intent: Intent, why: &str) -> Result<Captured, DeviceError> {
        let file = VaultFile {
            name: row.file.clone(),
            sha256: row.sha256,
            size: row.size,
        };
        let capture = Capture::of_file(&self.vault, file)?;
        let seal = EvidenceSeal {
            evidence: intent.evidence,
            sha256: row.sha256,
            size: row.size,
            media_type: capture.media_type().to_owned(),
            kind: intent.kind,
            acquisition: intent.acquisition,
            title: intent.title,
            proves: intent.proves,
            collector: intent.collector,
            original_name: intent.original_name,
            claimed_ms: intent.claimed_ms,
            position: None,
            exif: capture.facts().exif.clone(),
            duration_ms: capture.facts().duration_ms,
            finding: intent.finding,
            derived_from: None,
            transcript_of: None,
        };
        let mut remarks: Vec<DeviceError> = match self.pack() {
            Ok(pack) => seal.lacks(&pack).into_iter().map(DeviceError::from).collect(),
            Err(_) => Vec::new(),
        };
        remarks.extend(capture.facts().oddities.iter().cloned().map(DeviceError::from));
        let evidence = intent.evidence;
        let sealed = capture.seal(&self.store, intent.case, intent.inspection, seal, self.session())?;
        let event = CustodyEvent {
            id: ItemId::from_bytes(self.fresh_id()?),
            evidence: vec![evidence],
            event: CustodyKind::Collected,
            by: Line::parse("by", &self.collector())?,
            note: Paragraph::parse_opt("note", why)?,
        };
        self.record(intent.inspection, event.act()?)?;
        Ok(Captured {
            evidence,
            operation: sealed.operation(),
            sha256: row.sha256,
            size: row.size,
            media_type: row.media_type.clone(),
            cut: false,
            remarks,
        })
    }
}
