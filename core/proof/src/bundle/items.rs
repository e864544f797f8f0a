//! Evidence, documents and people's signatures: what the operations say, against the bytes that were supplied.

use std::collections::{BTreeMap, BTreeSet};

use super::Ground;
use super::disposals::Disposals;
use super::findings::Findings;
use super::operations::{Included, Operations};
use super::report::{AttestReport, ItemReport, TimeBracket};
use crate::attest::{self, Attestation, Place};
use crate::disposal;
use crate::dsse::{OPERATION, pae};
use crate::ids::{EvidenceId, OpId, to_hex};
use crate::key_log::Purpose;
use crate::operation::RequiredSigner;

const SEALED: [(&str, &str, &str); 3] = [
    ("evidence/", "/sha256", "evidence"),
    ("document/", "/pdf_sha256", "document"),
    ("signature/", "/signed_pdf_sha256", "signed_document"),
];

/// Matches every sealed hash with the supplied bytes, and every supplied file with a seal.
pub(super) fn check_items(
    ground: &Ground,
    operations: &Operations,
    disposals: &Disposals,
    brackets: &BTreeMap<OpId, TimeBracket>,
    findings: &mut Findings,
) -> Vec<ItemReport> {
    let bag = &ground.bag;
    let mut files: BTreeMap<String, (&str, u64)> = BTreeMap::new();
    for (path, name) in bag.under("data/evidence/").chain(bag.under("data/documents/")) {
        let (hash, size) = bag.good[path];
        bag.mark(path);
        let pdf = path.starts_with("data/documents/");
        let good = |ext: &str| match pdf {
            true => ext == "pdf",
            false => (1..=16).contains(&ext.len()) && ext.bytes().all(|b| b.is_ascii_alphanumeric()),
        };
        if name.split_once('.').is_none_or(|(named, ext)| to_hex(&hash) != named || !good(ext)) {
            findings.add("evidence.name", path);
        }
        files.insert(to_hex(&hash), (path, size));
    }
    let mut claimed = BTreeSet::new();
    let mut out = Vec::new();
    for (op, included) in operations.in_log_order() {
        for field in included.operation.body().into_iter().flat_map(|b| b.fields()) {
            let matched = SEALED.iter().find_map(|(prefix, suffix, class)| {
                let id = field.path.strip_prefix(prefix)?.strip_suffix(suffix)?;
                (!id.contains('/')).then_some((*prefix, id, *class))
            });
            let Some((prefix, id, class)) = matched else { continue };
            let other = |name: &str| included.field(&format!("{prefix}{id}/{name}"));
            let text = |name: &str| other(name).and_then(|v| v.as_text().map(str::to_owned));
            let sha256 = included.field(&field.path).and_then(|v| v.as_bytes().map(to_hex));
            let file = sha256.as_ref().and_then(|h| files.get(h));
            let size = other("size").and_then(|v| v.as_uint());
            if let (Some((path, there)), Some(size)) = (file, size)
                && *there != size
            {
                findings.add("evidence.size", path);
            }
            claimed.extend(sha256.clone());
            let disposal = match &sha256 {
                Some(hash) => disposals.of_file(op, hash),
                None => disposals.of_value(op, included, &field.path),
            };
            if let (Some((path, _)), true) = (file, disposal.is_some()) {
                findings.add_with("disposal.still_there", op, path);
            }
            out.push(ItemReport {
                id: id.to_owned(),
                class,
                path: file.map(|(path, _)| (*path).to_owned()),
                sha256,
                disposed_by: disposal.map(|(id, _)| id),
                sealed_by: *op,
                acquisition: text("acquisition"),
                title: text("title").or_else(|| text("type")),
                bracket: brackets.get(op).copied().unwrap_or_default(),
                clock_ms: included.operation.header().clock.wall_ms,
            });
        }
    }
    let unclaimed = files.iter().filter(|(hash, _)| !claimed.contains(*hash));
    unclaimed.for_each(|(_, (path, _))| findings.add("evidence.not_sealed", path));
    check_documents(operations, findings);
    check_frozen(operations, &out, findings);
    out
}

/// The chain head printed on a document must be the one before the operation that issued it.
fn check_documents(operations: &Operations, findings: &mut Findings) {
    for (op, included) in operations.of_kind("document.issue") {
        let header = included.operation.header();
        for field in included.operation.body().into_iter().flat_map(|b| b.fields()) {
            let parts: Vec<&str> = field.path.split('/').collect();
            let differs = match (parts.as_slice(), included.field(&field.path)) {
                (["document", _, "chain"], Some(value)) => value.as_bytes() != Some(header.prev.as_bytes()),
                (["document", _, "chain_counter"], Some(value)) => value.as_uint() != Some(header.seq),
                _ => false,
            };
            if differs {
                findings.add("document.chain", op);
            }
        }
    }
}

/// Every piece of evidence that a freeze names is sealed, and the bytes of each of its seals are here, or were disposed of
/// before the freeze.
fn check_frozen(operations: &Operations, items: &[ItemReport], findings: &mut Findings) {
    let mut seals: BTreeMap<&str, Vec<&ItemReport>> = BTreeMap::new();
    for item in items.iter().filter(|i| i.class == "evidence") {
        seals.entry(&item.id).or_default().push(item);
    }
    let disposed_at = |item: &ItemReport| item.disposed_by.and_then(|id| Some(operations.by_id.get(&id)?.index));
    for (op, included) in operations.of_kind("evidence.freeze") {
        let fields = included.operation.body().into_iter().flat_map(|b| b.fields());
        let lists = fields.filter(|f| f.path.starts_with("freeze/") && f.path.ends_with("/evidence"));
        for list in lists.filter_map(|f| included.field(&f.path)) {
            let ids = list.as_array().unwrap_or_default().iter().filter_map(|v| v.as_bytes()?.try_into().ok());
            for id in ids.map(|id| EvidenceId::from_bytes(id).to_string()) {
                let there =
                    |item: &&ItemReport| item.path.is_some() || disposed_at(item).is_some_and(|at| at < included.index);
                if !seals.get(id.as_str()).is_some_and(|of| of.iter().all(there)) {
                    findings.add_with("freeze.missing", op, id);
                }
            }
        }
    }
}

