//! The EXIF segment of a photograph, written by us: a little TIFF file inside a JPEG.

/// What the EXIF segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exif {
    /// Maker of the camera.
    pub make: &'static str,
    /// Model of the camera.
    pub model: &'static str,
    /// When the photograph was taken, by the camera's clock.
    pub moment: Moment,
    /// Where, by its receiver.
    pub place: Option<Place>,
}

/// A date and time on a camera's clock, with its distance from UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Year.
    pub year: u16,
    /// Month, from 1.
    pub month: u8,
    /// Day of the month, from 1.
    pub day: u8,
    /// Hour.
    pub hour: u8,
    /// Minute.
    pub minute: u8,
    /// Second.
    pub second: u8,
    /// Minutes east of UTC.
    pub offset_minutes: i16,
}

/// A place on the earth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Degrees north, times 10⁷.
    pub latitude_e7: i32,
    /// Degrees east, times 10⁷.
    pub longitude_e7: i32,
    /// Millimetres above the sea.
    pub altitude_mm: i32,
}

impl Moment {
    /// As EXIF writes it: `2026:03:16 09:12:40`.
    pub fn exif(self) -> String {
        let Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
            ..
        } = self;
        format!("{year:04}:{month:02}:{day:02} {hour:02}:{minute:02}:{second:02}")
    }

    /// The offset as EXIF writes it: `+08:00`.
    pub fn offset(self) -> String {
        let sign = if self.offset_minutes < 0 { '-' } else { '+' };
        let minutes = self.offset_minutes.unsigned_abs();
        format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }

    /// The moment so many seconds later on the same clock.
    #[must_use]
    pub fn plus_seconds(self, seconds: u64) -> Self {
        Self::from_seconds(self.seconds() + seconds as i64, self.offset_minutes)
    }

    /// The same moment in UTC.
    fn utc(self) -> Self {
        Self::from_seconds(self.seconds() - i64::from(self.offset_minutes) * 60, 0)
    }

    /// Seconds since 1970 as if the clock showed UTC.
    fn seconds(self) -> i64 {
        let Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
            ..
        } = self;
        let days = days_from_civil(i64::from(year), i64::from(month), i64::from(day));
        days * 86_400 + i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second)
    }

    fn from_seconds(seconds: i64, offset_minutes: i16) -> Self {
        let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
        let rest = seconds.rem_euclid(86_400);
        Self {
            year: year as u16,
            month: month as u8,
            day: day as u8,
            hour: (rest / 3600) as u8,
            minute: (rest / 60 % 60) as u8,
            second: (rest % 60) as u8,
            offset_minutes,
        }
    }
}

/// Days since 1970-01-01 (Howard Hinnant's algorithm).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (
        era * 400 + year + i64::from(month <= 2),
        month,
        of_year - (153 * shifted + 2) / 5 + 1,
    )
}

/// One directory entry.
struct Entry {
    tag: u16,
    kind: u16,
    count: u32,
    value: Vec<u8>,
}

fn ascii(tag: u16, text: &str) -> Entry {
    let mut value = text.as_bytes().to_vec();
    value.push(0);
    Entry {
        tag,
        kind: 2,
        count: value.len() as u32,
        value,
    }
}

fn bytes(tag: u16, value: &[u8]) -> Entry {
    Entry {
        tag,
        kind: 1,
        count: value.len() as u32,
        value: value.to_vec(),
    }
}

fn undefined(tag: u16, value: &[u8]) -> Entry {
    Entry {
        tag,
        kind: 7,
        count: value.len() as u32,
        value: value.to_vec(),
    }
}

fn short(tag: u16, value: u16) -> Entry {
    Entry {
        tag,
        kind: 3,
        count: 1,
        value: value.to_le_bytes().to_vec(),
    }
}

fn long(tag: u16, value: u32) -> Entry {
    Entry {
        tag,
        kind: 4,
        count: 1,
        value: value.to_le_bytes().to_vec(),
    }
}

fn rationals(tag: u16, values: &[(u32, u32)]) -> Entry {
    let value = values
        .iter()
        .flat_map(|(top, bottom)| [top.to_le_bytes(), bottom.to_le_bytes()])
        .flatten()
        .collect();
    Entry {
        tag,
        kind: 5,
        count: values.len() as u32,
        value,
    }
}

