//! Days and minutes as they are written into a record: ISO 8601, the tenant's own time zone.

use std::fmt;

use jiff::civil::{Date, DateTime};

use super::Refusal;
use crate::catalogue::Param;

/// A day, 1949-10-01…2199-12-31.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Date);

/// A minute of a day in local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minute(DateTime);

impl Day {
    /// Reads `2026-03-04`. `field` names the input in the refusal.
    pub fn parse(field: &'static str, raw: &str) -> Result<Day, Refusal> {
        let text = raw.trim();
        let refused = || Refusal::new("date_form", [("field", Param::label(field)), ("value", shown(text))]);
        if text.len() != 10 {
            return Err(refused());
        }
        let day: Date = text.parse().map_err(|_| refused())?;
        if !(1949..=2199).contains(&day.year()) {
            return Err(refused());
        }
        Ok(Day(day))
    }

    /// A due day: not before the day of the order.
    pub fn due(raw: &str, ordered: Day) -> Result<Day, Refusal> {
        let due = Day::parse("due", raw)?;
        if due < ordered {
            return Err(Refusal::new(
                "due_before_order",
                [
                    ("due", Param::text(due.to_string())),
                    ("ordered", Param::text(ordered.to_string())),
                ],
            ));
        }
        Ok(due)
    }

    /// From a calendar date.
    pub fn from_date(date: Date) -> Day {
        Day(date)
    }

    /// Whole days from another day to this one; negative when this one is earlier.
    pub fn days_after(self, other: Day) -> i64 {
        self.0.duration_since(other.0).as_hours() / 24
    }

    /// The calendar date.
    pub fn date(self) -> Date {
        self.0
    }

    /// The day of a time in milliseconds since 1970, in a zone that lies `offset_minutes` east of UTC. `None` outside years that
    /// exist.
    pub fn of_ms(ms: u64, offset_minutes: i32) -> Option<Day> {
        local(ms, offset_minutes).map(|time| Day(time.date()))
    }
}

impl Minute {
    /// Reads `2026-03-04T09:10`.
    pub fn parse(field: &'static str, raw: &str) -> Result<Minute, Refusal> {
        let text = raw.trim();
        let refused = || Refusal::new("date_form", [("field", Param::label(field)), ("value", shown(text))]);
        if text.len() != 16 {
            return Err(refused());
        }
        text.parse().map(Minute).map_err(|_| refused())
    }

    /// The minute of a time in milliseconds since 1970, as [`Day::of_ms`].
    pub fn of_ms(ms: u64, offset_minutes: i32) -> Option<Minute> {
        let time = local(ms, offset_minutes)?;
        DateTime::new(time.year(), time.month(), time.day(), time.hour(), time.minute(), 0, 0)
            .ok()
            .map(Minute)
    }
}

/// `2026-03-04T09:32:07` in a zone that lies `offset_minutes` east of UTC.
pub(crate) fn second_text(ms: u64, offset_minutes: i32) -> Option<String> {
    let time = local(ms, offset_minutes)?;
    Some(time.strftime("%Y-%m-%dT%H:%M:%S").to_string())
}

fn local(ms: u64, offset_minutes: i32) -> Option<DateTime> {
    let ms = i64::try_from(ms).ok()?;
    let time = jiff::Timestamp::from_millisecond(ms).ok()?;
    let offset = jiff::tz::Offset::from_seconds(offset_minutes.checked_mul(60)?).ok()?;
    Some(offset.to_datetime(time))
}

fn shown(text: &str) -> Param {
    Param::text(text.chars().take(40).collect::<String>())
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%Y-%m-%dT%H:%M"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_exist() {
        let order = Day::parse("date", "2026-03-04").unwrap();
        assert_eq!(Day::due("2026-03-04", order).unwrap(), order);
        assert_eq!(Day::due("2026-03-03", order).unwrap_err().code(), "due_before_order");
        for wrong in [
            "2026-02-29",
            "2026-3-4",
            "04.03.2026",
            "1900-01-01",
            "9999-12-31",
            "2026-03-04T00:00",
            "",
        ] {
            assert_eq!(Day::parse("date", wrong).unwrap_err().code(), "date_form", "{wrong}");
        }
    }

    #[test]
    fn local_time() {
        // 2026-03-04T01:10:59Z
        let ms = 1_772_586_659_000;
        assert_eq!(Minute::of_ms(ms, 480).unwrap().to_string(), "2026-03-04T09:10");
        assert_eq!(Day::of_ms(ms, -120).unwrap().to_string(), "2026-03-03");
        assert_eq!(second_text(ms, 0).unwrap(), "2026-03-04T01:10:59");
        assert_eq!(Day::of_ms(u64::MAX, 0), None);
        assert_eq!(
            Minute::parse("from", "2026-03-04T09:10").unwrap().to_string(),
            "2026-03-04T09:10"
        );
    }
}
