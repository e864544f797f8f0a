//! What the office sees and settles: records that came after a closing, and what a last visit left open.

use fieldseal_demo::proxy::Mode;
use fieldseal_demo::story::ceremony::admin;
use fieldseal_tests::world::{A, B, World, number, text, until};
use serde_json::Value;

fn quarantined(world: &World, case: &str) -> Vec<Value> {
    world.drain_laptop();
    let shown = world.supervisor(&["show", case]).ok();
    shown["quarantined"].as_array().unwrap().clone()
}

#[test]
fn what_is_written_after_another_tablet_closed_is_set_aside_until_the_supervisor_releases_it() {
    let mut world = World::new("e2e-closed", 1);
    let inspection = world.inspections[0].clone();
    let case = world.case(A, &inspection);
    world.officer(A, &["check", &inspection, "s1", "ok"]).ok();
    world.officer(A, &["close", &inspection]).ok();
    world.drain(A);
    // Tablet B has not heard of it and goes on.
    let words = ["statement", &inspection, "--person", "钱守业", "--line", "之后的话"];
    let late = text(&world.officer(B, &words).ok()["operation"]);
    world.drain(B);
    // The server judges after it has received, so the laptop may have to ask again.
    let aside = until("the quarantine reaches the laptop", || {
        Some(quarantined(&world, &case)).filter(|aside| !aside.is_empty())
    });
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert_eq!(
        (text(&aside[0]["operation"]), text(&aside[0]["reason"])),
        (late.clone(), "closed".into())
    );
    let statements = |dir: String| {
        let shown = world.fieldseal("", &["supervisor", "show", &case, "--dir", &dir]).ok();
        shown["statements"].as_array().unwrap().len()
    };
    let laptop = world.arg("supervisor");
    assert_eq!(statements(laptop.clone()), 0, "it does not count yet");
    let told = |count: u64| {
        until("the author is told", || {
            world.drain(B);
            (world.device(B, &["status"]).ok()["quarantined"] == count).then_some(())
        });
    };
    told(1);
    world
        .supervisor(&["quarantine", &late, "release", "--reason", "关闭前已到现场，未联网"])
        .ok();
    until("the release comes back", || {
        quarantined(&world, &case).is_empty().then_some(())
    });
    assert_eq!(statements(laptop), 1, "it counts again");
    told(0);
    assert_eq!(statements(world.tablet(B).display().to_string()), 1);
    world.offline(|world| world.arrived_once(&case, &[late]));
    world.server_clean();
}

#[test]
fn open_orders_of_the_last_visit_show_at_the_next_inspection_of_the_same_enterprise() {
    let world = World::new("e2e-orders", 1);
    let first = world.inspections[0].clone();
    let words = [
        "finding",
        &first,
        "--item",
        "e1",
        "--text",
        "疏散通道被堵塞",
        "--grade",
        "larger",
        "--place",
        "二车间",
    ];
    let clock = ["--clock", "2026-11-24T09:00:00+08:00"];
    let finding = text(&world.officer(A, &[&words[..], &clock].concat()).ok()["id"]);
    let words = [
        "order",
        &first,
        "--finding",
        &finding,
        "--text",
        "清理疏散通道",
        "--due",
        "2026-12-12",
    ];
    world.officer(A, &[&words[..], &clock].concat()).ok();
    world.officer(A, &["close", &first]).ok();
    world.drain(A);
    // The next visit, begun by the other tablet, weeks later, knowing only what came over the wire.
    world.drain(B);
    let listed = world.device(B, &["inspections"]).ok();
    let enterprise = text(&listed["items"][0]["enterprise"]);
    let clock = ["--clock", "2027-01-11T09:00:00+08:00"];
    let begun = world
        .officer(
            B,
            &[&["begin", "--enterprise", &enterprise, "--title", "复查"][..], &clock].concat(),
        )
        .ok();
    let second = text(&begun["id"]);
    let shown = world.device(B, &["show", &second]).ok();
    let orders = shown["open_orders"].as_array().unwrap();
    assert_eq!(orders.len(), 1, "{shown}");
    let item = &orders[0]["items"][0];
    assert_eq!(
        (text(&item["text"]), text(&item["due"])),
        ("清理疏散通道".into(), "2026-12-12".into())
    );
    assert_ne!(orders[0]["case"], begun["case"], "it belongs to the first case");
    assert_eq!(item["state"], "open", "nobody has looked again: {item}");
    let shown_at = |clock: &str| world.device(B, &["show", &second, "--clock", clock]).ok()["open_orders"].clone();
    let late = shown_at("2027-01-11T09:00:00+08:00");
    assert_eq!(late[0]["items"][0]["overdue_days"], 30, "{late}");
    assert_eq!(
        shown_at("2026-12-12T09:00:00+08:00")[0]["items"][0]["overdue_days"],
        Value::Null
    );
    // Looked at again, first half done, then done.
    let (order, item) = (text(&orders[0]["order"]), text(&item["item"]));
    let review = |result: &str| {
        let words = [
            "review", &second, "--order", &order, "--item", &item, "--result", result,
        ];
        world.officer(B, &[&words[..], &clock].concat())
    };
    review("nearly").refused(1, "choice_unknown");
    review("partly").ok();
    let partly = shown_at("2027-01-11T09:00:00+08:00");
    assert_eq!(
        (&partly[0]["items"][0]["state"], &partly[0]["items"][0]["basis"]),
        (&"partly".into(), &"review".into())
    );
    review("fulfilled").ok();
    assert_eq!(
        shown_at("2027-01-11T09:00:00+08:00").as_array().unwrap().len(),
        0,
        "nothing is left to do"
    );
    world.drain(B);
}

