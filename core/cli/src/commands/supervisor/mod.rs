//! `fieldseal supervisor`: a laptop that assigns, sees, decides and exports; usable without a network.

mod escrow;
mod fetch;
mod office;
mod rescued;
mod see;

use clap::{Args, Subcommand};
use fieldseal_core::catalogue::Param;
use fieldseal_proof::ids::CaseId;
use serde::Deserialize;
use serde_json::json;
use std::path::PathBuf;

use super::batch::{self, BatchArgs};
use super::device::exchange::{self, EnrolArgs, OfficerAddArgs, SyncArgs};
use super::device::verbs::Attest;
use super::device::write::id;
use super::device::{At, read, unlock};
use crate::desk::Desk;
use crate::failure::Failure;
use crate::shell::{Outcome, Shell};

#[derive(Debug, Subcommand)]
pub enum SupervisorCommand {
    /// Makes the laptop's keys and asks to be enrolled
    Enrol(EnrolArgs),
    /// Makes the supervisor's key under a PIN
    OfficerAdd(OfficerAddArgs),
    /// Exchanges everything with the server
    Sync(SyncArgs),
    /// Shows what stands where
    Status,
    /// Tries the PIN and begins a session
    Unlock,
    /// Shows or chooses the cases that sync brings to this laptop
    Scope {
        /// Only these; what is held already stays
        #[arg(num_args = 1..=200)]
        case: Vec<String>,
        /// Every case again
        #[arg(long, conflicts_with = "case")]
        all: bool,
    },
    /// Lists the cases
    Cases {
        /// Words of party, title or number
        #[arg(long)]
        query: Option<String>,
    },
    /// Shows a case: conflicts, quarantine, evidence with custody
    Show { case: String },
    /// Lists the registry, and pairs that may be the same
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
    /// Has the server make the hearing bundle of a case and unpacks it
    Export {
        case: String,
        /// The bundle as it was under an earlier checkpoint: its size, or a file with it (a bundle's data/checkpoint)
        #[arg(long, value_name = "CHECKPOINT")]
        at: Option<String>,
        /// New folder
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Fetches the originals of a case, or one piece of evidence, into this laptop's vault
    Fetch {
        /// Case or evidence
        #[arg(value_name = "CASE|EVIDENCE")]
        what: String,
        /// New folder for readable copies
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Hands in a rescue file that somebody brought on a stick
    HandIn { file: PathBuf },
    /// Reads a tablet that cannot hand in its work itself, with the shares of the escrow's holders, into a rescue file
    OpenEscrow(escrow::OpenEscrow),
    /// Reads everything again and compares it with what was signed
    Fsck,
    /// Runs many commands from a file, one JSON object a line
    Batch(BatchArgs),
    #[command(flatten)]
    Write(Decision),
}

/// A verb that writes an operation.
#[derive(Debug, Subcommand, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Decision {
    /// Assigns an inspection
    Assign(Assign),
    /// Settles a conflict: the value stands, the others stay in the record
    Decide(Decide),
    /// Joins two records of one enterprise; both ids stay
    Join(Join),
    /// Sends an inspection back for correction
    Return(Return),
    /// Settles what is set aside
    Quarantine(Settle),
    /// Freezes the evidence of a case as it stands
    Freeze(Freeze),
    /// Signs operations with the supervisor's key
    Attest(Attest),
}

#[derive(Debug, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assign {
    /// Enterprise of the registry, by its id or exact name
    #[arg(long, value_name = "ID|NAME")]
    pub enterprise: String,
    /// Tablets
    #[arg(long, value_name = "ID", required = true, num_args = 1..)]
    pub device: Vec<String>,
    /// Certificate numbers of the officers
    #[arg(long = "officers", value_name = "CERT", required = true, num_args = 1..)]
    #[serde(rename = "officers")]
    pub officers: Vec<String>,
    /// Planned day
    #[arg(long, value_name = "DATE")]
    pub planned: Option<String>,
    /// Items of the rule pack (default: all)
    #[arg(long, num_args = 1..)]
    #[serde(default)]
    pub items: Vec<String>,
    /// What the inspection is called (default: the enterprise's name)
    #[arg(long)]
    pub title: Option<String>,
    /// Where on the site
    #[arg(long)]
    pub place: Option<String>,
    #[arg(long)]
    pub remark: Option<String>,
}

