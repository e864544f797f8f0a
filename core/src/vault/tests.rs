//! The vault against changed bytes, cuts and a full disk.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;
use crate::random::OsRandom;

fn vault(folder: &Path) -> Vault {
    vault_with(folder, Arc::new(FileSystem))
}

fn vault_with(folder: &Path, space: Arc<dyn Space>) -> Vault {
    Vault::open(folder, Zeroizing::new([5; 32]), Arc::new(OsRandom), space).unwrap()
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 % 251) as u8).collect()
}

/// A disk on which only so many bytes may be written.
struct Quota(AtomicU64);

impl Space for Quota {
    fn available(&self, _: &Path) -> io::Result<u64> {
        Ok(self.0.load(Ordering::Relaxed))
    }
    fn claim(&self, bytes: u64) -> io::Result<()> {
        let left = self.0.load(Ordering::Relaxed);
        let rest = left
            .checked_sub(bytes)
            .ok_or(io::Error::from(io::ErrorKind::StorageFull))?;
        self.0.store(rest, Ordering::Relaxed);
        Ok(())
    }
}

#[test]
fn original_bytes_come_back_at_every_length_around_a_segment() {
    let dir = tempfile::tempdir().unwrap();
    let vault = vault(dir.path());
    for length in [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 3 * SEGMENT, 3 * SEGMENT + 7] {
        let original = bytes(length);
        let file = vault.write(&mut &original[..], OnFailure::Discard).unwrap();
        assert_eq!(
            (file.size, file.sha256.as_bytes()),
            (length as u64, &fieldseal_proof::hash::sha256(&original))
        );
        let mut back = Vec::new();
        vault.read(&file.name).unwrap().read_to_end(&mut back).unwrap();
        assert_eq!(back, original);
        assert_eq!(vault.verify(&file.name).unwrap(), file);
    }
}

proptest! {
    #[test]
    fn a_read_may_start_anywhere(length in 0usize..4 * SEGMENT, at in 0usize..4 * SEGMENT) {
        let dir = tempfile::tempdir().unwrap();
        let vault = vault(dir.path());
        let original = bytes(length);
        let file = vault.write(&mut &original[..], OnFailure::Discard).unwrap();
        let mut reader = vault.read(&file.name).unwrap();
        reader.seek(SeekFrom::Start(at as u64)).unwrap();
        let mut back = Vec::new();
        reader.read_to_end(&mut back).unwrap();
        prop_assert_eq!(&back[..], &original[at.min(length)..]);
    }
}

#[test]
fn one_changed_bit_anywhere_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let vault = vault(dir.path());
    let file = vault
        .write(&mut &bytes(2 * SEGMENT + 100)[..], OnFailure::Discard)
        .unwrap();
    let path = dir.path().join(&file.name);
    let good = std::fs::read(&path).unwrap();
    let head = 10 + u32::from_be_bytes(good[6..10].try_into().unwrap()) as usize;
    // Magic, length, every byte of the head, then first, inner, tag and last bytes of the segments.
    let sealed = SEGMENT + TAG;
    let segments = [
        0,
        1,
        SEGMENT,
        SEGMENT + TAG - 1,
        sealed,
        sealed + 5,
        2 * sealed,
        good.len() - head - 1,
    ];
    for at in (0..head).chain(segments.iter().map(|s| head + s)) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        std::fs::write(&path, &bad).unwrap();
        assert!(
            matches!(vault.verify(&file.name), Err(VaultError::Changed { .. })),
            "byte {at}"
        );
    }
    for bad in [
        good[..head].to_vec(),
        good[..head + sealed].to_vec(),
        good[..good.len() - 1].to_vec(),
        [&good[..], &[0]].concat(),
        [&good[..], &good[head..head + sealed]].concat(),
        Vec::new(),
    ] {
        std::fs::write(&path, &bad).unwrap();
        assert!(
            matches!(vault.verify(&file.name), Err(VaultError::Changed { .. })),
            "{} bytes",
            bad.len()
        );
    }
    let swapped = [
        &good[..head],
        &good[head + sealed..head + 2 * sealed],
        &good[head..head + sealed],
        &good[head + 2 * sealed..],
    ]
    .concat();
    std::fs::write(&path, &swapped).unwrap();
    assert!(matches!(vault.verify(&file.name), Err(VaultError::Changed { .. })));
    let aside = vault.set_aside(&file.name).unwrap();
    assert_eq!(std::fs::read(aside).unwrap(), swapped);
}

