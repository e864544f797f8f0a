//! A device that signs two histories: both are kept, each copy learns of its own, and the proof stands alone.

use fieldseal_proof::cbor::Value;
use fieldseal_proof::encoding::from_base64;
use fieldseal_proof::fork::{Fork, ForkError, ForkProof};
use fieldseal_proof::ids::*;
use fieldseal_proof::operation::Operation;
use fieldseal_proof::receipt::{BatchReceipt, IndexReceipt};
use fieldseal_proof::suite::Signer;
use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};

use crate::world::*;

/// A device and its copy after each wrote something else behind the same first operation: one note, and two.
async fn forked(world: &mut World) -> (Device, Device, [Vec<u8>; 2]) {
    let mut device = world.device(10, "tablet").await;
    let open = device.open();
    let mut copy = device.clone();
    let first = device.note("one");
    let second = [copy.note("two"), copy.note("three")];
    assert_eq!(world.push(&device, &[open, first]).await.0, 200);
    let (status, answer) = world.push(&device, &second).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["results"][1]["outcome"], "forked");
    assert_eq!(answer["head"]["link"], device.prev.to_string());
    (device, copy, second)
}

fn fork_of(answer: &Json) -> Option<u64> {
    let receipt = from_base64(answer["receipt"].as_str().unwrap()).unwrap();
    BatchReceipt::peek(&receipt).unwrap().fork.map(|(seq, _)| seq)
}

