//! Hearing bundles, whole and broken: `bundle.md`.

use fieldseal_proof::bundle::{MANIFEST, TAG_MANIFEST};
use fieldseal_proof::checkpoint::{AttestationKind, anchor};
use fieldseal_proof::hash::sha256;
use fieldseal_proof::ids::Link;
use fieldseal_proof::note::SignedNote;
use fieldseal_proof::operation::Operation;
use serde_json::{Value, json};

use super::actors::{MORNING, ORIGIN, ed25519, seed};
use super::bag::{Files, close, head_files, payload, receipt};
use super::notes::cosigned;
use super::story::{PHOTO, Story, Twist, tell};
use super::trusts::{foreign_trust, trust, trust_with_witness};
use super::{Result, Vector, bundle_acts, bundle_forms, hex, trusts};

const PAGE: &str = "bundle.md";
/// The bundle from which the others differ.
const BASE: &str = "bundle/positive/whole.json";

fn hex_files(files: &Files) -> Value {
    files.iter().map(|(path, bytes)| (path.clone(), json!(hex(bytes)))).collect::<serde_json::Map<_, _>>().into()
}

/// What differs from the base: new bytes, or null for a file that is gone.
fn changes(base: &Files, files: &Files) -> Value {
    let gone = base.keys().filter(|path| !files.contains_key(*path)).map(|path| (path.clone(), Value::Null));
    let other = files.iter().filter(|(path, bytes)| base.get(*path) != Some(*bytes));
    let mut all: Vec<(String, Value)> = gone.chain(other.map(|(p, b)| (p.clone(), json!(hex(b))))).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all.into_iter().collect::<serde_json::Map<_, _>>().into()
}

fn with_output(vector: Vector, verdict: &str, findings: &[&str]) -> Vector {
    vector.gives("verdict", verdict).gives("findings", findings.to_vec())
}

