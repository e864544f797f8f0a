//! Whatever way it comes and however often: everything arrives once, and everybody then holds the same.

use std::fs;
use std::path::{Path, PathBuf};

use fieldseal_demo::proxy::{Mode, Proxy};
use fieldseal_demo::samples::Kind;
use fieldseal_demo::story::cast::{SUPERVISOR, TABLETS};
use fieldseal_demo::story::ceremony;
use fieldseal_demo::story::stage::copy_folder;
use fieldseal_demo::story::{arrived, disaster};
use fieldseal_tests::world::{A, B, World, acknowledged, number, text, told, until};
use serde_json::{Value, json};

/// Statements of one line each, for a batch.
fn statements(inspection: &str, count: usize) -> Vec<Value> {
    let line = |n| json!({ "command": "statement", "inspection": inspection, "person": "钱守业", "line": [format!("第 {n} 点：正常")] });
    (0..count).map(line).collect()
}

fn capture(world: &World, n: usize, inspection: &str) -> String {
    let photo = world.samples.of(Kind::Photo).nth(n).unwrap().path.display().to_string();
    capture_file(world, n, inspection, &photo)
}

fn capture_file(world: &World, n: usize, inspection: &str, photo: &str) -> String {
    let words = [
        "capture",
        inspection,
        "--file",
        photo,
        "--acquisition",
        "camera",
        "--kind",
        "audio_visual",
        "--title",
        "现场照片",
        "--proves",
        "现场状况",
    ];
    text(&world.officer(n, &words).ok()["operation"])
}

