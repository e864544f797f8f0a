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
pub use deadlines::page as deadlines;
pub use documents::page as documents;
pub use gallery::page as gallery;
pub use item::page as item;
pub use list::{csv, found_documents, harmless, page as list};
pub use overview::page as overview;
pub use records::page as records;
pub use timeline::page as timeline;
pub use wording::{Wording, cut};

use fieldseal_proof::ids::CaseId;

use super::accounts::Role;
use super::error::PageError;
use super::page::{Area, Page};
use super::visitor::Desk;
use crate::api::App;
use crate::projection::CaseFile;

/// A case opened by somebody who may.
pub struct OpenCase {
    pub file: CaseFile,
    pub wording: Wording,
    pub page: Page,
    pub bar: CaseBar,
    /// Whoever reads may decide.
    pub decides: bool,
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
    let bar = CaseBar::new(app, &wording, &file, tab, decides);
    let title = format!("{} · {}", words.t(tab.word()), bar.name);
    let page = Page::of(app, desk, Area::Cases, title)
        .await?
        .crumb("/console/cases", words.t("console.nav.cases"));
    Ok(OpenCase {
        decides,
        file,
        wording,
        page,
        bar,
    })
}
