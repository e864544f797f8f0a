//! The hearing bundle: everything a stranger is given, and the order in which he checks it (`formats/bundle.md`).

mod bag;
mod completeness;
mod disposals;
mod findings;
mod items;
mod operations;
mod report;
mod source;
mod time;
mod trust;

use std::collections::BTreeSet;

pub use bag::{BAGIT, BAGIT_TEXT, MANIFEST, SIGNATURE, TAG_MANIFEST};
pub use findings::finding_codes;
pub use items::least_signers;
pub use report::{AttestReport, Bound, Finding, ItemReport, OperationReport, Report, TimeBasis, TimeBracket, Verdict};
pub use source::{BundleSource, MAX_FILES, MAX_MANIFEST, SourceError, path_is_safe};
pub use time::CheckedStamp;
pub use trust::{Trust, Witness};

use self::bag::Bag;
use self::disposals::Disposals;
use self::findings::Findings;
use self::operations::Operations;
use crate::checkpoint::Checkpoint;
use crate::encoding::from_proquints;
use crate::key_log::{EnrolledKey, KeyLog, Purpose};
use crate::note::{MAX_NOTE, NoteError, SignedNote};
use crate::sshsig;

/// What else the checker was given.
#[derive(Debug, Default)]
pub struct Extras {
    /// RFC 3161 attestations that were checked elsewhere.
    pub stamps: Vec<CheckedStamp>,
    /// Words of a chain head read off a paper.
    pub paper: Option<String>,
}

/// What the first steps establish; every later one stands on it.
struct Ground<'a> {
    trust: &'a Trust,
    bag: Bag<'a>,
    keys: KeyLog,
    note: Option<SignedNote>,
    /// What the note says; the empty log when it says nothing.
    checkpoint: Checkpoint,
}

/// Checks a bundle against trust from outside it. Never fails: whatever is wrong is in the report.
pub fn verify(source: &dyn BundleSource, trust: &Trust, extras: &Extras) -> Report {
    let mut found = Findings::default();
    let findings = &mut found;
    let bag = bag::check(source, findings);
    let keys = read_key_log(&bag, trust, findings);
    check_signature(source, &bag, trust, &keys, findings);
    let (note, checkpoint) = read_checkpoint(&bag, trust, &keys, findings);
    let ground = &Ground { trust, bag, keys, note, checkpoint };

    let ops = &operations::check(ground, findings);
    let lists = operations::check_chains(ground, ops, findings);
    operations::check_forks(ground, ops, &lists, findings);
    let heads = operations::place_heads(ground, findings);
    operations::check_keys(ground, &heads, ops, findings);

    let mut not_checked = Vec::new();
    let attested = time::check_attestations(ground, &heads, &extras.stamps, findings, &mut not_checked);
    let upper = time::of_this_tree(ground, &attested, findings);
    let brackets = time::brackets(ops, &attested, &upper, findings);
    let complete = completeness::check(ground, &heads, ops, findings);
    completeness::check_receipts(ground, &lists, ops, &upper, findings);

    let attests = items::check_attests(ground, &heads, ops, findings);
    let disposals = Disposals::check(ops, findings);
    let (withheld, disposed) = disposals.not_shown(ops);
    let items = items::check_items(ground, ops, &disposals, &brackets, findings);
    items::check_heads(ground, ops, findings);
    if let Some(paper) = &extras.paper {
        check_paper(paper, ops, findings);
    }
    let (witnesses, same_operator_witnesses) = witnesses(ground);
    let reached = trust.quorum > 0 && witnesses.len() >= trust.quorum;
    not_checked.extend(ground.bag.not_checked());

    let (verdict, findings) = found.conclude(if reached { Verdict::Witnessed } else { Verdict::Anchored });
    let signed = items::by_target(&attests);
    let operations = ops.in_log_order().into_iter().map(|(id, included)| {
        let header = included.operation.header();
        OperationReport {
            id: *id,
            kind: header.kind.clone(),
            device: header.device,
            incarnation: header.incarnation,
            seq: header.seq,
            index: included.index,
            bracket: brackets.get(id).copied().unwrap_or_default(),
            clock_ms: header.clock.wall_ms,
            custody: included.key.record.custody.as_str(),
            awaiting: items::awaiting(included, signed.get(id).map_or(&[], Vec::as_slice)),
            after_roll: complete.after_roll.contains(id),
        }
    });
    let operations: Vec<OperationReport> = operations.collect();
    // The time of the whole is the weakest basis among its operations; one without an upper bound leaves none.
    let bases: Option<Vec<TimeBasis>> = operations.iter().map(|o| o.bracket.not_after.map(|b| b.basis)).collect();
    Report {
        verdict,
        findings,
        time: bases.and_then(|b| b.into_iter().min()),
        witnesses,
        same_operator_witnesses,
        organisations: {
            let witnesses = trust.witnesses.iter().map(|w| &w.organisation);
            witnesses.chain(extras.stamps.iter().map(|stamp| &stamp.authority)).cloned().collect()
        },
        origin: ground.checkpoint.origin.clone(),
        tree_size: ground.checkpoint.size,
        complete_by_roll: complete.by_roll,
        operations,
        items,
        attests,
        withheld,
        disposed,
        late: complete.late,
        not_checked,
        files: ground.bag.good.len(),
        bytes: ground.bag.bytes(),
    }
}

