//! `fieldseal-server`: arguments to library calls, nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    fieldseal_sync_server::commands::run(std::env::args_os())
}
