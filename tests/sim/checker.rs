//! What must hold once everything is at rest. All of it is read again from the disks, by processes that were just started.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use fieldseal_core::merge::{Outcome, Scope, State, fold};
use fieldseal_proof::cbor::{self, Value};
use fieldseal_proof::hash::sha256;
use fieldseal_proof::ids::{CaseId, OpId};
use fieldseal_proof::merkle::{CompactRange, leaf_hash};
use fieldseal_proof::operation::Operation;
use fieldseal_sync_server::ledger::{FeedScope, FieldRow, OperationRow, WriteRow, space};
use fieldseal_sync_server::projection::SetAside;

use crate::birth::{SERVER, TENANT};
use crate::faults::Fault;
use crate::network::Call;
use crate::tablet::Tablet;
use crate::world::World;

/// Reasons that must pass by themselves once everybody was heard.
const HEAL: [&str; 6] = [
    "gap",
    "fork",
    "missing_dependency",
    "bad_body",
    "unknown_kind",
    "unknown_pack",
];

/// What the server's stores hold.
struct Server {
    /// Cases that something in force opened.
    opened: BTreeSet<CaseId>,
    rows: Vec<OperationRow>,
    operations: Vec<Operation>,
    leaves: Vec<[u8; 32]>,
    quarantine: BTreeMap<OpId, SetAside>,
    orphans: u64,
}

/// Panics with what does not hold.
pub fn check(world: &mut World) {
    world.host.kill();
    world.host.settle();
    for tablet in &mut world.tablets {
        tablet.kill();
    }
    let server = Server::read(world);
    nothing_lost(world, &server);
    every_operation_once(&server);
    let states = equal_states(world, &server);
    views_are_the_fold(world, &server, &states);
    one_log(world, &server);
    files_are_whole(world);
    little_was_sent_twice(world);
    count_meetings(world, &server, &states);
}

impl Server {
    fn read(world: &World) -> Self {
        let (rows, leaves, registers, orphans) = world.host.read(async |store| {
            (
                store
                    .operations(FeedScope::All, 0, u64::MAX >> 1, usize::MAX)
                    .await
                    .expect("operations"),
                store.leaves(0, u64::MAX >> 1).await.expect("leaves"),
                store
                    .registers(space::QUARANTINE, Vec::new(), usize::MAX >> 1)
                    .await
                    .expect("registers"),
                store.orphans().await.expect("orphans"),
            )
        });
        let operations = rows
            .iter()
            .map(|row| Operation::parse(&row.frame).expect("a stored frame parses"));
        let operations: Vec<Operation> = operations.collect();
        let quarantine = registers.iter().map(|register| {
            let id = OpId::from_bytes(register.key.as_slice().try_into().expect("an id"));
            (
                id,
                serde_json::from_slice::<SetAside>(&register.value).expect("a register"),
            )
        });
        let quarantine: BTreeMap<OpId, SetAside> = quarantine.filter(|(_, aside)| aside.stands()).collect();
        let opens = |operation: &&Operation| {
            matches!(
                operation.header().kind.as_str(),
                "inspection.assign" | "inspection.begin"
            ) && !quarantine.contains_key(&operation.id())
        };
        Self {
            opened: operations
                .iter()
                .filter(opens)
                .filter_map(|o| o.header().case)
                .collect(),
            operations,
            quarantine,
            rows,
            leaves,
            orphans,
        }
    }

    fn of(&self, case: Option<CaseId>) -> impl Iterator<Item = &Operation> {
        self.operations
            .iter()
            .filter(move |operation| operation.header().case == case)
    }
}

/// No acknowledged operation is lost, and nothing waits any more.
fn nothing_lost(world: &World, server: &Server) {
    let held: BTreeSet<OpId> = server.rows.iter().map(|row| row.id).collect();
    for tablet in &world.tablets {
        let own = tablet.own();
        let lost = tablet.owed.iter().filter(|id| !held.contains(id)).count();
        assert!(
            lost == 0,
            "{lost} acknowledged operations of tablet {} are not on the server",
            tablet.number
        );
        let gone = tablet.owed.iter().filter(|id| !own.contains(id)).count();
        assert!(
            gone == 0 || tablet.revoked,
            "{gone} acknowledged operations of tablet {} did not come back to it",
            tablet.number
        );
        let pending = tablet.device().store().pending().expect("the store can be read");
        assert!(
            pending.waiting + pending.received + pending.blobs == 0,
            "tablet {} still waits: {pending:?}",
            tablet.number
        );
    }
}