/// The signer of the tag manifest: known to the reader, and a bundle key of the tenant.
fn check_signature(source: &dyn BundleSource, bag: &Bag, trust: &Trust, keys: &KeyLog, findings: &mut Findings) {
    let armored = match source.read(SIGNATURE, 16 * 1024) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => return findings.add_with("bag.signature", SIGNATURE, error.reason),
    };
    match sshsig::verify(&bag.tag_manifest, &armored) {
        Err(error) => findings.add_with("bag.signature", SIGNATURE, error),
        Ok(key) if !sshsig::is_allowed(&trust.allowed_signers, &key) => {
            findings.add_with("bag.signer_unknown", SIGNATURE, key.fingerprint());
        }
        Ok(key) => {
            let good = |k: &EnrolledKey| k.record.id() == key.key_id() && k.revoked_at.is_none();
            if !keys.server_keys(Purpose::Bundle).into_iter().any(good) {
                findings.add_with("bag.signer_not_enrolled", SIGNATURE, key.fingerprint());
            }
        }
    }
}

fn read_key_log(bag: &Bag, trust: &Trust, findings: &mut Findings) -> KeyLog {
    const PATH: &str = "data/key-log.cbor-seq";
    let read = bag.read(PATH, MAX_MANIFEST);
    let keys = match read.and_then(|bytes| KeyLog::read(&bytes).map_err(|e| e.to_string())) {
        Ok(keys) => keys,
        Err(reason) => {
            findings.add_with("key_log.broken", PATH, reason);
            return KeyLog::new(trust.tenant);
        }
    };
    let root = keys.root().and_then(|k| k.record.key().ok());
    if keys.tenant() != trust.tenant || root.as_ref() != Some(&trust.root) {
        findings.add("key_log.other_root", PATH);
    }
    keys
}

fn read_checkpoint(
    bag: &Bag,
    trust: &Trust,
    keys: &KeyLog,
    findings: &mut Findings,
) -> (Option<SignedNote>, Checkpoint) {
    const PATH: &str = "data/checkpoint";
    let read = bag.read(PATH, MAX_NOTE as u64);
    let note = read.and_then(|bytes| SignedNote::parse(&bytes).map_err(|e| e.to_string()));
    let both = note.and_then(|note| Ok((Checkpoint::of(&note).map_err(|e| e.to_string())?, note)));
    let (checkpoint, note) = match both {
        Ok(both) => both,
        Err(reason) => {
            findings.add_with("checkpoint.malformed", PATH, reason);
            return (None, Checkpoint { origin: String::new(), size: 0, root: [0; 32] });
        }
    };
    match note.verify(&trust.log) {
        _ if checkpoint.origin != trust.log.name() => findings.add("checkpoint.other_log", PATH),
        Ok(()) => {}
        Err(NoteError::NotSigned(_)) => findings.add("checkpoint.key_unknown", PATH),
        Err(error) => findings.add_with("checkpoint.signature", PATH, error),
    }
    let good = |k: &EnrolledKey| {
        k.record.id() == trust.log.key().key_id()
            && k.name.as_deref() == Some(trust.log.name())
            && k.revoked_at.is_none()
    };
    if !keys.server_keys(Purpose::Log).into_iter().any(good) {
        findings.add("checkpoint.key_not_enrolled", PATH);
    }
    (Some(note), checkpoint)
}

/// A chain head read off a paper must be the one before some document of the bundle.
fn check_paper(words: &str, operations: &Operations, findings: &mut Findings) {
    let Some(typed) = from_proquints(words).filter(|b| b.len() == 16) else {
        return findings.add("paper.words", words);
    };
    let issued = operations.of_kind("document.issue");
    if !issued.iter().any(|(_, o)| o.operation.header().prev.as_bytes()[..16] == typed[..]) {
        findings.add("paper.other", words);
    }
}

/// Organisations whose cosignature on the checkpoint holds: independent ones, and the operator's own.
fn witnesses(ground: &Ground) -> (Vec<String>, Vec<String>) {
    let names = |own: bool| {
        let holds = |w: &&Witness| {
            w.same_operator == own && ground.note.as_ref().is_some_and(|note| note.verify_cosignature(&w.key).is_ok())
        };
        let names: BTreeSet<String> =
            ground.trust.witnesses.iter().filter(holds).map(|w| w.organisation.clone()).collect();
        names.into_iter().collect()
    };
    (names(false), names(true))
}
