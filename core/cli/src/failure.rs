//! Errors as people and scripts see them: a stable code, a sentence of the catalogue, an exit code.

use fieldseal_core::catalogue::{self, Lang, Message, Param};
use fieldseal_core::device::DeviceError;
use fieldseal_core::domain::Refusal;
use fieldseal_core::store::StoreError;
use fieldseal_core::sync::Fault;
use fieldseal_transport::TransportError;

/// Exit code: the command line was not understood.
pub const USAGE: u8 = 64;
/// Exit code: something is missing on this machine.
pub const MISSING: u8 = 69;
/// Exit code: no space left.
pub const NO_SPACE: u8 = 73;
/// Exit code: offline or busy; the same command may succeed later.
pub const LATER: u8 = 75;
/// Exit code of everything else that failed.
pub const FAILED: u8 = 1;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub struct Failure {
    words: Words,
    exit: u8,
}

/// A message that the library made, or a code that came over the wire.
#[derive(Debug)]
enum Words {
    Message(Message),
    Code(String, Vec<(&'static str, Param)>),
    /// What is wrong about the command line, which `usage` says around it.
    Usage(&'static str, Vec<(&'static str, Param)>),
}

impl Failure {
    /// A failure under a code of the catalogue.
    pub fn new(code: impl Into<String>, params: impl IntoIterator<Item = (&'static str, Param)>) -> Self {
        let code = code.into();
        let exit = exit_of(&code);
        Self {
            words: Words::Code(code, params.into_iter().collect()),
            exit,
        }
    }

    /// The command was used wrongly: what is wrong, as a code `usage.…` of the catalogue.
    pub fn usage(what: &'static str, params: impl IntoIterator<Item = (&'static str, Param)>) -> Self {
        Self {
            words: Words::Usage(what, params.into_iter().collect()),
            exit: USAGE,
        }
    }

    /// A file could not be read or written.
    pub fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        let path = ("path", Param::text(path.display().to_string()));
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::new("file_missing", [path]),
            std::io::ErrorKind::StorageFull => Self::new("storage_full", []),
            _ => Self::new("file_unreadable", [path, ("detail", Param::text(error.to_string()))]),
        }
    }

    /// What a person entered is not in its form.
    pub fn form(what: &std::path::Path, detail: impl std::fmt::Display) -> Self {
        let path = ("path", Param::text(what.display().to_string()));
        Self::new("file_unreadable", [path, ("detail", Param::text(detail.to_string()))])
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        match &self.words {
            Words::Message(message) => message.code(),
            Words::Code(code, _) => code,
            Words::Usage(..) => "usage",
        }
    }

    /// The sentence in a language.
    pub fn text(&self, lang: Lang) -> String {
        match &self.words {
            Words::Message(message) => message.text(lang),
            Words::Code(code, params) => catalogue::text(lang, code, params),
            Words::Usage(what, params) => catalogue::text(lang, "usage", &[detail(lang, what, params)]),
        }
    }

    /// Parameters by name, as they read in English.
    pub fn params(&self) -> serde_json::Map<String, serde_json::Value> {
        match &self.words {
            Words::Message(message) => message
                .params()
                .map(|(name, value)| (name.to_owned(), value.into()))
                .collect(),
            Words::Code(_, params) => params
                .iter()
                .map(|(name, param)| ((*name).to_owned(), param.shown(Lang::En).into()))
                .collect(),
            Words::Usage(what, params) => {
                let (name, words) = detail(Lang::En, what, params);
                [(name, words.shown(Lang::En)), ("what", (*what).to_owned())]
                    .map(|(name, value)| (name.to_owned(), value.into()))
                    .into_iter()
                    .collect()
            }
        }
    }

    /// The process's exit code.
    pub fn exit(&self) -> u8 {
        self.exit
    }
}

/// What is wrong about a command line, in a language, as the sentence `usage` wants it.
fn detail(lang: Lang, what: &str, params: &[(&'static str, Param)]) -> (&'static str, Param) {
    ("detail", Param::text(catalogue::text(lang, what, params)))
}

fn exit_of(code: &str) -> u8 {
    match code {
        "missing_tool" | "font_missing" => MISSING,
        "storage_full" | "storage_short" | "disk_full" => NO_SPACE,
        "offline" | "server_unreachable" | "server_busy" | "server_full" | "captive_portal" | "db_locked"
        | "life_over" | "pin_wait" => LATER,
        _ => FAILED,
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        refusal.message.into()
    }
}

impl From<DeviceError> for Failure {
    fn from(error: DeviceError) -> Self {
        error.message().clone().into()
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        DeviceError::from(error).into()
    }
}

impl From<Message> for Failure {
    fn from(message: Message) -> Self {
        Self {
            exit: exit_of(message.code()),
            words: Words::Message(message),
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let (code, params) = fault.words();
        Self::new(code, params)
    }
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Address(address) => Self::usage("usage.address", [("address", Param::text(address))]),
            TransportError::SetUp(why) => Self::new(
                "missing_tool",
                [("what", Param::text(why)), ("command", Param::text(""))],
            ),
        }
    }
}
