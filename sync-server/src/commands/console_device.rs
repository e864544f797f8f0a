//! `console-device`: the console becomes a device of the tenant. What it signs counts once an administrator has approved it, like
//! any tablet: `fieldseal admin pending`, then `fieldseal admin approve`. After a restore it is run again.

use std::path::Path;

use fieldseal_core::random::{OsRandom, uuid};
use fieldseal_proof::ids::ItemId;
use serde_json::json;

use super::{Failure, Outcome, Report};
use crate::config::Layout;
use crate::console::act::device::{ConsoleDevice, LABEL};
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::{Commit, LedgerStore};
use crate::office::enrolments::{Enrolment, rows};

pub(super) async fn run(dir: &Path) -> Outcome {
    let layout = Layout::new(dir);
    if !layout.config().is_file() {
        return Err(Failure::no_server(dir));
    }
    let ledger = SqliteLedger::open(&layout.ledger()).map_err(Failure::open)?;
    let epoch = crate::server::epoch(&ledger, &OsRandom).await.map_err(Failure::open)?;
    let device = ConsoleDevice::create(&layout, &hex::encode(epoch.as_bytes()), &OsRandom).map_err(Failure::of)?;
    let request = ItemId::from_bytes(uuid(&OsRandom).map_err(Failure::of)?).to_string();
    let public = |key: &fieldseal_proof::suite::PublicKey| json!({ "suite": key.suite().number(), "public": hex::encode(key.as_bytes()) });
    let (operation, cosigner) = (device.operation_key(), device.cosigner_key());
    let asked = json!({
        "kind": "device", "role": "supervisor", "label": LABEL, "custody": "server",
        "device": device.chain.device.to_string(), "incarnation": device.chain.incarnation.to_string(),
        "operation": public(operation), "cosigner": public(cosigner),
        "fingerprint": operation.fingerprint(), "cosigner_fingerprint": cosigner.fingerprint(),
    });
    let enrolment = Enrolment {
        kind: "device".into(),
        state: "pending".into(),
        subject: device.chain.device.to_string(),
        incarnation: Some(device.chain.incarnation.to_string()),
        device: None,
        asked,
        token: None,
        reason: None,
        refused_ms: None,
    };
    let commit = Commit {
        registers: rows(&request, &enrolment, true).map_err(Failure::of)?,
        ..Commit::default()
    };
    ledger.commit(commit).await.map_err(Failure::open)?;
    let fingerprint = operation.fingerprint();
    let lines = vec![
        format!("控制台设备已生成，等待批准 console device made, waiting for approval: {request}"),
        format!("指纹 fingerprint: {fingerprint}"),
        format!("下一步 next: fieldseal admin approve --admin DIR {request}"),
    ];
    Ok(Report::done(
        json!({ "request": request, "device": device.chain.device.to_string(), "fingerprint": fingerprint }),
        lines,
    ))
}
