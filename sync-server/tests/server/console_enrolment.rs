//! Who may sign, as it changes: approved, refused, revoked, moved to another tablet. What the pages say, and what the tablets are told.

use fieldseal_proof::body::Body;
use fieldseal_proof::cbor::Value;
use fieldseal_proof::encoding::base64;
use fieldseal_proof::hash::sha256;
use fieldseal_proof::ids::{DeviceId, OfficerId};
use fieldseal_proof::suite::Signer;
use fieldseal_sync_server::ledger::sqlite::SqliteLedger;
use fieldseal_sync_server::ledger::{Commit, LedgerStore, Swap, space};
use fieldseal_testkit::text;
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::console::{Browser, PASSWORD, account};
use crate::console_filters::now_ms;
use crate::console_work::plain;
use crate::world::*;

/// A tablet that asked with an invitation, and its request.
async fn asking(world: &World, n: u8, label: &str) -> (Device, String, String) {
    let invite = world.ask(Method::POST, "/v1/admin/invitations", &world.admin_token());
    let invite = invite.json(&json!({ "kind": "tablet", "label": label }));
    let code = world.json(invite).await.1["code"].as_str().unwrap().to_owned();
    let mut device = Device::new(n, "tablet");
    let asked = world
        .client
        .post(format!("{}/v1/enrol", world.url))
        .json(&device.enrolment(&code));
    let (status, answer) = world.json(asked).await;
    assert_eq!(status, 200, "{answer}");
    device.token = answer["token"].as_str().unwrap().to_owned();
    (device, answer["request"].as_str().unwrap().to_owned(), code)
}

pub async fn publish(world: &World, frame: Vec<u8>) {
    let posted = world
        .ask(Method::POST, "/v1/admin/key-log", &world.admin_token())
        .body(frame);
    let (status, answer) = world.json(posted).await;
    assert_eq!(status, 200, "{answer}");
}

async fn signed_in(world: &World, user: &str, role: &str) -> Browser {
    assert!(account(world, user, "周敏", role, PASSWORD));
    let mut browser = Browser::new(world);
    assert_eq!(browser.sign_in(user, PASSWORD).await.status(), 303);
    browser
}

/// The rows under a heading, each as its text.
fn rows_under(page: &str, heading: &str) -> Vec<String> {
    let section = page
        .split(&format!("<h2>{heading} "))
        .nth(1)
        .unwrap_or_else(|| panic!("no {heading}: {page}"));
    let section = section.split("</section>").next().unwrap();
    section
        .split("<tr data-row")
        .skip(1)
        .map(|row| plain(row.split_once('>').unwrap().1))
        .collect()
}

