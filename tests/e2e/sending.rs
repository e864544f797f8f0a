//! What evidence waits for, by class of evidence and kind of network, and what is sent all the same.

use fieldseal_demo::samples::Kind;
use fieldseal_tests::world::{A, World, number, text, told};
use serde_json::{Value, json};

/// Captures the first sample of a kind; its SHA-256.
fn capture(world: &World, inspection: &str, kind: Kind) -> String {
    let sample = world.samples.of(kind).next().unwrap().path.display().to_string();
    let words = [
        "capture",
        inspection,
        "--file",
        &sample,
        "--acquisition",
        "camera",
        "--kind",
        "audio_visual",
        "--title",
        "现场",
        "--proves",
        "现场状况",
    ];
    text(&world.officer(A, &words).ok()["sha256"])
}

/// A sync that has time; the files that wait for another network, and those that wait at all.
fn synced(world: &World, network: &[&str]) -> (u64, u64, Value) {
    let said = world.device(A, &[&["sync", "--wait", "60"], network].concat()).ok();
    assert_eq!(said["state"], "done", "{said}");
    assert_eq!(
        number(&said["waiting"]["operations"]),
        0,
        "records wait for nothing: {said}"
    );
    let counts = (number(&said["held_back"]["files"]), number(&said["waiting"]["blobs"]));
    (counts.0, counts.1, said)
}

/// The plain sentences of a command.
fn read(world: &World, words: &[&str]) -> String {
    let dir = world.tablet(A).display().to_string();
    let words = [&["device"], words, &["--dir", &dir]].concat();
    told(world.stage.read_fieldseal("read", "en", &words)).text()
}

#[test]
fn evidence_waits_for_its_network_unless_it_is_sent_now() {
    let world = World::new("e2e-rules", 1);
    let inspection = world.inspections[0].clone();
    capture(&world, &inspection, Kind::Photo);
    let film = capture(&world, &inspection, Kind::Video);
    capture(&world, &inspection, Kind::Audio);

    // The photograph goes; sound and film wait, are not waited for, and stay ours.
    let (held, waiting, said) = synced(&world, &["--network", "metered"]);
    assert_eq!((held, waiting), (2, 2), "{said}");
    assert_eq!(number(&said["blobs_sent"]), 1, "{said}");
    let status = world.device(A, &["status"]).ok();
    assert_eq!(number(&status["waits_for"]["unmetered"]["files"]), 2, "{status}");
    assert_eq!(number(&status["waits_for"]["charging"]["files"]), 0, "{status}");
    assert_eq!(number(&status["blobs_waiting"]), 2, "{status}");
    let sentence = read(&world, &["status"]);
    assert!(
        sentence.contains("2 files") && sentence.contains("unmetered networks only"),
        "{sentence}"
    );
    let sentence = read(&world, &["sync", "--network", "metered"]);
    assert!(sentence.contains("wait for an unmetered network"), "{sentence}");

    // One of them all the same, and only that one.
    let freed = world.device(A, &["send-now", &film]).ok();
    assert_eq!(number(&freed["files"]), 1, "{freed}");
    let (held, waiting, said) = synced(&world, &["--network", "metered"]);
    assert_eq!((held, waiting, number(&said["blobs_sent"])), (1, 1, 1), "{said}");
    // It has arrived: it does not wait any more, so it cannot be sent now.
    world.device(A, &["send-now", &film]).expect_code(1);

    // What stands where, in plain states, and the receipts behind them.
    let shown = world.device(A, &["show", &inspection]).ok();
    let states: Vec<(&str, bool)> = shown["evidence"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            (
                item["state"].as_str().unwrap(),
                item["bytes_received"].as_bool().unwrap(),
            )
        })
        .collect();
    let arrived = states.iter().filter(|(_, arrived)| *arrived).count();
    assert!(
        states.iter().all(|(state, _)| *state == "in_log") && arrived == 2,
        "{states:?}"
    );
    let out = world.arg("receipts");
    let receipts = world.device(A, &["receipts", &film, "--out", &out]).ok();
    assert_eq!(receipts["receipts"][0]["kind"], "file", "{receipts}");
    assert!(world.at("receipts").join("00-file.cbor").exists());

    // The other one by an unmetered network.
    let (held, waiting, said) = synced(&world, &["--network", "unmetered"]);
    assert_eq!((held, waiting), (0, 0), "{said}");

    // Another rule for photographs, which is kept.
    let rules = world.device(A, &["send-rules"]).ok();
    let usual = json!({ "documents": "any", "photographs": "any", "audio": "unmetered", "video": "unmetered" });
    assert_eq!(rules, usual);
    world
        .device(A, &["send-rules", "--photographs", "charging", "--audio", "any"])
        .ok();
    let chosen = json!({ "documents": "any", "photographs": "charging", "audio": "any", "video": "unmetered" });
    assert_eq!(world.device(A, &["send-rules"]).ok(), chosen);
    capture(&world, &inspection, Kind::PhotoWithoutExif);
    let (held, waiting, said) = synced(&world, &["--network", "unmetered"]);
    assert_eq!((held, waiting), (1, 1), "the photograph waits for power: {said}");
    let status = world.device(A, &["status"]).ok();
    assert_eq!(number(&status["waits_for"]["charging"]["files"]), 1, "{status}");
    let (held, waiting, said) = synced(&world, &["--network", "unmetered", "--charging"]);
    assert_eq!((held, waiting), (0, 0), "{said}");

    // Everything that waits at this moment, all the same.
    capture(&world, &inspection, Kind::GalleryPhoto);
    assert_eq!(synced(&world, &["--network", "metered", "--charging"]).0, 1);
    let freed = world.device(A, &["send-now"]).ok();
    assert_eq!(number(&freed["files"]), 1, "{freed}");
    assert_eq!(synced(&world, &["--network", "metered"]).1, 0);
}
