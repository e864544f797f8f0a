//! A small case, written as a bundle, judged by the verifier and by the commands that the bundle itself prints.

#![allow(clippy::unwrap_used, reason = "a broken set-up is a failed test")]

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::process::Command;

use fieldseal_core::bundle::{BlobClass, BlobEntry, BlobReader, BundleSink, Chain, Contents, LoggedOperation, write};
use fieldseal_core::catalogue::{Lang, trust};
use fieldseal_proof::attest::{Attestation, Meaning, Place};
use fieldseal_proof::body::Body;
use fieldseal_proof::bundle::{BundleSource, CheckedStamp, Extras, Report, SourceError, Trust, Verdict, verify};
use fieldseal_proof::cbor::Value;
use fieldseal_proof::checkpoint::{AttestationKind, Checkpoint, TimeNote, anchor};
use fieldseal_proof::hash::sha256;
use fieldseal_proof::ids::*;
use fieldseal_proof::key_log::{KeyLog, head_leaf};
use fieldseal_proof::merkle::{MemoryTree, prove_consistency, prove_inclusion};
use fieldseal_proof::note::{SignedNote, VerifierKey};
use fieldseal_proof::operation::Operation;
use fieldseal_proof::roll::{Roll, StreamEnd};
use fieldseal_proof::sshsig;
use fieldseal_proof::suite::{P256Signer, Signer};
use fieldseal_testkit::{Author, Ceremony, Draft, signer, text};

const ORIGIN: &str = "fieldseal.test/county/0";
/// What the tablets believe the time is.
const TABLET_CLOCK: u64 = 1_700_000_000_000;
const PHOTO: &[u8] = b"not really a photograph, but sealed as it is";

fn id(n: u8) -> [u8; 16] {
    [n; 16]
}

/// The whole ceremony and one inspection, in memory. Device 9 is the server; 2 and 3 are tablets.
struct World {
    ceremony: Ceremony,
    tree: MemoryTree,
    operations: Vec<(Operation, u64)>,
    authors: BTreeMap<u8, Author>,
    chains: BTreeMap<DeviceId, (Link, Vec<Commitment>)>,
    notes: Vec<Vec<u8>>,
}

impl World {
    fn new() -> Self {
        let tenant = TenantId::from_bytes(id(1));
        let mut ceremony = Ceremony::new(tenant, 1);
        ceremony.server(9, ORIGIN, [10, 11, 12, 13]);
        let p256 = P256Signer::from_scalar(&[21; 32]).unwrap();
        let authors = BTreeMap::from([
            (2, Author::new(tenant, 2)),
            (3, Author::with_key(tenant, 3, p256)),
            (9, Author::new(tenant, 10).named(9)),
        ]);
        for tablet in [2, 3] {
            ceremony.device(&authors[&tablet], "tablet");
        }
        for n in [4, 5] {
            let attributes = vec![text("name", "检查员"), text("certificate", &format!("01-{n}"))];
            let attributes = Body::build([n; 32], attributes).unwrap();
            ceremony.officer(n, 40 + n, "officer", attributes);
        }
        Self {
            ceremony,
            tree: MemoryTree::default(),
            operations: Vec::new(),
            authors,
            chains: BTreeMap::new(),
            notes: Vec::new(),
        }
    }

    fn keys(&self) -> &KeyLog {
        self.ceremony.log()
    }

    fn place(&self, device: u8) -> Place {
        let author = &self.authors[&device];
        Place {
            tenant: author.tenant,
            device: author.device,
            incarnation: author.incarnation,
            seq: author.seq,
            prev: author.prev,
        }
    }

    fn write(&mut self, device: u8, kind: &str, inspection: bool, fields: Vec<(String, Value)>) -> OpId {
        let author = self.authors.get_mut(&device).unwrap();
        let start = author.prev;
        let operation = author.seal(Draft {
            kind: kind.into(),
            case: Some(CaseId::from_bytes(id(100))),
            inspection: inspection.then(|| InspectionId::from_bytes(id(101))),
            fields,
            anchor: self.notes.last().map(|n| anchor(AttestationKind::TimeNote, n)),
            at_ms: TABLET_CLOCK,
            ..Draft::default()
        });
        let chain = self.chains.entry(author.device).or_insert_with(|| (start, Vec::new()));
        chain.1.push(operation.commitment());
        let index = self.tree.size();
        self.tree.push(operation.commitment().as_bytes());
        let op = operation.id();
        self.operations.push((operation, index));
        op
    }

