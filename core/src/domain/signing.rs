//! Documents as issued, and how people signed or refused.

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{BlobHash, DocumentId, EvidenceId, ItemId, Link, OpId};

use super::act::id_array;
use super::evidence::bounded;
use super::{Act, Kind, Line, Paragraph, Refusal};
use crate::catalogue::Param;
use crate::pack::RulePack;

/// A document whose PDF exists. What was issued is frozen by the hash of its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentIssue {
    pub document: DocumentId,
    /// Id of the pack's document definition.
    pub kind: String,
    /// As printed, with its brackets; none where the form has no number.
    pub number: Option<String>,
    /// Hash of the template's files.
    pub template: BlobHash,
    /// The fields that were rendered, as JSON text.
    pub fields: String,
    pub pdf_sha256: BlobHash,
    pub pages: u64,
    /// Hash of the fonts used.
    pub fonts: BlobHash,
    /// The typesetter and its version: another one may give other bytes for the same fields.
    pub typesetter: String,
    /// The device link before this operation, as printed on the paper.
    pub chain: Link,
    /// The stream counter printed with it.
    pub chain_counter: u64,
    /// The operations whose values were rendered.
    pub rests_on: Vec<OpId>,
}

impl DocumentIssue {
    pub fn act(self, pack: &RulePack) -> Result<Act, Refusal> {
        let Some(definition) = pack.document(&self.kind) else {
            return Err(Refusal::new(
                "not_in_pack",
                [("what", Param::label("type")), ("id", Param::text(self.kind))],
            ));
        };
        if self.fields.len() > 200_000 {
            return Err(Refusal::new(
                "field_too_long",
                [("field", Param::label("fields")), ("most", Param::Count(200_000))],
            ));
        }
        bounded("items", self.rests_on.len(), 4000)?;
        let at = |field: &str| format!("document/{}/{field}", self.document);
        Ok(Act::new(Kind::DocumentIssue)
            .signed_by(&definition.attested_by)
            .text(at("type"), self.kind)
            .text_opt(at("number"), self.number)
            .put(at("template"), Value::bytes(self.template.as_bytes()))
            .text(at("fields"), self.fields)
            .put(at("pdf_sha256"), Value::bytes(self.pdf_sha256.as_bytes()))
            .put(at("pages"), Value::Uint(self.pages))
            .put(at("fonts"), Value::bytes(self.fonts.as_bytes()))
            .text(at("typesetter"), self.typesetter)
            .put(at("chain"), Value::bytes(self.chain.as_bytes()))
            .put(at("chain_counter"), Value::Uint(self.chain_counter))
            .put(
                at("rests_on"),
                id_array(self.rests_on.iter().map(|id| id.as_bytes().as_slice())),
            ))
    }
}

/// A handwritten signature: strokes of points `[x, y, t]`, x and y in 1/10,000 of the signing field, t in milliseconds since the
/// first touch, never going back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strokes(Vec<Vec<[u32; 3]>>);

impl Strokes {
    /// Most points of one signature.
    pub const MOST_POINTS: usize = 10_000;

    /// Checks strokes as captured.
    pub fn new(strokes: Vec<Vec<[u32; 3]>>) -> Result<Strokes, Refusal> {
        let points: Vec<[u32; 3]> = strokes.iter().flatten().copied().collect();
        let wrong = |detail: String| Refusal::new("strokes_form", [("detail", Param::text(detail))]);
        if points.len() < 2 {
            return Err(Refusal::new("strokes_empty", []));
        }
        if points.len() > Self::MOST_POINTS {
            return Err(wrong(format!("{} > {}", points.len(), Self::MOST_POINTS)));
        }
        if let Some([x, y, _]) = points.iter().find(|[x, y, _]| *x > 10_000 || *y > 10_000) {
            return Err(wrong(format!("({x}, {y})")));
        }
        if let Some(pair) = points.windows(2).find(|pair| pair[1][2] < pair[0][2]) {
            return Err(wrong(format!("t {} < {}", pair[1][2], pair[0][2])));
        }
        let xs = || points.iter().map(|p| p[0]);
        let ys = || points.iter().map(|p| p[1]);
        if xs().min() == xs().max() && ys().min() == ys().max() {
            return Err(Refusal::new("strokes_empty", []));
        }
        Ok(Strokes(strokes))
    }

