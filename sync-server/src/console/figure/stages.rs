//! Cases by stage.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::console::words::Words;
use crate::ledger::LineCounts;
use crate::projection::STAGES;

struct Row {
    href: String,
    word: String,
    count: u64,
    /// Of 100.
    share: u64,
}

/// One bar for each stage; the numbers stand beside them.
#[derive(Template)]
#[template(path = "figure/stages.html")]
pub struct StageBars {
    words: Words,
    rows: Vec<Row>,
    total: u64,
}

impl HtmlSafe for StageBars {}

impl StageBars {
    pub fn new(words: Words, counts: &LineCounts) -> Self {
        let of = |rank: usize| {
            let found = counts.stages.iter().find(|(stage, _)| usize::from(*stage) == rank);
            found.map_or(0, |(_, n)| *n)
        };
        let most = (0..STAGES.len()).map(of).max().unwrap_or(0).max(1);
        let row = |(rank, stage): (usize, &&str)| Row {
            href: format!("/console/cases?stage={stage}"),
            word: words.t(&format!("stage.{stage}")),
            count: of(rank),
            share: of(rank) * 100 / most,
        };
        Self {
            words,
            rows: STAGES.iter().enumerate().map(row).collect(),
            total: (0..STAGES.len()).map(of).sum(),
        }
    }
}
