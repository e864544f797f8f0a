//! Documents: the server prints the very bytes that the tablet signed, says what it lacks, and numbers come from leases.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use fieldseal_core::clock::SystemClock;
use fieldseal_core::device::{FieldDevice, Ports, Printed};
use fieldseal_core::random::OsRandom;
use fieldseal_core::vault::FileSystem;
use fieldseal_demo::story::cast::TABLETS;
use fieldseal_demo::story::field::strokes;
use fieldseal_proof::ids::BlobHash;
use fieldseal_tests::binaries;
use fieldseal_tests::world::{A, B, World, text, until};
use serde_json::{Value, json};

/// An inspection up to where its documents can be made: credentials, a finding, an order.
pub fn ready(world: &World, n: usize, inspection: &str) {
    let run = |words: &[&str]| world.officer(n, words).ok();
    run(&["credentials", inspection, "--shown-to", "钱守业"]);
    run(&["check", inspection, "e1", "violation"]);
    let words = [
        "finding",
        inspection,
        "--item",
        "e1",
        "--text",
        "疏散通道被货架堵塞。",
        "--grade",
        "larger",
    ];
    let finding = text(&run(&words)["id"]);
    let words = [
        "order",
        inspection,
        "--finding",
        &finding,
        "--text",
        "清理疏散通道",
        "--due",
        "2026-12-12",
    ];
    run(&words);
}

pub fn document(world: &World, n: usize, inspection: &str, kind: &str) -> Value {
    world.officer(n, &["document", inspection, "--type", kind]).ok()
}

/// `fsck` of the stopped server: how often each result of printing again came out, and the findings.
fn printed_again(world: &World) -> (Value, Vec<String>) {
    let mut command = Command::new(&binaries().server);
    let done = command
        .args(["fsck", "--json", "--dir"])
        .arg(world.at("server"))
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(done.status.success(), report["findings"] == json!([]), "{report}");
    let findings = report["findings"].as_array().unwrap().iter().map(text).collect();
    (report["documents"].clone(), findings)
}

/// Puts folders with fonts into `server.toml`.
fn use_fonts(world: &World, folder: &Path) {
    let path = world.at("server/server.toml");
    let kept: Vec<String> = fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
    let fonts = format!("fonts = [{:?}]", folder.display().to_string());
    let lines = kept
        .iter()
        .map(|line| if line.starts_with("fonts = ") { &fonts } else { line });
    fs::write(path, lines.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
}

/// The system's fonts with one file longer by a byte: the same families, other files.
fn other_fonts(world: &World) -> PathBuf {
    let folder = world.at("fonts");
    fs::create_dir_all(&folder).unwrap();
    let mut changed = false;
    let mut open = vec![PathBuf::from("/usr/share/fonts")];
    while let Some(dir) = open.pop() {
        for path in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                open.push(path);
            } else if !changed && name.starts_with("NotoSansCJK-Regular") {
                let longer = [fs::read(&path).unwrap(), vec![0]].concat();
                fs::write(folder.join(name), longer).unwrap();
                changed = true;
            } else if name.starts_with("Noto") {
                symlink(&path, folder.join(name)).unwrap();
            }
        }
    }
    assert!(changed, "fonts-noto-cjk is there");
    folder
}

