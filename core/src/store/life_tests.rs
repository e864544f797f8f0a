//! Lives that end: whatever step was the last, for several processes, and what another copy of the folder wrote.

use std::path::Path;
use std::sync::Arc;

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{CaseId, InspectionId, OpId, TenantId};
use fieldseal_proof::operation::VerifiedOperation;
use fieldseal_proof::suite::Suite;

use super::*;
use crate::clock::SetClock;
use crate::keyring::{FileKeyStore, NewDevice, Role};
use crate::operation::NewOperation;
use crate::random::OsRandom;

const TAIL: &str = "store.tail";

fn ports() -> StorePorts {
    let random: Arc<dyn Random> = Arc::new(OsRandom);
    let clock = Arc::new(SetClock::starting_at(1_795_000_000_000, &*random).unwrap());
    StorePorts {
        clock,
        random,
        wait_ms: 1_000,
        max_pages: None,
    }
}

fn new_device(folder: &Path) {
    let new = NewDevice {
        tenant: TenantId::from_bytes([1; 16]),
        role: Role::Tablet,
        label: "甲".into(),
        suite: Suite::Ed25519,
        card: String::new(),
    };
    FileKeyStore::create(folder, new, Arc::new(OsRandom), None).unwrap();
}

fn open(folder: &Path) -> (Store, Arc<FileKeyStore>) {
    let keys = Arc::new(FileKeyStore::open(folder, Arc::new(OsRandom), None).unwrap());
    let (store, _) = Store::open(folder, &*keys, &ports()).unwrap();
    store.share_keys(keys.clone());
    (store, keys)
}

fn write(store: &Store, text: &str) -> OpId {
    let new = NewOperation::new("inspection.begin")
        .in_inspection(CaseId::from_bytes([7; 16]), InspectionId::from_bytes([8; 16]))
        .field("inspection/remark", Value::text(text));
    store.append(new, None).unwrap()
}

fn held(store: &Store, keys: &FileKeyStore, ids: &[OpId]) -> Vec<(Option<u64>, VerifiedOperation)> {
    let key = keys.operation_key().unwrap().public().clone();
    ids.iter()
        .zip(40..)
        .map(|(id, leaf)| {
            let operation = store.operation(*id).unwrap().operation;
            (Some(leaf), operation.verify(&key).unwrap())
        })
        .collect()
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}

fn sound(store: &Store, keys: &FileKeyStore) {
    assert_eq!(store.check(keys).unwrap().faults, []);
}

#[test]
fn a_life_ends_whatever_step_was_the_last_and_no_place_is_given_twice() {
    for cut in ["before the keys", "after the keys", "after the chain"] {
        let dir = tempfile::tempdir().unwrap();
        new_device(dir.path());
        let (store, keys) = open(dir.path());
        write(&store, "一");
        let behind = std::fs::read(dir.path().join(TAIL)).unwrap();
        write(&store, "二");
        let old = store.incarnation();
        let (end, link) = store.tip(old).unwrap().unwrap();
        match cut {
            "before the keys" => drop(store),
            "after the keys" => {
                keys.begin_incarnation().unwrap();
                drop(store);
            }
            _ => {
                assert!(store.end_life(&*keys, old).unwrap().is_some());
                assert!(store.end_life(&*keys, old).unwrap().is_none(), "it ends once");
                drop(store);
            }
        }
        // The tail is never synced: a power cut may have left it at an earlier operation.
        std::fs::write(dir.path().join(TAIL), behind).unwrap();
        let (store, keys) = open(dir.path());
        if cut == "before the keys" {
            assert_eq!(store.incarnation(), old);
            assert!(store.end_life(&*keys, old).unwrap().is_some());
        }
        assert_ne!(store.incarnation(), old, "{cut}");
        let id = write(&store, "三");
        let header = store.operation(id).unwrap().operation.header().clone();
        assert_eq!(
            (header.incarnation, header.seq, header.prev),
            (keys.identity().incarnation, 0, link),
            "{cut}"
        );
        assert_eq!(store.tip(old).unwrap(), Some((end, link)), "{cut}");
        sound(&store, &keys);
        drop(store);
        let (store, keys) = open(dir.path());
        assert_eq!(store.incarnation(), header.incarnation, "{cut}: one new life, not two");
        sound(&store, &keys);
    }
}

#[test]
fn a_second_process_goes_on_in_the_life_that_the_first_began() {
    let dir = tempfile::tempdir().unwrap();
    new_device(dir.path());
    let (first, keys) = open(dir.path());
    let (second, _) = open(dir.path());
    let without = FileKeyStore::open(dir.path(), Arc::new(OsRandom), None).unwrap();
    let (third, _) = Store::open(dir.path(), &without, &ports()).unwrap();
    let old = first.incarnation();
    write(&second, "一");
    let (_, link) = first.tip(old).unwrap().unwrap();
    let begun = first.end_life(&*keys, old).unwrap().unwrap();
    // What was open before writes nothing more of the old life, with the keys at hand or without them.
    let id = write(&second, "二");
    let header = second.operation(id).unwrap().operation.header().clone();
    assert_eq!(
        (header.incarnation, header.seq, header.prev),
        (begun.incarnation, 0, link)
    );
    let refused = third.append(
        NewOperation::new("note.record").field("note/1/text", Value::text("三")),
        None,
    );
    assert!(matches!(refused, Err(StoreError::LifeOver)), "{refused:?}");
    write(&first, "四");
    assert_eq!(first.tip(old).unwrap().unwrap(), (1, link));
    sound(&first, &keys);
}

