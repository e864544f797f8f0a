//! The `fieldseal` command: a tablet and a supervisor's laptop from the shell, the root key, the verifier.
//!
//! | module | what for |
//! |---|---|
//! | [`args`] | the command line |
//! | [`shell`] | language, output, progress, PIN |
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
mod shell;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = match args::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            if error.use_stderr() && std::env::args_os().any(|word| word == "--json") {
                let global = args::Global {
                    json: true,
                    ..args::Global::default()
                };
                return shell::Shell::new(&global).fail(&failure::Failure::usage(error.to_string()));
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