#[test]
fn a_full_disk_is_named_and_does_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let quota = Arc::new(Quota(AtomicU64::new(100_000)));
    let vault = vault_with(dir.path(), quota.clone());
    let original = bytes(3 * SEGMENT);
    assert!(matches!(
        vault.write(&mut &original[..], OnFailure::Discard),
        Err(VaultError::NoSpace { partial: None, .. })
    ));
    assert_eq!(std::fs::read_dir(dir.path().join(INCOMING)).unwrap().count(), 0);
    quota.0.store(100_000, Ordering::Relaxed);
    let Err(VaultError::NoSpace {
        partial: Some(part), ..
    }) = vault.write(&mut &original[..], OnFailure::Keep)
    else {
        panic!("the part of a recording must be kept")
    };
    assert!(part.metadata().unwrap().len() > SEGMENT as u64);
    quota.0.store(1 << 20, Ordering::Relaxed);
    assert_eq!(
        vault.write(&mut &original[..], OnFailure::Discard).unwrap().size,
        original.len() as u64
    );
}

#[test]
fn a_start_adopts_what_is_complete_and_sets_aside_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let vault = vault(dir.path());
    let known = vault.write(&mut &b"has a row"[..], OnFailure::Discard).unwrap();
    let orphan = vault.write(&mut &b"no row yet"[..], OnFailure::Discard).unwrap();
    let cut = vault.write(&mut &bytes(2 * SEGMENT)[..], OnFailure::Discard).unwrap();
    let renamed = vault
        .write(&mut &b"cut before its rename"[..], OnFailure::Discard)
        .unwrap();
    let incoming = dir.path().join(INCOMING);
    std::fs::rename(dir.path().join(&renamed.name), incoming.join(&renamed.name)).unwrap();
    let half = std::fs::read(dir.path().join(&cut.name)).unwrap()[..SEGMENT + 300].to_vec();
    std::fs::remove_file(dir.path().join(&cut.name)).unwrap();
    std::fs::write(incoming.join(&cut.name), half).unwrap();

    let rows: BTreeSet<String> = [known.name.clone(), "0".repeat(32) + ".fse"].into();
    let swept = vault.sweep(&rows).unwrap();
    let adopted: BTreeSet<_> = swept.adopted.iter().map(|f| f.name.clone()).collect();
    assert_eq!(adopted, [orphan.name.clone(), renamed.name.clone()].into());
    assert_eq!(swept.set_aside.len(), 1);
    assert!(swept.set_aside[0].is_file());
    assert_eq!(swept.missing, ["0".repeat(32) + ".fse"]);
    let rows = [known.name, orphan.name, renamed.name].into();
    assert_eq!(vault.sweep(&rows).unwrap(), SweptVault::default());
}

use std::collections::BTreeSet;

/// Whatever room there is, what a camera gave is closed as a whole file: its first bytes, and not two segments less than
/// found room.
#[test]
fn a_recording_is_closed_where_room_ends() {
    let original = bytes(5 * SEGMENT + 1000);
    let sealed = (SEGMENT + TAG) as u64;
    let around = |n: u64| [0, 1, 15, 16, 17, 300, sealed / 2].map(|more| n * sealed + more);
    for room in (0..7).flat_map(around) {
        let dir = tempfile::tempdir().unwrap();
        let quota = Arc::new(Quota(AtomicU64::new(room)));
        let vault = vault_with(dir.path(), quota);
        match vault.record(&mut &original[..], 0, None) {
            Ok(recorded) => {
                let size = recorded.file.size;
                assert_eq!(recorded.cut, size < original.len() as u64, "room {room}");
                assert_eq!(vault.verify(&recorded.file.name).unwrap(), recorded.file);
                let mut back = Vec::new();
                vault.read(&recorded.file.name).unwrap().read_to_end(&mut back).unwrap();
                assert_eq!(back, original[..size as usize], "room {room}");
                assert!(!recorded.cut || size + 3 * sealed > room, "{size} of {room}");
            }
            Err(error) => {
                assert!(matches!(error, VaultError::NoSpace { .. }), "room {room}: {error}");
                assert!(room < 3 * sealed, "room {room} was enough for a segment");
            }
        }
    }
}