#[test]
fn the_same_operations_pushed_by_a_cloned_tablet_arrive_once() {
    let mut world = World::new("e2e-twice", 1);
    let inspection = world.inspections[0].clone();
    let mut ids: Vec<String> = world
        .batch(A, &statements(&inspection, 8))
        .iter()
        .filter_map(|answer| answer["operation"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(ids.len(), 8);
    ids.push(capture(&world, A, &inspection));
    // The whole tablet, copied byte for byte before anything was sent: both say the same with the same key.
    let twin = world.at("twin");
    copy_folder(&world.tablet(A), &twin).unwrap();
    let first = world.drain(A);
    assert!(number(&first["received"]) >= 9, "{first}");
    let before = world.leaves().len();
    let twin = twin.display().to_string();
    let second = world
        .fieldseal("", &["device", "sync", "--wait", "60", "--dir", &twin])
        .ok();
    assert_eq!(second["bytes_sent"], 0, "the photograph was there: {second}");
    assert_eq!(second["waiting"]["operations"], 0, "{second}");
    assert!(second["alarms"].as_array().unwrap().is_empty(), "{second}");
    assert_eq!(world.leaves().len(), before, "the log did not grow");
    let case = world.case(A, &inspection);
    world.offline(|world| world.arrived_once(&case, &ids));
    world.server_clean();
}

#[test]
fn both_tablets_and_the_laptop_hold_the_same_state_and_know_it_is_in_the_log() {
    let mut world = World::new("e2e-same", 3);
    let inspection = world.inspections[0].clone();
    world.stage.proxy.set(Mode::Down);
    let mut ids = Vec::new();
    for (n, result) in [(A, "violation"), (B, "ok")] {
        let offline = world.device(n, &["sync"]).expect_code(75);
        assert_eq!(offline.json["state"], "offline");
        ids.extend(
            world
                .batch(n, &statements(&inspection, 5))
                .iter()
                .filter_map(|answer| answer["operation"].as_str().map(str::to_owned)),
        );
        let check = world.officer(n, &["check", &inspection, "r4", result]).ok();
        ids.push(text(&check["operation"]));
        ids.push(capture(&world, n, &inspection));
    }
    world.stage.proxy.set(Mode::Pass);
    for n in [A, B, A] {
        world.drain(n);
    }
    world.drain_laptop();
    let case = world.case(A, &inspection);
    let hash =
        |dir: String| text(&world.fieldseal("", &["supervisor", "show", &case, "--dir", &dir]).ok()["state_hash"]);
    let [a, b] = [A, B].map(|n| hash(world.tablet(n).display().to_string()));
    let laptop = hash(world.arg("supervisor"));
    assert_eq!((&a, &b), (&laptop, &laptop), "tablet A, tablet B, laptop");
    for n in [A, B] {
        let (in_log, sealed) = world.in_log(n);
        assert_eq!(
            in_log, sealed,
            "{} knows all it sealed to be in the log",
            TABLETS[n].label
        );
        assert!(sealed >= 7);
        world.device_clean(n);
    }
    world.offline(|world| world.arrived_once(&case, &ids));
    world.server_clean();
}

/// A tablet that is dying: a film of it does not read any more, its drafts are not signed, an officer was never sent. What can
/// be had comes over, what cannot is named on both sides, and another tablet goes on with the drafts.
#[test]
fn a_dying_tablet_hands_over_what_it_can_and_says_what_it_cannot() {
    let mut world = World::new("e2e-dying", 2);
    let inspection = world.inspections[0].clone();
    world.stage.proxy.set(Mode::Down);
    let mut ids = vec![capture(&world, A, &inspection)];
    let film = world.arg("film.bin");
    fs::write(&film, vec![7; 300_000]).unwrap();
    let known = vault_files(&world.tablet(A));
    ids.push(capture_file(&world, A, &inspection, &film));
    let fresh = vault_files(&world.tablet(A))
        .into_iter()
        .find(|file| !known.contains(file))
        .unwrap();
    let mut bytes = fs::read(&fresh).unwrap();
    let at = bytes.len() - 100;
    bytes[at] ^= 1;
    fs::write(&fresh, bytes).unwrap();
    world
        .device(A, &["set", &inspection, "inspection/remark", "@三号门 没写完"])
        .ok();
    let dir = world.tablet(A).display().to_string();
    let officer = [
        "device",
        "officer-add",
        "--name",
        "沈执衡",
        "--certificate",
        "云应急执20990417",
        "--dir",
        &dir,
    ];
    world.fieldseal("271828", &officer).ok();
    let stick = world.arg("stick.fsr");
    let rescue = world.device(A, &["rescue", "--out", &stick]);
    assert_eq!(rescue.code, Some(1), "{}", rescue.stdout);
    let rescue = rescue.json;
    assert_eq!(
        (&rescue["drafts"], &rescue["requests"], &rescue["blobs"]),
        (&json!(1), &json!(1), &json!(1)),
        "{rescue}"
    );
    assert_eq!(rescue["left_out"][0]["code"], "blob_changed", "{rescue}");
    // The tablet is gone from here on.
    world.stage.proxy.set(Mode::Pass);
    let handed = world.supervisor(&["hand-in", &stick]).ok();
    assert_eq!(handed["operations"], rescue["operations"], "{handed}");
    assert_eq!(
        (&handed["requests"], &handed["blobs"]),
        (&json!(1), &json!(1)),
        "{handed}"
    );
    assert_eq!(handed["left_out"][0]["what"], rescue["left_out"][0]["what"], "{handed}");
    let pending = ceremony::admin(&world.stage, "admin-pending", "card.json", &["pending"]).unwrap();
    assert_eq!(pending["items"][0]["certificate"], "云应急执20990417", "{pending}");
    let drafts = handed["drafts_file"].as_str().unwrap().to_owned();
    // Both tablets were assigned to it, so the other one goes on.
    world.drain(B);
    let taken = world.device(B, &["batch", &drafts]);
    assert_eq!(taken.code, Some(0), "{}", taken.stdout);
    let kept = world.device(B, &["drafts"]).ok();
    assert_eq!(kept["items"][0]["value"], "@三号门 没写完", "{kept}");
    world.drain_laptop();
    let case = world.case(B, &inspection);
    let shown = world.supervisor(&["show", &case]).ok();
    assert_eq!(shown["evidence"].as_array().unwrap().len(), ids.len(), "{shown}");
    world.server_clean();
}

fn vault_files(tablet: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(tablet.join("vault")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "fse"))
        .collect()
}

#[test]
fn a_rescue_file_handed_in_by_the_supervisor_arrives_once() {
    let mut world = World::new("e2e-rescue", 1);
    let inspection = world.inspections[0].clone();
    world.stage.proxy.set(Mode::Down);
    let answers = world.batch(A, &statements(&inspection, 30));
    let lines: Vec<String> = answers.iter().map(|answer| format!("{answer}\n")).collect();
    let mut ids = acknowledged(&lines.concat());
    assert_eq!(ids.len(), 30);
    ids.push(capture(&world, A, &inspection));
    let stick = world.arg("stick.fsr");
    let rescue = world.device(A, &["rescue", "--out", &stick]).ok();
    assert_eq!(rescue["blobs"], 1, "{rescue}");
    assert!(number(&rescue["operations"]) >= 31, "{rescue}");
    // The tablet itself does not sync; only the laptop has a network.
    world.stage.proxy.set(Mode::Pass);
    // A stick that was pulled out too early is refused by name, and the whole one can follow.
    let half = world.arg("half.fsr");
    let bytes = fs::read(&stick).unwrap();
    fs::write(&half, &bytes[..bytes.len() / 2]).unwrap();
    world.supervisor(&["hand-in", &half]).refused(1, "rescue_broken");
    for _ in 0..2 {
        let handed = world.supervisor(&["hand-in", &stick]).ok();
        assert_eq!(handed["operations"], rescue["operations"], "{handed}");
    }
    let size = |world: &World| world.leaves().len();
    world.drain_laptop();
    let case = world.case(A, &inspection);
    let shown = world.supervisor(&["show", &case]).ok();
    assert_eq!(shown["statements"].as_array().unwrap().len(), 30, "{shown}");
    assert_eq!(shown["evidence"].as_array().unwrap().len(), 1, "{shown}");
    let before = size(&world);
    let late = world.drain(A);
    assert_eq!(late["bytes_sent"], 0, "the photograph came on the stick: {late}");
    assert_eq!(size(&world), before, "the tablet's own sync adds nothing: {late}");
    let (in_log, sealed) = world.in_log(A);
    assert_eq!(in_log, sealed, "the tablet now has its receipts");
    world.offline(|world| world.arrived_once(&case, &ids));
    world.server_clean();
}

/// Bytes that nobody has seen before, from a seed (xorshift).
fn film(mut seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        bytes.extend_from_slice(&seed.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn capture_film(world: &World, inspection: &str, bytes: &[u8]) -> String {
    let file = world.arg("film.bin");
    fs::write(&file, bytes).unwrap();
    let words = [
        "capture",
        inspection,
        "--file",
        &file,
        "--acquisition",
        "camera",
        "--kind",
        "audio_visual",
        "--title",
        "现场录像",
        "--proves",
        "现场状况",
    ];
    text(&world.officer(A, &words).ok()["operation"])
}

#[test]
fn a_hand_in_that_is_cut_and_killed_goes_on_where_the_server_stands() {
    const SIZE: usize = 12 << 20;
    let mut world = World::new("e2e-hand-in-cut", 1);
    let road = world.laptop_on_the_road();
    let inspection = world.inspections[0].clone();
    world.stage.proxy.set(Mode::Down);
    let ids = vec![capture_film(&world, &inspection, &film(41, SIZE))];
    let stick = world.arg("stick.fsr");
    world.device(A, &["rescue", "--out", &stick]).ok();
    // Each connection dies in its third MiB: one hand-in goes on by itself until the process is killed in the middle.
    let before = world.stage.proxy.counts();
    world.stage.proxy.set(Mode::CutAfter { client_bytes: 3 << 20 });
    let words = ["supervisor", "hand-in", &stick, "--dir", &road];
    let cut = world.stage.start_fieldseal("hand-in-cut", "", &words).unwrap();
    let twice = |counts: &fieldseal_demo::proxy::Counts| counts.cut >= before.cut + 2;
    assert!(
        world.stage.proxy.wait_for(fieldseal_tests::DEADLINE, twice),
        "it goes on after a cut"
    );
    world.stage.proxy.set(Mode::Down);
    cut.kill();
    let first = world.stage.proxy.counts().to_server - before.to_server;
    let left: Vec<_> = fs::read_dir(&road)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        !left.iter().any(|name| name.to_string_lossy().contains("spool")),
        "nothing of the film lies about: {left:?}"
    );
    // The next one does not begin at the beginning.
    world.stage.proxy.set(Mode::Pass);
    let before = world.stage.proxy.counts();
    world.fieldseal("", &words).ok();
    let second = world.stage.proxy.counts().to_server - before.to_server;
    println!("{first} bytes before the kill, {second} after it, of {SIZE}");
    // What a broken connection still held is lost with it; what the server had made durable, 2 MiB at a time, is not.
    assert!(
        second < (SIZE - (1 << 20)) as u64,
        "{second} bytes were sent after {first} had been"
    );
    let case = world.case(A, &inspection);
    let late = world.drain(A);
    assert_eq!(late["bytes_sent"], 0, "the film came on the stick: {late}");
    world.offline(|world| world.arrived_once(&case, &ids));
    world.server_clean();
}

#[test]
fn a_supervisor_fetches_originals_over_a_line_that_is_cut() {
    const SIZE: usize = 6 << 20;
    let mut world = World::new("e2e-fetch", 1);
    let inspection = world.inspections[0].clone();
    let bytes = film(43, SIZE);
    capture_film(&world, &inspection, &bytes);
    let case = world.case(A, &inspection);
    let tablet_only = world.device(A, &["sync", "--only", "records"]).expect_code(0);
    assert_eq!(tablet_only.json["waiting"]["blobs"], 1);
    world.drain_laptop();
    // The record is there, the film is not: said as such, and nothing is in her vault.
    let early = world.supervisor(&["fetch", &case]).expect_code(75);
    assert_eq!((&early.json["absent"], &early.json["fetched"]), (&json!(1), &json!(0)));
    world.drain(A);
    let fetched = world.supervisor(&["fetch", &case]).ok();
    assert_eq!(
        (&fetched["fetched"], &fetched["bytes"]),
        (&json!(1), &json!(SIZE)),
        "{fetched}"
    );
    let evidence = text(&fetched["items"][0]["evidence"]);
    // Without a network: from her own vault, whole.
    let out = world.arg("copies");
    world.stage.stop_server().unwrap();
    let again = world.supervisor(&["fetch", &evidence, "--out", &out]).ok();
    assert_eq!(again["held"], 1, "{again}");
    assert!(fs::read(world.at("copies").join(&evidence)).unwrap() == bytes);
    assert_eq!(world.supervisor(&["fsck"]).ok()["clean"], true);
    // At rest it is as unreadable as on a tablet.
    let probe = &bytes[1_000_000..1_000_064];
    let vault = world.at("supervisor/vault");
    let mut folders = vec![vault];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let stored = fs::read(&path).unwrap();
                assert!(
                    !stored.windows(probe.len()).any(|part| part == probe),
                    "{}",
                    path.display()
                );
            }
        }
    }
    world.serve();
    world
        .supervisor(&["fetch", "0191f3a0-0000-7000-8000-000000000000"])
        .refused(1, "not_found");
    // The read stands in the case, signed by the server.
    world.drain_laptop();
    let shown = world.supervisor(&["show", &case]).ok();
    let custody = shown["evidence"][0]["custody"].as_array().unwrap();
    assert!(custody.iter().any(|event| event["event"] == "accessed"), "{custody:?}");
    world.server_clean();
}

