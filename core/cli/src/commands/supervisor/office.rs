//! What a supervisor decides and sends.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use fieldseal_core::catalogue::Param;
use fieldseal_core::device::{NewInspection, RescueReader, RescueRecord};
use fieldseal_core::sync::Fault;
use fieldseal_core::sync::limits::{PUSH_BYTES, PUSH_OPERATIONS};
use fieldseal_core::sync::message::Expect;
use fieldseal_proof::checkpoint::Checkpoint;
use fieldseal_proof::hash::sha256;
use fieldseal_proof::ids::{CaseId, DeviceId, EnterpriseId, IncarnationId, InspectionId, OpId, to_hex};
use fieldseal_proof::note::SignedNote;
use fieldseal_proof::operation::Operation;
use fieldseal_transport::{Caller, Cancel, enrol};
use serde_json::json;

use super::rescued::Rescued;
use super::{Assign, Decide, Decision, Freeze, Join, Return, Settle};
use crate::commands::device::verbs::{Attest, Verb};
use crate::commands::device::write::{self, id, made};
use crate::desk::Desk;
use crate::failure::Failure;
use crate::files;
use crate::shell::Outcome;

/// Carries a decision out. `officer` is the certificate number of the supervisor.
pub fn run(desk: &Desk<'_>, officer: Option<&str>, decision: Decision) -> Result<Outcome, Failure> {
    if let Some(certificate) = officer {
        desk.at_work(certificate)?;
    }
    match decision {
        Decision::Assign(args) => assign(desk, &args),
        Decision::Decide(args) => decide(desk, &args),
        Decision::Join(args) => join(desk, &args),
        Decision::Return(args) => send_back(desk, &args),
        Decision::Quarantine(args) => settle(desk, &args),
        Decision::Freeze(args) => freeze(desk, &args),
        Decision::Attest(args) => attest(desk, officer, args),
    }
}

fn assign(desk: &Desk<'_>, args: &Assign) -> Result<Outcome, Failure> {
    let enterprise = named_enterprise(desk, &args.enterprise)?;
    let devices = args
        .device
        .iter()
        .map(|device| id(device))
        .collect::<Result<Vec<DeviceId>, _>>()?;
    let pack = desk.device.pack()?;
    let items: Vec<&str> = match args.items.as_slice() {
        [] => pack.items().iter().map(|item| item.id.as_str()).collect(),
        chosen => chosen.iter().map(String::as_str).collect(),
    };
    let name = desk.device.enterprise(enterprise)?.name.unwrap_or_default();
    let officers: Vec<&str> = args.officers.iter().map(String::as_str).collect();
    let (case, inspection, operation) = desk.device.assign(&NewInspection {
        enterprise: Some(enterprise),
        title: args.title.as_deref().unwrap_or(&name),
        place: args.place.as_deref().unwrap_or_default(),
        planned: args.planned.as_deref(),
        remark: args.remark.as_deref().unwrap_or_default(),
        certificates: &officers,
        devices: &devices,
        items: &items,
    })?;
    let mut outcome = made(desk, inspection, operation);
    outcome.json["case"] = case.to_string().into();
    Ok(outcome)
}

/// An enterprise by its id, or by its exact name; of several with one name the one that stands first by id.
fn named_enterprise(desk: &Desk<'_>, text: &str) -> Result<EnterpriseId, Failure> {
    if let Ok(enterprise) = text.parse() {
        return Ok(enterprise);
    }
    let rows = desk.device.enterprises(Some(text))?;
    let found = rows
        .iter()
        .filter(|row| row.name.as_deref() == Some(text))
        .filter_map(|row| row.enterprise)
        .min();
    found.ok_or_else(|| Failure::new("not_found", [("what", Param::text(text))]))
}

/// The value is one of those in conflict, or a new text.
fn decide(desk: &Desk<'_>, args: &Decide) -> Result<Outcome, Failure> {
    let operation = desk
        .device
        .decide_conflict(id(&args.case)?, &args.path, &args.value, &args.reason)?;
    Ok(made(desk, &args.path, operation))
}

fn join(desk: &Desk<'_>, args: &Join) -> Result<Outcome, Failure> {
    let keep: EnterpriseId = id(&args.keep)?;
    let operation = desk.device.join(keep, id(&args.other)?, &args.reason)?;
    Ok(made(desk, keep, operation))
}

fn send_back(desk: &Desk<'_>, args: &Return) -> Result<Outcome, Failure> {
    let inspection: InspectionId = id(&args.inspection)?;
    let items: Vec<&str> = args.items.iter().map(String::as_str).collect();
    let operation = desk.device.return_inspection(inspection, &args.reason, &items)?;
    Ok(made(desk, inspection, operation))
}

fn settle(desk: &Desk<'_>, args: &Settle) -> Result<Outcome, Failure> {
    let target: OpId = id(&args.operation)?;
    let release = match args.decision.as_str() {
        "release" => true,
        "keep" => false,
        other => {
            let params = [("option", Param::text("decision")), ("value", Param::text(other))];
            return Err(Failure::usage("usage.choice", params));
        }
    };
    let operation = desk.device.decide_quarantine(target, release, &args.reason)?;
    Ok(made(desk, target, operation))
}

