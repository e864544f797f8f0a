//! Work in a process of its own: this program starts itself, so that peak memory and processor time are of that work alone.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use fieldseal_core::clock::SystemClock;
use fieldseal_core::device::{
    FieldDevice, NewEnterprise, NewEvidence, NewInspection, NewStatement, Ports, VisitOptions,
};
use fieldseal_core::random::OsRandom;
use fieldseal_core::sync::Ending;
use fieldseal_core::vault::FileSystem;
use fieldseal_proof::ids::InspectionId;
use fieldseal_transport::{Cancel, enrol, visit};
use serde_json::{Value, json};

use crate::machine::{noise, quantile, seconds};
use crate::process::Usage;

type Done = Result<Value, Box<dyn Error>>;

/// What is said at a site visit, of ordinary length.
const LINE: &str =
    "问：现场发现的疏散通道堵塞是否属实？答：属实，货架是上周临时摆放的，今天下午之前搬走，以后每天巡查并做记录。";

/// The words after `child`: a verb, then `name=value`.
pub fn run(words: &[String]) -> Done {
    let options: BTreeMap<&str, &str> = words.iter().filter_map(|word| word.split_once('=')).collect();
    let get = |name: &str| options.get(name).copied().ok_or(format!("child: {name} is missing"));
    let (device, opening_s) = open(Path::new(get("dir")?))?;
    let mut said = match words.first().map(String::as_str) {
        Some("fill") => {
            let each = get("each").unwrap_or("0").parse()?;
            let each = Each {
                count: each,
                officer: get("officer")?,
            };
            fill(&device, inspection(&device, &get)?, get("count")?.parse()?, &each)
        }
        Some("capture") => {
            let seed: u64 = get("seed")?.parse()?;
            capture(
                &device,
                inspection(&device, &get)?,
                get("count")?.parse()?,
                get("bytes")?.parse()?,
                seed,
            )
        }
        Some("push") => exchange(&device, true),
        Some("sync") => exchange(&device, false),
        other => Err(format!("child: {other:?} is no verb").into()),
    }?;
    said["opening_s"] = opening_s.into();
    said["peak_mib"] = Usage::own().peak_mib().into();
    said["cpu_s"] = Usage::own().cpu_seconds().into();
    Ok(said)
}

fn open(folder: &Path) -> Result<(Arc<FieldDevice>, f64), Box<dyn Error>> {
    let random = Arc::new(OsRandom);
    let ports = Ports {
        clock: Arc::new(SystemClock::new(&*random)?),
        random,
        space: Arc::new(FileSystem),
        wait_ms: 5_000,
        platform: None,
    };
    let (took, opened) = seconds(|| FieldDevice::open(folder, ports));
    Ok((Arc::new(opened?.0), took))
}

/// Unlocks the officer and gives the inspection of the words.
fn inspection<'a>(
    device: &FieldDevice,
    get: &dyn Fn(&str) -> Result<&'a str, String>,
) -> Result<InspectionId, Box<dyn Error>> {
    device.unlock(get("officer")?, get("pin")?)?;
    Ok(get("inspection")?.parse()?)
}

/// After how many operations a new inspection is begun (0: never), and by whom.
struct Each<'a> {
    count: usize,
    officer: &'a str,
}

/// Statements of one line, each a durable operation, as an inspector writes them.
fn fill(device: &FieldDevice, mut inspection: InspectionId, count: usize, each: &Each<'_>) -> Done {
    let mut taken = Vec::with_capacity(count);
    let begun = Instant::now();
    for n in 0..count {
        if each.count > 0 && n % each.count == 0 {
            inspection = next_inspection(device, each.officer)?;
        }
        let line = format!("{n}. {LINE}");
        let said = NewStatement {
            person: "钱守业",
            role: "现场负责人",
            lines: &[&line],
            ..NewStatement::default()
        };
        let (took, done) = seconds(|| device.statement(inspection, &said));
        done?;
        taken.push(took * 1000.0);
    }
    let all = begun.elapsed().as_secs_f64();
    let tenth = (count / 10).max(1);
    let (mut first, mut last) = (taken[..tenth].to_vec(), taken[count - tenth..].to_vec());
    Ok(json!({
        "seconds": all, "p50_ms": quantile(&mut taken, 0.5), "p99_ms": quantile(&mut taken, 0.99),
        "first_tenth_ms": quantile(&mut first, 0.5), "last_tenth_ms": quantile(&mut last, 0.5),
    }))
}

