//! What a power cut would take: kills leave everything that was written in the kernel's hands, so a forgotten fsync shows only
//! to somebody who watches the calls.

use std::fs;

use fieldseal_tests::world::{A, World};

use crate::preload::wrapped;
use crate::{capture, noise, statements};

#[test]
fn nothing_gets_its_name_before_its_bytes_are_safe_and_no_name_is_told_before_it_is() {
    let mut world = World::new("fault-power", 1);
    let inspection = world.inspections[0].clone();
    let case = world.case(A, &inspection);
    let found = world.at("unsynced.txt");
    let source = include_str!("shims/unsynced.c");
    let variables = [
        ("FIELDSEAL_UNSYNCED", found.display().to_string()),
        ("FIELDSEAL_UNDER", world.at("").display().to_string()),
    ];
    let right = world.stage.binaries.clone();
    world.stage.binaries.fieldseal = wrapped(&world, &right.fieldseal, source, "unsynced", &variables);
    world.stage.binaries.server = wrapped(&world, &right.server, source, "unsynced", &variables);
    world.offline(|_| ());
    let film = world.arg("film.bin");
    fs::write(&film, noise(3, 2 << 20)).unwrap();
    world.officer(A, &capture(&inspection, &film)).ok();
    world.batch(A, &statements(&inspection, 5));
    world.device(A, &["rescue", "--out", &world.arg("stick.fsr")]).ok();
    world.drain(A);
    world.drain_laptop();
    world.supervisor(&["export", &case, "--out", &world.arg("bundle")]).ok();
    let (server, backup) = (world.arg("server"), world.arg("backup"));
    world.server_command(&["backup", "--dir", &server, "--out", &backup]);
    world.offline(|_| ());
    let told = fs::read_to_string(&found).unwrap_or_default();
    assert!(told.is_empty(), "a power cut would have taken:\n{told}");
    // The watcher sees: a file of our own, named without fsync.
    let script = format!(
        "import os; f = open('{0}/a', 'w'); f.write('x'); f.close(); os.rename('{0}/a', '{0}/b')",
        world.at("").display()
    );
    let python = wrapped(
        &world,
        std::path::Path::new("/usr/bin/python3"),
        source,
        "unsynced",
        &variables,
    );
    fieldseal_tests::world::tool(&world.at(""), &python.display().to_string(), &["-c", &script]);
    let told = fs::read_to_string(&found).unwrap();
    assert!(told.contains("rename ") && told.contains("folder "), "{told}");
}
