//! One inspection from the first tap to the roll, written into a log: what a bundle is made of, also told wrongly.

use fieldseal_proof::attest::{self, Attestation, Meaning};
use fieldseal_proof::cbor::Value;
use fieldseal_proof::checkpoint::{AttestationKind, Checkpoint, TimeNote, anchor};
use fieldseal_proof::hash::sha256;
use fieldseal_proof::ids::{Commitment, DocumentId, EvidenceId, OfficerId, OpId};
use fieldseal_proof::key_log::{Entry, head_leaf};
use fieldseal_proof::merkle::MemoryTree;
use fieldseal_proof::note::SignedNote;
use fieldseal_proof::operation::Operation;
use fieldseal_proof::roll::{Held, Roll, StreamEnd, closing_fields};
use fieldseal_proof::suite::Signer;

use super::Result;
use super::actors::{Author, MORNING, ORIGIN, Place, case, ed25519, fields, id, inspection, p256};
use super::key_logs::{Ledger, ceremony};

/// The original bytes of the one piece of evidence, and of the one document.
pub const PHOTO: &[u8] = b"\xff\xd8\xff\xe0 a photograph of a blocked escape route";
/// See [`PHOTO`].
pub const PDF: &[u8] = b"%PDF-1.7 an inspection record\n";

/// What is told otherwise than it should be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Twist {
    /// A tablet signs two operations with one sequence; both are logged.
    ForkBySeq,
    /// A tablet's second incarnation starts from a link that the first one continued.
    ForkByPrev,
    /// The closing names an operation of the other tablet that nobody has.
    ClosingNamesMore,
    /// The revoked tablet's last operation is logged after the revocation.
    WritesAfterRevocation,
    /// An officer's key is revoked before he attests with it.
    OfficerRevoked,
    /// And the server quarantines it.
    Quarantined,
    /// The server made no roll.
    NoRoll,
    /// A later operation names an older time than an earlier one.
    AnchorGoesBack,
    /// The last time note is dated before the first.
    TimeTurnedRound,
    /// The sealed size is not that of the photograph.
    SizeLies,
    /// The document prints another chain head than its operation continues.
    DocumentChainLies,
    /// A supervisor froze evidence.
    Freeze,
    /// The server promised the first tablet's operations by a deadline that passed.
    PromiseBroken,
}

/// A device's chain as shipped.
pub struct Chain {
    pub author: Author,
    pub start: fieldseal_proof::ids::Link,
    pub commitments: Vec<Commitment>,
}

/// Everything that happened.
pub struct Story {
    pub ledger: Ledger,
    pub tree: MemoryTree,
    pub checkpoint: Checkpoint,
    pub note: SignedNote,
    /// Operations of the case with their leaf index.
    pub shipped: Vec<(Operation, u64)>,
    pub chains: Vec<Chain>,
    /// (size of the key log, leaf index of its head).
    pub heads: Vec<(u64, u64)>,
    /// Time notes with the size they speak of.
    pub times: Vec<(Vec<u8>, u64)>,
    pub deadline_ms: u64,
}

struct Log {
    tree: MemoryTree,
    shipped: Vec<(Operation, u64)>,
}

impl Log {
    fn leaf(&mut self, data: &[u8; 32]) -> u64 {
        self.tree.push(data);
        self.tree.size() - 1
    }

    fn admit(&mut self, operation: &Operation) {
        let index = self.leaf(operation.commitment().as_bytes());
        if operation.header().case.is_some() {
            self.shipped.push((operation.clone(), index));
        }
    }

    /// A time note about the log as it is now.
    fn time(&self, unix_ms: u64) -> Result<(Vec<u8>, u64)> {
        let note = TimeNote {
            origin: ORIGIN.to_owned(),
            unix_ms,
            size: self.tree.size(),
            root: self.tree.root(),
        };
        let note = SignedNote::sign(&note.text(), &TimeNote::key_name(ORIGIN), &ed25519("time")?)?;
        Ok((note.to_bytes(), self.tree.size()))
    }
}

