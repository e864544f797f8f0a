//! The acts of one inspection, folded and read back, and the documents made from it judged by the templates' own field tables.

use fieldseal_proof::ids::*;
use fieldseal_proof::operation::Operation;
use serde_json::Value as Json;

use super::view::{CaseView, InspectionView, Officer, People, Stage, enterprises};
use super::*;
use crate::catalogue::Lang;
use crate::merge::laws::{CASE, INGEST, operation};
use crate::merge::{Scope, State, fold};
use crate::pack::tests::shipped;
use crate::pack::{RulePack, format_number};

const FIRST: OfficerId = OfficerId::from_bytes([21; 16]);
const SECOND: OfficerId = OfficerId::from_bytes([22; 16]);

fn line(text: &str) -> Line {
    Line::parse("name", text).unwrap()
}

fn paragraph(text: &str) -> Paragraph {
    Paragraph::parse("text", text).unwrap()
}

fn day(text: &str) -> Day {
    Day::parse("date", text).unwrap()
}

fn people() -> People {
    let mut people = People::default();
    for (officer, name, certificate) in [
        (FIRST, "沈执衡", "云应急执20190417"),
        (SECOND, "陆明川", "云应急执20210083"),
    ] {
        people.add(Officer {
            officer,
            name: name.into(),
            certificate: certificate.into(),
            role: "officer".into(),
            key_fingerprint: "SHA256:7d1e 90b3 44fa c216".into(),
            revoked: false,
        });
    }
    people
}

/// A case in the making: each act becomes an operation that supersedes what its paths hold.
struct Story {
    operations: Vec<Operation>,
}

impl Story {
    fn say(&mut self, act: Act) -> OpId {
        let state = self.state();
        let (kind, fields) = act.into_parts();
        let heads: Vec<OpId> = fields.iter().flat_map(|(path, _)| state.heads(path).to_vec()).collect();
        self.add(1, kind, fields, &heads)
    }

    fn add(
        &mut self,
        device: u8,
        kind: Kind,
        fields: Vec<(String, fieldseal_proof::cbor::Value)>,
        heads: &[OpId],
    ) -> OpId {
        let n = self.operations.len() as u64;
        let operation = operation(device, n, 1_772_586_659_000 + n * 60_000, kind.as_str(), fields, heads);
        self.operations.push(operation);
        self.operations[n as usize].id()
    }

    fn attest(&mut self, officer: OfficerId, target: OpId) {
        use fieldseal_proof::cbor::Value;
        let fields = vec![
            ("attest/meaning".to_owned(), Value::text("made")),
            ("attest/officer".to_owned(), Value::bytes(officer.as_bytes())),
            ("attest/role".to_owned(), Value::text("officer")),
            (
                "attest/targets".to_owned(),
                Value::Array(vec![Value::bytes(target.as_bytes())]),
            ),
        ];
        self.add(1, Kind::Attest, fields, &[]);
    }

    fn state(&self) -> State {
        fold(Scope::Case(CASE), [INGEST], &self.operations)
    }
}

