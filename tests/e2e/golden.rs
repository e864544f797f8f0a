//! What an earlier version left is opened by this one: `tests/golden/README.md`.

use std::fs;
use std::path::PathBuf;

use fieldseal_demo::samples::Kind;
use fieldseal_demo::story::cast::TABLETS;
use fieldseal_tests::world::{A, B, World, acknowledged, number, text, tool};
use fieldseal_tests::{Folder, workspace_root};
use serde_json::{Value, json};

/// Where the counties lie, one packed folder for each version of the formats.
fn golden() -> PathBuf {
    workspace_root().join("tests/golden")
}

/// Names of what is kept of a county.
const KEPT: [&str; 6] = ["tablets", "supervisor", "server", "bundle", "trust", "kept.json"];

#[test]
fn a_county_of_each_version_is_opened_read_and_written_on() {
    let packed = fs::read_dir(golden()).unwrap().map(|entry| entry.unwrap().path());
    let packed: Vec<PathBuf> = packed
        .filter(|path| path.extension().is_some_and(|end| end == "gz"))
        .collect();
    assert!(!packed.is_empty(), "no county lies in tests/golden");
    for file in packed {
        let folder = Folder::new("e2e-golden");
        tool(folder.path(), "tar", &["xzf", &file.display().to_string()]);
        opens(World::found(folder));
    }
}

/// The same of a county of this version, so that what is asked of the old ones holds for a new one; with `FIELDSEAL_GOLDEN=FILE` it
/// is packed into that file.
#[test]
fn a_county_of_this_version_is_left_and_opened_again() {
    let mut world = World::new("e2e-left", 1);
    let kept = lived(&world);
    world.stage.stop_server().unwrap();
    fs::write(world.at("kept.json"), kept.to_string()).unwrap();
    let packed = world.arg("county.tar.gz");
    tool(&world.at("."), "tar", &[&["czf", &packed][..], &KEPT].concat());
    if let Some(file) = std::env::var_os("FIELDSEAL_GOLDEN") {
        fs::copy(&packed, file).unwrap();
    }
    let folder = Folder::new("e2e-opened");
    tool(folder.path(), "tar", &["xzf", &packed]);
    opens(World::found(folder));
}

/// A day of a county: two tablets that disagree, evidence, a statement, an order, a paper, a late record, a bundle, and at the end what
/// has not been sent. Gives what a later version must find.
fn lived(world: &World) -> Value {
    let inspection = world.inspections[0].as_str();
    let case = world.case(A, inspection);
    let photo = world.samples.of(Kind::Photo).next().unwrap().path.display().to_string();
    let capture = |title: &'static str| {
        let words = [
            "capture",
            inspection,
            "--file",
            &photo,
            "--acquisition",
            "camera",
            "--kind",
            "audio_visual",
        ];
        let about = ["--title", title, "--proves", "现场状况"];
        text(&world.officer(A, &[&words[..], &about].concat()).ok()["operation"])
    };
    let on_a = |words: &[&str]| world.officer(A, words).ok();
    let mut sealed = vec![text(
        &on_a(&["credentials", inspection, "--shown-to", "钱守业"])["operation"],
    )];
    sealed.push(text(&on_a(&["check", inspection, "r4", "violation"])["operation"]));
    let found = on_a(&[
        "finding",
        inspection,
        "--item",
        "r4",
        "--text",
        "安全出口被堵",
        "--grade",
        "general",
    ]);
    sealed.push(text(&found["operation"]));
    sealed.push(capture("安全出口"));
    let said = ["statement", inspection, "--person", "钱守业", "--line", "堆了两天"];
    sealed.push(text(&on_a(&said)["operation"]));
    let order = [
        "order",
        inspection,
        "--finding",
        &text(&found["id"]),
        "--text",
        "清理",
        "--due",
        "2026-12-24",
    ];
    sealed.push(text(&on_a(&order)["operation"]));
    let paper = [
        "document",
        inspection,
        "--type",
        "electronic_data_list",
        "--out",
        &world.arg("papers"),
    ];
    sealed.push(text(&on_a(&paper)["operation"]));
    sealed.push(text(&on_a(&["attest", &sealed[0]])["operation"]));
    // Decided by nobody.
    let other = text(&world.officer(B, &["check", inspection, "r4", "ok"]).ok()["operation"]);
    world
        .officer(B, &["set", inspection, "inspection/remark", "还没有签名的草稿"])
        .ok();
    world.drain(B);
    world.drain(A);
    sealed.push(text(&on_a(&["close", inspection])["operation"]));
    world.drain(A);
    // Too late for the closing, which covers what was held.
    let late = text(&world.officer(B, &["check", inspection, "r2", "violation"]).ok()["operation"]);
    world.drain(B);
    world.drain(A);
    world.drain_laptop();
    world.supervisor(&["export", &case, "--out", &world.arg("bundle")]).ok();
    let unsent =
        json!({ "command": "begin", "new_enterprise": "山口石料厂", "title": "顺路检查", "planned": "2026-12-03" });
    let unsent = world.batch(A, &[unsent]);
    let unsent = acknowledged(&format!("{}\n", unsent[0]));
    assert_eq!(unsent.len(), 1, "{unsent:?}");
    let shown = world.supervisor(&["show", &case]).ok();
    json!({
        "inspection": inspection, "case": case, "sealed": sealed, "other": other, "late": late, "unsent": unsent,
        "state_hash": shown["state_hash"], "counts": world.device(A, &["status"]).ok()["counts"],
        "view": world.device(A, &["show", inspection]).ok(),
    })
}