/// The server holds each operation once, at its own leaf, and no leaf without one.
fn every_operation_once(server: &Server) {
    let ids: BTreeSet<OpId> = server.rows.iter().map(|row| row.id).collect();
    assert!(ids.len() == server.rows.len(), "the server holds an operation twice");
    let leaves: BTreeSet<u64> = server.rows.iter().map(|row| row.leaf).collect();
    assert!(leaves.len() == server.rows.len(), "two operations have one leaf");
    for (row, operation) in server.rows.iter().zip(&server.operations) {
        let leaf = usize::try_from(row.leaf).expect("a leaf");
        assert!(
            server.leaves.get(leaf) == Some(operation.commitment().as_bytes()),
            "leaf {leaf} is not that of its operation"
        );
    }
    assert!(server.orphans == 0, "{} leaves have no operation", server.orphans);
    // Whose opening went down with a disk, or is set aside itself, has nothing to wait for.
    let opened: BTreeSet<String> = server.opened.iter().map(CaseId::to_string).collect();
    let lacks = |aside: &SetAside| {
        aside.reason == "missing_dependency" && aside.case.as_ref().is_none_or(|case| !opened.contains(case))
    };
    let stuck = server
        .quarantine
        .values()
        .find(|aside| HEAL.contains(&aside.reason.as_str()) && !lacks(aside));
    assert!(stuck.is_none(), "set aside for ever: {stuck:?}");
}

fn scope(case: Option<CaseId>) -> Scope {
    case.map_or(Scope::Registry, Scope::Case)
}

/// Equal sets of operations give equal states, and at rest the sets are equal.
fn equal_states(world: &World, server: &Server) -> BTreeMap<Option<CaseId>, State> {
    let cases: BTreeSet<Option<CaseId>> = server.operations.iter().map(|o| o.header().case).collect();
    let mut states = BTreeMap::new();
    for case in cases {
        let of_server: BTreeSet<OpId> = server.of(case).map(Operation::id).collect();
        let state = fold(scope(case), [SERVER], server.of(case));
        for tablet in world.tablets.iter().filter(|tablet| !tablet.revoked) {
            // A tablet reads the cases that name it, and nothing in force names anybody in this one.
            if tablet.number > 0 && case.is_some_and(|case| !server.opened.contains(&case)) {
                continue;
            }
            let device = tablet.device();
            let rows = device.store().operations(case).expect("the store can be read");
            let here: BTreeSet<OpId> = rows.iter().map(|row| row.operation.id()).collect();
            assert!(
                here == of_server,
                "tablet {} and server hold other operations of {case:?}: {} only here, {} only there",
                tablet.number,
                here.difference(&of_server).count(),
                of_server.difference(&here).count()
            );
            let own = device.store().state(scope(case)).expect("the store can be read");
            assert!(
                own.hash() == state.hash(),
                "tablet {} has another state of {case:?}",
                tablet.number
            );
            heads_are_the_fold(tablet, case, &state);
        }
        states.insert(case, state);
    }
    states
}

/// The view that a tablet keeps names the heads of the fold.
fn heads_are_the_fold(tablet: &Tablet, case: Option<CaseId>, state: &State) {
    let mut kept: BTreeMap<String, BTreeSet<OpId>> = BTreeMap::new();
    for write in tablet
        .device()
        .store()
        .heads_under(case, "")
        .expect("the store can be read")
    {
        kept.entry(write.path).or_default().insert(write.id);
    }
    for (path, resolved) in state.paths() {
        let heads: BTreeSet<OpId> = resolved.heads.iter().copied().collect();
        let held = kept.get(path).cloned().unwrap_or_default();
        assert!(
            held == heads,
            "tablet {} keeps other heads of {path} in {case:?}",
            tablet.number
        );
    }
}

