//! The days of the story. They lie in the week before today, so that a tablet whose clock is set to them visibly disagrees
//! with what the server says of the time, whenever the demo is played.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::samples::exif::Moment;

/// Days from the first one in the field to today.
const AGO: u64 = 10;
const DAY: u64 = 86_400;
/// China has one zone.
const OFFSET: u64 = 8 * 3600;

/// A day as `YYYY-MM-DD`, counted from the first one in the field; later ones are days by which something is due.
#[expect(
    clippy::disallowed_methods,
    reason = "the driver is a program: today is what the machine says"
)]
pub fn day(number: u64) -> String {
    // Once: a story that is played over midnight stays one story.
    static TODAY: OnceLock<u64> = OnceLock::new();
    let now = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_secs())
    };
    let today = TODAY.get_or_init(|| now() + OFFSET);
    dated(today.saturating_sub(AGO * DAY) + number * DAY)
}

fn dated(seconds: u64) -> String {
    let epoch = Moment {
        year: 1970,
        month: 1,
        day: 1,
        hour: 0,
        minute: 0,
        second: 0,
        offset_minutes: 0,
    };
    let Moment { year, month, day, .. } = epoch.plus_seconds(seconds);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_follow_one_another() {
        assert_eq!(dated(1_795_996_800), "2026-11-30");
        assert_eq!(dated(1_795_996_800 + DAY), "2026-12-01");
        assert!(day(0) < day(1) && day(1) < day(30));
    }
}
