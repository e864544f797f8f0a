//! The one suite that every implementation of the two contracts passes; `tests/server/stores.rs` runs it against each.
//!
//! It panics with what does not hold: it is for tests, and lives here so that an implementation in another crate can run it.

use std::sync::Arc;

use fieldseal_proof::ids::{CaseId, Commitment, DeviceId, IncarnationId, Link, OpId};

use super::blob::BlobError;
use super::{
    BlobStore, Chain, ChainKey, Commit, FeedScope, FieldRow, LedgerError, LedgerStore, LineKind, LineOrder, LineQuery,
    LineRow, NewBatch, NewOperation, Run, RunState, SearchWords, Swap, space, tag,
};

/// Runs the whole suite against an empty ledger.
///
/// # Panics
/// When the ledger breaks its contract.
pub async fn ledger(store: Arc<dyn LedgerStore>) {
    registers_swap_only_from_what_was_read(&*store).await;
    a_commit_is_whole_or_nothing(&*store).await;
    leaves_have_one_order_under_concurrency(store.clone()).await;
    pages_hold_whole_batches(&*store).await;
    keys_are_found_by_their_beginning(&*store).await;
    lines_are_found_as_they_are_written(&*store).await;
}

/// Runs the whole suite against an empty blob store.
///
/// # Panics
/// When the blob store breaks its contract.
pub async fn blobs(store: Arc<dyn BlobStore>) {
    store
        .append("a1", 0, b"hello".to_vec())
        .await
        .expect("a staged object can be begun");
    assert_eq!(
        store.append("a1", 9, vec![1]).await,
        Err(BlobError::WrongOffset { at: 9, end: 5 })
    );
    store
        .append("a1", 3, b"p!".to_vec())
        .await
        .expect("what lies beyond the offset is written over");
    assert_eq!(store.read_staged("a1", 0, 99).await, Ok(b"help!".to_vec()));
    assert_eq!(
        store.size("a1").await,
        Err(BlobError::Missing),
        "a staged object is not an object"
    );
    store.publish("a1").await.expect("published");
    assert_eq!(store.staged("a1").await, Ok(0));
    assert_eq!(store.read("a1", 1, 3).await, Ok(b"elp".to_vec()));
    assert_eq!(store.read("a1", 4, 10).await, Ok(b"!".to_vec()));
    store
        .append("a1", 0, b"other".to_vec())
        .await
        .expect("staged under the same name");
    assert_eq!(
        store.publish("a1").await,
        Err(BlobError::Exists),
        "an object is never replaced"
    );
    assert_eq!(store.read("a1", 0, 99).await, Ok(b"help!".to_vec()));
    store.discard("a1").await.expect("discarded");
    store.discard("a1").await.expect("discarding again is no error");
    assert_eq!(store.names().await, Ok(vec!["a1".to_owned()]));
    assert_eq!(store.staged_names().await, Ok(Vec::new()));
    for name in ["", "../x", "A", "a/b", &"a".repeat(65)] {
        assert!(store.append(name, 0, Vec::new()).await.is_err(), "{name:?} is no name");
    }
}

fn conflict<T>(answer: Result<T, LedgerError>) -> bool {
    matches!(answer, Err(LedgerError::Conflict(_)))
}

fn swaps(registers: Vec<Swap>) -> Commit {
    Commit::of(registers)
}

async fn registers_swap_only_from_what_was_read(store: &dyn LedgerStore) {
    let create = || swaps(vec![Swap::create(space::META, *b"k", *b"1")]);
    store.commit(create()).await.expect("created");
    assert!(conflict(store.commit(create()).await), "it exists");
    let held = store
        .register(space::META, b"k".to_vec())
        .await
        .expect("read")
        .expect("held");
    store
        .commit(swaps(vec![Swap::update(space::META, *b"k", held.version, *b"2")]))
        .await
        .expect("updated");
    assert!(
        conflict(
            store
                .commit(swaps(vec![Swap::update(space::META, *b"k", held.version, *b"3")]))
                .await
        ),
        "stale"
    );
    let two = vec![
        Swap::set(space::META, *b"other", *b"x"),
        Swap::create(space::META, *b"k", *b"y"),
    ];
    assert!(conflict(store.commit(swaps(two)).await));
    assert_eq!(
        store.register(space::META, b"other".to_vec()).await,
        Ok(None),
        "nothing of a conflicting commit stays"
    );
}

