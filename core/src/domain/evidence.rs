//! Evidence as it is sealed, and its custody.

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{BlobHash, EvidenceId, FindingId, ItemId};

use super::act::id_array;
use super::{Act, Kind, Line, Paragraph, Position, Refusal};
use crate::catalogue::{Lang, Param};
use crate::pack::RulePack;

/// How the bytes came to the device. It is signed and shown everywhere; an imported photograph never looks captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Acquisition {
    Camera,
    Recorder,
    Imported,
    Scanned,
    Received,
}

impl Acquisition {
    const ALL: [Acquisition; 5] = [
        Self::Camera,
        Self::Recorder,
        Self::Imported,
        Self::Scanned,
        Self::Received,
    ];

    /// The value in `evidence/*/acquisition` and, after `acquisition.`, the catalogue's code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Recorder => "recorder",
            Self::Imported => "imported",
            Self::Scanned => "scanned",
            Self::Received => "received",
        }
    }

    pub fn parse(text: &str) -> Result<Acquisition, Refusal> {
        choice("kind", text, &Self::ALL, Self::as_str)
    }

    /// Whether the device itself took it at the scene.
    pub fn is_captured(self) -> bool {
        matches!(self, Self::Camera | Self::Recorder)
    }
}

/// What the file says about itself: claims of whoever made it, shown beside the device's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExifClaims {
    /// As written, with the offset where there is one: `2022-08-14T14:12:31+03:00`.
    pub time: Option<String>,
    pub latitude_e7: Option<i64>,
    pub longitude_e7: Option<i64>,
    /// Maker and model.
    pub device: Option<String>,
}

/// A piece of evidence whose bytes are durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceSeal {
    pub evidence: EvidenceId,
    pub sha256: BlobHash,
    /// Bytes of the original.
    pub size: u64,
    /// By content, not by name.
    pub media_type: String,
    /// One of the kinds the rule pack lists.
    pub kind: String,
    pub acquisition: Acquisition,
    pub title: Line,
    /// What it is to prove.
    pub proves: Option<Paragraph>,
    /// Who collected it.
    pub collector: Line,
    pub original_name: Option<Line>,
    /// When it was captured by the device's clock, milliseconds since 1970.
    pub claimed_ms: u64,
    pub position: Option<Position>,
    pub exif: ExifClaims,
    pub duration_ms: Option<u64>,
    pub finding: Option<FindingId>,
    /// The evidence this was made from: a transcode, an excerpt.
    pub derived_from: Option<EvidenceId>,
    /// The recording this is the transcript of.
    pub transcript_of: Option<EvidenceId>,
}

impl EvidenceSeal {
    /// The operation. Evidence is never refused for what it lacks: see [`EvidenceSeal::lacks`].
    pub fn act(self) -> Act {
        let at = |field: &str| format!("evidence/{}/{field}", self.evidence);
        let id = |id: EvidenceId| Value::bytes(id.as_bytes());
        Act::new(Kind::EvidenceSeal)
            .put(at("sha256"), Value::bytes(self.sha256.as_bytes()))
            .put(at("size"), Value::Uint(self.size))
            .text(at("media_type"), self.media_type)
            .text(at("kind"), self.kind)
            .text(at("acquisition"), self.acquisition.as_str())
            .text(at("title"), self.title)
            .text_opt(at("proves"), self.proves)
            .text(at("collector"), self.collector)
            .text_opt(at("original_name"), self.original_name)
            .put(at("claimed_ms"), Value::Uint(self.claimed_ms))
            .put_opt(at("latitude_e7"), self.position.map(|p| Value::int(p.latitude_e7)))
            .put_opt(at("longitude_e7"), self.position.map(|p| Value::int(p.longitude_e7)))
            .put_opt(
                at("accuracy_m"),
                self.position.and_then(|p| p.accuracy_m).map(Value::Uint),
            )
            .text_opt(at("exif_time"), self.exif.time)
            .put_opt(at("exif_latitude_e7"), self.exif.latitude_e7.map(Value::int))
            .put_opt(at("exif_longitude_e7"), self.exif.longitude_e7.map(Value::int))
            .text_opt(at("exif_device"), self.exif.device)
            .put_opt(at("duration_ms"), self.duration_ms.map(Value::Uint))
            .put_opt(at("finding"), self.finding.map(|f| Value::bytes(f.as_bytes())))
            .put_opt(at("derived_from"), self.derived_from.map(id))
            .put_opt(at("transcript_of"), self.transcript_of.map(id))
    }

