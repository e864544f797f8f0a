//! Lines as they are in the field: thin, long, flapping, with turned bits, with a sign-in page in front.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fieldseal_core::clock::SystemClock;
use fieldseal_core::device::{FieldDevice, NewStatement, Ports, VisitOptions};
use fieldseal_core::random::OsRandom;
use fieldseal_core::sync::{Ending, Progress};
use fieldseal_core::vault::FileSystem;
use fieldseal_demo::proxy::{Counts, Mode, Proxy, Slow};
use fieldseal_demo::story::cast::TABLETS;
use fieldseal_proof::ids::{InspectionId, OpId};
use fieldseal_tests::world::{A, World, long, number, text};
use fieldseal_transport::{Cancel, visit};

use crate::network::PER_CUT;
use crate::{capture, noise, statements};

/// 1 Mbit/s, 50 ms each way.
const THIN: Slow = Slow {
    bytes_per_s: Some(125_000),
    latency: Duration::from_millis(50),
    deep: false,
};

/// Attempts that one session may make to reach a server that does not answer.
const TRIES: u64 = 6;

/// What has happened since.
fn since(proxy: &Proxy, before: Counts) -> Counts {
    let now = proxy.counts();
    Counts {
        connections: now.connections - before.connections,
        refused: now.refused - before.refused,
        cut: now.cut - before.cut,
        from_clients: now.from_clients - before.from_clients,
        to_server: now.to_server - before.to_server,
        to_client: now.to_client - before.to_client,
        ..now
    }
}

/// Fault 18. An officer goes on writing while evidence creeps through 1 Mbit/s: each record is receipted within two seconds.
#[test]
fn records_never_wait_behind_evidence_on_a_thin_line() {
    let mut world = World::new("fault-thin", 1);
    let inspection = world.inspections[0].clone();
    let size = if long() { 12 << 20 } else { 1_200_000 };
    let file = world.arg("film.bin");
    fs::write(&file, noise(18, size)).unwrap();
    world.officer(A, &capture(&inspection, &file)).ok();
    world.device(A, &["sync", "--only", "records"]).ok();
    let random = Arc::new(OsRandom);
    let ports = Ports {
        clock: Arc::new(SystemClock::new(&*random).unwrap()),
        random,
        space: Arc::new(FileSystem),
        wait_ms: 5_000,
        platform: None,
    };
    let device = Arc::new(FieldDevice::open(&world.tablet(A), ports).unwrap().0);
    let officer = TABLETS[A].officers[0];
    device.unlock(officer.certificate, officer.pin).unwrap();

    let proxy = &world.stage.proxy;
    proxy.set(Mode::Slow(THIN));
    let over = AtomicBool::new(false);
    // Each record: when it was written, and when a receipt for it was seen.
    let mut waits: Vec<Duration> = Vec::new();
    let mut shown: Option<Progress> = None;
    let ids: Vec<String> = thread::scope(|scope| {
        let (sender, written) = std::sync::mpsc::channel::<(Instant, OpId)>();
        let writing = scope.spawn(|| {
            let (sender, mut ids) = (sender, Vec::new());
            let statement: InspectionId = inspection.parse().unwrap();
            let mut mark = proxy.counts().to_server;
            // One record for every 30 kB that go by: four in a second.
            while !over.load(Ordering::Acquire) {
                mark += 30_000;
                proxy.wait_for(Duration::from_millis(500), |counts| counts.to_server >= mark);
                let said = NewStatement {
                    person: "钱守业",
                    lines: &["正常"],
                    ..NewStatement::default()
                };
                for operation in device.statement(statement, &said).unwrap().1 {
                    ids.push(operation.to_string());
                    sender.send((Instant::now(), operation)).unwrap();
                }
            }
            ids
        });
        let mut open: Vec<(Instant, OpId)> = Vec::new();
        let mut look = |progress: &Progress| {
            if progress.step == "blobs" && progress.bytes_per_s.is_some() {
                shown = Some(progress.clone());
            }
            open.extend(written.try_iter());
            open.retain(|(since, operation)| {
                let header = device.store().operation(*operation).unwrap().operation.header().clone();
                let receipts = device.store().receipts(header.incarnation, header.seq).unwrap();
                let receipted = !receipts.is_empty();
                if receipted {
                    waits.push(since.elapsed());
                }
                !receipted
            });
            if device.store().blobs_to_send(1).unwrap().is_empty() {
                over.store(true, Ordering::Release);
            }
        };
        let options = VisitOptions {
            patience: Some(Duration::from_secs(300)),
            ..VisitOptions::default()
        };
        let report = visit(&device, options, &mut look, &Cancel::default()).unwrap();
        over.store(true, Ordering::Release);
        assert_eq!(report.sync.ending, Ending::Done, "{report:?}");
        assert_eq!((report.sync.blobs, report.sync.cuts), (1, 0), "{report:?}");
        writing.join().unwrap()
    });
    waits.sort_unstable();
    let p99 = waits[(waits.len() * 99).div_ceil(100) - 1];
    println!(
        "{} of {} records receipted meanwhile, the slowest but 1 % within {p99:?}",
        waits.len(),
        ids.len()
    );
    assert!(waits.len() >= 10, "the film took long enough to show it: {waits:?}");
    assert!(p99 < Duration::from_secs(2), "{waits:?}");
    // What a person sees meanwhile.
    let shown = shown.expect("a rate was measured");
    let rate = shown.bytes_per_s.unwrap();
    assert!((60_000..200_000).contains(&rate), "{rate} bytes a second of 125,000");
    assert!(shown.left_ms().unwrap() <= 1_000 * size as u64 / rate, "{shown:?}");
    drop(device);
    world.stage.proxy.set(Mode::Pass);
    world.drain(A);
    let case = world.case(A, &inspection);
    world.offline(|world| world.arrived_once(&case, &ids));
}