/// Everything that lies there is found, checked, and written on.
fn opens(mut world: World) {
    let kept: Value = serde_json::from_slice(&fs::read(world.at("kept.json")).unwrap()).unwrap();
    let (inspection, case) = (text(&kept["inspection"]), text(&kept["case"]));
    for n in [A, B] {
        world.device_clean(n);
    }
    assert_eq!(world.device(A, &["status"]).ok()["counts"], kept["counts"]);
    let view = world.device(A, &["show", &inspection]).ok();
    // A later version may say more about it, never something else.
    for (name, held) in kept["view"].as_object().unwrap() {
        assert_eq!(&view[name], held, "{name}");
    }
    let drafts = world.device(B, &["drafts"]).ok();
    assert!(drafts.to_string().contains("还没有签名的草稿"), "{drafts}");
    let seen = world.supervisor(&["show", &case]).ok();
    assert_eq!(
        (&seen["state_hash"], seen["conflicts"].as_array().unwrap().len()),
        (&kept["state_hash"], 1),
        "{seen}"
    );
    assert_eq!(seen["quarantined"][0]["operation"], kept["late"], "{seen}");
    let (bundle, trust) = (world.arg("bundle"), world.arg("trust"));
    let report = world.fieldseal("", &["verify", &bundle, "--trust", &trust]).ok();
    assert_eq!(report["verdict"], "ANCHORED", "{report}");

    // The server rereads all of it, and the same leaves stand in its log.
    let fsck = world.server_command(&["fsck", "--dir", &world.arg("server")]);
    assert_eq!(fsck["findings"], json!([]), "{fsck}");
    let ids = |name: &str| kept[name].as_array().unwrap().iter().map(text).collect::<Vec<String>>();
    let mut arrived = ids("sealed");
    arrived.extend([text(&kept["other"]), text(&kept["late"])]);
    world.arrived_once(&case, &arrived);
    world.serve();

    // Both tablets write on, and nothing of what waits is lost.
    let check = ["check", &inspection, "r1", "ok"];
    world.officer(B, &check).ok();
    world.officer(B, &["commit", &inspection]).ok();
    let begun = world
        .officer(A, &["begin", "--new-enterprise", "新开的厂", "--title", "日常检查"])
        .ok();
    assert!(begun["operation"].is_string(), "{begun}");
    // The enterprise, and the opening.
    let waits = |n: usize| number(&world.device(n, &["status"]).ok()["counts"]["waiting"]);
    assert_eq!(waits(A), number(&kept["counts"]["waiting"]) + 2, "{}", TABLETS[A].label);
    let stick = world.arg("stick");
    let rescue = world.device(A, &["rescue", "--out", &stick]).ok();
    assert_eq!(number(&rescue["operations"]), waits(A), "{rescue}");
    for n in [A, B] {
        world.device_clean(n);
    }
    world.server_clean();
}
