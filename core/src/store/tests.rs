//! The store's promises: one transaction, reopen, two handles, damage, restore, a full disk.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{CaseId, InspectionId, TenantId};
use fieldseal_proof::suite::Suite;
use proptest::prelude::*;

use super::append::AppendWith;
use super::*;
use crate::clock::SetClock;
use crate::keyring::{FileKeyStore, NewDevice, Role};
use crate::operation::NewOperation;
use crate::random::OsRandom;

const CASE: CaseId = CaseId::from_bytes([7; 16]);
const INSPECTION: InspectionId = InspectionId::from_bytes([8; 16]);

fn ports() -> StorePorts {
    let random: Arc<dyn Random> = Arc::new(OsRandom);
    let clock = Arc::new(SetClock::starting_at(1_795_000_000_000, &*random).unwrap());
    StorePorts {
        clock,
        random,
        wait_ms: 200,
        max_pages: None,
    }
}

fn new_keys(folder: &Path) -> FileKeyStore {
    let new = NewDevice {
        tenant: TenantId::from_bytes([1; 16]),
        role: Role::Tablet,
        label: "甲".into(),
        suite: Suite::Ed25519,
        card: String::new(),
    };
    FileKeyStore::create(folder, new, Arc::new(OsRandom), None).unwrap()
}

fn open(folder: &Path, keys: &FileKeyStore) -> (Store, StoreStart) {
    Store::open(folder, keys, &ports()).unwrap()
}

fn remark(text: &str) -> NewOperation {
    NewOperation::new("inspection.begin")
        .in_inspection(CASE, INSPECTION)
        .field("inspection/remark", Value::text(text))
        .field("finding/1/text", Value::text(text))
}

fn assert_sound(store: &Store, keys: &FileKeyStore, operations: u64) {
    let check = store.check(keys).unwrap();
    assert_eq!(check.faults, []);
    assert_eq!(check.operations, operations);
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}

#[test]
fn an_append_that_stops_at_any_step_leaves_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let keys = new_keys(dir.path());
    let (store, _) = open(dir.path(), &keys);
    store.append(remark("先"), None).unwrap();
    store
        .set_draft(CASE, INSPECTION, "inspection/remark", &Value::text("草稿"))
        .unwrap();
    let drafts = ["inspection/remark".to_owned()];
    let with = AppendWith {
        drafts: &drafts,
        ..AppendWith::default()
    };
    for stop in [AppendStep::Signed, AppendStep::Inserted, AppendStep::Chained] {
        let before = (
            store.tip(keys.identity().incarnation).unwrap(),
            store.fact("clock").unwrap(),
        );
        let reached = Cell::new(false);
        let result = store.append_with(remark("后"), &with, &|step| {
            reached.set(reached.get() || step == stop);
            if step == stop {
                Err(StoreError::Stopped(step))
            } else {
                Ok(())
            }
        });
        assert!(reached.get() && matches!(result, Err(StoreError::Stopped(step)) if step == stop));
        assert_eq!(
            before,
            (
                store.tip(keys.identity().incarnation).unwrap(),
                store.fact("clock").unwrap()
            )
        );
        assert_eq!(store.drafts(Some(INSPECTION)).unwrap().len(), 1);
        assert_sound(&store, &keys, 1);
    }
    store.append_with(remark("后"), &with, &|_| Ok(())).unwrap();
    assert_eq!(store.drafts(None).unwrap(), []);
    assert_sound(&store, &keys, 2);
}

#[test]
fn a_write_supersedes_what_it_saw_and_a_set_only_grows() {
    let dir = tempfile::tempdir().unwrap();
    let keys = new_keys(dir.path());
    let (store, _) = open(dir.path(), &keys);
    let first = store.append(remark("一"), None).unwrap();
    let second = store.append(remark("二"), None).unwrap();
    assert_eq!(store.operation(second).unwrap().operation.header().supersedes, [first]);
    let heads = store.heads_under(Some(CASE), "inspection/remark").unwrap();
    assert_eq!(heads.iter().map(|head| head.id).collect::<Vec<_>>(), [second]);
    for photo in 0..300u64 {
        let add = NewOperation::new("finding.record")
            .in_inspection(CASE, INSPECTION)
            .field("finding/1/evidence", Value::bytes(photo.to_be_bytes()));
        let id = store.append(add, None).unwrap();
        assert_eq!(store.operation(id).unwrap().operation.header().supersedes, []);
    }
    assert_sound(&store, &keys, 302);
}