    /// Reads the JSON form `[[[x, y, t], …], …]`.
    pub fn from_json(json: &str) -> Result<Strokes, Refusal> {
        if json.len() > 1024 * 1024 {
            return Err(Refusal::new("strokes_form", [("detail", Param::text("> 1 MiB"))]));
        }
        let strokes = serde_json::from_str(json)
            .map_err(|error| Refusal::new("strokes_form", [("detail", Param::text(error.to_string()))]))?;
        Strokes::new(strokes)
    }

    /// The JSON form, for a document's data.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!(self.0)
    }

    /// As it stands in `signature/*/strokes`.
    pub fn to_value(&self) -> Value {
        let point = |p: &[u32; 3]| Value::Array(p.iter().map(|&n| Value::Uint(u64::from(n))).collect());
        Value::Array(
            self.0
                .iter()
                .map(|stroke| Value::Array(stroke.iter().map(point).collect()))
                .collect(),
        )
    }

    /// Reads the value of `signature/*/strokes`.
    pub fn from_value(value: &Value) -> Option<Strokes> {
        let number = |v: &Value| u32::try_from(v.as_uint()?).ok();
        let point = |v: &Value| -> Option<[u32; 3]> {
            v.as_array()?
                .iter()
                .map(number)
                .collect::<Option<Vec<u32>>>()?
                .try_into()
                .ok()
        };
        let stroke = |v: &Value| v.as_array()?.iter().map(point).collect::<Option<Vec<_>>>();
        let strokes = value.as_array()?.iter().map(stroke).collect::<Option<Vec<_>>>()?;
        Strokes::new(strokes).ok()
    }
}

/// Signed, or refused with a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignOutcome {
    Signed {
        strokes: Strokes,
        /// The PDF with the strokes in it.
        signed_pdf_sha256: Option<BlobHash>,
    },
    Refused {
        reason: Paragraph,
        witness: Line,
        evidence: Option<EvidenceId>,
    },
}

/// Somebody signs a document, or refuses to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentSign {
    pub id: ItemId,
    pub document: DocumentId,
    /// The role by the pack's document definition.
    pub role: String,
    pub name: Line,
    /// The very PDF that the signer was shown.
    pub pdf_sha256: BlobHash,
    pub outcome: SignOutcome,
}

impl DocumentSign {
    pub fn act(self) -> Result<Act, Refusal> {
        let role = Line::parse("role", &self.role)?;
        let at = |field: &str| format!("signature/{}/{field}", self.id);
        let act = Act::new(Kind::DocumentSign)
            .put(at("document"), Value::bytes(self.document.as_bytes()))
            .text(at("role"), role)
            .text(at("name"), self.name)
            .put(at("pdf_sha256"), Value::bytes(self.pdf_sha256.as_bytes()));
        Ok(match self.outcome {
            SignOutcome::Signed {
                strokes,
                signed_pdf_sha256,
            } => act
                .text(at("outcome"), "signed")
                .put(at("strokes"), strokes.to_value())
                .put_opt(
                    at("signed_pdf_sha256"),
                    signed_pdf_sha256.map(|hash| Value::bytes(hash.as_bytes())),
                ),
            SignOutcome::Refused {
                reason,
                witness,
                evidence,
            } => act
                .text(at("outcome"), "refused")
                .text(at("reason"), reason)
                .text(at("witness"), witness)
                .put_opt(at("evidence"), evidence.map(|id| Value::bytes(id.as_bytes()))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strokes_that_are_a_signature() {
        let strokes = Strokes::from_json("[[[10,20,0],[30,40,12]],[[50,60,90]]]").unwrap();
        assert_eq!(Strokes::from_value(&strokes.to_value()), Some(strokes.clone()));
        assert_eq!(strokes.to_json().to_string(), "[[[10,20,0],[30,40,12]],[[50,60,90]]]");
        for (json, code) in [
            ("[]", "strokes_empty"),
            ("[[[1,1,0],[1,1,9]]]", "strokes_empty"),
            ("[[[1,1,0],[10001,1,9]]]", "strokes_form"),
            ("[[[1,1,9],[2,2,8]]]", "strokes_form"),
            ("[[[1,1]]]", "strokes_form"),
            ("{", "strokes_form"),
        ] {
            assert_eq!(Strokes::from_json(json).unwrap_err().code(), code, "{json}");
        }
    }
}