fn key(n: u8) -> ChainKey {
    ChainKey {
        device: DeviceId::from_bytes([n; 16]),
        incarnation: IncarnationId::from_bytes([n; 16]),
    }
}

/// `count` operations of device `n` from `seq` on; commitments are unique by device and seq.
fn batch(n: u8, version: u64, seq: u64, count: u64, case: Option<CaseId>) -> NewBatch {
    let hash = |kind: u8, seq: u64| {
        let mut bytes = [n; 32];
        bytes[1] = kind;
        bytes[24..].copy_from_slice(&seq.to_be_bytes());
        bytes
    };
    let operations = (seq..seq + count).map(|seq| NewOperation {
        id: OpId::from_bytes(hash(1, seq)),
        commitment: Commitment::from_bytes(hash(2, seq)),
        run: 0,
        seq,
        link: Link::from_bytes(hash(3, seq)),
        kind: "note.record".into(),
        case,
        stream: [n; 16],
        counter: seq,
        audience: None,
        spoiled: false,
        blobs: Vec::new(),
        frame: vec![n; 100],
    });
    let link = Link::from_bytes(hash(3, seq + count - 1));
    let run = Run {
        number: 0,
        state: RunState::Main,
        first_seq: 0,
        before: Link::from_bytes([0; 32]),
        last_seq: seq + count - 1,
        link,
        fork: None,
    };
    NewBatch {
        chain: Chain {
            key: key(n),
            version,
            runs: vec![run],
        },
        operations: operations.collect(),
        streams: Vec::new(),
        moved: Vec::new(),
        received_ms: 1,
    }
}

async fn a_commit_is_whole_or_nothing(store: &dyn LedgerStore) {
    let before = store.size().await.expect("size");
    let with_conflict = Commit {
        batch: Some(batch(1, 0, 0, 3, None)),
        registers: vec![Swap::create(space::META, *b"k", *b"")],
        ..Commit::default()
    };
    assert!(conflict(store.commit(with_conflict).await));
    assert_eq!(store.size().await, Ok(before), "no leaf of a conflicting commit stays");
    assert_eq!(store.chains(key(1).device).await, Ok(Vec::new()));
    let done = store
        .commit(Commit {
            batch: Some(batch(1, 0, 0, 3, None)),
            ..Commit::default()
        })
        .await
        .expect("appended");
    assert_eq!(done.leaves, (before..before + 3).collect::<Vec<_>>());
    assert!(
        conflict(
            store
                .commit(Commit {
                    batch: Some(batch(1, 0, 0, 3, None)),
                    ..Commit::default()
                })
                .await
        ),
        "the chain moved on"
    );
    assert_eq!(
        store
            .stored(key(1), 1, 9)
            .await
            .expect("stored")
            .iter()
            .map(|s| s.seq)
            .collect::<Vec<_>>(),
        [1, 2]
    );
}

async fn keys_are_found_by_their_beginning(store: &dyn LedgerStore) {
    let keys: [&[u8]; 6] = [b"a", b"ab", b"ab\xff", b"ab\xff\xff", b"ac", b"\xff\xff"];
    let registers = keys
        .iter()
        .map(|key| Swap::set(space::CARRIED, *key, Vec::new()))
        .collect();
    store.commit(Commit::of(registers)).await.expect("stored");
    for (prefix, found) in [
        (&b"ab"[..], &keys[1..4]),
        (b"ab\xff", &keys[2..4]),
        (b"ad", &[]),
        (b"a", &keys[..5]),
    ] {
        let under = store
            .registers_under(space::CARRIED, prefix.to_vec())
            .await
            .expect("read");
        assert_eq!(under.iter().map(|r| r.key.as_slice()).collect::<Vec<_>>(), found);
    }
}

