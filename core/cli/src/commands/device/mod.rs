//! `fieldseal device`: a tablet from the shell.

pub mod evidence;
pub mod exchange;
pub mod paper;
pub mod read;
pub mod receipts;
pub mod send;
pub mod verbs;
pub mod write;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use fieldseal_core::catalogue::Param;
use serde_json::json;

use self::evidence::EvidenceCommand;
use self::exchange::{EnrolArgs, OfficerAddArgs, SyncArgs};
use self::send::SendRulesArgs;
use self::verbs::Verb;
use super::batch::{self, BatchArgs};
use crate::desk::Desk;
use crate::failure::Failure;
use crate::shell::{Outcome, Shell};

/// Whose folder, and who is at work.
#[derive(Clone, Debug, Args)]
pub struct At {
    /// Folder of the device
    #[arg(long, global = true, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Certificate number of the officer at work; the PIN opens the key
    #[arg(long, global = true, value_name = "CERT")]
    pub officer: Option<String>,
}

impl At {
    /// The folder, which every command needs.
    pub fn folder(&self) -> Result<&Path, Failure> {
        self.dir
            .as_deref()
            .ok_or_else(|| Failure::usage("usage.needed", [("option", Param::text("--dir DIR"))]))
    }
}

#[derive(Debug, Subcommand)]
pub enum DeviceCommand {
    /// Makes the device's keys and asks to be enrolled
    Enrol(EnrolArgs),
    /// Makes an officer's key under a PIN
    OfficerAdd(OfficerAddArgs),
    /// Exchanges everything with the server
    Sync(SyncArgs),
    /// Shows, or chooses, which evidence waits for which network
    SendRules(SendRulesArgs),
    /// Sends one file, or all that wait, over any network with the next sync
    SendNow {
        /// SHA-256 of the file
        file: Option<String>,
    },
    /// Shows the server's receipts behind one operation or file
    Receipts {
        /// Id of the operation, or SHA-256 of the file
        item: String,
        /// Folder that gets them as they came
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Shows what stands where
    Status,
    /// Tries an officer's PIN and begins a session
    Unlock,
    /// Lists the inspections
    Inspections,
    /// Shows an inspection with the last visit's open orders
    Show { inspection: String },
    /// Lists edits that nobody signed yet
    Drafts,
    /// Shows evidence files without a record, or gives one its inspection
    Evidence {
        #[command(subcommand)]
        command: EvidenceCommand,
    },
    /// Lists the registry
    Enterprises {
        /// Words of name, code or address
        #[arg(long)]
        query: Option<String>,
    },
    /// Shows the rule packs held, or chooses the one in force
    Pack {
        /// Its id or hash
        chosen: Option<String>,
    },
    /// Writes everything that the server has not receipted to a stick
    Rescue {
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Reads everything again and compares it with what was signed
    Fsck,
    /// Runs many commands from a file, one JSON object a line
    Batch(BatchArgs),
    #[command(flatten)]
    Write(Verb),
}

/// Runs a command.
pub fn run(shell: &Shell, at: &At, command: DeviceCommand) -> Result<Outcome, Failure> {
    let folder = at.folder()?;
    if let DeviceCommand::Enrol(args) = &command {
        return exchange::enrol_device(shell, folder, args);
    }
    let desk = Desk::open(shell, folder)?;
    match command {
        DeviceCommand::Enrol(_) => Err(Failure::usage(
            "usage.unknown_command",
            [("command", Param::text("enrol"))],
        )),
        DeviceCommand::OfficerAdd(args) => exchange::officer_add(&desk, &args),
        DeviceCommand::Sync(args) => exchange::sync(&desk, &args),
        DeviceCommand::SendRules(args) => send::rules(&desk, &args),
        DeviceCommand::SendNow { file } => send::now(&desk, file.as_deref()),
        DeviceCommand::Receipts { item, out } => receipts::receipts(&desk, &item, out.as_deref()),
        DeviceCommand::Status => read::status(&desk),
        DeviceCommand::Unlock => unlock(&desk, at.officer.as_deref()),
        DeviceCommand::Inspections => read::inspections(&desk),
        DeviceCommand::Show { inspection } => read::show(&desk, &inspection),
        DeviceCommand::Drafts => read::drafts(&desk),
        DeviceCommand::Evidence { command } => evidence::run(&desk, at.officer.as_deref(), &command),
        DeviceCommand::Enterprises { query } => read::enterprises(&desk, query.as_deref()),
        DeviceCommand::Pack { chosen } => read::pack(&desk, chosen.as_deref()),
        DeviceCommand::Rescue { out } => exchange::rescue(&desk, &out),
        DeviceCommand::Fsck => read::fsck(&desk),
        DeviceCommand::Batch(args) => {
            let desk = desk.with_pins(args.pins()?);
            let act = |officer: Option<&str>, verb| write::run(&desk, officer.or(at.officer.as_deref()), verb);
            batch::run(shell, &desk, &args, act)
        }
        DeviceCommand::Write(verb) => write::run(&desk, at.officer.as_deref(), verb),
    }
}

/// Tries an officer's PIN.
pub fn unlock(desk: &Desk<'_>, officer: Option<&str>) -> Result<Outcome, Failure> {
    let certificate =
        officer.ok_or_else(|| Failure::usage("usage.needed", [("option", Param::text("--officer CERT"))]))?;
    let unlocked = desk.at_work(certificate)?;
    let json = json!({ "officer": unlocked.record.officer.to_string(), "session": unlocked.session.to_string() });
    Ok(Outcome::new(json).line(format!("{}  {}", unlocked.record.name, unlocked.record.certificate)))
}
