//! Everything that can go wrong: each class of error, and cuts, repetitions and late answers at every place.

use fieldseal_proof::encoding::base64;
use fieldseal_proof::ids::{BlobHash, Link};
use fieldseal_testkit::signer;

use super::flow::{drive, scene, session, sync};
use super::scripted::{Server, time_note};
use crate::sync::fault::Fault;
use crate::sync::message::{NoAnswer, Payload, Request, Response};
use crate::sync::report::{Alarm, Ending};
use crate::sync::session::Step;
use crate::sync::store::SyncStore;

fn is(request: &Request, method: &str, start: &str) -> bool {
    request.method.as_str() == method && request.path.starts_with(start)
}

fn edit(answer: Response, change: impl FnOnce(&mut serde_json::Value)) -> Response {
    let mut body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    change(&mut body);
    Response {
        body: body.to_string().into_bytes(),
        ..answer
    }
}

fn html() -> Response {
    let headers = vec![("content-type".to_owned(), "text/html".to_owned())];
    Response {
        status: 200,
        headers,
        body: b"<html>Please sign in to the hotel's network".to_vec(),
    }
}

/// Runs the scene with a fault that stops it, then without: what stopped must lose nothing.
fn stopped_by(bend: impl FnMut(&Request, Response) -> Result<Response, NoAnswer>) -> Fault {
    let (agency, mut store, mut server) = scene();
    let report = drive(&mut session(), &mut store, &mut server, &agency, bend);
    let Ending::Stopped(fault) = report.ending else {
        panic!("not stopped: {report:?}")
    };
    let healed = sync(&mut store, &mut server, &agency);
    assert!(healed.waiting.is_nothing(), "something was lost: {healed:?}");
    assert_eq!(server.chain.len(), 30);
    fault
}

#[test]
fn no_network_and_a_portal_are_offline() {
    assert!(matches!(
        stopped_by(|_, _| Err(NoAnswer::Offline("cut".into()))),
        Fault::Offline(_)
    ));
    assert!(matches!(stopped_by(|_, _| Ok(html())), Fault::Offline(_)));
}

#[test]
fn a_portal_in_the_middle_of_an_upload_is_offline() {
    let upload = |request: &Request| is(request, "PATCH", "/") || is(request, "HEAD", "/");
    let fault = stopped_by(|request, answer| Ok(if upload(request) { html() } else { answer }));
    assert!(matches!(fault, Fault::Offline(_)));
}

#[test]
fn another_certificate_another_tenant_or_another_log_is_the_wrong_server() {
    assert_eq!(stopped_by(|_, _| Err(NoAnswer::WrongServer)), Fault::WrongServer);
    for member in ["tenant", "origin"] {
        let fault = stopped_by(|request, answer| {
            Ok(if is(request, "GET", "/v1/server") {
                edit(answer, |body| {
                    body[member] = "01010101-0101-0101-0101-010101010102".into()
                })
            } else {
                answer
            })
        });
        assert_eq!(fault, Fault::WrongServer, "{member}");
    }
}

#[test]
fn an_expired_token_pauses_and_keeps_everything() {
    let refuse = Server::new().problem(401, "token");
    assert_eq!(
        stopped_by(|request, answer| Ok(if is(request, "POST", "/v1/log") {
            refuse.clone()
        } else {
            answer
        })),
        Fault::Paused
    );
}

#[test]
fn a_busy_server_is_given_the_time_it_asks_for() {
    let (agency, mut store, mut server) = scene();
    let mut talk = session();
    let Step::Send(request) = talk.next_request(&mut store) else {
        panic!()
    };
    let mut busy = server.problem(503, "busy");
    busy.headers.push(("retry-after".into(), "7".into()));
    talk.handle_response(&mut store, request.id, Ok(busy));
    match talk.next_request(&mut store) {
        Step::Wait(wait) => assert_eq!(wait.as_secs(), 7),
        other => panic!("{other:?}"),
    }
    let report = drive(&mut talk, &mut store, &mut server, &agency, |_, answer| Ok(answer));
    assert_eq!((report.ending, report.cuts), (Ending::Done, 1));
}

