//! Areas (f) and (g): a stranger's verification of a bundle, and the Merkle tree by itself.

use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fieldseal_proof::merkle::{
    MemoryTree, leaf_hash, prove_consistency, prove_inclusion, verify_consistency, verify_inclusion,
};

use crate::Scale;
use crate::machine::{hash_files_seconds, noise, seconds};
use crate::process::Usage;
use crate::report::Figure;
use crate::town::Town;

/// `fieldseal verify` as a process, from its start to its end.
pub fn bundle(town: &Town, bundle: &str, scale: &Scale) -> Result<Vec<Figure>, Box<dyn Error>> {
    let mut files = Vec::new();
    list(Path::new(bundle), &mut files)?;
    let mib = files.iter().map(|(size, _)| size).sum::<u64>() >> 20;
    let operations = fs::read_dir(Path::new(bundle).join("data/operations")).map_or(0, Iterator::count);
    let limits = [
        "SHA-256 of its files, two threads",
        "SHA-256 of its files, one thread",
        "sha256sum -c of its manifest",
    ];
    let what = format!("verify {mib} MiB, {} files, {operations} operation files", files.len());
    let mut took = Figure::new(what, "s", &limits);
    let trust = town.at("trust");
    let words = ["verify", bundle, "--trust", &trust, "--json"];
    for _ in 0..scale.rounds {
        let beside = [
            hash_files_seconds(&files, 2)?,
            hash_files_seconds(&files, 1)?,
            sha256sum(bundle)?,
        ];
        let (ours, output) = seconds(|| town.command(&words).output());
        let output = output?;
        if !output.status.success() {
            return Err(format!("verify refused the bundle: {}", String::from_utf8_lossy(&output.stdout)).into());
        }
        took.round(ours, &beside);
    }
    // Once more, not timed: whoever watches the memory takes a processor.
    let mut child = town.command(&words).stdout(Stdio::null()).spawn()?;
    let usage = Usage::of(child.id());
    let mut peak = 0f64;
    while child.try_wait()?.is_none() {
        peak = peak.max(usage.peak_mib());
    }
    let mut memory = Figure::new("its peak memory", "MiB", &[]);
    memory.round(peak, &[]);
    Ok(vec![took, memory])
}

fn sha256sum(bundle: &str) -> io::Result<f64> {
    let mut command = Command::new("sha256sum");
    command
        .args(["--quiet", "-c", "manifest-sha256.txt"])
        .current_dir(bundle)
        .stdout(Stdio::null());
    let (took, status) = seconds(|| command.status());
    match status?.success() {
        true => Ok(took),
        false => Err(io::Error::other("sha256sum refused the manifest")),
    }
}

fn list(folder: &Path, files: &mut Vec<(u64, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => list(&entry.path(), files)?,
            false => files.push((entry.metadata()?.len(), entry.path())),
        }
    }
    Ok(())
}

/// The log's tree in memory, one thread, leaves of 600 bytes.
pub fn merkle(scale: &Scale) -> Result<Vec<Figure>, Box<dyn Error>> {
    let leaves = scale.leaves;
    let limit = ["SHA-256 of a record of 600 bytes, one thread"];
    let mut append = Figure::new(format!("append to {leaves} leaves"), "leaf/s", &limit);
    let mut prove = Figure::new("prove inclusion", "µs", &[]);
    let mut verify = Figure::new("verify inclusion", "µs", &[]);
    let mut consistency = Figure::new("prove and verify consistency", "µs", &[]);
    let mut record = noise(600, 1);
    for _ in 0..scale.rounds {
        let (hashing, ()) = seconds(|| {
            for _ in 0..leaves {
                std::hint::black_box(leaf_hash(&record));
            }
        });
        let mut tree = MemoryTree::default();
        let (took, ()) = seconds(|| {
            for n in 0..leaves {
                record[..8].copy_from_slice(&n.to_be_bytes());
                tree.push(&record);
            }
        });
        append.round(leaves as f64 / took, &[leaves as f64 / hashing]);
        // A stride that is prime to the size visits leaves all over the tree.
        let places: Vec<u64> = (0..2_000u64).map(|n| n * 7_919 % leaves).collect();
        let (took, proofs) = seconds(|| {
            places
                .iter()
                .map(|n| prove_inclusion(*n, leaves, &tree))
                .collect::<Result<Vec<_>, _>>()
        });
        let proofs = proofs.map_err(|error| format!("{error:?}"))?;
        prove.round(took * 1e6 / places.len() as f64, &[]);
        let root = tree.root();
        let hashes: Vec<_> = places
            .iter()
            .map(|n| {
                record[..8].copy_from_slice(&n.to_be_bytes());
                leaf_hash(&record)
            })
            .collect();
        let (took, good) = seconds(|| {
            let each = places.iter().zip(&hashes).zip(&proofs);
            each.filter(|((n, hash), proof)| verify_inclusion(hash, **n, leaves, proof, &root).is_ok())
                .count()
        });
        if good != places.len() {
            return Err("a proof of the tree does not hold".into());
        }
        verify.round(took * 1e6 / places.len() as f64, &[]);
        consistency.round(consistency_us(&tree, leaves)?, &[]);
    }
    Ok(vec![append, prove, verify, consistency])
}

fn consistency_us(tree: &MemoryTree, leaves: u64) -> Result<f64, String> {
    let olds: Vec<u64> = (1..=500u64).map(|n| n * 7_919 % (leaves - 1) + 1).collect();
    let mut spent = 0.0;
    for old in &olds {
        let old_root = fieldseal_proof::merkle::root_at(*old, tree).map_err(|error| format!("{error:?}"))?;
        let root = tree.root();
        let (took, holds) = seconds(|| {
            let proof = prove_consistency(*old, leaves, tree)?;
            verify_consistency(*old, &old_root, leaves, &root, &proof)
        });
        holds.map_err(|error| format!("{error:?}"))?;
        spent += took;
    }
    Ok(spent * 1e6 / olds.len() as f64)
}