fn inspected(pack: &RulePack) -> Story {
    let mut story = Story { operations: Vec::new() };
    let plan = InspectionPlan {
        enterprise: EnterpriseId::from_bytes([1; 16]),
        title: line("年度监督检查"),
        place: Some(line("原料罐区、甲类仓库")),
        planned: Some(day("2026-03-04")),
        remark: None,
        officers: vec![FIRST, SECOND],
        devices: vec![DeviceId::from_bytes([1; 16])],
        items: vec!["e1".into(), "s1".into()],
        party: Party {
            name: Some(line("云岭县恒泰精细化工有限公司")),
            address: Some(line("云岭县临江工业园区纬三路18号")),
            ..Party::default()
        },
    };
    story.say(plan.assign(pack).unwrap());
    let credentials = CredentialsShown {
        id: ItemId::from_bytes([2; 16]),
        officers: vec![FIRST, SECOND],
        certificates: vec![
            Certificate::parse("云应急执20190417").unwrap(),
            Certificate::parse("云应急执20210083").unwrap(),
        ],
        shown_to: line("钱守业"),
        told: paragraph("现依法对你单位进行现场检查"),
    };
    story.say(credentials.act(pack).unwrap());
    for (item, result) in [("e1", CheckResult::Violation), ("s1", CheckResult::Ok)] {
        story.say(
            CheckAnswer {
                item: item.into(),
                result,
                note: None,
            }
            .act(pack)
            .unwrap(),
        );
    }
    let finding = FindingId::from_bytes([3; 16]);
    let record = FindingRecord {
        finding,
        text: paragraph("西侧安全出口被{place}桶装物料堵塞"),
        grade: "larger".into(),
        item: Some("e1".into()),
        violation: None,
        clause: None,
        place: Some(line("甲类仓库")),
        evidence: vec![],
    };
    story.say(record.act(pack, day("2026-03-04")).unwrap());
    let seal = EvidenceSeal {
        evidence: EvidenceId::from_bytes([4; 16]),
        sha256: BlobHash::from_bytes([5; 32]),
        size: 4_182_933,
        media_type: "image/jpeg".into(),
        kind: "audio_visual".into(),
        acquisition: Acquisition::Imported,
        title: line("西侧出口"),
        proves: None,
        collector: line("沈执衡"),
        original_name: Some(line("IMG_0412.jpg")),
        claimed_ms: 1_772_586_700_000,
        position: Some(Position::from_degrees(-25.5, 102.25, None).unwrap()),
        exif: ExifClaims::default(),
        duration_ms: None,
        finding: Some(finding),
        derived_from: None,
        transcript_of: None,
    };
    assert_eq!(
        seal.lacks(pack).iter().map(Refusal::code).collect::<Vec<_>>(),
        ["evidence_particulars"]
    );
    story.say(seal.act());
    for said in ["问：何时堆放", "答：上周"] {
        let statement = StatementRecord {
            statement: ItemId::from_bytes([6; 16]),
            person: line("钱守业"),
            role: Some(line("现场负责人")),
            line: paragraph(said),
        };
        story.say(statement.act());
    }
    let item = OrderItem {
        item: ItemId::from_bytes([8; 16]),
        text: paragraph("清除堵塞，保持畅通"),
        due: Some(day("2026-03-06")),
        clause: Some("spl.42.2".into()),
        grade: Some("major".into()),
        finding: Some(finding),
    };
    story.say(
        OrderDraft {
            order: ItemId::from_bytes([7; 16]),
            items: vec![item],
        }
        .act(pack, day("2026-03-04"))
        .unwrap(),
    );
    story
}

fn document(
    pack: &RulePack,
    view: &InspectionView,
    kind: &str,
    signed: Option<DocumentId>,
) -> Result<Json, Vec<Refusal>> {
    let number = format_number(pack.series("rectification_order").unwrap(), pack.agency(), 2026, 12);
    let chain = ChainStrip {
        head: Link::from_bytes([9; 32]),
        counter: 12,
        device: "平板 A3".into(),
    };
    let context = DocumentContext {
        view,
        pack,
        people: &people(),
        chain: &chain,
        number: Some(&number),
        signed,
        from: Minute::of_ms(1_772_586_659_000, 480),
        to: None,
        day: day("2026-03-04"),
    };
    document_data(kind, &context)
}

