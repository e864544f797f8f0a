//! How long a recording is, where its container says so near at hand.

use std::io::{Read, Seek, SeekFrom};

use super::odd;
use crate::catalogue::Message;

/// Most boxes or chunks that are walked at one level.
const MOST_BOXES: usize = 256;

pub(super) fn read<R: Read + Seek>(
    reader: &mut R,
    media_type: &str,
    size: u64,
    oddities: &mut Vec<Message>,
) -> Option<u64> {
    let told = match media_type {
        "audio/wav" => wav(reader, size),
        "video/mp4" | "video/quicktime" | "audio/mp4" | "video/3gpp" => iso(reader, size),
        _ => return None,
    };
    match told {
        Ok(Told { ms, cut }) => {
            if cut {
                oddities.push(odd::cut_off());
            }
            ms
        }
        Err(error) => {
            oddities.push(odd::unreadable(&error));
            None
        }
    }
}

struct Told {
    ms: Option<u64>,
    /// A part says that it is longer than the file.
    cut: bool,
}

/// RIFF: bytes of data over bytes per second.
fn wav<R: Read + Seek>(reader: &mut R, size: u64) -> std::io::Result<Told> {
    let (mut at, mut rate, mut told) = (12u64, None, Told { ms: None, cut: false });
    for _ in 0..MOST_BOXES {
        if at.saturating_add(8) > size {
            break;
        }
        let head: [u8; 8] = bytes(reader, at)?;
        let length = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
        told.cut |= at + 8 + length > size;
        match &head[..4] {
            b"fmt " if length >= 16 && at + 24 <= size => {
                let format: [u8; 16] = bytes(reader, at + 8)?;
                rate = Some(u64::from(u32::from_le_bytes([
                    format[8], format[9], format[10], format[11],
                ])));
            }
            b"data" => {
                let held = length.min(size - at - 8);
                told.ms = rate.filter(|rate| *rate > 0).map(|rate| held * 1000 / rate);
                break;
            }
            _ => {}
        }
        at += 8 + length + length % 2;
    }
    Ok(told)
}

/// ISO base media: `moov` → `mvhd`, time units over units per second.
fn iso<R: Read + Seek>(reader: &mut R, size: u64) -> std::io::Result<Told> {
    let mut told = Told { ms: None, cut: false };
    let (mut at, mut end) = (0u64, size);
    for _ in 0..MOST_BOXES {
        if at.saturating_add(8) > end {
            break;
        }
        let head: [u8; 8] = bytes(reader, at)?;
        let short = u64::from(u32::from_be_bytes([head[0], head[1], head[2], head[3]]));
        let (header, length) = match short {
            0 => (8, end - at),
            1 if at + 16 <= end => (16, u64::from_be_bytes(bytes(reader, at + 8)?)),
            n => (8, n),
        };
        if length < header {
            break;
        }
        let next = at.saturating_add(length);
        told.cut |= next > end;
        match &head[4..] {
            b"moov" => {
                end = next.min(end);
                at += header;
                continue;
            }
            b"mvhd" if at + header + 32 <= end => {
                let body: [u8; 32] = bytes(reader, at + header)?;
                told.ms = mvhd(&body);
                break;
            }
            _ => at = next,
        }
    }
    Ok(told)
}

fn mvhd(body: &[u8; 32]) -> Option<u64> {
    let word = |at: usize| u32::from_be_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]);
    let (scale, units) = match body[0] {
        0 => (word(12), u64::from(word(16))),
        1 => (word(20), u64::from(word(24)) << 32 | u64::from(word(28))),
        _ => return None,
    };
    let unknown = scale == 0 || units == u64::from(u32::MAX) || units == u64::MAX;
    if unknown {
        None
    } else {
        u64::try_from(u128::from(units) * 1000 / u128::from(scale)).ok()
    }
}

fn bytes<const N: usize, R: Read + Seek>(reader: &mut R, at: u64) -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.seek(SeekFrom::Start(at))?;
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}
