//! The commands of `fieldseal-server` (core/docs/cli.md).

mod adopt;
mod backup;
mod console_device;
mod console_password;
mod export;
mod fsck;
mod init;
mod leash;
mod reread;
mod restore;
mod serve;
mod up;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use fieldseal_core::catalogue::{Lang, Message, Param};
use serde_json::{Value, json};

use crate::ledger::LedgerError;
use crate::ledger::blob::BlobError;
use crate::server::OpenError;
use crate::tlog::LogError;

pub use fsck::check_all;
pub use restore::{TakenUp, take_up};

/// The sync server with the central case ledger.
#[derive(Parser)]
#[command(name = "fieldseal-server", version)]
struct Arguments {
    /// One JSON object on standard output.
    #[arg(long, global = true)]
    json: bool,
    /// Language of messages: zh or en.
    #[arg(long, global = true, default_value = "zh")]
    lang: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// From an empty folder to a server that answers, waiting for the ceremony's key log in between; later just starts it.
    Up(up::Up),
    /// Makes keys, certificate, database and the files for root key and administrators.
    Init(init::Init),
    /// Takes the ceremony's key log.
    Adopt {
        #[arg(long)]
        dir: PathBuf,
        /// `key-log.cbor-seq` of `fieldseal root delegate`.
        #[arg(long)]
        key_log: PathBuf,
    },
    /// Serves until SIGTERM.
    Serve(serve::Serve),
    /// Makes the console a device: keys that the server holds, and a request for an administrator to approve.
    ConsoleDevice {
        #[arg(long)]
        dir: PathBuf,
    },
    /// Makes an account of the console, or gives one a new password; the password comes from standard input.
    ConsolePassword(console_password::ConsolePassword),
    /// Copies everything, compares the copy with its source, and checks it like `fsck`.
    Backup {
        #[arg(long)]
        dir: PathBuf,
        #[arg(long)]
        out: PathBuf,
        /// Also where something does not hold in the server's own folder: it is listed in the backup.
        #[arg(long)]
        with_findings: bool,
    },
    /// Checks a backup that was made before; nothing in it is changed.
    CheckBackup {
        #[arg(long)]
        from: PathBuf,
    },
    /// Puts a backup into an empty folder (or one that holds only `tiles/` and `blobs/`) and begins a new epoch.
    Restore {
        #[arg(long)]
        from: PathBuf,
        #[arg(long)]
        dir: PathBuf,
        /// Restores the rest where evidence files of the backup are lost; devices send them again.
        #[arg(long)]
        without_files: bool,
    },
    /// Rereads everything and says what does not hold.
    Fsck {
        #[arg(long)]
        dir: PathBuf,
        /// Folds all views again first.
        #[arg(long)]
        rebuild: bool,
    },
    /// Writes the hearing bundle of a case.
    Export {
        #[arg(long)]
        dir: PathBuf,
        #[arg(long)]
        case: String,
        /// The bundle as it was under an earlier checkpoint: its size, or a file with it (a bundle's data/checkpoint).
        #[arg(long, value_name = "CHECKPOINT")]
        at: Option<String>,
        /// After a restore: although operations of the log are still awaited, because a tablet that holds them is lost for good.
        #[arg(long)]
        despite_awaited: bool,
        #[arg(long)]
        out: PathBuf,
    },
}

/// Exit codes of cli.md.
const FAILED: u8 = 1;
const USAGE: u8 = 64;
/// Threads for files, hashing and the ledger's reads. A few keep one disk busy; each more costs a heap of its own.
const BLOCKING_THREADS: usize = 16;

/// What a command says at its end.
pub(crate) struct Report {
    json: Value,
    lines: Vec<String>,
    code: u8,
}

impl Report {
    fn done(json: Value, lines: Vec<String>) -> Self {
        Self { json, lines, code: 0 }
    }
}

/// A failure, as a sentence of the catalogue: what happened · what is safe · what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    message: Message,
}

