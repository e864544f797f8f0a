//! The hearing bundle: everything a stranger is given, and the order in which he checks it (`formats/bundle.md`).

mod bag;
mod completeness;
mod items;
mod operations;
mod report;
mod source;
mod time;
mod trust;

use std::collections::{BTreeMap, BTreeSet};

pub use bag::{BAGIT, BAGIT_TEXT, MANIFEST, SIGNATURE, TAG_MANIFEST};
pub use items::least_signers;
pub use report::{AttestReport, Bound, Finding, ItemReport, OperationReport, Report, TimeBasis, TimeBracket, Verdict};
pub use source::{BundleSource, MAX_FILES, MAX_MANIFEST, SourceError, path_is_safe};
pub use time::CheckedStamp;
pub use trust::{Trust, Witness};

use self::operations::Operations;
use self::report::Findings;
use crate::checkpoint::Checkpoint;
use crate::encoding::from_proquints;
use crate::ids::OpId;
use crate::key_log::{KeyLog, Purpose};
use crate::note::{MAX_NOTE, NoteError, SignedNote};
use crate::sshsig;

/// What else the checker was given.
#[derive(Debug, Default)]
pub struct Extras {
    /// RFC 3161 tokens that were checked elsewhere.
    pub stamps: Vec<CheckedStamp>,
    /// Words of a chain head read off a paper.
    pub paper: Option<String>,
}

/// Checks a bundle against trust from outside it. Never fails: whatever is wrong is in the report.
pub fn verify(source: &dyn BundleSource, trust: &Trust, extras: &Extras) -> Report {
    let mut findings = Findings::default();
    let mut not_checked = vec![
        "README.md".to_owned(),
        "bag-info.txt".to_owned(),
        "data/index.json".to_owned(),
    ];
    let bag = bag::check(source, &mut findings);
    check_signature(source, &bag.tag_manifest, trust, &mut findings);
    let keys = read_key_log(source, trust, &mut findings);
    let note = read_checkpoint(source, trust, &keys, &mut findings);
    let checkpoint = note.as_ref().and_then(|n| Checkpoint::of(n).ok());
    let checkpoint = checkpoint.unwrap_or_else(|| Checkpoint {
        origin: String::new(),
        size: 0,
        root: [0; 32],
    });

    let ops = operations::check(source, &bag, &keys, &checkpoint, &mut findings);
    let chains = operations::check_chains(source, &ops, &mut findings);
    completeness::check_forks(&ops, &mut findings);
    let quarantined = quarantined(&ops, &keys);
    operations::check_revocations(
        source,
        &bag,
        &keys,
        &ops,
        &|id| quarantined.contains(id),
        &checkpoint,
        &mut findings,
    );

    let attested = time::check_attestations(
        source,
        &bag,
        &keys,
        &trust.witnesses,
        &extras.stamps,
        &mut findings,
        &mut not_checked,
    );
    let upper = time::of_this_tree(source, &attested, &checkpoint, &mut findings);
    let brackets = time::brackets(&ops, &attested, &upper, &mut findings);
    let complete = completeness::check(&ops, &keys, checkpoint.size, &mut findings);
    completeness::check_receipts(source, &bag, &keys, &chains, &ops, &attested, &mut findings);

    let attests = items::check_attests(&ops, &keys, &mut findings);
    let items = items::check_items(&ops, &bag, &brackets, &mut findings);
    items::check_heads(source, &bag, &ops, &keys, &mut findings);
    if let Some(paper) = &extras.paper {
        check_paper(paper, &ops, &mut findings);
    }
    let (witnesses, same_operator) = witnesses(note.as_ref(), trust);
    let reached = trust.quorum > 0 && witnesses.len() >= trust.quorum;
    not_checked.extend(bag.under("data/views/").map(|(path, _)| path.to_owned()));

    let (verdict, findings) = findings.conclude(if reached { Verdict::Witnessed } else { Verdict::Anchored });
    let operations = ops.in_log_order().into_iter().map(|(id, included)| {
        let header = included.operation.header();
        let key = keys.operation_key(&header.device, &header.incarnation);
        OperationReport {
            id: *id,
            kind: header.kind.clone(),
            device: header.device,
            incarnation: header.incarnation,
            seq: header.seq,
            index: included.index,
            bracket: brackets.get(id).copied().unwrap_or_default(),
            clock_ms: header.clock.wall_ms,
            custody: key.map_or("unknown", |k| k.record.custody.as_str()),
            awaiting: items::awaiting(id, included, &attests),
            after_roll: complete.after_roll.contains(id),
        }
    });
    let operations: Vec<OperationReport> = operations.collect();
    // The time of the whole is the weakest basis among its operations; one without an upper bound leaves none.
    let bases: Option<Vec<TimeBasis>> = operations
        .iter()
        .map(|o| o.bracket.not_after.map(|b| b.basis))
        .collect();
    Report {
        verdict,
        findings,
        time: bases.and_then(|b| b.into_iter().min()),
        witnesses,
        same_operator_witnesses: same_operator,
        origin: checkpoint.origin.clone(),
        tree_size: checkpoint.size,
        complete_by_roll: complete.by_roll,
        operations,
        items,
        attests,
        withheld: ops.withheld.clone(),
        late: complete.late,
        not_checked,
        files: bag.good.len(),
        bytes: bag.bytes(),
    }
}

