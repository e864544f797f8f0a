//! The hearing: a stranger verifies with only the bundle and the trust folder; then everything that could be done to a copy is refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::stage::{Stage, Told, copy_folder, list, text};

/// Verifies a bundle; gives exit code and report.
pub fn verify(stage: &Stage, bundle: &Path) -> Told<(i32, Value)> {
    let (bundle, trust) = (bundle.display().to_string(), stage.arg("trust"));
    let finished = stage.try_fieldseal("verify", "", &["verify", &bundle, "--trust", &trust])?;
    let report = serde_json::from_str(finished.text().trim()).unwrap_or(Value::Null);
    Ok((finished.code().unwrap_or(-1), report))
}

/// What a person reads of the verdict, in English: for the first piece of evidence the bracket and, beside it, what the tablet's
/// clock claims. The tablet's clock was set to days past, so the two must disagree, and the sentences must say so.
pub fn read_aloud(stage: &Stage, report: &Value) -> Told<Vec<String>> {
    let items = list(report, "items")?;
    let first = items
        .iter()
        .find(|item| item["class"] == "evidence")
        .ok_or("the bundle holds no evidence")?;
    let low = first["bracket"]["not_before"]["unix_ms"].as_u64();
    let clock = first["clock_ms"].as_u64();
    if low.is_none() || clock >= low {
        return Err(format!(
            "the tablet's clock should claim a time before the bracket: {first}"
        ));
    }
    let (bundle, trust) = (stage.arg("bundle"), stage.arg("trust"));
    let read = stage.read_fieldseal("verify-read", "en", &["verify", &bundle, "--trust", &trust])?;
    let said = read.text();
    let hash = first["sha256"].as_str().unwrap_or_default();
    let mut lines = said.lines().skip_while(|line| !line.contains(hash)).skip(1);
    let sentences: Vec<String> = lines.by_ref().take(2).map(|line| line.trim().to_owned()).collect();
    let told = |words: &[&str]| {
        words
            .iter()
            .all(|word| sentences.iter().any(|line| line.contains(word)))
    };
    if read.code() != Some(0)
        || !told(&[
            "Sealed not before",
            "server's own claim",
            "Device clock (claim)",
            "before the lower bound",
        ])
    {
        return Err(format!(
            "the verdict should say beside the bracket where the tablet's clock stands:\n{said}"
        ));
    }
    Ok(sentences)
}

