//! Restarts, kills, backup and restore, the status page, and the interface description.

use std::path::PathBuf;

use fieldseal_proof::bundle::{BundleSource, Extras, SourceError, Trust, Verdict, verify};
use fieldseal_proof::cbor::Value;
use fieldseal_proof::checkpoint::Checkpoint;
use fieldseal_proof::key_log::Purpose;
use fieldseal_proof::note::{SignedNote, VerifierKey};
use fieldseal_proof::sshsig;
use fieldseal_proof::suite::Signer;
use fieldseal_sync_server::api::ROUTES;
use reqwest::Method;
use serde_json::{Value as Json, json};

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
async fn the_description_names_every_route_and_no_other() {
    let world = World::new();
    let (_, openapi) = world
        .json(world.client.get(format!("{}/openapi.json", world.url)))
        .await;
    let paths = openapi["paths"].as_object().unwrap();
    let described: usize = paths.values().map(|path| path.as_object().unwrap().len()).sum();
    assert_eq!(described, ROUTES.len());
    for (method, path) in ROUTES {
        assert!(
            paths.get(*path).and_then(|p| p.get(*method)).is_some(),
            "{method} {path}"
        );
        let concrete = path
            .replace("{path}", "0/000")
            .replace("{request}", "x")
            .replace("{hash}", &"0".repeat(64))
            .replace("{sha256}", &"0".repeat(64));
        let concrete = concrete
            .replace("{device}", &case(1).to_string())
            .replace("{incarnation}", &case(1).to_string());
        let concrete = concrete.replace("{case}", &case(1).to_string()).replace("{id}", "x");
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        let status = world
            .client
            .request(method, format!("{}{concrete}", world.url))
            .send()
            .await
            .unwrap()
            .status();
        assert_ne!(status, 405, "{path}");
    }
    let page = world.client.get(&world.url).send().await.unwrap();
    assert!(
        page.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .starts_with("default-src 'none'")
    );
    let text = page.text().await.unwrap();
    assert!(
        text.contains("fieldseal.test/county/0") && !text.contains("<script"),
        "{text}"
    );
    let metrics = world.client.get(format!("{}/metrics", world.url)).send().await.unwrap();
    assert!(metrics.text().await.unwrap().contains("http_requests_total"));
    let (_, server) = world.json(world.client.get(format!("{}/v1/server", world.url))).await;
    assert_eq!(server["log_vkey"], world.card["log_vkey"]);
    assert_eq!(server["tenant"], TENANT.to_string());
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