/// What is sent and not confirmed is lost with the line: a box on the way takes in whatever the tablet sends and passes it on at 1 MB/s, and
/// the line is cut three times while it is full.
#[test]
fn what_is_on_the_way_when_the_line_is_cut_is_bounded() {
    let mut world = World::new("fault-deep", 1);
    let inspection = world.inspections[0].clone();
    let size = 4_500_000;
    let file = world.arg("film.bin");
    fs::write(&file, noise(5, size)).unwrap();
    let id = text(&world.officer(A, &capture(&inspection, &file)).ok()["operation"]);
    let deep = Mode::Slow(Slow {
        bytes_per_s: Some(1_000_000),
        latency: Duration::ZERO,
        deep: true,
    });
    let proxy = &world.stage.proxy;
    let before = proxy.counts();
    proxy.set(deep);
    let syncing = world.start_officer(A, &["sync", "--wait", "60"]);
    for mark in [1_000_000, 2_000_000, 3_000_000] {
        assert!(proxy.wait_for(Duration::from_secs(60), |counts| counts.to_server
            >= before.to_server + mark));
        proxy.set(Mode::Down);
        proxy.set(deep);
    }
    let finished = syncing.finish(Duration::from_secs(120)).unwrap();
    assert_eq!(finished.code(), Some(0), "{}", finished.text());
    let counts = since(proxy, before);
    let again = counts.from_clients.saturating_sub(size as u64);
    println!("{counts:?}: {again} bytes again, {} a cut", again / counts.cut.max(1));
    assert!(counts.cut >= 3, "{counts:?}");
    assert!(again <= counts.cut * PER_CUT, "{again} bytes again in {counts:?}");
    proxy.set(Mode::Pass);
    let case = world.case(A, &inspection);
    world.offline(|world| world.arrived_once(&case, &[id]));
    world.server_clean();
}

/// Two seconds there and back (a second is enough to show it by default): everything arrives in one session without a failed exchange.
#[test]
fn a_long_line_is_no_fault() {
    let mut world = World::new("fault-long", 1);
    let inspection = world.inspections[0].clone();
    let ids: Vec<String> = world
        .batch(A, &statements(&inspection, 3))
        .iter()
        .filter_map(|answer| answer["operation"].as_str().map(str::to_owned))
        .collect();
    let file = world.arg("photo.bin");
    fs::write(&file, noise(27, 300_000)).unwrap();
    world.officer(A, &capture(&inspection, &file)).ok();
    let before = world.stage.proxy.counts();
    world.stage.proxy.set(Mode::Slow(Slow {
        bytes_per_s: None,
        latency: Duration::from_millis(if long() { 1_000 } else { 300 }),
        deep: false,
    }));
    let said = world.device(A, &["sync", "--wait", "120"]).expect_code(0);
    let counts = since(&world.stage.proxy, before);
    println!("{counts:?} in {:.1} s", said.took.as_secs_f64());
    assert_eq!(number(&said.json["cuts"]), 0, "{}", said.json);
    assert_eq!(number(&said.json["waiting"]["blobs"]), 0, "{}", said.json);
    assert!(counts.connections <= 2, "one connection does: {counts:?}");
    world.stage.proxy.set(Mode::Pass);
    world.drain(A);
    let case = world.case(A, &inspection);
    world.offline(|world| world.arrived_once(&case, &ids));
}

