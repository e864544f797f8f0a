//! Hearing bundles asked for again: the same checkpoint gives the same bytes, and an export is logged after it.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use fieldseal_proof::cbor::Value;
use fieldseal_proof::hash::sha256;
use fieldseal_proof::ids::{CaseId, EvidenceId, to_hex};
use reqwest::Method;
use serde_json::Value as Json;

use crate::console::{Browser, PASSWORD, account, location};
use crate::world::*;

const PIECE: EvidenceId = EvidenceId::from_bytes([9; 16]);

struct Case {
    world: World,
    tablet: Device,
    supervisor: Device,
    of: CaseId,
}

impl Case {
    /// A case with a photograph that arrived.
    async fn new() -> Self {
        let mut world = World::new();
        let mut tablet = world.device(10, "tablet").await;
        let supervisor = world.device(12, "supervisor").await;
        let (of, data) = (case(31), vec![7; 70_000]);
        let seal = vec![(format!("evidence/{PIECE}/sha256"), Value::bytes(sha256(&data)))];
        let begin = vec![
            (
                "inspection/device".into(),
                Value::Array(vec![Value::bytes(tablet.id.as_bytes())]),
            ),
            ("party/name".into(), Value::text("红星五金厂")),
        ];
        let frames = [
            tablet.open(),
            tablet.write("inspection.begin", Some(of), begin).frame(),
            tablet.write("evidence.seal", Some(of), seal).frame(),
        ];
        assert_eq!(world.push(&tablet, &frames).await.0, 200);
        let hash = to_hex(&sha256(&data));
        let sent = world
            .ask(Method::POST, "/v1/uploads", &tablet.token)
            .header("tus-resumable", "1.0.0")
            .header("upload-length", data.len())
            .header(
                "upload-metadata",
                format!("sha256 {}", fieldseal_proof::encoding::base64(hash.as_bytes())),
            )
            .header("content-type", "application/offset+octet-stream")
            .body(data);
        assert_eq!(sent.send().await.unwrap().status(), 201);
        // What is shown is folded: the case knows its evidence then.
        world.feed(&supervisor, &mut String::new()).await;
        Self {
            world,
            tablet,
            supervisor,
            of,
        }
    }

    async fn export(&self, at: Option<u64>) -> (u16, u64, Vec<u8>) {
        let asked = at.map_or_else(String::new, |at| format!("?at={at}"));
        let path = format!("/v1/cases/{}/export{asked}", self.of);
        let answer = self
            .world
            .ask(Method::POST, &path, &self.supervisor.token)
            .send()
            .await
            .unwrap();
        let size = answer.headers().get("fieldseal-checkpoint");
        let size = size.map_or(0, |size| size.to_str().unwrap().parse().unwrap());
        (answer.status().as_u16(), size, answer.bytes().await.unwrap().to_vec())
    }