async fn leaves_have_one_order_under_concurrency(store: Arc<dyn LedgerStore>) {
    let before = store.size().await.expect("size");
    let tasks: Vec<_> = (10..30u8)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                for round in 0..5 {
                    store
                        .commit(Commit {
                            batch: Some(batch(n, round, round * 4, 4, None)),
                            ..Commit::default()
                        })
                        .await
                        .expect("appended");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a writer finished");
    }
    let after = store.size().await.expect("size");
    assert_eq!(after - before, 20 * 20);
    let rows = store
        .operations(FeedScope::All, 0, u64::MAX >> 1, usize::MAX)
        .await
        .expect("read");
    let rows: Vec<_> = rows.into_iter().filter(|row| row.leaf >= before).collect();
    assert_eq!(
        store.arrived(u64::MAX).await,
        Ok(rows.last().map_or(0, |row| row.arrival + 1))
    );
    assert_eq!(
        rows.iter().map(|row| row.leaf).collect::<Vec<_>>(),
        (before..after).collect::<Vec<_>>()
    );
    let leaves = store.leaves(before, after).await.expect("leaves");
    assert!(
        rows.iter()
            .zip(&leaves)
            .all(|(row, leaf)| row.commitment.as_bytes() == leaf)
    );
}

async fn pages_hold_whole_batches(store: &dyn LedgerStore) {
    let case = CaseId::from_bytes([77; 16]);
    for round in 0..4 {
        store
            .commit(Commit {
                batch: Some(batch(40, round, round * 5, 5, Some(case))),
                ..Commit::default()
            })
            .await
            .expect("appended");
    }
    let mut from = 0;
    let mut pages = Vec::new();
    loop {
        let page = store
            .operations(FeedScope::Cases(vec![case]), from, u64::MAX >> 1, 700)
            .await
            .expect("page");
        let Some(last) = page.last() else { break };
        from = last.arrival + 1;
        pages.push(page.len());
    }
    assert_eq!(
        pages,
        [5, 5, 5, 5],
        "700 bytes hold one batch of five frames of 100 bytes and no second"
    );
    let stranger = FeedScope::Device {
        device: DeviceId::from_bytes([99; 16]),
        cases: Vec::new(),
    };
    let seen = store
        .operations(stranger, 0, u64::MAX >> 1, usize::MAX)
        .await
        .expect("page");
    assert!(seen.iter().all(|row| row.case.is_none()));
}

