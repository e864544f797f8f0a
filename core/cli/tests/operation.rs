//! An operation for other people's tools: DSSE JSON that reads back, and two files of which openssl says whether they hold.

#![allow(clippy::unwrap_used, reason = "a broken set-up is a failed test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use fieldseal_proof::ids::from_hex;
use fieldseal_proof::suite::{PublicKey, Suite};
use serde_json::Value;

struct Desk(tempfile::TempDir);

impl Desk {
    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fieldseal"));
        command
            .arg("operation")
            .args(words)
            .current_dir(self.0.path())
            .env_clear();
        command.output().unwrap()
    }

    fn json(&self, words: &[&str]) -> Value {
        let output = self.run(&[words, &["--json"]].concat());
        assert!(
            output.status.success(),
            "{words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Whether openssl accepts the signature in these files.
    fn openssl(&self, suite: u64, pae: &str, sig: &str) -> bool {
        let digest: &[&str] = if suite == 1 { &[] } else { &["-digest", "sha256"] };
        let command = ["pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin"];
        let files = ["-in", pae, "-sigfile", sig];
        let mut openssl = Command::new("openssl");
        openssl
            .args(command)
            .args(digest)
            .args(files)
            .current_dir(self.0.path());
        openssl.output().unwrap().status.success()
    }
}

fn vector(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proof/vectors/operation/positive");
    serde_json::from_str(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap()
}

#[test]
fn openssl_checks_what_is_exported_and_the_json_reads_back() {
    for name in ["ed25519.json", "p256.json"] {
        let (desk, vector) = (Desk(tempfile::tempdir().unwrap()), vector(name));
        let (input, output) = (&vector["input"], &vector["output"]);
        let bytes = |field: &str| from_hex(input[field].as_str().unwrap()).unwrap();
        let suite = input["suite"].as_u64().unwrap();
        let key = PublicKey::parse(Suite::from_number(suite).unwrap(), &bytes("public")).unwrap();
        std::fs::write(desk.at("key.pem"), key.to_pem()).unwrap();
        std::fs::write(desk.at("one.cbor"), bytes("frame")).unwrap();
        let said = desk.json(&["one.cbor", "--pae", "one.pae", "--sig", "one.sig"]);
        assert_eq!(said["operation"]["id"], output["id"]);
        assert_eq!(said["operation"]["fields"]["finding/8b1c/grade"], "major");
        assert!(desk.openssl(suite, "one.pae", "one.sig"), "{name}");
        let mut changed = std::fs::read(desk.at("one.pae")).unwrap();
        *changed.last_mut().unwrap() ^= 1;
        std::fs::write(desk.at("other.pae"), changed).unwrap();
        assert!(
            !desk.openssl(suite, "other.pae", "one.sig"),
            "{name}: openssl accepts other bytes"
        );
        // The envelope by itself: the same signed bytes, no body.
        std::fs::write(desk.at("one.json"), said["dsse"].to_string()).unwrap();
        let again = desk.json(&["one.json", "--pae", "again.pae"]);
        assert_eq!(
            (&again["dsse"], &again["operation"]["fields"]),
            (&said["dsse"], &Value::Null)
        );
        assert_eq!(
            std::fs::read(desk.at("again.pae")).unwrap(),
            std::fs::read(desk.at("one.pae")).unwrap()
        );
        let read = String::from_utf8(desk.run(&["one.cbor"]).stdout).unwrap();
        assert!(
            read.contains("\"payloadType\"") && read.contains("kind  finding.record"),
            "{read}"
        );
    }
}

#[test]
fn what_is_no_operation_is_refused_by_its_file() {
    let desk = Desk(tempfile::tempdir().unwrap());
    std::fs::write(desk.at("none.cbor"), b"\xa0").unwrap();
    std::fs::write(desk.at("none.json"), b"{}").unwrap();
    for name in ["none.cbor", "none.json"] {
        let output = desk.run(&[name, "--json"]);
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said["error"]["text"].as_str().unwrap().contains(name), "{said}");
    }
    assert_eq!(desk.run(&["not-there", "--json"]).status.code(), Some(1));
}
