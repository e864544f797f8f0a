//! A tablet that fails under the hand: a file that does not read, a stick that is full, a disk that ends while a camera runs.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::vault::{SEGMENT, Space};
use crate::watch::Moved;

/// A stick that takes so many bytes.
struct Stick {
    bytes: Vec<u8>,
    most: usize,
}

impl Write for Stick {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // As a disk does: what fits of a write is taken, and then it is full.
        let count = bytes.len().min(self.most - self.bytes.len());
        if count == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl RescueTarget for Stick {
    fn take_back(&mut self, to: u64) -> io::Result<()> {
        self.bytes.truncate(to as usize);
        Ok(())
    }
}

/// The blobs of a rescue file, and what it says is lacking. It has to read to its end.
fn read(file: &[u8]) -> (Vec<(BlobHash, Vec<u8>)>, Vec<String>) {
    let mut reader = RescueReader::new(file).unwrap();
    let (mut blobs, mut lacking) = (Vec::new(), Vec::new());
    while let Some(record) = reader.next_record().unwrap() {
        match record {
            RescueRecord::Blob { sha256, .. } => {
                let mut bytes = Vec::new();
                reader.blob().read_to_end(&mut bytes).unwrap();
                blobs.push((sha256, bytes));
            }
            RescueRecord::LeftOut(json) => lacking.push(String::from_utf8(json).unwrap()),
            _ => {}
        }
    }
    (blobs, lacking)
}

/// A tablet with three recordings of 3, 20 and 5 segments.
fn with_three(folder: &Path) -> (Arc<FieldDevice>, Vec<Captured>) {
    let device = tablet(folder, Suite::Ed25519);
    let inspection = begin(&device);
    let films = [3u8, 20, 5].map(|segments| vec![segments; usize::from(segments) * SEGMENT]);
    let captured = films
        .iter()
        .map(|film| device.capture(inspection, &mut &film[..], &photo()).unwrap())
        .collect();
    (device, captured)
}

fn file_of(device: &FieldDevice, captured: &Captured) -> PathBuf {
    let row = device.store.blob(captured.sha256).unwrap().unwrap();
    device.folder().join("vault").join(row.file)
}

#[test]
fn a_file_that_does_not_read_is_left_out_and_named_and_the_rest_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (device, films) = with_three(dir.path());
    let damaged = file_of(&device, &films[1]);
    let mut bytes = std::fs::read(&damaged).unwrap();
    let late = bytes.len() - 3 * SEGMENT;
    bytes[late] ^= 1;
    std::fs::write(&damaged, bytes).unwrap();
    std::fs::remove_file(file_of(&device, &films[2])).unwrap();
    let operations = device.store.pending().unwrap().waiting;
    let mut file = Vec::new();
    let report = device.rescue(&mut file, &mut unwatched).unwrap();
    assert_eq!(
        (report.operations, report.blobs, report.bytes),
        (operations, 1, file.len() as u64)
    );
    let (blobs, lacking) = read(&file);
    assert_eq!(blobs, [(films[0].sha256, vec![3; 3 * SEGMENT])]);
    let named = |captured: &Captured, code| LeftOut {
        what: captured.sha256.to_string(),
        size: captured.size,
        code,
    };
    // The smaller one is tried first.
    let expected = [named(&films[2], "blob_missing"), named(&films[1], "blob_changed")];
    assert_eq!(report.left_out, expected);
    assert!(lacking[0].contains("blob_missing") && lacking[1].contains(&films[1].sha256.to_string()));
    // Nothing on the device changed: no custody event, no file moved.
    assert_eq!(device.store.pending().unwrap().waiting, operations);
    assert!(damaged.is_file());
}

#[test]
fn a_stick_that_is_too_small_takes_the_records_and_what_fits() {
    let dir = tempfile::tempdir().unwrap();
    let (device, films) = with_three(dir.path());
    let mut whole = Vec::new();
    device.rescue(&mut whole, &mut unwatched).unwrap();
    for most in [whole.len() - 1, whole.len() - 20 * SEGMENT - 10] {
        let mut stick = Stick {
            bytes: Vec::new(),
            most,
        };
        let report = device.rescue(&mut stick, &mut unwatched).unwrap();
        let (blobs, lacking) = read(&stick.bytes);
        let hashes: Vec<BlobHash> = blobs.iter().map(|(sha256, _)| *sha256).collect();
        // Where not even the end found room behind them, the last of the two was given back.
        let held = if most == whole.len() - 1 { 2 } else { 1 };
        assert_eq!(hashes, [films[0].sha256, films[2].sha256][..held], "on {most} bytes");
        assert!(report.left_out.iter().all(|left| left.code == "storage_full"));
        assert!(lacking[0].contains(&films[1].sha256.to_string()));
        assert_eq!((report.blobs as usize, lacking.len()), (held, 3 - held));
    }
    let mut none = Stick {
        bytes: Vec::new(),
        most: 1000,
    };
    let error = device.rescue(&mut none, &mut unwatched).unwrap_err();
    assert_eq!(error.code(), "storage_full");
}

