//! The data of a document, from an inspection and its rule pack, in the shape that the templates' field tables ask for
//! (`core/packs/*/templates/`). Words of the law and of the agency come from the pack; nothing is written here.

use fieldseal_proof::encoding::proquints;
use fieldseal_proof::ids::{DocumentId, Link};
use serde_json::{Value, json};

use super::date::second_text;
use super::view::{EvidenceView, FindingView, InspectionView, People, SignatureView};
use super::{Acquisition, Day, Minute, Refusal};
use crate::catalogue::{Lang, Param, fill, text};
use crate::pack::{DocumentDefinition, DocumentNumber, RulePack};

/// What is printed at the foot: the device's chain before this document, so that the paper pins the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainStrip {
    /// The device link before the document operation.
    pub head: Link,
    /// The counter that the document operation will have in its stream.
    pub counter: u64,
    pub device: String,
}

impl ChainStrip {
    /// The link as eight words, as printed.
    pub fn words(&self) -> String {
        proquints(&self.head.as_bytes()[..16])
    }

    fn json(&self, pack: &RulePack) -> Value {
        json!({
            "head": self.head.to_string(),
            "words": self.words(),
            "qr": format!("fieldseal:0:head:{}", self.head),
            "counter": self.counter,
            "device": self.device,
            "pack": pack.short_name(),
        })
    }
}

/// What a document is made from.
pub struct DocumentContext<'a> {
    pub view: &'a InspectionView,
    pub pack: &'a RulePack,
    pub people: &'a People,
    pub chain: &'a ChainStrip,
    /// None while no number is at hand; the form then prints its blank.
    pub number: Option<&'a DocumentNumber>,
    /// The document whose signatures are drawn in: the second rendering. None for the first, which is shown for signing.
    pub signed: Option<DocumentId>,
    /// Begin and end of the inspection, local time.
    pub from: Option<Minute>,
    pub to: Option<Minute>,
    pub day: Day,
}

/// The data for a kind of document of the pack. Refused with everything that stands in the way, at least one refusal.
pub fn document_data(kind: &str, context: &DocumentContext<'_>) -> Result<Value, Vec<Refusal>> {
    let Some(definition) = context.pack.document(kind) else {
        let params = [("what", Param::label("type")), ("id", Param::text(kind))];
        return Err(vec![Refusal::new("not_in_pack", params)]);
    };
    let refusals = obstacles(definition, context);
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let builder = Builder {
        context,
        definition,
        lang: language(context.pack),
    };
    match definition.template.as_str() {
        "inspection_record" => Ok(builder.inspection_record()),
        "rectification_order" => builder.rectification_order().map_err(|refusal| vec![refusal]),
        "electronic_data_list" => builder.electronic_data_list().map_err(|refusal| vec![refusal]),
        "inspection_report" => Ok(builder.inspection_report()),
        other => {
            let params = [("what", Param::label("type")), ("id", Param::text(other))];
            Err(vec![Refusal::new("not_in_pack", params)])
        }
    }
}

/// Everything that keeps a document from being made: hard guards. A draft is never lost by them.
pub fn obstacles(definition: &DocumentDefinition, context: &DocumentContext<'_>) -> Vec<Refusal> {
    let (view, pack) = (context.view, context.pack);
    let lang = language(pack);
    let name = || Param::text(definition.name.text(lang));
    let mut refusals: Vec<Refusal> = view
        .clashes
        .iter()
        .filter(|clash| rests_on(definition, &clash.path))
        .map(|clash| match clash.decidable {
            true => Refusal::new(
                "guard_conflict",
                [("document", name()), ("field", Param::text(&clash.path))],
            ),
            false => Refusal::new("contradiction", [("field", Param::text(&clash.path))]),
        })
        .collect();
    let missing = |what: String| {
        let basis = definition.basis.as_deref().and_then(|id| pack.clause(id));
        let basis = basis.map_or_else(
            || text(lang, "value.empty", &[]),
            |clause| clause.cite.text(lang).to_owned(),
        );
        Refusal::new(
            "guard",
            [
                ("document", name()),
                ("missing", Param::text(what)),
                ("basis", Param::text(basis)),
            ],
        )
    };
    for id in &definition.requires {
        if !view
            .documents
            .iter()
            .any(|document| document.kind.as_deref() == Some(id))
        {
            let required = pack
                .document(id)
                .map_or(id.as_str(), |required| required.name.text(lang));
            refusals.push(missing(required.to_owned()));
        }
    }
    if definition.number_required && context.number.is_none() {
        refusals.push(missing(text(lang, "label.number", &[])));
    }
    if view.party.name.is_none() && !refusals.iter().any(|r| r.code() == "guard_conflict") {
        refusals.push(missing(text(lang, "label.name", &[])));
    }
    let least = pack.thresholds().least_officers;
    let named = view
        .present()
        .iter()
        .filter(|id| context.people.get(id).is_some())
        .count() as u64;
    if named < least {
        refusals.push(Refusal::new("too_few_officers", [("least", Param::Count(least))]));
    }
    if view.credentials.is_empty() {
        refusals.push(Refusal::new("guard_credentials", []));
    }
    refusals
}

