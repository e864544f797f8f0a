//! Evidence, documents and people's signatures: what the operations say, against the bytes that were supplied.

use std::collections::{BTreeMap, BTreeSet};

use super::bag::Bag;
use super::operations::{Included, Operations};
use super::report::{AttestReport, Findings, ItemReport, TimeBracket};
use crate::attest::{self, Attestation, Place};
use crate::cbor::Value;
use crate::dsse::{OPERATION, pae};
use crate::ids::{EvidenceId, OpId, to_hex};
use crate::key_log::KeyLog;
use crate::operation::RequiredSigner;

use super::source::BundleSource;

const SEALED: [(&str, &str, &str); 3] = [
    ("evidence/", "/sha256", "evidence"),
    ("document/", "/pdf_sha256", "document"),
    ("signature/", "/signed_pdf_sha256", "signed_document"),
];

/// Matches every sealed hash with the supplied bytes, and every supplied file with a seal.
pub(super) fn check_items(
    operations: &Operations,
    bag: &Bag,
    brackets: &BTreeMap<OpId, TimeBracket>,
    findings: &mut Findings,
) -> Vec<ItemReport> {
    let mut files: BTreeMap<String, (&str, u64)> = BTreeMap::new();
    for (path, name) in bag.under("data/evidence/").chain(bag.under("data/documents/")) {
        let (hash, size) = bag.good[path];
        let named = name.split('.').next().unwrap_or_default();
        if to_hex(&hash) != named {
            findings.invalid("evidence.name", path, "the file is not named after its own hash");
        }
        files.insert(to_hex(&hash), (path, size));
    }
    let mut claimed = BTreeSet::new();
    let mut out = Vec::new();
    for (op, included) in operations.in_log_order() {
        let Some(body) = included.operation.body() else {
            continue;
        };
        for field in body.fields() {
            let matched = SEALED.iter().find_map(|(prefix, suffix, class)| {
                let id = field.path.strip_prefix(prefix)?.strip_suffix(suffix)?;
                (!id.contains('/')).then_some((*prefix, id, *class))
            });
            let Some((prefix, id, class)) = matched else { continue };
            let text = |name: &str| {
                body.get(&format!("{prefix}{id}/{name}"))
                    .and_then(|v| v.as_text().map(str::to_owned))
            };
            let sha256 = body.get(&field.path).and_then(|v| v.as_bytes().map(to_hex));
            let file = sha256.as_ref().and_then(|h| files.get(h));
            let size = body.get(&format!("{prefix}{id}/size")).and_then(|v| v.as_uint());
            if let (Some((path, there)), Some(size)) = (file, size)
                && *there != size
            {
                findings.invalid("evidence.size", *path, "has another size than was sealed");
            }
            claimed.extend(sha256.clone());
            out.push(ItemReport {
                id: id.to_owned(),
                class,
                path: file.map(|(path, _)| (*path).to_owned()),
                sha256,
                sealed_by: *op,
                acquisition: text("acquisition"),
                title: text("title").or_else(|| text("type")),
                bracket: brackets.get(op).copied().unwrap_or_default(),
                clock_ms: included.operation.header().clock.wall_ms,
            });
        }
        check_document_chain(op, included, findings);
    }
    for (hash, (path, _)) in &files {
        if !claimed.contains(hash) {
            findings.invalid(
                "evidence.not_sealed",
                *path,
                "no operation of the bundle seals these bytes",
            );
        }
    }
    check_frozen(operations, &out, findings);
    out
}

/// The chain head printed on a document must be the one before the operation that issued it.
fn check_document_chain(op: &OpId, included: &Included, findings: &mut Findings) {
    let (Some(body), header) = (included.operation.body(), included.operation.header()) else {
        return;
    };
    for field in body.fields().iter().filter(|f| f.path.starts_with("document/")) {
        let differs = match (field.path.rsplit('/').next(), body.get(&field.path)) {
            (Some("chain"), Some(value)) => value.as_bytes() != Some(header.prev.as_bytes()),
            (Some("chain_counter"), Some(value)) => value.as_uint() != Some(header.seq),
            _ => false,
        };
        if differs {
            findings.diverged(
                "document.chain",
                op.to_string(),
                "the document prints another chain head than its operation continues",
            );
        }
    }
}

fn check_frozen(operations: &Operations, items: &[ItemReport], findings: &mut Findings) {
    for (op, included) in operations.in_log_order() {
        let Some(body) = included.operation.body() else {
            continue;
        };
        let lists = body
            .fields()
            .iter()
            .filter(|f| f.path.starts_with("freeze/") && f.path.ends_with("/evidence"));
        for list in lists.filter_map(|f| body.get(&f.path)) {
            for id in list.as_array().unwrap_or_default().iter().filter_map(Value::as_bytes) {
                let Ok(id) = <[u8; 16]>::try_from(id).map(EvidenceId::from_bytes) else {
                    continue;
                };
                let there = items
                    .iter()
                    .any(|i| i.class == "evidence" && i.id == id.to_string() && i.path.is_some());
                if !there {
                    findings.diverged(
                        "freeze.missing",
                        op.to_string(),
                        format!("the frozen set names evidence {id}; its bytes are not here"),
                    );
                }
            }
        }
    }
}

