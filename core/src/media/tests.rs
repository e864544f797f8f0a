use std::io::Cursor;
use std::path::PathBuf;

use super::*;

fn read_bytes(bytes: &[u8]) -> MediaFacts {
    read(Cursor::new(bytes), bytes.len() as u64)
}

fn codes(facts: &MediaFacts) -> Vec<&'static str> {
    assert!(facts.oddities.iter().all(Message::is_complete), "{:?}", facts.oddities);
    facts.oddities.iter().map(Message::code).collect()
}

/// A JPEG of nothing but a camera block: IFD0 with the model, the EXIF block with time and offset, the GPS block.
fn jpeg(time: &str, latitude: [u32; 6]) -> Vec<u8> {
    let mut tiff = b"MM\0\x2a\0\0\0\x08".to_vec();
    let entry = |tag: u16, kind: u16, count: u32, value: u32| {
        [
            &tag.to_be_bytes()[..],
            &kind.to_be_bytes(),
            &count.to_be_bytes(),
            &value.to_be_bytes(),
        ]
        .concat()
    };
    // IFD0 at 8 (3 entries), EXIF at 50 (2), GPS at 80 (4), data from 134.
    let ifd = |entries: Vec<Vec<u8>>| [&(entries.len() as u16).to_be_bytes()[..], &entries.concat(), &[0; 4]].concat();
    let mut data: Vec<u8> = Vec::new();
    let mut place = |bytes: &[u8]| {
        let at = 134 + data.len() as u32;
        data.extend_from_slice(bytes);
        at
    };
    let rationals = |six: [u32; 6]| six.iter().flat_map(|n| n.to_be_bytes()).collect::<Vec<u8>>();
    let model = place(b"Tablet A3\0");
    let taken = place(format!("{time}\0").as_bytes());
    let offset = place(b"+08:00\0");
    let lat = place(&rationals(latitude));
    let lon = place(&rationals([102, 1, 43, 1, 588, 100]));
    tiff.extend(ifd(vec![
        entry(0x0110, 2, 10, model),
        entry(0x8769, 4, 1, 50),
        entry(0x8825, 4, 1, 80),
    ]));
    tiff.extend(ifd(vec![
        entry(0x9003, 2, time.len() as u32 + 1, taken),
        entry(0x9011, 2, 7, offset),
    ]));
    tiff.extend(ifd(vec![
        entry(1, 2, 2, u32::from_be_bytes(*b"N\0\0\0")),
        entry(2, 5, 3, lat),
        entry(3, 2, 2, u32::from_be_bytes(*b"W\0\0\0")),
        entry(4, 5, 3, lon),
    ]));
    assert_eq!(tiff.len(), 134);
    tiff.extend(data);
    let block = [b"Exif\0\0".as_slice(), &tiff].concat();
    [
        b"\xff\xd8\xff\xe1",
        &(block.len() as u16 + 2).to_be_bytes()[..],
        &block,
        b"\xff\xd9",
    ]
    .concat()
}

#[test]
fn a_camera_block() {
    let facts = read_bytes(&jpeg("2026:03:04 09:32:07", [25, 1, 2, 1, 2832, 100]));
    assert_eq!(facts.media_type, "image/jpeg");
    assert_eq!(codes(&facts), Vec::<&str>::new());
    let expected = ExifClaims {
        time: Some("2026-03-04T09:32:07+08:00".into()),
        latitude_e7: Some(250_412_000),
        longitude_e7: Some(-1_027_183_000),
        device: Some("Tablet A3".into()),
    };
    assert_eq!(facts.exif, expected);
}

#[test]
fn odd_values_are_shown_and_not_taken() {
    let zero = read_bytes(&jpeg("2026:03:04 09:32:07", [25, 0, 2, 1, 3, 1]));
    assert_eq!(
        (codes(&zero), zero.exif.latitude_e7, zero.exif.longitude_e7),
        (vec!["media.camera_value"], None, None)
    );
    let far = read_bytes(&jpeg("2026:03:04 09:32:07", [91, 1, 0, 1, 0, 1]));
    assert_eq!((codes(&far), far.exif.latitude_e7), (vec!["media.camera_value"], None));
    let blank = read_bytes(&jpeg("0000:00:00 00:00:00", [25, 1, 2, 1, 3, 1]));
    assert_eq!((codes(&blank), blank.exif.time), (vec!["media.camera_value"], None));
}

#[test]
fn whatever_bytes_arrive() {
    assert_eq!(codes(&read_bytes(b"")), ["media.empty"]);
    assert_eq!(codes(&read_bytes(&[0, 1, 2, 3])), ["media.unknown_type"]);
    let whole = jpeg("2026:03:04 09:32:07", [25, 1, 2, 1, 2832, 100]);
    for cut in 0..whole.len() {
        let facts = read_bytes(&whole[..cut]);
        assert!(!facts.oddities.is_empty(), "cut at {cut}");
    }
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 0xff;
        codes(&read_bytes(&changed));
    }
}

