//! Time, place and camera from EXIF.

use std::io::{BufReader, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};

use exif::{Exif, In, Tag, Value};

use super::odd;
use crate::catalogue::Message;
use crate::domain::ExifClaims;

/// Longest text taken from a file, in characters.
const MOST_TEXT: usize = 120;

pub(super) fn read<R: Read + Seek>(reader: &mut R, media_type: &str, oddities: &mut Vec<Message>) -> ExifClaims {
    // These containers are read block by block. A TIFF would be read whole, so it is left alone.
    let walked = [
        "image/jpeg",
        "image/png",
        "image/webp",
        "image/heic",
        "image/heif",
        "image/avif",
    ];
    if !walked.contains(&media_type) || reader.seek(SeekFrom::Start(0)).is_err() {
        return ExifClaims::default();
    }
    let mut broken = Vec::new();
    // Hostile files reach a parser that is not ours; whatever it does, the file is sealed and the fault is shown.
    let parsed = catch_unwind(AssertUnwindSafe(|| {
        let mut parser = exif::Reader::new();
        parser.continue_on_error(true);
        parser
            .read_from_container(&mut BufReader::new(reader))
            .or_else(|error| {
                error.distill_partial_result(|errors| broken.extend(errors.into_iter().map(|e| e.to_string())))
            })
    }));
    if let Some(first) = broken.first() {
        oddities.push(odd::camera_block(first));
    }
    match parsed {
        Ok(Ok(exif)) => claims(&exif, oddities),
        Ok(Err(exif::Error::NotFound(_))) => ExifClaims::default(),
        Ok(Err(error)) => {
            oddities.push(odd::camera_block(&error));
            ExifClaims::default()
        }
        Err(_) => {
            oddities.push(odd::camera_block(&"parser fault"));
            ExifClaims::default()
        }
    }
}

fn claims(exif: &Exif, oddities: &mut Vec<Message>) -> ExifClaims {
    let camera = [Tag::Make, Tag::Model].into_iter().filter_map(|tag| ascii(exif, tag));
    let camera = camera.collect::<Vec<_>>().join(" ");
    let latitude = angle(exif, Tag::GPSLatitude, Tag::GPSLatitudeRef, "S", 90, oddities);
    let longitude = angle(exif, Tag::GPSLongitude, Tag::GPSLongitudeRef, "W", 180, oddities);
    // Half a position is none.
    let position = latitude.zip(longitude);
    ExifClaims {
        time: time(exif, oddities),
        latitude_e7: position.map(|(latitude, _)| latitude),
        longitude_e7: position.map(|(_, longitude)| longitude),
        device: (!camera.is_empty()).then_some(camera),
    }
}

/// `2022-08-14T14:12:31+03:00`; without the offset where the camera wrote none.
fn time(exif: &Exif, oddities: &mut Vec<Message>) -> Option<String> {
    let written = ascii(exif, Tag::DateTimeOriginal)?;
    let plain: Vec<&str> = written.splitn(2, ' ').collect();
    let iso = match plain.as_slice() {
        [day, clock] => format!("{}T{}", day.replace(':', "-"), clock.trim()),
        _ => written.clone(),
    };
    if iso.parse::<jiff::civil::DateTime>().is_err() {
        oddities.push(odd::camera_value("DateTimeOriginal", &written));
        return None;
    }
    let offset = ascii(exif, Tag::OffsetTimeOriginal)
        .filter(|offset| is_offset(offset))
        .unwrap_or_default();
    Some(format!("{iso}{offset}"))
}

/// `+03:00` or `Z`.
fn is_offset(text: &str) -> bool {
    let digits = |part: &str| part.len() == 2 && part.bytes().all(|c| c.is_ascii_digit());
    text == "Z"
        || text
            .strip_prefix(['+', '-'])
            .and_then(|rest| rest.split_once(':'))
            .is_some_and(|(h, m)| digits(h) && digits(m))
}

fn ascii(exif: &Exif, tag: Tag) -> Option<String> {
    let Value::Ascii(parts) = &exif.get_field(tag, In::PRIMARY)?.value else {
        return None;
    };
    let text = String::from_utf8_lossy(parts.first()?);
    let text: String = text.chars().filter(|c| !c.is_control()).take(MOST_TEXT).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Degrees, minutes and seconds as degrees times 10⁷, negative for the reference `negative`.
fn angle(exif: &Exif, tag: Tag, reference: Tag, negative: &str, most: i64, oddities: &mut Vec<Message>) -> Option<i64> {
    let field = exif.get_field(tag, In::PRIMARY)?;
    let name = if most == 90 { "GPSLatitude" } else { "GPSLongitude" };
    let odd = |oddities: &mut Vec<Message>| {
        oddities.push(odd::camera_value(name, &field.display_value().to_string()));
        None
    };
    // Some phones write signed fractions where the standard has unsigned ones.
    let parts: Vec<Option<f64>> = match &field.value {
        Value::Rational(parts) => parts.iter().map(|p| (p.denom != 0).then(|| p.to_f64())).collect(),
        Value::SRational(parts) => parts.iter().map(|p| (p.denom != 0).then(|| p.to_f64())).collect(),
        _ => Vec::new(),
    };
    let [Some(degrees), Some(minutes), Some(seconds)] = parts[..] else {
        return odd(oddities);
    };
    let value = (degrees + minutes / 60.0 + seconds / 3600.0) * 1e7;
    if !(0.0..=most as f64 * 1e7).contains(&value) {
        return odd(oddities);
    }
    let value = value.round() as i64;
    Some(if ascii(exif, reference).as_deref() == Some(negative) {
        -value
    } else {
        value
    })
}
