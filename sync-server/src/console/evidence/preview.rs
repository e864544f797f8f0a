//! Small pictures made from originals: derived, labelled so, never written to a disk.
//!
//! A hostile picture is the normal case: its type is sniffed, its pixels are counted before they are decoded, its memory is bounded,
//! few are decoded at once, and off the threads that answer requests. What was made is kept in memory only, so nothing derived from
//! evidence outlives the process.

use std::collections::VecDeque;
use std::io::Cursor;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use fieldseal_core::media::sniff;
use futures_util::TryStreamExt;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use tokio::sync::Semaphore;

use super::blob_of;
use crate::api::App;
use crate::console::error::PageError;
use crate::console::visitor::Desk;
use crate::ledger::blob::{Stored, open_range};

/// Pixels of a side; a photograph of 100 megapixels has about 11,600.
const SIDE_MOST: u32 = 16_000;
/// Bytes that decoding one picture may take: 50 megapixels in colour.
const MEMORY_MOST: u64 = 160 << 20;
/// Bytes of a file that is made a preview of.
const FILE_MOST: u64 = 64 << 20;
/// Pictures decoded at once.
const AT_ONCE: usize = 2;
/// Bytes of finished previews that are kept; a tile has about 15 kB.
const KEPT: usize = 48 << 20;

/// How large a preview is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreviewSize {
    /// A tile of the gallery.
    Tile,
    /// The page of one item.
    Page,
}

impl PreviewSize {
    fn of_word(word: &str) -> Option<Self> {
        match word {
            "tile" => Some(Self::Tile),
            "page" => Some(Self::Page),
            _ => None,
        }
    }

    fn side(self) -> u32 {
        match self {
            Self::Tile => 320,
            Self::Page => 1280,
        }
    }
}

type Key = ([u8; 32], u32);

/// The oldest first, and the bytes of all of them.
#[derive(Default)]
struct Made {
    pictures: VecDeque<(Key, Arc<Vec<u8>>)>,
    bytes: usize,
}

/// Previews of this process.
pub struct PreviewShelf {
    decoding: Semaphore,
    made: Mutex<Made>,
}

impl Default for PreviewShelf {
    fn default() -> Self {
        Self {
            decoding: Semaphore::new(AT_ONCE),
            made: Mutex::default(),
        }
    }
}

impl PreviewShelf {
    fn held(&self, key: &Key) -> Option<Arc<Vec<u8>>> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let at = made.pictures.iter().position(|(held, _)| held == key)?;
        let found = made.pictures.remove(at)?;
        made.pictures.push_back(found.clone());
        Some(found.1)
    }

    fn keep(&self, key: Key, bytes: Arc<Vec<u8>>) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.bytes += bytes.len();
        made.pictures.push_back((key, bytes));
        while made.bytes > KEPT {
            let Some((_, oldest)) = made.pictures.pop_front() else {
                break;
            };
            made.bytes -= oldest.len();
        }
    }
}

/// Why there is no preview.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PreviewError {
    #[error("not a picture of a kind that is decoded")]
    Kind,
    #[error("too large to decode")]
    Large,
    #[error("the picture is damaged")]
    Damaged,
}

