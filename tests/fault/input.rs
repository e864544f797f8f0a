//! What people and machines hand in wrongly: texts that are too long, enrolment texts of somebody else, other servers.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fieldseal_demo::story::cast::CEREMONY_PASSWORD;
use fieldseal_tests::world::{A, World, acknowledged, number, text};
use serde_json::{Value, json};

use crate::statements;

#[test]
fn a_text_of_ten_megabytes_is_refused_and_the_lines_around_it_are_sealed() {
    let world = World::new("fault-long", 1);
    let inspection = world.inspections[0].clone();
    let finding = |text: String| json!({ "command": "finding", "inspection": inspection, "text": text, "grade": "general", "item": "s1" });
    let lines = [
        finding("通道堵塞".into()),
        finding("长".repeat(10 << 20)),
        finding("长".repeat(200 << 10)),
        finding(String::new()),
        finding("指示灯\u{0}不亮".into()),
        finding("应急灯不亮".into()),
    ];
    let answers = world.batch(A, &lines);
    let codes: Vec<&str> = answers[..6]
        .iter()
        .map(|answer| answer["error"]["code"].as_str().unwrap_or("done"))
        .collect();
    assert_eq!(
        codes,
        [
            "done",
            "usage",
            "field_too_long",
            "field_empty",
            "field_control",
            "done"
        ]
    );
    for answer in &answers[1..5] {
        let said = answer["error"]["text"].as_str().unwrap();
        assert!(
            !said.is_empty() && said.len() < 1000,
            "a short sentence: {} bytes",
            said.len()
        );
    }
    assert_eq!(answers[6], json!({ "done": 2, "failed": 4 }));
    let shown = world.device(A, &["show", &inspection]).ok();
    assert_eq!(shown["findings"].as_array().unwrap().len(), 2);
    world.device_clean(A);
}

fn invited(world: &World) -> Value {
    let (admin, card) = (world.arg("admin"), world.arg("admin/card.json"));
    let words = ["admin", "invite", "--label", "新", "--admin", &admin, "--card", &card];
    let said = world.fieldseal(CEREMONY_PASSWORD, &words).ok();
    let text = text(&said["text"]);
    let inside = text.rsplit(':').next().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(inside).unwrap()).unwrap()
}

fn written(card: &Value) -> String {
    format!("fieldseal:enrol:1:{}", URL_SAFE_NO_PAD.encode(card.to_string()))
}

fn pending(world: &World) -> usize {
    let (admin, card) = (world.arg("admin"), world.arg("admin/card.json"));
    let words = ["admin", "pending", "--admin", &admin, "--card", &card];
    let said = world.fieldseal(CEREMONY_PASSWORD, &words).ok();
    said["items"].as_array().unwrap().len()
}

#[test]
fn wrong_enrolment_texts_enrol_nobody() {
    let world = World::new("fault-enrol", 1);
    let card = invited(&world);
    let enrol = |folder: &str, text: &str| {
        world.fieldseal("", &["device", "enrol", "--dir", &world.arg(folder), "--text", text])
    };
    let with = |key: &str, value: Value| {
        let mut other = card.clone();
        other[key] = value;
        written(&other)
    };
    enrol("wrong-code", &with("code", json!("0".repeat(32)))).refused(1, "code_unknown");
    let told = enrol("wrong-server", &with("tls_sha256", json!("ab".repeat(32)))).refused(1, "wrong_server");
    println!("{told}");
    assert_eq!(pending(&world), 0, "no request has reached the server");
    for broken in [
        "",
        "fieldseal:enrol:1:",
        "fieldseal:enrol:2:e30",
        "fieldseal:enrol:1:e30",
        "hello",
    ] {
        enrol("broken", broken).refused(1, "enrolment_text");
        assert!(
            !world.at("broken").join("store.db").exists(),
            "{broken:?} made a device"
        );
    }
    let address = with("url", json!("http://127.0.0.1:1"));
    let said = enrol("plain-http", &address);
    assert!(matches!(said.code, Some(1 | 64)), "{:?} {}", said.code, said.stdout);
    // The right text still works, once.
    enrol("right", &written(&card)).ok();
    assert_eq!(pending(&world), 1);
    enrol("again", &written(&card)).refused(1, "code_unknown");
    assert_eq!(pending(&world), 1);
}

/// A server in the hotel's lobby that answers everything with a page, without TLS.
fn lobby() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 4096]);
            let page = "<html>Welcome, please sign in</html>";
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n",
                page.len()
            );
            let _ = stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(page.as_bytes()));
        }
    });
    at
}

#[test]
fn somebody_elses_server_gets_nothing_and_everything_is_kept() {
    let mut world = World::new("fault-other", 1);
    let inspection = world.inspections[0].clone();
    let answers = world.batch(A, &statements(&inspection, 4));
    let lines: Vec<String> = answers.iter().map(|answer| format!("{answer}\n")).collect();
    let ids = acknowledged(&lines.concat());
    let waiting = |said: &fieldseal_tests::Said| number(&said.json["waiting"]["operations"]);

    world.stage.proxy.set_upstream(lobby());
    let said = world.device(A, &["sync"]).expect_code(75);
    assert_eq!((text(&said.json["state"]), waiting(&said)), ("offline".into(), 4));

    // Another agency's real server, with its own certificate.
    let other = World::new("fault-agency", 0);
    world.stage.proxy.set_upstream(other.stage.server_at());
    let said = world.device(A, &["sync"]).expect_code(1);
    assert_eq!(
        (text(&said.json["fault"]["code"]), waiting(&said)),
        ("wrong_server".into(), 4),
        "{}",
        said.json
    );

    world.stage.proxy.set_upstream(world.stage.server_at());
    world.drain(A);
    let case = world.case(A, &inspection);
    world.offline(|world| world.arrived_once(&case, &ids));
}
