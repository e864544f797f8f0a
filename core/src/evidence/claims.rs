//! What a file says of itself: its media type by content, and the time and place a camera wrote into it. Neither proves
//! anything; both are shown beside the device's own claims.

use std::io::{BufReader, Read, Seek, SeekFrom};

use exif::{Exif, In, Tag, Value};

use crate::domain::ExifClaims;
use crate::vault::{VaultError, VaultReader};

/// Bytes from which a media type is told.
const PROBE: usize = 8 * 1024;
/// Longest text taken from a file.
const MAX_TEXT: usize = 200;

/// Media type by content; `application/octet-stream` where the bytes say nothing.
///
/// # Errors
/// When the vault's file was changed.
pub fn media_type(reader: &mut VaultReader) -> Result<String, VaultError> {
    let mut probe = Vec::with_capacity(PROBE);
    let read = reader
        .seek(SeekFrom::Start(0))
        .and_then(|_| reader.by_ref().take(PROBE as u64).read_to_end(&mut probe));
    read.map_err(VaultError::Source)?;
    if let Some(kind) = infer::get(&probe) {
        return Ok(kind.mime_type().to_owned());
    }
    let cut_inside_a_character = |e: std::str::Utf8Error| e.error_len().is_none() && e.valid_up_to() > 0;
    let text = match std::str::from_utf8(&probe) {
        Ok(text) => !text.is_empty(),
        Err(e) => probe.len() == PROBE && cut_inside_a_character(e),
    };
    let printable = text && !probe.iter().any(|b| *b < 0x20 && !b"\t\n\r".contains(b));
    Ok(if printable {
        "text/plain"
    } else {
        "application/octet-stream"
    }
    .to_owned())
}

/// Time, place and camera from EXIF; nothing where there is none or it is broken.
pub(super) fn exif(mut reader: VaultReader, media_type: &str) -> ExifClaims {
    // These containers are read segment by segment; a TIFF would be read whole into memory.
    if !matches!(
        media_type,
        "image/jpeg" | "image/png" | "image/webp" | "image/heif" | "image/heic" | "image/avif"
    ) {
        return ExifClaims::default();
    }
    if reader.seek(SeekFrom::Start(0)).is_err() {
        return ExifClaims::default();
    }
    let Ok(exif) = exif::Reader::new().read_from_container(&mut BufReader::new(reader)) else {
        return ExifClaims::default();
    };
    let camera = [Tag::Make, Tag::Model]
        .into_iter()
        .filter_map(|tag| ascii(&exif, tag))
        .collect::<Vec<_>>()
        .join(" ");
    ExifClaims {
        time: ascii(&exif, Tag::DateTimeOriginal).or_else(|| ascii(&exif, Tag::DateTime)),
        latitude_e7: angle(&exif, Tag::GPSLatitude, Tag::GPSLatitudeRef, "S", 90),
        longitude_e7: angle(&exif, Tag::GPSLongitude, Tag::GPSLongitudeRef, "W", 180),
        device: (!camera.is_empty()).then_some(camera),
    }
}

fn ascii(exif: &Exif, tag: Tag) -> Option<String> {
    let Value::Ascii(parts) = &exif.get_field(tag, In::PRIMARY)?.value else {
        return None;
    };
    let text = String::from_utf8_lossy(parts.first()?);
    let text: String = text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect();
    let text = text.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// Degrees, minutes and seconds as degrees times 10⁷, negative for the reference `negative`.
fn angle(exif: &Exif, tag: Tag, reference: Tag, negative: &str, most: i64) -> Option<i64> {
    let Value::Rational(parts) = &exif.get_field(tag, In::PRIMARY)?.value else {
        return None;
    };
    let [degrees, minutes, seconds] = parts.as_slice() else {
        return None;
    };
    if [degrees, minutes, seconds].iter().any(|part| part.denom == 0) {
        return None;
    }
    let value = (degrees.to_f64() + minutes.to_f64() / 60.0 + seconds.to_f64() / 3600.0) * 1e7;
    let value = if value.is_finite() {
        value.round() as i64
    } else {
        return None;
    };
    if value > most * 10_000_000 {
        return None;
    }
    Some(if ascii(exif, reference).as_deref() == Some(negative) {
        -value
    } else {
        value
    })
}