/// Every required field of the template's table is there and filled, and no field is there that the table does not have.
fn fits(pack: &RulePack, kind: &str, data: &Json) {
    let table: Json = serde_json::from_slice(pack.file(&format!("templates/{kind}.fields.json")).unwrap()).unwrap();
    let fields = table["fields"].as_array().unwrap();
    let known: Vec<&str> = fields.iter().filter_map(|field| field["path"].as_str()).collect();
    let mut open = vec![(String::new(), data)];
    let mut there = Vec::new();
    while let Some((path, value)) = open.pop() {
        match value {
            Json::Object(map) => {
                let start = if path.is_empty() {
                    String::new()
                } else {
                    format!("{path}.")
                };
                open.extend(map.iter().map(|(key, value)| (format!("{start}{key}"), value)));
            }
            Json::Array(items) if known.iter().any(|k| k.starts_with(&format!("{path}[]"))) => {
                there.push(path.clone());
                open.extend(items.iter().map(|item| (format!("{path}[]"), item)));
            }
            _ => {
                assert!(
                    known.contains(&path.as_str()) || value.is_null(),
                    "{kind}: {path} is not in the table"
                );
                if !value.is_null() && value != &Json::String(String::new()) {
                    there.push(path);
                }
            }
        }
    }
    for field in fields
        .iter()
        .filter(|field| field["required"] == true && !field["path"].as_str().unwrap().contains("refusal"))
    {
        let path = field["path"].as_str().unwrap();
        assert!(there.iter().any(|held| held == path), "{kind}: {path} is missing");
    }
}

#[test]
fn an_inspection_is_read_back_and_its_documents_fit_their_templates() {
    let pack = shipped("cn-work-safety");
    let mut story = inspected(&pack);
    let view = InspectionView::of(&story.state(), Some(&pack), &people());
    assert_eq!(
        (view.stage, view.officers.len(), view.checks.len(), view.items.len()),
        (Stage::InProgress, 2, 2, 2)
    );
    assert_eq!(view.findings[0].clause.as_deref(), Some("spl.42.2"));
    assert_eq!(view.findings[0].violation.as_deref(), Some("exit_blocked"));
    assert_eq!(view.findings[0].evidence, [EvidenceId::from_bytes([4; 16])]);
    assert_eq!(view.statements[0].lines, ["问：何时堆放", "答：上周"]);
    assert_eq!(view.credentials[0].awaiting, ["officer", "second_officer"]);

    let record = document(&pack, &view, "inspection_record", None).unwrap();
    fits(&pack, "inspection_record", &record);
    let narrative = record["findings"].as_str().unwrap();
    assert!(narrative.contains("1．甲类仓库：西侧安全出口被{place}桶装物料堵塞（《中华人民共和国安全生产法》第四十二条第二款；较大事故隐患）（电子数据1项）"), "{narrative}");
    assert!(narrative.contains("共检查2项，其中符合1项、不符合1项、不适用0项。"));
    assert_eq!(record["from"], "2026-03-04T09:10");
    let list = document(&pack, &view, "electronic_data_list", None).unwrap();
    fits(&pack, "electronic_data_list", &list);
    assert_eq!(
        (
            list["items"][0]["acquisition"].as_str(),
            list["items"][0]["on_site"].as_bool()
        ),
        (Some("导入"), Some(false))
    );
    assert_eq!(list["items"][0]["claimed_place"], "-25.5000000, 102.2500000");
    // The order comes after the record.
    let refused = document(&pack, &view, "rectification_order", None).unwrap_err();
    assert_eq!(refused.iter().map(Refusal::code).collect::<Vec<_>>(), ["guard"]);
    assert!(
        refused[0].text(Lang::Zh).contains("缺现场检查记录"),
        "{}",
        refused[0].text(Lang::Zh)
    );

    let issued = DocumentIssue {
        document: DocumentId::from_bytes([10; 16]),
        kind: "inspection_record".into(),
        number: Some("（云岭）应急检记〔2026〕1号".into()),
        template: BlobHash::from_bytes([11; 32]),
        fields: record.to_string(),
        pdf_sha256: BlobHash::from_bytes([12; 32]),
        pages: 1,
        fonts: BlobHash::from_bytes([13; 32]),
        typesetter: "typst 0".into(),
        chain: Link::from_bytes([9; 32]),
        chain_counter: 12,
        rests_on: vec![OpId::from_bytes([1; 32])],
    };
    let issue = story.say(issued.act(&pack).unwrap());
    story.attest(FIRST, issue);
    let view = InspectionView::of(&story.state(), Some(&pack), &people());
    assert_eq!(view.documents[0].awaiting, ["second_officer"]);
    story.attest(SECOND, issue);
    let sign = |id: u8, role: &str, name: &str, pdf: u8, outcome: SignOutcome| DocumentSign {
        id: ItemId::from_bytes([id; 16]),
        document: DocumentId::from_bytes([10; 16]),
        role: role.into(),
        name: line(name),
        pdf_sha256: BlobHash::from_bytes([pdf; 32]),
        outcome,
    };
    let strokes = || SignOutcome::Signed {
        strokes: Strokes::from_json("[[[1,2,0],[3,4,9]]]").unwrap(),
        signed_pdf_sha256: None,
    };
    let refusal = SignOutcome::Refused {
        reason: paragraph("对记载的事实有异议"),
        witness: line("周见证"),
        evidence: None,
    };
    story.say(sign(30, "officer", "沈执衡", 12, strokes()).act().unwrap());
    story.say(sign(31, "responsible", "钱守业", 12, refusal).act().unwrap());
    // Signed on another PDF than was issued: shown, and not counted.
    story.say(sign(32, "second_officer", "陆明川", 99, strokes()).act().unwrap());
    let view = InspectionView::of(&story.state(), Some(&pack), &people());
    assert_eq!(
        (view.documents[0].awaiting.len(), view.documents[0].unsigned.as_slice()),
        (0, &["second_officer".to_owned()][..])
    );
    let signed = document(
        &pack,
        &view,
        "inspection_record",
        Some(DocumentId::from_bytes([10; 16])),
    )
    .unwrap();
    fits(&pack, "inspection_record", &signed);
    assert_eq!(signed["officers"][0]["signature"].to_string(), "[[[1,2,0],[3,4,9]]]");
    assert!(signed["officers"][1]["signature"].is_null());
    assert_eq!(signed["responsible"]["refusal"]["witness"], "周见证");
    let order = document(&pack, &view, "rectification_order", None).unwrap();
    fits(&pack, "rectification_order", &order);
    assert_eq!(
        (order["items"][0]["major"].as_bool(), order["number"]["serial"].as_str()),
        (Some(true), Some("12"))
    );
}

