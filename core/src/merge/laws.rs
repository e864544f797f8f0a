//! The laws of the merge, tried on random histories: the state is a function of the set and of nothing else.

use std::sync::Arc;
use std::time::Instant;

use fieldseal_proof::body::Body;
use fieldseal_proof::cbor::{self, Value};
use fieldseal_proof::ids::*;
use fieldseal_proof::operation::{ClockClaim, Header, Operation};
use fieldseal_proof::suite::{Ed25519Signer, Suite};
use proptest::prelude::*;

use super::*;

pub(crate) const CASE: CaseId = CaseId::from_bytes([7; 16]);
pub(crate) const INSPECTION: InspectionId = InspectionId::from_bytes([8; 16]);
pub(crate) const INGEST: DeviceId = DeviceId::from_bytes([99; 16]);

/// An operation of the test case. Device and clock are free, so that concurrent and badly clocked writers can be made.
pub(crate) fn operation(
    device: u8,
    seq: u64,
    hlc_ms: u64,
    kind: &str,
    fields: Vec<(String, Value)>,
    supersedes: &[OpId],
) -> Operation {
    let mut supersedes = supersedes.to_vec();
    supersedes.sort_unstable();
    supersedes.dedup();
    let header = Header {
        suite: Suite::Ed25519,
        tenant: TenantId::from_bytes([1; 16]),
        device: DeviceId::from_bytes([device; 16]),
        incarnation: IncarnationId::from_bytes([device; 16]),
        seq,
        prev: Link::from_bytes([0; 32]),
        kind: kind.into(),
        schema: 0,
        case: Some(CASE),
        inspection: Some(INSPECTION),
        counter: seq,
        session: None,
        hlc_ms,
        hlc_counter: 0,
        clock: ClockClaim {
            wall_ms: hlc_ms,
            boot: BootId::from_bytes([0; 16]),
            monotonic_ms: 0,
        },
        supersedes,
        anchor: None,
        pack: None,
        app: "test".into(),
        body_root: BodyRoot::from_bytes([0; 32]),
        signers: vec![],
        unknown: vec![],
    };
    let body = Body::build([device; 32], fields).unwrap();
    Operation::seal(header, body, &Ed25519Signer::from_seed(&[device; 32]).unwrap()).unwrap()
}

fn put(path: &str, value: &str) -> Vec<(String, Value)> {
    vec![(path.to_owned(), Value::text(value))]
}

fn quarantine(seq: u64, target: OpId, state: Standing, supersedes: &[OpId]) -> Operation {
    let of = crate::domain::Disposition {
        target,
        state,
        reason: "closed",
        decision: None,
    };
    let (kind, fields) = crate::domain::disposition(of).into_parts();
    operation(99, seq, 5000 + seq, kind.as_str(), fields, supersedes)
}

fn state(operations: &[&Operation]) -> State {
    fold(Scope::Case(CASE), [INGEST], operations.iter().copied())
}

fn texts(state: &State, path: &str) -> Vec<String> {
    state
        .all(path)
        .iter()
        .filter_map(|v| v.as_text().map(str::to_owned))
        .collect()
}

/// Paths of every class, so that each law is tried on each.
const PATHS: [&str; 7] = [
    "party/name",
    "inspection/remark",
    "inspection/attendee",
    "finding/a/grade",
    "statement/s/line",
    "evidence/e/title",
    "attest/role",
];

/// One random step: device, clock, path, value, what it supersedes (backwards), and whether the step is a disposition of an
/// earlier operation instead.
type Step = (u8, u64, usize, u8, Vec<usize>, Option<(usize, bool)>);

