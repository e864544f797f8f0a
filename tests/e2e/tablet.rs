//! What a tablet says of itself: how long it has kept things to itself, files without a record, drafts under another pack.

use std::fs;

use fieldseal_demo::samples::Kind;
use fieldseal_tests::world::{A, World, number, text};

#[test]
fn what_waits_too_long_is_said_with_its_age() {
    let world = World::new("e2e-age", 1);
    let inspection = world.inspections[0].clone();
    let status_at = |clock: &str| world.device(A, &["status", "--clock", clock]).ok();
    assert!(
        status_at("2026-11-24T09:00:00+08:00")["oldest_unsynced_ms"].is_null(),
        "everything was sent"
    );
    let words = ["check", &inspection, "s1", "ok", "--clock", "2026-11-24T09:00:00+08:00"];
    world.officer(A, &words).ok();
    let warned = |clock: &str| {
        let status = status_at(clock);
        let remarks = status["remarks"].as_array().unwrap().clone();
        (
            number(&status["oldest_unsynced_ms"]),
            remarks.contains(&"unsynced_too_long".into()),
        )
    };
    // The rule pack says 72 hours.
    let (age, late) = warned("2026-11-27T08:00:00+08:00");
    assert!(
        (71 * 3_600_000 - 60_000..=71 * 3_600_000).contains(&age) && !late,
        "{age}"
    );
    let (age, late) = warned("2026-11-27T10:00:00+08:00");
    assert!(age > 72 * 3_600_000 && late, "{age}");
    let said = world.device(A, &["status", "--clock", "2026-11-28T09:00:00+08:00", "--lang", "en"]);
    assert_eq!(said.code, Some(0));
    world.drain(A);
    assert!(status_at("2026-11-29T09:00:00+08:00")["oldest_unsynced_ms"].is_null());
}