#[test]
fn a_conflict_blocks_what_depends_on_it_and_a_decision_frees_it() {
    let pack = shipped("cn-work-safety");
    let mut story = inspected(&pack);
    let grade = format!("finding/{}/grade", FindingId::from_bytes([3; 16]));
    let heads = story.state().heads(&grade).to_vec();
    for (device, value) in [(1, "major"), (2, "general")] {
        let fields = vec![(grade.clone(), fieldseal_proof::cbor::Value::text(value))];
        story.add(device, Kind::FieldDecide, fields, &heads);
    }
    let view = InspectionView::of(&story.state(), Some(&pack), &people());
    assert_eq!(
        (
            view.clashes.len(),
            view.clashes[0].decidable,
            view.findings[0].grade.as_deref()
        ),
        (1, true, None)
    );
    let refused = document(&pack, &view, "inspection_record", None).unwrap_err();
    assert_eq!(refused[0].code(), "guard_conflict");
    // Exactly what says it: the order too, and not the list of electronic data.
    let blocked = |id: &str| rests_on(pack.document(id).unwrap(), &grade);
    assert_eq!(
        ["inspection_record", "rectification_order", "electronic_data_list"].map(blocked),
        [true, true, false]
    );
    let refused = document(&pack, &view, "electronic_data_list", None)
        .err()
        .unwrap_or_default();
    assert!(
        refused.iter().all(|refusal| refusal.code() != "guard_conflict"),
        "{refused:?}"
    );
    let decide = FieldDecide {
        id: ItemId::from_bytes([40; 16]),
        path: grade,
        value: fieldseal_proof::cbor::Value::text("major"),
        reason: paragraph("现场复核"),
    };
    story.say(decide.act().unwrap());
    let state = story.state();
    let view = InspectionView::of(&state, Some(&pack), &people());
    assert!(view.clashes.is_empty() && document(&pack, &view, "inspection_record", None).is_ok());
    let case = CaseView::of(&state, Some(&pack), &people()).unwrap();
    let row = case.row(Some(&pack), &people(), day("2026-03-07"));
    assert_eq!(
        (row.overdue, row.gravest.as_deref(), row.officers.len()),
        (1, Some("major"), 2)
    );
    assert!(
        serde_json::to_string(&case).unwrap().contains("沈执衡")
            || serde_json::to_string(&row).unwrap().contains("沈执衡")
    );
}

