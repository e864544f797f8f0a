//! A photograph: a drawn workshop, JPEG, with or without EXIF.

use std::io;

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use super::exif::Exif;
use super::scene::Scene;

/// What to draw, and how to encode it.
#[derive(Clone, Copy, Debug)]
pub struct PhotoSpec {
    /// Decides everything that is drawn.
    pub seed: u64,
    /// Width and height.
    pub pixels: (u16, u16),
    /// JPEG quality, 1 to 100.
    pub quality: u8,
    /// What the EXIF segment says; none without.
    pub exif: Option<Exif>,
}

impl PhotoSpec {
    /// The bytes of the file.
    pub fn jpeg(&self) -> io::Result<Vec<u8>> {
        let (width, height) = self.pixels;
        let drawn = Scene::new(self.seed).draw(width, height, 0.0);
        let plain = encode(&drawn, width, height, self.quality)?;
        Ok(match &self.exif {
            Some(exif) => with_app1(&plain, &exif.app1(width, height)),
            None => plain,
        })
    }
}

/// Encodes RGB pixels.
pub(super) fn encode(rgb: &[u8], width: u16, height: u16, quality: u8) -> io::Result<Vec<u8>> {
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, quality);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder
        .encode(rgb, width, height, ColorType::Rgb)
        .map_err(io::Error::other)?;
    Ok(jpeg)
}

/// Puts the EXIF segment where cameras put it: first, in place of the JFIF one.
fn with_app1(jpeg: &[u8], app1: &[u8]) -> Vec<u8> {
    let mut rest = &jpeg[2..];
    if let [0xff, 0xe0, high, low, ..] = rest {
        rest = &rest[2 + usize::from(u16::from_be_bytes([*high, *low]))..];
    }
    [&jpeg[..2], app1, rest].concat()
}

#[cfg(test)]
mod tests {
    use super::super::exif::Moment;
    use super::*;

    #[test]
    fn exif_comes_first_and_the_picture_is_untouched() {
        let moment = Moment {
            year: 2026,
            month: 3,
            day: 16,
            hour: 9,
            minute: 0,
            second: 0,
            offset_minutes: 480,
        };
        let exif = Exif {
            make: "A",
            model: "B",
            moment,
            place: None,
        };
        let bare = PhotoSpec {
            seed: 5,
            pixels: (160, 120),
            quality: 80,
            exif: None,
        };
        let (plain, tagged) = (
            bare.jpeg().unwrap(),
            PhotoSpec {
                exif: Some(exif),
                ..bare
            }
            .jpeg()
            .unwrap(),
        );
        assert_eq!(tagged[..4], [0xff, 0xd8, 0xff, 0xe1]);
        assert_eq!(&tagged[6..12], b"Exif\0\0");
        assert!(plain.starts_with(&[0xff, 0xd8, 0xff, 0xe0]) && plain.ends_with(&[0xff, 0xd9]));
        let tables = plain.windows(2).position(|pair| pair == [0xff, 0xdb]).unwrap();
        assert!(tagged.ends_with(&plain[tables..]));
        assert!(!tagged.windows(4).any(|four| four == b"JFIF"));
    }
}