/// The row of a device on the page of devices, as its text.
fn row_of(page: &str, device: &DeviceId) -> String {
    let row = page
        .split(&format!("id=\"d-{device}\">"))
        .nth(1)
        .unwrap_or_else(|| panic!("no {device}: {page}"));
    plain(row.split("</tr>").next().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_is_approved_or_refused_and_a_revoked_key_signs_nothing_more_while_what_it_signed_stays() {
    let mut world = World::new();
    let supervisor = world.device(12, "supervisor").await;
    let mut admin = signed_in(&world, "root", "administrator").await;
    let mut zhou = signed_in(&world, "S-1", "supervisor").await;
    let mut legal = signed_in(&world, "L-1", "legal").await;
    let enrolment = "/console/enrolment";
    assert!(admin.get(enrolment).await.1.contains("没有等待批准的登记"));
    let (mut taken, request, _) = asking(&world, 20, "平板 B").await;
    let (other, refused, code) = asking(&world, 21, "平板 C").await;

    // Both wait, with what the administrator compares and the command that approves.
    let (_, page) = admin.get(enrolment).await;
    let waiting = rows_under(&page, "待登记");
    assert_eq!(waiting.len(), 2, "{waiting:?}");
    for (label, device, request) in [("平板 B", &taken, &request), ("平板 C", &other, &refused)] {
        let row = waiting.iter().find(|row| row.contains(label)).unwrap();
        let command = format!("fieldseal admin approve --admin DIR {request}");
        assert!(
            row.contains(&device.key().public().fingerprint()) && row.contains(&command),
            "{row}"
        );
    }
    // A code works once: another device that has it is told that there is none such, and waits nowhere.
    let thief = Device::new(22, "tablet").enrolment(&code);
    let again = world.client.post(format!("{}/v1/enrol", world.url)).json(&thief);
    let (status, answer) = world.json(again).await;
    assert_eq!((status.as_u16(), &answer["code"]), (403, &json!("code_unknown")));
    let (_, page) = admin.get("/console/enrolment?code=0011").await;
    assert!(
        page.contains("登记码已过期或不在") && rows_under(&page, "待登记").len() == 2,
        "{page}"
    );
    // One is refused: it waits no longer, and is told why.
    let path = format!("/v1/admin/enrolments/{refused}/refuse");
    let no = world
        .ask(Method::POST, &path, &world.admin_token())
        .json(&json!({ "reason": "指纹不符" }));
    assert_eq!(world.json(no).await.0, 200);
    let (_, page) = admin.get(enrolment).await;
    let waiting = rows_under(&page, "待登记");
    assert!(waiting.len() == 1 && waiting[0].contains("平板 B"), "{waiting:?}");
    let told = world
        .client
        .get(format!("{}/v1/enrol/{refused}?code={code}", world.url));
    let (_, told) = world.json(told).await;
    assert_eq!(
        (&told["state"], &told["reason"]),
        (&json!("refused"), &json!("指纹不符"))
    );
    let (_, log) = admin.get("/console/access?deed=enrolment.refuse").await;
    assert!(log.contains(&refused), "{log}");
    // Who reads cases is led to none by the id of a request.
    let (_, log) = zhou.get("/console/access?deed=enrolment.refuse").await;
    assert!(
        log.contains(&refused) && !log.contains(&format!("/console/cases/{refused}")),
        "{log}"
    );

    // The other is approved: its keys stand in the list of devices, with their custody.
    let frame = world.enrolled(20, "tablet");
    publish(&world, frame).await;
    let begin = vec![
        ("inspection/device".to_owned(), Value::bytes(taken.id.as_bytes())),
        ("party/name".to_owned(), Value::text("红星五金厂")),
    ];
    let finding = vec![(
        "finding/4e4e4e4e-4e4e-4e4e-4e4e-4e4e4e4e4e4e/text".to_owned(),
        Value::text("安全出口被占用"),
    )];
    let kept = [
        taken.open(),
        taken.write("inspection.begin", Some(case(9)), begin).frame(),
        taken.write("finding.record", Some(case(9)), finding).frame(),
    ];
    assert_eq!(world.push(&taken, &kept).await.0, 200);
    let key = taken.key().public().key_id();
    let revoke = format!("{enrolment}/revoke?key={key}");
    for (browser, may) in [(&mut admin, true), (&mut zhou, false)] {
        let (_, page) = browser.get(enrolment).await;
        assert!(page.contains("没有等待批准的登记"), "{page}");
        let row = rows_under(&page, "设备")
            .into_iter()
            .find(|row| row.contains("平板 B"))
            .unwrap();
        for part in [
            taken.key().public().fingerprint(),
            ed(taken.cosigner).public().fingerprint(),
        ] {
            assert!(row.contains(&part), "{part}: {row}");
        }
        assert!(row.contains("软件") && row.contains("有效"), "{row}");
        assert_eq!(
            page.contains(&format!("href=\"{revoke}\"")),
            may,
            "only an administrator is led there: {page}"
        );
    }

    // What revoking means is said before it is done, with the command of whoever may.
    let effect = "撤销只对撤销之后有效；此前的签名仍按当时有效检验。撤销不能收回，之后可以登记新的密钥。";
    let (status, page) = admin.get(&revoke).await;
    assert_eq!(status, 200);
    assert!(
        page.contains(effect) && page.contains(&format!("fieldseal admin revoke --admin DIR --key {key}")),
        "{page}"
    );
    assert!(!page.contains("这把密钥已经撤销"), "{page}");
    let (_, english) = admin.get_in(&revoke, "en").await;
    assert!(
        english.contains("earlier signatures are still checked as valid at their time"),
        "{english}"
    );
    assert_eq!(legal.get(&revoke).await.0, 403);
    for unknown in [supervisor.id.to_string(), "0".repeat(64), String::new()] {
        assert_eq!(
            admin.get(&format!("{enrolment}/revoke?key={unknown}")).await.0,
            404,
            "{unknown}"
        );
    }
    let frame = world.revoke(key);
    publish(&world, frame).await;
    let (_, page) = admin.get_in(&revoke, "zh-CN").await;
    assert!(page.contains("这把密钥已经撤销"), "{page}");
    let (_, page) = admin.get(enrolment).await;
    let row = rows_under(&page, "设备")
        .into_iter()
        .find(|row| row.contains("平板 B"))
        .unwrap();
    assert!(row.contains("已撤销") && !row.contains("有效"), "{row}");
    assert!(!page.contains(&format!("href=\"{revoke}\"")), "{page}");
    let (_, devices) = zhou.get("/console/devices").await;
    let row = row_of(&devices, &taken.id);
    assert!(row.contains("已撤销") && !row.contains("标记遗失"), "{row}");
    // The tablet is told so in words, and what it hands over from then on is kept and set aside.
    let (status, told) = world.json(world.ask(Method::GET, "/v1/feed", &taken.token)).await;
    assert_eq!((status.as_u16(), &told["code"]), (401, &json!("device_revoked")));
    assert!(told["detail"].as_str().is_some_and(|words| !words.is_empty()), "{told}");
    let late = vec![(
        "finding/4f4f4f4f-4f4f-4f4f-4f4f-4f4f4f4f4f4f/text".to_owned(),
        Value::text("撤销以后写的"),
    )];
    let late = taken.write("finding.record", Some(case(9)), late);
    assert_eq!(world.push(&taken, &[late.frame()]).await.0, 200);
    world.feed(&supervisor, &mut String::new()).await;
    let (_, list) = zhou.get("/console/worklist/incidents").await;
    assert!(
        list.contains("撤销后使用密钥") && list.contains("1 条记录在密钥撤销之后列入日志"),
        "{list}"
    );
    let (_, view) = world
        .json(world.ask(Method::GET, &format!("/v1/cases/{}", case(9)), &supervisor.token))
        .await;
    let aside: Vec<&Json> = view["quarantine"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["id"])
        .collect();
    assert_eq!(
        aside,
        [&json!(late.id().to_string())],
        "what was signed before counts on"
    );
    assert_eq!(view["summary"]["findings"], 1);
}

/// An officer's request for a key on a tablet, as the tablet sends it.
pub async fn asks_for(world: &World, tablet: &Device, officer: u8, key: u8, name: &str) {
    let attrs = Body::build(
        sha256(&[key]),
        vec![text("name", name), text("certificate", "云应急执0060")],
    )
    .unwrap();
    let asked = json!({
        "kind": "officer", "officer": OfficerId::from_bytes([officer; 16]).to_string(), "role": "officer",
        "name": name, "certificate": "云应急执0060", "key": { "suite": 1, "public": hex::encode(ed(key).public().as_bytes()) },
        "attrs": base64(&attrs.encode()), "attrs_root": attrs.root().to_string(),
    });
    let (status, answer) = world
        .json(world.ask(Method::POST, "/v1/enrol", &tablet.token).json(&asked))
        .await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tablet_is_held_by_whose_key_it_carries_and_its_strip_is_as_long_as_its_silence() {
    let mut world = World::new();
    let tablets = [world.device(10, "tablet").await, world.device(11, "tablet").await];
    let [old, new] = &tablets;
    for tablet in &tablets {
        assert_eq!(world.push(tablet, &[tablet.clone().open()]).await.0, 200);
    }
    let frame = world.enrolled(13, "tablet");
    publish(&world, frame).await;
    let mut browser = signed_in(&world, "S-1", "supervisor").await;
    let held = "持有人 何青川";
    let holders = async |browser: &mut Browser| {
        let (_, page) = browser.get("/console/devices").await;
        tablets
            .each_ref()
            .map(|tablet| row_of(&page, &tablet.id).contains(held))
    };
    assert_eq!(holders(&mut browser).await, [false, false]);
    asks_for(&world, old, 60, 60, "何青川").await;
    assert_eq!(
        holders(&mut browser).await,
        [false, false],
        "who asks holds nothing yet"
    );
    world.approve_all().await;
    assert_eq!(holders(&mut browser).await, [true, false]);
    // The officer goes on with another tablet: a new key there, and the old one is revoked.
    asks_for(&world, new, 60, 61, "何青川").await;
    world.approve_all().await;
    assert_eq!(holders(&mut browser).await, [true, true]);
    let frame = world.revoke(ed(60).public().key_id());
    publish(&world, frame).await;
    assert_eq!(holders(&mut browser).await, [false, true]);
    let (_, page) = browser.get("/console/enrolment").await;
    let of = |label: &str| {
        rows_under(&page, "设备")
            .into_iter()
            .find(|row| row.contains(label))
            .unwrap()
    };
    assert_eq!(
        (of("d10").contains("何青川"), of("d11").contains("何青川")),
        (false, true)
    );
    let states: Vec<bool> = rows_under(&page, "人员密钥")
        .iter()
        .map(|row| row.contains("已撤销"))
        .collect();
    assert_eq!(states, [false, true], "both keys stay in the list: {page}");

    // Silence: of one tablet for half of the week that a strip shows, of the other not at all; the third never called.
    world.stop();
    let now = now_ms();
    {
        let ledger = SqliteLedger::open(&world.dir().join("ledger.sqlite")).unwrap();
        let row = ledger
            .register(space::DEVICE, old.id.as_bytes().to_vec())
            .await
            .unwrap()
            .unwrap();
        let mut contact: Json = serde_json::from_slice(&row.value).unwrap();
        contact["last_contact_ms"] = json!(now - 7 * 86_400_000 / 2);
        let contact = Swap::set(space::DEVICE, *old.id.as_bytes(), contact.to_string().into_bytes());
        ledger.commit(Commit::of(vec![contact])).await.unwrap();
    }
    world.start();
    let mut browser = Browser::new(&world);
    assert_eq!(browser.sign_in("S-1", PASSWORD).await.status(), 303);
    let (_, page) = browser.get("/console/devices").await;
    assert!(page.contains("共 3 台设备，2 台超过 24 小时未联系"), "{page}");
    let strip = |device: &DeviceId| {
        let row = page
            .split(&format!("id=\"d-{device}\">"))
            .nth(1)
            .unwrap()
            .split("</tr>")
            .next()
            .unwrap();
        let length = row
            .split("<rect x=\"0\" y=\"1\" width=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap();
        let sentence = plain(
            row.split("<span class=\"contact")
                .nth(1)
                .unwrap()
                .split("<svg")
                .next()
                .unwrap(),
        );
        let hatched = row.contains("fill=\"url(#silent-");
        (length.to_owned(), hatched, sentence)
    };
    let (length, hatched, sentence) = strip(&old.id);
    assert_eq!((length.as_str(), hatched), ("50", true), "{sentence}");
    assert!(sentence.contains("3 天 12 小时前"), "{sentence}");
    let (length, hatched, sentence) = strip(&new.id);
    assert_eq!((length.as_str(), hatched), ("1", false), "{sentence}");
    let (length, hatched, sentence) = strip(&DeviceId::from_bytes([13; 16]));
    assert_eq!((length.as_str(), hatched), ("100", true));
    assert!(sentence.contains("从未联系"), "{sentence}");
    // The worst comes first: who never called, then the longest silence.
    let place = |device: &DeviceId| page.find(&format!("id=\"d-{device}\"")).unwrap();
    assert!(place(&DeviceId::from_bytes([13; 16])) < place(&old.id) && place(&old.id) < place(&new.id));
}