    /// What a court will ask for and this lacks, by the pack: shown to the inspector, who may add it later; never in the way of
    /// sealing.
    pub fn lacks(&self, pack: &RulePack) -> Vec<Refusal> {
        let kind = pack.evidence_kind(&self.kind);
        let rule = kind.and_then(|kind| kind.particulars.as_ref());
        let rule = rule.map_or("", |rule| rule.text(Lang::from_tag(&pack.head().language)));
        let lack = |field: &'static str| {
            let params = [("field", Param::label(field)), ("rule", Param::text(rule))];
            Refusal::new("evidence_particulars", params)
        };
        let mut lacks = Vec::new();
        if self.proves.is_none() {
            lacks.push(lack("proves"));
        }
        if kind.is_none() {
            lacks.push(lack("kind"));
        }
        lacks
    }
}

/// What happened to a piece of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CustodyKind {
    Collected,
    Accessed,
    Transferred,
    Exported,
    Frozen,
    Quarantined,
    Missing,
}

impl CustodyKind {
    const ALL: [CustodyKind; 7] = [
        Self::Collected,
        Self::Accessed,
        Self::Transferred,
        Self::Exported,
        Self::Frozen,
        Self::Quarantined,
        Self::Missing,
    ];

    /// The value in `custody/*/event` and, after `custody.`, the catalogue's code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Collected => "collected",
            Self::Accessed => "accessed",
            Self::Transferred => "transferred",
            Self::Exported => "exported",
            Self::Frozen => "frozen",
            Self::Quarantined => "quarantined",
            Self::Missing => "missing",
        }
    }

    pub fn parse(text: &str) -> Result<CustodyKind, Refusal> {
        choice("kind", text, &Self::ALL, Self::as_str)
    }
}

/// One link of a custody chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustodyEvent {
    pub id: ItemId,
    /// Every piece it is about; 1…1,000.
    pub evidence: Vec<EvidenceId>,
    pub event: CustodyKind,
    pub by: Line,
    pub note: Option<Paragraph>,
}

impl CustodyEvent {
    pub fn act(self) -> Result<Act, Refusal> {
        bounded("items", self.evidence.len(), 1000)?;
        let at = |field: &str| format!("custody/{}/{field}", self.id);
        Ok(Act::new(Kind::CustodyEvent)
            .put(
                at("evidence"),
                id_array(self.evidence.iter().map(|e| e.as_bytes().as_slice())),
            )
            .text(at("event"), self.event.as_str())
            .text(at("by"), self.by)
            .text_opt(at("note"), self.note))
    }
}

/// One of a few words, or a refusal that lists them.
pub(super) fn choice<T: Copy>(
    field: &'static str,
    text: &str,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<T, Refusal> {
    all.iter()
        .copied()
        .find(|one| name(*one) == text.trim())
        .ok_or_else(|| {
            let choices: Vec<&str> = all.iter().map(|one| name(*one)).collect();
            Refusal::new(
                "choice_unknown",
                [
                    ("value", Param::text(text)),
                    ("field", Param::label(field)),
                    ("choices", Param::text(choices.join(", "))),
                ],
            )
        })
}

/// At least one, at most `most`.
pub(super) fn bounded(field: &'static str, count: usize, most: usize) -> Result<(), Refusal> {
    let field = ("field", Param::label(field));
    match count {
        0 => Err(Refusal::new("list_empty", [field])),
        n if n > most => Err(Refusal::new(
            "list_too_long",
            [
                field,
                ("count", Param::Count(n as u64)),
                ("most", Param::Count(most as u64)),
            ],
        )),
        _ => Ok(()),
    }
}
