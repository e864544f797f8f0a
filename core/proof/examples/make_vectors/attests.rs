//! People's signatures: `operation.md`, Required signers and attest.

use fieldseal_proof::attest::Place as AttestPlace;
use fieldseal_proof::attest::{self, Attestation, Meaning};
use fieldseal_proof::body::Body;
use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{OfficerId, OpId};
use fieldseal_proof::operation::{Header, Operation};
use fieldseal_proof::suite::{PublicKey, Signer};

use super::actors::{Author, Place, ed25519, id, p256, seed};
use super::{Result, Vector, hex};

const PAGE: &str = "operation.md, Required signers and attest";

fn given(vector: Vector, operation: &Operation, device: &PublicKey, officer: &PublicKey) -> Vector {
    vector
        .with("frame", hex(operation.frame()))
        .with("suite", device.suite().number())
        .with("public", hex(device.as_bytes()))
        .with("officer_suite", officer.suite().number())
        .with("officer_public", hex(officer.as_bytes()))
}

fn place(header: &Header) -> AttestPlace {
    AttestPlace {
        tenant: header.tenant,
        device: header.device,
        incarnation: header.incarnation,
        seq: header.seq,
        prev: header.prev,
    }
}

fn good(
    name: &str,
    what: &str,
    operation: &Operation,
    said: &Attestation,
    device: &PublicKey,
    officer: &PublicKey,
) -> Vector {
    let statement =
        attest::statement(&place(operation.header()), said.officer, &said.role, said.meaning, &said.targets);
    given(Vector::valid("attest", name, PAGE, what), operation, device, officer)
        .gives("statement", hex(statement))
        .gives("officer", said.officer.to_string())
        .gives("key_id", said.key.to_string())
        .gives("role", said.role.clone())
        .gives("meaning", said.meaning.as_str())
        .gives("targets", said.targets.iter().map(OpId::to_string).collect::<Vec<_>>())
}

pub fn vectors() -> Result<Vec<Vector>> {
    let mut author = Author::new("tablet one", Box::new(ed25519("tablet one")?));
    let target = author.write(Place::Inspection, "note.record", vec![("note/1f/text".to_owned(), Value::text("x"))])?;
    let other = author.write(Place::Inspection, "note.record", vec![("note/2f/text".to_owned(), Value::text("y"))])?;
    let (device, officer_key) = (ed25519("tablet one")?, ed25519("officer one")?);
    let hardware = p256("officer two")?;
    let officer = OfficerId::from_bytes(id("officer one"));
    let header = author.next(Place::Inspection, attest::KIND);
    let said = Attestation::sign(&place(&header), officer, "officer", Meaning::Made, vec![target.id()], &officer_key)?;
    let operation = author.sign(header.clone(), said.fields())?;
    let both = Attestation::sign(
        &place(&header),
        OfficerId::from_bytes(id("officer two")),
        "officer",
        Meaning::Dissents,
        vec![target.id(), other.id()],
        &hardware,
    )?;
    let by_p256 = author.sign(header.clone(), both.fields())?;
    let bad = |name, what, operation: &Operation, device: &PublicKey, reason| {
        given(Vector::invalid("attest", name, PAGE, what, reason), operation, device, officer_key.public())
    };
    // The same officer's signature, wrapped again in other places.
    let elsewhere = Author::new("tablet three", Box::new(ed25519("tablet three")?));
    let on_other_device = elsewhere.sign(elsewhere.next(Place::Inspection, attest::KIND), said.fields())?;
    let later = |header: Header| author.sign(header, said.fields());
    let other_seq = later(Header { seq: header.seq + 1, ..header.clone() })?;
    let other_prev = later(Header { prev: target.link(), ..header.clone() })?;
    let mut another_day = header.clone();
    another_day.clock.wall_ms += 86_400_000;
    let changed = |change: fn(&mut Attestation, OpId, OfficerId)| {
        let mut said = said.clone();
        change(&mut said, other.id(), OfficerId::from_bytes(id("officer two")));
        author.sign(header.clone(), said.fields())
    };
    let unsorted = {
        let mut said = both.clone();
        said.targets.reverse();
        author.sign(header.clone(), said.fields())?
    };
    let withheld = operation.with_body(operation.body().map(|b: &Body| b.withhold(&["attest/signature"])))?;
    let none = changed(|said, _, _| said.targets.clear())?;
    Ok(vec![
        good(
            "made",
            "An officer attests that he made an operation.",
            &operation,
            &said,
            device.public(),
            officer_key.public(),
        ),
        good(
            "two-targets-p256",
            "A hardware key dissents on two operations.",
            &by_p256,
            &both,
            device.public(),
            hardware.public(),
        ),
        good(
            "other-clock",
            "The wall clock of the wrapping operation is the device's claim; the officer did not sign it.",
            &author.sign(another_day, said.fields())?,
            &said,
            device.public(),
            officer_key.public(),
        ),
        bad(
            "moved-to-another-device",
            "Another device wraps the officer's signature.",
            &on_other_device,
            ed25519("tablet three")?.public(),
            "mismatch",
        ),
        bad(
            "moved-to-another-seq",
            "The same device wraps it at a later place.",
            &other_seq,
            device.public(),
            "mismatch",
        ),
        bad(
            "moved-to-another-date",
            "The same device wraps it after another link, as if on another day.",
            &other_prev,
            device.public(),
            "mismatch",
        ),
        bad(
            "role-changed",
            "The role was changed.",
            &changed(|s, _, _| s.role = "supervisor".to_owned())?,
            device.public(),
            "mismatch",
        ),
        bad(
            "meaning-changed",
            "Refused became made.",
            &{
                let refused = Attestation::sign(
                    &place(&header),
                    officer,
                    "officer",
                    Meaning::Refused,
                    vec![target.id()],
                    &officer_key,
                )?;
                author.sign(header.clone(), Attestation { meaning: Meaning::Made, ..refused }.fields())?
            },
            device.public(),
            "mismatch",
        ),
        bad(
            "target-added",
            "A target was added.",
            &changed(|s, other, _| {
                s.targets.push(other);
                s.targets.sort();
            })?,
            device.public(),
            "mismatch",
        ),
        bad(
            "officer-changed",
            "Another officer's id.",
            &changed(|s, _, officer| s.officer = officer)?,
            device.public(),
            "mismatch",
        ),
        bad("no-target", "No target.", &none, device.public(), "attest-field"),
        bad("targets-unordered", "Targets that do not ascend.", &unsorted, device.public(), "attest-field"),
        bad(
            "signature-withheld",
            "Without the signature nothing is attested.",
            &withheld,
            device.public(),
            "attest-field",
        ),
        bad(
            "unknown-meaning",
            "A meaning that is none of the four.",
            &{
                let fields = said
                    .fields()
                    .into_iter()
                    .map(|(p, v)| if p == "attest/meaning" { (p, Value::text("agreed")) } else { (p, v) });
                Operation::seal(header.clone(), Body::build(seed("attest"), fields.collect())?, &device)?
            },
            device.public(),
            "attest-field",
        ),
        given(
            Vector::invalid(
                "attest",
                "foreign-key",
                PAGE,
                "The key log gives another key than the one the body names.",
                "attest-key",
            ),
            &operation,
            device.public(),
            ed25519("officer two")?.public(),
        ),
    ])
}
