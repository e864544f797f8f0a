//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands;

/// Field inspection records that a stranger can check.
#[derive(Debug, Parser)]
#[command(name = "fieldseal", version, propagate_version = true, arg_required_else_help = true)]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes.
#[derive(Clone, Debug, Default, Args)]
pub struct Global {
    /// One JSON object on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// Language of what people read: zh or en (default: the locale's)
    #[arg(long, global = true, value_name = "zh|en", value_parser = ["zh", "en"])]
    pub lang: Option<String>,
    /// File that holds the PIN or password; else FIELDSEAL_PIN
    #[arg(long, global = true, value_name = "FILE")]
    pub pin_file: Option<PathBuf>,
    /// Sets the tablet's clock for a rehearsal; the device says so wherever it shows its time
    #[arg(long, global = true, value_name = "RFC3339")]
    pub clock: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// The tenant's root key, on a machine without a network
    Root {
        #[command(subcommand)]
        command: commands::root::RootCommand,
    },
    /// An administrator with a delegated key
    Admin {
        #[command(subcommand)]
        command: commands::admin::AdminCommand,
    },
    /// A tablet
    Device {
        #[command(flatten)]
        at: commands::device::At,
        #[command(subcommand)]
        command: commands::device::DeviceCommand,
    },
    /// A supervisor's laptop, a sync client of its own
    Supervisor {
        #[command(flatten)]
        at: commands::device::At,
        #[command(subcommand)]
        command: commands::supervisor::SupervisorCommand,
    },
    /// Turns foreign tables into files for batches
    Import {
        #[command(subcommand)]
        command: commands::import::ImportCommand,
    },
    /// Reads a device's folder or a bundle again and says what does not fit
    Fsck {
        /// Folder
        dir: PathBuf,
    },
    /// Rule packs
    Pack {
        #[command(subcommand)]
        command: commands::pack::PackCommand,
    },
    /// Shows one operation as DSSE JSON and for reading; openssl checks what it writes
    Operation(commands::operation::OperationArgs),
    /// Checks a hearing bundle against a trust folder
    Verify(commands::verify::VerifyArgs),
    /// Checks a proof that a device signed two histories against a trust folder
    VerifyFork(commands::verify_fork::VerifyForkArgs),
}