#[tokio::test(flavor = "multi_thread")]
async fn both_branches_of_a_fork_are_kept_and_shown() {
    let mut world = World::new();
    let (device, _, second) = forked(&mut world).await;
    // Pushed again, as by a tablet that died before it understood, the branch says so again.
    let (_, again) = world.push(&device, &second).await;
    assert_eq!(again["results"][1]["outcome"], "duplicate");
    assert_eq!(fork_of(&again), Some(1));
    let reasons: Vec<String> = world.dispositions(&device).await.into_iter().map(|d| d.2).collect();
    assert_eq!(reasons, ["fork", "fork"]);
    let (_, devices) = world
        .json(world.ask(Method::GET, "/v1/admin/devices", &world.admin_token()))
        .await;
    assert!(devices["items"].as_array().unwrap().iter().any(|d| d["forks"] == 1));
    world.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_copy_is_told_where_its_own_branch_lies_in_the_log() {
    let mut world = World::new();
    let (mut device, copy, _) = forked(&mut world).await;
    let ours = device.prev;
    let more = device.note("four");
    assert_eq!(world.push(&device, &[more]).await.0, 200);
    world.dispositions(&device).await;
    let asked = async |query: String| {
        let path = format!("/v1/log/{}/{}/receipts?{query}", device.id, device.incarnation);
        let answer = world.ask(Method::GET, &path, &device.token).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        IndexReceipt::decode(&answer.bytes().await.unwrap()).unwrap().runs
    };
    let seqs = |runs: &[(u64, u64, u64)]| -> Vec<u64> {
        runs.iter()
            .flat_map(|(_, first, count)| *first..first + count)
            .collect()
    };
    // Before the branches part, whoever asks is told of what is common.
    let open = asked("from=0".into()).await;
    assert_eq!(seqs(&open)[0], 0);
    let main = asked(format!("from=1&link={ours}")).await;
    assert_eq!(seqs(&main), [1, 2]);
    // The copy's operations 1 and 2 came in one push, and stand in the log one behind the other.
    let first_of_copy = {
        let frames = world.feed(&device, &mut String::new()).await;
        let of_copy = |operation: &&Operation| operation.header().device == device.id && operation.link() == copy.prev;
        let last = frames.iter().map(|(_, operation)| operation).find(of_copy).unwrap();
        last.header().prev
    };
    let branch = asked(format!("from=1&link={first_of_copy}")).await;
    assert_eq!(seqs(&branch), [1, 2]);
    assert_ne!(branch[0].0, main[0].0, "another place in the log: {branch:?} {main:?}");
    assert_eq!(
        seqs(&asked("from=1".into()).await),
        [1, 2],
        "without a link: the first branch"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proof_of_a_fork_stands_alone_and_no_byte_of_it_may_change() {
    let mut world = World::new();
    let (device, _, second) = forked(&mut world).await;
    let admin = world.admin_token();
    let (status, forks) = world.json(world.ask(Method::GET, "/v1/forks", &admin)).await;
    assert_eq!(status, StatusCode::OK, "{forks}");
    let [item] = &forks["items"].as_array().unwrap()[..] else {
        panic!("{forks}")
    };
    assert_eq!(
        (&item["device"], &item["seq"], &item["fork"]),
        (&json!(device.id.to_string()), &json!(1), &json!("seq"))
    );
    let path = item["proof"].as_str().unwrap().to_owned();
    let fetch = async |token: &str| world.ask(Method::GET, &path, token).send().await.unwrap();
    assert_eq!(
        fetch(&device.token).await.status(),
        StatusCode::FORBIDDEN,
        "a tablet has no use for it"
    );
    let bytes = fetch(&admin).await.bytes().await.unwrap().to_vec();
    let proof = ForkProof::decode(&bytes).unwrap();
    let shown = proof.verify().unwrap();
    let root = world.keys().root().unwrap().record.key().unwrap();
    assert_eq!(
        (shown.fork, shown.tenant, &shown.root),
        (Fork::Seq, world.keys().tenant(), &root)
    );
    let ids: Vec<OpId> = shown.operations.iter().map(|operation| operation.id()).collect();
    assert_eq!(ids[1], Operation::parse(&second[0]).unwrap().id());
    assert!(shown.operations.iter().all(|operation| operation.body().is_none()));
    // A byte that is changed anywhere is noticed: by the form, by a signature, or because another root stands in it.
    for at in (0..bytes.len()).step_by(3) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let read = ForkProof::decode(&changed).and_then(|proof| proof.verify());
        assert!(read.is_err(), "byte {at} of {}", bytes.len());
    }
    // Two operations that do not contradict each other are no fork, nor is one of them twice.
    let [one, other] = proof.operations.clone();
    for operations in [[one.clone(), one.clone()], [other.clone(), other.clone()]] {
        let same = ForkProof {
            operations,
            ..proof.clone()
        };
        assert_eq!(same.verify().unwrap_err(), ForkError::NoFork);
    }
    let next = Operation::parse(&second[1]).unwrap().with_body(None).unwrap().frame();
    let chained = ForkProof {
        operations: [other, next],
        ..proof.clone()
    };
    assert_eq!(chained.verify().unwrap_err(), ForkError::NoFork);
    let short = ForkProof {
        key_log: proof.key_log[..1].to_vec(),
        ..proof
    };
    assert_eq!(short.verify().unwrap_err(), ForkError::NoKey(0));
    let missing = world
        .ask(Method::GET, &path.replace("/1", "/7"), &admin)
        .send()
        .await
        .unwrap();
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_on_a_branch_has_a_custody_incident_signed_by_the_server() {
    let mut world = World::new();
    let mut device = world.device(10, "tablet").await;
    let laptop = world.device(11, "supervisor").await;
    let open = device.open();
    let begin = device.write("inspection.begin", Some(case(5)), vec![]).frame();
    let mut copy = device.clone();
    let first = device.note("one");
    assert_eq!(world.push(&device, &[open, begin, first]).await.0, 200);
    let piece = EvidenceId::from_bytes([0x51; 16]);
    let hash = Value::bytes([0x77; 32]);
    let sealed = copy
        .write(
            "evidence.seal",
            Some(case(5)),
            vec![(format!("evidence/{piece}/sha256"), hash)],
        )
        .frame();
    assert_eq!(world.push(&device, &[sealed]).await.0, 200);
    let all = world.feed(&laptop, &mut String::new()).await;
    let incidents: Vec<_> = all
        .iter()
        .filter(|(_, one)| one.header().kind == "custody.event")
        .collect();
    let [(_, incident)] = &incidents[..] else {
        panic!("{} incidents", incidents.len())
    };
    assert_eq!(incident.header().case, Some(case(5)));
    let body = incident.body().unwrap();
    let field = |end: &str| {
        let found = body.fields().iter().find(|field| field.path.ends_with(end)).unwrap();
        body.get(&found.path).unwrap()
    };
    assert_eq!(field("/event").as_text(), Some("quarantined"));
    assert_eq!(field("/evidence").as_array().unwrap(), [Value::bytes(piece.as_bytes())]);
    assert!(field("/note").as_text().unwrap().contains(&device.id.to_string()));
    // Views that are rebuilt, and a server that starts again, say it no second time.
    world.stop();
    world.start();
    let again = world.feed(&laptop, &mut String::new()).await;
    assert_eq!(
        again
            .iter()
            .filter(|(_, one)| one.header().kind == "custody.event")
            .count(),
        1
    );
    world.fsck();
}

/// The key of the life that two copies shared is revoked: both go on with keys of their own.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_good_as_long_as_a_key_of_its_device_is_in_force() {
    let mut world = World::new();
    let device = world.device(10, "tablet").await;
    let mut later = Device::new(12, "tablet");
    later.author.device = device.id;
    (later.id, later.token) = (device.id, device.token.clone());
    let asks = world
        .ask(Method::POST, "/v1/enrol", &later.token)
        .json(&later.enrolment(""));
    let (status, answer) = world.json(asks).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    world.approve_all().await;
    for (key, reads) in [(10, StatusCode::OK), (12, StatusCode::UNAUTHORIZED)] {
        let frame = world.revoke(ed(key).public().key_id());
        let post = world
            .ask(Method::POST, "/v1/admin/key-log", &world.admin_token())
            .body(frame);
        assert_eq!(world.json(post).await.0, StatusCode::OK);
        let feed = world.ask(Method::GET, "/v1/feed", &later.token);
        assert_eq!(world.json(feed).await.0, reads, "key {key} is revoked");
    }
}
