//! A video: the camera pans through the workshop while somebody speaks. Motion JPEG and PCM in AVI, which plays
//! wherever ffmpeg, VLC or a browser's download folder leads.

use std::io::{self, Seek, SeekFrom, Write};

use super::audio;
use super::photo::encode;
use super::scene::Scene;

/// What to film.
#[derive(Clone, Copy, Debug)]
pub struct VideoSpec {
    /// Decides everything that is drawn and said.
    pub seed: u64,
    /// Width and height.
    pub pixels: (u16, u16),
    /// Frames per second; divides [`audio::RATE`].
    pub rate: u32,
    /// The film goes on until the file is at least this long.
    pub at_least: u64,
}

impl Default for VideoSpec {
    fn default() -> Self {
        Self {
            seed: 1,
            pixels: (640, 480),
            rate: 10,
            at_least: 6 << 20,
        }
    }
}

/// Offsets of what is only known at the end.
const RIFF_SIZE: u64 = 4;
const TOTAL_FRAMES: u64 = 48;
const VIDEO_LENGTH: u64 = 140;
const AUDIO_LENGTH: u64 = 264;
/// Where the LIST of the film begins.
const MOVI: u64 = 12 + 8 + LIST_HDRL as u64;
const LIST_HDRL: u32 = 4 + (8 + 56) + (8 + 4 + (8 + 56) + (8 + 40)) + (8 + 4 + (8 + 56) + (8 + 16));

impl VideoSpec {
    /// Writes the file and returns its length.
    pub fn write(&self, out: &mut (impl Write + Seek)) -> io::Result<u64> {
        let scene = Scene::new(self.seed);
        let (width, height) = self.pixels;
        let per_frame = (audio::RATE / self.rate) as usize;
        out.write_all(&self.header())?;
        out.write_all(b"LIST\0\0\0\0movi")?;
        let (mut index, mut frames, mut film) = (Vec::new(), 0u32, 4u32);
        let mut spoken: Vec<i16> = Vec::new();
        while MOVI + 8 + u64::from(film) + 8 + index.len() as u64 + 32 < self.at_least || frames == 0 {
            // The camera swings to and fro, never quite back to where it was.
            let pan = (f64::from(frames) * 0.07).sin() * 120.0 + f64::from(frames) * 0.05;
            let frame = encode(&scene.draw(width, height, pan as f32), width, height, 70)?;
            if spoken.len() < per_frame {
                spoken = audio::voice(self.seed ^ u64::from(frames), 20);
            }
            let sound: Vec<u8> = spoken.drain(..per_frame).flat_map(i16::to_le_bytes).collect();
            for (id, chunk) in [(b"00dc", &frame), (b"01wb", &sound)] {
                index.extend(id);
                index.extend(0x10u32.to_le_bytes());
                index.extend(film.to_le_bytes());
                index.extend((chunk.len() as u32).to_le_bytes());
                out.write_all(id)?;
                out.write_all(&(chunk.len() as u32).to_le_bytes())?;
                out.write_all(chunk)?;
                let padding = chunk.len() % 2;
                out.write_all(&[0][..padding])?;
                film += (8 + chunk.len() + padding) as u32;
            }
            frames += 1;
        }
        out.write_all(b"idx1")?;
        out.write_all(&(index.len() as u32).to_le_bytes())?;
        out.write_all(&index)?;
        let length = MOVI + 8 + u64::from(film) + 8 + index.len() as u64;
        for (at, value) in [
            (RIFF_SIZE, length as u32 - 8),
            (TOTAL_FRAMES, frames),
            (VIDEO_LENGTH, frames),
            (AUDIO_LENGTH, frames * per_frame as u32),
            (MOVI + 4, film),
        ] {
            out.seek(SeekFrom::Start(at))?;
            out.write_all(&value.to_le_bytes())?;
        }
        out.seek(SeekFrom::Start(length))?;
        out.flush()?;
        Ok(length)
    }

    /// RIFF and LIST hdrl, with zeros for what is only known at the end.
    fn header(&self) -> Vec<u8> {
        let (width, height) = (u32::from(self.pixels.0), u32::from(self.pixels.1));
        let mut head = b"RIFF\0\0\0\0AVI LIST".to_vec();
        let words = |head: &mut Vec<u8>, words: &[u32]| head.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        words(&mut head, &[LIST_HDRL]);
        head.extend(b"hdrlavih");
        // Microseconds per frame; flags: has an index, interleaved; then frames, streams, buffer, size.
        words(
            &mut head,
            &[
                56,
                1_000_000 / self.rate,
                0,
                0,
                0x110,
                0,
                0,
                2,
                1 << 18,
                width,
                height,
                0,
                0,
                0,
                0,
            ],
        );
        head.extend(b"LIST");
        words(&mut head, &[4 + (8 + 56) + (8 + 40)]);
        head.extend(b"strlstrh");
        words(&mut head, &[56]);
        head.extend(b"vidsMJPG");
        words(
            &mut head,
            &[
                0,
                0,
                0,
                1,
                self.rate,
                0,
                0,
                1 << 18,
                u32::MAX,
                0,
                0,
                width | height << 16,
            ],
        );
        head.extend(b"strf");
        words(&mut head, &[40, 40, width, height, 1 | 24 << 16]);
        head.extend(b"MJPG");
        words(&mut head, &[width * height * 3, 0, 0, 0, 0]);
        head.extend(b"LIST");
        words(&mut head, &[4 + (8 + 56) + (8 + 16)]);
        head.extend(b"strlstrh");
        words(&mut head, &[56]);
        head.extend(b"auds\x01\0\0\0");
        words(&mut head, &[0, 0, 0, 1, audio::RATE, 0, 0, 1 << 14, u32::MAX, 2, 0, 0]);
        head.extend(b"strf");
        words(&mut head, &[16]);
        head.extend(audio::format());
        head
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn film(at_least: u64) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        let spec = VideoSpec {
            seed: 3,
            pixels: (160, 120),
            rate: 10,
            at_least,
        };
        let length = spec.write(&mut file).unwrap();
        assert_eq!(length, file.get_ref().len() as u64);
        file.into_inner()
    }

    #[test]
    fn lengths_and_index_agree_with_the_bytes() {
        let file = film(100_000);
        assert!(file.len() >= 100_000 && file.len() < 130_000, "{}", file.len());
        let word = |at: usize| u32::from_le_bytes([file[at], file[at + 1], file[at + 2], file[at + 3]]);
        assert_eq!(word(4) as usize, file.len() - 8);
        let movi = MOVI as usize;
        assert_eq!(
            (&file[movi..movi + 4], &file[movi + 8..movi + 12]),
            (&b"LIST"[..], &b"movi"[..])
        );
        let index = movi + 8 + word(movi + 4) as usize;
        assert_eq!(&file[index..index + 4], b"idx1");
        let entries = word(index + 4) as usize / 16;
        let frames = word(TOTAL_FRAMES as usize);
        assert_eq!(entries, 2 * frames as usize);
        assert_eq!(
            (word(VIDEO_LENGTH as usize), word(AUDIO_LENGTH as usize)),
            (frames, frames * 1600)
        );
        for entry in 0..entries {
            let at = index + 8 + 16 * entry;
            let chunk = movi + 8 + word(at + 8) as usize;
            assert_eq!(file[chunk..chunk + 4], file[at..at + 4], "entry {entry}");
            assert_eq!(word(chunk + 4), word(at + 12), "entry {entry}");
        }
        assert_eq!(&file[movi + 20..movi + 22], [0xff, 0xd8], "a frame is a JPEG");
    }
}
