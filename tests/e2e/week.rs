//! Two inspectors, one inspection, a week without a network (fault 13 of `sync.md`).

use std::collections::BTreeSet;
use std::fs;

use fieldseal_core::merge::{Scope, fold};
use fieldseal_demo::proxy::Mode;
use fieldseal_proof::ids::DeviceId;
use fieldseal_tests::world::{A, B, World, acknowledged, text, until};
use serde_json::{Value, json};

const DAYS: usize = 7;
/// Operations of one tablet on one day: two hundred in the week.
const A_DAY: usize = 29;

/// What an inspector writes on a day: the same field with the same value, with another one, and what only he says.
fn day(n: usize, day: usize, inspection: &str) -> Vec<Value> {
    let check = |item: &str, result: &str| json!({ "command": "check", "inspection": inspection, "item": item, "result": result });
    let mut lines = vec![
        check("s1", "ok"),
        check("r4", if n == A { "violation" } else { "ok" }),
        check("e1", if day % 2 == n { "ok" } else { "violation" }),
    ];
    lines.extend((lines.len()..A_DAY).map(|line| {
        let said = format!("第 {} 日第 {line} 句，由 {n}", day + 1);
        json!({ "command": "statement", "inspection": inspection, "person": "钱守业", "line": [said] })
    }));
    lines
}

fn write(world: &World, n: usize, on: usize, inspection: &str) -> Vec<String> {
    let lines: Vec<String> = day(n, on, inspection).iter().map(Value::to_string).collect();
    let file = world.arg(&format!("day-{on}-{n}.jsonl"));
    fs::write(&file, lines.join("\n")).unwrap();
    let clock = format!("2026-11-{:02}T09:00:00+08:00", 24 + on);
    let said = world.officer(n, &["batch", &file, "--keep-going-ok", "--clock", &clock]);
    let ids = acknowledged(&said.expect_code(0).stdout);
    assert_eq!(ids.len(), A_DAY, "day {on} of tablet {n}");
    ids
}

#[test]
fn a_week_of_two_tablets_without_a_network_ends_in_one_state() {
    let mut world = World::new("e2e-week", 1);
    let inspection = world.inspections[0].clone();
    let case = world.case(A, &inspection);
    world.stage.proxy.set(Mode::Down);
    let mut ids = Vec::new();
    for on in 0..DAYS {
        for n in [A, B] {
            ids.extend(write(&world, n, on, &inspection));
        }
    }
    world.device(A, &["sync"]).expect_code(75);
    // One closes what the other goes on with.
    let closed = world.officer(A, &["close", &inspection]).ok();
    ids.push(text(&closed["operation"]));
    let words = ["statement", &inspection, "--person", "钱守业", "--line", "关闭之后的话"];
    ids.push(text(&world.officer(B, &words).ok()["operation"]));

    world.stage.proxy.set(Mode::Pass);
    for n in [A, B, A] {
        world.drain(n);
    }
    // B's week arrives after A's closing, which does not speak of it: set aside until the supervisor sends the case back.
    until("what came too late reaches the laptop", || {
        world.drain_laptop();
        let shown = world.supervisor(&["show", &case]).ok();
        (!shown["quarantined"].as_array().unwrap().is_empty()).then_some(())
    });
    let words = ["return", &inspection, "--reason", "两人记录合并后补充"];
    ids.push(text(&world.supervisor(&words).ok()["operation"]));
    let shown = until("it counts again", || {
        world.drain_laptop();
        let shown = world.supervisor(&["show", &case]).ok();
        (shown["quarantined"] == json!([])).then_some(shown)
    });
    let conflicts = shown["conflicts"].as_array().unwrap();
    let paths: BTreeSet<String> = conflicts.iter().map(|conflict| text(&conflict["path"])).collect();
    let expected = ["check/e1/result", "check/r4/result"].map(str::to_owned);
    assert_eq!(paths, BTreeSet::from(expected), "equal values are no conflict: {shown}");
    for path in &paths {
        let words = ["decide", &case, path, "violation", "--reason", "依照片认定"];
        ids.push(text(&world.supervisor(&words).ok()["operation"]));
    }
    let hash = |world: &World, dir: String| {
        let shown = world.fieldseal("", &["supervisor", "show", &case, "--dir", &dir]).ok();
        assert_eq!(shown["conflicts"], json!([]), "{}", shown["conflicts"]);
        (text(&shown["state_hash"]), shown["quarantined"] == json!([]))
    };
    let same = until("everybody holds the same", || {
        world.drain_laptop();
        for n in [A, B] {
            world.drain(n);
        }
        let (laptop, settled) = hash(&world, world.arg("supervisor"));
        let tablets = [A, B].map(|n| hash(&world, world.tablet(n).display().to_string()).0);
        (settled && tablets.iter().all(|tablet| *tablet == laptop)).then_some(laptop)
    });

    // The server's own set, folded by a stranger to its database. A roll is written by the export itself.
    world.offline(|world| {
        let request: Value = serde_json::from_slice(&fs::read(world.at("server/request.json")).unwrap()).unwrap();
        let ingest: DeviceId = text(&request["subject"]).parse().unwrap();
        let exported = world.exported(&case);
        let operations = exported.values().filter(|operation| operation.header().kind != "roll");
        let state = fold(Scope::Case(case.parse().unwrap()), [ingest], operations);
        assert_eq!(hex::encode(state.hash()), same, "the server's export");
        world.arrived_once(&case, &ids);
    });
    for n in [A, B] {
        world.device_clean(n);
    }
    world.server_clean();
}