fn freeze(desk: &Desk<'_>, args: &Freeze) -> Result<Outcome, Failure> {
    let case: CaseId = id(&args.case)?;
    let operation = desk.device.freeze(case, &args.reason)?;
    Ok(made(desk, case, operation))
}

fn attest(desk: &Desk<'_>, officer: Option<&str>, args: Attest) -> Result<Outcome, Failure> {
    write::run(desk, officer, Verb::Attest(args))
}

/// Has the server make the bundle, keeps the zip beside the folder and unpacks it.
/// `at` is the size of an earlier checkpoint, or a file that holds it.
pub fn export(desk: &Desk<'_>, case: &str, at: Option<&str>, out: &Path) -> Result<Outcome, Failure> {
    let case: CaseId = id(case)?;
    let at = at.map(checkpoint_size).transpose()?;
    files::empty_folder(out)?;
    let zip_path = out.with_extension("zip");
    let file = File::create_new(&zip_path).map_err(|error| Failure::file(&zip_path, &error))?;
    let caller = Caller::open(&enrol::endpoint(&desk.device), Cancel::default())?;
    let asked = at.map_or_else(String::new, |size| format!("?at={size}"));
    let path = format!("/v1/cases/{case}/export{asked}");
    let mut shown = |bytes: u64| desk.shell.progress(&Param::Bytes(bytes).shown(desk.shell.lang));
    let saved = caller.save(&path, "application/zip", file, &mut shown);
    desk.shell.progress_over();
    // Of a bundle that did not come whole nothing is left, so that the next try finds an empty place.
    let whole = saved
        .map_err(|fault| match fault {
            Fault::Refused { status: 404, .. } => Failure::new("not_found", [("what", Param::text(case.to_string()))]),
            Fault::Refused { status: 422, code, .. } => {
                Failure::new(code, [("size", Param::Count(at.unwrap_or_default()))])
            }
            other => other.into(),
        })
        .and_then(|bytes| Ok((bytes, unpack(&zip_path, out)?)));
    let (bytes, count) = whole.inspect_err(|_| {
        let _ = std::fs::remove_file(&zip_path);
        let _ = std::fs::remove_dir_all(out);
    })?;
    let tag_manifest = files::read(&out.join("tagmanifest-sha256.txt"))?;
    let checkpoint = checkpoint_in(&out.join("data/checkpoint"))?;
    let params = [
        ("path", Param::text(out.display().to_string())),
        (
            "count",
            Param::Count(std::fs::read_dir(out.join("data/operations")).map_or(0, |entries| entries.count() as u64)),
        ),
        ("files", Param::Count(count)),
    ];
    Ok(Outcome::new(json!({
        "bundle": out, "zip": zip_path, "tag_manifest_sha256": to_hex(&sha256(&tag_manifest)), "files": count, "bytes": bytes,
        "checkpoint": checkpoint,
    }))
    .line(desk.shell.text("exported", &params)))
}

/// What `--at` means: a number, or a file with a checkpoint. The server looks whether it is one of its own.
fn checkpoint_size(at: &str) -> Result<u64, Failure> {
    at.parse().or_else(|_| checkpoint_in(Path::new(at)))
}

fn checkpoint_in(path: &Path) -> Result<u64, Failure> {
    let note = SignedNote::parse(&files::read(path)?).map_err(|error| Failure::form(path, error))?;
    let checkpoint = Checkpoint::of(&note).map_err(|error| Failure::form(path, error))?;
    Ok(checkpoint.size)
}

/// Unpacks through the same guards as a verifier reads: no links, no doubled names, no path that leaves the folder.
fn unpack(zip: &Path, out: &Path) -> Result<u64, Failure> {
    let source = fieldseal_core::bundle::open(zip)?;
    let mut count = 0;
    for path in source.paths() {
        let unsafe_path = || Failure::new("bundle_unreadable", [("detail", Param::text(path.clone()))]);
        if !fieldseal_proof::bundle::path_is_safe(&path) {
            return Err(unsafe_path());
        }
        let target = out.join(&path);
        let folder = target.parent().ok_or_else(unsafe_path)?;
        std::fs::create_dir_all(folder).map_err(|error| Failure::file(folder, &error))?;
        let mut file = File::create_new(&target).map_err(|error| Failure::file(&target, &error))?;
        let mut written = Ok(());
        let read = source.stream(&path, &mut |chunk| {
            if written.is_ok() {
                written = std::io::Write::write_all(&mut file, chunk);
            }
        });
        written.map_err(|error| Failure::file(&target, &error))?;
        read.map_err(|error| Failure::new("bundle_unreadable", [("detail", Param::text(error.to_string()))]))?;
        count += 1;
    }
    Ok(count)
}

