//! The pages of cases, evidence, enterprises and hearings, as a browser without scripts sees them.

use fieldseal_proof::cbor::Value;
use fieldseal_proof::encoding::base64;
use fieldseal_proof::hash::sha256;
use fieldseal_proof::ids::{CaseId, EnterpriseId, EvidenceId};
use fieldseal_testkit::Draft;
use reqwest::{Method, StatusCode, header};

use crate::console::{Browser, PASSWORD, account, location};
use crate::world::*;

pub const EVIDENCE: EvidenceId = EvidenceId::from_bytes([0x41; 16]);
pub const FILM: EvidenceId = EvidenceId::from_bytes([0x42; 16]);
const PAPER: EvidenceId = EvidenceId::from_bytes([0x43; 16]);
const HOSTILE: &str = "<script>alert(1)</script>\u{202e}恒泰精细化工有限公司";

/// A picture of a few colours.
pub fn picture() -> Vec<u8> {
    let pixels: Vec<u8> = (0..64 * 48 * 3).map(|at| (at * 7 % 251) as u8).collect();
    let mut jpeg = Vec::new();
    image::codecs::jpeg::JpegEncoder::new(&mut jpeg)
        .encode(&pixels, 64, 48, image::ExtendedColorType::Rgb8)
        .unwrap();
    jpeg
}

fn seal(id: EvidenceId, bytes: &[u8], media: &str, acquisition: &str, title: &str) -> Vec<(String, Value)> {
    let at = |field: &str| format!("evidence/{id}/{field}");
    vec![
        (at("sha256"), Value::bytes(sha256(bytes))),
        (at("size"), Value::Uint(bytes.len() as u64)),
        (at("media_type"), Value::text(media)),
        (at("kind"), Value::text("photo")),
        (at("acquisition"), Value::text(acquisition)),
        (at("title"), Value::text(title)),
        (at("latitude_e7"), Value::Uint(300_000_000)),
        (at("longitude_e7"), Value::Uint(1_200_000_000)),
    ]
}

/// An inspection with a picture that arrived, a film that did not, and a page that calls itself a picture.
pub async fn inspection(world: &mut World) -> (Device, CaseId) {
    let mut tablet = world.device(10, "tablet").await;
    let begin = vec![
        ("inspection/device".into(), Value::bytes(tablet.id.as_bytes())),
        ("inspection/planned".into(), Value::text("2026-03-02")),
        ("inspection/title".into(), Value::text("危化品检查")),
        ("party/address".into(), Value::text("临江工业园区纬三路18号")),
        ("party/credit_code".into(), Value::text("91350100M000100Y43")),
        ("party/name".into(), Value::text(HOSTILE)),
    ];
    let document = "3d3d3d3d-3d3d-3d3d-3d3d-3d3d3d3d3d3d";
    let issue = vec![
        (
            format!("document/{document}/number"),
            Value::text("（云）应急检记〔2026〕12号"),
        ),
        (format!("document/{document}/type"), Value::text("inspection_record")),
    ];
    let finding = vec![(
        "finding/4e4e4e4e-4e4e-4e4e-4e4e-4e4e4e4e4e4e/text".into(),
        Value::text("安全出口被占用"),
    )];
    let due = vec![
        (
            "order/5e5e5e5e-5e5e-5e5e-5e5e-5e5e5e5e5e5e/item/6e6e6e6e-6e6e-6e6e-6e6e-6e6e6e6e6e6e/due".into(),
            Value::text("2020-01-31"),
        ),
        (
            "order/5e5e5e5e-5e5e-5e5e-5e5e-5e5e5e5e5e5e/item/6e6e6e6e-6e6e-6e6e-6e6e-6e6e6e6e6e6e/text".into(),
            Value::text("清理安全出口"),
        ),
    ];
    let html = b"<!doctype html><script>alert(1)</script>";
    let film = [b"\0\0\0\x18ftypisom\0\0\0\0isommp42".as_slice(), &[7; 200_000]].concat();
    let id = Some(case(7));
    let frames = vec![
        tablet.open(),
        tablet.write("inspection.begin", id, begin).frame(),
        tablet.write("finding.record", id, finding).frame(),
        tablet.write("order.draft", id, due).frame(),
        tablet
            .write(
                "evidence.seal",
                id,
                seal(EVIDENCE, &picture(), "image/jpeg", "camera", "出口"),
            )
            .frame(),
        tablet
            .write("evidence.seal", id, seal(FILM, &film, "video/mp4", "recorder", "走查"))
            .frame(),
        tablet
            .write("evidence.seal", id, seal(PAPER, html, "image/jpeg", "imported", "图"))
            .frame(),
        tablet.write("document.issue", id, issue).frame(),
    ];
    assert_eq!(world.push(&tablet, &frames).await.0, 200);
    upload(world, &tablet, &picture()).await;
    upload(world, &tablet, html).await;
    // Whatever was pushed is judged, folded and shown once the feed has it.
    let supervisor = world.device(12, "supervisor").await;
    world.feed(&supervisor, &mut String::new()).await;
    (tablet, case(7))
}

