//! Kills, a bad network, bad input, a full disk, damaged files: nothing that was acknowledged is lost.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod bundles;
mod clocks;
mod damage;
mod doors;
mod input;
mod kills;
mod lines;
mod network;
mod power;
mod preload;

use fieldseal_tests::world::World;
use serde_json::{Value, json};

/// Statements of one line each, for a batch.
fn statements(inspection: &str, count: usize) -> Vec<Value> {
    let line = |n| json!({ "command": "statement", "inspection": inspection, "person": "钱守业", "line": [format!("第 {n} 点：正常")] });
    (0..count).map(line).collect()
}

/// The words of a capture by camera.
fn capture<'a>(inspection: &'a str, file: &'a str) -> [&'a str; 12] {
    [
        "capture",
        inspection,
        "--file",
        file,
        "--acquisition",
        "camera",
        "--kind",
        "audio_visual",
        "--title",
        "现场照片",
        "--proves",
        "现场状况",
    ]
}

/// The operations that a tablet shows of an inspection must be all that it acknowledged: counted by what is visible.
fn visible(world: &World, n: usize, inspection: &str, what: &str) -> usize {
    let shown = world.device(n, &["show", inspection]).ok();
    shown[what].as_array().unwrap().len()
}

/// Bytes that no compression shortens, from a seed.
fn noise(mut seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&splitmix(&mut seed).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// The next number of a seed (SplitMix64, public domain by S. Vigna).
fn splitmix(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A seed for this run: that of `FIELDSEAL_SEED`, else a new one; printed so that a failure can be played again.
fn seed() -> u64 {
    let given = std::env::var("FIELDSEAL_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| {
        let mut bytes = uuid_bytes();
        bytes[0] &= 0x7f;
        u64::from_be_bytes(bytes)
    });
    println!("seed {seed}: FIELDSEAL_SEED={seed} plays it again");
    seed
}

/// Eight bytes that differ from run to run.
fn uuid_bytes() -> [u8; 8] {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id()).to_be_bytes()
}
