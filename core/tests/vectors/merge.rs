//! States of a case: `merge.md`.

use fieldseal_core::merge::{Outcome, Scope, fold};
use fieldseal_proof::body::Body;
use fieldseal_proof::cbor::Value as Item;
use fieldseal_proof::ids::*;
use fieldseal_proof::operation::{ClockClaim, Header, Operation};
use fieldseal_proof::suite::{Ed25519Signer, Suite};
use serde_json::{Value, json};

use crate::{Vector, hex, object};

const CASE: CaseId = CaseId::from_bytes([7; 16]);
const INGEST: u8 = 99;

/// An operation of a device whose every id is one byte repeated.
fn operation(device: u8, seq: u64, hlc_ms: u64, fields: Vec<(&str, Item)>, supersedes: &[&Operation]) -> Operation {
    let mut supersedes: Vec<OpId> = supersedes.iter().map(|o| o.id()).collect();
    supersedes.sort_unstable();
    let header = Header {
        suite: Suite::Ed25519,
        tenant: TenantId::from_bytes([1; 16]),
        device: DeviceId::from_bytes([device; 16]),
        incarnation: IncarnationId::from_bytes([device; 16]),
        seq,
        prev: Link::from_bytes([0; 32]),
        kind: match fields[0].0 {
            _ if device == INGEST => "disposition",
            path if path.starts_with("disposal/") => "disposal",
            _ => "field.decide",
        }
        .to_owned(),
        schema: 0,
        case: Some(CASE),
        inspection: None,
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
        app: "vectors".to_owned(),
        body_root: BodyRoot::from_bytes([0; 32]),
        signers: Vec::new(),
        unknown: Vec::new(),
    };
    let fields = fields
        .into_iter()
        .map(|(path, value)| (path.to_owned(), value))
        .collect();
    let body = Body::build([device; 32], fields).unwrap();
    Operation::seal(header, body, &Ed25519Signer::from_seed(&[device; 32]).unwrap()).unwrap()
}

fn says(state: &str, target: &Operation) -> Vec<(&'static str, Item)> {
    vec![
        ("disposition/reason", Item::text("closed")),
        ("disposition/state", Item::text(state)),
        ("disposition/target", Item::bytes(target.id().as_bytes())),
    ]
}

/// What takes a path of an operation away; without a basis it takes nothing.
fn disposes(target: &Operation, path: &str, basis: Option<&str>) -> Vec<(&'static str, Item)> {
    let mut said = vec![
        ("disposal/paths", Item::Array(vec![Item::text(path)])),
        ("disposal/retention", Item::text("2026-05-31")),
        ("disposal/target", Item::bytes(target.id().as_bytes())),
    ];
    said.extend(basis.map(|basis| ("disposal/basis", Item::text(basis))));
    said
}

fn vector(name: &'static str, what: &'static str, operations: &[&Operation]) -> Vector {
    let frames: Vec<String> = operations.iter().map(|o| to_hex(&o.frame())).collect();
    let ingest = DeviceId::from_bytes([INGEST; 16]).to_string();
    let input = object([
        ("case", json!(CASE.to_string())),
        ("ingest", json!([ingest])),
        ("operations", json!(frames)),
    ]);
    Vector {
        kind: "merge-state",
        name,
        page: "merge.md",
        what,
        input,
        reason: None,
    }
}

