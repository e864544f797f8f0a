//! The escrow's holders open a tablet that cannot hand in its work itself.

use std::path::PathBuf;

use clap::Args;
use fieldseal_core::catalogue::Param;
use fieldseal_core::escrow::{Opening, Share};
use serde_json::json;
use zeroize::Zeroizing;

use crate::commands::device::exchange::rescued_to;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::files;
use crate::shell::Outcome;

#[derive(Debug, Args)]
pub struct OpenEscrow {
    /// Folder of the tablet, or a copy of it; nothing in it is changed
    #[arg(long, value_name = "DIR")]
    pub tablet: PathBuf,
    /// A file with a holder's share; as many as the escrow needs
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub share: Vec<PathBuf>,
    /// Why it is opened; stands in the log
    #[arg(long)]
    pub reason: String,
    /// The rescue file that is written, for `hand-in`
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Reads the whole folder, records the opening, and only then writes the rescue file.
pub fn open(desk: &Desk<'_>, officer: Option<&str>, args: &OpenEscrow) -> Result<Outcome, Failure> {
    let certificate =
        officer.ok_or_else(|| Failure::usage("usage.needed", [("option", Param::text("--officer CERT"))]))?;
    let by = desk.at_work(certificate)?;
    let mut shares = Vec::new();
    for path in &args.share {
        let text = Zeroizing::new(files::read(path)?);
        shares.push(Share::parse(&String::from_utf8_lossy(&text))?);
    }
    let secret = Share::join(&shares)?;
    let opening = Opening::read(&args.tablet, secret)?;
    let mut holders: Vec<u8> = shares.iter().map(|share| share.index).collect();
    holders.sort_unstable();
    holders.dedup();
    let recorded = desk
        .device
        .record_escrow_opening(opening.device, holders.clone(), &by.record.name, &args.reason)?;
    let mut outcome = rescued_to(desk, &args.out, |target, watcher| opening.write(target, watcher))?;
    let device = opening.device.map(|device| device.to_string());
    outcome.json["device"] = json!(device);
    outcome.json["holders"] = json!(holders);
    outcome.json["recorded"] = recorded.to_string().into();
    outcome.json["unreadable_pages"] = opening.unreadable_pages.into();
    Ok(outcome.line(
        desk.shell
            .text("escrow.opened", &[("device", Param::text(device.unwrap_or_default()))]),
    ))
}
