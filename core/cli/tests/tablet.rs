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

/// What is written for a stick holds the requests that nobody has sent, and says what it holds.
#[test]
fn a_rescue_file_carries_requests_that_were_never_sent() {
    let (tablet, _) = Tablet::enrolled();
    tablet.json(&["officer-add", "--name", "沈执衡", "--certificate", "云应急执20190417"]);
    let rescue = tablet.json(&["rescue", "--out", "stick.fsr"]);
    assert_eq!((&rescue["requests"], &rescue["drafts"]), (&json!(2), &json!(0)));
    assert_eq!(rescue["left_out"], json!([]));
    let bytes = std::fs::read(tablet.at("stick.fsr")).unwrap();
    assert_eq!(rescue["bytes"], bytes.len());
    assert!(bytes.windows(15).any(|at| at == b"\"kind\":\"officer"));
    // A stick that is full is no place, and a file that is there is not written over.
    assert_eq!(tablet.refused(&["rescue", "--out", "/dev/full"]).0, 1);
    assert_eq!(tablet.refused(&["rescue", "--out", "stick.fsr"]).0, 1);
}

/// A camera's stream is refused before its first byte when it is known not to fit, and warned of when that is a guess.
#[test]
fn a_stream_that_will_not_fit_is_refused_before_it_is_read() {
    let (tablet, _) = Tablet::enrolled();
    let inspection = "00000000-0000-4000-8000-000000000009";
    let capture = [
        "capture",
        inspection,
        "--file",
        "-",
        "--acquisition",
        "camera",
        "--kind",
        "audio_visual",
        "--title",
        "t",
    ];
    let run = |more: &[&str]| {
        // Nobody writes into its standard input, so a read of it would wait for ever.
        let mut command = tablet.command(&[&capture[..], more].concat());
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let held = child.stdin.take();
        let output = child.wait_with_output().unwrap();
        drop(held);
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        let code = said["error"]["code"].as_str().unwrap().to_owned();
        (
            output.status.code().unwrap(),
            code,
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let most = (1_u64 << 60).to_string();
    let (exit, code, _) = run(&["--expect-bytes", &most]);
    assert_eq!((exit, code.as_str()), (73, "storage_short"));
    let (exit, code, _) = run(&["--duration-ms", "3600000", "--bytes-per-second", &most]);
    assert_eq!((exit, code.as_str()), (73, "storage_short"));
    // A year of video, at what cameras usually write: a guess, so it is said and the work goes on (to an inspection that is not
    // here).
    let (exit, code, said) = run(&["--duration-ms", "31536000000000"]);
    assert_eq!((exit, code.as_str()), (1, "not_found"));
    assert!(said.contains("Storage is low"), "{said}");
}

#[test]
fn a_command_that_is_used_wrongly_is_told_in_the_readers_language() {
    let (tablet, _) = Tablet::enrolled();
    let text = |words: &[&str]| {
        let output = tablet.run(words);
        assert_eq!(output.status.code(), Some(64), "{words:?}");
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        said["error"]["text"].as_str().unwrap().to_owned()
    };
    let cases: [(&[&str], &str, &str); 6] = [
        (&["show", "not-an-id"], "not-an-id 不是编号", "not-an-id is no id"),
        (&["--clock", "yesterday", "status"], "不是时间", "is no time"),
        (&["fly"], "没有命令 fly", "there is no command fly"),
        (&["status", "--loud"], "没有选项 --loud", "there is no option --loud"),
        (&["finding", "x"], "缺少", "is missing"),
        (
            &["sync", "--battery", "101"],
            "不接受值“101”",
            "does not take the value “101”",
        ),
    ];
    for (words, zh, en) in cases {
        let said = text(&[&["--lang", "zh"], words].concat());
        assert!(said.contains(zh) && said.contains("没有执行"), "{words:?}: {said}");
        let said = text(&[&["--lang", "en"], words].concat());
        assert!(
            said.contains(en) && said.contains("Nothing was done"),
            "{words:?}: {said}"
        );
    }
    // For people who read English the parser's own page helps more.
    let output = Command::new(env!("CARGO_BIN_EXE_fieldseal"))
        .args(["--lang", "en", "fly"])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("Usage:"));
    let output = Command::new(env!("CARGO_BIN_EXE_fieldseal"))
        .args(["fly", "--lang=zh"])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("没有命令 fly"));
}

/// Progress is for people at a terminal; `script` of bsdutils is one.
#[test]
fn long_work_tells_its_progress_on_a_terminal_and_nowhere_else() {
    let (tablet, _) = Tablet::enrolled();
    tablet.json(&["enterprise-add", "--name", "云岭化工有限公司"]);
    let program = env!("CARGO_BIN_EXE_fieldseal");
    let shown = |words: &str| {
        let line = format!("{program} --lang en device --dir tablet {words}");
        let mut command = Command::new("script");
        command
            .args(["-qec", &line, "/dev/null"])
            .current_dir(tablet.folder.path())
            .stdin(Stdio::null());
        command
            .output()
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let Ok(said) = shown("rescue --out a.fsr") else {
        println!("SKIPPED there is no program `script` on this machine");
        return;
    };
    assert!(
        said.contains("\r\u{1b}[2Krescue  0 B") && said.contains("The rescue file is written"),
        "{said:?}"
    );
    let said = shown("fsck").unwrap();
    assert!(said.contains("\r\u{1b}[2Kchecking  0 B"), "{said:?}");
    assert!(!shown("fsck --json").unwrap().contains("[2K"));
    let output = Command::new(program)
        .args(["device", "--dir", "tablet", "rescue", "--out", "b.fsr"])
        .current_dir(tablet.folder.path())
        .output()
        .unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
}
