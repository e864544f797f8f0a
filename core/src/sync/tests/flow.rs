//! What happens when everything works, and after a restore.

use fieldseal_proof::ids::{Epoch, PackHash};

use super::agency::{Agency, heavy};
use super::memory::Memory;
use super::scripted::Server;
use crate::sync::limits::UPLOAD_SLICE;
use crate::sync::message::{NoAnswer, Payload, Request, Response};
use crate::sync::report::{Alarm, Ending, SyncReport};
use crate::sync::session::{Step, SyncOptions, SyncSession};
use crate::sync::store::SyncStore;

/// Steps after which a session counts as going round in circles.
const MOST_STEPS: usize = 20_000;

/// Drives a session; `bend` may change or drop each answer.
pub fn drive(
    session: &mut SyncSession,
    store: &mut Memory,
    server: &mut Server,
    agency: &Agency,
    mut bend: impl FnMut(&Request, Response) -> Result<Response, NoAnswer>,
) -> SyncReport {
    for _ in 0..MOST_STEPS {
        match session.next_request(store) {
            Step::Done(report) => return *report,
            Step::Wait(_) => {}
            Step::Send(request) => {
                let answer = server.answer(agency, store, &request, u64::MAX);
                let bent = bend(&request, answer);
                session.handle_response(store, request.id, bent);
            }
        }
    }
    panic!(
        "the session goes round in circles: {:?}",
        server.asked.iter().rev().take(10).collect::<Vec<_>>()
    );
}

pub fn session() -> SyncSession {
    SyncSession::new(SyncOptions::default(), Box::new(|| 0))
}

pub fn sync(store: &mut Memory, server: &mut Server, agency: &Agency) -> SyncReport {
    drive(&mut session(), store, server, agency, |_, answer| Ok(answer))
}

/// A tablet with 30 operations and a blob of each class, a server with somebody else's 20 operations.
pub fn scene() -> (Agency, Memory, Server) {
    let mut agency = Agency::new();
    let mut store = Memory::new(&agency);
    let mut server = Server::new();
    for _ in 0..20 {
        let operation = heavy(&mut agency.other, 10);
        server.log(&operation);
    }
    for _ in 0..30 {
        store.write(&mut agency, 100);
    }
    store.seal_blob(vec![1; UPLOAD_SLICE as usize + 1_000], "video/mp4");
    store.seal_blob(vec![2; 100], "image/jpeg");
    store.seal_blob(vec![3; 100], "application/pdf");
    store.seal_blob(Vec::new(), "application/octet-stream");
    server.packs.push((PackHash::from_bytes([7; 32]), b"pack".to_vec()));
    (agency, store, server)
}

#[test]
fn one_session_brings_everything_to_its_end() {
    let (agency, mut store, mut server) = scene();
    let report = sync(&mut store, &mut server, &agency);
    assert_eq!(report.ending, Ending::Done);
    assert_eq!(report.alarms, []);
    assert!(report.waiting.is_nothing(), "{report:?}");
    assert_eq!(
        (
            report.received,
            report.fetched,
            report.sealed,
            report.blobs,
            report.packs
        ),
        (30, 50, 30, 4, 1)
    );
    assert_eq!(report.log_size, 50);
    assert_eq!(store.index[&29], 49);
    assert_eq!(report.blob_bytes, UPLOAD_SLICE + 1_200);
    assert_eq!(server.patched, report.blob_bytes, "a byte went twice");
    assert_eq!(store.time.as_ref().unwrap().size, 50);
    // A second session has nothing to say.
    let report = sync(&mut store, &mut server, &agency);
    assert_eq!(
        (report.received, report.fetched, report.sealed, report.blobs),
        (0, 0, 0, 0)
    );
}

#[test]
fn the_order_is_the_documented_one() {
    let (agency, mut store, mut server) = scene();
    sync(&mut store, &mut server, &agency);
    let mut order: Vec<&str> = server
        .asked
        .iter()
        .map(|asked| asked.split(' ').nth(1).unwrap())
        .collect();
    order.dedup();
    let expected = [
        "v1/server",
        "v1/key-log",
        "v1/log",
        "v1/feed",
        "v1/packs",
        "v1/log",
        "tile/0",
        "v1/blobs",
    ];
    assert_eq!(&order[..expected.len()], expected, "{order:?}");
}

#[test]
fn paper_goes_before_photographs_and_video_last() {
    let (agency, mut store, mut server) = scene();
    let mut order = Vec::new();
    let report = drive(&mut session(), &mut store, &mut server, &agency, |request, answer| {
        if let Payload::Blob { sha256, .. } = request.payload {
            order.push(sha256);
        }
        Ok(answer)
    });
    let sealed: Vec<_> = store.blobs.iter().map(|(blob, _)| blob.sha256).collect();
    order.dedup();
    // The third photograph is empty: whole once it is begun, it has no bytes to send.
    assert_eq!(order, [sealed[2], sealed[1], sealed[0]]);
    assert_eq!(report.blobs, 4);
}