#[test]
fn a_file_whose_record_was_never_written_gets_its_case_at_the_next_start() {
    let mut world = World::new("e2e-orphan", 1);
    let inspection = world.inspections[0].clone();
    let before = world.tablet(A).join("before");
    fs::create_dir_all(&before).unwrap();
    for name in ["store.db", "store.tail", "keyring"] {
        fs::copy(world.tablet(A).join(name), before.join(name)).unwrap();
    }
    let photo = world.samples.of(Kind::Photo).next().unwrap().path.display().to_string();
    let words = [
        "capture",
        &inspection,
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
    let lost = world.officer(A, &words).ok();
    // As if the tablet had stopped between the durable file and its record.
    for name in ["store.db", "store.tail", "keyring"] {
        fs::copy(before.join(name), world.tablet(A).join(name)).unwrap();
    }
    let _ = fs::remove_file(world.tablet(A).join("store.db-wal"));
    let shown = world.device(A, &["show", &inspection]).ok();
    let evidence = &shown["evidence"][0];
    assert_eq!(evidence["sha256"], lost["sha256"], "{shown}");
    assert_eq!(
        (text(&evidence["title"]), text(&evidence["acquisition"])),
        ("现场照片".into(), "camera".into())
    );
    assert_eq!(
        evidence["custody"].as_array().unwrap().len(),
        1,
        "its way is told: {evidence}"
    );
    assert_eq!(
        world.device(A, &["evidence", "list"]).ok()["items"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
    // A file whose inspection this tablet does not know is offered, and a person assigns it.
    let begun = ["begin", "--new-enterprise", "无名作坊", "--title", "临时检查"];
    let kept = ["store.db", "store.tail", "keyring"];
    for name in kept {
        fs::copy(world.tablet(A).join(name), before.join(name)).unwrap();
    }
    let unknown = text(&world.officer(A, &begun).ok()["id"]);
    let file = world.arg("piece.bin");
    fs::write(&file, b"the only copy").unwrap();
    let words = [
        "capture",
        &unknown,
        "--file",
        &file,
        "--acquisition",
        "recorder",
        "--kind",
        "audio_visual",
        "--title",
        "录音",
        "--proves",
        "询问",
    ];
    let lost = world.officer(A, &words).ok();
    for name in kept {
        fs::copy(before.join(name), world.tablet(A).join(name)).unwrap();
    }
    let _ = fs::remove_file(world.tablet(A).join("store.db-wal"));
    let status = world.device(A, &["status"]).ok();
    assert!(
        status["remarks"].as_array().unwrap().contains(&"orphans_wait".into()),
        "{status}"
    );
    let listed = world.device(A, &["evidence", "list"]).ok();
    assert_eq!(listed["items"][0]["sha256"], lost["sha256"], "{listed}");
    let sha256 = text(&lost["sha256"]);
    world
        .officer(A, &["evidence", "adopt", &sha256])
        .refused(1, "not_found");
    let adopt = ["evidence", "adopt", &sha256, "--inspection", &inspection];
    let adopted = world.officer(A, &adopt).ok();
    world.officer(A, &adopt).refused(1, "not_found");
    let shown = world.device(A, &["show", &inspection]).ok();
    let found = shown["evidence"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["evidence"] == adopted["id"]);
    assert_eq!(
        found.map(|one| text(&one["acquisition"])),
        Some("recorder".into()),
        "{shown}"
    );
    world.device_clean(A);
    world.drain(A);
    let case = world.case(A, &inspection);
    world.offline(|world| world.arrived_once(&case, &[text(&adopted["operation"])]));
    world.server_clean();
}

#[test]
fn a_draft_is_checked_against_the_pack_that_is_in_force_when_it_is_signed() {
    let world = World::new("e2e-draft", 1);
    let inspection = world.inspections[0].clone();
    let finding = "00000000-0000-4000-8000-000000000001";
    let set = |field: &str, value: &str| {
        let path = format!("finding/{finding}/{field}");
        world.device(A, &["set", &inspection, &path, value]).ok();
    };
    set("text", "疏散通道被堵塞");
    set("grade", "larger");
    // Typed under one pack, signed under another that does not know the grade.
    world.device(A, &["pack", "us-osha"]).ok();
    world.officer(A, &["commit", &inspection]).refused(1, "not_in_pack");
    assert_eq!(
        world.device(A, &["status"]).ok()["counts"]["draft"],
        2,
        "nothing was signed, nothing lost"
    );
    world.device(A, &["pack", "cn-work-safety"]).ok();
    let signed = world.officer(A, &["commit", &inspection]).ok();
    assert_eq!(signed["operations"].as_array().unwrap().len(), 1, "{signed}");
    assert_eq!(world.device(A, &["status"]).ok()["counts"]["draft"], 0);
}

#[test]
fn the_list_of_inspections_follows_every_write_and_every_sync() {
    let world = World::new("e2e-list", 2);
    let inspection = world.inspections[0].clone();
    let row = || {
        let listed = world.device(A, &["inspections"]).ok();
        let rows = listed["items"].as_array().unwrap().clone();
        rows.into_iter().find(|row| row["id"] == inspection.as_str()).unwrap()
    };
    let before = row();
    assert_eq!(before, row(), "read from what is kept");
    world.officer(A, &["check", &inspection, "s1", "ok"]).ok();
    assert_eq!(number(&row()["progress"]["sealed"]), 1, "{}", row());
    world.device(A, &["set", &inspection, "inspection/remark", "草稿"]).ok();
    world.officer(A, &["close", &inspection]).ok();
    let closed = row();
    assert_eq!(
        (text(&closed["state"]), number(&closed["drafts"])),
        ("closed".into(), 1)
    );
    world.drain(A);
    let sent = row();
    assert_eq!(number(&sent["progress"]["sealed"]), 0, "{sent}");
    assert_eq!(
        number(&sent["progress"]["in_log"]),
        number(&before["progress"]["in_log"]) + 2,
        "{sent}"
    );
    world.drain_laptop();
    world.supervisor(&["return", &inspection, "--reason", "补充照片"]).ok();
    world.drain_laptop();
    world.drain(A);
    assert_eq!(row()["state"], "returned", "{}", row());
}