/// Bytes of answers that pass before a fetch is killed.
const HELD: u64 = 5 << 20;
/// What may be on its way between the proxy and the vault then.
const BETWEEN: u64 = 1 << 20;

/// Lets the first [`HELD`] bytes through, kills the process when they lie in the vault, and gives the part's path.
fn fetch_and_kill(world: &World, proxy: &Proxy, pin: &str, words: &[&str], vault: &str) -> PathBuf {
    let parts = world.at(vault).join("arriving");
    proxy.set(Mode::HoldAfter { server_bytes: HELD });
    let running = told(world.stage.start_fieldseal("fetch-killed", pin, words));
    let path = until("most of what passed lies in the vault", || {
        let path = fs::read_dir(&parts).ok()?.next()?.ok()?.path();
        (fs::metadata(&path).ok()?.len() >= HELD - BETWEEN).then_some(path)
    });
    running.kill();
    proxy.set(Mode::Pass);
    path
}

/// Killed in the middle of a film, the command goes on behind what is whole in the laptop's vault; what was changed there is
/// thrown away and said so.
#[test]
fn a_fetch_that_is_killed_goes_on_where_the_laptop_stands() {
    const SIZE: usize = 8 << 20;
    let mut world = World::new("e2e-fetch-kill", 1);
    let inspection = world.inspections[0].clone();
    let bytes = film(47, SIZE);
    capture_film(&world, &inspection, &bytes);
    let case = world.case(A, &inspection);
    world.drain(A);
    world.drain_laptop();
    let (laptop, dir) = (&world.stage.laptop, world.arg("supervisor"));
    let words = [
        "supervisor",
        "fetch",
        &case,
        "--dir",
        &dir,
        "--officer",
        SUPERVISOR.certificate,
    ];
    let path = fetch_and_kill(&world, laptop, SUPERVISOR.pin, &words, "supervisor/vault");
    let (stored, probe) = (fs::read(&path).unwrap(), &bytes[1_000_000..1_000_064]);
    assert!(
        !stored.windows(probe.len()).any(|part| part == probe),
        "readable at rest"
    );
    let before = laptop.counts().to_client;
    let out = world.arg("copies");
    let done = world.supervisor(&["fetch", &case, "--out", &out]).ok();
    let second = laptop.counts().to_client - before;
    println!("{second} bytes were served after the kill, of {SIZE}: {done}");
    let went_on_at = done["items"][0]["went_on_at"].as_u64().unwrap();
    assert!(went_on_at >= HELD - BETWEEN && done["thrown_away"] == 0, "{done}");
    // Handshake, heads and the record layer come on top of what was missing.
    assert!(
        second < SIZE as u64 - went_on_at + (256 << 10),
        "{second} bytes were served"
    );
    let evidence = text(&done["items"][0]["evidence"]);
    assert!(fs::read(world.at("copies").join(&evidence)).unwrap() == bytes);
    assert!(!path.exists());
    assert_eq!(world.supervisor(&["fsck"]).ok()["clean"], true);
    // Another laptop, whose disk changes a byte in between.
    let road = world.laptop_on_the_road();
    let words = ["supervisor", "fetch", &case, "--dir", &road];
    let path = fetch_and_kill(&world, &world.stage.proxy, "", &words, "road/vault");
    let mut stored = fs::read(&path).unwrap();
    stored[2 << 20] ^= 1;
    fs::write(&path, &stored).unwrap();
    let done = world.fieldseal("", &words).ok();
    let went_on_at = &done["items"][0]["went_on_at"];
    assert_eq!((&done["fetched"], went_on_at), (&json!(1), &json!(0)), "{done}");
    assert_eq!(done["thrown_away"], json!(stored.len()), "{done}");
    world.server_clean();
}

