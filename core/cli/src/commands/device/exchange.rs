//! Enrolment and sync from the shell.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use fieldseal_core::catalogue::Param;
use fieldseal_core::clock::REPORTED_JUMP_MS;
use fieldseal_core::device::{
    DeviceError, EnrolmentRound, FieldDevice, Network, RescueReport, RescueTarget, VisitOptions,
};
use fieldseal_core::sync::limits::IDLE_TIMEOUT;
use fieldseal_core::sync::{Alarm, Ending, Fault, Progress, SyncReport};
use fieldseal_core::watch::Watcher;
use fieldseal_proof::suite::Suite;
use fieldseal_transport::enrol::EnrolmentError;
use fieldseal_transport::{Cancel, enrol, visit_with};
use serde_json::{Value, json};

use crate::desk::{Desk, ports};
use crate::failure::{FAILED, Failure, LATER, NO_SPACE};
use crate::shell::{Outcome, Shell, Tone};

#[derive(Debug, Args)]
pub struct EnrolArgs {
    /// The administrator's text
    #[arg(long)]
    text: String,
    /// Suite of the operation key
    #[arg(long, default_value = "ed25519", value_parser = ["ed25519", "p256"])]
    key: String,
    /// What the device is called (default: as the administrator named it)
    #[arg(long)]
    label: Option<String>,
}

#[derive(Debug, Args)]
pub struct OfficerAddArgs {
    #[arg(long)]
    name: String,
    /// Certificate number
    #[arg(long)]
    certificate: String,
    #[arg(long, default_value = "officer")]
    role: String,
}

#[derive(Debug, Args)]
pub struct SyncArgs {
    /// Goes on until nothing waits any more, at most this long
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u64>,
    /// Records only; evidence waits
    #[arg(long, value_name = "PLANE", value_parser = ["records"])]
    only: Option<String>,
    /// Silence after which the line counts as dead; longer for a satellite, shorter where it is good
    #[arg(long, value_name = "SECONDS", default_value_t = IDLE_TIMEOUT.as_secs(), value_parser = clap::value_parser!(u64).range(1..=600))]
    silence: u64,
    /// Charge of the battery, told to the server with the device's health
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    battery: Option<u8>,
    /// What the network is; on a metered one sound and films wait (`send-rules`). Without it nothing waits
    #[arg(long, value_name = "KIND", value_parser = ["metered", "unmetered"])]
    network: Option<String>,
    /// The device is being charged; only together with --network
    #[arg(long, requires = "network")]
    charging: bool,
}

impl SyncArgs {
    fn network(&self) -> Network {
        match &self.network {
            None => Network::default(),
            Some(kind) => Network {
                metered: kind == "metered",
                charging: self.charging,
            },
        }
    }
}

/// Makes the device and sends its request.
pub fn enrol_device(shell: &Shell, folder: &Path, args: &EnrolArgs) -> Result<Outcome, Failure> {
    let suite = if args.key == "p256" {
        Suite::P256
    } else {
        Suite::Ed25519
    };
    let device = FieldDevice::create(folder, &args.text, suite, args.label.as_deref(), ports(shell)?.0)?;
    let identity = device.identity();
    let fingerprint = device.enrolment()?.operation.fingerprint();
    let sent = enrol::enrol(&device, &Cancel::default());
    let mut outcome = Outcome::new(json!({
        "device": identity.device.to_string(), "incarnation": identity.incarnation.to_string(),
        "role": identity.role.as_str(), "label": identity.label, "fingerprint": fingerprint,
        "request": device.enrolment_request(),
    }))
    .line(format!(
        "{}  {}",
        shell.tone(Tone::Strong, &identity.label),
        identity.device
    ))
    .line(shell.text("fingerprint_compare", &[("fingerprint", Param::text(fingerprint))]));
    if let Err(error) = sent {
        let failure = failure_of(error);
        // The keys are made and stay; only a network that is not there may come later.
        if failure.exit() != LATER {
            return Err(failure);
        }
        outcome = outcome.line(failure.text(shell.lang));
    }
    Ok(outcome)
}

/// Makes an officer's key under a PIN and sends the request, when there is a network.
pub fn officer_add(desk: &Desk<'_>, args: &OfficerAddArgs) -> Result<Outcome, Failure> {
    let shell = desk.shell;
    let record = desk
        .device
        .officer_add(&args.name, &args.certificate, &args.role, &shell.pin()?)?;
    let sent = enrol::enrol(&desk.device, &Cancel::default()).map_err(failure_of);
    let request = desk.device.officer(&record.certificate)?.request;
    let fingerprint = record.key.fingerprint();
    let mut outcome = Outcome::new(json!({
        "officer": record.officer.to_string(), "request": request, "fingerprint": fingerprint,
        "certificate": record.certificate,
    }))
    .line(format!("{}  {}  {}", record.name, record.certificate, record.officer))
    .line(shell.text("fingerprint_compare", &[("fingerprint", Param::text(fingerprint))]));
    if let Err(failure) = sent {
        outcome = outcome.line(failure.text(shell.lang));
    }
    Ok(outcome)
}

