//! Bundles in which somebody acted wrongly, or oddly and yet rightly: rolls, closings, attests, keys and their times.

use fieldseal_proof::hash::sha256;
use fieldseal_proof::roll;

use super::actors::ed25519;
use super::bag::{Files, close, payload};
use super::bundles::{Maker, Told, find, leave_out, operation_path};
use super::story::{PHOTO, Story, Twist, tell};
use super::{Result, Vector, hex};

pub fn vectors(maker: &Maker) -> Result<Vec<Vector>> {
    let mut out = rolls_and_closings(maker)?;
    out.extend(people(maker)?);
    out.extend(keys(maker)?);
    out.extend(odd_but_right(maker)?);
    out.extend(disposals(maker)?);
    Ok(out)
}

/// Name, what, verdict, findings, twists.
type Wrong<'a> = (&'a str, &'a str, &'static str, &'static [&'static str], &'a [Twist]);

fn each(maker: &Maker, list: &[Wrong]) -> Result<Vec<Vector>> {
    let one = |(name, what, verdict, findings, twists): &Wrong| {
        maker.vector(&maker.twisted(twists)?.1, name, what, verdict, findings)
    };
    list.iter().map(one).collect()
}

/// An operation of this kind without some of its values, under good manifests.
fn withheld(maker: &Maker, kind: &str, paths: &[&str]) -> Result<Files> {
    let operation = find(&maker.story, kind)?;
    maker.resigned(|files| {
        let body = operation.body().map(|body| body.withhold(paths));
        files.insert(operation_path(operation), operation.with_body(body)?.frame());
        Ok(())
    })
}

fn rolls_and_closings(maker: &Maker) -> Result<Vec<Vector>> {
    let mut out = each(
        maker,
        &[
            ("roll-by-a-tablet", "A tablet writes the roll.", "INVALID", &["roll.author"], &[Twist::RollByTablet]),
            (
                "roll-names-another-operation",
                "The roll names another operation as the last of a stream.",
                "DIVERGED",
                &["roll.other"],
                &[Twist::RollNamesOther],
            ),
            (
                "roll-of-a-larger-log",
                "The roll speaks of a larger log than the one it stands in.",
                "DIVERGED",
                &["roll.size", "roll.unnamed"],
                &[Twist::RollTooLarge, Twist::WritesAfterRoll],
            ),
            (
                "roll-leaves-out-a-tablet",
                "The roll does not name the streams of a tablet whose operations lie in the log of which it speaks.",
                "DIVERGED",
                &["roll.unnamed"],
                &[Twist::RollLeavesOut],
            ),
            (
                "roll-of-an-older-key-log",
                "The roll names the key log before a revocation whose head lies in the log of which the roll speaks.",
                "DIVERGED",
                &["roll.key_log"],
                &[Twist::RollOfOldKeyLog],
            ),
            (
                "earlier-roll-names-more",
                "The newest roll holds, an earlier one names an operation that nobody has: every roll is judged.",
                "DIVERGED",
                &["roll.missing"],
                &[Twist::EarlierRollNamesMore],
            ),
            (
                "closing-names-another-operation",
                "The closing names another operation than the bundle has at that counter.",
                "DIVERGED",
                &["closing.other"],
                &[Twist::ClosingNamesOther],
            ),
        ],
    )?;
    let roll = withheld(maker, roll::ROLL, &["roll/size"])?;
    out.push(maker.vector(
        &roll,
        "roll-withheld",
        "The size in the roll is withheld.",
        "INVALID",
        &["roll.malformed"],
    )?);
    let closing = find(&maker.story, roll::CLOSE)?;
    let held: Vec<String> =
        closing.body().map(|b| b.fields().iter().map(|f| f.path.clone()).collect()).unwrap_or_default();
    let closing = withheld(maker, roll::CLOSE, &[held.first().ok_or("a closing holds something")?])?;
    let what = "What the closing holds of one tablet is withheld.";
    out.push(maker.vector(&closing, "closing-withheld", what, "INVALID", &["closing.malformed"])?);
    let after = tell(&[Twist::WritesAfterRoll])?;
    let mut files = payload(&after)?;
    let last: Vec<_> = after.shipped.iter().filter(|(o, _)| o.header().kind == "note.record").collect();
    leave_out(&mut files, &last[0].0);
    let files = close(files, &ed25519("bundle")?)?;
    let what = "Of two operations after the roll the first is left out: no roll names it, but the counter tells.";
    out.push(maker.vector(&files, "item-after-the-roll-left-out", what, "DIVERGED", &["stream.gap"])?);
    Ok(out)
}

