//! Evidence bytes: cut at every class of byte, resumed, preempted, damaged.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use fieldseal_proof::cbor::Value;
use fieldseal_proof::encoding::base64;
use fieldseal_proof::hash::sha256;
use futures_util::stream;
use reqwest::{Body, Method, Response};
use serde_json::json;

use crate::world::*;

const CHUNK: usize = 512 * 1024;

/// The seal of a file by its device.
pub fn seal(device: &mut Device, bytes: &[u8]) -> Vec<u8> {
    let fields = vec![(format!("evidence/{}/sha256", device.seq), Value::bytes(sha256(bytes)))];
    device.write("evidence.seal", None, fields).frame()
}

pub async fn named(world: &World, device: &mut Device, bytes: &[u8]) -> String {
    let mut frames = if device.seq == 0 { vec![device.open()] } else { vec![] };
    frames.push(seal(device, bytes));
    assert_eq!(world.push(device, &frames).await.0, 200);
    hex::encode(sha256(bytes))
}

pub async fn create(world: &World, device: &Device, hash: &str, size: usize) -> Response {
    let metadata = format!(
        "sha256 {},media_type {}",
        base64(hash.as_bytes()),
        base64(b"image/jpeg")
    );
    let request = world
        .ask(Method::POST, "/v1/uploads", &device.token)
        .header("tus-resumable", "1.0.0");
    request
        .header("upload-length", size)
        .header("upload-metadata", metadata)
        .send()
        .await
        .unwrap()
}

pub fn patch(
    world: &World,
    device: &Device,
    place: &str,
    offset: usize,
    body: impl Into<Body>,
) -> reqwest::RequestBuilder {
    let request = world
        .ask(Method::PATCH, place, &device.token)
        .header("tus-resumable", "1.0.0");
    request
        .header("upload-offset", offset)
        .header("content-type", "application/offset+octet-stream")
        .body(body)
}

async fn offset(world: &World, device: &Device, place: &str) -> usize {
    let answer = world
        .ask(Method::HEAD, place, &device.token)
        .header("tus-resumable", "1.0.0")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    answer.headers()["upload-offset"].to_str().unwrap().parse().unwrap()
}

pub fn place_of(answer: &Response) -> String {
    assert_eq!(answer.status(), 201);
    answer.headers()["location"].to_str().unwrap().to_owned()
}