/// An author and the commitments he has written so far.
fn write(chain: &mut Chain, log: &mut Log, place: Place, kind: &str, list: Vec<(String, Value)>) -> Result<Operation> {
    let operation = chain.author.write(place, kind, list)?;
    chain.commitments.push(operation.commitment());
    log.admit(&operation);
    Ok(operation)
}

fn chain(label: &str, signer: Box<dyn Signer>) -> Chain {
    let author = Author::new(label, signer);
    Chain {
        start: author.link,
        author,
        commitments: Vec::new(),
    }
}

fn attest(chain: &Chain, label: &str, targets: Vec<OpId>, key: &dyn Signer) -> Result<Vec<(String, Value)>> {
    let header = chain.author.next(Place::Inspection, attest::KIND);
    let place = attest::Place {
        tenant: header.tenant,
        device: header.device,
        incarnation: header.incarnation,
        seq: header.seq,
        prev: header.prev,
    };
    let officer = OfficerId::from_bytes(id(label));
    Ok(Attestation::sign(&place, officer, "officer", Meaning::Made, targets, key)?.fields())
}

fn end(chain: &Chain, log: &Log, place: Place) -> Option<StreamEnd> {
    let stream = match place {
        Place::Inspection => *inspection().as_bytes(),
        Place::Case => *case().as_bytes(),
        Place::Device => *chain.author.device.as_bytes(),
    };
    let of = |o: &&(Operation, u64)| {
        let h = o.0.header();
        (h.device, h.incarnation, h.stream().id()) == (chain.author.device, chain.author.incarnation, stream)
    };
    let last = log.shipped.iter().filter(of).max_by_key(|(o, _)| o.header().counter)?;
    Some(StreamEnd {
        device: chain.author.device,
        incarnation: chain.author.incarnation,
        stream,
        counter: last.0.header().counter,
        id: last.0.id(),
    })
}

