//! How many cases fall due on each of the next days.

use askama::Template;
use askama::filters::HtmlSafe;

use super::day_text;
use crate::console::words::Words;
use crate::ledger::LineCounts;

/// Days that are drawn.
const DAYS: i32 = 30;
/// A column in drawing units, and the height of the tallest bar.
const COLUMN: u64 = 10;
const HEIGHT: u64 = 64;

struct Bar {
    x: u64,
    y: u64,
    height: u64,
    overdue: bool,
}

/// The chart.
#[derive(Template)]
#[template(path = "figure/deadlines.html")]
pub struct DeadlineChart {
    words: Words,
    bars: Vec<Bar>,
    /// The number on each mark, column by column; nothing where there is none.
    marks: Vec<Option<u64>>,
    width: u64,
    overdue: u64,
    coming: u64,
    rows: Vec<(String, u64)>,
}

impl HtmlSafe for DeadlineChart {}

impl DeadlineChart {
    /// `today` in days since 1970-01-01.
    pub fn new(words: Words, counts: &LineCounts, today: i32) -> Self {
        let near: Vec<(i32, u64)> = counts
            .dues
            .iter()
            .copied()
            .filter(|(day, _)| *day < today + DAYS)
            .collect();
        let most = near
            .iter()
            .map(|(_, n)| *n)
            .chain([counts.overdue])
            .max()
            .unwrap_or(0)
            .max(1);
        let bar = |place: u64, n: u64, overdue: bool| {
            // What is there is seen: the least bar is two units high.
            let height = (n * HEIGHT / most).max(2);
            Bar {
                x: place * COLUMN + 1,
                y: HEIGHT - height,
                height,
                overdue,
            }
        };
        let mut bars: Vec<Bar> = (counts.overdue > 0)
            .then(|| bar(0, counts.overdue, true))
            .into_iter()
            .collect();
        bars.extend(
            near.iter()
                .map(|(day, n)| bar((day - today + 2).unsigned_abs().into(), *n, false)),
        );
        let mut marks = vec![None; DAYS as usize + 2];
        if let Some(first) = marks.first_mut() {
            *first = Some(counts.overdue).filter(|n| *n > 0);
        }
        for (day, n) in &near {
            if let Some(mark) = marks.get_mut((day - today + 2).unsigned_abs() as usize) {
                *mark = Some(*n);
            }
        }
        Self {
            words,
            marks,
            bars,
            width: (DAYS as u64 + 2) * COLUMN,
            overdue: counts.overdue,
            coming: near.iter().map(|(_, n)| n).sum(),
            rows: near.iter().map(|(day, n)| (day_text(*day), *n)).collect(),
        }
    }
}