fn bytes(size: usize, seed: u8) -> Vec<u8> {
    (0..size)
        .map(|i| (i.wrapping_mul(31).wrapping_add(usize::from(seed)) % 251) as u8)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn cuts_at_every_class_of_byte_resume_also_after_a_kill() {
    let mut world = World::new();
    let mut device = world.device(10, "tablet").await;
    let size = CHUNK * 2 + 777;
    for (round, cut) in [0, 1, 65_535, 65_536, CHUNK - 1, CHUNK, CHUNK + 1, size - 1]
        .into_iter()
        .enumerate()
    {
        let data = bytes(size, round as u8);
        let hash = named(&world, &mut device, &data).await;
        let place = place_of(&create(&world, &device, &hash, size).await);
        // The connection dies after `cut` bytes of a body that promised all of them.
        let part = data[..cut].to_vec();
        let dying = stream::iter([Ok(part), Err(std::io::Error::other("cut"))]);
        let _ = patch(&world, &device, &place, 0, Body::wrap_stream(dying)).send().await;
        if round % 2 == 1 {
            world.kill();
            world.start();
        }
        // The server may still be writing what came; a new writer takes over from what is durable.
        let at = offset(&world, &device, &place).await;
        assert!(at <= cut);
        let mut at = at;
        loop {
            let answer = patch(&world, &device, &place, at, data[at..].to_vec())
                .send()
                .await
                .unwrap();
            if answer.status() == 409 {
                at = offset(&world, &device, &place).await;
                continue;
            }
            assert_eq!(answer.status(), 204);
            break;
        }
        let got = world
            .ask(Method::GET, &format!("/v1/blobs/{hash}"), &device.token)
            .send()
            .await
            .unwrap();
        assert_eq!(got.status(), 200);
        assert_eq!(got.bytes().await.unwrap(), data, "cut at {cut}");
        let range = world
            .ask(Method::GET, &format!("/v1/blobs/{hash}"), &device.token)
            .header("range", "bytes=65530-65545")
            .send()
            .await
            .unwrap();
        assert_eq!(
            (range.status().as_u16(), range.bytes().await.unwrap().to_vec()),
            (206, data[65_530..=65_545].to_vec())
        );
        assert_eq!(
            create(&world, &device, &hash, size).await.status(),
            409,
            "it is here already"
        );
    }
    world.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrived_before_the_connection_died_is_kept() {
    let mut world = World::new();
    let mut device = world.device(10, "tablet").await;
    let data = bytes(3 * CHUNK, 1);
    let hash = named(&world, &mut device, &data).await;
    let place = place_of(&create(&world, &device, &hash, data.len()).await);
    let (tell, told) = tokio::sync::mpsc::channel::<Result<Vec<u8>, std::io::Error>>(1);
    let body = Body::wrap_stream(stream::unfold(told, |mut told| async {
        told.recv().await.map(|chunk| (chunk, told))
    }));
    let request = patch(&world, &device, &place, 0, body);
    let writer = tokio::spawn(async move { request.send().await.map(|r| r.status().as_u16()) });
    tell.send(Ok(data[..2 * CHUNK + 100].to_vec())).await.unwrap();
    // HEAD answers while the PATCH holds the upload, and shows what is durable.
    let mut seen = 0;
    while seen < CHUNK {
        seen = offset(&world, &device, &place).await;
    }
    // A second writer takes over from the stale first one, which never ends by itself.
    let mut at = seen;
    loop {
        let answer = patch(&world, &device, &place, at, data[at..].to_vec())
            .send()
            .await
            .unwrap();
        match answer.status().as_u16() {
            204 => break,
            409 => at = offset(&world, &device, &place).await,
            other => panic!("{other}"),
        }
    }
    drop(tell);
    let _ = tokio::time::timeout(Duration::from_secs(30), writer)
        .await
        .expect("the first writer was let go");
    assert_eq!(
        world
            .ask(Method::GET, &format!("/v1/blobs/{hash}"), &device.token)
            .send()
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap(),
        data
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_bytes_unnamed_hashes_and_foreign_uploads_are_refused() {
    let mut world = World::new();
    let mut device = world.device(10, "tablet").await;
    let other = world.device(11, "tablet").await;
    let data = bytes(100_000, 3);
    let hash = named(&world, &mut device, &data).await;
    assert_eq!(
        read(create(&world, &other, &hash, data.len()).await).await.1["code"],
        "blob_unnamed"
    );
    let place = place_of(&create(&world, &device, &hash, data.len()).await);
    let foreign = patch(&world, &other, &place, 0, data.clone()).send().await.unwrap();
    assert_eq!(read(foreign).await.1["code"], "upload_unknown");
    let ahead = patch(&world, &device, &place, 5, data.clone()).send().await.unwrap();
    assert_eq!(read(ahead).await.1["code"], "upload_offset");
    let long = patch(&world, &device, &place, 0, [data.clone(), vec![0]].concat())
        .send()
        .await
        .unwrap();
    assert_eq!(long.status(), 400);
    // A part with a wrong checksum is taken back; the same part with the right one is taken.
    let at = offset(&world, &device, &place).await;
    let checksum = |bytes: &[u8]| format!("sha256 {}", base64(&sha256(bytes)));
    let part = &data[at..(at + 50_000).min(data.len())];
    if !part.is_empty() {
        let wrong = patch(&world, &device, &place, at, part.to_vec())
            .header("upload-checksum", checksum(b"else"))
            .send()
            .await
            .unwrap();
        assert_eq!(wrong.status(), 460);
        assert_eq!(offset(&world, &device, &place).await, at);
        let right = patch(&world, &device, &place, at, part.to_vec())
            .header("upload-checksum", checksum(part))
            .send()
            .await
            .unwrap();
        assert_eq!(right.status(), 204);
    }
    // Bytes that hash to something else never become a blob.
    let lie = bytes(5_000, 9);
    let truth = named(&world, &mut device, &lie).await;
    let place = place_of(&create(&world, &device, &truth, lie.len()).await);
    let damaged = patch(&world, &device, &place, 0, bytes(5_000, 10))
        .send()
        .await
        .unwrap();
    assert_eq!(damaged.status(), 460);
    let (_, have) = world
        .json(
            world
                .ask(Method::POST, "/v1/blobs/have", &device.token)
                .json(&json!({ "sha256": [truth, hex::encode([7; 32])] })),
        )
        .await;
    assert_eq!(
        have["missing"],
        json!([truth]),
        "it answers only about blobs that this device names"
    );
    let gone = world
        .ask(
            Method::DELETE,
            &place_of(&create(&world, &device, &truth, 5_000).await),
            &device.token,
        )
        .header("tus-resumable", "1.0.0");
    assert_eq!(gone.send().await.unwrap().status(), 204);
}

/// The tus project's own client against this server. `tests/run` makes its Python environment and names the folder.
#[tokio::test(flavor = "multi_thread")]
async fn tuspy_resumes_an_upload() {
    let Some(tools) = std::env::var_os("FIELDSEAL_TOOLS").map(PathBuf::from) else {
        println!("SKIPPED tuspy: FIELDSEAL_TOOLS names no folder with it; tests/run does");
        return;
    };
    let mut world = World::new();
    let mut device = world.device(10, "tablet").await;
    let data = bytes(700_001, 3);
    named(&world, &mut device, &data).await;
    let (token, film) = (world.folder.path().join("token"), world.folder.path().join("film"));
    std::fs::write(&token, &device.token).unwrap();
    std::fs::write(&film, &data).unwrap();
    let judge = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/conformance/judges/tus_judge.py");
    let told = Command::new(tools.join("python/bin/python"))
        .arg("-B")
        .arg(judge)
        .arg(format!("{}/v1/uploads", world.url))
        .args([&token, &film])
        .arg("300001")
        .arg("--ca")
        .arg(world.dir().join("keys/tls.crt"))
        .output()
        .expect("the Python environment of tests/conformance/judges/setup.sh");
    let said = String::from_utf8_lossy(&told.stdout);
    println!("{said}");
    assert!(told.status.success(), "{said}{}", String::from_utf8_lossy(&told.stderr));
    let asked = json!({ "sha256": [hex::encode(sha256(&data))] });
    let request = world.ask(Method::POST, "/v1/blobs/have", &device.token).json(&asked);
    assert_eq!(
        world.json(request).await.1["missing"],
        json!([]),
        "the whole file is there"
    );
}