#[test]
fn a_wish_to_stop_is_met_within_one_segment() {
    let dir = tempfile::tempdir().unwrap();
    let (device, films) = with_three(dir.path());
    let total = 28 * SEGMENT as u64;
    for wish in [1, 7, 20] {
        let (wish, told) = (wish * SEGMENT as u64, Mutex::new(Moved::default()));
        let mut watcher = |moved: Moved| {
            *told.lock().unwrap() = moved;
            match moved.bytes >= wish {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let error = device.rescue(&mut Vec::new(), &mut watcher).unwrap_err();
        assert_eq!(error.code(), "rescue_cancelled");
        assert_eq!(*told.lock().unwrap(), Moved { bytes: wish, total });
        assert_eq!(device.fsck(&mut watcher).unwrap_err().code(), "check_cancelled");
        assert_eq!(*told.lock().unwrap(), Moved { bytes: wish, total });
        if wish < films[1].size {
            let error = device.check_blob(films[1].sha256, &mut watcher).unwrap_err();
            assert_eq!(error.code(), "check_cancelled");
            assert_eq!(told.lock().unwrap().bytes, wish);
        }
    }
    assert!(device.check_blob(films[1].sha256, &mut unwatched).unwrap());
    assert_clean(&device);
}

/// A disk of which so much is free; what is written counts.
#[derive(Clone)]
struct Room(Arc<AtomicU64>);

impl Space for Room {
    fn available(&self, _: &Path) -> io::Result<u64> {
        Ok(self.0.load(Ordering::Relaxed))
    }

    fn claim(&self, bytes: u64) -> io::Result<()> {
        let taken = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        taken.map(drop).map_err(|_| io::ErrorKind::StorageFull.into())
    }
}

#[test]
fn a_recording_that_runs_out_of_room_is_sealed_as_far_as_it_came() {
    let dir = tempfile::tempdir().unwrap();
    drop(tablet(dir.path(), Suite::Ed25519));
    let room = Room(Arc::new(AtomicU64::new(1 << 40)));
    let ports = Ports {
        space: Arc::new(room.clone()),
        ..ports()
    };
    let device = FieldDevice::open(dir.path(), ports).unwrap().0;
    let inspection = begin(&device);
    let reserve = device.pack().unwrap().thresholds().storage_reserve_bytes;
    room.0.store(reserve + 10 * SEGMENT as u64, Ordering::Relaxed);
    let film: Vec<u8> = (0..40 * SEGMENT).map(|at| (at / 251) as u8).collect();
    let captured = device.capture(inspection, &mut &film[..], &photo()).unwrap();
    assert!(captured.cut);
    assert!(captured.remarks.iter().any(|remark| remark.code() == "recording_cut"));
    assert!(
        (8 * SEGMENT as u64..10 * SEGMENT as u64).contains(&captured.size),
        "{}",
        captured.size
    );
    let mut back = Vec::new();
    device
        .read_blob(captured.sha256)
        .unwrap()
        .read_to_end(&mut back)
        .unwrap();
    assert!(back == film[..back.len()]);
    // What is kept for records was not touched, and the custody of the evidence says what happened.
    assert!(room.0.load(Ordering::Relaxed) >= reserve);
    let said = device.inspection(inspection).unwrap();
    let notes = said.state.members("custody").into_iter();
    let notes: Vec<_> = notes
        .filter_map(|id| said.state.text(&format!("custody/{id}/note")))
        .collect();
    assert!(notes.iter().any(|note| note.contains("storage ran out")), "{notes:?}");
    assert_clean(&device);
    // A file can be read again when there is room, so it is not cut.
    let import = NewEvidence {
        acquisition: "imported",
        ..photo()
    };
    room.0.store(SEGMENT as u64, Ordering::Relaxed);
    let error = device.capture(inspection, &mut &film[..], &import).unwrap_err();
    assert_eq!(error.code(), "storage_full");
}

#[test]
fn without_a_rule_pack_the_program_keeps_its_own_room_and_warns() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room(Arc::new(AtomicU64::new(1 << 40)));
    let ports = Ports {
        space: Arc::new(room.clone()),
        ..ports()
    };
    let device = FieldDevice::create(dir.path(), &card_text("tablet"), Suite::P256, None, ports).unwrap();
    assert!(!device.storage_check(0).unwrap().low);
    let sealed = crate::vault::sealed_bytes(1000);
    room.0.store(crate::vault::ROOM_FOR_RECORDS + sealed, Ordering::Relaxed);
    let left = device.storage_check(1000).unwrap();
    assert!(left.low && left.bytes == sealed);
    assert_eq!(device.storage_check(1001).unwrap_err().code(), "storage_short");
}
