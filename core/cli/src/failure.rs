//! Why a command did not do what was asked: a message of the catalogue and an exit code.

use std::io;
use std::path::Path;

use fieldseal_core::catalogue::{Message, Param};

/// Something failed.
pub const EXIT_FAILED: u8 = 1;
/// The command was used wrongly.
pub const EXIT_USAGE: u8 = 64;
/// Something is missing on this machine.
pub const EXIT_UNAVAILABLE: u8 = 69;
/// No space.
pub const EXIT_NO_SPACE: u8 = 73;
/// Try again: offline or busy.
pub const EXIT_TRY_AGAIN: u8 = 75;

/// What a command says when it fails: what happened, what is safe, what to do.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: u8,
    /// The text.
    pub message: Message,
}

/// The result of a command: its exit code.
pub type CommandResult = Result<u8, Failure>;

impl From<Message> for Failure {
    fn from(message: Message) -> Self {
        Self {
            exit: exit_code(message.code()),
            message,
        }
    }
}

impl Failure {
    /// A failure that only a code and texts describe.
    pub fn new(code: &'static str, params: &[(&'static str, &str)]) -> Self {
        Message::new(code, params.iter().map(|(name, text)| (*name, Param::text(*text)))).into()
    }

    /// A wrong use of the command.
    pub fn usage(detail: impl AsRef<str>) -> Self {
        Self::new("usage", &[("detail", detail.as_ref())])
    }

    /// A file that could not be read or written.
    pub fn file(path: &Path, error: &io::Error) -> Self {
        let shown = path.display().to_string();
        match error.kind() {
            io::ErrorKind::NotFound => Self::new("file_missing", &[("path", &shown)]),
            io::ErrorKind::StorageFull => Self {
                exit: EXIT_NO_SPACE,
                ..Self::new("storage_full", &[])
            },
            _ => Self::new("file_unreadable", &[("path", &shown), ("detail", &error.to_string())]),
        }
    }
}

/// Exit codes by stable message code (`core/docs/cli.md`).
fn exit_code(code: &str) -> u8 {
    match code {
        "usage" | "choice_unknown" => EXIT_USAGE,
        "missing_tool" | "renderer_missing" => EXIT_UNAVAILABLE,
        "storage_full" | "storage_short" => EXIT_NO_SPACE,
        "offline" | "captive_portal" | "server_busy" | "server_unreachable" | "store_busy" | "pin_wait" => {
            EXIT_TRY_AGAIN
        }
        _ => EXIT_FAILED,
    }
}