fn check_signature(source: &dyn BundleSource, tag_manifest: &[u8], trust: &Trust, findings: &mut Findings) {
    let armored = match source.read(SIGNATURE, 16 * 1024) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => return findings.invalid("bag.signature", SIGNATURE, error.reason),
    };
    match sshsig::verify(tag_manifest, &armored) {
        Ok(key) if sshsig::is_allowed(&trust.allowed_signers, &key) => {}
        Ok(key) => {
            let detail = format!(
                "signed by {}, which is not in the trust folder's allowed_signers",
                key.fingerprint()
            );
            findings.unanchored("bag.signer_unknown", SIGNATURE, detail);
        }
        Err(error) => findings.invalid("bag.signature", SIGNATURE, error.to_string()),
    }
}

fn read_key_log(source: &dyn BundleSource, trust: &Trust, findings: &mut Findings) -> KeyLog {
    const PATH: &str = "data/key-log.cbor-seq";
    let read = source.read(PATH, MAX_MANIFEST).map_err(|e| e.to_string());
    let keys = match read.and_then(|bytes| KeyLog::read(&bytes).map_err(|e| e.to_string())) {
        Ok(keys) => keys,
        Err(reason) => {
            findings.invalid("key_log.broken", PATH, reason);
            return KeyLog::new(trust.tenant);
        }
    };
    let root = keys.root().and_then(|k| k.record.key().ok());
    if keys.tenant() != trust.tenant || root.as_ref() != Some(&trust.root) {
        findings.unanchored(
            "key_log.other_root",
            PATH,
            "the key log does not begin with the root key of the trust folder",
        );
    }
    keys
}

fn read_checkpoint(
    source: &dyn BundleSource,
    trust: &Trust,
    keys: &KeyLog,
    findings: &mut Findings,
) -> Option<SignedNote> {
    const PATH: &str = "data/checkpoint";
    let read = source.read(PATH, MAX_NOTE as u64).map_err(|e| e.to_string());
    let note = match read.and_then(|bytes| SignedNote::parse(&bytes).map_err(|e| e.to_string())) {
        Ok(note) => note,
        Err(reason) => {
            findings.invalid("checkpoint.malformed", PATH, reason);
            return None;
        }
    };
    match Checkpoint::of(&note) {
        Ok(checkpoint) if checkpoint.origin != trust.log.name() => {
            findings.unanchored(
                "checkpoint.other_log",
                PATH,
                "is of another log than the trust folder names",
            );
        }
        Ok(_) => {}
        Err(error) => findings.invalid("checkpoint.malformed", PATH, error.to_string()),
    }
    match note.verify(&trust.log) {
        Ok(()) => {}
        Err(NoteError::NotSigned(_)) => {
            findings.unanchored(
                "checkpoint.key_unknown",
                PATH,
                "is not signed by the log key of the trust folder",
            );
        }
        Err(error) => findings.invalid("checkpoint.signature", PATH, error.to_string()),
    }
    let enrolled = keys
        .server_keys(Purpose::Log)
        .into_iter()
        .filter_map(|k| k.record.key().ok());
    if !enrolled.into_iter().any(|key| key == *trust.log.key()) {
        findings.unanchored(
            "checkpoint.key_not_enrolled",
            PATH,
            "the trusted log key is not the one the key log enrols",
        );
    }
    Some(note)
}

/// The targets whose newest disposition says quarantined; among concurrent ones quarantine wins.
fn quarantined(operations: &Operations, keys: &KeyLog) -> BTreeSet<OpId> {
    let mut by_target: BTreeMap<OpId, Vec<(OpId, Vec<OpId>, bool)>> = BTreeMap::new();
    for (id, included) in &operations.by_id {
        let header = included.operation.header();
        if header.kind != "disposition" || !keys.is_ingest(&header.device) {
            continue;
        }
        let target = operations.field(id, "disposition/target");
        let target = target.and_then(|v| v.as_bytes()?.try_into().ok().map(OpId::from_bytes));
        let state = operations.field(id, "disposition/state");
        if let Some(target) = target {
            let quarantines = state
                .and_then(|v| v.as_text().map(|t| t == "quarantined"))
                .unwrap_or(true);
            by_target
                .entry(target)
                .or_default()
                .push((*id, header.supersedes.clone(), quarantines));
        }
    }
    let stands = |facts: &[(OpId, Vec<OpId>, bool)]| {
        let superseded: BTreeSet<OpId> = facts.iter().flat_map(|(_, s, _)| s.iter().copied()).collect();
        facts
            .iter()
            .any(|(id, _, quarantines)| *quarantines && !superseded.contains(id))
    };
    by_target
        .into_iter()
        .filter(|(_, facts)| stands(facts))
        .map(|(target, _)| target)
        .collect()
}

/// A chain head read off a paper must be the one before some document of the bundle.
fn check_paper(words: &str, operations: &Operations, findings: &mut Findings) {
    let typed = from_proquints(words).filter(|b| b.len() == 16);
    let Some(typed) = typed else {
        return findings.invalid("paper.words", words, "are not eight words of a chain head");
    };
    let issued = operations
        .by_id
        .values()
        .filter(|o| o.operation.header().kind == "document.issue");
    if !issued
        .into_iter()
        .any(|o| o.operation.header().prev.as_bytes()[..16] == typed[..])
    {
        findings.diverged(
            "paper.other",
            words,
            "no document of the bundle continues the chain head printed on the paper",
        );
    }
}

/// Organisations whose cosignature on the checkpoint holds: independent ones, and the operator's own.
fn witnesses(note: Option<&SignedNote>, trust: &Trust) -> (Vec<String>, Vec<String>) {
    let Some(note) = note else { return Default::default() };
    let holds = trust
        .witnesses
        .iter()
        .filter(|w| note.verify_cosignature(&w.key).is_ok());
    let (own, others): (Vec<&Witness>, Vec<&Witness>) = holds.partition(|w| w.same_operator);
    let names = |list: Vec<&Witness>| {
        list.into_iter()
            .map(|w| w.organisation.clone())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    };
    (names(others), names(own))
}