/// Checks every attest that counts against the place of its own operation.
pub(super) fn check_attests(
    ground: &Ground,
    heads: &BTreeMap<u64, u64>,
    operations: &Operations,
    findings: &mut Findings,
) -> Vec<AttestReport> {
    let mut out = Vec::new();
    for (id, included) in operations.of_kind(attest::KIND) {
        let Some(attestation) = included.operation.body().and_then(|body| Attestation::read(body).ok()) else {
            findings.add("attest.malformed", id);
            continue;
        };
        let officer = Some(*attestation.officer.as_bytes());
        let enrolled = ground.keys.key(&attestation.key);
        let Some(enrolled) = enrolled.filter(|k| k.record.purpose == Purpose::Officer && k.subject == officer) else {
            findings.add("attest.key_unknown", id);
            continue;
        };
        let key = enrolled.record.key().map_err(attest::AttestError::from);
        if let Err(error) = key.and_then(|key| attestation.verify(&Place::of(&included.operation), &key)) {
            findings.add_with("attest.signature", id, error);
            continue;
        }
        let stream = included.operation.header().stream();
        let strays = |t: &&OpId| operations.by_id.get(t).is_some_and(|o| o.operation.header().stream() != stream);
        if let Some(target) = attestation.targets.iter().find(strays) {
            findings.add_with("attest.stream", id, target);
        }
        let name = enrolled.attrs.as_ref().and_then(|a| a.get("name"));
        out.push(AttestReport {
            id: *id,
            officer: attestation.officer.to_string(),
            name: name.and_then(|v| v.as_text().map(str::to_owned)),
            role: enrolled.role.clone().unwrap_or_default(),
            meaning: attestation.meaning.as_str(),
            targets: attestation.targets.clone(),
            custody: enrolled.record.custody.as_str(),
            in_force: heads.get(&(enrolled.enrolled_at + 1)).is_some_and(|at| included.index > *at),
        });
    }
    out
}

/// The least set of signers of a kind (`formats/merge.md`, Kinds). What a rule pack asks for beyond it stands in the header.
pub fn least_signers(kind: &str) -> &'static [&'static str] {
    match kind {
        "credentials.show" | "document.issue" => &["officer"],
        disposal::KIND => &["supervisor"],
        _ => &[],
    }
}

/// The attests that count towards a required signer, in log order, by the operation they sign.
pub(super) fn by_target(attests: &[AttestReport]) -> BTreeMap<OpId, Vec<&AttestReport>> {
    let mut out: BTreeMap<OpId, Vec<&AttestReport>> = BTreeMap::new();
    for one in attests.iter().filter(|a| a.in_force && matches!(a.meaning, "made" | "approved")) {
        one.targets.iter().for_each(|target| out.entry(*target).or_default().push(one));
    }
    out
}

/// Which required signers have not attested an operation with `made` or `approved`.
pub(super) fn awaiting(included: &Included, signed: &[&AttestReport]) -> Vec<String> {
    let header = included.operation.header();
    let first_maker = signed.iter().find(|a| a.role == "officer" && a.meaning == "made").map(|a| &a.officer);
    let has_role = |role: &str| match role {
        "second_officer" => signed.iter().any(|a| a.role == "officer" && first_maker.is_some_and(|f| *f != a.officer)),
        _ => signed.iter().any(|a| a.role == role),
    };
    let least = least_signers(&header.kind).iter().map(|r| RequiredSigner::Role((*r).to_owned()));
    let missing = least.chain(header.signers.iter().cloned()).filter_map(|required| match required {
        RequiredSigner::Role(role) => (!has_role(&role)).then_some(role),
        RequiredSigner::Officer(o) => (!signed.iter().any(|a| a.officer == o.to_string())).then(|| o.to_string()),
    });
    missing.collect::<BTreeSet<String>>().into_iter().collect()
}

/// The files under `data/heads/` must be those of the last operation of each chain: they are what openssl is shown.
pub(super) fn check_heads(ground: &Ground, operations: &Operations, findings: &mut Findings) {
    // A device that forked has more than one last operation; the files may be those of any.
    let mut expected: BTreeSet<(String, Vec<u8>)> = BTreeSet::new();
    for ((device, incarnation), chain) in operations.chains() {
        let (Some(last), Ok(key)) = (chain.last(), chain[0].key.record.key()) else {
            continue;
        };
        let stem = format!("data/heads/{device}.{incarnation}");
        for one in chain.iter().map(|o| &o.operation).filter(|o| o.header().seq == last.operation.header().seq) {
            expected.insert((format!("{stem}.pae"), pae(OPERATION, one.header_bytes())));
            expected.insert((format!("{stem}.sig"), key.signature_for_openssl(one.signature())));
        }
        expected.insert((format!("{stem}.pub.pem"), key.to_pem().into_bytes()));
    }
    for (path, _) in ground.bag.under("data/heads/") {
        let read = ground.bag.read(path, 64 * 1024).unwrap_or_default();
        if !expected.contains(&(path.to_owned(), read)) {
            findings.add("heads.other", path);
        }
    }
}
