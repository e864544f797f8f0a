//! Who may read an original: who is named in its case, and who holds it already. To know a hash opens nothing.

use fieldseal_proof::cbor::Value;
use fieldseal_proof::encoding::base64;
use fieldseal_proof::hash::sha256;
use fieldseal_proof::ids::{CaseId, DeviceId};
use fieldseal_proof::suite::Signer;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value as Json, json};

use crate::console_enrolment::{asks_for, publish};
use crate::world::*;

/// Begins an inspection in a case and names devices in it.
fn begin(device: &mut Device, n: u8, named: &[DeviceId]) -> Vec<u8> {
    let named = named.iter().map(|id| Value::bytes(id.as_bytes())).collect();
    let fields = vec![
        ("inspection/device".into(), Value::Array(named)),
        ("party/name".into(), Value::text("甲")),
    ];
    device.write("inspection.begin", Some(case(n)), fields).frame()
}

/// Names a file as evidence of a case, or of none.
fn seal(device: &mut Device, of: Option<u8>, data: &[u8]) -> Vec<u8> {
    let fields = vec![(format!("evidence/{}/sha256", case(90)), Value::bytes(sha256(data)))];
    device.write("evidence.seal", of.map(case), fields).frame()
}

async fn create(world: &World, device: &Device, hash: &str, size: usize, more: &str) -> Response {
    let metadata = format!("sha256 {}{more}", base64(hash.as_bytes()));
    let request = world
        .ask(Method::POST, "/v1/uploads", &device.token)
        .header("tus-resumable", "1.0.0");
    let request = request
        .header("upload-length", size)
        .header("upload-metadata", metadata);
    request.send().await.unwrap()
}

async fn patch(world: &World, device: &Device, place: &str, data: &[u8]) -> StatusCode {
    let request = world
        .ask(Method::PATCH, place, &device.token)
        .header("tus-resumable", "1.0.0");
    let request = request
        .header("upload-offset", 0)
        .header("content-type", "application/offset+octet-stream");
    request.body(data.to_vec()).send().await.unwrap().status()
}

async fn upload(world: &World, device: &Device, data: &[u8], more: &str) {
    let answer = create(world, device, &hex::encode(sha256(data)), data.len(), more).await;
    assert_eq!(answer.status(), 201);
    let place = answer.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(patch(world, device, &place, data).await, 204);
}

async fn get(world: &World, token: &str, hash: &str) -> StatusCode {
    let path = format!("/v1/blobs/{hash}");
    world.ask(Method::GET, &path, token).send().await.unwrap().status()
}

async fn receipt(world: &World, token: &str, hash: &str) -> StatusCode {
    let path = format!("/v1/blobs/{hash}/receipt");
    world.ask(Method::GET, &path, token).send().await.unwrap().status()
}

