//! Other people's operations, in any order, with quarantine and release: the stored view stays the fold of the set.

use std::path::Path;
use std::sync::Arc;

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{CaseId, InspectionId, OpId, TenantId};
use fieldseal_proof::operation::VerifiedOperation;
use fieldseal_proof::suite::Suite;
use fieldseal_testkit::{Author, Ceremony, Draft};
use proptest::prelude::*;

use super::*;
use crate::clock::{MAX_LEAD_MS, SetClock};
use crate::keyring::{FileKeyStore, NewDevice, Role};
use crate::operation::NewOperation;
use crate::random::OsRandom;

const TENANT: TenantId = TenantId::from_bytes([1; 16]);
const CASE: CaseId = CaseId::from_bytes([7; 16]);
const INSPECTION: InspectionId = InspectionId::from_bytes([8; 16]);
/// Its operation key; its id is 16 times 0xee.
const INGEST: u8 = 21;
const WALL_MS: u64 = 1_795_000_000_000;
const PATHS: [&str; 5] = [
    "inspection/remark",
    "finding/1/text",
    "statement/1/line",
    "inspection/officer",
    "evidence/1/sha256",
];

fn open(folder: &Path) -> (Store, FileKeyStore) {
    let random: Arc<dyn Random> = Arc::new(OsRandom);
    let new = NewDevice {
        tenant: TENANT,
        role: Role::Tablet,
        label: "甲".into(),
        suite: Suite::Ed25519,
        card: String::new(),
    };
    let keys = FileKeyStore::create(folder, new, random.clone(), None).unwrap();
    let clock = Arc::new(SetClock::starting_at(WALL_MS, &*random).unwrap());
    let ports = StorePorts {
        clock,
        random,
        wait_ms: 1000,
        max_pages: None,
    };
    let (store, _) = Store::open(folder, &keys, &ports).unwrap();
    store.append_key_log(0, &key_log_frames()).unwrap();
    (store, keys)
}

fn key_log_frames() -> Vec<Vec<u8>> {
    let mut ceremony = Ceremony::new(TENANT, 20);
    ceremony.server(0xee, "example.org/county/0", [INGEST, 22, 23, 24]);
    ceremony.frames().to_vec()
}

/// Writes into the inspection, as another device would.
fn write(
    author: &mut Author,
    kind: &str,
    fields: Vec<(String, Value)>,
    supersedes: Vec<OpId>,
    at_ms: u64,
) -> VerifiedOperation {
    let operation = author.seal(Draft {
        kind: kind.into(),
        case: Some(CASE),
        inspection: Some(INSPECTION),
        fields,
        supersedes,
        at_ms,
        ..Draft::default()
    });
    operation.verify(author.key().public()).unwrap()
}

fn ingest() -> Author {
    Author::new(TENANT, INGEST).named(0xee)
}

fn disposition(ingest: &mut Author, target: OpId, state: &str, after: Vec<OpId>) -> VerifiedOperation {
    let fields = vec![
        ("disposition/target".to_owned(), Value::bytes(target.as_bytes())),
        ("disposition/state".to_owned(), Value::text(state)),
        ("disposition/reason".to_owned(), Value::text("fork")),
    ];
    write(ingest, "disposition", fields, after, WALL_MS)
}

#[derive(Debug, Clone)]
struct Step {
    author: usize,
    paths: Vec<usize>,
    value: u8,
    /// Which earlier operations it supersedes, as distances back.
    back: Vec<usize>,
    /// What happens to it afterwards: nothing, quarantine, quarantine and release.
    fate: u8,
}

fn step() -> impl Strategy<Value = Step> {
    let paths = proptest::collection::vec(0..PATHS.len(), 1..4);
    let back = proptest::collection::vec(1usize..6, 0..3);
    (0usize..2, paths, 0u8..4, back, 0u8..6).prop_map(|(author, paths, value, back, fate)| Step {
        author,
        paths,
        value,
        back,
        fate,
    })
}