/// What a bundle in order tells beyond its verdict and its operations.
#[derive(Default)]
pub(super) struct Told {
    /// It has no roll.
    pub no_roll: bool,
    /// Operation and path.
    pub withheld: Vec<(String, &'static str)>,
    /// When a witness cosigned the checkpoint, if that is what the later operations' upper bound rests on.
    pub cosigned_ms: Option<u64>,
    /// The same of what disposals took away.
    pub disposed: Vec<(String, &'static str)>,
    pub late: Vec<String>,
    /// Operation and missing signer.
    pub awaiting: Vec<(String, &'static str)>,
    /// Files that no check rests on, beyond the usual ones.
    pub not_checked: Vec<&'static str>,
}

/// The facts of a bundle in order, beyond its verdict.
fn told(vector: Vector, story: &Story, told: &Told) -> Vector {
    let mut operations: Vec<&(Operation, u64)> = story.shipped.iter().collect();
    operations.sort_by_key(|(_, index)| *index);
    let one = |(o, index): &&(Operation, u64)| {
        let early = *index < story.times.iter().map(|t| t.1).nth(1).unwrap_or(0);
        let note = MORNING + if early { 3_600_000 } else { 7_200_000 };
        let until = told.cosigned_ms.map_or(note, |ms| ms.min(note));
        json!({"id": o.id().to_string(), "index": index, "not_before": MORNING - 60_000, "not_after": until})
    };
    let vector = match told.disposed.is_empty() {
        true => vector,
        false => vector.gives("disposed", json!(told.disposed)),
    };
    vector
        .gives("time", "claimed")
        .gives("tree_size", story.checkpoint.size)
        .gives("complete_by_roll", !told.no_roll)
        .gives("operations", operations.iter().map(one).collect::<Vec<_>>())
        .gives("withheld", json!(told.withheld))
        .gives("late", json!(told.late))
        .gives("awaiting", json!(told.awaiting))
        .gives("not_checked", {
            let usual = ["README.md", "bag-info.txt", "data/index.json", "data/views/case.json"];
            let mut all = [&usual[..], &told.not_checked].concat();
            all.sort_unstable();
            json!(all)
        })
}

/// The first operation of this kind.
pub(super) fn find<'a>(story: &'a Story, kind: &str) -> Result<&'a Operation> {
    let found = story.shipped.iter().find(|(o, _)| o.header().kind == kind);
    Ok(&found.ok_or("the story has such an operation")?.0)
}

pub(super) fn operation_path(operation: &Operation) -> String {
    format!("data/operations/{}.cbor", operation.id())
}

pub(super) fn flip(files: &mut Files, path: &str) -> Result<()> {
    let bytes = files.get_mut(path).ok_or("no such file")?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    Ok(())
}

/// Removes the files of an operation.
pub(super) fn leave_out(files: &mut Files, operation: &Operation) {
    files.remove(&operation_path(operation));
    files.remove(&format!("data/proofs/{}.tlog-proof", operation.id()));
}

/// The base bundle, and vectors that differ from it.
pub(super) struct Maker {
    pub story: Story,
    pub payload: Files,
    pub whole: Files,
}

impl Maker {
    pub fn vector(
        &self,
        files: &Files,
        name: &str,
        what: &str,
        verdict: &'static str,
        findings: &[&'static str],
    ) -> Result<Vector> {
        self.under(trust()?, files, name, what, verdict, findings)
    }

    pub fn under(
        &self,
        trust: Value,
        files: &Files,
        name: &str,
        what: &str,
        verdict: &str,
        findings: &[&'static str],
    ) -> Result<Vector> {
        let mut sorted = findings.to_vec();
        sorted.sort_unstable();
        let good = matches!(verdict, "ANCHORED" | "WITNESSED");
        let vector = match findings.first() {
            Some(first) if !good => Vector::invalid("bundle", name, PAGE, what, first),
            _ => Vector::valid("bundle", name, PAGE, what),
        };
        let vector = vector.with("base", BASE).with("changes", changes(&self.whole, files)).with("trust", trust);
        Ok(with_output(vector, verdict, &sorted))
    }

    /// These files under the usual trust: a bundle that stands.
    pub fn stands(&self, files: &Files, name: &str, what: &str, tell: &Told) -> Result<Vector> {
        self.stands_as(&self.story, files, name, what, tell)
    }

    /// Files of another story under the usual trust: a bundle that stands.
    pub fn stands_as(&self, story: &Story, files: &Files, name: &str, what: &str, tell: &Told) -> Result<Vector> {
        Ok(told(self.vector(files, name, what, "ANCHORED", &[])?, story, tell))
    }

    /// A good bundle of a story told otherwise, with what it tells.
    pub fn good(&self, name: &str, what: &str, twists: &[Twist], tell: impl FnOnce(&Story) -> Told) -> Result<Vector> {
        let (story, files) = self.twisted(twists)?;
        let tell = tell(&story);
        Ok(told(self.vector(&files, name, what, "ANCHORED", &[])?, &story, &tell))
    }

    /// Changed payload under good manifests by the server's bundle key.
    pub fn resigned(&self, change: impl FnOnce(&mut Files) -> Result<()>) -> Result<Files> {
        let mut files = self.payload.clone();
        change(&mut files)?;
        close(files, &ed25519("bundle")?)
    }

    /// The bundle of a story told otherwise.
    pub fn twisted(&self, twists: &[Twist]) -> Result<(Story, Files)> {
        let story = tell(twists)?;
        let files = close(payload(&story)?, &ed25519("bundle")?)?;
        Ok((story, files))
    }

    /// The whole bundle with a change that no manifest knows.
    pub fn touched(&self, change: impl FnOnce(&mut Files) -> Result<()>) -> Result<Files> {
        let mut files = self.whole.clone();
        change(&mut files)?;
        Ok(files)
    }
}

pub fn vectors() -> Result<Vec<Vector>> {
    let story = tell(&[])?;
    let payload = payload(&story)?;
    let whole = close(payload.clone(), &ed25519("bundle")?)?;
    let maker = Maker { story, payload, whole };
    let mut out = good(&maker)?;
    out.extend(touched(&maker)?);
    out.extend(resigned(&maker)?);
    out.extend(told_wrongly(&maker)?);
    out.extend(bundle_forms::vectors(&maker)?);
    out.extend(bundle_acts::vectors(&maker)?);
    out.extend(trusts::vectors()?);
    Ok(out)
}

fn good(maker: &Maker) -> Result<Vec<Vector>> {
    let (story, whole) = (&maker.story, &maker.whole);
    let base = Vector::valid(
        "bundle",
        "whole",
        PAGE,
        "A whole bundle: two tablets, the server, evidence, a document, attests, a roll and a revocation.",
    )
    .with("files", hex_files(whole))
    .with("trust", trust()?);
    let base = told(with_output(base, "ANCHORED", &[]), story, &Told::default());
    let finding = find(story, "finding.record")?;
    let withheld_path = "finding/8b1c/text";
    let partial = maker.resigned(|files| {
        let body = finding.body().map(|b| b.withhold(&[withheld_path]));
        files.insert(operation_path(finding), finding.with_body(body)?.frame());
        files.remove(&format!("data/evidence/{}.jpg", hex(sha256(PHOTO))));
        Ok(())
    })?;
    let before_the_note = MORNING + 7_000_000;
    let cosigned = maker.resigned(|files| {
        let note = SignedNote::sign(&story.checkpoint.text(), ORIGIN, &ed25519("log")?)?;
        let note = cosigned(&note, "example.net/witness", &ed25519("witness")?, before_the_note / 1000)?.to_bytes();
        let anchor = anchor(AttestationKind::CosignedNote, &note);
        files.insert(format!("data/attestations/{anchor}.cosigned-note"), note);
        Ok(())
    })?;
    let by_witness = Told { cosigned_ms: Some(before_the_note), ..Told::default() };
    let bound =
        "A witness cosigned the checkpoint before the server said the time: the later operations' upper bound is his.";
    let withheld = Told { withheld: vec![(finding.id().to_string(), withheld_path)], ..Told::default() };
    let as_told = |trust, files: &Files, name, what, verdict, tell: &Told| -> Result<Vector> {
        Ok(told(maker.under(trust, files, name, what, verdict, &[])?, story, tell))
    };
    let plain = Told::default();
    let witness = "The same files under a policy of one witness: another organisation cosigned the checkpoint.";
    let own = "A witness that the operator runs itself raises nothing.";
    let short = "One organisation cosigned where two are asked for.";
    let kept_back = "A value withheld and a photograph not supplied: both are listed, and neither is a fault.";
    Ok(vec![
        base,
        as_told(trust_with_witness("witness", 1, false)?, whole, "witnessed", witness, "WITNESSED", &plain)?,
        as_told(
            trust_with_witness("witness", 1, false)?,
            &cosigned,
            "cosigned-bracket",
            bound,
            "WITNESSED",
            &by_witness,
        )?,
        as_told(trust_with_witness("witness", 1, true)?, whole, "witness-of-the-operator", own, "ANCHORED", &plain)?,
        as_told(trust_with_witness("witness", 2, false)?, whole, "quorum-not-reached", short, "ANCHORED", &plain)?,
        as_told(trust()?, &partial, "value-withheld-and-photo-not-supplied", kept_back, "ANCHORED", &withheld)?,
        maker.good("without-roll", "Without a roll completeness is not claimed.", &[Twist::NoRoll], |_| Told {
            no_roll: true,
            ..Told::default()
        })?,
        maker.good(
            "quarantined-after-revocation",
            "An operation after the revocation of its key, set aside by a disposition.",
            &[Twist::WritesAfterRevocation, Twist::Quarantined],
            |_| Told::default(),
        )?,
    ])
}

/// Changes by somebody who can sign nothing.
fn touched(maker: &Maker) -> Result<Vec<Vector>> {
    let photo = format!("data/evidence/{}.jpg", hex(sha256(PHOTO)));
    let record = operation_path(find(&maker.story, "finding.record")?);
    let proof = format!("data/proofs/{}.tlog-proof", find(&maker.story, "finding.record")?.id());
    let one = |name, what, findings: &[&'static str], change: &dyn Fn(&mut Files) -> Result<()>| -> Result<Vector> {
        maker.vector(&maker.touched(change)?, name, what, "INVALID", findings)
    };
    Ok(vec![
        one("photo-bit", "A bit of the photograph was changed.", &["bag.changed"], &|f| flip(f, &photo))?,
        one("manifest-bit", "A digit of the tag manifest was changed.", &["bag.changed", "bag.signature"], &|f| {
            let manifest = f.get_mut(TAG_MANIFEST).ok_or("no tag manifest")?;
            manifest[0] = if manifest[0] == b'0' { b'1' } else { b'0' };
            Ok(())
        })?,
        one("file-missing", "A listed file is missing.", &["bag.missing"], &|f| {
            f.remove("data/index.json");
            Ok(())
        })?,
        one("file-unlisted", "A file that no manifest lists.", &["bag.unlisted"], &|f| {
            f.insert("data/extra.txt".to_owned(), b"hello\n".to_vec());
            Ok(())
        })?,
        one("signature-missing", "No signature.", &["bag.signature"], &|f| {
            f.remove("tagmanifest-sha256.txt.sig");
            Ok(())
        })?,
        one(
            "record-bit",
            "A bit of a record was changed; the manifest notices, and without it the operation is missing.",
            &["bag.changed", "roll.missing", "closing.missing", "stream.gap"],
            &|f| flip(f, &record),
        )?,
        one(
            "proof-bit",
            "A bit of a proof was changed.",
            &["bag.changed", "operation.inclusion", "roll.missing", "closing.missing", "stream.gap"],
            &|f| {
                let bytes = f.get_mut(&proof).ok_or("no proof")?;
                // The first character of the first hash.
                let at = bytes.windows(2).position(|w| w == b"\n\n").ok_or("no hashes")? - 10;
                bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
                Ok(())
            },
        )?,
        one("two-lines-for-one-file", "The manifest lists a file twice.", &["bag.changed", "bag.manifest"], &|f| {
            let manifest = f.get_mut(MANIFEST).ok_or("no manifest")?;
            let line: Vec<u8> = manifest.split_inclusive(|b| *b == b'\n').next().unwrap_or_default().to_vec();
            manifest.extend(line);
            Ok(())
        })?,
    ])
}

/// Changes under manifests that were made and signed anew.
fn resigned(maker: &Maker) -> Result<Vec<Vector>> {
    let story = &maker.story;
    let photo_path = format!("data/evidence/{}.jpg", hex(sha256(PHOTO)));
    let seal = find(story, "evidence.seal")?;
    let (one, heads_stem) =
        (&story.chains[0], format!("{}.{}", story.chains[0].author.device, story.chains[0].author.incarnation));
    let by_server =
        |name, what, verdict, findings: &[&'static str], change: &dyn Fn(&mut Files) -> Result<()>| -> Result<Vector> {
            maker.vector(&maker.resigned(change)?, name, what, verdict, findings)
        };
    let bearer = ed25519("bearer")?;
    let mut left_out = maker.payload.clone();
    leave_out(&mut left_out, seal);
    left_out.remove(&photo_path);
    let add = |path: &'static str| {
        move |f: &mut Files| -> Result<()> {
            f.insert(path.to_owned(), b"x\n".to_vec());
            Ok(())
        }
    };
    Ok(vec![
        maker.vector(
            &close(maker.payload.clone(), &bearer)?,
            "resigned-by-the-bearer",
            "The whole bundle under another signature.",
            "UNANCHORED",
            &["bag.signer_unknown"],
        )?,
        maker.vector(
            &close(left_out, &bearer)?,
            "item-left-out",
            "A seal and its photograph left out, and the bag made and signed anew: the roll and the closing tell.",
            "DIVERGED",
            &["roll.missing", "closing.missing", "stream.gap", "bag.signer_unknown"],
        )?,
        maker.under(
            foreign_trust()?,
            &maker.whole,
            "foreign-root",
            "A bundle that is whole in itself, made with keys of which the trust folder knows none.",
            "UNANCHORED",
            &["key_log.other_root", "checkpoint.key_unknown", "checkpoint.key_not_enrolled", "bag.signer_unknown"],
        )?,
        by_server(
            "receipt-of-another-history",
            "A receipt whose link is not that of the chain.",
            "DIVERGED",
            &["receipt.link"],
            &|f| {
                let (name, bytes) = receipt(one, Link::from_bytes(seed("another history")), MORNING + 86_400_000)?;
                f.insert(name, bytes);
                Ok(())
            },
        )?,
        by_server(
            "head-of-another-operation",
            "The files for openssl are those of another operation.",
            "INVALID",
            &["heads.other"],
            &|f| {
                f.extend(head_files(&heads_stem, seal, &*one.author.signer));
                Ok(())
            },
        )?,
        by_server(
            "evidence-nobody-sealed",
            "A photograph that no operation seals.",
            "INVALID",
            &["evidence.not_sealed"],
            &|f| {
                let other = b"another photograph".to_vec();
                f.insert(format!("data/evidence/{}.jpg", hex(sha256(&other))), other);
                Ok(())
            },
        )?,
        by_server(
            "evidence-under-another-name",
            "A photograph that is not named after its hash.",
            "INVALID",
            &["evidence.name"],
            &|f| {
                let bytes = f.remove(&photo_path).ok_or("no photograph")?;
                f.insert(format!("data/evidence/{}.jpg", hex(seed("name"))), bytes);
                Ok(())
            },
        )?,
        by_server(
            "path-climbs",
            "A path with two dots.",
            "INVALID",
            &["bag.unsafe_path", "bag.manifest", "bag.unlisted"],
            &add("data/../outside.txt"),
        )?,
        by_server(
            "path-with-backslash",
            "A path with a backslash.",
            "INVALID",
            &["bag.unsafe_path", "bag.manifest", "bag.unlisted"],
            &add("data\\outside.txt"),
        )?,
        by_server(
            "names-equal-ignoring-case",
            "Two names that differ in case alone.",
            "INVALID",
            &["bag.ambiguous_name"],
            &add("data/INDEX.json"),
        )?,
        by_server("fetch-txt", "A bag that wants to fetch files.", "INVALID", &["bag.fetch"], &add("fetch.txt"))?,
        by_server(
            "key-log-too-short",
            "A key log without the revocation that the roll's head covers.",
            "DIVERGED",
            &["roll.key_log"],
            &|f| {
                f.insert("data/key-log.cbor-seq".to_owned(), story.ledger.first(7));
                f.remove("data/key-log/8.tlog-proof");
                Ok(())
            },
        )?,
        by_server(
            "key-log-changed",
            "A bit of the key log was changed.",
            "INVALID",
            &[
                "key_log.broken",
                "bag.signer_not_enrolled",
                "key_log.proof",
                "operation.key_unknown",
                "operation.none",
                "attestation.signature",
                "receipt.signature",
                "heads.other",
                "evidence.not_sealed",
                "checkpoint.key_not_enrolled",
            ],
            &|f| flip(f, "data/key-log.cbor-seq"),
        )?,
        by_server(
            "revocation-not-placed",
            "No proof shows when the revocation took effect.",
            "INVALID",
            &["key_log.unplaced"],
            &|f| {
                f.remove("data/key-log/8.tlog-proof");
                Ok(())
            },
        )?,
        by_server(
            "proof-missing",
            "An operation without its proof.",
            "INVALID",
            &["operation.inclusion", "evidence.not_sealed", "roll.missing", "closing.missing", "stream.gap"],
            &|f| {
                f.remove(&format!("data/proofs/{}.tlog-proof", seal.id()));
                Ok(())
            },
        )?,
        by_server(
            "operation-under-another-name",
            "A frame that is not named after its id.",
            "INVALID",
            &["operation.name"],
            &|f| {
                let bytes = f.remove(&operation_path(seal)).ok_or("no seal")?;
                f.insert(format!("data/operations/{}.cbor", hex(seed("name"))), bytes);
                Ok(())
            },
        )?,
        by_server(
            "chain-list-changed",
            "A commitment of the first operation, which is of no case, was changed.",
            "INVALID",
            &["chain.broken", "receipt.link"],
            &|f| {
                let bytes = f.get_mut(&format!("data/chains/{heads_stem}.txt")).ok_or("no chain")?;
                bytes[65] = if bytes[65] == b'0' { b'1' } else { b'0' };
                Ok(())
            },
        )?,
        by_server("chain-list-missing", "No list of a chain.", "INVALID", &["chain.missing"], &|f| {
            f.remove(&format!("data/chains/{heads_stem}.txt"));
            Ok(())
        })?,
        by_server(
            "consistency-changed",
            "A consistency proof that proves nothing.",
            "INVALID",
            &["attestation.consistency"],
            &|f| flip(f, "data/consistency/10.txt"),
        )?,
        by_server(
            "checkpoint-changed",
            "Another size in the checkpoint.",
            "INVALID",
            &[
                "checkpoint.signature",
                "operation.inclusion",
                "operation.none",
                "key_log.proof",
                "evidence.not_sealed",
                "heads.other",
            ],
            &|f| {
                let text = String::from_utf8(f["data/checkpoint"].clone())?;
                let size = format!("\n{}\n", story.checkpoint.size);
                let other = format!("\n{}\n", story.checkpoint.size + 1);
                f.insert("data/checkpoint".to_owned(), text.replacen(&size, &other, 1).into_bytes());
                Ok(())
            },
        )?,
    ])
}

/// Bundles that the server itself might make: all signatures hold, the facts do not agree.
fn told_wrongly(maker: &Maker) -> Result<Vec<Vector>> {
    let one = |name, what, verdict, findings: &[&'static str], twists: &[Twist]| -> Result<Vector> {
        maker.vector(&maker.twisted(twists)?.1, name, what, verdict, findings)
    };
    let (frozen, mut files) = (tell(&[Twist::Freeze])?, Files::new());
    files.extend(payload(&frozen)?);
    files.remove(&format!("data/evidence/{}.jpg", hex(sha256(PHOTO))));
    let frozen = close(files, &ed25519("bundle")?)?;
    Ok(vec![
        one(
            "fork-by-seq",
            "A tablet signed two operations with one sequence; both are logged and shown.",
            "DIVERGED",
            &["fork"],
            &[Twist::ForkBySeq],
        )?,
        one(
            "fork-by-restore",
            "A tablet's second incarnation starts from a link that the first one continued.",
            "DIVERGED",
            &["fork"],
            &[Twist::ForkByPrev],
        )?,
        one(
            "closing-names-more",
            "The closing names an operation that the bundle lacks.",
            "DIVERGED",
            &["closing.missing"],
            &[Twist::ClosingNamesMore],
        )?,
        one(
            "operation-after-revocation",
            "An operation logged after its key was revoked.",
            "INVALID",
            &["operation.key_revoked"],
            &[Twist::WritesAfterRevocation],
        )?,
        one(
            "attest-after-revocation",
            "An officer's signature in an operation that was logged after the officer's key was revoked.",
            "INVALID",
            &["operation.key_revoked"],
            &[Twist::OfficerRevoked],
        )?,
        one(
            "bracket-turned-round",
            "Operations attested as logged before the time they name as known.",
            "DIVERGED",
            &["bracket.reversed"],
            &[Twist::TimeTurnedRound],
        )?,
        one(
            "anchor-goes-back",
            "A later operation of a chain names an older time.",
            "DIVERGED",
            &["bracket.anchor_went_back"],
            &[Twist::AnchorGoesBack],
        )?,
        one(
            "other-size-than-sealed",
            "The sealed size is not that of the photograph.",
            "INVALID",
            &["evidence.size"],
            &[Twist::SizeLies],
        )?,
        one(
            "document-of-another-chain",
            "The document prints another chain head than its operation continues.",
            "DIVERGED",
            &["document.chain"],
            &[Twist::DocumentChainLies],
        )?,
        one(
            "promise-broken",
            "Operations were promised by a deadline and logged later.",
            "DIVERGED",
            &["receipt.promise"],
            &[Twist::PromiseBroken],
        )?,
        maker.vector(
            &frozen,
            "frozen-evidence-missing",
            "Evidence that a freeze names is not there.",
            "DIVERGED",
            &["freeze.missing"],
        )?,
    ])
}
