//! What devices tell about themselves, and what may be recorded twice.

use fieldseal_proof::cbor::Value;
use fieldseal_proof::hash::sha256;
use fieldseal_proof::ids::{CaseId, EnterpriseId, OpId};
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::console::{Browser, PASSWORD, account};
use crate::world::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_devices_health_is_kept_as_last_told_and_bounded() {
    let mut world = World::new();
    let mut device = world.device(10, "tablet").await;
    let frame = device.open();
    assert_eq!(world.push(&device, &[frame]).await.0, 200);
    let health = |wall_ms: u64, battery: u64| {
        json!({ "wall_ms": wall_ms, "waiting": { "operations": 7, "unsealed": 1, "blobs": 2, "blob_bytes": 4096 },
            "oldest_waiting_ms": 86_400_000, "free_bytes": 5_000_000_000u64, "battery_percent": battery,
            "app": "fieldseal 0.1.0", "core": "0.1.0" })
    };
    let tell = |body: Json| world.json(world.ask(Method::POST, "/v1/health", &device.token).json(&body));
    let (status, answer) = tell(health(3_786_912_000_000, 41)).await;
    assert_eq!(status, 200, "{answer}");
    let skew = answer["skew_ms"].as_i64().unwrap();
    assert!(skew > 365 * 86_400_000, "a clock in 2090 is years ahead: {skew}");
    let devices = || world.json(world.ask(Method::GET, "/v1/admin/devices", world.card["token"].as_str().unwrap()));
    let (_, all) = devices().await;
    let own = device.id.to_string();
    let of = |all: &Json| {
        let items = all["items"].as_array().unwrap();
        items.iter().find(|one| one["device"] == own.as_str()).unwrap()["health"].clone()
    };
    let told = of(&all);
    assert_eq!(
        (&told["waiting"]["operations"], &told["battery_percent"]),
        (&json!(7), &json!(41))
    );
    assert_eq!(told["skew_ms"], skew);
    // The page shows what it told, as its word, and where to say that it is lost.
    assert!(account(&world, "S-1", "周敏", "supervisor", PASSWORD));
    let mut browser = Browser::new(&world);
    assert_eq!(browser.sign_in("S-1", PASSWORD).await.status(), 303);
    let (_, page) = browser.get("/console/devices").await;
    for words in [
        "7 条记录、2 个文件（4.0 kB）",
        "最久 1 天",
        "剩余空间 5.0 GB",
        "电量 41%",
        "快 ",
        "标记遗失",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let lost = page.split("href=\"/console/enrolment/revoke?").nth(1).unwrap();
    let lost = lost.split('"').next().unwrap().replace("&#38;", "&");
    let (status, page) = browser.get(&format!("/console/enrolment/revoke?{lost}")).await;
    let request = format!("平板“d10”遗失，请撤销其密钥 {}", device.key().public().fingerprint());
    assert!(
        status == 200 && page.contains(&request) && page.contains("申请人：周敏"),
        "{page}"
    );
    let (_, list) = browser.get("/console/worklist/incidents").await;
    assert!(list.contains("时钟不准"), "{list}");
    let csv = browser.get("/console/worklist/incidents.csv").await.1;
    assert_eq!((csv.lines().count(), csv.contains("时钟不准")), (2, true), "{csv}");
    // What no device has is refused, and the last word stays.
    for bad in [
        health(1 << 60, 41),
        health(1, 101),
        json!({ "wall_ms": 1 }),
        json!({ "wall_ms": -1 }),
    ] {
        assert!(tell(bad.clone()).await.0.is_client_error(), "{bad}");
    }
    let mut long = health(1, 1);
    long["app"] = json!("x".repeat(101));
    assert_eq!(tell(long).await.0, 400);
    assert_eq!(of(&devices().await.1), told);
    let admin = world.admin_token();
    let (status, _) = world
        .json(world.ask(Method::POST, "/v1/health", &admin).json(&health(1, 1)))
        .await;
    assert_eq!(status, 403, "an administrator is no device");
    // A revoked device may still say what it holds.
    let frame = world.revoke(device.key().public().key_id());
    let (status, answer) = world
        .json(world.ask(Method::POST, "/v1/admin/key-log", &admin).body(frame))
        .await;
    assert_eq!(status, 200, "{answer}");
    let told = world.json(world.ask(Method::POST, "/v1/health", &device.token).json(&health(1, 1)));
    assert_eq!(told.await.0, 200);
}

/// An enterprise as a tablet records it on site.
fn enterprise(device: &mut Device, n: u8, name: &str, code: Option<&str>, address: &str) -> Vec<u8> {
    let id = EnterpriseId::from_bytes([n; 16]);
    let path = |field: &str| format!("enterprise/{id}/{field}");
    let mut fields = vec![
        (path("name"), Value::text(name)),
        (path("address"), Value::text(address)),
    ];
    fields.extend(code.map(|code| (path("credit_code"), Value::text(code))));
    device.write("enterprise.record", None, fields).frame()
}

/// An inspection that a tablet begins for an enterprise.
fn begin(device: &mut Device, n: u8, at: u8) -> Vec<u8> {
    let id = device.id;
    let fields = vec![
        ("inspection/enterprise".into(), Value::bytes([at; 16])),
        (
            "inspection/device".into(),
            Value::Array(vec![Value::bytes(id.as_bytes())]),
        ),
        ("party/name".into(), Value::text("红星五金厂")),
    ];
    device.write("inspection.begin", Some(case(n)), fields).frame()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_tablets_recorded_twice_is_proposed_with_its_reason_and_never_joined() {
    let mut world = World::new();
    let (mut one, mut two) = (world.device(10, "tablet").await, world.device(11, "tablet").await);
    let supervisor = world.device(12, "supervisor").await;
    let code = Some("91350100M000100Y43");
    let frames = [
        one.open(),
        enterprise(&mut one, 1, "红星五金厂", None, "城东路1号"),
        enterprise(&mut one, 2, "恒泰精细化工有限公司", code, "临江工业园区"),
        begin(&mut one, 21, 1),
    ];
    assert_eq!(world.push(&one, &frames).await.0, 200);
    let frames = [
        two.open(),
        enterprise(&mut two, 3, "红星五金厂", None, "城东路1号"),
        enterprise(&mut two, 4, "恒泰化工", code, ""),
        enterprise(&mut two, 5, "近水仓储公司", None, "码头路3号"),
        begin(&mut two, 22, 3),
    ];
    assert_eq!(world.push(&two, &frames).await.0, 200);
    // The feed shows what is folded: afterwards the index holds everything.
    world.feed(&supervisor, &mut String::new()).await;
    let (status, found) = world
        .json(world.ask(Method::GET, "/v1/duplicates", &supervisor.token))
        .await;
    assert_eq!(status, 200, "{found}");
    let pairs: Vec<(String, String, String)> = found["enterprises"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| {
            let text = |value: &Json| value.as_str().unwrap().to_owned();
            let reason = text(&pair["reason"]["code"]);
            (
                text(&pair["first"]["enterprise"]),
                text(&pair["second"]["enterprise"]),
                reason,
            )
        })
        .collect();
    let id = |n: u8| EnterpriseId::from_bytes([n; 16]).to_string();
    assert!(
        pairs.contains(&(id(2), id(4), "similar.credit_code".into())),
        "{pairs:?}"
    );
    assert!(pairs.iter().any(|(a, b, _)| (a, b) == (&id(1), &id(3))), "{pairs:?}");
    assert_eq!(pairs.len(), 2, "{pairs:?}");
    assert!(found["enterprises"][0]["reason"]["zh"].as_str().unwrap().len() > 6);
    let of = |n: u8| case(n).to_string();
    let cases = &found["cases"];
    assert_eq!(cases.as_array().unwrap().len(), 1, "{cases}");
    assert_eq!(
        (&cases[0]["first"], &cases[0]["second"]),
        (&json!(of(21)), &json!(of(22)))
    );
    assert_eq!(cases[0]["reason"]["code"], "similar.case");
    // Nobody joined anything by looking, and a tablet does not look.
    let again = world
        .json(world.ask(Method::GET, "/v1/duplicates", &world.admin_token()))
        .await;
    assert_eq!(again.1["enterprises"], found["enterprises"]);
    assert_eq!(
        world.json(world.ask(Method::GET, "/v1/duplicates", &one.token)).await.0,
        403
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_and_an_export_are_signed_into_the_case() {
    let mut world = World::new();
    let mut tablet = world.device(10, "tablet").await;
    let supervisor = world.device(12, "supervisor").await;
    let data: Vec<u8> = (0..70_000).map(|i| (i % 251) as u8).collect();
    let of: CaseId = case(31);
    let piece = fieldseal_proof::ids::EvidenceId::from_bytes([9; 16]);
    let seal = vec![(format!("evidence/{piece}/sha256"), Value::bytes(sha256(&data)))];
    let frames = [
        tablet.open(),
        begin(&mut tablet, 31, 1),
        tablet.write("evidence.seal", Some(of), seal).frame(),
    ];
    assert_eq!(world.push(&tablet, &frames).await.0, 200);
    let hash = hex::encode(sha256(&data));
    let metadata = format!("sha256 {}", fieldseal_proof::encoding::base64(hash.as_bytes()));
    let sent = world
        .ask(Method::POST, "/v1/uploads", &tablet.token)
        .header("tus-resumable", "1.0.0")
        .header("upload-length", data.len())
        .header("upload-metadata", metadata)
        .header("content-type", "application/offset+octet-stream")
        .body(data.clone());
    assert_eq!(sent.send().await.unwrap().status(), 201);
    // The feed shows what is folded: the case knows its evidence then.
    world.feed(&supervisor, &mut String::new()).await;
    for range in ["bytes=0-9", "bytes=10-19", "bytes=0-"] {
        let path = format!("/v1/blobs/{hash}");
        let asked = world.ask(Method::GET, &path, &supervisor.token).header("range", range);
        assert_eq!(asked.send().await.unwrap().status(), 206);
    }
    let path = format!("/v1/cases/{of}/export");
    let bundle = world.ask(Method::POST, &path, &supervisor.token).send().await.unwrap();
    assert_eq!(bundle.status(), 200);
    let bundle = bundle.bytes().await.unwrap();
    let operations = world.feed(&supervisor, &mut String::new()).await;
    let events: Vec<(String, String, u64, OpId)> = operations
        .iter()
        .filter(|(_, operation)| operation.header().kind == "custody.event" && operation.header().case == Some(of))
        .map(|(leaf, operation)| {
            let body = operation.body().unwrap();
            let text = |field: &str| {
                let named = body.fields().iter().find(|f| f.path.ends_with(field)).unwrap();
                body.get(&named.path).unwrap()
            };
            let about = text("/evidence");
            assert_eq!(about.as_array().unwrap()[0].as_bytes().unwrap(), piece.as_bytes());
            (
                text("/event").as_text().unwrap().to_owned(),
                text("/by").as_text().unwrap().to_owned(),
                *leaf,
                operation.id(),
            )
        })
        .collect();
    let by = format!("supervisor {}", supervisor.id);
    let said: Vec<(&str, &str)> = events
        .iter()
        .map(|(event, by, ..)| (event.as_str(), by.as_str()))
        .collect();
    assert_eq!(said, [("accessed", by.as_str()), ("exported", by.as_str())]);
    let roll = operations
        .iter()
        .find(|(_, operation)| operation.header().kind == "roll")
        .unwrap()
        .0;
    assert!(events[0].2 < roll && roll < events[1].2, "an export is logged after it");
    let mut files = zip::ZipArchive::new(std::io::Cursor::new(bundle)).unwrap();
    let mut names = (0..files.len()).map(|n| files.by_index(n).unwrap().name().unwrap().into_owned());
    let reading = format!("data/operations/{}.cbor", events[0].3);
    assert!(
        names.any(|name| name.ends_with(&reading)),
        "{reading} is not in the bundle"
    );
    world.fsck();
}

/// The pack's `unsynced_hours`, counted for whoever may have to send somebody out.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_on_a_tablet_longer_than_the_pack_allows_is_said_in_the_office() {
    let mut world = World::new();
    let device = world.device(10, "tablet").await;
    crate::console_act::publish(&world, "cn-work-safety").await;
    assert!(account(&world, "S-1", "周敏", "supervisor", PASSWORD));
    let mut browser = Browser::new(&world);
    assert_eq!(browser.sign_in("S-1", PASSWORD).await.status(), 303);
    const HOUR: u64 = 3_600_000;
    for (waits, said, passed) in [
        (71 * HOUR, "最久 2 天 23 小时（期限 3 天）", None),
        (72 * HOUR, "最久 3 天（期限 3 天）", None),
        (
            77 * HOUR,
            "最久 3 天 5 小时（期限 3 天）",
            Some("未上交的记录超过期限 5 小时"),
        ),
    ] {
        let health = json!({ "wall_ms": 1, "waiting": { "operations": 1, "unsealed": 0, "blobs": 0, "blob_bytes": 0 },
            "oldest_waiting_ms": waits, "app": "a", "core": "0" });
        let told = world.ask(Method::POST, "/v1/health", &device.token).json(&health);
        assert_eq!(world.json(told).await.0, 200);
        let (_, page) = browser.get("/console/devices").await;
        assert!(page.contains(said), "{said}: {page}");
        assert_eq!(page.contains("超过期限"), passed.is_some(), "{waits}: {page}");
        assert!(passed.is_none_or(|words| page.contains(words)), "{page}");
    }
}