impl Failure {
    fn new(code: &'static str, params: impl IntoIterator<Item = (&'static str, Param)>) -> Self {
        Self {
            message: Message::new(code, params),
        }
    }

    /// One whose only parameter is what a lower layer said.
    fn detail(code: &'static str, error: impl std::fmt::Display) -> Self {
        Self::new(code, [("detail", Param::text(error.to_string()))])
    }

    /// Anything that no sentence of its own is worth.
    fn of(error: impl std::fmt::Display) -> Self {
        Self::detail("command_failed", error)
    }

    /// A server's folder, or what is in it, does not open.
    fn open(error: impl Into<OpenError>) -> Self {
        match error.into() {
            OpenError::Config(error) => Self::detail("server_folder", error),
            OpenError::Keys(error) => Self::detail("server_keys", error),
            OpenError::Ledger(LedgerError::Full) | OpenError::Blobs(BlobError::Full) => Self::new("server_full", []),
            OpenError::Ledger(error) => Self::detail("ledger_unreadable", error),
            OpenError::Log(LogError::Frozen(why)) => Self::detail("log_frozen", why),
            OpenError::Log(LogError::Fenced) => Self::new("fenced", []),
            OpenError::NotAdopted => Self::new("not_adopted", []),
            OpenError::Locked(why) => Self::detail("server_at_work", why),
            other => Self::of(other),
        }
    }

    /// A file that somebody named does not read.
    fn file(path: &Path, error: &std::io::Error) -> Self {
        let path = ("path", Param::text(path.display().to_string()));
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::new("file_missing", [path]),
            _ => Self::new("file_unreadable", [path, ("detail", Param::text(error.to_string()))]),
        }
    }

    /// A folder that is none of a server.
    fn no_server(dir: &Path) -> Self {
        Self::detail("server_folder", format!("{}: server.toml", dir.display()))
    }
}

type Outcome = Result<Report, Failure>;

/// Runs a command line to its exit code.
pub fn run(arguments: std::env::ArgsOs) -> ExitCode {
    let arguments: Vec<OsString> = arguments.collect();
    let parsed = match Arguments::try_parse_from(&arguments) {
        Ok(parsed) => parsed,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(FAILED);
        }
    };
    let lang = Lang::from_tag(&parsed.lang);
    let outcome = runtime.block_on(async {
        match parsed.command {
            Command::Up(up) => up.run().await,
            Command::Init(init) => init.run(),
            Command::Adopt { dir, key_log } => adopt::run(&dir, &key_log).await,
            Command::Serve(serve) => serve.run().await,
            Command::ConsoleDevice { dir } => console_device::run(&dir).await,
            Command::ConsolePassword(password) => password.run().await,
            Command::Backup {
                dir,
                out,
                with_findings,
            } => backup::run(&dir, &out, with_findings).await,
            Command::CheckBackup { from } => backup::check(&from).await,
            Command::Restore {
                from,
                dir,
                without_files,
            } => restore::run(&from, &dir, without_files).await,
            Command::Fsck { dir, rebuild } => fsck::run(&dir, rebuild).await,
            Command::Export {
                dir,
                case,
                at,
                despite_awaited,
                out,
            } => export::run(&dir, &case, at.as_deref(), despite_awaited, &out).await,
        }
    });
    match outcome {
        Ok(report) => {
            if parsed.json {
                println!("{}", report.json);
            } else {
                report.lines.iter().for_each(|line| println!("{line}"));
            }
            ExitCode::from(report.code)
        }
        Err(failure) => {
            let (text, message) = (failure.message.text(lang), &failure.message);
            if parsed.json {
                let (zh, en) = (message.text(Lang::Zh), message.text(Lang::En));
                println!("{}", json!({ "error": { "code": message.code(), "zh": zh, "en": en } }));
            }
            eprintln!("{text}");
            ExitCode::from(FAILED)
        }
    }
}
