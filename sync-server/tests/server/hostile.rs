//! Every door of the HTTP interface: bodies that are cut, huge, empty or of an unknown kind, and headers that lie.
//!
//! All are tried before a test fails, so that one look shows every gap. `read` holds that each refusal is a problem document.

use reqwest::Method;
use serde_json::{Value as Json, json};

use super::world::*;

/// A problem says what happened in both languages, in a sentence of bounded length.
fn sentence(status: u16, answer: &Json, statuses: &[u16]) -> bool {
    let good = |key: &str| {
        answer[key]
            .as_str()
            .is_some_and(|text| (8..2000).contains(&text.len()) && !text.contains('{'))
    };
    statuses.contains(&status) && good("title") && good("detail") && answer["code"].is_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_door_refuses_what_is_cut_huge_or_unknown() {
    let mut world = World::new();
    let mut device = world.device(10, "tablet").await;
    let open = device.open();
    assert_eq!(world.push(&device, std::slice::from_ref(&open)).await.0, 200);
    let (admin, tablet) = (world.admin_token(), device.token.clone());
    let long = "长".repeat(10 << 20 >> 1);
    let log = format!("/v1/log/{}/{}", device.id, device.incarnation);
    let text = |value: Json| value.to_string().into_bytes();
    let note = device.note("x");
    let mut unknown = device.enrolment("code");
    unknown["kind"] = json!("spaceship");
    let mut wrong_key = device.enrolment("0".repeat(32).as_str());
    wrong_key["operation"] = json!({ "suite": 9, "public": "00" });
    let mut long_label = device.enrolment("0".repeat(32).as_str());
    long_label["label"] = json!(long);
    // Path, token, body, statuses that will do.
    let doors: Vec<(&str, &str, Vec<u8>, &[u16])> = vec![
        ("/v1/enrol", "", vec![], &[400]),
        ("/v1/enrol", "", b"{\"kind\": \"dev".to_vec(), &[400]),
        ("/v1/enrol", "", vec![0xff; 100], &[400]),
        ("/v1/enrol", "", text(unknown), &[400]),
        ("/v1/enrol", "", text(device.enrolment(&"0".repeat(32))), &[403]),
        ("/v1/enrol", "", text(wrong_key), &[400, 403]),
        ("/v1/enrol", "", text(long_label), &[400, 413]),
        ("/v1/enrol", "", vec![b'['; 400_000], &[400]),
        ("/v1/enrol", &tablet, text(json!({ "kind": "officer" })), &[400]),
        (
            "/v1/enrol",
            &tablet,
            text(
                json!({ "kind": "officer", "officer": "x", "role": "", "key": { "public": "" }, "attrs": "", "attrs_root": "" }),
            ),
            &[400],
        ),
        ("/v1/admin/invitations", &admin, vec![], &[400]),
        ("/v1/admin/invitations", &admin, b"{\"kind".to_vec(), &[400]),
        (
            "/v1/admin/invitations",
            &admin,
            text(json!({ "kind": "king", "label": "x" })),
            &[400],
        ),
        (
            "/v1/admin/invitations",
            &admin,
            text(json!({ "kind": "tablet", "label": "" })),
            &[400],
        ),
        (
            "/v1/admin/invitations",
            &admin,
            text(json!({ "kind": "tablet", "label": "长".repeat(1000) })),
            &[400],
        ),
        (
            "/v1/admin/invitations",
            &admin,
            text(json!({ "kind": "tablet", "label": long })),
            &[413],
        ),
        (
            "/v1/admin/invitations",
            &admin,
            text(json!({ "kind": "tablet", "label": "x", "ttl_s": -1 })),
            &[400, 422],
        ),
        ("/v1/admin/key-log", &admin, vec![0xa3, 0x00], &[400, 422]),
        ("/v1/admin/key-log", &admin, long.clone().into_bytes(), &[400, 422]),
        ("/v1/admin/packs", &admin, vec![], &[422]),
        ("/v1/admin/packs", &admin, open[..open.len() / 2].to_vec(), &[422]),
        ("/v1/admin/packs", &admin, long.clone().into_bytes(), &[422]),
        ("/v1/admin/enterprises", &admin, vec![0xff; 100], &[400]),
        ("/v1/admin/enterprises", &admin, vec![], &[400]),
        ("/v1/numbers/lease", &tablet, vec![], &[400]),
        (
            "/v1/numbers/lease",
            &tablet,
            text(json!({ "form": "no_such_form", "count": 5 })),
            &[400, 409, 422],
        ),
        ("/v1/numbers/lease", &tablet, text(json!({ "form": long })), &[413]),
        ("/v1/blobs/have", &tablet, vec![], &[400]),
        ("/v1/blobs/have", &tablet, text(json!({ "hashes": ["x"] })), &[400, 422]),
        ("/v1/blobs/have", &tablet, text(json!({ "hashes": [long] })), &[413]),
        (&log, &tablet, note[..note.len() - 1].to_vec(), &[422]),
        (&log, &tablet, long.clone().into_bytes(), &[413]),
        ("/v1/cases/not-an-id/export", &admin, vec![], &[400, 403, 404]),
        ("/v1/nowhere", &tablet, vec![1], &[404]),
        ("/healthz", &tablet, vec![1], &[405]),
    ];
    let mut gaps = Vec::new();
    for (path, token, body, statuses) in doors {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let size = body.len();
        let mut request = world.client.post(format!("{}{path}", world.url)).body(body);
        request = request.header("content-type", "application/json");
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        match request.send().await {
            Ok(response) => {
                let media = response.headers().get("content-type").cloned();
                let status = response.status().as_u16();
                let answer: Json = response.json().await.unwrap_or(Json::Null);
                let problem = media.is_some_and(|media| media == "application/problem+json");
                if !problem || !sentence(status, &answer, statuses) {
                    gaps.push(format!("POST {path} {shown:?} ({size} bytes): {status} {answer}"));
                }
            }
            // Of a body that is far too long the connection may be closed before it was read.
            Err(_) if size > 1 << 20 && statuses.contains(&413) => {}
            Err(error) => gaps.push(format!("POST {path} {shown:?} ({size} bytes): {error}")),
        }
    }
    assert!(gaps.is_empty(), "{} gaps:\n{}", gaps.len(), gaps.join("\n"));
    // Nothing of it was taken, and what is right still is.
    let (status, answer) = world.push(&device, &[note]).await;
    assert_eq!((status.as_u16(), &answer["head"]["seq"]), (200, &json!(1)), "{answer}");
    let (_, pending) = world.json(world.ask(Method::GET, "/v1/admin/enrolments", &admin)).await;
    assert!(
        pending["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|item| item["state"] != "pending"),
        "{pending}"
    );
    world.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn lying_addresses_and_headers_are_refused_by_name() {
    let mut world = World::new();
    let device = world.device(10, "tablet").await;
    let admin = world.admin_token();
    let (tablet, zeros) = (device.token.clone(), "0".repeat(64));
    let mut gaps = Vec::new();
    for (path, token, statuses) in [
        ("/v1/feed?cursor=garbage".to_owned(), &tablet, &[400_u16, 410][..]),
        (
            format!("/v1/feed?cursor={}", "x".repeat(6000)),
            &tablet,
            &[400, 410, 414],
        ),
        ("/v1/feed?wait=-5".into(), &tablet, &[400]),
        ("/v1/feed?max_bytes=99999999999999999999".into(), &tablet, &[400]),
        ("/v1/enrol/nobody?code=wrong".into(), &tablet, &[404]),
        ("/v1/blobs/xyz".into(), &tablet, &[400, 404]),
        (format!("/v1/blobs/{zeros}"), &tablet, &[403, 404]),
        (format!("/v1/blobs/{zeros}/receipt"), &tablet, &[403, 404]),
        (format!("/v1/packs/{zeros}"), &tablet, &[404]),
        ("/v1/packs/..%2f..%2fkeys%2flog.key".into(), &tablet, &[400, 404]),
        ("/tile/..%2f..%2fkeys%2flog.key".into(), &tablet, &[400, 404]),
        ("/tile/0/%2e%2e/%2e%2e/keys/vault.key".into(), &tablet, &[400, 404]),
        ("/v1/cases/xyz".into(), &admin, &[400, 403, 404]),
        ("/v1/log/xyz/abc/head".into(), &tablet, &[400, 403, 404]),
        ("/v1/admin/devices".into(), &tablet, &[403]),
    ] {
        let response = world.ask(Method::GET, &path, token).send().await.unwrap();
        let status = response.status().as_u16();
        let media = response.headers().get("content-type").cloned();
        let answer: Json = response.json().await.unwrap_or(Json::Null);
        if media.is_none_or(|media| media != "application/problem+json") || !sentence(status, &answer, statuses) {
            gaps.push(format!("GET {}: {status} {answer}", &path[..path.len().min(80)]));
        }
    }
    let upload = |headers: &[(&str, String)]| {
        let mut request = world.ask(Method::POST, "/v1/uploads", &tablet);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        request
    };
    let tus = ("tus-resumable", "1.0.0".to_owned());
    let hash = fieldseal_proof::encoding::base64(zeros.as_bytes());
    for headers in [
        vec![],
        vec![("tus-resumable", "0.2".to_owned())],
        vec![tus.clone(), ("upload-length", "minus one".into())],
        vec![tus.clone(), ("upload-length", "18446744073709551615".into())],
        vec![tus.clone(), ("upload-length", "5".into())],
        vec![
            tus.clone(),
            ("upload-length", "5".into()),
            ("upload-metadata", "sha256 ???".into()),
        ],
        vec![
            tus.clone(),
            ("upload-length", "5".into()),
            ("upload-metadata", format!("sha256 {hash}")),
        ],
        vec![
            tus.clone(),
            ("upload-length", "5".into()),
            ("upload-metadata", "a".repeat(6000)),
        ],
    ] {
        let response = upload(&headers).send().await.unwrap();
        let status = response.status().as_u16();
        let answer: Json = response.json().await.unwrap_or(Json::Null);
        if !sentence(status, &answer, &[400, 403, 412, 413]) {
            gaps.push(format!("POST /v1/uploads {headers:?}: {status} {answer}"));
        }
    }
    assert!(gaps.is_empty(), "{} gaps:\n{}", gaps.len(), gaps.join("\n"));
    world.fsck();
}

/// What a record says does not get into the log by way of an error about it: `serde_json` repeats what it did not expect.
#[tokio::test(flavor = "multi_thread")]
async fn what_fails_inside_is_logged_by_kind_and_place_alone() {
    let mut world = World::new();
    let device = world.device(10, "tablet").await;
    world.stop();
    let ledger = rusqlite::Connection::open(world.dir().join("ledger.sqlite")).unwrap();
    let name = json!("钱守业").to_string().into_bytes();
    let spoilt = ledger.execute("UPDATE register SET value = ?1 WHERE space = 'token'", [name]);
    assert!(spoilt.unwrap() > 0);
    drop(ledger);
    world.start();
    let (status, answer) = world.json(world.ask(Method::GET, "/v1/feed", &device.token)).await;
    assert_eq!(status, 500, "{answer}");
    world.stop();
    let log = world.logged();
    let line = log.lines().find(|line| line.contains("internal error")).unwrap();
    let line: Json = serde_json::from_str(line).unwrap();
    let (fields, said) = (&line["fields"], answer.to_string());
    assert!(said.contains(fields["incident"].as_str().unwrap()), "{line} {said}");
    assert_eq!(fields["what"], "JsonData", "{line}");
    assert!(fields["place"].as_str().unwrap().contains("api/caller.rs:"), "{line}");
    assert!(!log.contains("钱守业") && !said.contains("钱守业"), "{log}");
}