#[test]
fn a_receipt_that_does_not_hold_counts_for_nothing() {
    let (agency, ..) = scene();
    let forged = |agency_link: bool, key: u8| {
        let link = if agency_link {
            agency.tablet.prev
        } else {
            Link::from_bytes([0; 32])
        };
        let receipt = Server::new().batch_receipt(&agency, 0, 29, link);
        base64(&receipt.sign(&signer(key)).unwrap())
    };
    // Another key; our key but another chain head.
    for receipt in [forged(true, 99), forged(false, 11)] {
        let (agency, mut store, mut server) = scene();
        let report = drive(&mut session(), &mut store, &mut server, &agency, |request, answer| {
            let push = is(request, "POST", "/v1/log");
            Ok(if push {
                edit(answer, |body| body["receipt"] = receipt.clone().into())
            } else {
                answer
            })
        });
        let Ending::Stopped(Fault::Untrue {
            what: "batch receipt", ..
        }) = report.ending
        else {
            panic!("{report:?}")
        };
        assert_eq!(report.waiting.operations, 30, "nothing may count as received");
    }
}

#[test]
fn a_spoilt_frame_is_asked_for_again_and_then_reported() {
    let spoil = |body: &mut serde_json::Value| {
        let frame = body["items"][2]["frame"].as_str().unwrap();
        let mut bytes = fieldseal_proof::encoding::from_base64(frame).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        body["items"][2]["frame"] = base64(&bytes).into();
    };
    for times in [1, usize::MAX] {
        let (agency, mut store, mut server) = scene();
        let mut left = times;
        let report = drive(&mut session(), &mut store, &mut server, &agency, |request, answer| {
            let first_page = is(request, "GET", "/v1/feed") && !request.path.contains("cursor");
            if first_page && left > 0 {
                left -= 1;
                return Ok(edit(answer, spoil));
            }
            Ok(answer)
        });
        assert_eq!(report.ending, Ending::Done);
        if times == 1 {
            assert_eq!((report.fetched, report.alarms.len()), (50, 0));
        } else {
            assert_eq!(report.fetched, 49, "the others are taken");
            assert!(
                matches!(report.alarms[..], [Alarm::Unverified { index: 2, .. }]),
                "{:?}",
                report.alarms
            );
        }
    }
}

#[test]
fn a_structural_refusal_holds_back_only_what_follows() {
    let (agency, mut store, mut server) = scene();
    let refusal = edit(server.problem(422, "bad_signature"), |body| body["seq"] = 12.into());
    let mut refused = false;
    let report = drive(&mut session(), &mut store, &mut server, &agency, |request, answer| {
        if is(request, "POST", "/v1/log") && !std::mem::replace(&mut refused, true) {
            return Ok(refusal.clone());
        }
        Ok(answer)
    });
    assert_eq!(report.ending, Ending::Done);
    assert!(matches!(&report.alarms[..], [Alarm::OperationRefused { seq: 12, code }] if code == "bad_signature"));
    assert_eq!((report.received, report.waiting.operations), (12, 18));
    assert_eq!(report.blobs, 4, "evidence is not held back");
}

#[test]
fn a_fork_is_reported() {
    let (mut agency, mut store, mut server) = scene();
    sync(&mut store, &mut server, &agency);
    store.write(&mut agency, 1);
    let report = drive(&mut session(), &mut store, &mut server, &agency, |request, answer| {
        let push = is(request, "POST", "/v1/log");
        Ok(if push {
            edit(answer, |body| body["results"][0]["outcome"] = "forked".into())
        } else {
            answer
        })
    });
    assert!(report.alarms.contains(&Alarm::Forked { seq: 30 }) && report.new_life);
    // The life ends before the receipt is kept: who dies in between is told again.
    let [(ended, received)] = &store.ended[..] else {
        panic!("{} lives ended", store.ended.len())
    };
    assert_eq!((*ended, received.last()), (store.incarnation, Some(&false)));
    assert_eq!(report.waiting.operations, 0, "what was written before is handed in");
}

#[test]
fn a_time_note_of_another_key_is_no_anchor() {
    let (agency, mut store, mut server) = scene();
    let forged = time_note(&signer(99), 20);
    let report = drive(&mut session(), &mut store, &mut server, &agency, |_, answer| {
        let json = answer.header("content-type") == Some("application/json");
        Ok(if json {
            edit(answer, |body| body["time_note"] = forged.clone().into())
        } else {
            answer
        })
    });
    assert!(store.time.is_none() && matches!(report.alarms[..], [Alarm::TimeNoteRefused { .. }]));
}