/// `GET /console/previews/{size}/{sha256}`
pub async fn preview(
    State(app): State<App>,
    desk: Desk,
    Path((size, hex)): Path<(String, String)>,
) -> Result<Response, PageError> {
    let size = PreviewSize::of_word(&size).ok_or(PageError::NotFound)?;
    let (sha256, blob) = blob_of(&app, &desk, &hex).await?;
    let shelf = &app.shelves.previews;
    let key = (sha256, size.side());
    let jpeg = match shelf.held(&key) {
        Some(held) => held,
        None => {
            if blob.size > FILE_MOST {
                return Ok(StatusCode::NOT_FOUND.into_response());
            }
            let _turn = shelf.decoding.acquire().await.map_err(|e| PageError::internal(&e))?;
            let stored = Stored {
                object: blob.object,
                size: blob.size,
            };
            let parts = open_range(app.server.blobs.clone(), &app.server.keys.vault, stored, 0, blob.size).await?;
            let bytes: Vec<Vec<u8>> = parts.try_collect().await.map_err(|e| PageError::internal(&e))?;
            let made = tokio::task::spawn_blocking(move || shrink(&bytes.concat(), size.side()));
            match made.await.map_err(|e| PageError::internal(&e))? {
                Ok(jpeg) => {
                    let jpeg = Arc::new(jpeg);
                    shelf.keep(key, jpeg.clone());
                    jpeg
                }
                Err(_) => return Ok(StatusCode::NOT_FOUND.into_response()),
            }
        }
    };
    let headers = [
        (header::CONTENT_TYPE, "image/jpeg"),
        (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"),
        (
            header::CONTENT_DISPOSITION,
            "inline; filename=\"preview-not-the-original.jpg\"",
        ),
        (header::CACHE_CONTROL, "private, no-store"),
    ];
    Ok((headers, jpeg.as_ref().clone()).into_response())
}

/// A JPEG of at most `side` pixels a side, turned upright, without any of the original's metadata.
///
/// # Errors
/// Everything that is not plainly a picture of bounded size.
pub fn shrink(bytes: &[u8], side: u32) -> Result<Vec<u8>, PreviewError> {
    let format = match sniff(bytes).as_str() {
        "image/jpeg" => ImageFormat::Jpeg,
        "image/png" => ImageFormat::Png,
        "image/webp" => ImageFormat::WebP,
        _ => return Err(PreviewError::Kind),
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE_MOST);
    limits.max_image_height = Some(SIDE_MOST);
    limits.max_alloc = Some(MEMORY_MOST);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(failed)?;
    if decoder.total_bytes() > MEMORY_MOST {
        return Err(PreviewError::Large);
    }
    let upright = decoder.orientation().map_err(failed)?;
    let picture = DynamicImage::from_decoder(decoder).map_err(failed)?;
    let mut small = if picture.width().max(picture.height()) > side {
        picture.thumbnail(side, side)
    } else {
        picture
    };
    small.apply_orientation(upright);
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 78)
        .encode_image(&small.to_rgb8())
        .map_err(failed)?;
    Ok(jpeg)
}

fn failed(error: image::ImageError) -> PreviewError {
    match error {
        image::ImageError::Limits(_) => PreviewError::Large,
        image::ImageError::Unsupported(_) => PreviewError::Kind,
        _ => PreviewError::Damaged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jpeg(width: u32, height: u32) -> Vec<u8> {
        let picture = image::RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 90]));
        let mut bytes = Vec::new();
        JpegEncoder::new(&mut bytes).encode_image(&picture).unwrap();
        bytes
    }

    #[test]
    fn a_picture_is_made_small() {
        let small = shrink(&jpeg(800, 600), 320).unwrap();
        let read = image::load_from_memory_with_format(&small, ImageFormat::Jpeg).unwrap();
        assert_eq!((read.width(), read.height()), (320, 240));
        let kept = shrink(&jpeg(40, 30), 320).unwrap();
        let read = image::load_from_memory_with_format(&kept, ImageFormat::Jpeg).unwrap();
        assert_eq!((read.width(), read.height()), (40, 30), "never made larger");
    }

    #[test]
    fn what_is_hostile_is_refused_before_it_costs_anything() {
        let mut truncated = jpeg(400, 300);
        truncated.truncate(60);
        assert_eq!(shrink(&truncated, 320), Err(PreviewError::Damaged));
        assert_eq!(shrink(b"<svg/>", 320), Err(PreviewError::Kind));
        assert_eq!(shrink(b"GIF89a\x01\0\x01\0", 320), Err(PreviewError::Kind));
        // A PNG of some sixty bytes that claims 15,999 by 15,999 pixels.
        let mut bomb = b"\x89PNG\r\n\x1a\n".to_vec();
        let chunk = |name: &[u8], data: &[u8]| {
            let body = [name, data].concat();
            [
                &(data.len() as u32).to_be_bytes()[..],
                &body,
                &crc32(&body).to_be_bytes(),
            ]
            .concat()
        };
        let side = 15_999u32.to_be_bytes();
        bomb.extend(chunk(b"IHDR", &[&side[..], &side, &[8, 6, 0, 0, 0]].concat()));
        bomb.extend(chunk(b"IDAT", b"\x78\x9c\x03\0\0\0\0\x01"));
        bomb.extend(chunk(b"IEND", b""));
        assert_eq!(shrink(&bomb, 320), Err(PreviewError::Large));
    }

    fn crc32(bytes: &[u8]) -> u32 {
        let step = |crc: u32, byte: &u8| {
            (0..8).fold(crc ^ u32::from(*byte), |c, _| {
                if c & 1 == 1 { (c >> 1) ^ 0xedb8_8320 } else { c >> 1 }
            })
        };
        !bytes.iter().fold(!0, step)
    }
}
