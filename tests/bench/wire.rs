//! Areas (c), (d) and (e): a tablet and a laptop against the shipped server, over TLS on the loopback interface.

use std::error::Error;
use std::fs;

use fieldseal_tests::Folder;

use crate::Scale;
use crate::device::number;
use crate::machine::{Rows, sha256_seconds, store_seconds, verify_strict_per_second};
use crate::report::Figure;
use crate::town::{Site, Town};

/// Operations of one inspection in the pushes: a large one.
const PER_INSPECTION: usize = 500;

/// Records: push by the tablet, pull by a laptop that has seen nothing; in each round the ledger is longer.
pub fn records(town: &mut Town, site: &Site, scale: &Scale) -> Result<(Vec<Figure>, Vec<Figure>), Box<dyn Error>> {
    let count = scale.operations;
    let limits = [
        "Ed25519 verify_strict, one thread",
        "SQLite, 500 rows in a durable transaction",
    ];
    let mut acked = Figure::new(format!("push {count}: checked, durable, receipted"), "rec/s", &limits);
    let mut sealed = Figure::new("… and in the log, proof checked by the tablet", "rec/s", &limits);
    let mut cpu = Figure::new(
        format!("server's processor time for {count}"),
        "s",
        &["verify_strict of as many"],
    );
    let mut client = Figure::new("tablet's processor time, all of it", "s", &[]);
    let mut memory = Figure::new("server's peak memory", "MiB", &[]);
    let mut own_memory = Figure::new("tablet's peak memory", "MiB", &[]);
    let mut bytes = Figure::new(format!("bytes through `lo`, both ways, {count} operations"), "MB", &[]);
    let mut pulled = Figure::new("pull by a fresh laptop: verified, durable", "rec/s", &limits);
    let mut pull_memory = Figure::new("laptop's peak memory", "MiB", &[]);
    let mut pull_bytes = Figure::new("bytes through `lo` per operation pulled", "B", &[]);
    let folder = Folder::new("bench-bulk");
    let mut rows = Rows::open(folder.path(), "bulk", false)?;
    let usage = town.server_usage();
    for _ in 0..scale.rounds {
        town.fill(site, count, PER_INSPECTION);
        let beside = [verify_strict_per_second(5_000), rows.bulk_per_second(count)?];
        usage.forget_peak();
        let (used, moved) = (usage.cpu_seconds(), loopback_bytes());
        let said = town.child(site_tablet(), "push", &[]);
        let received = number(&said, "received");
        acked.round(received / number(&said, "acked_s"), &beside);
        sealed.round(received / number(&said, "seconds"), &beside);
        cpu.round(usage.cpu_seconds() - used, &[received / beside[0]]);
        bytes.round((loopback_bytes() - moved) / 1e6, &[]);
        client.round(number(&said, "cpu_s"), &[]);
        memory.round(usage.peak_mib(), &[]);
        own_memory.round(number(&said, "peak_mib"), &[]);

        let laptop = town.laptop();
        let moved = loopback_bytes();
        let said = town.child(&laptop, "sync", &[]);
        pulled.round(number(&said, "fetched") / number(&said, "seconds"), &beside);
        pull_memory.round(number(&said, "peak_mib"), &[]);
        pull_bytes.round((loopback_bytes() - moved) / number(&said, "fetched"), &[]);
    }
    Ok((
        vec![acked, sealed, cpu, client, memory, own_memory, bytes],
        vec![pulled, pull_memory, pull_bytes],
    ))
}

/// Evidence of 2 MiB each, from the vault of the tablet to the server's store, hashed on both sides.
pub fn upload(town: &Town, site: &Site, scale: &Scale) -> Result<Vec<Figure>, Box<dyn Error>> {
    let (count, each) = (scale.files, 2u64 << 20);
    let megabytes = (count as u64 * each) as f64 / 1e6;
    let limits = ["write, fsync, rename, fsync of the folder", "SHA-256, one thread"];
    let mut speed = Figure::new(format!("upload {count} × 2 MiB, receipted"), "MB/s", &limits);
    let mut cpu = Figure::new(
        format!("server's processor time for {count} × 2 MiB"),
        "s",
        &["SHA-256 of as much"],
    );
    let mut memory = Figure::new("server's peak memory", "MiB", &[]);
    let mut own_memory = Figure::new("tablet's peak memory", "MiB", &[]);
    let folder = Folder::new("bench-upload");
    let usage = town.server_usage();
    for round in 0..scale.rounds {
        let seed = 1000 + round;
        let options = [
            format!("count={count}"),
            format!("bytes={each}"),
            format!("seed={seed}"),
        ];
        town.at_site(site, "capture", &options);
        // The operations first: what is measured next are the bytes.
        town.child(site_tablet(), "push", &[]);
        let stored = store_seconds(folder.path(), count, each)?;
        let hashed = sha256_seconds(count as u64 * each);
        usage.forget_peak();
        let used = usage.cpu_seconds();
        let said = town.child(site_tablet(), "sync", &[]);
        if number(&said, "blobs") < count as f64 {
            return Err(format!("not everything was uploaded: {said}").into());
        }
        speed.round(
            megabytes / number(&said, "seconds"),
            &[megabytes / stored, megabytes / hashed],
        );
        cpu.round(usage.cpu_seconds() - used, &[hashed]);
        memory.round(usage.peak_mib(), &[]);
        own_memory.round(number(&said, "peak_mib"), &[]);
    }
    Ok(vec![speed, cpu, memory, own_memory])
}

fn site_tablet() -> &'static str {
    "duty"
}

/// Bytes that the loopback interface has carried; what other programs send there counts too.
fn loopback_bytes() -> f64 {
    let table = fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let line = table.lines().find_map(|line| line.trim().strip_prefix("lo:"));
    let first = line.and_then(|line| line.split_whitespace().next());
    first.and_then(|bytes| bytes.parse().ok()).unwrap_or_default()
}
