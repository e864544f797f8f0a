//! Whatever way it comes and however often: everything arrives once, and everybody then holds the same.

use std::fs;

use fieldseal_demo::proxy::Mode;
use fieldseal_demo::samples::Kind;
use fieldseal_demo::story::cast::TABLETS;
use fieldseal_demo::story::stage::copy_folder;
use fieldseal_tests::world::{A, B, World, acknowledged, number, text};
use serde_json::{Value, json};

/// Statements of one line each, for a batch.
fn statements(inspection: &str, count: usize) -> Vec<Value> {
    let line = |n| json!({ "command": "statement", "inspection": inspection, "person": "钱守业", "line": [format!("第 {n} 点：正常")] });
    (0..count).map(line).collect()
}

fn capture(world: &World, n: usize, inspection: &str) -> String {
    let photo = world.samples.of(Kind::Photo).nth(n).unwrap().path.display().to_string();
    let words = [
        "capture",
        inspection,
        "--file",
        &photo,
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