#[test]
fn a_spoilt_tile_is_fetched_again_and_a_wrong_place_is_said() {
    for times in [1, usize::MAX] {
        let (agency, mut store, mut server) = scene();
        let mut left = times;
        let report = drive(
            &mut session(),
            &mut store,
            &mut server,
            &agency,
            |request, mut answer| {
                if is(request, "GET", "/tile/") && left > 0 {
                    left -= 1;
                    answer.body[0] ^= 1;
                }
                Ok(answer)
            },
        );
        assert_eq!(report.ending, Ending::Done);
        let wrong = matches!(report.alarms[..], [Alarm::NotInLog { seq: 0, index: 20 }]);
        assert_eq!(
            (report.sealed, wrong),
            if times == 1 { (30, false) } else { (0, true) },
            "{report:?}"
        );
    }
}

#[test]
fn a_full_server_pauses_evidence_and_never_spoils_it() {
    let (agency, mut store, mut server) = scene();
    let full = server.problem(507, "no_space");
    let report = drive(&mut session(), &mut store, &mut server, &agency, |request, answer| {
        Ok(if is(request, "POST", "/v1/uploads") {
            full.clone()
        } else {
            answer
        })
    });
    assert_eq!((report.received, report.waiting.blobs, report.alarms.len()), (30, 4, 1));
    assert!(sync(&mut store, &mut server, &agency).waiting.is_nothing());
}

#[test]
fn a_server_that_asks_for_minutes_ends_the_session_and_says_how_long() {
    let floor = Some(std::time::Duration::from_secs(300));
    for (start, status) in [("/v1/log/", 507), ("/v1/log/", 503), ("/v1/uploads", 507)] {
        let (agency, mut store, mut server) = scene();
        let mut asks = server.problem(status, "server_full");
        asks.headers.push(("retry-after".into(), "300".into()));
        let mut asked = 0;
        let report = drive(&mut session(), &mut store, &mut server, &agency, |request, answer| {
            let hit = is(request, "POST", start);
            asked += usize::from(hit);
            Ok(if hit { asks.clone() } else { answer })
        });
        assert_eq!(asked, 1, "it is not asked again at once");
        let said = match &report.ending {
            Ending::Stopped(fault) => fault.floor(),
            Ending::Done => report.floor,
        };
        assert_eq!(said, floor, "{report:?}");
    }
}

#[test]
fn one_refused_or_unreadable_blob_does_not_hold_the_others_back() {
    for unreadable in [false, true] {
        let (agency, mut store, mut server) = scene();
        let refusal = server.problem(415, "media_type");
        let photo = store.blobs[1].0.sha256;
        let report = drive(
            &mut session(),
            &mut store,
            &mut server,
            &agency,
            |request, answer| match request.payload {
                Payload::Blob { sha256, .. } if sha256 == photo && unreadable => {
                    Err(NoAnswer::Evidence("changed".into()))
                }
                Payload::Blob { sha256, .. } if sha256 == photo => Ok(refusal.clone()),
                _ => Ok(answer),
            },
        );
        assert_eq!((report.blobs, report.alarms.len()), (3, 1), "{report:?}");
    }
}

#[test]
fn an_upload_that_expired_begins_anew() {
    let (agency, mut store, mut server) = scene();
    for blob in 0..4 {
        let sha256: BlobHash = store.blobs[blob].0.sha256;
        store.keep_upload(sha256, Some("/v1/uploads/gone")).unwrap();
    }
    assert!(sync(&mut store, &mut server, &agency).waiting.is_nothing());
}

#[test]
fn a_place_outside_the_server_is_never_followed() {
    let fault = stopped_by(|request, mut answer| {
        if is(request, "POST", "/v1/uploads") {
            answer.headers.retain(|(name, _)| name != "location");
            answer
                .headers
                .push(("location".into(), "https://thief.example/v1/uploads/../../x".into()));
        }
        Ok(answer)
    });
    assert!(matches!(fault, Fault::Untrue { what: "upload", .. }));
}