#[test]
fn an_ordered_thing_is_done_when_its_item_is_found_in_order_at_a_later_visit() {
    let world = World::new("e2e-checked", 1);
    let first = world.inspections[0].clone();
    let clock = ["--clock", "2026-11-24T09:00:00+08:00"];
    world
        .officer(A, &[&["check", &first, "e1", "violation"][..], &clock].concat())
        .ok();
    let words = [
        "finding",
        &first,
        "--item",
        "e1",
        "--text",
        "疏散通道被堵塞",
        "--grade",
        "larger",
    ];
    let finding = text(&world.officer(A, &[&words[..], &clock].concat()).ok()["id"]);
    let words = [
        "order",
        &first,
        "--finding",
        &finding,
        "--text",
        "清理疏散通道",
        "--due",
        "2026-12-12",
    ];
    world.officer(A, &[&words[..], &clock].concat()).ok();
    let enterprise = text(&world.device(A, &["inspections"]).ok()["items"][0]["enterprise"]);
    let clock = ["--clock", "2027-01-11T09:00:00+08:00"];
    let begun = ["begin", "--enterprise", &enterprise, "--title", "复查"];
    let second = text(&world.officer(A, &[&begun[..], &clock].concat()).ok()["id"]);
    let open = || world.device(A, &[&["show", &second][..], &clock].concat()).ok()["open_orders"].clone();
    assert_eq!(
        open()[0]["items"][0]["state"],
        "open",
        "the answer that led to the order says nothing about it"
    );
    world
        .officer(A, &[&["check", &second, "e1", "violation"][..], &clock].concat())
        .ok();
    let item = open()[0]["items"][0].clone();
    assert_eq!(
        (&item["state"], &item["basis"]),
        (&"not_fulfilled".into(), &"check".into())
    );
    assert_eq!(item["overdue_days"], 30);
    world
        .officer(A, &[&["check", &second, "e1", "ok"][..], &clock].concat())
        .ok();
    assert_eq!(open().as_array().unwrap().len(), 0, "corrected");
}

#[test]
fn the_laptop_shows_both_ends_of_the_bracket_by_the_operators_word() {
    let world = World::new("e2e-bracket", 1);
    let inspection = world.inspections[0].clone();
    let photo = world
        .samples
        .of(fieldseal_demo::samples::Kind::Photo)
        .next()
        .unwrap()
        .path
        .display()
        .to_string();
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
    world.officer(A, &words).ok();
    world.drain(A);
    let case = world.case(A, &inspection);
    // The operator states the time of a size of the log after it was published, so the laptop may have to ask again.
    let bracket = until("a time note covers the photograph", || {
        world.drain_laptop();
        let shown = world.supervisor(&["show", &case]).ok();
        let bracket = shown["evidence"][0]["bracket"].clone();
        bracket["not_after"].is_object().then_some(bracket)
    });
    for end in ["not_before", "not_after"] {
        assert!(bracket[end]["basis"].is_string(), "{end}: {bracket}");
    }
}

