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

/// Fails where its bytes end, as a line does.
struct Cut<'a>(&'a [u8]);

impl Read for Cut<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.0.is_empty() {
            true => Err(io::ErrorKind::ConnectionReset.into()),
            false => self.0.read(out),
        }
    }
}

fn hash_of(bytes: &[u8]) -> BlobHash {
    BlobHash::from_bytes(fieldseal_proof::hash::sha256(bytes))
}

/// The one part that lies in a vault.
fn part(folder: &Path) -> Option<std::path::PathBuf> {
    let mut found = std::fs::read_dir(folder.join(arrival::ARRIVING)).unwrap();
    let one = found.next().map(|entry| entry.unwrap().path());
    assert!(found.next().is_none());
    one
}

#[test]
fn what_arrived_before_a_cut_is_not_brought_again() {
    let dir = tempfile::tempdir().unwrap();
    let vault = vault(dir.path());
    for length in [0, 1, SEGMENT, SEGMENT + 1, 3 * SEGMENT + 100] {
        let original = bytes(length);
        let (sha256, size) = (hash_of(&original), length as u64);
        for cut in [0, 1, SEGMENT - 1, SEGMENT, 2 * SEGMENT + 50, 3 * SEGMENT + 99] {
            if cut < length {
                let first = vault.arrival(sha256, size).unwrap();
                let error = vault.receive(first, &mut Cut(&original[..cut])).unwrap_err();
                assert!(matches!(error, VaultError::Source(_)), "{error}");
            }
            let rest = vault.arrival(sha256, size).unwrap();
            let at = rest.at() as usize;
            assert_eq!(
                at,
                if cut < length { cut / SEGMENT * SEGMENT } else { 0 },
                "{length} {cut}"
            );
            let Arrived::Whole(file) = vault.receive(rest, &mut &original[at..]).unwrap() else {
                panic!("{length} {cut}")
            };
            assert_eq!((file.sha256, file.size), (sha256, size));
            assert_eq!(vault.verify(&file.name).unwrap(), file);
            assert_eq!(part(dir.path()), None);
        }
    }
}

#[test]
fn a_part_that_is_not_of_the_original_is_thrown_away_and_a_nonce_sees_one_content() {
    let dir = tempfile::tempdir().unwrap();
    let vault = vault(dir.path());
    let original = bytes(3 * SEGMENT);
    let (sha256, size) = (hash_of(&original), original.len() as u64);
    let other: Vec<u8> = original.iter().map(|byte| byte ^ 1).collect();
    let begin = |bytes: &[u8]| {
        let arrival = vault.arrival(sha256, size).unwrap();
        assert_eq!(arrival.at(), 0);
        vault.receive(arrival, &mut Cut(bytes)).unwrap_err();
        part(dir.path()).unwrap()
    };
    // A kill in the middle of a segment: the half stays as it is, and the same bytes go over it.
    let path = begin(&original[..2 * SEGMENT]);
    let half = std::fs::read(&path).unwrap();
    let half = &half[..half.len() - 1000];
    std::fs::write(&path, half).unwrap();
    let rest = vault.arrival(sha256, size).unwrap();
    assert_eq!(rest.at(), SEGMENT as u64);
    let Arrived::Whole(file) = vault.receive(rest, &mut &original[SEGMENT..]).unwrap() else {
        panic!("it is the original")
    };
    assert!(std::fs::read(dir.path().join(&file.name)).unwrap().starts_with(half));
    // Other bytes for the half segment: nothing is written over it.
    let path = begin(&original[..2 * SEGMENT]);
    let whole = std::fs::metadata(&path).unwrap().len();
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(whole - 1000).unwrap();
    let rest = vault.arrival(sha256, size).unwrap();
    assert_eq!(rest.at(), SEGMENT as u64);
    let mut source = &other[SEGMENT..];
    let answer = vault.receive(rest, &mut source).unwrap();
    assert_eq!((answer, part(dir.path())), (Arrived::ThrownAway, None));
    assert_eq!(
        source.len(),
        SEGMENT,
        "it is seen before that segment is written, not by the hash at the end"
    );
    // Whole segments of something else are found by the hash at the end.
    begin(&other[..2 * SEGMENT]);
    let rest = vault.arrival(sha256, size).unwrap();
    assert_eq!((rest.at(), rest.thrown_away()), (2 * SEGMENT as u64, 0));
    let answer = vault.receive(rest, &mut &original[2 * SEGMENT..]).unwrap();
    assert_eq!((answer, part(dir.path())), (Arrived::ThrownAway, None));
    // A part that was changed at rest.
    let path = begin(&original[..2 * SEGMENT]);
    let mut changed = std::fs::read(&path).unwrap();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    std::fs::write(&path, &changed).unwrap();
    let again = vault.arrival(sha256, size).unwrap();
    assert_eq!((again.at(), again.thrown_away()), (0, changed.len() as u64));
    // All of it in one go and yet another: kept, for somebody to look at.
    let Arrived::Other(kept) = vault.receive(again, &mut &other[..]).unwrap() else {
        panic!("it is not the original")
    };
    assert!(kept.starts_with(dir.path().join(ASIDE)) && kept.is_file());
}

#[test]
fn a_full_disk_gives_back_the_room_of_a_part() {
    let dir = tempfile::tempdir().unwrap();
    let vault = vault_with(dir.path(), Arc::new(Quota(AtomicU64::new(2 * SEGMENT as u64))));
    let original = bytes(3 * SEGMENT);
    let arrival = vault.arrival(hash_of(&original), original.len() as u64).unwrap();
    let error = vault.receive(arrival, &mut &original[..]).unwrap_err();
    assert!(matches!(error, VaultError::NoSpace { partial: None, .. }), "{error}");
    assert_eq!(part(dir.path()), None);
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