pub fn vectors() -> Vec<Vector> {
    let text = |s: &str| Item::text(s);
    let list = |items: &[&str]| Item::Array(items.iter().map(|s| Item::text(*s)).collect());
    let remark = "inspection/remark";
    let (grade, line, photos) = ("finding/a/grade", "statement/s/line", "finding/a/evidence");
    let early = operation(1, 0, 100, vec![(remark, text("early"))], &[]);
    let late = operation(2, 0, 200, vec![(remark, text("late"))], &[]);
    let corrected = operation(1, 1, 50, vec![(remark, text("corrected by a slow clock"))], &[&late]);
    let minor = operation(1, 0, 100, vec![(grade, text("minor"))], &[]);
    let major = operation(2, 0, 200, vec![(grade, text("major"))], &[]);
    let again = operation(3, 0, 300, vec![(grade, text("major"))], &[]);
    let decided = operation(4, 0, 400, vec![(grade, text("major"))], &[&minor, &major]);
    let one = operation(1, 0, 100, vec![(photos, list(&["p1", "p2"]))], &[]);
    let two = operation(
        2,
        0,
        200,
        vec![(photos, text("p2")), ("inspection/officer", text("o1"))],
        &[],
    );
    let first = operation(1, 0, 300, vec![(line, text("question"))], &[]);
    let answer = operation(2, 0, 100, vec![(line, text("answer"))], &[&first]);
    let aside = operation(3, 0, 200, vec![(line, text("remark by a third"))], &[]);
    let sealed = operation(1, 0, 100, vec![("evidence/e/size", Item::Uint(10))], &[]);
    let resealed = operation(1, 1, 200, vec![("evidence/e/size", Item::Uint(11))], &[&sealed]);
    let set_aside = operation(INGEST, 0, 500, says("quarantined", &major), &[]);
    let released = operation(INGEST, 1, 600, says("released", &major), &[&set_aside]);
    let by_other = operation(5, 0, 700, says("quarantined", &major), &[]);
    let stepping = operation(2, 1, 250, vec![(grade, text("fatal"))], &[&minor]);
    let after = operation(3, 1, 350, vec![(grade, text("general"))], &[&stepping]);
    let aside_stepping = operation(INGEST, 0, 500, says("quarantined", &stepping), &[]);
    let disposed = operation(6, 0, 800, disposes(&major, grade, Some("archives.27")), &[]);
    let disposed_whole = operation(6, 0, 800, disposes(&late, "", Some("archives.27")), &[]);
    let without_basis = operation(6, 0, 800, disposes(&major, grade, None), &[]);
    let undone = operation(INGEST, 0, 900, says("quarantined", &disposed), &[]);
    let of_a_fact = operation(6, 0, 800, disposes(&set_aside, "", Some("archives.27")), &[]);
    let withheld = major.with_body(major.body().map(|b| b.withhold(&[grade]))).unwrap();
    vec![
        vector(
            "last-writer",
            "Of two concurrent remarks the one with the greater clock holds.",
            &[&early, &late],
        ),
        vector(
            "supersession-before-clock",
            "What supersedes holds, though its clock is behind.",
            &[&early, &late, &corrected],
        ),
        vector(
            "legal-conflict",
            "Two concurrent grades are both kept.",
            &[&minor, &major],
        ),
        vector(
            "legal-conflict-in-another-order",
            "The same set, delivered otherwise and twice.",
            &[&major, &minor, &major],
        ),
        vector("legal-equal", "Equal bytes are no conflict.", &[&major, &again]),
        vector(
            "legal-decided",
            "A decision that supersedes both.",
            &[&minor, &major, &decided],
        ),
        vector("set-of-elements", "An array writes each of its items.", &[&one, &two]),
        vector(
            "append-in-causal-order",
            "Lines follow what they supersede, else the least key.",
            &[&first, &answer, &aside],
        ),
        vector(
            "sealed-contradiction",
            "A sealed value is not written again: both are kept.",
            &[&sealed, &resealed],
        ),
        vector(
            "quarantined",
            "What is set aside writes nothing.",
            &[&minor, &major, &set_aside],
        ),
        vector(
            "released",
            "A release follows the quarantine.",
            &[&minor, &major, &set_aside, &released],
        ),
        vector(
            "disposition-by-another",
            "A disposition by another device has no effect.",
            &[&minor, &major, &by_other],
        ),
        vector(
            "quarantined-as-stepping-stone",
            "What is set aside passes reachability on: the grade before it is superseded all the same.",
            &[&minor, &stepping, &after, &aside_stepping],
        ),
        vector("withheld", "A withheld value equals no other.", &[&minor, &withheld]),
        vector(
            "withheld-once",
            "The same operation with and without its value counts with it.",
            &[&withheld, &major],
        ),
        vector(
            "unknown-superseded",
            "An unknown id has no effect, and the state is provisional.",
            &[&corrected],
        ),
        vector(
            "disposed",
            "A grade whose bytes are still held was disposed of: withheld, unequal to the same grade by another.",
            &[&major, &again, &disposed],
        ),
        vector(
            "disposed-whole-body",
            "Every value of an operation goes; its paths keep their place.",
            &[&early, &late, &disposed_whole],
        ),
        vector(
            "disposal-without-basis",
            "A disposal without a legal basis takes nothing away.",
            &[&minor, &major, &without_basis],
        ),
        vector(
            "disposal-quarantined",
            "A disposal that was set aside takes nothing away.",
            &[&minor, &major, &disposed, &undone],
        ),
        vector(
            "disposal-of-a-fact",
            "Nothing of a disposition can be disposed of.",
            &[&minor, &major, &set_aside, &of_a_fact],
        ),
        vector("nothing", "No operation.", &[]),
    ]
}

pub fn check(input: &Value) -> Result<Value, String> {
    let case = input["case"].as_str().unwrap().parse().unwrap();
    let ids = input["ingest"].as_array().unwrap().iter();
    let ingest: Vec<DeviceId> = ids.map(|id| id.as_str().unwrap().parse().unwrap()).collect();
    let frames = input["operations"].as_array().unwrap().iter();
    let operations: Vec<Operation> = frames
        .map(|f| Operation::parse(&hex(f.as_str().unwrap())).unwrap())
        .collect();
    let state = fold(Scope::Case(case), ingest, &operations);
    let paths = state
        .paths()
        .filter(|(_, resolved)| !resolved.held().is_empty())
        .map(|(path, resolved)| {
            let mut values: Vec<(Option<String>, Value)> = Vec::new();
            for held in resolved.held() {
                let shown = held.value.as_deref().map(to_hex);
                let ids: Vec<String> = held.by.iter().map(OpId::to_string).collect();
                values.push((
                    shown.clone(),
                    shown.map_or(json!({"withheld": ids[0]}), |hex| json!(hex)),
                ));
            }
            if !matches!(resolved.outcome, Outcome::List(_)) {
                // A withheld value sorts as f7 and its operation's id.
                values.sort_by_key(|(shown, value)| {
                    shown
                        .clone()
                        .unwrap_or_else(|| format!("f7{}", value["withheld"].as_str().unwrap()))
                });
            }
            let values: Vec<Value> = values.into_iter().map(|(_, value)| value).collect();
            json!({"path": path, "class": resolved.class.name(), "in_conflict": resolved.blocks(), "values": values})
        });
    Ok(json!({
        "hash": to_hex(&state.hash()),
        "paths": paths.collect::<Vec<_>>(),
        "provisional": state.is_provisional(),
    }))
}
