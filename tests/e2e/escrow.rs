//! A tablet whose PINs nobody knows and whose database has lost its beginning: the escrow's holders read it, and nothing is lost.

use std::fs;
use std::path::Path;

use fieldseal_demo::samples::Kind;
use fieldseal_proof::hash::sha256;
use fieldseal_tests::world::{A, B, World, number, text, until};
use serde_json::{Value, json};

#[test]
fn the_holders_of_the_escrow_recover_every_byte_of_a_tablet_that_nobody_can_open() {
    let mut world = World::new("e2e-escrow", 1);
    let inspection = world.inspections[0].clone();
    let case = world.case(A, &inspection);
    let share = |n: u8| world.arg(&format!("escrow/share-{n}-of-3.txt"));
    let (first, third) = (share(1), share(3));

    // What the server has, and then what it has not: records, a photograph, a draft.
    world.officer(A, &["check", &inspection, "r1", "ok"]).ok();
    world.drain(A);
    let mut unsent = vec![text(
        &world.officer(A, &["check", &inspection, "r4", "violation"]).ok()["operation"],
    )];
    let photo = world.samples.of(Kind::Photo).next().unwrap().path.clone();
    let file = photo.display().to_string();
    let words = [
        "capture",
        &inspection,
        "--file",
        &file,
        "--acquisition",
        "camera",
        "--kind",
        "audio_visual",
    ];
    let about = ["--title", "安全出口", "--proves", "现场状况"];
    unsent.push(text(
        &world.officer(A, &[&words[..], &about].concat()).ok()["operation"],
    ));
    world
        .officer(A, &["set", &inspection, "inspection/remark", "没有签名的草稿"])
        .ok();

    // The folder as it lies on the disk of a tablet that was found: no secret, no keys, no first page.
    let tablet = world.tablet(A);
    let database = tablet.join("store.db");
    let mut bytes = fs::read(&database).unwrap();
    bytes[..4096].fill(0);
    fs::write(&database, &bytes).unwrap();
    for name in ["device.secret", "keyring"] {
        fs::remove_file(tablet.join(name)).unwrap();
    }
    let before = everything(&tablet);
    let dir = tablet.display().to_string();
    let rescue = world.arg("stick.fsr");
    let open = |shares: &[&str], tablet: &str, out: &str| {
        let words = [
            &[
                "open-escrow",
                "--tablet",
                tablet,
                "--reason",
                "执法人员离职，平板无法解锁",
                "--out",
                out,
                "--share",
            ],
            shares,
        ]
        .concat();
        world.supervisor(&words)
    };
    let refused = |shares: &[&str], tablet: &str, code: &str| {
        let said = open(shares, tablet, &world.arg("nothing.fsr"));
        assert_eq!(
            (said.code, text(&said.json["error"]["code"])),
            (Some(1), code.to_owned()),
            "{}",
            said.stdout
        );
        assert!(!world.at("nothing.fsr").exists(), "nothing was given out");
    };
    refused(&[&first], &dir, "escrow_too_few");
    refused(
        &[&first, &third],
        &world.tablet(B).join("vault").display().to_string(),
        "escrow_none",
    );
    let misread = world.arg("misread.txt");
    fs::write(&misread, fs::read_to_string(&third).unwrap().replace('A', "B")).unwrap();
    refused(&[&first, &misread], &dir, "escrow_share");

    let opened = open(&[&first, &third], &dir, &rescue).ok();
    assert_eq!(everything(&tablet), before, "the folder is as it was found");
    assert_eq!(
        (&opened["holders"], &opened["drafts"], &opened["blobs"]),
        (&json!([1, 3]), &json!(1), &json!(1)),
        "{opened}"
    );
    assert_eq!(opened["left_out"], Value::Array(Vec::new()), "{opened}");
    assert!(number(&opened["operations"]) >= 4, "{opened}");
    let written = fs::read(&rescue).unwrap();
    let original = fs::read(&photo).unwrap();
    assert!(
        written.windows(original.len()).any(|window| window == original),
        "every byte of the photograph"
    );

    let handed = world.supervisor(&["hand-in", &rescue]).ok();
    assert_eq!(
        (number(&handed["drafts"]), number(&handed["blobs"])),
        (1, 1),
        "{handed}"
    );
    until("the records are at the server", || {
        world.drain_laptop();
        let shown = world.supervisor(&["show", &case]).ok();
        let all = shown.to_string();
        unsent
            .iter()
            .all(|id| all.contains(id.as_str()))
            .then_some(())
            .or_else(|| {
                let checks = shown["checks"].as_array()?;
                checks
                    .iter()
                    .any(|check| check["item"] == "r4" && check["result"] == "violation")
                    .then_some(())
            })
    });
    // The opening stands in the log before anybody could hand in what it gave.
    let recorded = text(&opened["recorded"]);
    world.offline(|world| {
        world.arrived_once(&case, &unsent);
        let report = world.server_command(&["fsck", "--dir", &world.arg("server")]);
        assert_eq!(report["findings"], json!([]), "{report}");
    });
    assert_eq!(recorded.len(), 64, "{recorded}");
}

/// Every file below a folder with its hash.
fn everything(folder: &Path) -> Vec<(String, [u8; 32])> {
    let mut all = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false => all.push((path.display().to_string(), sha256(&fs::read(&path).unwrap()))),
            }
        }
    }
    all.sort();
    all
}
