//! The published vectors: they are what the generator makes, the verifier says of each what the vector says, and
//! parts of them are judged by code that is not ours.
#![allow(clippy::unwrap_used)] // a vector that cannot be read is a failed test

#[path = "vectors/bundles.rs"]
mod bundles;
#[path = "vectors/check.rs"]
mod check;
#[path = "vectors/coverage.rs"]
mod coverage;
#[path = "../examples/make_vectors/mod.rs"]
mod make_vectors;
#[path = "vectors/objects.rs"]
mod objects;
#[path = "vectors/proofs.rs"]
mod proofs;
#[path = "vectors/reasons.rs"]
mod reasons;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fieldseal_proof::bundle::finding_codes;
use fieldseal_proof::ids::from_hex;
use serde_json::Value;

/// Types whose readers lie in core; `core/tests/vectors` makes and checks them.
const OF_CORE: [&str; 7] = ["merge-state", "pack", "vault", "rescue", "enrolment-text", "store-escrow", "dsse"];
const LEAST_VECTORS: usize = 75;
/// Two of three: what a reader must refuse is most of a format.
const LEAST_NEGATIVE_PERCENT: usize = 66;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// Every JSON file below a folder, relative to it.
fn files(root: &Path, below: &str, out: &mut BTreeSet<String>) {
    for entry in fs::read_dir(root.join(below)).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{below}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            files(root, &format!("{name}/"), out);
        } else if name.ends_with(".json") {
            out.insert(name);
        }
    }
}

fn of_core(name: &str) -> bool {
    OF_CORE.iter().any(|kind| name.starts_with(&format!("{kind}/")))
}

fn committed() -> Vec<(String, Value)> {
    let mut names = BTreeSet::new();
    files(&folder(), "", &mut names);
    let read = |name: String| {
        let text = fs::read_to_string(folder().join(&name)).unwrap();
        let value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        (name, value)
    };
    names.into_iter().map(read).collect()
}

#[test]
fn the_committed_files_are_what_the_generator_makes() {
    let mut names = BTreeSet::new();
    files(&folder(), "", &mut names);
    names.retain(|name| !of_core(name));
    let made = make_vectors::all().unwrap();
    let paths: BTreeSet<String> = made.iter().map(make_vectors::Vector::path).collect();
    assert!(made.iter().all(|vector| !OF_CORE.contains(&vector.kind())), "a type of core is made here");
    assert_eq!(paths.len(), made.len(), "two vectors have the same name");
    assert_eq!(names, paths, "files and generated vectors differ; run the example make_vectors");
    for vector in made {
        let there = fs::read_to_string(folder().join(vector.path())).unwrap();
        assert!(there == vector.text().unwrap(), "{} is not what make_vectors writes", vector.path());
    }
}

#[test]
fn the_verifier_says_of_every_vector_what_the_vector_says() {
    let mut faults = Vec::new();
    for (name, vector) in committed().into_iter().filter(|(name, _)| !of_core(name)) {
        if let Err(fault) = judge(&name, &vector) {
            faults.push(format!("{name}: {fault}"));
        }
    }
    assert!(faults.is_empty(), "{} vectors fail:\n{}", faults.len(), faults.join("\n"));
}

fn judge(name: &str, vector: &Value) -> Result<(), String> {
    let text = |field: &str| vector[field].as_str().ok_or(format!("has no {field}"));
    let kind = text("type")?;
    let side = if text("expect")? == "valid" { "positive" } else { "negative" };
    if name != format!("{kind}/{side}/{}.json", text("name")?) {
        return Err("the path is not type, side and name".into());
    }
    for field in ["page", "what"] {
        text(field)?;
    }
    let result = check::check(kind, &vector["input"]);
    if kind == "bundle" {
        return judge_bundle(vector, &result?);
    }
    match (text("expect")?, result) {
        ("valid", Ok(output)) if output == vector["output"] => Ok(()),
        ("valid", Ok(output)) => Err(format!("computed {output:#}\nexpected {:#}", vector["output"])),
        ("valid", Err(error)) => Err(format!("was refused: {error}")),
        ("invalid", Ok(output)) => Err(format!("was accepted: {output}")),
        ("invalid", Err(error)) => {
            let reason = text("reason")?;
            let known = reasons::words(reason).ok_or(format!("the reason {reason} is not in the list"))?;
            if known.iter().any(|words| error.contains(words)) {
                Ok(())
            } else {
                Err(format!("was refused for another reason than {reason}: {error}"))
            }
        }
        (other, _) => Err(format!("expect is {other}")),
    }
}

/// A bundle is never refused as such: its verdict and findings are the answer.
fn judge_bundle(vector: &Value, output: &Value) -> Result<(), String> {
    let stands = matches!(output["verdict"].as_str(), Some("ANCHORED" | "WITNESSED"));
    if *output != vector["output"] || stands != (vector["expect"] == "valid") {
        return Err(format!("computed {output:#}\nexpected {:#}", vector["output"]));
    }
    match vector["reason"].as_str() {
        Some(reason) if vector["output"]["findings"].as_array().is_none_or(|f| !f.contains(&reason.into())) => {
            Err("the reason is not among the findings".into())
        }
        _ => Ok(()),
    }
}

