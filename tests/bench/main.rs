//! How fast the product is on this machine, each figure beside the machine's own limit of the same minute.
//!
//! Nothing here fails because it was slow; only work that went wrong ends with 1. See README.md for what the numbers mean.

#![expect(
    clippy::expect_used,
    reason = "a bench reports a broken set-up by panicking, as the harness does"
)]

mod child;
mod device;
mod machine;
mod page;
mod process;
mod proofs;
mod report;
mod search;
mod town;
mod wire;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use serde_json::{Value, json};

use crate::report::Report;
use crate::town::Town;

const USAGE: &str = "\
bench [--quick | --long] [--json] [--only AREA]

  --quick      once and small: shows that it runs, says little about speed
  --long       more rounds and more of everything
  --json       one JSON object at the end instead of the table
  --only AREA  append, seal, records, upload (with the bundle), merkle or search
";

/// How much of everything.
pub struct Scale {
    name: &'static str,
    /// Rounds of each figure.
    pub rounds: usize,
    /// Operations appended to see one append.
    pub appends: usize,
    /// Operations pushed in a round.
    pub operations: usize,
    /// Bytes of the film that is captured.
    pub film: u64,
    /// Files of 2 MiB uploaded in a round.
    pub files: usize,
    /// Leaves of the tree.
    pub leaves: u64,
    /// Cases that are searched.
    pub cases: usize,
}

const QUICK: Scale = Scale {
    name: "quick",
    rounds: 1,
    appends: 200,
    operations: 1_000,
    film: 32 << 20,
    files: 5,
    leaves: 20_000,
    cases: 10_000,
};

const USUAL: Scale = Scale {
    name: "usual",
    rounds: 3,
    appends: 2_000,
    operations: 10_000,
    film: 300 << 20,
    files: 50,
    leaves: 200_000,
    cases: 100_000,
};

const LONG: Scale = Scale {
    name: "long",
    rounds: 5,
    appends: 5_000,
    operations: 10_000,
    film: 1 << 30,
    files: 200,
    leaves: 1_000_000,
    cases: 100_000,
};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "child") {
        return match child::run(&words[1..]) {
            Ok(said) => {
                println!("{said}");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    let (mut scale, mut quiet, mut only) = (&USUAL, false, None);
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "--quick" => scale = &QUICK,
            "--long" => scale = &LONG,
            "--json" => quiet = true,
            "--only" => only = rest.next().cloned(),
            // `cargo bench` adds it.
            "--bench" => {}
            _ => {
                eprint!("{USAGE}");
                return ExitCode::from(64);
            }
        }
    }
    match measure(scale, quiet, only.as_deref()) {
        Ok(json) if quiet => println!("{json:#}"),
        Ok(_) => {}
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn measure(scale: &Scale, quiet: bool, only: Option<&str>) -> Result<Value, Box<dyn Error>> {
    let wanted = |area: &str| only.is_none_or(|only| only == area);
    let (begun, before) = (Instant::now(), machine_now());
    if !quiet {
        println!("{} run; {before}", scale.name);
        println!(
            "Ratio: ours over the limit below it. A rate: the share that is reached; a time: how many times as long."
        );
    }
    let mut report = Report::default();
    if wanted("merkle") {
        report.area("Merkle tree", proofs::merkle(scale)?, quiet);
    }
    if wanted("search") {
        // In the ledger of a server at work, whose pages are asked afterwards.
        let town = Town::found();
        let mut figures = search::search(Path::new(&town.at("server/ledger.sqlite")), scale)?;
        figures.extend(page::page(&town, scale)?);
        report.area("Search of cases", figures, quiet);
    }
    if only.is_some_and(|only| matches!(only, "merkle" | "search")) {
        return finish(report, scale, quiet, begun, &before);
    }
    let mut town = Town::found();
    if wanted("append") || wanted("seal") {
        let away = town.begin("away", "远山机械厂");
        if wanted("append") {
            report.area("Local operation", device::append(&town, &away, scale)?, quiet);
        }
        if wanted("seal") {
            report.area("Evidence", device::seal(&town, &away, scale)?, quiet);
        }
    }
    if wanted("records") {
        let much = town.begin("duty", "近水化工厂");
        town.child("duty", "push", &[]);
        let (push, pull) = wire::records(&mut town, &much, scale)?;
        report.area("Push of records", push, quiet);
        report.area("Pull of records", pull, quiet);
    }
    if wanted("upload") {
        let case = town.begin("duty", "平湖仓储公司");
        town.fill(&case, 1_000, 0);
        report.area("Upload of evidence", wire::upload(&town, &case, scale)?, quiet);
        let laptop = town.laptop();
        let bundle = town.export(&laptop, &case);
        report.area("Verification", proofs::bundle(&town, &bundle, scale)?, quiet);
    }
    finish(report, scale, quiet, begun, &before)
}

fn finish(
    mut report: Report,
    scale: &Scale,
    quiet: bool,
    begun: Instant,
    before: &str,
) -> Result<Value, Box<dyn Error>> {
    let (took, after) = (begun.elapsed().as_secs_f64(), machine_now());
    report.note(format!("{took:.0} s in all; at the end {after}"), quiet);
    Ok(report.json(json!({ "run": scale.name, "before": before, "after": after, "seconds": took })))
}

/// Processors, their kind, and how busy the machine is.
fn machine_now() -> String {
    let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let info = text("/proc/cpuinfo");
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let load: Vec<String> = text("/proc/loadavg")
        .split_whitespace()
        .take(3)
        .map(str::to_owned)
        .collect();
    format!(
        "{cpus} processors, {}, load {}",
        model.map_or("unknown", |(_, name)| name),
        load.join(" ")
    )
}
