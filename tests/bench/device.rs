//! Areas (a) and (b): what a tablet does with no network.

use std::error::Error;

use fieldseal_tests::Folder;
use serde_json::Value;

use crate::Scale;
use crate::machine::{Rows, fdatasync_ms, quantile, sha256_seconds, store_seconds};
use crate::report::Figure;
use crate::town::{Site, Town};

/// One durable operation, through the whole device.
pub fn append(town: &Town, site: &Site, scale: &Scale) -> Result<Vec<Figure>, Box<dyn Error>> {
    let limits = [
        "SQLCipher, one row, WAL FULL",
        "SQLite, one row, WAL FULL",
        "fdatasync of 4 KiB",
    ];
    let mut p50 = Figure::new("append one statement, p50", "ms", &limits);
    let mut p99 = Figure::new("append one statement, p99", "ms", &limits);
    let mut growth = Figure::new("p50 of the last tenth / of the first tenth", "×", &[]);
    let folder = Folder::new("bench-rows");
    let mut cipher = Rows::open(folder.path(), "cipher", true)?;
    let mut plain = Rows::open(folder.path(), "plain", false)?;
    for _ in 0..scale.rounds {
        // Half of each limit before and half after, because the disk and the other programs change within seconds.
        let half = scale.appends.div_ceil(2);
        let mut limits = || -> Result<[Vec<f64>; 3], Box<dyn Error>> {
            let (cipher, plain) = (cipher.commits_ms(half)?, plain.commits_ms(half)?);
            Ok([cipher, plain, fdatasync_ms(folder.path(), half)?])
        };
        let mut beside = limits()?;
        let said = town.at_site(site, "fill", &[format!("count={}", scale.appends)]);
        for (all, later) in beside.iter_mut().zip(limits()?) {
            all.extend(later);
        }
        p50.round(
            number(&said, "p50_ms"),
            &beside.each_mut().map(|all| quantile(all, 0.5)),
        );
        p99.round(
            number(&said, "p99_ms"),
            &beside.each_mut().map(|all| quantile(all, 0.99)),
        );
        growth.round(number(&said, "last_tenth_ms") / number(&said, "first_tenth_ms"), &[]);
    }
    Ok(vec![p50, p99, growth])
}

/// Evidence: hashed, encrypted and durable in one pass, then sealed.
pub fn seal(town: &Town, site: &Site, scale: &Scale) -> Result<Vec<Figure>, Box<dyn Error>> {
    let folder = Folder::new("bench-store");
    let limits = [
        "SHA-256 of as much, one thread",
        "write, fsync, rename, fsync of the folder",
    ];
    let mut photo = Figure::new("capture and seal 5 MiB", "ms", &limits);
    let film_mib = scale.film >> 20;
    let mut film = Figure::new(format!("capture and seal {film_mib} MiB"), "MB/s", &limits);
    let mut memory = Figure::new(
        format!("peak memory of the process that captures {film_mib} MiB"),
        "MiB",
        &[],
    );
    for round in 0..scale.rounds {
        let hashed = sha256_seconds(5 << 20) * 1000.0;
        let stored = store_seconds(folder.path(), 10, 5 << 20)? * 100.0;
        let options = |count: u64, bytes: u64, kind: usize| {
            let seed = round * 10 + kind;
            [
                format!("count={count}"),
                format!("bytes={bytes}"),
                format!("seed={seed}"),
            ]
        };
        let said = town.at_site(site, "capture", &options(10, 5 << 20, 1));
        let mut taken: Vec<f64> = list(&said, "taken");
        photo.round(quantile(&mut taken, 0.5) * 1000.0, &[hashed, stored]);

        let megabytes = scale.film as f64 / 1e6;
        let hashed = megabytes / sha256_seconds(scale.film);
        let stored = megabytes / store_seconds(folder.path(), 1, scale.film)?;
        let said = town.at_site(site, "capture", &options(1, scale.film, 2));
        let taken = list(&said, "taken").first().copied().unwrap_or_default();
        film.round(megabytes / taken, &[hashed, stored]);
        memory.round(number(&said, "peak_mib"), &[]);
    }
    Ok(vec![photo, film, memory])
}

/// A number of a child's answer.
pub fn number(said: &Value, key: &str) -> f64 {
    said[key].as_f64().unwrap_or_else(|| panic!("no {key} in {said}"))
}

fn list(said: &Value, key: &str) -> Vec<f64> {
    let items = said[key].as_array().unwrap_or_else(|| panic!("no {key} in {said}"));
    items.iter().filter_map(Value::as_f64).collect()
}