fn history(steps: &[Step]) -> Vec<VerifiedOperation> {
    let mut authors = [1u8, 2].map(|n| Author::new(TENANT, n));
    let mut ingest = ingest();
    let (mut all, mut ids): (Vec<VerifiedOperation>, Vec<OpId>) = (Vec::new(), Vec::new());
    for (n, step) in steps.iter().enumerate() {
        let mut paths = step.paths.clone();
        paths.sort_unstable();
        paths.dedup();
        let fields = paths
            .iter()
            .map(|p| (PATHS[*p].to_owned(), Value::Uint(step.value.into())))
            .collect();
        let supersedes = step
            .back
            .iter()
            .filter_map(|back| ids.len().checked_sub(*back).map(|at| ids[at]))
            .collect();
        let operation = write(
            &mut authors[step.author],
            "note.record",
            fields,
            supersedes,
            WALL_MS + n as u64,
        );
        let id = operation.id();
        ids.push(id);
        all.push(operation);
        if step.fate >= 4 {
            let set_aside = disposition(&mut ingest, id, "quarantined", Vec::new());
            let by = set_aside.id();
            all.push(set_aside);
            if step.fate == 5 {
                all.push(disposition(&mut ingest, id, "released", vec![by]));
            }
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_stored_view_is_the_fold_in_whatever_order_operations_come(
        steps in proptest::collection::vec(step(), 1..14),
        order in proptest::collection::vec(any::<u32>(), 48),
    ) {
        let all = history(&steps);
        let mut shuffled: Vec<(u32, VerifiedOperation)> = order.iter().copied().zip(all.iter().cloned()).collect();
        shuffled.sort_by_key(|(key, _)| *key);
        let mut hashes = Vec::new();
        for operations in [all, shuffled.into_iter().map(|(_, operation)| operation).collect()] {
            let dir = tempfile::tempdir().unwrap();
            let (store, keys) = open(dir.path());
            for operation in operations {
                let one = [(None, operation)];
                prop_assert_eq!(store.import(&one, &[]).unwrap().new, 1);
                prop_assert_eq!(store.import(&one, &[]).unwrap(), Imported { new: 0, known: 1 });
            }
            prop_assert_eq!(store.check(&keys).unwrap().faults, []);
            hashes.push(store.state(crate::merge::Scope::Case(CASE)).unwrap().hash());
        }
        prop_assert_eq!(hashes[0], hashes[1]);
    }
}

#[test]
fn a_stamp_from_2090_does_not_drag_this_device_along() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let mut author = Author::new(TENANT, 1);
    let field = || vec![("inspection/remark".to_owned(), Value::text("远"))];
    let far = write(&mut author, "note.record", field(), Vec::new(), 3_786_912_000_000);
    let near = write(
        &mut author,
        "note.record",
        field(),
        Vec::new(),
        WALL_MS + MAX_LEAD_MS / 2,
    );
    store
        .import(&[(Some(0), far), (Some(1), near)], &[("cursor", b"c1")])
        .unwrap();
    assert_eq!(store.fact("cursor").unwrap().as_deref(), Some(&b"c1"[..]));
    let own = NewOperation::new("note.record")
        .in_inspection(CASE, INSPECTION)
        .field("inspection/remark", Value::text("近"));
    let id = store.append(own, None).unwrap();
    let header = store.operation(id).unwrap().operation.header().clone();
    assert_eq!((header.hlc_ms, header.hlc_counter), (WALL_MS + MAX_LEAD_MS / 2, 1));
    assert_eq!(header.supersedes.len(), 2);
}

#[test]
fn a_disposition_by_anybody_else_says_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (store, keys) = open(dir.path());
    let mut author = Author::new(TENANT, 1);
    let target = write(
        &mut author,
        "note.record",
        vec![("inspection/remark".into(), Value::text("一"))],
        Vec::new(),
        WALL_MS,
    );
    let id = target.id();
    let forged = disposition(&mut author, id, "quarantined", Vec::new());
    store.import(&[(None, target), (None, forged)], &[]).unwrap();
    assert_eq!(store.heads_under(Some(CASE), "inspection/remark").unwrap().len(), 1);
    assert_eq!(store.check(&keys).unwrap().faults, []);
}

#[test]
fn own_operations_that_were_lost_come_back_from_the_server() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (store, keys) = open(dir.path());
    let remark = |text: &str| {
        NewOperation::new("note.record")
            .in_case(CASE)
            .field("inspection/remark", Value::text(text))
    };
    for text in ["一", "二", "三"] {
        store.append(remark(text), None).unwrap();
    }
    let tip = store.tip(keys.identity().incarnation).unwrap();
    let public = keys.operation_key().unwrap().public().clone();
    let operations: Vec<_> = store
        .operations(Some(CASE))
        .unwrap()
        .into_iter()
        .zip(40..)
        .map(|(row, leaf)| (Some(leaf), row.operation.verify(&public).unwrap()))
        .collect();
    let lost = keys.identity().incarnation;
    for name in ["device.secret", "keyring"] {
        std::fs::copy(dir.path().join(name), other.path().join(name)).unwrap();
    }
    drop(store);
    // The database is gone; only the keys are left, and the tail says where the chain had come to.
    std::fs::copy(dir.path().join("store.tail"), other.path().join("store.tail")).unwrap();
    let keys = FileKeyStore::open(other.path(), Arc::new(OsRandom), None).unwrap();
    let random: Arc<dyn Random> = Arc::new(OsRandom);
    let clock = Arc::new(SetClock::starting_at(WALL_MS, &*random).unwrap());
    let ports = StorePorts {
        clock,
        random,
        wait_ms: 1000,
        max_pages: None,
    };
    let (store, start) = Store::open(other.path(), &keys, &ports).unwrap();
    assert!(start.new_incarnation);
    store.append(remark("四"), None).unwrap();
    store.import(&operations, &[]).unwrap();
    assert_eq!(store.tip(lost).unwrap(), tip);
    assert_eq!(store.pending().unwrap().waiting, 1);
    assert_eq!(store.check(&keys).unwrap().faults, []);
    assert_eq!(store.incarnations().unwrap(), [lost, keys.identity().incarnation]);
}
