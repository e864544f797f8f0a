//! Restarts, kills, backup and restore, leases and imports.

use std::path::PathBuf;

use fieldseal_proof::bundle::{BundleSource, Extras, SourceError, Trust, Verdict, verify};
use fieldseal_proof::cbor::Value;
use fieldseal_proof::checkpoint::Checkpoint;
use fieldseal_proof::key_log::Purpose;
use fieldseal_proof::note::{SignedNote, VerifierKey};
use fieldseal_proof::sshsig;
use fieldseal_proof::suite::Signer;
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::raw::Raw;
use crate::world::*;

async fn checkpoint(world: &World) -> Checkpoint {
    let note = world
        .client
        .get(format!("{}/checkpoint", world.url))
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    let note = SignedNote::parse(&note).unwrap();
    note.verify(&VerifierKey::parse(world.card["log_vkey"].as_str().unwrap()).unwrap())
        .unwrap();
    Checkpoint::of(&note).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kills() {
    let mut world = World::new();
    let mut device = world.device(10, "tablet").await;
    let mut acknowledged = 0;
    let mut pending = vec![device.open()];
    for round in 0..12 {
        for _ in 0..5 {
            pending.push(device.note(&format!("{round}")));
        }
        let (status, answer) = world.push(&device, &pending).await;
        assert_eq!(status, 200, "{answer}");
        acknowledged = answer["head"]["seq"].as_u64().unwrap();
        let before = checkpoint(&world).await.size;
        // Straight after the answer: between commit and publishing.
        world.kill();
        world.start();
        let (_, head) = world
            .json(world.ask(
                Method::GET,
                &format!("/v1/log/{}/{}/head", device.id, device.incarnation),
                &device.token,
            ))
            .await;
        assert_eq!(
            (head["seq"].as_u64(), head["link"].as_str()),
            (Some(acknowledged), Some(device.prev.to_string().as_str()))
        );
        assert!(checkpoint(&world).await.size >= before);
        pending.clear();
    }
    assert_eq!(acknowledged, 60);
    world.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn backup_wipe_restore_and_the_devices_heal_it() {
    let mut world = World::new();
    let mut device = world.device(10, "tablet").await;
    let mut supervisor = world.device(12, "supervisor").await;
    let begin = vec![
        ("inspection/device".into(), Value::bytes(device.id.as_bytes())),
        ("party/name".into(), Value::text("甲")),
    ];
    let early = [
        device.open(),
        device.write("inspection.begin", Some(case(7)), begin).frame(),
    ];
    assert_eq!(world.push(&device, &early).await.0, 200);
    let _ = world.feed(&device, &mut String::new()).await;
    let backup = world.folder.path().join("backup");
    world.command(&[
        "backup",
        "--dir",
        world.dir().to_str().unwrap(),
        "--out",
        backup.to_str().unwrap(),
    ]);
    let late = [
        device.note("after the backup"),
        device.write("from.the.future", None, vec![]).frame(),
        device.note("and more"),
    ];
    assert_eq!(world.push(&device, &late).await.0, 200);
    let said = world.dispositions(&device).await;
    assert_eq!(said.len(), 1, "the server itself wrote after the backup");
    world.stop();
    let before = SignedNote::parse(&std::fs::read(world.dir().join("tiles/checkpoint")).unwrap()).unwrap();
    let before = Checkpoint::of(&before).unwrap();
    // Everything is lost but the tiles, which are kept apart.
    let kept = world.folder.path().join("tiles");
    std::fs::rename(world.dir().join("tiles"), &kept).unwrap();
    std::fs::remove_dir_all(world.dir()).unwrap();
    std::fs::create_dir(world.dir()).unwrap();
    std::fs::rename(&kept, world.dir().join("tiles")).unwrap();
    let report = world.command(&[
        "restore",
        "--from",
        backup.to_str().unwrap(),
        "--dir",
        world.dir().to_str().unwrap(),
    ]);
    assert_eq!(report["own"], 2, "its opening and the disposition");
    world.start();
    assert_eq!(checkpoint(&world).await, before, "the log goes on where it was");
    let (_, head) = world
        .json(world.ask(
            Method::GET,
            &format!("/v1/log/{}/{}/head", device.id, device.incarnation),
            &device.token,
        ))
        .await;
    assert_eq!(head["seq"], 1);
    // A roll signed now would leave out what the device still holds, and contradict it for good.
    let export = format!("/v1/cases/{}/export", case(7));
    let (status, refusal) = world.json(world.ask(Method::POST, &export, &supervisor.token)).await;
    assert_eq!((status.as_u16(), &refusal["code"]), (409, &json!("export_awaits")));
    let (status, answer) = world.push(&device, &[early.to_vec(), late.to_vec()].concat()).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["head"]["seq"], 4);
    assert_eq!(world.dispositions(&device).await, said, "nothing is said twice");
    let more = [
        device.note("life goes on"),
        device.write("from.beyond", None, vec![]).frame(),
    ];
    assert_eq!(world.push(&device, &more).await.0, 200);
    assert_eq!(world.dispositions(&device).await.len(), 2);
    assert_eq!(world.push(&supervisor, &[supervisor.clone().open()]).await.0, 200);
    let _ = supervisor.open();
    let bundle = world
        .ask(Method::POST, &export, &supervisor.token)
        .send()
        .await
        .unwrap();
    assert_eq!(bundle.status(), 200, "nothing is awaited any more");
    world.stop();
    let report = world.command(&["fsck", "--dir", world.dir().to_str().unwrap()]);
    assert_eq!((&report["findings"], &report["awaited"]), (&json!([]), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_backup_and_contradicting_tiles_are_refused() {
    let mut world = World::new();
    let mut device = world.device(10, "tablet").await;
    assert_eq!(world.push(&device, &[device.clone().open()]).await.0, 200);
    let _ = world.feed(&device, &mut String::new()).await;
    let _ = device.open();
    let backup = world.folder.path().join("backup");
    world.command(&[
        "backup",
        "--dir",
        world.dir().to_str().unwrap(),
        "--out",
        backup.to_str().unwrap(),
    ]);
    world.stop();
    // An older ledger under newer tiles signs nothing.
    let ledger = world.dir().join("ledger.sqlite");
    let older = tempfile::tempdir().unwrap();
    std::fs::copy(backup.join("ledger.sqlite"), older.path().join("l")).unwrap();
    world.start();
    assert_eq!(world.push(&device, &[device.clone().note("newer")]).await.0, 200);
    let _ = world.feed(&device, &mut String::new()).await;
    world.stop();
    for beside in ["ledger.sqlite-wal", "ledger.sqlite-shm"] {
        let _ = std::fs::remove_file(world.dir().join(beside));
    }
    std::fs::copy(older.path().join("l"), &ledger).unwrap();
    let (code, said) = world.attempt(&[
        "serve",
        "--dir",
        world.dir().to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
    ]);
    assert_eq!(code, Some(1));
    assert!(said["error"]["code"] == "log_frozen", "{said}");
    let key = backup.join("keys/log.key");
    let mut text = std::fs::read(&key).unwrap();
    text[0] ^= 1;
    std::fs::write(&key, text).unwrap();
    let target = world.folder.path().join("restored");
    let (code, said) = world.attempt(&[
        "restore",
        "--from",
        backup.to_str().unwrap(),
        "--dir",
        target.to_str().unwrap(),
    ]);
    assert_eq!(code, Some(1));
    assert!(said.to_string().contains("keys/log.key"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_exported_and_verifies() {
    let mut world = World::new();
    let mut device = world.device(10, "tablet").await;
    let supervisor = world.device(12, "supervisor").await;
    let begin = vec![
        ("inspection/device".into(), Value::bytes(device.id.as_bytes())),
        ("party/name".into(), Value::text("甲")),
    ];
    let frames = [
        device.open(),
        device.write("inspection.begin", Some(case(7)), begin).frame(),
    ];
    assert_eq!(world.push(&device, &frames).await.0, 200);
    let request = world.ask(
        Method::POST,
        &format!("/v1/cases/{}/export", case(7)),
        &supervisor.token,
    );
    let answer = request.send().await.unwrap();
    assert_eq!(
        (
            answer.status().as_u16(),
            answer.headers()["content-type"].to_str().unwrap()
        ),
        (200, "application/zip")
    );
    assert!(answer.bytes().await.unwrap().starts_with(b"PK"));
    assert_eq!(
        world
            .ask(
                Method::POST,
                &format!("/v1/cases/{}/export", case(8)),
                &supervisor.token
            )
            .send()
            .await
            .unwrap()
            .status(),
        404
    );
    world.stop();
    let out = world.folder.path().join("bundle");
    world.command(&[
        "export",
        "--dir",
        world.dir().to_str().unwrap(),
        "--case",
        &case(7).to_string(),
        "--out",
        out.to_str().unwrap(),
    ]);
    let sums = std::process::Command::new("sha256sum")
        .args(["--check", "--quiet", "manifest-sha256.txt"])
        .current_dir(&out)
        .output()
        .unwrap();
    assert!(sums.status.success(), "{}", String::from_utf8_lossy(&sums.stderr));
    let bundle_key = world.keys().server_keys(Purpose::Bundle)[0].record.key().unwrap();
    let allowed = sshsig::allowed_signers_line("fieldseal.test/county/0", &bundle_key);
    let vkey = world.card["log_vkey"].as_str().unwrap();
    let trust = Trust::new(TENANT, ed(1).public().clone(), vkey, allowed).unwrap();
    let report = verify(&Folder(out), &trust, &Extras::default());
    assert_eq!(report.verdict, Verdict::Anchored, "{:#?}", report.findings);
    assert!(report.complete_by_roll);
}

/// A bundle's files on the disk.
struct Folder(PathBuf);

impl BundleSource for Folder {
    fn paths(&self) -> Vec<String> {
        let (mut files, mut open) = (Vec::new(), vec![self.0.clone()]);
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    files.push(path.strip_prefix(&self.0).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        files
    }

    fn stream(&self, path: &str, sink: &mut dyn FnMut(&[u8])) -> Result<(), SourceError> {
        sink(&std::fs::read(self.0.join(path)).map_err(|e| SourceError {
            path: path.to_owned(),
            reason: e.to_string(),
        })?);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_leased_once_and_enterprises_imported() {
    let mut world = World::new();
    let device = world.device(10, "tablet").await;
    let wish = json!({ "form": "order", "year": 2026, "count": 10 });
    let ask = || world.json(world.ask(Method::POST, "/v1/numbers/lease", &device.token).json(&wish));
    let mut leases: Vec<(u64, u64)> = futures_util::future::join_all((0..6).map(|_| ask()))
        .await
        .iter()
        .map(|(_, lease): &(_, Json)| (lease["first"].as_u64().unwrap(), lease["last"].as_u64().unwrap()))
        .collect();
    leases.sort_unstable();
    assert_eq!(leases, (0..6).map(|i| (i * 10 + 1, i * 10 + 10)).collect::<Vec<_>>());
    let csv = "企业名称,统一社会信用代码,地址\n某化工有限公司,91350100M000100Y43,某路1号\n,,\n另一厂,不是代码,\n";
    let (status, answer) = world
        .json(
            world
                .ask(Method::POST, "/v1/admin/enterprises", &world.admin_token())
                .body(csv),
        )
        .await;
    assert_eq!(
        (status.as_u16(), &answer["taken"], &answer["refused"][0]["row"]),
        (200, &json!(2), &json!(3)),
        "{answer}"
    );
    let seen = world.feed(&device, &mut String::new()).await;
    assert_eq!(
        seen.iter().filter(|(_, o)| o.header().kind == "number.lease").count(),
        6
    );
    assert_eq!(
        seen.iter()
            .filter(|(_, o)| o.header().kind == "enterprise.record")
            .count(),
        2
    );
    world.fsck();
}

/// What is under way at SIGTERM is answered: a push and an upload whose bodies are half here, and a reader that waits for news.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_at_a_stop_is_answered() {
    let mut world = World::new();
    let mut device = world.device(10, "tablet").await;
    let data = vec![3_u8; 100_000];
    let fields = vec![(
        "evidence/a/sha256".to_owned(),
        Value::bytes(fieldseal_proof::hash::sha256(&data)),
    )];
    let frames = [device.open(), device.write("evidence.seal", None, fields).frame()];
    assert_eq!(world.push(&device, &frames).await.0, 200);
    let mut cursor = String::new();
    let _ = world.feed(&device, &mut cursor).await;
    let path = format!("/v1/feed?cursor={cursor}&wait=50");
    let poll = world.ask(Method::GET, &path, &device.token).send();
    let poll = tokio::spawn(poll);
    let hash = fieldseal_proof::encoding::base64(hex::encode(fieldseal_proof::hash::sha256(&data)).as_bytes());
    let created = world
        .ask(Method::POST, "/v1/uploads", &device.token)
        .header("tus-resumable", "1.0.0")
        .header("upload-length", data.len())
        .header("upload-metadata", format!("sha256 {hash}"))
        .send()
        .await
        .unwrap();
    let place = created.headers()["location"].to_str().unwrap().to_owned();
    let note = device.note("half of it is here");
    let push = format!("/v1/log/{}/{}", device.id, device.incarnation);
    let token = device.token.clone();
    let (uploading, pushing) = tokio::task::block_in_place(|| {
        // Each line says that its body is awaited before the first byte of it: then the request is under way.
        let begin = |method: &str, path: &str, length: usize, more: &str| {
            let mut line = Raw::open(&world);
            let head = format!(
                "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\n\
                 Expect: 100-continue\r\n{more}\r\n"
            );
            line.say(head.as_bytes());
            assert!(line.head().starts_with("http/1.1 100"));
            line
        };
        let tus = "Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\n";
        let mut uploading = begin("PATCH", &place, data.len(), tus);
        uploading.say(&data[..60_000]);
        let mut pushing = begin("POST", &push, note.len(), "");
        pushing.say(&note[..note.len() / 2]);
        (uploading, pushing)
    });
    world.terminate();
    // The reader's answer shows that the server has begun to stop.
    let answer = poll.await.unwrap().unwrap();
    assert_eq!(answer.status(), 200, "a long poll is answered at once");
    tokio::task::block_in_place(|| {
        let (mut uploading, mut pushing) = (uploading, pushing);
        pushing.say(&note[note.len() / 2..]);
        uploading.say(&data[60_000..]);
        let answer = pushing.head();
        assert!(answer.starts_with("http/1.1 200"), "{answer}");
        let answer = uploading.head();
        assert!(
            answer.starts_with("http/1.1 204") && answer.contains("upload-offset: 100000"),
            "{answer}"
        );
    });
    world.ended();
    world.start();
    let path = format!("{push}/head");
    let (_, head) = world.json(world.ask(Method::GET, &path, &device.token)).await;
    assert_eq!(head["seq"], 2, "what was answered is there");
    world.fsck();
}

/// A backup whose source, or which itself, is spoilt is none, and says what does not hold.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_spoilt_data_and_a_spoilt_backup_are_found_out() {
    let mut world = World::new();
    let mut device = world.device(10, "tablet").await;
    let data = vec![3_u8; 100_000];
    let hash = fieldseal_proof::hash::sha256(&data);
    let fields = vec![("evidence/a/sha256".to_owned(), Value::bytes(hash))];
    let frames = [device.open(), device.write("evidence.seal", None, fields).frame()];
    assert_eq!(world.push(&device, &frames).await.0, 200);
    let metadata = format!(
        "sha256 {}",
        fieldseal_proof::encoding::base64(hex::encode(hash).as_bytes())
    );
    let sent = world
        .ask(Method::POST, "/v1/uploads", &device.token)
        .header("tus-resumable", "1.0.0")
        .header("upload-length", data.len())
        .header("upload-metadata", metadata)
        .header("content-type", "application/offset+octet-stream")
        .body(data);
    assert_eq!(sent.send().await.unwrap().status(), 201);
    let _ = world.feed(&device, &mut String::new()).await;
    let out = |name: &str| world.folder.path().join(name);
    let backup = |name: &str, more: &[&str]| {
        let (dir, out) = (world.dir(), out(name));
        let words = ["backup", "--dir", dir.to_str().unwrap(), "--out", out.to_str().unwrap()];
        world.attempt(&[&words[..], more].concat())
    };
    let check = |name: &str| world.attempt(&["check-backup", "--from", out(name).to_str().unwrap()]);
    let (code, said) = backup("good", &[]);
    assert_eq!((code, &said["findings"]), (Some(0), &json!([])), "{said}");
    assert_eq!(check("good").0, Some(0), "while the server runs and after");

    // One bit of a file of the copy, of its ledger, of a tile, of its checkpoint, of a key; one file gone.
    let object = only_file(&out("good/blobs/objects"));
    let tile = only_file(&out("good/tiles/tile/entries"));
    let spoils = [
        (object, "blob"),
        (out("good/ledger.sqlite"), "ledger.sqlite"),
        (tile, "tile/entries"),
        (out("good/tiles/checkpoint"), "tiles/checkpoint"),
        (out("good/keys/vault.key"), "keys/vault.key"),
    ];
    for (path, named) in spoils {
        let whole = std::fs::read(&path).unwrap();
        let mut spoilt = whole.clone();
        let at = spoilt.len() / 2;
        spoilt[at] ^= 1;
        std::fs::write(&path, &spoilt).unwrap();
        let (code, said) = check("good");
        assert_eq!(
            (code, &said["error"]["code"]),
            (Some(1), &json!("backup_spoilt")),
            "{said}"
        );
        assert!(said.to_string().contains(named), "{named}: {said}");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(check("good").0, Some(1), "{named} is gone");
        std::fs::write(&path, &whole).unwrap();
        assert_eq!(check("good").0, Some(0));
    }

    // The same at the source: the copy is true to it, and is no backup all the same.
    let object = only_file(&world.dir().join("blobs/objects"));
    let whole = std::fs::read(&object).unwrap();
    let mut spoilt = whole.clone();
    spoilt[50_000] ^= 1;
    std::fs::write(&object, &spoilt).unwrap();
    let (code, said) = backup("of-a-spoilt-file", &[]);
    assert_eq!(
        (code, &said["error"]["code"]),
        (Some(1), &json!("backup_failed")),
        "{said}"
    );
    assert!(said.to_string().contains(&hex::encode(hash)), "{said}");
    assert!(
        !out("of-a-spoilt-file/backup.json").exists(),
        "nothing restores from it"
    );
    let (code, said) = backup("the-rest", &["--with-findings"]);
    assert_eq!(
        (code, said["findings"].as_array().map(Vec::len)),
        (Some(0), Some(1)),
        "{said}"
    );
    assert_eq!(check("the-rest").0, Some(0), "what was known is not found again");
    std::fs::write(&object, &whole).unwrap();

    // Leaves that do not give the signed root, in a database that SQLite finds in order.
    world.stop();
    let ledger = rusqlite::Connection::open(world.dir().join("ledger.sqlite")).unwrap();
    ledger
        .execute("UPDATE leaf SET data = zeroblob(32) WHERE idx = 1", [])
        .unwrap();
    drop(ledger);
    let dir = world.dir();
    let target = world.folder.path().join("of-other-leaves");
    let words = [
        "backup",
        "--dir",
        dir.to_str().unwrap(),
        "--out",
        target.to_str().unwrap(),
    ];
    let (code, said) = world.attempt(&words);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.to_string().contains("do not give the root"), "{said}");
}

/// The one file below a folder.
fn only_file(folder: &std::path::Path) -> PathBuf {
    let entry = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    if entry.is_dir() { only_file(&entry) } else { entry }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_lists_come_in_pages() {
    let mut world = World::new();
    let mut device = world.device(10, "tablet").await;
    let supervisor = world.device(12, "supervisor").await;
    let mut frames = vec![device.open()];
    for n in 1..=7 {
        let begin = vec![("party/name".into(), Value::text(format!("企业{n}")))];
        frames.push(device.write("inspection.begin", Some(case(n)), begin).frame());
    }
    assert_eq!(world.push(&device, &frames).await.0, 200);
    // More operations than one index receipt is made from.
    for _ in 0..5 {
        let frames: Vec<_> = (0..420).map(|n| device.note(&format!("{n}"))).collect();
        assert_eq!(world.push(&device, &frames).await.0, 200);
    }
    let _ = world.feed(&device, &mut String::new()).await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/cases?limit=3&cursor={cursor}");
        let (status, page) = world.json(world.ask(Method::GET, &path, &supervisor.token)).await;
        assert_eq!((status.as_u16(), &page["total"]), (200, &json!(7)), "{page}");
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 3);
        seen.extend(items.iter().map(|item| item["case"].as_str().unwrap().to_owned()));
        match page["cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 7);
    let (status, _) = world
        .json(world.ask(Method::GET, "/v1/cases?cursor=x", &supervisor.token))
        .await;
    assert_eq!(status, 400);
    let (mut from, mut answers) = (0, 0);
    while from < device.seq {
        let path = format!("/v1/log/{}/{}/receipts?from={from}", device.id, device.incarnation);
        let answer = world.ask(Method::GET, &path, &device.token).send().await.unwrap();
        let receipt = fieldseal_proof::receipt::IndexReceipt::decode(&answer.bytes().await.unwrap()).unwrap();
        let covered: u64 = receipt.runs.iter().map(|(_, _, count)| count).sum();
        assert!((1..=2_000).contains(&covered), "{covered}");
        from += covered;
        answers += 1;
    }
    assert_eq!((from, answers), (device.seq, 2));
}

/// Nothing is sent to it, as when whoever started it was killed: the other end of its standard input is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_somebody_holds_ends_with_them_in_good_order() {
    let mut world = World::new();
    let mut device = world.device(10, "tablet").await;
    world.stop();
    let holder = world.start_held();
    let open = device.open();
    assert_eq!(world.push(&device, &[open]).await.0, 200);
    drop(holder);
    world.ended();
    // Also while it waits for the ceremony.
    let fresh = world.folder.path().join("fresh");
    let words = [
        "up",
        "--until-stdin-closes",
        "--listen",
        "127.0.0.1:0",
        "--origin",
        "fieldseal.test/other/0",
        "--dir",
    ];
    let (code, said) = world.attempt(&[&words[..], &[fresh.to_str().unwrap()]].concat());
    assert_eq!(code, Some(0), "{said}");
    world.start();
    world.fsck();
}
