//! What can be found: one line for a case, an enterprise or a document, and how it is asked for.

use super::words::SearchWords;

/// What a line stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LineKind {
    Case = 1,
    Enterprise = 2,
    Document = 3,
}

/// A line to be kept; replaces the one with the same kind and id. Without texts it is removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineRow {
    pub kind: LineKind,
    pub id: [u8; 16],
    /// The case of a document; else the id.
    pub scope: [u8; 16],
    /// 0 planned, 1 in progress, 2 closed, 3 returned.
    pub stage: u8,
    /// Earliest due date, days since 1970-01-01.
    pub due: Option<i32>,
    /// Planned day, days since 1970-01-01.
    pub day: Option<i32>,
    /// Server clock, milliseconds: when something of it last arrived.
    pub seen_ms: u64,
    /// Conflicts, operations set aside, files that did not arrive.
    pub problems: u64,
    /// What it is found by, as it is written.
    pub texts: Vec<String>,
    /// What it is filtered by: see [`tag`].
    pub tags: Vec<String>,
    /// What a list shows, JSON; empty for a case, whose register holds it.
    pub shown: Vec<u8>,
}

/// A filter word: a letter for its kind and the hex of what it names, so that no name can be read as another.
pub fn tag(kind: char, named: &[u8]) -> String {
    format!("{kind}{}", hex::encode(named))
}

/// The order of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LineOrder {
    /// Earliest due date first, those without one last; then the last arrival first.
    #[default]
    Due,
    /// The last arrival first.
    Seen,
    /// What has been without an arrival for the longest time first.
    Oldest,
}

/// What is asked for; every condition has to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineQuery {
    pub kind: LineKind,
    pub words: SearchWords,
    pub tags: Vec<String>,
    pub stage: Option<u8>,
    /// Due on this day or before.
    pub due_by: Option<i32>,
    /// Planned on this day or later, and on this day or before.
    pub from: Option<i32>,
    pub to: Option<i32>,
    pub problems_only: bool,
    pub order: LineOrder,
    pub skip: u64,
    pub limit: u64,
}

impl LineQuery {
    /// Everything of a kind that has these words.
    pub fn new(kind: LineKind, words: SearchWords) -> Self {
        Self {
            kind,
            words,
            tags: Vec::new(),
            stage: None,
            due_by: None,
            from: None,
            to: None,
            problems_only: false,
            order: LineOrder::default(),
            skip: 0,
            limit: 50,
        }
    }
}

/// A line that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundLine {
    pub id: [u8; 16],
    pub scope: [u8; 16],
    /// JSON: the register of a case, what was given for the others.
    pub shown: Vec<u8>,
}

/// A page of what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinePage {
    /// Lines on all pages.
    pub total: u64,
    pub lines: Vec<FoundLine>,
}

/// Counts over all lines of a kind, for a chart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LineCounts {
    /// By stage, ascending.
    pub stages: Vec<(u8, u64)>,
    /// Due before `today`.
    pub overdue: u64,
    /// By due day, from `today` on, ascending.
    pub dues: Vec<(i32, u64)>,
}