#[test]
fn the_server_prints_the_very_bytes_that_the_tablet_signed() {
    let mut world = World::new("e2e-reprint", 1);
    let inspection = world.inspections[0].clone();
    ready(&world, A, &inspection);
    let pen = world.arg("strokes.json");
    fs::write(&pen, strokes().to_string()).unwrap();
    let record = document(&world, A, &inspection, "inspection_record");
    let signed = |document: &Value, role: &str, name: &str| {
        let document = text(&document["id"]);
        let words = ["sign", &document, "--role", role, "--name", name, "--strokes", &pen];
        assert!(world.officer(A, &words).ok()["signed_pdf_sha256"].is_string());
    };
    signed(&record, "officer", TABLETS[A].officers[0].name);
    signed(&record, "responsible", "钱守业");
    document(&world, A, &inspection, "rectification_order");
    world.drain(A);

    // Two documents and two signed copies; the second copy has both signatures in it.
    let (counts, findings) = world.offline(printed_again);
    assert_eq!((counts, findings.as_slice()), (json!({ "same": 4 }), [].as_slice()));
    // What is lacking is said to be lacking, never to differ.
    world.offline(|world| {
        use_fonts(world, &world.at("nothing"));
        assert_eq!(printed_again(world), (json!({ "no_fonts": 4 }), vec![]));
        use_fonts(world, &other_fonts(world));
        assert_eq!(printed_again(world), (json!({ "other_fonts": 4 }), vec![]));
        use_fonts(world, Path::new("/usr/share/fonts"));
    });

    // A tablet that lies: other bytes than its own fields give, under a proper signature.
    let lie = issue_other_bytes(&world, &inspection, &text(&record["id"]));
    world.drain(A);
    let (counts, findings) = world.offline(printed_again);
    assert_eq!(counts, json!({ "same": 4, "different": 1 }));
    assert!(findings.len() == 1 && findings[0].contains(&lie), "{findings:?}");
}

/// Issues a further order whose PDF is not what its fields give; the document's id.
fn issue_other_bytes(world: &World, inspection: &str, honest: &str) -> String {
    let ports = Ports {
        clock: Arc::new(SystemClock::new(&OsRandom).unwrap()),
        random: Arc::new(OsRandom),
        space: Arc::new(FileSystem),
        wait_ms: 15_000,
        platform: None,
    };
    let (device, _) = FieldDevice::open(&world.tablet(A), ports).unwrap();
    let officer = TABLETS[A].officers[0];
    device.unlock(officer.certificate, officer.pin).unwrap();
    let inspection = inspection.parse().unwrap();
    let state = device.inspection(inspection).unwrap().state;
    let at = |field: &str| format!("document/{honest}/{field}");
    let prepared = device.prepare_document(inspection, "rectification_order").unwrap();
    let printed = Printed {
        pdf: b"%PDF-1.7\n% not what the fields say\n",
        pages: 1,
        fonts: BlobHash::from_bytes(state.bytes(&at("fonts")).unwrap()),
        typesetter: &state.text(&at("typesetter")).unwrap(),
    };
    device.issue_prepared(&prepared, &printed).unwrap().document.to_string()
}

#[test]
fn two_tablets_print_an_order_without_a_network_and_never_under_one_number() {
    let world = World::new("e2e-numbers", 3);
    let mut numbers = Vec::new();
    // Both have leased while they were online; from here nobody syncs.
    for (n, inspection) in [(A, &world.inspections[2]), (B, &world.inspections[1])] {
        ready(&world, n, inspection);
        document(&world, n, inspection, "inspection_record");
        for _ in 0..2 {
            numbers.push(text(&document(&world, n, inspection, "rectification_order")["number"]));
        }
    }
    let mut distinct = numbers.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), 4, "{numbers:?}");
    assert!(numbers.iter().all(|number| number.contains("责改")), "{numbers:?}");

    // On New Year's Day no number of the year is at hand: it is said, nothing is burnt, the record itself can go on.
    let inspection = &world.inspections[2];
    let new_year = |words: &[&str]| {
        let at = ["--clock", "2027-01-01T09:00:00+08:00"];
        world.officer(A, &[words, &at].concat())
    };
    let said = new_year(&["document", inspection, "--type", "rectification_order"]);
    let told = said.refused(1, "number_exhausted");
    assert!(told.contains("used up"), "{told}");
    new_year(&["check", inspection, "s1", "ok"]).ok();
    // With a network the tablet leases for the new year by itself; the lease is an operation, and comes by the feed.
    let order = until("a number of the new year", || {
        world
            .device(A, &["sync", "--clock", "2027-01-01T09:10:00+08:00"])
            .expect_code(0);
        let said = new_year(&["document", inspection, "--type", "rectification_order"]);
        (said.code == Some(0)).then_some(said.json)
    });
    let number = text(&order["number"]);
    assert!(number.contains("2027") && !numbers.contains(&number), "{number}");
}