fn history(steps: &[Step]) -> Vec<Operation> {
    let mut made: Vec<Operation> = Vec::new();
    for (n, (device, clock, path, value, back, disposed)) in steps.iter().enumerate() {
        let earlier: Vec<OpId> = back
            .iter()
            .filter_map(|back| made.len().checked_sub(1 + back))
            .map(|at| made[at].id())
            .collect();
        let seq = n as u64;
        let operation = match disposed.and_then(|(back, on)| Some((made.len().checked_sub(1 + back)?, on))) {
            Some((at, on)) => {
                let standing = if on { Standing::Quarantined } else { Standing::Released };
                quarantine(seq, made[at].id(), standing, &earlier)
            }
            None => operation(
                *device,
                seq,
                *clock,
                "note.record",
                put(PATHS[*path], &format!("v{value}")),
                &earlier,
            ),
        };
        made.push(operation);
    }
    made
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (
        1..4u8,
        0..50u64,
        0..PATHS.len(),
        0..3u8,
        prop::collection::vec(0..12usize, 0..4),
        prop::option::weighted(0.2, (0..12usize, any::<bool>())),
    );
    prop::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn order_repetition_and_partition_make_no_difference(
        steps in steps(), shuffle in prop::collection::vec(any::<prop::sample::Index>(), 80), cut in any::<prop::sample::Index>()
    ) {
        let all = history(&steps);
        let whole = state(&all.iter().collect::<Vec<_>>());
        let mut mixed: Vec<&Operation> = all.iter().collect();
        for (at, index) in shuffle.iter().enumerate() {
            let place = at % mixed.len();
            let other = index.index(mixed.len());
            mixed.swap(place, other);
        }
        mixed.extend(all.iter().step_by(3));
        prop_assert_eq!(state(&mixed).hash(), whole.hash());
        prop_assert_eq!(&state(&mixed), &whole);

        let cut = cut.index(mixed.len());
        let mut first = Fold::new(Scope::Case(CASE), [INGEST]);
        let mut second = Fold::new(Scope::Case(CASE), []);
        mixed[..cut].iter().for_each(|op| { first.add(op); });
        mixed[cut..].iter().for_each(|op| { second.add(op); });
        let mut other_way = second.clone();
        other_way.join(first.clone());
        first.join(second);
        prop_assert_eq!(&first.state(), &whole);
        prop_assert_eq!(&other_way.state(), &whole);
    }

    #[test]
    fn nothing_effective_vanishes_unless_something_effective_reaches_it(steps in steps()) {
        let all = history(&steps);
        let state = state(&all.iter().collect::<Vec<_>>());
        for (path, resolved) in state.paths() {
            let writers: Vec<&Operation> = all
                .iter()
                .filter(|op| op.body().unwrap().get(path).is_some() && !state.quarantine().contains_key(&op.id()))
                .collect();
            prop_assert_eq!(writers.is_empty(), resolved.held().is_empty());
            prop_assert_eq!(writers.is_empty(), resolved.heads.is_empty());
            if resolved.class != FieldClass::Last && resolved.class != FieldClass::Legal {
                for writer in writers {
                    prop_assert!(resolved.held().iter().any(|held| held.by.contains(&writer.id())));
                }
            }
        }
    }
}

#[test]
fn quarantine_writes_nothing_and_passes_reachability_on() {
    let a = operation(1, 0, 10, "note.record", put("party/name", "a"), &[]);
    let b = operation(2, 0, 20, "note.record", put("party/name", "b"), &[a.id()]);
    let c = operation(1, 1, 30, "note.record", put("party/name", "c"), &[b.id()]);
    let set_aside = quarantine(0, b.id(), Standing::Quarantined, &[]);
    // c supersedes only b; with b set aside, a must not come back.
    assert_eq!(texts(&state(&[&a, &b, &c, &set_aside]), "party/name"), ["c"]);
    // Without c the quarantined b kills nothing: a stands again.
    assert_eq!(texts(&state(&[&a, &b, &set_aside]), "party/name"), ["a"]);
    let released = quarantine(1, b.id(), Standing::Released, &[set_aside.id()]);
    assert_eq!(texts(&state(&[&a, &b, &set_aside, &released]), "party/name"), ["b"]);
    // A release that does not know of the quarantine is concurrent: quarantine wins.
    let blind = quarantine(2, b.id(), Standing::Released, &[]);
    assert_eq!(texts(&state(&[&a, &b, &set_aside, &blind]), "party/name"), ["a"]);
    // Nobody but the ingest device sets aside, and a disposition is never set aside itself.
    let forged = fold(Scope::Case(CASE), [], [&a, &b, &set_aside]);
    assert_eq!(texts(&forged, "party/name"), ["b"]);
    let against = quarantine(3, set_aside.id(), Standing::Quarantined, &[]);
    assert!(
        state(&[&a, &b, &set_aside, &against])
            .quarantine()
            .contains_key(&b.id())
    );
    assert!(
        !state(&[&a, &b, &set_aside, &against])
            .quarantine()
            .contains_key(&set_aside.id())
    );
}

