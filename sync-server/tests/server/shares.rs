//! What one device may take up: uploads that expire, quotas, rates. Nobody else notices, and no record is lost to any of it.

use fieldseal_proof::cbor::Value;
use fieldseal_proof::encoding::base64;
use fieldseal_proof::hash::sha256;
use futures_util::{StreamExt, stream};
use reqwest::{Body, Method, RequestBuilder, Response};
use serde_json::json;

use crate::world::*;

/// Names a file in a sealed record and begins its upload.
async fn begun(world: &World, device: &mut Device, data: &[u8]) -> Response {
    let fields = vec![(format!("evidence/{}/sha256", device.seq), Value::bytes(sha256(data)))];
    let mut frames = if device.seq == 0 { vec![device.open()] } else { vec![] };
    frames.push(device.write("evidence.seal", None, fields).frame());
    assert_eq!(world.push(device, &frames).await.0, 200, "a record is always taken");
    let metadata = format!("sha256 {}", base64(hex::encode(sha256(data)).as_bytes()));
    let request = world
        .ask(Method::POST, "/v1/uploads", &device.token)
        .header("tus-resumable", "1.0.0");
    let request = request
        .header("upload-length", data.len())
        .header("upload-metadata", metadata);
    request.send().await.unwrap()
}

fn place(answer: &Response) -> String {
    assert_eq!(answer.status(), 201);
    answer.headers()["location"].to_str().unwrap().to_owned()
}

fn patch(world: &World, device: &Device, place: &str, body: impl Into<Body>) -> RequestBuilder {
    let request = world
        .ask(Method::PATCH, place, &device.token)
        .header("tus-resumable", "1.0.0");
    let request = request
        .header("upload-offset", 0)
        .header("content-type", "application/offset+octet-stream");
    request.body(body)
}