#[test]
fn what_is_closed_returned_or_joined() {
    let pack = shipped("cn-work-safety");
    let mut story = inspected(&pack);
    story.say(inspection_close(&[]));
    assert_eq!(InspectionView::of(&story.state(), None, &people()).stage, Stage::Closed);
    let returned = InspectionReturn {
        id: ItemId::from_bytes([50; 16]),
        inspection: InspectionId::from_bytes([8; 16]),
        reason: paragraph("缺照片"),
        items: vec![],
    };
    story.say(returned.act());
    assert_eq!(
        InspectionView::of(&story.state(), None, &people()).stage,
        Stage::Returned
    );

    let id = |n: u8| EnterpriseId::from_bytes([n; 16]);
    let record = |n: u8, name: &str, address: Option<Line>| EnterpriseRecord {
        enterprise: id(n),
        name: line(name),
        credit_code: None,
        credit_code_raw: None,
        address,
        head: None,
        phone: None,
        industry: None,
    };
    let mut registry = Story { operations: Vec::new() };
    registry.say(record(1, "甲厂", None).act());
    registry.say(record(2, "甲 厂", Some(line("一路1号"))).act());
    registry.say(
        EnterpriseJoin {
            id: ItemId::from_bytes([1; 16]),
            keep: id(1),
            other: id(2),
            reason: paragraph("同一企业"),
        }
        .act()
        .unwrap(),
    );
    let all = enterprises(&registry.state());
    assert_eq!(
        (all.len(), all[0].enterprise, all[0].joined.as_slice()),
        (1, id(1), &[id(2)][..])
    );
    assert_eq!(all[0].address.as_deref(), Some("一路1号"));
    // A circle of joins has one end for every reader.
    registry.say(
        EnterpriseJoin {
            id: ItemId::from_bytes([2; 16]),
            keep: id(2),
            other: id(1),
            reason: paragraph("反向"),
        }
        .act()
        .unwrap(),
    );
    assert_eq!(enterprises(&registry.state()).len(), 1);
}

#[test]
fn acts_that_the_pack_does_not_allow() {
    let pack = shipped("cn-work-safety");
    let item = |due: Option<&str>, clause: &str| OrderDraft {
        order: ItemId::from_bytes([7; 16]),
        items: vec![OrderItem {
            item: ItemId::from_bytes([8; 16]),
            text: paragraph("x"),
            due: due.map(day),
            clause: Some(clause.into()),
            grade: Some("larger".into()),
            finding: None,
        }],
    };
    let code = |draft: OrderDraft, ordered: &str| draft.act(&pack, day(ordered)).unwrap_err().code();
    assert_eq!(code(item(None, "spl.42.2"), "2026-03-04"), "due_missing");
    assert_eq!(
        code(item(Some("2026-03-03"), "spl.42.2"), "2026-03-04"),
        "due_before_order"
    );
    assert_eq!(code(item(Some("2026-03-05"), "spl.999"), "2026-03-04"), "not_in_pack");
    assert_eq!(code(item(Some("2026-03-05"), "spl.42.2"), "2020-03-04"), "not_in_force");
    let answer = CheckAnswer {
        item: "zz".into(),
        result: CheckResult::Ok,
        note: None,
    };
    let refusal = answer.act(&pack).unwrap_err();
    assert_eq!(refusal.code(), "not_in_pack");
    assert!(refusal.message.is_complete());
    let alone = CredentialsShown {
        id: ItemId::from_bytes([2; 16]),
        officers: vec![FIRST, FIRST],
        certificates: vec![Certificate::parse("A-1234").unwrap()],
        shown_to: line("x"),
        told: paragraph("y"),
    };
    assert_eq!(alone.act(&pack).unwrap_err().code(), "too_few_officers");
}
