//! Cases: the list, and the pages of one case.
//!
//! ```text
//! operations ─CaseFile─▶ state and read models ─Wording─▶ words ─page struct─▶ template
//! ```
//! Each tab of a case is a page of its own; all of them begin with the identity bar.

mod bar;
mod deadlines;
mod documents;
mod filters;
mod gallery;
mod item;
mod list;
mod overview;
mod records;
mod timeline;
mod wording;

pub use bar::{CaseBar, Tab};
pub use deadlines::{Judged, judged_items, page as deadlines};
pub use documents::page as documents;
pub use gallery::page as gallery;
pub use item::page as item;
pub use list::{csv, found_documents, harmless, page as list};
pub use overview::page as overview;
pub use records::page as records;
pub use timeline::page as timeline;
pub use wording::{Wording, cut};

use std::collections::HashMap;

use fieldseal_proof::ids::{CaseId, OpId};

use super::accounts::Role;
use super::error::PageError;
use super::page::{Area, Page};
use super::visitor::Desk;
use crate::api::App;
use crate::checks::{Held, held, sealed_items};
use crate::projection::CaseFile;

/// A case opened by somebody who may.
pub struct OpenCase {
    pub file: CaseFile,
    pub wording: Wording,
    pub page: Page,
    pub bar: CaseBar,
    pub known: Known,
    /// Whoever reads may decide.
    pub decides: bool,
}

/// What is known of a case beyond its own records.
pub struct Known {
    /// What became of each ordered item, by every visit to the enterprise.
    pub judged: Judged,
    /// What checks of its sealed items came to.
    pub checked: HashMap<OpId, Held>,
}

impl Known {
    /// Reads both.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn of(app: &App, file: &CaseFile) -> Result<Self, PageError> {
        let items: Vec<OpId> = sealed_items(file).into_iter().map(|(id, _)| id).collect();
        Ok(Self {
            judged: judged_items(app, file).await?,
            checked: held(&*app.server.ledger, &items).await?,
        })
    }
}

/// From which work list a page of a case was opened.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct FromQueue {
    queue: String,
}

/// Reads a case for one of its pages.
///
/// # Errors
/// The same answer for a case that is not there and for one that may not be seen.
pub async fn open(app: &App, desk: &Desk, case: &str, tab: Tab) -> Result<OpenCase, PageError> {
    desk.staff.needs_one_of(&[Role::Supervisor, Role::Legal])?;
    let case: CaseId = case.parse().map_err(|_| PageError::NotFound)?;
    let file = CaseFile::load(&app.server.ingest, &app.shelves.packs, case)
        .await?
        .ok_or(PageError::NotFound)?;
    let words = desk.words();
    let wording = Wording::load(app, words).await?;
    let decides = desk.staff.account.role == Role::Supervisor;
    let known = Known::of(app, &file).await?;
    let bar = CaseBar::new(app, &wording, &file, &known, tab, decides);
    let title = format!("{} · {}", words.t(tab.word()), bar.name);
    let page = Page::of(app, desk, Area::Cases, title)
        .await?
        .crumb("/console/cases", words.t("console.nav.cases"));
    Ok(OpenCase {
        decides,
        known,
        file,
        wording,
        page,
        bar,
    })
}
