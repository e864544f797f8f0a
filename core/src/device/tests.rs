//! The whole life of a tablet, without a network.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fieldseal_proof::attest::Meaning;
use fieldseal_proof::cbor::Value;
use fieldseal_proof::dsse;
use fieldseal_proof::ids::{BlobHash, EnterpriseId, TenantId, to_hex};
use fieldseal_proof::note::VerifierKey;
use fieldseal_proof::suite::{Ed25519Signer, Signer, Suite};
use fieldseal_testkit::{Ceremony, signer};

use super::*;
use crate::clock::SetClock;
use crate::domain::Strokes;
use crate::keyring::EnrolmentState;
use crate::pack::PackSource;
use crate::random::OsRandom;
use crate::store::DATABASE;
use crate::sync::SyncStore;
use crate::vault::FileSystem;
use crate::watch::unwatched;

mod dying;

const TENANT: TenantId = TenantId::from_bytes([1; 16]);

fn root() -> Ed25519Signer {
    signer(3)
}

fn card_text(role: &str) -> String {
    let log = VerifierKey::ed25519("example.org/county/0", signer(4).public().clone());
    let json = serde_json::json!({
        "url": "https://127.0.0.1:1", "tls_sha256": "ab".repeat(32), "tenant": TENANT.to_string(),
        "root": to_hex(root().public().as_bytes()), "log_vkey": log.unwrap().to_vkey(),
        "code": "00112233", "label": "甲队一号", "role": role,
    });
    format!("fieldseal:enrol:1:{}", URL_SAFE_NO_PAD.encode(json.to_string()))
}

fn ports() -> Ports {
    let random: Arc<dyn Random> = Arc::new(OsRandom);
    let clock = Arc::new(SetClock::starting_at(1_795_000_000_000, &*random).unwrap());
    Ports {
        clock,
        random,
        space: Arc::new(FileSystem),
        platform: None,
        wait_ms: 200,
    }
}