#[test]
fn what_another_copy_wrote_is_kept_and_is_none_of_the_own_chain() {
    let (dir, twin) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    new_device(dir.path());
    let (store, _) = open(dir.path());
    let common = [write(&store, "一"), write(&store, "二")];
    drop(store);
    copy_folder(dir.path(), twin.path());
    let ((one, one_keys), (other, other_keys)) = (open(dir.path()), open(twin.path()));
    let life = one.incarnation();
    let ours = [write(&one, "甲三"), write(&one, "甲四")];
    let theirs = [write(&other, "乙三"), write(&other, "乙四"), write(&other, "乙五")];
    let (from_one, from_other) = (held(&one, &one_keys, &ours), held(&other, &other_keys, &theirs));
    for (store, keys, own, foreign) in [
        (&one, &one_keys, &ours[..], &from_other),
        (&other, &other_keys, &theirs[..], &from_one),
    ] {
        let tip = store.tip(life).unwrap();
        let seen = store
            .contradiction(foreign.iter().map(|(_, operation)| operation))
            .unwrap();
        assert_eq!(seen, Some((life, 2)));
        assert!(store.end_life(&**keys, life).unwrap().is_some());
        store.import(foreign, &[]).unwrap();
        store.import(foreign, &[]).unwrap();
        assert_eq!(store.tip(life).unwrap(), tip, "the own chain did not move");
        let run = store.unsent(100, usize::MAX, |_| true).unwrap().unwrap();
        assert_eq!((run.first, run.frames.len()), (0, common.len() + own.len()));
        assert_eq!(store.pending().unwrap().waiting, (common.len() + own.len()) as u64);
        assert_eq!(
            store.own_commitments(life, 0, 100).unwrap().len(),
            common.len() + own.len()
        );
        for (seq, id) in (2..).zip(own) {
            let operation = store.operation(*id).unwrap().operation;
            assert_eq!(store.own_link(life, seq).unwrap().unwrap().1, operation.commitment());
        }
        sound(store, keys);
    }
    // The new life of the other one comes as a life of this device, and nothing of it contradicts.
    let later = [write(&other, "乙六"), write(&other, "乙七")];
    let later = held(&other, &other_keys, &later);
    let seen = one.contradiction(later.iter().map(|(_, operation)| operation)).unwrap();
    assert_eq!(seen, None);
    one.import(&later, &[]).unwrap();
    write(&one, "甲五");
    assert_eq!(
        one.tip(other.incarnation()).unwrap(),
        other.tip(other.incarnation()).unwrap()
    );
    sound(&one, &one_keys);
    // A database that is damaged and read page by page still tells them apart.
    let own = one.own_commitments(life, 0, 100).unwrap();
    drop((one, one_keys));
    let path = dir.path().join(DATABASE);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[..4096].fill(0);
    std::fs::write(&path, bytes).unwrap();
    let keys = FileKeyStore::open(dir.path(), Arc::new(OsRandom), None).unwrap();
    let (one, start) = Store::open(dir.path(), &keys, &ports()).unwrap();
    assert!(start.salvage.is_some());
    assert_eq!(one.own_commitments(life, 0, 100).unwrap(), own);
    sound(&one, &keys);
}

#[test]
fn an_older_copy_that_wrote_nothing_takes_its_life_up_again() {
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    new_device(dir.path());
    let (store, _) = open(dir.path());
    write(&store, "一");
    drop(store);
    copy_folder(dir.path(), copy.path());
    let (store, keys) = open(dir.path());
    let lost = [write(&store, "二"), write(&store, "三")];
    let lost = held(&store, &keys, &lost);
    let (older, _) = open(copy.path());
    let life = older.incarnation();
    let seen = older
        .contradiction(lost.iter().map(|(_, operation)| operation))
        .unwrap();
    assert_eq!(seen, None);
    older.import(&lost, &[]).unwrap();
    assert_eq!(older.tip(life).unwrap(), store.tip(life).unwrap());
}

#[test]
fn keys_of_an_earlier_life_beside_a_later_database_begin_a_new_one() {
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    new_device(dir.path());
    let (store, keys) = open(dir.path());
    write(&store, "一");
    copy_folder(dir.path(), copy.path());
    let old = store.incarnation();
    store.end_life(&*keys, old).unwrap().unwrap();
    write(&store, "二");
    let (passed, (_, link)) = (store.incarnation(), store.tip(store.incarnation()).unwrap().unwrap());
    drop(store);
    std::fs::copy(copy.path().join("keyring"), dir.path().join("keyring")).unwrap();
    let (store, keys) = open(dir.path());
    assert!(![old, passed].contains(&store.incarnation()));
    let id = write(&store, "三");
    assert_eq!(store.operation(id).unwrap().operation.header().prev, link);
    sound(&store, &keys);
}
