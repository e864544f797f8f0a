//! Sample input that the project owns: drawn, sung and invented from a seed, the same bytes on every machine.
//!
//! [`write`] fills a folder that is shaped like the one `--data` takes:
//!
//! ```text
//! media/photo/          JPEG with EXIF time and place, one without EXIF, one older one "from a gallery"
//! media/photo_invalid/  a JPEG that ends in the middle
//! media/playable/       video (Motion JPEG and PCM in AVI) and sound (WAV)
//! media/manifest.json   each file with its bytes, type, time and place
//! enterprises.csv       invented enterprises with valid credit codes, some written untidily
//! inspections.json      invented inspections with findings
//! ```

pub mod audio;
pub mod enterprises;
pub mod exif;
pub mod inspections;
pub mod photo;
mod rng;
mod scene;
pub mod video;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use enterprises::Enterprise;
use exif::{Exif, Moment, Place};
use photo::PhotoSpec;
pub use rng::Rng;

/// How much is made, and from what.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// The same seed gives the same bytes.
    pub seed: u64,
    /// How many photographs with EXIF.
    pub photos: usize,
    /// Width and height of the photographs.
    pub pixels: (u16, u16),
    /// The video becomes at least this long.
    pub video_bytes: u64,
    /// Length of the sound.
    pub audio_seconds: u32,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            seed: 20_260_316,
            photos: 20,
            pixels: (1280, 960),
            video_bytes: 6 << 20,
            audio_seconds: 14,
        }
    }
}

/// What a sample is, which decides how the story brings it in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A photograph with EXIF, as a camera makes it.
    Photo,
    /// A photograph without any EXIF, as a messenger leaves it.
    PhotoWithoutExif,
    /// A photograph that was taken earlier and comes from a gallery.
    GalleryPhoto,
    /// A photograph that ends in the middle.
    TruncatedPhoto,
    /// A video with sound.
    Video,
    /// Sound.
    Audio,
}

impl Kind {
    /// A word for manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Photo => "photo",
            Self::PhotoWithoutExif => "photo_without_exif",
            Self::GalleryPhoto => "gallery_photo",
            Self::TruncatedPhoto => "truncated_photo",
            Self::Video => "video",
            Self::Audio => "audio",
        }
    }
}

/// One sample file.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Where it lies.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// Its type by content.
    pub mime: &'static str,
    /// Its length.
    pub bytes: u64,
    /// What its EXIF says, if it has any.
    pub exif: Option<Exif>,
}

/// Everything that [`write`] made.
#[derive(Clone, Debug)]
pub struct SampleSet {
    /// The folder.
    pub root: PathBuf,
    /// The media files.
    pub media: Vec<Sample>,
    /// The enterprises as CSV, for import.
    pub enterprises_csv: PathBuf,
    /// The plan of inspections as JSON.
    pub inspections_json: PathBuf,
    /// The enterprises, as the table and the plan number them.
    pub enterprises: Vec<Enterprise>,
}

impl SampleSet {
    /// The samples of one kind, in the order in which they were made.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &Sample> {
        self.media.iter().filter(move |sample| sample.kind == kind)
    }
}

/// Writes all samples into `root`, which is made if it is not there.
pub fn write(root: &Path, spec: &Spec) -> io::Result<SampleSet> {
    for folder in ["media/photo", "media/photo_invalid", "media/playable"] {
        fs::create_dir_all(root.join(folder))?;
    }
    let mut media = Vec::new();
    for (name, kind, photo) in photos(spec) {
        let bytes = photo.jpeg()?;
        let bytes = if kind == Kind::TruncatedPhoto {
            &bytes[..bytes.len() * 3 / 5]
        } else {
            &bytes[..]
        };
        let path = root.join("media").join(name);
        fs::write(&path, bytes)?;
        let bytes = bytes.len() as u64;
        media.push(Sample {
            path,
            kind,
            mime: "image/jpeg",
            bytes,
            exif: photo.exif,
        });
    }

    for (name, seed, at_least) in [
        ("site_walk.avi", spec.seed, spec.video_bytes),
        ("second_walk.avi", spec.seed + 1, spec.video_bytes / 2),
        ("after_work.avi", spec.seed + 2, spec.video_bytes),
    ] {
        let path = root.join("media/playable").join(name);
        let video = video::VideoSpec {
            seed,
            at_least,
            ..video::VideoSpec::default()
        };
        let bytes = video.write(&mut BufWriter::new(File::create(&path)?))?;
        media.push(Sample {
            path,
            kind: Kind::Video,
            mime: "video/x-msvideo",
            bytes,
            exif: None,
        });
    }

    let path = root.join("media/playable/statement.wav");
    let wav = audio::wav(&audio::voice(spec.seed, spec.audio_seconds));
    fs::write(&path, &wav)?;
    media.push(Sample {
        path,
        kind: Kind::Audio,
        mime: "audio/wav",
        bytes: wav.len() as u64,
        exif: None,
    });

    let list = enterprises::invent(spec.seed, 12);
    let enterprises_csv = root.join("enterprises.csv");
    fs::write(&enterprises_csv, enterprises::csv(&list))?;
    let inspections_json = root.join("inspections.json");
    write_json(&inspections_json, &inspections::plan(spec.seed, &list))?;
    write_json(&root.join("media/manifest.json"), &manifest(root, &media))?;
    Ok(SampleSet {
        root: root.to_owned(),
        media,
        enterprises_csv,
        inspections_json,
        enterprises: list,
    })
}

