//! The network goes down, goes silent, and is cut within an upload.

use std::fs;

use fieldseal_demo::proxy::Mode;
use fieldseal_tests::world::{A, World, number, text};

use crate::{capture, noise, statements};

/// Most bytes that may cross the line again for one cut, what TLS and the questions around an upload take included (`wire.md`).
pub const PER_CUT: u64 = 500_000;

#[test]
fn without_a_network_everything_is_kept_and_said() {
    let mut world = World::new("fault-down", 1);
    let inspection = world.inspections[0].clone();
    let ids: Vec<String> = world
        .batch(A, &statements(&inspection, 3))
        .iter()
        .filter_map(|answer| answer["operation"].as_str().map(str::to_owned))
        .collect();
    world.stage.proxy.set(Mode::Down);
    let said = world.device(A, &["sync", "--lang", "en"]).expect_code(75);
    assert_eq!(
        (text(&said.json["state"]), number(&said.json["waiting"]["operations"])),
        ("offline".into(), 3)
    );
    world.stage.proxy.set(Mode::Pass);
    // A server that was stopped in good order.
    world.stage.stop_server().unwrap();
    let said = world.device(A, &["sync"]).expect_code(75);
    assert_eq!(
        (text(&said.json["state"]), number(&said.json["waiting"]["operations"])),
        ("offline".into(), 3)
    );
    world.device_clean(A);
    world.serve();
    world.drain(A);
    let case = world.case(A, &inspection);
    world.offline(|world| world.arrived_once(&case, &ids));
}

#[test]
fn a_cut_within_an_upload_costs_little() {
    let mut world = World::new("fault-cut", 1);
    let inspection = world.inspections[0].clone();
    let mut ids = Vec::new();
    // The last one has every connection die in its second or third megabyte, many times over, while slices are long.
    let rounds = [(100_u64 << 10, 4), (700 << 10, 4), (1500 << 10, 4), (2_300_000, 24)];
    for (n, (after, mebibytes)) in rounds.into_iter().enumerate() {
        let size = mebibytes << 20;
        let file = world.arg("film.bin");
        fs::write(&file, noise(n as u64, size)).unwrap();
        ids.push(text(&world.officer(A, &capture(&inspection, &file)).ok()["operation"]));
        let before = world.stage.proxy.counts();
        world.stage.proxy.set(Mode::CutAfter { client_bytes: after });
        world.device(A, &["sync"]);
        if mebibytes > 4 {
            world.drain(A);
        }
        world.stage.proxy.set(Mode::Pass);
        world.drain(A);
        let counts = world.stage.proxy.counts();
        let cuts = counts.cut - before.cut;
        let over = (counts.to_server - before.to_server).saturating_sub(size as u64);
        println!(
            "cut after {after}: {cuts} cuts, {over} bytes more than the file, {} a cut",
            over / cuts.max(1)
        );
        assert!(cuts > 0, "the upload was cut");
        assert!(over <= cuts * PER_CUT, "{over} bytes sent again in {cuts} cuts");
    }
    let case = world.case(A, &inspection);
    world.offline(|world| world.arrived_once(&case, &ids));
    world.server_clean();
}

/// A black hole: connections open, and nothing is ever said. What counts as silence is short here; a session tries six times.
#[test]
fn a_silent_network_is_offline() {
    let world = World::new("fault-stall", 1);
    world.batch(A, &statements(&world.inspections[0], 3));
    world.stage.proxy.set(Mode::Stall);
    let said = world.device(A, &["sync", "--silence", "1"]).expect_code(75);
    assert_eq!(
        (text(&said.json["state"]), number(&said.json["waiting"]["operations"])),
        ("offline".into(), 3)
    );
    println!("offline after {:.0} s of silence", said.took.as_secs_f64());
    assert!(
        said.took < std::time::Duration::from_secs(60),
        "it is not the silence of 30 s"
    );
    world.stage.proxy.set(Mode::Pass);
    world.drain(A);
}