/// Every way of writing finds; filters and pages agree with the count; what is replaced or removed is found no more.
async fn lines_are_found_as_they_are_written(store: &dyn LedgerStore) {
    let row = |n: u8, texts: &[&str]| LineRow {
        kind: LineKind::Case,
        id: [n; 16],
        scope: [n; 16],
        stage: n % 4,
        due: (n != 3).then_some(20_000 + i32::from(n)),
        day: Some(19_000 + i32::from(n)),
        seen_ms: u64::from(n),
        problems: u64::from(n == 2),
        texts: texts.iter().map(|text| (*text).to_owned()).collect(),
        tags: vec![tag('o', &[n / 2; 16])],
        shown: vec![n],
    };
    let rows = vec![
        row(
            1,
            &["恒泰精细化工有限公司", "91350100M000100Y43", "云应急检记〔2026〕12号"],
        ),
        row(2, &["恒泰木业有限公司", "临江工业园区纬三路18号"]),
        row(3, &["红星五金厂", "临江工业"]),
        LineRow {
            kind: LineKind::Enterprise,
            ..row(1, &["恒泰精细化工有限公司"])
        },
    ];
    store
        .commit(Commit {
            lines: rows,
            ..Commit::default()
        })
        .await
        .expect("lines are kept");
    let found = async |change: &dyn Fn(&mut LineQuery), words: &str| -> (u64, Vec<u8>) {
        let mut query = LineQuery::new(LineKind::Case, SearchWords::parse(words));
        change(&mut query);
        let page = store.lines(query).await.expect("lines are found");
        (page.total, page.lines.iter().map(|line| line.id[0]).collect())
    };
    let all = |_: &mut LineQuery| {};
    for (words, expected) in [
        ("", &[1, 2, 3][..]),
        ("化工", &[1]),
        ("恒泰", &[1, 2]),
        ("工业 临江", &[2, 3]),
        ("恒", &[1, 2]),
        ("厂", &[3]),
        ("ｍ０００100y43", &[1]),
        ("[2026]12 号", &[1]),
        ("【２０２６】12号", &[1]),
        ("工有限公司91", &[]),
        ("泰工", &[]),
        ("\" OR 1", &[]),
    ] {
        assert_eq!(
            found(&all, words).await,
            (expected.len() as u64, expected.to_vec()),
            "{words}"
        );
    }
    assert_eq!(found(&|q| q.stage = Some(2), "恒泰").await.1, [2]);
    assert_eq!(found(&|q| q.due_by = Some(20_001), "").await.1, [1]);
    assert_eq!(
        found(&|q| (q.from, q.to) = (Some(19_002), Some(19_003)), "").await.1,
        [2, 3]
    );
    assert_eq!(found(&|q| q.problems_only = true, "").await.1, [2]);
    assert_eq!(found(&|q| q.tags = vec![tag('o', &[1; 16])], "").await.1, [2, 3]);
    assert_eq!(found(&|q| q.order = LineOrder::Seen, "").await.1, [3, 2, 1]);
    assert_eq!(found(&|q| q.order = LineOrder::Oldest, "").await.1, [1, 2, 3]);
    assert_eq!(found(&|q| (q.skip, q.limit) = (1, 1), "").await, (3, vec![2]));
    let counts = store.line_counts(LineKind::Case, 20_002).await.expect("counted");
    assert_eq!(
        (counts.overdue, counts.dues, counts.stages.len()),
        (1, vec![(20_002, 1)], 3)
    );
    let field = |scope: u8, path: &str, outcome: &str| FieldRow {
        scope: [scope; 16],
        path: path.into(),
        class: "legal".into(),
        outcome: outcome.into(),
        provisional: false,
        held: vec![0x80],
    };
    let fields = vec![
        field(1, "a", "single"),
        field(1, "b", "conflict"),
        field(2, "c", "contradiction"),
        field(3, "d", "conflict"),
        field(99, "e", "conflict"),
    ];
    store
        .commit(Commit {
            fields,
            ..Commit::default()
        })
        .await
        .expect("fields are kept");
    let undecided = async |skip, limit| -> (u64, Vec<String>) {
        let (total, page) = store.undecided(skip, limit).await.expect("what waits is found");
        (total, page.into_iter().map(|field| field.path).collect())
    };
    // The contradiction first, then by due date; 3 has none; 99 is no case.
    assert_eq!(undecided(0, 9).await, (3, vec!["c".into(), "b".into(), "d".into()]));
    assert_eq!(undecided(1, 1).await, (3, vec!["b".into()]));
    let changed = vec![row(1, &["改名"]), row(2, &[])];
    store
        .commit(Commit {
            lines: changed,
            ..Commit::default()
        })
        .await
        .expect("lines are replaced");
    assert_eq!(found(&all, "恒泰").await.0, 0);
    assert_eq!(found(&all, "改名").await.1, [1]);
    assert_eq!(found(&all, "").await.1, [1, 3]);
    store
        .commit(Commit {
            drop_views: true,
            ..Commit::default()
        })
        .await
        .expect("dropped");
    assert_eq!(found(&all, "").await.0, 0);
}
