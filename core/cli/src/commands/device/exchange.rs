//! Enrolment and sync from the shell.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use fieldseal_core::catalogue::Param;
use fieldseal_core::device::{FieldDevice, SyncPort};
use fieldseal_core::keyring::Role;
use fieldseal_core::sync::{Alarm, Ending, Fault, Progress, SyncOptions, SyncReport};
use fieldseal_proof::suite::Suite;
use fieldseal_transport::enrol::{EnrolmentError, EnrolmentRound};
use fieldseal_transport::{Caller, Cancel, enrol, sync_once, sync_wait};
use serde_json::{Value, json};

use crate::desk::{Desk, ports};
use crate::failure::{Failure, LATER};
use crate::shell::{Outcome, Shell, Tone};

/// Numbers of one form that a tablet keeps in stock, and how many it asks for at a time.
const NUMBERS_LEAST: u64 = 20;
const NUMBERS_LEASED: u64 = 100;
/// How long a sync waits for the log to take in what it has just sent.
const SEAL_PATIENCE_S: u64 = 5;

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

/// A session with the server.
pub fn sync(desk: &Desk<'_>, args: &SyncArgs) -> Result<Outcome, Failure> {
    let shell = desk.shell;
    let cancel = Cancel::default();
    let options = SyncOptions {
        only_records: args.only.is_some(),
        poll_s: 0,
    };
    let round = match enrol::enrol(&desk.device, &cancel) {
        Ok(round) => round,
        Err(EnrolmentError::Fault(fault)) => {
            return Ok(told(
                shell,
                &desk.device,
                &stopped(&desk.device, fault)?,
                EnrolmentRound::default(),
            ));
        }
        Err(other) => return Err(failure_of(other)),
    };
    if !round.approved {
        let json = json!({ "state": "done", "approved": false, "sent": 0, "received": 0 });
        return Ok(Outcome::new(json).line(shell.text("awaiting_approval", &[])));
    }
    let device = Arc::clone(&desk.device);
    let run = |options: SyncOptions, wait: Option<u64>| -> Result<SyncReport, Failure> {
        let endpoint = enrol::endpoint(&device);
        let mut port = SyncPort::new(Arc::clone(&device));
        let mut shown = |progress: &Progress| shell.progress(&progress_line(shell, progress));
        let report = match wait {
            Some(seconds) => {
                let patience = Duration::from_secs(seconds);
                sync_wait(&mut port, &endpoint, options, patience, &mut shown, &cancel)
            }
            None => sync_once(&mut port, &endpoint, options, &mut shown, &cancel),
        };
        shell.progress_over();
        Ok(report?)
    };
    let mut report = run(options.clone(), args.wait)?;
    if args.wait.is_none() && report.ending == Ending::Done && report.waiting.unsealed > 0 {
        // What was received a moment ago is about to be sequenced; a short look saves the next sync.
        let sealed = run(options, Some(SEAL_PATIENCE_S))?;
        report = SyncReport {
            sealed: report.sealed + sealed.sealed,
            fetched: report.fetched + sealed.fetched,
            waiting: sealed.waiting,
            log_size: sealed.log_size,
            ..report
        };
    }
    choose_pack(&device)?;
    if report.ending == Ending::Done && lease_numbers(&device, &cancel)? {
        let records = SyncOptions {
            only_records: true,
            poll_s: 0,
        };
        let leased = run(records, Some(SEAL_PATIENCE_S))?;
        report.fetched += leased.fetched;
        report.received += leased.received;
        report.sealed += leased.sealed;
        report.waiting = leased.waiting;
    }
    Ok(told(
        shell,
        &device,
        &report,
        EnrolmentRound {
            approved: true,
            ..round
        },
    ))
}

/// The report of a session that could not even begin.
fn stopped(device: &FieldDevice, fault: Fault) -> Result<SyncReport, Failure> {
    let pending = device.status()?.pending;
    let mut report = SyncReport {
        ending: Ending::Stopped(fault),
        ..SyncReport::default()
    };
    report.waiting.operations = pending.waiting;
    report.waiting.unsealed = pending.received;
    report.waiting.blobs = pending.blobs;
    report.waiting.blob_bytes = pending.blob_bytes;
    Ok(report)
}

