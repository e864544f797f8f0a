//! Figures drawn here as inline SVG (console.md section 5): no script, no style attribute, no text inside a drawing that scales.
//! Each has its finding as a caption and its numbers as a table, which is what a screen reader and a printer use.

mod contact;
mod deadlines;
mod place;
mod stages;

pub use contact::ContactStrip;
pub use deadlines::DeadlineChart;
pub use place::{PlaceMap, Point, PointKind};
pub use stages::StageBars;

use fieldseal_core::domain::Day;

use super::words::Words;

/// Days since 1970-01-01 of a moment, in the zone of the agency.
pub fn day_of(words: Words, ms: u64) -> i32 {
    crate::projection::day_number(&words.day(ms)).unwrap_or_default()
}

/// A day as it is written, from its number.
pub fn day_text(number: i32) -> String {
    let epoch = Day::parse("date", "1970-01-01").ok().map(Day::date);
    let span = jiff::Span::new().days(i64::from(number).clamp(-3_000_000, 2_000_000));
    epoch
        .and_then(|epoch| epoch.checked_add(span).ok())
        .map(|date| date.to_string())
        .unwrap_or_default()
}

/// A due date with its distance in words, after the date: `2026-12-01（已超期 2 日）`.
pub fn due_text(words: Words, due: i32, today: i32) -> String {
    let date = day_text(due);
    let (code, days) = match due - today {
        0 => return words.t1("due.today", "date", date),
        late if late < 0 => ("due.overdue", i64::from(-late)),
        left => ("due.left", i64::from(left)),
    };
    words.t2(code, "date", date, "days", days.unsigned_abs())
}