/// Half a second of network, half a second of none: it converges in one call, asks for no more than the backoff allows, and sends little
/// again.
#[test]
fn a_flapping_line_converges_without_a_tight_loop() {
    let mut world = World::new("fault-flap", 1);
    let inspection = world.inspections[0].clone();
    let size = 1_600_000;
    let file = world.arg("photo.bin");
    fs::write(&file, noise(28, size)).unwrap();
    let id = text(&world.officer(A, &capture(&inspection, &file)).ok()["operation"]);
    let before = world.stage.proxy.counts();
    world.stage.proxy.set(Mode::Flap {
        half: Duration::from_millis(500),
        slow: Slow {
            bytes_per_s: Some(2_000_000),
            latency: Duration::from_millis(5),
            deep: false,
        },
    });
    let said = world.device(A, &["sync", "--wait", "120"]).expect_code(0);
    let counts = since(&world.stage.proxy, before);
    world.stage.proxy.set(Mode::Pass);
    let seconds = said.took.as_secs();
    println!("{counts:?} in {seconds} s");
    assert!(counts.cut > 0, "it flapped: {counts:?}");
    assert!(
        counts.connections + counts.refused <= 20 + 3 * seconds,
        "{counts:?} in {seconds} s is a tight loop"
    );
    let again = counts.to_server.saturating_sub(size as u64);
    assert!(again <= counts.cut * PER_CUT, "{again} bytes again in {counts:?}");
    world.drain(A);
    let case = world.case(A, &inspection);
    world.offline(|world| world.arrived_once(&case, &[id]));
    world.server_clean();
}

/// Fault 10. A bit that turns on the way is noticed by TLS, in whatever it stands, and is one broken connection more.
#[test]
fn a_turned_bit_is_a_broken_connection() {
    let mut world = World::new("fault-bits", 1);
    let inspection = world.inspections[0].clone();
    let mut ids = Vec::new();
    for (n, mode) in [
        Mode::FlipRequest { after: 60 },
        Mode::FlipRequest { after: 2_000 },
        Mode::FlipRequest { after: 90_000 },
        Mode::FlipAnswer { after: 60 },
        Mode::FlipAnswer { after: 600 },
        Mode::FlipAnswer { after: 3_000 },
    ]
    .into_iter()
    .enumerate()
    {
        let file = world.arg("photo.bin");
        fs::write(&file, noise(100 + n as u64, 200_000)).unwrap();
        ids.push(text(&world.officer(A, &capture(&inspection, &file)).ok()["operation"]));
        let before = world.stage.proxy.counts();
        world.stage.proxy.set(mode);
        let said = world.device(A, &["sync", "--wait", "60"]).expect_code(0);
        let counts = since(&world.stage.proxy, before);
        println!("{mode:?}: {counts:?}");
        assert_eq!(counts.flipped, before.flipped + 1, "{mode:?}: the bit was turned");
        assert!(number(&said.json["cuts"]) >= 1, "{mode:?}: {}", said.json);
        assert_eq!(said.json["alarms"], serde_json::json!([]), "{mode:?}: {}", said.json);
        assert_eq!(number(&said.json["waiting"]["blobs"]), 0, "{mode:?}: {}", said.json);
        assert!(counts.connections <= TRIES, "{mode:?}: {counts:?}");
    }
    world.device_clean(A);
    let case = world.case(A, &inspection);
    world.offline(|world| world.arrived_once(&case, &ids));
    world.server_clean();
}

/// Fault 26. A sign-in page in the server's place is no network, before a session and in the middle of one.
#[test]
fn a_sign_in_page_is_offline() {
    let mut world = World::new("fault-portal", 1);
    let inspection = world.inspections[0].clone();
    let file = world.arg("photo.bin");
    fs::write(&file, noise(26, 500_000)).unwrap();
    let id = text(&world.officer(A, &capture(&inspection, &file)).ok()["operation"]);
    let before = world.stage.proxy.counts();
    world.stage.proxy.set(Mode::Portal);
    let said = world.device(A, &["sync"]).expect_code(75);
    let counts = since(&world.stage.proxy, before);
    println!("{counts:?} in {:.1} s", said.took.as_secs_f64());
    assert_eq!(text(&said.json["state"]), "offline", "{}", said.json);
    assert_eq!(number(&said.json["waiting"]["blobs"]), 1, "{}", said.json);
    assert_eq!(
        counts.portal,
        before.portal + counts.connections,
        "each was answered by the page"
    );
    assert!((1..=TRIES).contains(&counts.connections), "{counts:?}");
    // The page comes while the film is on its way, and goes again.
    world.stage.proxy.set(Mode::Slow(Slow {
        bytes_per_s: Some(250_000),
        latency: Duration::ZERO,
        deep: false,
    }));
    let before = world.stage.proxy.counts();
    let syncing = world.start_officer(A, &["sync", "--wait", "60"]);
    let proxy = &world.stage.proxy;
    assert!(proxy.wait_for(Duration::from_secs(60), |counts| counts.to_server
        > before.to_server + 150_000));
    proxy.set(Mode::Portal);
    assert!(proxy.wait_for(Duration::from_secs(60), |counts| counts.portal > before.portal));
    proxy.set(Mode::Pass);
    let finished = syncing.finish(Duration::from_secs(120)).unwrap();
    assert_eq!(finished.code(), Some(0), "{}", finished.text());
    let case = world.case(A, &inspection);
    world.offline(|world| world.arrived_once(&case, &[id]));
    world.server_clean();
}
