//! No panic crosses the border: it becomes a coded error, and what was written stays.
//!
//! The library's own state survives an unwinding: a write transaction rolls back, locks are taken over, and every fact is
//! durable before a call returns.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use fieldseal_core::catalogue::Param;

use crate::error::FieldsealError;

/// Carries a host's failure out of a place that cannot fail by itself, such as a reading of the clock.
pub(crate) struct HostFailure {
    what: &'static str,
    detail: String,
}

impl HostFailure {
    /// Leaves for the guard at the border. The panic hook is not run: nothing is wrong with this program.
    pub fn leave(what: &'static str, detail: impl std::fmt::Display) -> ! {
        let detail = detail.to_string();
        resume_unwind(Box::new(Self { what, detail }))
    }
}

/// Runs a call of the border.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, FieldsealError>) -> Result<T, FieldsealError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(coded(&*panic)))
}

fn coded(panic: &(dyn Any + Send)) -> FieldsealError {
    if let Some(host) = panic.downcast_ref::<HostFailure>() {
        return FieldsealError::host(host.what, &host.detail);
    }
    let words = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let detail = Param::text(words.unwrap_or("a panic without words"));
    FieldsealError::new("internal_fault", &[("detail", detail)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_coded_error_with_its_words() {
        let error = guarded::<()>(|| panic!("index out of bounds")).unwrap_err();
        assert_eq!(error.problem().code, "internal_fault");
        assert!(error.problem().en.contains("index out of bounds"));
    }

    #[test]
    fn a_hosts_failure_is_told_from_our_own() {
        let error = guarded::<()>(|| HostFailure::leave("clock", "thrown")).unwrap_err();
        assert_eq!(error.problem().code, "host_failed");
        assert!(matches!(error, FieldsealError::Failed { .. }));
    }
}