/// A visit to the server.
pub fn sync(desk: &Desk<'_>, args: &SyncArgs) -> Result<Outcome, Failure> {
    let shell = desk.shell;
    let options = VisitOptions {
        only_records: args.only.is_some(),
        patience: args.wait.map(Duration::from_secs),
        network: args.network(),
    };
    if let Some(percent) = args.battery {
        desk.device.tell_battery(percent);
    }
    let mut shown = |progress: &Progress| shell.progress(&progress_line(shell, progress));
    let silence = Duration::from_secs(args.silence);
    let visited = visit_with(&desk.device, options, silence, &mut shown, &Cancel::default());
    shell.progress_over();
    let report = visited?;
    if let Some(refused) = report.enrolment.refused {
        return Err(Failure::new("enrolment_refused", refused.params()));
    }
    // A further life that waits for approval has fetched what the server has of the earlier ones, and offered what they left.
    let waits = !report.enrolment.approved && report.sync.ending == Ending::Done;
    if waits && !desk.device.enrolled_earlier() {
        let json = json!({ "state": "done", "approved": false, "sent": 0, "received": 0 });
        return Ok(Outcome::new(json).line(awaiting(desk)?));
    }
    let outcome = told(shell, &desk.device, &report.sync, &report.enrolment);
    Ok(match waits {
        true => outcome.line(awaiting(desk)?),
        false => outcome,
    })
}

/// What is said while an administrator has not approved the present life's key.
fn awaiting(desk: &Desk<'_>) -> Result<String, Failure> {
    let fingerprint = Param::text(desk.device.operation_key()?.0.fingerprint());
    let code = match desk.device.enrolled_earlier() {
        true => "new_life_awaits",
        false => "awaiting_approval",
    };
    Ok(desk.shell.text(code, &[("fingerprint", fingerprint)]))
}

fn told(shell: &Shell, device: &FieldDevice, report: &SyncReport, round: &EnrolmentRound) -> Outcome {
    let waiting = report.waiting;
    let (state, exit, line) = match &report.ending {
        Ending::Done => {
            let params = [
                ("received", Param::Count(report.received)),
                ("logged", Param::Count(report.sealed)),
                ("left", Param::Count(waiting.operations + waiting.blobs)),
            ];
            ("done", 0, shell.text("sync_done", &params))
        }
        Ending::Stopped(Fault::Offline(_) | Fault::Busy { .. }) => {
            let count = ("count", Param::Count(waiting.operations + waiting.blobs));
            ("offline", LATER, shell.text("offline", &[count]))
        }
        Ending::Stopped(Fault::Paused) => ("paused", LATER, shell.text("token_refused", &[])),
        Ending::Stopped(Fault::Cancelled) => ("cancelled", LATER, shell.text("sync_cancelled", &[])),
        Ending::Stopped(fault) => {
            let failure = Failure::from(fault.clone());
            ("failed", failure.exit(), failure.text(shell.lang))
        }
    };
    let fault = match &report.ending {
        Ending::Done => None,
        Ending::Stopped(fault) => Some(json!({ "code": fault.code(), "detail": fault.to_string() })),
    };
    let json = json!({
        "state": state, "fault": fault, "approved": round.approved, "server": device.card().url,
        "sent": report.received + round.sent, "received": report.received, "duplicates": report.duplicates,
        "fetched": report.fetched, "sealed": report.sealed, "log_size": report.log_size, "packs": report.packs,
        "blobs_sent": report.blobs, "bytes_sent": report.blob_bytes, "cuts": report.cuts,
        "new_epoch": report.new_epoch, "new_life": report.new_life, "alarms": report.alarms.iter().map(alarm_json).collect::<Vec<_>>(),
        "clock_skew_ms": report.clock_skew_ms,
        "waiting": {
            "operations": waiting.operations, "unsealed": waiting.unsealed, "blobs": waiting.blobs,
            "bytes": waiting.blob_bytes,
        },
        "held_back": { "files": report.held.blobs, "bytes": report.held.bytes },
    });
    let mut outcome = Outcome {
        exit,
        ..Outcome::new(json).line(line)
    };
    if report.held.blobs > 0 {
        let held = [
            ("count", Param::Count(report.held.blobs)),
            ("bytes", Param::Bytes(report.held.bytes)),
        ];
        outcome = outcome.line(shell.text("send.held_back", &held));
    }
    let skew = report.clock_skew_ms.map_or(0, i64::unsigned_abs);
    if skew > REPORTED_JUMP_MS {
        outcome = outcome.line(shell.text("clock_skew", &[("span", Param::Span(skew))]));
    }
    if report.new_life {
        outcome = outcome.line(shell.text("life_ended", &[]));
    }
    for alarm in &report.alarms {
        outcome = outcome.line(format!("  {}: {}", alarm.code(), alarm_json(alarm)));
    }
    outcome
}

