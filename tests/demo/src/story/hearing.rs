//! The hearing: a stranger verifies with only the bundle and the trust folder; then everything that could be done to a copy is refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::stage::{Stage, Told, copy_folder};

/// Verifies a bundle; gives exit code and report.
pub fn verify(stage: &Stage, bundle: &Path) -> Told<(i32, Value)> {
    let (bundle, trust) = (bundle.display().to_string(), stage.arg("trust"));
    let finished = stage.try_fieldseal("verify", "", &["verify", &bundle, "--trust", &trust])?;
    let report = serde_json::from_str(finished.text().trim()).unwrap_or(Value::Null);
    Ok((finished.code().unwrap_or(-1), report))
}

/// What is done to a copy, the exit code it must get, and a finding that must be named.
struct Attack {
    name: &'static str,
    code: i32,
    finding: &'static str,
    act: fn(&Path) -> Told<()>,
}

const ATTACKS: [Attack; 6] = [
    Attack {
        name: "one bit of a photograph",
        code: 2,
        finding: "bag.changed",
        act: |b| flip(&largest(&b.join("data/evidence"))?),
    },
    Attack {
        name: "one bit of a record",
        code: 2,
        finding: "bag.changed",
        act: |b| flip(&largest(&b.join("data/operations"))?),
    },
    Attack {
        name: "one bit of a manifest",
        code: 2,
        finding: "bag.",
        act: |b| flip(&b.join("manifest-sha256.txt")),
    },
    Attack {
        name: "one bit of a proof",
        code: 2,
        finding: "bag.changed",
        act: |b| flip(&largest(&b.join("data/proofs"))?),
    },
    Attack {
        name: "an item left out, everything signed again",
        code: 3,
        finding: "roll.missing",
        act: leave_out,
    },
    Attack {
        name: "signed again by its bearer",
        code: 4,
        finding: "bag.signer_unknown",
        act: sign_again,
    },
];

/// Every attack on a copy of its own; each must be refused with its reason and its verdict.
pub fn attack(stage: &Stage) -> Told<Vec<String>> {
    let folder = stage.path("tampered");
    let mut said = Vec::new();
    for (n, attack) in ATTACKS.iter().enumerate() {
        let copy = folder.join(format!("{}", n + 1));
        copy_folder(&stage.path("bundle"), &copy).map_err(|e| e.to_string())?;
        (attack.act)(&copy)?;
        let (code, report) = verify(stage, &copy)?;
        let named = report["findings"].as_array().is_some_and(|all| {
            all.iter()
                .any(|f| f["code"].as_str().is_some_and(|c| c.starts_with(attack.finding)))
        });
        if code != attack.code || !named {
            return Err(format!(
                "{}: expected exit {} with {}, got {code}: {report}",
                attack.name, attack.code, attack.finding
            ));
        }
        said.push(format!(
            "{} → {} (exit {code}, {})",
            attack.name,
            report["verdict"].as_str().unwrap_or_default(),
            attack.finding
        ));
    }
    Ok(said)
}

fn largest(folder: &Path) -> Told<PathBuf> {
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let sized = entries
        .filter_map(|e| e.ok())
        .filter_map(|e| Some((e.metadata().ok()?.len(), e.path())));
    sized
        .max()
        .map(|(_, path)| path)
        .ok_or_else(|| format!("{} is empty", folder.display()))
}

fn flip(path: &Path) -> Told<()> {
    let mut bytes = fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).map_err(|e| e.to_string())
}

/// Leaves out one operation with its proof, in the way a bearer would hide it: manifests and signature made anew.
fn leave_out(bundle: &Path) -> Told<()> {
    let index = fs::read_to_string(bundle.join("data/index.json")).map_err(|e| e.to_string())?;
    let index: Value = serde_json::from_str(&index).map_err(|e| e.to_string())?;
    let operations = index["operations"].as_object().ok_or("the index lists no operations")?;
    let finding = operations.iter().find(|(_, about)| about["kind"] == "finding.record");
    let (id, _) = finding.ok_or("the bundle holds no finding")?;
    fs::remove_file(bundle.join(format!("data/operations/{id}.cbor"))).map_err(|e| e.to_string())?;
    fs::remove_file(bundle.join(format!("data/proofs/{id}.tlog-proof"))).map_err(|e| e.to_string())?;
    sign_again(bundle)
}

/// Rewrites both manifests with sha256sum and signs with a key of the bearer's own, with ssh-keygen.
fn sign_again(bundle: &Path) -> Told<()> {
    let script = "
        find data -type f | LC_ALL=C sort | xargs -d '\\n' sha256sum > manifest-sha256.txt
        sha256sum README.md bag-info.txt bagit.txt manifest-sha256.txt > tagmanifest-sha256.txt
        rm -f tagmanifest-sha256.txt.sig ../bearer ../bearer.pub
        ssh-keygen -q -t ed25519 -N '' -C bearer -f ../bearer
        ssh-keygen -q -Y sign -f ../bearer -n fieldseal.bundle tagmanifest-sha256.txt
    ";
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .current_dir(bundle)
        .output()
        .map_err(|e| e.to_string())?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
