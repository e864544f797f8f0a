//! One inspection as its operations tell it.

use std::collections::BTreeMap;
use std::str::FromStr;

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{DeviceId, EvidenceId, FindingId, ItemId, OfficerId, OpId};
use serde::Serialize;

use super::parts::*;
use super::{People, as_texts, awaiting};
use crate::domain::{Author, Kind, Strokes};
use crate::merge::{Outcome, State};
use crate::pack::RulePack;

/// Where an inspection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Assigned; nobody has shown credentials or recorded anything.
    Planned,
    InProgress,
    /// Closed by the inspectors.
    Closed,
    /// Sent back by the supervisor after it was closed.
    Returned,
}

/// Everything an inspection's state says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InspectionView {
    pub stage: Stage,
    pub title: Option<String>,
    pub place: Option<String>,
    pub planned: Option<String>,
    pub remark: Option<String>,
    pub party: PartyView,
    #[serde(serialize_with = "as_texts")]
    pub officers: Vec<OfficerId>,
    #[serde(serialize_with = "as_texts")]
    pub devices: Vec<DeviceId>,
    pub items: Vec<String>,
    pub credentials: Vec<CredentialsView>,
    pub checks: Vec<CheckView>,
    pub findings: Vec<FindingView>,
    pub evidence: Vec<EvidenceView>,
    pub custody: Vec<CustodyView>,
    pub statements: Vec<StatementView>,
    pub orders: Vec<OrderView>,
    pub documents: Vec<DocumentView>,
    pub returns: Vec<ReturnView>,
    pub freezes: Vec<FreezeView>,
    pub clashes: Vec<ClashView>,
    pub quarantined: Vec<QuarantineView>,
    /// Something it refers to has not arrived.
    pub provisional: bool,
    /// First and last device clock among its operations: claims.
    pub first_ms: Option<u64>,
    pub last_ms: Option<u64>,
    /// The last device clock among what only a tablet writes: a claim, and what a form prints as the end.
    #[serde(skip)]
    pub worked_ms: Option<u64>,
}

impl InspectionView {
    /// Reads a state folded over an inspection, or over a case that has one. Without a pack the pack's additions to who has to
    /// sign are not counted.
    pub fn of(state: &State, pack: Option<&RulePack>, people: &People) -> InspectionView {
        let read = Read { state, pack, people };
        let custody = read.custody();
        let evidence = read.evidence(&custody);
        InspectionView {
            stage: read.stage(),
            title: state.text("inspection/title"),
            place: state.text("inspection/place"),
            planned: state.text("inspection/planned"),
            remark: state.text("inspection/remark"),
            party: read.party(),
            officers: ids(state, "inspection/officer").map(OfficerId::from_bytes).collect(),
            devices: ids(state, "inspection/device").map(DeviceId::from_bytes).collect(),
            items: texts(state, "inspection/item"),
            credentials: read.credentials(),
            checks: read.checks(),
            findings: read.findings(&evidence),
            evidence,
            custody,
            statements: read.statements(),
            orders: read.orders(),
            documents: read.documents(),
            returns: read.returns(),
            freezes: read.freezes(),
            clashes: read.clashes(),
            quarantined: read.quarantined(),
            provisional: state.is_provisional(),
            first_ms: state.operations().map(|op| op.wall_ms).min(),
            last_ms: state.operations().map(|op| op.wall_ms).max(),
            worked_ms: state
                .operations()
                .filter(|op| is_field_work(&op.kind))
                .map(|op| op.wall_ms)
                .max(),
        }
    }

    /// The officers who were there: those who showed their credentials, else those named for the inspection.
    pub fn present(&self) -> Vec<OfficerId> {
        let mut shown: Vec<OfficerId> = Vec::new();
        for officer in self.credentials.iter().flat_map(|c| &c.officers) {
            if !shown.contains(officer) {
                shown.push(*officer);
            }
        }
        if shown.is_empty() { self.officers.clone() } else { shown }
    }

    /// When it began on site, by the tablet's clock: the showing of credentials, else the first operation.
    pub fn began_ms(&self) -> Option<u64> {
        self.credentials.iter().map(|c| c.wall_ms).min().or(self.first_ms)
    }

