//! Pushes: honest, repeated, forked, gapped, broken, not permitted. Nothing signed is lost, nothing breaks the server.

use std::collections::BTreeMap;

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::*;
use fieldseal_proof::operation::{Operation, RequiredSigner};
use fieldseal_proof::receipt::BatchReceipt;
use fieldseal_testkit::Draft;
use reqwest::Method;
use serde_json::json;

use crate::console_act::publish;
use crate::world::*;

#[tokio::test(flavor = "multi_thread")]
async fn fifty_identical_pushes_at_once_are_one_row_and_one_receipt() {
    let mut world = World::new();
    let mut device = world.device(10, "tablet").await;
    let mut frames = vec![device.open()];
    for i in 0..39 {
        frames.push(device.note(&format!("note {i}")));
    }
    let answers = futures_util::future::join_all((0..50).map(|_| world.push(&device, &frames))).await;
    for (status, answer) in &answers {
        assert_eq!(*status, 200, "{answer}");
        assert_eq!(answer["head"]["seq"], 39);
        assert_eq!(answer["receipt"], answers[0].1["receipt"]);
    }
    let accepted = answers
        .iter()
        .filter(|(_, a)| a["results"][0]["outcome"] == "accepted")
        .count();
    assert_eq!(accepted, 1);
    let receipt = fieldseal_proof::encoding::from_base64(answers[0].1["receipt"].as_str().unwrap()).unwrap();
    let receipt = BatchReceipt::peek(&receipt).unwrap();
    assert_eq!(
        (receipt.first_seq, receipt.last_seq, receipt.link),
        (0, 39, device.prev)
    );
    let seen = world.feed(&device, &mut String::new()).await;
    assert_eq!(seen.iter().filter(|(_, o)| o.header().device == device.id).count(), 40);
    world.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_is_kept_and_healed_when_it_fills() {
    let mut world = World::new();
    let mut device = world.device(10, "tablet").await;
    let frames: Vec<Vec<u8>> = [device.open(), device.note("1"), device.note("2"), device.note("3")].into();
    assert_eq!(world.push(&device, &frames[..1]).await.0, 200);
    let (status, beyond) = world.push(&device, &frames[3..]).await;
    assert_eq!(
        (
            status.as_u16(),
            &beyond["results"][0]["outcome"],
            &beyond["head"]["seq"]
        ),
        (200, &json!("accepted"), &json!(0))
    );
    let gap = world.dispositions(&device).await;
    assert_eq!(
        gap.iter().map(|d| (d.1.as_str(), d.2.as_str())).collect::<Vec<_>>(),
        [("quarantined", "gap")]
    );
    let (_, filled) = world.push(&device, &frames[1..3]).await;
    assert_eq!(filled["head"]["seq"], 3);
    let healed = world.dispositions(&device).await;
    assert_eq!(healed.last().map(|d| (d.0, d.1.as_str())), Some((gap[0].0, "released")));
    world.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_broken_ends_the_batch_and_what_came_before_is_kept() {
    let mut world = World::new();
    let mut device = world.device(10, "tablet").await;
    let (open, note) = (device.open(), device.note("x"));
    let cut = note[..note.len() - 5].to_vec();
    let (status, answer) = world.push(&device, &[open.clone(), cut]).await;
    assert_eq!(
        (status.as_u16(), &answer["code"], &answer["head"]["seq"]),
        (422, &json!("frame_malformed"), &json!(0))
    );
    let mut flipped = note.clone();
    let place = flipped.windows(4).position(|w| w == b"test").unwrap();
    flipped[place] ^= 1;
    let (status, answer) = world.push(&device, &[flipped]).await;
    assert_eq!((status.as_u16(), &answer["code"]), (422, &json!("frame_signature")));
    let (status, answer) = world.push(&device, &[note.clone(), open]).await;
    assert_eq!(
        (status.as_u16(), &answer["code"], &answer["head"]["seq"]),
        (422, &json!("frame_chain"), &json!(1))
    );
    let (status, answer) = world.push(&device, &[vec![0xff; 300]]).await;
    assert_eq!((status.as_u16(), &answer["code"]), (422, &json!("frame_malformed")));
    // A byte string that claims ten megabytes, and a body that has them.
    let (status, _) = world.push(&device, &[vec![0x5a, 0x00, 0x98, 0x96, 0x80]]).await;
    assert_eq!(status, 422);
    let big = world
        .ask(
            Method::POST,
            &format!("/v1/log/{}/{}", device.id, device.incarnation),
            &device.token,
        )
        .body(vec![0; 10 << 20]);
    assert!(big.send().await.map_or(true, |r| r.status() == 413));
    // Still alive, still right.
    assert_eq!(
        world.push(&device, &[note]).await.1["results"][0]["outcome"],
        "duplicate"
    );
    world.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_writes_for_another_and_wrong_tokens_open_nothing() {
    let mut world = World::new();
    let mut first = world.device(10, "tablet").await;
    let mut second = world.device(11, "tablet").await;
    let stolen = Device {
        token: second.token.clone(),
        ..first.clone()
    };
    let frame = first.open();
    assert_eq!(world.push(&stolen, std::slice::from_ref(&frame)).await.0, 403);
    let under_its_own_name = second.clone();
    assert_eq!(
        world.push(&under_its_own_name, std::slice::from_ref(&frame)).await.1["code"],
        "frame_malformed"
    );
    for token in ["", "x", &"0".repeat(64), &"y".repeat(5000)] {
        let (status, answer) = world.json(world.ask(Method::GET, "/v1/feed", token)).await;
        assert_eq!((status.as_u16(), &answer["code"]), (401, &json!("unauthorized")));
    }
    for path in ["/v1/cases", "/v1/admin/devices"] {
        assert_eq!(
            world.json(world.ask(Method::GET, path, &second.token)).await.0,
            403,
            "{path}"
        );
    }
    // A rescue file: a supervisor hands in what a tablet signed.
    let supervisor = world.device(12, "supervisor").await;
    let handed = Device {
        token: supervisor.token.clone(),
        ..first.clone()
    };
    assert_eq!(world.push(&handed, &[frame]).await.0, 200);
    let _ = second.open();
    let (status, answer) = world.json(world.client.get(format!("{}/v1/no/such", world.url))).await;
    assert_eq!((status.as_u16(), &answer["code"]), (404, &json!("no_such_page")));
}

#[tokio::test(flavor = "multi_thread")]
async fn meaning_is_judged_afterwards_and_settled_by_a_signed_decision() {
    let mut world = World::new();
    let mut tablet = world.device(10, "tablet").await;
    let mut stranger = world.device(11, "tablet").await;
    let mut supervisor = world.device(12, "supervisor").await;
    let begin = |device: &mut Device| {
        let fields = vec![
            (
                "inspection/device".into(),
                Value::Array(vec![Value::bytes(device.id.as_bytes())]),
            ),
            ("party/name".into(), Value::text("某化工厂")),
        ];
        device.write("inspection.begin", Some(case(7)), fields).frame()
    };
    let frames = [tablet.open(), begin(&mut tablet)];
    assert_eq!(world.push(&tablet, &frames).await.0, 200);
    let open = stranger.open();
    let foreign = stranger.write(
        "note.record",
        Some(case(7)),
        vec![("note/a/text".into(), Value::text("who am I"))],
    );
    let (status, _) = world.push(&stranger, &[open, foreign.frame()]).await;
    assert_eq!(status, 200);
    let strange = stranger.write("from.the.future", None, vec![("x/y".into(), Value::Uint(1))]);
    let power = stranger.write(
        "quarantine.decide",
        None,
        vec![("decide/state".into(), Value::text("released"))],
    );
    let orphan = stranger.write(
        "note.record",
        Some(case(99)),
        vec![("note/b/text".into(), Value::text("no such case yet"))],
    );
    assert_eq!(
        world
            .push(&stranger, &[strange.frame(), power.frame(), orphan.frame()])
            .await
            .0,
        200
    );
    let seen = world.dispositions(&stranger).await;
    // Which case is judged first is nobody's promise.
    let reasons: BTreeMap<OpId, &str> = seen.iter().map(|d| (d.0, d.2.as_str())).collect();
    let expected = [
        (foreign.id(), "not_permitted"),
        (strange.id(), "unknown_kind"),
        (power.id(), "not_permitted"),
        (orphan.id(), "missing_dependency"),
    ];
    assert_eq!((seen.len(), reasons), (4, BTreeMap::from(expected)));
    let (_, view) = world
        .json(world.ask(Method::GET, &format!("/v1/cases/{}", case(7)), &supervisor.token))
        .await;
    assert_eq!(view["quarantine"][0]["reason"], "not_permitted");
    assert!(
        !view["fields"]
            .as_array()
            .unwrap()
            .iter()
            .any(|f| f["path"] == "note/a/text")
    );
    // The supervisor releases the stranger's note, and names it in the case that nobody knew.
    let fields = vec![
        ("decide/reason".into(), Value::text("he was there")),
        ("decide/state".into(), Value::text("released")),
        ("decide/target".into(), Value::bytes(foreign.id().as_bytes())),
    ];
    let decide = [
        supervisor.open(),
        supervisor.write("quarantine.decide", Some(case(7)), fields).frame(),
    ];
    assert_eq!(world.push(&supervisor, &decide).await.0, 200);
    let assign = vec![(
        "inspection/device".into(),
        Value::Array(vec![Value::bytes(stranger.id.as_bytes())]),
    )];
    let assign = supervisor.write("inspection.assign", Some(case(99)), assign).frame();
    assert_eq!(world.push(&supervisor, &[assign]).await.0, 200);
    let seen = world.dispositions(&stranger).await;
    let released: Vec<OpId> = seen.iter().filter(|d| d.1 == "released").map(|d| d.0).collect();
    assert_eq!(released, [foreign.id(), orphan.id()]);
    let (_, view) = world
        .json(world.ask(Method::GET, &format!("/v1/cases/{}", case(7)), &supervisor.token))
        .await;
    assert!(
        view["fields"]
            .as_array()
            .unwrap()
            .iter()
            .any(|f| f["path"] == "note/a/text")
    );
    let (_, cases) = world
        .json(world.ask(Method::GET, "/v1/cases?query=%E5%8C%96%E5%B7%A5", &supervisor.token))
        .await;
    assert_eq!(cases["items"].as_array().unwrap().len(), 1);
    world.fsck();
    let report = world.command(&["fsck", "--dir", world.dir().to_str().unwrap(), "--rebuild"]);
    assert_eq!(report["findings"], json!([]));
}

/// A tablet that leaves out of the header whom the pack asks for would have a verifier, who has no pack, see one officer as enough.
#[tokio::test(flavor = "multi_thread")]
async fn a_header_without_the_signers_of_its_pack_is_set_aside_and_a_supervisor_may_take_it() {
    let mut world = World::new();
    let mut tablet = world.device(10, "tablet").await;
    let mut supervisor = world.device(12, "supervisor").await;
    let pack = publish(&world, "cn-work-safety").await;
    let begin = vec![(
        "inspection/device".into(),
        Value::Array(vec![Value::bytes(tablet.id.as_bytes())]),
    )];
    let begun = [
        tablet.open(),
        tablet.write("inspection.begin", Some(case(7)), begin).frame(),
    ];
    assert_eq!(world.push(&tablet, &begun).await.0, 200);
    let mut said = |kind: &str, path: &str, value: &str, signers: &[&str], pack: Option<PackHash>| {
        tablet.author.seal(Draft {
            kind: kind.into(),
            case: Some(case(7)),
            fields: vec![(path.into(), Value::text(value))],
            at_ms: 1_700_000_000_000,
            pack,
            signers: signers
                .iter()
                .map(|role| RequiredSigner::Role((*role).into()))
                .collect(),
            ..Draft::default()
        })
    };
    let (shown, issued) = ("credentials/c/shown_to", "document/d/type");
    let kind = "inspection_record";
    let sound = [
        said("credentials.show", shown, "钱守业", &["second_officer"], Some(pack)),
        said(
            "document.issue",
            issued,
            kind,
            &["officer", "second_officer"],
            Some(pack),
        ),
        // Nobody asks for anything: no such document in the pack, or no pack at all.
        said("document.issue", issued, "no such document", &[], Some(pack)),
        said("credentials.show", shown, "钱守业", &[], None),
        said("note.record", "note/a/text", "x", &[], Some(pack)),
    ];
    let lacking = [
        said("credentials.show", shown, "钱守业", &[], Some(pack)),
        said("document.issue", issued, kind, &["officer"], Some(pack)),
    ];
    let frames: Vec<Vec<u8>> = sound.iter().chain(&lacking).map(Operation::frame).collect();
    let (status, answer) = world.push(&tablet, &frames).await;
    assert_eq!(status, 200, "{answer}");
    let taken = answer["results"].as_array().unwrap();
    assert!(
        taken.len() == 7 && taken.iter().all(|one| one["outcome"] == "accepted"),
        "{answer}"
    );
    let seen = world.dispositions(&tablet).await;
    let reasons: BTreeMap<OpId, (&str, &str)> = seen.iter().map(|d| (d.0, (d.1.as_str(), d.2.as_str()))).collect();
    let aside = |n: usize| (lacking[n].id(), ("quarantined", "signers"));
    assert_eq!((seen.len(), reasons), (2, BTreeMap::from([aside(0), aside(1)])));
    let decide = vec![
        ("decide/reason".into(), Value::text("an older program")),
        ("decide/state".into(), Value::text("released")),
        ("decide/target".into(), Value::bytes(lacking[0].id().as_bytes())),
    ];
    let decide = [
        supervisor.open(),
        supervisor.write("quarantine.decide", Some(case(7)), decide).frame(),
    ];
    assert_eq!(world.push(&supervisor, &decide).await.0, 200);
    let last = world.dispositions(&tablet).await.pop().unwrap();
    assert_eq!((last.0, last.1.as_str()), (lacking[0].id(), "released"));
    world.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_gets_its_scope_and_what_was_before_it_was_named() {
    let mut world = World::new();
    let mut first = world.device(10, "tablet").await;
    let mut second = world.device(11, "tablet").await;
    let begin = vec![("inspection/device".into(), Value::bytes(first.id.as_bytes()))];
    let mut frames = vec![
        first.open(),
        first.write("inspection.begin", Some(case(7)), begin).frame(),
    ];
    for i in 0..60 {
        let fields = vec![(format!("finding/{i}/text"), Value::text("通道堵塞".repeat(30)))];
        frames.push(first.write("finding.record", Some(case(7)), fields).frame());
    }
    assert_eq!(world.push(&first, &frames).await.0, 200);
    let mut cursor = String::new();
    let seen = world.feed(&second, &mut cursor).await;
    assert!(
        seen.iter().all(|(_, o)| o.header().case.is_none()),
        "not named: registry only"
    );
    let name = vec![("inspection/device".into(), Value::bytes(second.id.as_bytes()))];
    let more = first
        .write(
            "note.record",
            Some(case(7)),
            vec![("note/z/text".into(), Value::text("after"))],
        )
        .frame();
    let mut supervisor = world.device(12, "supervisor").await;
    let frames = [
        supervisor.open(),
        supervisor.write("inspection.assign", Some(case(7)), name).frame(),
    ];
    assert_eq!(world.push(&supervisor, &frames).await.0, 200);
    assert_eq!(world.push(&first, &[more]).await.0, 200);
    let seen = world.feed(&second, &mut cursor).await;
    let of_case = seen.iter().filter(|(_, o)| o.header().case == Some(case(7))).count();
    assert_eq!(of_case, 1 + 60 + 1 + 1, "what was before it was named comes too, once");
    let all = world.feed(&supervisor, &mut String::new()).await;
    assert!(all.windows(2).all(|pair| pair[0].0 < pair[1].0), "log order");
    let _ = second.open();
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_keys_still_hand_in_and_a_spoiled_body_is_set_aside() {
    let mut world = World::new();
    let mut device = world.device(10, "tablet").await;
    let good = device.open();
    let note = device.write("note.record", None, vec![("note/a/text".into(), Value::text("x"))]);
    let other = device.clone().write(
        "note.record",
        None,
        vec![("note/a/text".into(), Value::text("another"))],
    );
    // The envelope of one operation around the body of another.
    let spoiled = fieldseal_proof::cbor::MapWriter::default()
        .put(0, Value::bytes(note.header_bytes()))
        .put(1, Value::bytes(note.signature()))
        .put(2, Value::bytes(other.body().unwrap().encode()))
        .encode();
    assert_eq!(world.push(&device, &[good, spoiled]).await.0, 200);
    let frame = world.revoke(ed_key(10));
    assert_eq!(
        world
            .json(
                world
                    .ask(Method::POST, "/v1/admin/key-log", &world.admin_token())
                    .body(frame)
            )
            .await
            .0,
        200
    );
    let late = device.note("after revocation");
    assert_eq!(world.push(&device, &[late]).await.0, 200);
    let reader = world.device(12, "supervisor").await;
    let reasons: Vec<String> = world.dispositions(&reader).await.into_iter().map(|d| d.2).collect();
    assert_eq!(reasons, ["bad_body", "revoked"]);
    // A wrong entry is refused by name and changes nothing.
    let mut wrong = world.ceremony.frames().concat();
    let last = wrong.len() - 1;
    wrong[last] ^= 1;
    let (status, answer) = world
        .json(
            world
                .ask(Method::POST, "/v1/admin/key-log", &world.admin_token())
                .body(wrong),
        )
        .await;
    assert_eq!((status.as_u16(), &answer["code"]), (422, &json!("key_log_refused")));
    world.fsck();
}

fn ed_key(n: u8) -> KeyId {
    use fieldseal_proof::suite::Signer;
    ed(n).public().key_id()
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_are_used_once_and_the_proof_of_the_key_counts() {
    let world = World::new();
    let invite = world
        .ask(Method::POST, "/v1/admin/invitations", &world.admin_token())
        .json(&json!({ "kind": "tablet", "label": "x" }));
    let code = world.json(invite).await.1["code"].as_str().unwrap().to_owned();
    let post = |body: serde_json::Value| world.json(world.client.post(format!("{}/v1/enrol", world.url)).json(&body));
    let mut forged = Device::new(30, "tablet").enrolment(&code);
    forged["proof"] = Device::new(31, "tablet").enrolment(&code)["proof"].clone();
    assert_eq!(post(forged).await.1["code"], "proof_of_key");
    let mut raised = Device::new(30, "tablet").enrolment(&code);
    raised["role"] = json!("supervisor");
    assert_eq!(post(raised).await.1["code"], "code_unknown");
    let (status, first) = post(Device::new(30, "tablet").enrolment(&code)).await;
    assert_eq!(status, 200);
    let (status, again) = post(Device::new(30, "tablet").enrolment(&code)).await;
    assert_eq!(
        (status.as_u16(), &again["request"]),
        (200, &first["request"]),
        "a lost answer can be asked for again"
    );
    assert_eq!(
        post(Device::new(31, "tablet").enrolment(&code)).await.1["code"],
        "code_unknown"
    );
    assert_eq!(post(json!({ "kind": "device" })).await.1["code"], "bad_request");
}

/// Found by the simulation: what a supervisor takes in has the effects that it would have had by itself.
#[tokio::test(flavor = "multi_thread")]
async fn an_opening_that_a_supervisor_takes_in_names_its_people() {
    let mut world = World::new();
    let mut tablet = world.device(10, "tablet").await;
    let mut supervisor = world.device(12, "supervisor").await;
    let open = tablet.open();
    let begin = tablet.author.seal(Draft {
        kind: "inspection.begin".into(),
        case: Some(case(7)),
        fields: vec![("inspection/title".into(), Value::text("x"))],
        at_ms: 1_700_000_000_000,
        pack: Some(PackHash::from_bytes([9; 32])),
        ..Draft::default()
    });
    let note = tablet.write(
        "note.record",
        Some(case(7)),
        vec![("note/a/text".into(), Value::text("y"))],
    );
    assert_eq!(world.push(&tablet, &[open, begin.frame(), note.frame()]).await.0, 200);
    let standing = async |world: &World| -> BTreeMap<OpId, (String, String)> {
        let said = world.dispositions(&tablet).await;
        said.into_iter().map(|d| (d.0, (d.1, d.2))).collect()
    };
    let said = standing(&world).await;
    assert_eq!(
        (said[&begin.id()].1.as_str(), said[&note.id()].1.as_str()),
        ("unknown_pack", "missing_dependency")
    );
    let decide = vec![
        ("decide/reason".into(), Value::text("the pack was withdrawn")),
        ("decide/state".into(), Value::text("released")),
        ("decide/target".into(), Value::bytes(begin.id().as_bytes())),
    ];
    let decide = [
        supervisor.open(),
        supervisor.write("quarantine.decide", Some(case(7)), decide).frame(),
    ];
    assert_eq!(world.push(&supervisor, &decide).await.0, 200);
    let said = standing(&world).await;
    assert_eq!(
        (said[&begin.id()].0.as_str(), said[&note.id()].0.as_str()),
        ("released", "released")
    );
    world.fsck();
}