#[test]
fn the_office_sees_what_waits_on_a_tablet_and_what_two_tablets_recorded_twice() {
    let world = World::new("e2e-health", 1);
    let inspection = world.inspections[0].clone();
    let file = world.arg("piece.bin");
    std::fs::write(&file, [7; 4096]).unwrap();
    let capture = [
        "capture",
        &inspection,
        "--file",
        &file,
        "--acquisition",
        "camera",
        "--kind",
        "audio_visual",
        "--title",
        "现场照片",
        "--proves",
        "现场状况",
    ];
    world.officer(A, &capture).ok();
    let said = world.device(A, &["sync", "--only", "records", "--battery", "37"]).ok();
    assert_eq!(said["waiting"]["blobs"], 1, "{said}");
    assert!(said["clock_skew_ms"].as_i64().unwrap().abs() < 60_000, "{said}");
    let identity = text(&world.device(A, &["status"]).ok()["device"]);
    let all = admin(&world.stage, "devices", "card.json", &["devices"]).unwrap();
    let of = |device: &Value| device["device"] == identity.as_str() && !device["health"].is_null();
    let told = all["items"].as_array().unwrap().iter().find(|one| of(one)).unwrap()["health"].clone();
    assert_eq!(
        (&told["waiting"]["blobs"], &told["battery_percent"]),
        (&1.into(), &37.into())
    );
    assert!(told["free_bytes"].as_u64().unwrap() > 0 && told["oldest_waiting_ms"].as_u64().is_some());
    assert!(text(&told["app"]).starts_with("fieldseal "));
    // Both meet an enterprise that nobody knew; neither hears of the other's.
    for n in [A, B] {
        world.officer(n, &["begin", "--new-enterprise", "红星五金厂"]).ok();
        world.drain(n);
    }
    let found = until("the registry is folded", || {
        let found = admin(&world.stage, "duplicates", "card.json", &["duplicates"]).unwrap();
        let both = [&found["enterprises"], &found["cases"]];
        let ready = both
            .iter()
            .all(|pairs| pairs.as_array().is_some_and(|pairs| !pairs.is_empty()));
        ready.then_some(found)
    });
    let pair = &found["enterprises"][0];
    assert_eq!(pair["reason"]["code"], "similar.name", "{found}");
    assert_eq!(found["cases"][0]["reason"]["code"], "similar.case", "{found}");
    // Listing joins nothing; the supervisor's signature does.
    let (keep, other) = (text(&pair["first"]["enterprise"]), text(&pair["second"]["enterprise"]));
    world.drain_laptop();
    let join = ["join", "--keep", &keep, "--other", &other, "--reason", "同一家企业"];
    world.supervisor(&join).ok();
    world.drain_laptop();
    until("the join is folded", || {
        let found = admin(&world.stage, "duplicates", "card.json", &["duplicates"]).unwrap();
        found["enterprises"].as_array()?.is_empty().then_some(())
    });
}