/// The first pack of this repository, as an administrator publishes it.
fn pack_bytes() -> Vec<u8> {
    fn collect(base: &Path, folder: &Path, files: &mut std::collections::BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(base, &path, files);
            } else {
                let name = path.strip_prefix(base).unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("packs/cn-work-safety");
    let mut files = std::collections::BTreeMap::new();
    collect(&base, &base, &mut files);
    PackSource::read(files).unwrap().build().unwrap()
}

fn root_frame() -> Vec<u8> {
    Ceremony::new(TENANT, 3).frames()[0].clone()
}

/// A tablet with two officers, the key log's root and the rule pack.
fn tablet(folder: &Path, suite: Suite) -> Arc<FieldDevice> {
    let device = Arc::new(FieldDevice::create(folder, &card_text("tablet"), suite, None, ports()).unwrap());
    device.officer_add("王强", "32010001", "officer", "483920").unwrap();
    device.officer_add("李敏", "32010002", "officer", "593021").unwrap();
    let mut port = SyncPort::new(device.clone());
    port.keep_key_log(&[root_frame()]).unwrap();
    let pack = PackFile::sign(pack_bytes(), &root()).unwrap();
    port.keep_pack(pack.hash(), &pack.encode()).unwrap();
    device
}

fn begin(device: &FieldDevice) -> InspectionId {
    let new = NewEnterprise {
        name: "宏远化工有限公司",
        address: "开发区 3 号",
        ..NewEnterprise::default()
    };
    let (enterprise, _) = device.enterprise_add(&new).unwrap();
    begin_at(device, enterprise)
}

fn begin_at(device: &FieldDevice, enterprise: EnterpriseId) -> InspectionId {
    let pack = device.pack().unwrap();
    let item = pack.items()[0].id.clone();
    let new = NewInspection {
        enterprise: Some(enterprise),
        title: "年度检查",
        certificates: &["32010001", "32010002"],
        items: &[&item],
        ..NewInspection::default()
    };
    device.begin(&new).unwrap().1
}

fn photo<'a>() -> NewEvidence<'a> {
    NewEvidence {
        acquisition: "camera",
        kind: "photo",
        title: "通道",
        proves: "堵塞",
        ..NewEvidence::default()
    }
}

fn assert_clean(device: &FieldDevice) -> Fsck {
    let fsck = device.fsck(&mut unwatched).unwrap();
    assert!(fsck.is_clean(), "{fsck:?}");
    fsck
}

#[test]
fn an_inspection_from_beginning_to_closing() {
    let dir = tempfile::tempdir().unwrap();
    let device = tablet(dir.path(), Suite::P256);
    device.unlock("32010001", "483920").unwrap();
    let inspection = begin(&device);
    let told = NewCredentials {
        certificates: &["32010001", "32010002"],
        shown_to: "赵经理",
        told: "检查内容",
    };
    let shown = device.show_credentials(inspection, &told).unwrap();
    let pack = device.pack().unwrap();
    device
        .check(inspection, &pack.items()[0].id, "violation", "见发现")
        .unwrap();
    let grade = pack.grades()[0].id.clone();
    let new = NewFinding {
        text: "疏散通道堵塞",
        grade: &grade,
        item: Some(&pack.items()[0].id),
        ..NewFinding::default()
    };
    let (finding, _) = device.finding(inspection, &new).unwrap();
    let new = NewEvidence {
        finding: Some(finding),
        ..photo()
    };
    let captured = device
        .capture(inspection, &mut &b"\xff\xd8\xff\xe0 not much of a photograph"[..], &new)
        .unwrap();
    assert_eq!(captured.media_type, "image/jpeg");
    let line = NewStatement {
        person: "赵经理",
        role: "负责人",
        lines: &["是我安排的", "明天清理"],
        ..NewStatement::default()
    };
    assert_eq!(device.statement(inspection, &line).unwrap().1.len(), 2);
    let day = device.today(&pack).to_string();
    let item = NewOrderItem {
        text: "清理通道",
        due: Some(&day),
        finding: Some(finding),
        ..NewOrderItem::default()
    };
    device.order(inspection, None, &[item]).unwrap();

    let place = device.paper_place().unwrap();
    assert_eq!(place.words.split('-').count(), 8);
    let document = NewDocument {
        place: &place,
        kind: &pack.documents()[0].id,
        number: None,
        template: BlobHash::from_bytes([1; 32]),
        fields: "{}",
        pdf: b"%PDF-1.7 the record",
        pages: 1,
        fonts: BlobHash::from_bytes([2; 32]),
        typesetter: "typst 0",
        rests_on: &[shown],
    };
    let issued = device.issue_document(inspection, &document).unwrap();
    let strokes = || Strokes::new(vec![vec![[0, 0, 0], [10, 10, 10]]]).unwrap();
    let other = BlobHash::from_bytes([9; 32]);
    let wrong = device.sign_document(issued.document, "party", "赵经理", other, strokes(), None);
    assert_eq!(wrong.unwrap_err().code(), "document_changed");
    let sign = |role| device.sign_document(issued.document, role, "赵经理", issued.pdf_sha256, strokes(), None);
    sign("party").unwrap();
    assert_eq!(sign("party").unwrap_err().code(), "document_signed");

    let second = device.unlock("32010002", "593021").unwrap();
    let attest = device
        .attest(&[issued.operation, shown], "second_officer", Meaning::Made)
        .unwrap();
    let header = device.store().operation(attest).unwrap().operation.header().clone();
    assert_eq!(
        (header.inspection, header.session),
        (Some(inspection), Some(second.session))
    );
    device.close(inspection).unwrap();
    let view = device.inspection(inspection).unwrap();
    assert!(view.row.closed && !view.row.returned);
    assert_eq!(
        (view.row.party.as_deref(), view.row.conflicts),
        (Some("宏远化工有限公司"), 0)
    );
    let fsck = assert_clean(&device);
    assert_eq!(fsck.files, 2);
    assert_eq!(fsck.store.unverified, 0);
    drop(device);
    let (device, start) = FieldDevice::open(dir.path(), ports()).unwrap();
    assert!(start.salvage.is_none() && !start.new_incarnation);
    assert_clean(&device);
}

#[test]
fn the_officer_signs_the_place_of_the_attest() {
    let dir = tempfile::tempdir().unwrap();
    let device = tablet(dir.path(), Suite::Ed25519);
    let inspection = begin(&device);
    let target = device
        .check(inspection, &device.pack().unwrap().items()[0].id, "ok", "")
        .unwrap();
    assert_eq!(
        device.attest(&[target], "officer", Meaning::Made).unwrap_err().code(),
        "session_ended"
    );
    let officer = device.unlock("32010001", "483920").unwrap();
    let id = device.attest(&[target], "officer", Meaning::Made).unwrap();
    let operation = device.store().operation(id).unwrap().operation;
    let attest = fieldseal_proof::attest::Attestation::read(operation.body().unwrap()).unwrap();
    assert!(
        attest
            .verify(&fieldseal_proof::attest::Place::of(&operation), &officer.record.key)
            .is_ok()
    );
}

#[test]
fn an_imported_photograph_stays_imported_and_broken_files_are_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let device = tablet(dir.path(), Suite::Ed25519);
    let inspection = begin(&device);
    let new = NewEvidence {
        acquisition: "imported",
        original_name: "IMG_1.jpg",
        ..photo()
    };
    let empty = device.capture(inspection, &mut &b""[..], &new).unwrap();
    assert_eq!(empty.size, 0);
    assert!(empty.remarks.iter().any(|remark| remark.code() == "evidence_empty"));
    let view = device.inspection(inspection).unwrap();
    let path = format!("evidence/{}/acquisition", empty.evidence);
    assert_eq!(view.state.text(&path).as_deref(), Some("imported"));
    let unknown = device.capture(
        inspection,
        &mut &b"x"[..],
        &NewEvidence {
            acquisition: "photo",
            ..photo()
        },
    );
    assert_eq!(unknown.unwrap_err().code(), "choice_unknown");
}