#[test]
fn two_handles_share_one_chain() {
    let dir = tempfile::tempdir().unwrap();
    let keys = new_keys(dir.path());
    // Both wait as long as it takes: how fast the disk is must not decide.
    let patient = || StorePorts {
        wait_ms: 600_000,
        ..ports()
    };
    let (one, start) = Store::open(dir.path(), &keys, &patient()).unwrap();
    let (two, second_start) = Store::open(dir.path(), &keys, &patient()).unwrap();
    assert!(start.alone && !second_start.alone);
    std::thread::scope(|threads| {
        for store in [&one, &two] {
            threads.spawn(move || (0..50).for_each(|_| assert!(store.append(remark("同"), None).is_ok())));
        }
    });
    assert_eq!(one.tip(keys.identity().incarnation).unwrap().unwrap().0, 100);
    assert_sound(&two, &keys, 100);
}

#[test]
fn a_store_held_too_long_says_that_it_is_busy() {
    let dir = tempfile::tempdir().unwrap();
    let keys = new_keys(dir.path());
    let (one, _) = open(dir.path(), &keys);
    let (two, _) = open(dir.path(), &keys);
    one.write(|_| {
        assert!(matches!(two.append(remark("等"), None), Err(StoreError::Busy)));
        Ok(())
    })
    .unwrap();
    two.append(remark("好"), None).unwrap();
}

#[test]
fn a_full_disk_is_named_and_writing_goes_on_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let keys = new_keys(dir.path());
    let (store, _) = open(dir.path(), &keys);
    store
        .set_draft(CASE, INSPECTION, "inspection/remark", &Value::text("草稿"))
        .unwrap();
    let pages: u32 = store
        .connection()
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    let small = StorePorts {
        max_pages: Some(pages + 2),
        ..ports()
    };
    drop(store);
    let (store, _) = Store::open(dir.path(), &keys, &small).unwrap();
    let big = || remark(&"长".repeat(30_000));
    assert!(matches!(store.append(big(), None), Err(StoreError::NoSpace)));
    assert_eq!(store.drafts(None).unwrap().len(), 1);
    assert_sound(&store, &keys, 0);
    drop(store);
    let (store, _) = open(dir.path(), &keys);
    store.append(big(), None).unwrap();
    assert_sound(&store, &keys, 1);
}

#[test]
fn a_newer_database_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let keys = new_keys(dir.path());
    let (store, _) = open(dir.path(), &keys);
    store.connection().pragma_update(None, "user_version", 7).unwrap();
    drop(store);
    assert!(matches!(
        Store::open(dir.path(), &keys, &ports()),
        Err(StoreError::Newer { found: 7, known: 3 })
    ));
    assert!(!dir.path().join("damaged-1").exists());
}

#[test]
fn a_damaged_database_is_kept_whole_and_read_for_what_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    let keys = new_keys(dir.path());
    let (store, _) = open(dir.path(), &keys);
    for n in 0..200 {
        store.append(remark(&format!("第{n}条").repeat(40)), None).unwrap();
    }
    let before = store.tip(keys.identity().incarnation).unwrap().unwrap();
    drop(store);
    let path = dir.path().join(DATABASE);
    let mut bytes = std::fs::read(&path).unwrap();
    let page = 4096;
    let middle = bytes.len() / page / 2 * page;
    bytes[middle + 100..middle + 200].fill(0);
    std::fs::write(&path, &bytes).unwrap();
    std::fs::write(dir.path().join(connect::SUSPECT), b"").unwrap();

    let (store, start) = open(dir.path(), &keys);
    let salvage = start.salvage.unwrap();
    assert!(std::fs::read(salvage.aside.join(DATABASE)).unwrap() == bytes);
    assert!(salvage.operations >= 150, "{salvage:?}");
    assert!(start.new_incarnation || salvage.chain_complete);
    assert_ne!(start.new_incarnation, salvage.chain_complete);
    if start.new_incarnation {
        // The chain goes on from the last link known, in a new life.
        let (seq, link) = store.tip(keys.identity().incarnation).unwrap().unwrap();
        assert_eq!((seq, link), (0, before.1));
    }
    store.append(remark("后"), None).unwrap();
    drop(store);
    let (_, again) = open(dir.path(), &keys);
    assert!(again.salvage.is_none() && !again.new_incarnation);
}

#[test]
fn a_database_without_its_first_page_is_kept_and_a_new_life_begins() {
    let dir = tempfile::tempdir().unwrap();
    let keys = new_keys(dir.path());
    let (store, _) = open(dir.path(), &keys);
    store.append(remark("一"), None).unwrap();
    let link = store.tip(keys.identity().incarnation).unwrap().unwrap().1;
    drop(store);
    std::fs::write(dir.path().join(DATABASE), [0x55; 40_000]).unwrap();
    let (store, start) = open(dir.path(), &keys);
    assert_eq!(start.salvage.unwrap().operations, 0);
    assert!(start.new_incarnation);
    assert_eq!(store.tip(keys.identity().incarnation).unwrap().unwrap(), (0, link));
}