/// The bytes of a directory with all its values, as it lies at `offset` of the TIFF file.
fn directory(mut entries: Vec<Entry>, offset: u32) -> Vec<u8> {
    entries.sort_by_key(|entry| entry.tag);
    let mut values_at = offset + 2 + 12 * entries.len() as u32 + 4;
    let (mut head, mut values) = ((entries.len() as u16).to_le_bytes().to_vec(), Vec::new());
    for entry in entries {
        head.extend(entry.tag.to_le_bytes());
        head.extend(entry.kind.to_le_bytes());
        head.extend(entry.count.to_le_bytes());
        if entry.value.len() <= 4 {
            let mut inline = entry.value;
            inline.resize(4, 0);
            head.extend(inline);
        } else {
            head.extend(values_at.to_le_bytes());
            values.extend(&entry.value);
            if values.len() % 2 == 1 {
                values.push(0);
            }
            values_at = offset + 2 + 12 * u32::from(u16::from_le_bytes([head[0], head[1]])) + 4 + values.len() as u32;
        }
    }
    head.extend([0; 4]);
    head.extend(values);
    head
}

/// Degrees, minutes and ten-thousandths of a second, as GPS tags want them.
fn sexagesimal(degrees_e7: i32) -> [(u32, u32); 3] {
    let e7 = u64::from(degrees_e7.unsigned_abs());
    let minutes_e7 = e7 % 10_000_000 * 60;
    let seconds_e7 = minutes_e7 % 10_000_000 * 60;
    let seconds = ((seconds_e7 + 500) / 1000).min(599_999);
    [
        ((e7 / 10_000_000) as u32, 1),
        ((minutes_e7 / 10_000_000) as u32, 1),
        (seconds as u32, 10_000),
    ]
}

fn gps_entries(place: Place, moment: Moment) -> Vec<Entry> {
    let utc = moment.utc();
    vec![
        bytes(0x0000, &[2, 3, 0, 0]),
        ascii(0x0001, if place.latitude_e7 < 0 { "S" } else { "N" }),
        rationals(0x0002, &sexagesimal(place.latitude_e7)),
        ascii(0x0003, if place.longitude_e7 < 0 { "W" } else { "E" }),
        rationals(0x0004, &sexagesimal(place.longitude_e7)),
        bytes(0x0005, &[u8::from(place.altitude_mm < 0)]),
        rationals(0x0006, &[(place.altitude_mm.unsigned_abs(), 1000)]),
        rationals(
            0x0007,
            &[(utc.hour.into(), 1), (utc.minute.into(), 1), (utc.second.into(), 1)],
        ),
        ascii(0x0012, "WGS-84"),
        ascii(0x001d, &utc.exif()[..10]),
    ]
}

