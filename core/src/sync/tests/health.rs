//! What a device tells about itself, and that nothing hangs on it.

use super::flow::{drive, scene, session, sync};
use crate::sync::health::Health;
use crate::sync::message::{NoAnswer, Response};
use crate::sync::report::Ending;

fn health() -> Option<Health> {
    Some(Health {
        wall_ms: 1_790_000_000_000,
        battery_percent: Some(41),
        app: "fieldseal 0.1.0".into(),
        ..Health::default()
    })
}

#[test]
fn it_is_told_before_anything_is_sent_and_once_more_when_that_changed() {
    let (agency, mut store, mut server) = scene();
    store.health = health();
    let report = sync(&mut store, &mut server, &agency);
    assert_eq!((report.ending, report.clock_skew_ms), (Ending::Done, Some(-1500)));
    let place = |name: &str| server.asked.iter().position(|asked| asked == name).unwrap();
    assert!(place("POST v1/health") < place("POST v1/log"));
    let waiting: Vec<u64> = server
        .told
        .iter()
        .map(|told| told["waiting"]["operations"].as_u64().unwrap())
        .collect();
    assert_eq!(waiting, [30, 0]);
    assert_eq!(server.told[0]["battery_percent"], 41);
    assert!(server.told[0].get("free_bytes").is_none(), "what the host did not tell");
    // Nothing waits, nothing changes: it is told once.
    sync(&mut store, &mut server, &agency);
    assert_eq!(server.told.len(), 3);
}

#[test]
fn no_answer_to_it_ends_a_session() {
    let (agency, ..) = scene();
    let answer = |status: u16, media_type: &str, body: &str| Response {
        status,
        headers: vec![
            ("content-type".to_owned(), media_type.to_owned()),
            ("fieldseal-epoch".to_owned(), "05".repeat(16)),
        ],
        body: body.into(),
    };
    let problem = "application/problem+json";
    let bends: Vec<Result<Response, NoAnswer>> = vec![
        Ok(answer(404, problem, r#"{"code":"no_such_page"}"#)),
        Ok(answer(401, problem, r#"{"code":"unauthorized"}"#)),
        Ok(answer(503, problem, r#"{"code":"unavailable","retry_after_s":300}"#)),
        Ok(answer(200, "text/html", "<html>")),
        Ok(answer(200, "application/json", r#"{"skew_ms":"much"}"#)),
        Err(NoAnswer::Offline("cut".into())),
        Err(NoAnswer::TooLong),
    ];
    for bend in bends {
        let (_, mut store, mut server) = scene();
        store.health = health();
        let report = drive(&mut session(), &mut store, &mut server, &agency, |request, good| {
            if request.path == "/v1/health" {
                bend.clone()
            } else {
                Ok(good)
            }
        });
        assert_eq!((report.ending, report.clock_skew_ms), (Ending::Done, None), "{bend:?}");
        assert!(report.waiting.is_nothing());
    }
}
