//! What is odd about a file. None of it keeps the file from being sealed.

use std::io::{Read, Seek, SeekFrom};

use crate::catalogue::{Message, Param};

pub(super) fn empty() -> Message {
    Message::new("media.empty", [])
}

pub(super) fn unknown() -> Message {
    Message::new("media.unknown_type", [])
}

pub(super) fn unreadable(error: &dyn std::fmt::Display) -> Message {
    Message::new("media.unreadable", [("detail", Param::text(error.to_string()))])
}

pub(super) fn camera_block(detail: &dyn std::fmt::Display) -> Message {
    Message::new("media.camera_block", [("detail", Param::text(detail.to_string()))])
}

pub(super) fn camera_value(field: &'static str, value: &str) -> Message {
    Message::new(
        "media.camera_value",
        [("field", Param::text(field)), ("value", Param::text(value))],
    )
}

pub(super) fn cut_off() -> Message {
    Message::new("media.cut_off", [])
}

/// A JPEG that has no end marker in its last 64 KiB was cut off.
pub(super) fn check_end<R: Read + Seek>(reader: &mut R, media_type: &str, size: u64, oddities: &mut Vec<Message>) {
    if media_type != "image/jpeg" {
        return;
    }
    let mut end = Vec::new();
    let read = reader
        .seek(SeekFrom::Start(size.saturating_sub(64 * 1024)))
        .and_then(|_| reader.take(64 * 1024).read_to_end(&mut end));
    match read {
        Ok(_) if end.windows(2).any(|pair| pair == [0xff, 0xd9]) => {}
        Ok(_) => oddities.push(cut_off()),
        Err(error) => oddities.push(unreadable(&error)),
    }
}