#[test]
fn a_changed_evidence_file_is_set_aside_with_a_custody_event() {
    let dir = tempfile::tempdir().unwrap();
    let device = tablet(dir.path(), Suite::Ed25519);
    let inspection = begin(&device);
    let captured = device.capture(inspection, &mut &[7u8; 200_000][..], &photo()).unwrap();
    let row = device.store().blob(captured.sha256).unwrap().unwrap();
    let path = dir.path().join("vault").join(&row.file);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[150_000] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let fsck = device.fsck(&mut unwatched).unwrap();
    assert_eq!(
        fsck.file_faults.iter().map(|f| f.code).collect::<Vec<_>>(),
        ["blob_changed"]
    );
    assert!(!path.exists() && dir.path().join("vault/aside").join(&row.file).exists());
    assert_eq!(device.read_blob(captured.sha256).err().unwrap().code(), "blob_changed");
    let view = device.inspection(inspection).unwrap();
    let events = view.state.members("custody");
    assert_eq!(
        view.state.text(&format!("custody/{}/event", events[0])).as_deref(),
        Some("quarantined")
    );
}

#[test]
fn a_file_without_a_record_is_found_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let device = tablet(dir.path(), Suite::Ed25519);
    let inspection = begin(&device);
    // Killed between the durable file and its transaction.
    let capture = crate::evidence::Capture::take(
        device.vault(),
        &mut &b"the only copy"[..],
        crate::vault::OnFailure::Keep,
    );
    let sha256 = capture.unwrap().sha256();
    drop(device);
    let (device, start) = FieldDevice::open(dir.path(), ports()).unwrap();
    assert_eq!(start.swept.unwrap().adopted.len(), 1);
    let mut back = String::new();
    device.read_blob(sha256).unwrap().read_to_string(&mut back).unwrap();
    assert_eq!(back, "the only copy");
    assert_eq!(device.status().unwrap().unsealed_files, 1);
    // Taken in again through the front door it is sealed like any other.
    device.capture(inspection, &mut back.as_bytes(), &photo()).unwrap();
    assert_eq!(device.status().unwrap().unsealed_files, 0);
    assert_clean(&device);
}