#[test]
fn a_database_put_back_from_a_copy_begins_a_new_life() {
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let keys = new_keys(dir.path());
    let (store, _) = open(dir.path(), &keys);
    store.append(remark("一"), None).unwrap();
    drop(store);
    copy_folder(dir.path(), copy.path());
    let (store, _) = open(dir.path(), &keys);
    store.append(remark("二"), None).unwrap();
    let (old, link) = (
        keys.identity().incarnation,
        store.tip(keys.identity().incarnation).unwrap().unwrap().1,
    );
    drop(store);
    for entry in std::fs::read_dir(copy.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with(DATABASE) {
            std::fs::copy(&path, dir.path().join(&name)).unwrap();
        }
    }
    let (store, start) = open(dir.path(), &keys);
    assert!(start.new_incarnation);
    assert_ne!(keys.identity().incarnation, old);
    let id = store.append(remark("三"), None).unwrap();
    let header = store.operation(id).unwrap().operation.header().clone();
    assert_eq!(
        (header.seq, header.prev, header.incarnation),
        (0, link, keys.identity().incarnation)
    );
    drop(store);
    assert!(!open(dir.path(), &keys).1.new_incarnation);
}

#[test]
fn a_tail_that_fell_behind_is_no_restore() {
    let dir = tempfile::tempdir().unwrap();
    let keys = new_keys(dir.path());
    let (store, _) = open(dir.path(), &keys);
    store.append(remark("一"), None).unwrap();
    let tail = std::fs::read(dir.path().join("store.tail")).unwrap();
    store.append(remark("二"), None).unwrap();
    drop(store);
    std::fs::write(dir.path().join("store.tail"), tail).unwrap();
    assert!(!open(dir.path(), &keys).1.new_incarnation);
}

#[test]
fn receipts_move_operations_on_and_an_epoch_offers_them_again() {
    let dir = tempfile::tempdir().unwrap();
    let keys = new_keys(dir.path());
    let (store, _) = open(dir.path(), &keys);
    let ids: Vec<_> = (0..5)
        .map(|n| store.append(remark(&n.to_string()), None).unwrap())
        .collect();
    let incarnation = keys.identity().incarnation;
    let run = store.unsent(3, usize::MAX, |_| true).unwrap().unwrap();
    assert_eq!((run.incarnation, run.first, run.frames.len()), (incarnation, 0, 3));
    assert_eq!(store.unsent(3, 1, |_| true).unwrap().unwrap().frames.len(), 1);
    store.record_batch_receipt(incarnation, 0, 2, b"receipt").unwrap();
    store.record_batch_receipt(incarnation, 0, 2, b"receipt").unwrap();
    assert_eq!(store.unsent(9, usize::MAX, |_| true).unwrap().unwrap().first, 3);
    store.record_indexes(incarnation, &[(1, 41)], b"index").unwrap();
    assert_eq!(store.unsealed().unwrap(), Some((incarnation, 0)));
    store.record_indexes(incarnation, &[(0, 40)], b"index").unwrap();
    assert_eq!(store.unsealed().unwrap(), Some((incarnation, 2)));
    let progress: Vec<_> = ids.iter().map(|id| store.operation(*id).unwrap().progress).collect();
    use Progress::*;
    assert_eq!(progress, [Logged, Logged, Received, Sealed, Sealed]);
    let counts = store.pending().unwrap();
    assert_eq!((counts.waiting, counts.received, counts.logged), (2, 1, 2));
    store.offer_again(incarnation, 1).unwrap();
    assert_eq!(store.unsent(9, usize::MAX, |_| true).unwrap().unwrap().first, 1);
    assert_eq!(store.operation(ids[1]).unwrap().progress, Sealed);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn whatever_is_written_is_there_after_a_reopen(
        steps in proptest::collection::vec((0usize..4, 0u8..3, "[a-z]{1,8}", any::<bool>()), 1..40)
    ) {
        let dir = tempfile::tempdir().unwrap();
        let keys = new_keys(dir.path());
        let (mut store, _) = open(dir.path(), &keys);
        let mut ids = Vec::new();
        for (path, case, text, reopen) in steps {
            let path = ["inspection/remark", "finding/1/text", "statement/1/line", "inspection/officer"][path];
            let case = CaseId::from_bytes([case; 16]);
            let new = NewOperation::new("note.record").in_case(case).field(path, Value::text(text));
            ids.push(store.append(new, None).unwrap());
            if reopen {
                drop(store);
                store = open(dir.path(), &keys).0;
            }
        }
        for (seq, id) in ids.iter().enumerate() {
            prop_assert_eq!(store.operation(*id).unwrap().operation.header().seq, seq as u64);
        }
        let check = store.check(&keys).unwrap();
        prop_assert_eq!(check.faults, []);
        prop_assert_eq!(check.operations, ids.len() as u64);
    }
}