/// Whether a document says something that stands in this field, so that it is not made while the field's values disagree. A conflict
/// about a finding keeps nobody from printing the list of electronic data.
pub fn rests_on(definition: &DocumentDefinition, path: &str) -> bool {
    // What each function of `Builder` reads, beside the party and the inspection itself.
    let more: &[&str] = match definition.template.as_str() {
        "inspection_record" => &["check/", "finding/", "statement/"],
        "rectification_order" | "inspection_report" => &["finding/", "order/"],
        "electronic_data_list" => &["evidence/"],
        // A template that this version does not know may print anything.
        _ => &[""],
    };
    let starts = |start: &&str| path.starts_with(start);
    ["party/", "inspection/"].iter().any(starts) || more.iter().any(starts)
}

fn language(pack: &RulePack) -> Lang {
    Lang::from_tag(&pack.head().language)
}

struct Builder<'a> {
    context: &'a DocumentContext<'a>,
    definition: &'a DocumentDefinition,
    lang: Lang,
}

impl Builder<'_> {
    fn inspection_record(&self) -> Value {
        let party = &self.context.view.party;
        json!({
            "agency": self.agency(),
            "number": self.number(),
            "party": {
                "name": party.name,
                "address": party.address,
                "representative": party.head,
                "position": party.position,
                "phone": party.phone,
            },
            "place": self.context.view.place,
            "from": self.context.from.map(|minute| minute.to_string()),
            "to": self.context.to.map(|minute| minute.to_string()),
            "officers": self.officers(),
            "findings": self.narrative(),
            "responsible": self.signer("responsible"),
            "signed_on": self.context.day.to_string(),
            "chain": self.context.chain.json(self.context.pack),
        })
    }

    fn rectification_order(&self) -> Result<Value, Refusal> {
        let pack = self.context.pack;
        let mut items = Vec::new();
        for item in self.context.view.orders.iter().flat_map(|order| &order.items) {
            let grade = item.grade.as_deref().and_then(|id| pack.grade(id));
            let grade_name = grade.map_or("", |grade| grade.name.text(self.lang));
            let Some(due) = &item.due else {
                return Err(Refusal::new("due_missing", [("grade", Param::text(grade_name))]));
            };
            let Some(order) = &item.text else { continue };
            // The form asks for the problems that were found; what is to be done about one stands beside it.
            let finding = self
                .context
                .view
                .findings
                .iter()
                .find(|found| item.finding == Some(found.finding));
            let found = finding.and_then(|finding| finding.text.as_ref());
            items.push(json!({
                "problem": found.unwrap_or(order),
                "measure": found.map(|_| order),
                "basis": self.cited(item.clause.as_deref()),
                "grade": self.or_empty(grade_name),
                "major": grade.is_some_and(|grade| grade.emphasised),
                "deadline": due,
            }));
        }
        self.some("items", &items)?;
        let remedy = self
            .definition
            .remedy
            .as_deref()
            .and_then(|id| pack.remedy(id))
            .unwrap_or_default();
        let remedies: Vec<Value> = remedy
            .iter()
            .map(|part| json!({ "text": part.text, "fill": part.fill }))
            .collect();
        Ok(json!({
            "agency": self.agency_with_title(),
            "number": self.number(),
            "party": { "name": self.context.view.party.name },
            "items": items,
            "remedies": remedies,
            "officers": self.officers(),
            "responsible": self.signer("responsible"),
            "issued_on": self.context.day.to_string(),
            "chain": self.context.chain.json(pack),
        }))
    }

    fn electronic_data_list(&self) -> Result<Value, Refusal> {
        let (view, pack) = (self.context.view, self.context.pack);
        let items: Vec<Value> = view
            .evidence
            .iter()
            .filter(|e| e.sha256.is_some())
            .map(|e| self.datum(e))
            .collect();
        self.some("items", &items)?;
        let record = view.documents.iter().rev().find(|document| document.number.is_some());
        Ok(json!({
            "agency": self.agency(),
            "annex_to": record.and_then(|document| document.number.clone()),
            "case_name": view.title,
            "party": { "name": view.party.name },
            "basis": self.definition.basis.as_deref().map(|id| self.cited(Some(id))),
            "items": items,
            "officers": self.officers(),
            "holder_word": self.sentence("holder_word", &[]),
            "holder": self.signer("holder"),
            "witness": self.witness(),
            "signed_on": self.context.day.to_string(),
            "chain": self.context.chain.json(pack),
        }))
    }

    fn inspection_report(&self) -> Value {
        let (view, pack) = (self.context.view, self.context.pack);
        let due = |finding: &FindingView| {
            let items = view.orders.iter().flat_map(|order| &order.items);
            items
                .filter(|item| item.finding == Some(finding.finding))
                .find_map(|item| item.due.clone())
        };
        let findings = view.findings.iter().map(|finding| {
            json!({
                "text": finding.text.as_deref().unwrap_or_default(),
                "standard": finding.clause.as_deref().map(|id| self.cited(Some(id))),
                "classification": finding.grade.as_deref().and_then(|id| pack.grade(id)).map(|g| g.name.text(self.lang)),
                "abate_by": due(finding),
            })
        });
        let present = view.present();
        let inspectors = present.iter().filter_map(|id| self.context.people.get(id)).map(|officer| {
            json!({ "name": officer.name, "badge": officer.certificate, "key_fingerprint": officer.key_fingerprint })
        });
        let remedy = self
            .definition
            .remedy
            .as_deref()
            .and_then(|id| pack.remedy(id))
            .unwrap_or_default();
        json!({
            "agency": pack.agency().name,
            "record_number": self.context.number.map(|number| number.text.clone()),
            "employer": {
                "name": view.party.name,
                "address": view.party.address,
                "representative": view.party.head,
            },
            "site": view.place,
            "opened": self.context.from.map(|minute| minute.to_string()),
            "closed": self.context.to.map(|minute| minute.to_string()),
            "inspectors": inspectors.collect::<Vec<Value>>(),
            "findings": findings.collect::<Vec<Value>>(),
            "notice": remedy.into_iter().map(|part| part.text).collect::<String>(),
            "issued_on": self.context.day.to_string(),
            "chain": self.context.chain.json(pack),
        })
    }

    /// 检查情况: what was checked, each finding with its basis and grade, and what people stated.
    fn narrative(&self) -> String {
        let view = self.context.view;
        let place = view.place.clone().unwrap_or_default();
        let party = view.party.name.clone().unwrap_or_default();
        let mut lines = vec![self.sentence("record_opening", &[("party", &party), ("place", &place)])];
        if !view.checks.is_empty() {
            let count = |result: &str| {
                view.checks
                    .iter()
                    .filter(|c| c.result.as_deref() == Some(result))
                    .count()
            };
            let numbers = [
                ("items", view.checks.len()),
                ("ok", count("ok")),
                ("bad", count("violation")),
                ("none", count("not_applicable")),
            ]
            .map(|(name, n)| (name, n.to_string()));
            let numbers: Vec<(&str, &str)> = numbers.iter().map(|(name, n)| (*name, n.as_str())).collect();
            lines.push(self.sentence("record_counts", &numbers));
        }
        lines.extend(
            view.findings
                .iter()
                .enumerate()
                .map(|(n, finding)| self.finding_line(n + 1, finding)),
        );
        if view.findings.is_empty() {
            lines.push(self.sentence("record_nothing", &[]));
        }
        for statement in view.statements.iter().filter(|statement| !statement.lines.is_empty()) {
            let person = statement.person.clone().unwrap_or_default();
            let role = statement
                .role
                .clone()
                .unwrap_or_else(|| text(self.lang, "value.empty", &[]));
            let said = statement.lines.join("　");
            lines.push(self.sentence(
                "record_statement",
                &[("person", &person), ("role", &role), ("lines", &said)],
            ));
        }
        lines.join("\n")
    }

    fn finding_line(&self, n: usize, finding: &FindingView) -> String {
        let grade = finding.grade.as_deref().and_then(|id| self.context.pack.grade(id));
        let particulars: Vec<String> = [
            finding.clause.as_deref().map(|id| self.cited(Some(id))),
            grade.map(|grade| grade.name.text(self.lang).to_owned()),
        ]
        .into_iter()
        .flatten()
        .collect();
        let place = finding
            .place
            .as_ref()
            .map_or_else(String::new, |place| match self.lang {
                Lang::Zh => format!("{place}："),
                Lang::En => format!("{place}: "),
            });
        let count = finding.evidence.len().to_string();
        let evidence = match finding.evidence.len() {
            0 => String::new(),
            _ => self.sentence("record_evidence", &[("count", &count)]),
        };
        let said = finding.text.as_deref().unwrap_or_default().replace('\n', "　");
        match self.lang {
            Lang::Zh if particulars.is_empty() => format!("{n}．{place}{said}{evidence}"),
            Lang::Zh => format!("{n}．{place}{said}（{}）{evidence}", particulars.join("；")),
            Lang::En if particulars.is_empty() => format!("{n}. {place}{said}{evidence}"),
            Lang::En => format!("{n}. {place}{said} ({}){evidence}", particulars.join("; ")),
        }
    }

    fn datum(&self, evidence: &EvidenceView) -> Value {
        let pack = self.context.pack;
        let acquisition = evidence
            .acquisition
            .as_deref()
            .and_then(|word| Acquisition::parse(word).ok());
        let media_type = evidence.media_type.clone().unwrap_or_default();
        let title = evidence
            .original_name
            .clone()
            .or_else(|| evidence.title.clone())
            .unwrap_or_default();
        let place = evidence
            .latitude_e7
            .zip(evidence.longitude_e7)
            .map(|(lat, lon)| format!("{}, {}", degrees(lat), degrees(lon)));
        json!({
            "name": title,
            "proves": self.or_empty(evidence.proves.as_deref().unwrap_or_default()),
            "kind": self.sentence(media_word(&media_type), &[]),
            "acquisition": acquisition.map_or_else(String::new, |a| text(self.lang, &format!("acquisition.{}", a.as_str()), &[])),
            "on_site": acquisition.is_some_and(Acquisition::is_captured),
            "format": media_type,
            "size": evidence.size.unwrap_or_default(),
            "claimed_at": evidence.claimed_ms.and_then(|ms| second_text(ms, pack.head().utc_offset_minutes)),
            "claimed_place": place,
            "collector": self.or_empty(evidence.collector.as_deref().unwrap_or_default()),
            "sha256": evidence.sha256.map(|hash| hash.to_string()),
            "remark": self.sentence("claim_remark", &[]),
        })
    }

    fn agency(&self) -> Value {
        let agency = self.context.pack.agency();
        json!({ "name": agency.name, "department": agency.department })
    }

    fn agency_with_title(&self) -> Value {
        let agency = self.context.pack.agency();
        json!({ "name": agency.name, "department": agency.department, "officer_title": agency.officer_title })
    }

    fn number(&self) -> Value {
        let series = self
            .definition
            .number
            .as_deref()
            .and_then(|id| self.context.pack.series(id));
        match self.context.number {
            Some(number) => json!({
                "place": number.region,
                "word": number.word,
                "year": number.year.to_string(),
                "serial": number.serial.to_string(),
            }),
            None => json!({
                "place": self.context.pack.agency().region,
                "word": series.map_or("", |series| series.word.as_str()),
                "year": "",
                "serial": "",
            }),
        }
    }

    fn officers(&self) -> Vec<Value> {
        let present = self.context.view.present();
        let known = present.iter().filter_map(|id| self.context.people.get(id));
        let drawn = |name: &str| {
            let mut of_officer = self
                .signatures()
                .filter(|s| s.name.as_deref() == Some(name) && s.role.as_deref().is_some_and(is_officer));
            of_officer.find_map(|s| s.strokes.as_ref().map(super::Strokes::to_json))
        };
        let row = known.map(|officer| {
            json!({
                "name": officer.name,
                "certificate": officer.certificate,
                "key_fingerprint": officer.key_fingerprint,
                "signature": drawn(&officer.name),
            })
        });
        row.collect()
    }

    fn signer(&self, role: &str) -> Value {
        let signature = self
            .signatures()
            .find(|signature| signature.role.as_deref() == Some(role));
        let Some(signature) = signature else {
            return json!({ "name": if role == "responsible" { self.shown_to() } else { None } });
        };
        let mut value = json!({
            "name": signature.name,
            "signature": signature.strokes.as_ref().map(super::Strokes::to_json),
        });
        if signature.outcome.as_deref() == Some("refused") {
            let mut refusal = json!({ "reason": signature.reason });
            if role == "responsible" {
                refusal["witness"] = json!(signature.witness);
                refusal["evidence"] = json!(signature.evidence.and_then(|id| {
                    let evidence = self.context.view.evidence_of(&id)?;
                    evidence.title.clone()
                }));
            }
            value["refusal"] = refusal;
        }
        value
    }

    fn witness(&self) -> Value {
        let witness = self.signatures().find_map(|signature| signature.witness.clone());
        json!({ "name": witness })
    }

    fn shown_to(&self) -> Option<String> {
        self.context
            .view
            .credentials
            .last()
            .and_then(|credentials| credentials.shown_to.clone())
    }

    fn signatures(&self) -> impl Iterator<Item = &SignatureView> {
        let document = self
            .context
            .view
            .documents
            .iter()
            .find(|d| Some(d.document) == self.context.signed);
        document
            .into_iter()
            .flat_map(|document| document.signatures.iter().filter(|signature| signature.same_pdf))
    }

    fn cited(&self, clause: Option<&str>) -> String {
        match clause {
            Some(id) => self
                .context
                .pack
                .clause(id)
                .map_or_else(|| id.to_owned(), |c| c.cite.text(self.lang).to_owned()),
            None => text(self.lang, "value.empty", &[]),
        }
    }

    fn or_empty(&self, value: &str) -> String {
        if value.is_empty() {
            text(self.lang, "value.empty", &[])
        } else {
            value.to_owned()
        }
    }

    fn sentence(&self, id: &str, params: &[(&str, &str)]) -> String {
        let words = self.context.pack.sentence(id).map_or("", |words| words.text(self.lang));
        fill(words, |name| {
            params
                .iter()
                .find(|(held, _)| *held == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    fn some(&self, field: &'static str, items: &[Value]) -> Result<(), Refusal> {
        if items.is_empty() {
            Err(Refusal::new("list_empty", [("field", Param::label(field))]))
        } else {
            Ok(())
        }
    }
}

fn is_officer(role: &str) -> bool {
    matches!(role, "officer" | "second_officer")
}

fn media_word(media_type: &str) -> &'static str {
    match media_type.split('/').next() {
        Some("image") => "media.image",
        Some("video") => "media.video",
        Some("audio") => "media.audio",
        _ if media_type == "application/pdf" || media_type.starts_with("text/") || media_type.contains("document") => {
            "media.document"
        }
        _ => "media.other",
    }
}

fn degrees(e7: i64) -> String {
    let sign = if e7 < 0 { "-" } else { "" };
    format!(
        "{sign}{}.{:07}",
        e7.unsigned_abs() / 10_000_000,
        e7.unsigned_abs() % 10_000_000
    )
}