#[test]
fn drafts_outlive_a_restart_and_become_operations() {
    let dir = tempfile::tempdir().unwrap();
    let device = tablet(dir.path(), Suite::Ed25519);
    let inspection = begin(&device);
    device
        .set_draft(inspection, "inspection/remark", &Value::text("初稿"))
        .unwrap();
    device
        .set_draft(inspection, "inspection/remark", &Value::text("改稿"))
        .unwrap();
    device
        .set_draft(inspection, "finding/1/place", &Value::text("二楼"))
        .unwrap();
    assert_eq!(
        device
            .set_draft(inspection, "evidence/1/sha256", &Value::text("x"))
            .unwrap_err()
            .code(),
        "not_found"
    );
    drop(device);
    let (device, _) = FieldDevice::open(dir.path(), ports()).unwrap();
    assert_eq!(device.drafts(Some(inspection)).unwrap().len(), 2);
    assert_eq!(device.commit(inspection).unwrap().len(), 2);
    assert_eq!(device.commit(inspection).unwrap_err().code(), "draft_missing");
    let view = device.inspection(inspection).unwrap();
    assert_eq!(view.state.text("inspection/remark").as_deref(), Some("改稿"));
    assert_clean(&device);
}

#[test]
fn the_last_visits_orders_are_shown_at_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let device = tablet(dir.path(), Suite::Ed25519);
    let first = begin(&device);
    let day = device.today(&device.pack().unwrap()).to_string();
    let item = NewOrderItem {
        text: "清理通道",
        due: Some(&day),
        ..NewOrderItem::default()
    };
    device.order(first, None, &[item]).unwrap();
    let enterprise = device.inspection(first).unwrap().row.enterprise.unwrap();
    let second = begin_at(&device, enterprise);
    let orders = device.inspection(second).unwrap().open_orders;
    let item = &orders[0].items[0];
    assert_eq!(
        (item.text.as_deref(), &item.due, item.state),
        (Some("清理通道"), &Some(day), "open")
    );
    assert_eq!(device.inspection(first).unwrap().open_orders, []);
}

#[test]
fn a_rescue_file_carries_everything_unsent() {
    let dir = tempfile::tempdir().unwrap();
    let device = tablet(dir.path(), Suite::Ed25519);
    let inspection = begin(&device);
    let captured = device.capture(inspection, &mut &[9u8; 70_000][..], &photo()).unwrap();
    let mut file = Vec::new();
    device
        .set_draft(inspection, "inspection/remark", &Value::text("没写完"))
        .unwrap();
    device
        .officer_add("沈执衡", "云应急执20190499", "officer", "271828")
        .unwrap();
    let report = device.rescue(&mut file, &mut unwatched).unwrap();
    assert_eq!((report.blobs, report.bytes), (1, file.len() as u64));
    assert_eq!((report.drafts, report.left_out.as_slice()), (1, &[][..]));
    assert_eq!(report.requests, 1 + device.officers().len() as u64);
    let read = |bytes: &[u8]| -> Result<(u64, Vec<u8>), DeviceError> {
        let mut reader = RescueReader::new(bytes)?;
        let (mut operations, mut blob) = (0, Vec::new());
        while let Some(record) = reader.next_record()? {
            match record {
                RescueRecord::Identity(_) => {}
                RescueRecord::Draft(draft) => {
                    assert!(blob.is_empty(), "drafts come before evidence");
                    assert_eq!(draft.value, Value::text("没写完"));
                }
                RescueRecord::Enrolment(body) => {
                    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
                    assert!(["device", "officer"].contains(&body["kind"].as_str().unwrap()));
                }
                RescueRecord::LeftOut(json) => panic!("{}", String::from_utf8_lossy(&json)),
                RescueRecord::Operation(frame) => {
                    fieldseal_proof::operation::Operation::parse(&frame).unwrap();
                    operations += 1;
                }
                RescueRecord::Blob { sha256, .. } => {
                    assert_eq!(sha256, captured.sha256);
                    drop(reader.blob().read_to_end(&mut blob));
                }
            }
        }
        Ok((operations, blob))
    };
    assert_eq!(read(&file).unwrap(), (report.operations, vec![9u8; 70_000]));
    for cut in [0, 3, 20, file.len() / 2, file.len() - 1] {
        assert_eq!(read(&file[..cut]).unwrap_err().code(), "rescue_broken", "cut at {cut}");
    }
    let mut changed = file.clone();
    let at = changed.len() - 40_000;
    changed[at] ^= 1;
    assert_eq!(read(&changed).unwrap_err().code(), "rescue_broken");
}