    /// When it ended on site, by the tablet's clock: what a supervisor or the server wrote plays no part.
    pub fn ended_ms(&self) -> Option<u64> {
        self.worked_ms.or(self.last_ms)
    }

    /// The evidence of one id.
    pub fn evidence_of(&self, id: &EvidenceId) -> Option<&EvidenceView> {
        self.evidence.iter().find(|evidence| evidence.evidence == *id)
    }
}

fn is_field_work(kind: &str) -> bool {
    Kind::from_str(kind).is_ok_and(|kind| kind.author() == Author::Tablet)
}

struct Read<'a> {
    state: &'a State,
    pack: Option<&'a RulePack>,
    people: &'a People,
}

impl Read<'_> {
    fn stage(&self) -> Stage {
        let newest = |kind: Kind| {
            let of_kind = self.state.operations().filter(|op| op.kind == kind.as_str());
            of_kind
                .filter(|op| !self.state.quarantine().contains_key(&op.id))
                .map(|op| (op.key, op.id))
                .max()
        };
        match (newest(Kind::InspectionClose), newest(Kind::InspectionReturn)) {
            (Some(closed), Some(returned)) if returned > closed => Stage::Returned,
            (Some(_), _) => Stage::Closed,
            _ if self
                .state
                .operations()
                .any(|op| op.kind != Kind::InspectionAssign.as_str() && op.inspection.is_some()) =>
            {
                Stage::InProgress
            }
            _ => Stage::Planned,
        }
    }

    fn party(&self) -> PartyView {
        let text = |field: &str| self.state.text(&format!("party/{field}"));
        PartyView {
            enterprise: self
                .state
                .bytes("inspection/enterprise")
                .map(fieldseal_proof::ids::EnterpriseId::from_bytes),
            name: text("name"),
            credit_code: text("credit_code"),
            address: text("address"),
            head: text("head"),
            position: text("position"),
            phone: text("phone"),
        }
    }

    fn credentials(&self) -> Vec<CredentialsView> {
        let mut all: Vec<CredentialsView> = self
            .each("credentials")
            .filter_map(|(_, at)| {
                let operation = *self.state.writers(&at("told")).first()?;
                Some(CredentialsView {
                    operation,
                    officers: self
                        .id_list(&at("officers"))
                        .into_iter()
                        .map(OfficerId::from_bytes)
                        .collect(),
                    certificates: self.text_list(&at("certificates")),
                    shown_to: self.state.text(&at("shown_to")),
                    told: self.state.text(&at("told")),
                    wall_ms: self.wall(&operation),
                    awaiting: awaiting(
                        self.state,
                        &operation,
                        self.pack.map_or(&[], RulePack::credentials_attested_by),
                        self.people,
                    ),
                })
            })
            .collect();
        all.sort_by_key(|one| (self.state.operation(&one.operation).map(|op| op.key), one.operation));
        all
    }

    fn checks(&self) -> Vec<CheckView> {
        let answered = self.state.members("check").into_iter().map(|item| CheckView {
            result: self.state.text(&format!("check/{item}/result")),
            note: self.state.text(&format!("check/{item}/note")),
            item,
        });
        answered.collect()
    }

    fn findings(&self, evidence: &[EvidenceView]) -> Vec<FindingView> {
        let mut all: Vec<(_, FindingView)> = self
            .each("finding")
            .filter_map(|(id, at)| {
                let finding: FindingId = id.parse().ok()?;
                let mut of_finding: Vec<EvidenceId> =
                    ids(self.state, &at("evidence")).map(EvidenceId::from_bytes).collect();
                of_finding.extend(
                    evidence
                        .iter()
                        .filter(|e| e.finding == Some(finding))
                        .map(|e| e.evidence),
                );
                of_finding.sort_unstable();
                of_finding.dedup();
                let text = |field: &str| self.state.text(&at(field));
                let view = FindingView {
                    finding,
                    text: text("text"),
                    grade: text("grade"),
                    item: text("item"),
                    violation: text("violation"),
                    clause: text("clause"),
                    place: text("place"),
                    evidence: of_finding,
                };
                Some((self.first_key(&at("text")), view))
            })
            .collect();
        all.sort_by_key(|(key, view)| (*key, view.finding));
        all.into_iter().map(|(_, view)| view).collect()
    }

    fn custody(&self) -> Vec<CustodyView> {
        let mut all: Vec<CustodyView> = self
            .each("custody")
            .filter_map(|(_, at)| {
                let operation = *self.state.writers(&at("event")).first()?;
                Some(CustodyView {
                    operation,
                    event: self.state.text(&at("event"))?,
                    by: self.state.text(&at("by")),
                    note: self.state.text(&at("note")),
                    wall_ms: self.wall(&operation),
                    evidence: self
                        .id_list(&at("evidence"))
                        .into_iter()
                        .map(EvidenceId::from_bytes)
                        .collect(),
                })
            })
            .collect();
        all.sort_by_key(|one| (self.state.operation(&one.operation).map(|op| op.key), one.operation));
        all
    }

    fn evidence(&self, custody: &[CustodyView]) -> Vec<EvidenceView> {
        let mut by_evidence: BTreeMap<EvidenceId, Vec<CustodyView>> = BTreeMap::new();
        for event in custody {
            for id in &event.evidence {
                by_evidence.entry(*id).or_default().push(event.clone());
            }
        }
        let mut all: Vec<EvidenceView> = self
            .each("evidence")
            .filter_map(|(id, at)| {
                let evidence: EvidenceId = id.parse().ok()?;
                let text = |field: &str| self.state.text(&at(field));
                let int = |field: &str| self.state.int(&at(field));
                let uint = |field: &str| self.state.uint(&at(field));
                let other = |field: &str| self.state.bytes(&at(field)).map(EvidenceId::from_bytes);
                Some(EvidenceView {
                    evidence,
                    operation: *self.state.writers(&at("acquisition")).first()?,
                    sha256: self
                        .state
                        .bytes(&at("sha256"))
                        .map(fieldseal_proof::ids::BlobHash::from_bytes),
                    size: uint("size"),
                    media_type: text("media_type"),
                    kind: text("kind"),
                    acquisition: text("acquisition"),
                    title: text("title"),
                    proves: text("proves"),
                    collector: text("collector"),
                    original_name: text("original_name"),
                    claimed_ms: uint("claimed_ms"),
                    latitude_e7: int("latitude_e7"),
                    longitude_e7: int("longitude_e7"),
                    accuracy_m: uint("accuracy_m"),
                    exif_time: text("exif_time"),
                    exif_latitude_e7: int("exif_latitude_e7"),
                    exif_longitude_e7: int("exif_longitude_e7"),
                    exif_device: text("exif_device"),
                    duration_ms: uint("duration_ms"),
                    finding: self.state.bytes(&at("finding")).map(FindingId::from_bytes),
                    derived_from: other("derived_from"),
                    transcript_of: other("transcript_of"),
                    custody: by_evidence.remove(&evidence).unwrap_or_default(),
                })
            })
            .collect();
        all.sort_by_key(|one| (self.state.operation(&one.operation).map(|op| op.key), one.evidence));
        all
    }

    fn statements(&self) -> Vec<StatementView> {
        let all = self.each("statement").filter_map(|(id, at)| {
            Some(StatementView {
                statement: id.parse().ok()?,
                person: self.state.text(&at("person")),
                role: self.state.text(&at("role")),
                lines: texts(self.state, &at("line")),
            })
        });
        all.collect()
    }

    fn orders(&self) -> Vec<OrderView> {
        let all = self.each("order").filter_map(|(id, _)| {
            let below = format!("order/{id}/item");
            let mut items: Vec<(_, OrderItemView)> = self
                .state
                .members(&below)
                .into_iter()
                .filter_map(|item| {
                    let at = |field: &str| format!("{below}/{item}/{field}");
                    let text = |field: &str| self.state.text(&at(field));
                    let view = OrderItemView {
                        item: item.parse().ok()?,
                        text: text("text"),
                        due: text("due"),
                        clause: text("clause"),
                        grade: text("grade"),
                        finding: self.state.bytes(&at("finding")).map(FindingId::from_bytes),
                    };
                    Some((self.first_key(&at("text")), view))
                })
                .collect();
            items.sort_by_key(|(key, view)| (*key, view.item));
            Some(OrderView {
                order: id.parse().ok()?,
                items: items.into_iter().map(|(_, view)| view).collect(),
            })
        });
        all.collect()
    }

    fn documents(&self) -> Vec<DocumentView> {
        let mut signatures = self.signatures();
        let mut all: Vec<DocumentView> = self
            .each("document")
            .filter_map(|(id, at)| {
                let document: fieldseal_proof::ids::DocumentId = id.parse().ok()?;
                let operation = *self.state.writers(&at("type")).first()?;
                let kind = self.state.text(&at("type"));
                let pdf_sha256 = self
                    .state
                    .bytes(&at("pdf_sha256"))
                    .map(fieldseal_proof::ids::BlobHash::from_bytes);
                let mut signed = signatures.remove(document.as_bytes()).unwrap_or_default();
                signed
                    .iter_mut()
                    .for_each(|s| s.same_pdf = s.pdf_sha256.is_some() && s.pdf_sha256 == pdf_sha256);
                let definition = self
                    .pack
                    .zip(kind.as_deref())
                    .and_then(|(pack, kind)| pack.document(kind));
                let has_signed = |role: &&String| signed.iter().any(|s| s.role.as_ref() == Some(*role) && s.same_pdf);
                let unsigned = definition.map_or_else(Vec::new, |definition| {
                    definition
                        .signed_by
                        .iter()
                        .filter(|role| !has_signed(role))
                        .cloned()
                        .collect()
                });
                Some(DocumentView {
                    document,
                    operation,
                    number: self.state.text(&at("number")),
                    pdf_sha256,
                    pages: self.state.uint(&at("pages")),
                    awaiting: awaiting(
                        self.state,
                        &operation,
                        definition.map_or(&[], |definition| &definition.attested_by),
                        self.people,
                    ),
                    unsigned,
                    signatures: signed,
                    kind,
                })
            })
            .collect();
        all.sort_by_key(|one| (self.state.operation(&one.operation).map(|op| op.key), one.document));
        all
    }

    fn signatures(&self) -> BTreeMap<[u8; 16], Vec<SignatureView>> {
        let mut by_document: BTreeMap<[u8; 16], Vec<SignatureView>> = BTreeMap::new();
        for (_, at) in self.each("signature") {
            let (Some(document), Some(&operation)) = (
                self.state.bytes::<16>(&at("document")),
                self.state.writers(&at("outcome")).first(),
            ) else {
                continue;
            };
            let hash = |field: &str| {
                self.state
                    .bytes(&at(field))
                    .map(fieldseal_proof::ids::BlobHash::from_bytes)
            };
            by_document.entry(document).or_default().push(SignatureView {
                operation,
                role: self.state.text(&at("role")),
                name: self.state.text(&at("name")),
                outcome: self.state.text(&at("outcome")),
                pdf_sha256: hash("pdf_sha256"),
                signed_pdf_sha256: hash("signed_pdf_sha256"),
                reason: self.state.text(&at("reason")),
                witness: self.state.text(&at("witness")),
                evidence: self.state.bytes(&at("evidence")).map(EvidenceId::from_bytes),
                strokes: self.state.value(&at("strokes")).as_ref().and_then(Strokes::from_value),
                same_pdf: false,
            });
        }
        for signatures in by_document.values_mut() {
            signatures.sort_by_key(|one| (self.state.operation(&one.operation).map(|op| op.key), one.operation));
        }
        by_document
    }

    fn returns(&self) -> Vec<ReturnView> {
        let mut all: Vec<ReturnView> = self
            .each("return")
            .filter_map(|(_, at)| {
                let operation = *self.state.writers(&at("reason")).first()?;
                Some(ReturnView {
                    operation,
                    inspection: self
                        .state
                        .bytes(&at("inspection"))
                        .map(fieldseal_proof::ids::InspectionId::from_bytes),
                    reason: self.state.text(&at("reason")),
                    items: self.text_list(&at("items")),
                    wall_ms: self.wall(&operation),
                })
            })
            .collect();
        all.sort_by_key(|one| (self.state.operation(&one.operation).map(|op| op.key), one.operation));
        all
    }

    fn freezes(&self) -> Vec<FreezeView> {
        let all = self.each("freeze").filter_map(|(_, at)| {
            let operation = *self.state.writers(&at("evidence")).first()?;
            Some(FreezeView {
                operation,
                evidence: self
                    .id_list(&at("evidence"))
                    .into_iter()
                    .map(EvidenceId::from_bytes)
                    .collect(),
                reason: self.state.text(&at("reason")),
                wall_ms: self.wall(&operation),
            })
        });
        all.collect()
    }

    fn clashes(&self) -> Vec<ClashView> {
        let blocked = self.state.paths().filter(|(_, resolved)| resolved.blocks());
        let clash = blocked.map(|(path, resolved)| ClashView {
            path: path.to_owned(),
            decidable: matches!(resolved.outcome, Outcome::Conflict(_)),
            values: resolved
                .held()
                .iter()
                .map(|held| {
                    (
                        held.decoded().map(|v| readable(&v)),
                        held.by.iter().map(ToString::to_string).collect(),
                    )
                })
                .collect(),
        });
        clash.collect()
    }

    fn quarantined(&self) -> Vec<QuarantineView> {
        let all = self.state.quarantine().iter().map(|(id, quarantine)| QuarantineView {
            operation: *id,
            kind: self.state.operation(id).map_or_else(String::new, |op| op.kind.clone()),
            reason: quarantine.reason.clone(),
        });
        all.collect()
    }

    fn each<'s>(&'s self, prefix: &'static str) -> impl Iterator<Item = (String, impl Fn(&str) -> String + 's)> + 's {
        self.state.members(prefix).into_iter().map(move |id| {
            let base = format!("{prefix}/{id}");
            (id, move |field: &str| format!("{base}/{field}"))
        })
    }

    fn first_key(&self, path: &str) -> Option<crate::merge::MergeKey> {
        self.state
            .writers(path)
            .iter()
            .filter_map(|id| self.state.operation(id))
            .map(|op| op.key)
            .min()
    }

    fn wall(&self, id: &OpId) -> u64 {
        self.state.operation(id).map_or(0, |op| op.wall_ms)
    }

    fn id_list(&self, path: &str) -> Vec<[u8; 16]> {
        let array = self.state.value(path);
        let items = array.as_ref().and_then(Value::as_array).unwrap_or_default();
        items
            .iter()
            .filter_map(|item| item.as_bytes()?.try_into().ok())
            .collect()
    }

    fn text_list(&self, path: &str) -> Vec<String> {
        let array = self.state.value(path);
        let items = array.as_ref().and_then(Value::as_array).unwrap_or_default();
        items
            .iter()
            .filter_map(|item| item.as_text().map(str::to_owned))
            .collect()
    }
}

fn ids(state: &State, path: &str) -> impl Iterator<Item = [u8; 16]> {
    state
        .all(path)
        .into_iter()
        .filter_map(|value| value.as_bytes()?.try_into().ok())
}

fn texts(state: &State, path: &str) -> Vec<String> {
    state
        .all(path)
        .into_iter()
        .filter_map(|value| value.as_text().map(str::to_owned))
        .collect()
}

/// A value for people: text as it is, bytes as hex or UUID, arrays in brackets.
pub fn readable(value: &Value) -> String {
    match value {
        Value::Uint(n) => n.to_string(),
        Value::Nint(n) => format!("-{}", u128::from(*n) + 1),
        Value::Text(text) => text.clone(),
        Value::Bool(truth) => truth.to_string(),
        Value::Bytes(bytes) => match <[u8; 16]>::try_from(bytes.as_slice()) {
            Ok(id) => ItemId::from_bytes(id).to_string(),
            Err(_) => fieldseal_proof::ids::to_hex(bytes),
        },
        Value::Array(items) => format!("[{}]", items.iter().map(readable).collect::<Vec<_>>().join(", ")),
        Value::Map(_) => String::new(),
    }
}
