//! The access log: each time a person opens an original, exports a case or signs something with a key that the server keeps.

mod page;

pub use page::{page, who};

use super::visitor::Staff;
use crate::api::App;
use crate::ledger::{Access, Commit, LedgerError};

/// What a person did; the word in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Opened the original bytes of evidence or of a document; the target is their SHA-256. Written before the first byte goes out.
    OpenedOriginal,
    /// Had a hearing bundle made; the target is the case.
    Exported,
    /// Took a list away as a file; the target says which and how long it was.
    Listed,
    SignedIn,
    SignedOut,
    /// Signed an operation; the target is its id.
    Signed,
    /// Changed accounts, invitations or keys; the target says what.
    Administered,
    /// Put another password in place of their own.
    OwnPassword,
}

impl Deed {
    pub const ALL: [Deed; 8] = [
        Self::OpenedOriginal,
        Self::Exported,
        Self::Listed,
        Self::Signed,
        Self::SignedIn,
        Self::SignedOut,
        Self::Administered,
        Self::OwnPassword,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenedOriginal => "original.open",
            Self::Exported => "case.export",
            Self::Listed => "list.export",
            Self::SignedIn => "console.sign_in",
            Self::SignedOut => "console.sign_out",
            Self::Signed => "console.sign",
            Self::Administered => "console.administer",
            Self::OwnPassword => "console.password",
        }
    }
}

/// The line, for a commit that does something else at the same time.
pub fn line(app: &App, staff: &Staff, deed: Deed, target: impl Into<String>) -> Access {
    Access {
        at_ms: app.server.clock.now().wall_ms,
        who: staff.who(),
        action: deed.as_str().to_owned(),
        target: target.into(),
    }
}

/// Writes the line alone; durable when it returns.
///
/// # Errors
/// When the ledger cannot be written: then the deed must not happen.
pub async fn log(app: &App, staff: &Staff, deed: Deed, target: impl Into<String>) -> Result<(), LedgerError> {
    let accesses = vec![line(app, staff, deed, target)];
    let commit = Commit {
        accesses,
        ..Commit::default()
    };
    app.server.ledger.commit(commit).await.map(|_| ())
}