/// An inspection of an enterprise that nobody knew.
fn next_inspection(device: &FieldDevice, officer: &str) -> Result<InspectionId, Box<dyn Error>> {
    let new = NewEnterprise {
        name: "近水化工厂",
        ..NewEnterprise::default()
    };
    let pack = device.pack()?;
    let items: Vec<&str> = pack.items().iter().take(1).map(|item| item.id.as_str()).collect();
    let new = NewInspection {
        enterprise: Some(device.enterprise_add(&new)?.0),
        title: "年度检查",
        items: &items,
        certificates: &[officer],
        ..NewInspection::default()
    };
    Ok(device.begin(&new)?.1)
}

/// A stream of a camera's kind: bytes that do not compress, none of them held.
struct Camera {
    chunk: Vec<u8>,
    left: u64,
    at: usize,
}

impl Read for Camera {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let most = into.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let part = most.min(self.chunk.len() - self.at);
        into[..part].copy_from_slice(&self.chunk[self.at..self.at + part]);
        self.at = (self.at + part) % self.chunk.len();
        self.left -= part as u64;
        Ok(part)
    }
}

/// Evidence of `bytes` each, streamed into the vault and sealed.
fn capture(device: &FieldDevice, inspection: InspectionId, count: u64, bytes: u64, seed: u64) -> Done {
    let mut taken = Vec::new();
    for n in 0..count {
        let mut camera = Camera {
            // Another content each time, or the evidence would be the same.
            chunk: noise((1 << 20) - 7, seed.wrapping_mul(1_000_003).wrapping_add(n)),
            left: bytes,
            at: 0,
        };
        let title = format!("现场照片 {n}");
        let new = NewEvidence {
            acquisition: "camera",
            kind: "audio_visual",
            title: &title,
            proves: "现场状况",
            ..NewEvidence::default()
        };
        let (took, captured) = seconds(|| device.capture(inspection, &mut camera, &new));
        if captured?.size != bytes {
            return Err("the capture is shorter than its source".into());
        }
        taken.push(took);
    }
    Ok(json!({ "taken": taken }))
}

/// Exchanges everything with the server. With `push`, `acked_s` says when no operation waited for its receipt any more.
fn exchange(device: &Arc<FieldDevice>, push: bool) -> Done {
    let cancel = Cancel::default();
    if !enrol::enrol(device, &cancel)?.approved {
        return Err("the device is not approved".into());
    }
    let options = VisitOptions {
        only_records: push,
        patience: push.then_some(std::time::Duration::from_secs(120)),
        ..VisitOptions::default()
    };
    let begun = Instant::now();
    let (mut pushing, mut acked) = (false, None);
    let mut steps: Vec<(&str, f64)> = Vec::new();
    let mut progress = |at: &fieldseal_core::sync::Progress| {
        let now = begun.elapsed().as_secs_f64();
        pushing |= at.step == "push";
        if pushing && at.waiting.operations == 0 {
            acked.get_or_insert(now);
        }
        if steps.last().is_none_or(|(step, _)| *step != at.step) {
            steps.push((at.step, now));
        }
    };
    // The whole visit of the shipped program, with its look at what the log has taken in and its stock of numbers.
    let report = visit(device, options, &mut progress, &cancel)?.sync;
    let all = begun.elapsed().as_secs_f64();
    if report.ending != Ending::Done || !report.alarms.is_empty() {
        return Err(format!("the sync ended otherwise: {report:?}").into());
    }
    Ok(json!({
        "seconds": all, "acked_s": acked, "received": report.received, "sealed": report.sealed, "fetched": report.fetched,
        "blobs": report.blobs, "bytes": report.blob_bytes, "steps": steps,
        "left": report.waiting.operations + report.waiting.blobs,
    }))
}