impl Exif {
    /// The whole APP1 segment, marker and length included.
    pub fn app1(&self, width: u16, height: u16) -> Vec<u8> {
        let (taken, offset) = (self.moment.exif(), self.moment.offset());
        let main = |exif_at, gps_at: Option<u32>| {
            let mut entries = vec![
                ascii(0x010f, self.make),
                ascii(0x0110, self.model),
                short(0x0112, 1),
                rationals(0x011a, &[(72, 1)]),
                rationals(0x011b, &[(72, 1)]),
                short(0x0128, 2),
                ascii(0x0131, "fieldseal-demo samples"),
                ascii(0x0132, &taken),
                short(0x0213, 1),
                long(0x8769, exif_at),
            ];
            entries.extend(gps_at.map(|at| long(0x8825, at)));
            entries
        };
        let camera = || {
            vec![
                rationals(0x829a, &[(1, 120)]),
                rationals(0x829d, &[(18, 10)]),
                short(0x8827, 125),
                undefined(0x9000, b"0232"),
                ascii(0x9003, &taken),
                ascii(0x9004, &taken),
                ascii(0x9010, &offset),
                ascii(0x9011, &offset),
                ascii(0x9012, &offset),
                undefined(0x9101, &[1, 2, 3, 0]),
                undefined(0xa000, b"0100"),
                short(0xa001, 1),
                long(0xa002, width.into()),
                long(0xa003, height.into()),
            ]
        };
        // The sizes do not depend on the offsets, so a first pass finds where each directory will lie.
        let has_place = self.place.map(|_| 0);
        let exif_at = 8 + directory(main(0, has_place), 8).len() as u32;
        let gps_at = exif_at + directory(camera(), exif_at).len() as u32;
        let mut tiff = b"II*\0\x08\0\0\0".to_vec();
        tiff.extend(directory(main(exif_at, has_place.map(|_| gps_at)), 8));
        tiff.extend(directory(camera(), exif_at));
        if let Some(place) = self.place {
            tiff.extend(directory(gps_entries(place, self.moment), gps_at));
        }
        let mut segment = vec![0xff, 0xe1];
        segment.extend((tiff.len() as u16 + 8).to_be_bytes());
        segment.extend(b"Exif\0\0");
        segment.extend(tiff);
        segment
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Moment = Moment {
        year: 2024,
        month: 2,
        day: 29,
        hour: 3,
        minute: 59,
        second: 30,
        offset_minutes: 480,
    };

    #[test]
    fn moments_cross_days_and_leap_years() {
        assert_eq!(MOMENT.exif(), "2024:02:29 03:59:30");
        assert_eq!(MOMENT.offset(), "+08:00");
        assert_eq!(MOMENT.utc().exif(), "2024:02:28 19:59:30");
        assert_eq!(MOMENT.plus_seconds(86_400).exif(), "2024:03:01 03:59:30");
        assert_eq!(
            Moment {
                offset_minutes: -210,
                ..MOMENT
            }
            .offset(),
            "-03:30"
        );
        assert_eq!(days_from_civil(1970, 1, 1), 0);
        assert_eq!(civil_from_days(days_from_civil(2026, 12, 31)), (2026, 12, 31));
    }

    #[test]
    fn degrees_become_minutes_and_seconds() {
        // 28.34125 degrees = 28 degrees 20 minutes 28.5 seconds.
        assert_eq!(sexagesimal(283_412_500), [(28, 1), (20, 1), (285_000, 10_000)]);
        assert_eq!(sexagesimal(-5_000_000), [(0, 1), (30, 1), (0, 10_000)]);
        assert_eq!(sexagesimal(9_999_999).map(|part| part.0), [0, 59, 599_996]);
    }

    #[test]
    fn offsets_point_at_their_values() {
        let place = Place {
            latitude_e7: 283_412_500,
            longitude_e7: 1_195_038_300,
            altitude_mm: 41_300,
        };
        let segment = Exif {
            make: "Maker",
            model: "M",
            moment: MOMENT,
            place: Some(place),
        }
        .app1(640, 480);
        assert_eq!(
            usize::from(u16::from_be_bytes([segment[2], segment[3]])) + 2,
            segment.len()
        );
        let tiff = &segment[10..];
        let u16_at = |at: usize| u16::from_le_bytes([tiff[at], tiff[at + 1]]);
        let u32_at = |at: usize| u32::from_le_bytes([tiff[at], tiff[at + 1], tiff[at + 2], tiff[at + 3]]) as usize;
        let find = |directory: usize, tag: u16| {
            (0..usize::from(u16_at(directory)))
                .map(|n| directory + 2 + 12 * n)
                .find(|at| u16_at(*at) == tag)
                .unwrap()
        };
        let make = u32_at(find(8, 0x010f) + 8);
        assert_eq!(&tiff[make..make + 6], b"Maker\0");
        let camera = u32_at(find(8, 0x8769) + 8);
        let taken = u32_at(find(camera, 0x9003) + 8);
        assert_eq!(&tiff[taken..taken + 20], b"2024:02:29 03:59:30\0");
        let gps = u32_at(find(8, 0x8825) + 8);
        let latitude = u32_at(find(gps, 0x0002) + 8);
        assert_eq!((u32_at(latitude), u32_at(latitude + 4)), (28, 1));
        let date = u32_at(find(gps, 0x001d) + 8);
        assert_eq!(&tiff[date..date + 11], b"2024:02:28\0", "the GPS date is in UTC");
    }
}