#[test]
fn video_has_its_share_beside_a_hundred_photographs() {
    let mut agency = Agency::new();
    let (mut store, mut server) = (Memory::new(&agency), Server::new());
    store.write(&mut agency, 1);
    store.seal_blob(vec![1; UPLOAD_SLICE as usize + 1], "video/mp4");
    for n in 0..100 {
        store.seal_blob(vec![2; 100 + n], "image/jpeg");
    }
    let mut patches = Vec::new();
    drive(&mut session(), &mut store, &mut server, &agency, |request, answer| {
        if let Payload::Blob { length, .. } = request.payload {
            patches.push(length);
        }
        Ok(answer)
    });
    let video = patches.iter().position(|length| *length > 1_000).unwrap();
    assert!(video < 10, "the first slice of video came after {video} photographs");
}

#[test]
fn a_new_epoch_heals_what_the_backup_had_not() {
    let (mut agency, mut store, mut server) = scene();
    sync(&mut store, &mut server, &agency);
    let backup = server.clone();
    for _ in 0..10 {
        store.write(&mut agency, 50);
    }
    store.seal_blob(vec![4; 500], "image/jpeg");
    assert!(sync(&mut store, &mut server, &agency).waiting.is_nothing());
    server = Server {
        epoch: Epoch::from_bytes([6; 16]),
        ..backup
    };
    let report = sync(&mut store, &mut server, &agency);
    assert!(report.new_epoch && report.ending == Ending::Done, "{report:?}");
    assert_eq!((report.received, report.duplicates), (10, 0));
    assert_eq!(report.blobs, 5, "every blob is offered again");
    assert!(report.waiting.is_nothing());
    assert_eq!(server.chain.len(), 40);
}

#[test]
fn a_restored_server_that_says_something_else_about_its_log_is_found_out() {
    let (mut agency, mut store, mut server) = scene();
    sync(&mut store, &mut server, &agency);
    server.epoch = Epoch::from_bytes([6; 16]);
    server.leaves.swap(3, 4);
    store.write(&mut agency, 1);
    let report = sync(&mut store, &mut server, &agency);
    assert!(
        matches!(
            report.alarms[..],
            [Alarm::LogContradiction {
                held: 50,
                offered: 51,
                ..
            }]
        ),
        "{:?}",
        report.alarms
    );
    assert_eq!(store.checkpoint.as_ref().unwrap().size, 50, "the held checkpoint stays");
    assert_eq!(
        store.waiting().unwrap().operations,
        0,
        "and nothing is held back because of it"
    );
}

#[test]
fn a_large_backlog_goes_in_batches_within_the_limits() {
    let mut agency = Agency::new();
    let (mut store, mut server) = (Memory::new(&agency), Server::new());
    for n in 0..1_200 {
        store.write(&mut agency, if n < 30 { 100_000 } else { 10 });
    }
    let mut batches = Vec::new();
    let report = drive(&mut session(), &mut store, &mut server, &agency, |request, answer| {
        if let Payload::Bytes {
            media_type: "application/cbor-seq",
            bytes,
        } = &request.payload
        {
            assert!(bytes.len() <= 1024 * 1024);
            batches.push(fieldseal_proof::cbor::split_sequence(bytes).unwrap().len());
        }
        Ok(answer)
    });
    assert_eq!(batches.iter().sum::<usize>(), 1_200);
    assert!(
        batches.iter().all(|count| *count <= 500) && batches.len() >= 5,
        "{batches:?}"
    );
    assert!(report.waiting.is_nothing());
}

#[test]
fn records_only_leaves_the_evidence() {
    let (agency, mut store, mut server) = scene();
    let options = SyncOptions {
        only_records: true,
        poll_s: 0,
    };
    let mut records = SyncSession::new(options, Box::new(|| 0));
    let report = drive(&mut records, &mut store, &mut server, &agency, |_, answer| Ok(answer));
    assert_eq!((report.received, report.waiting.blobs, server.patched), (30, 4, 0));
}

/// A mobile system gives a socket little time: the host says with each part how much it takes.
#[test]
fn a_host_bounds_what_one_request_carries() {
    let mut agency = Agency::new();
    let (mut store, mut server) = (Memory::new(&agency), Server::new());
    for _ in 0..60 {
        store.write(&mut agency, 1_000);
    }
    store.seal_blob(vec![1; 900_000], "video/mp4");
    let mut talk = session();
    let mut sizes = Vec::new();
    let report = loop {
        talk.bound(Some(if sizes.len() < 30 { 20_000 } else { 200_000 }));
        match talk.next_request(&mut store) {
            Step::Done(report) => break report,
            Step::Wait(_) => {}
            Step::Send(request) => {
                let size = match &request.payload {
                    Payload::Blob { length, .. } => *length,
                    Payload::Bytes { bytes, .. } => bytes.len() as u64,
                    Payload::Empty => 0,
                };
                if size > 0 {
                    let most = if sizes.len() < 30 { 20_000 } else { 200_000 };
                    assert!(size <= most, "{size} bytes in {request:?}");
                    sizes.push(size);
                }
                let answer = server.answer(&agency, &store, &request, u64::MAX);
                talk.handle_response(&mut store, request.id, Ok(answer));
            }
        }
    };
    assert!(report.waiting.is_nothing(), "{report:?}");
    assert_eq!(report.blob_bytes, 900_000);
    assert!(
        sizes.iter().any(|size| *size > 100_000),
        "a larger bound is used: {sizes:?}"
    );
}