#[test]
fn a_pairwise_later_wins_would_depend_on_the_order() {
    // a (clock 30) is superseded by b (clock 10). Pairwise: b beats a by causality, c (20) beats b by clock, a beats c by clock.
    let a = operation(1, 0, 30, "note.record", put("inspection/remark", "a"), &[]);
    let b = operation(2, 0, 10, "note.record", put("inspection/remark", "b"), &[a.id()]);
    let c = operation(3, 0, 20, "note.record", put("inspection/remark", "c"), &[]);
    for order in [
        [&a, &b, &c],
        [&b, &c, &a],
        [&c, &a, &b],
        [&c, &b, &a],
        [&a, &c, &b],
        [&b, &a, &c],
    ] {
        assert_eq!(texts(&state(&order), "inspection/remark"), ["c"]);
    }
}

#[test]
fn each_class_keeps_what_it_must() {
    let write = |device: u8, path: &str, value: &str, after: &[OpId]| {
        operation(
            device,
            u64::from(device),
            u64::from(device),
            "note.record",
            put(path, value),
            after,
        )
    };
    // Legal: equal bytes are no conflict, different ones are kept both and settled by superseding both.
    let (a, b) = (
        write(1, "finding/a/grade", "major", &[]),
        write(2, "finding/a/grade", "major", &[]),
    );
    let equal = state(&[&a, &b]);
    assert!(matches!(&equal.get("finding/a/grade").unwrap().outcome, Outcome::Single(held) if held.by.len() == 2));
    let c = write(3, "finding/a/grade", "general", &[]);
    let clash = state(&[&a, &b, &c]);
    assert!(matches!(&clash.get("finding/a/grade").unwrap().outcome, Outcome::Conflict(held) if held.len() == 2));
    assert_eq!((clash.conflicts().count(), clash.text("finding/a/grade")), (1, None));
    let settled = write(4, "finding/a/grade", "larger", clash.heads("finding/a/grade"));
    assert_eq!(
        state(&[&a, &b, &c, &settled]).text("finding/a/grade").as_deref(),
        Some("larger")
    );
    // Sealed: no later write settles it.
    let (e, f) = (
        write(1, "evidence/e/title", "x", &[]),
        write(2, "evidence/e/title", "y", &[]),
    );
    let g = write(3, "evidence/e/title", "x", &[e.id(), f.id()]);
    let sealed = state(&[&e, &f, &g]);
    assert!(matches!(
        sealed.get("evidence/e/title").unwrap().outcome,
        Outcome::Contradiction(_)
    ));
    assert_eq!(sealed.contradictions().count(), 1);
    // Set: an array writes each of its items.
    let array = |values: &[&str]| {
        vec![(
            "inspection/attendee".to_owned(),
            Value::Array(values.iter().map(|v| Value::text(*v)).collect()),
        )]
    };
    let h = operation(1, 9, 1, "note.record", array(&["甲", "乙"]), &[]);
    let i = operation(2, 9, 1, "note.record", array(&["乙", "丙"]), &[h.id()]);
    assert_eq!(texts(&state(&[&h, &i]), "inspection/attendee").len(), 3);
    // Append: causal order first, whatever the clocks say.
    let first = operation(2, 10, 900, "note.record", put("statement/s/line", "问"), &[]);
    let second = operation(1, 10, 1, "note.record", put("statement/s/line", "答"), &[first.id()]);
    assert_eq!(texts(&state(&[&second, &first]), "statement/s/line"), ["问", "答"]);
}