#[test]
fn a_laptop_brings_the_cases_that_its_supervisor_chooses() {
    let mut world = World::new("e2e-scope", 3);
    for (n, inspection) in [(A, 0), (B, 1)] {
        let inspection = world.inspections[inspection].clone();
        world.batch(n, &statements(&inspection, 3));
        world.drain(n);
    }
    let road = world.laptop_on_the_road();
    let said = |words: &[&str]| {
        world
            .fieldseal("", &[&["supervisor"], words, &["--dir", &road]].concat())
            .ok()
    };
    let held = || said(&["cases"])["items"].as_array().unwrap().len();
    assert_eq!(held(), 3, "without a word it is every case");
    let case = world.case(A, &world.inspections[0]);
    let other = world.case(B, &world.inspections[1]);
    // Another laptop, which says so before its first sync.
    let small = world.arg("small");
    let invited = told(fieldseal_demo::story::ceremony::admin(
        &world.stage,
        "admin-invite",
        "card.json",
        &["invite", "--label", "轻装笔记本", "--role", "supervisor"],
    ));
    let enrolment = text(&invited["text"]);
    world
        .fieldseal("", &["supervisor", "enrol", "--dir", &small, "--text", &enrolment])
        .ok();
    told(fieldseal_demo::story::ceremony::admin(
        &world.stage,
        "admin-approve",
        "card.json",
        &["approve", "--all"],
    ));
    let small = |words: &[&str]| {
        world
            .fieldseal("", &[&["supervisor"], words, &["--dir", &small]].concat())
            .ok()
    };
    assert_eq!(small(&["scope", &case])["cases"], json!([case]));
    small(&["sync"]);
    let items = small(&["cases"])["items"].clone();
    assert_eq!(
        (items.as_array().unwrap().len(), &items[0]["case"]),
        (1, &json!(case)),
        "{items}"
    );
    assert_eq!(small(&["show", &case])["statements"].as_array().unwrap().len(), 3);
    // Chosen later, a case comes with what happened in it before.
    small(&["scope", &case, &other]);
    small(&["sync"]);
    assert_eq!(small(&["show", &other])["statements"].as_array().unwrap().len(), 3);
    assert_eq!(small(&["scope", "--all"])["all"], true);
    small(&["sync"]);
    assert_eq!(small(&["cases"])["items"].as_array().unwrap().len(), 3);
    world.server_clean();
}