#[test]
fn without_a_network_the_laptop_decides_freezes_and_sends_back_and_the_others_hear_of_it_later() {
    let mut world = World::new("e2e-laptop", 1);
    let inspection = world.inspections[0].clone();
    let case = world.case(A, &inspection);
    for (n, result) in [(A, "violation"), (B, "ok")] {
        world.officer(n, &["check", &inspection, "r4", result]).ok();
    }
    // Without evidence there is nothing to freeze.
    let photo = world.samples.of(fieldseal_demo::samples::Kind::Photo).next().unwrap();
    let photo = photo.path.display().to_string();
    let words = ["capture", &inspection, "--file", &photo, "--acquisition", "camera"];
    let about = ["--kind", "audio_visual", "--title", "现场照片", "--proves", "现场状况"];
    world.officer(A, &[&words[..], &about].concat()).ok();
    for n in [A, B] {
        world.drain(n);
    }
    let conflicts = |world: &World| {
        let shown = world.supervisor(&["show", &case]).ok();
        shown["conflicts"].as_array().unwrap().len()
    };
    until("both values reach the laptop", || {
        world.drain_laptop();
        (conflicts(&world) == 1).then_some(())
    });
    let before = world.leaves().len();
    world.stage.laptop.set(Mode::Down);
    let decide = [
        "decide",
        &case,
        "check/r4/result",
        "violation",
        "--reason",
        "依照片认定",
    ];
    let freeze = ["freeze", &case, "--reason", "固定证据"];
    let send_back = ["return", &inspection, "--reason", "补充照片"];
    let made: Vec<String> = [&decide[..], &freeze[..], &send_back[..]]
        .iter()
        .map(|words| text(&world.supervisor(words).ok()["operation"]))
        .collect();
    assert_eq!(conflicts(&world), 0, "she sees her own decision at once");
    let offline = world.supervisor(&["sync"]).expect_code(75).json;
    assert_eq!(
        (text(&offline["state"]), number(&offline["waiting"]["operations"])),
        ("offline".into(), 3),
        "{offline}"
    );
    assert_eq!(world.leaves().len(), before, "the server has heard of nothing");
    // What is made without a server cannot be had without one.
    world
        .supervisor(&["export", &case, "--out", &world.arg("early")])
        .expect_code(75);
    world.stage.laptop.set(Mode::Pass);
    let sent = world.drain_laptop();
    assert_eq!(number(&sent["received"]), 3, "{sent}");
    until("the tablets hear of it", || {
        world.drain(A);
        world.drain(B);
        let state = |n: usize| text(&world.device(n, &["inspections"]).ok()["items"][0]["state"]);
        (state(A) == "returned" && state(B) == "returned").then_some(())
    });
    for n in [A, B] {
        let shown = world.device(n, &["show", &inspection]).ok();
        assert_eq!(shown["conflicts"], Value::Array(Vec::new()), "{shown}");
    }
    world.offline(|world| world.arrived_once(&case, &made));
    world.server_clean();
}

/// Two officers at one site need not wait for the office: who sees both values decides, with a reason, and both stay in the record.
#[test]
fn the_officers_at_the_site_decide_a_conflict_on_their_tablet() {
    let mut world = World::new("e2e-site", 1);
    let inspection = world.inspections[0].clone();
    let case = world.case(A, &inspection);
    for (n, result) in [(A, "violation"), (B, "ok")] {
        world.officer(n, &["check", &inspection, "r4", result]).ok();
    }
    let path = "check/r4/result";
    let decide =
        |path: &'static str| ["decide", &inspection, path, "violation", "--reason", "两人当场复核"].map(str::to_owned);
    let decided = |world: &World, n: usize, path: &'static str| {
        let words = decide(path);
        world.officer(n, &words.each_ref().map(String::as_str))
    };
    // As long as the tablet knows one value only there is nothing to decide.
    let early = decided(&world, A, path).expect_code(1).json;
    assert_eq!(text(&early["error"]["code"]), "no_conflict", "{early}");
    let conflicts = |world: &World, n: usize| world.device(n, &["show", &inspection]).ok()["conflicts"].clone();
    until("both values reach tablet A", || {
        world.drain(B);
        world.drain(A);
        (conflicts(&world, A).as_array().unwrap().len() == 1).then_some(())
    });
    let operation = text(&decided(&world, A, path).ok()["operation"]);
    assert_eq!(
        conflicts(&world, A),
        Value::Array(Vec::new()),
        "seen at once, without a network"
    );
    decided(&world, A, "check/r4/nothing").expect_code(1);
    let settled = |world: &World, n: usize| {
        let shown = world.device(n, &["show", &inspection]).ok();
        let check = shown["checks"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["item"] == "r4")
            .cloned();
        let result = check.map(|check| text(&check["result"]));
        (shown["conflicts"] == Value::Array(Vec::new()) && result.as_deref() == Some("violation")).then_some(())
    };
    until("the other tablet hears of it", || {
        world.drain(A);
        world.drain(B);
        settled(&world, B)
    });
    world.drain_laptop();
    let seen = world.supervisor(&["show", &case]).ok();
    assert_eq!(
        (&seen["conflicts"], &seen["quarantined"]),
        (&Value::Array(Vec::new()), &Value::Array(Vec::new()))
    );
    world.offline(|world| world.arrived_once(&case, &[operation]));
    world.server_clean();
}