#[test]
fn there_are_enough_of_them_and_most_are_negative() {
    let all = committed();
    let negative = all.iter().filter(|(_, v)| v["expect"] == "invalid").count();
    assert!(all.len() >= LEAST_VECTORS, "{} vectors", all.len());
    assert!(negative * 100 >= all.len() * LEAST_NEGATIVE_PERCENT, "{negative} of {} are negative", all.len());
}

/// The folder of the pages.
fn pages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/formats")
}

#[test]
fn readme_and_page_name_every_type_reason_and_finding() {
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    let page = fs::read_to_string(pages().join("bundle.md")).unwrap();
    let mut missing = BTreeSet::new();
    for (_, vector) in committed() {
        let kind = vector["type"].as_str().unwrap();
        let mut words = vec![kind];
        words.extend(vector["reason"].as_str().filter(|_| kind != "bundle"));
        missing.extend(words.into_iter().filter(|w| !readme.contains(&format!("`{w}`"))).map(str::to_owned));
        let findings = vector["output"]["findings"].as_array().into_iter().flatten().filter_map(Value::as_str);
        missing.extend(findings.filter(|w| !page.contains(&format!("`{w}`"))).map(str::to_owned));
    }
    assert!(missing.is_empty(), "not named: {missing:?}");
}

#[test]
fn every_finding_has_a_vector_of_its_own_and_stands_in_the_page_under_its_verdict() {
    let shown: BTreeSet<String> = committed()
        .iter()
        .filter(|(_, v)| v["type"] == "bundle")
        .filter_map(|(_, v)| v["reason"].as_str().map(str::to_owned))
        .collect();
    let page = fs::read_to_string(pages().join("bundle.md")).unwrap();
    let list = page.split("## Finding codes").nth(1).unwrap();
    let mut listed = BTreeSet::new();
    for line in list.lines().filter_map(|line| line.strip_prefix("- ")) {
        let (verdict, codes) = line.split_once(": ").unwrap();
        listed.extend(codes.split_whitespace().map(|c| format!("{verdict} {}", c.trim_matches('`'))));
    }
    let table: Vec<_> = finding_codes().collect();
    assert!(table.len() > 60 && table.iter().all(|(_, _, says)| !says.is_empty()));
    let ours: BTreeSet<String> = table.iter().map(|(v, code, _)| format!("{} {code}", v.as_str())).collect();
    assert_eq!(ours, listed, "bundle.md and the table differ");
    let without: Vec<&str> = table.iter().map(|(_, c, _)| *c).filter(|c| !shown.contains(*c)).collect();
    assert!(without.is_empty(), "no vector is named after {without:?}");
}

/// An example in a page: a line ``Example `VECTOR`, `FIELD`:`` and a fenced block of hex (wrapped anyhow) or text.
#[test]
fn examples_in_the_pages_are_those_of_the_vectors() {
    let mut found = 0;
    for page in fs::read_dir(pages()).unwrap() {
        let path = page.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        for example in text.split("\nExample `").skip(1) {
            let (vector, rest) = example.split_once("`, `").unwrap();
            let (field, rest) = rest.split_once("`:\n```").unwrap();
            let (language, rest) = rest.split_once('\n').unwrap();
            let (block, _) = rest.split_once("```").unwrap();
            let json: Value = serde_json::from_str(&fs::read_to_string(folder().join(vector)).unwrap()).unwrap();
            let expected = json["input"][field].as_str().or(json["output"][field].as_str()).unwrap();
            let shown = match language {
                "hex" => block.split_whitespace().collect(),
                _ => block.to_owned(),
            };
            assert_eq!(shown, expected, "{} shows {vector} otherwise", path.display());
            found += 1;
        }
    }
    assert!(found >= 12, "only {found} examples were found");
}

#[test]
fn another_merkle_tree_gives_the_same_roots_and_proofs() {
    type Tree = ct_merkle::mem_backed_tree::MemoryBackedTree<sha2::Sha256, Vec<u8>>;
    let mut compared = 0;
    for (name, vector) in committed().into_iter().filter(|(name, _)| name.starts_with("tree/positive")) {
        let leaves = vector["input"]["leaves"].as_array().unwrap();
        let mut tree = Tree::new();
        leaves.iter().for_each(|leaf| tree.push(from_hex(leaf.as_str().unwrap()).unwrap()));
        let root = from_hex(vector["output"]["root"].as_str().unwrap()).unwrap();
        assert_eq!(tree.root().as_bytes().as_slice(), root, "{name}");
        compared += 1;
    }
    for (name, vector) in committed().into_iter().filter(|(name, _)| name.starts_with("inclusion/positive")) {
        let input = &vector["input"];
        let (index, size) = (input["index"].as_u64().unwrap(), input["size"].as_u64().unwrap());
        let mut tree = Tree::new();
        (0..size).for_each(|i| tree.push(make_vectors::trees::leaf(i).to_vec()));
        let proof: Vec<u8> =
            input["proof"].as_array().unwrap().iter().flat_map(|h| from_hex(h.as_str().unwrap()).unwrap()).collect();
        assert_eq!(tree.prove_inclusion(index as usize).as_bytes(), proof, "{name}");
        compared += 1;
    }
    assert!(compared >= 15, "only {compared} vectors were compared");
}
