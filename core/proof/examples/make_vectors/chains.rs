//! Device chains and equivocation: `operation.md`, Identity and chain; Same, duplicate, fork.

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::IncarnationId;
use fieldseal_proof::operation::{Header, Operation, link_words};
use fieldseal_proof::suite::{PublicKey, Signer};
use serde_json::json;

use super::actors::{Author, Place, ed25519, fields, p256, seed, tenant};
use super::{Result, Vector, forgery, hex};

const CHAIN: &str = "operation.md, Identity and chain";
const FORK: &str = "operation.md, Same, duplicate, fork";

fn given(vector: Vector, device: &str, keys: &[(IncarnationId, &PublicKey)], operations: &[&Operation]) -> Vector {
    let keys = keys.iter().map(|(incarnation, key)| {
        json!({"incarnation": incarnation.to_string(), "suite": key.suite().number(), "public": hex(key.as_bytes())})
    });
    vector
        .with("tenant", tenant().to_string())
        .with("device", device)
        .with("keys", keys.collect::<Vec<_>>())
        .with("frames", operations.iter().map(|o| hex(o.frame())).collect::<Vec<_>>())
}

fn note(text: &str) -> Vec<(String, Value)> {
    fields([("note/1f/text", Value::text(text))])
}

pub fn vectors() -> Result<Vec<Vector>> {
    let mut author = Author::new("tablet one", Box::new(ed25519("tablet one")?));
    let (device, first) = (author.device.to_string(), author.incarnation);
    let start = author.link;
    let a_again = author.sign(author.next(Place::Device, "device.open"), note("another opening"))?;
    let a = author.write(Place::Device, "device.open", fields([("device/label", Value::text("一号"))]))?;
    let b = author.write(Place::Inspection, "note.record", note("b"))?;
    let c_again = author.sign(author.next(Place::Inspection, "note.record"), note("another c"))?;
    let gap = author
        .sign(Header { seq: 3, counter: 2, ..author.next(Place::Inspection, "note.record") }, note("after a gap"))?;
    let prev_again = author
        .sign(Header { prev: b.header().prev, ..author.next(Place::Inspection, "note.record") }, note("not after b"))?;
    let counter_again =
        author.sign(Header { counter: 0, ..author.next(Place::Inspection, "note.record") }, note("counter 0 again"))?;
    let c = author.write(Place::Inspection, "note.record", note("c"))?;
    let old_key = ed25519("tablet one")?;
    let new_key = ed25519("tablet one, restored")?;
    let mut restored = author.reborn("tablet one, second life", Box::new(ed25519("tablet one, restored")?));
    let second = restored.incarnation;
    let d = restored.write(Place::Device, "device.open", fields([("device/label", Value::text("一号"))]))?;
    let from_nothing = restored.sign(
        Header { prev: start, seq: 0, counter: 0, ..restored.next(Place::Device, "device.open") },
        note("restored from nothing"),
    )?;
    let from_older = restored.sign(
        Header { prev: a.link(), seq: 0, counter: 0, ..restored.next(Place::Device, "device.open") },
        note("restored from an older copy"),
    )?;
    let one_key = [(first, old_key.public())];
    let two_keys = [(first, old_key.public()), (second, new_key.public())];
    let good = |name, what, keys: &[(IncarnationId, &PublicKey)], operations: &[&Operation]| {
        let v = given(Vector::valid("chain", name, CHAIN, what), &device, keys, operations);
        let links: Vec<String> = operations.iter().map(|o| o.link().to_string()).collect();
        v.gives("origin", start.to_string())
            .gives("links", links)
            .gives("words", operations.last().map(|o| link_words(&o.link())))
    };
    let bad = |name, page, what, keys: &[(IncarnationId, &PublicKey)], operations: &[&Operation], reason| {
        given(Vector::invalid("chain", name, page, what, reason), &device, keys, operations)
    };
    let mut out = vec![
        good("three-operations", "Three operations of one device.", &one_key, &[&a, &b, &c]),
        good(
            "second-incarnation",
            "After a restore the chain goes on from the last known link, with a fresh key and seq 0.",
            &two_keys,
            &[&a, &b, &c, &d],
        ),
        bad("gap", CHAIN, "Sequence 3 after 1.", &one_key, &[&a, &b, &gap], "chain-gap"),
        bad("middle-left-out", CHAIN, "The second of three operations is left out.", &one_key, &[&a, &c], "chain-gap"),
        bad(
            "does-not-continue",
            CHAIN,
            "prev is the link before the operation before it.",
            &one_key,
            &[&a, &b, &prev_again],
            "fork-prev",
        ),
        bad(
            "wrong-start",
            CHAIN,
            "The first operation does not continue the origin link.",
            &one_key,
            &[&b],
            "chain-gap",
        ),
        bad(
            "old-key-in-second-incarnation",
            CHAIN,
            "The second incarnation under the key of the first.",
            &[(first, old_key.public()), (second, old_key.public())],
            &[&a, &b, &c, &d],
            "mismatch",
        ),
        bad("fork-by-seq", FORK, "Two operations with the same seq.", &one_key, &[&a, &b, &c, &c_again], "fork-seq"),
        bad(
            "fork-by-counter",
            FORK,
            "Two operations with the same counter in a stream.",
            &one_key,
            &[&a, &b, &counter_again],
            "fork-counter",
        ),
        bad(
            "fork-by-prev-across-incarnations",
            FORK,
            "The second incarnation starts from a link that the first one continued.",
            &two_keys,
            &[&a, &b, &from_older],
            "fork-prev",
        ),
        bad(
            "same-incarnation-opens-again",
            FORK,
            "An incarnation starts at the origin a second time, as a copy of an empty store would.",
            &one_key,
            &[&a, &b, &a_again],
            "fork-seq",
        ),
        good(
            "second-incarnation-after-total-loss",
            "After a total loss the tablet knows no link: the new incarnation opens at the origin, and that is no fork.",
            &two_keys,
            &[&a, &b, &from_nothing],
        ),
    ];
    out.push({
        let forked = "A duplicate is no fork: the same operation twice, once without its body.";
        let twin = b.with_body(None)?;
        given(Vector::valid("chain", "duplicate", FORK, forked), &device, &one_key, &[&a, &b, &twin, &c])
            .gives("origin", start.to_string())
            .gives("links", [&a, &b, &c].map(|o| o.link().to_string()).to_vec())
            .gives("words", link_words(&c.link()))
    });
    out.push(signed_twice()?);
    Ok(out)
}

/// The same header signed twice with different nonces: one id, two commitments.
fn signed_twice() -> Result<Vector> {
    let label = "tablet two";
    let author = Author::new(label, Box::new(p256(label)?));
    let once = author.sign(author.next(Place::Device, "device.open"), note("once"))?;
    let message = fieldseal_proof::dsse::pae(fieldseal_proof::dsse::OPERATION, once.header_bytes());
    let again = forgery::second_ecdsa(&seed(label), &seed("nonce"), &message)?;
    let frame = fieldseal_proof::cbor::encode(&Value::Map(vec![
        (0, Value::bytes(once.header_bytes())),
        (1, Value::bytes(again)),
    ]));
    let twice = Operation::parse(&frame)?;
    let what = "One id under two good signatures of the device: two commitments, and so two chains.";
    let device = author.device.to_string();
    let key = p256(label)?;
    Ok(given(
        Vector::invalid("chain", "id-signed-twice", FORK, what, "signed-twice"),
        &device,
        &[(author.incarnation, key.public())],
        &[&once, &twice],
    ))
}