/// The server's stored views are the fold of its operations, and its quarantine is what the log says: so each operation is in exactly
/// one of them.
fn views_are_the_fold(world: &World, server: &Server, states: &BTreeMap<Option<CaseId>, State>) {
    let said: BTreeSet<OpId> = states
        .values()
        .flat_map(|state| state.quarantine().keys().copied())
        .collect();
    let kept: BTreeSet<OpId> = server.quarantine.keys().copied().collect();
    assert!(
        said == kept,
        "the log sets aside {} that the server does not, the server {} that the log does not",
        said.difference(&kept).count(),
        kept.difference(&said).count()
    );
    for (case, state) in states {
        let key = case.map_or(*TENANT.as_bytes(), |case| *case.as_bytes());
        let (fields, writes) = world.host.read(async |store| {
            let fields = store.fields(key, String::new()).await.expect("fields");
            let paths = state.paths().map(|(path, _)| path.to_owned()).collect();
            (fields, store.writes(key, paths).await.expect("writes"))
        });
        let stored: HashMap<&str, &FieldRow> = fields.iter().map(|row| (row.path.as_str(), row)).collect();
        for (path, resolved) in state.paths() {
            let held: Vec<(Vec<u8>, Vec<OpId>)> = resolved
                .held()
                .iter()
                .map(|held| (held.value.clone().unwrap_or_default(), held.by.clone()))
                .collect();
            match stored.get(path) {
                Some(row) => {
                    assert!(
                        row.outcome == word(&resolved.outcome),
                        "the server's view of {path} in {case:?} is {}",
                        row.outcome
                    );
                    assert!(
                        held_in(row) == held,
                        "the server's view of {path} in {case:?} holds something else"
                    );
                    let both = held.iter().flat_map(|(_, by)| by).find(|id| kept.contains(id));
                    assert!(both.is_none(), "{both:?} is in the view and in quarantine");
                }
                None => assert!(held.is_empty(), "the server has no view of {path} in {case:?}"),
            }
        }
        let written: BTreeSet<OpId> = writes.iter().map(|row: &WriteRow| row.op).collect();
        for operation in server.of(*case) {
            let merged = operation
                .body()
                .is_some_and(|body| body.fields().iter().any(|field| state.get(&field.path).is_some()));
            let id = operation.id();
            assert!(
                !merged || written.contains(&id) || kept.contains(&id),
                "{id} is in neither view nor quarantine"
            );
        }
    }
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Absent => "absent",
        Outcome::Single(_) => "single",
        Outcome::Set(_) => "set",
        Outcome::List(_) => "list",
        Outcome::Conflict(_) => "conflict",
        Outcome::Contradiction(_) => "contradiction",
    }
}

fn held_in(row: &FieldRow) -> Vec<(Vec<u8>, Vec<OpId>)> {
    let Ok(Value::Array(held)) = cbor::decode(&row.held) else {
        return Vec::new();
    };
    let one = |value: &Value| {
        let [Value::Bytes(bytes), Value::Array(ids)] = value.as_array()? else {
            return None;
        };
        let ids = ids
            .iter()
            .filter_map(|id| id.as_bytes()?.try_into().ok().map(OpId::from_bytes));
        Some((bytes.clone(), ids.collect()))
    };
    held.iter().filter_map(one).collect()
}

