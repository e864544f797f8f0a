//! Lines that fall silent: they hold up nobody else, and are let go. Silence is a setting, so that it is short here.

use std::io::Read;
use std::time::Instant;

use fieldseal_proof::cbor::Value;
use fieldseal_proof::encoding::base64;
use fieldseal_proof::hash::sha256;
use futures_util::{StreamExt, stream};
use reqwest::{Body, Client, Method};

use crate::raw::{PATIENCE, Raw, is_patience, socket};
use crate::world::*;

/// A body of which this part comes and then nothing, for ever.
fn silent(part: Vec<u8>) -> Body {
    Body::wrap_stream(stream::iter([Ok::<_, std::io::Error>(part)]).chain(stream::pending()))
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_lines_hold_no_turn_of_the_others_and_are_let_go() {
    let mut world = World::new();
    let mut devices = Vec::new();
    for n in 10..19 {
        devices.push(world.device(n, "tablet").await);
    }
    let mut healthy = world.device(30, "tablet").await;
    // No rate stands in for the turns here.
    world.limit(&[("requests_per_s", 1_000_000)]);
    // Nine devices with eight requests each are more than the 64 that the server works on at once. For now silence is long.
    let mut stuck = Vec::new();
    for device in &devices {
        let path = format!("/v1/log/{}/{}", device.id, device.incarnation);
        for _ in 0..8 {
            // Each over a connection of its own, as dead lines are.
            let client = Client::builder().danger_accept_invalid_certs(true).build().unwrap();
            let request = client.post(format!("{}{path}", world.url)).bearer_auth(&device.token);
            stuck.push(tokio::spawn(request.body(silent(vec![0x84; 1000])).send()));
        }
    }
    // Until all of them are under way, by the server's own word: a ninth of each device waits for one of its eight.
    let full = devices.iter().map(async |device| {
        let path = format!("/v1/log/{}/{}", device.id, device.incarnation);
        let ninth = || {
            world
                .ask(Method::POST, &path, &device.token)
                .body(device.clone().open())
        };
        loop {
            match ninth().send().await.unwrap().status().as_u16() {
                429 => break,
                503 => panic!("dead lines fill the server"),
                _ => {}
            }
        }
    });
    futures_util::future::join_all(full).await;
    let mut ended = Vec::new();
    for one in stuck.extract_if(.., |one| one.is_finished()) {
        ended.push(one.await.unwrap().map(|answer| answer.status().as_u16()));
    }
    assert!(ended.is_empty(), "each of the 72 bodies is waited for: {ended:?}");
    let opened = healthy.open();
    let (status, answer) = world.push(&healthy, &[opened]).await;
    assert_eq!(status, 200, "another device's push goes through: {answer}");
    for one in stuck {
        one.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_body_ends_on_every_route_and_an_upload_keeps_what_came() {
    let mut world = World::new();
    let mut device = world.device(10, "tablet").await;
    let data = vec![5_u8; 300_000];
    let fields = vec![("evidence/a/sha256".to_owned(), Value::bytes(sha256(&data)))];
    let frames = [device.open(), device.write("evidence.seal", None, fields).frame()];
    assert_eq!(world.push(&device, &frames).await.0, 200);
    world.limit(&[("silence_ms", 700)]);
    let admin = world.admin_token();
    let push = format!("/v1/log/{}/{}", device.id, device.incarnation);
    for (path, token) in [
        (push.as_str(), &device.token),
        ("/v1/blobs/have", &device.token),
        ("/v1/health", &device.token),
        ("/v1/enrol", &device.token),
        ("/v1/admin/enterprises", &admin),
        ("/v1/admin/key-log", &admin),
        ("/console/sign-in", &device.token),
    ] {
        let request = world
            .ask(Method::POST, path, token)
            .header("content-type", "application/json");
        let begun = Instant::now();
        let ended = tokio::time::timeout(PATIENCE, request.body(silent(b"{".to_vec())).send());
        let ended = ended
            .await
            .unwrap_or_else(|_| panic!("{path} is held by a silent sender"));
        let refused = ended.map_or(true, |answer| !answer.status().is_success());
        assert!(refused, "{path}");
        assert!(begun.elapsed() < PATIENCE / 2, "{path}");
    }
    let metadata = format!("sha256 {}", base64(hex::encode(sha256(&data)).as_bytes()));
    let created = world
        .ask(Method::POST, "/v1/uploads", &device.token)
        .header("tus-resumable", "1.0.0")
        .header("upload-length", data.len())
        .header("upload-metadata", metadata)
        .send()
        .await
        .unwrap();
    let place = created.headers()["location"].to_str().unwrap().to_owned();
    let part = world
        .ask(Method::PATCH, &place, &device.token)
        .header("tus-resumable", "1.0.0")
        .header("upload-offset", 0)
        .header("content-type", "application/offset+octet-stream")
        .body(silent(data[..200_000].to_vec()));
    let answer = tokio::time::timeout(PATIENCE, part.send()).await.unwrap().unwrap();
    assert_eq!(answer.status(), 204);
    assert_eq!(
        answer.headers()["upload-offset"],
        "200000",
        "what came before the silence is kept"
    );
}

#[test]
fn half_a_head_and_an_idle_connection_are_closed() {
    let mut world = World::new();
    world.limit(&[("silence_ms", 700)]);
    for sent in ["", "GET /v1/server HTTP/1.1\r\nHost: x\r\nX-Half: ", "POST "] {
        let begun = Instant::now();
        let mut line = Raw::open(&world);
        line.say(sent.as_bytes());
        assert!(
            line.is_closed() && begun.elapsed() < PATIENCE / 2,
            "{sent:?} kept a connection open"
        );
    }
    // Answered once, then idle.
    let mut line = Raw::open(&world);
    line.say(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(line.head().starts_with("http/1.1 200"));
    assert!(line.is_closed(), "an idle connection is closed");
    // Not even a hello.
    let ended = socket(&world).read(&mut [0]);
    assert!(
        !ended.is_err_and(|why| is_patience(why.kind())),
        "a connection without a hello is closed"
    );
}