fn told(shell: &Shell, device: &FieldDevice, report: &SyncReport, round: EnrolmentRound) -> Outcome {
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
        "new_epoch": report.new_epoch, "alarms": report.alarms.iter().map(alarm_json).collect::<Vec<_>>(),
        "waiting": {
            "operations": waiting.operations, "unsealed": waiting.unsealed, "blobs": waiting.blobs,
            "bytes": waiting.blob_bytes,
        },
    });
    let mut outcome = Outcome {
        exit,
        ..Outcome::new(json).line(line)
    };
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
            format!(
                "{}  {} / {}",
                shell.say("上传", "sending"),
                bytes(sent),
                bytes(progress.total_bytes)
            )
        }
        step => format!("{}  {step}  {}", shell.say("同步", "sync"), progress.waiting.operations),
    }
}

/// Until somebody chooses, the pack in force is the first by name of those held.
fn choose_pack(device: &FieldDevice) -> Result<(), Failure> {
    let store = device.store();
    if store.fact("pack_chosen")?.is_some() {
        return Ok(());
    }
    if let Some((_, hash)) = super::read::packs(device)?.into_iter().next() {
        store.use_pack(hash)?;
    }
    Ok(())
}

/// Asks for numbers of each series that runs low. True when some were leased: they come with the feed.
fn lease_numbers(device: &FieldDevice, cancel: &Cancel) -> Result<bool, Failure> {
    if device.identity().role != Role::Tablet {
        return Ok(false);
    }
    let Ok(pack) = device.pack() else { return Ok(false) };
    let year = u64::try_from(device.today(&pack).date().year()).unwrap_or_default();
    let mut leased = false;
    let caller = Caller::open(&enrol::endpoint(device), cancel.clone())?;
    let mut forms: Vec<&str> = pack
        .documents()
        .iter()
        .filter_map(|document| document.number.as_deref())
        .collect();
    forms.sort_unstable();
    forms.dedup();
    for form in forms {
        let wanted = pack.series(form).is_some_and(|series| series.leased);
        if !wanted || device.store().numbers_left(form, year)? >= NUMBERS_LEAST {
            continue;
        }
        match caller.post(
            "/v1/numbers/lease",
            &json!({ "form": form, "year": year, "count": NUMBERS_LEASED }),
        ) {
            Ok(_) => leased = true,
            // Without numbers the forms print their blank; nothing else waits for them.
            Err(Fault::Offline(_) | Fault::Busy { .. } | Fault::Refused { .. }) => {}
            Err(other) => return Err(other.into()),
        }
    }
    Ok(leased)
}

/// Writes what the server has not receipted to a stick.
pub fn rescue(desk: &Desk<'_>, out: &PathBuf) -> Result<Outcome, Failure> {
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(out);
    let mut file = std::io::BufWriter::new(file.map_err(|error| Failure::file(out, &error))?);
    let report = desk.device.rescue(&mut file)?;
    let file = file.into_inner().map_err(|error| Failure::file(out, error.error()))?;
    file.sync_all().map_err(|error| Failure::file(out, &error))?;
    let json = json!({ "file": out, "operations": report.operations, "blobs": report.blobs, "bytes": report.bytes });
    let params = [
        ("path", Param::text(out.display().to_string())),
        ("count", Param::Count(report.operations)),
        ("bytes", Param::Bytes(report.bytes)),
    ];
    Ok(Outcome::new(json).line(desk.shell.text("rescue_written", &params)))
}

fn failure_of(error: EnrolmentError) -> Failure {
    match error {
        EnrolmentError::Fault(fault) => fault.into(),
        EnrolmentError::SetUp(error) => error.into(),
        EnrolmentError::Refused(request) => Failure::new("enrolment_refused", [("request", Param::text(request))]),
    }
}
