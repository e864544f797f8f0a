//! Bundles whose files are not in order, and trust folders that do not fit: what a bearer can do without a key.

use fieldseal_proof::bundle::{BAGIT, MANIFEST, TAG_MANIFEST};
use fieldseal_proof::checkpoint::{AttestationKind, Checkpoint, TimeNote, anchor};
use fieldseal_proof::hash::sha256;
use fieldseal_proof::note::{SignedNote, VerifierKey};
use fieldseal_proof::operation::{Operation, link_words};
use fieldseal_proof::sshsig::{self, allowed_signers_line};
use fieldseal_proof::suite::Signer;
use fieldseal_proof::tlog_proof::TlogProof;
use serde_json::{Value, json};

use super::actors::{MORNING, ORIGIN, ed25519, sample_body, sample_header, seed};
use super::bag::{Files, close, receipt};
use super::bundles::{Maker, Told, find, operation_path};
use super::story::{PDF, PHOTO};
use super::trusts::trust;
use super::{Result, Vector, hex};

pub fn vectors(maker: &Maker) -> Result<Vec<Vector>> {
    let mut out = bags(maker)?;
    let letter = "data/letter.txt";
    let files_with_letter = maker.resigned(|f| {
        f.insert(letter.to_owned(), b"dear court\n".to_vec());
        Ok(())
    })?;
    let what = "A file that no rule knows: no fault, and listed as not checked.";
    let tell = Told { not_checked: vec![letter], ..Told::default() };
    out.push(maker.stands(&files_with_letter, "file-that-nothing-checks", what, &tell)?);
    out.extend(files(maker)?);
    out.extend(attestations(maker)?);
    out.extend(trusts(maker)?);
    out.extend(papers(maker)?);
    Ok(out)
}

/// A manifest changed, and the tag manifest and the signature made anew where it is not itself what changed.
fn relisted(maker: &Maker, path: &str, change: impl Fn(String) -> String) -> Result<Files> {
    let mut files = maker.whole.clone();
    let text = change(String::from_utf8(files[path].clone())?);
    files.insert(path.to_owned(), text.into_bytes());
    if path != TAG_MANIFEST {
        let tags = String::from_utf8(files[TAG_MANIFEST].clone())?;
        let line = |line: &str| match line.split_once("  ") {
            Some((_, listed)) if listed == path => format!("{}  {path}\n", hex(sha256(&files[path]))),
            _ => format!("{line}\n"),
        };
        let tags: String = tags.lines().map(line).collect();
        files.insert(TAG_MANIFEST.to_owned(), tags.into_bytes());
    }
    let signature = sshsig::sign(&files[TAG_MANIFEST], &ed25519("bundle")?)?;
    files.insert(fieldseal_proof::bundle::SIGNATURE.to_owned(), signature.into_bytes());
    Ok(files)
}

fn bags(maker: &Maker) -> Result<Vec<Vector>> {
    let invalid =
        |files: &Files, name, what, findings: &[&'static str]| maker.vector(files, name, what, "INVALID", findings);
    let add = |path: &'static str| {
        maker.resigned(|f| {
            f.insert(path.to_owned(), b"x\n".to_vec());
            Ok(())
        })
    };
    let declared = relisted(maker, BAGIT, |text| text.replace("1.0", "0.97"))?;
    let doubled = relisted(maker, TAG_MANIFEST, |text| text + &format!("{}  data/index.json\n", hex(sha256(b"{}\n"))))?;
    let open_end = relisted(maker, MANIFEST, |text| text.trim_end().to_owned())?;
    let with_return = relisted(maker, MANIFEST, |text| text.replace('\n', "\r\n"))?;
    let mut many = maker.vector(
        &maker.whole,
        "too-many-files",
        "200,001 files more than there may be.",
        "INVALID",
        &["bag.too_many_files", "bag.unlisted"],
    )?;
    many = many.with("numbered", json!({"prefix": "data/x/", "count": 200_001}));
    Ok(vec![
        invalid(&declared, "declaration-of-another-version", "Another version of BagIt.", &["bag.declaration"])?,
        invalid(
            &doubled,
            "payload-listed-as-tag-file",
            "The tag manifest lists a file of the payload: two manifests could say two things about it.",
            &["bag.manifest"],
        )?,
        invalid(
            &open_end,
            "manifest-without-end",
            "The last line of the manifest does not end.",
            &[
                "bag.manifest",
                "bag.unlisted",
                "checkpoint.malformed",
                "key_log.broken",
                "operation.none",
                "bag.signer_not_enrolled",
            ],
        )?,
        invalid(
            &with_return,
            "manifest-with-carriage-returns",
            "Lines that end with CR LF: to other tools the CR belongs to the name.",
            &[
                "bag.manifest",
                "bag.unlisted",
                "checkpoint.malformed",
                "key_log.broken",
                "operation.none",
                "bag.signer_not_enrolled",
            ],
        )?,
        invalid(
            &add("data/evidence/caf\u{e9}.txt")?,
            "path-not-ascii",
            "A name that Unicode writes in two ways: only printable ASCII is allowed.",
            &["bag.unsafe_path", "bag.manifest", "bag.unlisted"],
        )?,
        invalid(
            &add("data/a b.txt")?,
            "path-with-blank",
            "A name with a blank.",
            &["bag.unsafe_path", "bag.manifest", "bag.unlisted"],
        )?,
        many,
    ])
}