    fn time_note(&mut self, unix_ms: u64) {
        let note = TimeNote {
            origin: ORIGIN.into(),
            unix_ms,
            size: self.tree.size(),
            root: self.tree.root(),
        };
        let note = SignedNote::sign(&note.text(), &TimeNote::key_name(ORIGIN), &signer(12)).unwrap();
        self.notes.push(note.to_bytes());
    }

    fn attest(&mut self, device: u8, officer: u8, target: OpId) {
        let place = self.place(device);
        let officer_id = OfficerId::from_bytes(id(officer));
        let attestation = Attestation::sign(
            &place,
            officer_id,
            "officer",
            Meaning::Made,
            vec![target],
            &signer(40 + officer),
        )
        .unwrap();
        self.write(device, "attest", true, attestation.fields());
    }

    fn roll(&mut self) {
        let mut ends: BTreeMap<(DeviceId, [u8; 16]), StreamEnd> = BTreeMap::new();
        for (operation, _) in &self.operations {
            let h = operation.header();
            let end = StreamEnd {
                device: h.device,
                incarnation: h.incarnation,
                stream: h.stream().id(),
                counter: h.counter,
                id: operation.id(),
            };
            ends.insert((h.device, h.stream().id()), end);
        }
        let roll = Roll {
            size: self.tree.size(),
            key_log_size: self.keys().size(),
            key_log_head: self.keys().head(),
            streams: ends.into_values().collect(),
        };
        self.write(9, "roll", false, roll.fields());
    }

    fn bundle(&self) -> Files {
        let checkpoint = Checkpoint {
            origin: ORIGIN.into(),
            size: self.tree.size(),
            root: self.tree.root(),
        };
        let size = checkpoint.size;
        let logged = |(operation, index): &(Operation, u64)| LoggedOperation {
            operation: {
                let header = operation.header();
                let key = self
                    .keys()
                    .operation_key(&header.device, &header.incarnation)
                    .unwrap()
                    .record
                    .key()
                    .unwrap();
                operation.clone().verify(&key).unwrap()
            },
            index: *index,
            inclusion: prove_inclusion(*index, size, &self.tree).unwrap(),
        };
        let chains = self.chains.iter().map(|(device, (start, commitments))| Chain {
            device: *device,
            incarnation: IncarnationId::from_bytes(*device.as_bytes()),
            start: *start,
            commitments: commitments.clone(),
        });
        let sizes = self
            .notes
            .iter()
            .map(|n| TimeNote::of(&SignedNote::parse(n).unwrap()).unwrap().size);
        let contents = Contents {
            case: CaseId::from_bytes(id(100)),
            checkpoint: SignedNote::sign(&checkpoint.text(), ORIGIN, &signer(11)).unwrap(),
            key_log: self.ceremony.frames().concat(),
            keys: self.keys().clone(),
            key_log_proofs: (0..self.keys().size())
                .map(|entry| (entry + 1, entry, prove_inclusion(entry, size, &self.tree).unwrap()))
                .collect(),
            operations: self.operations.iter().map(logged).collect(),
            chains: chains.collect(),
            attestations: self
                .notes
                .iter()
                .map(|n| (AttestationKind::TimeNote, n.clone()))
                .collect(),
            consistency: sizes
                .filter(|s| *s < size)
                .map(|s| (s, prove_consistency(s, size, &self.tree).unwrap()))
                .collect(),
            receipts: vec![],
            blobs: vec![BlobEntry {
                sha256: BlobHash::from_bytes(sha256(PHOTO)),
                class: BlobClass::Evidence,
                extension: "jpg".into(),
            }],
            view: serde_json::json!({}),
        };
        let mut files = Files::default();
        write(&contents, &OnePhoto, &signer(13), &mut files).unwrap();
        files
    }

    fn trust(&self) -> Trust {
        let vkey = VerifierKey::ed25519(ORIGIN, signer(11).public().clone())
            .unwrap()
            .to_vkey();
        let allowed = sshsig::allowed_signers_line(ORIGIN, signer(13).public());
        Trust::new(self.keys().tenant(), signer(1).public().clone(), &vkey, allowed).unwrap()
    }
}

/// An inspection on two tablets, attested by two officers, on which a roll stands.
fn story() -> World {
    let mut world = World::new();
    for size in 1..=world.keys().size() {
        let leaf = head_leaf(size, &world.keys().head_at(size).unwrap());
        world.tree.push(leaf.as_bytes());
    }
    world.time_note(1_799_000_000_000);
    let e = "evidence/65656565-6565-6565-6565-656565656565";
    let credentials = world.write(
        2,
        "credentials.show",
        true,
        vec![("credentials/a/told".into(), Value::Bool(true))],
    );
    world.attest(2, 4, credentials);
    world.attest(2, 5, credentials);
    world.write(
        3,
        "finding.record",
        true,
        vec![("finding/f/text".into(), Value::text("通道堵塞"))],
    );
    world.write(
        3,
        "evidence.seal",
        true,
        vec![
            (format!("{e}/sha256"), Value::bytes(sha256(PHOTO))),
            (format!("{e}/size"), Value::Uint(PHOTO.len() as u64)),
            (format!("{e}/acquisition"), Value::text("camera")),
        ],
    );
    world.roll();
    world.time_note(1_799_100_000_000);
    world
}