#[derive(Debug, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decide {
    pub case: String,
    /// Field in conflict
    pub path: String,
    pub value: String,
    #[arg(long)]
    pub reason: String,
}

#[derive(Debug, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// The enterprise that stays
    #[arg(long, value_name = "ID")]
    pub keep: String,
    /// The other record of it
    #[arg(long, value_name = "ID")]
    pub other: String,
    #[arg(long)]
    pub reason: String,
}

#[derive(Debug, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Return {
    pub inspection: String,
    #[arg(long)]
    pub reason: String,
    /// What is to be corrected
    #[arg(long, num_args = 1..)]
    #[serde(default)]
    pub items: Vec<String>,
}

#[derive(Debug, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settle {
    /// The operation
    pub operation: String,
    /// release or keep
    #[arg(value_parser = ["release", "keep"])]
    pub decision: String,
    #[arg(long)]
    pub reason: String,
}

#[derive(Debug, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    pub case: String,
    #[arg(long)]
    pub reason: String,
}

/// Runs a command.
pub fn run(shell: &Shell, at: &At, command: SupervisorCommand) -> Result<Outcome, Failure> {
    let folder = at.folder()?;
    if let SupervisorCommand::Enrol(args) = &command {
        return exchange::enrol_device(shell, folder, args);
    }
    let desk = Desk::open(shell, folder)?;
    match command {
        SupervisorCommand::Enrol(_) => Err(Failure::usage(
            "usage.unknown_command",
            [("command", Param::text("enrol"))],
        )),
        SupervisorCommand::OfficerAdd(args) => exchange::officer_add(&desk, &args),
        SupervisorCommand::Sync(args) => exchange::sync(&desk, &args),
        SupervisorCommand::Status => read::status(&desk),
        SupervisorCommand::Unlock => unlock(&desk, at.officer.as_deref()),
        SupervisorCommand::Scope { case, all } => scope(&desk, &case, all),
        SupervisorCommand::Cases { query } => see::cases(&desk, query.as_deref()),
        SupervisorCommand::Show { case } => see::show(&desk, &case),
        SupervisorCommand::Enterprises { query } => see::enterprises(&desk, query.as_deref()),
        SupervisorCommand::Pack { chosen } => read::pack(&desk, chosen.as_deref()),
        SupervisorCommand::Export { case, at, out } => office::export(&desk, &case, at.as_deref(), &out),
        SupervisorCommand::Fetch { what, out } => fetch::fetch(&desk, &what, out.as_deref()),
        SupervisorCommand::HandIn { file } => office::hand_in(&desk, &file),
        SupervisorCommand::OpenEscrow(args) => escrow::open(&desk, at.officer.as_deref(), &args),
        SupervisorCommand::Fsck => read::fsck(&desk),
        SupervisorCommand::Batch(args) => {
            let desk = desk.with_pins(args.pins()?);
            let act = |officer: Option<&str>, decision| office::run(&desk, officer.or(at.officer.as_deref()), decision);
            batch::run(shell, &desk, &args, act)
        }
        SupervisorCommand::Write(decision) => office::run(&desk, at.officer.as_deref(), decision),
    }
}

/// The cases that sync brings: a laptop on the road need not carry the whole county.
fn scope(desk: &Desk<'_>, cases: &[String], all: bool) -> Result<Outcome, Failure> {
    if all || !cases.is_empty() {
        let cases = cases.iter().map(|case| id(case)).collect::<Result<Vec<CaseId>, _>>()?;
        desk.device.want_cases(&cases)?;
    }
    let wanted: Vec<String> = desk.device.wanted_cases()?.iter().map(CaseId::to_string).collect();
    let line = match wanted.is_empty() {
        true => desk.shell.text("scope.all", &[]),
        false => wanted.join("\n"),
    };
    Ok(Outcome::new(json!({ "all": wanted.is_empty(), "cases": wanted })).line(line))
}