    async fn exported(&self, at: Option<u64>) -> (u64, Vec<u8>) {
        let (status, size, zip) = self.export(at).await;
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&zip));
        (size, zip)
    }

    async fn published(&self) -> u64 {
        let note = self.world.client.get(format!("{}/checkpoint", self.world.url)).send();
        let note = note.await.unwrap().text().await.unwrap();
        note.lines().nth(1).unwrap().parse().unwrap()
    }

    /// Custody events and rolls of the case, with their leaves, in log order.
    async fn own_words(&self) -> Vec<(u64, String, Option<String>)> {
        let operations = self.world.feed(&self.supervisor, &mut String::new()).await;
        let of = |(leaf, operation): &(u64, fieldseal_proof::operation::Operation)| {
            let body = operation.body()?;
            let text = |end: &str| {
                let field = body.fields().iter().find(|field| field.path.ends_with(end))?;
                Some(body.get(&field.path)?.as_text()?.to_owned())
            };
            match operation.header().kind.as_str() {
                "roll" => Some((*leaf, "roll".to_owned(), None)),
                "custody.event" => Some((*leaf, text("/event")?, text("/note"))),
                _ => None,
            }
        };
        operations.iter().filter_map(of).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_checkpoint_gives_the_same_bytes_whatever_came_later() {
    let mut made = Case::new().await;
    let before = made.published().await;
    let (status, _, said) = made.export(Some(before)).await;
    let said: Json = serde_json::from_slice(&said).unwrap();
    assert_eq!((status, said["code"].as_str()), (422, Some("no_roll_then")), "{said}");

    let (size, first) = made.exported(None).await;
    assert!(size > before);
    // The record goes on: another field of the case, another value of one that the bundle shows, and a reading of the original.
    let later = vec![
        ("party/name".into(), Value::text("红星五金制品厂")),
        ("party/phone".into(), Value::text("123")),
    ];
    let frame = made.tablet.write("party.record", Some(made.of), later).frame();
    assert_eq!(made.world.push(&made.tablet, &[frame]).await.0, 200);
    let path = format!("/v1/blobs/{}", to_hex(&sha256(&[7; 70_000])));
    let read = made
        .world
        .ask(Method::GET, &path, &made.supervisor.token)
        .send()
        .await
        .unwrap();
    assert_eq!(read.status(), 200);
    made.world.feed(&made.supervisor, &mut String::new()).await;
    assert!(made.published().await > size);

    let (again_size, again) = made.exported(Some(size)).await;
    assert_eq!(again_size, size);
    assert!(first == again, "the same checkpoint gave another bundle");
    let (newer_size, newer) = made.exported(None).await;
    assert!(
        newer_size > size && newer != first,
        "without a checkpoint a new roll is signed"
    );
    let (status, _, said) = made.export(Some(1_000_000)).await;
    let said: Json = serde_json::from_slice(&said).unwrap();
    assert_eq!(
        (status, said["code"].as_str()),
        (422, Some("no_such_checkpoint")),
        "{said}"
    );

    // The command line makes the same, unpacked, by size and by the checkpoint's own file.
    made.world.stop();
    let dir = made.world.dir().display().to_string();
    let export = |at: &str, out: &Path| {
        let words = ["export", "--dir", &dir, "--case", &made.of.to_string(), "--at", at];
        made.world
            .command(&[&words[..], &["--out", out.to_str().unwrap()]].concat())
    };
    let (one, two) = (
        made.world.folder.path().join("one"),
        made.world.folder.path().join("two"),
    );
    let report = export(&size.to_string(), &one);
    assert_eq!(report["checkpoint"], size);
    export(one.join("data/checkpoint").to_str().unwrap(), &two);
    let unzipped = unzip(&first);
    assert_eq!(files(&one), unzipped);
    assert_eq!(files(&two), unzipped);
    let words = [
        "export",
        "--dir",
        &dir,
        "--case",
        &made.of.to_string(),
        "--at",
        "7000000",
        "--out",
        "x",
    ];
    let (code, said) = made.world.attempt(&words);
    assert_eq!(
        (code, said["error"]["code"].as_str()),
        (Some(1), Some("no_such_checkpoint"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_signed_into_the_case_after_it_and_names_the_bundle() {
    let mut made = Case::new().await;
    let (size, zip) = made.exported(None).await;
    let bundle = to_hex(&sha256(&unzip(&zip)["tagmanifest-sha256.txt"]));
    let words = made.own_words().await;
    let kinds: Vec<&str> = words.iter().map(|(_, kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["roll", "exported"]);
    assert!(
        words[0].0 < size && size <= words[1].0,
        "logged after the bundle: {words:?}"
    );
    let note = words[1].2.as_deref().unwrap();
    assert_eq!(note, format!("bundle {bundle} at checkpoint {size}"));
    // Asked for again it signs no roll, and is logged as well.
    made.exported(Some(size)).await;
    let words = made.own_words().await;
    let kinds: Vec<&str> = words.iter().map(|(_, kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["roll", "exported", "exported"]);
    made.world.fsck();
}

/// The page of a hearing offers what the command line does: a bundle at the checkpoint of an earlier one.
#[tokio::test(flavor = "multi_thread")]
async fn the_console_gives_an_earlier_bundle_again_and_says_why_when_there_is_none() {
    let made = Case::new().await;
    let before = made.published().await;
    let (size, first) = made.exported(None).await;
    let (newer, _) = made.exported(None).await;
    made.world.feed(&made.supervisor, &mut String::new()).await;
    assert!(account(&made.world, "L-1", "法制科", "legal", PASSWORD));
    let mut browser = Browser::new(&made.world);
    assert_eq!(browser.sign_in("L-1", PASSWORD).await.status(), 303);
    let here = format!("/console/hearing/{}", made.of);
    let (_, page) = browser.get(&here).await;
    // Both bundles are named with their checkpoints, the newest first; no profile is offered that cannot be made.
    let place = |size: u64| page.find(&format!("<li>检查点 {size} · "));
    assert!(place(newer).is_some() && place(newer) < place(size), "{page}");
    assert!(
        page.contains("目前不能制作遮盖个人信息的版本") && !page.contains("name=\"profile\""),
        "{page}"
    );

    let asked = browser.post(&here, &[("at", "最早")]).await;
    assert_eq!(asked.status(), 422);
    let said = asked.text().await.unwrap();
    assert!(
        said.contains("只写数字") && said.contains("value=\"最早\"") && said.contains("<details open>"),
        "what was typed is kept: {said}"
    );
    let again = async |browser: &mut Browser, at: String| {
        let begun = browser.post(&here, &[("at", &at)]).await;
        assert_eq!(begun.status(), 303);
        let here = location(&begun);
        loop {
            let (_, page) = browser.get(&here).await;
            if !page.contains("hx-trigger=\"every 1s\"") {
                return page;
            }
        }
    };
    let none = again(&mut browser, "1000000".into()).await;
    assert!(none.contains("签过检查点") && !none.contains("下载数据包"), "{none}");
    let early = again(&mut browser, before.to_string()).await;
    assert!(
        early.contains("还没有本案的清点") && !early.contains("下载数据包"),
        "{early}"
    );
    let page = again(&mut browser, format!(" {size} ")).await;
    assert!(page.contains(&format!(" · 检查点 {size}</span>")), "{page}");
    let link = page.split("href=\"/console/hearing/bundles/").nth(1).unwrap();
    let link = format!("/console/hearing/bundles/{}", link.split('"').next().unwrap());
    let bundle = browser.open(&link).await.bytes().await.unwrap();
    assert!(bundle == first, "the same checkpoint gave another bundle");
}

fn unzip(zip: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut files = zip::ZipArchive::new(std::io::Cursor::new(zip)).unwrap();
    let mut all = BTreeMap::new();
    for n in 0..files.len() {
        let mut file = files.by_index(n).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        all.insert(file.name().unwrap().into_owned(), bytes);
    }
    all
}

fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut all, mut open) = (BTreeMap::new(), vec![root.to_path_buf()]);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false => {
                    let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                    all.insert(name, std::fs::read(&path).unwrap());
                }
            }
        }
    }
    all
}
