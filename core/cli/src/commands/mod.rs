//! One file per noun.

pub mod admin;
mod batch;
pub mod device;
pub mod fsck;
pub mod import;
pub mod operation;
pub mod pack;
pub mod root;
pub mod supervisor;
mod verdict;
pub mod verify;
pub mod verify_fork;

use fieldseal_core::catalogue::Param;

use crate::args::Command;
use crate::failure::Failure;
use crate::shell::{Outcome, Shell};

/// Runs a command.
pub fn run(shell: &Shell, command: Command) -> Result<Outcome, Failure> {
    match command {
        Command::Root { command } => root::run(shell, command),
        Command::Admin { command } => admin::run(shell, command),
        Command::Device { at, command } => device::run(shell, &at, command),
        Command::Supervisor { at, command } => supervisor::run(shell, &at, command),
        Command::Import { command } => import::run(shell, command),
        Command::Fsck { dir } => fsck::run(shell, &dir),
        Command::Pack { command } => pack::run(shell, command),
        Command::Operation(args) => operation::run(shell, args),
        Command::Verify(args) => verify::run(shell, args),
        Command::VerifyFork(args) => verify_fork::run(shell, &args),
    }
}

/// The wall clock in milliseconds since 1970: of the machine, or as set by hand.
#[expect(
    clippy::disallowed_methods,
    reason = "the program's rim: commands without a device folder take the machine's clock here and hand it in as a value"
)]
pub fn wall_ms(shell: &Shell) -> Result<u64, Failure> {
    let time: jiff::Timestamp = match &shell.clock {
        Some(text) => text.parse().map_err(|error: jiff::Error| {
            Failure::usage(
                "usage.time",
                [
                    ("text", Param::text(text.clone())),
                    ("detail", Param::text(error.to_string())),
                ],
            )
        })?,
        None => jiff::Timestamp::now(),
    };
    u64::try_from(time.as_millisecond()).map_err(|_| Failure::usage("usage.time_range", []))
}