/// Tells the story, with these twists.
pub fn tell(twists: &[Twist]) -> Result<Story> {
    let is = |twist: Twist| twists.contains(&twist);
    let mut ledger = ceremony()?;
    let mut log = Log {
        tree: MemoryTree::default(),
        shipped: Vec::new(),
    };
    let mut heads = vec![(7, log.leaf(head_leaf(7, &ledger.head()).as_bytes()))];
    let mut one = chain("tablet one", Box::new(ed25519("tablet one")?));
    let mut two = chain("tablet two", Box::new(p256("tablet two")?));
    let mut server = chain("server", Box::new(ed25519("server")?));
    let older = log.time(MORNING - 600_000)?;
    for c in [&mut one, &mut two, &mut server] {
        write(
            c,
            &mut log,
            Place::Device,
            "device.open",
            fields([("device/app", Value::text("0.1.0"))]),
        )?;
    }
    let mut times = vec![log.time(MORNING - 60_000)?];
    let known = anchor(AttestationKind::TimeNote, &times[0].0);
    for c in [&mut one, &mut two, &mut server] {
        c.author.anchor = Some(known);
    }

    let enterprise = Value::bytes(id("enterprise"));
    let begin = fields([
        ("inspection/enterprise", enterprise),
        ("party/name", Value::text("某某化工有限公司")),
    ]);
    write(&mut one, &mut log, Place::Inspection, "inspection.begin", begin)?;
    let shown = fields([("credentials/c1/shown_to", Value::text("张负责"))]);
    let credentials = write(&mut one, &mut log, Place::Inspection, "credentials.show", shown)?;
    let before_finding = one.author.link;
    let finding = fields([
        ("finding/8b1c/grade", Value::text("major")),
        ("finding/8b1c/text", Value::text("疏散通道堵塞")),
    ]);
    write(&mut one, &mut log, Place::Inspection, "finding.record", finding)?;
    seal_photo(&mut one, &mut log, is(Twist::SizeLies))?;
    let other = fields([("finding/91aa/text", Value::text("灭火器过期"))]);
    if is(Twist::AnchorGoesBack) {
        times.push(older.clone());
        one.author.anchor = Some(anchor(AttestationKind::TimeNote, &older.0));
    }
    write(&mut two, &mut log, Place::Inspection, "finding.record", other)?;
    times.push(log.time(MORNING + 3_600_000)?);
    let issued = issue(&mut one, &mut log, is(Twist::DocumentChainLies))?;
    let targets = vec![credentials.id(), issued.id()];
    let first = attest(&one, "officer one", targets.clone(), &ed25519("officer one")?)?;
    write(&mut one, &mut log, Place::Inspection, attest::KIND, first)?;
    if is(Twist::OfficerRevoked) {
        heads.push(revoke(&mut ledger, &p256("officer two")?, &mut log)?);
    }
    let second = attest(&two, "officer two", targets, &p256("officer two")?)?;
    write(&mut two, &mut log, Place::Inspection, attest::KIND, second)?;
    if is(Twist::ForkBySeq) {
        let twin = one.author.sign(
            one.author.next(Place::Inspection, "note.record"),
            fields([("note/1f/text", Value::text("the other branch"))]),
        )?;
        log.admit(&twin);
    }
    let mut held: Vec<Held> = [&one, &two]
        .into_iter()
        .filter_map(|c| end(c, &log, Place::Inspection))
        .map(|e| (e.device, e.incarnation, e.counter, e.id))
        .collect();
    if is(Twist::ForkBySeq) {
        held.retain(|(device, ..)| *device != one.author.device);
    }
    if is(Twist::ClosingNamesMore) {
        held.iter_mut()
            .filter(|h| h.0 == two.author.device)
            .for_each(|h| h.2 += 1);
    }
    write(
        &mut one,
        &mut log,
        Place::Inspection,
        "inspection.close",
        closing_fields(&held),
    )?;
    let mut chains_more = Vec::new();
    if is(Twist::ForkByPrev) {
        chains_more.push(second_life(&mut ledger, &one, &mut log, before_finding)?);
    }
    if is(Twist::Freeze) {
        let frozen = Value::Array(vec![Value::bytes(id("photo"))]);
        write(
            &mut two,
            &mut log,
            Place::Case,
            "evidence.freeze",
            fields([("freeze/f1/evidence", frozen)]),
        )?;
    }

    heads.push(revoke(&mut ledger, &ed25519("tablet one")?, &mut log)?);
    let late = is(Twist::WritesAfterRevocation)
        .then(|| {
            write(
                &mut one,
                &mut log,
                Place::Inspection,
                "note.record",
                fields([("note/2f/text", Value::text("too late"))]),
            )
        })
        .transpose()?;
    let exported = fields([("custody/e1/event", Value::text("exported"))]);
    write(&mut server, &mut log, Place::Case, "custody.event", exported)?;
    if let (true, Some(late)) = (is(Twist::Quarantined), &late) {
        let said = fields([
            ("disposition/reason", Value::text("revoked")),
            ("disposition/state", Value::text("quarantined")),
            ("disposition/target", Value::bytes(late.id().as_bytes())),
        ]);
        write(&mut server, &mut log, Place::Case, "disposition", said)?;
    }
    if !is(Twist::NoRoll) {
        roll(&ledger, &one, &two, &mut server, &mut log)?;
    }
    times.push(log.time(if is(Twist::TimeTurnedRound) {
        MORNING - 120_000
    } else {
        MORNING + 7_200_000
    })?);
    let checkpoint = Checkpoint {
        origin: ORIGIN.to_owned(),
        size: log.tree.size(),
        root: log.tree.root(),
    };
    let mut note = SignedNote::sign(&checkpoint.text(), ORIGIN, &ed25519("log")?)?;
    note.cosign(
        "example.net/witness",
        &ed25519("witness")?,
        (MORNING + 7_260_000) / 1000,
    )?;
    let mut chains = vec![one, two, server];
    chains.extend(chains_more);
    Ok(Story {
        ledger,
        tree: log.tree,
        checkpoint,
        note,
        shipped: log.shipped,
        chains,
        heads,
        times,
        deadline_ms: if is(Twist::PromiseBroken) {
            MORNING + 60_000
        } else {
            MORNING + 86_400_000
        },
    })
}