/// Whatever checkpoint was ever published or is held by anybody, the log still begins so; and each tablet's leaf is its operation's.
fn one_log(world: &World, server: &Server) {
    let mut roots = vec![CompactRange::default().root()];
    let mut range = CompactRange::default();
    for leaf in &server.leaves {
        range.push(leaf_hash(leaf), |_, _, _| {});
        roots.push(range.root());
    }
    let root = |size: u64| usize::try_from(size).ok().and_then(|size| roots.get(size)).copied();
    for (size, published) in &world.host.published {
        assert!(
            root(*size) == Some(*published),
            "the log contradicts what was published for {size} leaves"
        );
    }
    let last = world.host.published.keys().next_back().copied().unwrap_or(0);
    assert!(
        last == server.leaves.len() as u64,
        "{last} of {} leaves are published",
        server.leaves.len()
    );
    let at: BTreeMap<u64, OpId> = server.rows.iter().map(|row| (row.leaf, row.id)).collect();
    for tablet in &world.tablets {
        let device = tablet.device();
        if let Some(held) = device.store().newest_checkpoint().expect("the store can be read") {
            assert!(
                root(held.size) == Some(held.root),
                "tablet {} holds another log of size {}",
                tablet.number,
                held.size
            );
        }
        let cases: BTreeSet<Option<CaseId>> = server.operations.iter().map(|o| o.header().case).collect();
        for case in cases {
            for row in device.store().operations(case).expect("the store can be read") {
                let Some(leaf) = row.leaf else { continue };
                assert!(
                    at.get(&leaf) == Some(&row.operation.id()),
                    "tablet {} was told leaf {leaf} of another operation",
                    tablet.number
                );
            }
        }
    }
}

/// Every file that is owed can be had from the server, and is what was sealed.
fn files_are_whole(world: &mut World) {
    let token = world.tablets[0].device().token().expect("the laptop is enrolled");
    let owed: BTreeSet<_> = world
        .tablets
        .iter()
        .flat_map(|tablet| {
            tablet
                .blobs
                .iter()
                .filter(|(by, _)| tablet.owed.contains(by))
                .map(|(_, blob)| *blob)
        })
        .collect();
    for (hash, size) in owed {
        let call = Call::get(&format!("/v1/blobs/{hash}"), &token);
        let answer = world.host.ask(&call, None, None).expect("nobody kills the server here");
        assert!(answer.status == 200, "file {hash} is lost: {}", answer.status);
        assert!(
            answer.body.len() as u64 == size && sha256(&answer.body) == *hash.as_bytes(),
            "file {hash} is not what was sealed"
        );
    }
}

/// A cut costs nothing but what was still on its way: bytes that arrived are not sent again.
fn little_was_sent_twice(world: &World) {
    let sizes: BTreeMap<_, u64> = world
        .tablets
        .iter()
        .flat_map(|tablet| tablet.blobs.values().copied())
        .collect();
    for (hash, delivered) in &world.delivered {
        let (size, vain) = (
            sizes.get(hash).copied().unwrap_or(0),
            world.in_vain.get(hash).copied().unwrap_or(0),
        );
        assert!(
            *delivered <= size + vain,
            "{delivered} bytes of file {hash} were sent, which has {size}, and {vain} may have been sent in vain"
        );
    }
}

/// Counts what two people did to each other, as it shows in the end.
fn count_meetings(world: &mut World, server: &Server, states: &BTreeMap<Option<CaseId>, State>) {
    let device: BTreeMap<OpId, _> = server.operations.iter().map(|o| (o.id(), o.header().device)).collect();
    let mut seen = Vec::new();
    for state in states.values() {
        for (_, resolved) in state.paths() {
            match &resolved.outcome {
                Outcome::Conflict(_) => seen.push(Fault::SameFieldOtherValue),
                Outcome::Single(held) => {
                    let devices: BTreeSet<_> = held.by.iter().filter_map(|id| device.get(id)).collect();
                    if devices.len() > 1 {
                        seen.push(Fault::SameFieldSameValue);
                    }
                }
                _ => {}
            }
        }
    }
    for operation in server.operations.iter().filter(|o| o.header().kind == "disposition") {
        let reason = operation.body().and_then(|body| body.get("disposition/reason"));
        match reason.as_ref().and_then(Value::as_text) {
            Some("closed") => seen.push(Fault::CloseVersusEdit),
            Some("missing_dependency") => seen.push(Fault::OutOfOrder),
            _ => {}
        }
    }
    for fault in seen {
        world.faults.hit(fault);
    }
    let mut hashes: Vec<String> = states.values().map(|state| hex::encode(state.hash())).collect();
    hashes.sort();
    world.note(&format!("{} leaves, states {}", server.leaves.len(), hashes.join(" ")));
}