/// The photographs: path below `media/`, kind, and what to draw.
fn photos(spec: &Spec) -> Vec<(String, Kind, PhotoSpec)> {
    let mut rng = Rng::new(spec.seed ^ 0x9807);
    let mut taken = Moment {
        year: 2026,
        month: 3,
        day: 16,
        hour: 9,
        minute: 12,
        second: 40,
        offset_minutes: 480,
    };
    let mut place = Place {
        latitude_e7: 283_412_500,
        longitude_e7: 1_195_038_300,
        altitude_mm: 41_300,
    };
    let mut made = Vec::new();
    let photo = |rng: &mut Rng, exif| PhotoSpec {
        seed: rng.next(),
        pixels: spec.pixels,
        quality: 82,
        exif,
    };
    for number in 1..=spec.photos {
        let exif = Exif {
            make: "Fieldseal",
            model: "Sample Tablet 8",
            moment: taken,
            place: Some(place),
        };
        let photo = photo(&mut rng, Some(exif));
        made.push((format!("photo/site_{number:02}.jpg"), Kind::Photo, photo));
        taken = taken.plus_seconds(40 + rng.below(900));
        place.latitude_e7 += rng.below(3000) as i32 - 1500;
        place.longitude_e7 += rng.below(3000) as i32 - 1500;
        place.altitude_mm += rng.below(4000) as i32 - 2000;
    }
    let bare = photo(&mut rng, None);
    made.push(("photo/messenger_no_exif.jpg".to_owned(), Kind::PhotoWithoutExif, bare));
    let old = Moment {
        year: 2025,
        month: 11,
        day: 2,
        hour: 16,
        minute: 5,
        second: 9,
        offset_minutes: 480,
    };
    let exif = Exif {
        make: "Otherphone",
        model: "P5",
        moment: old,
        place: None,
    };
    let gallery = photo(&mut rng, Some(exif));
    made.push(("photo/gallery_2025.jpg".to_owned(), Kind::GalleryPhoto, gallery));
    let exif = Exif {
        make: "Fieldseal",
        model: "Sample Tablet 8",
        moment: taken,
        place: Some(place),
    };
    let truncated = photo(&mut rng, Some(exif));
    made.push((
        "photo_invalid/truncated.jpg".to_owned(),
        Kind::TruncatedPhoto,
        truncated,
    ));
    made
}

fn manifest(root: &Path, media: &[Sample]) -> Value {
    let entry = |sample: &Sample| {
        let path = sample.path.strip_prefix(root.join("media")).unwrap_or(&sample.path);
        let mut entry = json!({
            "path": path.to_string_lossy(),
            "kind": sample.kind.name(),
            "bytes": sample.bytes,
            "type": sample.mime,
        });
        if let Some(exif) = &sample.exif {
            entry["model"] = json!(exif.model);
            entry["DateTimeOriginal"] = json!(exif.moment.exif());
            entry["OffsetTimeOriginal"] = json!(exif.moment.offset());
            if let Some(place) = exif.place {
                entry["gps_e7"] = json!([place.latitude_e7, place.longitude_e7]);
            }
        }
        entry
    };
    media.iter().map(entry).collect()
}

fn write_json(path: &Path, value: &Value) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    serde_json::to_writer_pretty(&mut file, value)?;
    file.write_all(b"\n")?;
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Spec {
        Spec {
            photos: 2,
            pixels: (320, 240),
            video_bytes: 60_000,
            audio_seconds: 1,
            ..Spec::default()
        }
    }

    fn folder(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("fieldseal-samples-{}-{name}", std::process::id()))
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let (a, b) = (folder("a"), folder("b"));
        let set = write(&a, &small()).unwrap();
        write(&b, &small()).unwrap();
        let mut files: Vec<PathBuf> = set.media.iter().map(|sample| sample.path.clone()).collect();
        files.extend([
            set.enterprises_csv.clone(),
            set.inspections_json.clone(),
            a.join("media/manifest.json"),
        ]);
        for file in files {
            let other = b.join(file.strip_prefix(&a).unwrap());
            assert!(
                fs::read(&file).unwrap() == fs::read(other).unwrap(),
                "{} differs",
                file.display()
            );
        }
        let c = folder("c");
        let changed = write(&c, &Spec { seed: 1, ..small() }).unwrap();
        assert_ne!(
            fs::read(&set.media[0].path).unwrap(),
            fs::read(&changed.media[0].path).unwrap()
        );
        for folder in [a, b, c] {
            fs::remove_dir_all(folder).unwrap();
        }
    }

    #[test]
    fn every_kind_is_there_and_the_sizes_are_told() {
        let root = folder("kinds");
        let set = write(&root, &small()).unwrap();
        for (kind, count) in [
            (Kind::Photo, 2),
            (Kind::PhotoWithoutExif, 1),
            (Kind::GalleryPhoto, 1),
            (Kind::TruncatedPhoto, 1),
            (Kind::Video, 3),
            (Kind::Audio, 1),
        ] {
            assert_eq!(set.of(kind).count(), count, "{kind:?}");
        }
        for sample in &set.media {
            assert_eq!(
                fs::metadata(&sample.path).unwrap().len(),
                sample.bytes,
                "{}",
                sample.path.display()
            );
        }
        let truncated = fs::read(&set.of(Kind::TruncatedPhoto).next().unwrap().path).unwrap();
        assert!(truncated.starts_with(&[0xff, 0xd8]) && !truncated.ends_with(&[0xff, 0xd9]));
        fs::remove_dir_all(root).unwrap();
    }
}