fn seal_photo(one: &mut Chain, log: &mut Log, size_lies: bool) -> Result<Operation> {
    let evidence = EvidenceId::from_bytes(id("photo"));
    let size = PHOTO.len() as u64 + u64::from(size_lies);
    let path = |name: &str| format!("evidence/{evidence}/{name}");
    let list = vec![
        (path("acquisition"), Value::text("camera")),
        (path("media_type"), Value::text("image/jpeg")),
        (path("sha256"), Value::bytes(sha256(PHOTO))),
        (path("size"), Value::Uint(size)),
        (path("title"), Value::text("疏散通道")),
    ];
    write(one, log, Place::Inspection, "evidence.seal", list)
}

fn issue(one: &mut Chain, log: &mut Log, chain_lies: bool) -> Result<Operation> {
    let document = DocumentId::from_bytes(id("document"));
    let path = |name: &str| format!("document/{document}/{name}");
    let printed = if chain_lies { one.start } else { one.author.link };
    let list = vec![
        (path("chain"), Value::bytes(printed.as_bytes())),
        (path("chain_counter"), Value::Uint(one.author.seq)),
        (path("pdf_sha256"), Value::bytes(sha256(PDF))),
        (path("type"), Value::text("inspection_record")),
    ];
    write(one, log, Place::Inspection, "document.issue", list)
}

/// The first tablet again, enrolled anew, from a link in the middle of what it had written.
fn second_life(ledger: &mut Ledger, one: &Chain, log: &mut Log, from: fieldseal_proof::ids::Link) -> Result<Chain> {
    let (key, admin) = (ed25519("tablet one, restored")?, ed25519("admin")?);
    let label = "tablet one, second life";
    let mut entry = super::key_logs::device(ledger, "tablet one", key.public(), admin.public())?;
    entry.incarnation = Some(fieldseal_proof::ids::IncarnationId::from_bytes(id(label)));
    entry.keys[1].public = ed25519("tablet one, restored, cosigner")?.public().as_bytes().to_vec();
    ledger.add(&entry, &admin)?;
    let fresh = Author::new("tablet one", Box::new(ed25519("tablet one")?));
    let mut author = fresh.reborn(label, Box::new(key));
    (author.link, author.anchor) = (from, one.author.anchor);
    let mut restored = Chain {
        start: from,
        author,
        commitments: Vec::new(),
    };
    let said = fields([("note/3f/text", Value::text("after a restore"))]);
    write(&mut restored, log, Place::Inspection, "note.record", said)?;
    Ok(restored)
}

/// The administrator revokes a key; the log takes the new head.
fn revoke(ledger: &mut Ledger, key: &dyn Signer, log: &mut Log) -> Result<(u64, u64)> {
    let admin = ed25519("admin")?;
    let entry = Entry {
        target: Some(key.public().key_id()),
        ..ledger.entry("revoke", admin.public())
    };
    ledger.add(&entry, &admin)?;
    let size = ledger.size();
    Ok((size, log.leaf(head_leaf(size, &ledger.head()).as_bytes())))
}

fn roll(ledger: &Ledger, one: &Chain, two: &Chain, server: &mut Chain, log: &mut Log) -> Result<Operation> {
    let ends = [
        end(one, log, Place::Inspection),
        end(two, log, Place::Inspection),
        end(two, log, Place::Case),
        end(server, log, Place::Case),
    ];
    let roll = Roll {
        size: log.tree.size(),
        key_log_size: ledger.size(),
        key_log_head: ledger.head(),
        streams: ends.into_iter().flatten().collect(),
    };
    write(server, log, Place::Case, "roll", roll.fields())
}
