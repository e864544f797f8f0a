//! The key ceremony through the shipped binary: what it writes, what it refuses, and what scripts can rely on.

#![allow(clippy::unwrap_used, reason = "a broken set-up is a failed test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use fieldseal_proof::key_log::{KeyLog, Purpose};
use fieldseal_proof::suite::{Ed25519Signer, Signer};
use serde_json::{Value, json};

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, pin: &str, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fieldseal"));
        command
            .args(words)
            .current_dir(self.folder.path())
            .env_clear()
            .env("FIELDSEAL_PIN", pin)
            .output()
            .unwrap()
    }

    fn json(&self, words: &[&str]) -> Value {
        let output = self.run("long enough", &[words, &["--json"]].concat());
        assert!(
            output.status.success(),
            "{words:?}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn refused(&self, pin: &str, words: &[&str]) -> (i32, String) {
        let output = self.run(pin, &[words, &["--json"]].concat());
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        (
            output.status.code().unwrap(),
            answer["error"]["code"].as_str().unwrap().to_owned(),
        )
    }

    /// What `fieldseal-server init` asks of the root.
    fn server_request(&self) -> PathBuf {
        let purposes = [Purpose::Operation, Purpose::Log, Purpose::Time, Purpose::Bundle];
        let keys = purposes.iter().enumerate().map(|(seed, purpose)| {
            let key = Ed25519Signer::from_seed(&[seed as u8 + 1; 32]).unwrap();
            let public: String = key
                .public()
                .as_bytes()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            json!({ "purpose": purpose.as_str(), "suite": 1, "public": public, "custody": "server" })
        });
        let request = json!({
            "kind": "server", "subject": "00000000-0000-4000-8000-000000000001",
            "incarnation": "00000000-0000-4000-8000-000000000002", "origin": "example.org/county/0",
            "keys": keys.collect::<Vec<_>>(),
        });
        let path = self.at("server.json");
        std::fs::write(&path, request.to_string()).unwrap();
        path
    }
}

fn key_log(folder: &Path) -> KeyLog {
    KeyLog::read(&std::fs::read(folder.join("key-log.cbor-seq")).unwrap()).unwrap()
}

#[test]
fn root_delegates_and_gives_out_trust() {
    let desk = Desk::new();
    let made = desk.json(&["root", "init", "--out", "root", "--name", "某县应急管理局"]);
    assert!(made["fingerprint"].as_str().unwrap().starts_with("SHA256:"));
    desk.json(&["admin", "init", "--out", "admin", "--name", "李"]);
    let server = desk.server_request();
    let delegated = desk.json(&[
        "root",
        "delegate",
        "--root",
        "root",
        "--request",
        "admin/request.json",
        server.to_str().unwrap(),
    ]);
    assert_eq!(delegated["key_log_size"], 3);
    let log = key_log(&desk.at("root"));
    assert_eq!(log.tenant().to_string(), made["tenant"].as_str().unwrap());
    assert_eq!(
        log.keys()
            .filter(|(_, key)| key.record.purpose == Purpose::Admin)
            .count(),
        1
    );
    let trust = desk.json(&["root", "trust", "--root", "root", "--out", "trust"]);
    assert_eq!(trust["fingerprint"], made["fingerprint"]);
    for name in ["tenant.json", "log.vkey", "allowed_signers", "policy.json"] {
        assert!(desk.at("trust").join(name).is_file(), "{name}");
    }
    let signers = std::fs::read_to_string(desk.at("trust").join("allowed_signers")).unwrap();
    assert!(
        signers.starts_with("example.org/county/0 namespaces=\"fieldseal.bundle\" ssh-ed25519 "),
        "{signers}"
    );
}

#[test]
fn a_wrong_pin_or_request_changes_nothing() {
    let desk = Desk::new();
    desk.json(&["root", "init", "--out", "root", "--name", "A"]);
    desk.json(&["admin", "init", "--out", "admin", "--name", "B"]);
    let before = std::fs::read(desk.at("root/key-log.cbor-seq")).unwrap();
    let delegate = ["root", "delegate", "--root", "root", "--request", "admin/request.json"];
    assert_eq!(desk.refused("another pin", &delegate), (1, "key_pin_wrong".into()));
    // The second request enrols the same key again: neither of the two is taken.
    let twice = [&delegate[..], &["admin/request.json"]].concat();
    assert_eq!(desk.refused("long enough", &twice), (1, "key_log_broken".into()));
    assert_eq!(std::fs::read(desk.at("root/key-log.cbor-seq")).unwrap(), before);
    assert_eq!(
        desk.refused("long enough", &["root", "init", "--out", "root", "--name", "A"]),
        (1, "folder_not_empty".into())
    );
    assert_eq!(
        desk.refused("short", &["root", "init", "--out", "other", "--name", "A"]),
        (64, "usage".into())
    );
    assert_eq!(
        desk.refused("", &["root", "init", "--out", "third", "--name", "A"]),
        (64, "usage".into())
    );
}

#[cfg(unix)]
#[test]
fn key_files_are_their_owner_s_alone() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new();
    desk.json(&["root", "init", "--out", "root", "--name", "A"]);
    let mode = std::fs::metadata(desk.at("root/root.key"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn people_read_their_language_and_errors_go_to_standard_error() {
    let desk = Desk::new();
    let missing = ["root", "trust", "--root", "nowhere", "--out", "trust"];
    let zh = desk.run("x", &[&missing[..], &["--lang", "zh"]].concat());
    assert!(zh.stdout.is_empty());
    assert!(String::from_utf8(zh.stderr).unwrap().starts_with("找不到文件"));
    let en = desk.run("x", &missing);
    assert!(String::from_utf8(en.stderr).unwrap().starts_with("There is no file"));
    assert_eq!(desk.run("x", &["root", "nonsense"]).status.code(), Some(64));
    assert_eq!(desk.run("x", &["--help"]).status.code(), Some(0));
}

#[test]
fn trust_from_inside_the_bundle_is_refused() {
    let desk = Desk::new();
    std::fs::create_dir_all(desk.at("bundle/trust")).unwrap();
    assert_eq!(
        desk.refused("", &["verify", "bundle", "--trust", "bundle/trust"]),
        (1, "trust_inside_bundle".into())
    );
    std::fs::create_dir_all(desk.at("trust")).unwrap();
    assert_eq!(
        desk.refused("", &["verify", "bundle", "--trust", "trust"]),
        (1, "trust_missing".into())
    );
}