fn staged(world: &World) -> usize {
    std::fs::read_dir(world.dir().join("blobs/staged")).unwrap().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_expires_with_its_bytes_and_the_file_may_come_again() {
    let mut world = World::new();
    let mut device = world.device(10, "tablet").await;
    let data: Vec<u8> = (0..300_000).map(|i| (i % 251) as u8).collect();
    let answer = begun(&world, &mut device, &data).await;
    assert!(answer.headers().contains_key("upload-expires"));
    let place = place(&answer);
    // A sender that falls silent after 200,000 bytes and is cut once the server has counted them.
    let silent = stream::iter([Ok::<_, std::io::Error>(data[..200_000].to_vec())]).chain(stream::pending());
    let sender = tokio::spawn(patch(&world, &device, &place, Body::wrap_stream(silent)).send());
    let head = |world: &World| {
        world
            .ask(Method::HEAD, &place, &device.token)
            .header("tus-resumable", "1.0.0")
            .send()
    };
    let mut offset = 0;
    while offset == 0 {
        let answer = head(&world).await.unwrap();
        // On a busy machine this loop asks more than its share before the sender's bytes are counted; then it asks again.
        if let Some(at) = answer.headers().get("upload-offset") {
            offset = at.to_str().unwrap().parse().unwrap();
        }
    }
    sender.abort();
    assert_eq!(staged(&world), 1);
    world.limit(&[("upload_keep_s", 0)]);
    // Its row still says the earlier date; a touch of the upload under the new limit makes it old at once.
    let touched = world
        .ask(Method::PATCH, &place, &device.token)
        .header("tus-resumable", "1.0.0");
    let touched = touched
        .header("upload-offset", offset)
        .header("content-type", "application/offset+octet-stream");
    assert_eq!(
        touched
            .body(data[offset..offset + 10].to_vec())
            .send()
            .await
            .unwrap()
            .status(),
        204
    );
    while staged(&world) > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(head(&world).await.unwrap().status(), 404);
    world.limit(&[("upload_keep_s", 3600)]);
    let again = begun(&world, &mut device, &data).await;
    let again = self::place(&again);
    assert_ne!(again, place);
    assert_eq!(
        patch(&world, &device, &again, data.clone())
            .send()
            .await
            .unwrap()
            .status(),
        204
    );
    world.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn quotas_hold_files_back_and_never_records() {
    let mut world = World::new();
    let (mut first, mut second) = (world.device(10, "tablet").await, world.device(11, "tablet").await);
    world.limit(&[
        ("uploads_open", 2),
        ("uploads_open_bytes", 5_000),
        ("upload_bytes", 4_000),
    ]);
    let file = |n: u8, size: usize| vec![n; size];
    let place_one = place(&begun(&world, &mut first, &file(1, 2_000)).await);
    place(&begun(&world, &mut first, &file(2, 2_000)).await);
    let third = read(begun(&world, &mut first, &file(3, 10)).await).await;
    assert_eq!((third.0.as_u16(), &third.1["code"]), (413, &json!("upload_quota")));
    let place_of_the_other = place(&begun(&world, &mut second, &file(3, 10)).await);
    assert!(!place_of_the_other.is_empty(), "another device has its own");
    assert_eq!(
        patch(&world, &first, &place_one, file(1, 2_000))
            .send()
            .await
            .unwrap()
            .status(),
        204
    );
    let large = read(begun(&world, &mut first, &file(4, 3_500)).await).await;
    assert_eq!(
        (large.0.as_u16(), &large.1["code"]),
        (413, &json!("upload_quota_bytes"))
    );
    let larger = read(begun(&world, &mut first, &file(5, 4_001)).await).await;
    assert_eq!((larger.0.as_u16(), &larger.1["code"]), (413, &json!("too_large")));
    // Files leave room on the disk for records.
    world.limit(&[("keep_free_bytes", i64::MAX as u64)]);
    let none = begun(&world, &mut second, &file(6, 10)).await;
    let full = patch(&world, &second, &place(&none), file(6, 10)).send().await.unwrap();
    assert_eq!(read(full).await.1["code"], "server_full");
    assert_eq!(
        world
            .push(&second, &[second.clone().note("taken all the same")])
            .await
            .0,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_found_no_room_are_not_counted_and_come_again() {
    let mut world = World::new();
    let mut device = world.device(10, "tablet").await;
    // More than one flush, so that the disk refuses while bytes still come.
    let data: Vec<u8> = (0..5_000_000).map(|i| (i % 251) as u8).collect();
    let place = place(&begun(&world, &mut device, &data).await);
    world.limit(&[("keep_free_bytes", i64::MAX as u64)]);
    let full = patch(&world, &device, &place, data.clone()).send().await.unwrap();
    assert_eq!(read(full).await.1["code"], "server_full");
    let head = world
        .ask(Method::HEAD, &place, &device.token)
        .header("tus-resumable", "1.0.0");
    let head = head.send().await.unwrap();
    assert_eq!(head.headers()["upload-offset"], "0", "nothing of it is on the disk");
    world.limit(&[("keep_free_bytes", 0)]);
    let sent = patch(&world, &device, &place, data.clone()).send().await.unwrap();
    assert_eq!(sent.status(), 204);
    let path = format!("/v1/blobs/{}", hex::encode(sha256(&data)));
    let held = world.ask(Method::GET, &path, &device.token).send().await.unwrap();
    assert_eq!(held.bytes().await.unwrap(), data);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_floods_holds_up_itself_alone() {
    let mut world = World::new();
    let (mut loud, mut quiet) = (world.device(10, "tablet").await, world.device(11, "tablet").await);
    world.limit(&[("requests_per_s", 5), ("at_once", 1)]);
    // One upload that never ends holds the device's only turn for files; its records and the other device go on.
    let answer = begun(&world, &mut loud, b"never whole").await;
    let (tell, told) = tokio::sync::mpsc::channel::<Result<Vec<u8>, std::io::Error>>(1);
    let body = Body::wrap_stream(stream::unfold(told, |mut told| async {
        told.recv().await.map(|chunk| (chunk, told))
    }));
    let stuck = patch(&world, &loud, &place(&answer), body);
    let stuck = tokio::spawn(async move { stuck.send().await.map(|r| r.status().as_u16()) });
    let goes_on = loud.note("goes on");
    assert_eq!(world.push(&loud, &[goes_on]).await.0, 200);
    let other = begun(&world, &mut quiet, b"whole").await;
    assert_eq!(
        patch(&world, &quiet, &place(&other), b"whole".to_vec())
            .send()
            .await
            .unwrap()
            .status(),
        204
    );
    drop(tell);
    let _ = stuck.await;
    let asks = (0..60).map(|_| world.ask(Method::GET, "/v1/packs", &loud.token).send());
    let answers = futures_util::future::join_all(asks).await;
    let refused: Vec<Response> = answers
        .into_iter()
        .map(Result::unwrap)
        .filter(|answer| answer.status() == 429)
        .collect();
    assert!(!refused.is_empty(), "sixty at once are more than four times five");
    assert!(
        refused
            .iter()
            .all(|answer| answer.headers().contains_key("retry-after"))
    );
    for answer in refused {
        assert_eq!(read(answer).await.1["code"], "too_many_requests");
    }
    let (status, _) = world.json(world.ask(Method::GET, "/v1/packs", &quiet.token)).await;
    assert_eq!(status, 200);
}