#[test]
fn what_is_unknown_withheld_or_elsewhere() {
    let a = operation(1, 0, 1, "note.record", put("party/name", "a"), &[]);
    let b = operation(2, 0, 2, "note.record", put("party/name", "b"), &[a.id()]);
    assert!(state(&[&b]).is_provisional() && state(&[&b]).get("party/name").unwrap().provisional);
    assert!(!state(&[&a, &b]).is_provisional());
    assert_ne!(state(&[&b]).is_provisional(), state(&[&a, &b]).is_provisional());
    // Withheld: unequal to every other, also to the same value; and the same operation shown later says what it says.
    let c = operation(3, 0, 3, "note.record", put("party/name", "b"), &[a.id()]);
    let hidden = c.with_body(Some(c.body().unwrap().withhold(&["party/name"]))).unwrap();
    assert_eq!(state(&[&a, &b, &hidden]).get("party/name").unwrap().held().len(), 2);
    assert_eq!(state(&[&a, &b, &hidden, &c]).hash(), state(&[&a, &b, &c]).hash());
    assert_eq!(state(&[&c, &a, &hidden, &b]).text("party/name").as_deref(), Some("b"));
    let bare = c.with_body(None).unwrap();
    assert!(state(&[&a, &b, &bare]).bodyless().contains(&c.id()));
    // Another scope: known, without effect.
    let elsewhere = fold(Scope::Registry, [], [&a, &b]);
    assert_eq!((elsewhere.paths().count(), elsewhere.is_provisional()), (0, false));
    assert_eq!(
        fold(Scope::Inspection(CASE, INSPECTION), [], [&a, &b])
            .text("party/name")
            .as_deref(),
        Some("b")
    );
    assert_eq!(
        fold(Scope::Inspection(CASE, InspectionId::from_bytes([9; 16])), [], [&a, &b]).text("party/name"),
        None
    );
}

#[test]
fn the_state_hash_is_the_page_s() {
    let a = operation(1, 0, 1, "note.record", put("party/name", "甲"), &[]);
    let value = cbor::encode(&Value::text("甲"));
    let expected = fieldseal_proof::hash::h(
        "fieldseal/v0/state",
        &[b"party/name", b"legal", &1u64.to_be_bytes(), &value],
    );
    assert_eq!(state(&[&a]).hash(), expected);
}

#[test]
fn nothing_in_the_fold_is_quadratic() {
    let mut all: Vec<Operation> = Vec::new();
    for n in 0..10_000u64 {
        let path = format!("party/field{}", n % 10);
        let after: Vec<OpId> = n.checked_sub(10).map(|at| all[at as usize].id()).into_iter().collect();
        let mut fields = put(&path, &format!("value {n}"));
        fields.extend(put(&format!("note/{n}/text"), "x"));
        all.push(operation((n % 3) as u8 + 1, n, n, "note.record", fields, &after));
    }
    let start = Instant::now();
    let state = fold(Scope::Case(CASE), [INGEST], &all);
    let hash = state.hash();
    let took = start.elapsed();
    eprintln!(
        "fold and hash of 10,000 operations: {took:?} ({} paths, {hash:02x?})",
        state.paths().count()
    );
    assert_eq!(state.text("party/field3").as_deref(), Some("value 9993"));

    // One long chain on one path, and one flat crowd: either would take hours if it were quadratic.
    let write = |n: u64, after: Option<OpId>| Write {
        id: OpId::from_bytes(std::array::from_fn(|i| n.to_be_bytes()[i % 8])),
        key: MergeKey {
            hlc_ms: n,
            hlc_counter: 0,
            device: DeviceId::from_bytes([1; 16]),
            incarnation: IncarnationId::from_bytes([1; 16]),
            seq: n,
        },
        value: Some(cbor::encode(&Value::Uint(n))),
        supersedes: after.into_iter().collect::<Arc<[OpId]>>(),
        quarantined: false,
    };
    let mut chain: Vec<Write> = Vec::new();
    for n in 0..100_000 {
        let before = chain.last().map(|w| w.id);
        chain.push(write(n, before));
    }
    let flat: Vec<Write> = (0..100_000).map(|n| write(n, None)).collect();
    assert_eq!(resolve_path(FieldClass::Append, &chain, |_| true).held().len(), 100_000);
    assert_eq!(resolve_path(FieldClass::Last, &chain, |_| true).heads.len(), 1);
    assert_eq!(resolve_path(FieldClass::Legal, &flat, |_| true).held().len(), 100_000);
}