#[test]
fn types_by_content() {
    let iso = |brand: &[u8; 4]| [b"\0\0\0\x10ftyp", &brand[..], b"\0\0\0\0"].concat();
    let mut mts = vec![0u8; 192 * 4];
    (0..4).for_each(|n| mts[n * 192 + 4] = 0x47);
    let text = "检查记录\n".repeat(4000);
    for (bytes, expected) in [
        (iso(b"heic"), "image/heic"),
        (iso(b"isom"), "video/mp4"),
        (iso(b"qt  "), "video/quicktime"),
        (iso(b"M4A "), "audio/mp4"),
        (mts, "video/mp2t"),
        (b"\x89PNG\r\n\x1a\n".to_vec(), "image/png"),
        (b"%PDF-1.7\n".to_vec(), "application/pdf"),
        (b"RIFF\0\0\0\0WAVEfmt ".to_vec(), "audio/wav"),
        (b"<!DOCTYPE html><p>sign in".to_vec(), "text/html"),
        (b"<?xml version=\"1.0\"?><gpx/>".to_vec(), "text/xml"),
        (text.into_bytes(), "text/plain"),
        (b"plain\0binary".to_vec(), OCTETS),
    ] {
        let probe = &bytes[..bytes.len().min(PROBE_BYTES as usize)];
        assert_eq!(sniff(probe), expected);
        assert_ne!(
            extension(expected),
            if expected == OCTETS { "" } else { "bin" },
            "{expected}"
        );
    }
}

#[test]
fn durations() {
    let mut wav =
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\0\x7d\0\0".to_vec();
    wav.extend(vec![0; 32_000]);
    assert_eq!(read_bytes(&wav).duration_ms, Some(2000));
    let cut = read_bytes(&wav[..wav.len() - 16_000]);
    assert_eq!((cut.duration_ms, codes(&cut)), (Some(1000), vec!["media.cut_off"]));
    let mvhd = [
        &b"\0\0\0\x6cmvhd"[..],
        &[0; 12],
        &1000u32.to_be_bytes(),
        &20_480u32.to_be_bytes(),
        &[0; 80],
    ]
    .concat();
    let moov = [&(mvhd.len() as u32 + 8).to_be_bytes()[..], b"moov", &mvhd].concat();
    let mdat = [&1u32.to_be_bytes()[..], b"mdat", &40u64.to_be_bytes(), &[0; 24]].concat();
    let mp4 = [&b"\0\0\0\x10ftypisom\0\0\0\0"[..], &mdat, &moov].concat();
    assert_eq!(read_bytes(&mp4).duration_ms, Some(20_480));
    let endless = [&b"\0\0\0\x10ftypisom\0\0\0\0"[..], &[0, 0, 0, 1], b"free", &[0xff; 8]].concat();
    assert_eq!(codes(&read_bytes(&endless)), ["media.cut_off"]);
}

/// Every file of the data folder, against the facts of another reader, where the folder is at hand.
#[test]
fn real_files_where_they_are_at_hand() {
    let Some(root) = std::env::var_os("FIELDSEAL_TEST_DATA").map(|root| PathBuf::from(root).join("media")) else {
        eprintln!("SKIPPED: real media files; set FIELDSEAL_TEST_DATA to the data folder");
        return;
    };
    let manifest = std::fs::read_to_string(root.join("manifest.json")).unwrap();
    let manifest: Vec<serde_json::Value> = serde_json::from_str(&manifest).unwrap();
    let (mut times, mut places) = (0, 0);
    for row in &manifest {
        let path = row["path"].as_str().unwrap();
        let file = std::fs::File::open(root.join(path)).unwrap();
        let facts = read(std::io::BufReader::new(file), row["bytes"].as_u64().unwrap());
        eprintln!(
            "{path}: {} {:?} {:?} {:?}",
            facts.media_type,
            facts.exif,
            facts.duration_ms,
            codes(&facts)
        );
        let expected = match row["type"].as_str().unwrap() {
            "audio/x-hx-aac-adts" => "audio/aac",
            "video/MP2T" => "video/mp2t",
            "audio/x-m4a" => "audio/mp4",
            "audio/x-wav" => "audio/wav",
            // The other reader does not look at the list of compatible brands.
            "image/heif" => "image/heic",
            other => other,
        };
        assert_eq!(facts.media_type, expected, "{path}");
        if let Some(taken) = row["DateTimeOriginal"].as_str() {
            let iso = taken.replacen(':', "-", 2).replace(' ', "T");
            let offset = row["OffsetTimeOriginal"].as_str().unwrap_or_default();
            assert_eq!(facts.exif.time, Some(format!("{iso}{offset}")), "{path}");
            times += 1;
        }
        if let Some(place) = row["gps"].as_array() {
            let e7 = |at: usize| (place[at].as_f64().unwrap() * 1e7) as i64;
            assert!((facts.exif.latitude_e7.unwrap() - e7(0)).abs() < 20, "{path}");
            assert!((facts.exif.longitude_e7.unwrap() - e7(1)).abs() < 20, "{path}");
            places += 1;
        }
    }
    assert!(
        manifest.len() > 40 && times >= 24 && places >= 13,
        "{} {times} {places}",
        manifest.len()
    );
}
