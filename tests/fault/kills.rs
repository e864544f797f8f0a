//! SIGKILL in the middle of writing, sealing, syncing and serving: what was acknowledged is there, once.

use std::io::Write;
use std::process::{Command, Stdio};

use fieldseal_demo::story::cast::TABLETS;
use fieldseal_tests::DEADLINE;
use fieldseal_tests::world::{A, B, World, acknowledged, long, text};

use crate::{capture, noise, seed, splitmix, statements, visible};

/// Lines of a batch that is killed; more than any kill point.
const LINES: usize = 60;
/// What is killed, in turn: 0 a batch that writes, 1 a capture, 2 a sync, 3 the server under a sync.
const KINDS: [u8; 8] = [0, 1, 0, 2, 1, 0, 1, 3];
/// A file that is being sealed when the tablet dies.
const FILM: usize = 3 << 20;

#[test]
fn nothing_acknowledged_is_lost_by_kills() {
    let rounds = if long() { 1000 } else { 240 };
    let mut random = seed();
    let mut world = World::new("fault-kills", 3);
    let inspection = world.inspections[0].clone();
    let case = world.case(A, &inspection);
    let mut ids = Vec::new();
    for round in 0..rounds {
        let n = if round % 16 < 8 { A } else { B };
        let before = ids.len();
        // Six of eight kills hit a tablet that writes or seals, the cheapest; one a sync, one the server.
        match KINDS[round % KINDS.len()] {
            0 => ids.extend(killed_while_writing(&world, n, &inspection, splitmix(&mut random))),
            1 => ids.extend(killed_while_sealing(&world, n, &inspection, splitmix(&mut random))),
            2 => {
                ids.extend(write_some(&world, n, &inspection, &mut random));
                killed_while_syncing(&world, n, splitmix(&mut random));
            }
            _ => {
                ids.extend(write_some(&world, n, &inspection, &mut random));
                server_killed_while_syncing(&mut world, n, splitmix(&mut random));
            }
        }
        println!("round {round}: {} acknowledged", ids.len() - before);
        // Every command sweeps and recovers as it opens the store; rereading everything now and then is enough.
        if round % 12 == 11 {
            world.device_clean(A);
            world.device_clean(B);
        }
    }
    let mut unique = ids.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), ids.len(), "no acknowledgement was given twice");
    for n in [A, B, A] {
        world.drain(n);
    }
    // What the tablets hold is at least what was acknowledged, and all of it is in the log.
    for n in [A, B] {
        let (in_log, sealed) = world.in_log(n);
        assert_eq!(in_log, sealed, "tablet {n}");
        assert!(visible(&world, n, &inspection, "statements") > 0);
    }
    world.offline(|world| world.arrived_once(&case, &ids));
    world.server_clean();
    println!("{rounds} kills, {} acknowledged operations", ids.len());
}

/// Kills a batch after some of its lines were answered; gives what was acknowledged.
fn killed_while_writing(world: &World, n: usize, inspection: &str, random: u64) -> Vec<String> {
    let after = 1 + random as usize % (LINES / 2);
    let mut running = world.start_batch(n, &statements(inspection, LINES));
    let marks = [format!("\"line\":{after}}}"), format!("\"line\":{after},")];
    running
        .wait_for_line("its line", DEADLINE, |line| {
            marks.iter().any(|mark| line.contains(mark))
        })
        .unwrap_or_else(|error| panic!("{error}"));
    let said = running.kill().text();
    let ids = acknowledged(&said);
    assert!(ids.len() >= after, "{after} lines were seen");
    ids
}

/// Kills a capture while part of the file has gone through its standard input, or just after all of it has.
fn killed_while_sealing(world: &World, n: usize, inspection: &str, random: u64) -> Vec<String> {
    let officer = TABLETS[n].officers[0];
    let mut child = Command::new(&world.stage.binaries.fieldseal)
        .args(["device", "--json", "--dir"])
        .arg(world.tablet(n))
        .args(["--officer", officer.certificate])
        .args(capture(inspection, "-"))
        .env("FIELDSEAL_PIN", officer.pin)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let film = noise(random, FILM);
    // Every third time the whole file, so that the kill falls into sealing, committing or answering.
    let part = if random.is_multiple_of(3) {
        FILM
    } else {
        random as usize % FILM
    };
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(&film[..part]).unwrap();
    if part == FILM {
        drop(pipe);
        let pages = random / 3 % 4;
        if pages > 0 {
            // Until it has answered, or a little before: whichever the scheduler gives.
            for _ in 0..pages * 200 {
                std::thread::yield_now();
            }
        } else {
            let output = child.wait_with_output().unwrap();
            return acknowledged(&String::from_utf8_lossy(&output.stdout));
        }
    }
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    acknowledged(&String::from_utf8_lossy(&output.stdout))
}

/// A few statements and sometimes a file, so that a sync has something to send.
fn write_some(world: &World, n: usize, inspection: &str, random: &mut u64) -> Vec<String> {
    let count = 1 + splitmix(random) as usize % 12;
    let answers = world.batch(n, &statements(inspection, count));
    let mut ids: Vec<String> = answers
        .iter()
        .filter_map(|answer| answer["operation"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(ids.len(), count);
    if splitmix(random).is_multiple_of(2) {
        let file = world.arg("piece.bin");
        let bytes = noise(splitmix(random), 1 << 20);
        std::fs::write(&file, bytes).unwrap();
        ids.push(text(&world.officer(n, &capture(inspection, &file)).ok()["operation"]));
    }
    ids
}

/// Kills a sync when so many bytes have passed the proxy, or when it has ended before that.
fn killed_while_syncing(world: &World, n: usize, random: u64) {
    let mut running = start_sync(world, n);
    wait_for_bytes(world, &mut running, random);
    running.kill();
}

/// Kills the server in the same way and starts it again; the tablet says that everything is kept.
fn server_killed_while_syncing(world: &mut World, n: usize, random: u64) {
    let mut running = start_sync(world, n);
    wait_for_bytes(world, &mut running, random);
    world.kill_server();
    world.serve();
    let ended = running.finish(DEADLINE).unwrap_or_else(|error| panic!("{error}"));
    assert!(matches!(ended.code(), Some(0 | 75)), "{}", ended.text());
}

fn start_sync(world: &World, n: usize) -> fieldseal_tests::Running {
    world.start_officer(n, &["sync"])
}

fn wait_for_bytes(world: &World, running: &mut fieldseal_tests::Running, random: u64) {
    // Half of the kills among the first messages, half within the files.
    let most = if random.is_multiple_of(2) { 16 << 10 } else { 1 << 20 };
    let until = world.stage.proxy.counts().to_server + random / 2 % most;
    while running.is_running() {
        let step = std::time::Duration::from_millis(5);
        if world.stage.proxy.wait_for(step, |counts| counts.to_server >= until) {
            break;
        }
    }
}