/// Hands in what a tablet wrote on a stick: the same bytes as a push, in order. Cut, it is simply run again: the server knows what
/// it has, down to the half of a file.
pub fn hand_in(desk: &Desk<'_>, file: &Path) -> Result<Outcome, Failure> {
    let source = File::open(file).map_err(|error| Failure::file(file, &error))?;
    let mut reader = RescueReader::new(BufReader::new(source))?;
    let caller = Caller::open(&enrol::endpoint(&desk.device), Cancel::default())?;
    let mut batch = Batch::default();
    let mut whose = None;
    let (mut operations, mut blobs) = (0_u64, 0_u64);
    let mut rescued = Rescued::default();
    while let Some(record) = reader.next_record()? {
        match record {
            RescueRecord::Identity(json) => {
                whose = device_of(&json);
                rescued.identity(&json);
            }
            RescueRecord::Draft(draft) => rescued.draft(&draft),
            RescueRecord::Enrolment(body) => rescued.request(&caller, &body)?,
            RescueRecord::LeftOut(json) => rescued.left_out(&json),
            RescueRecord::Operation(frame) => {
                operations += 1;
                batch.take(&caller, frame)?;
            }
            RescueRecord::Blob { sha256, size } => {
                batch.flush(&caller)?;
                let spool = Arc::new(spooled(desk, &mut reader)?);
                let mut shown = |sent: u64| {
                    let [sent, all] = [sent, size].map(|bytes| Param::Bytes(bytes).shown(desk.shell.lang));
                    desk.shell.progress(&format!("{}  {sent} / {all}", blobs + 1));
                };
                caller.upload(sha256, size, spool, whose, &mut shown)?;
                blobs += 1;
                desk.shell.progress(&format!("{blobs}"));
            }
        }
    }
    batch.flush(&caller)?;
    desk.shell.progress_over();
    let drafts = rescued.keep(desk, file)?;
    let words = desk.shell.say("已交付：记录 / 文件", "handed in: records / files");
    let mut outcome = Outcome::new(json!({
        "operations": operations, "blobs": blobs, "drafts": rescued.drafts(), "drafts_file": drafts,
        "requests": rescued.requests, "requests_refused": rescued.requests_refused, "left_out": rescued.left_out,
    }))
    .line(format!("{words}  {operations} / {blobs}"));
    if let Some(path) = drafts {
        let params = [
            ("count", Param::Count(rescued.drafts())),
            ("path", Param::text(path.display().to_string())),
        ];
        outcome = outcome.line(desk.shell.text("rescue_drafts", &params));
    }
    for one in rescued.left_out.iter().chain(&rescued.requests_refused) {
        outcome = outcome.line(format!("  {one}"));
    }
    if !rescued.left_out.is_empty() {
        let count = [("count", Param::Count(rescued.left_out.len() as u64))];
        outcome = outcome.line(desk.shell.text("rescue_lacks", &count));
    }
    Ok(outcome)
}

/// The next file of a stick, which can be read once only while an upload may have to go back. It lies in the supervisor's own
/// folder, has no name there and is gone with this process, however that ends. Its hash is checked on the way.
fn spooled(desk: &Desk<'_>, reader: &mut RescueReader<BufReader<File>>) -> Result<File, Failure> {
    let folder = desk.device.folder();
    let mut spool = tempfile::tempfile_in(folder).map_err(|error| Failure::file(folder, &error))?;
    let copied = std::io::copy(&mut reader.blob(), &mut spool);
    match copied {
        Ok(_) => Ok(spool),
        // The stick ends inside the file: the stick is what is broken, not the spool.
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(reader.broken().into()),
        Err(error) => Err(Failure::file(folder, &error)),
    }
}

/// The device that an identity record names.
fn device_of(json: &[u8]) -> Option<DeviceId> {
    let identity: serde_json::Value = serde_json::from_slice(json).ok()?;
    identity["device"].as_str()?.parse().ok()
}

/// Frames of one device's life, within the limits of a push.
#[derive(Default)]
struct Batch {
    chain: Option<(DeviceId, IncarnationId)>,
    frames: Vec<Vec<u8>>,
    bytes: usize,
}

impl Batch {
    fn take(&mut self, caller: &Caller, frame: Vec<u8>) -> Result<(), Failure> {
        let broken =
            |error: &dyn std::fmt::Display| Failure::new("rescue_broken", [("detail", Param::text(error.to_string()))]);
        let operation = Operation::parse(&frame).map_err(|error| broken(&error))?;
        let chain = (operation.header().device, operation.header().incarnation);
        let full = self.frames.len() >= PUSH_OPERATIONS || self.bytes + frame.len() > PUSH_BYTES;
        if full || self.chain.is_some_and(|held| held != chain) {
            self.flush(caller)?;
        }
        self.chain = Some(chain);
        self.bytes += frame.len();
        self.frames.push(frame);
        Ok(())
    }

    fn flush(&mut self, caller: &Caller) -> Result<(), Failure> {
        if let (Some((device, incarnation)), false) = (self.chain, self.frames.is_empty()) {
            let path = format!("/v1/log/{device}/{incarnation}");
            let frames = self.frames.concat();
            caller.again(|| caller.send(&path, "application/cbor-seq", frames.clone(), Expect::Json))?;
        }
        *self = Self::default();
        Ok(())
    }
}
