//! The `fieldseal` command: a tablet and a supervisor's laptop from the shell, the root key, the verifier.
//!
//! | module | what for |
//! |---|---|
//! | [`args`] | the command line |
//! | [`shell`] | language, output, progress, PIN |
//! | [`meter`] | how far long work is, in bytes |
//! | [`misused`] | a command line that does not parse |
//! | [`failure`] | errors as people and scripts see them, exit codes |
//! | [`commands`] | one file per noun |
//! | [`key_file`] | a private key under a PIN |
//! | [`ceremony`] | requests, key log files, server cards, trust folders |

mod args;
mod ceremony;
mod commands;
mod desk;
mod failure;
mod files;
mod key_file;
mod meter;
mod misused;
mod shell;

use std::process::ExitCode;

use clap::Parser;
use fieldseal_core::catalogue::Lang;

fn main() -> ExitCode {
    let arguments = match args::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let words: Vec<String> = std::env::args_os()
                .map(|word| word.to_string_lossy().into_owned())
                .collect();
            let shell = shell::Shell::new(&misused::global(&words));
            // The parser's own page helps most, where it is the reader's language.
            if error.use_stderr() && (shell.json || shell.lang == Lang::Zh) {
                return shell.fail(&misused::failure(&error));
            }
            let _ = error.print();
            // Help and version are asked for; everything else is a command that was not understood.
            return ExitCode::from(if error.use_stderr() { failure::USAGE } else { 0 });
        }
    };
    let shell = shell::Shell::new(&arguments.global);
    match commands::run(&shell, arguments.command) {
        Ok(outcome) => shell.print(outcome),
        Err(failure) => shell.fail(&failure),
    }
}