fn files(maker: &Maker) -> Result<Vec<Vector>> {
    let (story, chain) = (&maker.story, &maker.story.chains[0]);
    let stem = format!("{}.{}", chain.author.device, chain.author.incarnation);
    let list = format!("data/chains/{stem}.txt");
    let one = |name, what, findings: &[&'static str], change: &dyn Fn(&mut Files) -> Result<()>| -> Result<Vector> {
        maker.vector(&maker.resigned(change)?, name, what, "INVALID", findings)
    };
    let seal = find(story, "evidence.seal")?;
    let proof = format!("data/proofs/{}.tlog-proof", seal.id());
    let lost: &[&'static str] = &["roll.missing", "closing.missing", "stream.gap", "evidence.not_sealed"];
    Ok(vec![
        one(
            "chain-list-longer",
            "The list of a chain goes on after the last shipped operation.",
            &["chain.length"],
            &|f| {
                let line = hex(seed("one more")) + "\n";
                f.get_mut(&list).ok_or("no list")?.extend(line.bytes());
                Ok(())
            },
        )?,
        one("chain-list-in-capitals", "A hash in capitals.", &["chain.malformed"], &|f| {
            f.get_mut(&list).ok_or("no list")?.make_ascii_uppercase();
            Ok(())
        })?,
        one(
            "checkpoint-is-none",
            "A text in place of the checkpoint.",
            &[
                "checkpoint.malformed",
                "operation.inclusion",
                "operation.none",
                "key_log.proof",
                "evidence.not_sealed",
                "heads.other",
                "receipt.signature",
            ],
            &|f| {
                f.insert("data/checkpoint".to_owned(), b"no checkpoint\n".to_vec());
                Ok(())
            },
        )?,
        one(
            "head-proof-of-another-head",
            "The proof of one key log head in place of another's.",
            &["key_log.proof", "key_log.unplaced"],
            &|f| {
                let other = f["data/key-log/7.tlog-proof"].clone();
                f.insert("data/key-log/8.tlog-proof".to_owned(), other);
                Ok(())
            },
        )?,
        one(
            "head-proof-beyond-the-key-log",
            "A proof for a size that the key log does not have.",
            &["key_log.proof"],
            &|f| {
                let other = f["data/key-log/7.tlog-proof"].clone();
                f.insert("data/key-log/9.tlog-proof".to_owned(), other);
                Ok(())
            },
        )?,
        one("operation-is-none", "A file among the operations that is none.", &["operation.malformed"], &|f| {
            f.insert(format!("data/operations/{}.cbor", hex(seed("none"))), b"\xa0".to_vec());
            Ok(())
        })?,
        one(
            "operation-signature-changed",
            "A byte of an operation's signature was changed.",
            &["operation.signature", lost[0], lost[1], lost[2], lost[3]],
            &|f| {
                let frame = f.get_mut(&operation_path(seal)).ok_or("no seal")?;
                let at = frame.windows(64).position(|w| w == seal.signature()).ok_or("no signature")?;
                frame[at + 40] ^= 1;
                Ok(())
            },
        )?,
        one(
            "operation-of-another-tenant",
            "An operation of another tenant among the others.",
            &["operation.tenant"],
            &|f| {
                let mut header = sample_header();
                header.tenant = fieldseal_proof::ids::TenantId::from_bytes([7; 16]);
                let other = Operation::seal(header, sample_body()?, &ed25519("tablet one")?)?;
                f.insert(operation_path(&other), other.frame());
                Ok(())
            },
        )?,
        one(
            "no-operations",
            "A bundle without operations.",
            &["operation.none", "evidence.not_sealed", "heads.other"],
            &|f| {
                f.retain(|path, _| !path.starts_with("data/operations/") && !path.starts_with("data/proofs/"));
                Ok(())
            },
        )?,
        one(
            "proof-under-other-lines",
            "A proof whose checkpoint lacks the witness's line: it is not, byte for byte, that of the bundle.",
            &["operation.inclusion", lost[0], lost[1], lost[2], lost[3]],
            &|f| {
                let bytes = f.get_mut(&proof).ok_or("no proof")?;
                let mut proof = TlogProof::parse(bytes)?;
                proof.note = SignedNote::sign(proof.note.text(), ORIGIN, &ed25519("log")?)?;
                *bytes = proof.to_bytes();
                Ok(())
            },
        )?,
        one(
            "document-with-two-extensions",
            "A document that is named as if it were something else.",
            &["evidence.name"],
            &|f| {
                let name = format!("data/documents/{}.pdf", hex(sha256(PDF)));
                let bytes = f.remove(&name).ok_or("no document")?;
                f.insert(format!("{name}.exe"), bytes);
                Ok(())
            },
        )?,
        one(
            "evidence-in-a-folder",
            "A photograph in a folder of its own: it is not named after its hash.",
            &["evidence.name"],
            &|f| {
                let name = format!("{}.jpg", hex(sha256(PHOTO)));
                let bytes = f.remove(&format!("data/evidence/{name}")).ok_or("no photograph")?;
                f.insert(format!("data/evidence/photos/{name}"), bytes);
                Ok(())
            },
        )?,
        one(
            "receipt-under-another-name",
            "A receipt that is named after another seq.",
            &["receipt.signature"],
            &|f| {
                let (name, bytes) = receipt(chain, chain.author.link, story.deadline_ms)?;
                f.remove(&name);
                f.insert(format!("data/receipts/{stem}.0.cbor"), bytes);
                Ok(())
            },
        )?,
        one("receipt-changed", "A byte of a receipt's signature was changed.", &["receipt.signature"], &|f| {
            let (name, _) = receipt(chain, chain.author.link, story.deadline_ms)?;
            let bytes = f.get_mut(&name).ok_or("no receipt")?;
            let last = bytes.len() - 9;
            bytes[last] ^= 1;
            Ok(())
        })?,
    ])
}

fn attestations(maker: &Maker) -> Result<Vec<Vector>> {
    let now = &maker.story.checkpoint;
    let note = |root, signer: &str| -> Result<Vec<u8>> {
        let (origin, size) = (ORIGIN.to_owned(), now.size);
        let note = TimeNote { origin, unix_ms: MORNING + 9_000_000, size, root };
        Ok(SignedNote::sign(&note.text(), &TimeNote::key_name(ORIGIN), &ed25519(signer)?)?.to_bytes())
    };
    let with = |bytes: Vec<u8>, named: &[u8]| {
        let anchor = anchor(AttestationKind::TimeNote, named);
        maker.resigned(|f| {
            f.insert(format!("data/attestations/{anchor}.time-note"), bytes);
            Ok(())
        })
    };
    let good = note(now.root, "time")?;
    let by_stranger = note(now.root, "stranger")?;
    let other = note(seed("another root"), "time")?;
    let unknown = maker.resigned(|f| {
        f.insert(format!("data/attestations/{}.sundial", hex(seed("noon"))), b"noon\n".to_vec());
        Ok(())
    })?;
    Ok(vec![
        maker.vector(
            &with(good, b"other bytes")?,
            "attestation-under-another-name",
            "A time note that is not named after its anchor.",
            "INVALID",
            &["attestation.name"],
        )?,
        maker.vector(
            &unknown,
            "attestation-of-unknown-kind",
            "An attestation of a kind that no page knows.",
            "INVALID",
            &["attestation.name"],
        )?,
        maker.vector(
            &with(by_stranger.clone(), &by_stranger)?,
            "attestation-by-a-stranger",
            "A time note that no time key of the key log signed.",
            "INVALID",
            &["attestation.signature"],
        )?,
        maker.vector(
            &with(other.clone(), &other)?,
            "split-view",
            "The server attested another root for the size of the checkpoint.",
            "DIVERGED",
            &["attestation.split_view"],
        )?,
    ])
}

fn trusts(maker: &Maker) -> Result<Vec<Vector>> {
    let with = |field: &str, value: Value| -> Result<Value> {
        let mut out = trust()?;
        out[field] = value;
        Ok(out)
    };
    let vkey = |name: &str, label: &str| -> Result<Value> {
        Ok(json!(VerifierKey::ed25519(name, ed25519(label)?.public().clone())?.to_vkey()))
    };
    let root = json!({"suite": 1, "public": hex(ed25519("another root")?.public().as_bytes())});
    let bearer = ed25519("bearer")?;
    let by_bearer = close(maker.payload.clone(), &bearer)?;
    let line = allowed_signers_line(ORIGIN, ed25519("bundle")?.public());
    let authority = line.replacen(" namespaces", " cert-authority,namespaces", 1);
    // The checkpoint also under a second key of the same origin, which the reader trusts and no key log enrols.
    let mut two = maker.story.note.clone();
    let second = SignedNote::sign(two.text(), ORIGIN, &ed25519("second log")?)?;
    let lines = String::from_utf8(second.to_bytes())?;
    let lines = lines.strip_prefix(&format!("{}\n", two.text())).ok_or("a note is text and lines")?;
    two = SignedNote::parse(&[&two.to_bytes(), lines.as_bytes()].concat())?;
    let two_lines = maker.resigned(|f| {
        f.insert("data/checkpoint".to_owned(), two.to_bytes());
        for (_, bytes) in f.iter_mut().filter(|(path, _)| path.ends_with(".tlog-proof")) {
            let mut proof = TlogProof::parse(bytes)?;
            proof.note = two.clone();
            *bytes = proof.to_bytes();
        }
        Ok(())
    })?;
    let one = |trust: Value, files: &Files, name, what, findings: &[&'static str]| {
        maker.under(trust, files, name, what, "UNANCHORED", findings)
    };
    let bad_line = maker.resigned(|f| {
        let checkpoint: &mut Vec<u8> = f.get_mut("data/checkpoint").ok_or("no checkpoint")?;
        let note = SignedNote::parse(checkpoint)?;
        let other = Checkpoint { origin: ORIGIN.to_owned(), size: 1, root: [0; 32] };
        let forged = SignedNote::sign(&other.text(), ORIGIN, &ed25519("log")?)?.to_bytes();
        let line = String::from_utf8(forged)?.lines().last().unwrap_or_default().to_owned();
        let bytes = format!("{}\n{line}\n", note.text()).into_bytes();
        for (_, proof) in f.iter_mut().filter(|(path, _)| path.ends_with(".tlog-proof")) {
            let mut read = TlogProof::parse(proof)?;
            read.note = SignedNote::parse(&bytes)?;
            *proof = read.to_bytes();
        }
        f.insert("data/checkpoint".to_owned(), bytes);
        Ok(())
    })?;
    Ok(vec![
        one(
            with("root", root)?,
            &maker.whole,
            "another-root",
            "The trust folder names another root key.",
            &["key_log.other_root"],
        )?,
        one(
            with("log_vkey", vkey(ORIGIN, "another log")?)?,
            &maker.whole,
            "another-log-key",
            "The trust folder names another key of the log.",
            &["checkpoint.key_unknown", "checkpoint.key_not_enrolled"],
        )?,
        one(
            with("log_vkey", vkey("example.org/county/1", "log")?)?,
            &maker.whole,
            "another-origin",
            "The trust folder names another log of the same key.",
            &["checkpoint.other_log", "checkpoint.key_not_enrolled"],
        )?,
        one(
            with("log_vkey", vkey(ORIGIN, "second log")?)?,
            &two_lines,
            "log-key-not-enrolled",
            "The trusted log key signed the checkpoint, but no key log enrols it.",
            &["checkpoint.key_not_enrolled"],
        )?,
        one(
            with("allowed_signers", json!(allowed_signers_line(ORIGIN, bearer.public())))?,
            &by_bearer,
            "signer-not-enrolled",
            "The bundle's signer is allowed, but no bundle key of the tenant.",
            &["bag.signer_not_enrolled"],
        )?,
        one(
            with("allowed_signers", json!(authority))?,
            &maker.whole,
            "signer-as-authority",
            "The line of the signer says that the key is a certificate authority's: it allows nobody.",
            &["bag.signer_unknown"],
        )?,
        maker.vector(
            &bad_line,
            "checkpoint-line-of-another-text",
            "The log's line is a good signature over another checkpoint.",
            "INVALID",
            &["checkpoint.signature"],
        )?,
    ])
}

fn papers(maker: &Maker) -> Result<Vec<Vector>> {
    let issued = find(&maker.story, "document.issue")?;
    let good = maker
        .good("paper", "The words on the paper are those of the link before the document.", &[], |_| Told::default())?;
    let one = |name, what, verdict, findings: &[&'static str], words: String| -> Result<Vector> {
        Ok(maker.vector(&maker.whole, name, what, verdict, findings)?.with("paper", words))
    };
    let after = link_words(&issued.link());
    Ok(vec![
        good.with("paper", link_words(&issued.header().prev)),
        one(
            "paper-without-words",
            "No words of a link.",
            "INVALID",
            &["paper.words"],
            "seven words of nothing".to_owned(),
        )?,
        one(
            "paper-of-another-link",
            "The words of the link after the document, which no document continues.",
            "DIVERGED",
            &["paper.other"],
            after,
        )?,
    ])
}