/// What is done to a copy, the verdict and exit code that it must get, and a finding that must be named.
struct Attack {
    name: &'static str,
    verdict: (&'static str, i32),
    finding: &'static str,
    act: fn(&Path) -> Told<()>,
}

const INVALID: (&str, i32) = ("INVALID", 2);

/// First one bit each, which already the bag's hashes find. Then the same by a bearer who makes manifests and signature anew:
/// what the records themselves say must find it.
const ATTACKS: [Attack; 11] = [
    Attack {
        name: "one bit of a photograph",
        verdict: INVALID,
        finding: "bag.changed",
        act: |b| flip(&photograph(b)?, Bit::Middle),
    },
    Attack {
        name: "one bit of a record",
        verdict: INVALID,
        finding: "bag.changed",
        act: |b| flip(&record(b)?, Bit::Middle),
    },
    Attack {
        name: "one bit of a manifest",
        verdict: INVALID,
        finding: "bag.",
        act: |b| flip(&b.join("manifest-sha256.txt"), Bit::Middle),
    },
    Attack {
        name: "one bit of a proof",
        verdict: INVALID,
        finding: "bag.changed",
        act: |b| flip(&proof(b)?, Bit::Hash),
    },
    Attack {
        name: "one bit of a photograph, renamed to its new hash, all signed again",
        verdict: INVALID,
        finding: "evidence.not_sealed",
        act: |b| {
            let path = photograph(b)?;
            flip(&path, Bit::Middle)?;
            rename_to_hash(&path)?;
            sign_again(b)
        },
    },
    Attack {
        name: "one bit of a record's signature, all signed again",
        verdict: INVALID,
        finding: "operation.signature",
        act: |b| {
            flip(&record(b)?, Bit::Signature)?;
            sign_again(b)
        },
    },
    Attack {
        name: "one bit of a record's words, all signed again",
        verdict: INVALID,
        finding: "operation.malformed",
        act: |b| {
            flip(&record(b)?, Bit::Words)?;
            sign_again(b)
        },
    },
    Attack {
        name: "a record struck from the manifest, all signed again",
        verdict: INVALID,
        finding: "bag.unlisted",
        act: |b| {
            strike(b)?;
            sign(b)
        },
    },
    Attack {
        name: "one bit of a proof, all signed again",
        verdict: INVALID,
        finding: "operation.inclusion",
        act: |b| {
            flip(&proof(b)?, Bit::Hash)?;
            sign_again(b)
        },
    },
    Attack {
        name: "an item left out, everything signed again",
        verdict: ("DIVERGED", 3),
        finding: "roll.missing",
        act: leave_out,
    },
    Attack {
        name: "signed again by its bearer",
        verdict: ("UNANCHORED", 4),
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
        let (verdict, exit) = attack.verdict;
        if code != exit || report["verdict"] != verdict || !named {
            return Err(format!(
                "{}: expected {verdict}, exit {exit} with {}, got {code}: {report}",
                attack.name, attack.finding
            ));
        }
        said.push(format!("{} → {verdict} (exit {code}, {})", attack.name, attack.finding));
    }
    Ok(said)
}

fn json_of(bundle: &Path, path: &str) -> Told<Value> {
    let text = fs::read_to_string(bundle.join(path)).map_err(|e| format!("{path}: {e}"))?;
    serde_json::from_str(&text).map_err(|e| format!("{path}: {e}"))
}

/// A photograph, by the media type that the case's view names.
fn photograph(bundle: &Path) -> Told<PathBuf> {
    let view = json_of(bundle, "data/views/case.json")?;
    let fields = list(&view, "fields")?;
    let value = |path: &str| {
        let field = fields.iter().find(|field| field["path"] == path);
        field.map_or(&Value::Null, |field| &field["values"][0]["value"])
    };
    let image = |field: &&Value| {
        let named = field["path"].as_str().is_some_and(|path| path.ends_with("/media_type"));
        let media = field["values"][0]["value"].as_str();
        named && media.is_some_and(|media| media.starts_with("image/"))
    };
    let path = fields.iter().find(image).and_then(|field| field["path"].as_str());
    let path = path
        .ok_or("the bundle holds no photograph")?
        .replace("/media_type", "/sha256");
    let hash = text(value(&path), "bytes")?;
    let entries = fs::read_dir(bundle.join("data/evidence")).map_err(|e| e.to_string())?;
    let mut paths = entries.filter_map(|e| Some(e.ok()?.path()));
    let found = paths.find(|path| path.file_stem().is_some_and(|stem| stem.to_string_lossy() == hash));
    found.ok_or_else(|| format!("the photograph {hash} is not in the bundle"))
}

/// The record of a finding.
fn record(bundle: &Path) -> Told<PathBuf> {
    Ok(bundle.join(format!("data/operations/{}.cbor", finding(bundle)?)))
}

/// The proof that belongs to it.
fn proof(bundle: &Path) -> Told<PathBuf> {
    Ok(bundle.join(format!("data/proofs/{}.tlog-proof", finding(bundle)?)))
}

fn finding(bundle: &Path) -> Told<String> {
    let index = json_of(bundle, "data/index.json")?;
    let operations = index["operations"].as_object().ok_or("the index lists no operations")?;
    let finding = operations.iter().find(|(_, about)| about["kind"] == "finding.record");
    finding
        .map(|(id, _)| id.clone())
        .ok_or_else(|| "the bundle holds no finding".into())
}

/// Which bit is changed.
enum Bit {
    /// One in the middle.
    Middle,
    /// One of a record's signature.
    Signature,
    /// One in a Chinese text.
    Words,
    /// One of the first base64 hash of a proof.
    Hash,
}

fn flip(path: &Path, bit: Bit) -> Told<()> {
    let mut bytes = fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let at = match bit {
        Bit::Middle => Some(bytes.len() / 2),
        Bit::Signature => signature(&bytes),
        Bit::Words => words(&bytes),
        Bit::Hash => base64_line(&bytes),
    };
    let at = at.ok_or_else(|| format!("{} holds nothing of the kind", path.display()))?;
    // Of a base64 letter the lowest bit gives another letter; of a UTF-8 byte in its middle, another character.
    bytes[at] ^= 1;
    fs::write(path, bytes).map_err(|e| e.to_string())
}

/// The first byte of the signature in an operation's frame: after the header's bytes, under the key 1, 64 bytes long.
fn signature(frame: &[u8]) -> Option<usize> {
    let mut headed = frame.windows(3).enumerate();
    headed
        .find(|(_, three)| *three == [0x01, 0x58, 0x40])
        .map(|(at, _)| at + 3)
}

/// The last byte of the first of four Chinese characters in a row: no hash or key looks so.
fn words(bytes: &[u8]) -> Option<usize> {
    let rest = |byte: &u8| (0x80..0xc0).contains(byte);
    let character = |three: &[u8]| (0xe4..0xea).contains(&three[0]) && rest(&three[1]) && rest(&three[2]);
    let mut twelve = bytes.windows(12);
    twelve.position(|run| run.chunks(3).all(character)).map(|at| at + 2)
}

/// A letter of the first line that is a hash in base64.
fn base64_line(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    for line in bytes.split(|byte| *byte == b'\n') {
        if line.len() == 44 && line.ends_with(b"=") {
            // Of letters that a bit turns into another letter.
            return line
                .iter()
                .position(|byte| matches!(byte, b'b'..=b'y'))
                .map(|inside| at + inside);
        }
        at += line.len() + 1;
    }
    None
}

/// Gives a file the name that its bytes hash to.
fn rename_to_hash(path: &Path) -> Told<()> {
    let output = Command::new("sha256sum")
        .arg(path)
        .output()
        .map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let hash = said.split_whitespace().next().ok_or("sha256sum said nothing")?;
    let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
    fs::rename(path, path.with_file_name(format!("{hash}.{extension}"))).map_err(|e| e.to_string())
}

/// Leaves out one operation with its proof, in the way a bearer would hide it: manifests and signature made anew.
fn leave_out(bundle: &Path) -> Told<()> {
    let id = finding(bundle)?;
    fs::remove_file(bundle.join(format!("data/operations/{id}.cbor"))).map_err(|e| e.to_string())?;
    fs::remove_file(bundle.join(format!("data/proofs/{id}.tlog-proof"))).map_err(|e| e.to_string())?;
    sign_again(bundle)
}

/// Takes the line of a record out of the manifest.
fn strike(bundle: &Path) -> Told<()> {
    let (path, id) = (bundle.join("manifest-sha256.txt"), finding(bundle)?);
    let manifest = fs::read_to_string(&path).map_err(|e| e.to_string())?;
    let kept = manifest
        .split_inclusive('\n')
        .filter(|line| !line.ends_with(&format!("{id}.cbor\n")));
    fs::write(&path, kept.collect::<String>()).map_err(|e| e.to_string())
}

/// Rewrites both manifests with sha256sum and signs with a key of the bearer's own, with ssh-keygen.
fn sign_again(bundle: &Path) -> Told<()> {
    shell(
        bundle,
        "find data -type f | LC_ALL=C sort | xargs -d '\\n' sha256sum > manifest-sha256.txt",
    )?;
    sign(bundle)
}

/// Makes the manifest of the tag files anew and signs it.
fn sign(bundle: &Path) -> Told<()> {
    let script = "
        sha256sum README.md bag-info.txt bagit.txt manifest-sha256.txt > tagmanifest-sha256.txt
        rm -f tagmanifest-sha256.txt.sig ../bearer ../bearer.pub
        ssh-keygen -q -t ed25519 -N '' -C bearer -f ../bearer
        ssh-keygen -q -Y sign -f ../bearer -n fieldseal.bundle tagmanifest-sha256.txt
    ";
    shell(bundle, script)
}

fn shell(folder: &Path, script: &str) -> Told<()> {
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .current_dir(folder)
        .output()
        .map_err(|e| e.to_string())?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bit_is_in_what_was_meant() {
        let mut frame = vec![0xa3, 0x00, 0x42, 7, 7, 0x01, 0x58, 0x40];
        frame.extend([9; 64]);
        frame.extend([0xe5, 0x99]);
        frame.extend("通道堵塞。".as_bytes());
        assert_eq!(signature(&frame), Some(8));
        let at = words(&frame).unwrap();
        assert_eq!(std::str::from_utf8(&frame[at - 2..=at]), Ok("通"));
        assert_eq!(words(&frame[..80]), None);
        let proof = format!("index 3\n{}=\n\norigin\n", "Ab".repeat(21) + "c");
        assert_eq!(base64_line(proof.as_bytes()), Some(9));
    }
}
