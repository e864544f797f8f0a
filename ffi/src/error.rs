//! The one error of the bindings.

use fieldseal_core::catalogue::{self, Lang, Message, Param};
use fieldseal_core::device::DeviceError;
use fieldseal_core::sync::Fault;

/// A parameter of a sentence, as a value: an app that writes its own sentences formats it itself.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum ParamValue {
    /// Text as it is.
    Text {
        /// The text.
        text: String,
    },
    /// The name of a field, in both languages.
    Label {
        /// Chinese.
        zh: String,
        /// English.
        en: String,
    },
    /// A number of things.
    Count {
        /// How many.
        count: u64,
    },
    /// A number of bytes.
    Bytes {
        /// How many.
        bytes: u64,
    },
    /// A span of time.
    Span {
        /// Milliseconds.
        ms: u64,
    },
}

/// A named parameter.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ProblemParam {
    /// Its name in the sentence.
    pub name: String,
    /// Its value.
    pub value: ParamValue,
}

/// What there is to say: what happened, what is safe, what to do.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Problem {
    /// Stable code; apps decide by it, never by a sentence.
    pub code: String,
    /// Typed parameters.
    pub params: Vec<ProblemParam>,
    /// The sentence in Chinese.
    pub zh: String,
    /// The sentence in English.
    pub en: String,
}