#[derive(Default, Clone)]
struct Files(BTreeMap<String, Vec<u8>>);

impl BundleSink for Files {
    fn file(&mut self, path: &str, bytes: &mut dyn Read) -> io::Result<()> {
        let mut out = Vec::new();
        bytes.read_to_end(&mut out)?;
        self.0.insert(path.to_owned(), out);
        Ok(())
    }
}

impl BundleSource for Files {
    fn paths(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn stream(&self, path: &str, sink: &mut dyn FnMut(&[u8])) -> Result<(), SourceError> {
        let missing = || SourceError {
            path: path.to_owned(),
            reason: "is missing".into(),
        };
        sink(self.0.get(path).ok_or_else(missing)?);
        Ok(())
    }
}

struct OnePhoto;

impl BlobReader for OnePhoto {
    fn open(&self, _: &BlobHash) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(PHOTO))
    }
}

fn codes(report: &Report) -> Vec<&'static str> {
    report.findings.iter().map(|f| f.code).collect()
}

impl Files {
    fn remove(&mut self, part: &str) {
        self.0.retain(|path, _| !path.contains(part));
    }

    /// Rewrites manifests and signs again, as the bearer of a bundle could.
    fn sign_again(&mut self, bearer: &dyn Signer) {
        let lines = |files: &BTreeMap<String, Vec<u8>>, payload: bool| {
            let wanted = |p: &&String| p.starts_with("data/") == payload && !p.starts_with("tagmanifest");
            let of = |p: &String| format!("{}  {p}\n", to_hex(&sha256(&files[p])));
            files.keys().filter(wanted).map(of).collect::<String>()
        };
        let manifest = lines(&self.0, true);
        self.0.insert("manifest-sha256.txt".into(), manifest.into());
        let tags = lines(&self.0, false);
        let signature = sshsig::sign(tags.as_bytes(), bearer).unwrap();
        self.0.insert("tagmanifest-sha256.txt".into(), tags.into());
        self.0.insert("tagmanifest-sha256.txt.sig".into(), signature.into());
    }
}

#[test]
fn an_honest_bundle_is_anchored_and_its_bracket_ignores_the_tablets_clock() {
    let world = story();
    let report = verify(&world.bundle(), &world.trust(), &Extras::default());
    assert_eq!(
        (report.verdict, codes(&report)),
        (Verdict::Anchored, vec![]),
        "{:#?}",
        report.findings
    );
    assert!(report.complete_by_roll);
    let photo = &report.items[0];
    assert_eq!(photo.bracket.not_before.map(|b| b.unix_ms), Some(1_799_000_000_000));
    assert_eq!(photo.bracket.not_after.map(|b| b.unix_ms), Some(1_799_100_000_000));
    assert_eq!(photo.clock_ms, TABLET_CLOCK);
    let credentials = report.operations.iter().find(|o| o.kind == "credentials.show").unwrap();
    assert!(credentials.awaiting.is_empty());
    assert_eq!(report.attests.len(), 2);
}

#[test]
fn whoever_stamped_stands_by_name_in_bracket_and_time_proof() {
    let mut world = story();
    world.notes.pop();
    let mut files = world.bundle();
    let token = b"a token that somebody with the authority's certificates has checked".to_vec();
    let name = format!("data/attestations/{}.rfc3161", anchor(AttestationKind::Rfc3161, &token));
    files.0.insert(name.clone(), token.clone());
    files.sign_again(&signer(13));
    let report = verify(&files, &world.trust(), &Extras::default());
    assert!(report.not_checked.contains(&name), "{:?}", report.not_checked);
    assert_eq!(
        report.items[0].bracket.not_after, None,
        "what nobody checked bounds nothing"
    );

    let stamp = |authority: &str, token: &[u8]| CheckedStamp {
        authority: authority.into(),
        token: token.to_vec(),
        checkpoint: Checkpoint {
            origin: ORIGIN.into(),
            size: world.tree.size(),
            root: world.tree.root(),
        },
        unix_ms: 1_799_200_000_000,
    };
    let extras = Extras {
        stamps: vec![stamp("另一家", b"another token"), stamp("国家授时中心", &token)],
        ..Extras::default()
    };
    let report = verify(&files, &world.trust(), &extras);
    assert_eq!((report.verdict, codes(&report)), (Verdict::Anchored, vec![]));
    let sentence = |lang| {
        let bracket = &report.items[0].bracket;
        trust::bracket_sentence(lang, bracket, true, &report.organisations, |ms| ms.to_string())
    };
    let zh = sentence(Lang::Zh);
    assert!(zh.contains("不晚于 1799200000000（依据：国家授时中心时间戳）"), "{zh}");
    let en = sentence(Lang::En);
    assert!(en.contains("(by: time stamp of 国家授时中心)"), "{en}");
    assert_eq!(trust::time_proof(Lang::Zh, &report), "时间证明：时间戳（国家授时中心）");
    let count = report.operations.len() as u64;
    assert_eq!(
        trust::attesters(Lang::Zh, &report),
        [("时间戳（国家授时中心）".to_owned(), count)]
    );
}