fn people(maker: &Maker) -> Result<Vec<Vector>> {
    let mut out = each(
        maker,
        &[
            (
                "attest-forged",
                "An attest that names the officer's key and carries somebody else's signature.",
                "INVALID",
                &["attest.signature"],
                &[Twist::AttestForged],
            ),
            (
                "attest-by-a-stranger",
                "An attest with a key that is in no key log.",
                "UNANCHORED",
                &["attest.key_unknown"],
                &[Twist::AttestByStranger],
            ),
            (
                "attest-by-an-administrators-key",
                "An administrator attests with the key that signs the key log: it is no officer's key.",
                "UNANCHORED",
                &["attest.key_unknown"],
                &[Twist::AttestByAdmin],
            ),
            (
                "attest-in-another-stream",
                "An attest in the stream of the case about operations in the stream of an inspection.",
                "INVALID",
                &["attest.stream"],
                &[Twist::AttestStrays],
            ),
        ],
    )?;
    let files = withheld(maker, fieldseal_proof::attest::KIND, &["attest/key"])?;
    let what = "The key id of an attest is withheld, so that nobody could say whether it was revoked.";
    out.push(maker.vector(&files, "attest-withheld", what, "INVALID", &["attest.malformed"])?);
    Ok(out)
}

fn keys(maker: &Maker) -> Result<Vec<Vector>> {
    let mut out = each(
        maker,
        &[
            (
                "operation-before-enrolment",
                "Operations logged before the head that enrols their device.",
                "INVALID",
                &["operation.key_too_early"],
                &[Twist::EnrolledLate],
            ),
            (
                "time-note-after-revocation",
                "A time note of a log that holds the revocation of the time key.",
                "INVALID",
                &["attestation.signature"],
                &[Twist::TimeKeyRevoked],
            ),
            (
                "log-key-revoked",
                "The key log revokes the trusted log key.",
                "UNANCHORED",
                &["checkpoint.key_not_enrolled"],
                &[Twist::LogKeyRevoked],
            ),
            (
                "fork-outside-the-case",
                "A second incarnation starts from a link that an operation outside the case continued: only the lists show it.",
                "DIVERGED",
                &["fork"],
                &[Twist::ForkUnshown],
            ),
            (
                "device-nobody-enrolled",
                "An operation in the log by a device that is not in the key log.",
                "UNANCHORED",
                &["operation.key_unknown"],
                &[Twist::Stranger],
            ),
            (
                "operation-of-another-case",
                "An operation of another case among those of this one.",
                "INVALID",
                &["operation.other_case"],
                &[Twist::OtherCase],
            ),
        ],
    )?;
    let late_head = |f: &mut Files| {
        // Entry 3 enrols the first tablet; a later head covers it as well, but says nothing about when.
        f.remove("data/key-log/4.tlog-proof");
        Ok(())
    };
    let what = "No proof shows from when a tablet was enrolled; that of a later head is not enough.";
    out.push(maker.vector(
        &maker.resigned(late_head)?,
        "enrolment-not-placed",
        what,
        "INVALID",
        &["key_log.unplaced"],
    )?);
    Ok(out)
}