async fn missing(world: &World, device: &Device, hash: &str) -> Json {
    let asked = json!({ "sha256": [hash] });
    let request = world.ask(Method::POST, "/v1/blobs/have", &device.token).json(&asked);
    world.json(request).await.1["missing"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_original_is_read_by_its_case_and_not_by_whoever_names_its_hash() {
    let mut world = World::new();
    let mut owner = world.device(10, "tablet").await;
    let mut thief = world.device(11, "tablet").await;
    let mut accomplice = world.device(12, "tablet").await;
    let mut second = world.device(13, "tablet").await;
    let supervisor = world.device(14, "supervisor").await;
    let data = vec![7; 70_000];
    let hash = hex::encode(sha256(&data));
    let (both, pair, alone) = ([owner.id, second.id], [thief.id, accomplice.id], [thief.id]);
    let opened = second.open();
    assert_eq!(world.push(&second, &[opened]).await.0, 200);
    let frames = [
        owner.open(),
        begin(&mut owner, 7, &both),
        seal(&mut owner, Some(7), &data),
    ];
    assert_eq!(world.push(&owner, &frames).await.0, 200);
    upload(&world, &owner, &data, "").await;

    // The thief knows the hash: it names it in a case of its own, in the foreign one (naming itself there), and in none.
    let frames = [
        thief.open(),
        begin(&mut thief, 8, &pair),
        seal(&mut thief, Some(8), &data),
        begin(&mut thief, 7, &alone),
        seal(&mut thief, Some(7), &data),
        seal(&mut thief, None, &data),
    ];
    assert_eq!(world.push(&thief, &frames).await.0, 200);
    // An accomplice in the same case names it too.
    let frames = [accomplice.open(), seal(&mut accomplice, Some(8), &data)];
    assert_eq!(world.push(&accomplice, &frames).await.0, 200);
    let _ = world.feed(&owner, &mut String::new()).await;
    for stranger in [&thief, &accomplice] {
        assert_eq!(get(&world, &stranger.token, &hash).await, 404);
        assert_eq!(
            receipt(&world, &stranger.token, &hash).await,
            404,
            "nor whether it is here"
        );
        assert_eq!(missing(&world, stranger, &hash).await, json!([hash]));
    }
    // Naming it again as an upload gives nothing away, and no upload ends without the bytes.
    let answer = create(&world, &thief, &hash, data.len(), "").await;
    assert_eq!(answer.status(), 201);
    let place = answer.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(patch(&world, &thief, &place, &vec![8; 70_000]).await, 460);
    assert_eq!(
        create(&world, &thief, &hash, 0, "").await.status(),
        460,
        "an empty file is not it"
    );
    assert_eq!(get(&world, &thief.token, &hash).await, 404);

    let admin = world.admin_token();
    assert_eq!(
        get(&world, &admin, &hash).await,
        403,
        "an administrator reads no evidence"
    );
    assert_eq!(receipt(&world, &admin, &hash).await, 403);
    for reader in [&owner, &second, &supervisor] {
        assert_eq!(get(&world, &reader.token, &hash).await, 200, "{}", reader.role);
        assert_eq!(receipt(&world, &reader.token, &hash).await, 200, "{}", reader.role);
    }
    // What no case holds is for who sent it.
    let loose = b"named in no case".to_vec();
    let frame = seal(&mut owner, None, &loose);
    assert_eq!(world.push(&owner, &[frame]).await.0, 200);
    upload(&world, &owner, &loose, "").await;
    let loose = hex::encode(sha256(&loose));
    assert_eq!(get(&world, &owner.token, &loose).await, 200);
    for reader in [&second.token, &supervisor.token] {
        assert_eq!(get(&world, reader, &loose).await, 404);
    }
    world.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_the_same_bytes_holds_them_and_they_are_kept_once() {
    let mut world = World::new();
    let mut first = world.device(10, "tablet").await;
    let mut other = world.device(11, "tablet").await;
    let supervisor = world.device(12, "supervisor").await;
    let data = vec![9; 5_000];
    let hash = hex::encode(sha256(&data));
    for device in [&mut first, &mut other] {
        let frames = [device.open(), seal(device, None, &data)];
        assert_eq!(world.push(device, &frames).await.0, 200);
    }
    upload(&world, &first, &data, "").await;
    assert_eq!(missing(&world, &first, &hash).await, json!([]));
    assert_eq!(missing(&world, &other, &hash).await, json!([hash]));
    // The supervisor hands in the other's rescue file: the other need not send it again.
    let of_other = format!(",for {}", base64(other.id.to_string().as_bytes()));
    upload(&world, &supervisor, &data, &of_other).await;
    assert_eq!(missing(&world, &other, &hash).await, json!([]));
    assert_eq!(get(&world, &other.token, &hash).await, 200);
    assert_eq!(
        read(create(&world, &supervisor, &hash, data.len(), &of_other).await)
            .await
            .1["code"],
        "already_done"
    );
    // A tablet cannot have another named as the holder.
    let answer = create(
        &world,
        &other,
        &hash,
        data.len(),
        &format!(",for {}", base64(first.id.to_string().as_bytes())),
    )
    .await;
    assert_eq!(answer.status(), 409, "it is read as its own upload");
    let objects = walk(&world.dir().join("blobs/objects"));
    assert_eq!(objects, 1);
    world.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_upload_is_only_the_empty_file() {
    let mut world = World::new();
    let mut device = world.device(10, "tablet").await;
    let frames = [
        device.open(),
        seal(&mut device, None, b"not empty"),
        seal(&mut device, None, b""),
    ];
    assert_eq!(world.push(&device, &frames).await.0, 200);
    let (full, empty) = (hex::encode(sha256(b"not empty")), hex::encode(sha256(b"")));
    assert_eq!(create(&world, &device, &full, 0, "").await.status(), 460);
    assert_eq!(
        missing(&world, &device, &full).await,
        json!([full]),
        "the true file may still come"
    );
    assert_eq!(create(&world, &device, &empty, 0, "").await.status(), 201);
    assert_eq!(missing(&world, &device, &empty).await, json!([]));
    upload(&world, &device, b"not empty", "").await;
    world.fsck();
}

fn walk(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { walk(&path) } else { 1 }).sum()
}

/// The cases of what a device is sent from its cursor on, each once.
async fn cases_sent(world: &World, device: &Device, cursor: &mut String) -> Vec<CaseId> {
    let sent = world.feed(device, cursor).await;
    let mut cases: Vec<CaseId> = sent
        .iter()
        .filter_map(|(_, operation)| operation.header().case)
        .collect();
    cases.sort_unstable();
    cases.dedup();
    cases
}

/// An officer who goes on with another tablet finds there what names the officer alone, also what came before; the tablet that was
/// left reads none of it once the key on it is revoked.
#[tokio::test(flavor = "multi_thread")]
async fn an_officer_finds_the_cases_on_the_next_tablet_and_leaves_none_open_on_the_last() {
    let mut world = World::new();
    let (mut old, mut new) = (world.device(10, "tablet").await, world.device(11, "tablet").await);
    let mut supervisor = world.device(12, "supervisor").await;
    for device in [&mut old, &mut new, &mut supervisor] {
        let open = device.open();
        assert_eq!(world.push(device, &[open]).await.0, 200);
    }
    let assigned = async |world: &World, supervisor: &mut Device, n: u8| {
        let named = vec![
            ("inspection/officer".to_owned(), Value::bytes([60; 16])),
            ("party/name".to_owned(), Value::text("红星五金厂")),
        ];
        let frame = supervisor.write("inspection.assign", Some(case(n)), named).frame();
        assert_eq!(world.push(supervisor, &[frame]).await.0, 200);
        // Folded once the feed has it.
        world.feed(supervisor, &mut String::new()).await;
    };
    asks_for(&world, &old, 60, 60, "何青川").await;
    world.approve_all().await;
    assigned(&world, &mut supervisor, 51).await;
    let (mut at_old, mut at_new) = (String::new(), String::new());
    assert_eq!(cases_sent(&world, &old, &mut at_old).await, [case(51)]);
    assert_eq!(cases_sent(&world, &new, &mut at_new).await, []);

    // The next tablet gets the case with the approval, although nothing else arrives; nobody gets anything twice.
    asks_for(&world, &new, 60, 61, "何青川").await;
    world.approve_all().await;
    assert_eq!(cases_sent(&world, &new, &mut at_new).await, [case(51)]);
    assert_eq!(cases_sent(&world, &new, &mut at_new).await, []);
    assert_eq!(cases_sent(&world, &old, &mut at_old).await, []);

    let frame = world.revoke(ed(60).public().key_id());
    publish(&world, frame).await;
    assigned(&world, &mut supervisor, 52).await;
    assert_eq!(cases_sent(&world, &old, &mut at_old).await, []);
    assert_eq!(
        cases_sent(&world, &old, &mut String::new()).await,
        [],
        "nor from the beginning"
    );
    assert_eq!(cases_sent(&world, &new, &mut at_new).await, [case(52)]);
    // Back on the first with another key: what was missed there comes.
    asks_for(&world, &old, 60, 62, "何青川").await;
    world.approve_all().await;
    assert!(cases_sent(&world, &old, &mut at_old).await.contains(&case(52)));
    // A cursor of an earlier program says nothing of the key log: it is taken, and what its officers may lack comes once more.
    let earlier = at_new.split('.').take(5).collect::<Vec<_>>().join(".");
    assert_eq!(
        cases_sent(&world, &new, &mut earlier.clone()).await,
        [case(51), case(52)]
    );
    world.fsck();
}