#[test]
fn one_bit_anywhere_is_invalid() {
    let world = story();
    let good = world.bundle();
    for path in good.0.keys() {
        let mut bad = good.clone();
        let bytes = bad.0.get_mut(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        let report = verify(&bad, &world.trust(), &Extras::default());
        assert_eq!(report.verdict, Verdict::Invalid, "{path}: {:?}", report.findings);
    }
}

#[test]
fn an_item_left_out_shows_by_the_roll_even_when_everything_is_signed_again() {
    let world = story();
    for (operation, _) in &world.operations {
        let mut bad = world.bundle();
        if operation.header().kind == "roll" {
            continue;
        }
        bad.remove(&operation.id().to_string());
        bad.remove("data/heads/");
        if operation.header().kind == "evidence.seal" {
            bad.remove("data/evidence/");
        }
        bad.sign_again(&signer(99));
        let report = verify(&bad, &world.trust(), &Extras::default());
        assert!(
            codes(&report).contains(&"roll.missing"),
            "{}: {:?}",
            operation.header().kind,
            report.findings
        );
        assert!(report.verdict <= Verdict::Diverged);
    }
}

#[test]
fn a_bundle_signed_again_by_its_bearer_is_unanchored() {
    let world = story();
    let mut bad = world.bundle();
    bad.sign_again(&signer(99));
    let report = verify(&bad, &world.trust(), &Extras::default());
    assert_eq!(
        (report.verdict, codes(&report)),
        (Verdict::Unanchored, vec!["bag.signer_unknown"])
    );
    let other_root = Trust {
        root: signer(98).public().clone(),
        ..world.trust()
    };
    let report = verify(&world.bundle(), &other_root, &Extras::default());
    assert_eq!(
        (report.verdict, codes(&report)),
        (Verdict::Unanchored, vec!["key_log.other_root"])
    );
}

#[test]
fn a_fork_is_diverged() {
    let mut world = story();
    let before = (world.authors.clone(), world.chains.clone());
    world.write(2, "note.record", true, vec![("note/n/text".into(), Value::text("one"))]);
    (world.authors, world.chains) = before;
    world.write(2, "note.record", true, vec![("note/n/text".into(), Value::text("two"))]);
    let report = verify(&world.bundle(), &world.trust(), &Extras::default());
    assert!(codes(&report).contains(&"fork"), "{:?}", report.findings);
    assert!(report.verdict <= Verdict::Diverged);
}

#[test]
fn the_commands_that_the_bundle_prints_pass_with_openssl_ssh_keygen_and_python() {
    let world = story();
    let folder = tempfile::tempdir().unwrap();
    let trust = tempfile::tempdir().unwrap();
    for (path, bytes) in &world.bundle().0 {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    std::fs::write(trust.path().join("log.vkey"), world.trust().log.to_vkey()).unwrap();
    std::fs::write(trust.path().join("allowed_signers"), world.trust().allowed_signers).unwrap();
    let readme = std::fs::read_to_string(folder.path().join("README.md")).unwrap();
    let blocks: Vec<(&str, &str)> = readme
        .split("```")
        .skip(1)
        .step_by(2)
        .filter_map(|b| b.split_once('\n'))
        .collect();
    assert_eq!(
        blocks.iter().map(|(language, _)| *language).collect::<Vec<_>>(),
        ["sh", "sh", "sh", "sh", "sh", "python"]
    );
    for (language, block) in blocks {
        let (program, args) = if language == "sh" {
            ("bash", vec!["-euo", "pipefail", "-c", block])
        } else {
            ("python3", vec!["-c", block])
        };
        let output = Command::new(program)
            .args(args)
            .current_dir(&folder)
            .env("TRUST", trust.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{block}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