impl Problem {
    /// From a code and its parameters.
    pub(crate) fn new(code: &str, params: &[(&'static str, Param)]) -> Self {
        let value = |param: &Param| match param {
            Param::Text(_) => ParamValue::Text {
                text: param.shown(Lang::En),
            },
            Param::Label(_) => ParamValue::Label {
                zh: param.shown(Lang::Zh),
                en: param.shown(Lang::En),
            },
            Param::Count(count) => ParamValue::Count { count: *count },
            Param::Bytes(bytes) => ParamValue::Bytes { bytes: *bytes },
            Param::Span(ms) => ParamValue::Span { ms: *ms },
        };
        let params_shown = params.iter().map(|(name, param)| ProblemParam {
            name: (*name).to_owned(),
            value: value(param),
        });
        Self {
            code: code.to_owned(),
            params: params_shown.collect(),
            zh: catalogue::text(Lang::Zh, code, params),
            en: catalogue::text(Lang::En, code, params),
        }
    }
}

impl From<&Message> for Problem {
    fn from(message: &Message) -> Self {
        Self::new(message.code(), message.parts())
    }
}

impl From<&DeviceError> for Problem {
    fn from(error: &DeviceError) -> Self {
        error.message().into()
    }
}

impl From<&Fault> for Problem {
    fn from(fault: &Fault) -> Self {
        let (code, params) = fault.words();
        Self::new(&code, &params)
    }
}

/// Why a call did not do what it was asked, by what an app does about it. Nothing was changed, unless the sentence says so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum FieldsealError {
    /// The input is not accepted: show the sentence at the field.
    #[error("{}: {}", problem.code, problem.en)]
    Refused {
        /// What there is to say.
        problem: Problem,
    },
    /// Offline, busy, or another process is at work: the same call may succeed later.
    #[error("{}: {}", problem.code, problem.en)]
    Later {
        /// What there is to say.
        problem: Problem,
    },
    /// No room is left on the device.
    #[error("{}: {}", problem.code, problem.en)]
    Storage {
        /// What there is to say.
        problem: Problem,
    },
    /// The app or the user ended it.
    #[error("{}: {}", problem.code, problem.en)]
    Stopped {
        /// What there is to say.
        problem: Problem,
    },
    /// Something is wrong with the device, its keys, the server or the program: show the sentence whole.
    #[error("{}: {}", problem.code, problem.en)]
    Failed {
        /// What there is to say.
        problem: Problem,
    },
}

impl FieldsealError {
    /// By a code of the catalogue.
    pub(crate) fn new(code: &str, params: &[(&'static str, Param)]) -> Self {
        Problem::new(code, params).into()
    }

    /// The app did not give what it was asked for.
    pub(crate) fn host(what: &str, detail: &str) -> Self {
        Self::new(
            "host_failed",
            &[("what", Param::text(what)), ("detail", Param::text(detail))],
        )
    }

    /// What there is to say.
    pub fn problem(&self) -> &Problem {
        match self {
            Self::Refused { problem }
            | Self::Later { problem }
            | Self::Storage { problem }
            | Self::Stopped { problem }
            | Self::Failed { problem } => problem,
        }
    }
}

impl From<Problem> for FieldsealError {
    fn from(problem: Problem) -> Self {
        match problem.code.as_str() {
            "offline" | "server_unreachable" | "server_busy" | "captive_portal" | "db_locked" | "pin_wait"
            | "awaiting_approval" => Self::Later { problem },
            "storage_full" | "storage_short" | "disk_full" | "recorded_unsealed" => Self::Storage { problem },
            "cancelled" | "capture_cancelled" | "sync_cancelled" | "check_cancelled" | "rescue_cancelled"
            | "document_cancelled" => Self::Stopped { problem },
            "host_failed" | "internal_fault" | "internal" | "seal_failed" | "io_failed" | "db_damaged" | "db_newer"
            | "blob_changed" | "blob_missing" | "key_store_other" | "key_refused" | "server_answer"
            | "wrong_server" | "token_refused" | "render_failed" | "not_enrolled" | "already_enrolled"
            | "pack_unreadable" | "store_unreadable" | "db_failed" | "keys_damaged" | "escrow_unusable"
            | "no_randomness" => Self::Failed { problem },
            _ => Self::Refused { problem },
        }
    }
}

impl From<DeviceError> for FieldsealError {
    fn from(error: DeviceError) -> Self {
        Problem::from(&error).into()
    }
}

impl From<Message> for FieldsealError {
    fn from(message: Message) -> Self {
        Problem::from(&message).into()
    }
}

impl From<fieldseal_core::domain::Refusal> for FieldsealError {
    fn from(refusal: fieldseal_core::domain::Refusal) -> Self {
        refusal.message.into()
    }
}

impl From<fieldseal_core::store::StoreError> for FieldsealError {
    fn from(error: fieldseal_core::store::StoreError) -> Self {
        DeviceError::from(error).into()
    }
}

impl From<fieldseal_proof::ids::IdError> for FieldsealError {
    fn from(error: fieldseal_proof::ids::IdError) -> Self {
        DeviceError::from(error).into()
    }
}

/// A sentence or word of the catalogue in the language of a tag (`zh…`, else English), for labels that an app shows:
/// `acquisition.camera`, `verdict.anchored`, …
#[uniffi::export]
pub fn catalogue_text(code: String, language: String) -> String {
    catalogue::text(Lang::from_tag(&language), &code, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_keeps_types_and_says_both_sentences() {
        let error = FieldsealError::new("pin_wait", &[("span", Param::Span(30_000))]);
        assert!(matches!(error, FieldsealError::Later { .. }));
        let problem = error.problem();
        assert_eq!(problem.params[0].value, ParamValue::Span { ms: 30_000 });
        assert!(problem.zh.contains("30 秒") && problem.en.contains("30 s"));
    }

    #[test]
    fn every_code_sorted_by_hand_is_in_the_catalogue() {
        for code in [
            "server_unreachable",
            "server_busy",
            "db_locked",
            "pin_wait",
            "storage_full",
            "storage_short",
            "cancelled",
            "capture_cancelled",
            "check_cancelled",
            "rescue_cancelled",
            "document_cancelled",
            "recorded_unsealed",
            "pack_unreadable",
            "store_unreadable",
            "db_failed",
            "keys_damaged",
            "escrow_unusable",
            "no_randomness",
            "host_failed",
            "internal_fault",
            "key_store_other",
            "key_refused",
            "capture_over",
            "answer_late",
            "wrong_server",
            "token_refused",
        ] {
            assert!(catalogue::exists(code), "{code}");
        }
    }
}