/// A server that was put back from a backup knows nothing of it; found by the simulation.
#[test]
fn a_request_that_the_server_has_forgotten_is_sent_once_more() {
    let dir = tempfile::tempdir().unwrap();
    let device = FieldDevice::create(dir.path(), &card_text("tablet"), Suite::P256, None, ports()).unwrap();
    device.enrolment_submitted("r1", Some("token")).unwrap();
    let answer = |status: u16, media_type: &str, body: &str| crate::sync::message::Response {
        status,
        headers: vec![("content-type".into(), media_type.into())],
        body: body.as_bytes().to_vec(),
    };
    let mut enrolling = Enrolling::default();
    let asked = enrolling.next_request(&device).unwrap().unwrap();
    assert!(asked.path.starts_with("/v1/enrol/r1"), "{}", asked.path);
    let unknown = r#"{"type":"about:blank","title":"x","status":404,"code":"request_unknown","detail":"x"}"#;
    enrolling
        .handle_response(&device, answer(404, "application/problem+json", unknown))
        .unwrap();
    let asked = enrolling.next_request(&device).unwrap().unwrap();
    assert_eq!(asked.path, "/v1/enrol");
    enrolling
        .handle_response(&device, answer(200, "application/json", r#"{"request":"r2"}"#))
        .unwrap();
    assert_eq!(
        (device.enrolment_request().as_deref(), device.token().as_deref()),
        (Some("r2"), Some("token"))
    );
    // It is asked about once in a round: a server that answers so for ever does not hold the device up.
    assert!(enrolling.next_request(&device).unwrap().is_none());
}

#[test]
fn enrolment_is_proven_and_approved_by_the_key_log() {
    let dir = tempfile::tempdir().unwrap();
    let device = FieldDevice::create(dir.path(), &card_text("tablet"), Suite::P256, None, ports()).unwrap();
    let request = device.enrolment().unwrap();
    assert_eq!(request.identity.label, "甲队一号");
    assert_ne!(request.operation.key_id(), request.cosigner.key_id());
    device.enrolment_submitted("r1", Some("token")).unwrap();
    assert_eq!(device.enrolment_state().unwrap(), EnrolmentState::Pending);
    let again = FieldDevice::create(dir.path(), &card_text("tablet"), Suite::P256, None, ports());
    assert_eq!(again.err().unwrap().code(), "already_enrolled");
    drop(device);
    let (device, _) = FieldDevice::open(dir.path(), ports()).unwrap();
    assert_eq!(
        (device.token().as_deref(), device.enrolment_request().as_deref()),
        (Some("token"), Some("r1"))
    );
    for text in ["", "fieldseal:enrol:1:e30", "fieldseal:enrol:2:e30", &card_text("king")] {
        assert_eq!(
            EnrolmentCard::parse(text).unwrap_err().code(),
            "enrolment_text",
            "{text}"
        );
    }
    assert_eq!(
        FieldDevice::open(&dir.path().join("nothing"), ports())
            .err()
            .unwrap()
            .code(),
        "not_enrolled"
    );
}

#[test]
fn a_key_log_of_another_root_is_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let mut text = card_text("tablet");
    let other = signer(8);
    let inside = URL_SAFE_NO_PAD
        .decode(text.strip_prefix("fieldseal:enrol:1:").unwrap())
        .unwrap();
    let mut card: serde_json::Value = serde_json::from_slice(&inside).unwrap();
    card["root"] = to_hex(other.public().as_bytes()).into();
    text = format!("fieldseal:enrol:1:{}", URL_SAFE_NO_PAD.encode(card.to_string()));
    let device = FieldDevice::create(dir.path(), &text, Suite::Ed25519, None, ports()).unwrap();
    let mut port = SyncPort::new(Arc::new(device));
    assert_eq!(port.keep_key_log(&[root_frame()]).unwrap_err().code, "wrong_server");
    assert_eq!(port.key_log().unwrap().size(), 0);
}

#[test]
fn a_damaged_database_comes_back_with_its_inspections() {
    let dir = tempfile::tempdir().unwrap();
    let device = tablet(dir.path(), Suite::Ed25519);
    let inspection = begin(&device);
    for n in 0..60 {
        device
            .set_draft(inspection, &format!("note/{n}/text"), &Value::text("长".repeat(300)))
            .unwrap();
        device.commit(inspection).unwrap();
    }
    drop(device);
    let path = dir.path().join(DATABASE);
    let mut bytes = std::fs::read(&path).unwrap();
    let page = bytes.len() / 4096 * 3 / 4 * 4096;
    bytes[page + 40..page + 80].fill(0xee);
    std::fs::write(&path, &bytes).unwrap();
    let (device, _) = FieldDevice::open(dir.path(), ports()).unwrap();
    assert_eq!(device.fsck(&mut unwatched).unwrap_err().code(), "db_damaged");
    drop(device);
    let (device, start) = FieldDevice::open(dir.path(), ports()).unwrap();
    let salvage = start.salvage.unwrap();
    assert!(salvage.operations > 40, "{salvage:?}");
    // The page stands there as it was found, for whoever can read more out of it.
    let kept = std::fs::read(salvage.aside.join(DATABASE)).unwrap();
    assert!(kept[page..page + 4096] == bytes[page..page + 4096]);
    assert_eq!(device.officers().len(), 2);
    device
        .set_draft(inspection, "inspection/remark", &Value::text("继续"))
        .unwrap();
    device.commit(inspection).unwrap();
}

#[test]
fn every_code_of_a_device_error_has_its_sentence() {
    let sources = [
        include_str!("mod.rs"),
        include_str!("capture.rs"),
        include_str!("card.rs"),
        include_str!("documents.rs"),
        include_str!("drafts.rs"),
        include_str!("enrolment.rs"),
        include_str!("error.rs"),
        include_str!("people.rs"),
        include_str!("fsck.rs"),
        include_str!("rescue.rs"),
        include_str!("rescue_reader.rs"),
        include_str!("status.rs"),
    ];
    let mut codes = 0;
    for source in sources {
        for start in [
            "DeviceError::new(\"",
            "DeviceError::text(\"",
            "Self::new(\"",
            "Self::text(\"",
        ] {
            for rest in source.split(start).skip(1) {
                let code = rest.split('"').next().unwrap();
                assert!(crate::catalogue::exists(code), "{code}");
                codes += 1;
            }
        }
    }
    assert!(codes > 30);
}

#[test]
fn a_proof_of_enrolment_is_bound_to_its_purpose() {
    let dir = tempfile::tempdir().unwrap();
    let device = FieldDevice::create(dir.path(), &card_text("supervisor"), Suite::Ed25519, None, ports()).unwrap();
    let request = device.enrolment().unwrap();
    assert_eq!(device.identity().role, crate::keyring::Role::Supervisor);
    // The same bytes under an operation's type are no signature.
    assert!(request.operation.verify(dsse::OPERATION, b"", &request.proof).is_err());
}