/// What an administrator may send to somebody who helps: no name, number, enterprise, PIN, token or code stands in it.
#[test]
fn the_servers_log_holds_nobodys_data() {
    let mut world = World::new("e2e-log", 2);
    let inspection = world.inspections[0].clone();
    capture(&world, A, &inspection);
    world.batch(A, &statements(&inspection, 3));
    world.drain(A);
    world.drain_laptop();
    let case = world.case(A, &inspection);
    let bundle = world.arg("bundle");
    world.supervisor(&["export", &case, "--out", &bundle]).ok();
    world.supervisor(&["fetch", &case]).ok();
    world.supervisor(&["cases", "--query", "钱守业"]);
    // A start begins its log anew, so each is read before the next.
    let read = |world: &World, name: &str| fs::read_to_string(world.at(format!("logs/{name}.err"))).unwrap();
    let mut log = String::new();
    // Faults inside, where what failed is logged: files that are not there any more.
    world.offline(|world| {
        log.push_str(&read(world, "server-up"));
        fs::rename(world.at("server/blobs/objects"), world.at("objects-aside")).unwrap();
        fs::create_dir(world.at("server/blobs/objects")).unwrap();
    });
    world.supervisor(&["export", &case, "--out", &world.arg("bundle-2")]);
    world.offline(|world| {
        log.push_str(&read(world, "server"));
        fs::remove_dir_all(world.at("server/blobs/objects")).unwrap();
        fs::rename(world.at("objects-aside"), world.at("server/blobs/objects")).unwrap();
    });
    world.stage.stop_server().unwrap();
    log.push_str(&read(&world, "server"));
    let mut hidden: Vec<String> = vec!["钱守业".into(), "点：正常".into(), "现场照片".into()];
    for entry in fs::read_dir(world.at("logs")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let said = fs::read_to_string(&path).unwrap_or_default();
        if name.contains("admin-invite") && name.ends_with(".out") {
            // The whole text, and the code in it.
            let invited: Value = serde_json::from_str(said.trim()).unwrap();
            hidden.extend(
                [&invited["text"], &invited["code"]]
                    .into_iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned),
            );
        }
    }
    for officer in TABLETS.iter().flat_map(|tablet| tablet.officers).chain([SUPERVISOR]) {
        hidden.extend([officer.name, officer.certificate, officer.pin].map(str::to_owned));
    }
    for card in ["admin/card.json", "server/card.json"] {
        let card: Value = serde_json::from_str(&fs::read_to_string(world.at(card)).unwrap()).unwrap();
        hidden.push(text(&card["token"]));
    }
    // The first two columns of the imported registry: name and credit code.
    for row in fs::read_to_string(&world.samples.enterprises_csv)
        .unwrap()
        .lines()
        .skip(1)
    {
        hidden.extend(row.split(',').take(2).map(|cell| cell.trim_matches('"').to_owned()));
    }
    hidden.retain(|word| word.chars().count() >= 3);
    println!("{} bytes of log, {} words looked for", log.len(), hidden.len());
    assert!(log.contains("\"route\":\"/v1/feed\""), "it is the log of the requests");
    assert!(log.contains("internal error"), "a fault was provoked");
    assert!(hidden.len() > 20);
    for word in &hidden {
        // A PIN of six digits may stand in a time or a number of bytes by chance: only as a word of its own it is one.
        let told = match word.bytes().all(|b| b.is_ascii_digit()) {
            true => log.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| part == word),
            false => log.contains(word.as_str()),
        };
        assert!(!told, "{word:?} stands in the server's log");
    }
}

/// The demo's own checks, where one of them must fail.
#[test]
fn the_demo_tells_what_has_not_arrived_and_what_a_restored_server_gets_back() {
    let mut world = World::new("e2e-witness", 1);
    let inspection = world.inspections[0].clone();
    let id = capture(&world, A, &inspection);
    let why = arrived::once(&mut world.stage).unwrap_err();
    assert!(why.contains("did not arrive") && why.contains(&id), "{why}");
    world.drain(A);
    println!("{}", told(arrived::once(&mut world.stage)));
    let photo = world.samples.of(Kind::PhotoWithoutExif).next().unwrap().path.clone();
    let day = "2026-11-27";
    println!(
        "{}",
        told(disaster::restore(&mut world.stage, &inspection, &photo, day))
    );
    println!("{}", told(arrived::once(&mut world.stage)));
}