fn alarm_json(alarm: &Alarm) -> Value {
    let mut json = match alarm {
        Alarm::OperationRefused { seq, code } => json!({ "seq": seq, "why": code }),
        Alarm::Forked { seq } => json!({ "seq": seq }),
        Alarm::Unverified { index, why } => json!({ "index": index, "why": why }),
        Alarm::LogContradiction { held, offered, note } => {
            json!({ "held": held, "offered": offered, "note": String::from_utf8_lossy(note) })
        }
        Alarm::LogBehind { held, offered } => json!({ "held": held, "offered": offered }),
        Alarm::PackRefused { pack, why } => json!({ "pack": pack, "why": why }),
        Alarm::TimeNoteRefused { why } => json!({ "why": why }),
        Alarm::NotInLog { seq, index } => json!({ "seq": seq, "index": index }),
        Alarm::BlobRefused { sha256, code } => json!({ "sha256": sha256, "why": code }),
    };
    json["code"] = alarm.code().into();
    json
}

fn progress_line(shell: &Shell, progress: &Progress) -> String {
    let bytes = |bytes: u64| Param::Bytes(bytes).shown(shell.lang);
    match progress.step {
        "blobs" => {
            let sent = progress.sent_bytes + progress.moving_bytes;
            let line = format!(
                "{}  {} / {}",
                shell.say("上传", "sending"),
                bytes(sent),
                bytes(progress.total_bytes)
            );
            match (progress.bytes_per_s, progress.left_ms()) {
                (Some(rate), Some(left)) => {
                    let left = Param::Span(left).shown(shell.lang);
                    let words = shell.say("还需约", "about");
                    format!("{line}  {}/s  {words} {left}", bytes(rate))
                }
                _ => line,
            }
        }
        step => format!("{}  {step}  {}", shell.say("同步", "sync"), progress.waiting.operations),
    }
}

/// Writes what the server has not receipted to a stick.
pub fn rescue(desk: &Desk<'_>, out: &Path) -> Result<Outcome, Failure> {
    rescued_to(desk, out, |target, watcher| desk.device.rescue(target, watcher))
}

/// Has a rescue file written into a new file, and says what came along.
pub fn rescued_to(
    desk: &Desk<'_>,
    out: &Path,
    write: impl FnOnce(&mut dyn RescueTarget, &mut Watcher<'_>) -> Result<RescueReport, DeviceError>,
) -> Result<Outcome, Failure> {
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(out);
    let mut file = file.map_err(|error| Failure::file(out, &error))?;
    let mut meter = desk.shell.meter("救援文件", "rescue");
    let report = write(&mut file, &mut |moved| meter.moved(moved))?;
    file.sync_all().map_err(|error| Failure::file(out, &error))?;
    drop(meter);
    let left_out = report.left_out.iter();
    let left_out: Vec<Value> = left_out
        .map(|left| json!({ "what": left.what, "size": left.size, "code": left.code }))
        .collect();
    let mut outcome = Outcome::default();
    for left in &left_out {
        outcome = outcome.line(format!("  {left}"));
    }
    let counted = [
        ("left", Param::Count(left_out.len() as u64)),
        ("count", Param::Count(report.operations)),
        ("drafts", Param::Count(report.drafts)),
        ("bytes", Param::Bytes(report.bytes)),
    ];
    outcome.json = json!({
        "file": out, "operations": report.operations, "drafts": report.drafts, "requests": report.requests,
        "blobs": report.blobs, "bytes": report.bytes, "left_out": left_out,
    });
    // Part of what there is on a stick is better than nothing, and less than was asked for.
    Ok(match left_out.is_empty() {
        true => outcome.line(desk.shell.text("rescue_written", &counted)),
        false => Outcome {
            exit: match report.left_out.iter().any(|left| left.code == "storage_full") {
                true => NO_SPACE,
                false => FAILED,
            },
            ..outcome.line(desk.shell.text("rescue_partial", &counted))
        },
    })
}

fn failure_of(error: EnrolmentError) -> Failure {
    match error {
        EnrolmentError::Fault(fault) => fault.into(),
        EnrolmentError::SetUp(error) => error.into(),
        EnrolmentError::Refused(refused) => Failure::new("enrolment_refused", refused.params()),
    }
}