async fn upload(world: &World, device: &Device, bytes: &[u8]) {
    let hash = hex::encode(sha256(bytes));
    let metadata = format!(
        "sha256 {},media_type {}",
        base64(hash.as_bytes()),
        base64(b"image/jpeg")
    );
    let create = world
        .ask(Method::POST, "/v1/uploads", &device.token)
        .header("tus-resumable", "1.0.0");
    let create = create
        .header("upload-length", bytes.len())
        .header("upload-metadata", metadata);
    let answer = create.send().await.unwrap();
    assert_eq!(answer.status(), 201);
    let place = answer.headers()["location"].to_str().unwrap().to_owned();
    let patch = world
        .ask(Method::PATCH, &place, &device.token)
        .header("tus-resumable", "1.0.0");
    let patch = patch
        .header("upload-offset", 0)
        .header("content-type", "application/offset+octet-stream");
    assert_eq!(patch.body(bytes.to_vec()).send().await.unwrap().status(), 204);
}

pub async fn desk(world: &World, user: &str, role: &str) -> Browser {
    assert!(account(world, user, "周敏", role, PASSWORD));
    let mut browser = Browser::new(world);
    assert_eq!(browser.sign_in(user, PASSWORD).await.status(), 303);
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_is_found_and_every_page_of_it_reads() {
    let mut world = World::new();
    let (_, id) = inspection(&mut world).await;
    let mut browser = desk(&world, "S-1", "supervisor").await;
    let row = format!("href=\"/console/cases/{id}\"");
    for words in [
        "化工",
        "恒泰",
        "[2026]12号",
        "【２０２６】１２号",
        "m000100y43",
        "纬三路18",
        "出口 化工",
    ] {
        let q: String = words.bytes().map(|b| format!("%{b:02X}")).collect();
        let (status, page) = browser.get(&format!("/console/cases?q={q}")).await;
        assert_eq!(
            (status, page.contains(&row)),
            (StatusCode::OK, words != "出口 化工"),
            "{words}: {page}"
        );
    }
    let (_, page) = browser.get("/console/cases?stage=closed").await;
    assert!(
        page.contains("没有符合 1 个条件的案件") && !page.contains(&row),
        "{page}"
    );
    let (_, page) = browser.get("/console/cases?problems=1&due=2026-01-01").await;
    assert!(
        page.contains(&row) && page.contains("已超期"),
        "a late case with a file that did not arrive: {page}"
    );
    let (_, page) = browser.get("/console/documents?q=12%E5%8F%B7").await;
    assert!(page.contains("（云）应急检记〔2026〕12号"), "{page}");
    for (path, words) in [
        ("", "下一步"),
        ("/timeline", "固化证据"),
        ("/timeline?kind=evidence&order=oldest", "旧的在前"),
        ("/records", "安全出口被占用"),
        ("/evidence", "文件尚未上传（平板"),
        ("/evidence?view=list", "现场拍摄"),
        ("/evidence?acquisition=imported", "导入"),
        ("/evidence?missing=1", "走查"),
        ("/documents", "（云）应急检记〔2026〕12号"),
        ("/deadlines", "清理安全出口"),
    ] {
        for lang in ["zh-CN", "en"] {
            let (status, page) = browser.get_in(&format!("/console/cases/{id}{path}"), lang).await;
            assert_eq!(status, 200, "{path}");
            assert!(lang == "en" || page.contains(words), "{path}: {page}");
            assert!(
                page.contains("&#60;script&#62;alert(1)") && !page.contains("<script>alert"),
                "{path} escapes: {page}"
            );
            assert!(
                !page.contains(" style=")
                    && !page.contains("本版本不认识")
                    && !page.contains("this version does not know"),
                "{path}: {page}"
            );
        }
    }
    let (status, page) = browser.get(&format!("/console/cases/{}", case(8))).await;
    assert_eq!(
        (status, page.contains("没有这个页面，或您无权查看")),
        (StatusCode::NOT_FOUND, true)
    );
    let (status, csv) = browser.get("/console/cases.csv?q=%E5%8C%96%E5%B7%A5").await;
    assert_eq!((status, csv.lines().count()), (StatusCode::OK, 2), "{csv}");

    let mut clerk = desk(&world, "A-1", "administrator").await;
    for path in [
        "/console/cases".to_owned(),
        format!("/console/cases/{id}"),
        format!("/console/hearing/{id}"),
    ] {
        assert_eq!(clerk.get(&path).await.0, 403, "{path}: an administrator reads no case");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn originals_have_ranges_strict_headers_and_a_line_in_the_log() {
    let mut world = World::new();
    let (_, id) = inspection(&mut world).await;
    let mut browser = desk(&world, "S-1", "supervisor").await;
    let bytes = picture();
    let hash = hex::encode(sha256(&bytes));
    let path = format!("/console/originals/{hash}");
    let whole = browser.open(&path).await;
    assert_eq!(whole.status(), 200);
    let said = |answer: &reqwest::Response, name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(said(&whole, "content-type"), "image/jpeg");
    assert_eq!(said(&whole, "content-security-policy"), "sandbox; default-src 'none'");
    assert_eq!(said(&whole, "x-content-type-options"), "nosniff");
    assert_eq!(said(&whole, "accept-ranges"), "bytes");
    assert!(said(&whole, "content-disposition").starts_with("inline;"));
    let etag = said(&whole, "etag");
    assert_eq!(whole.bytes().await.unwrap(), bytes);
    let part = browser.open_with(&path, &[("range", "bytes=10-19")]).await;
    assert_eq!(
        (part.status().as_u16(), said(&part, "content-range")),
        (206, format!("bytes 10-19/{}", bytes.len()))
    );
    assert_eq!(part.bytes().await.unwrap(), bytes[10..20]);
    let same = browser
        .open_with(&path, &[("range", "bytes=10-19"), ("if-range", &etag)])
        .await;
    assert_eq!(same.status(), 206);
    let other = browser
        .open_with(&path, &[("range", "bytes=10-19"), ("if-range", "\"other\"")])
        .await;
    assert_eq!(other.status(), 200);
    let beyond = browser.open_with(&path, &[("range", "bytes=999999-")]).await;
    assert_eq!(
        (beyond.status().as_u16(), said(&beyond, "content-range")),
        (416, format!("bytes */{}", bytes.len()))
    );

    // A page that was sealed as a picture stays a file, whatever its record calls it.
    let html = browser
        .open(&format!(
            "/console/originals/{}?name=x.html",
            hex::encode(sha256(b"<!doctype html><script>alert(1)</script>"))
        ))
        .await;
    assert_eq!(said(&html, "content-type"), "application/octet-stream");
    assert!(said(&html, "content-disposition").starts_with("attachment;"));
    for unknown in [
        format!("/console/originals/{}", hex::encode([9; 32])),
        "/console/originals/zz".into(),
    ] {
        assert_eq!(browser.open(&unknown).await.status(), 404, "{unknown}");
    }

    let preview = browser.open(&format!("/console/previews/tile/{hash}")).await;
    assert_eq!(
        (preview.status().as_u16(), said(&preview, "content-type")),
        (200, "image/jpeg".into())
    );
    assert!(said(&preview, "content-disposition").contains("preview-not-the-original"));
    assert_ne!(preview.bytes().await.unwrap(), bytes);
    let none = browser
        .open(&format!(
            "/console/previews/tile/{}",
            hex::encode(sha256(b"<!doctype html><script>alert(1)</script>"))
        ))
        .await;
    assert_eq!(none.status(), 404, "what is no picture has no preview");

    // Opened from its beginning, in ranges, and anew because another file was asked for: two openings, each with who.
    let (status, item) = browser.get(&format!("/console/cases/{id}/evidence/{EVIDENCE}")).await;
    assert_eq!(status, 200);
    assert_eq!(item.matches("打开原件</td>").count(), 2, "{item}");
    assert!(item.contains("周敏 s-1 · 主管"), "{item}");
    for words in [
        "已锚定",
        "ANCHORED",
        "由本服务器计算；听证请用独立工具核对",
        "预览，非原件",
        "自行核对",
        "sha256sum -c -",
        "openssl pkeyutl -verify",
        "不证明什么",
        "可从平板移除",
        "现场拍摄",
    ] {
        assert!(item.contains(words), "{words}: {item}");
    }
    let (_, film) = browser.get(&format!("/console/cases/{id}/evidence/{FILM}")).await;
    assert!(
        film.contains("文件尚未上传") && film.contains("verdict none edge-dotted") && film.contains("未检验"),
        "{film}"
    );
    let mut stranger = Browser::new(&world);
    assert_eq!(stranger.open(&path).await.status(), 303);
    let mut clerk = desk(&world, "A-1", "administrator").await;
    assert_eq!(clerk.open(&path).await.status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_on_the_page_hold() {
    let mut world = World::new();
    let (_, id) = inspection(&mut world).await;
    let mut browser = desk(&world, "L-1", "legal").await;
    let (_, item) = browser.get(&format!("/console/cases/{id}/evidence/{EVIDENCE}")).await;
    let folder = tempfile::tempdir().unwrap();
    let operation = item
        .split("/console/operations/")
        .nth(1)
        .unwrap()
        .split('/')
        .next()
        .unwrap()
        .to_owned();
    let files = [("message", "pae"), ("signature", "sig"), ("key", "pub.pem")];
    for (part, ending) in files {
        let answer = browser.open(&format!("/console/operations/{operation}/{part}")).await;
        assert_eq!(answer.status(), 200);
        let name = format!("{}.{ending}", &operation[..12]);
        assert!(
            answer.headers()[header::CONTENT_DISPOSITION]
                .to_str()
                .unwrap()
                .contains(&name)
        );
        std::fs::write(folder.path().join(name), answer.bytes().await.unwrap()).unwrap();
    }
    let hash = hex::encode(sha256(&picture()));
    std::fs::write(folder.path().join(format!("{}.jpg", &hash[..16])), picture()).unwrap();
    let commands: Vec<String> = item
        .split("<pre><code>")
        .skip(1)
        .map(|rest| {
            rest.split("</code>")
                .next()
                .unwrap()
                .replace("&#39;", "'")
                .replace("&quot;", "\"")
                .replace("&#34;", "\"")
        })
        .collect();
    assert_eq!(commands.len(), 2, "{commands:?}");
    for command in commands {
        let done = std::process::Command::new("sh")
            .args(["-c", &command])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{command}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_logged_verified_and_fetched_by_whoever_asked() {
    let mut world = World::new();
    let (_, id) = inspection(&mut world).await;
    let mut browser = desk(&world, "L-1", "legal").await;
    let (status, page) = browser.get(&format!("/console/hearing/{id}")).await;
    assert_eq!(status, 200);
    assert!(
        page.contains("1 个文件还在平板上") && page.contains("不等文件，导出并检验") && page.contains("不证明什么"),
        "{page}"
    );
    // Files that have not arrived are named, and not waiting for them takes a reason, which is signed into the case.
    assert!(page.contains("走查") && page.contains("为何不等这些文件"), "{page}");
    let begun = browser
        .post(&format!("/console/hearing/{id}"), &[("reason", " ")])
        .await;
    assert_eq!(begun.status(), 422);
    let begun = browser
        .post(
            &format!("/console/hearing/{id}"),
            &[("reason", "听证日期已定，平板尚未联网")],
        )
        .await;
    assert_eq!(begun.status(), 303);
    let (_, film) = browser.get(&format!("/console/cases/{id}/evidence/{FILM}")).await;
    assert!(
        film.contains("听证日期已定，平板尚未联网"),
        "the custody of the missing file says so: {film}"
    );
    let here = location(&begun);
    let page = loop {
        let (status, page) = browser.get(&here).await;
        assert_eq!(status, 200);
        assert!(!page.contains("没有导出"), "{page}");
        if page.contains("下载数据包") {
            break page;
        }
    };
    for words in [
        "已锚定",
        "ANCHORED",
        "1 项未附原件",
        "清点所列各项都在此",
        // Nobody else bounds the time of anything here, and the page says whose word it is.
        "时间上界由谁说明</th><td data-l=\"结论\">服务器自述 · ",
        "须从别处取得的信任材料",
        "没有依法不予提供的内容",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let download = page
        .split("/console/hearing/bundles/")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    let path = format!("/console/hearing/bundles/{download}");
    let bundle = browser.open(&path).await;
    assert_eq!(
        (
            bundle.status().as_u16(),
            bundle.headers()["content-type"].to_str().unwrap()
        ),
        (200, "application/zip")
    );
    assert!(bundle.bytes().await.unwrap().starts_with(b"PK"));
    let mut other = desk(&world, "L-2", "legal").await;
    assert_eq!(other.open(&path).await.status(), 404, "nobody else fetches it");
    assert_eq!(other.get(&format!("/console/hearing/{}", case(9))).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn enterprises_are_found_and_duplicates_are_proposed() {
    let mut world = World::new();
    let admin = world.admin_token();
    let csv = "企业名称,统一社会信用代码,地址\n恒泰精细化工有限公司,91350100M000100Y43,临江工业园区纬三路18号\n恒泰精细化工,91350100M000100Y43,\n红星五金厂,,城东路1号\n";
    let request = world.ask(Method::POST, "/v1/admin/enterprises", &admin).body(csv);
    assert_eq!(world.json(request).await.1["taken"], 3);
    let supervisor = world.device(12, "supervisor").await;
    world.feed(&supervisor, &mut String::new()).await;
    let mut browser = desk(&world, "S-1", "supervisor").await;
    let (_, list) = browser.get("/console/enterprises?q=%E6%81%92%E6%B3%B0").await;
    assert!(
        list.contains("共 2 项") && list.contains("恒泰精细化工有限公司"),
        "{list}"
    );
    let id: EnterpriseId = list.split("/console/enterprises/").nth(1).unwrap()[..36]
        .parse()
        .unwrap();
    let (status, page) = browser.get(&format!("/console/enterprises/{id}")).await;
    assert_eq!(status, 200);
    assert!(
        page.contains("统一社会信用代码相同") && page.contains("比较并合并") && page.contains("校验位相符"),
        "{page}"
    );
    let (status, twice) = browser.get("/console/duplicates").await;
    assert!(
        status == 200
            && twice.contains("统一社会信用代码相同")
            && twice.contains("/console/act/join?keep=")
            && !twice.contains("红星"),
        "{twice}"
    );
    let (_, devices) = browser.get("/console/devices").await;
    assert!(
        devices.contains("主管的设备") && devices.contains("没有报告"),
        "{devices}"
    );
    assert_eq!(
        browser
            .get("/console/enterprises/00000000-0000-0000-0000-000000000000")
            .await
            .0,
        404
    );
}

/// The views, and with them the index, are made again by one command.
#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_finds_the_same() {
    let mut world = World::new();
    let (_, id) = inspection(&mut world).await;
    world.stop();
    world.command(&["fsck", "--rebuild", "--dir", world.dir().to_str().unwrap()]);
    world.start();
    let mut browser = desk(&world, "S-1", "supervisor").await;
    let (_, page) = browser.get("/console/cases?q=%E5%8C%96%E5%B7%A5").await;
    assert!(page.contains(&format!("href=\"/console/cases/{id}\"")), "{page}");
    let (_, page) = browser.get(&format!("/console/cases/{id}/evidence/{EVIDENCE}")).await;
    assert!(page.contains("ANCHORED"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_access_log_says_who_opened_which_original() {
    let mut world = World::new();
    let (_, id) = inspection(&mut world).await;
    let mut browser = desk(&world, "S-1", "supervisor").await;
    let hash = hex::encode(sha256(&picture()));
    assert_eq!(browser.open(&format!("/console/originals/{hash}")).await.status(), 200);
    let (_, item) = browser.get(&format!("/console/cases/{id}/evidence/{EVIDENCE}")).await;
    let link = format!("/console/access?target={hash}");
    assert!(item.contains(&link), "the page of the item leads there: {item}");
    let (status, log) = browser.get(&link).await;
    assert_eq!(status, 200);
    assert_eq!(log.matches("<tr data-row>").count(), 1, "{log}");
    let line = log.split("<tr data-row>").nth(1).unwrap();
    for part in ["周敏 s-1 · 主管", "打开原件", &hash, &format!("/console/cases/{id}")] {
        assert!(line.contains(part), "{part}: {line}");
    }
    let (_, other) = browser.get("/console/access?deed=case.export").await;
    assert!(other.contains("没有符合的记录"), "{other}");

    // Whoever reads no case sees the lines, but no way to one; the legal unit sees none.
    let mut clerk = desk(&world, "A-1", "administrator").await;
    let (status, seen) = clerk.get(&link).await;
    assert!(
        status == 200 && seen.contains("打开原件") && !seen.contains(&format!("/console/cases/{id}")),
        "{seen}"
    );
    let mut legal = desk(&world, "L-1", "legal").await;
    assert_eq!(legal.get("/console/access").await.0, 403);
    let (_, item) = legal.get(&format!("/console/cases/{id}/evidence/{EVIDENCE}")).await;
    assert!(!item.contains("/console/access"), "no link leads where nobody may go");
}

/// A review lies in the case of a later visit and settles what an earlier one ordered: it leaves the overdue list, and comes back
/// when a newer review says otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_review_found_fulfilled_is_no_longer_overdue() {
    let mut world = World::new();
    let mut tablet = world.device(10, "tablet").await;
    let supervisor = world.device(12, "supervisor").await;
    let begin = |tablet: &Device| {
        vec![
            ("inspection/device".to_owned(), Value::bytes(tablet.id.as_bytes())),
            ("inspection/enterprise".to_owned(), Value::bytes([0x77; 16])),
            ("party/name".to_owned(), Value::text("红星五金厂")),
        ]
    };
    let (order, item) = (
        "5e5e5e5e-5e5e-5e5e-5e5e-5e5e5e5e5e5e",
        "6e6e6e6e-6e6e-6e6e-6e6e-6e6e6e6e6e6e",
    );
    let ordered = |field: &str, text: &str| (format!("order/{order}/item/{item}/{field}"), Value::text(text));
    let review = |result: &str| vec![(format!("review/{order}/item/{item}/result"), Value::text(result))];
    let ordering = vec![ordered("due", "2020-01-31"), ordered("text", "清理安全出口")];
    let (first, later) = (Some(case(21)), Some(case(22)));
    let frames = vec![
        tablet.open(),
        tablet.write("inspection.begin", first, begin(&tablet)).frame(),
        tablet.write("order.draft", first, ordering).frame(),
        tablet.write("inspection.begin", later, begin(&tablet)).frame(),
    ];
    assert_eq!(world.push(&tablet, &frames).await.0, 200);
    world.feed(&supervisor, &mut String::new()).await;
    let mut browser = desk(&world, "S-1", "supervisor").await;
    let here = format!("/console/cases/{}/deadlines", case(21));
    let overdue = format!("href=\"{here}?queue=overdue\"");
    let mut newest = None;
    // What is found, whether it is still overdue, the word for it.
    for (found, late, word) in [
        (None, true, "尚未复查"),
        (Some("partly"), true, "部分整改"),
        (Some("fulfilled"), false, "已整改"),
        (Some("not_fulfilled"), true, "未整改"),
        (Some("fulfilled"), false, "已整改"),
    ] {
        if let Some(found) = found {
            let draft = Draft {
                kind: "order.review".into(),
                case: later,
                fields: review(found),
                supersedes: newest.into_iter().collect(),
                at_ms: 1_700_000_000_000 + tablet.seq,
                ..Draft::default()
            };
            let operation = tablet.author.seal(draft);
            newest = Some(operation.id());
            assert_eq!(world.push(&tablet, &[operation.frame()]).await.0, 200);
            world.feed(&supervisor, &mut String::new()).await;
        }
        let (_, list) = browser.get("/console/worklist/overdue").await;
        assert_eq!(list.contains(&overdue), late, "{found:?}: {list}");
        let (_, page) = browser.get(&here).await;
        assert!(page.contains(word), "{found:?}: {page}");
        assert_eq!(page.contains("已超期 1 项"), late, "{found:?}: {page}");
        assert_eq!(page.contains("依据：复查记录"), found.is_some(), "{found:?}: {page}");
    }
    let (_, page) = browser.get(&format!("/console/cases/{}/timeline", case(22))).await;
    assert!(page.contains("复查整改事项 · <bdi>已整改"), "{page}");
    // The same after the views were made again.
    world.stop();
    world.command(&["fsck", "--rebuild", "--dir", world.dir().to_str().unwrap()]);
    world.start();
    let mut browser = Browser::new(&world);
    assert_eq!(browser.sign_in("S-1", PASSWORD).await.status(), 303);
    let (_, list) = browser.get("/console/worklist/overdue").await;
    assert!(!list.contains(&overdue), "{list}");
}

/// A case's verdict does not wait for somebody to open each item, and outlives the process.
#[tokio::test(flavor = "multi_thread")]
async fn items_are_checked_while_nothing_else_happens_and_a_restart_forgets_no_verdict() {
    let mut world = World::new();
    let (mut tablet, id) = inspection(&mut world).await;
    let here = format!("/console/cases/{id}");
    let mut browser = desk(&world, "S-1", "supervisor").await;
    // Two pieces of evidence and the document can be checked; the film has not arrived.
    let words = [
        "已锚定 <span class=\"code\" lang=\"en\">ANCHORED</span> 3",
        "未检验 1",
        "检验（",
    ];
    let checked = async |browser: &mut Browser, words: &[&str]| {
        loop {
            let (status, page) = browser.get(&here).await;
            assert_eq!(status, 200);
            if words.iter().all(|word| page.contains(word)) {
                return;
            }
        }
    };
    let whole = tokio::time::timeout(std::time::Duration::from_secs(60), checked(&mut browser, &words));
    assert!(whole.await.is_ok(), "{}", browser.get(&here).await.1);
    world.stop();
    world.start();
    let mut browser = Browser::new(&world);
    assert_eq!(browser.sign_in("S-1", PASSWORD).await.status(), 303);
    let (_, page) = browser.get(&here).await;
    assert!(
        words.iter().all(|word| page.contains(word)),
        "at once after the start: {page}"
    );
    // What arrives later is checked later: the next operation of the case wakes the worker.
    let film = [b"\0\0\0\x18ftypisom\0\0\0\0isommp42".as_slice(), &[7; 200_000]].concat();
    upload(&world, &tablet, &film).await;
    let later = vec![("note/a/text".to_owned(), Value::text("补传"))];
    let later = tablet.write("note.record", Some(id), later).frame();
    assert_eq!(world.push(&tablet, &[later]).await.0, 200);
    let words = ["已锚定 <span class=\"code\" lang=\"en\">ANCHORED</span> 4"];
    let whole = tokio::time::timeout(std::time::Duration::from_secs(60), checked(&mut browser, &words));
    assert!(whole.await.is_ok(), "{}", browser.get(&here).await.1);
}
