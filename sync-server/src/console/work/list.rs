//! The six lists: how many things wait in each, and the rows of a page. Counts come from indexes and are never cut off; a row is
//! read only when it is shown.

use fieldseal_core::domain::view::People;
use fieldseal_core::pack::RulePack;
use fieldseal_proof::ids::OpId;

use super::{cases, incidents, records};
use crate::api::App;
use crate::console::act::state;
use crate::console::cases::Wording;
use crate::console::error::PageError;
use crate::console::words::Words;
use crate::ingest::assess::Reason;

/// A list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    Overdue,
    Conflicts,
    Late,
    Quarantine,
    Incidents,
    Returns,
}

impl List {
    pub const ALL: [List; 6] = [
        List::Overdue,
        List::Conflicts,
        List::Late,
        List::Quarantine,
        List::Incidents,
        List::Returns,
    ];

    /// Its name in addresses and in the catalogue.
    pub fn word(self) -> &'static str {
        match self {
            Self::Overdue => "overdue",
            Self::Conflicts => "conflicts",
            Self::Late => "late",
            Self::Quarantine => "quarantine",
            Self::Incidents => "incidents",
            Self::Returns => "returns",
        }
    }

    /// Id of its word in the glossary.
    pub fn term(self) -> &'static str {
        match self {
            Self::Overdue => "overdue",
            Self::Conflicts => "conflict",
            Self::Late | Self::Quarantine => "quarantine",
            Self::Incidents => "fork",
            Self::Returns => "return",
        }
    }

    /// Where what is set aside for a reason waits.
    pub fn of_reason(reason: Option<Reason>) -> Self {
        match reason {
            Some(Reason::Closed) => Self::Late,
            _ => Self::Quarantine,
        }
    }

    /// Its address.
    pub fn address(self) -> String {
        format!("/console/worklist/{}", self.word())
    }

    /// The list of a name.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|list| list.word() == word)
    }

    /// How many things wait in it.
    pub async fn count(self, app: &App) -> Result<u64, PageError> {
        match self {
            Self::Overdue => cases::overdue_count(app).await,
            Self::Returns => cases::returned_count(app).await,
            Self::Conflicts => records::conflict_count(app).await,
            Self::Late | Self::Quarantine => Ok(records::set_aside_in(app, self).await?.len() as u64),
            Self::Incidents => Ok(incidents::all(app).await?.len() as u64),
        }
    }

    /// The rows of a page, in the list's order.
    pub async fn rows(self, bench: &Bench<'_>, skip: u64, limit: u64) -> Result<Vec<Row>, PageError> {
        match self {
            Self::Overdue => cases::overdue(bench, skip, limit).await,
            Self::Returns => cases::returned(bench, skip, limit).await,
            Self::Conflicts => records::conflicts(bench, skip, limit).await,
            Self::Late | Self::Quarantine => records::quarantine(bench, self, skip, limit).await,
            Self::Incidents => incidents::rows(bench, skip, limit).await,
        }
    }

    /// The addresses of all its items, in its order, without what a row says about them.
    pub async fn addresses(self, app: &App) -> Result<Vec<String>, PageError> {
        match self {
            Self::Overdue => cases::overdue_addresses(app).await,
            Self::Returns => cases::returned_addresses(app).await,
            Self::Conflicts => records::conflict_addresses(app).await,
            Self::Late | Self::Quarantine => {
                let all = records::set_aside_in(app, self).await?;
                Ok(all.iter().map(|(id, _)| records::settle_address(id)).collect())
            }
            Self::Incidents => Ok(Vec::new()),
        }
    }
}

/// A thing to decide.
pub struct Row {
    pub href: String,
    pub what: String,
    pub party: String,
    /// Why it is here, in a sentence.
    pub why: String,
    /// Since when, or until when: a date, with words where it is a term.
    pub since: String,
    pub who: String,
    /// What to do next.
    pub next: String,
    /// Address of a file that proves it, and what the link says.
    pub proof: Option<(String, String)>,
}

/// What rows are made with.
pub struct Bench<'a> {
    pub app: &'a App,
    pub words: Words,
    pub wording: Wording,
    pub people: People,
    pub pack: Option<RulePack>,
}

impl<'a> Bench<'a> {
    /// Reads the names that rows use.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn new(app: &'a App, words: Words) -> Result<Self, PageError> {
        Ok(Self {
            app,
            words,
            wording: Wording::load(app, words).await?,
            people: People::of(&app.server.ingest.key_log().log),
            pack: state::pack(app).await?,
        })
    }

    /// When an operation arrived, and from which device.
    pub async fn arrival(&self, id: OpId) -> Result<(u64, String), PageError> {
        let rows = self.app.server.ledger.operation(id).await?;
        Ok(rows.first().map_or((0, String::new()), |row| {
            (row.received_ms, self.wording.device(&row.chain.device))
        }))
    }
}
