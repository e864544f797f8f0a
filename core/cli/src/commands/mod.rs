//! One file per noun of the command line.

mod root;
mod verify;

use clap::Subcommand;

use crate::failure::CommandResult;
use crate::output::Output;

/// What can be asked for.
#[derive(Subcommand)]
pub enum Command {
    /// The tenant's root key, on a machine without a network.
    #[command(subcommand)]
    Root(root::Root),
    /// Checks a hearing bundle against a trust folder from elsewhere.
    Verify(verify::Verify),
}

/// Runs a command and gives its exit code.
pub fn run(command: Command, output: &mut Output) -> CommandResult {
    match command {
        Command::Root(root) => root.run(output),
        Command::Verify(verify) => verify.run(output),
    }
}
