//! Who may no longer, or may not yet: refused requests, revoked keys.

use fieldseal_proof::cbor::Value;
use fieldseal_proof::encoding::base64;
use fieldseal_proof::hash::sha256;
use fieldseal_proof::suite::Signer;
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::world::*;

async fn invited(world: &World) -> String {
    let invite = world
        .ask(Method::POST, "/v1/admin/invitations", &world.admin_token())
        .json(&json!({ "kind": "tablet", "label": "x" }));
    world.json(invite).await.1["code"].as_str().unwrap().to_owned()
}

async fn refuse(world: &World, token: &str, request: &str, reason: &str) -> (u16, Json) {
    let path = format!("/v1/admin/enrolments/{request}/refuse");
    let asked = world.ask(Method::POST, &path, token).json(&json!({ "reason": reason }));
    let (status, answer) = world.json(asked).await;
    (status.as_u16(), answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_refused_with_a_reason_and_may_be_approved_after_all() {
    let mut world = World::new();
    let code = invited(&world).await;
    let asked = Device::new(30, "tablet").enrolment(&code);
    let post = |body: Json| world.json(world.client.post(format!("{}/v1/enrol", world.url)).json(&body));
    let (_, first) = post(asked.clone()).await;
    let (request, token) = (
        first["request"].as_str().unwrap().to_owned(),
        first["token"].as_str().unwrap().to_owned(),
    );
    let admin = world.admin_token();
    assert_eq!(
        refuse(&world, &token, &request, "x").await.0,
        401,
        "nobody refuses himself"
    );
    assert_eq!(
        refuse(&world, &admin, &request, "  ").await.0,
        422,
        "a refusal says why"
    );
    assert_eq!(refuse(&world, &admin, "no-such", "x").await.0, 404);
    let (status, answer) = refuse(&world, &admin, &request, "指纹不符").await;
    assert_eq!((status, &answer["state"]), (200, &json!("refused")), "{answer}");
    assert_eq!(refuse(&world, &admin, &request, "again").await.0, 409);
    let state = || {
        world.json(
            world
                .client
                .get(format!("{}/v1/enrol/{request}?code={code}", world.url)),
        )
    };
    let (_, said) = state().await;
    assert_eq!(
        (&said["state"], &said["code"], &said["reason"]),
        (&json!("refused"), &json!("enrolment_refused"), &json!("指纹不符"))
    );
    let (status, again) = post(asked).await;
    assert_eq!(
        (status.as_u16(), &again["code"]),
        (403, &json!("enrolment_refused")),
        "asking again does not undo it"
    );
    assert!(again["detail"].as_str().unwrap().contains("指纹不符"), "{again}");
    let pending =
        |all: bool| world.json(world.ask(Method::GET, &format!("/v1/admin/enrolments?refused={all}"), &admin));
    assert_eq!(pending(false).await.1["items"], json!([]));
    assert_eq!(pending(true).await.1["items"][0]["reason"], "指纹不符");
    assert_eq!(world.json(world.ask(Method::GET, "/v1/feed", &token)).await.0, 401);
    // The refusal is taken back: the signed entry outranks it, and the token that was given opens.
    let frame = world.enrolled(30, "tablet");
    let posted = world.ask(Method::POST, "/v1/admin/key-log", &admin).body(frame);
    assert_eq!(world.json(posted).await.0, 200);
    let said = world
        .json(
            world
                .client
                .get(format!("{}/v1/enrol/{request}?code={code}", world.url)),
        )
        .await
        .1;
    assert_eq!(said, json!({ "state": "approved" }));
    assert_eq!(world.json(world.ask(Method::GET, "/v1/feed", &token)).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_device_reads_nothing_and_what_it_signed_is_taken() {
    let mut world = World::new();
    let mut lost = world.device(10, "supervisor").await;
    let reader = world.device(12, "supervisor").await;
    let data = b"evidence made before the loss".to_vec();
    let hash = hex::encode(sha256(&data));
    let seal = vec![("evidence/a/sha256".to_owned(), Value::bytes(sha256(&data)))];
    let frames = [lost.open(), lost.write("evidence.seal", None, seal).frame()];
    assert_eq!(world.push(&lost, &frames).await.0, 200);
    assert_eq!(
        world.json(world.ask(Method::GET, "/v1/cases", &lost.token)).await.0,
        200
    );
    let poll = world.ask(
        Method::GET,
        &format!("/v1/feed?cursor={}&wait=50", until(&world, &lost).await),
        &lost.token,
    );
    let waiting = tokio::spawn(async move { poll.send().await.unwrap().status().as_u16() });
    let frame = world.revoke(ed(10).public().key_id());
    let admin = world.admin_token();
    assert_eq!(
        world
            .json(world.ask(Method::POST, "/v1/admin/key-log", &admin).body(frame))
            .await
            .0,
        200
    );
    let note = lost.note("signed, and not sent before it was lost");
    assert_eq!(world.push(&reader, &[reader.clone().open()]).await.0, 200);
    assert_eq!(
        waiting.await.unwrap(),
        401,
        "a poll that was held back answers nothing either"
    );
    for path in [
        "/v1/cases",
        "/v1/feed",
        "/v1/key-log",
        "/v1/packs",
        &format!("/v1/blobs/{hash}"),
    ] {
        let (status, answer) = world.json(world.ask(Method::GET, path, &lost.token)).await;
        assert_eq!(
            (status.as_u16(), &answer["code"]),
            (401, &json!("device_revoked")),
            "{path}"
        );
    }
    let (status, answer) = world.push(&lost, &[note]).await;
    assert_eq!(
        (status.as_u16(), &answer["results"][0]["outcome"]),
        (200, &json!("accepted")),
        "{answer}"
    );
    let metadata = format!("sha256 {}", base64(hash.as_bytes()));
    let create = world
        .ask(Method::POST, "/v1/uploads", &lost.token)
        .header("tus-resumable", "1.0.0");
    let create = create
        .header("upload-length", data.len())
        .header("upload-metadata", metadata);
    let created = create
        .header("content-type", "application/offset+octet-stream")
        .body(data.clone());
    assert_eq!(created.send().await.unwrap().status(), 201);
    let receipt = world
        .ask(Method::GET, &format!("/v1/blobs/{hash}/receipt"), &lost.token)
        .send()
        .await
        .unwrap();
    assert_eq!(receipt.status(), 200, "and it learns that its file is safe");
    let reasons: Vec<String> = world.dispositions(&reader).await.into_iter().map(|d| d.2).collect();
    assert!(reasons.contains(&"revoked".to_owned()), "{reasons:?}");
    world.fsck();
}

/// The cursor at the end of what a device may see.
async fn until(world: &World, device: &Device) -> String {
    let mut cursor = String::new();
    world.feed(device, &mut cursor).await;
    cursor
}
