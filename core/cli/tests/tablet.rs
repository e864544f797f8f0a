//! A tablet through the shipped binary, with no network at all: nothing may wait for one, and nothing may be lost.

#![allow(clippy::unwrap_used, reason = "a broken set-up is a failed test")]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use fieldseal_proof::encoding::base64;
use fieldseal_proof::note::VerifierKey;
use fieldseal_proof::suite::{Ed25519Signer, Signer};
use serde_json::{Value, json};

struct Tablet {
    folder: tempfile::TempDir,
}

impl Tablet {
    /// A tablet whose enrolment text names a server that nobody answers for.
    fn enrolled() -> (Self, Value) {
        let tablet = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let nobody = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let key = |seed| Ed25519Signer::from_seed(&[seed; 32]).unwrap().public().clone();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let card = json!({
            "url": format!("https://{nobody}"), "tls_sha256": "00".repeat(32), "code": "c", "label": "A3", "role": "tablet",
            "tenant": "00000000-0000-4000-8000-000000000001", "root": hex(key(1).as_bytes()),
            "log_vkey": VerifierKey::ed25519("example.org/county/0", key(2)).unwrap().to_vkey(),
        });
        let inside = base64(card.to_string().as_bytes()).replace('+', "-").replace('/', "_");
        let text = format!("fieldseal:enrol:1:{}", inside.trim_end_matches('='));
        let made = tablet.json(&["enrol", "--text", &text, "--key", "p256"]);
        (tablet, made)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fieldseal"));
        command.args(["device", "--dir", "tablet", "--json"]).args(words);
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("FIELDSEAL_PIN", "271828");
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    fn json(&self, words: &[&str]) -> Value {
        let output = self.run(words);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{words:?}: {said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_str(said.lines().last().unwrap()).unwrap()
    }

    fn refused(&self, words: &[&str]) -> (i32, String) {
        let output = self.run(words);
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        (
            output.status.code().unwrap(),
            answer["error"]["code"].as_str().unwrap().to_owned(),
        )
    }
}

#[test]
fn a_tablet_is_made_without_a_network_and_says_what_waits() {
    let (tablet, made) = Tablet::enrolled();
    assert_eq!((&made["request"], made["label"].as_str()), (&Value::Null, Some("A3")));
    let added = tablet.json(&["enterprise-add", "--name", "云岭化工有限公司"]);
    assert!(added["operation"].as_str().is_some_and(|id| id.len() == 64));
    assert_eq!(
        tablet.json(&["enterprises", "--query", "云岭"])["items"][0]["id"],
        added["id"]
    );
    let status = tablet.json(&["status"]);
    assert_eq!(
        (&status["counts"]["waiting"], &status["counts"]["in_log"]),
        (&json!(2), &json!(0))
    );
    let sync = tablet.run(&["sync"]);
    let said: Value = serde_json::from_slice(&sync.stdout).unwrap();
    assert_eq!(
        (sync.status.code(), &said["state"]),
        (Some(75), &json!("offline")),
        "{said}"
    );
    assert_eq!(said["waiting"]["operations"], 2);
    assert_eq!(tablet.json(&["fsck"])["clean"], true);
    let rescue = tablet.json(&["rescue", "--out", "stick.fsr"]);
    assert_eq!(
        (&rescue["operations"], tablet.at("stick.fsr").is_file()),
        (&json!(2), true)
    );
    assert_eq!(tablet.refused(&["enrol", "--text", "x"]), (1, "enrolment_text".into()));
}

#[test]
fn officers_sign_in_with_a_pin_and_wrong_ones_are_told() {
    let (tablet, _) = Tablet::enrolled();
    let words = ["officer-add", "--name", "沈执衡", "--certificate", "云应急执20190417"];
    assert!(
        tablet.json(&words)["fingerprint"]
            .as_str()
            .unwrap()
            .starts_with("SHA256:")
    );
    assert_eq!(tablet.refused(&words), (1, "officer_exists".into()));
    let unlock = ["unlock", "--officer", "云应急执20190417"];
    assert!(tablet.json(&unlock)["session"].is_string());
    let wrong = tablet.command(&unlock).env("FIELDSEAL_PIN", "000000").output().unwrap();
    let answer: Value = serde_json::from_slice(&wrong.stdout).unwrap();
    assert_eq!(answer["error"]["code"], "pin_wrong");
    assert_eq!(
        tablet.refused(&["unlock", "--officer", "nobody1"]),
        (1, "officer_unknown".into())
    );
}

#[test]
fn what_cannot_be_done_yet_is_refused_by_name() {
    let (tablet, _) = Tablet::enrolled();
    let added = tablet.json(&["enterprise-add", "--name", "A"]);
    let begin = ["begin", "--enterprise", added["id"].as_str().unwrap()];
    assert_eq!(tablet.refused(&begin), (1, "no_pack".into()));
    assert_eq!(tablet.refused(&["show", "00000000-0000-4000-8000-000000000009"]).0, 1);
    assert_eq!(tablet.refused(&["show", "not-an-id"]), (64, "usage".into()));
    assert_eq!(tablet.refused(&["enterprise-add"]), (64, "usage".into()));
    assert_eq!(
        tablet.refused(&["--clock", "yesterday", "status"]),
        (64, "usage".into())
    );
}

#[test]
fn a_batch_goes_on_after_a_bad_line_and_names_what_it_made() {
    let (tablet, _) = Tablet::enrolled();
    let lines = [
        r#"{"command":"enterprise-add","name":"甲","as":"a","clock":"2026-11-25T01:00:00Z"}"#,
        r#"{"command":"enterprise-add","nam":"乙"}"#,
        "not json",
        "",
        r#"{"command":"fly"}"#,
        r#"{"command":"set","inspection":"@nobody","path":"x/y","value":"z"}"#,
        r#"{"command":"enterprise-add","name":"丙","address":"@@home"}"#,
    ];
    std::fs::write(tablet.at("lines.jsonl"), lines.join("\n")).unwrap();
    let output = tablet.run(&["batch", "lines.jsonl", "--names", "names.json"]);
    assert_eq!(output.status.code(), Some(1));
    let said: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let failed: Vec<u64> = said
        .iter()
        .filter(|one| one["error"].is_object())
        .map(|one| one["line"].as_u64().unwrap())
        .collect();
    assert_eq!(failed, [2, 3, 5, 6]);
    assert_eq!(said.last().unwrap(), &json!({ "done": 2, "failed": 4 }));
    let names: Value = serde_json::from_slice(&std::fs::read(tablet.at("names.json")).unwrap()).unwrap();
    assert_eq!(names["a"]["id"], said[0]["id"]);
    let known = tablet.json(&["enterprises"]);
    assert_eq!(
        known["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|row| row["address"] == "@home")
            .count(),
        1
    );
    let again = tablet.run(&["batch", "lines.jsonl", "--keep-going-ok"]);
    assert_eq!(again.status.code(), Some(0));
}

/// Killed with SIGKILL while it writes: everything that it had said is there, and the chain holds.
#[test]
fn a_killed_batch_keeps_every_line_it_answered() {
    let (tablet, _) = Tablet::enrolled();
    let lines: String = (0..400)
        .map(|n| format!("{{\"command\":\"enterprise-add\",\"name\":\"E{n}\"}}\n"))
        .collect();
    std::fs::write(tablet.at("lines.jsonl"), lines).unwrap();
    let mut child = tablet
        .command(&["batch", "lines.jsonl"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut answered = Vec::new();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    for _ in 0..25 {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut out, &mut line).unwrap();
        answered.push(
            serde_json::from_str::<Value>(&line).unwrap()["id"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    child.kill().unwrap();
    child.wait().unwrap();
    std::io::stdout().flush().unwrap();
    let known = tablet.json(&["enterprises"]).to_string();
    for id in answered {
        assert!(known.contains(&id), "{id} was answered and is gone");
    }
    assert_eq!(tablet.json(&["fsck"])["clean"], true);
}
