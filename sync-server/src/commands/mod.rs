use std::process::ExitCode;
pub fn run(_: std::env::ArgsOs) -> ExitCode { ExitCode::SUCCESS }
