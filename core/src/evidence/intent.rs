//! What will be said about a piece of evidence, kept in its file until the operation says it.

use fieldseal_proof::cbor::{self, Value};
use fieldseal_proof::ids::{CaseId, EvidenceId, FindingId, InspectionId};

use crate::domain::{Acquisition, Line, Paragraph};

/// Where a file belongs and what its capture knew before the first byte. Sealed into the head of the vault's file, so it is
/// there whenever the file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The case.
    pub case: CaseId,
    /// The inspection.
    pub inspection: InspectionId,
    /// The id that the evidence gets.
    pub evidence: EvidenceId,
    /// How the bytes came to the device.
    pub acquisition: Acquisition,
    /// Kind of evidence, an id of the rule pack.
    pub kind: String,
    /// What it shows.
    pub title: Line,
    /// What it proves.
    pub proves: Option<Paragraph>,
    /// Who collected it.
    pub collector: Line,
    /// Name of the imported file.
    pub original_name: Option<Line>,
    /// When it was begun by the device's clock.
    pub claimed_ms: u64,
    /// The finding it belongs to.
    pub finding: Option<FindingId>,
}

impl Intent {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let text = |line: &Line| Value::text(line.as_str());
        let mut map = vec![
            (0, Value::Uint(0)),
            (1, Value::bytes(self.case.as_bytes())),
            (2, Value::bytes(self.inspection.as_bytes())),
            (3, Value::bytes(self.evidence.as_bytes())),
            (4, Value::text(self.acquisition.as_str())),
            (5, Value::text(&self.kind)),
            (6, text(&self.title)),
        ];
        map.extend(self.proves.as_ref().map(|proves| (7, Value::text(proves.as_str()))));
        map.push((8, text(&self.collector)));
        map.extend(self.original_name.as_ref().map(|name| (9, text(name))));
        map.push((10, Value::Uint(self.claimed_ms)));
        map.extend(self.finding.map(|finding| (11, Value::bytes(finding.as_bytes()))));
        cbor::encode(&Value::Map(map))
    }

    /// Reads it; `None` for bytes of another form.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let Ok(Value::Map(map)) = cbor::decode(bytes) else {
            return None;
        };
        let field = |key: u64| map.iter().find(|(k, _)| *k == key).map(|(_, value)| value);
        let id = |key: u64| field(key)?.as_bytes()?.try_into().ok();
        let text = |key: u64| field(key).and_then(Value::as_text);
        Some(Self {
            case: CaseId::from_bytes(id(1)?),
            inspection: InspectionId::from_bytes(id(2)?),
            evidence: EvidenceId::from_bytes(id(3)?),
            acquisition: Acquisition::parse(text(4)?).ok()?,
            kind: text(5)?.to_owned(),
            title: Line::parse("title", text(6)?).ok()?,
            proves: text(7).and_then(|proves| Paragraph::parse("proves", proves).ok()),
            collector: Line::parse("collector", text(8)?).ok()?,
            original_name: text(9).and_then(|name| Line::parse("original_name", name).ok()),
            claimed_ms: field(10)?.as_uint()?,
            finding: id(11).map(FindingId::from_bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_back_and_other_bytes_do_not() {
        let intent = Intent {
            case: CaseId::from_bytes([1; 16]),
            inspection: InspectionId::from_bytes([2; 16]),
            evidence: EvidenceId::from_bytes([3; 16]),
            acquisition: Acquisition::Camera,
            kind: "audio_visual".into(),
            title: Line::parse("title", "通道").unwrap(),
            proves: None,
            collector: Line::parse("collector", "王强").unwrap(),
            original_name: Some(Line::parse("original_name", "IMG_1.jpg").unwrap()),
            claimed_ms: 7,
            finding: Some(FindingId::from_bytes([4; 16])),
        };
        assert_eq!(Intent::decode(&intent.encode()), Some(intent));
        for bytes in [&b""[..], b"\xa0", b"{}"] {
            assert_eq!(Intent::decode(bytes), None);
        }
    }
}