#[test]
fn cancelling_keeps_what_arrived() {
    let (agency, mut store, mut server) = scene();
    let mut talk = session();
    for _ in 0..4 {
        let Step::Send(request) = talk.next_request(&mut store) else {
            panic!()
        };
        let answer = server.answer(&agency, &store, &request, u64::MAX);
        talk.handle_response(&mut store, request.id, Ok(answer));
    }
    talk.cancel();
    let Step::Done(report) = talk.next_request(&mut store) else {
        panic!()
    };
    assert_eq!(report.ending, Ending::Stopped(Fault::Cancelled));
    assert_eq!(report.received, 30);
    assert!(sync(&mut store, &mut server, &agency).waiting.is_nothing());
}

/// Answers are dropped before or after they take effect, repeated, delivered late, cut within an upload, and the
/// session is killed, at random places; then the network is whole again. Nothing may be missing or there twice.
#[test]
fn any_cut_repetition_or_late_answer_converges_and_loses_nothing() {
    for seed in 0..60 {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed + 1);
        let mut random = move |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        let (agency, mut store, mut server) = scene();
        let mut talk = session();
        let mut late: Vec<(u64, Response)> = Vec::new();
        for _ in 0..random(400) {
            match talk.next_request(&mut store) {
                Step::Wait(_) => {}
                Step::Done(_) => talk = session(),
                Step::Send(request) => match random(8) {
                    // Lost on the way there.
                    0 => talk.handle_response(&mut store, request.id, Err(NoAnswer::Offline("cut".into()))),
                    // Lost on the way back, some of the upload gone.
                    1 => {
                        let arrived = random(9_000_000);
                        late.push((request.id, server.answer(&agency, &store, &request, arrived)));
                        talk.handle_response(&mut store, request.id, Err(NoAnswer::Offline("cut".into())));
                    }
                    // Sent twice by a middlebox.
                    2 => {
                        server.answer(&agency, &store, &request, u64::MAX);
                        let second = server.answer(&agency, &store, &request, u64::MAX);
                        talk.handle_response(&mut store, request.id, Ok(second));
                    }
                    // The process dies after the answer was made.
                    3 => {
                        server.answer(&agency, &store, &request, u64::MAX);
                        talk = session();
                    }
                    // An older answer comes first.
                    _ => {
                        if let Some((id, answer)) = late.pop() {
                            talk.handle_response(&mut store, id, Ok(answer));
                        }
                        let answer = server.answer(&agency, &store, &request, u64::MAX);
                        talk.handle_response(&mut store, request.id, Ok(answer));
                    }
                },
            }
        }
        let mut report = sync(&mut store, &mut server, &agency);
        if report.ending != Ending::Done {
            report = sync(&mut store, &mut server, &agency);
        }
        assert!(report.waiting.is_nothing(), "seed {seed}: {report:?}");
        assert_eq!(
            (server.chain.len(), server.leaves.len(), server.blobs.len()),
            (30, 50, 4),
            "seed {seed}"
        );
        assert_eq!((store.imported.len(), store.index.len()), (50, 30), "seed {seed}");
        for (blob, bytes) in &store.blobs {
            assert_eq!(&server.blobs[&blob.sha256], bytes, "seed {seed}");
        }
    }
}

/// A line that is cut after every megabyte: what is sent twice stays small, because slices shrink with the cuts.
#[test]
fn on_a_line_that_is_cut_often_little_is_sent_twice() {
    let (agency, mut store, mut server) = scene();
    let mut talk = session();
    let (mut on_this_line, mut sent, mut lost) = (0, 0, 0);
    let report = loop {
        match talk.next_request(&mut store) {
            Step::Done(report) => break report,
            Step::Wait(_) => {}
            Step::Send(request) => {
                let length = match request.payload {
                    Payload::Blob { length, .. } => length,
                    _ => 0,
                };
                on_this_line += length;
                sent += length;
                if on_this_line > 1024 * 1024 {
                    // Nothing of the cut slice arrives: a reset drops what the server had not read.
                    lost += length.min(1024 * 1024);
                    on_this_line = 0;
                    talk.handle_response(&mut store, request.id, Err(NoAnswer::Offline("reset".into())));
                    continue;
                }
                let answer = server.answer(&agency, &store, &request, u64::MAX);
                talk.handle_response(&mut store, request.id, Ok(answer));
            }
        }
    };
    assert!(report.waiting.is_nothing(), "{report:?}");
    assert!(
        lost < report.blob_bytes * 3 / 4,
        "{lost} of {sent} bytes were lost for {}",
        report.blob_bytes
    );
}