/// Checks every attest against the place of its own operation.
pub(super) fn check_attests(operations: &Operations, keys: &KeyLog, findings: &mut Findings) -> Vec<AttestReport> {
    let mut out = Vec::new();
    for (id, included) in operations
        .in_log_order()
        .into_iter()
        .filter(|(_, o)| o.operation.header().kind == attest::KIND)
    {
        let Some(body) = included.operation.body() else {
            continue;
        };
        let attestation = match Attestation::read(body) {
            Ok(attestation) => attestation,
            Err(_) if !body.is_complete() => continue,
            Err(error) => {
                findings.invalid("attest.malformed", id.to_string(), error.to_string());
                continue;
            }
        };
        let Some(enrolled) = keys
            .key(&attestation.key)
            .filter(|k| k.subject == Some(*attestation.officer.as_bytes()))
        else {
            findings.unanchored(
                "attest.key_unknown",
                id.to_string(),
                "the officer's key is not in the key log",
            );
            continue;
        };
        let place = Place::of(&included.operation);
        let checked = enrolled
            .record
            .key()
            .map_err(attest::AttestError::from)
            .and_then(|key| attestation.verify(&place, &key));
        if let Err(error) = checked {
            findings.invalid("attest.signature", id.to_string(), error.to_string());
            continue;
        }
        let stream = included.operation.header().stream();
        let strayed = |t: &&OpId| {
            operations
                .by_id
                .get(t)
                .is_some_and(|o| o.operation.header().stream() != stream)
        };
        if let Some(target) = attestation.targets.iter().find(strayed) {
            findings.invalid(
                "attest.stream",
                id.to_string(),
                format!("signs {target}, which lies in another stream"),
            );
        }
        let name = enrolled
            .attrs
            .as_ref()
            .and_then(|a| a.get("name"))
            .and_then(|v| v.as_text().map(str::to_owned));
        out.push(AttestReport {
            id: *id,
            officer: attestation.officer.to_string(),
            name,
            role: enrolled.role.clone().unwrap_or_default(),
            meaning: attestation.meaning.as_str(),
            targets: attestation.targets.clone(),
            custody: enrolled.record.custody.as_str(),
        });
    }
    out
}

/// The least set of signers of a kind (`formats/merge.md`, Kinds); packs and headers may only add.
pub fn least_signers(kind: &str) -> &'static [&'static str] {
    match kind {
        "credentials.show" | "document.issue" => &["officer", "second_officer"],
        _ => &[],
    }
}

/// Which required signers have not attested an operation with `made` or `approved`.
pub(super) fn awaiting(id: &OpId, included: &Included, attests: &[AttestReport]) -> Vec<String> {
    let header = included.operation.header();
    let signing = |a: &&AttestReport| a.targets.contains(id) && matches!(a.meaning, "made" | "approved");
    let signed: Vec<&AttestReport> = attests.iter().filter(signing).collect();
    let first_maker = signed
        .iter()
        .find(|a| a.role == "officer" && a.meaning == "made")
        .map(|a| &a.officer);
    let has_role = |role: &str| match role {
        "second_officer" => signed
            .iter()
            .any(|a| a.role == "officer" && first_maker.is_some_and(|f| *f != a.officer)),
        _ => signed.iter().any(|a| a.role == role),
    };
    let least = least_signers(&header.kind)
        .iter()
        .map(|r| RequiredSigner::Role((*r).to_owned()));
    let missing = least
        .chain(header.signers.iter().cloned())
        .filter_map(|required| match required {
            RequiredSigner::Role(role) => (!has_role(&role)).then_some(role),
            RequiredSigner::Officer(o) => (!signed.iter().any(|a| a.officer == o.to_string())).then(|| o.to_string()),
        });
    let set: BTreeSet<String> = missing.collect();
    set.into_iter().collect()
}

/// The files under `data/heads/` must be those of the last operation of each chain: they are what openssl is shown.
pub(super) fn check_heads(
    source: &dyn BundleSource,
    bag: &Bag,
    operations: &Operations,
    keys: &KeyLog,
    findings: &mut Findings,
) {
    // A device that forked has more than one last operation; the files may be those of any.
    let mut expected: BTreeSet<(String, Vec<u8>)> = BTreeSet::new();
    for ((device, incarnation), chain) in operations.chains() {
        let key = keys
            .operation_key(&device, &incarnation)
            .and_then(|k| k.record.key().ok());
        let (Some(end), Some(key)) = (chain.last().map(|o| o.operation.header().seq), key) else {
            continue;
        };
        let stem = format!("data/heads/{device}.{incarnation}");
        for last in chain.iter().filter(|o| o.operation.header().seq == end) {
            let signature = key.signature_for_openssl(last.operation.signature());
            expected.insert((format!("{stem}.pae"), pae(OPERATION, last.operation.header_bytes())));
            expected.insert((format!("{stem}.sig"), signature));
        }
        expected.insert((format!("{stem}.pub.pem"), key.to_pem().into_bytes()));
    }
    for (path, _) in bag.under("data/heads/") {
        let read = source.read(path, 64 * 1024).unwrap_or_default();
        if !expected.contains(&(path.to_owned(), read)) {
            findings.invalid("heads.other", path, "is not made from the last operation of that chain");
        }
    }
}