/// What looks wrong at first sight and is not.
fn odd_but_right(maker: &Maker) -> Result<Vec<Vector>> {
    let plain = |_: &Story| Told::default();
    let ids = |story: &Story, kind: &str, from: usize| -> Vec<String> {
        let of = story.shipped.iter().filter(|(o, _)| o.header().kind == kind);
        of.skip(from).map(|(o, _)| o.id().to_string()).collect()
    };
    Ok(vec![
        maker.good("two-rolls", "An earlier roll and a newer one: both hold.", &[Twist::EarlierRoll], plain)?,
        maker.good(
            "new-incarnation-after-total-loss",
            "A tablet that lost everything was enrolled again and opens at the origin link: no fork.",
            &[Twist::TotalLoss],
            |story| Told { late: ids(story, "note.record", 0), ..Told::default() },
        )?,
        maker.good(
            "quarantined-closing",
            "A revoked tablet closes with an invented count; the server set it aside, and nothing it says counts.",
            &[Twist::ClosesAfterRevocation],
            plain,
        )?,
        maker.good(
            "officers-enrolled-after-they-signed",
            "Officers signed before their enrolment took effect: their attests are shown and meet no required signer.",
            &[Twist::OfficersEnrolledLate],
            |story| {
                let waiting = [ids(story, "credentials.show", 0), ids(story, "document.issue", 0)].concat();
                Told { awaiting: waiting.into_iter().map(|id| (id, "officer")).collect(), ..Told::default() }
            },
        )?,
        maker.good(
            "written-after-the-closing",
            "Another tablet writes into the inspection after it was closed: late, and shown.",
            &[Twist::WritesAfterClosing],
            |story| Told { late: ids(story, "note.record", 0), ..Told::default() },
        )?,
        maker.good(
            "pack-asks-for-more",
            "The header names the roles that the rule pack asks for: of one of them nobody attested.",
            &[Twist::PackAsksForMore],
            |story| Told {
                awaiting: ids(story, "credentials.show", 0).into_iter().map(|id| (id, "inspector_general")).collect(),
                ..Told::default()
            },
        )?,
        maker.good(
            "written-after-the-closing-and-returned",
            "The inspection was returned after it was closed: what came in between is not late any more.",
            &[Twist::WritesAfterClosing, Twist::Returned],
            plain,
        )?,
    ])
}

/// What a supervisor disposed of: a value, a photograph, a whole body.
fn disposals(maker: &Maker) -> Result<Vec<Vector>> {
    let gone = |twists: &[Twist], value: bool, photo: bool| -> Result<(Story, Files)> {
        let story = tell(twists)?;
        let mut files = payload(&story)?;
        let mut of = story.shipped.iter().map(|(o, _)| o).filter(|o| o.header().kind == "finding.record");
        let (first, second) = (of.next().ok_or("no finding")?, of.next().ok_or("no second finding")?);
        if value {
            let body = first.body().map(|body| body.withhold(&["finding/8b1c/text"]));
            files.insert(operation_path(first), first.with_body(body)?.frame());
        }
        files.insert(operation_path(second), second.with_body(None)?.frame());
        if photo {
            files.remove(&format!("data/evidence/{}.jpg", hex(sha256(PHOTO))));
        }
        Ok((story, close(files, &ed25519("bundle")?)?))
    };
    let told = |story: &Story| -> Told {
        let ids = |kind: &str| -> Vec<String> {
            story.shipped.iter().filter(|(o, _)| o.header().kind == kind).map(|(o, _)| o.id().to_string()).collect()
        };
        let findings = ids("finding.record");
        Told {
            disposed: vec![(findings[0].clone(), "finding/8b1c/text"), (findings[1].clone(), "")],
            awaiting: ids("disposal").into_iter().map(|id| (id, "supervisor")).collect(),
            ..Told::default()
        }
    };
    let good = |name, what, twists: &[Twist]| -> Result<Vector> {
        let (story, files) = gone(twists, true, true)?;
        maker.stands_as(&story, &files, name, what, &told(&story))
    };
    let bad = |name, what, verdict, findings: &[&'static str], twists: &[Twist], value, photo| -> Result<Vector> {
        maker.vector(&gone(twists, value, photo)?.1, name, what, verdict, findings)
    };
    let plain = &[Twist::Disposed];
    Ok(vec![
        good(
            "disposed",
            "A value, a photograph and a whole body that disposals took away: lawfully withheld, never missing.",
            plain,
        )?,
        good(
            "disposed-before-the-freeze",
            "The frozen set names a photograph that was disposed of before.",
            &[Twist::Disposed, Twist::Freeze],
        )?,
        bad(
            "disposed-after-the-freeze",
            "A photograph was frozen, and disposed of afterwards.",
            "DIVERGED",
            &["freeze.missing"],
            &[Twist::Freeze, Twist::DisposedAfterFreeze],
            true,
            true,
        )?,
        bad(
            "disposed-value-shown",
            "A value that a disposal took away is shown.",
            "DIVERGED",
            &["disposal.still_there"],
            plain,
            false,
            true,
        )?,
        bad(
            "disposed-photograph-supplied",
            "A photograph that a disposal took away is in the bundle.",
            "DIVERGED",
            &["disposal.still_there"],
            plain,
            true,
            false,
        )?,
        bad(
            "disposal-without-basis",
            "Disposals that name no legal basis.",
            "INVALID",
            &["disposal.malformed"],
            &[Twist::DisposedWithoutBasis],
            true,
            true,
        )?,
    ])
}
