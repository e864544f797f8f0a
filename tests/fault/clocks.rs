//! A clock in 1970 and in 2090: a claim like any other. Records are sealed, accepted and keep their order.

use std::path::{Path, PathBuf};

use fieldseal_tests::world::{A, World, text};

use crate::preload::wrapped;
use crate::statements;

/// A script that starts `program` on a machine whose clock is moved by so many seconds.
fn moved(world: &World, program: &Path, seconds: i64) -> PathBuf {
    let source = include_str!("shims/shifted_clock.c");
    let variables = [("FIELDSEAL_SHIFT", seconds.to_string())];
    wrapped(world, program, source, "shifted_clock", &variables)
}

#[test]
fn a_clock_in_1970_and_2090_is_only_a_claim() {
    let mut world = World::new("fault-clock", 1);
    let inspection = world.inspections[0].clone();
    let mut ids = Vec::new();
    let clocks = [
        ("1970-01-01T00:00:00Z", "violation"),
        ("2090-01-01T00:00:00Z", "not_applicable"),
        ("2026-11-24T09:00:00+08:00", "ok"),
    ];
    for (clock, result) in clocks {
        let words = ["check", &inspection, "s1", result, "--clock", clock];
        ids.push(text(&world.officer(A, &words).ok()["operation"]));
        let status = world.device(A, &["status", "--clock", clock]).ok();
        assert_eq!(status["clock"], "by_hand", "{status}");
    }
    world.drain(A);
    world.drain_laptop();
    let case = world.case(A, &inspection);
    let shown = world.supervisor(&["show", &case]).ok();
    assert_eq!(
        shown["conflicts"].as_array().unwrap().len(),
        0,
        "each answer followed the one before: {shown}"
    );
    let checks = shown["checks"].as_array().unwrap();
    let answer = checks.iter().find(|check| check["item"] == "s1");
    assert!(
        answer.is_some_and(|check| check.to_string().contains("\"ok\"")),
        "the last in order counts, whatever the clocks said: {checks:?}"
    );
    world.offline(|world| {
        let exported = world.exported(&case);
        let claims: Vec<u64> = ids.iter().map(|id| exported[id].header().clock.wall_ms).collect();
        assert!(claims[0] < 86_400_000, "1970 stands as claimed: {claims:?}");
        assert!(claims[1] > 3_786_000_000_000, "2090 stands as claimed: {claims:?}");
        let order: Vec<u64> = ids.iter().map(|id| exported[id].header().seq).collect();
        assert!(order.is_sorted(), "{order:?}");
        world.arrived_once(&case, &ids);
    });
    world.server_clean();
}

#[test]
fn machines_whose_own_clocks_are_decades_off_still_sync_and_verify() {
    let mut world = World::new("fault-machine-clock", 1);
    let inspection = world.inspections[0].clone();
    let case = world.case(A, &inspection);
    let right = world.stage.binaries.clone();
    let said = std::process::Command::new("date").arg("+%s").output().unwrap();
    let now: i64 = String::from_utf8_lossy(&said.stdout).trim().parse().unwrap();
    let mut ids = Vec::new();
    // January 1970 and January 2090, on the tablet and the laptop, then on the server.
    for seconds in [86_400 - now, 3_786_912_000 - now] {
        world.stage.binaries.fieldseal = moved(&world, &right.fieldseal, seconds);
        let answers = world.batch(A, &statements(&inspection, 2));
        ids.extend(
            answers
                .iter()
                .filter_map(|answer| answer["operation"].as_str().map(str::to_owned)),
        );
        world.drain(A);
        world.device_clean(A);
        world.drain_laptop();
        let bundle = world.arg(&format!("bundle{seconds}"));
        world.supervisor(&["export", &case, "--out", &bundle]).ok();
        let words = ["verify", &bundle, "--trust", &world.arg("trust")];
        let far = world.fieldseal("", &words).ok();
        world.stage.binaries.fieldseal.clone_from(&right.fieldseal);
        let near = world.fieldseal("", &words).ok();
        assert_eq!(far["verdict"], "ANCHORED", "{far}");
        assert_eq!(far["verdict"], near["verdict"], "a verdict does not depend on the day");
    }
    for seconds in [86_400 - now, 3_786_912_000 - now] {
        world.stage.binaries.server = moved(&world, &right.server, seconds);
        world.offline(|_| ());
        let answers = world.batch(A, &statements(&inspection, 2));
        ids.extend(
            answers
                .iter()
                .filter_map(|answer| answer["operation"].as_str().map(str::to_owned)),
        );
        world.drain(A);
    }
    world.stage.binaries.server.clone_from(&right.server);
    world.offline(|world| world.arrived_once(&case, &ids));
    world.drain(A);
    world.device_clean(A);
    world.server_clean();
}
