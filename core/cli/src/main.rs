//! `fieldseal`: the tablet, the supervisor's laptop, the root key's ceremony and the verifier, from a shell.
//!
//! The contract (commands, JSON keys, exit codes) is `core/docs/cli.md`.

mod commands;
mod failure;
mod files;
mod key_file;
mod output;
mod trust_folder;

use std::process::ExitCode;

use clap::Parser;
use output::Output;

/// Field inspection without a network: record, sign, sync, verify.
#[derive(Parser)]
#[command(name = "fieldseal", version, max_term_width = 100)]
struct Cli {
    /// One JSON object on standard output instead of text.
    #[arg(long, global = true)]
    json: bool,
    /// Language of texts: zh or en; by default that of the locale.
    #[arg(long, global = true, value_parser = ["zh", "en"])]
    lang: Option<String>,
    #[command(subcommand)]
    command: commands::Command,
}

fn main() -> ExitCode {
    // One TLS stack for every client in this process; a second installation would only say that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { failure::EXIT_USAGE } else { 0 });
        }
    };
    let mut output = Output::new(cli.json, cli.lang.as_deref());
    match commands::run(cli.command, &mut output) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => ExitCode::from(output.failure(&failure)),
    }
}
